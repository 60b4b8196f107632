//! Loads a scenario file; what is wrong with it goes to stderr.

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use bench_harness::memory::Memory;
use sim_core::columns::METRICS;
use sim_core::config::{Scenario, Source};
use sim_core::footprint;

use crate::diagnostics;

/// Bad input: trying again is no use.
pub const EXIT_BAD_INPUT: u8 = 2;

/// A scenario and the text it was read from.
pub struct Loaded {
    /// The file's content, without what was laid over it.
    pub text: String,
    /// What it says, everything laid over it included.
    pub scenario: Scenario,
}

/// Loads and checks a scenario. Paths in it are relative to the file.
///
/// # Errors
/// The exit code, after everything has been told on stderr.
pub fn load(file: &Path, overrides: &[(String, String)]) -> Result<Loaded, ExitCode> {
    let text = fs::read_to_string(file).map_err(|error| {
        eprintln!("error: cannot read {}: {error}", file.display());
        ExitCode::from(EXIT_BAD_INPUT)
    })?;
    let beside = file.parent().unwrap_or(Path::new(""));
    let read = |name: &str| {
        fs::read_to_string(beside.join(name)).map_err(|error| format!("cannot read it: {error}"))
    };
    let metrics: Vec<&str> = METRICS.iter().map(|metric| metric.name).collect();
    let memory = Memory::now();
    let fits = |scenario: &Scenario| {
        memory.and_then(|memory| footprint::fault(scenario, memory.total_bytes))
    };
    let source =
        Source { text: &text, overrides, read: &read, metrics: Some(&metrics), check: Some(&fits) };
    match source.parse() {
        Ok(scenario) => Ok(Loaded { text, scenario }),
        Err(faults) => {
            let style = diagnostics::Style::of_stderr();
            let path = file.display().to_string();
            eprint!("{}", diagnostics::render(&path, &text, &faults, style));
            Err(ExitCode::from(EXIT_BAD_INPUT))
        }
    }
}
