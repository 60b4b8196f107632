//! What a server tells nodes besides heartbeats and answers, where a policy listens.

use super::{EventServers, Job};
use crate::ids::ServerId;
use crate::network::{Responses, Stage};
use crate::notes::{Counters, Note, NoteKind, Notice, Postman};
use crate::server::Delivery;
use crate::server::samples::LatencySamples;
use crate::setup::Setup;
use crate::time::Nanos;

/// What one server keeps for that.
#[derive(Clone, Debug)]
pub struct Signals {
    server: u32,
    postman: Postman,
    /// Notes written so far (modulo 2^32).
    written: u32,
    /// The node that takes the server for idle, if it listens.
    told: Option<u32>,
    /// Where nodes ask.
    samples: Option<LatencySamples>,
    busy: SlotTime,
}

/// How long slots have been in use.
#[derive(Clone, Copy, Debug, Default)]
struct SlotTime {
    /// Up to `since_ns`, all slots together [ns].
    sum_ns: Nanos,
    since_ns: Nanos,
    /// Slots in use since then.
    slots: u32,
}

impl SlotTime {
    /// From `at_ns` on so many slots are in use.
    const fn set(&mut self, at_ns: Nanos, slots: u32) {
        *self = Self { sum_ns: self.until_ns(at_ns), since_ns: at_ns, slots };
    }

    /// Time in use until `at_ns` [ns].
    const fn until_ns(&self, at_ns: Nanos) -> Nanos {
        self.sum_ns + (at_ns - self.since_ns) * self.slots as Nanos
    }
}

impl Signals {
    /// Those of one server, which has told nobody anything.
    pub fn new(setup: &Setup, id: ServerId) -> Self {
        Self {
            server: id.0,
            postman: Postman::new(setup, id),
            written: 0,
            told: None,
            samples: setup.needs.probes.then(LatencySamples::default),
            busy: SlotTime::default(),
        }
    }

    /// Memory they take [bytes].
    pub(crate) const fn bytes(setup: &Setup) -> usize {
        size_of::<Self>() + if setup.needs.probes { LatencySamples::BYTES } else { 0 }
    }

    /// A crash: what it has told holds no longer, and nobody says so.
    pub fn forget(&mut self) {
        self.told = None;
        self.samples.iter_mut().for_each(LatencySamples::clear);
    }

    /// Writes a note, with the number of requests in service and waiting.
    const fn write(&mut self, node: u32, kind: NoteKind, (active, waiting): (u32, u32)) -> Note {
        let number = self.written;
        self.written = self.written.wrapping_add(1);
        let (server, load) = (self.server, active + waiting);
        let (offset_ns, attempt, latency_ns) = (0, 0, 0.0);
        let counters = Counters { at_ns: 0, completed: 0, failed: 0, busy_ns: 0, slots: 0 };
        Note { node, offset_ns, server, number, kind, attempt, load, waiting, latency_ns, counters }
    }

    /// Sends a note on its own.
    fn send(&mut self, setup: &Setup, at_ns: Nanos, note: Note, out: &mut Responses) {
        let arrival_ns = at_ns + self.postman.delay_ns(setup);
        if let Some(notes) = &mut out.notes {
            notes.push(&setup.ticks, arrival_ns, note);
        }
    }
}

impl EventServers {
    /// A probe comes: whoever is up answers at once.
    pub(super) fn answer_probe(
        &mut self,
        setup: &Setup,
        at_ns: Nanos,
        delivery: &Delivery,
        out: &mut Responses,
    ) {
        let load = self.load(setup, delivery.server);
        let server = &mut self.servers[delivery.server as usize];
        let (in_server, is_up) = (server.in_server(), server.is_up());
        let Some(signals) = server.signals.as_mut().filter(|_| is_up) else { return };
        let latency_ns =
            signals.samples.as_ref().map_or(0.0, |samples| samples.estimate_ns(in_server));
        let note = signals.write(delivery.node, NoteKind::Probe, load);
        signals.send(setup, at_ns, Note { attempt: delivery.attempt, latency_ns, ..note }, out);
    }

    /// A request has been served and has left.
    pub(super) fn tell_of_completion(
        &mut self,
        setup: &Setup,
        at_ns: Nanos,
        index: u32,
        job: &Job,
        out: &mut Responses,
    ) {
        let load = self.load(setup, index);
        let counters = self.counters(setup, at_ns, index);
        let Some(signals) = &mut self.servers[index as usize].signals else { return };
        if let Some(samples) = &mut signals.samples {
            samples.add(job.met, (at_ns - job.arrived_ns) as f32);
        }
        if setup.needs.feedback
            && let Some(notes) = &mut out.notes
        {
            let note = signals.write(job.node, NoteKind::Answer, load);
            let latency_ns = (at_ns - job.started_ns) as f32;
            let note = Note { attempt: job.attempt, latency_ns, counters, ..note };
            notes.push(&setup.ticks, at_ns + job.answer_delay_ns, note);
        }
        if let Some(node) = signals.postman.draw_listener(setup.needs.notes) {
            let note = signals.write(node, NoteKind::Completion, load);
            signals.send(setup, at_ns, note, out);
        }
        self.settle(setup, at_ns, index, None, out);
    }

    /// A heartbeat leaves, to arrive at a node at `arrival_ns`.
    pub fn tell_with_heartbeat(
        &mut self,
        setup: &Setup,
        at_ns: Nanos,
        index: u32,
        (node, arrival_ns): (u32, Nanos),
        out: &mut Responses,
    ) {
        let load = self.load(setup, index);
        let counters = self.counters(setup, at_ns, index);
        let Some(signals) = &mut self.servers[index as usize].signals else { return };
        let report = signals.write(node, NoteKind::Report, load);
        if let Some(notes) = &mut out.notes {
            notes.push(&setup.ticks, arrival_ns, Note { counters, ..report });
        }
    }

    /// What a server has done, where a policy asks.
    fn counters(&self, setup: &Setup, at_ns: Nanos, index: u32) -> Counters {
        let server = &self.servers[index as usize];
        let Some(signals) = server.signals.as_ref().filter(|_| setup.needs.counters) else {
            return Counters::default();
        };
        Counters {
            at_ns,
            completed: server.completed,
            failed: server.failed,
            busy_ns: signals.busy.until_ns(at_ns),
            slots: server.slots,
        }
    }

    /// Something has happened at a server: if it is idle now, one node is told; if it no longer is,
    /// that node is told, unless the request came `from` there.
    pub(super) fn settle(
        &mut self,
        setup: &Setup,
        at_ns: Nanos,
        index: u32,
        from: Option<u32>,
        out: &mut Responses,
    ) {
        if setup.needs.counters {
            let (in_use, _) = self.load(setup, index);
            if let Some(signals) = &mut self.servers[index as usize].signals {
                signals.busy.set(at_ns, in_use);
            }
        }
        if setup.needs.notes != Some(Notice::Idle) {
            return;
        }
        let load = self.load(setup, index);
        let server = &mut self.servers[index as usize];
        let is_idle = load == (0, 0) && server.is_up() && server.stage == Stage::Serving;
        let Some(signals) = &mut server.signals else { return };
        match signals.told {
            None if is_idle => {
                let listener = signals.postman.draw_node();
                signals.told = Some(listener);
                let note = signals.write(listener, NoteKind::Idle, load);
                signals.send(setup, at_ns, note, out);
            }
            Some(listener) if !is_idle => {
                signals.told = None;
                if from != Some(listener) {
                    let note = signals.write(listener, NoteKind::Busy, load);
                    signals.send(setup, at_ns, note, out);
                }
            }
            _ => {}
        }
    }
}
