//! Random two, as NGINX has it: the lighter of two servers drawn by weight.
//!
//! Source: `ngx_http_upstream_random_module.c`, `random two least_conn`. Signal: own in flight; weights
//! are configured (`servers.weight`).
//!
//! Servers are drawn in proportion to weight until two different ones are fit; the first is taken if
//! it has strictly fewer in flight for its weight (`in flight 2 * weight 1 > in flight 1 * weight 2`),
//! else the second: ties go to the second. After more than 20 draws in vain it is smooth weighted round
//! robin ([`super::nginx`]) that chooses, O(servers). O(1) a decision otherwise (NGINX: O(log servers),
//! a binary search instead of an alias table).
//!
//! Parameters: `max_fails` (1), `fail_timeout` (10 s), `capacity_gate` (false; NGINX's `max_conns`).

use crate::answer::Answer;
use crate::config::keys::Key;
use crate::config::{ParameterCheck, ParameterList};
use crate::ids::{NodeId, ServerId};
use crate::rng::Stream;
use crate::setup::Setup;
use crate::view::{Belief, Candidates};

use super::nginx::{Failing, Peers, failing_keys};
use super::registry::capacity_gate_key;
use super::weighted_random::WeightedDraw;
use super::{Parameters, Policy, SelectionIndex};

/// Draws in vain before the one after which it is round robin.
const TRIES: u32 = 20;

/// Parameters of [`NginxRandomTwo`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NginxRandomTwoConfig {
    /// When a server counts as failed.
    pub failing: Failing,
    /// Skip servers whose estimated load has reached their capacity.
    pub capacity_gate: bool,
}

impl Parameters for NginxRandomTwoConfig {
    const KEYS: &'static [Key] = &{
        let [max_fails, fail_timeout] = failing_keys!("nginx_random_two");
        [max_fails, fail_timeout, capacity_gate_key!("nginx_random_two", "false")]
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
        Peers::SERVER_BYTES + WeightedDraw::SERVER_BYTES
    }

    fn build(&self, setup: &Setup, _: NodeId, _: &mut Stream) -> SelectionIndex {
        let peers = Peers::new(setup, self.failing, self.capacity_gate);
        let draw = WeightedDraw::new(setup.weights());
        SelectionIndex::Boxed(Box::new(NginxRandomTwo { peers, draw }))
    }
}

/// See the module documentation.
#[derive(Debug)]
pub struct NginxRandomTwo {
    peers: Peers,
    draw: WeightedDraw,
}

impl Policy for NginxRandomTwo {
    fn choose(&mut self, candidates: &Candidates<'_>, stream: &mut Stream) -> Option<ServerId> {
        let peers = &mut self.peers;
        let mut previous = None;
        let mut tries = if candidates.choosable() < 2 { TRIES + 1 } else { 0 };
        while tries <= TRIES {
            let server = self.draw.draw(candidates, stream)?;
            if previous == Some(server) || !peers.is_fit(candidates, server) {
                tries += 1;
                continue;
            }
            let Some(first) = previous else {
                previous = Some(server);
                continue;
            };
            let in_flight = |server| f64::from(candidates.belief(server).own);
            let is_first_lighter =
                in_flight(server) * peers.weight(first) > in_flight(first) * peers.weight(server);
            let server = if is_first_lighter { first } else { server };
            peers.note_choice(server, candidates.at_ns());
            return Some(ServerId(server));
        }
        peers.next_in_turn(candidates).map(ServerId)
    }

    fn on_answer(&mut self, server: ServerId, _: &Belief, answer: &Answer) {
        self.peers.note_answer(server, answer);
    }
}
