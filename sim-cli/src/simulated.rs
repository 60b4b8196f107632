//! Every policy of a scenario in every replication, on the threads of one pool.

#![expect(clippy::disallowed_types, reason = "the manifest says how long the engine took")]

use std::path::Path;
use std::time::{Duration, Instant};

use bench_harness::memory::Memory;
use rayon::prelude::*;
use sim_core::config::{Arrivals, Scenario};
use sim_core::footprint::{self, Footprint};
use sim_core::result::RunResult;
use sim_core::simulation::{self, Options, simulate};
use sim_core::workload::TraceSource;

use crate::progress::Progress;
use crate::trace::CsvTrace;

/// More threads than this help no run and may be too many for the machine.
const THREADS_MOST: usize = 1024;

/// All runs of a scenario and what they took.
pub struct Simulated {
    /// Ordered by policy, then by replication.
    pub runs: Vec<RunResult>,
    /// Threads used.
    pub threads: usize,
    /// Time from the first run's start to the last one's end.
    pub wall: Duration,
    /// The engine's own time, summed over the runs.
    pub engine: Duration,
}

/// Why not every run could be finished.
#[derive(Debug, thiserror::Error)]
pub enum SimulationError {
    /// The threads could not be started.
    #[error("cannot start the threads: {0}; try fewer with --threads")]
    Threads(#[from] rayon::ThreadPoolBuildError),
    /// The scenario cannot be simulated.
    #[error(transparent)]
    Run(#[from] simulation::RunError),
}

/// Simulates the scenario of `file` on at most `threads` threads; `None`: one a core.
///
/// # Errors
/// The first failure in the order of the runs, whatever the number of threads.
pub fn simulate_all(
    scenario: &Scenario,
    file: &Path,
    threads: Option<usize>,
    quiet: bool,
) -> Result<Simulated, SimulationError> {
    let started = Instant::now();
    let threads = threads.unwrap_or(0).min(THREADS_MOST);
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build()?;
    let threads = pool.current_num_threads();
    let jobs: Vec<(usize, u32)> = (0..scenario.policies.len())
        .flat_map(|policy| (0..scenario.replications).map(move |r| (policy, r)))
        .collect();
    // Runs are independent, so they come first, as many as there is memory for; only threads left
    // over work inside a run.
    let at_once = runs_at_once(scenario, jobs.len(), Memory::now()).min(jobs.len()).max(1);
    let threads_per_run = (threads / at_once).max(1);
    let progress = Progress::new(jobs.len(), scenario.duration_ns, quiet);
    let simulate_one = |&(policy, replication): &(usize, u32)| {
        let started = Instant::now();
        let trace = open_trace(scenario, file)?;
        let options = Options { threads: threads_per_run, trace, ..Options::default() };
        let run = simulate(scenario, policy, replication, options, &progress.of_run())?;
        Ok((run, started.elapsed()))
    };
    let finished: Vec<Result<_, simulation::RunError>> = pool.install(|| {
        // All at once where they fit, else in turns: a thread that is done takes no further run
        // before the turn is over, for it might be the one too many.
        let turn = if at_once >= threads.min(jobs.len()) { jobs.len() } else { at_once };
        let turns = jobs.chunks(turn.max(1));
        turns.flat_map(|turn| -> Vec<_> { turn.par_iter().map(simulate_one).collect() }).collect()
    });
    let timed = finished.into_iter().collect::<Result<Vec<_>, _>>()?;
    let engine = timed.iter().map(|(_, elapsed)| elapsed).sum();
    let runs = timed.into_iter().map(|(run, _)| run).collect();
    Ok(Simulated { runs, threads, wall: started.elapsed(), engine })
}

/// How many runs the memory holds at once, beside the results of all others.
fn runs_at_once(scenario: &Scenario, runs: usize, memory: Option<Memory>) -> usize {
    let Some(memory) = memory else { return usize::MAX };
    let Footprint { bytes, result_bytes, .. } = footprint::estimate(scenario);
    memory.runs_at_once(bytes, result_bytes.saturating_mul(runs as u64))
}

/// The recorded arrivals, where the scenario asks for them: every run reads them by itself.
fn open_trace(
    scenario: &Scenario,
    file: &Path,
) -> Result<Option<Box<dyn TraceSource>>, simulation::RunError> {
    let Arrivals::Trace(config) = &scenario.workload.arrivals else {
        return Ok(None);
    };
    let path = file.parent().unwrap_or(Path::new("")).join(&config.file);
    let trace = CsvTrace::open(&path, config).map_err(simulation::RunError::Trace)?;
    Ok(Some(Box::new(trace)))
}
