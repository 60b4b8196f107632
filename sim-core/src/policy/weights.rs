//! Where weighted turns get their weights: from the configuration, or from what servers report.
//!
//! Source: gRFC A58 and grpc-go's `weightedroundrobin`; Envoy's `client_side_weighted_round_robin`. Both use ORCA load
//! reports: `weight = qps / (utilisation + eps / qps * error_utilization_penalty)`, what a server would serve if
//! it were fully used. Utilisation is the share of slots in use, `qps` counts requests served or answered
//! with an error, `eps` the latter.
//!
//! **Reports.** Servers state counters: requests served, failed, and slot-time in use. They come with each
//! answer to a request served (`load_reports = "answers"`, as by default in both systems: a server tells
//! whom it works for), or with heartbeats (`"heartbeats"`, as their out-of-band reports, whose period is then
//! `heartbeat.interval`); the latter go to the nodes that hear the heartbeat itself, and are not passed
//! on in gossip, as in the real systems. A lying heartbeat does not change the counters beside it.
//!
//! **Weights** are looked at once every `update_period`, O(servers), over what has changed since the report
//! used last (ours: real servers measure over a time of their own choice). A server's weight is not used, so
//! that others' stand for it (the mean under strides, the median under deadlines), for `blackout_period`
//! from its first useful report on, and when its last one came longer than `expiration_period` ago; then
//! the blackout begins anew. A report without a request or without use of a slot is not useful.
//!
//! Parameters: `weights` ("configured", or "reported"), `load_reports` ("answers"), `blackout_period` (10 s),
//! `expiration_period` (180 s), `update_period` (1 s), `error_utilization_penalty` (1.0), the defaults of both
//! sources.

use crate::config::keys::{Key, key};
use crate::config::{ParameterCheck, ParameterList};
use crate::notes::{Counters, Note, Notice};
use crate::setup::Setup;
use crate::time::{Nanos, SECOND};
use crate::view::Candidates;

use super::Needs;
use super::roll::Roll;

/// Where weights come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WeightSource {
    /// `servers.weight`.
    Configured,
    /// Throughput over utilisation, as servers report them.
    Reported,
}

/// With what servers report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoadReports {
    /// With answers: ORCA per call.
    Answers,
    /// With heartbeats: ORCA out of band.
    Heartbeats,
}

/// Parameters of weights.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct WeightsConfig {
    /// Where they come from.
    pub source: WeightSource,
    /// With what servers report.
    pub load_reports: LoadReports,
    /// A reported weight is used once it has been known for so long [ns].
    pub blackout_ns: Nanos,
    /// It is used no longer when its last report came longer ago than this [ns].
    pub expiration_ns: Nanos,
    /// Reported weights are looked at so often [ns].
    pub update_ns: Nanos,
    /// What the share of errors counts beside utilisation.
    pub error_penalty: f64,
}

impl Default for WeightsConfig {
    fn default() -> Self {
        Self {
            source: WeightSource::Configured,
            load_reports: LoadReports::Answers,
            blackout_ns: 10 * SECOND,
            expiration_ns: 180 * SECOND,
            update_ns: SECOND,
            error_penalty: 1.0,
        }
    }
}

impl WeightsConfig {
    pub(super) fn list(&mut self, list: &mut ParameterList<'_, '_, '_>) {
        let Self { source, load_reports, blackout_ns, expiration_ns, update_ns, error_penalty } =
            self;
        let words =
            [("configured", WeightSource::Configured), ("reported", WeightSource::Reported)];
        list.word("weights", &words, source);
        let words = [("answers", LoadReports::Answers), ("heartbeats", LoadReports::Heartbeats)];
        list.word("load_reports", &words, load_reports);
        list.time("blackout_period", blackout_ns);
        list.time("expiration_period", expiration_ns);
        list.time("update_period", update_ns);
        list.number("error_utilization_penalty", error_penalty);
    }

    pub(super) fn check(self, check: &mut ParameterCheck<'_>) {
        check.time("blackout_period", self.blackout_ns);
        check.positive_time("expiration_period", self.expiration_ns);
        check.positive_time("update_period", self.update_ns);
        let penalty = self.error_penalty;
        let fine = (0.0..=1e6).contains(&penalty);
        check.number("error_utilization_penalty", penalty, fine, "0 to 1000000");
    }

    pub(super) fn needs(self) -> Needs {
        let needs = Needs { counters: true, ..Needs::default() };
        match (self.source, self.load_reports) {
            (WeightSource::Configured, _) => Needs::default(),
            (_, LoadReports::Answers) => Needs { feedback: true, ..needs },
            (_, LoadReports::Heartbeats) => Needs { notes: Some(Notice::Heartbeats), ..needs },
        }
    }
}

/// How many keys [`WeightsConfig`] has.
pub(super) const KEYS: usize = 6;

/// The documentation of [`WeightsConfig`] in a policy.
macro_rules! weights_keys {
    ($policy:literal) => {
        $crate::policy::weights::keys([
            concat!("policy.", $policy, ".weights"),
            concat!("policy.", $policy, ".load_reports"),
            concat!("policy.", $policy, ".blackout_period"),
            concat!("policy.", $policy, ".expiration_period"),
            concat!("policy.", $policy, ".update_period"),
            concat!("policy.", $policy, ".error_utilization_penalty"),
        ])
    };
}
pub(super) use weights_keys;

#[rustfmt::skip] // One key a row.
pub(super) const fn keys([weights, reports, blackout, expiration, update, penalty]: [&'static str; KEYS]) -> [Key; KEYS] {
    [
        key(weights, "", "configured", "configured, reported", "Where weights come from: servers.weight, or throughput over utilisation as servers report them.", "reported: weights follow speed, with its age."),
        key(reports, "", "answers", "answers, heartbeats", "With what servers report their counters, for weights = \"reported\".", "heartbeats: silent servers are heard of too, and news is older."),
        key(blackout, "time", "10s", "0 or more", "A reported weight is used so long after the first report.", "Longer: new servers count as average for longer."),
        key(expiration, "time", "180s", "above 0", "A reported weight is used until the last report came longer ago than this.", "Shorter: silent servers count as average sooner."),
        key(update, "time", "1s", "above 0", "How often reported weights are worked out.", "Shorter: fresher weights, of fewer requests each."),
        key(penalty, "", "1.0", "0 to 1000000", "What the share of errors counts beside utilisation.", "0: a server that fails fast looks fast."),
    ]
}

/// The weights of one node's policy, by id.
#[derive(Debug)]
pub struct Weights {
    config: WeightsConfig,
    /// 0: not usable now.
    by_id: Vec<f64>,
    /// What servers have reported, where weights follow from it.
    reported: Vec<Reported>,
    /// The next look [ns].
    next_ns: Nanos,
}

/// What one server has reported.
#[derive(Clone, Debug, Default)]
struct Reported {
    /// Behind the weight.
    used: Counters,
    newest: Counters,
    /// When the first useful report came, and the last [ns].
    heard_ns: Option<(Nanos, Nanos)>,
    weight: f64,
}

impl Reported {
    /// A report comes; older ones are passed over.
    fn hear(&mut self, counters: Counters, at_ns: Nanos) {
        if counters <= self.newest {
            return;
        }
        self.newest = counters;
        if self.is_useful() {
            let (first_ns, _) = self.heard_ns.unwrap_or((at_ns, at_ns));
            self.heard_ns = Some((first_ns, at_ns));
        }
    }

    const fn is_useful(&self) -> bool {
        let Self { used, newest, .. } = self;
        newest.busy_ns > used.busy_ns
            && (newest.completed > used.completed || newest.failed > used.failed)
    }

    /// The weight at a moment, 0 if it may not be used.
    fn weight(&mut self, config: &WeightsConfig, at_ns: Nanos) -> f64 {
        let Some((first_ns, last_ns)) = self.heard_ns else { return 0.0 };
        if self.is_useful() {
            self.weight = weight(&self.used, &self.newest, config.error_penalty);
            self.used = self.newest;
        }
        if at_ns - last_ns >= config.expiration_ns {
            self.heard_ns = None;
            return 0.0;
        }
        if at_ns - first_ns < config.blackout_ns { 0.0 } else { self.weight }
    }
}

/// Requests a second over utilisation, between two readings.
fn weight(from: &Counters, to: &Counters, error_penalty: f64) -> f64 {
    let failed = f64::from(to.failed - from.failed);
    let requests = f64::from(to.completed - from.completed) + failed;
    let elapsed_ns = (to.at_ns - from.at_ns) as f64;
    let slot_ns = f64::from(to.slots.max(1)) * elapsed_ns;
    let utilisation = (to.busy_ns - from.busy_ns) as f64 / slot_ns;
    let per_second = requests * 1e9 / elapsed_ns;
    per_second / (utilisation + failed / requests * error_penalty)
}

impl Weights {
    /// Memory a server takes [bytes].
    pub const SERVER_BYTES: usize = size_of::<f64>() + size_of::<Reported>();

    /// As configured, or all unknown.
    pub fn new(setup: &Setup, config: WeightsConfig) -> Self {
        let by_id = setup.weights();
        let servers = by_id.len();
        let (by_id, reported) = match config.source {
            WeightSource::Configured => (by_id, Vec::new()),
            WeightSource::Reported => (vec![0.0; servers], vec![Reported::default(); servers]),
        };
        Self { config, by_id, reported, next_ns: 0 }
    }

    /// The weight of a server; 0 if none is usable.
    #[inline]
    pub fn of(&self, server: u32) -> f64 {
        self.by_id[server as usize]
    }

    /// Takes in what a server reports.
    pub fn hear(&mut self, note: &Note, at_ns: Nanos) {
        if let Some(reported) = self.reported.get_mut(note.server as usize) {
            reported.hear(note.counters, at_ns);
        }
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
        let at_ns = candidates.at_ns();
        self.next_ns = at_ns + self.config.update_ns;
        for server in candidates.servers() {
            let server = server as usize;
            self.by_id[server] = self.reported[server].weight(&self.config, at_ns);
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
    use crate::view::fixture;

    fn weights(servers: usize) -> Weights {
        let config = WeightsConfig { source: WeightSource::Reported, ..WeightsConfig::default() };
        let reported = vec![Reported::default(); servers];
        Weights { config, by_id: vec![0.0; servers], reported, next_ns: 0 }
    }

    /// A reading at `second`: requests served and failed, slot-time in use [s], of two slots.
    fn reading(second: u64, completed: u32, failed: u32, busy: f64) -> Counters {
        let busy_ns = (busy * 1e9) as Nanos;
        Counters { at_ns: second * SECOND, completed, failed, busy_ns, slots: 2 }
    }

    fn hear(weights: &mut Weights, at_s: u64, counters: Counters) {
        weights.hear(&Note { counters, ..Note::default() }, at_s * SECOND);
    }

    /// The weight used at `second`, after a look.
    fn used(weights: &mut Weights, second: u64) -> f64 {
        let view = fixture::view(1, 6);
        assert!(weights.update(&fixture::candidates_at(&view, second * SECOND), false));
        weights.of(0)
    }

    /// 100 requests in 2 s on 1 of 2 slots: 50 a second at 50 %. With a fifth of errors: 50 / (0.5 + 0.2 p).
    #[test]
    fn a_weight_is_throughput_over_utilisation_and_errors() {
        let (from, sound) = (reading(10, 1_000, 7, 3.0), reading(12, 1_100, 7, 5.0));
        assert!((weight(&from, &sound, 1.0) - 100.0).abs() < 1e-9);
        let failing = reading(12, 1_080, 27, 5.0);
        for (penalty, expected) in [(0.0, 100.0), (1.0, 50.0 / 0.7), (2.5, 50.0)] {
            assert!((weight(&from, &failing, penalty) - expected).abs() < 1e-9, "{penalty}");
        }
    }

    /// Unknown, then in the blackout, then used, then too old, and in the blackout again.
    #[test]
    fn a_reported_weight_has_a_blackout_and_expires() {
        let mut weights = weights(1);
        let close =
            |weight: f64, expected: f64| assert!((weight - expected).abs() < 1e-9, "{weight}");
        close(used(&mut weights, 1), 0.0);
        hear(&mut weights, 5, reading(5, 0, 0, 1.0));
        close(used(&mut weights, 16), 0.0);
        hear(&mut weights, 20, reading(20, 40, 0, 2.0));
        close(used(&mut weights, 29), 0.0);
        // 40 requests took 2 s of slot-time: 20 a second and slot, two slots.
        close(used(&mut weights, 30), 40.0);
        // A late report is passed over; the next counts from the one used.
        hear(&mut weights, 31, reading(15, 39, 0, 1.5));
        close(used(&mut weights, 31), 40.0);
        hear(&mut weights, 33, reading(32, 50, 0, 3.0));
        close(used(&mut weights, 33), 20.0);
        // One that tells of no request says nothing, and does not keep the weight alive.
        hear(&mut weights, 60, reading(60, 50, 0, 3.0));
        close(used(&mut weights, 212), 20.0);
        close(used(&mut weights, 213), 0.0);
        hear(&mut weights, 215, reading(215, 60, 0, 4.0));
        close(used(&mut weights, 224), 0.0);
        close(used(&mut weights, 225), 20.0);
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
