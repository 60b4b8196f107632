//! Random: a uniformly random eligible server.
//!
//! Signal: none beyond eligibility. O(1) a decision. The baseline every other policy must beat.

use crate::config::ParameterList;
use crate::config::keys::Key;
use crate::ids::{NodeId, ServerId};
use crate::rng::Stream;
use crate::setup::Setup;
use crate::view::Candidates;

use super::registry::capacity_gate_key;
use super::{Parameters, Policy, SelectionIndex};

/// Parameters of [`Random`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RandomConfig {
    /// Skip servers whose estimated load has reached their capacity.
    pub capacity_gate: bool,
}

impl Parameters for RandomConfig {
    const KEYS: &'static [Key] = &[capacity_gate_key!("random", "false")];

    fn list(&mut self, list: &mut ParameterList<'_, '_, '_>) {
        let Self { capacity_gate } = self;
        list.flag("capacity_gate", capacity_gate);
    }

    fn build(&self, _: &Setup, _: NodeId, _: &mut Stream) -> SelectionIndex {
        SelectionIndex::Random(Random::new(self.capacity_gate))
    }
}

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
        candidates.draw_eligible(self.capacity_gate, stream).map(ServerId)
    }
}
