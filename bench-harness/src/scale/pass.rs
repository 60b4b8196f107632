//! A pass: every measurement that is still missing, interleaved, with progress on stderr.

use std::path::Path;

use bench_harness::memory::Memory;
use serde::{Deserialize, Serialize};
use sim_core::footprint;

use crate::machine;
use crate::one::{Engine, Kernel, OneArgs, Policy, Reading};
use crate::process::{self, Failure};

use super::countdown::{Countdown, shown};
use super::grid::{Case, Point};
use super::journal::Journal;
use super::results::{Planned, Results};

/// Share of the free memory that a run may need.
const MEMORY_SHARE: f64 = 0.8;

/// A row of `measurements.csv`: one process.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Measured {
    engine: Engine,
    policy: Policy,
    kernel: Option<Kernel>,
    threads: u32,
    nodes: u32,
    servers: u32,
    heartbeat_ms: u64,
    requests_asked: u64,
    repeat: u32,
    wall_ns: u64,
    setup_ns: u64,
    requests: u64,
    decisions: u64,
    view_updates: u64,
    threads_used: u32,
    peak_kib: Option<u64>,
    load_average: Option<f64>,
}

/// A row of `instructions.csv`: one pair of processes under callgrind.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Counted {
    policy: Policy,
    kernel: Kernel,
    threads: u32,
    nodes: u32,
    servers: u32,
    instructions_per_request: f64,
}

/// Measures what the folder does not hold yet.
pub fn measure(folder: &Path, cases: Vec<Case>) -> Result<Results, Failure> {
    let (mut log, rows) = Journal::open::<Measured>(&folder.join("measurements.csv"))?;
    let (mut counts, counted) = Journal::open::<Counted>(&folder.join("instructions.csv"))?;
    let mut results = Results { planned: plan(cases), ..Results::default() };
    for row in &rows {
        take_in(&mut results, row);
    }
    results.instructions =
        counted.iter().map(|c| (c.point(), c.instructions_per_request)).collect();

    let missing = missing(&results);
    if !rows.is_empty() {
        eprintln!("{} measurements are there, {} are left", rows.len(), missing.len());
    }
    let mut countdown = Countdown::new(&missing);
    for (one, reading) in rows.iter().map(Measured::parts) {
        countdown.learn(&one, &reading);
    }
    countdown.announce();
    for (one, repeat) in missing {
        let load_average = machine::load_average();
        let reading = process::measure(&one)?;
        let row = Measured::new(&one, repeat, &reading, load_average);
        log.append(&row)?;
        take_in(&mut results, &row);
        countdown.done(&one, &reading);
    }
    count_instructions(&mut results, &mut counts)?;
    Ok(results)
}

/// Leaves out what does not fit into memory, in plain sight.
fn plan(cases: Vec<Case>) -> Vec<Planned> {
    let allowed = Memory::now().map(|memory| memory.free_bytes as f64 * MEMORY_SHARE);
    cases
        .into_iter()
        .map(|case| {
            let runs = case.runs(0);
            let needed = runs.iter().map(|one| footprint::estimate(&one.scenario()).bytes);
            let needed = needed.max().unwrap_or(0) as f64;
            let skipped = allowed.filter(|&allowed| needed > allowed).map(|allowed| {
                let [needed, allowed] = [needed, allowed].map(|bytes| bytes / 1e9);
                format!("needs about {needed:.1} GB of memory; {allowed:.1} GB may be used")
            });
            if let Some(why) = &skipped {
                eprintln!("skipped: {}: {why}", shown(&case.windowed()));
            }
            Planned { case, skipped }
        })
        .collect()
}

/// The measurements still to be made, in order: all points once, then all again the other way
/// round, so that what drifts does not lean to one side of a curve.
fn missing(results: &Results) -> Vec<(OneArgs, u32)> {
    let cases: Vec<&Case> = measured_cases(results).collect();
    let repeats = cases.iter().map(|case| case.repeats).max().unwrap_or(0);
    let mut missing = Vec::new();
    for repeat in 0..repeats {
        let mut round: Vec<&&Case> = cases.iter().filter(|case| repeat < case.repeats).collect();
        if repeat % 2 == 1 {
            round.reverse();
        }
        let runs = round.iter().flat_map(|case| case.runs(repeat));
        missing.extend(runs.map(|one| (one, repeat)));
    }
    missing.retain(|run| !results.readings.contains_key(run));
    missing
}

fn measured_cases(results: &Results) -> impl Iterator<Item = &Case> {
    results.planned.iter().filter(|p| p.skipped.is_none()).map(|planned| &planned.case)
}

fn take_in(results: &mut Results, row: &Measured) {
    let (one, reading) = row.parts();
    results.readings.insert((one, row.repeat), reading);
    let load = results.load_average_max.into_iter().chain(row.load_average);
    results.load_average_max = load.max_by(f64::total_cmp);
}

fn count_instructions(results: &mut Results, counts: &mut Journal) -> Result<(), Failure> {
    let cases: Vec<Case> = measured_cases(results)
        .filter(|case| case.instructions && !results.instructions.contains_key(&case.point))
        .copied()
        .collect();
    if !cases.is_empty() && !process::valgrind_is_there() {
        eprintln!("skipped: instructions: valgrind is not installed");
        return Ok(());
    }
    for (number, case) in (1..).zip(&cases) {
        let one = case.windowed();
        let instructions = process::instructions_per_request(&one)?;
        eprintln!(
            "[{number} of {}] {}: {instructions:.0} instructions a request",
            cases.len(),
            shown(&one)
        );
        counts.append(&Counted::new(case.point, instructions))?;
        results.instructions.insert(case.point, instructions);
    }
    Ok(())
}

impl Measured {
    fn new(one: &OneArgs, repeat: u32, reading: &Reading, load_average: Option<f64>) -> Self {
        let OneArgs { engine, policy, servers, nodes, requests, kernel, threads, heartbeat_ms } =
            *one;
        let Reading { wall_ns, setup_ns, decisions, view_updates, threads_used, peak_kib, .. } =
            *reading;
        Self {
            engine,
            policy,
            kernel,
            threads,
            nodes,
            servers,
            heartbeat_ms,
            requests_asked: requests,
            repeat,
            wall_ns,
            setup_ns,
            requests: reading.requests,
            decisions,
            view_updates,
            threads_used,
            peak_kib,
            load_average,
        }
    }

    /// What ran, and what came of it.
    const fn parts(&self) -> (OneArgs, Reading) {
        let Self { engine, policy, kernel, threads, nodes, servers, heartbeat_ms, .. } = *self;
        let Self { wall_ns, setup_ns, requests, decisions, view_updates, .. } = *self;
        let Self { threads_used, peak_kib, requests_asked, .. } = *self;
        (
            OneArgs {
                engine,
                policy,
                servers,
                nodes,
                requests: requests_asked,
                kernel,
                threads,
                heartbeat_ms,
            },
            Reading {
                wall_ns,
                setup_ns,
                requests,
                decisions,
                view_updates,
                threads_used,
                peak_kib,
            },
        )
    }
}

impl Counted {
    const fn new(point: Point, instructions_per_request: f64) -> Self {
        let Point { policy, kernel, threads, nodes, servers } = point;
        Self { policy, kernel, threads, nodes, servers, instructions_per_request }
    }

    const fn point(&self) -> Point {
        let Self { policy, kernel, threads, nodes, servers, .. } = *self;
        Point { policy, kernel, threads, nodes, servers }
    }
}

#[cfg(test)]
mod tests {
    use super::super::results::tests::{planned, reading};
    use super::*;

    /// Goal: an interrupted pass measures what is missing and nothing twice.
    /// Method: interrupt after every number of measurements; what was made and what is missing
    /// are together what a whole pass makes.
    #[test]
    fn a_measured_point_is_not_measured_again() {
        let whole = missing(&planned(&[10, 100], &[8], &[1, 2]));
        // Per size: 3 runs on one thread and 1 on two, 3 times.
        assert_eq!(whole.len(), 2 * (3 + 1) * 3);
        let room = tempfile::tempdir().unwrap();
        for made in 0..=whole.len() {
            let path = room.path().join(format!("{made}.csv"));
            let (mut journal, _) = Journal::open::<Measured>(&path).unwrap();
            for (one, repeat) in &whole[..made] {
                let row = Measured::new(one, *repeat, &reading(7, 3, 5), Some(0.5));
                assert_eq!(row.parts(), (*one, reading(7, 3, 5)));
                journal.append(&row).unwrap();
            }
            let (_, rows) = Journal::open::<Measured>(&path).unwrap();
            let mut results = planned(&[10, 100], &[8], &[1, 2]);
            for row in &rows {
                take_in(&mut results, row);
            }
            assert_eq!(missing(&results), whole[made..], "interrupted after {made}");
        }
    }

    #[test]
    fn rounds_go_to_and_fro_and_keep_pairs_together() {
        let whole = missing(&planned(&[10, 100, 1_000], &[8], &[1]));
        let servers = |repeat| -> Vec<u32> {
            let round = whole.iter().filter(|run| run.1 == repeat);
            round.map(|(one, _)| one.servers).collect()
        };
        assert_eq!(servers(0), [10, 10, 10, 100, 100, 100, 1_000, 1_000, 1_000]);
        assert_eq!(servers(1), [1_000, 1_000, 1_000, 100, 100, 100, 10, 10, 10]);
    }

    #[test]
    fn what_was_skipped_is_not_measured() {
        let mut results = planned(&[10, 100], &[8], &[1]);
        results.planned[1].skipped = Some("no room".to_owned());
        assert!(missing(&results).iter().all(|(one, _)| one.servers == 10));
    }

    #[test]
    fn counts_are_read_back() {
        let point = planned(&[10], &[8], &[1]).planned[0].case.point;
        let room = tempfile::tempdir().unwrap();
        let path = room.path().join("instructions.csv");
        let (mut journal, _) = Journal::open::<Counted>(&path).unwrap();
        journal.append(&Counted::new(point, 902.5)).unwrap();
        let (_, rows) = Journal::open::<Counted>(&path).unwrap();
        assert_eq!((rows[0].point(), rows[0].instructions_per_request), (point, 902.5));
    }
}
