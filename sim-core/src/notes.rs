//! What servers tell nodes besides heartbeats and answers, and where it waits until it is read.
//!
//! A note travels like an answer: by the law `network.server_node`, to one node, in order of nothing but
//! its delay. Delays are drawn from a stream of their own, so that notes shift no answer; a note with an
//! answer shares the delay of the answer. Partitions and stopped nodes lose notes as they lose answers.
//! There is a wheel a shard of servers, and only where the policy of the run asks for notes.

use crate::ids::ServerId;
use crate::rng::{Purpose, RngExt, Stream, below};
use crate::setup::Setup;
use crate::ticks::Ticks;
use crate::time::Nanos;
use crate::wheel::Wheel;

/// Size of a note or a probe on its own [bytes]: 20 of payload, 28 of IPv4 and UDP headers.
pub const NOTE_BYTES: u64 = 48;

/// When servers tell a node of their own accord how they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notice {
    /// When the last request has left: a random node; and that node when it is no longer so.
    Idle,
    /// The same, but of two random nodes the one that knows of fewer idle servers: both are asked first.
    IdleToShorter,
    /// After one in so many completions, in millionths: a random node.
    Completions {
        /// The share [millionths].
        share_ppm: u32,
    },
    /// With each heartbeat: whoever it goes to.
    Heartbeats,
}

impl Notice {
    /// Servers tell when they are idle.
    pub const fn is_of_idleness(self) -> bool {
        matches!(self, Self::Idle | Self::IdleToShorter)
    }
}

/// What a note is about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NoteKind {
    /// The answer to a probe.
    #[default]
    Probe,
    /// The server is idle, and tells this node alone.
    Idle,
    /// The server has told this node that it is idle, and is no longer.
    Busy,
    /// A request has been served, not necessarily one of this node.
    Completion,
    /// The server asks how many idle servers the node knows of; `attempt` is the number of the question.
    Question,
    /// It comes with the answer to a request that was served.
    Answer,
    /// It comes with a heartbeat.
    Report,
}

impl NoteKind {
    /// Whether it is a packet of its own.
    pub const fn is_alone(self) -> bool {
        !matches!(self, Self::Answer | Self::Report)
    }
}

/// What a server has done since the run began, where a policy asks for it. It goes on counting through
/// crashes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Counters {
    /// When the server read it [ns].
    pub at_ns: Nanos,
    /// Requests served.
    pub completed: u32,
    /// Requests answered with an error.
    pub failed: u32,
    /// Time that slots were in use, all slots together [ns].
    pub busy_ns: Nanos,
    /// Service slots at that moment.
    pub slots: u32,
}

/// What a server tells one node.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Note {
    /// Whom it goes to.
    pub node: u32,
    /// Arrival, as an offset into its tick [ns].
    pub offset_ns: u32,
    /// Who says it.
    pub server: u32,
    /// The server's running number of its notes (modulo 2^32).
    pub number: u32,
    /// Why.
    pub kind: NoteKind,
    /// The number of the probe, of the attempt that was answered, or of the question.
    pub attempt: u32,
    /// Requests in service and waiting when it was sent.
    pub load: u32,
    /// Of those, waiting.
    pub waiting: u32,
    /// Probe: how long requests took that came at about the present load [ns], 0 if it is not known.
    /// Answer: how long the request was in service [ns].
    pub latency_ns: f32,
    /// Answer and report: what the server has done; all 0 where nobody asks.
    pub counters: Counters,
}

impl Note {
    /// The order of the notes of one tick: no two have the same.
    const fn order(&self) -> (u32, u32, u32, u32) {
        (self.node, self.offset_ns, self.server, self.number)
    }
}

/// A shard's notes, by tick of arrival; those of the present tick in order, for the nodes to read.
#[derive(Debug)]
pub struct Notes {
    pending: Wheel<Note>,
    due: Vec<Note>,
}

impl Notes {
    /// Nothing on its way; `horizon` ticks ahead are filed without detour.
    pub fn new(horizon: u64) -> Self {
        Self { pending: Wheel::new(horizon), due: Vec::new() }
    }

    /// Memory a shard's notes take, `records` at most on their way [bytes].
    pub(crate) fn bytes(horizon: u64, records: f64) -> f64 {
        Wheel::<Note>::bytes(horizon, horizon as f64, records)
    }

    /// Opens a tick: whatever is pushed from now on arrives later.
    pub fn open(&mut self, tick: u64) {
        let Self { pending, due } = self;
        due.clear();
        pending.take(tick, due);
        pending.advance(tick + 1);
        due.sort_unstable_by_key(Note::order);
    }

    /// Files a note, to arrive at `at_ns`.
    pub fn push(&mut self, ticks: &Ticks, at_ns: Nanos, note: Note) {
        let tick = ticks.tick_of(at_ns);
        let offset_ns = (at_ns - ticks.start_ns(tick)) as u32;
        self.pending.push(tick, Note { offset_ns, ..note });
    }

    /// What arrives at a node in the present tick, in order.
    pub fn to_node(&self, node: u32) -> &[Note] {
        let from = self.due.partition_point(|note| note.node < node);
        let rest = &self.due[from..];
        &rest[..rest.partition_point(|note| note.node == node)]
    }

    /// The first tick after the present one in which a note arrives.
    pub fn next_due(&self) -> Option<u64> {
        self.pending.next_due()
    }

    /// What arrives at a node in the present tick from several shards, in order.
    pub fn collect<'a>(shards: impl Iterator<Item = &'a Self>, node: u32) -> Vec<Note> {
        let mut all: Vec<Note> = shards.flat_map(|notes| notes.to_node(node)).copied().collect();
        all.sort_unstable_by_key(Note::order);
        all
    }
}

/// How a server decides to whom it sends notes, and how long they travel.
#[derive(Clone, Debug)]
pub struct Postman {
    /// Delays.
    network: Stream,
    /// Whom, and whether.
    choice: Stream,
    nodes: u32,
}

impl Postman {
    /// That of one server.
    pub fn new(setup: &Setup, server: ServerId) -> Self {
        Self {
            network: setup.server_stream(Purpose::NoteNetwork, server),
            choice: setup.server_stream(Purpose::NoteChoice, server),
            nodes: setup.nodes,
        }
    }

    /// How long the next note travels [ns].
    pub fn delay_ns(&mut self, setup: &Setup) -> Nanos {
        setup.server_node.sample_ns(&mut self.network)
    }

    /// Two random nodes, one after the other; the same one where there is no other.
    pub fn draw_two_nodes(&mut self) -> [u32; 2] {
        let first = self.draw_node();
        let second = if self.nodes == 1 { first } else { below(&mut self.choice, self.nodes - 1) };
        [first, second + u32::from(self.nodes > 1 && second >= first)]
    }

    /// A random node.
    pub fn draw_node(&mut self) -> u32 {
        below(&mut self.choice, self.nodes)
    }

    /// Whom to tell about a completion, if anybody.
    pub fn draw_listener(&mut self, notice: Option<Notice>) -> Option<u32> {
        let Some(Notice::Completions { share_ppm }) = notice else { return None };
        let is_told = self.choice.random_bool(f64::from(share_ppm) / 1e6);
        is_told.then(|| self.draw_node())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_of_a_tick_come_by_node_time_server_and_number() {
        let mut notes = Notes::new(64);
        let note = |node, offset_ns, server, number| Note {
            node,
            offset_ns,
            server,
            number,
            ..Note::default()
        };
        let sorted = [
            note(0, 5, 9, 9),
            note(1, 3, 2, 7),
            note(1, 4, 0, 0),
            note(1, 4, 0, 1),
            note(1, 4, 1, 0),
        ];
        for &note in sorted.iter().rev() {
            notes.pending.push(3, note);
        }
        notes.pending.push(4, note(1, 0, 0, 8));
        notes.open(1);
        assert!(notes.to_node(1).is_empty());
        assert_eq!(notes.next_due(), Some(3));
        notes.open(3);
        assert_eq!(notes.to_node(0), &sorted[..1]);
        assert_eq!(notes.to_node(1), &sorted[1..]);
        assert!(notes.to_node(2).is_empty());
        assert_eq!(Notes::collect([&notes, &notes].into_iter(), 1).len(), 8);
    }
}
