//! A run is a function of (scenario, seed, replication): how it is executed changes nothing, and
//! choices that concern one thing leave the chance of all others alone.

mod common;

use common::{LOWEST_LATENCY, POLICIES, TWO_CHOICES, crash, fleet, run, run_with, slow};
use sim_core::config::{Arrivals, Fanout, PolicyConfig, Retries, Scenario};
use sim_core::law::{DelayLaw, ServiceLaw};
use sim_core::owners::Visit;
use sim_core::result::{Outcome, RunResult};
use sim_core::server::KernelKind;
use sim_core::simulation::{Options, PhaseDispatch, Simulation};
use sim_core::time::{MILLISECOND, SECOND};

/// A fleet in which everything that draws is at work: random delays both ways, jitter, loss and
/// random recipients of heartbeats, full servers, retries, timeouts.
fn lively(policy: PolicyConfig) -> Scenario {
    let mut scenario = fleet(30, 6, policy);
    scenario.duration_ns = 1_500 * MILLISECOND;
    scenario.network.node_server = DelayLaw::Exponential { mean_ns: 1_500_000, min_ns: 500_000 };
    scenario.network.server_node =
        DelayLaw::Lognormal { mean_ns: 1_500_000, cv: 0.7, min_ns: 500_000 };
    scenario.servers[0].backlog = Some(3);
    scenario.servers[0].service = ServiceLaw::Lognormal { mean_ns: 1e7, cv: 1.2 };
    scenario.workload.arrivals = Arrivals::Poisson { rate: 30.0 * 380.0 };
    scenario.workload.timeout_ns = Some(60 * MILLISECOND);
    scenario.workload.retries = Retries { max: 2, budget_ppm: 200_000 };
    scenario.heartbeat.jitter = 0.2;
    scenario.heartbeat.loss = 0.1;
    scenario.heartbeat.fanout = Fanout::Random(4);
    scenario
}

/// As [`lively`], with servers that break and slow down.
fn breaking(policy: PolicyConfig) -> Scenario {
    let mut scenario = lively(policy);
    scenario.faults = vec![
        crash(0..4, false, 400 * MILLISECOND, Some(500 * MILLISECOND)),
        crash(7..9, true, 600 * MILLISECOND, Some(300 * MILLISECOND)),
        slow(10..20, 3.0, 200 * MILLISECOND, Some(SECOND)),
    ];
    scenario
}

/// Every policy, on a fleet that breaks and on one that does not.
fn cases() -> impl Iterator<Item = (String, Scenario)> {
    POLICIES.into_iter().flat_map(|policy| {
        let name = policy.name();
        [
            (format!("{name}, sound"), lively(policy.clone())),
            (format!("{name}, breaking"), breaking(policy)),
        ]
    })
}

fn assert_same(result: &RunResult, expected: &RunResult, what: &str) {
    assert_eq!(result.total, expected.total, "{what}");
    assert!(result == expected, "{what}: same counts, but the results differ");
}

/// Goal: chance comes from the seed alone. Method: run twice; then change seed and replication.
#[test]
fn same_seed_same_result_and_another_seed_another() {
    for (name, scenario) in cases() {
        let expected = run(&scenario);
        assert_same(&run(&scenario), &expected, &name);
        assert!(run_with(&scenario, 1, Options::default()) != expected, "{name}: replication");
        let reseeded = Scenario { seed: 2, ..scenario };
        assert!(run(&reseeded) != expected, "{name}: seed");
    }
}

/// Runs a scenario with every phase of every tick split over `threads` threads of their own; tells
/// also who has worked.
fn run_threaded(scenario: &Scenario, threads: usize) -> (RunResult, u64) {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
    pool.install(|| {
        let options = Options { threads, always_parallel: true, ..Options::default() };
        let mut simulation = Simulation::new(scenario, 0, 0, options).unwrap();
        while simulation.advance().unwrap() {}
        let seen = simulation.threads_seen();
        (simulation.finish(), seen)
    })
}

/// Goal: threads change nothing, and more than one really works. Method: the same runs in pools of
/// one, two and three threads; the lanes tell who worked. A run is thousands of ticks, each
/// offering its parts to whoever is idle; yet on a busy machine a thread may sleep through a whole
/// run, so a run may be repeated.
#[test]
fn threads_change_nothing() {
    for (name, scenario) in cases() {
        let expected = run(&scenario);
        for threads in 1..=3 {
            let least = threads.min(2) as u32;
            let mut seen = 0_u64;
            for _ in 0..100 {
                let (result, present) = run_threaded(&scenario, threads);
                assert_same(&result, &expected, &format!("{name}, {threads} threads"));
                seen |= present;
                if seen.count_ones() >= least {
                    break;
                }
            }
            assert!(seen.count_ones() >= least, "{name}: {threads} threads, seen {seen:b}");
        }
    }
}

/// Goal: neither shards, the order of visits, the way phases are called nor the kernel can be told
/// from a result. Method: each of them against the default.
#[test]
fn execution_choices_change_nothing() {
    for (name, scenario) in cases() {
        let expected = run(&scenario);
        let same = |options: Options, what: &str| {
            assert_same(&run_with(&scenario, 0, options), &expected, &format!("{name}, {what}"));
        };
        for shards in 1..=5 {
            let shards = Some(shards);
            same(Options { shards, ..Options::default() }, &format!("shards {shards:?}"));
            let visit = Visit::Reverse;
            same(Options { shards, visit, ..Options::default() }, &format!("{shards:?} reversed"));
        }
        for dispatch in [PhaseDispatch::Schedule, PhaseDispatch::Burst] {
            let options = Options { dispatch: Some(dispatch), ..Options::default() };
            same(options, &format!("{dispatch:?}"));
        }
        let kernel = Some(KernelKind::Event);
        same(Options { kernel, shards: Some(2), ..Options::default() }, "event kernel");
    }
}

/// Goal: the tick is no part of the model. Method: the same control quantum cut into 1 to 10 ticks.
#[test]
fn the_tick_changes_nothing() {
    for (name, mut scenario) in cases() {
        let expected = run(&scenario);
        for parts in [2, 4, 5, 10] {
            scenario.engine.tick_ns = scenario.engine.quantum_ns / parts;
            assert_same(&run(&scenario), &expected, &format!("{name}, {parts} ticks a quantum"));
        }
    }
}

/// Arrivals of each node.
fn arrived(result: &RunResult) -> Vec<u64> {
    result.nodes.iter().map(|node| node.total.arrived).collect()
}

/// Goal: policies, fleets and faults are compared on the same requests. Method: arrivals are counted
/// node by node. Demands show in the latencies of a fleet in which nobody waits: two delays and a
/// service each, wherever a request went.
#[test]
fn requests_are_the_same_under_every_policy_and_fleet() {
    let with_room = |servers: u32, policy: PolicyConfig| {
        let mut scenario = fleet(servers, 3, policy);
        scenario.workload.arrivals = Arrivals::Poisson { rate: 5_000.0 };
        scenario.servers[0].capacity = 10_000;
        scenario
    };
    let expected = run(&with_room(20, LOWEST_LATENCY));
    assert!(expected.total.arrived > 15_000);
    for policy in POLICIES {
        for servers in [20, 21, 35] {
            let result = run(&with_room(servers, policy.clone()));
            let what = format!("{}, {servers} servers", policy.name());
            assert_eq!(arrived(&result), arrived(&expected), "{what}");
            assert_eq!(result.latency, expected.latency, "{what}");
            assert_eq!(result.latency_sum_ns, expected.latency_sum_ns, "{what}");
        }
    }
    // Whatever happens to them, the same requests arrive.
    let lively_arrivals = arrived(&run(&lively(TWO_CHOICES)));
    for (name, scenario) in cases() {
        assert_eq!(arrived(&run(&scenario)), lively_arrivals, "{name}");
    }
}

/// Goal: the demand of a request belongs to it and not to the server. Method: servers of half the
/// speed make the service part of every latency twice as long.
#[test]
fn half_the_speed_is_twice_the_service() {
    let mut scenario = fleet(10, 2, TWO_CHOICES);
    scenario.servers[0].capacity = 10_000;
    let fast = run(&scenario);
    scenario.servers[0].speed = 0.5;
    let slow = run(&scenario);
    let ok = fast.measured.of(Outcome::Ok);
    assert_eq!(ok, slow.measured.of(Outcome::Ok));
    let service_ns = |r: &RunResult| r.latency_sum_ns as f64 - (ok * 2 * common::DELAY_NS) as f64;
    // Each service is rounded to a nanosecond.
    assert!((service_ns(&slow) - 2.0 * service_ns(&fast)).abs() <= 1.5 * ok as f64);
}
