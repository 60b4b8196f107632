//! What servers say besides heartbeats and answers, and what they are asked.

use std::borrow::Cow;

use super::{Care, Desk};
use crate::ids::ServerId;
use crate::network::{PROBE_SLOT, REPLY_SLOT};
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
        self.meters.notes += u64::from(note.kind.is_alone());
        self.policy.on_note(note, at_ns);
        if note.kind == NoteKind::Question {
            let known = self.policy.idle_known(note);
            self.meters.probes += 1;
            self.post(at_ns, ServerId(note.server), REPLY_SLOT, note.attempt, known.into());
        }
    }

    /// Asks whom the policy wants to ask, after the first attempt of a request.
    pub(super) fn probe(&mut self, at_ns: Nanos, key: u64) {
        let mut asked = std::mem::take(&mut self.lane.asked);
        let candidates =
            Candidates::new(self.view, self.freshness, at_ns, None).with_key(key).within_pool();
        self.policy.probes(&candidates, &mut self.streams.policy, &mut asked);
        for server in asked.drain(..) {
            let number = self.meters.probes as u32;
            self.meters.probes += 1;
            self.post(at_ns, server, PROBE_SLOT, number, 0);
        }
        self.lane.asked = asked;
    }
}

impl<'a> Care<'a> {
    /// The notes that arrive at the node in this tick, in order. Those of a single shard lie in order.
    pub(super) fn notes(&self) -> Cow<'a, [Note]> {
        let mut shards = self.responses.iter().filter_map(|shard| shard.notes.as_deref());
        if let [_] = self.responses {
            Cow::Borrowed(shards.next().map_or(&[], |notes| notes.to_node(self.node)))
        } else {
            Cow::Owned(Notes::collect(shards, self.node))
        }
    }
}
