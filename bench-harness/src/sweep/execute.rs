//! Runs the runs of a sweep: threads take them longest first, and others commit what they bring.
//!
//! A run is made by one thread, and threads share nothing while they simulate. Committing waits for the
//! disk, so it has threads of its own: a worker goes on with the next run meanwhile.

#![expect(clippy::disallowed_types, reason = "the sidecar says how long a run took")]

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Instant;

use serde::Serialize;
use sim_core::config::{Arrivals, Scenario, TraceConfig};
use sim_core::footprint;
use sim_core::result::RunResult;
use sim_core::simulation::{Options, RunError, Simulation};
use sim_core::workload::TraceSource;

use super::agenda::{Agenda, Job};
use super::error::StoreError;
use super::failure;
use super::identity::RunId;
use super::needs::Needs;
use super::pilot::Pilots;
use super::plan::{Plan, Subject};
use super::record::{Figures, Record};
use super::replicate::Values;
use super::shard::Shard;
use super::store::{Found, Store};
use super::tally::Tally;

/// Opens the recorded arrivals of a scenario, or says why it cannot.
pub type OpenTrace<'a> = dyn Fn(&TraceConfig) -> Result<Box<dyn TraceSource>, String> + Sync + 'a;

/// Threads that commit results. Each waits for the disk most of the time, and disks flush several files
/// in the time of one.
const COMMITTERS: usize = 4;
/// Results that may wait to be committed; more, and workers wait for the disk.
const WAITING_MAX: usize = 64;

/// How to run a part of a sweep.
pub struct Execution<'a> {
    /// What is to be run.
    pub plan: &'a Plan,
    /// Where results go.
    pub store: &'a Store,
    /// Which part of it.
    pub shard: Shard,
    /// Runs that go on at once, at least 1.
    pub jobs: usize,
    /// Memory they may take together [bytes].
    pub budget_bytes: u64,
    /// Opens traces.
    pub traces: &'a OpenTrace<'a>,
    /// Set from outside: no further run is begun, and those that go on are dropped.
    pub stop: &'a AtomicBool,
    /// How far it is.
    pub tally: &'a Tally,
    /// Warm-ups found on the way; empty at the start.
    pub pilots: Pilots,
}

/// What came of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Runs of this part.
    pub runs: u64,
    /// Of those, there already.
    pub reused: u64,
    /// Of those, that failed: a message each, with the place in the plan, in order.
    pub failures: Vec<(Job, String)>,
    /// Files that were there and not whole; their runs were made again.
    pub damaged: Vec<String>,
    /// It was stopped before everything was done.
    pub stopped: bool,
}

/// What all threads share: touched once a run.
struct State {
    agenda: Agenda,
    /// Runs taken and not committed yet.
    under_way: usize,
    report: Report,
    error: Option<StoreError>,
    /// By number of the subject, for those that have something left.
    left: BTreeMap<u32, Left>,
}

/// What is left to do of a subject.
#[derive(Clone, Debug)]
struct Left {
    subject: Arc<Subject>,
    /// Runs on the agenda or under way.
    runs: u32,
    failed: bool,
    /// What the targets know of replications that are there.
    known: BTreeMap<u32, Values>,
}

/// A result on its way to the disk.
struct Made {
    job: Job,
    id: RunId,
    needs: Needs,
    record: Record,
    host: String,
    requests: u64,
}

/// The sidecar of a run.
#[derive(Serialize)]
struct Host {
    wall_s: f64,
    requests: u64,
    engine_ns_per_request: Option<f64>,
    threads: usize,
}

impl Execution<'_> {
    /// Runs everything of this part that is not there yet.
    ///
    /// # Errors
    /// If results cannot be written or read. What was committed before stays.
    pub fn run(&self) -> Result<Report, StoreError> {
        let (state, to_make) = self.look_around()?;
        if to_make == 0 {
            return Ok(state.report);
        }
        // Who cannot keep results is told before the first one is made.
        self.store.try_writing()?;
        let workers = self.jobs.clamp(1, to_make);
        // Runs are independent, so they come first; only threads left over work inside a run.
        let threads = (self.jobs / to_make).max(1);
        let (state, wake) = (Mutex::new(state), Condvar::new());
        let (sender, receiver) = sync_channel(WAITING_MAX);
        let receiver = Mutex::new(receiver);
        failure::keep_quiet();
        thread::scope(|scope| {
            for _ in 0..COMMITTERS {
                scope.spawn(|| self.commit_all(&state, &wake, &receiver));
            }
            for lane in 0..workers {
                let (state, wake, sender) = (&state, &wake, sender.clone());
                scope.spawn(move || self.work(lane, threads, state, wake, &sender));
            }
            drop(sender);
        });
        let state = state.into_inner().unwrap_or_else(PoisonError::into_inner);
        if let Some(error) = state.error {
            return Err(error);
        }
        let mut report = state.report;
        report.stopped = !state.agenda.is_empty() || state.under_way > 0;
        report.failures.sort();
        self.store.sync()?;
        Ok(report)
    }

    /// What is there already, and what is to be made.
    fn look_around(&self) -> Result<(State, usize), StoreError> {
        let Self { plan, shard, tally, .. } = self;
        let mut state = State {
            agenda: Agenda::new(self.budget_bytes),
            under_way: 0,
            report: Report::default(),
            error: None,
            left: BTreeMap::new(),
        };
        let mut to_make = 0;
        for found in plan.subjects_of(*shard) {
            let (number, subject) = found?;
            let mut left =
                Left { subject: Arc::new(subject), runs: 0, failed: false, known: BTreeMap::new() };
            let replications = shard.replications(&plan.replications, number);
            self.ask_for(&mut state, number, &mut left, replications)?;
            self.ask_for_more(&mut state, number, &mut left)?;
            let points = u64::from(left.subject.points);
            tally.points.fetch_add(points, Relaxed);
            if left.runs == 0 {
                tally.points_finished.fetch_add(points, Relaxed);
            } else {
                to_make += left.runs as usize;
                state.left.insert(number, left);
            }
        }
        Ok((state, to_make))
    }

    /// Puts those runs of a subject on the agenda that are not there yet.
    fn ask_for(
        &self,
        state: &mut State,
        number: u32,
        left: &mut Left,
        replications: impl Iterator<Item = u32>,
    ) -> Result<(), StoreError> {
        let Self { plan, store, tally, .. } = self;
        let needs = left.subject.needs;
        for replication in replications {
            state.report.runs += 1;
            tally.runs.fetch_add(1, Relaxed);
            let id = left.subject.run(replication);
            match store.read(id)? {
                Found::Whole(record) if record.outcome.is_ok() => {
                    state.report.reused += 1;
                    tally.reused.fetch_add(1, Relaxed);
                    tally.finished.fetch_add(1, Relaxed);
                    left.known.insert(replication, plan.replications.values(&record));
                    continue;
                }
                Found::Damaged => state.report.damaged.push(store.path(id).display().to_string()),
                // What failed is tried again: the reason may be gone.
                Found::Nothing | Found::Whole(_) => {}
            }
            tally.cost.fetch_add(needs.cost, Relaxed);
            left.runs += 1;
            // A run that is too large is refused when its turn comes; refusing takes no memory.
            let bytes = if needs.bytes > self.budget_bytes { 0 } else { needs.bytes };
            state.agenda.add(Job { subject: number, replication }, Needs { bytes, ..needs });
        }
        Ok(())
    }

    /// With a target: once the replications asked for are there, asks for more if they are not enough.
    fn ask_for_more(
        &self,
        state: &mut State,
        number: u32,
        left: &mut Left,
    ) -> Result<(), StoreError> {
        let replications = &self.plan.replications;
        if replications.targets.is_empty() {
            return Ok(());
        }
        while left.runs == 0 {
            let known: Vec<Values> = left.known.values().cloned().collect();
            let (wanted, is_all) = replications.wanted(&known);
            if is_all {
                break;
            }
            self.ask_for(state, number, left, known.len() as u32..wanted)?;
        }
        Ok(())
    }

    fn work(
        &self,
        lane: usize,
        threads: usize,
        state: &Mutex<State>,
        wake: &Condvar,
        results: &SyncSender<Made>,
    ) {
        let pool = (threads > 1)
            .then(|| rayon::ThreadPoolBuilder::new().num_threads(threads).build().ok())
            .flatten();
        while let Some((job, subject, bytes)) = self.next(state, wake) {
            self.tally.running.fetch_add(1, Relaxed);
            let one = || self.make(lane, threads, job, &subject);
            let made = match &pool {
                Some(pool) => pool.install(one),
                None => one(),
            };
            self.tally.running.fetch_sub(1, Relaxed);
            let mut now = lock(state);
            now.agenda.release(bytes);
            let made = made.unwrap_or_else(|error| {
                now.error = Some(now.error.take().unwrap_or(error));
                None
            });
            drop(now);
            wake.notify_all();
            // Without a result the sweep was stopped; the run stays under way, so it counts as not done.
            if let Some(made) = made
                && results.send(made).is_err()
            {
                return;
            }
        }
    }

    /// The next run, as soon as there is one and memory for it; `None` at the end.
    fn next(&self, state: &Mutex<State>, wake: &Condvar) -> Option<(Job, Arc<Subject>, u64)> {
        let mut state = lock(state);
        loop {
            if self.stop.load(Relaxed) || state.error.is_some() {
                return None;
            }
            if let Some((job, bytes)) = state.agenda.take() {
                state.under_way += 1;
                let left = state.left.get(&job.subject).expect("what is on the agenda is left");
                return Some((job, Arc::clone(&left.subject), bytes));
            }
            if state.agenda.is_empty() && state.under_way == 0 {
                return None;
            }
            // Whoever stops the sweep from outside cannot wake anybody.
            let waited = wake.wait_timeout(state, std::time::Duration::from_millis(100));
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Makes one run; `None` if it was stopped.
    fn make(
        &self,
        lane: usize,
        threads: usize,
        job: Job,
        subject: &Subject,
    ) -> Result<Option<Made>, StoreError> {
        let needs = subject.needs;
        let started = Instant::now();
        let planned = self.plan.scenario(subject)?;
        let simulated = failure::caught(|| {
            if needs.bytes > self.budget_bytes {
                return Err(too_large(needs.bytes, self.budget_bytes));
            }
            let (scenario, too_short) =
                self.pilots.settle(self.plan, self.store, self.traces, subject, planned)?;
            let result = self.simulate(lane, threads, (job.replication, needs), &scenario)?;
            let figures = |result: &RunResult| Figures::of(&scenario, too_short, result);
            Ok(result.map(|result| (figures(&result), result.total.arrived)))
        });
        self.tally.reached(lane, needs, 0.0);
        let (outcome, requests) = match simulated {
            Ok(Some((figures, requests))) => (Ok(figures), requests),
            Ok(None) => return Ok(None),
            Err(error) => (Err(error), 0),
        };
        let wall = started.elapsed();
        let host = Host {
            wall_s: wall.as_secs_f64(),
            requests,
            engine_ns_per_request: (requests > 0).then(|| wall.as_nanos() as f64 / requests as f64),
            threads,
        };
        let host = serde_json::to_string(&host).unwrap_or_default() + "\n";
        let record = Record { replication: job.replication, outcome };
        let id = subject.run(job.replication);
        Ok(Some(Made { job, id, needs, record, host, requests }))
    }

    fn simulate(
        &self,
        lane: usize,
        threads: usize,
        (replication, needs): (u32, Needs),
        scenario: &Scenario,
    ) -> Result<Option<RunResult>, String> {
        let text = |error: RunError| error.to_string();
        let trace = match &scenario.workload.arrivals {
            Arrivals::Trace(config) => Some((self.traces)(config)?),
            _ => None,
        };
        let options = Options { threads, trace, ..Options::default() };
        let mut simulation = Simulation::new(scenario, 0, replication, options).map_err(text)?;
        let duration_ns = scenario.duration_ns.max(1) as f64;
        while simulation.advance().map_err(text)? {
            if self.stop.load(Relaxed) {
                return Ok(None);
            }
            let share = (simulation.now_ns() as f64 / duration_ns).min(1.0);
            self.tally.reached(lane, needs, share);
        }
        Ok(Some(simulation.finish()))
    }

    fn commit_all(&self, state: &Mutex<State>, wake: &Condvar, results: &Mutex<Receiver<Made>>) {
        loop {
            // The lock is held while waiting: whoever has it is the one who waits.
            let Ok(made) = lock(results).recv() else { return };
            let id = made.id;
            let committed = self
                .store
                .write(id, &made.record.to_bytes(id))
                .and_then(|()| self.store.write_host(id, made.host.as_bytes()));
            let mut state = lock(state);
            match committed {
                Ok(()) => {
                    if let Err(error) = self.note(&mut state, made) {
                        state.error = Some(state.error.take().unwrap_or(error));
                    }
                    state.under_way -= 1;
                }
                Err(error) => state.error = Some(state.error.take().unwrap_or(error)),
            }
            drop(state);
            wake.notify_all();
        }
    }

    /// A run is committed.
    fn note(&self, state: &mut State, made: Made) -> Result<(), StoreError> {
        let Self { plan, tally, .. } = self;
        let Made { job, needs, record, requests, .. } = made;
        tally.finished.fetch_add(1, Relaxed);
        tally.requests.fetch_add(requests, Relaxed);
        tally.cost_done.fetch_add(needs.cost, Relaxed);
        let mut left = state.left.remove(&job.subject).expect("a run of it was under way");
        left.runs -= 1;
        left.known.insert(job.replication, plan.replications.values(&record));
        if let Err(error) = record.outcome {
            left.failed = true;
            tally.failed.fetch_add(1, Relaxed);
            state.report.failures.push((job, error));
        }
        self.ask_for_more(state, job.subject, &mut left)?;
        if left.runs > 0 {
            state.left.insert(job.subject, left);
        } else {
            let points = u64::from(left.subject.points);
            tally.points_finished.fetch_add(points, Relaxed);
            tally.points_failed.fetch_add(if left.failed { points } else { 0 }, Relaxed);
        }
        Ok(())
    }
}

fn too_large(bytes: u64, budget_bytes: u64) -> String {
    format!(
        "the run needs about {} of memory and all runs may take {} together: give more with --memory, \
         or simulate fewer servers or nodes",
        footprint::show(bytes),
        footprint::show(budget_bytes)
    )
}

/// A thread that panicked while it held a lock has left nothing half-done: counters only.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
