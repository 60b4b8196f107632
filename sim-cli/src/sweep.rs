//! `lbsim sweep`: runs a sweep, goes on with one, and joins its parts.

pub mod args; // the command line
mod parts; // status and merge
mod report; // for people
mod watch; // how far it is

use std::path::Path;
use std::process::ExitCode;
use std::sync::atomic::AtomicBool;

use bench_harness::memory::Memory;
use bench_harness::sweep::execute::{Execution, Report};
use bench_harness::sweep::inputs::Disk;
use bench_harness::sweep::join::{self, Inventory, JoinError};
use bench_harness::sweep::pilot::Pilots;
use bench_harness::sweep::plan::Plan;
use bench_harness::sweep::shard::Shard;
use bench_harness::sweep::store::{Store, StoreError};
use bench_harness::sweep::tally::Tally;
use sim_core::config::TraceConfig;
use sim_core::workload::TraceSource;

use self::args::{SweepArgs, SweepCommand, SweepRunArgs};
use self::report::Shown;
use crate::scenario_file::EXIT_BAD_INPUT;
use crate::signals::{EXIT_TEMPORARY, Signals};
use crate::trace::Traces;
use crate::{diagnostics, output};

/// Parts of the sweep are missing.
pub const EXIT_INCOMPLETE: u8 = 3;

/// Does what the arguments say.
pub fn sweep(args: SweepArgs) -> ExitCode {
    match (args.command, args.run) {
        (Some(SweepCommand::Status(args)), _) => parts::status(&args),
        (Some(SweepCommand::Merge(args)), _) => parts::merge(&args),
        (None, Some(args)) => run(&args),
        (None, None) => unreachable!("clap asks for the sweep file"),
    }
}

/// Ends with an error for the user.
fn fail(code: u8, error: &dyn std::fmt::Display) -> ExitCode {
    eprintln!("error: {error}");
    ExitCode::from(code)
}

/// The exit code of an error of the results' folder, told on stderr.
fn store_failed(error: &StoreError) -> ExitCode {
    if error.is_temporary() {
        eprintln!("error: {error}");
        eprintln!("every run that was finished is kept: the same command goes on from there");
        return ExitCode::from(EXIT_TEMPORARY);
    }
    fail(EXIT_BAD_INPUT, error)
}

fn run(args: &SweepRunArgs) -> ExitCode {
    let plan = match load(&args.file, &args.overrides()) {
        Ok(plan) => plan,
        Err(code) => return code,
    };
    let store = match Store::open(&args.out, &plan).and_then(|store| {
        store.clean()?;
        Ok(store)
    }) {
        Ok(store) => store,
        Err(error) => return store_failed(&error),
    };
    let signals = match Signals::catch() {
        Ok(signals) => signals,
        Err(error) => return fail(EXIT_TEMPORARY, &format!("cannot listen for signals: {error}")),
    };
    let shard = args.shard.unwrap_or(Shard::WHOLE);
    if shard.count > 1
        && let Err(error) = store.note_split(shard.count)
    {
        return store_failed(&error);
    }
    let report = match execute(args, &plan, &store, shard, &signals.stop) {
        Ok(report) => report,
        Err(error) => return store_failed(&error),
    };
    report::tell_oddities(&plan, &report);
    if report.stopped {
        eprintln!("stopped: what was finished is kept, and the same command goes on from there");
        return ExitCode::from(signals.exit_code());
    }
    finish(args, &plan, &store, shard, &report)
}

/// Reads the sweep file; what is wrong with it goes to stderr.
///
/// # Errors
/// The exit code.
pub fn load(file: &Path, overrides: &[(String, String)]) -> Result<Plan, ExitCode> {
    let text = std::fs::read_to_string(file).map_err(|error| {
        fail(EXIT_BAD_INPUT, &format!("cannot read {}: {error}", file.display()))
    })?;
    let folder = file.parent().unwrap_or(Path::new("")).to_owned();
    let disk = Disk { folder };
    Plan::new(&text, overrides, &disk).map_err(|wrong| {
        let path = file.display().to_string();
        let base = wrong
            .base_name
            .as_ref()
            .map_or_else(String::new, |name| disk.folder.join(name).display().to_string());
        let sweep = diagnostics::Source { path: &path, text: &text };
        let base = diagnostics::Source { path: &base, text: &wrong.base };
        let style = diagnostics::Style::of_stderr();
        eprint!("{}", diagnostics::render_sweep(base, sweep, &wrong.faults, style));
        ExitCode::from(EXIT_BAD_INPUT)
    })
}

fn execute(
    args: &SweepRunArgs,
    plan: &Plan,
    store: &Store,
    shard: Shard,
    stop: &AtomicBool,
) -> Result<Report, StoreError> {
    // Under a batch system every core has its own part to run.
    let all_cores = || match args.shard {
        Some(_) => 1,
        None => std::thread::available_parallelism().map_or(1, Into::into),
    };
    let jobs = args.jobs.map_or_else(all_cores, |jobs| jobs as usize);
    let disk = Disk { folder: args.file.parent().unwrap_or(Path::new("")).to_owned() };
    let base = plan.file.base.as_ref().map_or("", |base| &base.value);
    let opened = Traces::default();
    let traces = |config: &TraceConfig| -> Result<Box<dyn TraceSource>, String> {
        opened.open(&disk.beside_base(base, &config.file), config)
    };
    let tally = Tally::new(jobs);
    let free = || Memory::now().map_or(u64::MAX, |memory| memory.free_bytes / 5 * 4);
    let budget_bytes = args.memory.unwrap_or_else(free);
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
    let report = watch::while_running(&tally, args.quiet || args.json, || execution.run());
    for trace in opened.tallies().iter().filter(|trace| trace.left_out() > 0) {
        eprintln!("warning: trace {trace}");
    }
    report
}

/// What is said when this part is done: the tables if everything is, else what to do next.
fn finish(
    args: &SweepRunArgs,
    plan: &Plan,
    store: &Store,
    shard: Shard,
    report: &Report,
) -> ExitCode {
    let mut shown = Shown::new(plan, if args.json { usize::MAX } else { report::ROWS_MAX });
    let written =
        join::write_tables(plan, store, &mut |number, summary| shown.add(number, summary));
    let stock = match written {
        Ok(stock) => stock,
        Err(JoinError::Incomplete { missing, runs }) if shard.count > 1 => {
            return part_is_done(args, shard, report, runs - missing, runs);
        }
        Err(JoinError::Incomplete { .. }) => {
            return fail(EXIT_TEMPORARY, &"a result has disappeared: run the same command again");
        }
        Err(JoinError::Store(error)) => return store_failed(&error),
    };
    conclude(plan, &args.out, &shown, &stock, args.json, args.quiet)
}

/// Tells the end of a whole sweep.
fn conclude(
    plan: &Plan,
    out: &Path,
    shown: &Shown<'_>,
    stock: &Inventory,
    json: bool,
    quiet: bool,
) -> ExitCode {
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

fn part_is_done(
    args: &SweepRunArgs,
    shard: Shard,
    report: &Report,
    done: usize,
    runs: usize,
) -> ExitCode {
    let failed = report.failures.len();
    if args.json {
        let object = serde_json::json!({
            "shard": shard.to_string(), "runs": report.runs, "reused": report.reused,
            "failed": failed, "complete": false, "sweep_runs": runs, "sweep_runs_done": done,
        });
        output::print(&format!("{object}\n"));
    } else if !args.quiet {
        output::print(&format!(
            "part {shard} is done: {done} of {runs} runs are in {out}\n\
             when all parts are, join them: lbsim sweep merge {out} --out DIR\n",
            out = args.out.display(),
        ));
    }
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
