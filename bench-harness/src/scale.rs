//! `bench-harness scale`: how the cost of a request, of a view update and of memory grows with
//! servers, nodes and threads, for each policy and server kernel.
//!
//! Every measurement is a process of its own and is on disk before the next one starts; so a pass
//! can be interrupted at any moment, and the same command goes on where it stopped. Repeats are
//! interleaved: all points once, then all again, in the other direction. What is compared (an
//! engine with the reference, usual heartbeats with frequent ones) runs back to back.

mod grid; // which points are measured
mod journal; // a CSV file that survives an interruption
mod pass; // measuring, interleaved
mod countdown; // progress
mod results; // what is known of each point
mod columns; // scale.csv
pub mod fit; // least squares on logarithms
mod curves; // exponents.csv
pub mod record; // the folder

#[cfg(test)]
pub use record::columns_documented;

use std::path::PathBuf;

use clap::Args;

use crate::one::{Kernel, Policy};
use crate::process::{self, Failure};

use grid::{Axes, Pass};

/// Arguments of `bench-harness scale`.
#[derive(Debug, Args)]
pub struct ScaleArgs {
    /// Write into this folder, such as data/2026-01-31-scale; goes on with what is there
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// A pass of about two minutes: smaller fleets, shorter runs, no counting of instructions
    #[arg(long)]
    quick: bool,
    /// Repeats of every measurement; long ones are repeated three times at most [default: 5, or 3]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    repeats: Option<u32>,
    /// About how many requests a run; large fleets get 32 a server [default: 400000, or 150000]
    #[arg(long, value_parser = clap::value_parser!(u64).range(1_000..))]
    requests: Option<u64>,
    /// Do not count instructions, even where valgrind is installed
    #[arg(long)]
    no_instructions: bool,
    /// Numbers of servers; with any of these five, their product is measured instead of the curves
    #[arg(long, value_delimiter = ',', value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    servers: Vec<u32>,
    /// Numbers of LB nodes
    #[arg(long, value_delimiter = ',', value_parser = clap::value_parser!(u32).range(1..=10_000))]
    nodes: Vec<u32>,
    /// Policies
    #[arg(long, value_delimiter = ',')]
    policies: Vec<Policy>,
    /// Server kernels
    #[arg(long, value_delimiter = ',')]
    kernels: Vec<Kernel>,
    /// Numbers of threads
    #[arg(long, value_delimiter = ',', value_parser = clap::value_parser!(u32).range(1..=256))]
    threads: Vec<u32>,
}

/// Measures, and records.
pub fn run(args: &ScaleArgs) -> Result<(), Failure> {
    process::require_optimised()?;
    let origin = record::Origin::of_this_process()?;
    let folder = record::open(&args.out, &origin)?;
    let cases = grid::cases(&args.pass(), args.axes().as_ref());
    let results = pass::measure(&folder, cases)?;
    record::write(&folder, &results)?;
    println!("{}", record::summary(&results));
    println!("Written to {}", args.out.display());
    Ok(())
}

impl ScaleArgs {
    fn pass(&self) -> Pass {
        let (repeats, requests) = if self.quick { (3, 150_000) } else { (5, 400_000) };
        Pass {
            quick: self.quick,
            repeats: self.repeats.unwrap_or(repeats),
            requests: self.requests.unwrap_or(requests),
            instructions: !self.quick && !self.no_instructions,
            cores: crate::machine::cores() as u32,
        }
    }

    fn axes(&self) -> Option<Axes> {
        let Self { servers, nodes, policies, kernels, threads, .. } = self;
        let none = servers.is_empty() && nodes.is_empty() && threads.is_empty();
        if none && policies.is_empty() && kernels.is_empty() {
            return None;
        }
        let or =
            |list: &[u32], default| if list.is_empty() { vec![default] } else { list.to_vec() };
        Some(Axes {
            servers: or(servers, 1_000),
            nodes: or(nodes, 8),
            policies: if policies.is_empty() { vec![Policy::TwoChoices] } else { policies.clone() },
            kernels: if kernels.is_empty() { vec![Kernel::Fifo] } else { kernels.clone() },
            threads: or(threads, 1),
        })
    }
}
