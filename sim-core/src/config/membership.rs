//! Reads `[membership]`.

use std::ops::Range;

use super::tree::Value;
use super::units::parse_ids;
use super::values::{count, duration, flag, number, word};
use super::walk::{Item, Section, Walk};
use crate::time::{MILLISECOND, Nanos, SECOND};

/// How nodes find each other and learn who is gone: SWIM with the defaults of memberlist in a LAN.
/// Times are rounded up to whole quanta.
#[derive(Clone, Debug, PartialEq)]
pub struct MembershipConfig {
    /// A node probes one member in each of these [ns].
    pub probe_interval_ns: Nanos,
    /// Wait for the answer to a ping before others are asked [ns]. Below the interval.
    pub probe_timeout_ns: Nanos,
    /// How many others are asked.
    pub indirect: u32,
    /// Who is probed next.
    pub probe_order: ProbeOrder,
    /// Shortest suspicion, in probe intervals times `max(1, log10 members)`. At least 1.
    pub suspicion_mult: u32,
    /// Longest suspicion, in shortest ones. At least 1.
    pub suspicion_max_mult: u32,
    /// A piece of news is sent this many times `ceil(log10(members + 1))`. At least 1.
    pub retransmit_mult: u32,
    /// Most pieces of news on one message. At least 1.
    pub piggyback: u32,
    /// Time between two rounds of gossip about members [ns].
    pub gossip_interval_ns: Nanos,
    /// Members told in a round.
    pub gossip_nodes: u32,
    /// The dead are told for so long [ns].
    pub gossip_to_dead_ns: Nanos,
    /// Time between two exchanges of whole lists [ns].
    pub sync_interval_ns: Nanos,
    /// Time between two attempts to reach a dead member or a missing seed [ns].
    pub reconnect_interval_ns: Nanos,
    /// Members dead or gone are forgotten after this [ns].
    pub reap_ns: Nanos,
    /// Lifeguard's local health: a node that fails in probes slows its own down.
    pub lifeguard: bool,
    /// Chance that a message is lost, in `[0, 1)`.
    pub loss: f64,
    /// The nodes asked by one that starts: ids `start..end`.
    pub seeds: Range<u32>,
}

/// Who is probed next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProbeOrder {
    /// The next of a ring that is shuffled after each round.
    Ring,
    /// A random member.
    Random,
}

/// Seeds unless the scenario names them.
const SEEDS: u32 = 3;

impl MembershipConfig {
    /// memberlist's defaults in a LAN, Serf's for reconnecting, in a fleet of `nodes`.
    pub fn lan(nodes: u32) -> Self {
        Self {
            probe_interval_ns: SECOND,
            probe_timeout_ns: 500 * MILLISECOND,
            indirect: 3,
            probe_order: ProbeOrder::Ring,
            suspicion_mult: 4,
            suspicion_max_mult: 6,
            retransmit_mult: 4,
            piggyback: 40,
            gossip_interval_ns: 200 * MILLISECOND,
            gossip_nodes: 3,
            gossip_to_dead_ns: 30 * SECOND,
            sync_interval_ns: 30 * SECOND,
            reconnect_interval_ns: 30 * SECOND,
            reap_ns: 24 * 3_600 * SECOND,
            lifeguard: true,
            loss: 0.0,
            seeds: 0..nodes.min(SEEDS),
        }
    }
}

/// `[membership]`, if there is one.
pub(super) fn membership(
    walk: &mut Walk<'_>,
    top: &mut Section<'_>,
    nodes: u32,
) -> Option<MembershipConfig> {
    let item = top.get(walk, "membership")?;
    let mut s = Section::open(walk, &item);
    let lan = MembershipConfig::lan(nodes);
    let probe_interval_ns =
        s.read(walk, "probe_interval", duration).unwrap_or(lan.probe_interval_ns);
    let membership = MembershipConfig {
        probe_interval_ns,
        // In the proportion of the defaults, so that one key makes everything faster.
        probe_timeout_ns: s.read(walk, "probe_timeout", duration).unwrap_or(probe_interval_ns / 2),
        indirect: s.read(walk, "indirect", count).unwrap_or(lan.indirect),
        probe_order: s.read(walk, "probe_order", order).unwrap_or(lan.probe_order),
        suspicion_mult: s.read(walk, "suspicion_mult", count).unwrap_or(lan.suspicion_mult),
        suspicion_max_mult: s
            .read(walk, "suspicion_max_mult", count)
            .unwrap_or(lan.suspicion_max_mult),
        retransmit_mult: s.read(walk, "retransmit_mult", count).unwrap_or(lan.retransmit_mult),
        piggyback: s.read(walk, "piggyback", count).unwrap_or(lan.piggyback),
        gossip_interval_ns: s
            .read(walk, "gossip_interval", duration)
            .unwrap_or(probe_interval_ns / 5),
        gossip_nodes: s.read(walk, "gossip_nodes", count).unwrap_or(lan.gossip_nodes),
        gossip_to_dead_ns: s
            .read(walk, "gossip_to_dead", duration)
            .unwrap_or(probe_interval_ns.saturating_mul(30)),
        sync_interval_ns: s
            .read(walk, "sync_interval", duration)
            .unwrap_or(probe_interval_ns.saturating_mul(30)),
        reconnect_interval_ns: s
            .read(walk, "reconnect_interval", duration)
            .unwrap_or(probe_interval_ns.saturating_mul(30)),
        reap_ns: s.read(walk, "reap", duration).unwrap_or(lan.reap_ns),
        lifeguard: s.read(walk, "lifeguard", flag).unwrap_or(lan.lifeguard),
        loss: s.read(walk, "loss", number).unwrap_or(lan.loss),
        seeds: s.read(walk, "seeds", seeds).unwrap_or(lan.seeds),
    };
    s.close(walk);
    Some(membership)
}

fn order(walk: &mut Walk<'_>, item: &Item<'_>) -> Option<ProbeOrder> {
    word(walk, item, &[("ring", ProbeOrder::Ring), ("random", ProbeOrder::Random)])
}

/// Nodes by id: `"0..3"` (3 excluded), `"0"` or `0`.
fn seeds(walk: &mut Walk<'_>, item: &Item<'_>) -> Option<Range<u32>> {
    let ids = match &item.node.value {
        Value::Text(text) => parse_ids(text),
        Value::Whole(Some(whole)) => parse_ids(&whole.to_string()),
        _ => None,
    };
    if ids.is_none() {
        walk.refuse(item, "names no nodes").allowed =
            Some("ids from the first to before the last, \"0..3\", or one id, 0".into());
    }
    ids
}
