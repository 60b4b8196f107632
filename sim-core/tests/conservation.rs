//! What comes in goes out, is counted, or is still there: in every run, whatever the scenario.

mod common;

use common::{DELAY_NS, POLICIES, TWO_CHOICES, crash, fleet, run, slow};
use sim_core::columns;
use sim_core::config::{
    Arrivals, Conduct, PolicyConfig, Retries, Scenario, ServerGroup, TwoChoicesConfig,
};
use sim_core::law::{DelayLaw, ServiceLaw};
use sim_core::result::{Counts, Outcome, RunResult};
use sim_core::rng::{Purpose, RngExt, stream};
use sim_core::time::{MILLISECOND, SECOND};

/// A scenario drawn from a seed: from idle to overloaded, sound or breaking.
fn random_scenario(seed: u64) -> Scenario {
    let mut rng = stream(seed, 0, Purpose::Policy, 0);
    let policy = POLICIES[rng.random_range(0..POLICIES.len())].clone();
    let mut scenario = fleet(1, rng.random_range(1..5), policy);
    scenario.name = format!("random-{seed}");
    scenario.seed = seed;
    scenario.duration_ns = rng.random_range(200..800) * MILLISECOND;
    scenario.warmup_ns = rng.random_range(0..scenario.duration_ns);
    scenario.drain_ns = [0, 20 * MILLISECOND, 10 * SECOND][rng.random_range(0..3)];
    scenario.engine.sample_interval_ns = DELAY_NS * rng.random_range(1..100);
    scenario.network.server_node = DelayLaw::Uniform { min_ns: DELAY_NS, max_ns: 7 * DELAY_NS };
    scenario.servers = (0..rng.random_range(1..4))
        .map(|_| ServerGroup {
            name: None,
            count: rng.random_range(1..8),
            capacity: rng.random_range(1..9),
            backlog: [None, Some(0), Some(5)][rng.random_range(0..3)],
            service: ServiceLaw::Lognormal { mean_ns: 1e7, cv: 1.5 },
            speed: [0.5, 1.0, 3.0][rng.random_range(0..3)],
            conduct: Conduct::default(),
            weight: 1.0,
            priority: 0,
        })
        .collect();
    let slots: f64 =
        scenario.servers.iter().map(|g| f64::from(g.count * g.capacity) * g.speed).sum();
    let rate = slots * 100.0 * rng.random_range(0.05..2.0);
    scenario.workload.arrivals = Arrivals::Poisson { rate };
    scenario.workload.timeout_ns =
        rng.random_bool(0.5).then(|| rng.random_range(5..100) * MILLISECOND);
    scenario.workload.retries =
        Retries { max: rng.random_range(0..4), budget_ppm: rng.random_range(0..500_000) };
    let servers = scenario.server_count();
    if let PolicyConfig::TwoChoices(TwoChoicesConfig { replacement, .. }) =
        &mut scenario.policies[0]
    {
        *replacement = servers < 2;
    }
    if rng.random_bool(0.6) {
        let first = rng.random_range(0..servers);
        let at_ns = rng.random_range(0..scenario.duration_ns);
        scenario.faults = vec![
            crash(first..servers, rng.random_bool(0.5), at_ns, Some(100 * MILLISECOND)),
            slow(0..servers, 4.0, at_ns / 2, None),
        ];
    }
    scenario
}

/// Requests: every one ends in one outcome, at its node, in the window and in the whole run.
fn assert_requests_conserved(result: &RunResult, what: &str) {
    for counts in [&result.total, &result.measured] {
        assert!(counts.is_conserved(), "{what}: {counts:?}");
    }
    let mut total = Counts::default();
    let mut measured = Counts::default();
    for node in &result.nodes {
        assert!(node.total.is_conserved() && node.measured.is_conserved(), "{what}: {node:?}");
        total.add(&node.total);
        measured.add(&node.measured);
        // Whoever is not rejected on arrival is sent once, and again with every retry.
        let sent = node.total.arrived - node.total.of(Outcome::Rejected) + node.retried;
        assert_eq!(node.dispatched, sent, "{what}: {node:?}");
    }
    assert_eq!(total, result.total, "{what}");
    assert_eq!(measured, result.measured, "{what}");
    assert_eq!(result.latency.count(), result.measured.of(Outcome::Ok), "{what}");
    let latency_ns: u128 = result.nodes.iter().map(|node| node.latency_sum_ns).sum();
    assert_eq!(latency_ns, result.latency_sum_ns, "{what}");
}

/// Attempts: every one let in was served, lost, or is there; a slot is never used twice at once.
fn assert_attempts_conserved(scenario: &Scenario, result: &RunResult, what: &str) {
    let window_ns = scenario.duration_ns.next_multiple_of(DELAY_NS)
        - scenario.warmup_ns.next_multiple_of(DELAY_NS);
    let groups = scenario.servers.iter();
    let groups = groups.flat_map(|group| std::iter::repeat_n(group, group.count as usize));
    let mut arrived = 0;
    for (id, (server, group)) in result.servers.iter().zip(groups).enumerate() {
        assert!(server.is_conserved(), "{what}: server {id}: {server:?}");
        assert!(server.active <= u64::from(group.capacity), "{what}: server {id}");
        assert!(server.waiting == 0 || server.active == u64::from(group.capacity), "{what}: {id}");
        let backlog = group.backlog.map_or(u64::MAX, u64::from);
        assert!(server.waiting <= backlog, "{what}: server {id}: {server:?}");
        let slot_time = u128::from(group.capacity) * u128::from(window_ns);
        assert!(server.busy_ns <= slot_time, "{what}: server {id}: {server:?}");
        let came = server.admitted + server.refused + server.arrived_dead;
        assert!(server.picks <= came, "{what}: server {id}: {server:?}");
        arrived += came;
    }
    let sent: u64 = result.nodes.iter().map(|node| node.dispatched).sum();
    assert!(arrived <= sent, "{what}");
    let nothing_left = result.total.of(Outcome::InFlight) == 0;
    if nothing_left && scenario.workload.timeout_ns.is_none() {
        assert_eq!(arrived, sent, "{what}: everything answered, so nothing is on its way");
        assert!(result.servers.iter().all(|s| s.active + s.waiting == 0), "{what}");
    }
}

/// The series is another way of counting the same.
fn assert_series_adds_up(scenario: &Scenario, result: &RunResult, what: &str) {
    let bin_ns = scenario.engine.sample_interval_ns;
    let end_ns = scenario.duration_ns.next_multiple_of(DELAY_NS);
    assert_eq!(result.series.len() as u64, end_ns / bin_ns, "{what}");
    let mut sum = Counts::default();
    result.series.iter().for_each(|bin| sum.add(&bin.counts));
    assert!(sum.arrived <= result.total.arrived, "{what}");
    if end_ns.is_multiple_of(bin_ns) {
        assert_eq!(sum.arrived, result.total.arrived, "{what}: arrivals end with the series");
    }
    for (bin, total) in sum.by_outcome.iter().zip(result.total.by_outcome) {
        assert!(*bin <= total, "{what}: {sum:?}");
    }
}

/// Goal: nothing is lost or counted twice, in any scenario. Method: random scenarios by seed; the
/// books are checked again here, from the outside of the engine.
#[test]
fn random_scenarios_conserve_requests_and_attempts() {
    let mut seen = Counts::default();
    for seed in 0..200 {
        let scenario = random_scenario(seed);
        let result = run(&scenario);
        assert_requests_conserved(&result, &scenario.name);
        assert_attempts_conserved(&scenario, &result, &scenario.name);
        assert_series_adds_up(&scenario, &result, &scenario.name);
        seen.add(&result.total);
    }
    // The scenarios do reach every outcome there is, so the sums above are not of zeros.
    for outcome in [
        Outcome::Ok,
        Outcome::Rejected,
        Outcome::Refused,
        Outcome::TimedOut,
        Outcome::Lost,
        Outcome::InFlight,
    ] {
        assert!(seen.of(outcome) > 0, "{outcome:?} never came up");
    }
}

/// Goal: Little's law, mean number in the servers = rate x mean time there. Method: the series
/// counts requests in the servers at 4 000 moments; latencies are taken at the nodes. At load 0.8
/// both sides are known to about 2 % after 20 s, and they share most of their chance.
#[test]
fn number_in_the_servers_is_rate_times_time() {
    for policy in POLICIES {
        let mut scenario = fleet(20, 3, policy);
        scenario.duration_ns = 22 * SECOND;
        scenario.warmup_ns = 2 * SECOND;
        scenario.engine.sample_interval_ns = 5 * MILLISECOND;
        scenario.workload.arrivals = Arrivals::Poisson { rate: 20.0 * 320.0 };
        let result = run(&scenario);
        let name = scenario.policies[0].name();
        let bin_ns = scenario.engine.sample_interval_ns;
        let bins = &result.series[(scenario.warmup_ns / bin_ns) as usize..];
        let inside = bins.iter().map(|bin| bin.active + bin.waiting).sum::<u64>() as f64;
        let number = inside / bins.len() as f64;

        let served = result.measured.of(Outcome::Ok) as f64;
        let rate = served / (20 * SECOND) as f64;
        let time_ns = result.latency_sum_ns as f64 / served - 2.0 * DELAY_NS as f64;
        let expected = rate * time_ns;
        assert!(
            (number / expected - 1.0).abs() < 0.03,
            "{name}: {number:.2} in the servers, {expected:.2} by rate and time"
        );
        // The same as every run reports it, from what the servers say of stays.
        let column = columns::metric("little_ratio").unwrap();
        let ratio = (column.get)(&scenario, &result).unwrap();
        assert!((ratio - 1.0).abs() < 0.02, "{name}: {ratio}");
    }
}

/// Goal: work is conserved: the slots were busy for as long as the requests demanded. Method: a run
/// measured from time 0 until everything has ended, in which slot-time must be the sum of the
/// services of what was served inside it, to the nanosecond.
#[test]
fn busy_time_is_the_work_demanded() {
    let mut scenario = fleet(5, 2, TWO_CHOICES);
    scenario.warmup_ns = 0;
    scenario.servers[0].service = ServiceLaw::Constant { mean_ns: 1e7 };
    // The rate falls to almost nothing, so that all but the last few end inside the window.
    scenario.workload.arrivals = Arrivals::Ramp { from: 2_000.0, to: 1e-6, over_ns: 3 * SECOND };
    let result = run(&scenario);
    let busy_ns: u128 = result.servers.iter().map(|server| server.busy_ns).sum();
    assert_eq!(result.total.of(Outcome::Ok), result.total.arrived);
    assert_eq!(busy_ns, u128::from(result.total.arrived) * 10_000_000);
    assert_eq!(result.service_sum_ns, busy_ns);
    assert_eq!(result.served, result.total.arrived);
}
