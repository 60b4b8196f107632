//! When a node starts exchanges, and with whom.

use crate::config::{GossipConfig, GossipRounds};
use crate::ids::NodeId;
use crate::rng::{Purpose, RngExt, Stream};
use crate::setup::Setup;
use crate::time::Nanos;
use crate::ziggurat::Exponential;

/// The rounds of one node.
#[derive(Clone, Debug)]
pub struct Rounds {
    stream: Stream,
    /// The exact moment of the next round.
    due_ns: Nanos,
    /// The quantum on whose boundary it happens.
    quantum: Option<u64>,
}

impl Rounds {
    /// None without gossip, and then nothing is drawn.
    pub fn new(setup: &Setup, node: NodeId) -> Self {
        let stream = setup.node_stream(Purpose::Gossip, node);
        let mut rounds = Self { stream, due_ns: 0, quantum: None };
        rounds.restart(setup, 0);
        rounds
    }

    /// Plans the next round from the boundary `quantum` on: at a random phase, with all others, or after
    /// a random gap.
    pub fn restart(&mut self, setup: &Setup, quantum: u64) {
        let Some(config) = &setup.gossip else { return };
        let now_ns = quantum * setup.ticks.quantum_ns;
        self.due_ns = match config.rounds {
            GossipRounds::Spread => {
                now_ns + (self.stream.random::<f64>() * config.interval_ns as f64) as Nanos
            }
            GossipRounds::Together => (now_ns / config.interval_ns + 1) * config.interval_ns,
            GossipRounds::Poisson => now_ns + self.exponential_ns(config),
        };
        self.quantum = Some(setup.ticks.quantum_from(self.due_ns).max(quantum + 1));
    }

    /// No round until the rounds are restarted.
    pub fn stop(&mut self) {
        self.quantum = None;
    }

    /// The quantum of the next round, if there is one.
    pub const fn next_due(&self) -> Option<u64> {
        self.quantum
    }

    /// A gap of a Poisson process [ns].
    fn exponential_ns(&mut self, config: &GossipConfig) -> Nanos {
        (config.interval_ns as f64 * Exponential::default().draw(&mut self.stream)) as Nanos
    }

    /// Plans the round after the one at the boundary `quantum`: `interval * U(1 - jitter,
    /// 1 + jitter)` later, or an exponential gap, and one a quantum at most.
    pub fn advance(&mut self, setup: &Setup, config: &GossipConfig, quantum: u64) {
        let mut gap_ns = config.interval_ns;
        if config.rounds == GossipRounds::Poisson {
            gap_ns = self.exponential_ns(config);
        } else if config.jitter > 0.0 {
            let factor = 1.0 + config.jitter * (2.0 * self.stream.random::<f64>() - 1.0);
            gap_ns = (config.interval_ns as f64 * factor) as Nanos;
        }
        self.due_ns += gap_ns;
        self.quantum = Some(setup.ticks.quantum_from(self.due_ns).max(quantum + 1));
    }

    /// Draws up to `count` distinct numbers below `among`.
    ///
    /// Floyd's algorithm (Bentley and Floyd 1987). The drawn are few, so a list beats a set.
    pub fn draw(&mut self, among: u32, count: u32) -> Vec<u32> {
        let count = count.min(among);
        let mut drawn = Vec::with_capacity(count as usize);
        for last in among - count..among {
            let one = self.stream.random_range(0..=last);
            drawn.push(if drawn.contains(&one) { last } else { one });
        }
        drawn
    }
}
