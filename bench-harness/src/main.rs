//! `bench-harness`: the measurements of lbsim that take longer than a bench.

mod speed; // what a request costs, against the reference
mod scale; // how costs grow with the fleet
mod decisions; // what a choice costs under each policy
mod instructions; // the gate: instructions a request must not rise
mod made_up; // results nobody simulated, for plans too large to be run
mod one; // one measurement
mod process; // measurements in processes of their own
mod machine; // what measured
mod summary; // median and ends
#[cfg(test)]
mod column_docs; // every column is explained

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
    /// Measure how costs grow with servers, nodes and threads; goes on after an interruption
    Scale(scale::ScaleArgs),
    /// Check that instructions a request have not risen; exit 1 if so, 77 if nothing can be counted
    Instructions(instructions::InstructionsArgs),
    /// Measure what a decision costs under each policy, and check how that grows; exit 1 if too fast
    Decisions(decisions::DecisionsArgs),
    /// Write a made-up result for every run of a plan, to measure what `lbsim sweep status` and `merge` take
    MadeUp(made_up::MadeUpArgs),
    /// One measurement, in a process of its own
    #[command(hide = true)]
    One(one::OneArgs),
}

fn main() -> ExitCode {
    let done = match Args::parse().command {
        Command::Speed(args) => speed::run(&args).map(|()| ExitCode::SUCCESS),
        Command::Scale(args) => scale::run(&args).map(|()| ExitCode::SUCCESS),
        Command::Instructions(args) => instructions::run(&args),
        Command::Decisions(args) => decisions::run(&args),
        Command::MadeUp(args) => made_up::write(&args).map(|()| ExitCode::SUCCESS),
        Command::One(args) => one::measure(&args).map(|reading| {
            println!("{reading}");
            ExitCode::SUCCESS
        }),
    };
    done.unwrap_or_else(|error| {
        eprintln!("error: {error}");
        ExitCode::from(2)
    })
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        super::Args::command().debug_assert();
    }
}
