//! Slow start: a server that has just become available gets part of its picks at first.
//!
//! Envoy scales the weight of a new host by `max(floor, t / window) ^ (1 / aggression)`. Most
//! policies here have no weights, so the rule is applied to picks: with that chance a pick stands;
//! otherwise the node picks once more, without this server, and takes what comes. So every policy
//! is eased in the same way, and a node to which all servers are new still serves. Retries are not
//! thinned: they pass over a server already.

use std::collections::BTreeMap;

use crate::config::SlowStart;
use crate::ids::{NodeId, ServerId};
use crate::rng::{Purpose, RngExt, Stream};
use crate::setup::Setup;
use crate::time::Nanos;

/// The servers that one node eases in.
#[derive(Clone, Debug)]
pub struct Warming {
    config: SlowStart,
    stream: Stream,
    since_ns: BTreeMap<u32, Nanos>,
}

impl Warming {
    /// Nobody is new.
    pub fn new(setup: &Setup, config: &SlowStart, node: NodeId) -> Self {
        let stream = setup.node_stream(Purpose::SlowStart, node);
        Self { config: *config, stream, since_ns: BTreeMap::new() }
    }

    /// A server becomes available.
    pub fn begin(&mut self, server: ServerId, now_ns: Nanos) {
        self.since_ns.insert(server.0, now_ns);
    }

    /// Whether a pick stands. Draws only for servers that are new.
    pub fn stands(&mut self, server: ServerId, now_ns: Nanos) -> bool {
        let Some(&since_ns) = self.since_ns.get(&server.0) else { return true };
        let passed_ns = now_ns.saturating_sub(since_ns);
        if passed_ns >= self.config.window_ns {
            self.since_ns.remove(&server.0);
            return true;
        }
        self.stream.random::<f64>() < share(&self.config, passed_ns)
    }

    /// Forgets everybody.
    pub fn reset(&mut self) {
        self.since_ns.clear();
    }
}

/// The share of picks that stand `passed_ns` after a server became available.
fn share(config: &SlowStart, passed_ns: Nanos) -> f64 {
    let passed = passed_ns as f64 / config.window_ns as f64;
    libm::pow(passed.max(config.floor), 1.0 / config.aggression)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_share_grows_from_the_floor_to_one() {
        let config = SlowStart { window_ns: 100, aggression: 1.0, floor: 0.1 };
        let at = |config: &SlowStart, ns| (share(config, ns) * 1e6).round() as u32;
        let found = [0, 5, 50, 100].map(|ns| at(&config, ns));
        assert_eq!(found, [100_000, 100_000, 500_000, 1_000_000]);
        let bold = SlowStart { aggression: 2.0, ..config };
        assert_eq!([0, 25, 100].map(|ns| at(&bold, ns)), [316_228, 500_000, 1_000_000]);
    }
}
