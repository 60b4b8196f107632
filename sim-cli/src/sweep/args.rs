//! Arguments of `lbsim sweep`.

use std::path::PathBuf;

use bench_harness::sweep::shard::Shard;
use clap::{Args as ClapArgs, Subcommand};

use crate::args::parse_override;

/// Arguments of `lbsim sweep`.
#[derive(Debug, ClapArgs)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct SweepArgs {
    /// What to do; without it, plan the sweep and run all of it.
    #[command(subcommand)]
    pub command: Option<SweepCommand>,
    /// What to run.
    #[command(flatten)]
    pub run: Option<WholeArgs>,
}

/// Parts of a sweep, and what to do with them.
#[derive(Debug, Subcommand)]
pub enum SweepCommand {
    /// Work a sweep out once and write the plan that all its parts read
    Plan(PlanArgs),
    /// Run a part of a plan, or all of it
    Run(RunArgs),
    /// Say what is done and what is missing; exit code 3 if anything is
    Status(StatusArgs),
    /// Join parts of a sweep into the tables that one machine would have written
    Merge(MergeArgs),
    /// Have a batch engine run the parts of a plan that are not done yet
    Submit(SubmitArgs),
}

/// Arguments of `lbsim sweep FILE`.
#[derive(Debug, ClapArgs)]
pub struct WholeArgs {
    /// The sweep file
    #[arg(value_name = "SWEEP", required = true)]
    pub file: PathBuf,
    /// Directory for the results; the same command goes on where it was stopped
    #[arg(long, value_name = "DIR", required = true)]
    pub out: PathBuf,
    /// Runs that go on at once; results do not depend on it [default: all cores]
    #[arg(long, value_name = "J", value_parser = clap::value_parser!(u32).range(1..=1024))]
    pub jobs: Option<u32>,
    /// Memory all runs may take together, such as 8GB [default: 80 % of what is free]
    #[arg(long, value_name = "SIZE", value_parser = parse_bytes)]
    pub memory: Option<u64>,
    /// Replace a value in every point: duration=5s, servers.0.capacity=8
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = parse_override)]
    pub set: Vec<(String, String)>,
    /// Seed, instead of the sweep's
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// Replications, instead of the sweep's
    #[arg(long, value_name = "R")]
    pub replications: Option<u32>,
    /// Print one JSON object on stdout and nothing else
    #[arg(long)]
    pub json: bool,
    /// No progress, no tables
    #[arg(long)]
    pub quiet: bool,
}

/// Every override: those of `--set`, then `--seed` and `--replications`.
fn overrides(
    set: &[(String, String)],
    seed: Option<u64>,
    replications: Option<u32>,
) -> Vec<(String, String)> {
    let seed = seed.map(|seed| ("seed".to_owned(), seed.to_string()));
    let count = replications.map(|count| ("replications".to_owned(), count.to_string()));
    set.iter().cloned().chain(seed).chain(count).collect()
}

impl WholeArgs {
    /// Every override, in the order in which they are laid over each other.
    pub fn overrides(&self) -> Vec<(String, String)> {
        overrides(&self.set, self.seed, self.replications)
    }
}

impl PlanArgs {
    /// Every override, in the order in which they are laid over each other.
    pub fn overrides(&self) -> Vec<(String, String)> {
        overrides(&self.set, self.seed, self.replications)
    }
}

/// Arguments of `lbsim sweep plan`.
#[derive(Debug, ClapArgs)]
pub struct PlanArgs {
    /// The sweep file
    #[arg(value_name = "SWEEP")]
    pub file: PathBuf,
    /// Where the plan goes, such as plan.json
    #[arg(short, long = "output", value_name = "FILE")]
    pub out: PathBuf,
    /// Number of parts [default: so many that each takes some ten minutes of one core, at most 1000]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub shards: Option<u32>,
    /// Replace a value in every point: duration=5s, servers.0.capacity=8
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = parse_override)]
    pub set: Vec<(String, String)>,
    /// Seed, instead of the sweep's
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// Replications, instead of the sweep's
    #[arg(long, value_name = "R")]
    pub replications: Option<u32>,
    /// Print one JSON object on stdout and nothing else
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `lbsim sweep run`.
#[derive(Debug, ClapArgs)]
pub struct RunArgs {
    /// The plan, as `lbsim sweep plan` wrote it
    #[arg(long, value_name = "FILE")]
    pub plan: PathBuf,
    /// Run only this part, from 0; `auto` takes it from the batch system. The plan says how many there
    /// are; I/N cuts it into another number of them, and what is done already counts [default: all]
    #[arg(long, value_name = "I", value_parser = parse_part)]
    pub shard: Option<Part>,
    /// Directory for the results, the same for all parts or one each; the same command goes on where
    /// it was stopped
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// Runs that go on at once; results do not depend on it
    #[arg(long, value_name = "J", default_value_t = 1,
          value_parser = clap::value_parser!(u32).range(1..=1024))]
    pub jobs: u32,
    /// Memory all runs may take together, such as 8GB [default: 80 % of what is free]
    #[arg(long, value_name = "SIZE", value_parser = parse_bytes)]
    pub memory: Option<u64>,
    /// Print one JSON object on stdout and nothing else
    #[arg(long)]
    pub json: bool,
    /// No progress, no tables
    #[arg(long)]
    pub quiet: bool,
}

/// Which results to look at, and of which plan.
#[derive(Debug, ClapArgs)]
pub struct FoldersArgs {
    /// Directories with results of one sweep
    #[arg(value_name = "DIR", required = true)]
    pub folders: Vec<PathBuf>,
    /// The plan [default: the one beside the results]
    #[arg(long, value_name = "FILE")]
    pub plan: Option<PathBuf>,
    /// Number of parts to list the missing ones of [default: the plan's]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub shards: Option<u32>,
}

/// Arguments of `lbsim sweep status`.
#[derive(Debug, ClapArgs)]
pub struct StatusArgs {
    /// Which results.
    #[command(flatten)]
    pub folders: FoldersArgs,
    /// Print one JSON object on stdout and nothing else
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `lbsim sweep merge`.
#[derive(Debug, ClapArgs)]
pub struct MergeArgs {
    /// Which results.
    #[command(flatten)]
    pub folders: FoldersArgs,
    /// Directory for the joined results; may be one of the others
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// Print one JSON object on stdout and nothing else
    #[arg(long)]
    pub json: bool,
    /// No tables
    #[arg(long)]
    pub quiet: bool,
}

/// Arguments of `lbsim sweep submit`.
#[derive(Debug, ClapArgs)]
pub struct SubmitArgs {
    /// The batch engine
    #[arg(long, value_enum)]
    pub engine: Engine,
    /// The plan, made by `lbsim sweep plan`
    #[arg(long, value_name = "FILE")]
    pub plan: PathBuf,
    /// Directory for the results, on a file system that all nodes share
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// Runs that a part does at once, a core each
    #[arg(long, value_name = "J", default_value = "1", value_parser = clap::value_parser!(u32).range(1..=1024))]
    pub jobs: u32,
    /// Parts that go on at once [default: as many as the engine has room for]
    #[arg(long, value_name = "K", value_parser = clap::value_parser!(u32).range(1..))]
    pub max_running: Option<u32>,
    /// Partition to submit to [default: the engine's]
    #[arg(long, value_name = "NAME")]
    pub partition: Option<String>,
    /// Account to charge [default: the engine's]
    #[arg(long, value_name = "NAME")]
    pub account: Option<String>,
    /// Print the batch script and submit nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Print one JSON object on stdout and nothing else
    #[arg(long, conflicts_with = "dry_run")]
    pub json: bool,
    /// Further options of sbatch; they override what is asked for: -- --qos=long --mem=2G
    #[arg(last = true, value_name = "OPTION")]
    pub extra: Vec<String>,
}

/// What runs shards.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Engine {
    /// A job array of Slurm
    Slurm,
}

/// A part of a sweep as it is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// One of as many as the plan says.
    OfPlan(u32),
    /// One of another number.
    Of(Shard),
}

impl Part {
    /// The part, where the plan is for `planned` ones.
    ///
    /// # Errors
    /// If there is no such part.
    pub fn of(self, planned: u32) -> Result<Shard, String> {
        match self {
            Self::Of(shard) => Ok(shard),
            Self::OfPlan(index) if index < planned => Ok(Shard { index, count: planned }),
            Self::OfPlan(index) => Err(format!(
                "there is no part {index}: the plan has {planned}, numbered from 0 to {}",
                planned - 1
            )),
        }
    }
}

/// Where batch systems put the number of a task, from 0.
const INDEX_VARIABLES: [&str; 4] = [
    "SLURM_ARRAY_TASK_ID",
    "JOB_COMPLETION_INDEX",
    "AWS_BATCH_JOB_ARRAY_INDEX",
    "OMPI_COMM_WORLD_RANK",
];

fn parse_part(text: &str) -> Result<Part, String> {
    part_with(text, &|name| std::env::var(name).ok())
}

fn part_with(text: &str, variable: &dyn Fn(&str) -> Option<String>) -> Result<Part, String> {
    if text.contains('/') {
        return text.parse().map(Part::Of);
    }
    let number = |text: &str| text.trim().parse().map(Part::OfPlan);
    if text != "auto" {
        let form = "write the number of the part from 0, auto, or I/N for another number of parts";
        return number(text).map_err(|_| form.to_owned());
    }
    let set = INDEX_VARIABLES.iter().find_map(|name| Some((name, variable(name)?)));
    let (name, index) = set.ok_or_else(|| {
        format!(
            "no batch system says which part this is: none of {} is set",
            INDEX_VARIABLES.join(", ")
        )
    })?;
    number(&index).map_err(|_| format!("{name} is `{index}`, which is no number of a part"))
}

/// Parses `8GB`, `512MiB`, `1.5G`.
fn parse_bytes(text: &str) -> Result<u64, String> {
    let form = "write a number with a unit: 8GB, 512MB, 1.5GiB";
    let start = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(start);
    let number: f64 = number.parse().map_err(|_| form.to_owned())?;
    let unit = match unit.trim().to_ascii_lowercase().as_str() {
        "k" | "kb" => 1e3,
        "kib" => 1024.0,
        "m" | "mb" => 1e6,
        "mib" => 1024.0 * 1024.0,
        "g" | "gb" => 1e9,
        "gib" => 1024.0 * 1024.0 * 1024.0,
        "t" | "tb" => 1e12,
        "tib" => 1024.0 * 1024.0 * 1024.0 * 1024.0,
        _ => return Err(form.to_owned()),
    };
    let bytes = number * unit;
    if bytes >= 1.0 && bytes.is_finite() { Ok(bytes as u64) } else { Err(form.to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_come_from_the_command_line_or_the_batch_system() {
        let none = |_: &str| None;
        assert_eq!(part_with("3", &none), Ok(Part::OfPlan(3)));
        assert_eq!(part_with("3/20", &none), Ok(Part::Of(Shard { index: 3, count: 20 })));
        for bad in ["20/20", "a/b", "1/0", "-1/3", "", "auto", "auto/20", "-1", "x"] {
            assert!(part_with(bad, &none).is_err(), "{bad}");
        }
        for name in INDEX_VARIABLES {
            let variable = |asked: &str| (asked == name).then(|| "7".to_owned());
            assert_eq!(part_with("auto", &variable), Ok(Part::OfPlan(7)));
            let variable = |asked: &str| (asked == name).then(|| "-7".to_owned());
            assert!(part_with("auto", &variable).is_err_and(|why| why.contains(name)));
        }
        assert_eq!(Part::OfPlan(6).of(7), Ok(Shard { index: 6, count: 7 }));
        assert!(Part::OfPlan(7).of(7).is_err());
    }

    #[test]
    fn sizes_have_units() {
        for (text, bytes) in
            [("8GB", 8_000_000_000), ("512 MiB", 536_870_912), ("1.5g", 1_500_000_000)]
        {
            assert_eq!(parse_bytes(text), Ok(bytes));
        }
        for bad in ["8", "GB", "-1GB", "0GB", "8XB", ""] {
            assert!(parse_bytes(bad).is_err(), "{bad}");
        }
    }
}
