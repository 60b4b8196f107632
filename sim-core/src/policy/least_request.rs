//! Least request, as Envoy and gRPC have it: by the node's own requests in flight, with weights.
//!
//! Source: Envoy `LEAST_REQUEST` (`LeastRequestLoadBalancer`), gRFC A48. Signal: own in flight.
//!
//! * All weights equal, `selection = "n_choices"` (the default): draws `choices` (2) eligible servers
//!   **with replacement** and keeps the one with the fewest in flight; a later one must have strictly
//!   fewer, so the first drawn wins ties. Of two servers the busier gets a quarter of the picks.
//!   O(choices). gRPC's `least_request` is this (at most 10 choices), whatever the weights.
//! * All weights equal, `selection = "full_scan"`: the fewest in flight of all, ties at random by
//!   reservoir sampling. O(servers).
//! * Weights differ: earliest deadline first ([`super::edf`]) with the weight
//!   `weight / (in flight + 1)^bias`, taken when a server's turn passes; `bias` (1) at 0 is weighted
//!   round robin. O(log servers). Nodes start at a random place of the schedule, as there.
//!
//! Other systems by the parameters of [`super::two_choices`], `signal = "own"`: Finagle's and tower's
//! P2C are `ties = "first"`, YARP's as well; Envoy's for equal weights is `replacement = true` besides.
//!
//! Parameters: `choices` (2), `selection` (`n_choices`), `bias` (1), `capacity_gate` (false).

use crate::config::keys::{Key, key};
use crate::config::{ParameterCheck, ParameterList};
use crate::ids::{NodeId, ServerId};
use crate::rng::Stream;
use crate::setup::Setup;
use crate::view::Candidates;

use super::edf::Schedule;
use super::registry::{Growth, capacity_gate_key};
use super::two_choices::{Choices, DrawTies, LoadSignal, TwoChoices};
use super::weights::{Weights, WeightsConfig};
use super::{Parameters, Policy, SelectionIndex};

/// Parameters of [`LeastRequest`].
#[derive(Clone, Debug, PartialEq)]
pub struct LeastRequestConfig {
    /// How many are drawn, with replacement.
    pub choices: u32,
    /// How servers of equal weight are chosen among.
    pub selection: LeastRequestSelection,
    /// Exponent of the requests in flight in the weight, where weights differ.
    pub bias: f64,
    /// Skip servers whose estimated load has reached their capacity.
    pub capacity_gate: bool,
}

/// How servers of equal weight are chosen among.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeastRequestSelection {
    /// The best of a few draws.
    NChoices,
    /// The best of all.
    FullScan,
}

impl Default for LeastRequestConfig {
    fn default() -> Self {
        let selection = LeastRequestSelection::NChoices;
        Self { choices: 2, selection, bias: 1.0, capacity_gate: false }
    }
}

impl Parameters for LeastRequestConfig {
    #[rustfmt::skip] // One key a row.
    const KEYS: &'static [Key] = &[
        key("policy.least_request.choices", "servers", "2", "2 to 1000", "How many are drawn, with replacement.", "More: better with few nodes, closer to a full scan."),
        key("policy.least_request.selection", "", "n_choices", "n_choices, full_scan", "How servers of equal weight are chosen among.", "full_scan: the least of all, ties at random."),
        key("policy.least_request.bias", "", "1.0", "0 to 100", "Weights that differ are divided by (in flight + 1) to this power.", "0: weighted round robin. Higher: away from busy servers."),
        capacity_gate_key!("least_request", "false"),
    ];

    fn list(&mut self, list: &mut ParameterList<'_, '_, '_>) {
        let Self { choices, selection, bias, capacity_gate } = self;
        list.count("choices", choices);
        let words = [
            ("n_choices", LeastRequestSelection::NChoices),
            ("full_scan", LeastRequestSelection::FullScan),
        ];
        list.word("selection", &words, selection);
        list.number("bias", bias);
        list.flag("capacity_gate", capacity_gate);
    }

    fn check(&self, check: &mut ParameterCheck<'_>) {
        check.within("choices", self.choices.into(), 2..=1_000);
        let fine = (0.0..=100.0).contains(&self.bias);
        check.number("bias", self.bias, fine, "0 to 100");
    }

    fn server_bytes(&self) -> usize {
        // Where weights differ.
        Schedule::SERVER_BYTES
    }

    fn growth(&self) -> Growth {
        match self.selection {
            LeastRequestSelection::NChoices => Growth::Small,
            LeastRequestSelection::FullScan => Growth::Linear,
        }
    }

    fn build(&self, setup: &Setup, _: NodeId, _: &mut Stream) -> SelectionIndex {
        let Self { choices, selection, bias, capacity_gate } = *self;
        let weights = setup.weights();
        let are_equal = weights.iter().all(|weight| weight.to_bits() == weights[0].to_bits());
        if are_equal {
            let (choices, ties) = match selection {
                LeastRequestSelection::NChoices => (Choices::Count(choices), DrawTies::First),
                LeastRequestSelection::FullScan => (Choices::All, DrawTies::Random),
            };
            let policy = TwoChoices::new(choices, true, LoadSignal::Own, ties, capacity_gate);
            return SelectionIndex::Boxed(Box::new(policy));
        }
        let weights = Weights::new(setup, WeightsConfig::default());
        let schedule = Schedule::new(weights, true);
        SelectionIndex::Boxed(Box::new(LeastRequest { schedule, bias, capacity_gate }))
    }
}

/// Where weights differ; else it is [`TwoChoices`]. See the module documentation.
#[derive(Debug)]
pub struct LeastRequest {
    schedule: Schedule,
    bias: f64,
    capacity_gate: bool,
}

impl Policy for LeastRequest {
    fn choose(&mut self, candidates: &Candidates<'_>, stream: &mut Stream) -> Option<ServerId> {
        let Self { schedule, bias, capacity_gate } = self;
        schedule.pick(candidates, *capacity_gate, stream, |server, weight| {
            weight / libm::pow(f64::from(candidates.belief(server).own) + 1.0, *bias)
        })
    }
}
