//! The results of `bench-harness speed` as a table and as a dated folder.

use std::fmt::Write as _;
use std::path::Path;

use serde::Serialize;

use super::{Case, Check, peak_mb, policy_ratios};
use crate::machine::{commit, machine};
use crate::one::Engine;
use crate::process::{Failure, name};
use crate::summary::{high, low, median};

/// A row of `speed.csv`: one size under one policy. What is not known is an empty cell.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    servers: u32,
    nodes: u32,
    policy: String,
    repeats: usize,
    requests: u64,
    windowed_ns_per_request_median: Option<f64>,
    reference_ns_per_request_median: Option<f64>,
    ratio_median: Option<f64>,
    ratio_min: Option<f64>,
    ratio_max: Option<f64>,
    ratio_required: Option<f64>,
    lowest_latency_over_two_choices_median: Option<f64>,
    windowed_peak_mb: Option<f64>,
    reference_peak_mb: Option<f64>,
    windowed_instructions_per_request: Option<f64>,
}

/// A row of `measurements.csv`: one process.
#[derive(Debug, Serialize)]
struct RawRow {
    servers: u32,
    nodes: u32,
    policy: String,
    engine: String,
    repeat: usize,
    requests: u64,
    wall_ns: u64,
    peak_kib: Option<u64>,
}

/// The rows of `speed.csv`.
pub fn rows(cases: &[Case]) -> Vec<Row> {
    let row = |case: &Case| {
        let ratios = case.ratios();
        Row {
            servers: case.servers,
            nodes: case.nodes,
            policy: name(case.policy),
            repeats: case.windowed.len(),
            requests: case.windowed.first().map_or(0, |reading| reading.requests),
            windowed_ns_per_request_median: median(&case.windowed_ns()),
            reference_ns_per_request_median: median(&case.reference_ns()),
            ratio_median: median(&ratios),
            ratio_min: low(&ratios),
            ratio_max: high(&ratios),
            ratio_required: case.required_ratio(),
            lowest_latency_over_two_choices_median: median(&policy_ratios(cases, case)),
            windowed_peak_mb: peak_mb(&case.windowed),
            reference_peak_mb: peak_mb(&case.reference),
            windowed_instructions_per_request: case.instructions,
        }
    };
    cases.iter().map(row).collect()
}

/// The results and requirements as two Markdown tables.
pub fn report(rows: &[Row], checks: &[Check]) -> String {
    let mut text = String::from(
        "| servers | nodes | policy | windowed ns | reference ns | ratio (min to max) | peak MB \
         | instructions |\n|--:|--:|:--|--:|--:|--:|--:|--:|\n",
    );
    let cell = |value: Option<f64>, digits| {
        value.map_or_else(String::new, |value| format!("{value:.digits$}"))
    };
    for row in rows {
        let ratio = match (row.ratio_median, row.ratio_min, row.ratio_max) {
            (Some(median), Some(min), Some(max)) => format!("{median:.2} ({min:.2} to {max:.2})"),
            _ => String::new(),
        };
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} | {} | {ratio} | {} | {} |",
            row.servers,
            row.nodes,
            row.policy,
            cell(row.windowed_ns_per_request_median, 1),
            cell(row.reference_ns_per_request_median, 1),
            cell(row.windowed_peak_mb, 1),
            cell(row.windowed_instructions_per_request, 0),
        );
    }
    text.push_str("\n| requirement | required | measured | |\n|:--|--:|--:|:--|\n");
    for Check { what, required, measured, met } in checks {
        let verdict = if *met { "met" } else { "**missed**" };
        let _ = writeln!(text, "| {what} | {required} | {measured} | {verdict} |");
    }
    text
}

/// Writes `speed.csv`, `measurements.csv` and a `README.md` that says how they were made.
pub fn write(folder: &Path, cases: &[Case], rows: &[Row], report: &str) -> Result<(), Failure> {
    std::fs::create_dir_all(folder)?;
    write_csv(&folder.join("speed.csv"), rows)?;
    write_csv(&folder.join("measurements.csv"), &raw_rows(cases))?;
    std::fs::write(folder.join("README.md"), readme(report))?;
    Ok(())
}

fn write_csv<R: Serialize>(path: &Path, rows: &[R]) -> Result<(), Failure> {
    let mut writer = csv::Writer::from_path(path)?;
    rows.iter().try_for_each(|row| writer.serialize(row))?;
    Ok(writer.flush()?)
}

fn raw_rows(cases: &[Case]) -> Vec<RawRow> {
    let mut rows = Vec::new();
    for case in cases {
        for (engine, readings) in
            [(Engine::Windowed, &case.windowed), (Engine::Reference, &case.reference)]
        {
            for (repeat, reading) in readings.iter().enumerate() {
                rows.push(RawRow {
                    servers: case.servers,
                    nodes: case.nodes,
                    policy: name(case.policy),
                    engine: name(engine),
                    repeat,
                    requests: reading.requests,
                    wall_ns: reading.wall_ns,
                    peak_kib: reading.peak_kib,
                });
            }
        }
    }
    rows
}

fn readme(report: &str) -> String {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    format!(
        "# Speed of the engine\n\n\
         * Command: `cargo run --release -p bench-harness -- {}`\n\
         * Commit: {}\n\
         * Machine: {}\n\n\
         Load 0.8, four slots a server, exponential service of 10 ms, 500 us one way, heartbeats \
         every 100 ms to all nodes; one thread. Times are medians over the repeats and include \
         the set-up of a run; a ratio is reference over windowed within one repeat; peak memory \
         is the largest of the repeats [1 MB = 10^6 bytes]; instructions leave the set-up out. \
         `measurements.csv` has every process, `speed.csv` the table below.\n\n{report}",
        arguments.join(" "),
        commit(),
        machine(),
    )
}
