//! Membership whose timers fit into each other and whose seeds exist.

use super::Checker;
use crate::config::units::format_duration;
use crate::config::{ConfigFault, EngineConfig, MembershipConfig};

/// Counts and multipliers beyond this have no use.
const COUNT_MAX: u64 = 1_000;
/// Most claims on one message.
const CLAIMS_MAX: u64 = 10_000;

impl Checker {
    pub(super) fn membership(
        &mut self,
        membership: &MembershipConfig,
        engine: &EngineConfig,
        nodes: u32,
    ) {
        let MembershipConfig {
            probe_interval_ns,
            probe_timeout_ns,
            indirect,
            probe_order: _,
            suspicion_mult,
            suspicion_max_mult,
            retransmit_mult,
            piggyback,
            gossip_interval_ns,
            gossip_nodes,
            gossip_to_dead_ns,
            sync_interval_ns,
            reconnect_interval_ns,
            reap_ns,
            lifeguard: _,
            loss,
            seeds,
        } = membership;
        for (name, interval_ns) in [
            ("probe_interval", *probe_interval_ns),
            ("gossip_interval", *gossip_interval_ns),
            ("sync_interval", *sync_interval_ns),
            ("reconnect_interval", *reconnect_interval_ns),
        ] {
            let key = format!("membership.{name}");
            self.positive_time(&key, interval_ns);
            let rests_on = ["engine", "network", "membership.probe_interval"];
            self.check(interval_ns >= engine.quantum_ns, &key, &rests_on[..], || {
                ConfigFault::new("", "is shorter than the control quantum, on which nodes act")
                    .found(format_duration(interval_ns))
                    .allowed(format!("at least {}", format_duration(engine.quantum_ns)))
                    .fix("raise it, or write a shorter engine.quantum")
            });
        }
        let probe_timeout = "membership.probe_timeout";
        self.positive_time(probe_timeout, *probe_timeout_ns);
        let fine = probe_timeout_ns < probe_interval_ns;
        self.check(fine, probe_timeout, &["membership.probe_interval"], || {
            ConfigFault::new("", "leaves no time to ask others before the probe has failed")
                .found(format_duration(*probe_timeout_ns))
                .allowed(format!(
                    "below the probe interval, {}",
                    format_duration(*probe_interval_ns)
                ))
                .fix("write half the probe interval, or leave it out")
        });
        self.time("membership.gossip_to_dead", *gossip_to_dead_ns);
        self.positive_time("membership.reap", *reap_ns);
        self.within("membership.indirect", u64::from(*indirect), 0..=COUNT_MAX);
        self.within("membership.suspicion_mult", u64::from(*suspicion_mult), 1..=COUNT_MAX);
        self.within("membership.suspicion_max_mult", u64::from(*suspicion_max_mult), 1..=COUNT_MAX);
        self.within("membership.retransmit_mult", u64::from(*retransmit_mult), 1..=COUNT_MAX);
        self.within("membership.piggyback", u64::from(*piggyback), 1..=CLAIMS_MAX);
        self.within("membership.gossip_nodes", u64::from(*gossip_nodes), 0..=COUNT_MAX);
        self.number("membership.loss", *loss, (0.0..1.0).contains(loss), "0 to below 1");
        self.check(seeds.start < seeds.end, "membership.seeds", &["nodes.count"], || {
            ConfigFault::new("", "names no node: nobody could join")
                .found(format!("{seeds:?}"))
                .fix("the end is excluded: 0..1 is node 0")
        });
        self.check(seeds.end <= nodes, "membership.seeds", &["nodes.count"], || {
            ConfigFault::new("", "there are no such nodes")
                .found(format!("{seeds:?}"))
                .allowed(format!("ids within 0..{nodes}"))
        });
    }
}
