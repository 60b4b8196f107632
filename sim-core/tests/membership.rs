//! How a cluster of nodes forms, and how a node that comes back finds its way in again.

mod common;

use common::{TWO_CHOICES, fleet, run};
use sim_core::config::{
    Fanout, Fault, FaultKind, GossipConfig, GossipMode, GossipPayload, MembershipConfig, Scenario,
    Targets,
};
use sim_core::result::RunResult;
use sim_core::time::{MILLISECOND, SECOND};

/// Everything five times as fast as in a LAN, and one seed.
fn members(nodes: u32) -> MembershipConfig {
    MembershipConfig {
        probe_interval_ns: 200 * MILLISECOND,
        probe_timeout_ns: 100 * MILLISECOND,
        gossip_interval_ns: 40 * MILLISECOND,
        seeds: 0..1,
        ..MembershipConfig::lan(nodes)
    }
}

fn pull() -> GossipConfig {
    GossipConfig {
        interval_ns: 20 * MILLISECOND,
        fanout: 1,
        mode: GossipMode::Pull,
        payload: GossipPayload::Delta,
        ..GossipConfig::default()
    }
}

/// Goal: a cluster forms from one seed, whatever its size. Method: all nodes start at once and know
/// only the seed. The news of one node is sent 4 to 8 times to 3 nodes, every 40 ms.
#[test]
fn a_cluster_forms_from_one_seed() {
    for nodes in [2, 8, 30] {
        let mut scenario = fleet(4, nodes, TWO_CHOICES);
        scenario.membership = Some(members(nodes));
        let result = run(&scenario);
        let formed_ns = result.membership.formed_ns.expect("it forms");
        // A word to the seed and one back take two delays at the least.
        assert!(formed_ns >= 2 * common::DELAY_NS, "{nodes} nodes: {formed_ns}");
        assert!(formed_ns <= 300 * MILLISECOND, "{nodes} nodes: {formed_ns}");
        for bin in &result.series[3..] {
            assert_eq!(bin.nodes_up, u64::from(nodes));
            assert_eq!(bin.members_known, u64::from(nodes * nodes), "everybody knows everybody");
            assert_eq!(bin.members_known_min, u64::from(nodes));
        }
        let wrong = |node: &sim_core::result::NodeResult| {
            node.members.false_suspicions + node.members.false_deaths
        };
        assert_eq!(result.nodes.iter().map(wrong).sum::<u64>(), 0, "nobody was away");
    }
}

/// (node, server) of which the node holds a report, at the end of the interval that
/// starts at `ms`.
fn held(result: &RunResult, ms: usize) -> u64 {
    result.series[ms / 100].view_samples
}

/// Goal: the view of a node that crashed is filled again by pulling gossip from the members it finds
/// through the seed. Method: each server reports to one node of four, so that a node hears of all
/// forty by itself only after many intervals; node 2 is away from 1 s to 2 s.
#[test]
fn the_view_of_a_restarted_node_is_filled_again() {
    let mut scenario = fleet(40, 4, TWO_CHOICES);
    scenario.heartbeat.fanout = Fanout::Random(1);
    scenario.heartbeat.failure_timeout_ns = SECOND;
    scenario.membership = Some(members(4));
    let kind = FaultKind::NodeCrash { nodes: Targets::Ids(2..3) };
    scenario.faults = vec![Fault { at_ns: SECOND, for_ns: Some(SECOND), kind }];
    let alone = run(&scenario);
    let told = run(&Scenario { gossip: Some(pull()), ..scenario });

    assert_eq!([held(&alone, 800), held(&alone, 1_500)], [160, 120], "a view a node that is up");
    assert!(held(&alone, 2_000) < 145, "by itself it holds {} - 120", held(&alone, 2_000));
    assert_eq!(held(&told, 1_500), 120);
    for ms in (2_100..3_900).step_by(100) {
        assert_eq!(held(&told, ms), 160, "with gossip, {ms} ms");
    }
    for result in [alone, told] {
        let known = |ms: usize| result.series[ms / 100].members_known_min;
        assert_eq!(result.series[15].nodes_up, 3);
        assert_eq!([known(800), known(2_300)], [4, 4], "it finds the others, and they find it");
    }
}
