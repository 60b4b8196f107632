//! `lbsim run`: simulates a scenario.

use std::process::ExitCode;

use crate::args::RunArgs;
use crate::scenario_file;

/// Simulates the scenario.
pub fn run(args: RunArgs) -> ExitCode {
    match scenario_file::load(&args.scenario.file, &args.overrides(), None) {
        Ok(_) => {
            eprintln!("lbsim: `run` is not there yet");
            ExitCode::FAILURE
        }
        Err(code) => code,
    }
}
