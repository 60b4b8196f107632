//! The end of a sweep: what is missing, and, if nothing is, the tables.
//!
//! All of it goes through the plan once, row by row: however many runs there are, the results of two
//! points at most are in memory.

use std::io::{self, BufWriter, Write};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::error::{StoreError, failed};
use super::identity::{COMMIT, ENGINE, RunId};
use super::plan::{Plan, Point, Subject};
use super::record::Record;
use super::replicate::Values;
use super::shard::Shard;
use super::store::{Found, HOSTS, PLAN, RUNS, Store};
use super::tables::{Entry, PairedTable, PointSummary, PointsTable, RunsTable, summarise};

/// Name of the file that says what made the folder.
pub const MANIFEST: &str = "manifest.json";

/// Why the tables could not be written.
#[derive(Debug, thiserror::Error)]
pub enum JoinError {
    /// A result was there a moment ago.
    #[error("`{}` has gone or was damaged while tables were written: run the same command again", .0.display())]
    Gone(PathBuf),
    /// The folder could not be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl JoinError {
    /// Whether trying again later may help without changing the command.
    pub fn is_temporary(&self) -> bool {
        match self {
            Self::Gone(_) => true,
            Self::Store(error) => error.is_temporary(),
        }
    }
}

/// What is in folders, compared with what should be.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Inventory {
    /// Runs of the sweep.
    pub runs: u64,
    /// Of those, finished.
    pub done: u64,
    /// Of those, failed.
    pub failed: u64,
    /// Of those, not there.
    pub missing: u64,
    /// Of those, there and damaged: they will be made again.
    pub damaged: u64,
    /// Files that are none of this sweep and build.
    pub foreign: u64,
    /// Of a split into so many parts, those with missing or damaged runs.
    pub missing_shards: Vec<u32>,
}

impl Inventory {
    /// Runs that have yet to be made.
    pub const fn to_make(&self) -> u64 {
        self.missing + self.damaged
    }

    fn count(&mut self, found: &Found) {
        self.runs += 1;
        match found {
            Found::Whole(Record { outcome: Ok(_), .. }) => self.done += 1,
            Found::Whole(_) => self.failed += 1,
            Found::Damaged => self.damaged += 1,
            Found::Nothing => self.missing += 1,
        }
    }
}

/// What the folders together have of a run: the best of it; and how many of them have a file of it. With
/// `compare`, results of finished runs must be the same in all of them.
fn look(stores: &[Store], id: RunId, compare: bool) -> Result<(Found, u64), StoreError> {
    let (mut best, mut files) = (Found::Nothing, 0);
    let mut first: Option<(&Store, Vec<u8>)> = None;
    for store in stores {
        let Some(bytes) = store.bytes(id)? else { continue };
        files += 1;
        match Record::from_bytes(id, &bytes) {
            None if best == Found::Nothing => best = Found::Damaged,
            None => {}
            // A run that failed may have failed for want of memory: that says nothing about it.
            Some(record) if record.outcome.is_err() && first.is_none() => {
                best = Found::Whole(record);
            }
            Some(record) if record.outcome.is_err() => {}
            Some(record) => match &first {
                Some((other, known)) if compare && *known != bytes => {
                    let (first, second) = (other.path(id), store.path(id));
                    return Err(StoreError::Contradiction { first, second });
                }
                Some(_) => {}
                None => {
                    best = Found::Whole(record);
                    first = Some((store, bytes));
                }
            },
        }
    }
    Ok((best, files))
}

/// Looks for every run of the sweep in these folders; `count` is the number of parts that it is split
/// into. With `compare`, runs that several folders have finished must be the same in all of them.
///
/// # Errors
/// If a file is there and cannot be read, or two contradict each other.
pub fn take_stock(
    plan: &Plan,
    stores: &[Store],
    count: u32,
    compare: bool,
) -> Result<Inventory, StoreError> {
    let mut found = Inventory::default();
    let mut open = vec![false; count as usize];
    // Files that are written meanwhile are counted as ours only, not as somebody else's.
    let mut all_files = 0;
    for store in stores {
        all_files += store.count()?;
    }
    let mut our_files = 0;
    for row in plan.subjects_of(Shard::WHOLE) {
        let (number, subject) = row?;
        let mut known: Vec<Values> = Vec::new();
        let mut next = 0;
        // With a target, what is there says how many there must be.
        loop {
            let (wanted, is_all) = plan.replications.wanted(&known);
            if is_all || known.len() < next as usize {
                break;
            }
            for replication in next..wanted {
                let (best, files) = look(stores, subject.run(replication), compare)?;
                our_files += files;
                found.count(&best);
                if let Found::Whole(record) = best {
                    // Only what is there without a gap tells whether it is enough.
                    if known.len() == replication as usize {
                        known.push(plan.replications.values(&record));
                    }
                } else {
                    let part = Shard::of(&plan.replications, number, replication, count);
                    open[part as usize] = true;
                }
            }
            next = wanted;
        }
        for replication in next..plan.replications.most() {
            let has = |store: &&Store| store.has(subject.run(replication));
            our_files += stores.iter().filter(has).count() as u64;
        }
    }
    found.foreign = all_files.saturating_sub(our_files);
    found.missing_shards = (0..count).filter(|index| open[*index as usize]).collect();
    Ok(found)
}

/// The results of a subject, in the order of replications.
fn results(plan: &Plan, store: &Store, subject: &Subject) -> Result<Vec<Record>, JoinError> {
    let (mut records, mut known) = (Vec::new(), Vec::new());
    loop {
        let (wanted, is_all) = plan.replications.wanted(&known);
        if is_all {
            return Ok(records);
        }
        for replication in known.len() as u32..wanted {
            let id = subject.run(replication);
            match store.read(id)? {
                Found::Whole(record) => {
                    known.push(plan.replications.values(&record));
                    records.push(record);
                }
                _ => return Err(JoinError::Gone(store.path(id))),
            }
        }
    }
}

/// What made a folder of results; the one table that differs when a sweep is repeated.
#[derive(Serialize)]
struct Manifest<'a> {
    tool: &'static str,
    kind: &'static str,
    version: &'static str,
    engine: &'static str,
    commit: &'static str,
    name: &'a str,
    plan_id: &'a str,
    points: u64,
    runs: u64,
    failed: u64,
    replications: u32,
    replications_max: u32,
    targets: Vec<String>,
    axes: Vec<&'a str>,
    policies: Vec<&'a str>,
    seed: Option<u64>,
    sweep: &'a str,
    scenario: &'a str,
    overrides: &'a [(String, String)],
    host_cores: Option<usize>,
    run_wall_s: f64,
    requests: u64,
    engine_ns_per_request: Option<f64>,
    files: Vec<&'static str>,
}

/// The part of a run's sidecar that is added up.
#[derive(Deserialize)]
struct Host {
    wall_s: f64,
    requests: u64,
}

/// Writes the tables of a sweep of which everything is there, as `stock` says. `told` hears of each
/// point, in order.
///
/// # Errors
/// If a run has gone, or the system refuses; then no table is half-written.
pub fn write_tables(
    plan: &Plan,
    store: &Store,
    stock: &Inventory,
    told: &mut dyn FnMut(u32, &Point, &PointSummary),
) -> Result<(), JoinError> {
    let (mut runs_file, mut points_file) = (store.begin("runs.csv")?, store.begin("points.csv")?);
    let has_baseline = plan.file().baseline.is_some();
    let mut paired_file = if has_baseline { Some(store.begin("paired.csv")?) } else { None };
    let refused = |error: io::Error| failed("write", &store.folder().join("*.csv"))(error);
    let mut runs = RunsTable::new(plan, BufWriter::new(runs_file.file())).map_err(refused)?;
    let mut points = PointsTable::new(plan, BufWriter::new(points_file.file())).map_err(refused)?;
    let paired =
        paired_file.as_mut().map(|file| PairedTable::new(plan, BufWriter::new(file.file())));
    let mut paired = paired.transpose().map_err(refused)?;
    let mut newest: Option<(u32, Vec<Record>)> = None;
    for (number, point) in (0..).zip(plan.points()) {
        let point = point?;
        let subject = plan.subject(point.subject)?;
        let records = results(plan, store, &subject)?;
        let entry = Entry { number, point: &point, subject: &subject, records: &records };
        runs.add(entry).map_err(refused)?;
        let summary = summarise(&records);
        points.add(entry, &summary).map_err(refused)?;
        told(number, &point, &summary);
        let baseline = point.baseline.filter(|baseline| *baseline != number);
        if let (Some(paired), Some(baseline)) = (&mut paired, baseline) {
            if newest.as_ref().is_none_or(|(known, _)| *known != baseline) {
                let subject = plan.subject(plan.point(baseline)?.subject)?;
                newest = Some((baseline, results(plan, store, &subject)?));
            }
            let other = newest.as_ref().map_or(&[][..], |(_, records)| records);
            paired.add(entry, baseline, other).map_err(refused)?;
        }
        if point.baseline == Some(number) {
            newest = Some((number, records));
        }
    }
    runs.finish().map_err(refused)?;
    points.finish().map_err(refused)?;
    paired.map_or(Ok(()), PairedTable::finish).map_err(refused)?;
    let manifest = manifest(plan, store, stock)?;
    let mut manifest_file = store.begin(MANIFEST)?;
    let mut writer = BufWriter::new(manifest_file.file());
    serde_json::to_writer_pretty(&mut writer, &manifest)
        .map_err(io::Error::from)
        .and_then(|()| writeln!(writer))
        .and_then(|()| writer.flush())
        .map_err(failed("write", &store.folder().join(MANIFEST)))?;
    drop(writer);
    for file in [Some(runs_file), Some(points_file), paired_file, Some(manifest_file)] {
        file.map_or(Ok(()), super::store::Unfinished::finish)?;
    }
    store.sync()?;
    Ok(())
}

fn manifest<'a>(
    plan: &'a Plan,
    store: &Store,
    stock: &Inventory,
) -> Result<Manifest<'a>, StoreError> {
    let (mut wall_s, mut requests) = (0.0, 0);
    let mut seeds: Option<(u64, bool)> = None;
    for row in plan.subjects_of(Shard::WHOLE) {
        let (_, subject) = row?;
        let (first, is_same) = seeds.unwrap_or((subject.seed, true));
        seeds = Some((first, is_same && first == subject.seed));
        for replication in 0..plan.replications.most() {
            let host = store.host(subject.run(replication));
            if let Some(host) = host.and_then(|bytes| serde_json::from_slice::<Host>(&bytes).ok()) {
                wall_s += host.wall_s;
                requests += host.requests;
            }
        }
    }
    let mut files = vec![PLAN, "runs.csv", "points.csv", MANIFEST, RUNS, HOSTS];
    files.extend(plan.file().baseline.as_ref().map(|_| "paired.csv"));
    let head = &plan.head;
    let targets = &plan.replications.targets;
    Ok(Manifest {
        tool: "lbsim",
        kind: "sweep",
        version: env!("CARGO_PKG_VERSION"),
        engine: ENGINE,
        commit: COMMIT,
        name: &head.name,
        plan_id: &head.plan_id,
        points: head.points,
        runs: stock.runs,
        failed: stock.failed,
        replications: head.replications,
        replications_max: head.replications_max,
        targets: targets.iter().map(|t| format!("{} = {}", t.metric, t.half_width)).collect(),
        axes: plan.grid().keys().collect(),
        policies: head.labels.iter().map(String::as_str).collect(),
        seed: seeds.filter(|(_, is_same)| *is_same).map(|(seed, _)| seed),
        sweep: &plan.inputs().sweep,
        scenario: &plan.inputs().base,
        overrides: &plan.inputs().overrides,
        host_cores: std::thread::available_parallelism().ok().map(Into::into),
        run_wall_s: wall_s,
        requests,
        engine_ns_per_request: (requests > 0).then(|| wall_s * 1e9 / requests as f64),
        files,
    })
}

/// Gives `to` every run of the sweep that any of `from` has and `to` has not, or only a failed one.
///
/// # Errors
/// If the system refuses.
pub fn bring_over(plan: &Plan, from: &[Store], to: &Store) -> Result<(), StoreError> {
    for row in plan.subjects_of(Shard::WHOLE) {
        let (_, subject) = row?;
        for replication in 0..plan.replications.most() {
            let id = subject.run(replication);
            let mut held = to.read(id)?;
            for store in from {
                if matches!(&held, Found::Whole(record) if record.outcome.is_ok()) {
                    break;
                }
                let Some(bytes) = store.bytes(id)? else { continue };
                let Some(new) = Record::from_bytes(id, &bytes) else { continue };
                if new.outcome.is_ok() || !matches!(held, Found::Whole(_)) {
                    to.take_over(id, store, &bytes)?;
                    held = Found::Whole(new);
                }
            }
        }
    }
    Ok(())
}
