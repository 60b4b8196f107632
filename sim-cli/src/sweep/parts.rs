//! `lbsim sweep status` and `lbsim sweep merge`.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use bench_harness::sweep::join::{self, Inventory, JoinError};
use bench_harness::sweep::plan::Plan;
use bench_harness::sweep::store::{Store, StoreError, StoredPlan};

use super::args::{MergeArgs, StatusArgs};
use super::report::{self, Shown};
use super::{EXIT_INCOMPLETE, conclude, fail, store_failed};
use crate::output;
use crate::scenario_file::EXIT_BAD_INPUT;

/// The sweep that all folders hold parts of, worked out again from the first one.
fn plan_of(folders: &[PathBuf]) -> Result<Plan, ExitCode> {
    let read = |folder: &PathBuf| StoredPlan::read(folder).map_err(|error| store_failed(&error));
    let (first, rest) = folders.split_first().expect("clap asks for one");
    let stored = read(first)?;
    for folder in rest {
        let other = read(folder)?;
        if other.plan_id != stored.plan_id {
            let mut differs = stored.differences(&other);
            if differs.is_empty() {
                differs.push("the list of points".to_owned());
            }
            let error = format!(
                "`{}` and `{}` hold different sweeps: {} differ. Name folders of one sweep",
                first.display(),
                folder.display(),
                differs.join(", ")
            );
            return Err(fail(EXIT_BAD_INPUT, &error));
        }
    }
    let plan = Plan::restore(&stored.inputs).ok().filter(|p| p.id.to_string() == stored.plan_id);
    plan.ok_or_else(|| {
        let error = format!(
            "`{}` was made by {} ({}), and this is another build: join parts with the one that made them",
            first.display(), stored.engine, stored.commit
        );
        fail(EXIT_BAD_INPUT, &error)
    })
}

/// The number of parts that the sweep was split into, if it was always the same.
fn split(stores: &[Store]) -> Option<u32> {
    let counts: BTreeSet<u32> = stores.iter().flat_map(Store::splits).collect();
    counts.first().copied().filter(|_| counts.len() == 1)
}

/// `lbsim sweep status`.
pub fn status(args: &StatusArgs) -> ExitCode {
    let plan = match plan_of(&args.folders) {
        Ok(plan) => plan,
        Err(code) => return code,
    };
    let stores: Vec<Store> = args.folders.iter().map(|folder| Store::existing(folder)).collect();
    let shards = args.shards.or_else(|| split(&stores));
    let look = || -> Result<(Inventory, usize, usize), StoreError> {
        let stock = join::take_stock(&plan, &stores, shards.unwrap_or(1))?;
        let mut foreign = 0;
        let mut left_over = 0;
        for store in &stores {
            foreign += join::foreign(&plan, store)?;
            left_over += store.left_over()?.len();
        }
        Ok((stock, foreign, left_over))
    };
    let (stock, foreign, left_over) = match look() {
        Ok(found) => found,
        Err(error) => return store_failed(&error),
    };
    let complete = stock.missing + stock.damaged == 0;
    let text = if args.json {
        let object = serde_json::json!({
            "name": plan.file.name, "plan_id": plan.id.to_string(), "points": plan.points.len(),
            "runs": stock.runs, "done": stock.done, "failed": stock.failed,
            "missing": stock.missing, "damaged": stock.damaged, "foreign": foreign,
            "left_over": left_over, "complete": complete, "shards": shards,
            "missing_shards": shards.map(|_| &stock.missing_shards),
        });
        format!("{object}\n")
    } else {
        let mut text = format!(
            "{}: {} points, {} runs\ndone       {}\nfailed     {}\nmissing    {}\n",
            plan.file.name,
            plan.points.len(),
            stock.runs,
            stock.done,
            stock.failed,
            stock.missing
        );
        for (count, what) in [
            (stock.damaged, "damaged    {}: will be made again\n"),
            (foreign, "foreign    {}: runs of another sweep or build, not used\n"),
            (left_over, "left over  {}: unfinished files of processes that are no more\n"),
        ] {
            if count > 0 {
                text += &what.replace("{}", &count.to_string());
            }
        }
        if let (Some(count), false) = (shards, complete) {
            let missing = list(&stock.missing_shards);
            let _ = writeln!(text, "missing parts of {count}: {missing}");
        }
        text
    };
    let printed = output::print(&text);
    if complete { printed } else { ExitCode::from(EXIT_INCOMPLETE) }
}

/// `lbsim sweep merge`.
pub fn merge(args: &MergeArgs) -> ExitCode {
    let plan = match plan_of(&args.folders) {
        Ok(plan) => plan,
        Err(code) => return code,
    };
    let stores: Vec<Store> = args.folders.iter().map(|folder| Store::existing(folder)).collect();
    let shards = args.shards.or_else(|| split(&stores));
    let missing = |stock: &Inventory| {
        let missing = stock.missing + stock.damaged;
        eprintln!("error: {missing} of {} runs are missing", stock.runs);
        if shards.is_some() {
            output::print(&format!(
                "{}
",
                list(&stock.missing_shards)
            ));
        } else {
            eprintln!("with --shards N the missing parts of N are listed");
        }
        ExitCode::from(EXIT_INCOMPLETE)
    };
    let joined = || -> Result<Result<Store, Inventory>, StoreError> {
        join::compare(&plan, &stores)?;
        let stock = join::take_stock(&plan, &stores, shards.unwrap_or(1))?;
        if stock.missing + stock.damaged > 0 {
            return Ok(Err(stock));
        }
        let out = Store::open(&args.out, &plan)?;
        out.clean()?;
        for store in &stores {
            join::bring_over(&plan, store, &out)?;
        }
        Ok(Ok(out))
    };
    let out = match joined() {
        Ok(Ok(out)) => out,
        Ok(Err(stock)) => return missing(&stock),
        Err(error) => return store_failed(&error),
    };
    let mut shown = Shown::new(&plan, if args.json { usize::MAX } else { report::ROWS_MAX });
    match join::write_tables(&plan, &out, &mut |number, summary| shown.add(number, summary)) {
        Ok(stock) => conclude(&plan, &args.out, &shown, &stock, args.json, args.quiet),
        Err(JoinError::Store(error)) => store_failed(&error),
        Err(error) => fail(EXIT_INCOMPLETE, &error),
    }
}

/// `6,7`, as `--array=` of a batch system takes it.
fn list(shards: &[u32]) -> String {
    shards.iter().map(u32::to_string).collect::<Vec<_>>().join(",")
}
