//! Policies: how a node chooses among the servers it believes in.
//!
//! A policy sees [`Candidates`], the node's beliefs at one moment, and never a server. The built-in
//! ones and your own keep the same contract.

pub mod least_bad;
mod lowest_latency;
mod random;
mod round_robin;
mod two_choices;

pub use lowest_latency::{LowestLatency, tie_step};
pub use random::Random;
pub use round_robin::RoundRobin;
pub use two_choices::TwoChoices;

use bevy_ecs::prelude::Component;

use crate::config::{LoadSignal, PolicyConfig};
use crate::ids::ServerId;
use crate::rng::{Stream, below};
use crate::setup::Setup;
use crate::view::{Belief, Candidates, View};

/// The contract of a policy. One value a node; its state is the node's own.
pub trait Policy {
    /// Chooses a server that is eligible, or none. Draws from `stream` alone.
    fn choose(&mut self, candidates: &Candidates<'_>, stream: &mut Stream) -> Option<ServerId>;

    /// Reads what the next `arrivals` choices will probably need, so that it is in the cache by
    /// then. Changes nothing: `stream` is where the choices will draw from.
    #[inline]
    fn touch_ahead(&self, _view: &View, _stream: &Stream, _arrivals: usize) {}

    /// Reads what hearing of `servers` will need. Changes nothing.
    #[inline]
    fn touch_servers(&self, _servers: impl Iterator<Item = u32>) {}

    /// A report about `server` was merged.
    #[inline]
    fn on_report(&mut self, _server: ServerId, _belief: &Belief) {}

    /// An attempt at `server` ended, with whatever result.
    #[inline]
    fn on_answer(&mut self, _server: ServerId, _belief: &Belief) {}
}

/// One node's policy with its state: the selection index of the node.
#[derive(Component, Debug)]
pub enum SelectionIndex {
    /// The seed rule.
    LowestLatency(LowestLatency),
    /// A random eligible server.
    Random(Random),
    /// Eligible servers in turn.
    RoundRobin(RoundRobin),
    /// The least loaded of a few.
    TwoChoices(TwoChoices),
}

/// Runs `$body` with `$policy` bound to the policy inside: one branch, then static dispatch.
macro_rules! with_policy {
    ($index:expr, $policy:ident => $body:expr) => {
        match $index {
            $crate::policy::SelectionIndex::LowestLatency($policy) => $body,
            $crate::policy::SelectionIndex::Random($policy) => $body,
            $crate::policy::SelectionIndex::RoundRobin($policy) => $body,
            $crate::policy::SelectionIndex::TwoChoices($policy) => $body,
        }
    };
}
pub(crate) use with_policy;

impl SelectionIndex {
    /// The policy of the run, for one node; first states are drawn from `stream`.
    pub fn new(setup: &Setup, stream: &mut Stream) -> Self {
        match setup.policy {
            PolicyConfig::LowestLatency { ties, own_sends, capacity_gate } => {
                let policy = LowestLatency::new(setup, ties, own_sends, capacity_gate, stream);
                Self::LowestLatency(policy)
            }
            PolicyConfig::Random { capacity_gate } => Self::Random(Random::new(capacity_gate)),
            PolicyConfig::RoundRobin { random_start, capacity_gate } => Self::RoundRobin(
                RoundRobin::new(setup.servers, random_start, capacity_gate, stream),
            ),
            PolicyConfig::TwoChoices { choices, replacement, signal, ties, capacity_gate } => {
                Self::TwoChoices(TwoChoices::new(choices, replacement, signal, ties, capacity_gate))
            }
        }
    }
}

impl Policy for SelectionIndex {
    fn choose(&mut self, candidates: &Candidates<'_>, stream: &mut Stream) -> Option<ServerId> {
        with_policy!(self, policy => policy.choose(candidates, stream))
    }

    fn on_report(&mut self, server: ServerId, belief: &Belief) {
        with_policy!(self, policy => policy.on_report(server, belief));
    }

    fn on_answer(&mut self, server: ServerId, belief: &Belief) {
        with_policy!(self, policy => policy.on_answer(server, belief));
    }
}

/// Whether views correct reported loads for this policy.
pub const fn corrects_own_sends(policy: &PolicyConfig) -> bool {
    match policy {
        PolicyConfig::LowestLatency { own_sends, .. } => *own_sends,
        PolicyConfig::TwoChoices { signal, .. } => !matches!(signal, LoadSignal::Reported),
        PolicyConfig::Random { .. } | PolicyConfig::RoundRobin { .. } => true,
    }
}

/// Blind draws before a scan settles it. With half of the fleet eligible, one draw in 2^16 scans.
const BLIND_DRAWS: u32 = 16;

/// A uniformly random eligible server: draws until one is eligible, and after a few misses picks
/// among all that are. Both ways are uniform. O(1) expected while a fair share is eligible.
#[inline]
fn draw_eligible(candidates: &Candidates<'_>, gate: bool, stream: &mut Stream) -> Option<u32> {
    let servers = candidates.len();
    for _ in 0..BLIND_DRAWS {
        let server = below(stream, servers);
        if candidates.is_eligible(server, gate) {
            return Some(server);
        }
    }
    draw_by_scan(candidates, |server| candidates.is_eligible(server, gate), stream)
}

/// A uniformly random server among those that pass `is_in`. O(servers).
#[cold]
fn draw_by_scan(
    candidates: &Candidates<'_>,
    is_in: impl Fn(u32) -> bool,
    stream: &mut Stream,
) -> Option<u32> {
    let eligible = || (0..candidates.len()).filter(|&server| is_in(server));
    let count = eligible().count();
    (count > 0).then(|| eligible().nth(below(stream, count as u32) as usize)).flatten()
}
