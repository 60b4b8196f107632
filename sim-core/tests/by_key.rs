//! Policies that route by key, in whole runs: where keys go, and where they go when servers break.

mod common;

use common::{RANDOM, crash, fleet, run};
use sim_core::config::{
    BoundConfig, Fault, FaultKind, MaglevConfig, PolicyConfig, RendezvousConfig, Retries,
    RingHashConfig, Scenario, Targets,
};
use sim_core::hashing::bound::Overflow;
use sim_core::popularity::Popularity;
use sim_core::result::{Outcome, RunResult};
use sim_core::time::{MILLISECOND, SECOND};

fn policies() -> [PolicyConfig; 3] {
    [
        PolicyConfig::RingHash(RingHashConfig::default()),
        PolicyConfig::Maglev(MaglevConfig::default()),
        PolicyConfig::Rendezvous(RendezvousConfig::default()),
    ]
}

/// Ten servers behind three nodes, and `keys` keys that are all alike.
fn keyed(policy: PolicyConfig, keys: u64) -> Scenario {
    let mut scenario = fleet(10, 3, policy);
    scenario.workload.keys = Some(Popularity::Uniform { count: keys });
    scenario.workload.arrivals = sim_core::config::Arrivals::Poisson { rate: 200.0 };
    scenario
}

/// Servers that got anything in the window.
fn used(result: &RunResult) -> Vec<usize> {
    (0..result.servers.len()).filter(|&id| result.servers[id].picks > 0).collect()
}

/// The only server that got anything between two moments.
fn only(scenario: &Scenario, from_ms: u64, to_ms: u64) -> usize {
    let part = Scenario {
        warmup_ns: from_ms * MILLISECOND,
        duration_ns: to_ms * MILLISECOND,
        ..scenario.clone()
    };
    let used = used(&run(&part));
    assert_eq!(used.len(), 1, "{used:?} from {from_ms} ms");
    used[0]
}

/// Goal: all nodes send one key to one server; it moves when that server is known to be down, to one
/// other, and comes back with it.
#[test]
fn one_key_has_one_server_at_all_nodes() {
    for policy in policies() {
        let mut scenario = keyed(policy, 1);
        let home = only(&scenario, 100, 1_000);
        let id = home as u32;
        scenario.faults = vec![crash(id..id + 1, false, SECOND, Some(SECOND))];
        // Silence takes 350 ms to be noticed, and a beat of 100 ms to be over.
        let heir = only(&scenario, 1_400, 2_000);
        assert_ne!(home, heir);
        assert_eq!(only(&scenario, 2_200, 3_000), home);
    }
}

/// Goal: a retry is about the same thing. Method: the server of the only key fails fast; every request
/// is answered by the same second server.
#[test]
fn retries_keep_their_key() {
    for policy in policies() {
        let mut scenario = keyed(policy, 1);
        let home = only(&scenario, 100, 1_000) as u32;
        scenario.workload.retries = Retries { max: 1, budget_ppm: 1_000_000 };
        scenario.faults = vec![Fault {
            at_ns: 0,
            for_ns: None,
            kind: FaultKind::FailFast { servers: Targets::Ids(home..home + 1), share: 1.0 },
        }];
        let result = run(&scenario);
        assert_eq!(result.total.of(Outcome::Ok), result.total.arrived);
        let served = (0..10).filter(|&id| result.servers[id].completed > 0);
        assert_eq!(served.count(), 1, "all retries of one key go one way");
    }
}

/// Goal: keys are spread over servers by their weights. Method: chi-square would ask for the luck of
/// the layout too; so keys by the thousands, a large ring, and shares within a fifth.
#[test]
fn many_keys_spread_by_weight() {
    let ring = RingHashConfig { minimum_ring_size: 100_000, ..RingHashConfig::default() };
    let [_, maglev, rendezvous] = policies();
    for policy in [PolicyConfig::RingHash(ring), maglev, rendezvous] {
        let mut scenario = keyed(policy, 100_000);
        scenario.servers[0].count = 5;
        let heavy = sim_core::config::ServerGroup { weight: 3.0, ..scenario.servers[0].clone() };
        scenario.servers.push(heavy);
        scenario.workload.arrivals = sim_core::config::Arrivals::Poisson { rate: 2_000.0 };
        let result = run(&scenario);
        let all: u64 = result.servers.iter().map(|server| server.picks).sum();
        for (id, server) in result.servers.iter().enumerate() {
            let share = if id < 5 { 1.0 / 20.0 } else { 3.0 / 20.0 };
            let found = server.picks as f64 / all as f64 / share;
            assert!((0.8..1.2).contains(&found), "server {id}: {found} of its share");
        }
    }
}

/// Goal: a bound keeps the server of a hot key from drowning; the control is the same without it.
#[test]
fn a_bound_on_load_spreads_a_hot_key() {
    for overflow in [Overflow::Next, Overflow::Jump] {
        for with_table in [true, false] {
            let policy = |hash_balance_factor| {
                let bound = BoundConfig { hash_balance_factor, overflow };
                if with_table {
                    PolicyConfig::Maglev(MaglevConfig { bound, ..MaglevConfig::default() })
                } else {
                    PolicyConfig::RingHash(RingHashConfig { bound, ..RingHashConfig::default() })
                }
            };
            let shares = |factor| {
                let mut scenario = keyed(policy(factor), 1);
                scenario.nodes.count = 1;
                scenario.workload.arrivals = sim_core::config::Arrivals::Poisson { rate: 2_500.0 };
                let result = run(&scenario);
                let all: u64 = result.servers.iter().map(|server| server.picks).sum();
                let most = result.servers.iter().map(|server| server.picks).max().unwrap();
                (most as f64 / all as f64, used(&result).len())
            };
            assert_eq!(shares(None), (1.0, 1));
            let (most, servers) = shares(Some(125));
            // 25 requests at once and 33 slots on 10 servers: 3 or 4 each, so it takes 7 or more.
            assert!(most < 0.25, "{overflow:?}: {most} of all picks at one server");
            assert!(servers >= 7, "{overflow:?}: {servers} servers");
        }
    }
}

/// Goal: common random numbers. Method: what arrives, and when, does not depend on whether requests
/// have keys; and two policies by key see the same keys: with as many keys as requests the load on
/// servers differs, and the arrivals do not.
#[test]
fn keys_shift_no_other_draw() {
    let mut scenario = fleet(10, 3, RANDOM);
    let without = run(&scenario);
    scenario.workload.keys = Some(Popularity::Zipf { count: 1_000, exponent: 1.0 });
    let with = run(&scenario);
    assert_eq!(without.total, with.total);
    assert_eq!(without.latency_sum_ns, with.latency_sum_ns);
    for (a, b) in without.servers.iter().zip(&with.servers) {
        assert_eq!(a, b);
    }
}

/// Goal: a mistake is named with its remedy.
#[test]
fn a_policy_by_key_wants_keys() {
    for policy in policies() {
        let mut scenario = keyed(policy, 10);
        scenario.workload.keys = None;
        let faults = scenario.validate().unwrap_err();
        let text = format!("{faults:?}");
        assert!(faults.len() == 1 && text.contains("workload"), "{text}");
        assert!(faults[0].key.starts_with("policy."), "{text}");
    }
    let table = |table_size| {
        let config = MaglevConfig { table_size, ..MaglevConfig::default() };
        keyed(PolicyConfig::Maglev(config), 10).validate()
    };
    assert_eq!(table(11), Ok(()));
    for (size, word) in [(12, "prime"), (7, "no place each"), (1, "out of range")] {
        let text = format!("{:?}", table(size).unwrap_err());
        assert!(text.contains(word), "{size}: {text}");
    }
}
