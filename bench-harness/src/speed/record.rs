//! The results of `bench-harness speed` as a table and as a dated folder.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use clap::ValueEnum;
use serde::Serialize;

use super::{Case, Check, Failure, median, name, peak_mb, policy_ratios};
use crate::one::Engine;

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
            ratio_min: ratios.iter().copied().min_by(f64::total_cmp),
            ratio_max: ratios.iter().copied().max_by(f64::total_cmp),
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
            let engine = engine.to_possible_value().expect("every engine has a name");
            for (repeat, reading) in readings.iter().enumerate() {
                rows.push(RawRow {
                    servers: case.servers,
                    nodes: case.nodes,
                    policy: name(case.policy),
                    engine: engine.get_name().to_owned(),
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

/// The commit of the tree, and whether it had been changed.
fn commit() -> String {
    let git = |arguments: &[&str]| {
        let output = Command::new("git").args(arguments).output().ok()?;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    match (git(&["rev-parse", "HEAD"]), git(&["status", "--porcelain", "--untracked-files=no"])) {
        (Some(commit), Some(changes)) if changes.is_empty() => commit,
        (Some(commit), _) => format!("{commit} with local changes"),
        (None, _) => "unknown".to_owned(),
    }
}

/// Processor, cores, operating system.
fn machine() -> String {
    let cpu = std::fs::read_to_string("/proc/cpuinfo").ok().and_then(|text| {
        let line = text.lines().find(|line| line.starts_with("model name"))?;
        Some(line.split_once(':')?.1.trim().to_owned())
    });
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    format!(
        "{}, {cores} cores, {} {}",
        cpu.unwrap_or_else(|| "unknown processor".to_owned()),
        std::env::consts::OS,
        std::env::consts::ARCH,
    )
}
