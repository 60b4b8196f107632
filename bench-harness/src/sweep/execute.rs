//! Runs the runs of a sweep: threads take them longest first, and others commit what they bring.
//!
//! A run is made by one thread, and threads share nothing while they simulate. Committing waits for the
//! disk, so it has threads of its own: a worker goes on with the next run meanwhile.

#![expect(clippy::disallowed_types, reason = "the sidecar says how long a run took")]

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Instant;

use serde::Serialize;
use sim_core::config::{Arrivals, Scenario, TraceConfig};
use sim_core::footprint;
use sim_core::result::RunResult;
use sim_core::simulation::{Options, RunError, Simulation};
use sim_core::workload::TraceSource;

use super::agenda::{Agenda, Job};
use super::failure;
use super::needs::Needs;
use super::plan::Plan;
use super::record::{Figures, Record};
use super::shard::{self, Shard};
use super::store::{Found, Store, StoreError};
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
    left: Vec<Left>,
}

/// What is left to do of a subject.
#[derive(Clone, Copy, Debug, Default)]
struct Left {
    runs: u32,
    failed: bool,
}

/// A result on its way to the disk.
struct Made {
    job: Job,
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
        let workers = self.jobs.clamp(1, to_make.max(1));
        // Runs are independent, so they come first; only threads left over work inside a run.
        let threads = (self.jobs / to_make.max(1)).max(1);
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
        let Self { plan, store, shard, tally, .. } = self;
        let mut state = State {
            agenda: Agenda::new(self.budget_bytes),
            under_way: 0,
            report: Report::default(),
            error: None,
            left: vec![Left::default(); plan.subjects.len()],
        };
        let mut to_make = 0;
        let mut owned = vec![false; plan.subjects.len()];
        for (position, (subject, replication)) in shard::dealt(plan).into_iter().enumerate() {
            if !shard.owns(position) {
                continue;
            }
            let job = Job { subject, replication };
            let needs = plan.subjects[subject as usize].needs;
            state.report.runs += 1;
            owned[subject as usize] = true;
            match store.read(plan.run(subject, replication))? {
                Found::Whole(Record { outcome: Ok(_), .. }) => {
                    state.report.reused += 1;
                    continue;
                }
                Found::Damaged => {
                    let path = store.path(plan.run(subject, replication));
                    state.report.damaged.push(path.display().to_string());
                }
                // What failed is tried again: the reason may be gone.
                Found::Nothing | Found::Whole(_) => {}
            }
            tally.cost.fetch_add(needs.cost, Relaxed);
            state.left[subject as usize].runs += 1;
            // A run that is too large is refused when its turn comes; refusing takes no memory.
            let bytes = if needs.bytes > self.budget_bytes { 0 } else { needs.bytes };
            state.agenda.add(job, Needs { bytes, ..needs });
            to_make += 1;
        }
        let reused = state.report.reused;
        tally.runs.store(state.report.runs, Relaxed);
        tally.reused.store(reused, Relaxed);
        tally.finished.store(reused, Relaxed);
        for subject in plan.points.iter().map(|point| point.subject as usize) {
            let finished = owned[subject] && state.left[subject].runs == 0;
            tally.points.fetch_add(u64::from(owned[subject]), Relaxed);
            tally.points_finished.fetch_add(u64::from(finished), Relaxed);
        }
        Ok((state, to_make))
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
        while let Some((job, bytes)) = self.next(state, wake) {
            self.tally.running.fetch_add(1, Relaxed);
            let one = || self.make(lane, threads, job);
            let made = match &pool {
                Some(pool) => pool.install(one),
                None => one(),
            };
            self.tally.running.fetch_sub(1, Relaxed);
            lock(state).agenda.release(bytes);
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
    fn next(&self, state: &Mutex<State>, wake: &Condvar) -> Option<(Job, u64)> {
        let mut state = lock(state);
        loop {
            if self.stop.load(Relaxed) || state.error.is_some() {
                return None;
            }
            if let Some(taken) = state.agenda.take() {
                state.under_way += 1;
                return Some(taken);
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
    fn make(&self, lane: usize, threads: usize, job: Job) -> Option<Made> {
        let needs = self.plan.subjects[job.subject as usize].needs;
        let started = Instant::now();
        let simulated = failure::caught(|| {
            if needs.bytes > self.budget_bytes {
                return Err(too_large(needs.bytes, self.budget_bytes));
            }
            let scenario = self.plan.scenario(job.subject);
            let result = self.simulate(lane, threads, job, &scenario)?;
            Ok(result.map(|result| (Figures::of(&scenario, &result), result.total.arrived)))
        });
        self.tally.reached(lane, needs, 0.0);
        let (outcome, requests) = match simulated {
            Ok(Some((figures, requests))) => (Ok(figures), requests),
            Ok(None) => return None,
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
        Some(Made { job, record, host, requests })
    }

    fn simulate(
        &self,
        lane: usize,
        threads: usize,
        job: Job,
        scenario: &Scenario,
    ) -> Result<Option<RunResult>, String> {
        let needs = self.plan.subjects[job.subject as usize].needs;
        let text = |error: RunError| error.to_string();
        let trace = match &scenario.workload.arrivals {
            Arrivals::Trace(config) => Some((self.traces)(config)?),
            _ => None,
        };
        let options = Options { threads, trace, ..Options::default() };
        let mut simulation =
            Simulation::new(scenario, 0, job.replication, options).map_err(text)?;
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
            let id = self.plan.run(made.job.subject, made.job.replication);
            let committed = self
                .store
                .write(id, &made.record.to_bytes(id))
                .and_then(|()| self.store.write_host(id, made.host.as_bytes()));
            let mut state = lock(state);
            match committed {
                Ok(()) => {
                    state.under_way -= 1;
                    self.note(&mut state, made);
                }
                Err(error) => state.error = Some(state.error.take().unwrap_or(error)),
            }
            drop(state);
            wake.notify_all();
        }
    }

    /// A run is committed.
    fn note(&self, state: &mut State, made: Made) {
        let Self { plan, tally, .. } = self;
        let Made { job, record, requests, .. } = made;
        let left = &mut state.left[job.subject as usize];
        left.runs -= 1;
        if let Err(error) = record.outcome {
            left.failed = true;
            tally.failed.fetch_add(1, Relaxed);
            state.report.failures.push((job, error));
        }
        tally.finished.fetch_add(1, Relaxed);
        tally.requests.fetch_add(requests, Relaxed);
        tally.cost_done.fetch_add(plan.subjects[job.subject as usize].needs.cost, Relaxed);
        if left.runs == 0 {
            let points =
                plan.points.iter().filter(|point| point.subject == job.subject).count() as u64;
            tally.points_finished.fetch_add(points, Relaxed);
            if left.failed {
                tally.points_failed.fetch_add(points, Relaxed);
            }
        }
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
