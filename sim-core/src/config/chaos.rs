//! Reads `[chaos]`, a random campaign of faults, and works it out into single faults.
//!
//! Faults come as a Poisson process over the whole run; each is of a kind drawn from the list,
//! hits one server or node and lasts an exponential time. One that would meet another fault of the
//! scenario or of the campaign on the same target is left out; it has drawn its numbers all the
//! same, so the rest of the campaign stays what it is.

use super::breaking::{Fault, FaultKind, Inconsistency, Lie, Side, Slowdown};
use super::suggest::nearest;
use super::tree::Value;
use super::units::{RATE_FORM, RawRate, parse_rate};
use super::values::{big_count, duration};
use super::walk::{Item, Section, Walk};
use super::{Scenario, Targets};
use crate::rng::{Purpose, below, stream};
use crate::time::{MILLISECOND, Nanos, SECOND};
use crate::ziggurat::Exponential;

/// A random campaign of faults.
#[derive(Clone, Debug, PartialEq)]
pub struct ChaosConfig {
    /// Mean faults a second, above 0.
    pub rate: f64,
    /// What breaks, each as likely as any other. At least one.
    pub kinds: Vec<ChaosKind>,
    /// Mean time a fault lasts [ns].
    pub for_ns: Nanos,
    /// Seed of the campaign; `None`: the scenario's. Every replication has a campaign of its own.
    pub seed: Option<u64>,
}

/// What a campaign may do to one target for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChaosKind {
    /// A crash, connections reset.
    Crash,
    /// Services ten times as long.
    Slow,
    /// Every attempt answered with an error.
    FailFast,
    /// Five crashes in the time, up half of it.
    Flap,
    /// One slot.
    Capacity,
    /// No new work.
    Drain,
    /// Half of the heartbeats lost.
    HeartbeatLoss,
    /// Heartbeats as late as the failure timeout.
    HeartbeatDelay,
    /// Half of the heartbeats twice.
    HeartbeatDuplicate,
    /// Half of the heartbeats up to three intervals late.
    HeartbeatReorder,
    /// A tenth of the load and of the latency reported.
    Lie,
    /// Every other report impossible.
    Inconsistent,
    /// A clock that is behind by the failure timeout.
    ClockSkew,
    /// A node's crash.
    NodeCrash,
    /// A node's leave.
    NodeLeave,
    /// A node cut off from all others.
    Partition,
}

/// The words of a scenario for the kinds.
pub(super) const CHAOS_KINDS: [(&str, ChaosKind); 16] = [
    ("crash", ChaosKind::Crash),
    ("slow", ChaosKind::Slow),
    ("fail_fast", ChaosKind::FailFast),
    ("flap", ChaosKind::Flap),
    ("capacity", ChaosKind::Capacity),
    ("drain", ChaosKind::Drain),
    ("heartbeat_loss", ChaosKind::HeartbeatLoss),
    ("heartbeat_delay", ChaosKind::HeartbeatDelay),
    ("heartbeat_duplicate", ChaosKind::HeartbeatDuplicate),
    ("heartbeat_reorder", ChaosKind::HeartbeatReorder),
    ("lie", ChaosKind::Lie),
    ("inconsistent", ChaosKind::Inconsistent),
    ("clock_skew", ChaosKind::ClockSkew),
    ("node_crash", ChaosKind::NodeCrash),
    ("node_leave", ChaosKind::NodeLeave),
    ("partition", ChaosKind::Partition),
];

impl ChaosKind {
    /// The key under which a scenario names the kind.
    pub fn name(self) -> &'static str {
        CHAOS_KINDS.iter().find(|(_, kind)| *kind == self).map_or("", |(name, _)| name)
    }

    /// Whether it hits an LB node.
    const fn hits_node(self) -> bool {
        matches!(self, Self::NodeCrash | Self::NodeLeave | Self::Partition)
    }
}

/// `[chaos]`, if it is there.
pub(super) fn chaos(walk: &mut Walk<'_>, top: &mut Section<'_>) -> Option<ChaosConfig> {
    let item = top.get(walk, "chaos")?;
    let mut s = Section::open(walk, &item);
    let chaos = ChaosConfig {
        rate: s.need(walk, "rate", "\"0.5/s\"", rate).unwrap_or(1.0),
        kinds: s.need(walk, "kinds", "[\"crash\", \"slow\"]", kinds).unwrap_or_default(),
        for_ns: s.read(walk, "for", duration).unwrap_or(SECOND),
        seed: s.read(walk, "seed", big_count),
    };
    s.close(walk);
    Some(chaos)
}

fn rate(walk: &mut Walk<'_>, item: &Item<'_>) -> Option<f64> {
    if let Value::Text(text) = &item.node.value
        && let Ok(RawRate::PerSecond(rate)) = parse_rate(text)
    {
        return Some(rate);
    }
    walk.refuse(item, "is no rate of faults").allowed =
        Some(RATE_FORM.split(" or ").next().unwrap_or(RATE_FORM).replace("requests", "faults"));
    None
}

fn kinds(walk: &mut Walk<'_>, item: &Item<'_>) -> Option<Vec<ChaosKind>> {
    let names = CHAOS_KINDS.map(|(name, _)| name);
    let Value::List(nodes) = &item.node.value else {
        walk.refuse_type(item, "a list of kinds of fault").allowed = Some(names.join(", "));
        return None;
    };
    let mut read = Vec::new();
    for node in nodes {
        let word = if let Value::Text(word) = &node.value { word.as_str() } else { "" };
        if let Some((_, kind)) = CHAOS_KINDS.iter().find(|(name, _)| *name == word) {
            read.push(*kind);
        } else {
            let item = Item { path: item.path.clone(), node };
            let fault = walk.refuse(&item, "is no kind of fault that a campaign can do");
            fault.allowed = Some(names.join(", "));
            fault.fix = nearest(word, &names).map(|name| format!("did you mean \"{name}\"?"));
            return None;
        }
    }
    Some(read)
}

/// The faults of a replication: those of the scenario, then those of its campaign.
pub(crate) fn all_faults(scenario: &Scenario, replication: u32) -> Vec<Fault> {
    let mut faults = scenario.faults.clone();
    let Some(chaos) = &scenario.chaos else { return faults };
    let mut hits: Vec<_> =
        faults.iter().enumerate().map(|(i, fault)| fault.hit(scenario, i)).collect();
    let mut stream = stream(chaos.seed.unwrap_or(scenario.seed), replication, Purpose::Chaos, 0);
    let exponential = Exponential::default();
    let mut at_ns = 0.0;
    loop {
        at_ns += exponential.draw(&mut stream) * 1e9 / chaos.rate;
        if at_ns >= scenario.duration_ns as f64 {
            return faults;
        }
        let kind = chaos.kinds[below(&mut stream, chaos.kinds.len() as u32) as usize];
        let total =
            if kind.hits_node() { scenario.nodes.count } else { scenario.configured_count() };
        let target = below(&mut stream, total);
        let lasts_ns = exponential.draw(&mut stream) * chaos.for_ns as f64;
        let for_ns = (lasts_ns as Nanos).max(scenario.engine.quantum_ns);
        let Some(kind) = single(scenario, kind, target, for_ns) else { continue };
        let fault = Fault { at_ns: at_ns as Nanos, for_ns: Some(for_ns), kind };
        let hit = fault.hit(scenario, faults.len());
        let mut met = faults.iter().zip(&hits);
        if !met.any(|(other, other_hit)| fault.collides(&hit, other, other_hit)) {
            faults.push(fault);
            hits.push(hit);
        }
    }
}

/// One fault of a campaign; `None` when there is no room for it.
fn single(scenario: &Scenario, kind: ChaosKind, target: u32, for_ns: Nanos) -> Option<FaultKind> {
    let servers = Targets::Ids(target..target + 1);
    let nodes = servers.clone();
    let heartbeat = &scenario.heartbeat;
    Some(match kind {
        ChaosKind::Crash => FaultKind::Crash { servers, silent: false },
        ChaosKind::Slow => FaultKind::Slow { servers, slowdown: Slowdown::Factor(10.0) },
        ChaosKind::FailFast => FaultKind::FailFast { servers, share: 1.0 },
        ChaosKind::Flap => {
            let period_ns = for_ns / 5;
            if period_ns < 2 * scenario.engine.quantum_ns {
                return None;
            }
            FaultKind::Flap { servers, period_ns, up: 0.5, silent: false }
        }
        ChaosKind::Capacity => FaultKind::Capacity { servers, slots: 1 },
        ChaosKind::Drain => FaultKind::Drain { servers },
        ChaosKind::HeartbeatLoss => FaultKind::HeartbeatLoss { servers, share: 0.5 },
        ChaosKind::HeartbeatDelay => {
            FaultKind::HeartbeatDelay { servers, by_ns: heartbeat.failure_timeout_ns }
        }
        ChaosKind::HeartbeatDuplicate => FaultKind::HeartbeatDuplicate { servers, share: 0.5 },
        ChaosKind::HeartbeatReorder => FaultKind::HeartbeatReorder {
            servers,
            share: 0.5,
            by_ns: heartbeat.interval_ns.saturating_mul(3),
        },
        ChaosKind::Lie => FaultKind::Lie { servers, lie: Lie::Scaled { load: 0.1, latency: 0.1 } },
        ChaosKind::Inconsistent => {
            FaultKind::Inconsistent { servers, what: Inconsistency::Impossible, share: 0.5 }
        }
        ChaosKind::ClockSkew => {
            let behind_ns = heartbeat.failure_timeout_ns.max(MILLISECOND).cast_signed();
            FaultKind::ClockSkew { servers, ahead_ns: -behind_ns }
        }
        ChaosKind::NodeCrash => FaultKind::NodeCrash { nodes },
        ChaosKind::NodeLeave => FaultKind::NodeLeave { nodes },
        ChaosKind::Partition => {
            if scenario.nodes.count == 1 {
                return None;
            }
            // Itself is on the other side too: a node and itself have no link to cut.
            let side = |nodes| Side { nodes: Some(nodes), servers: None };
            let all = Targets::Ids(0..scenario.nodes.count);
            FaultKind::Partition { a: side(nodes), b: side(all), one_way: false }
        }
    })
}
