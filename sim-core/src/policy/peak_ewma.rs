//! Peak EWMA: of two random servers the one with the lower latency times load.
//!
//! Source: Finagle `PeakEwma.scala`, tower `load/peak_ewma.rs`; Linkerd's only balancer. Signal: the
//! node's own round-trip times and requests in flight.
//!
//! The cost of a server jumps to a round trip that is longer, at once, and otherwise moves towards it:
//! `cost = cost w + rtt (1 - w)`, `w = exp(-dt / tau)`, where `dt` is the time since anybody last looked.
//! A look at a server is the observation of a round trip of 0, as in both sources: so costs fade while
//! a server is not used, and it is tried again. Its load is `cost (in flight + 1)`; without any
//! round trip yet, and with something in flight, it is 2^47 ns + in flight, so that a new server gets one
//! request at a time until it has answered. Two distinct eligible servers are drawn; the first wins
//! ties. O(1) a decision.
//!
//! Every ended attempt is observed, also one that failed, or whose client gave up. With
//! `failure_penalty` a failed one (refused, lost or failed) counts as that long, however long it took
//! (Linkerd since 2026): else a server that fails fast draws the traffic.
//!
//! Parameters: `tau` (10 s: Finagle, Linkerd; 15 s under Finagle's apertures), `default_rtt` ("none":
//! Finagle; Linkerd starts at "30ms"), `failure_penalty` ("none"; Linkerd "5s"), `capacity_gate` (false).

use crate::answer::Answer;
use crate::config::keys::{Key, key};
use crate::config::{ParameterCheck, ParameterList};
use crate::ids::{NodeId, ServerId};
use crate::rng::Stream;
use crate::setup::Setup;
use crate::time::{Nanos, SECOND};
use crate::view::{Belief, Candidates};

use super::registry::capacity_gate_key;
use super::{Needs, Parameters, Policy, SelectionIndex};

/// The load of a server that has never answered but has something in flight: the largest 64-bit number
/// by 2^16, about 39 hours in ns.
const UNKNOWN: f64 = (i64::MAX >> 16) as f64;

/// Parameters of [`PeakEwma`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeakEwmaConfig {
    /// Time constant of the decay [ns].
    pub tau_ns: Nanos,
    /// What a server is taken to need before it has answered [ns]; `None`: unknown.
    pub default_rtt_ns: Option<Nanos>,
    /// What a failed attempt counts as [ns]; `None`: as long as it took.
    pub failure_penalty_ns: Option<Nanos>,
    /// Skip servers whose estimated load has reached their capacity.
    pub capacity_gate: bool,
}

impl Default for PeakEwmaConfig {
    fn default() -> Self {
        Self {
            tau_ns: 10 * SECOND,
            default_rtt_ns: None,
            failure_penalty_ns: None,
            capacity_gate: false,
        }
    }
}

impl Parameters for PeakEwmaConfig {
    #[rustfmt::skip] // One key a row.
    const KEYS: &'static [Key] = &[
        key("policy.peak_ewma.tau", "time", "10s", "above 0", "Time constant with which old round trips are forgotten.", "Shorter: slow servers are tried again sooner."),
        key("policy.peak_ewma.default_rtt", "time", "none", "above 0, or none", "What a server is taken to need before it has answered.", "none: one request at a time until it has."),
        key("policy.peak_ewma.failure_penalty", "time", "none", "above 0, or none", "What a failed attempt counts as; none: as long as it took.", "none: a server that fails fast looks fast."),
        capacity_gate_key!("peak_ewma", "false"),
    ];

    fn list(&mut self, list: &mut ParameterList<'_, '_, '_>) {
        let Self { tau_ns, default_rtt_ns, failure_penalty_ns, capacity_gate } = self;
        list.time("tau", tau_ns);
        list.time_or("default_rtt", "none", default_rtt_ns);
        list.time_or("failure_penalty", "none", failure_penalty_ns);
        list.flag("capacity_gate", capacity_gate);
    }

    fn check(&self, check: &mut ParameterCheck<'_>) {
        check.positive_time("tau", self.tau_ns);
        let times =
            [("default_rtt", self.default_rtt_ns), ("failure_penalty", self.failure_penalty_ns)];
        for (key, ns) in times {
            if let Some(ns) = ns {
                check.positive_time(key, ns);
            }
        }
    }

    fn needs(&self) -> Needs {
        Needs { timed_answers: true, ..Needs::default() }
    }

    fn server_bytes(&self) -> usize {
        size_of::<Cost>()
    }

    fn build(&self, setup: &Setup, _: NodeId, _: &mut Stream) -> SelectionIndex {
        let cost = Cost { ns: self.default_rtt_ns.unwrap_or(0) as f64, seen_ns: None };
        SelectionIndex::Boxed(Box::new(PeakEwma {
            costs: vec![cost; setup.servers as usize],
            parameters: self.clone(),
        }))
    }
}

/// See the module documentation.
#[derive(Debug)]
pub struct PeakEwma {
    costs: Vec<Cost>,
    parameters: PeakEwmaConfig,
}

/// The peak-sensitive average of a server's round trips.
#[derive(Clone, Debug)]
struct Cost {
    ns: f64,
    /// When it was last looked at; `None`: never, so there is nothing to fade.
    seen_ns: Option<Nanos>,
}

impl Cost {
    fn observe(&mut self, rtt_ns: f64, at_ns: Nanos, tau_ns: Nanos) {
        let since_ns = self.seen_ns.map_or(0, |seen_ns| at_ns - seen_ns);
        self.seen_ns = Some(at_ns);
        if rtt_ns > self.ns {
            self.ns = rtt_ns;
        } else if since_ns > 0 {
            let keep = libm::exp(-(since_ns as f64) / tau_ns as f64);
            self.ns = self.ns * keep + rtt_ns * (1.0 - keep);
        }
    }

    fn load(&mut self, in_flight: u32, at_ns: Nanos, tau_ns: Nanos) -> f64 {
        self.observe(0.0, at_ns, tau_ns);
        if self.ns == 0.0 && in_flight > 0 {
            UNKNOWN + f64::from(in_flight)
        } else {
            self.ns * (f64::from(in_flight) + 1.0)
        }
    }
}

impl Policy for PeakEwma {
    fn choose(&mut self, candidates: &Candidates<'_>, stream: &mut Stream) -> Option<ServerId> {
        let gate = self.parameters.capacity_gate;
        let first = candidates.draw_eligible(gate, stream)?;
        let second = candidates
            .draw_where(stream, |server| server != first && candidates.is_eligible(server, gate));
        let Some(second) = second else {
            return Some(ServerId(first));
        };
        let (at_ns, tau_ns) = (candidates.at_ns(), self.parameters.tau_ns);
        let mut load = |server: u32| {
            let in_flight = candidates.belief(server).own;
            self.costs[server as usize].load(in_flight, at_ns, tau_ns)
        };
        let (of_first, of_second) = (load(first), load(second));
        Some(ServerId(if of_first <= of_second { first } else { second }))
    }

    fn on_answer(&mut self, server: ServerId, _: &Belief, answer: &Answer) {
        let failed = answer.status.is_some() && !answer.is_ok();
        let penalty_ns = self.parameters.failure_penalty_ns.filter(|_| failed);
        let rtt_ns = penalty_ns.unwrap_or(answer.took_ns()) as f64;
        self.costs[server.index()].observe(rtt_ns, answer.at_ns, self.parameters.tau_ns);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Peaks count at once, what is shorter by its share, and looks let a cost fade.
    #[test]
    #[expect(clippy::float_cmp, reason = "what does not fade stays as it is")]
    fn cost_jumps_up_and_fades() {
        let tau_ns = 1_000;
        let mut cost = Cost { ns: 0.0, seen_ns: None };
        assert_eq!(cost.load(0, 5, tau_ns), 0.0);
        assert_eq!(cost.load(2, 5, tau_ns), UNKNOWN + 2.0);
        cost.observe(700.0, 10, tau_ns);
        assert_eq!(cost.load(0, 10, tau_ns), 700.0);
        assert_eq!(cost.load(3, 10, tau_ns), 2_800.0);
        // One time constant later 1/e is left, however often one has looked.
        for at_ns in [300, 500, 1_010] {
            cost.load(0, at_ns, tau_ns);
        }
        assert!((cost.ns - 700.0 / std::f64::consts::E).abs() < 1e-9);
        cost.observe(100.0, 2_010, tau_ns);
        let expected = (700.0 / std::f64::consts::E - 100.0) / std::f64::consts::E + 100.0;
        assert!((cost.ns - expected).abs() < 1e-9);
        cost.observe(5_000.0, 2_010, tau_ns);
        assert_eq!(cost.ns, 5_000.0);
    }
}
