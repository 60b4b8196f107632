//! Random faults of every kind, and random campaigns.

use sim_core::config::*;
use sim_core::law::ServiceLaw;
use sim_core::rng::{RngExt, Stream};
use sim_core::time::MILLISECOND;

/// Adds faults to a possible scenario: up to a dozen of any kind, some of them several at once, and
/// in some scenarios a campaign. Those that cannot be are left out.
pub fn add_faults(rng: &mut Stream, scenario: &mut Scenario) {
    for (index, group) in scenario.servers.iter_mut().enumerate() {
        group.name = rng.random_bool(0.5).then(|| format!("group-{index}"));
    }
    for _ in 0..rng.random_range(1..12) {
        let fault = random_fault(rng, scenario);
        scenario.faults.push(fault);
        if scenario.validate().is_err() {
            scenario.faults.pop();
        }
    }
    if rng.random_bool(0.2) {
        let wanted = rng.random_range(1..30);
        scenario.chaos = Some(ChaosConfig {
            rate: f64::from(wanted) * 1e9 / scenario.duration_ns as f64,
            kinds: CAMPAIGN.iter().copied().filter(|_| rng.random_bool(0.5)).collect(),
            for_ns: scenario.engine.quantum_ns * rng.random_range(1..200),
            seed: rng.random_bool(0.5).then(|| rng.random_range(0..100)),
        });
        if scenario.validate().is_err() {
            scenario.chaos = None;
        }
    }
}

/// What a random campaign may do.
const CAMPAIGN: [ChaosKind; 16] = [
    ChaosKind::Crash,
    ChaosKind::Slow,
    ChaosKind::FailFast,
    ChaosKind::Flap,
    ChaosKind::Capacity,
    ChaosKind::Drain,
    ChaosKind::HeartbeatLoss,
    ChaosKind::HeartbeatDelay,
    ChaosKind::HeartbeatDuplicate,
    ChaosKind::HeartbeatReorder,
    ChaosKind::Lie,
    ChaosKind::Inconsistent,
    ChaosKind::ClockSkew,
    ChaosKind::NodeCrash,
    ChaosKind::NodeLeave,
    ChaosKind::Partition,
];

fn random_fault(rng: &mut Stream, scenario: &Scenario) -> Fault {
    let Scenario { duration_ns, engine: EngineConfig { quantum_ns, .. }, .. } = *scenario;
    // Some end before a request that was there when they began would have.
    let longest_ns = if rng.random_bool(0.4) { 4 * quantum_ns } else { duration_ns };
    let kind = random_kind(rng, scenario);
    let endless = matches!(
        kind,
        FaultKind::Add { .. } | FaultKind::Remove { .. } | FaultKind::NodeJoin { .. }
    );
    Fault {
        at_ns: rng.random_range(0..duration_ns),
        for_ns: (!endless && rng.random_bool(0.8))
            .then(|| rng.random_range(quantum_ns..longest_ns)),
        kind,
    }
}

fn random_kind(rng: &mut Stream, scenario: &Scenario) -> FaultKind {
    let EngineConfig { quantum_ns, .. } = scenario.engine;
    let heartbeat_ns = scenario.heartbeat.interval_ns;
    let silent = rng.random_bool(0.5);
    let share = [0.1, 0.5, 1.0][rng.random_range(0..3)];
    let servers = servers(rng, scenario);
    match rng.random_range(0..22) {
        0 => FaultKind::Crash { servers, silent },
        1 => FaultKind::Slow {
            servers,
            slowdown: [Slowdown::Factor(5.0), Slowdown::Fixed(20 * MILLISECOND)]
                [rng.random_range(0..2)],
        },
        2 => FaultKind::FailFast { servers, share },
        3 => FaultKind::Flap {
            servers,
            period_ns: quantum_ns * rng.random_range(2..400),
            up: [0.2, 0.5, 0.9][rng.random_range(0..3)],
            silent,
        },
        4 => FaultKind::Capacity { servers, slots: rng.random_range(1..20) },
        5 => FaultKind::Add { group: added(rng, scenario) },
        6 => FaultKind::Drain { servers },
        7 => FaultKind::Remove { servers },
        8 => FaultKind::HeartbeatLoss { servers, share },
        9 => FaultKind::HeartbeatDelay { servers, by_ns: rng.random_range(1..5 * heartbeat_ns) },
        10 => FaultKind::HeartbeatDuplicate { servers, share },
        11 => FaultKind::HeartbeatReorder {
            servers,
            share,
            by_ns: rng.random_range(1..5 * heartbeat_ns),
        },
        12 => FaultKind::Lie {
            servers,
            lie: [Lie::Frozen, Lie::Scaled { load: 0.1, latency: 0.01 }][rng.random_range(0..2)],
        },
        13 => FaultKind::Inconsistent {
            servers,
            what: [Inconsistency::Impossible, Inconsistency::Backwards, Inconsistency::Conflicting]
                [rng.random_range(0..3)],
            share,
        },
        14 => {
            let by_ns = rng.random_range(quantum_ns..4 * heartbeat_ns + 2 * quantum_ns);
            let ahead_ns = by_ns.cast_signed() * [1, -1][rng.random_range(0..2)];
            FaultKind::ClockSkew { servers, ahead_ns }
        }
        15 => FaultKind::NodeCrash { nodes: nodes(rng, scenario) },
        16 => FaultKind::NodeLeave { nodes: nodes(rng, scenario) },
        17 => FaultKind::NodeJoin { nodes: nodes(rng, scenario) },
        _ => FaultKind::Partition {
            a: side(rng, scenario),
            b: side(rng, scenario),
            one_way: rng.random_bool(0.5),
        },
    }
}

fn side(rng: &mut Stream, scenario: &Scenario) -> Side {
    Side {
        nodes: rng.random_bool(0.7).then(|| nodes(rng, scenario)),
        servers: rng.random_bool(0.5).then(|| servers(rng, scenario)),
    }
}

fn added(rng: &mut Stream, scenario: &Scenario) -> ServerGroup {
    let like = rng.random_range(0..scenario.servers.len());
    ServerGroup {
        name: rng.random_bool(0.5).then(|| format!("new-{}", rng.random_range(0..1000))),
        count: rng.random_range(1..5),
        service: ServiceLaw::Exponential {
            mean_ns: scenario.servers[like].service.mean_ns().round(),
        },
        ..scenario.servers[like].clone()
    }
}

/// Any range of ids, a share, or a group.
fn servers(rng: &mut Stream, scenario: &Scenario) -> Targets {
    let names = scenario.all_groups().filter_map(|group| group.name.clone());
    let names: Vec<String> = names.collect();
    match rng.random_range(0..5) {
        0 => Targets::Percent([10.0, 34.0, 100.0][rng.random_range(0..3)]),
        1 if !names.is_empty() => Targets::Group(names[rng.random_range(0..names.len())].clone()),
        _ => ids(rng, scenario.server_count()),
    }
}

fn nodes(rng: &mut Stream, scenario: &Scenario) -> Targets {
    if rng.random_bool(0.3) { Targets::Percent(50.0) } else { ids(rng, scenario.nodes.count) }
}

fn ids(rng: &mut Stream, total: u32) -> Targets {
    let start = rng.random_range(0..total);
    Targets::Ids(start..rng.random_range(start + 1..=total))
}
