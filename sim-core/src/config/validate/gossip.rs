//! Gossip that has somebody to go to and room for something to say.

use super::Checker;
use crate::config::gossip::MTU_BYTES_MAX;
use crate::config::units::format_duration;
use crate::config::{ConfigFault, EngineConfig, GossipConfig, GossipRounds};

/// Smallest message [bytes]: the fixed part and two entries, more than which no step needs.
const MTU_BYTES_MIN: u32 = 200;

impl Checker {
    pub(super) fn gossip(&mut self, gossip: &GossipConfig, engine: &EngineConfig, nodes: u32) {
        let GossipConfig { interval_ns, jitter, rounds, fanout, mtu_bytes, loss, .. } = *gossip;
        let interval = "gossip.interval";
        self.positive_time(interval, interval_ns);
        self.check(interval_ns >= engine.quantum_ns, interval, &["engine", "network"], || {
            ConfigFault::new("", "is shorter than the control quantum, on which nodes gossip")
                .found(format_duration(interval_ns))
                .allowed(format!("at least {}", format_duration(engine.quantum_ns)))
                .fix("raise it, or write a shorter engine.quantum")
        });
        let share = 0.0..1.0;
        self.number("gossip.jitter", jitter, share.contains(&jitter), "0 to below 1");
        let has_both = jitter != 0.0 && rounds == GossipRounds::Poisson;
        self.check(!has_both, "gossip.jitter", &["gossip.rounds"], || {
            ConfigFault::new("", "exponential gaps have a spread of their own")
                .found(jitter)
                .fix("leave jitter out, or write gossip.rounds = \"spread\"")
        });
        self.number("gossip.loss", loss, share.contains(&loss), "0 to below 1");
        self.check(nodes > 1, "gossip", &["nodes.count"], || {
            ConfigFault::new("", "a single node has nobody to gossip with")
                .fix("leave [gossip] out, or write nodes.count = 2 or more")
        });
        self.check((1..nodes).contains(&fanout), "gossip.fanout", &["nodes.count"], || {
            ConfigFault::new("", "each round needs a peer, and no peer twice")
                .found(fanout)
                .allowed(format!("1 to {} (the other nodes)", nodes.saturating_sub(1)))
        });
        let range = u64::from(MTU_BYTES_MIN)..=u64::from(MTU_BYTES_MAX);
        self.within("gossip.mtu_bytes", u64::from(mtu_bytes), range);
    }
}
