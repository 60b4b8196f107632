//! `[gossip]`: how nodes share what they know of the servers.

use super::values::{count, duration, number, word};
use super::walk::{Section, Walk};
use crate::time::{MILLISECOND, Nanos};

/// Gossip between nodes.
#[derive(Clone, Debug, PartialEq)]
pub struct GossipConfig {
    /// Mean time between two rounds of one node [ns]. At least one quantum.
    pub interval_ns: Nanos,
    /// Each gap is `interval * U(1 - jitter, 1 + jitter)`; in `[0, 1)`.
    pub jitter: f64,
    /// How the rounds of different nodes lie to each other.
    pub rounds: GossipRounds,
    /// Peers a node turns to in a round, in `1..nodes`.
    pub fanout: u32,
    /// Which way news goes.
    pub mode: GossipMode,
    /// What is sent.
    pub payload: GossipPayload,
    /// Largest message, headers not counted [bytes].
    pub mtu_bytes: u32,
    /// Chance that a message is lost, in `[0, 1)`.
    pub loss: f64,
}

/// How the rounds of different nodes lie to each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GossipRounds {
    /// Each node has a random phase of its own.
    Spread,
    /// All nodes at once, on multiples of the interval.
    Together,
    /// At the points of a Poisson process a node: gaps are exponential.
    Poisson,
}

/// Which way news goes in an exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GossipMode {
    /// From the node whose round it is to the peers.
    Push,
    /// From the peers to the node whose round it is.
    Pull,
    /// Both ways.
    PushPull,
}

/// What is sent in an exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GossipPayload {
    /// What the other side lacks, after a digest has said what that is.
    Delta,
    /// All that is known.
    Full,
}

/// The modes by name.
const MODES: [(&str, GossipMode); 3] =
    [("push", GossipMode::Push), ("pull", GossipMode::Pull), ("push_pull", GossipMode::PushPull)];

/// The arrangements of rounds by name.
const ROUNDS: [(&str, GossipRounds); 3] = [
    ("spread", GossipRounds::Spread),
    ("together", GossipRounds::Together),
    ("poisson", GossipRounds::Poisson),
];

/// The payloads by name.
const PAYLOADS: [(&str, GossipPayload); 2] =
    [("delta", GossipPayload::Delta), ("full", GossipPayload::Full)];

/// Largest payload of a UDP packet over IPv4 [bytes].
pub(super) const MTU_BYTES_MAX: u32 = 65_507;

impl Default for GossipConfig {
    fn default() -> Self {
        Self {
            interval_ns: 200 * MILLISECOND,
            jitter: 0.0,
            rounds: GossipRounds::Spread,
            fanout: 1,
            mode: GossipMode::PushPull,
            payload: GossipPayload::Delta,
            mtu_bytes: MTU_BYTES_MAX,
            loss: 0.0,
        }
    }
}

/// `[gossip]`, if there is one: without the table nodes tell each other nothing.
pub(super) fn gossip(walk: &mut Walk<'_>, top: &mut Section<'_>) -> Option<GossipConfig> {
    let mut is_there = false;
    let mut s = top
        .read(walk, "gossip", |walk, item| {
            is_there = true;
            Some(Section::open(walk, item))
        })
        .unwrap_or_else(|| Section::absent("gossip"));
    let standard = GossipConfig::default();
    let config = GossipConfig {
        interval_ns: s.read(walk, "interval", duration).unwrap_or(standard.interval_ns),
        jitter: s.read(walk, "jitter", number).unwrap_or(standard.jitter),
        rounds: s
            .read(walk, "rounds", |walk, item| word(walk, item, &ROUNDS))
            .unwrap_or(standard.rounds),
        fanout: s.read(walk, "fanout", count).unwrap_or(standard.fanout),
        mode: s.read(walk, "mode", |walk, item| word(walk, item, &MODES)).unwrap_or(standard.mode),
        payload: s
            .read(walk, "payload", |walk, item| word(walk, item, &PAYLOADS))
            .unwrap_or(standard.payload),
        mtu_bytes: s.read(walk, "mtu_bytes", count).unwrap_or(standard.mtu_bytes),
        loss: s.read(walk, "loss", number).unwrap_or(standard.loss),
    };
    s.close(walk);
    is_there.then_some(config)
}
