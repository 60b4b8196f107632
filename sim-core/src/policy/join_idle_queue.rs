//! Join idle queue: idle servers tell one node each, and it sends them the next requests.
//!
//! Source: Lu, Xie, Kliot, Geller, Larus, Greenberg, "Join-Idle-Queue", Performance Evaluation 2011.
//! Signal: notes of servers. A server whose last request has left tells one node. The node keeps who has
//! told it in a queue, first in, first out, and sends a request to the first that is eligible; if there is
//! none, to a random eligible server. No message is on the way of a request; there is at most one a
//! completion, and one more when a server is hit by chance.
//!
//! **Which node.** `join = "random"` (JIQ-Random): one drawn at random. `join = "shorter_of_two"` (JIQ-SQ(2)): the server
//! asks two different random nodes for the lengths of their queues, and joins the shorter when both have
//! answered, the first drawn if they are equal: four messages more. If it gets a request before, it does not
//! join. With a heartbeat it takes the one answer it has after a heartbeat interval, or asks two others (ours:
//! the paper's nodes answer at once and do not fail).
//!
//! **Stale entries.** A server takes its word back by another note when a request comes from another node
//! than the one it told, or when it drains; the node it told strikes it off by itself when it sends. Of
//! two notes of one server the newer holds, whatever came first. What stays wrong: a server that
//! crashed, until it is believed to be down; one hit by chance while the note that takes its word back is
//! on its way; one to which its node had sent by chance before it heard. Such an entry is used once like
//! any other. Servers that are idle from the start tell with their first heartbeat; those that recover tell
//! at once.
//!
//! Ties: there are none. O(1) a decision, amortised; O(ineligible entries) where servers fail. Parameters:
//! `join` (`"random"`); `fallback` (`"random"`; `"two_choices"`: with nobody in the queue, of two random servers the one with
//! the lower estimated load, the first drawn if they are equal; not in the paper); `capacity_gate` (false), for
//! the fallback too.

use std::collections::VecDeque;

use crate::config::ParameterList;
use crate::config::keys::{Key, key};
use crate::ids::{NodeId, ServerId};
use crate::notes::{Note, NoteKind};
use crate::rng::Stream;
use crate::setup::Setup;
use crate::time::Nanos;
use crate::view::{Belief, Candidates};

use super::registry::capacity_gate_key;
use super::{Needs, Notice, Parameters, Policy, SelectionIndex};

/// Parameters of [`JoinIdleQueue`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JoinIdleQueueConfig {
    /// Whose queue an idle server joins.
    pub join: Join,
    /// Who is chosen when the queue is empty.
    pub fallback: Fallback,
    /// Skip servers whose estimated load has reached their capacity.
    pub capacity_gate: bool,
}

/// Whose queue an idle server joins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Join {
    /// That of a random node: JIQ-Random.
    Random,
    /// The shorter one of two random nodes: JIQ-SQ(2).
    ShorterOfTwo,
}

/// Who is chosen when nobody is in the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fallback {
    /// Anybody.
    Random,
    /// Of two the one with the lower estimated load.
    TwoChoices,
}

impl Default for JoinIdleQueueConfig {
    fn default() -> Self {
        Self { join: Join::Random, fallback: Fallback::Random, capacity_gate: false }
    }
}

impl Parameters for JoinIdleQueueConfig {
    #[rustfmt::skip] // One key a row.
    const KEYS: &'static [Key] = &[
        key("policy.join_idle_queue.join", "", "random", "random, shorter_of_two", "Which node an idle server tells: any, or the one of two that knows of fewer idle servers, which it asks.", "shorter_of_two: more messages, and fewer nodes without an idle server."),
        key("policy.join_idle_queue.fallback", "", "random", "random, two_choices", "Who is chosen when the node knows of no idle server: any, or of two the one with the lower estimated load.", "two_choices: shorter queues at high load, with the age of reports."),
        capacity_gate_key!("join_idle_queue", "false"),
    ];

    fn list(&mut self, list: &mut ParameterList<'_, '_, '_>) {
        let Self { join, fallback, capacity_gate } = self;
        let joins = [("random", Join::Random), ("shorter_of_two", Join::ShorterOfTwo)];
        list.word("join", &joins, join);
        let fallbacks = [("random", Fallback::Random), ("two_choices", Fallback::TwoChoices)];
        list.word("fallback", &fallbacks, fallback);
        list.flag("capacity_gate", capacity_gate);
    }

    fn needs(&self) -> Needs {
        let notice = match self.join {
            Join::Random => Notice::Idle,
            Join::ShorterOfTwo => Notice::IdleToShorter,
        };
        Needs { notes: Some(notice), ..Needs::default() }
    }

    fn server_bytes(&self) -> usize {
        size_of::<Word>() + 2 * size_of::<(u32, u32)>()
    }

    fn build(&self, setup: &Setup, _: NodeId, _: &mut Stream) -> SelectionIndex {
        SelectionIndex::Boxed(Box::new(JoinIdleQueue::new(setup.servers, self)))
    }
}

/// See the module documentation.
#[derive(Debug)]
pub struct JoinIdleQueue {
    /// Servers that said they were idle, each with the number of its note, oldest first. Who has been
    /// struck off stays until it comes to the front, or until most are such.
    queue: VecDeque<(u32, u32)>,
    /// How many of them are listed still.
    listed: usize,
    /// By server.
    words: Vec<Word>,
    fallback: Fallback,
    capacity_gate: bool,
}

/// What a server said last.
#[derive(Clone, Debug, Default)]
struct Word {
    /// The number of the note that lists it.
    listed_by: Option<u32>,
    /// Notes with lower numbers are older.
    next_number: u32,
}

impl JoinIdleQueue {
    fn new(servers: u32, config: &JoinIdleQueueConfig) -> Self {
        let words = vec![Word::default(); servers as usize];
        let JoinIdleQueueConfig { join: _, fallback, capacity_gate } = *config;
        Self { queue: VecDeque::new(), listed: 0, words, fallback, capacity_gate }
    }

    /// Nobody is in the queue.
    fn fall_back(&self, candidates: &Candidates<'_>, stream: &mut Stream) -> Option<u32> {
        let first = candidates.draw_eligible(self.capacity_gate, stream)?;
        if self.fallback == Fallback::Random {
            return Some(first);
        }
        let load = |server| candidates.belief(server).load(true);
        let is_other =
            |server| server != first && candidates.is_eligible(server, self.capacity_gate);
        let second = candidates.draw_where(stream, is_other).unwrap_or(first);
        Some(if load(second) < load(first) { second } else { first })
    }

    /// Whether an entry of the queue still counts.
    fn is_listed(words: &[Word], (server, number): (u32, u32)) -> bool {
        words[server as usize].listed_by == Some(number)
    }

    /// O(1), amortised.
    fn strike(&mut self, server: u32) {
        let Self { queue, listed, words, .. } = self;
        if words[server as usize].listed_by.take().is_none() {
            return;
        }
        *listed -= 1;
        while queue.front().is_some_and(|&entry| !Self::is_listed(words, entry)) {
            queue.pop_front();
        }
        if queue.len() > 2 * *listed {
            queue.retain(|&entry| Self::is_listed(words, entry));
        }
    }
}

impl Policy for JoinIdleQueue {
    fn choose(&mut self, candidates: &Candidates<'_>, stream: &mut Stream) -> Option<ServerId> {
        let gate = self.capacity_gate;
        let mut listed = self.queue.iter().filter(|&&entry| Self::is_listed(&self.words, entry));
        let idle = listed.find(|&&(server, _)| candidates.is_eligible(server, gate));
        let idle = idle.map(|&(server, _)| server);
        idle.or_else(|| self.fall_back(candidates, stream)).map(ServerId)
    }

    fn on_send(&mut self, server: ServerId, _: &Belief, _: Nanos) {
        self.strike(server.0);
    }

    fn idle_known(&self, _: &Note) -> u32 {
        self.listed as u32
    }

    fn on_note(&mut self, note: &Note, _: Nanos) {
        let word = &mut self.words[note.server as usize];
        if note.number < word.next_number {
            return;
        }
        word.next_number = note.number + 1;
        match note.kind {
            NoteKind::Idle if word.listed_by.is_none() => {
                word.listed_by = Some(note.number);
                self.listed += 1;
                self.queue.push_back((note.server, note.number));
            }
            NoteKind::Busy => self.strike(note.server),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Purpose, stream};
    use crate::view::fixture::{candidates, view};
    use proptest::prelude::*;

    fn note(kind: NoteKind, server: u32, number: u32) -> Note {
        Note { server, number, kind, ..Note::default() }
    }

    #[test]
    fn who_said_so_first_is_sent_to_first_and_once() {
        let (view, mut s) = (view(4, 1), stream(1, 0, Purpose::Policy, 0));
        let mut policy = JoinIdleQueue::new(4, &JoinIdleQueueConfig::default());
        for server in [2, 0, 3] {
            policy.on_note(&note(NoteKind::Idle, server, 0), 0);
        }
        for server in [2, 0, 3] {
            // A choice is no promise.
            for _ in 0..2 {
                assert_eq!(policy.choose(&candidates(&view), &mut s), Some(ServerId(server)));
            }
            policy.on_send(ServerId(server), &Belief::default(), 0);
        }
        // Nobody left: by chance, everybody in turn.
        let mut seen = [0; 4];
        for _ in 0..200 {
            seen[policy.choose(&candidates(&view), &mut s).unwrap().index()] += 1;
        }
        assert!(seen.iter().all(|&count| count > 20), "{seen:?}");
    }

    #[test]
    fn the_newer_word_of_a_server_holds() {
        let (view, mut s) = (view(2, 1), stream(1, 0, Purpose::Policy, 0));
        let mut policy = JoinIdleQueue::new(2, &JoinIdleQueueConfig::default());
        // Taken back before it arrived.
        policy.on_note(&note(NoteKind::Busy, 1, 1), 0);
        policy.on_note(&note(NoteKind::Idle, 1, 0), 0);
        assert!(policy.queue.is_empty());
        policy.on_note(&note(NoteKind::Idle, 1, 2), 0);
        policy.on_note(&note(NoteKind::Idle, 0, 7), 0);
        assert_eq!(policy.choose(&candidates(&view), &mut s), Some(ServerId(1)));
        policy.on_note(&note(NoteKind::Busy, 1, 3), 0);
        assert_eq!(policy.choose(&candidates(&view), &mut s), Some(ServerId(0)));
    }

    #[test]
    fn who_is_out_is_passed_over_and_keeps_his_place() {
        let (mut view, mut s) = (view(3, 1), stream(1, 0, Purpose::Policy, 0));
        let mut policy = JoinIdleQueue::new(3, &JoinIdleQueueConfig::default());
        policy.on_note(&note(NoteKind::Idle, 1, 0), 0);
        policy.on_note(&note(NoteKind::Idle, 2, 0), 0);
        let known = std::mem::take(&mut view.beliefs[ServerId(1)].sent_quantum);
        assert_eq!(policy.choose(&candidates(&view), &mut s), Some(ServerId(2)));
        view.beliefs[ServerId(1)].sent_quantum = known;
        assert_eq!(policy.choose(&candidates(&view), &mut s), Some(ServerId(1)));
    }

    proptest! {
        /// Goal: who is struck off behind others is passed over, however the queue is kept. Method:
        /// against a plain list from which entries are removed at once.
        #[test]
        fn the_queue_is_that_of_a_plain_list(
            steps in proptest::collection::vec((0_u8..3, 0_u32..6), 1..200),
        ) {
            let (view, mut s) = (view(6, 1), stream(1, 0, Purpose::Policy, 0));
            let mut policy = JoinIdleQueue::new(6, &JoinIdleQueueConfig::default());
            let mut plain: Vec<u32> = Vec::new();
            for (number, (what, server)) in (0..).zip(steps) {
                match what {
                    0 => {
                        policy.on_note(&note(NoteKind::Idle, server, number), 0);
                        if !plain.contains(&server) {
                            plain.push(server);
                        }
                    }
                    1 => policy.on_note(&note(NoteKind::Busy, server, number), 0),
                    _ => policy.on_send(ServerId(server), &Belief::default(), 0),
                }
                if what > 0 {
                    plain.retain(|&listed| listed != server);
                }
                if let Some(&first) = plain.first() {
                    let chosen = policy.choose(&candidates(&view), &mut s);
                    prop_assert_eq!(chosen, Some(ServerId(first)));
                }
                prop_assert_eq!(policy.listed, plain.len());
                prop_assert!(policy.queue.len() <= 2 * plain.len() + 6, "{:?}", policy.queue);
            }
        }
    }
}
