//! News on their way: every claim a node has taken over is told on, a bounded number of times.
//!
//! A piece of news is sent `retransmit_mult * ceil(log10(members + 1))` times, those told least
//! often first, then the newest. There is at most one piece about a node: news replaces older news.

use super::member::Claim;

/// See the module documentation.
#[derive(Clone, Debug, Default)]
pub struct Rumours {
    rumours: Vec<Rumour>,
    number: u64,
}

#[derive(Clone, Copy, Debug)]
struct Rumour {
    claim: Claim,
    told: u32,
    number: u64,
}

impl Rumours {
    /// Memory a piece of news takes [bytes].
    pub(super) const RUMOUR_BYTES: usize = size_of::<Rumour>();

    /// Nothing to tell.
    pub fn is_empty(&self) -> bool {
        self.rumours.is_empty()
    }

    /// Something to tell from now on.
    pub fn spread(&mut self, claim: Claim) {
        self.rumours.retain(|rumour| rumour.claim.node != claim.node);
        self.rumours.push(Rumour { claim, told: 0, number: self.number });
        self.number += 1;
    }

    /// Appends the next `most` claims to tell; those told `limit` times are dropped.
    pub fn take(&mut self, most: usize, limit: u32, out: &mut Vec<Claim>) {
        if self.rumours.is_empty() || most == 0 {
            return;
        }
        self.rumours.sort_by_key(|rumour| (rumour.told, std::cmp::Reverse(rumour.number)));
        for rumour in self.rumours.iter_mut().take(most) {
            out.push(rumour.claim);
            rumour.told += 1;
        }
        self.rumours.retain(|rumour| rumour.told < limit);
    }
}
