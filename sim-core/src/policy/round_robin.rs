//! Round robin: eligible servers in turn.
//!
//! Signal: none beyond eligibility. O(1) a decision while most servers are eligible. Nodes start at
//! a random server each (`random_start`), else they move in step and every server sees a burst from
//! all nodes at once (the artefact Envoy's maintainers found in their own weighted round robin).

use crate::config::ParameterList;
use crate::config::keys::{Key, key};
use crate::ids::{NodeId, ServerId};
use crate::rng::{Stream, below};
use crate::setup::Setup;
use crate::view::Candidates;

use super::registry::capacity_gate_key;
use super::{Parameters, Policy, SelectionIndex};

/// Parameters of [`RoundRobin`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoundRobinConfig {
    /// Start each node at a random server, so that nodes do not move in step.
    pub random_start: bool,
    /// Skip servers whose estimated load has reached their capacity.
    pub capacity_gate: bool,
}

impl Default for RoundRobinConfig {
    fn default() -> Self {
        Self { random_start: true, capacity_gate: false }
    }
}

impl Parameters for RoundRobinConfig {
    const KEYS: &'static [Key] = &[
        key(
            "policy.round_robin.random_start",
            "",
            "true",
            "true, false",
            "Each node starts at a random server.",
            "false: nodes move in step.",
        ),
        capacity_gate_key!("round_robin", "false"),
    ];

    fn list(&mut self, list: &mut ParameterList<'_, '_, '_>) {
        let Self { random_start, capacity_gate } = self;
        list.flag("random_start", random_start);
        list.flag("capacity_gate", capacity_gate);
    }

    fn build(&self, setup: &Setup, _: NodeId, stream: &mut Stream) -> SelectionIndex {
        let Self { random_start, capacity_gate } = *self;
        let policy = RoundRobin::new(setup.servers, random_start, capacity_gate, stream);
        SelectionIndex::RoundRobin(policy)
    }
}

/// See the module documentation.
#[derive(Clone, Debug)]
pub struct RoundRobin {
    next: u32,
    capacity_gate: bool,
}

impl RoundRobin {
    /// A turn over `servers`.
    pub fn new(servers: u32, random_start: bool, capacity_gate: bool, stream: &mut Stream) -> Self {
        let next = if random_start { below(stream, servers) } else { 0 };
        Self { next, capacity_gate }
    }
}

impl Policy for RoundRobin {
    #[inline]
    fn choose(&mut self, candidates: &Candidates<'_>, _stream: &mut Stream) -> Option<ServerId> {
        let servers = candidates.choosable();
        for _ in 0..servers {
            // The list may be shorter than it was.
            let place = if self.next < servers { self.next } else { self.next % servers };
            let server = candidates.server_at(place);
            self.next = if place + 1 == servers { 0 } else { place + 1 };
            if candidates.is_eligible(server, self.capacity_gate) {
                return Some(ServerId(server));
            }
        }
        None
    }
}
