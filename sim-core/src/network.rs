//! What owners send each other, and where it waits until the other side reads it.
//!
//! A message is written by its sender into an outbox the sender owns, and read by the receiver in
//! a later phase; so one phase reads all of the other side's outboxes while it changes only its
//! own columns, and no message ever needs a lock. Whatever is sent in a tick arrives in a later
//! one: the smallest delay is at least a tick.

use bevy_ecs::prelude::Component;

use crate::time::Nanos;
use crate::wheel::Wheel;

/// An attempt on its way to a server, filed under the tick of its arrival there.
#[derive(Clone, Copy, Debug, Default)]
pub struct Dispatch {
    /// Arrival at the server, as an offset into its tick [ns]. Below 2^30.
    pub offset_ns: u32,
    /// Whom it goes to.
    pub server: u32,
    /// Where the sender keeps the request.
    pub slot: u32,
    /// The sender's running number of the attempt (modulo 2^32).
    pub attempt: u32,
    /// The request's 64 demand bits, or its service time [ns] when a trace states it.
    pub demand: u64,
}

/// How an attempt ended at the server. The order is the order of simultaneous responses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Status {
    /// Served.
    #[default]
    Ok,
    /// Turned away: slots and backlog were full.
    Refused,
    /// The server crashed with it, or was down when it came.
    Lost,
    /// Answered with an error.
    Failed,
}

/// An answer on its way to a node. 16 bytes: there is one a request.
#[derive(Clone, Copy, Debug, Default)]
pub struct Response {
    /// Arrival at the node [ns] and, in the two lowest bits, the status: orders as they do.
    key: u64,
    /// As in the dispatch.
    pub slot: u32,
    /// As in the dispatch. One node never uses it twice, so (arrival, status, attempt) is a total
    /// order of the responses at a node.
    pub attempt: u32,
}

impl Response {
    /// The answer `status` to an attempt, arriving at `at_ns`, which is below 2^62.
    #[inline]
    pub const fn new(at_ns: Nanos, status: Status, slot: u32, attempt: u32) -> Self {
        Self { key: at_ns << 2 | status as u64, slot, attempt }
    }

    /// Arrival at the node [ns].
    #[inline]
    pub const fn at_ns(&self) -> Nanos {
        self.key >> 2
    }

    /// How the attempt ended.
    #[inline]
    pub const fn status(&self) -> Status {
        match self.key & 3 {
            0 => Status::Ok,
            1 => Status::Refused,
            2 => Status::Lost,
            _ => Status::Failed,
        }
    }

    /// What decides the order of two responses at one node.
    #[inline]
    pub const fn order(&self) -> (u64, u32) {
        (self.key, self.attempt)
    }
}

/// A heartbeat: what a server says of itself at a quantum boundary.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Report {
    /// Who.
    pub server: u32,
    /// Orders the reports of a server: newer is larger. It is the quantum of sending by the true
    /// time, and a server sends at most one report a quantum; so it stays above all earlier ones
    /// through restarts.
    pub version: u32,
    /// When it was sent, in quanta, by the server's own clock, which may be wrong. At least 1.
    pub sent_quantum: u32,
    /// Requests in service and waiting, saturating.
    pub load: u16,
    /// Of those, in service; a sound server never states more than its capacity.
    pub active: u16,
    /// Service slots.
    pub capacity: u16,
    /// Whether it takes new work.
    pub stage: Stage,
    /// Mean sojourn time of its completions [ns]; 0 before the first.
    pub latency_ns: f32,
}

impl Report {
    /// What decides the order in which a node takes in the reports of one boundary, where the order
    /// can matter: reports that differ have different orders.
    pub fn order(&self) -> (u32, u32, u32, [u16; 3], Stage, u32) {
        let values = [self.load, self.active, self.capacity];
        let latency = self.latency_ns.to_bits();
        (self.server, self.version, self.sent_quantum, values, self.stage, latency)
    }
}

/// What a server says of its own future.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Stage {
    /// It takes new work.
    #[default]
    Serving,
    /// It finishes what it has and takes nothing new for now.
    Draining,
    /// It finishes what it has and leaves for good.
    Leaving,
}

/// A node's attempts, by shard of servers and tick of arrival.
#[derive(Component, Debug)]
pub struct Dispatches {
    /// One wheel a shard.
    pub by_shard: Vec<Wheel<Dispatch>>,
    /// Servers in every shard but the last.
    pub shard_size: u32,
}

impl Dispatches {
    /// Files an attempt under the tick of its arrival.
    #[inline]
    pub fn push(&mut self, tick: u64, dispatch: Dispatch) {
        if let [wheel] = self.by_shard.as_mut_slice() {
            wheel.push(tick, dispatch);
        } else {
            self.by_shard[(dispatch.server / self.shard_size) as usize].push(tick, dispatch);
        }
    }

    /// Attempts on their way.
    pub fn pending(&self) -> usize {
        self.by_shard.iter().map(Wheel::pending).sum()
    }
}

/// A shard's answers of one tick, by node.
#[derive(Component, Debug)]
pub struct Responses {
    /// One list a node, in the order the shard served.
    pub by_node: Vec<Vec<Response>>,
}

/// A shard's heartbeats.
#[derive(Component, Debug)]
pub struct Reports {
    /// Reports that reach every node at once, by quantum of arrival.
    pub broadcast: Wheel<Report>,
    /// The quantum whose broadcasts the nodes read last.
    pub read_quantum: u64,
    /// Reports to single nodes made in this quantum, with the quantum of their arrival: one list
    /// a node.
    pub by_node: Vec<Vec<(u64, Report)>>,
}

impl Reports {
    /// The first quantum after `quantum`, which the nodes have read, in which a broadcast arrives.
    pub fn next_due(&self, quantum: u64) -> Option<u64> {
        self.broadcast.next_due_after(quantum)
    }
}
