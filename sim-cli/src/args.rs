//! The command line, as typed.

use std::path::PathBuf;

use crate::sweep::args::SweepArgs;
use crate::trace::command::TraceCommand;
use crate::validate::ValidateArgs;
use clap::{Args as ClapArgs, Parser, Subcommand, ValueEnum};

use crate::compare::{METRIC, POLICY};

/// A wind tunnel for distributed load balancers: nodes that decide from stale views, in simulation.
#[derive(Debug, Parser)]
#[command(name = "lbsim", version, max_term_width = 100)]
pub struct Args {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What lbsim can do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Simulate a scenario: every policy, every replication
    Run(RunArgs),
    /// Run many scenarios made from one, and go on with what was stopped
    Sweep(SweepArgs),
    /// Check a scenario without running it, and say what it offers the fleet
    Check(CheckArgs),
    /// Say which policy wins where, with confidence intervals
    Compare(CompareArgs),
    /// Hold the simulator to known results
    Validate(ValidateArgs),
    /// Look at recorded arrivals: fit laws to them, or convert them
    #[command(subcommand)]
    Trace(TraceCommand),
    /// List what a scenario file may contain
    List {
        /// What to list.
        what: Topic,
    },
}

/// Arguments of `lbsim run`.
#[derive(Debug, ClapArgs)]
pub struct RunArgs {
    /// The scenario file.
    #[command(flatten)]
    pub scenario: ScenarioArgs,
    /// Seed, instead of the scenario's
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// Replications, instead of the scenario's
    #[arg(long, value_name = "R")]
    pub replications: Option<u32>,
    /// Threads; the results do not depend on it [default: all cores]
    #[arg(long, value_name = "T")]
    pub threads: Option<usize>,
    /// Directory for the result files
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Print one JSON object on stdout and nothing else
    #[arg(long)]
    pub json: bool,
    /// No progress, no tables
    #[arg(long)]
    pub quiet: bool,
}

impl RunArgs {
    /// Every override: those of `--set`, then `--seed` and `--replications`.
    pub fn overrides(&self) -> Vec<(String, String)> {
        let Self { scenario, seed, replications, threads: _, out: _, json: _, quiet: _ } = self;
        let seed = seed.map(|seed| ("seed".to_owned(), seed.to_string()));
        let replications = replications.map(|count| ("replications".to_owned(), count.to_string()));
        scenario.set.iter().cloned().chain(seed).chain(replications).collect()
    }
}

/// Arguments of `lbsim compare`.
#[derive(Debug, ClapArgs)]
pub struct CompareArgs {
    /// A folder of `lbsim run --out` or `lbsim sweep --out`, its runs.csv, or a scenario file
    #[arg(value_name = "DIR|FILE")]
    pub source: PathBuf,
    /// Figure to compare, one of `lbsim list metrics`; repeatable
    #[arg(long, value_name = "NAME", default_value = METRIC)]
    pub metric: Vec<String>,
    /// Column of the alternatives: the policy or an axis of the sweep
    #[arg(long, value_name = "COLUMN", default_value = POLICY)]
    pub by: String,
    /// Threads to run a file with; the results do not depend on it [default: all cores]
    #[arg(long, value_name = "T")]
    pub threads: Option<usize>,
    /// Print one JSON object on stdout and nothing else
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `lbsim check`.
#[derive(Debug, ClapArgs)]
pub struct CheckArgs {
    /// The scenario file.
    #[command(flatten)]
    pub scenario: ScenarioArgs,
}

/// A scenario file and what is laid over it.
#[derive(Debug, ClapArgs)]
pub struct ScenarioArgs {
    /// The scenario file
    #[arg(value_name = "SCENARIO")]
    pub file: PathBuf,
    /// Replace a value: nodes.count=16, servers.0.capacity=8, policy=random
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = parse_override)]
    pub set: Vec<(String, String)>,
}

/// What `lbsim list` lists.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Topic {
    /// Keys of a scenario file: default, range, meaning
    Keys,
    /// Keys of a sweep file: default, range, meaning
    SweepKeys,
    /// Policies and their parameters
    Policies,
    /// Real systems' defaults: every value and where it is read
    Presets,
    /// Kinds of fault and their parameters
    Faults,
    /// Figures of a run: CSV columns, names under [expect] and in JSON
    Metrics,
}

/// Parses `KEY=VALUE`.
pub fn parse_override(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.trim().is_empty() => {
            Ok((key.trim().to_owned(), value.trim().to_owned()))
        }
        _ => Err("write KEY=VALUE, for example nodes.count=16".into()),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Args::command().debug_assert();
    }

    #[test]
    fn seed_and_replications_are_overrides_after_those_of_set() {
        let typed =
            ["lbsim", "run", "x.toml", "--set", "seed=3", "--seed", "4", "--replications", "2"];
        let Command::Run(run) = Args::try_parse_from(typed).expect("valid").command else {
            panic!("run")
        };
        let expected = [("seed", "3"), ("seed", "4"), ("replications", "2")];
        assert_eq!(run.overrides(), expected.map(|(k, v)| (k.to_owned(), v.to_owned())));
    }

    #[test]
    fn overrides_keep_everything_after_the_first_equals_sign() {
        assert_eq!(parse_override("a.b= >= 1"), Ok(("a.b".into(), ">= 1".into())));
        assert!(parse_override("a.b").is_err());
        assert!(parse_override("=1").is_err());
    }
}
