//! How long it takes until all nodes know that one has come or gone.
//!
//! A change is known once every live node has held it for true since. What a node believes later is
//! another matter: false suspicions and deaths are counted where they happen. A change that is
//! overtaken by the next one of the same node, or by the end of the run, is missed.

use crate::result::MembershipResult;
use crate::roster::{News, Roster};
use crate::setup::Setup;

/// See the module documentation.
#[derive(Clone, Debug, Default)]
pub struct Agreement {
    pending: Vec<Change>,
    /// Of those, nodes that were there from the start.
    forming: u32,
    result: MembershipResult,
}

#[derive(Clone, Copy, Debug)]
struct Change {
    news: News,
    /// Every node before this one has known.
    observer: u32,
}

impl Agreement {
    /// A node has come or gone.
    pub fn expect(&mut self, news: News) {
        let Self { pending, result, forming } = self;
        pending.retain(|change| {
            let overtaken = change.news.node == news.node;
            *forming -= u32::from(overtaken && change.news.is_first);
            result.changes_missed += u64::from(overtaken && !change.news.is_first);
            !overtaken
        });
        *forming += u32::from(news.is_first);
        pending.push(Change { news, observer: 0 });
    }

    /// Whether anything is not known yet.
    pub const fn is_pending(&self) -> bool {
        !self.pending.is_empty()
    }

    /// Looks who knows by now; `takes(observer, node)` is whether one takes another for live.
    pub fn look(
        &mut self,
        setup: &Setup,
        quantum: u64,
        roster: &Roster,
        takes: impl Fn(u32, u32) -> bool,
    ) {
        let Self { pending, result, forming } = self;
        let was_forming = *forming > 0;
        pending.retain_mut(|change| {
            let News { node, is_here, quantum: since, is_first } = change.news;
            let knows = |observer: u32| {
                observer == node || !roster.is_up(observer) || takes(observer, node) == is_here
            };
            while change.observer < setup.nodes && knows(change.observer) {
                change.observer += 1;
            }
            if change.observer < setup.nodes {
                return true;
            }
            let took_ns = (quantum - since) * setup.ticks.quantum_ns;
            if is_first {
                *forming -= 1;
            } else {
                result.changes_known += 1;
                result.known_sum_ns += u128::from(took_ns);
                result.known_max_ns = result.known_max_ns.max(took_ns);
            }
            false
        });
        if was_forming && *forming == 0 {
            result.formed_ns = Some(quantum * setup.ticks.quantum_ns);
        }
    }

    /// What has been seen up to the end of the run.
    pub fn finish(mut self) -> MembershipResult {
        let missed = self.pending.iter().filter(|change| !change.news.is_first).count();
        self.result.changes_missed += missed as u64;
        self.result
    }
}
