//! Loads a scenario file; what is wrong with it goes to stderr.

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use sim_core::config::{Scenario, Source};

use crate::diagnostics;

/// Bad input: trying again is no use.
pub const EXIT_BAD_INPUT: u8 = 2;

/// Loads and checks a scenario. Paths in it are relative to the file; `metrics` are the names an
/// expectation may use, `None` leaves them unchecked.
///
/// # Errors
/// The exit code, after everything has been told on stderr.
pub fn load(
    file: &Path,
    overrides: &[(String, String)],
    metrics: Option<&[&str]>,
) -> Result<Scenario, ExitCode> {
    let text = fs::read_to_string(file).map_err(|error| {
        eprintln!("error: cannot read {}: {error}", file.display());
        ExitCode::from(EXIT_BAD_INPUT)
    })?;
    let beside = file.parent().unwrap_or(Path::new(""));
    let read = |name: &str| {
        fs::read_to_string(beside.join(name)).map_err(|error| format!("cannot read it: {error}"))
    };
    Source { text: &text, overrides, read: &read, metrics }.parse().map_err(|faults| {
        let style = diagnostics::Style::of_stderr();
        eprint!("{}", diagnostics::render(&file.display().to_string(), &text, &faults, style));
        ExitCode::from(EXIT_BAD_INPUT)
    })
}
