//! What nodes send each other about who is a member.

use super::member::{Claim, State};

/// Payload of a message without its claims [bytes]: kind 1, sender 4, its incarnation 8, sequence 4,
/// target 4, number of claims 2.
pub const MESSAGE_BYTES: u64 = 23;

/// What a claim costs [bytes]: node 4, incarnation 8, state 1, by whom 4.
pub const CLAIM_BYTES: u64 = 17;

/// What a message asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Are you alive?
    Ping {
        /// The sender's number of the question.
        sequence: u32,
    },
    /// Please ping `target` and tell me.
    PingFor {
        /// Whom.
        target: u32,
        /// The sender's number of the question.
        sequence: u32,
    },
    /// Yes, it is alive.
    Ack {
        /// The asker's number.
        sequence: u32,
    },
    /// I asked it, and it has not answered me: at least I am alive (Lifeguard).
    Nack {
        /// The asker's number.
        sequence: u32,
    },
    /// Here is my whole list; give me yours.
    Join,
    /// Here is my whole list.
    State,
    /// Here is some news.
    Gossip,
}

/// A message. Every one introduces its sender, so nobody speaks to strangers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// What it is.
    pub kind: Kind,
    /// The sender's incarnation.
    pub incarnation: u64,
    /// The sender leaves.
    pub leaving: bool,
    /// News, or the whole list.
    pub claims: Vec<Claim>,
}

impl Message {
    /// Payload [bytes].
    pub fn bytes(&self) -> u64 {
        MESSAGE_BYTES + CLAIM_BYTES * self.claims.len() as u64
    }

    /// What the message says of its sender by being there.
    pub(super) const fn sender_claim(&self, from: u32) -> Claim {
        let state = if self.leaving { State::Left } else { State::Alive };
        Claim { node: from, incarnation: self.incarnation, state, by: from }
    }

    /// How a claim of this message is to be taken. In a whole list, death is old news that may have
    /// been refuted since: it is taken as a suspicion by the sender, as memberlist does.
    pub(super) fn reading_of(&self, claim: Claim, from: u32) -> Claim {
        let whole = matches!(self.kind, Kind::Join | Kind::State);
        if whole && claim.state == State::Dead {
            return Claim { state: State::Suspect, by: from, ..claim };
        }
        claim
    }
}
