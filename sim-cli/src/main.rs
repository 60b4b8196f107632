//! lbsim: a wind tunnel for distributed load balancers.
//!
//! Exit codes: 0 fine, 1 a run or a check of its results failed, 2 bad input (do not retry),
//! 3 parts of a sweep are missing, 75 the same command may succeed later, 130 ended by Ctrl-C.

mod args; // the command line
mod run; // `lbsim run`
mod sweep; // `lbsim sweep`
mod check; // `lbsim check`
mod list; // `lbsim list`
mod compare; // `lbsim compare`
mod validate; // `lbsim validate`

mod scenario_file; // a scenario from its file
mod diagnostics; // what is wrong with it
mod trace; // recorded arrivals

mod simulated; // every policy and replication
mod summary; // what the replications say together
mod expect; // whether that was expected

mod signals; // Ctrl-C
mod output; // standard output
mod report; // for people
mod picture; // latencies in block characters
mod number; // numbers as people read them
mod progress; // how far it is
mod json; // for programs
mod metrics; // the list of figures

mod folder; // files, all or none
mod tables; // CSV
mod latency_log; // HDR histograms
mod manifest; // what made the files

#[cfg(test)]
mod fixture; // a small scenario for tests

use std::process::ExitCode;

use clap::Parser;

use crate::args::{Args, Command};

fn main() -> ExitCode {
    match Args::parse().command {
        Command::Run(args) => run::run(args),
        Command::Sweep(args) => sweep::sweep(args),
        Command::Check(args) => check::check(&args),
        Command::Compare(args) => compare::compare(&args),
        Command::Validate(args) => validate::validate(&args),
        Command::Trace(command) => trace::command::trace(&command),
        Command::List { what } => list::list(what),
    }
}
