//! What holds in every run, whatever is simulated; looked at in each run of a case.

use sim_core::config::Scenario;
use sim_core::result::{Counts, RunResult};

/// What is wrong with a run; `None` is as it should be.
pub fn flaw(scenario: &Scenario, run: &RunResult) -> Option<String> {
    for (what, counts) in [("all", &run.total), ("measured", &run.measured)] {
        if !counts.is_conserved() {
            return Some(format!("{what} requests are not conserved: {counts:?}"));
        }
    }
    let mut nodes = (Counts::default(), Counts::default());
    for node in &run.nodes {
        nodes.0.add(&node.total);
        nodes.1.add(&node.measured);
    }
    if nodes != (run.total, run.measured) {
        return Some(format!("the nodes do not add up: {nodes:?}"));
    }
    if run.latency.count() != run.measured.of(sim_core::result::Outcome::Ok) {
        return Some("the histogram does not hold the answered requests".to_owned());
    }
    let answered = run.measured.of(sim_core::result::Outcome::Ok);
    let (mean, exact) =
        (run.latency.to_histogram().mean(), run.latency_sum_ns as f64 / answered as f64);
    // Buckets are less than a thousandth of their value wide.
    if answered > 0 && (mean - exact).abs() > 1e-3 * exact + 1.0 {
        return Some(format!("the histogram's mean is {mean}, that of the latencies {exact}"));
    }
    if run.waited > run.served || (run.waited == 0) != (run.wait_sum_ns == 0) {
        return Some(format!("{} of {} waited {} ns", run.waited, run.served, run.wait_sum_ns));
    }
    let busy_ns: u128 = run.servers.iter().map(|server| server.busy_ns).sum();
    // A request that shares a slot is told its time to a nanosecond.
    if run.service_sum_ns > busy_ns + u128::from(run.served) {
        return Some(format!("{} ns were served in {busy_ns} busy ones", run.service_sum_ns));
    }
    let window = u128::from(scenario.duration_ns - scenario.warmup_ns);
    let slots = scenario.servers.iter().flat_map(|g| (0..g.count).map(move |_| g.capacity));
    for ((id, server), slots) in run.servers.iter().enumerate().zip(slots) {
        if !server.is_conserved() {
            return Some(format!("server {id} does not conserve attempts: {server:?}"));
        }
        if server.busy_ns > u128::from(slots) * window {
            return Some(format!("server {id} was busier than its slots"));
        }
    }
    let slots: u64 =
        scenario.servers.iter().map(|g| u64::from(g.count) * u64::from(g.capacity)).sum();
    let over = run.series.iter().position(|bin| bin.active > slots);
    over.map(|bin| format!("more in service than there are slots, in sample {bin}"))
}
