//! `lbsim validate`: known results, simulated.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::{fs, io};

use bench_harness::sweep::identity::{COMMIT, ENGINE, digest};
use bench_harness::validate::cases;
use bench_harness::validate::execute::{Effort, Stopped};
use bench_harness::validate::page::page;
use bench_harness::validate::record::{Line, Store, Totals, write};
use bench_harness::validate::rule::{CONFIDENCE, FAMILY, Verdict, misses_allowed};
use bench_harness::validate::table::Case;
use clap::Args as ClapArgs;
use comfy_table::{CellAlignment, Table};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use rayon::prelude::*;

use crate::output;
use crate::scenario_file::EXIT_BAD_INPUT;
use crate::signals::{EXIT_TEMPORARY, Signals};

/// Most requests of a case in its first round, over all replications: a queue at load 0.95 needs
/// 10^8 for a mean within 1 %.
const EVENTS_MAX: f64 = 4e8;
/// The same in the quick form, whose cases need far less.
const EVENTS_MAX_QUICK: f64 = 2e7;
/// The seed of the committed record.
const SEED: u64 = 1;

/// Arguments of `lbsim validate`.
#[expect(clippy::struct_excessive_bools, reason = "switches of a command line")]
#[derive(Debug, ClapArgs)]
pub struct ValidateArgs {
    /// A few rows of each table, in less than a minute
    #[arg(long)]
    pub quick: bool,
    /// Only the table of this name, or the cases that contain this
    #[arg(long, value_name = "PATTERN")]
    pub only: Option<String>,
    /// Directory for validation.csv and validation.md; the same command goes on where it was stopped
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Runs that go on at once; results do not depend on it [default: all cores]
    #[arg(long, value_name = "J", value_parser = clap::value_parser!(u32).range(1..=1024))]
    pub jobs: Option<u32>,
    /// Take over what other builds of lbsim have measured in --out, where scenario and targets are the same;
    /// each row says which build measured it
    #[arg(long, requires = "out")]
    pub reuse: bool,
    /// Run nothing: only write the files of what --out holds by now
    #[arg(long, requires = "out")]
    pub no_run: bool,
    /// Another seed: another sample of every case
    #[arg(long, value_name = "N", default_value_t = SEED)]
    pub seed: u64,
    /// No progress, and of the table only what does not agree
    #[arg(long)]
    pub quiet: bool,
}

/// `lbsim validate` from its arguments to its exit code.
pub fn validate(args: &ValidateArgs) -> ExitCode {
    let cases = cases(args.quick, args.only.as_deref());
    if cases.is_empty() {
        let only = args.only.as_deref().unwrap_or_default();
        let all = bench_harness::validate::TABLES.iter().map(|table| table.name);
        let all: Vec<&str> = all.collect();
        eprintln!("error: no case contains `{only}`; tables: {}", all.join(", "));
        return ExitCode::from(EXIT_BAD_INPUT);
    }
    match validated(args, &cases) {
        Ok(lines) => shown(args, &lines),
        Err(Failure::Stopped(code)) => {
            if args.out.is_some() {
                eprintln!("stopped: the same command goes on from here");
            }
            ExitCode::from(code)
        }
        Err(Failure::Temporary(problem)) => {
            eprintln!("error: {problem}");
            ExitCode::from(EXIT_TEMPORARY)
        }
    }
}

/// Why there is no result.
enum Failure {
    /// It was told to stop; the exit code.
    Stopped(u8),
    /// Files or threads.
    Temporary(String),
}

fn validated(args: &ValidateArgs, cases: &[Case]) -> Result<Vec<Line>, Failure> {
    let temporary =
        |what: &str, error: &dyn std::fmt::Display| Failure::Temporary(format!("{what}: {error}"));
    let signals = Signals::catch().map_err(|e| temporary("cannot listen for signals", &e))?;
    let build = build();
    let store = args.out.as_ref().map(|out| {
        let effort = format!("{} {}", args.seed, args.quick);
        let only = (!args.reuse).then(|| build.clone());
        Store::open(out, effort, only).map_err(|e| temporary(&out.display().to_string(), &e))
    });
    let store = store.transpose()?;
    let threads = args.jobs.unwrap_or(0) as usize;
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
    let pool = pool.map_err(|e| temporary("cannot start the threads", &e))?;

    let bar = progress(cases.len() as u64, args.quiet);
    let unwritten: Mutex<Option<io::Error>> = Mutex::new(None);
    let done: Mutex<BTreeMap<usize, Vec<Line>>> = Mutex::new(BTreeMap::new());
    let one = |index: usize, case: &Case| -> Result<(), Stopped> {
        let known = store.as_ref().and_then(|store| store.find(case));
        let lines = if let Some(lines) = known {
            lines
        } else if args.no_run {
            return Ok(());
        } else {
            bar.set_message(case.name());
            let lines = effort(args, &build, &signals.stop).run(case)?;
            let kept = store.as_ref().map_or(Ok(()), |store| store.keep(case, &lines));
            if let Err(error) = kept {
                signals.stop.store(true, Relaxed);
                *unwritten.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(error);
            }
            lines
        };
        bar.inc(1);
        done.lock().unwrap_or_else(std::sync::PoisonError::into_inner).insert(index, lines);
        Ok(())
    };
    let ended: Result<(), Stopped> = pool
        .install(|| cases.par_iter().enumerate().map(|(index, case)| one(index, case)).collect());
    bar.finish_and_clear();
    if let Some(error) = unwritten.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner) {
        return Err(temporary("cannot keep a result", &error));
    }
    ended.map_err(|Stopped| Failure::Stopped(signals.exit_code()))?;
    let done = done.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    let lines: Vec<Line> = done.into_values().flatten().collect();
    if let Some(out) = &args.out {
        let written = write(&out.join("validation.csv"), &lines)
            .and_then(|()| fs::write(out.join("validation.md"), page(&lines)));
        written.map_err(|e| temporary(&out.display().to_string(), &e))?;
    }
    Ok(lines)
}

fn effort<'a>(args: &ValidateArgs, build: &'a str, stop: &'a AtomicBool) -> Effort<'a> {
    static FINISHED: AtomicU64 = AtomicU64::new(0);
    let events_max = if args.quick { EVENTS_MAX_QUICK } else { EVENTS_MAX };
    Effort { seed: args.seed, events_max, repeats: true, stop, build, finished: &FINISHED }
}

/// The program that measures: version, revision, and the digest of its bytes.
fn build() -> String {
    let program = std::env::current_exe().and_then(fs::read);
    let program = program.map_or_else(|_| "unknown".to_owned(), |bytes| digest(&bytes).to_string());
    format!("{ENGINE} {COMMIT} {}", program.get(..12).unwrap_or(&program))
}

fn progress(cases: u64, quiet: bool) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(cases), ProgressDrawTarget::hidden());
    let style = ProgressStyle::with_template("{bar:30} {pos} of {len} cases, {eta} left  {msg}");
    if let Ok(style) = style {
        bar.set_style(style);
    }
    if !quiet {
        // This target draws nothing unless standard error is a terminal.
        bar.set_draw_target(ProgressDrawTarget::stderr());
    }
    bar
}

fn shown(args: &ValidateArgs, lines: &[Line]) -> ExitCode {
    let totals = Totals::of(lines);
    let mut table = Table::new();
    table.load_style(comfy_table::presets::NOTHING);
    table.set_header(["case", "metric", "known", "simulated", "+-", "off", "rule", "verdict"]);
    for column in 2..6 {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    let told = lines.iter().filter(|line| !args.quiet || line.verdict != Verdict::Pass);
    for line in told {
        let again = if line.round > 1 { " (second run)" } else { "" };
        let off = if line.theory == 0.0 {
            "-".to_owned()
        } else {
            format!("{:+.2} %", 100.0 * (line.simulated / line.theory - 1.0))
        };
        table.add_row([
            line.case.clone(),
            line.metric.clone(),
            format!("{:.5}", line.theory),
            format!("{:.5}", line.simulated),
            format!("{:.5}", line.half_width),
            off,
            line.rule.clone(),
            format!("{}{again}", line.verdict.name()),
        ]);
    }
    let allowed = misses_allowed(totals.targets);
    let Totals { targets, passed, repeated, failed, missed } = totals;
    let verdict = if totals.is_fine() { "valid" } else { "NOT VALID" };
    let text = format!(
        "{table}\n\n{verdict}: {passed} of {targets} targets agree, {failed} do not; {missed} missed \
         at first and {repeated} were measured again.\nEach interval holds the truth with \
         {} %; of {targets} honest targets at most {allowed} miss at first with {} %.\n",
        100.0 * CONFIDENCE,
        100.0 * FAMILY,
    );
    let printed = output::print(&text);
    if totals.is_fine() { printed } else { ExitCode::FAILURE }
}
