//! Random: a uniformly random eligible server.
//!
//! Signal: none beyond eligibility. O(1) a decision. The baseline every other policy must beat.

use crate::ids::ServerId;
use crate::rng::Stream;
use crate::view::Candidates;

use super::{Policy, draw_eligible};

/// See the module documentation.
#[derive(Clone, Debug)]
pub struct Random {
    capacity_gate: bool,
}

impl Random {
    /// With `capacity_gate`, servers believed full are passed over.
    pub const fn new(capacity_gate: bool) -> Self {
        Self { capacity_gate }
    }
}

impl Policy for Random {
    #[inline]
    fn choose(&mut self, candidates: &Candidates<'_>, stream: &mut Stream) -> Option<ServerId> {
        draw_eligible(candidates, self.capacity_gate, stream).map(ServerId)
    }
}
