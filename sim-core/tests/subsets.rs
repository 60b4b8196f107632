//! Nodes that know a part of the servers: whom they use, and what changes when servers come and go.

mod common;

use common::{LOWEST_LATENCY, POLICIES, RANDOM, crash, fleet, run};
use sim_core::config::{Fault, FaultKind, Scenario, ServerGroup, SubsetConfig, Targets};
use sim_core::result::Outcome;
use sim_core::time::{MILLISECOND, SECOND};

const KINDS: [SubsetConfig; 3] = [
    SubsetConfig::Random { size: 3 },
    SubsetConfig::Rendezvous { size: 3 },
    SubsetConfig::DeterministicAperture { aperture: 3 },
];

fn narrowed(policy: sim_core::config::PolicyConfig, subset: SubsetConfig) -> Scenario {
    Scenario { subset: Some(subset), ..fleet(20, 2, policy) }
}

/// Goal: nobody is sent where he is not known. Method: two nodes and twenty servers: exactly the
/// servers that are in a subset get traffic, under every policy.
#[test]
fn requests_go_to_the_subset_and_all_of_it() {
    for policy in POLICIES {
        for subset in KINDS {
            let mut scenario = narrowed(policy.clone(), subset);
            // What the servers in use can carry, not the fleet.
            scenario.workload.arrivals = sim_core::config::Arrivals::Poisson { rate: 400.0 };
            let result = run(&scenario);
            let what = format!("{} {subset:?}", scenario.policies[0].name());
            assert_eq!(result.total.of(Outcome::Rejected), 0, "{what}");
            let mut members = 0;
            for (id, server) in result.servers.iter().enumerate() {
                let used = server.picks > 0;
                assert_eq!(used, server.connections > 0, "{what}: server {id}");
                members += server.connections;
            }
            // Slices are whole shares of the circle: two nodes have half of it each.
            let aperture = matches!(subset, SubsetConfig::DeterministicAperture { .. });
            assert_eq!(members, if aperture { 20 } else { 6 }, "{what}");
        }
    }
}

/// Goal: the aperture's borders. Method: with as many nodes as servers every slice is whole servers;
/// every server has exactly `aperture` nodes, so a random policy loads all alike, while random subsets
/// do not.
#[test]
fn an_aperture_spreads_the_load_and_a_random_subset_does_not() {
    let spread = |subset| {
        let mut scenario = fleet(40, 40, RANDOM);
        scenario.subset = Some(subset);
        let result = run(&scenario);
        let picks: Vec<f64> = result.servers.iter().map(|server| server.picks as f64).collect();
        let mean = picks.iter().sum::<f64>() / picks.len() as f64;
        let variance = picks.iter().map(|p| (p - mean).powi(2)).sum::<f64>() / picks.len() as f64;
        variance.sqrt() / mean
    };
    let aperture = spread(SubsetConfig::DeterministicAperture { aperture: 5 });
    let random = spread(SubsetConfig::Random { size: 5 });
    // A thousand picks a server: chance alone gives 0.03; connections alone sqrt((1 - 1/8) / 5) = 0.42.
    assert!(aperture < 0.06, "aperture {aperture}");
    assert!((0.25..0.6).contains(&random), "random {random}");
}

/// Goal: a server that joins is found, and one that leaves is left, by all nodes at once.
#[test]
fn servers_that_come_and_go_enter_and_leave_subsets() {
    let at = |at_ns, kind| Fault { at_ns, for_ns: None, kind };
    for subset in KINDS {
        let mut scenario = narrowed(LOWEST_LATENCY, subset);
        scenario.nodes.count = 20;
        scenario.workload.arrivals = sim_core::config::Arrivals::Poisson { rate: 2_000.0 };
        let group = ServerGroup { count: 20, ..scenario.servers[0].clone() };
        scenario.faults = vec![
            at(SECOND, FaultKind::Add { group }),
            at(2 * SECOND, FaultKind::Remove { servers: Targets::Ids(0..10) }),
        ];
        // Nothing that was sent before arrives in the window.
        scenario.warmup_ns = 2 * SECOND + 100 * MILLISECOND;
        let result = run(&scenario);
        let connections = |ids: std::ops::Range<usize>| -> u64 {
            result.servers[ids].iter().map(|s| s.connections).sum()
        };
        assert_eq!(connections(0..10), 0, "{subset:?}");
        assert!(connections(20..40) >= 20, "{subset:?}: {}", connections(20..40));
        assert!(result.servers[..10].iter().all(|server| server.picks == 0), "{subset:?}");
        assert!(result.servers[20..].iter().any(|server| server.picks > 0), "{subset:?}");
        assert_eq!(result.total.of(Outcome::Lost), 0, "{subset:?}: who leaves finishes its work");
    }
}

/// Goal: a node knows no more than its subset: with all of it down, there is nobody. The control is
/// the same crash in a fleet that everybody knows.
#[test]
fn a_node_whose_subset_is_down_has_nobody() {
    let mut scenario = fleet(20, 1, RANDOM);
    scenario.faults = vec![crash(0..19, false, SECOND, None)];
    let control = run(&scenario);
    scenario.subset = Some(SubsetConfig::Rendezvous { size: 1 });
    let mut reached = 0;
    for seed in 0..10 {
        scenario.seed = seed;
        let result = run(&scenario);
        let rejected = result.total.of(Outcome::Rejected);
        reached += u32::from(rejected == 0);
        assert!(rejected == 0 || rejected > result.total.arrived / 2, "seed {seed}: {rejected}");
    }
    assert_eq!(control.total.of(Outcome::Rejected), 0);
    assert!(reached < 5, "one server in twenty is up: {reached} of 10");
}
