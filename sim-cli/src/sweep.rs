//! `lbsim sweep`: plans a sweep, runs it or a part of it, has others run it, goes on with one, and joins parts.

pub mod args; // the command line
mod planning; // the plan
mod running; // runs of a plan, and the end of it
mod parts; // status and merge
mod ranges; // numbers of parts as batch systems take them
mod report; // for people
mod submit; // to batch engines
mod watch; // how far it is

use std::process::ExitCode;

use bench_harness::sweep::error::StoreError;

use self::args::{SweepArgs, SweepCommand};
use crate::scenario_file::EXIT_BAD_INPUT;
use crate::signals::EXIT_TEMPORARY;

/// Parts of the sweep are missing.
pub const EXIT_INCOMPLETE: u8 = 3;

/// Does what the arguments say.
pub fn sweep(args: SweepArgs) -> ExitCode {
    match (args.command, args.run) {
        (Some(SweepCommand::Plan(args)), _) => planning::plan(&args),
        (Some(SweepCommand::Run(args)), _) => running::part(&args),
        (Some(SweepCommand::Status(args)), _) => parts::status(&args),
        (Some(SweepCommand::Merge(args)), _) => parts::merge(&args),
        (Some(SweepCommand::Submit(args)), _) => submit::submit(&args),
        (None, Some(args)) => running::whole(&args),
        (None, None) => unreachable!("clap asks for the sweep file"),
    }
}

/// Ends with an error for the user.
fn fail(code: u8, error: &dyn std::fmt::Display) -> ExitCode {
    eprintln!("error: {error}");
    ExitCode::from(code)
}

/// The exit code of an error of a plan or of the results' folder, told on stderr.
fn store_failed(error: &StoreError) -> ExitCode {
    if error.is_temporary() {
        eprintln!("error: {error}");
        eprintln!("every run that was finished is kept: the same command goes on from there");
        return ExitCode::from(EXIT_TEMPORARY);
    }
    fail(EXIT_BAD_INPUT, error)
}
