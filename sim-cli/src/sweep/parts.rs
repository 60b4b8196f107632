//! `lbsim sweep status` and `lbsim sweep merge`.

use std::fmt::Write;
use std::path::Path;
use std::process::ExitCode;

use bench_harness::sweep::error::StoreError;
use bench_harness::sweep::join::{self, Inventory};
use bench_harness::sweep::plan::Plan;
use bench_harness::sweep::store::{self, Store};

use super::args::{FoldersArgs, MergeArgs, StatusArgs};
use super::ranges::ranges;
use super::{EXIT_INCOMPLETE, fail, running, store_failed};
use crate::output;
use crate::scenario_file::EXIT_BAD_INPUT;

/// The plan that all folders hold results of, and the folders.
fn open(args: &FoldersArgs) -> Result<(Plan, Vec<Store>), ExitCode> {
    let failed = |error: StoreError| store_failed(&error);
    let first = args.folders.first().expect("clap asks for one");
    let plan = match &args.plan {
        Some(path) => Plan::open(path),
        None => store::plan_of(first),
    };
    let plan = plan.map_err(failed)?;
    for folder in &args.folders {
        if !folder.is_dir() {
            let error = format!("there is no folder `{}`", folder.display());
            return Err(fail(EXIT_BAD_INPUT, &error));
        }
        let is_planned = match store::has_plan(folder, &plan.head) {
            Err(StoreError::Foreign { differs, .. }) => {
                let error = format!(
                    "`{}` and `{}` are of different sweeps: {} differ. Name folders of one sweep",
                    args.plan.as_ref().unwrap_or(first).display(),
                    folder.display(),
                    differs.join(", ")
                );
                return Err(fail(EXIT_BAD_INPUT, &error));
            }
            found => found.map_err(failed)?,
        };
        // With a plan at hand a folder does without: its part may have been killed very early.
        if !is_planned && args.plan.is_none() {
            return Err(failed(StoreError::NoPlan(folder.clone())));
        }
    }
    let stores = args.folders.iter().map(|folder| Store::existing(folder, &plan)).collect();
    Ok((plan, stores))
}

/// `lbsim sweep status`.
pub fn status(args: &StatusArgs) -> ExitCode {
    let (plan, stores) = match open(&args.folders) {
        Ok(opened) => opened,
        Err(code) => return code,
    };
    let shards = args.folders.shards.unwrap_or(plan.head.shards);
    let look = || -> Result<(Inventory, usize), StoreError> {
        let stock = join::take_stock(&plan, &stores, shards, false)?;
        let mut left_over = 0;
        for store in &stores {
            left_over += store.left_over()?.len();
        }
        Ok((stock, left_over))
    };
    let (stock, left_over) = match look() {
        Ok(found) => found,
        Err(error) => return store_failed(&error),
    };
    let complete = stock.to_make() == 0;
    let array = ranges(&stock.missing_shards);
    let text = if args.json {
        let object = serde_json::json!({
            "name": plan.head.name, "plan_id": plan.head.plan_id, "points": plan.head.points,
            "runs": stock.runs, "done": stock.done, "failed": stock.failed,
            "missing": stock.missing, "damaged": stock.damaged, "foreign": stock.foreign,
            "left_over": left_over, "complete": complete, "shards": shards,
            "missing_shards": stock.missing_shards, "array": array,
        });
        format!("{object}\n")
    } else {
        words(&plan, &stock, left_over, shards)
    };
    let printed = output::print(&text);
    if complete { printed } else { ExitCode::from(EXIT_INCOMPLETE) }
}

fn words(plan: &Plan, stock: &Inventory, left_over: usize, shards: u32) -> String {
    let mut text = format!(
        "{}: {} points, {} runs\ndone       {}\nfailed     {}\nmissing    {}\n",
        plan.head.name, plan.head.points, stock.runs, stock.done, stock.failed, stock.missing
    );
    for (count, what) in [
        (stock.damaged, "damaged    {}: will be made again\n"),
        (stock.foreign, "foreign    {}: files of another sweep or build, not used\n"),
        (left_over as u64, "left over  {}: unfinished files of processes that are no more\n"),
    ] {
        if count > 0 {
            text += &what.replace("{}", &count.to_string());
        }
    }
    if stock.to_make() > 0 {
        let _ = writeln!(text, "missing parts of {shards}: {}", ranges(&stock.missing_shards));
    }
    text
}

/// `lbsim sweep merge`.
pub fn merge(args: &MergeArgs) -> ExitCode {
    let (plan, stores) = match open(&args.folders) {
        Ok(opened) => opened,
        Err(code) => return code,
    };
    let shards = args.folders.shards.unwrap_or(plan.head.shards);
    let stock = match join::take_stock(&plan, &stores, shards, true) {
        Ok(stock) => stock,
        Err(error) => return store_failed(&error),
    };
    if stock.to_make() > 0 {
        eprintln!(
            "error: {} of {} runs are missing; on stdout the missing parts of {shards}",
            stock.to_make(),
            stock.runs
        );
        output::print(&format!("{}\n", ranges(&stock.missing_shards)));
        return ExitCode::from(EXIT_INCOMPLETE);
    }
    let joined = || -> Result<Store, StoreError> {
        let out = Store::open(&args.out, &plan)?;
        out.clean()?;
        let others: Vec<Store> =
            stores.iter().filter(|store| !is_same(store.folder(), &args.out)).cloned().collect();
        if !others.is_empty() {
            join::bring_over(&plan, &others, &out)?;
        }
        Ok(out)
    };
    match joined() {
        Ok(out) => running::write_tables(&plan, &out, &stock, args.json, args.quiet),
        Err(error) => store_failed(&error),
    }
}

fn is_same(a: &Path, b: &Path) -> bool {
    matches!((a.canonicalize(), b.canonicalize()), (Ok(a), Ok(b)) if a == b)
}
