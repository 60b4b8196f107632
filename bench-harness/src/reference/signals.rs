//! What a server of the reference engine tells nodes besides, and what a node makes of it.

use sim_core::ids::ServerId;
use sim_core::notes::{Counters, Note, NoteKind, Postman};
use sim_core::policy::{Notice, Policy};
use sim_core::server::samples::{KEPT, NEAREST};
use sim_core::setup::Setup;
use sim_core::time::Nanos;
use sim_core::view::{Candidates, Freshness};

use super::Reference;
use super::agenda::Event;
use super::node::{Chooser, Node, Todo};
use super::server::Job;

/// The answer of a node to a question of a server.
#[derive(Clone, Copy, Debug)]
pub struct Reply {
    pub server: u32,
    pub node: u32,
    /// Of the question.
    pub number: u32,
    pub known: u32,
}

/// A question that is open.
struct Question {
    number: u32,
    asked_ns: Nanos,
    nodes: [u32; 2],
    replies: Vec<Reply>,
}

pub struct Signals {
    postman: Postman,
    written: u32,
    /// The node that was told that the server is idle.
    told: Option<u32>,
    open: Option<Question>,
    questions: u32,
    /// Of all completions since the last crash: who was met, how long it took [ns].
    completions: Vec<(u32, f32)>,
    /// When the newest of them was [ns].
    completed_ns: Nanos,
    /// From when on how many slots were in use.
    in_use: Vec<(Nanos, u32)>,
}

impl Signals {
    pub fn new(setup: &Setup, id: ServerId) -> Self {
        let postman = Postman::new(setup, id);
        Self {
            postman,
            written: 0,
            told: None,
            open: None,
            questions: 0,
            completions: Vec::new(),
            completed_ns: 0,
            in_use: Vec::new(),
        }
    }

    pub fn forget(&mut self) {
        self.told = None;
        self.open = None;
        self.completions.clear();
    }

    /// Slot-time in use until `at_ns` [ns].
    fn busy_ns(&self, at_ns: Nanos) -> Nanos {
        let ends = self.in_use.iter().skip(1).map(|&(from_ns, _)| from_ns).chain([at_ns]);
        self.in_use
            .iter()
            .zip(ends)
            .map(|(&(from, slots), to)| (to - from) * u64::from(slots))
            .sum()
    }

    fn estimate_ns(&self, at_ns: Nanos, load: u32, decay_ns: Option<Nanos>) -> f32 {
        let newest_first = self.completions.iter().rev().take(KEPT);
        let mut kept: Vec<_> = newest_first.map(|&(met, ns)| (met.abs_diff(load), ns)).collect();
        kept.sort_by_key(|&(distance, _)| distance);
        kept.truncate(NEAREST);
        kept.sort_by(|(_, a), (_, b)| a.total_cmp(b));
        let idle_ns = (at_ns - self.completed_ns) as f64;
        let left = decay_ns.map_or(1.0, |decay_ns| libm::exp(-idle_ns / decay_ns as f64));
        kept.get(kept.len() / 2).map_or(0.0, |&(_, ns)| (f64::from(ns) * left) as f32)
    }
}

impl Reference {
    fn post(&mut self, at_ns: Nanos, server: u32, note: Note) {
        let signals = &mut self.servers[server as usize].signals;
        let note = Note { server, number: signals.written, ..note };
        signals.written += 1;
        let index = self.notes.add(note);
        let name = Event::Note { node: note.node, server, number: note.number, note: index };
        self.agenda.add(at_ns, name, &self.jobs);
    }

    /// The same for a note that does not come with an answer.
    fn post_alone(&mut self, at_ns: Nanos, server: u32, note: Note) {
        let delay_ns = self.servers[server as usize].signals.postman.delay_ns(&self.setup);
        self.post(at_ns + delay_ns, server, note);
    }

    /// What a server has done, where the policy asks.
    fn counters(&self, at_ns: Nanos, id: u32) -> Counters {
        let server = &self.servers[id as usize];
        if !self.setup.needs.counters {
            return Counters::default();
        }
        let (completed, failed, slots) = server.counted();
        Counters { at_ns, completed, failed, busy_ns: server.signals.busy_ns(at_ns), slots }
    }

    pub(super) fn tell_with_heartbeat(&mut self, at_ns: Nanos, id: u32, node: u32, arrival: Nanos) {
        let counters = self.counters(at_ns, id);
        let server = &self.servers[id as usize];
        let load = server.load();
        let (_, waiting) = server.parts(&self.setup);
        let kind = NoteKind::Report;
        self.post(arrival, id, Note { node, kind, load, waiting, counters, ..Note::default() });
    }

    pub(super) fn answer_probe(&mut self, at_ns: Nanos, id: u32, (node, attempt): (u32, u32)) {
        let server = &self.servers[id as usize];
        if server.is_up() && !self.links.cut_to_server(node, id) {
            let load = server.load();
            let (_, waiting) = server.parts(&self.setup);
            let decay_ns = self.setup.heartbeat.latency_decay_ns;
            let latency_ns = server.signals.estimate_ns(at_ns, load, decay_ns);
            let kind = NoteKind::Probe;
            self.post_alone(
                at_ns,
                id,
                Note { node, kind, attempt, load, waiting, latency_ns, ..Note::default() },
            );
        }
    }

    pub(super) fn tell_of_completion(&mut self, at_ns: Nanos, id: u32, job: &Job) {
        let counters = self.counters(at_ns, id);
        let server = &mut self.servers[id as usize];
        let load = server.load();
        let (_, waiting) = server.parts(&self.setup);
        // Kept for ever: only for those who ask, or the control of the speed figures would be unfair.
        if self.setup.needs.probes {
            server.signals.completed_ns = at_ns;
            server.signals.completions.push((job.met, (at_ns - job.arrived_ns) as f32));
        }
        let Job { node, attempt, .. } = *job;
        if self.setup.needs.feedback {
            let latency_ns = (at_ns - job.started_ns) as f32;
            let kind = NoteKind::Answer;
            let note = Note {
                node,
                kind,
                attempt,
                load,
                waiting,
                latency_ns,
                counters,
                ..Note::default()
            };
            self.post(at_ns + job.answer_delay_ns, id, note);
        }
        let postman = &mut self.servers[id as usize].signals.postman;
        if let Some(node) = postman.draw_listener(self.setup.needs.notes) {
            let kind = NoteKind::Completion;
            self.post_alone(at_ns, id, Note { node, kind, load, waiting, ..Note::default() });
        }
    }

    /// Tells a node that a server is idle, or that it is no longer.
    pub(super) fn settle(&mut self, at_ns: Nanos, id: u32, from: Option<u32>) {
        if self.setup.needs.counters {
            let server = &mut self.servers[id as usize];
            let (in_use, _) = server.parts(&self.setup);
            server.signals.in_use.push((at_ns, in_use));
        }
        let shorter = match self.setup.needs.notes {
            Some(Notice::Idle) => false,
            Some(Notice::IdleToShorter) => true,
            _ => return,
        };
        let server = &mut self.servers[id as usize];
        let (told, load) = (server.signals.told, server.load());
        let (_, waiting) = server.parts(&self.setup);
        if server.is_idle() && told.is_none() {
            if !shorter {
                let node = server.signals.postman.draw_node();
                self.join(at_ns, id, node);
            } else if server.signals.open.is_none() {
                self.ask(at_ns, id);
            }
        } else if !server.is_idle() && told.is_none() {
            server.signals.open = None;
        } else if !server.is_idle() && told.is_some() {
            server.signals.told = None;
            if let Some(node) = told
                && told != from
            {
                let kind = NoteKind::Busy;
                self.post_alone(at_ns, id, Note { node, kind, load, waiting, ..Note::default() });
            }
        }
    }

    /// An idle server joins the queue of a node.
    fn join(&mut self, at_ns: Nanos, id: u32, node: u32) {
        let signals = &mut self.servers[id as usize].signals;
        signals.told = Some(node);
        signals.open = None;
        self.post_alone(at_ns, id, Note { node, kind: NoteKind::Idle, ..Note::default() });
    }

    /// An idle server asks two nodes for the lengths of their queues.
    fn ask(&mut self, at_ns: Nanos, id: u32) {
        let signals = &mut self.servers[id as usize].signals;
        let [first, second] = signals.postman.draw_two_nodes();
        if first == second {
            return self.join(at_ns, id, first);
        }
        let attempt = signals.questions;
        signals.questions += 1;
        let nodes = [first, second];
        let replies = Vec::new();
        signals.open = Some(Question { number: attempt, asked_ns: at_ns, nodes, replies });
        for node in nodes {
            let kind = NoteKind::Question;
            self.post_alone(at_ns, id, Note { node, kind, attempt, ..Note::default() });
        }
    }

    pub(super) fn take_reply(&mut self, at_ns: Nanos, reply: Reply) {
        if self.links.cut_to_server(reply.node, reply.server) {
            return;
        }
        let open = &mut self.servers[reply.server as usize].signals.open;
        if let Some(question) = open
            && question.number == reply.number
        {
            question.replies.push(reply);
            if question.replies.len() == 2 {
                self.join_shorter(at_ns, reply.server);
            }
        }
    }

    /// Joins the shorter queue of those that are known; says whether there was one.
    fn join_shorter(&mut self, at_ns: Nanos, id: u32) -> bool {
        let Some(Question { nodes, replies, .. }) = &self.servers[id as usize].signals.open else {
            return false;
        };
        let place = |node| nodes.iter().position(|&asked| asked == node);
        let best = replies.iter().min_by_key(|reply| (reply.known, place(reply.node)));
        let Some(&Reply { node, .. }) = best else { return false };
        self.join(at_ns, id, node);
        true
    }

    /// At a heartbeat: an idle server tells if it has not, and an open question is not waited for longer
    /// than an interval.
    pub(super) fn reconsider(&mut self, at_ns: Nanos, id: u32) {
        self.settle(at_ns, id, None);
        let open = &self.servers[id as usize].signals.open;
        let interval_ns = self.setup.heartbeat.interval_ns;
        let is_late = open.as_ref().is_some_and(|open| at_ns - open.asked_ns >= interval_ns);
        if is_late && !self.join_shorter(at_ns, id) {
            self.ask(at_ns, id);
        }
    }

    pub(super) fn note(&mut self, at_ns: Nanos, note: &Note) {
        let listener = &mut self.nodes[note.node as usize];
        if !listener.bench.rules.is_running || self.links.cut_to_node(note.server, note.node) {
            return;
        }
        listener.meters.notes += u64::from(note.kind.is_alone());
        if let Chooser::Shared(index) = &mut listener.chooser {
            index.on_note(note, at_ns);
        }
        if note.kind == NoteKind::Question {
            let known = match &listener.chooser {
                Chooser::Shared(index) => index.idle_known(note),
                Chooser::Scan(_) => 0,
            };
            listener.meters.probes += 1;
            let delay_ns = self.setup.node_server.sample_ns(&mut listener.streams.network);
            let reply = Reply { server: note.server, node: note.node, number: note.attempt, known };
            let reply = Event::Reply(reply);
            self.agenda.add(at_ns + delay_ns, reply, &self.jobs);
        }
    }
}

impl Node {
    /// Asks whom the policy wants to ask, after the first attempt of a request.
    pub fn probe(&mut self, setup: &Setup, at_ns: Nanos, key: u64) {
        let Chooser::Shared(index) = &mut self.chooser else { return };
        let freshness = Freshness::new(&setup.ticks, at_ns, setup.silence_ns);
        let candidates =
            Candidates::new(&self.view, &freshness, at_ns, None).with_key(key).within_pool();
        let mut asked = Vec::new();
        index.probes(&candidates, &mut self.streams.policy, &mut asked);
        for server in asked {
            let arrival_ns = at_ns + setup.node_server.sample_ns(&mut self.streams.network);
            let number = self.meters.probes as u32;
            self.meters.probes += 1;
            let probe = Event::Probe { server: server.0, node: self.id.0, number };
            self.out.push(Todo::At(arrival_ns, probe));
        }
    }
}
