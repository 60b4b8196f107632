//! What a node makes of the servers beyond their reports: `[discovery]`, `[detection]`,
//! `[health_checks]`, `[outlier_ejection]`, `[trust]`, `[view]`, `on_no_server`.

use super::tree::Value;
use super::values::{Limit, count, duration, flag, number, word};
use super::walk::{Item, Section, Walk, choice};
use crate::time::{MILLISECOND, Nanos, SECOND};

/// What a node makes of the servers beyond their reports. By default: nothing.
#[derive(Clone, Debug, PartialEq)]
pub struct JudgementConfig {
    /// How nodes come to know servers.
    pub discovery: DiscoveryConfig,
    /// When silence means failure.
    pub detector: Detector,
    /// Active checks; `None`: none.
    pub health_checks: Option<HealthChecks>,
    /// Passive checks; `None`: none.
    pub outlier_ejection: Option<OutlierEjection>,
    /// Below this share of servers that pass checks and are not ejected, checks and ejections are
    /// ignored. In `[0, 1]`; 0: never.
    pub panic_threshold: f64,
    /// Reports that cannot be true; `None`: every report is believed.
    pub trust: Option<TrustConfig>,
    /// The control experiment: every node sees the truth on every quantum boundary.
    pub oracle: bool,
    /// What happens to a request for which no server is eligible.
    pub on_no_server: OnNoServer,
}

/// How nodes come to know servers, and forget them.
#[derive(Clone, Debug, PartialEq)]
pub struct DiscoveryConfig {
    /// Nodes know the configured servers from the start; else from their first report.
    pub configured: bool,
    /// Latency of a server that has completed nothing yet.
    pub prior: Prior,
    /// How a server that has just become available is eased in.
    pub slow_start: Option<SlowStart>,
    /// A server that left for good is forgotten after this long [ns]. Above 0.
    pub tombstone_ttl_ns: Nanos,
}

/// Latency of a server that has completed nothing yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Prior {
    /// The mean of the latencies the node knows.
    Mean,
    /// Zero: everybody tries it.
    Zero,
    /// This long [ns].
    Penalty(Nanos),
}

/// For `window` from the moment a node finds a server available, a pick of it stands with chance
/// `max(floor, t / window) ^ (1 / aggression)`; else the node picks once more, without it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SlowStart {
    /// Length [ns]. Above 0.
    pub window_ns: Nanos,
    /// Above 1: quicker at first; below: slower. Above 0.
    pub aggression: f64,
    /// Smallest share of the window that counts as over, in `(0, 1]`.
    pub floor: f64,
}

/// When silence means failure.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Detector {
    /// After `heartbeat.failure_timeout`.
    Timeout,
    /// When it is long against the gaps between earlier reports.
    PhiAccrual(PhiAccrual),
}

/// A server is suspected once `elapsed / (mean gap x ln 10)` exceeds the threshold.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PhiAccrual {
    /// Above 0. At 8 one gap in 10^8 is taken for a failure, if gaps were exponential.
    pub threshold: f64,
    /// Gaps the mean looks back on. At least 1.
    pub window: u32,
    /// Before so many gaps the failure timeout decides. At least 1.
    pub min_samples: u32,
}

/// Active checks: a small message to the server and back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HealthChecks {
    /// Time between two checks of one server by one node [ns]. At least one quantum.
    pub interval_ns: Nanos,
    /// An answer later than this is none [ns]. At most the interval.
    pub timeout_ns: Nanos,
    /// Failures in a row after which the server is out. At least 1.
    pub fall: u32,
    /// Successes in a row after which it is back. At least 1.
    pub rise: u32,
}

/// Passive checks: what the answers say.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OutlierEjection {
    /// Failures in a row after which a server is ejected; 0: never.
    pub consecutive_failures: u32,
    /// Compare success rates; `None`: do not.
    pub success_rate: Option<SuccessRate>,
    /// Time between two looks at rates and ends of ejections [ns]. At least one quantum.
    pub interval_ns: Nanos,
    /// Length of a server's first ejection; the k-th takes k times as long [ns].
    pub base_time_ns: Nanos,
    /// Longest ejection [ns]. At least the base time.
    pub max_time_ns: Nanos,
    /// Share of the known servers a node may have ejected at once, in `[0, 1]`; one always may be.
    pub max_ejected: f64,
}

/// Eject a server whose success rate is below the mean less `factor` standard deviations.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SuccessRate {
    /// Above 0.
    pub factor: f64,
    /// Servers with enough requests needed for a comparison. At least 2.
    pub min_hosts: u32,
    /// Answers of one server in an interval needed for a rate. At least 1.
    pub min_requests: u32,
}

/// Reports that cannot be true, and what becomes of a server that sends many.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TrustConfig {
    /// A report is far off when its latency and the node's own measurement differ by more than this
    /// factor. Above 1.
    pub factor: f64,
    /// Answers of the server a node must have seen before it compares. At least 1.
    pub min_answers: u32,
    /// So many reports far off, less those that were not, and the server is quarantined. At least 1.
    pub strikes: u32,
    /// Weight of a new answer in the node's own measurement, in `(0, 1]`.
    pub alpha: f64,
}

/// What happens to a request for which no server is eligible.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnNoServer {
    /// It is turned away.
    Reject,
    /// It waits at the node.
    Queue {
        /// Most requests that wait at one node. At least 1.
        limit: u32,
        /// Turned away after this long [ns]. Above 0.
        timeout_ns: Nanos,
        /// A node sends those who wait no more than its share of a server's room; else all of it.
        paced: bool,
    },
    /// It goes to the least loaded of those servers that come closest.
    LeastBad,
}

impl Default for JudgementConfig {
    fn default() -> Self {
        Self {
            discovery: DiscoveryConfig::default(),
            detector: Detector::Timeout,
            health_checks: None,
            outlier_ejection: None,
            panic_threshold: 0.5,
            trust: None,
            oracle: false,
            on_no_server: OnNoServer::Reject,
        }
    }
}

impl Default for DiscoveryConfig {
    fn default() -> Self {
        Self {
            configured: true,
            prior: Prior::Zero,
            slow_start: None,
            tombstone_ttl_ns: 60 * SECOND,
        }
    }
}

impl Default for SlowStart {
    fn default() -> Self {
        // Envoy's aggression and floor.
        Self { window_ns: 10 * SECOND, aggression: 1.0, floor: 0.1 }
    }
}

impl Default for PhiAccrual {
    fn default() -> Self {
        // Cassandra's threshold and window.
        Self { threshold: 8.0, window: 1_000, min_samples: 10 }
    }
}

impl Default for HealthChecks {
    fn default() -> Self {
        // HAProxy's interval, fall and rise.
        Self { interval_ns: 2 * SECOND, timeout_ns: SECOND, fall: 3, rise: 2 }
    }
}

impl Default for OutlierEjection {
    fn default() -> Self {
        // Envoy's.
        Self {
            consecutive_failures: 5,
            success_rate: Some(SuccessRate::default()),
            interval_ns: 10 * SECOND,
            base_time_ns: 30 * SECOND,
            max_time_ns: 300 * SECOND,
            max_ejected: 0.1,
        }
    }
}

impl Default for SuccessRate {
    fn default() -> Self {
        // Envoy's.
        Self { factor: 1.9, min_hosts: 5, min_requests: 100 }
    }
}

impl Default for TrustConfig {
    fn default() -> Self {
        // A mean with weight 0.1 of exponential latencies strays by a quarter of itself: a factor
        // of 4 is out of its reach on either side, and three times in a row all the more.
        Self { factor: 4.0, min_answers: 10, strikes: 3, alpha: 0.1 }
    }
}

/// The tables and keys of this file.
pub(super) fn judgement(walk: &mut Walk<'_>, top: &mut Section<'_>) -> JudgementConfig {
    let standard = JudgementConfig::default();
    JudgementConfig {
        discovery: top
            .read(walk, "discovery", |walk, item| Some(discovery(walk, item)))
            .unwrap_or_default(),
        detector: top.read(walk, "detection", detector).unwrap_or(standard.detector),
        health_checks: top
            .read(walk, "health_checks", |walk, item| Some(health_checks(walk, item))),
        outlier_ejection: top
            .read(walk, "outlier_ejection", |walk, item| Some(outlier_ejection(walk, item))),
        panic_threshold: top
            .read(walk, "panic_threshold", number)
            .unwrap_or(standard.panic_threshold),
        trust: top.read(walk, "trust", |walk, item| Some(trust(walk, item))),
        oracle: top.read(walk, "view", view).unwrap_or(standard.oracle),
        on_no_server: top.read(walk, "on_no_server", on_no_server).unwrap_or(standard.on_no_server),
    }
}

fn discovery(walk: &mut Walk<'_>, item: &Item<'_>) -> DiscoveryConfig {
    let standard = DiscoveryConfig::default();
    let initial = [("configured", true), ("empty", false)];
    let mut s = Section::open(walk, item);
    let discovery = DiscoveryConfig {
        configured: s
            .read(walk, "initial", |walk, item| word(walk, item, &initial))
            .unwrap_or(standard.configured),
        prior: s.read(walk, "prior", prior).unwrap_or(standard.prior),
        slow_start: s.read(walk, "slow_start", |walk, item| Some(slow_start(walk, item))),
        tombstone_ttl_ns: s
            .read(walk, "tombstone_ttl", duration)
            .unwrap_or(standard.tombstone_ttl_ns),
    };
    s.close(walk);
    discovery
}

/// `"mean"`, `"zero"` or `{ penalty = "50ms" }`.
fn prior(walk: &mut Walk<'_>, item: &Item<'_>) -> Option<Prior> {
    if matches!(item.node.value, Value::Text(_)) {
        return word(walk, item, &[("mean", Prior::Mean), ("zero", Prior::Zero)]);
    }
    let (_, item) = choice(walk, item, &["penalty"], "penalty = \"50ms\"")?;
    duration(walk, &item).map(Prior::Penalty)
}

fn slow_start(walk: &mut Walk<'_>, item: &Item<'_>) -> SlowStart {
    let standard = SlowStart::default();
    let mut s = Section::open(walk, item);
    let slow_start = SlowStart {
        window_ns: s.read(walk, "window", duration).unwrap_or(standard.window_ns),
        aggression: s.read(walk, "aggression", number).unwrap_or(standard.aggression),
        floor: s.read(walk, "floor", number).unwrap_or(standard.floor),
    };
    s.close(walk);
    slow_start
}

/// `"timeout"`, `"phi_accrual"` or `{ phi_accrual = { threshold = 8.0 } }`.
fn detector(walk: &mut Walk<'_>, item: &Item<'_>) -> Option<Detector> {
    let phi = Detector::PhiAccrual(PhiAccrual::default());
    if matches!(item.node.value, Value::Text(_)) {
        return word(walk, item, &[("timeout", Detector::Timeout), ("phi_accrual", phi)]);
    }
    let variants = ["timeout", "phi_accrual"];
    let (variant, item) = choice(walk, item, &variants, "phi_accrual = { threshold = 8.0 }")?;
    let standard = PhiAccrual::default();
    let mut s = Section::open(walk, &item);
    let detector = if variant == "timeout" {
        Detector::Timeout
    } else {
        Detector::PhiAccrual(PhiAccrual {
            threshold: s.read(walk, "threshold", number).unwrap_or(standard.threshold),
            window: s.read(walk, "window", count).unwrap_or(standard.window),
            min_samples: s.read(walk, "min_samples", count).unwrap_or(standard.min_samples),
        })
    };
    s.close(walk);
    Some(detector)
}

fn health_checks(walk: &mut Walk<'_>, item: &Item<'_>) -> HealthChecks {
    let standard = HealthChecks::default();
    let mut s = Section::open(walk, item);
    let interval_ns = s.read(walk, "interval", duration).unwrap_or(standard.interval_ns);
    let checks = HealthChecks {
        interval_ns,
        timeout_ns: s.read(walk, "timeout", duration).unwrap_or(interval_ns / 2),
        fall: s.read(walk, "fall", count).unwrap_or(standard.fall),
        rise: s.read(walk, "rise", count).unwrap_or(standard.rise),
    };
    s.close(walk);
    checks
}

fn outlier_ejection(walk: &mut Walk<'_>, item: &Item<'_>) -> OutlierEjection {
    let standard = OutlierEjection::default();
    let mut s = Section::open(walk, item);
    let base_time_ns = s.read(walk, "base_time", duration).unwrap_or(standard.base_time_ns);
    let ejection = OutlierEjection {
        consecutive_failures: s
            .read(walk, "consecutive_failures", count)
            .unwrap_or(standard.consecutive_failures),
        success_rate: s
            .read(walk, "success_rate", success_rate)
            .map_or(standard.success_rate, Limit::get),
        interval_ns: s.read(walk, "interval", duration).unwrap_or(standard.interval_ns),
        base_time_ns,
        max_time_ns: s
            .read(walk, "max_time", duration)
            .unwrap_or_else(|| base_time_ns.saturating_mul(10)),
        max_ejected: s.read(walk, "max_ejected", number).unwrap_or(standard.max_ejected),
    };
    s.close(walk);
    ejection
}

/// `"off"` or a table.
fn success_rate(walk: &mut Walk<'_>, item: &Item<'_>) -> Option<Limit<SuccessRate>> {
    if matches!(item.node.value, Value::Text(_)) {
        return word(walk, item, &[("off", Limit::Lifted)]);
    }
    let standard = SuccessRate::default();
    let mut s = Section::open(walk, item);
    let rate = SuccessRate {
        factor: s.read(walk, "factor", number).unwrap_or(standard.factor),
        min_hosts: s.read(walk, "min_hosts", count).unwrap_or(standard.min_hosts),
        min_requests: s.read(walk, "min_requests", count).unwrap_or(standard.min_requests),
    };
    s.close(walk);
    Some(Limit::At(rate))
}

fn trust(walk: &mut Walk<'_>, item: &Item<'_>) -> TrustConfig {
    let standard = TrustConfig::default();
    let mut s = Section::open(walk, item);
    let trust = TrustConfig {
        factor: s.read(walk, "factor", number).unwrap_or(standard.factor),
        min_answers: s.read(walk, "min_answers", count).unwrap_or(standard.min_answers),
        strikes: s.read(walk, "strikes", count).unwrap_or(standard.strikes),
        alpha: s.read(walk, "alpha", number).unwrap_or(standard.alpha),
    };
    s.close(walk);
    trust
}

fn view(walk: &mut Walk<'_>, item: &Item<'_>) -> Option<bool> {
    let mut s = Section::open(walk, item);
    let oracle = s.read(walk, "oracle", flag);
    s.close(walk);
    oracle
}

/// `"reject"`, `"least_bad"` or `{ queue = { limit = 100, timeout = "1s" } }`.
fn on_no_server(walk: &mut Walk<'_>, item: &Item<'_>) -> Option<OnNoServer> {
    if matches!(item.node.value, Value::Text(_)) {
        let words = [("reject", OnNoServer::Reject), ("least_bad", OnNoServer::LeastBad)];
        return word(walk, item, &words);
    }
    let (_, item) = choice(walk, item, &["queue"], "queue = { limit = 100, timeout = \"1s\" }")?;
    let mut s = Section::open(walk, &item);
    let queue = OnNoServer::Queue {
        limit: s.read(walk, "limit", count).unwrap_or(100),
        timeout_ns: s.read(walk, "timeout", duration).unwrap_or(1_000 * MILLISECOND),
        paced: s.read(walk, "paced", flag).unwrap_or(true),
    };
    s.close(walk);
    Some(queue)
}
