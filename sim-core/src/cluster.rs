//! A node's membership at work: its member list, the random numbers it uses, and its messages on
//! their way to the outbox.
//!
//! Everything a member list asks for is carried out here: messages are sent, and what the node has
//! come to believe is held against the truth. Without `[membership]` there is nothing in it, and
//! every node knows all nodes for ever.

use bevy_ecs::prelude::Component;

use crate::ids::NodeId;
use crate::membership::message::Message;
use crate::membership::{Membership, Notice, Output, Turn};
use crate::meters::NodeMeters;
use crate::peer_network::{PACKET_BYTES, Payload, PeerOut, Postage};
use crate::rng::{Purpose, Stream};
use crate::roster::Roster;
use crate::setup::Setup;

/// Largest packet [bytes]: what memberlist sends at most. Whole lists take several.
const PACKET_PAYLOAD_BYTES: u64 = 1_400;

/// See the module documentation.
#[derive(Component, Debug)]
pub struct Cluster {
    active: Option<Box<Active>>,
}

#[derive(Debug)]
struct Active {
    list: Membership,
    stream: Stream,
    out: Output,
    /// The next quantum in which the list does something by itself.
    due: u64,
    /// The node has said that it leaves, and the others have not been told yet.
    leaves: bool,
    /// The node has started without knowing anything, and has met nobody since.
    is_lost: bool,
    /// Whom it met first.
    host: Option<u32>,
}

/// Where a node writes and what it writes about.
pub struct Desk<'a> {
    /// The run.
    pub setup: &'a Setup,
    /// The truth.
    pub roster: &'a Roster,
    /// The present boundary.
    pub quantum: u64,
    /// What the node sends.
    pub outbox: &'a mut PeerOut,
    /// What the node counts.
    pub meters: &'a mut NodeMeters,
}

impl Cluster {
    /// The membership of a node; it starts at time 0 if the node is there then.
    pub fn new(setup: &Setup, node: NodeId, roster: &Roster) -> Self {
        let active = setup.membership.is_some().then(|| {
            Box::new(Active {
                list: Membership::new(node.0, setup.nodes),
                stream: setup.node_stream(Purpose::Membership, node),
                out: Output::default(),
                due: u64::MAX,
                leaves: false,
                is_lost: false,
                host: None,
            })
        });
        let mut cluster = Self { active };
        if roster.is_up(node.0) {
            cluster.start(setup, 0, 0);
        }
        cluster
    }

    /// The node starts on the boundary `quantum`; `generation` counts its starts.
    pub fn start(&mut self, setup: &Setup, generation: u32, quantum: u64) {
        let (Some(active), Some(rules)) = (&mut self.active, &setup.membership) else { return };
        active.leaves = false;
        active.host = None;
        // At time 0 nobody has anything to tell.
        active.is_lost = generation > 0;
        let Active { list, stream, out, due, .. } = &mut **active;
        list.start(generation, &mut Turn { rules, quantum, stream, out });
        *due = list.next_due(rules);
    }

    /// The node has crashed.
    pub fn stop(&mut self) {
        if let Some(active) = &mut self.active {
            active.list.stop();
            active.due = u64::MAX;
        }
    }

    /// The node leaves: it tells the others on its next turn.
    pub fn leave(&mut self) {
        if let Some(active) = &mut self.active {
            active.leaves = true;
        }
    }

    /// Takes in a message.
    pub fn handle(&mut self, from: u32, message: &Message, desk: &mut Desk<'_>) {
        self.act(desk, |list, turn| list.handle(from, message, turn));
    }

    /// Does what the node does of its own accord on the present boundary.
    pub fn tick(&mut self, desk: &mut Desk<'_>) {
        let leaves = self.active.as_mut().is_some_and(|active| std::mem::take(&mut active.leaves));
        if leaves {
            self.act(desk, Membership::leave);
        } else if self.next_due().is_some_and(|due| due <= desk.quantum) {
            self.act(desk, Membership::tick);
        }
    }

    fn act(&mut self, desk: &mut Desk<'_>, act: impl FnOnce(&mut Membership, &mut Turn<'_>)) {
        let (Some(active), Some(rules)) = (&mut self.active, &desk.setup.membership) else {
            return;
        };
        let Active { list, stream, out, .. } = &mut **active;
        act(list, &mut Turn { rules, quantum: desk.quantum, stream, out });
        active.due = list.next_due(rules);
        active.settle(rules.loss, desk);
    }

    /// The next quantum in which the node does something of its own accord.
    pub fn next_due(&self) -> Option<u64> {
        self.active.as_ref().map(|active| active.due).filter(|&due| due != u64::MAX)
    }

    /// The other nodes that this one takes for live, by id; `None`: it knows all nodes for ever.
    pub fn peers(&self) -> Option<&[u32]> {
        self.active.as_ref().map(|active| active.list.others())
    }

    /// Whom a node that has just started met first: it should ask there what it has missed. Given
    /// out once.
    pub fn take_host(&mut self) -> Option<u32> {
        self.active.as_mut().and_then(|active| active.host.take())
    }

    /// Whether the node takes another for a live member.
    pub fn takes_for_live(&self, node: u32) -> bool {
        self.active.as_ref().is_none_or(|active| active.list.takes_for_live(node))
    }
}

impl Active {
    /// Sends what is to be sent, and counts.
    fn settle(&mut self, loss: f64, desk: &mut Desk<'_>) {
        for (to, message) in self.out.messages.drain(..) {
            let payload_bytes = message.bytes();
            let packets = payload_bytes.div_ceil(PACKET_PAYLOAD_BYTES);
            let bytes = payload_bytes + packets * PACKET_BYTES;
            let Desk { setup, quantum, outbox, meters, .. } = desk;
            meters.members.messages += packets;
            meters.members.bytes += bytes;
            let payload = Payload::Membership(message);
            outbox.send(setup, meters, *quantum, to, payload, Postage { packets, bytes, loss });
        }
        for notice in self.out.notices.drain(..) {
            let members = &mut desk.meters.members;
            match notice {
                Notice::Suspected(node) if desk.roster.is_up(node) => members.false_suspicions += 1,
                Notice::Suspected(node) => {
                    let at_ns = desk.quantum * desk.setup.ticks.quantum_ns;
                    desk.meters.suspicions.push((node, at_ns));
                }
                Notice::Died(node) => members.false_deaths += u64::from(desk.roster.is_up(node)),
                Notice::Joined(node) => {
                    if std::mem::take(&mut self.is_lost) {
                        self.host = Some(node);
                    }
                }
                Notice::Left(_) => {}
            }
        }
    }
}
