//! What servers say besides heartbeats and answers, and what they are asked.

use super::{Care, Desk};
use crate::network::{Dispatch, PROBE_SLOT};
use crate::notes::{Note, NoteKind, Notes};
use crate::policy::Policy;
use crate::time::Nanos;
use crate::view::Candidates;

impl<P: Policy> Desk<'_, P> {
    /// A note arrives: cut links keep it, and a node that is down does not hear it.
    pub(super) fn take_note(&mut self, care: &Care<'_>, at_ns: Nanos, note: &Note) {
        if !care.rules.is_running || care.links.cut_to_node(note.server, care.node) {
            return;
        }
        self.meters.notes += u64::from(note.kind != NoteKind::Answer);
        self.policy.on_note(note, at_ns);
    }

    /// Asks whom the policy wants to ask, after the first attempt of a request.
    pub(super) fn probe(&mut self, at_ns: Nanos, key: u64) {
        let mut asked = std::mem::take(&mut self.lane.asked);
        let candidates =
            Candidates::new(self.view, self.freshness, at_ns, None).with_key(key).within_pool();
        self.policy.probes(&candidates, &mut self.streams.policy, &mut asked);
        for server in asked.drain(..) {
            let arrival_ns = at_ns + self.setup.node_server.sample_ns(&mut self.streams.network);
            let tick = self.setup.ticks.tick_of(arrival_ns);
            let offset_ns = (arrival_ns - self.setup.ticks.start_ns(tick)) as u32;
            let attempt = self.meters.probes as u32;
            self.meters.probes += 1;
            let probe =
                Dispatch { offset_ns, server: server.0, slot: PROBE_SLOT, attempt, demand: 0 };
            self.dispatches.push(tick, probe);
        }
        self.lane.asked = asked;
    }
}

impl Care<'_> {
    /// The notes that arrive at the node in this tick, in order.
    pub(super) fn notes(&self) -> Vec<Note> {
        match self.responses {
            [] => Vec::new(),
            [shard] => shard.notes.as_ref().map_or(Vec::new(), |n| n.to_node(self.node).to_vec()),
            shards => Notes::collect(shards.iter().filter_map(|s| s.notes.as_deref()), self.node),
        }
    }
}
