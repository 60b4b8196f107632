//! `bench-harness`: the measurements of lbsim that take longer than a bench.

mod one;
mod speed;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Measures the lbsim engine.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 100)]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Compare the speed of the windowed engine with the reference, over sizes and policies
    Speed(speed::SpeedArgs),
    /// One measurement, in a process of its own
    #[command(hide = true)]
    One(one::OneArgs),
}

fn main() -> ExitCode {
    let done = match Args::parse().command {
        Command::Speed(args) => speed::run(&args),
        Command::One(args) => {
            println!("{}", one::measure(&args));
            Ok(())
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        super::Args::command().debug_assert();
    }
}
