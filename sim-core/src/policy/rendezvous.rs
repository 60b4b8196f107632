//! Rendezvous hashing: the server that suits the key best, out of all.
//!
//! Source: Thaler and Ravishankar, "Using name-based mappings to increase hit rates", 1998 (highest
//! random weight); weights by Schindelhauer and Schomaker 2005.
//!
//! Signal: the request's key. Formula: each eligible server has a hash of key and server, as a number `u`
//! in (0, 1); the largest `u` wins, with unequal weights the smallest `-ln(u) / w`. Ties: the smaller id.
//! A server gets its share of the keys exactly, and its keys go to all others in proportion when it is
//! not eligible. Parameters: `capacity_gate` false. O(servers) a decision, and no table.

use std::sync::Arc;

use crate::config::ParameterList;
use crate::config::keys::Key;
use crate::hashing::{Hasher, Weights};
use crate::ids::{NodeId, ServerId};
use crate::rng::Stream;
use crate::setup::Setup;
use crate::view::Candidates;
use crate::ziggurat::unit;

use super::registry::{Growth, capacity_gate_key};
use super::{Needs, Parameters, Policy, SelectionIndex};

/// Parameters of [`Rendezvous`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RendezvousConfig {
    /// Skip servers whose estimated load has reached their capacity.
    pub capacity_gate: bool,
}

impl Parameters for RendezvousConfig {
    const KEYS: &'static [Key] = &[capacity_gate_key!("rendezvous", "false")];

    fn list(&mut self, list: &mut ParameterList<'_, '_, '_>) {
        let Self { capacity_gate } = self;
        list.flag("capacity_gate", capacity_gate);
    }

    fn needs(&self) -> Needs {
        Needs { keys: true, ..Needs::default() }
    }

    fn shared_bytes(&self, servers: f64) -> f64 {
        8.0 * servers
    }

    fn growth(&self) -> Growth {
        Growth::Linear
    }

    fn build(&self, setup: &Setup, _: NodeId, _: &mut Stream) -> SelectionIndex {
        let weights = setup.table.weights(|| Weights::new(&setup.weights()));
        SelectionIndex::Boxed(Box::new(Rendezvous {
            weights: Some(weights).filter(|weights| !weights.are_equal()),
            hasher: setup.hasher(),
            capacity_gate: self.capacity_gate,
        }))
    }
}

/// See the module documentation.
#[derive(Clone, Debug)]
pub struct Rendezvous {
    /// Where they are not all the same.
    weights: Option<Arc<Weights>>,
    hasher: Hasher,
    capacity_gate: bool,
}

impl Policy for Rendezvous {
    fn choose(&mut self, candidates: &Candidates<'_>, _: &mut Stream) -> Option<ServerId> {
        let gate = self.capacity_gate;
        let eligible = candidates.servers().filter(|&s| candidates.is_eligible(s, gate));
        let hash = |server| self.hasher.pair(candidates.key(), server);
        let best = match &self.weights {
            None => eligible.max_by_key(|&server| (hash(server), u32::MAX - server)),
            Some(weights) => {
                let cost =
                    |server: u32| -libm::log(unit(hash(server))) / weights.each[server as usize];
                let costs = eligible.map(|server| (cost(server), server));
                costs.min_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1))).map(|best| best.1)
            }
        };
        best.map(ServerId)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Goal: shares are those of the weights. Method: the winner over many keys; bounds of 5 binomial
    /// spreads.
    #[test]
    fn shares_follow_weights() {
        const KEYS: u32 = 60_000;
        let (weights, hasher) = ([1.0, 2.0, 3.0], Hasher::new(4));
        let mut counts = [0_u32; 3];
        for key in 0..u64::from(KEYS) {
            let cost =
                |server: u32| -libm::log(unit(hasher.pair(key, server))) / weights[server as usize];
            let best = (0..3).min_by(|&a, &b| cost(a).total_cmp(&cost(b))).unwrap();
            counts[best as usize] += 1;
        }
        for (count, weight) in counts.into_iter().zip(weights) {
            let share = weight / 6.0;
            let expected = f64::from(KEYS) * share;
            let spread = (expected * (1.0 - share)).sqrt();
            assert!((f64::from(count) - expected).abs() < 5.0 * spread, "{counts:?}");
        }
    }
}
