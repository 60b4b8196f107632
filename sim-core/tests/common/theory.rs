//! Claims of queueing theory, and how they are checked.

use sim_core::config::Scenario;
use sim_core::result::{Outcome, RunResult};
use sim_core::simulation::Options;
use sim_core::stats::mean_interval;

use super::{HOP_NS, SERVICE_NS, run_with};

/// The theory's value of a measure, and how well 20 replications must know it.
pub struct Claim<'a> {
    pub what: &'a str,
    pub measure: &'a dyn Fn(&RunResult) -> f64,
    pub theory: f64,
    /// Widest half interval, as a share of the theory's value.
    pub precision: f64,
}

/// Runs 20 replications and holds every claim against their 99 % interval.
pub fn check(scenario: &Scenario, name: &str, claims: &[Claim<'_>]) {
    let results: Vec<RunResult> =
        (0..20).map(|replication| run_with(scenario, replication, Options::default())).collect();
    for Claim { what, measure, theory, precision } in claims {
        let values: Vec<f64> = results.iter().map(measure).collect();
        let interval = mean_interval(&values, 0.99).unwrap();
        let (mean, half) = (interval.mean, interval.half_width.unwrap());
        let context = format!("{name}, {what}: {mean:.5} +- {half:.5}, theory {theory:.5}");
        assert!(half <= precision * theory, "too wide to tell: {context}");
        assert!((mean - theory).abs() <= half, "{context}");
    }
}

/// Mean sojourn time at the servers [services].
pub fn sojourn(result: &RunResult) -> f64 {
    let latency_ns = result.latency_sum_ns as f64 / result.measured.of(Outcome::Ok) as f64;
    (latency_ns - 2.0 * HOP_NS as f64) / SERVICE_NS
}

/// Mean wait at the servers [services], as the servers count it.
pub fn wait(result: &RunResult) -> f64 {
    result.wait_sum_ns as f64 / result.served as f64 / SERVICE_NS
}

/// 99th percentile of the sojourn time [services].
pub fn sojourn_p99(result: &RunResult) -> f64 {
    let latency_ns = result.latency.quantile_ns(0.99).unwrap() as f64;
    (latency_ns - 2.0 * HOP_NS as f64) / SERVICE_NS
}

/// Mean busy slots a server.
pub fn busy_slots(scenario: &Scenario) -> impl Fn(&RunResult) -> f64 {
    let window_ns = (scenario.duration_ns - scenario.warmup_ns) as f64;
    move |result| {
        let busy_ns: u128 = result.servers.iter().map(|server| server.busy_ns).sum();
        busy_ns as f64 / window_ns / result.servers.len() as f64
    }
}
