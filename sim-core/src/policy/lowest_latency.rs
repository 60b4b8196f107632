//! The seed rule: available, then below capacity, then lowest reported mean latency.
//!
//! Signal: the mean latency in the newest report; the load only gates. Ties among equal latencies
//! are broken at random or by server id (see [`crate::heap`]). The answer comes from a 4-ary
//! min-heap with lazy invalidation: O(1) a decision while the best server stays the best,
//! O(log servers) for every report that lowers a latency.
//!
//! A server found unavailable or full leaves the heap until a report or an answer shows room.
//! Shared by every node and refreshed only by heartbeats, the smallest latency is a magnet: all
//! nodes send to the same few servers until the next report. `data/scenarios/herd.toml` shows it.

use crate::config::LatencyTies;
use crate::heap::LatencyHeap;
use crate::ids::ServerId;
use crate::rng::Stream;
use crate::view::{Belief, Candidates};
use crate::ziggurat::Exponential;

use super::Policy;

/// See the module documentation.
#[derive(Clone, Debug)]
pub struct LowestLatency {
    heap: LatencyHeap,
    ties: LatencyTies,
    own_sends: bool,
    capacity_gate: bool,
}

impl LowestLatency {
    /// An index of `servers`, all with latency 0 until they report.
    pub fn new(
        servers: u32,
        ties: LatencyTies,
        own_sends: bool,
        capacity_gate: bool,
        stream: &mut Stream,
    ) -> Self {
        let mut rank = || match ties {
            LatencyTies::Random => tie_step(stream),
            LatencyTies::Id => 0,
        };
        let mut heap = LatencyHeap::new((0..servers).map(|_| rank()).collect());
        for server in 0..servers {
            heap.offer(server, 0);
        }
        Self { heap, ties, own_sends, capacity_gate }
    }

    /// Tells the heap of a server, unless it is full: then it cannot be picked before its next
    /// report or answer.
    #[inline]
    fn offer(&mut self, server: ServerId, belief: &Belief) {
        if !self.capacity_gate || belief.has_room(self.own_sends) {
            self.heap.offer(server.0, key(belief));
        }
    }
}

/// The way of a tie rank to its next point: a step of a Poisson process of rate 1, in fixed point with 24 bits behind the point: 2^40 picks
/// fit into 64 bits.
pub fn tie_step(stream: &mut Stream) -> u64 {
    (Exponential::default().draw(stream) * f64::from(1 << 24)) as u64
}

/// Non-negative floats order as their bits do.
const fn key(belief: &Belief) -> u32 {
    belief.latency_ns.to_bits()
}

impl Policy for LowestLatency {
    #[inline]
    fn choose(&mut self, candidates: &Candidates<'_>, stream: &mut Stream) -> Option<ServerId> {
        let gate = self.capacity_gate;
        let server = self.heap.pick(candidates.excluded(), |server| {
            (candidates.is_available(server) && (!gate || candidates.has_room(server)))
                .then(|| key(candidates.belief(server)))
        })?;
        if self.ties == LatencyTies::Random {
            self.heap.pass_turn(server, tie_step(stream));
        }
        Some(ServerId(server))
    }

    #[inline]
    fn touch_servers(&self, servers: impl Iterator<Item = u32>) {
        self.heap.touch(servers);
    }

    #[inline]
    fn on_report(&mut self, server: ServerId, belief: &Belief) {
        self.offer(server, belief);
    }

    #[inline]
    fn on_answer(&mut self, server: ServerId, belief: &Belief) {
        self.offer(server, belief);
    }
}
