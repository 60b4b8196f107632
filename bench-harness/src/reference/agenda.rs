//! The events to come, and their total order.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use sim_core::network::{Freight, Report, Status};
use sim_core::time::Nanos;

use super::server::Jobs;
use super::signals::Reply;

/// Something that will happen.
#[derive(Clone, Copy, Debug)]
pub enum Event {
    EndCheck,
    Fault(usize),
    ReportFault(usize),
    NodeFaults,
    Cut,
    Listed,
    Heartbeat { server: u32, due_ns: Nanos },
    Report { node: u32, report: Report },
    Message { node: u32, from: u32, sequence: u32, message: u32 },
    Members { node: u32 },
    Round { node: u32 },
    Judge,
    Look,
    Observe,
    Serve { node: u32 },
    Completion { server: u32, admission: u32, job: u32 },
    Pace { server: u32, generation: u32 },
    Expiry { server: u32, admission: u32, job: u32 },
    Attempt { server: u32, job: u32 },
    Cancel { server: u32, node: u32, attempt: u32 },
    Probe { server: u32, node: u32, number: u32 },
    Reply(Reply),
    Note { node: u32, server: u32, number: u32, note: u32 },
    Response { node: u32, slot: u32, attempt: u32, status: Status, served_ns: Nanos },
    Deadline { node: u32, slot: u32, name: u32 },
    GiveUp { node: u32, slot: u32, attempt: u32 },
    Retry { node: u32, slot: u32, name: u32 },
    Hedge { node: u32, slot: u32, attempt: u32 },
    WaitEnd { node: u32, serial: u32 },
    Open { node: u32 },
    Client { client: u32 },
    Arrival { node: u32 },
    Recorded,
}

/// When it happens, and before or after what else: `kind`, then the four parts of the tie rule.
pub type Order = (Nanos, u8, u32, u32, u32, Freight);

pub struct Entry(pub Order, pub Event);

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}
impl Eq for Entry {}
impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Entry {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.cmp(&other.0)
    }
}

/// The events to come.
#[derive(Default)]
pub struct Agenda(pub BinaryHeap<Reverse<Entry>>);

impl Agenda {
    pub fn add(&mut self, at_ns: Nanos, event: Event, jobs: &Jobs) {
        let (kind, a, b, c) = match event {
            Event::EndCheck => (0, 0, 0, 0),
            Event::Fault(index) => (1, 0, index as u32, 0),
            Event::ReportFault(index) => (1, 1, index as u32, 0),
            Event::NodeFaults => (1, 2, 0, 0),
            Event::Cut => (1, 3, 0, 0),
            Event::Listed => (1, 4, 0, 0),
            Event::Heartbeat { server, .. } => (2, server, 0, 0),
            Event::Report { node, report } => (3, node, report.server, report.version),
            Event::Message { node, from, sequence, .. } => (4, node, from, sequence),
            Event::Members { node } => (5, node, 0, 0),
            Event::Round { node } => (5, node, 1, 0),
            Event::Judge => (6, 0, 0, 0),
            Event::Look => (7, 0, 0, 0),
            Event::Observe => (8, 0, 0, 0),
            Event::Serve { node } => (9, node, 0, 0),
            Event::Completion { server, admission, .. } => (10, server, admission, 0),
            Event::Pace { server, generation } => (10, server, 0, generation),
            // After whatever is done at this server at this moment.
            Event::Expiry { server, admission, .. } => (10, server, u32::MAX, admission),
            Event::Attempt { server, job } => (11, server, jobs[job].node, jobs[job].attempt),
            Event::Cancel { server, node, attempt } => (11, server, node, attempt),
            Event::Probe { server, node, number } => (11, server, node, number),
            Event::Reply(reply) => (11, reply.server, reply.node, reply.number),
            Event::Note { node, server, number, .. } => (12, node, server, number),
            Event::Response { node, attempt, status, .. } => (13, status as u32, attempt, node),
            Event::Deadline { node, name, .. } => (14, node, name, 0),
            Event::GiveUp { node, attempt, .. } => (15, node, attempt, 0),
            Event::Retry { node, name, .. } => (16, node, name, 0),
            Event::Hedge { node, attempt, .. } => (17, node, attempt, 0),
            Event::WaitEnd { node, serial } => (18, node, serial, 0),
            Event::Open { node } => (19, node, 0, 0),
            Event::Client { client } => (20, client, 0, 0),
            Event::Arrival { node } => (21, node, 0, 0),
            Event::Recorded => (21, 0, 0, 0),
        };
        // What one node sent a server under one number.
        let freight = match event {
            Event::Cancel { .. } => Freight::Cancel,
            Event::Probe { .. } => Freight::Probe,
            Event::Reply(_) => Freight::Reply,
            _ => Freight::Attempt,
        };
        self.0.push(Reverse(Entry((at_ns, kind, a, b, c, freight), event)));
    }
}

/// What is on its way and too large for an event, which carries four bytes instead.
pub struct Parcels<T> {
    parcels: Vec<Option<T>>,
    free: Vec<u32>,
}

impl<T> Default for Parcels<T> {
    fn default() -> Self {
        Self { parcels: Vec::new(), free: Vec::new() }
    }
}

impl<T> Parcels<T> {
    pub fn add(&mut self, parcel: T) -> u32 {
        if let Some(index) = self.free.pop() {
            self.parcels[index as usize] = Some(parcel);
            return index;
        }
        self.parcels.push(Some(parcel));
        (self.parcels.len() - 1) as u32
    }

    pub fn take(&mut self, index: u32) -> T {
        self.free.push(index);
        self.parcels[index as usize].take().expect("a parcel arrives once")
    }
}
