//! Judgements that can be come to.

use super::Checker;
use crate::config::units::format_duration;
use crate::config::{
    ConfigFault, Detector, DiscoveryConfig, EngineConfig, HealthChecks, JudgementConfig,
    OnNoServer, OutlierEjection, PhiAccrual, Prior, SlowStart, SuccessRate, TrustConfig,
};
use crate::time::Nanos;

impl Checker {
    pub(super) fn judgement(&mut self, judgement: &JudgementConfig, engine: &EngineConfig) {
        let JudgementConfig {
            discovery,
            detector,
            health_checks,
            outlier_ejection,
            panic_threshold,
            trust,
            oracle: _,
            on_no_server,
        } = judgement;
        self.discovery(discovery);
        if let Detector::PhiAccrual(phi) = detector {
            self.phi_accrual(phi);
        }
        if let Some(checks) = health_checks {
            self.health_checks(checks, engine);
        }
        if let Some(ejection) = outlier_ejection {
            self.outlier_ejection(ejection, engine);
        }
        self.proportion("panic_threshold", *panic_threshold);
        if let Some(TrustConfig { factor, min_answers, strikes, alpha }) = *trust {
            let fine = factor > 1.0 && factor <= 1e6;
            self.number("trust.factor", factor, fine, "above 1, to 1000000");
            self.at_least_one("trust.min_answers", min_answers);
            self.within("trust.strikes", strikes.into(), 1..=255);
            self.number("trust.alpha", alpha, alpha > 0.0 && alpha <= 1.0, "above 0, to 1");
        }
        if let OnNoServer::Queue { limit, timeout_ns, paced: _ } = *on_no_server {
            self.at_least_one("on_no_server.queue.limit", limit);
            self.positive_time("on_no_server.queue.timeout", timeout_ns);
        }
    }

    fn discovery(&mut self, discovery: &DiscoveryConfig) {
        let DiscoveryConfig { configured: _, prior, slow_start, tombstone_ttl_ns } = *discovery;
        if let Prior::Penalty(penalty_ns) = prior {
            self.time("discovery.prior.penalty", penalty_ns);
        }
        if let Some(SlowStart { window_ns, aggression, floor }) = slow_start {
            self.positive_time("discovery.slow_start.window", window_ns);
            let fine = aggression > 0.0 && aggression <= 100.0;
            self.number("discovery.slow_start.aggression", aggression, fine, "above 0, to 100");
            let fine = floor > 0.0 && floor <= 1.0;
            self.number("discovery.slow_start.floor", floor, fine, "above 0, to 1");
        }
        self.positive_time("discovery.tombstone_ttl", tombstone_ttl_ns);
    }

    fn phi_accrual(&mut self, phi: &PhiAccrual) {
        let PhiAccrual { threshold, window, min_samples } = *phi;
        let fine = threshold > 0.0 && threshold <= 1_000.0;
        self.number("detection.phi_accrual.threshold", threshold, fine, "above 0, to 1000");
        self.at_least_one("detection.phi_accrual.window", window);
        self.at_least_one("detection.phi_accrual.min_samples", min_samples);
    }

    fn health_checks(&mut self, checks: &HealthChecks, engine: &EngineConfig) {
        let HealthChecks { interval_ns, timeout_ns, fall, rise } = *checks;
        self.round("health_checks.interval", interval_ns, engine);
        self.positive_time("health_checks.timeout", timeout_ns);
        let rests_on = ["health_checks.interval"];
        self.check(timeout_ns <= interval_ns, "health_checks.timeout", &rests_on, || {
            ConfigFault::new("", "the next check would be sent before this one has failed")
                .found(format_duration(timeout_ns))
                .allowed(format!("to {} (the interval)", format_duration(interval_ns)))
        });
        self.at_least_one("health_checks.fall", fall);
        self.at_least_one("health_checks.rise", rise);
    }

    fn outlier_ejection(&mut self, ejection: &OutlierEjection, engine: &EngineConfig) {
        let OutlierEjection {
            consecutive_failures: _, // Any number will do; 0 is never.
            success_rate,
            interval_ns,
            base_time_ns,
            max_time_ns,
            max_ejected,
        } = *ejection;
        if let Some(SuccessRate { factor, min_hosts, min_requests }) = success_rate {
            let key = "outlier_ejection.success_rate";
            let fine = factor > 0.0 && factor <= 1_000.0;
            self.number(&format!("{key}.factor"), factor, fine, "above 0, to 1000");
            self.within(&format!("{key}.min_hosts"), min_hosts.into(), 2..=u32::MAX.into());
            self.at_least_one(&format!("{key}.min_requests"), min_requests);
        }
        self.round("outlier_ejection.interval", interval_ns, engine);
        self.positive_time("outlier_ejection.base_time", base_time_ns);
        let rests_on = ["outlier_ejection.base_time"];
        self.check(max_time_ns >= base_time_ns, "outlier_ejection.max_time", &rests_on, || {
            ConfigFault::new("", "is shorter than the first ejection")
                .found(format_duration(max_time_ns))
                .allowed(format!("at least {} (base_time)", format_duration(base_time_ns)))
        });
        self.time("outlier_ejection.max_time", max_time_ns);
        self.proportion("outlier_ejection.max_ejected", max_ejected);
    }

    fn proportion(&mut self, key: &str, share: f64) {
        self.number(key, share, (0.0..=1.0).contains(&share), "0 to 1");
    }

    fn at_least_one(&mut self, key: &str, count: u32) {
        self.within(key, count.into(), 1..=u32::MAX.into());
    }

    /// Something done again and again on quantum boundaries.
    fn round(&mut self, key: &str, interval_ns: Nanos, engine: &EngineConfig) {
        self.positive_time(key, interval_ns);
        self.check(interval_ns >= engine.quantum_ns, key, &["engine", "network"], || {
            ConfigFault::new(
                "",
                "is shorter than the control quantum, on whose boundaries it is done",
            )
            .found(format_duration(interval_ns))
            .allowed(format!("at least {}", format_duration(engine.quantum_ns)))
            .fix("raise it, or write a shorter engine.quantum")
        });
    }
}
