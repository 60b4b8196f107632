//! lbsim: a wind tunnel for distributed load balancers.
//!
//! Exit codes: 0 fine, 1 a run or a check of its results failed, 2 bad input (do not retry).

mod args;
mod check;
mod diagnostics;
mod list;
mod run;
mod scenario_file;
#[cfg(test)]
mod trace; // recorded arrivals

use std::process::ExitCode;

use clap::Parser;

use crate::args::{Args, Command};

fn main() -> ExitCode {
    match Args::parse().command {
        Command::Run(args) => run::run(args),
        Command::Check(args) => check::check(&args),
        Command::List { what } => list::list(what),
    }
}
