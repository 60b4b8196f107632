//! Random fates of nodes.

use sim_core::config::*;
use sim_core::rng::{Purpose, RngExt, stream};

/// Nodes that crash, leave and join, in about half of the cases. Draws from a stream of its own.
pub fn add_node_faults(scenario: &mut Scenario) {
    let mut rng = stream(scenario.seed, 1, Purpose::Policy, 0);
    if rng.random_bool(0.5) {
        return;
    }
    let Scenario { duration_ns, engine: EngineConfig { tick_ns, quantum_ns, .. }, .. } = *scenario;
    scenario.nodes.failover_delay_ns =
        [0, 4 * tick_ns, 20 * quantum_ns + 777, duration_ns][rng.random_range(0..4)];
    let mut fault = |ids: std::ops::Range<u32>| {
        let nodes = Targets::Ids(ids);
        let kind = match rng.random_range(0..5) {
            0 => FaultKind::NodeJoin { nodes },
            1 | 2 => FaultKind::NodeLeave { nodes },
            _ => FaultKind::NodeCrash { nodes },
        };
        let longest_ns = [4 * quantum_ns, duration_ns][rng.random_range(0..2)];
        let lasts = rng.random_bool(0.8) && !matches!(kind, FaultKind::NodeJoin { .. });
        Fault {
            at_ns: rng.random_range(0..duration_ns),
            for_ns: lasts.then(|| rng.random_range(quantum_ns..longest_ns)),
            kind,
        }
    };
    let count = scenario.nodes.count;
    let mut faults: Vec<Fault> = (0..count).map(|node| fault(node..node + 1)).collect();
    if scenario.seed.is_multiple_of(5) {
        faults = vec![fault(0..count)];
    }
    for fault in faults {
        scenario.faults.push(fault);
        // A node that is out already for another reason.
        if scenario.validate().is_err() {
            scenario.faults.pop();
        }
    }
}

/// Nodes that find each other by membership, in half of the cases. Timers are short, so that
/// suspicions, deaths, reconnects and forgetting all come up.
pub fn add_membership(scenario: &mut Scenario) {
    let mut rng = stream(scenario.seed, 2, Purpose::Policy, 0);
    if rng.random_bool(0.5) {
        return;
    }
    let quantum_ns = scenario.engine.quantum_ns;
    let mut quanta = |from: u64, to: u64| quantum_ns * rng.random_range(from..to);
    let probe_interval_ns = quanta(4, 60);
    let membership = MembershipConfig {
        probe_interval_ns,
        probe_timeout_ns: (probe_interval_ns / 3).max(quantum_ns),
        gossip_interval_ns: quanta(1, 20),
        gossip_to_dead_ns: quanta(0, 200),
        sync_interval_ns: quanta(10, 300),
        reconnect_interval_ns: quanta(10, 300),
        reap_ns: quanta(20, 2_000),
        indirect: rng.random_range(0..4),
        probe_order: [ProbeOrder::Ring, ProbeOrder::Random][rng.random_range(0..2)],
        suspicion_mult: rng.random_range(1..5),
        suspicion_max_mult: rng.random_range(1..4),
        retransmit_mult: rng.random_range(1..4),
        piggyback: [1, 3, 40][rng.random_range(0..3)],
        gossip_nodes: rng.random_range(0..4),
        lifeguard: rng.random_bool(0.5),
        loss: [0.0, 0.3][rng.random_range(0..2)],
        seeds: 0..rng.random_range(1..=scenario.nodes.count),
    };
    scenario.membership = Some(membership);
    if scenario.validate().is_err() {
        // Messages between nodes may be quicker than the tick that suits everything else.
        scenario.membership = None;
    }
}
