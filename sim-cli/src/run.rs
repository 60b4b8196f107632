//! `lbsim run`: simulates every policy of a scenario and reports what happened.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use sim_core::columns::policy_labels;
use sim_core::config::Scenario;

use crate::args::RunArgs;
use crate::expect::{self, Check};
use crate::folder::{Folder, FolderError};
use crate::manifest::{Making, Manifest};
use crate::scenario_file::{self, EXIT_BAD_INPUT};
use crate::simulated::{Simulated, SimulationError, simulate_all};
use crate::summary::summarise;
use crate::{json, latency_log, output, report, tables};

/// The same command may succeed later.
pub const EXIT_TEMPORARY: u8 = 75;

/// `lbsim run` from its arguments to its exit code.
pub fn run(args: RunArgs) -> ExitCode {
    let overrides = args.overrides();
    let file = args.scenario.file;
    let loaded = match scenario_file::load(&file, &overrides) {
        Ok(loaded) => loaded,
        Err(code) => return code,
    };
    let options = RunOptions {
        file,
        text: loaded.text,
        overrides,
        threads: args.threads,
        out: args.out,
        json: args.json,
        quiet: args.quiet,
    };
    match run_scenario(&loaded.scenario, &options, &mut io::stdout().lock()) {
        Ok(Outcome::AsExpected) => ExitCode::SUCCESS,
        Ok(Outcome::NotAsExpected) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(error.exit_code())
        }
    }
}

/// What to do with a scenario, besides what it says itself.
#[derive(Clone, Debug, Default)]
pub struct RunOptions {
    /// The scenario's file; a trace's path is relative to it.
    pub file: PathBuf,
    /// The scenario's text as it was read, for the manifest.
    pub text: String,
    /// What the command line changed in it, for the manifest.
    pub overrides: Vec<(String, String)>,
    /// Most threads to use; `None`: as many as the machine has cores.
    pub threads: Option<usize>,
    /// The folder to write files to; `None`: write none.
    pub out: Option<PathBuf>,
    /// One JSON object instead of the summary.
    pub json: bool,
    /// No summary and no progress; failed expectations only.
    pub quiet: bool,
}

/// How a run ended that could be carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Everything expected was found, or nothing was expected.
    AsExpected,
    /// An expectation was not met.
    NotAsExpected,
}

/// Why a run could not be carried out.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The results could not be written.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// A run could not be finished.
    #[error(transparent)]
    Simulation(#[from] SimulationError),
    /// The summary could not be written.
    #[error("cannot write to standard output: {0}")]
    Stdout(#[from] io::Error),
    /// The summary could not be made into JSON.
    #[error("cannot write JSON: {0}")]
    Json(#[from] serde_json::Error),
}

impl RunError {
    /// Whether the command must change before it can succeed.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Folder(error) if !error.is_temporary() => EXIT_BAD_INPUT,
            Self::Simulation(SimulationError::Run(_)) => EXIT_BAD_INPUT,
            _ => EXIT_TEMPORARY,
        }
    }
}

/// Runs every policy of `scenario` in every replication and reports to `stdout`.
///
/// Whatever is written is the same for the same scenario and seed, on any number of threads; only
/// the manifest holds measured times.
///
/// # Errors
/// If the threads cannot be started or something cannot be written.
pub fn run_scenario(
    scenario: &Scenario,
    options: &RunOptions,
    stdout: &mut impl Write,
) -> Result<Outcome, RunError> {
    let folder = options.out.as_deref().map(Folder::open).transpose()?;
    let simulated =
        simulate_all(scenario, &options.file, options.threads, options.quiet || options.json)?;
    let scenario = &simulated.scenario;
    let policies = summarise(scenario, &simulated.runs);
    let checks = expect::check(&scenario.expect, &policies);
    if let Some(folder) = folder {
        write_folder(folder, options, &simulated)?;
    }

    let text = if options.json {
        json::render(&simulated, &policies, &checks)?
    } else if options.quiet {
        failures(&checks)
    } else {
        report::render(&simulated, &policies, &checks) + &where_files_are(options)
    };
    output::write_all(stdout, &text)?;
    let as_expected = checks.iter().all(Check::passes);
    Ok(if as_expected { Outcome::AsExpected } else { Outcome::NotAsExpected })
}

fn write_folder(
    folder: Folder,
    options: &RunOptions,
    simulated: &Simulated,
) -> Result<(), FolderError> {
    let Simulated { scenario, warmup_found, unsettled, runs, threads, wall, engine, traces } =
        simulated;
    let draft = folder.draft()?;
    draft.write("runs.csv", |writer| tables::write_runs(scenario, runs, writer))?;
    for table in &tables::PART_TABLES {
        draft.write(table.file, |writer| table.write(scenario, runs, writer))?;
    }
    let labels = policy_labels(scenario);
    for run in runs {
        let label = &labels[run.policy];
        let name = format!("latency/{label}-r{}.hlog", run.replication);
        draft.write(&name, |writer| latency_log::write(scenario, label, run, writer))?;
    }
    let making = Making {
        text: &options.text,
        overrides: &options.overrides,
        warmup_found: *warmup_found,
        unsettled,
        threads: *threads,
        wall: *wall,
        engine: *engine,
        traces,
    };
    draft.publish(Manifest::new(scenario, runs, &making))
}

fn failures(checks: &[Check]) -> String {
    let failed = checks.iter().filter(|check| !check.passes());
    failed.flat_map(|check| [check.to_string(), "\n".to_owned()]).collect()
}

fn where_files_are(options: &RunOptions) -> String {
    match &options.out {
        Some(out) => format!("\nfiles are in {}\n", out.display()),
        None => "\nadd --out DIR for CSV files, HDR histograms and a manifest\n".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture;
    use sim_core::config::{Comparison, Expectation};
    use std::collections::BTreeMap;
    use std::fs;
    use std::path::Path;

    fn output(scenario: &Scenario, options: &RunOptions) -> (Outcome, String) {
        let mut stdout = Vec::new();
        let outcome = run_scenario(scenario, options, &mut stdout).expect("a run");
        (outcome, String::from_utf8(stdout).expect("text"))
    }

    /// Contents by path inside the folder.
    fn contents(folder: &Path) -> BTreeMap<String, Vec<u8>> {
        let mut contents = BTreeMap::new();
        for part in ["", "latency"] {
            for entry in fs::read_dir(folder.join(part)).expect("a folder") {
                let path = entry.expect("an entry").path();
                if path.is_file() {
                    let name = path.strip_prefix(folder).expect("inside").display().to_string();
                    contents.insert(name, fs::read(&path).expect("readable"));
                }
            }
        }
        contents
    }

    #[test]
    fn equal_runs_write_equal_bytes_on_any_number_of_threads() {
        let scenario = fixture::scenario();
        let room = tempfile::tempdir().expect("a folder");
        let folders = [1, 3].map(|threads| {
            let out = room.path().join(threads.to_string());
            let options = RunOptions {
                threads: Some(threads),
                out: Some(out.clone()),
                quiet: true,
                ..RunOptions::default()
            };
            assert_eq!(output(&scenario, &options), (Outcome::AsExpected, String::new()));
            let mut contents = contents(&out);
            assert!(contents.remove("manifest.json").is_some());
            contents
        });
        assert_eq!(folders[0].len(), 4 + 6);
        assert!(folders[0].contains_key("latency/round_robin-r2.hlog"));
        assert!(folders[0] == folders[1]);
    }

    #[test]
    fn a_failed_expectation_is_told_even_when_quiet() {
        let mut scenario = fixture::scenario();
        for comparison in [Comparison::Greater, Comparison::LessOrEqual] {
            let metric = "latency_ms_p50".to_owned();
            let bound = 1e9;
            scenario.expect.push(Expectation { policy: None, metric, comparison, bound });
        }
        let options = RunOptions { quiet: true, ..RunOptions::default() };
        let (outcome, text) = output(&scenario, &options);
        assert_eq!(outcome, Outcome::NotAsExpected);
        assert_eq!(text.lines().count(), 2);
        assert!(text.starts_with("FAIL  random: latency_ms_p50 > 1000000000, found"), "{text}");
    }

    #[test]
    fn json_is_one_object_and_nothing_else() {
        let options = RunOptions { json: true, ..RunOptions::default() };
        let (_, text) = output(&fixture::scenario(), &options);
        let object: serde_json::Value = serde_json::from_str(&text).expect("one object");
        assert_eq!(object["replications"], 3);
    }

    #[test]
    fn a_reader_that_has_seen_enough_is_no_error() {
        struct Closed(io::ErrorKind);
        impl Write for Closed {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(self.0.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let run_to =
            |kind| run_scenario(&fixture::scenario(), &RunOptions::default(), &mut Closed(kind));
        assert!(run_to(io::ErrorKind::BrokenPipe).is_ok());
        let error = run_to(io::ErrorKind::StorageFull).expect_err("a full disk");
        assert_eq!(error.exit_code(), 75);
    }
}
