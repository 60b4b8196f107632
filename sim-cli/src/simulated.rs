//! Every policy of a scenario in every replication, on the threads of one pool.

#![expect(clippy::disallowed_types, reason = "the manifest says how long the engine took")]

use std::ops::Range;
use std::path::Path;
use std::time::{Duration, Instant};

use bench_harness::memory::Memory;
use bench_harness::warmup::{OpenTrace, WarmUp, settle_each};
use rayon::ThreadPool;
use rayon::prelude::*;
use sim_core::columns::{self, policy_labels};
use sim_core::config::{Arrivals, Scenario};
use sim_core::footprint::{self, Footprint};
use sim_core::result::RunResult;
use sim_core::simulation::{self, Options, simulate};
use sim_core::stats::target::counts;
use sim_core::workload::TraceSource;

use crate::progress::Progress;
use crate::trace::{Tally, Traces};

/// More threads than this help no run and may be too many for the machine.
const THREADS_MOST: usize = 1024;

/// All runs of a scenario and what they took.
pub struct Simulated {
    /// The scenario as it was run: with the warm-up that was found, and as many replications as
    /// were made.
    pub scenario: Scenario,
    /// Whether the warm-up was found by pilot runs, not given.
    pub warmup_found: bool,
    /// Names of the policies whose pilot run found no steady state in its first half; none where
    /// the scenario gives its warm-up.
    pub unsettled: Vec<String>,
    /// Ordered by policy, then by replication.
    pub runs: Vec<RunResult>,
    /// Threads used.
    pub threads: usize,
    /// Time from the first run's start to the last one's end.
    pub wall: Duration,
    /// The engine's own time, summed over the runs.
    pub engine: Duration,
    /// What was read of the trace and left out of it, where there is one.
    pub traces: Vec<Tally>,
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

/// Finds the warm-up where the scenario leaves it open, then simulates the scenario of `file` on at
/// most `threads` threads (`None`: one a core), with a target for as long as it is not met.
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
    let traces = Traces::default();
    let open = |scenario: &Scenario| open_trace(&traces, scenario, file);
    let warmups = pool.install(|| settle_each(scenario, &open))?;
    let labels = policy_labels(scenario).into_iter().zip(&warmups);
    let unsettled = labels.filter(|(_, found)| found.too_short).map(|(label, _)| label).collect();
    let none = WarmUp { warmup_ns: 0, too_short: false };
    let warmup = warmups.into_iter().fold(none, WarmUp::max);
    let warmup_found = scenario.warmup_auto;
    let mut scenario = warmup.applied_to(scenario);

    let mut runs: Vec<RunResult> = Vec::new();
    let mut engine = Duration::ZERO;
    let mut made = 0;
    for count in counts(scenario.replications, scenario.replications_max) {
        let round = simulate_round(&scenario, &open, made..count, &pool, quiet)?;
        engine += round.iter().map(|(_, elapsed)| *elapsed).sum::<Duration>();
        runs.extend(round.into_iter().map(|(run, _)| run));
        runs.sort_by_key(|run| (run.policy, run.replication));
        made = count;
        if targets_are_met(&scenario, &runs) {
            break;
        }
    }
    scenario.replications = made;
    let wall = started.elapsed();
    let traces = traces.tallies();
    Ok(Simulated { scenario, warmup_found, unsettled, runs, threads, wall, engine, traces })
}

/// Whether the targets of the scenario were met.
pub fn is_enough(simulated: &Simulated) -> bool {
    targets_are_met(&simulated.scenario, &simulated.runs)
}

/// Whether every target of the scenario is met by every policy, as one without targets always is.
fn targets_are_met(scenario: &Scenario, runs: &[RunResult]) -> bool {
    scenario.target.iter().all(|target| {
        let metric = columns::metric(&target.metric);
        (0..scenario.policies.len()).all(|policy| {
            let of_policy = runs.iter().filter(|run| run.policy == policy);
            let values: Vec<f64> = of_policy
                .filter_map(|run| metric.and_then(|metric| (metric.get)(scenario, run)))
                .collect();
            target.is_met(&values)
        })
    })
}

/// The given replications of every policy and how long each took, by policy, then by replication.
fn simulate_round(
    scenario: &Scenario,
    open: &OpenTrace<'_>,
    replications: Range<u32>,
    pool: &ThreadPool,
    quiet: bool,
) -> Result<Vec<(RunResult, Duration)>, simulation::RunError> {
    let threads = pool.current_num_threads();
    let jobs: Vec<(usize, u32)> = (0..scenario.policies.len())
        .flat_map(|policy| replications.clone().map(move |r| (policy, r)))
        .collect();
    // Runs are independent, so they come first, as many as there is memory for; only threads left
    // over work inside a run.
    let at_once = runs_at_once(scenario, jobs.len(), Memory::now()).min(jobs.len()).max(1);
    let threads_per_run = (threads / at_once).max(1);
    let progress = Progress::new(jobs.len(), scenario.duration_ns, quiet);
    let simulate_one = |&(policy, replication): &(usize, u32)| {
        let started = Instant::now();
        let trace = open(scenario)?;
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
    finished.into_iter().collect()
}

/// How many runs the memory holds at once, beside the results of all others.
fn runs_at_once(scenario: &Scenario, runs: usize, memory: Option<Memory>) -> usize {
    let Some(memory) = memory else { return usize::MAX };
    let Footprint { bytes, result_bytes, .. } = footprint::estimate(scenario);
    memory.runs_at_once(bytes, result_bytes.saturating_mul(runs as u64))
}

/// The recorded arrivals, where the scenario asks for them: every run reads them by itself.
fn open_trace(
    traces: &Traces,
    scenario: &Scenario,
    file: &Path,
) -> Result<Option<Box<dyn TraceSource>>, simulation::RunError> {
    let Arrivals::Trace(config) = &scenario.workload.arrivals else {
        return Ok(None);
    };
    let path = file.parent().unwrap_or(Path::new("")).join(&config.file);
    traces.open(&path, config).map(Some).map_err(simulation::RunError::Trace)
}
