//! Heartbeat: servers that are due say what they are doing.
//!
//! Reads and settles `Servers`; writes the shard's `Heartbeats` and `Reports`, and `Responses` where a
//! policy listens to what comes with heartbeats. Every server has a
//! stream of its own for phase, jitter, recipients, loss and delays, so the order in which servers
//! are visited changes nothing.
//!
//! A heartbeat is sent on the first quantum boundary from its due time on and is merged on the
//! first boundary from its arrival on: the control plane is late by less than two quanta.

use bevy_ecs::prelude::Component;
use rayon::prelude::*;

use crate::clock::Clock;
use crate::config::Fanout;
use crate::ids::ServerId;
use crate::misreport::{Misreport, Misreports};
use crate::network::{Report, Reports, Responses};
use crate::notes::Notice;
use crate::places::Places;
use crate::rng::{Purpose, RngExt, Stream};
use crate::server::{Servers, Snapshot};
use crate::setup::Setup;
use crate::time::Nanos;
use crate::wheel::Wheel;

/// When the servers of a shard are due, by quantum.
#[derive(Component, Debug)]
pub struct Heartbeats {
    due: Wheel<Due>,
    streams: Vec<Stream>,
    taken: Vec<Due>,
    misreports: Misreports,
}

/// A server (as an index into the shard) and the exact moment of its next heartbeat.
#[derive(Clone, Copy, Debug, Default)]
struct Due {
    server: u32,
    at_ns: Nanos,
}

/// First heartbeat of a server [ns]: a random phase, or one interval when all are in step.
pub fn first_due_ns(setup: &Setup, stream: &mut Stream) -> Nanos {
    let interval_ns = setup.heartbeat.interval_ns;
    if setup.heartbeat.synchronised {
        interval_ns
    } else {
        (stream.random::<f64>() * interval_ns as f64) as Nanos
    }
}

/// The places of servers: by phase, that is by the quantum of the first heartbeat, then id, where
/// nodes hear much; else by id. O(n log n).
pub fn places(setup: &Setup) -> Places {
    if !setup.hears_much() {
        return Places::default();
    }
    let first_quantum = |server| {
        let mut stream = setup.server_stream(Purpose::Heartbeat, ServerId(server));
        quantum_after(setup, first_due_ns(setup, &mut stream), 0)
    };
    let mut servers: Vec<u32> = (0..setup.servers).collect();
    servers.sort_by_cached_key(|&server| first_quantum(server));
    Places::in_order(servers)
}

/// The heartbeat after the one due at `at_ns` [ns]: `interval * U(1 - jitter, 1 + jitter)` later.
pub fn next_due_ns(setup: &Setup, at_ns: Nanos, stream: &mut Stream) -> Nanos {
    let heartbeat = &setup.heartbeat;
    if heartbeat.jitter == 0.0 {
        return at_ns + heartbeat.interval_ns;
    }
    let factor = 1.0 + heartbeat.jitter * (2.0 * stream.random::<f64>() - 1.0);
    at_ns + (heartbeat.interval_ns as f64 * factor) as Nanos
}

/// The quantum of a heartbeat: the first boundary from `due_ns` on, but one a quantum at most.
pub fn quantum_after(setup: &Setup, due_ns: Nanos, previous: u64) -> u64 {
    setup.ticks.quantum_from(due_ns).max(previous + 1)
}

/// What a server reports.
pub fn report(server: ServerId, quantum: u64, snapshot: &Snapshot) -> Report {
    snapshot.report(server, quantum)
}

/// True when a heartbeat reaches all nodes at the same moment without a draw.
pub fn is_broadcast(setup: &Setup) -> bool {
    setup.heartbeat.fanout == Fanout::All
        && setup.heartbeat.loss == 0.0
        && setup.server_node.constant_ns().is_some()
}

/// Quantum in which a message sent at the boundary `quantum` is merged.
fn arrival_quantum(setup: &Setup, quantum: u64, delay_ns: Nanos) -> u64 {
    setup.ticks.quantum_from(quantum * setup.ticks.quantum_ns + delay_ns)
}

/// Hands one heartbeat of `server` to `deliver(node, quantum of arrival)`, for every node that
/// will hear it.
pub fn send(
    setup: &Setup,
    server: ServerId,
    quantum: u64,
    stream: &mut Stream,
    mut misreport: Option<&mut Misreport>,
    mut deliver: impl FnMut(u32, u64),
) {
    let mut to = |node: u32, stream: &mut Stream| {
        if setup.heartbeat.loss > 0.0 && stream.random_bool(setup.heartbeat.loss) {
            return;
        }
        let delay_ns = setup.server_node.sample_ns(stream);
        let mut deliver = |delay_ns| deliver(node, arrival_quantum(setup, quantum, delay_ns));
        match &mut misreport {
            None => deliver(delay_ns),
            Some(misreport) => {
                misreport.copies(delay_ns, |stream| setup.server_node.sample_ns(stream), deliver);
            }
        }
    };
    match setup.heartbeat.fanout {
        Fanout::All => (0..setup.nodes).for_each(|node| to(node, stream)),
        Fanout::Home(k) => {
            (0..k).for_each(|i| to((server.0 + i) % setup.nodes, stream));
        }
        Fanout::Random(k) => {
            // Floyd's algorithm (Bentley and Floyd 1987): k distinct nodes in k draws. The drawn
            // are few, so a list beats a set.
            let mut drawn = Vec::with_capacity(k as usize);
            for last in setup.nodes - k..setup.nodes {
                let node = stream.random_range(0..=last);
                let node = if drawn.contains(&node) { last } else { node };
                drawn.push(node);
                to(node, stream);
            }
        }
    }
}

/// Sends what is due, when the present tick starts on a boundary.
pub fn run(
    setup: &Setup,
    clock: &Clock,
    servers: &mut [Servers],
    heartbeats: &mut [Heartbeats],
    reports: &mut [Reports],
    responses: &mut [Responses],
) {
    let Some(quantum) = clock.boundary else { return };
    if clock.parallel {
        (servers, heartbeats, reports, responses).into_par_iter().for_each(
            |(servers, heartbeats, reports, responses)| {
                heartbeats.beat(setup, quantum, servers, reports, responses);
            },
        );
    } else {
        for shard in clock.visit.order(servers.len()) {
            let (servers, reports) = (&mut servers[shard], &mut reports[shard]);
            heartbeats[shard].beat(setup, quantum, servers, reports, &mut responses[shard]);
        }
    }
}

impl Heartbeats {
    /// Memory a server takes [bytes].
    pub(crate) const SERVER_BYTES: usize = size_of::<Due>() + size_of::<Stream>();

    /// The servers `first..first + len`, each with its first heartbeat planned.
    pub fn new(setup: &Setup, first: u32, len: u32) -> Self {
        let interval = setup.heartbeat.interval_ns / setup.ticks.quantum_ns;
        let mut due = Wheel::new(2 * interval);
        let mut streams = Vec::with_capacity(len as usize);
        for server in 0..len {
            let mut stream = setup.server_stream(Purpose::Heartbeat, ServerId(first + server));
            let at_ns = first_due_ns(setup, &mut stream);
            due.push(quantum_after(setup, at_ns, 0), Due { server, at_ns });
            streams.push(stream);
        }
        Self { due, streams, taken: Vec::new(), misreports: Misreports::default() }
    }

    /// Sends the heartbeats due at the boundary `quantum`.
    pub fn beat(
        &mut self,
        setup: &Setup,
        quantum: u64,
        servers: &mut Servers,
        out: &mut Reports,
        responses: &mut Responses,
    ) {
        out.broadcast.clear(out.read_quantum);
        out.broadcast.advance(quantum);
        out.read_quantum = quantum;
        for list in &mut out.by_node {
            list.clear();
        }
        self.taken.clear();
        self.due.take(quantum, &mut self.taken);
        if self.taken.is_empty() {
            return;
        }
        self.misreports.advance(setup, quantum, servers.first, servers.first + servers.len);
        let tells = setup.needs.notes == Some(Notice::Heartbeats);
        let now_ns = quantum * setup.ticks.quantum_ns;
        let broadcast_arrival = is_broadcast(setup)
            .then(|| setup.server_node.constant_ns())
            .flatten()
            .map(|delay_ns| arrival_quantum(setup, quantum, delay_ns));
        for due in &self.taken {
            let id = ServerId(servers.first + due.server);
            let stream = &mut self.streams[due.server as usize];
            let snapshot = servers.snapshot(setup, due.server, now_ns);
            if snapshot.up {
                servers.note_report(due.server, quantum);
                let mut report = report(id, quantum, &snapshot);
                let mut misreport = self.misreports.of(id);
                if let Some(misreport) = &mut misreport {
                    report = misreport.distort(report);
                }
                let mut tell = |node, arrival: u64| {
                    let arrives = (node, arrival * setup.ticks.quantum_ns);
                    servers.tell_with_heartbeat(setup, due.server, now_ns, arrives, responses);
                };
                match broadcast_arrival {
                    Some(arrival) if misreport.is_none() => {
                        out.broadcast.push(arrival, report);
                        if tells {
                            (0..setup.nodes).for_each(|node| tell(node, arrival));
                        }
                    }
                    _ => send(setup, id, quantum, stream, misreport, |node, arrival| {
                        out.by_node[node as usize].push((arrival, report));
                        if tells {
                            tell(node, arrival);
                        }
                    }),
                }
                if setup.needs.notes.is_some_and(Notice::is_of_idleness) {
                    servers.reconsider(setup, due.server, now_ns, responses);
                }
                if snapshot.departs() {
                    servers.depart(due.server);
                }
            }
            let at_ns = next_due_ns(setup, due.at_ns, stream);
            self.due.push(quantum_after(setup, at_ns, quantum), Due { server: due.server, at_ns });
        }
    }

    /// The first quantum from the present one on in which a server is due.
    pub fn next_due(&self) -> Option<u64> {
        self.due.next_due()
    }
}
