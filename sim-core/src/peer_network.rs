//! Messages between LB nodes, and where they wait.
//!
//! All of it happens on quantum boundaries. A node writes what it sends into an outbox it owns;
//! delay and loss are drawn at that moment, from the sender's own stream, so no draw depends on
//! who receives when. At the end of the phase the outboxes are emptied into the mailboxes of the
//! receivers. What is sent on a boundary is handled on a later one, so within a boundary every node
//! is on its own.
//!
//! At a receiver the messages of one boundary have a total order: sender, then the sender's running
//! number. A mailbox is a sorted map: a message costs far more to make and to handle than a step
//! down a small tree, so a timing wheel would save nothing.

use std::collections::BTreeMap;

use bevy_ecs::prelude::Component;

use crate::exchange;
use crate::ids::NodeId;
use crate::membership;
use crate::meters::NodeMeters;
use crate::rng::{Purpose, RngExt, Stream};
use crate::setup::Setup;

/// IPv4 and UDP headers of a packet [bytes].
pub const PACKET_BYTES: u64 = 28;

/// What one node tells another.
#[derive(Clone, Debug, PartialEq)]
pub enum Payload {
    /// What the sender knows of the servers.
    Gossip(exchange::Message),
    /// Who is a member.
    Membership(membership::message::Message),
}

/// A message on its way.
#[derive(Clone, Debug, PartialEq)]
pub struct PeerMessage {
    /// Who sent it.
    pub from: u32,
    /// The sender's running number: with `from`, a total order.
    pub sequence: u32,
    /// What it says.
    pub payload: Payload,
}

/// A message with its address.
#[derive(Clone, Debug, PartialEq)]
pub struct Letter {
    /// Whom it goes to.
    pub to: u32,
    /// The quantum in which it is handled.
    pub arrival: u64,
    /// The message.
    pub message: PeerMessage,
}

/// How a message is sent and what it costs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Postage {
    /// Packets it takes.
    pub packets: u64,
    /// Bytes on the wire, headers of all packets included.
    pub bytes: u64,
    /// Chance that one of its packets is lost, and with it the message.
    pub loss: f64,
}

impl Postage {
    /// Chance that not all packets arrive.
    fn chance_of_loss(&self) -> f64 {
        // One packet is the common case, and exact.
        match self.packets {
            0 | 1 => self.loss,
            packets => 1.0 - libm::pow(1.0 - self.loss, packets as f64),
        }
    }
}

/// What a node has sent in the present quantum.
#[derive(Component, Debug)]
pub struct PeerOut {
    node: u32,
    sequence: u32,
    stream: Stream,
    /// In the order of sending.
    pub letters: Vec<Letter>,
}

impl PeerOut {
    /// An empty outbox.
    pub fn new(setup: &Setup, node: NodeId) -> Self {
        Self {
            node: node.0,
            sequence: 0,
            stream: setup.node_stream(Purpose::PeerNetwork, node),
            letters: Vec::new(),
        }
    }

    /// Sends a message on the boundary `quantum`. It is counted whether or not it gets lost.
    pub fn send(
        &mut self,
        setup: &Setup,
        meters: &mut NodeMeters,
        quantum: u64,
        to: u32,
        payload: Payload,
        postage: Postage,
    ) {
        meters.peer_messages += postage.packets;
        meters.peer_bytes += postage.bytes;
        let sequence = self.sequence;
        self.sequence = self.sequence.wrapping_add(1);
        if postage.loss > 0.0 && self.stream.random_bool(postage.chance_of_loss()) {
            return;
        }
        let sent_ns = quantum * setup.ticks.quantum_ns;
        let delay_ns = setup.node_node.sample_ns(&mut self.stream);
        let arrival = setup.ticks.quantum_from(sent_ns + delay_ns);
        let message = PeerMessage { from: self.node, sequence, payload };
        self.letters.push(Letter { to, arrival, message });
    }
}

/// Messages on their way to one node, in the order in which it will handle them.
#[derive(Component, Debug, Default)]
pub struct PeerMail {
    pending: BTreeMap<(u64, u32, u32), Payload>,
}

impl PeerMail {
    /// Files a message under the quantum in which it is handled.
    pub fn file(&mut self, arrival: u64, message: PeerMessage) {
        let PeerMessage { from, sequence, payload } = message;
        self.pending.insert((arrival, from, sequence), payload);
    }

    /// Takes the next message due by the boundary `quantum`.
    pub fn take(&mut self, quantum: u64) -> Option<PeerMessage> {
        let entry = self.pending.first_entry()?;
        let (arrival, from, sequence) = *entry.key();
        (arrival <= quantum).then(|| PeerMessage { from, sequence, payload: entry.remove() })
    }

    /// The first quantum in which a message is due.
    pub fn next_due(&self) -> Option<u64> {
        self.pending.first_key_value().map(|(&(arrival, ..), _)| arrival)
    }
}

/// Empties the outboxes into the mailboxes.
pub fn deliver(outboxes: &mut [PeerOut], mails: &mut [PeerMail]) {
    for outbox in outboxes {
        for letter in outbox.letters.drain(..) {
            mails[letter.to as usize].file(letter.arrival, letter.message);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_lost_with_any_of_its_packets() {
        let chance = |packets, loss| Postage { packets, bytes: 0, loss }.chance_of_loss();
        assert_eq!([chance(1, 0.1).to_bits(), chance(9, 0.0).to_bits()], [0.1_f64.to_bits(), 0]);
        assert!((chance(2, 0.1) - 0.19).abs() < 1e-12 && (chance(10, 0.5) - 0.999).abs() < 1e-4);
    }
}
