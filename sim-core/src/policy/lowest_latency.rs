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

use crate::answer::Answer;
use crate::config::ParameterList;
use crate::config::keys::{Key, key};
use crate::heap::LatencyHeap;
use crate::ids::{NodeId, ServerId};
use crate::rng::Stream;
use crate::setup::Setup;
use crate::tree::LatencyTree;
use crate::view::{Belief, Candidates};
use crate::ziggurat::Exponential;

use super::registry::capacity_gate_key;
use super::{Parameters, Policy, SelectionIndex};

/// Parameters of [`LowestLatency`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LowestLatencyConfig {
    /// Correct the reported load by the change of this node's own in-flight requests.
    pub own_sends: bool,
    /// Who wins among equal latencies.
    pub ties: LatencyTies,
    /// Skip servers whose estimated load has reached their capacity.
    pub capacity_gate: bool,
}

/// Who wins among equal mean latencies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LatencyTies {
    /// Each of them with equal chance.
    Random,
    /// The smallest server id.
    Id,
}

impl Default for LowestLatencyConfig {
    fn default() -> Self {
        Self { own_sends: true, ties: LatencyTies::Random, capacity_gate: true }
    }
}

impl Parameters for LowestLatencyConfig {
    #[rustfmt::skip] // One key a row.
    const KEYS: &'static [Key] = &[
        key("policy.lowest_latency.own_sends", "", "true", "true, false", "Correct the reported load by the node's own requests since.", "false: nodes herd until the next heartbeat."),
        key("policy.lowest_latency.ties", "", "random", "random, id", "Who wins among equal latencies.", "id: all nodes prefer the same server."),
        capacity_gate_key!("lowest_latency", "true"),
    ];

    fn list(&mut self, list: &mut ParameterList<'_, '_, '_>) {
        let Self { own_sends, ties, capacity_gate } = self;
        list.flag("own_sends", own_sends);
        list.word("ties", &[("random", LatencyTies::Random), ("id", LatencyTies::Id)], ties);
        list.flag("capacity_gate", capacity_gate);
    }

    fn corrects_own_sends(&self) -> bool {
        self.own_sends
    }

    /// Which index it is depends on the number of nodes; the tree takes less.
    fn server_bytes(&self) -> usize {
        LatencyHeap::SERVER_BYTES
    }

    fn build(&self, setup: &Setup, _: NodeId, stream: &mut Stream) -> SelectionIndex {
        let Self { own_sends, ties, capacity_gate } = *self;
        let policy = LowestLatency::new(setup, ties, own_sends, capacity_gate, stream);
        SelectionIndex::LowestLatency(policy)
    }
}

/// See the module documentation.
#[derive(Clone, Debug)]
pub struct LowestLatency {
    index: Index,
    ties: LatencyTies,
    own_sends: bool,
    capacity_gate: bool,
}

/// Two ways to the same answer.
#[derive(Clone, Debug)]
enum Index {
    /// Cheaper while nodes choose more often than they hear.
    Heap(LatencyHeap),
    /// Cheaper where they hear much.
    Tree(LatencyTree),
}

impl LowestLatency {
    /// An index of all servers, all with latency 0 until they report.
    pub fn new(
        setup: &Setup,
        ties: LatencyTies,
        own_sends: bool,
        capacity_gate: bool,
        stream: &mut Stream,
    ) -> Self {
        let mut rank = || match ties {
            LatencyTies::Random => tie_step(stream),
            LatencyTies::Id => 0,
        };
        let ranks: Vec<u64> = (0..setup.servers).map(|_| rank()).collect();
        let index = if setup.hears_much() {
            let mut tree = LatencyTree::new(&setup.places, &ranks);
            (0..setup.servers).for_each(|server| tree.tell(server, Some(0)));
            Index::Tree(tree)
        } else {
            let mut heap = LatencyHeap::new(ranks);
            (0..setup.servers).for_each(|server| heap.offer(server, 0));
            Index::Heap(heap)
        };
        Self { index, ties, own_sends, capacity_gate }
    }

    /// Tells the index of a server. One that is full cannot be picked before its next report or
    /// answer.
    #[inline]
    fn tell(&mut self, server: ServerId, belief: &Belief) {
        let has_room = !self.capacity_gate || belief.has_room(self.own_sends);
        match &mut self.index {
            Index::Tree(tree) => tree.tell(server.0, has_room.then_some(latency_key(belief))),
            Index::Heap(heap) if has_room => heap.offer(server.0, latency_key(belief)),
            Index::Heap(_) => {}
        }
    }
}

/// The way of a tie rank to its next point: a step of a Poisson process of rate 1, in fixed point with 24 bits behind the point: 2^40 picks
/// fit into 64 bits.
pub fn tie_step(stream: &mut Stream) -> u64 {
    (Exponential::default().draw(stream) * f64::from(1 << 24)) as u64
}

/// Non-negative floats order as their bits do.
const fn latency_key(belief: &Belief) -> u32 {
    belief.latency_ns.to_bits()
}

impl Policy for LowestLatency {
    #[inline]
    fn choose(&mut self, candidates: &Candidates<'_>, stream: &mut Stream) -> Option<ServerId> {
        let gate = self.capacity_gate;
        let latency_of = |server| {
            (candidates.is_available(server) && (!gate || candidates.has_room(server)))
                .then(|| latency_key(candidates.belief(server)))
        };
        let exclude = candidates.excluded();
        let server = match &mut self.index {
            Index::Heap(heap) => heap.pick(exclude, latency_of),
            Index::Tree(tree) => tree.pick(exclude, latency_of),
        }?;
        if self.ties == LatencyTies::Random {
            let jump = tie_step(stream);
            match &mut self.index {
                Index::Heap(heap) => heap.pass_turn(server, jump),
                Index::Tree(tree) => tree.pass_turn(server, jump),
            }
        }
        Some(ServerId(server))
    }

    #[inline]
    fn touch_servers(&self, servers: impl Iterator<Item = u32>) {
        match &self.index {
            Index::Heap(heap) => heap.touch(servers),
            Index::Tree(tree) => tree.touch(servers),
        }
    }

    #[inline]
    fn on_report(&mut self, server: ServerId, belief: &Belief) {
        self.tell(server, belief);
    }

    #[inline]
    fn on_answer(&mut self, server: ServerId, belief: &Belief, _: &Answer) {
        self.tell(server, belief);
    }
}
