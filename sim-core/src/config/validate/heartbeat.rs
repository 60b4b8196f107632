//! Reports frequent enough for the silence that counts as failure.

use super::Checker;
use crate::config::units::format_duration;
use crate::config::{ConfigFault, EngineConfig, Fanout, HeartbeatConfig};
use crate::time::Nanos;

impl Checker {
    pub(super) fn heartbeat(
        &mut self,
        heartbeat: &HeartbeatConfig,
        engine: &EngineConfig,
        nodes: u32,
    ) {
        let HeartbeatConfig {
            interval_ns,
            jitter,
            synchronised: _,
            loss,
            fanout,
            failure_timeout_ns,
            latency_alpha,
            latency_decay_ns,
        } = *heartbeat;
        let interval = "heartbeat.interval";
        self.positive_time(interval, interval_ns);
        self.check(interval_ns >= engine.quantum_ns, interval, &["engine", "network"], || {
            ConfigFault::new(
                "",
                "is shorter than the control quantum, on which heartbeats are sent",
            )
            .found(format_duration(interval_ns))
            .allowed(format!("at least {}", format_duration(engine.quantum_ns)))
            .fix("raise it, or write a shorter engine.quantum")
        });
        let share = 0.0..1.0;
        self.number("heartbeat.jitter", jitter, share.contains(&jitter), "0 to below 1");
        self.number("heartbeat.loss", loss, share.contains(&loss), "0 to below 1");
        let longest_ns = interval_ns as f64 * (1.0 + jitter);
        let fine = failure_timeout_ns as f64 > longest_ns;
        let rests_on = [interval, "heartbeat.jitter"];
        self.check(fine, "heartbeat.failure_timeout", &rests_on, || {
            ConfigFault::new("", "every server would look failed between two of its heartbeats")
                .found(format_duration(failure_timeout_ns))
                .allowed(format!(
                    "above interval x (1 + jitter), {}",
                    format_duration(longest_ns as Nanos)
                ))
                .fix(format!(
                    "write \"{}\" (3.5 intervals) or leave it out",
                    format_duration(interval_ns.saturating_mul(7) / 2)
                ))
        });
        self.time("heartbeat.failure_timeout", failure_timeout_ns);
        let (kind, hearers) = match fanout {
            Fanout::All => ("", 1),
            Fanout::Random(hearers) => (".random", hearers),
            Fanout::Home(hearers) => (".home", hearers),
        };
        let fine = (1..=nodes.max(1)).contains(&hearers);
        self.check(fine, &format!("heartbeat.fanout{kind}"), &["nodes.count"], || {
            ConfigFault::new("", "each heartbeat needs a node that hears it, and no node twice")
                .found(hearers)
                .allowed(format!("1 to {nodes} (the nodes), or fanout = \"all\""))
        });
        let fine = latency_alpha > 0.0 && latency_alpha <= 1.0;
        self.number("heartbeat.latency_alpha", latency_alpha, fine, "above 0, to 1");
        if let Some(decay_ns) = latency_decay_ns {
            self.positive_time("heartbeat.latency_decay", decay_ns);
        }
    }
}
