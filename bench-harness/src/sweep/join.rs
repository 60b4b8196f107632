//! The end of a sweep: what is missing, and, if nothing is, the tables.

use std::collections::BTreeSet;
use std::io::{self, BufWriter, Write};

use serde::{Deserialize, Serialize};

use super::identity::{COMMIT, ENGINE, Id};
use super::plan::{Plan, Point};
use super::record::Record;
use super::replicate::{Replications, Values};
use super::shard;
use super::store::{Found, HOSTS, PLAN, RUNS, Store, StoreError};
use super::tables::{self, PointSummary};

/// Name of the file that says what made the folder.
pub const MANIFEST: &str = "manifest.json";

/// Why the tables could not be written.
#[derive(Debug, thiserror::Error)]
pub enum JoinError {
    /// Runs are missing.
    #[error("{missing} of {runs} runs are missing")]
    Incomplete {
        /// How many there should be.
        runs: usize,
        /// How many are not there.
        missing: usize,
    },
    /// The folder could not be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What is in a folder, compared with what should be.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Inventory {
    /// Runs of the sweep.
    pub runs: usize,
    /// Of those, finished.
    pub done: usize,
    /// Of those, failed.
    pub failed: usize,
    /// Of those, not there.
    pub missing: usize,
    /// Of those, there and damaged: they will be made again.
    pub damaged: usize,
    /// Of a split into so many parts, those with missing or damaged runs.
    pub missing_shards: Vec<u32>,
}

/// What the folders together have of a run: the best of it.
fn best(stores: &[Store], id: Id) -> Result<Found, StoreError> {
    let mut best = Found::Nothing;
    for store in stores {
        match store.read(id)? {
            Found::Whole(record) if record.outcome.is_ok() => return Ok(Found::Whole(record)),
            Found::Whole(record) => best = Found::Whole(record),
            Found::Damaged if best == Found::Nothing => best = Found::Damaged,
            Found::Damaged | Found::Nothing => {}
        }
    }
    Ok(best)
}

/// Looks for every run of the sweep in these folders; `count` is the number of parts that it is split
/// into.
///
/// # Errors
/// If a file is there and cannot be read.
pub fn take_stock(plan: &Plan, stores: &[Store], count: u32) -> Result<Inventory, StoreError> {
    let mut found = Inventory::default();
    let mut open = vec![false; count as usize];
    for (rank, subject) in shard::order(plan).into_iter().enumerate() {
        let mut known: Vec<Values> = Vec::new();
        let mut next = 0;
        // With a target, what is there says how many there must be.
        loop {
            let (wanted, is_all) = plan.replications.wanted(&known);
            if is_all || known.len() < next as usize {
                break;
            }
            for replication in next..wanted {
                let best = best(stores, plan.run(subject, replication))?;
                found.count(&best);
                if let Found::Whole(record) = best {
                    // Only what is there without a gap tells whether it is enough.
                    if known.len() == replication as usize {
                        known.push(plan.replications.values(&record));
                    }
                } else {
                    let position = shard::position(plan, rank, replication);
                    open[position % count as usize] = true;
                }
            }
            next = wanted;
        }
    }
    found.missing_shards = (0..count).filter(|index| open[*index as usize]).collect();
    Ok(found)
}

impl Inventory {
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

/// The results of a point, in the order of replications.
///
/// # Errors
/// If one is missing or cannot be read.
pub fn results(plan: &Plan, store: &Store, point: &Point) -> io::Result<Vec<Record>> {
    let (mut records, mut known) = (Vec::new(), Vec::new());
    loop {
        let (wanted, is_all) = plan.replications.wanted(&known);
        if is_all {
            return Ok(records);
        }
        for replication in known.len() as u32..wanted {
            match store.read(plan.run(point.subject, replication)).map_err(io::Error::other)? {
                Found::Whole(record) => {
                    known.push(plan.replications.values(&record));
                    records.push(record);
                }
                _ => return Err(io::Error::other("a run has gone while its table was written")),
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
    plan_id: String,
    points: usize,
    runs: usize,
    failed: usize,
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

/// Writes the tables of a finished sweep. `told` hears of each point, in order.
///
/// # Errors
/// If runs are missing, or the system refuses; then no table is half-written.
pub fn write_tables(
    plan: &Plan,
    store: &Store,
    told: &mut dyn FnMut(usize, &PointSummary),
) -> Result<Inventory, JoinError> {
    let stock = take_stock(plan, std::slice::from_ref(store), 1)?;
    if stock.missing + stock.damaged > 0 {
        let missing = stock.missing + stock.damaged;
        return Err(JoinError::Incomplete { runs: stock.runs, missing });
    }
    let mut results = |point: &Point| results(plan, store, point);
    let mut files = vec![PLAN, "runs.csv", "points.csv", MANIFEST, RUNS, HOSTS];
    store.write_file("runs.csv", |file| {
        tables::write_runs(plan, &mut results, BufWriter::new(file))
    })?;
    store.write_file("points.csv", |file| {
        tables::write_points(plan, &mut results, told, BufWriter::new(file))
    })?;
    if plan.file.baseline.is_some() {
        files.push("paired.csv");
        store.write_file("paired.csv", |file| {
            tables::write_paired(plan, &mut results, BufWriter::new(file))
        })?;
    }
    let manifest = manifest(plan, store, &stock, files);
    store.write_file(MANIFEST, |file| {
        let mut writer = BufWriter::new(file);
        serde_json::to_writer_pretty(&mut writer, &manifest)?;
        writeln!(writer)?;
        writer.flush()
    })?;
    store.sync()?;
    Ok(stock)
}

fn manifest<'a>(
    plan: &'a Plan,
    store: &Store,
    stock: &Inventory,
    files: Vec<&'static str>,
) -> Manifest<'a> {
    let (mut wall_s, mut requests) = (0.0, 0);
    for (subject, replication) in shard::all_runs(plan) {
        let host = store.host(plan.run(subject, replication));
        if let Some(host) = host.and_then(|bytes| serde_json::from_slice::<Host>(&bytes).ok()) {
            wall_s += host.wall_s;
            requests += host.requests;
        }
    }
    let Replications { least, targets, .. } = &plan.replications;
    let first = plan.subjects.first().map(|subject| subject.seed);
    Manifest {
        tool: "lbsim",
        kind: "sweep",
        version: env!("CARGO_PKG_VERSION"),
        engine: ENGINE,
        commit: COMMIT,
        name: &plan.file.name,
        plan_id: plan.id.to_string(),
        points: plan.points.len(),
        runs: stock.runs,
        failed: stock.failed,
        replications: *least,
        replications_max: plan.replications.most(),
        targets: targets.iter().map(|t| format!("{} = {}", t.metric, t.half_width)).collect(),
        axes: plan.grid.keys().collect(),
        policies: plan.labels().iter().map(String::as_str).collect(),
        seed: first.filter(|seed| plan.subjects.iter().all(|subject| subject.seed == *seed)),
        sweep: &plan.inputs.sweep,
        scenario: &plan.inputs.base,
        overrides: &plan.inputs.overrides,
        host_cores: std::thread::available_parallelism().ok().map(Into::into),
        run_wall_s: wall_s,
        requests,
        engine_ns_per_request: (requests > 0).then(|| wall_s * 1e9 / requests as f64),
        files,
    }
}

/// Makes sure that runs which several folders have are the same in all of them.
///
/// # Errors
/// If the bytes of two finished ones differ, or one cannot be read.
pub fn compare(plan: &Plan, stores: &[Store]) -> Result<(), StoreError> {
    for (subject, replication) in shard::all_runs(plan) {
        let id = plan.run(subject, replication);
        let mut first: Option<(&Store, Vec<u8>)> = None;
        for store in stores {
            let Some(bytes) = store.bytes(id)? else { continue };
            // A run that failed may have failed for want of memory: that says nothing about it.
            if Record::from_bytes(id, &bytes).is_none_or(|record| record.outcome.is_err()) {
                continue;
            }
            match &first {
                Some((other, known)) if *known != bytes => {
                    let (first, second) = (other.path(id), store.path(id));
                    return Err(StoreError::Contradiction { first, second });
                }
                Some(_) => {}
                None => first = Some((store, bytes)),
            }
        }
    }
    Ok(())
}

/// Copies every run of the sweep that `from` has and `to` has not, or only a failed one.
///
/// # Errors
/// If both have finished a run and their bytes differ, or the system refuses.
pub fn bring_over(plan: &Plan, from: &Store, to: &Store) -> Result<(), StoreError> {
    compare(plan, &[to.clone(), from.clone()])?;
    for (subject, replication) in shard::all_runs(plan) {
        let id = plan.run(subject, replication);
        let Some(bytes) = from.bytes(id)? else { continue };
        let Some(new) = Record::from_bytes(id, &bytes) else { continue };
        let better = match to.read(id)? {
            Found::Whole(old) => old.outcome.is_err() && new.outcome.is_ok(),
            Found::Nothing | Found::Damaged => true,
        };
        if better {
            to.write(id, &bytes)?;
            if let Some(host) = from.host(id) {
                to.write_host(id, &host)?;
            }
        }
    }
    Ok(())
}

/// Runs in a folder that are none of this sweep.
///
/// # Errors
/// If the folder cannot be read.
pub fn foreign(plan: &Plan, store: &Store) -> Result<usize, StoreError> {
    let runs = shard::all_runs(plan);
    let ours: BTreeSet<String> = runs.map(|(s, r)| format!("{}.json", plan.run(s, r))).collect();
    let names = store.names()?;
    Ok(names.iter().filter(|name| !name.starts_with('.') && !ours.contains(*name)).count())
}

impl JoinError {
    /// Whether trying again later may help without changing the command.
    pub fn is_temporary(&self) -> bool {
        match self {
            Self::Incomplete { .. } => false,
            Self::Store(error) => error.is_temporary(),
        }
    }
}
