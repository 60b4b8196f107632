//! Arguments of `lbsim sweep`.

use std::path::PathBuf;

use bench_harness::sweep::shard::Shard;
use clap::{Args as ClapArgs, Subcommand};

use crate::args::parse_override;

/// Arguments of `lbsim sweep`.
#[derive(Debug, ClapArgs)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct SweepArgs {
    /// What to do with results that are there; without it, run the sweep.
    #[command(subcommand)]
    pub command: Option<SweepCommand>,
    /// What to run.
    #[command(flatten)]
    pub run: Option<SweepRunArgs>,
}

/// What to do with results that are there.
#[derive(Debug, Subcommand)]
pub enum SweepCommand {
    /// Say what is done and what is missing; exit code 3 if anything is
    Status(StatusArgs),
    /// Join parts of a sweep into the tables that one machine would have written
    Merge(MergeArgs),
}

/// Arguments of `lbsim sweep FILE`.
#[derive(Debug, ClapArgs)]
pub struct SweepRunArgs {
    /// The sweep file
    #[arg(value_name = "SWEEP", required = true)]
    pub file: PathBuf,
    /// Directory for the results; the same command goes on where it was stopped
    #[arg(long, value_name = "DIR", required = true)]
    pub out: PathBuf,
    /// Runs that go on at once; results do not depend on it [default: all cores, 1 with --shard]
    #[arg(long, value_name = "J", value_parser = clap::value_parser!(u32).range(1..=1024))]
    pub jobs: Option<u32>,
    /// Run only part i of n, from 0; `auto/n` takes i from the batch system
    #[arg(long, value_name = "I/N", value_parser = parse_shard)]
    pub shard: Option<Shard>,
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

impl SweepRunArgs {
    /// Every override: those of `--set`, then `--seed` and `--replications`.
    pub fn overrides(&self) -> Vec<(String, String)> {
        let seed = self.seed.map(|seed| ("seed".to_owned(), seed.to_string()));
        let count = self.replications.map(|count| ("replications".to_owned(), count.to_string()));
        self.set.iter().cloned().chain(seed).chain(count).collect()
    }
}

/// Arguments of `lbsim sweep status`.
#[derive(Debug, ClapArgs)]
pub struct StatusArgs {
    /// Directories with results of one sweep
    #[arg(value_name = "DIR", required = true)]
    pub folders: Vec<PathBuf>,
    /// Number of parts to list the missing ones of [default: as it was split]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub shards: Option<u32>,
    /// Print one JSON object on stdout and nothing else
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `lbsim sweep merge`.
#[derive(Debug, ClapArgs)]
pub struct MergeArgs {
    /// Directories with results of one sweep
    #[arg(value_name = "DIR", required = true)]
    pub folders: Vec<PathBuf>,
    /// Directory for the joined results; may be one of the others
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// Number of parts to list the missing ones of [default: as it was split]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub shards: Option<u32>,
    /// Print one JSON object on stdout and nothing else
    #[arg(long)]
    pub json: bool,
    /// No tables
    #[arg(long)]
    pub quiet: bool,
}

/// Where batch systems put the number of a task, from 0.
const INDEX_VARIABLES: [&str; 4] = [
    "SLURM_ARRAY_TASK_ID",
    "JOB_COMPLETION_INDEX",
    "AWS_BATCH_JOB_ARRAY_INDEX",
    "OMPI_COMM_WORLD_RANK",
];

fn parse_shard(text: &str) -> Result<Shard, String> {
    shard_with(text, &|name| std::env::var(name).ok())
}

fn shard_with(text: &str, variable: &dyn Fn(&str) -> Option<String>) -> Result<Shard, String> {
    if text == "auto" {
        return Err("the number of parts is needed too, for a batch system that repeats the \
                    missing ones tells another: auto/20"
            .to_owned());
    }
    let Some(count) = text.strip_prefix("auto/") else {
        return text.parse();
    };
    let found = INDEX_VARIABLES.iter().find_map(|name| variable(name));
    let index = found.ok_or_else(|| {
        format!(
            "no batch system says which part this is: none of {} is set",
            INDEX_VARIABLES.join(", ")
        )
    })?;
    format!("{}/{count}", index.trim()).parse()
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
    fn shards_come_from_the_command_line_or_the_batch_system() {
        let none = |_: &str| None;
        assert_eq!(shard_with("3/20", &none), Ok(Shard { index: 3, count: 20 }));
        for bad in ["20/20", "3", "a/b", "1/0", "-1/3", "", "auto", "auto/20"] {
            assert!(shard_with(bad, &none).is_err(), "{bad}");
        }
        for name in INDEX_VARIABLES {
            let variable = |asked: &str| (asked == name).then(|| "7".to_owned());
            assert_eq!(shard_with("auto/20", &variable), Ok(Shard { index: 7, count: 20 }));
            assert!(shard_with("auto/7", &variable).is_err());
        }
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
