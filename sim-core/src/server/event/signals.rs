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
    /// Whom it has asked whether to tell it, while it waits for their answers.
    question: Option<Question>,
    /// Questions asked so far (modulo 2^32).
    asked: u32,
    /// Where nodes ask.
    samples: Option<LatencySamples>,
    busy: SlotTime,
}

/// Two nodes have been asked how many idle servers they know of.
#[derive(Clone, Copy, Debug)]
struct Question {
    number: u32,
    at_ns: Nanos,
    /// Who, and what they have answered.
    nodes: [(u32, Option<u32>); 2],
}

impl Question {
    /// Who knows fewer of those that have answered; the first if they know as many.
    fn shorter(&self) -> Option<u32> {
        let answered = self.nodes.iter().filter_map(|&(node, known)| Some((known?, node)));
        answered.min_by_key(|&(known, _)| known).map(|(_, node)| node)
    }
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
            question: None,
            asked: 0,
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
        self.question = None;
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

impl Signals {
    /// Tells a node that the server is idle.
    fn tell(&mut self, setup: &Setup, at_ns: Nanos, listener: u32, out: &mut Responses) {
        (self.told, self.question) = (Some(listener), None);
        let note = self.write(listener, NoteKind::Idle, (0, 0));
        self.send(setup, at_ns, note, out);
    }

    /// Asks two nodes how many idle servers they know of.
    fn ask(&mut self, setup: &Setup, at_ns: Nanos, out: &mut Responses) {
        let nodes = self.postman.draw_two_nodes();
        if nodes[0] == nodes[1] {
            return self.tell(setup, at_ns, nodes[0], out);
        }
        let number = self.asked;
        self.asked = number.wrapping_add(1);
        self.question = Some(Question { number, at_ns, nodes: nodes.map(|node| (node, None)) });
        for node in nodes {
            let note = self.write(node, NoteKind::Question, (0, 0));
            self.send(setup, at_ns, Note { attempt: number, ..note }, out);
        }
    }
}

impl EventServers {
    /// A node says how many idle servers it knows of: with the second answer the server has decided.
    pub(super) fn take_reply(
        &mut self,
        setup: &Setup,
        at_ns: Nanos,
        delivery: &Delivery,
        out: &mut Responses,
    ) {
        let Some(signals) = &mut self.servers[delivery.server as usize].signals else { return };
        let Some(question) = &mut signals.question else { return };
        if question.number != delivery.attempt {
            return;
        }
        let of_sender = question.nodes.iter_mut().filter(|(node, _)| *node == delivery.node);
        of_sender.for_each(|(_, known)| *known = Some(delivery.demand as u32));
        if question.nodes.iter().all(|(_, known)| known.is_some())
            && let Some(listener) = question.shorter()
        {
            signals.tell(setup, at_ns, listener, out);
        }
    }

    /// At a heartbeat: who has waited for answers for an interval takes the one he has, or asks others; who
    /// is idle and has told nobody, as at the start, does so.
    pub fn reconsider(&mut self, setup: &Setup, at_ns: Nanos, index: u32, out: &mut Responses) {
        self.settle(setup, at_ns, index, None, out);
        let Some(signals) = &mut self.servers[index as usize].signals else { return };
        let Some(question) = signals.question else { return };
        if at_ns - question.at_ns >= setup.heartbeat.interval_ns {
            match question.shorter() {
                Some(listener) => signals.tell(setup, at_ns, listener, out),
                None => signals.ask(setup, at_ns, out),
            }
        }
    }

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
        let decay_ns = setup.heartbeat.latency_decay_ns;
        let estimate = |samples: &LatencySamples| samples.estimate_ns(at_ns, in_server, decay_ns);
        let latency_ns = signals.samples.as_ref().map_or(0.0, estimate);
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
            samples.add(at_ns, job.met, (at_ns - job.arrived_ns) as f32);
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
        let Some(notice) = setup.needs.notes.filter(|notice| notice.is_of_idleness()) else {
            return;
        };
        let load = self.load(setup, index);
        let server = &mut self.servers[index as usize];
        let is_idle = load == (0, 0) && server.is_up() && server.stage == Stage::Serving;
        let Some(signals) = &mut server.signals else { return };
        match signals.told {
            None if is_idle && notice == Notice::Idle => {
                let listener = signals.postman.draw_node();
                signals.tell(setup, at_ns, listener, out);
            }
            None if is_idle && signals.question.is_none() => signals.ask(setup, at_ns, out),
            None if !is_idle => signals.question = None,
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
