//! Local shortest queue: the shortest of the queues as the node remembers them, refreshed now and then.
//!
//! Source: Vargaftik, Keslassy, Orda, "LSQ: Load balancing in large-scale heterogeneous systems with
//! multiple dispatchers", IEEE/ACM Transactions on Networking 2020. Signal: the node's own memory of each server's requests (in
//! service and waiting). It adds 1 with everything the node sends there, and becomes the truth of a
//! moment ago with a note; in between nothing lowers it, and it need not be close: it is enough for
//! stability that its mean error is bounded. Of two notes of one server the newer holds.
//!
//! `refresh` says where notes come from: `"sample"` (LSQ-Sample): after each request the node asks
//! `samples` (1) different random servers believed to be up; `"completions"` (LSQ-Update): a server tells a
//! random node after each completion with probability `share` (0.1). All memories start at 0. Ties: random.
//! O(servers) a decision. `capacity_gate` (false).

use crate::config::keys::{Key, key};
use crate::config::{ParameterCheck, ParameterList};
use crate::ids::{NodeId, ServerId};
use crate::notes::{Note, NoteKind, Notice};
use crate::rng::Stream;
use crate::setup::Setup;
use crate::time::Nanos;
use crate::view::{Belief, Candidates};

use super::registry::{Growth, capacity_gate_key};
use super::{Needs, Parameters, Policy, SelectionIndex};

/// Where a node's memory is refreshed from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refresh {
    /// It asks after each request.
    Sample,
    /// Servers tell after completions.
    Completions,
}

/// Parameters of [`LocalShortestQueue`].
#[derive(Clone, Debug, PartialEq)]
pub struct LocalShortestQueueConfig {
    /// Where a node's memory is refreshed from.
    pub refresh: Refresh,
    /// Servers a node asks after each request.
    pub samples: u32,
    /// Share of completions that a server tells a node of.
    pub share: f64,
    /// Skip servers whose estimated load has reached their capacity.
    pub capacity_gate: bool,
}

impl Default for LocalShortestQueueConfig {
    fn default() -> Self {
        Self { refresh: Refresh::Sample, samples: 1, share: 0.1, capacity_gate: false }
    }
}

impl Parameters for LocalShortestQueueConfig {
    #[rustfmt::skip] // One key a row.
    const KEYS: &'static [Key] = &[
        key("policy.local_shortest_queue.refresh", "", "sample", "sample, completions", "sample: nodes ask servers; completions: servers tell nodes.", "Whether messages grow with arrivals or with completions."),
        key("policy.local_shortest_queue.samples", "", "1", "1 to 100", "With sample: servers a node asks after each request.", "More: more messages, fresher memories."),
        key("policy.local_shortest_queue.share", "share", "0.1", "0 to 1", "With completions: share of them that a server tells a random node of.", "More: more messages, fresher memories."),
        capacity_gate_key!("local_shortest_queue", "false"),
    ];

    fn list(&mut self, list: &mut ParameterList<'_, '_, '_>) {
        let Self { refresh, samples, share, capacity_gate } = self;
        let words = [("sample", Refresh::Sample), ("completions", Refresh::Completions)];
        list.word("refresh", &words, refresh);
        list.count("samples", samples);
        list.number("share", share);
        list.flag("capacity_gate", capacity_gate);
    }

    fn check(&self, check: &mut ParameterCheck<'_>) {
        check.within("samples", self.samples.into(), 1..=100);
        check.number("share", self.share, (0.0..=1.0).contains(&self.share), "0 to 1");
    }

    fn needs(&self) -> Needs {
        match self.refresh {
            Refresh::Sample => Needs { probes: true, ..Needs::default() },
            Refresh::Completions => {
                let share_ppm = (self.share * 1e6).round() as u32;
                Needs { notes: Some(Notice::Completions { share_ppm }), ..Needs::default() }
            }
        }
    }

    fn probes_a_request(&self) -> f64 {
        if self.refresh == Refresh::Sample { f64::from(self.samples) } else { 0.0 }
    }

    fn server_bytes(&self) -> usize {
        size_of::<Memory>()
    }

    fn growth(&self) -> Growth {
        Growth::Linear
    }

    fn build(&self, setup: &Setup, _: NodeId, _: &mut Stream) -> SelectionIndex {
        SelectionIndex::Boxed(Box::new(LocalShortestQueue::new(self, setup.servers)))
    }
}

/// See the module documentation.
#[derive(Debug)]
pub struct LocalShortestQueue {
    memories: Vec<Memory>,
    samples: u32,
    capacity_gate: bool,
}

/// What a node remembers of a server.
#[derive(Clone, Copy, Debug, Default)]
struct Memory {
    load: u32,
    /// Notes with lower numbers are older.
    next_number: u32,
}

impl LocalShortestQueue {
    fn new(parameters: &LocalShortestQueueConfig, servers: u32) -> Self {
        Self {
            memories: vec![Memory::default(); servers as usize],
            samples: parameters.samples,
            capacity_gate: parameters.capacity_gate,
        }
    }
}

impl Policy for LocalShortestQueue {
    fn choose(&mut self, candidates: &Candidates<'_>, stream: &mut Stream) -> Option<ServerId> {
        let load = |server: u32| self.memories[server as usize].load;
        let is_eligible = |server: u32| candidates.is_eligible(server, self.capacity_gate);
        let shortest = candidates.servers().filter(|&s| is_eligible(s)).map(load).min()?;
        let is_shortest = |server| load(server) == shortest && is_eligible(server);
        candidates.draw_by_scan(stream, is_shortest).map(ServerId)
    }

    fn on_send(&mut self, server: ServerId, _: &Belief, _: Nanos) {
        self.memories[server.index()].load += 1;
    }

    fn on_note(&mut self, note: &Note, _: Nanos) {
        let memory = &mut self.memories[note.server as usize];
        let is_load = matches!(note.kind, NoteKind::Probe | NoteKind::Completion);
        if is_load && note.number >= memory.next_number {
            *memory = Memory { load: note.load, next_number: note.number + 1 };
        }
    }

    fn probes(
        &mut self,
        candidates: &Candidates<'_>,
        stream: &mut Stream,
        out: &mut Vec<ServerId>,
    ) {
        for _ in 0..self.samples {
            let is_new =
                |server| candidates.is_eligible(server, false) && !out.contains(&ServerId(server));
            let Some(server) = candidates.draw_where(stream, is_new) else { break };
            out.push(ServerId(server));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Purpose, stream};
    use crate::view::fixture::{candidates, view};
    use std::collections::BTreeSet;

    fn note(kind: NoteKind, server: u32, number: u32, load: u32) -> Note {
        Note { server, number, kind, load, ..Note::default() }
    }

    #[test]
    fn the_shortest_as_remembered_is_chosen_and_ties_are_random() {
        let (view, mut s) = (view(4, 1), stream(1, 0, Purpose::Policy, 0));
        let mut policy = LocalShortestQueue::new(&LocalShortestQueueConfig::default(), 4);
        for (server, load) in [(0, 5), (1, 2), (2, 2), (3, 9)] {
            policy.on_note(&note(NoteKind::Probe, server, 3, load), 0);
        }
        let mut picks = |policy: &mut LocalShortestQueue| -> BTreeSet<u32> {
            (0..40).map(|_| policy.choose(&candidates(&view), &mut s).unwrap().0).collect()
        };
        assert_eq!(picks(&mut policy), [1, 2].into());
        policy.on_send(ServerId(1), &Belief::default(), 0);
        assert_eq!(picks(&mut policy), [2].into());
        // An older note changes nothing, a newer one does; other notes say nothing of load.
        policy.on_note(&note(NoteKind::Probe, 3, 2, 0), 0);
        policy.on_note(&note(NoteKind::Idle, 3, 4, 0), 0);
        assert_eq!(picks(&mut policy), [2].into());
        policy.on_note(&note(NoteKind::Completion, 3, 4, 0), 0);
        assert_eq!(picks(&mut policy), [3].into());
    }

    #[test]
    fn different_servers_are_asked() {
        let (view, mut s) = (view(5, 1), stream(1, 0, Purpose::Policy, 0));
        let parameters = LocalShortestQueueConfig { samples: 7, ..Default::default() };
        let mut out = Vec::new();
        LocalShortestQueue::new(&parameters, 5).probes(&candidates(&view), &mut s, &mut out);
        out.sort_unstable();
        assert_eq!(out, (0..5).map(ServerId).collect::<Vec<_>>());
    }
}
