//! Random keys for requests, random subsets and random tiers of servers, drawn apart from the rest of a case.

use sim_core::config::{
    Arrivals, BoundConfig, FaultKind, MaglevConfig, PolicyConfig, PrioritiesConfig,
    RendezvousConfig, RingHashConfig, Scenario, SubsetConfig, TraceConfig, TraceFormat,
};
use sim_core::hashing::bound::Overflow;
use sim_core::popularity::Popularity;
use sim_core::rng::{Purpose, RngExt, Stream, stream};
use sim_core::workload::TraceRecord;

/// Gives the requests of some cases keys: by a law, or from the trace.
pub fn add(scenario: &mut Scenario, trace: &mut [TraceRecord]) {
    let mut rng = stream(scenario.seed, 0, Purpose::Keys, 0);
    let count = rng.random_range(1..200);
    let law = match rng.random_range(0..6) {
        0 => Popularity::Uniform { count },
        1 => Popularity::Zipf { count, exponent: [0.0, 0.9, 1.0, 2.5][rng.random_range(0..4)] },
        _ => return,
    };
    if rng.random_bool(0.7) {
        scenario.policies = vec![by_key(&mut rng, scenario.server_count())];
    }
    if let Arrivals::Trace(TraceConfig { format: TraceFormat::Csv(columns), .. }) =
        &mut scenario.workload.arrivals
        && rng.random_bool(0.7)
    {
        columns.key = Some("key".into());
        let sampler = law.sampler();
        for record in trace {
            record.key = Some(sampler.draw(&mut rng));
        }
        return;
    }
    scenario.workload.keys = Some(law);
}

/// Lets the nodes of some cases know a part of the servers.
pub fn narrow(scenario: &mut Scenario) {
    let mut rng = stream(scenario.seed, 0, Purpose::Subset, 0);
    if rng.random_bool(0.7) {
        return;
    }
    let size = rng.random_range(1..=scenario.server_count() + 2);
    scenario.subset = Some(match rng.random_range(0..3) {
        0 => SubsetConfig::Random { size },
        1 => SubsetConfig::Rendezvous { size },
        _ => SubsetConfig::DeterministicAperture { aperture: size },
    });
}

/// A policy that routes by key.
fn by_key(rng: &mut Stream, servers: u32) -> PolicyConfig {
    let capacity_gate = rng.random_bool(0.3);
    let bound = BoundConfig {
        hash_balance_factor: rng.random_bool(0.6).then(|| rng.random_range(100..200)),
        overflow: [Overflow::Next, Overflow::Jump][rng.random_range(0..2)],
    };
    match rng.random_range(0..5) {
        0 => PolicyConfig::Rendezvous(RendezvousConfig { capacity_gate }),
        1 | 2 => {
            let minimum_ring_size = rng.random_range(1..300);
            // Some servers have no points.
            let maximum_ring_size = minimum_ring_size + rng.random_range(0..servers);
            PolicyConfig::RingHash(RingHashConfig {
                minimum_ring_size,
                maximum_ring_size,
                bound,
                capacity_gate,
            })
        }
        _ => {
            let table_size = [1_009, 65_537][rng.random_range(0..2)];
            PolicyConfig::Maglev(MaglevConfig { table_size, bound, capacity_gate })
        }
    }
}

/// Puts the servers of some cases into tiers.
pub fn rank(scenario: &mut Scenario) {
    let mut rng = stream(scenario.seed, 0, Purpose::Subset, 1);
    if rng.random_bool(0.7) {
        return;
    }
    let added = scenario.faults.iter_mut().filter_map(|fault| match &mut fault.kind {
        FaultKind::Add { group } => Some(group),
        _ => None,
    });
    for group in scenario.servers.iter_mut().chain(added) {
        group.priority = rng.random_range(0..4);
    }
    scenario.priorities = PrioritiesConfig {
        overprovisioning: [1.0, 1.4, 3.0][rng.random_range(0..3)],
        panic: [0.0, 0.5, 0.9][rng.random_range(0..3)],
    };
}
