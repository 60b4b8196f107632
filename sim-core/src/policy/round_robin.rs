//! Round robin: eligible servers in turn.
//!
//! Signal: none beyond eligibility. O(1) a decision while most servers are eligible. Nodes start at
//! a random server each (`random_start`), else they move in step and every server sees a burst from
//! all nodes at once (the artefact Envoy's maintainers found in their own weighted round robin).

use crate::ids::ServerId;
use crate::rng::{Stream, below};
use crate::view::Candidates;

use super::Policy;

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
        let servers = candidates.len();
        for _ in 0..servers {
            let server = self.next;
            self.next = if server + 1 == servers { 0 } else { server + 1 };
            if candidates.is_eligible(server, self.capacity_gate) {
                return Some(ServerId(server));
            }
        }
        None
    }
}
