//! The scenario's numbers for membership, in quanta.

use std::ops::Range;

use crate::config::{MembershipConfig, ProbeOrder};
use crate::ticks::Ticks;

/// See the module documentation. Intervals are at least one quantum.
#[derive(Clone, Debug)]
pub struct Rules {
    /// A node probes one member in each of these.
    pub probe_interval: u64,
    /// Wait for the answer to a ping before others are asked.
    pub probe_timeout: u64,
    /// How many others are asked.
    pub indirect: u32,
    /// Who is probed next.
    pub probe_order: ProbeOrder,
    /// Shortest suspicion, in probe intervals times `max(1, log10 members)`.
    pub suspicion_mult: u32,
    /// Longest suspicion, in shortest ones.
    pub suspicion_max_mult: u32,
    /// A piece of news is sent this many times `ceil(log10(members + 1))`.
    pub retransmit_mult: u32,
    /// Most pieces of news on one message.
    pub piggyback: u32,
    /// Time between two rounds of gossip.
    pub gossip_interval: u64,
    /// Members told in a round.
    pub gossip_nodes: u32,
    /// The dead are told for so long.
    pub gossip_to_dead: u64,
    /// Time between two exchanges of whole lists.
    pub sync_interval: u64,
    /// Time between two attempts to reach a dead member or a missing seed.
    pub reconnect_interval: u64,
    /// The dead and those that left are forgotten after this.
    pub reap: u64,
    /// Lifeguard's local health.
    pub lifeguard: bool,
    /// Chance that a message is lost.
    pub loss: f64,
    /// Whom a node asks when it starts.
    pub seeds: Range<u32>,
}

impl Rules {
    /// The rules of a checked scenario on its grid.
    pub fn new(config: &MembershipConfig, ticks: &Ticks) -> Self {
        // Phases are drawn as 32-bit numbers of quanta; the validation holds intervals below that.
        let quanta = |ns| ticks.quantum_from(ns).max(1);
        Self {
            probe_interval: quanta(config.probe_interval_ns),
            probe_timeout: quanta(config.probe_timeout_ns),
            indirect: config.indirect,
            probe_order: config.probe_order,
            suspicion_mult: config.suspicion_mult,
            suspicion_max_mult: config.suspicion_max_mult,
            retransmit_mult: config.retransmit_mult,
            piggyback: config.piggyback,
            gossip_interval: quanta(config.gossip_interval_ns),
            gossip_nodes: config.gossip_nodes,
            gossip_to_dead: ticks.quantum_from(config.gossip_to_dead_ns),
            sync_interval: quanta(config.sync_interval_ns),
            reconnect_interval: quanta(config.reconnect_interval_ns),
            reap: quanta(config.reap_ns),
            lifeguard: config.lifeguard,
            loss: config.loss,
            seeds: config.seeds.clone(),
        }
    }

    /// Confirmations after which a suspicion is as short as it gets, among `members`: 2 less than
    /// the multiplier, or 0 where there are not that many to confirm.
    pub fn confirmations(&self, members: u32) -> u32 {
        let wanted = self.suspicion_mult.saturating_sub(2);
        if members.saturating_sub(2) < wanted { 0 } else { wanted }
    }

    /// Length of a suspicion among `members` with `confirmed` confirmations, in quanta.
    ///
    /// `max - (max - min) * ln(confirmed + 1) / ln(wanted + 1)`, at least `min`.
    pub fn suspicion(&self, members: u32, confirmed: u32) -> u64 {
        let scale = libm::log10(f64::from(members.max(1))).max(1.0);
        let shortest = f64::from(self.suspicion_mult) * scale * self.probe_interval as f64;
        let longest = shortest * f64::from(self.suspicion_max_mult);
        let wanted = self.confirmations(members);
        if wanted == 0 {
            return libm::ceil(shortest) as u64;
        }
        let share = libm::log(f64::from(confirmed + 1)) / libm::log(f64::from(wanted + 1));
        let length = longest - (longest - shortest) * share;
        libm::ceil(length.max(shortest)) as u64
    }

    /// How often a piece of news is sent among `members`.
    pub fn retransmits(&self, members: u64) -> u32 {
        let digits = libm::ceil(libm::log10((members + 1) as f64)) as u32;
        self.retransmit_mult * digits
    }

    /// Exchanges of whole lists become rarer in clusters above 32, so that their cost a node grows
    /// with the members and not with their square.
    pub fn sync_scale(&self, members: u64) -> u64 {
        if members <= 32 {
            return 1;
        }
        libm::ceil(libm::log2(members as f64) - 5.0) as u64 + 1
    }
}
