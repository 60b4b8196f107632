//! Smooth weighted round robin: NGINX's default.
//!
//! Source: `ngx_http_upstream_round_robin.c`. Signal: none beyond eligibility and the node's own
//! failures; weights are configured (`servers.weight`).
//!
//! At every choice each server that is fit gains its effective weight; the one with the most is chosen,
//! the first of them in a tie, and loses what all have gained. Weights 5, 1, 1 give a a b a c a a.
//! Effective weights fall with failures and come back: see [`super::nginx`]. O(servers) a decision.
//!
//! Parameters: `max_fails` (1), `fail_timeout` (10 s), `capacity_gate` (false; NGINX's `max_conns`).
//! All nodes start alike, as NGINX's workers do.

use crate::answer::Answer;
use crate::config::keys::Key;
use crate::config::{ParameterCheck, ParameterList};
use crate::ids::{NodeId, ServerId};
use crate::rng::Stream;
use crate::setup::Setup;
use crate::view::{Belief, Candidates};

use super::nginx::{Failing, Peers, failing_keys};
use super::registry::{Growth, capacity_gate_key};
use super::{Parameters, Policy, SelectionIndex};

/// Parameters of [`SmoothWeightedRoundRobin`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SmoothWeightedRoundRobinConfig {
    /// When a server counts as failed.
    pub failing: Failing,
    /// Skip servers whose estimated load has reached their capacity.
    pub capacity_gate: bool,
}

impl Parameters for SmoothWeightedRoundRobinConfig {
    const KEYS: &'static [Key] = &{
        let [max_fails, fail_timeout] = failing_keys!("smooth_weighted_round_robin");
        [max_fails, fail_timeout, capacity_gate_key!("smooth_weighted_round_robin", "false")]
    };

    fn list(&mut self, list: &mut ParameterList<'_, '_, '_>) {
        let Self { failing, capacity_gate } = self;
        failing.list(list);
        list.flag("capacity_gate", capacity_gate);
    }

    fn check(&self, check: &mut ParameterCheck<'_>) {
        self.failing.check(check);
    }

    fn server_bytes(&self) -> usize {
        Peers::SERVER_BYTES
    }

    fn growth(&self) -> Growth {
        Growth::Linear
    }

    fn build(&self, setup: &Setup, _: NodeId, _: &mut Stream) -> SelectionIndex {
        let peers = Peers::new(setup, self.failing, self.capacity_gate);
        SelectionIndex::Boxed(Box::new(SmoothWeightedRoundRobin { peers }))
    }
}

/// See the module documentation.
#[derive(Debug)]
pub struct SmoothWeightedRoundRobin {
    peers: Peers,
}

impl Policy for SmoothWeightedRoundRobin {
    fn choose(&mut self, candidates: &Candidates<'_>, _: &mut Stream) -> Option<ServerId> {
        self.peers.next_in_turn(candidates).map(ServerId)
    }

    fn on_answer(&mut self, server: ServerId, _: &Belief, answer: &Answer) {
        self.peers.note_answer(server, answer);
    }
}
