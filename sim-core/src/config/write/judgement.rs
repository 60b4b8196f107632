//! Writes what nodes make of the servers beyond their reports.

use super::{File, inline, number, quote, time};
use crate::config::{
    Detector, DiscoveryConfig, HealthChecks, JudgementConfig, OnNoServer, OutlierEjection,
    PhiAccrual, Prior, SlowStart, SuccessRate, TrustConfig,
};

impl File {
    /// What stands above all tables.
    pub(super) fn judgement_keys(&mut self, judgement: &JudgementConfig) {
        self.key("panic_threshold", number(judgement.panic_threshold));
        let on_no_server = match judgement.on_no_server {
            OnNoServer::Reject => quote("reject"),
            OnNoServer::LeastBad => quote("least_bad"),
            OnNoServer::Queue { limit, timeout_ns, paced } => {
                let keys = [
                    ("limit", limit.to_string()),
                    ("timeout", time(timeout_ns)),
                    ("paced", paced.to_string()),
                ];
                inline(&[("queue", inline(&keys))])
            }
        };
        self.key("on_no_server", on_no_server);
        let phi = match judgement.detector {
            Detector::Timeout => quote("timeout"),
            Detector::PhiAccrual(PhiAccrual { threshold, window, min_samples }) => {
                let keys = [
                    ("threshold", number(threshold)),
                    ("window", window.to_string()),
                    ("min_samples", min_samples.to_string()),
                ];
                inline(&[("phi_accrual", inline(&keys))])
            }
        };
        self.key("detection", phi);
    }

    pub(super) fn judgement_tables(&mut self, judgement: &JudgementConfig) {
        let JudgementConfig {
            discovery,
            detector: _,
            health_checks,
            outlier_ejection,
            panic_threshold: _,
            trust,
            oracle,
            on_no_server: _,
        } = judgement;
        self.discovery(discovery);
        if let Some(HealthChecks { interval_ns, timeout_ns, fall, rise }) = *health_checks {
            self.table("[health_checks]");
            self.key("interval", time(interval_ns));
            self.key("timeout", time(timeout_ns));
            self.key("fall", fall);
            self.key("rise", rise);
        }
        if let Some(ejection) = outlier_ejection {
            self.outlier_ejection(ejection);
        }
        if let Some(TrustConfig { factor, min_answers, strikes, alpha }) = *trust {
            self.table("[trust]");
            self.key("factor", number(factor));
            self.key("min_answers", min_answers);
            self.key("strikes", strikes);
            self.key("alpha", number(alpha));
        }
        self.table("[view]");
        self.key("oracle", oracle);
    }

    fn discovery(&mut self, discovery: &DiscoveryConfig) {
        let DiscoveryConfig { configured, prior, slow_start, tombstone_ttl_ns } = discovery;
        self.table("[discovery]");
        self.key("initial", quote(if *configured { "configured" } else { "empty" }));
        let prior = match *prior {
            Prior::Mean => quote("mean"),
            Prior::Zero => quote("zero"),
            Prior::Penalty(ns) => inline(&[("penalty", time(ns))]),
        };
        self.key("prior", prior);
        if let Some(SlowStart { window_ns, aggression, floor }) = *slow_start {
            let keys = [
                ("window", time(window_ns)),
                ("aggression", number(aggression)),
                ("floor", number(floor)),
            ];
            self.key("slow_start", inline(&keys));
        }
        self.key("tombstone_ttl", time(*tombstone_ttl_ns));
    }

    fn outlier_ejection(&mut self, ejection: &OutlierEjection) {
        let OutlierEjection {
            consecutive_failures,
            success_rate,
            interval_ns,
            base_time_ns,
            max_time_ns,
            max_ejected,
        } = *ejection;
        self.table("[outlier_ejection]");
        self.key("consecutive_failures", consecutive_failures);
        let success_rate = match success_rate {
            None => quote("off"),
            Some(SuccessRate { factor, min_hosts, min_requests }) => inline(&[
                ("factor", number(factor)),
                ("min_hosts", min_hosts.to_string()),
                ("min_requests", min_requests.to_string()),
            ]),
        };
        self.key("success_rate", success_rate);
        self.key("interval", time(interval_ns));
        self.key("base_time", time(base_time_ns));
        self.key("max_time", time(max_time_ns));
        self.key("max_ejected", number(max_ejected));
    }
}
