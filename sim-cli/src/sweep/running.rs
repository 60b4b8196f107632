//! `lbsim sweep FILE` and `lbsim sweep run`: the same, but for where the plan comes from.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;
use std::sync::atomic::AtomicBool;
use std::sync::{Mutex, PoisonError};

use bench_harness::memory::{self, Memory};
use bench_harness::sweep::error::StoreError;
use bench_harness::sweep::execute::{Execution, Report};
use bench_harness::sweep::inputs::{Disk, Files};
use bench_harness::sweep::join::{self, Inventory, JoinError};
use bench_harness::sweep::pilot::Pilots;
use bench_harness::sweep::plan::Plan;
use bench_harness::sweep::shard::Shard;
use bench_harness::sweep::store::Store;
use bench_harness::sweep::tally::Tally;
use sim_core::config::TraceConfig;
use sim_core::workload::TraceSource;

use super::args::{RunArgs, WholeArgs};
use super::report::{self, Shown};
use super::{fail, planning, store_failed, watch};
use crate::output;
use crate::scenario_file::EXIT_BAD_INPUT;
use crate::signals::{EXIT_TEMPORARY, Signals};
use crate::trace::Traces;

/// What is run, and how.
struct Work<'a> {
    plan: &'a Plan,
    shard: Shard,
    out: &'a Path,
    jobs: usize,
    /// Where the sweep file is: traces are beside it.
    folder: &'a Path,
    /// Memory that all runs may take together [bytes]; `None`: most of what is free.
    memory: Option<u64>,
    json: bool,
    quiet: bool,
}

/// `lbsim sweep FILE`: a plan and all of its runs.
pub fn whole(args: &WholeArgs) -> ExitCode {
    let plan = match planning::plan_in(&args.out, &args.file, &args.overrides()) {
        Ok(plan) => plan,
        Err(code) => return code,
    };
    let cores = || std::thread::available_parallelism().map_or(1, Into::into);
    let work = Work {
        plan: &plan,
        shard: Shard::WHOLE,
        out: &args.out,
        jobs: args.jobs.map_or_else(cores, |jobs| jobs as usize),
        folder: planning::folder_of(&args.file),
        memory: args.memory,
        json: args.json,
        quiet: args.quiet,
    };
    work.run()
}

/// `lbsim sweep run`: a part of a plan, or all of it.
pub fn part(args: &RunArgs) -> ExitCode {
    let plan = match Plan::open(&args.plan) {
        Ok(plan) => plan,
        Err(error) => return store_failed(&error),
    };
    let shard = match args.shard.map_or(Ok(Shard::WHOLE), |part| part.of(plan.head.shards)) {
        Ok(shard) => shard,
        Err(error) => return fail(EXIT_BAD_INPUT, &error),
    };
    let folder = plan.head.folder.as_ref().map_or_else(|| Path::new("."), Path::new);
    let work = Work {
        plan: &plan,
        shard,
        out: &args.out,
        jobs: args.jobs as usize,
        folder,
        memory: args.memory,
        json: args.json,
        quiet: args.quiet,
    };
    work.run()
}

impl Work<'_> {
    fn run(&self) -> ExitCode {
        let Self { plan, shard, out, json, quiet, .. } = *self;
        let is_whole = shard.count == 1;
        let store = Store::open(out, plan).and_then(|store| {
            // Looking for what others left means listing everything: too much for one part of many.
            if is_whole {
                store.clean()?;
            }
            Ok(store)
        });
        let store = match store {
            Ok(store) => store,
            Err(error) => return store_failed(&error),
        };
        let signals = match Signals::catch() {
            Ok(signals) => signals,
            Err(error) => {
                return fail(EXIT_TEMPORARY, &format!("cannot listen for signals: {error}"));
            }
        };
        let report = match self.execute(&store, &signals.stop) {
            Ok(report) => report,
            Err(error) => return store_failed(&error),
        };
        report::tell_oddities(plan, &report);
        if report.stopped {
            eprintln!(
                "stopped: what was finished is kept, and the same command goes on from there"
            );
            return ExitCode::from(signals.exit_code());
        }
        if !is_whole {
            return self.part_is_done(&report);
        }
        match join::take_stock(plan, std::slice::from_ref(&store), 1, false) {
            Ok(stock) if stock.to_make() == 0 => write_tables(plan, &store, &stock, json, quiet),
            Ok(_) => fail(EXIT_TEMPORARY, &"a result has disappeared: run the same command again"),
            Err(error) => store_failed(&error),
        }
    }

    fn execute(&self, store: &Store, stop: &AtomicBool) -> Result<Report, StoreError> {
        let Self { plan, shard, jobs, .. } = *self;
        let disk = Disk { folder: self.folder.to_owned() };
        let checked = Mutex::new(BTreeMap::new());
        let opened = Traces::default();
        let traces = |config: &TraceConfig| -> Result<Box<dyn TraceSource>, String> {
            is_as_planned(plan, &disk, &config.file, &checked)?;
            opened.open(&disk.beside_base(plan.base_name(), &config.file), config)
        };
        let tally = Tally::new(jobs);
        let free = || Memory::now().map_or(u64::MAX, |memory| memory.free_bytes / 5 * 4);
        let budget_bytes = self.memory.unwrap_or_else(free);
        let execution = Execution {
            plan,
            store,
            shard,
            jobs,
            budget_bytes,
            traces: &traces,
            stop,
            tally: &tally,
            pilots: Pilots::default(),
        };
        let report = watch::while_running(&tally, self.quiet || self.json, || execution.run());
        for trace in opened.tallies().iter().filter(|trace| trace.left_out() > 0) {
            eprintln!("warning: trace {trace}");
        }
        report
    }

    fn part_is_done(&self, report: &Report) -> ExitCode {
        let Self { plan, shard, out, .. } = self;
        let failed = report.failures.len();
        if self.json {
            let object = serde_json::json!({
                "shard": shard.index, "shards": shard.count, "plan_id": plan.head.plan_id,
                "runs": report.runs, "reused": report.reused, "failed": failed,
                "peak_memory_bytes": memory::peak_bytes(),
            });
            output::print(&format!("{object}\n"));
        } else if !self.quiet {
            output::print(&format!(
                "part {shard} is done: {runs} runs, {reused} of them there already, {failed} failed\n\
                 when all parts are, join them: lbsim sweep merge {out} --out {out}\n",
                runs = report.runs,
                reused = report.reused,
                out = out.display(),
            ));
        }
        if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}

/// Whether a trace has the content that it had when the sweep was planned; each is looked at once.
fn is_as_planned(
    plan: &Plan,
    disk: &Disk,
    name: &str,
    checked: &Mutex<BTreeMap<String, Result<(), String>>>,
) -> Result<(), String> {
    let mut checked = checked.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = checked.get(name) {
        return known.clone();
    }
    let found = disk.trace(plan.base_name(), name);
    let answer = match found {
        Err(why) => {
            let path = disk.beside_base(plan.base_name(), name);
            Err(format!("cannot read the trace: {}: {why}", path.display()))
        }
        Ok(digest) if plan.inputs().traces.get(name) == Some(&digest) => Ok(()),
        Ok(_) => Err(format!("the trace `{name}` is not the one that the sweep was planned with")),
    };
    checked.insert(name.to_owned(), answer.clone());
    answer
}

/// Writes the tables of a finished sweep and tells its end.
pub fn write_tables(
    plan: &Plan,
    store: &Store,
    stock: &Inventory,
    json: bool,
    quiet: bool,
) -> ExitCode {
    let mut shown = Shown::new(plan, if json { usize::MAX } else { report::ROWS_MAX });
    let told = &mut |number, point: &_, summary: &_| shown.add(number, point, summary);
    match join::write_tables(plan, store, stock, told) {
        Ok(()) => {}
        Err(JoinError::Store(error)) => return store_failed(&error),
        Err(error) => return fail(EXIT_TEMPORARY, &error),
    }
    let out = store.folder();
    let text = match (json, quiet) {
        (true, _) => shown.json(plan, out, stock),
        (false, true) => String::new(),
        (false, false) => shown.table(plan, out, stock),
    };
    let printed = output::print(&text);
    if stock.failed > 0 && printed == ExitCode::SUCCESS {
        return ExitCode::FAILURE;
    }
    printed
}
