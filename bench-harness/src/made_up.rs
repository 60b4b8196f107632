//! A made-up result for every run of a plan: what status and merge take can be measured without simulating
//! a million runs.
//!
//! The files are those that runs write, made by the same code, but for their figures, which are those of one
//! small run, and for the flush to the disk of each, which is left out.

use std::fs;
use std::path::PathBuf;

use bench_harness::fleet;
use bench_harness::sweep::plan::Plan;
use bench_harness::sweep::record::{Figures, Record};
use bench_harness::sweep::shard::Shard;
use bench_harness::sweep::store::Store;
use clap::Args;
use sim_core::simulation::{Options, simulate};

/// Arguments of `bench-harness made-up`.
#[derive(Debug, Args)]
pub struct MadeUpArgs {
    /// The plan, as `lbsim sweep plan` writes it
    #[arg(long, value_name = "FILE")]
    plan: PathBuf,
    /// Directory for the made-up results
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

/// Writes them.
///
/// # Errors
/// If the plan cannot be read, or the folder not be written to.
pub fn write(args: &MadeUpArgs) -> Result<(), Box<dyn std::error::Error>> {
    let plan = Plan::open(&args.plan)?;
    let store = Store::open(&args.out, &plan)?;
    let scenario = fleet::scenario(10, 2, fleet::TWO_CHOICES, 10_000);
    let result = simulate(&scenario, 0, 0, Options::default(), &|_| ())?;
    let mut record = Record { replication: 0, outcome: Ok(Figures::of(&scenario, false, &result)) };
    for row in plan.subjects_of(Shard::WHOLE) {
        let (_, subject) = row?;
        for replication in 0..plan.replications.least {
            record.replication = replication;
            let id = subject.run(replication);
            let path = store.path(id);
            if replication == 0
                && let Some(folder) = path.parent()
            {
                fs::create_dir_all(folder)?;
            }
            fs::write(path, record.to_bytes(id))?;
            store.write_host(id, b"{\"wall_s\":0.01,\"requests\":10000}\n")?;
        }
    }
    println!("{} made-up results in {}", plan.head.runs, args.out.display());
    Ok(())
}
