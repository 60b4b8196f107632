//! How two nodes bring each other up to date about the servers.
//!
//! A node logs what is news to it ([`log`]): entries with rising numbers, of which the one with the
//! newest version of a server is *live*. An exchange sends live entries that the other side has not
//! looked at yet, so its cost follows what has changed and not how many servers there are.
//!
//! ```text
//! push:       Offer ->        pull:       Ask   ->        push_pull:  Syn   ->
//!                   <- Ask                      <- Delta                    <- Ack (delta, digest)
//!             Delta ->                                                Delta ->
//! ```
//!
//! Invariants, for a node A and a peer B:
//! 1. *Seen.* For every live entry of B's log up to `seen` that A keeps for B, A holds that version
//!    of the server or a newer one. A raises `seen` only when a delta of B arrives, to the last
//!    entry that B looked at for it: such an entry was in the delta, or A's digest listed it, or B
//!    had it from A, or it was dead. An entry that dies is replaced by a live one with a higher
//!    number. So a lost, late or repeated message does no harm, and a delta that is cut at the
//!    packet size goes on in the next exchange.
//! 2. *Lives.* Log numbers start again when a node restarts, under a higher incarnation. Whoever
//!    hears of it forgets what he kept for the node's former life; a delta that was asked for in a
//!    former life raises nothing, and what comes out of a former life late may be sent back.
//! 3. *Given.* A digest lists A's live entries above `given`, so that B does not send what A has.
//!    Whatever is left out of it may come once more than needed, and is then no news: `given` is a
//!    matter of cost alone.
//!
//! Convergence. Views only rise: a merge takes the maximum of two versions. If B holds a version
//! that A lacks, then B's live entry for that server lies above A's `seen` of B (by 1), so every
//! completed exchange in the direction from B to A sends it, or raises `seen` to before it by at
//! least one entry. All ordered pairs meet again and again, so without loss, and with loss below 1,
//! every change reaches every node, and views end up equal: at the maximum of what was reported.
//!
//! Answers are worked out before the message's reports are merged, so a delta never holds what has
//! just come from its receiver.

pub mod log;
pub mod rounds;

use std::collections::BTreeMap;

use bevy_ecs::prelude::Component;

use crate::config::{GossipConfig, GossipMode, GossipPayload};
use crate::ids::{NodeId, ServerId};
use crate::network::Report;
use crate::places::ByServer;
use crate::setup::Setup;
use crate::view::{Belief, View};

use log::ChangeLog;
use rounds::Rounds;

/// A report inside a message [bytes]: as in a heartbeat.
pub const ENTRY_BYTES: u64 = 44;
/// What every message starts with [bytes]: sender 4, incarnations of both 8, kind and count 4,
/// sender's log number 8.
pub const HEADER_BYTES: u64 = 24;
/// Fixed part of a digest [bytes]: incarnation and log number seen 12, last number listed 8.
pub const DIGEST_BYTES: u64 = 20;
/// A server and version in a digest [bytes]: id 4, incarnation 4, sequence 8.
pub const LISTED_BYTES: u64 = 16;
/// Fixed part of a delta [bytes]: log numbers from, to, and last listed by the digest.
pub const DELTA_BYTES: u64 = 24;

/// A message of an exchange.
#[derive(Clone, Debug, PartialEq)]
pub enum Message {
    /// "I have news up to this number of my log."
    Offer {
        /// The sender's life.
        incarnation: u32,
        /// Its last log number.
        lsn: u64,
    },
    /// Asks for a delta.
    Ask(Digest),
    /// Asks for a delta and offers one.
    Syn(Digest),
    /// The delta that a `Syn` asked for, and the question in return.
    Ack(Delta, Digest),
    /// What was asked for.
    Delta(Delta),
    /// Asks for everything.
    AskAll,
    /// Everything the sender knows.
    Full {
        /// One report a server.
        reports: Vec<Report>,
        /// The receiver is to answer in kind.
        answer: bool,
    },
}

/// What its sender has, as far as it matters to the receiver.
#[derive(Clone, Debug, PartialEq)]
pub struct Digest {
    /// The sender's life.
    pub incarnation: u32,
    /// The receiver's life, as far as the sender knows.
    pub seen_incarnation: u32,
    /// The sender needs nothing of the receiver's log up to this number.
    pub seen: u64,
    /// The sender's log is listed up to this number.
    pub listed_to: u64,
    /// Servers and versions.
    pub listed: Vec<(u32, u32)>,
}

/// What its receiver lacks, oldest news first.
#[derive(Clone, Debug, PartialEq)]
pub struct Delta {
    /// The sender's life.
    pub incarnation: u32,
    /// The life of the receiver that asked.
    pub asked_by: u32,
    /// The sender looked at its log after this number ...
    pub after: u64,
    /// ... up to this one.
    pub to: u64,
    /// As in the digest that asked.
    pub listed_to: u64,
    /// The reports.
    pub reports: Vec<Report>,
}

impl Message {
    /// Payload of the message [bytes].
    pub fn bytes(&self) -> u64 {
        let digest = |d: &Digest| DIGEST_BYTES + LISTED_BYTES * d.listed.len() as u64;
        let delta = |d: &Delta| DELTA_BYTES + ENTRY_BYTES * d.reports.len() as u64;
        HEADER_BYTES
            + match self {
                Self::Offer { .. } | Self::AskAll => 0,
                Self::Ask(d) | Self::Syn(d) => digest(d),
                Self::Ack(reports, d) => delta(reports) + digest(d),
                Self::Delta(reports) => delta(reports),
                Self::Full { reports, .. } => ENTRY_BYTES * reports.len() as u64,
            }
    }

    /// The reports in it.
    pub fn reports(&self) -> &[Report] {
        match self {
            Self::Ack(delta, _) | Self::Delta(delta) => &delta.reports,
            Self::Full { reports, .. } => reports,
            Self::Offer { .. } | Self::Ask(_) | Self::Syn(_) | Self::AskAll => &[],
        }
    }
}

/// What a node keeps for one peer.
#[derive(Clone, Copy, Debug, Default)]
struct Peer {
    /// The peer's life that the rest is about.
    incarnation: u32,
    /// This node needs nothing of the peer's log up to here.
    seen: u64,
    /// This node's log was listed to the peer up to here.
    given: u64,
}

/// A node's part in the exchanges.
#[derive(Clone, Component, Debug)]
pub struct Sharing {
    /// Exchanges happen at all; if not, nothing is logged.
    pub is_on: bool,
    /// When the node turns to whom.
    pub rounds: Rounds,
    /// Reports of servers that were news on the present boundary.
    pub heard: Vec<Report>,
    incarnation: u32,
    log: ChangeLog,
    peers: BTreeMap<u32, Peer>,
}

impl Sharing {
    /// Memory a peer takes [bytes], in a tree that is two thirds full.
    pub(crate) const PEER_BYTES: usize = (size_of::<u32>() + size_of::<Peer>()) * 3 / 2;

    /// A node that knows nothing.
    pub fn new(setup: &Setup, node: NodeId) -> Self {
        Self {
            is_on: setup.gossip.is_some(),
            rounds: Rounds::new(setup, node),
            heard: Vec::new(),
            incarnation: 0,
            log: ChangeLog::default(),
            peers: BTreeMap::new(),
        }
    }

    /// Starts a new life on the boundary `quantum`, in which the node knows nothing. `incarnation`
    /// is above all earlier ones.
    pub fn reset(&mut self, setup: &Setup, incarnation: u32, quantum: u64) {
        debug_assert!(incarnation > self.incarnation);
        self.incarnation = incarnation;
        self.log = ChangeLog::default();
        self.peers.clear();
        self.rounds.restart(setup, quantum);
    }

    /// The node has stopped: no round happens until it is reset.
    pub fn pause(&mut self) {
        self.rounds.stop();
    }

    /// Log entries looked at so far: what the exchanges have cost.
    pub const fn looked_at(&self) -> u64 {
        self.log.looked_at
    }

    /// Notes a report that was news to the node; `from` is the peer it came from, if any.
    #[inline]
    pub fn note(&mut self, report: &Report, from: Option<u32>, versions: &ByServer<u32>) {
        self.log.push(report, from, versions);
    }

    /// The node has forgotten a server.
    pub fn forget(&mut self, server: ServerId) {
        self.log.forget_server(server.0);
    }

    /// Notes what was heard of servers on the present boundary, by server: the order in which
    /// reports of different servers were merged is nobody's business.
    pub fn note_heard(&mut self, versions: &ByServer<u32>) {
        self.heard.sort_unstable_by_key(|report| (report.server, report.version));
        for report in &self.heard {
            self.log.push(report, None, versions);
        }
        self.heard.clear();
    }

    /// The message that opens an exchange with `peer`.
    pub fn open(&mut self, config: &GossipConfig, peer: u32, versions: &ByServer<u32>) -> Message {
        match (config.payload, config.mode) {
            (GossipPayload::Delta, GossipMode::Push) => {
                Message::Offer { incarnation: self.incarnation, lsn: self.log.last() }
            }
            (GossipPayload::Delta, GossipMode::Pull) => {
                Message::Ask(self.digest(config, peer, versions))
            }
            (GossipPayload::Delta, GossipMode::PushPull) => {
                Message::Syn(self.digest(config, peer, versions))
            }
            (GossipPayload::Full, GossipMode::Pull) => Message::AskAll,
            (GossipPayload::Full, mode) => Message::Full {
                reports: self.log.all(versions),
                answer: mode == GossipMode::PushPull,
            },
        }
    }

    /// The message that asks `peer` for what this node lacks, whatever the mode.
    pub fn ask(&mut self, config: &GossipConfig, peer: u32, versions: &ByServer<u32>) -> Message {
        match config.payload {
            GossipPayload::Delta => Message::Ask(self.digest(config, peer, versions)),
            GossipPayload::Full => Message::AskAll,
        }
    }

    /// Handles a message of `from`: merges what it brings, tells `on_news` of every belief that
    /// changed, and returns the answer.
    pub fn receive(
        &mut self,
        config: &GossipConfig,
        view: &mut View,
        from: u32,
        message: &Message,
        mut on_news: impl FnMut(ServerId, &Belief),
    ) -> Option<Message> {
        let answer = self.answer(config, from, message, &view.versions);
        // What comes out of a life that is over is news all the same, but no longer known there.
        let source = match message {
            Message::Ack(delta, _) | Message::Delta(delta) => {
                self.meet(from, delta.incarnation).map(|_| from)
            }
            _ => None,
        };
        for report in message.reports() {
            if view.merge(report) {
                self.note(report, source, &view.versions);
                on_news(ServerId(report.server), &view.beliefs[ServerId(report.server)]);
            }
        }
        if let Message::Ack(delta, _) | Message::Delta(delta) = message {
            self.raise(from, delta);
        }
        answer
    }

    fn answer(
        &mut self,
        config: &GossipConfig,
        from: u32,
        message: &Message,
        versions: &ByServer<u32>,
    ) -> Option<Message> {
        match message {
            Message::Offer { incarnation, lsn } => {
                let peer = self.meet(from, *incarnation)?;
                (peer.seen < *lsn).then(|| Message::Ask(self.digest(config, from, versions)))
            }
            Message::Ask(digest) => self.delta(config, from, digest, versions).map(Message::Delta),
            Message::Syn(digest) => {
                let delta = self.delta(config, from, digest, versions)?;
                Some(Message::Ack(delta, self.digest(config, from, versions)))
            }
            Message::Ack(_, digest) => {
                self.delta(config, from, digest, versions).map(Message::Delta)
            }
            Message::AskAll | Message::Full { answer: true, .. } => {
                Some(Message::Full { reports: self.log.all(versions), answer: false })
            }
            Message::Delta(_) | Message::Full { answer: false, .. } => None,
        }
    }

    /// What is kept for a peer in its life `incarnation`; `None` when that life is over.
    fn meet(&mut self, peer: u32, incarnation: u32) -> Option<&mut Peer> {
        let kept = self.peers.entry(peer).or_default();
        if incarnation > kept.incarnation {
            *kept = Peer { incarnation, ..Peer::default() };
            self.log.forget_source(peer);
        }
        (kept.incarnation == incarnation).then_some(kept)
    }

    fn digest(&mut self, config: &GossipConfig, peer: u32, versions: &ByServer<u32>) -> Digest {
        let kept = self.peers.get(&peer).copied().unwrap_or_default();
        let room = room(config, DIGEST_BYTES, LISTED_BYTES);
        let mut listed = Vec::new();
        let listed_to = self.log.look(kept.given, versions, |report, source| {
            if source != Some(peer) {
                listed.push((report.server, report.version));
            }
            listed.len() < room
        });
        Digest {
            incarnation: self.incarnation,
            seen_incarnation: kept.incarnation,
            seen: kept.seen,
            listed_to,
            listed,
        }
    }

    fn delta(
        &mut self,
        config: &GossipConfig,
        peer: u32,
        digest: &Digest,
        versions: &ByServer<u32>,
    ) -> Option<Delta> {
        self.meet(peer, digest.incarnation)?;
        let after = if digest.seen_incarnation == self.incarnation { digest.seen } else { 0 };
        let mut listed = digest.listed.clone();
        listed.sort_unstable();
        let has = |report: &Report| {
            listed
                .binary_search_by_key(&report.server, |&(server, _)| server)
                .is_ok_and(|at| listed[at].1 >= report.version)
        };
        let room = room(config, DELTA_BYTES, ENTRY_BYTES);
        let mut reports = Vec::new();
        let to = self.log.look(after, versions, |report, source| {
            if source != Some(peer) && !has(report) {
                reports.push(*report);
            }
            reports.len() < room
        });
        let (incarnation, asked_by) = (self.incarnation, digest.incarnation);
        Some(Delta { incarnation, asked_by, after, to, listed_to: digest.listed_to, reports })
    }

    /// After a delta of `from` has been merged.
    fn raise(&mut self, from: u32, delta: &Delta) {
        let this_life = delta.asked_by == self.incarnation;
        let Some(peer) = self.meet(from, delta.incarnation) else { return };
        if this_life {
            // What lies between was looked at for an earlier delta: `after` was `seen` then.
            if delta.after <= peer.seen {
                peer.seen = peer.seen.max(delta.to);
            }
            peer.given = peer.given.max(delta.listed_to);
        }
    }
}

/// Entries that fit into a packet behind the fixed parts; one always does.
fn room(config: &GossipConfig, fixed: u64, each: u64) -> usize {
    (u64::from(config.mtu_bytes).saturating_sub(HEADER_BYTES + fixed) / each).max(1) as usize
}

#[cfg(test)]
mod tests;
