//! Random clients: retries, hedges, closed loops.

use sim_core::config::*;
use sim_core::law::ServiceLaw;
use sim_core::result::RunResult;
use sim_core::rng::{Purpose, RngExt, Stream, stream};

/// Lets the clients of a scenario do more than wait. Drawn from a stream of their own, so that they
/// change nothing else in a case.
pub fn add(seed: u64, unit: u64, scenario: &mut Scenario) {
    let mut rng = stream(seed, 0, Purpose::Backoff, 0);
    let mut clients = ClientsConfig::default();
    let tick_ns = scenario.engine.tick_ns;
    // Round times make timers coincide with answers, deadlines and each other.
    let time = |rng: &mut Stream, most_ticks: u64| {
        let share = rng.random_range(1..1_000);
        let ticks = rng.random_range(1..most_ticks);
        if rng.random_bool(0.5) { tick_ns * ticks } else { tick_ns * most_ticks * share / 1_000 }
    };
    if rng.random_bool(0.5) {
        scenario.workload.retries = Retries {
            max: rng.random_range(0..5),
            budget_ppm: [0, 200_000, 3_000_000][rng.random_range(0..3)],
        };
    }
    if rng.random_bool(0.5) {
        clients.attempt_timeout_ns = Some(time(&mut rng, unit * 300));
    }
    clients.retry_on = RetryOn {
        refused: rng.random_bool(0.8),
        lost: rng.random_bool(0.8),
        failed: rng.random_bool(0.8),
        timed_out: clients.attempt_timeout_ns.is_some() && rng.random_bool(0.8),
    };
    clients.avoid = [Avoid::Nobody, Avoid::Last, Avoid::Tried][rng.random_range(0..3)];
    if rng.random_bool(0.6) {
        let base_ns = time(&mut rng, 50);
        let max_ns = base_ns * rng.random_range(1..20);
        let jitter = [0.0, 0.2, 1.0][rng.random_range(0..3)];
        clients.backoff = Some(Backoff { base_ns, max_ns, jitter });
    }
    clients.budget_min_per_s = [0.0, 10.0, 123.456][rng.random_range(0..3)] / unit as f64;
    if rng.random_bool(0.3) {
        let share_ppm = [0, 200_000][rng.random_range(0..2)];
        clients.concurrency = Some(RetryConcurrency { share_ppm, min: rng.random_range(0..4) });
    }
    if rng.random_bool(0.6) {
        let after = if rng.random_bool(0.5) {
            HedgeAfter::Delay(time(&mut rng, unit * 200))
        } else {
            HedgeAfter::Percentile {
                percent: [50.0, 95.0, 99.9][rng.random_range(0..3)],
                refresh_ns: scenario.duration_ns / rng.random_range(5..50),
                min_ns: [0, tick_ns * 20][rng.random_range(0..2)],
            }
        };
        clients.hedge = Some(Hedge {
            after,
            max: rng.random_range(1..4),
            budget_ppm: [50_000, 1_000_000][rng.random_range(0..2)],
            budget_min_per_s: [0.0, 20.0][rng.random_range(0..2)] / unit as f64,
            cancel: rng.random_bool(0.7),
        });
    }
    clients.cancel_on_timeout = rng.random_bool(0.5);
    if rng.random_bool(0.5) && scenario_has_no_stated_services(scenario) {
        let mean_ns = time(&mut rng, unit * 400) as f64;
        clients.closed_loop = Some(ClosedLoop {
            clients: rng.random_range(1..80),
            think: match rng.random_range(0..3) {
                0 => ServiceLaw::Constant { mean_ns },
                1 => ServiceLaw::Uniform { low_ns: 0.0, high_ns: 2.0 * mean_ns },
                _ => ServiceLaw::Exponential { mean_ns },
            },
        });
        if rng.random_bool(0.3) && !matches!(scenario.workload.arrivals, Arrivals::Trace(_)) {
            scenario.workload.arrivals = Arrivals::Nothing;
        }
    }
    scenario.workload.clients = clients;
}

fn scenario_has_no_stated_services(scenario: &Scenario) -> bool {
    !matches!(&scenario.workload.arrivals, Arrivals::Trace(trace) if trace.states_service())
}

/// What clients did in some runs.
#[derive(Debug, Default)]
pub struct Seen {
    causes: [u64; 4],
    attempts_timed_out: u64,
    hedges: u64,
    hedges_denied: u64,
    hedges_won: u64,
    cancelled: u64,
    unawaited: u64,
    wasted_ns: u128,
}

impl Seen {
    pub fn add(&mut self, result: &RunResult) {
        for node in &result.nodes {
            let efforts = &node.efforts;
            self.causes.iter_mut().zip(efforts.retried_for).for_each(|(sum, some)| *sum += some);
            self.attempts_timed_out += efforts.attempts_timed_out;
            self.hedges += efforts.hedges;
            self.hedges_denied += efforts.hedges_denied;
            self.hedges_won += efforts.hedges_won;
            self.unawaited += efforts.unawaited;
            self.wasted_ns += efforts.wasted_ns;
        }
        self.cancelled += result.servers.iter().map(|server| server.cancelled).sum::<u64>();
    }

    /// Everything has come up often.
    pub fn assert_all(&self) {
        let Self { causes, attempts_timed_out, hedges, hedges_denied, .. } = self;
        let Self { hedges_won, cancelled, unawaited, wasted_ns, .. } = self;
        assert!(causes.iter().all(|&count| count >= 20), "{self:?}");
        let counts = [attempts_timed_out, hedges, hedges_denied, hedges_won, cancelled, unawaited];
        assert!(counts.iter().all(|&&count| count >= 100), "{self:?}");
        assert!(*wasted_ns > 0, "{self:?}");
    }
}
