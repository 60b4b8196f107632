//! `lbsim compare`: which policy wins where, and how sure that is.

mod rows; // runs.csv
mod standing; // who stands where
mod words; // for people
mod json; // for programs

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;
use sim_core::columns::{METRICS, Metric, metric, policy_labels};
use sim_core::result::RunResult;
use sim_core::stats::CONFIDENCE;
use sim_core::stats::contest::Direction;
use sim_core::verdict::{Verdict, judge};

use crate::args::{Args, Command, CompareArgs};
use crate::output;
use crate::run::{RunOptions, run_scenario};
use crate::scenario_file::{self, EXIT_BAD_INPUT};
use crate::simulated::Simulated;
use crate::sweep::sweep;
use json::{Comparison, Comparisons};
pub use rows::POLICY;
use rows::{Row, Rows, RowsError, read};
use standing::{Standing, standings};

/// What is compared unless something else is asked for.
pub const METRIC: &str = "latency_ms_p99";
/// Name of the table of runs in a folder of results.
const RUNS: &str = "runs.csv";
/// By this a sweep that has not ended is known.
const PLAN: &str = "plan.json";
/// Read beside what is compared: latencies are of answered requests only.
const SUCCESS: &str = "success_rate";

/// `lbsim compare` from its arguments to its exit code.
pub fn compare(args: &CompareArgs) -> ExitCode {
    match compared(args) {
        Ok(text) => output::print(&text),
        Err(Failure::Told(code)) => code,
        Err(Failure::Bad(problem)) => {
            eprintln!("error: {problem}");
            ExitCode::from(EXIT_BAD_INPUT)
        }
        Err(Failure::Temporary(problem)) => {
            eprintln!("error: {problem}");
            ExitCode::from(crate::run::EXIT_TEMPORARY)
        }
    }
}

/// Why nothing could be compared.
enum Failure {
    /// The reason has been told.
    Told(ExitCode),
    /// The command must change.
    Bad(String),
    /// The same command may succeed later.
    Temporary(String),
}

impl From<RowsError> for Failure {
    fn from(error: RowsError) -> Self {
        Self::Bad(error.to_string())
    }
}

fn compared(args: &CompareArgs) -> Result<String, Failure> {
    let metrics = args.metric.iter().map(|name| direction(name)).collect::<Result<Vec<_>, _>>();
    let metrics = metrics.map_err(Failure::Bad)?;
    let by = &args.by;
    let is_file = args.source.extension().is_some_and(|extension| extension == "toml");
    if is_file {
        let room = tempfile::tempdir().map_err(|error| Failure::Temporary(error.to_string()))?;
        let out = room.path().join("out");
        if is_sweep(&args.source) {
            sweep_into(args, &out)?;
        } else {
            simulate_into(args, &out)?;
        }
        return told(&out.join(RUNS), by, &metrics, args.json);
    }
    told(&table_of(&args.source).map_err(Failure::Bad)?, by, &metrics, args.json)
}

/// The metric of this name, and which way it is better.
fn direction(name: &str) -> Result<(&'static Metric, Direction), String> {
    let found = metric(name).ok_or_else(|| {
        let alike = METRICS.iter().map(|metric| metric.name).filter(|known| known.contains(name));
        let alike: Vec<&str> = alike.collect();
        let meant = if alike.is_empty() {
            String::new()
        } else {
            format!(" (do you mean {}?)", alike.join(", "))
        };
        format!("there is no metric `{name}`{meant}; `lbsim list metrics` has them all")
    })?;
    let better = found.better.ok_or_else(|| {
        format!(
            "`{name}` cannot be compared: neither more nor less of it is better by itself; \
             `lbsim list metrics` says of which metrics one is"
        )
    })?;
    Ok((found, better))
}

/// The table of runs in a folder, or the file itself.
fn table_of(source: &Path) -> Result<PathBuf, String> {
    if !source.is_dir() {
        return Ok(source.to_owned());
    }
    let table = source.join(RUNS);
    if !table.exists() && source.join(PLAN).exists() {
        return Err(format!(
            "the sweep in {} has not ended: run it again, it goes on where it was",
            source.display()
        ));
    }
    Ok(table)
}

/// Whether a file is a sweep: it names a base. What cannot be read is told by whoever reads it.
fn is_sweep(file: &Path) -> bool {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    text.parse::<toml::Table>().is_ok_and(|table| table.contains_key("base"))
}

/// Runs the sweep of a file and leaves its table of runs in `out`; that some have failed is told
/// there.
fn sweep_into(args: &CompareArgs, out: &Path) -> Result<(), Failure> {
    let words = ["lbsim", "sweep", "--quiet"].map(OsString::from).into_iter();
    let words = words.chain([args.source.clone().into(), "--out".into(), out.into()]);
    let jobs = args.threads.map(|threads| ["--jobs".into(), threads.to_string().into()]);
    let typed = Args::try_parse_from(words.chain(jobs.into_iter().flatten()));
    let typed = typed.map_err(|error| Failure::Bad(error.to_string()))?;
    let Command::Sweep(typed) = typed.command else {
        unreachable!("the command is `sweep`");
    };
    let code = sweep(typed);
    if out.join(RUNS).exists() { Ok(()) } else { Err(Failure::Told(code)) }
}

/// Runs the scenario of a file and leaves its table of runs in `out`.
fn simulate_into(args: &CompareArgs, out: &Path) -> Result<(), Failure> {
    let file = &args.source;
    let loaded = scenario_file::load(file, &[]).map_err(Failure::Told)?;
    let options = RunOptions {
        file: file.clone(),
        text: loaded.text,
        threads: args.threads,
        out: Some(out.to_owned()),
        quiet: true,
        ..RunOptions::default()
    };
    match run_scenario(&loaded.scenario, &options, &mut io::sink()) {
        Ok(_) => Ok(()),
        Err(error) if error.exit_code() == EXIT_BAD_INPUT => Err(Failure::Bad(error.to_string())),
        Err(error) => Err(Failure::Temporary(error.to_string())),
    }
}

/// The comparison of the runs in a file.
fn told(
    path: &Path,
    by: &str,
    metrics: &[(&'static Metric, Direction)],
    as_json: bool,
) -> Result<String, Failure> {
    let success = metric(SUCCESS);
    let wanted: Vec<&Metric> = metrics.iter().map(|(metric, _)| *metric).chain(success).collect();
    let rows = read(path, by, &wanted)?;
    let success = success.map(|_| metrics.len());
    let mut text = String::new();
    let mut comparisons = Vec::new();
    for (which, (metric, better)) in metrics.iter().enumerate() {
        let standings = standings(&rows, metric, *better, which, success);
        if standings.is_empty() {
            let keys = rows.keys.iter().map(|key| format!("`{key}`")).collect::<Vec<_>>();
            let hint = match &keys[..] {
                [] => String::new(),
                keys => format!("; compare along another column with --by: {}", keys.join(", ")),
            };
            return Err(Failure::Bad(format!(
                "{} has nothing to compare: one `{by}` in every setting{hint}",
                path.display()
            )));
        }
        comparisons.push(Comparison::new(metric, *better, &standings));
        text.push_str(&words::report(metric, *better, &standings));
        text.push('\n');
    }
    if as_json {
        let object =
            Comparisons { by: by.to_owned(), confidence: CONFIDENCE, metrics: comparisons };
        let text = serde_json::to_string(&object);
        return text.map(|text| text + "\n").map_err(|error| Failure::Temporary(error.to_string()));
    }
    Ok(text + words::LEGEND)
}

/// A sentence for each setting in the finished folder of a sweep, as many as `most`, and how often
/// each alternative along `by` leads; on `metric`, or on [`METRIC`] if that has no better and worse.
/// `None` where there is nothing to compare.
pub fn of_folder(folder: &Path, by: &str, metric: &str, most: usize) -> Option<String> {
    let (metric, better) = direction(metric).or_else(|_| direction(METRIC)).ok()?;
    let wanted: Vec<&Metric> =
        [Some(metric), self::metric(SUCCESS)].into_iter().flatten().collect();
    let rows = read(&folder.join(RUNS), by, &wanted).ok()?;
    let standings = standings(&rows, metric, better, 0, Some(1));
    (!standings.is_empty()).then(|| words::digest(metric, better, &standings, most))
}

/// A sentence on who is best in a run that has just been made, and a warning where latencies are not
/// all there is to it; `None` where there is but one policy.
pub fn in_short(simulated: &Simulated) -> Option<String> {
    let Simulated { scenario, runs, .. } = simulated;
    let (metric, better) = direction(METRIC).ok()?;
    let success = self::metric(SUCCESS);
    let labels = policy_labels(scenario);
    let of = |policy: usize| -> Vec<RunResult> {
        runs.iter().filter(|run| run.policy == policy).cloned().collect()
    };
    let verdicts: Vec<Verdict> = (0..labels.len()).map(|p| judge(scenario, &of(p))).collect();
    let row = |run: &RunResult| Row {
        entrant: labels[run.policy].clone(),
        keys: Vec::new(),
        replication: run.replication,
        is_ok: true,
        unsteady: Some(verdicts[run.policy])
            .filter(|verdict| *verdict != Verdict::Stable)
            .map(|verdict| verdict.to_string()),
        values: [Some(metric), success].map(|m| m.and_then(|m| (m.get)(scenario, run))).to_vec(),
    };
    let rows = Rows { keys: Vec::new(), rows: runs.iter().map(row).collect() };
    let standings = standings(&rows, metric, better, 0, Some(1));
    let [standing]: &[Standing; 1] = standings.as_slice().try_into().ok()?;
    let note =
        words::note(metric, standing).map_or_else(String::new, |note| format!("note: {note}\n"));
    Some(format!("{}: {}\n{note}", metric.name, words::conclusion(better, standing)))
}
