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
