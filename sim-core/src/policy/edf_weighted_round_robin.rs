//! Weighted round robin by earliest deadlines, as Envoy has it.
//!
//! Source: Envoy `ROUND_ROBIN` (`EdfLoadBalancerBase`). Signal: none beyond eligibility; weights are
//! configured (`servers.weight`) or reported ([`super::weights`], Envoy's
//! `client_side_weighted_round_robin`). Rule, ties and cost: [`super::edf`]; O(log servers) a decision.
//!
//! Parameters: those of weights; `random_start` (true): a node begins after a random number of picks below the number of
//! servers, as Envoy does since nodes that start together picked together (its pull request 3271);
//! `capacity_gate` (false).
//!
//! With reported weights the schedule is built anew at each look, as in Envoy; it then begins with heavy
//! servers (its issue 31378), but for `random_start`. Where it differs: Envoy builds it anew whenever a host's
//! health changes as well; here turns of servers that are out pass.

use crate::config::keys::{Key, key};
use crate::config::{ParameterCheck, ParameterList};
use crate::ids::{NodeId, ServerId};
use crate::notes::Note;
use crate::rng::Stream;
use crate::setup::Setup;
use crate::time::Nanos;
use crate::view::Candidates;

use super::edf::Schedule;
use super::registry::capacity_gate_key;
use super::weights::{Weights, WeightsConfig, weights_keys};
use super::{Needs, Parameters, Policy, SelectionIndex};

/// Parameters of [`EdfWeightedRoundRobin`].
#[derive(Clone, Debug, PartialEq)]
pub struct EdfWeightedRoundRobinConfig {
    /// Where weights come from.
    pub weights: WeightsConfig,
    /// Start each node at a random place of the schedule.
    pub random_start: bool,
    /// Skip servers whose estimated load has reached their capacity.
    pub capacity_gate: bool,
}

impl Default for EdfWeightedRoundRobinConfig {
    fn default() -> Self {
        Self { weights: WeightsConfig::default(), random_start: true, capacity_gate: false }
    }
}

impl Parameters for EdfWeightedRoundRobinConfig {
    const KEYS: &'static [Key] = &{
        let [weights, reports, blackout, expiration, update, penalty] =
            weights_keys!("edf_weighted_round_robin");
        let random_start = key(
            "policy.edf_weighted_round_robin.random_start",
            "",
            "true",
            "true, false",
            "Each node starts at a random place of the schedule.",
            "false: nodes move in step.",
        );
        let gate = capacity_gate_key!("edf_weighted_round_robin", "false");
        [weights, reports, blackout, expiration, update, penalty, random_start, gate]
    };

    fn list(&mut self, list: &mut ParameterList<'_, '_, '_>) {
        let Self { weights, random_start, capacity_gate } = self;
        weights.list(list);
        list.flag("random_start", random_start);
        list.flag("capacity_gate", capacity_gate);
    }

    fn check(&self, check: &mut ParameterCheck<'_>) {
        self.weights.check(check);
    }

    fn needs(&self) -> Needs {
        self.weights.needs()
    }

    fn server_bytes(&self) -> usize {
        Schedule::SERVER_BYTES
    }

    fn build(&self, setup: &Setup, _: NodeId, _: &mut Stream) -> SelectionIndex {
        let schedule = Schedule::new(Weights::new(setup, self.weights), self.random_start);
        let capacity_gate = self.capacity_gate;
        SelectionIndex::Boxed(Box::new(EdfWeightedRoundRobin { schedule, capacity_gate }))
    }
}

/// See the module documentation.
#[derive(Debug)]
pub struct EdfWeightedRoundRobin {
    schedule: Schedule,
    capacity_gate: bool,
}

impl Policy for EdfWeightedRoundRobin {
    fn choose(&mut self, candidates: &Candidates<'_>, stream: &mut Stream) -> Option<ServerId> {
        self.schedule.pick(candidates, self.capacity_gate, stream, |_, weight| weight)
    }

    fn on_note(&mut self, note: &Note, at_ns: Nanos) {
        self.schedule.hear(note, at_ns);
    }
}
