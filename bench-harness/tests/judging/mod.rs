//! Random judgement: every detector, check and rule of what nodes make of servers.

use sim_core::config::*;
use sim_core::result::RunResult;
use sim_core::rng::{RngExt, Stream};

/// Lets the nodes of a scenario judge in a random way. Times are short: runs take less than a second.
pub fn add(rng: &mut Stream, scenario: &mut Scenario) {
    let quantum_ns = scenario.engine.quantum_ns;
    let mut some = |share: f64| rng.random_bool(share);
    let parts: [bool; 6] = [0.4, 0.4, 0.4, 0.3, 0.1, 0.3].map(&mut some);
    let mut time_ns = |most: u64| quantum_ns * rng.random_range(1..=most) + 7;
    let [short_ns, long_ns, other_ns] = [20, 400, 100].map(&mut time_ns);
    let discovery = DiscoveryConfig {
        configured: rng.random_bool(0.6),
        prior: [Prior::Mean, Prior::Zero, Prior::Penalty(short_ns)][rng.random_range(0..3)],
        slow_start: parts[0].then_some(SlowStart {
            window_ns: long_ns,
            aggression: [0.5, 1.0, 2.0][rng.random_range(0..3)],
            floor: 0.1,
        }),
        tombstone_ttl_ns: other_ns,
    };
    let check_ns = quantum_ns * rng.random_range(1..100);
    let base_ns = quantum_ns * rng.random_range(1..50);
    scenario.judgement = JudgementConfig {
        discovery,
        detector: if rng.random_bool(0.4) {
            Detector::PhiAccrual(PhiAccrual {
                threshold: [0.5, 1.0, 3.0][rng.random_range(0..3)],
                window: rng.random_range(1..10),
                min_samples: rng.random_range(1..5),
            })
        } else {
            Detector::Timeout
        },
        health_checks: parts[1].then_some(HealthChecks {
            interval_ns: check_ns,
            timeout_ns: rng.random_range(1..=check_ns),
            fall: rng.random_range(1..4),
            rise: rng.random_range(1..4),
        }),
        outlier_ejection: parts[2].then_some(OutlierEjection {
            consecutive_failures: rng.random_range(0..4),
            success_rate: rng.random_bool(0.7).then_some(SuccessRate {
                factor: [0.5, 1.9][rng.random_range(0..2)],
                min_hosts: rng.random_range(2..5),
                min_requests: rng.random_range(1..10),
            }),
            interval_ns: quantum_ns * rng.random_range(1..200),
            base_time_ns: base_ns,
            max_time_ns: base_ns * rng.random_range(1..5),
            max_ejected: [0.1, 0.5, 1.0][rng.random_range(0..3)],
        }),
        panic_threshold: [0.0, 0.5, 0.9][rng.random_range(0..3)],
        trust: parts[3].then_some(TrustConfig {
            factor: [1.1, 3.0][rng.random_range(0..2)],
            min_answers: rng.random_range(1..5),
            strikes: rng.random_range(1..4),
            alpha: [0.1, 1.0][rng.random_range(0..2)],
        }),
        oracle: parts[4],
        on_no_server: match rng.random_range(0..3) {
            0 => OnNoServer::Reject,
            1 => OnNoServer::LeastBad,
            _ => OnNoServer::Queue {
                limit: rng.random_range(1..50),
                timeout_ns: rng.random_range(1..30) * quantum_ns,
                paced: rng.random_bool(0.7),
            },
        },
    };
}

/// What nodes have found over many runs: 0 means that the cases never ask for it.
#[derive(Debug, Default)]
pub struct Seen {
    counts: Vec<(&'static str, u64)>,
}

impl Seen {
    /// Adds the findings of a run.
    pub fn add(&mut self, result: &RunResult) {
        for node in &result.nodes {
            let found = &node.findings;
            let mut add = |what, count: u64| match self.counts.iter_mut().find(|c| c.0 == what) {
                Some((_, sum)) => *sum += count,
                None => self.counts.push((what, count)),
            };
            add("detections", found.detection_ns.len() as u64);
            add("recoveries", found.recovery_ns.len() as u64);
            add("discoveries", found.discovery_ns.len() as u64);
            add("missed", found.missed_failures);
            add("false", found.false_failures);
            add("checks", found.checks);
            add("ejections", found.ejections);
            add("panics", found.panics);
            add("flaws", found.flaws.iter().sum());
            add("quarantines", found.quarantines);
            add("queued", found.queued);
            add("least bad", found.least_bad);
        }
    }

    /// Panics with the name of what has never come up.
    pub fn assert_all(&self) {
        assert_eq!(self.counts.len(), 12);
        for (what, count) in &self.counts {
            assert!(*count > 0, "{what} never came up: {:?}", self.counts);
        }
    }
}
