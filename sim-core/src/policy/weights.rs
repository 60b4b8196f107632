//! Where weighted turns get their weights: from the configuration, or from what servers report.
//!
//! Source: gRFC A58, Envoy's `client_side_weighted_round_robin`; both use ORCA load reports, `weight = requests a second /
//! utilisation`: what a server would serve if it were fully used. Here it is worked out from heartbeats. Of one
//! with `k` requests in service, mean latency `l` and `c` slots, utilisation is `k / c` and, by Little's
//! law, throughput `k / l`; so the weight is `c / l`. ORCA's penalty for errors has no counterpart: heartbeats
//! do not tell of errors.
//!
//! Weights are looked at once every `update_period`, O(servers). A server's weight is not used, so that
//! others' stand for it (the mean under strides, the median under deadlines), before it has been
//! usable for `blackout_period`, and when its report is older than `expiration_period`; a server
//! whose mean latency is not known, or has faded to 0, has none. `blackout_period` begins anew after
//! a time without a usable weight.
//!
//! Parameters: `weights` ("configured", or "reported"), `blackout_period` (10 s), `expiration_period`
//! (180 s), `update_period` (1 s), the defaults of both sources.

use crate::config::keys::{Key, key};
use crate::config::{ParameterCheck, ParameterList};
use crate::setup::Setup;
use crate::time::{Nanos, SECOND};
use crate::view::Candidates;

use super::roll::Roll;

/// Where weights come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WeightSource {
    /// `servers.weight`.
    Configured,
    /// Capacity over latency, as servers report them.
    Reported,
}

/// Parameters of weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WeightsConfig {
    /// Where they come from.
    pub source: WeightSource,
    /// A reported weight is used once it has been known for so long [ns].
    pub blackout_ns: Nanos,
    /// It is used no longer when its report is older than this [ns].
    pub expiration_ns: Nanos,
    /// Reported weights are looked at so often [ns].
    pub update_ns: Nanos,
}

impl Default for WeightsConfig {
    fn default() -> Self {
        Self {
            source: WeightSource::Configured,
            blackout_ns: 10 * SECOND,
            expiration_ns: 180 * SECOND,
            update_ns: SECOND,
        }
    }
}

impl WeightsConfig {
    pub(super) fn list(&mut self, list: &mut ParameterList<'_, '_, '_>) {
        let Self { source, blackout_ns, expiration_ns, update_ns } = self;
        let words =
            [("configured", WeightSource::Configured), ("reported", WeightSource::Reported)];
        list.word("weights", &words, source);
        list.time("blackout_period", blackout_ns);
        list.time("expiration_period", expiration_ns);
        list.time("update_period", update_ns);
    }

    pub(super) fn check(self, check: &mut ParameterCheck<'_>) {
        check.time("blackout_period", self.blackout_ns);
        check.positive_time("expiration_period", self.expiration_ns);
        check.positive_time("update_period", self.update_ns);
    }
}

/// The documentation of [`WeightsConfig`] in a policy.
macro_rules! weights_keys {
    ($policy:literal) => {
        $crate::policy::weights::keys([
            concat!("policy.", $policy, ".weights"),
            concat!("policy.", $policy, ".blackout_period"),
            concat!("policy.", $policy, ".expiration_period"),
            concat!("policy.", $policy, ".update_period"),
        ])
    };
}
pub(super) use weights_keys;

#[rustfmt::skip] // One key a row.
pub(super) const fn keys([weights, blackout, expiration, update]: [&'static str; 4]) -> [Key; 4] {
    [
        key(weights, "", "configured", "configured, reported", "Where weights come from: servers.weight, or capacity over latency as servers report them.", "reported: weights follow speed, with its age."),
        key(blackout, "time", "10s", "0 or more", "A reported weight is used once it has been known for so long.", "Longer: new servers count as average for longer."),
        key(expiration, "time", "180s", "above 0", "A reported weight is used until its report is older than this.", "Shorter: silent servers count as average sooner."),
        key(update, "time", "1s", "above 0", "How often reported weights are looked at.", "Shorter: fresher weights, more work."),
    ]
}

/// The weights of one node's policy, by id.
#[derive(Debug)]
pub struct Weights {
    config: WeightsConfig,
    /// 0: not usable now.
    by_id: Vec<f64>,
    /// Since when each has been known [ns]; kept of reported ones.
    known_since: Vec<Option<Nanos>>,
    /// The next look [ns].
    next_ns: Nanos,
    quantum_ns: Nanos,
}

impl Weights {
    /// Memory a server takes [bytes].
    pub const SERVER_BYTES: usize = size_of::<f64>() + size_of::<Option<Nanos>>();

    /// As configured, or all unknown.
    pub fn new(setup: &Setup, config: WeightsConfig) -> Self {
        let by_id = setup.weights();
        let (by_id, known_since) = match config.source {
            WeightSource::Configured => (by_id, Vec::new()),
            WeightSource::Reported => (vec![0.0; by_id.len()], vec![None; by_id.len()]),
        };
        let quantum_ns = setup.ticks.quantum_ns;
        Self { config, by_id, known_since, next_ns: 0, quantum_ns }
    }

    /// The weight of a server; 0 if none is usable.
    #[inline]
    pub fn of(&self, server: u32) -> f64 {
        self.by_id[server as usize]
    }

    /// Looks at reported weights if it is time to, or if there are new servers to look at; true if so.
    #[inline]
    pub fn update(&mut self, candidates: &Candidates<'_>, are_new: bool) -> bool {
        let is_time = self.config.source == WeightSource::Reported
            && (are_new || candidates.at_ns() >= self.next_ns);
        if is_time {
            self.look(candidates);
        }
        is_time
    }

    fn look(&mut self, candidates: &Candidates<'_>) {
        let WeightsConfig { blackout_ns, expiration_ns, update_ns, source: _ } = self.config;
        let at_ns = candidates.at_ns();
        self.next_ns = at_ns + update_ns;
        for server in candidates.servers() {
            let belief = candidates.belief(server);
            let stated_ns = Nanos::from(belief.sent_quantum) * self.quantum_ns;
            let is_fresh = at_ns.saturating_sub(stated_ns) <= expiration_ns;
            let known_since = &mut self.known_since[server as usize];
            let weight = &mut self.by_id[server as usize];
            *weight = 0.0;
            if belief.sent_quantum > 0 && belief.latency_ns > 0.0 && is_fresh {
                let since_ns = *known_since.get_or_insert(at_ns);
                if at_ns - since_ns >= blackout_ns {
                    *weight = f64::from(belief.capacity) / f64::from(belief.latency_ns);
                }
            } else {
                *known_since = None;
            }
        }
    }

    /// Gives those without a usable weight the median of the others, or all of them the same.
    pub fn fill_with_median(&mut self, roll: &Roll) {
        let mut known: Vec<f64> =
            roll.servers().map(|server| self.of(server)).filter(|&weight| weight > 0.0).collect();
        known.sort_unstable_by(f64::total_cmp);
        let median = known.get(known.len() / 2).copied().unwrap_or(1.0);
        for server in roll.servers() {
            let weight = &mut self.by_id[server as usize];
            if *weight <= 0.0 {
                *weight = median;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::ServerId;
    use crate::view::fixture;

    fn weights(servers: usize) -> Weights {
        let config = WeightsConfig { source: WeightSource::Reported, ..WeightsConfig::default() };
        Weights {
            config,
            by_id: vec![0.0; servers],
            known_since: vec![None; servers],
            next_ns: 0,
            quantum_ns: SECOND,
        }
    }

    /// Unknown, then in the blackout, then used, then too old, and in the blackout again.
    #[test]
    fn a_reported_weight_has_a_blackout_and_expires() {
        let mut weights = weights(1);
        let mut view = fixture::view(1, 6);
        let mut at = |second: u64, latency_ns: f32, sent_quantum: u32| {
            let belief = &mut view.beliefs[ServerId(0)];
            (belief.latency_ns, belief.sent_quantum) = (latency_ns, sent_quantum);
            assert!(weights.update(&fixture::candidates_at(&view, second * SECOND), false));
            weights.of(0)
        };
        let close = |weight: f64, expected: f64| (weight - expected).abs() < 1e-12;
        assert!(close(at(1, 0.0, 1), 0.0));
        assert!(close(at(5, 3e6, 5), 0.0));
        assert!(close(at(14, 3e6, 14), 0.0));
        assert!(close(at(15, 3e6, 14), 2e-6));
        assert!(close(at(194, 3e6, 14), 2e-6));
        assert!(close(at(195, 3e6, 14), 0.0));
        assert!(close(at(200, 2e6, 200), 0.0));
        assert!(close(at(210, 2e6, 200), 3e-6));
    }

    #[test]
    fn who_has_no_weight_gets_the_median() {
        let view = fixture::view(5, 1);
        let mut roll = Roll::default();
        assert!(roll.has_changed(&fixture::candidates(&view)));
        let mut weights = weights(5);
        weights.fill_with_median(&roll);
        assert_eq!(weights.by_id, [1.0; 5]);
        weights.by_id = vec![0.0, 8.0, 2.0, 3.0, 0.0];
        weights.fill_with_median(&roll);
        assert_eq!(weights.by_id, [3.0, 8.0, 2.0, 3.0, 3.0]);
    }
}
