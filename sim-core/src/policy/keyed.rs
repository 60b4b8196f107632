//! What policies that route by key through a table have in common: the way a key leads through the
//! servers, past those that are not eligible, and a bound on what one of them gets.

use std::sync::Arc;

use crate::answer::Answer;
use crate::config::{ConfigFault, ParameterCheck, ParameterList};
use crate::hashing::bound::{Bound, Load, Overflow};
use crate::hashing::{Hasher, Spread};
use crate::ids::ServerId;
use crate::rng::Stream;
use crate::setup::Setup;
use crate::time::Nanos;
use crate::view::{Belief, Candidates};

use super::Policy;

/// A policy that routes by key through a table shared by all nodes.
#[derive(Clone, Debug)]
pub struct Keyed<T> {
    table: Arc<T>,
    hasher: Hasher,
    bound: Option<Bound>,
    capacity_gate: bool,
}

/// Parameters of a bounded load.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BoundConfig {
    /// Most that one server gets of the node's requests in flight, in per cent of its share; `None`:
    /// no bound.
    pub hash_balance_factor: Option<u32>,
    /// Who gets the keys of a full server.
    pub overflow: Overflow,
}

impl Default for BoundConfig {
    fn default() -> Self {
        Self { hash_balance_factor: None, overflow: Overflow::Next }
    }
}

impl BoundConfig {
    /// Goes through the parameters.
    pub(super) fn list(&mut self, list: &mut ParameterList<'_, '_, '_>) {
        let Self { hash_balance_factor, overflow } = self;
        list.count_or("hash_balance_factor", "off", hash_balance_factor);
        list.word("overflow", &[("next", Overflow::Next), ("jump", Overflow::Jump)], overflow);
    }

    pub(super) fn check(self, check: &mut ParameterCheck<'_>) {
        let factor = self.hash_balance_factor;
        let fine = factor.is_none_or(|factor| (100..=100_000).contains(&factor));
        check.check(fine, "hash_balance_factor", || {
            ConfigFault::new("", "is out of range")
                .found(factor.unwrap_or_default())
                .allowed("a whole number of per cent, 100 to 100000, or \"off\"")
        });
    }

    /// Memory of each server that a look for somebody with room takes [bytes].
    pub(super) const fn server_bytes(self) -> usize {
        if self.hash_balance_factor.is_some() { size_of::<(u32, f64)>() } else { 0 }
    }
}

/// The documentation of the keys of [`BoundConfig`].
macro_rules! bound_keys {
    ($policy:literal) => {
        [
            $crate::config::keys::key(
                concat!("policy.", $policy, ".hash_balance_factor"),
                "%",
                "off",
                "100 to 100000, or off",
                "Most that one server gets of the node's requests in flight, of its share by weight.",
                "Lower: hot keys spread over more servers.",
            ),
            $crate::config::keys::key(
                concat!("policy.", $policy, ".overflow"),
                "",
                "next",
                "next, jump",
                "Who gets the keys of a full server: the next on the way (HAProxy), or one of a random \
                 order that the key decides (Envoy, which also lets one more request in).",
                "jump: the overflow of a hot server does not fill its neighbour.",
            ),
        ]
    };
}
pub(super) use bound_keys;

impl<T: Spread> Keyed<T> {
    /// The policy over a table of this run.
    pub(super) fn new(setup: &Setup, table: Arc<T>, bound: BoundConfig, gate: bool) -> Self {
        let BoundConfig { hash_balance_factor, overflow } = bound;
        let bound = hash_balance_factor.map(|factor| Bound::new(factor, overflow));
        Self { table, hasher: setup.hasher(), bound, capacity_gate: gate }
    }

    /// The server of a key, ties and bounds apart: the first eligible one on its way. A server without
    /// a place in the table gets keys when nobody with one is eligible.
    fn first(&self, candidates: &Candidates<'_>, hash: u64) -> Option<u32> {
        let gate = self.capacity_gate;
        let mut way = self.table.way(hash);
        way.find(|&server| candidates.is_eligible(server, gate)).or_else(|| {
            let eligible = || candidates.servers().filter(|&s| candidates.is_eligible(s, gate));
            let count = eligible().count() as u64;
            (count > 0).then(|| eligible().nth((hash % count) as usize)).flatten()
        })
    }
}

impl<T: Spread + std::fmt::Debug + Send + Sync> Policy for Keyed<T> {
    fn choose(&mut self, candidates: &Candidates<'_>, _: &mut Stream) -> Option<ServerId> {
        let hash = self.hasher.key(candidates.key());
        let first = self.first(candidates, hash)?;
        let Some(bound) = &mut self.bound else { return Some(ServerId(first)) };
        let gate = self.capacity_gate;
        let eligible = candidates.servers().filter(|&s| candidates.is_eligible(s, gate));
        let own = |server| candidates.belief(server).own;
        let load = Load { weights: self.table.weights(), own };
        let way = self.table.way(hash);
        Some(ServerId(bound.settle(hash, first, way, eligible, &load)))
    }

    fn on_send(&mut self, _: ServerId, _: &Belief, _: Nanos) {
        if let Some(bound) = &mut self.bound {
            bound.send();
        }
    }

    fn on_answer(&mut self, _: ServerId, _: &Belief, _: &Answer) {
        if let Some(bound) = &mut self.bound {
            bound.end();
        }
    }
}
