//! The seed rule, written the slow and obvious way: a look at every server, in every tier.

use sim_core::config::{LatencyTies, LowestLatencyConfig};
use sim_core::ids::ServerId;
use sim_core::policy;
use sim_core::rng::{Rng, Stream};
use sim_core::setup::Setup;
use sim_core::tiers::{Share, Tier, Tiers, share_out};
use sim_core::view::barred::Reasons;
use sim_core::view::{Candidates, View};
use sim_core::ziggurat::unit;

/// One rule a tier, and the shares of the tiers.
pub struct TierScan {
    scans: Vec<LatencyScan>,
    /// As worked out at the first choice of this quantum.
    shares: Option<(u64, Vec<Share>)>,
}

/// The rule, over the servers it is shown.
struct LatencyScan {
    rank: Vec<u64>,
    virtual_time: u64,
    ties: LatencyTies,
}

impl TierScan {
    pub fn new(setup: &Setup, parameters: &LowestLatencyConfig, stream: &mut Stream) -> Self {
        let LowestLatencyConfig { own_sends: _, ties, capacity_gate: _ } = *parameters;
        let mut scan = |_| {
            let mut rank = |_| match ties {
                LatencyTies::Random => policy::tie_step(stream),
                LatencyTies::Id => 0,
            };
            let rank = (0..setup.servers).map(&mut rank).collect();
            LatencyScan { rank, virtual_time: 0, ties }
        };
        let tiers = setup.tiers.as_ref().map_or(1, Tiers::count);
        Self { scans: (0..tiers).map(&mut scan).collect(), shares: None }
    }

    pub fn choose(
        &mut self,
        setup: &Setup,
        view: &View,
        candidates: &Candidates<'_>,
        stream: &mut Stream,
    ) -> Option<ServerId> {
        let gate = match &setup.policy {
            sim_core::config::PolicyConfig::LowestLatency(parameters) => parameters.capacity_gate,
            other => unreachable!("{} is not scanned", other.name()),
        };
        let servers = 0..candidates.len();
        let Some(tiers) = &setup.tiers else {
            let eligible = servers.filter(|&s| candidates.is_eligible(s, gate));
            return self.scans[0].choose(candidates, eligible, stream);
        };
        let is_there = |s: u32| !view.reasons(ServerId(s)).has(Reasons::UNUSABLE);
        let quantum = candidates.at_ns() / setup.ticks.quantum_ns;
        if self.shares.as_ref().is_none_or(|&(worked_out, _)| worked_out != quantum) {
            let state = |tier: usize| {
                let all = servers.clone().filter(|&s| usize::from(tiers.of[s as usize]) == tier);
                let all: Vec<u32> = all.filter(|&s| is_there(s)).collect();
                let healthy = all.iter().filter(|&&s| candidates.is_available(s)).count();
                Tier { healthy: healthy as u32, all: all.len() as u32 }
            };
            let states: Vec<Tier> = (0..tiers.count()).map(state).collect();
            let shares = share_out(&states, tiers.overprovisioning, tiers.panic);
            self.shares = Some((quantum, shares));
        }
        let (_, shares) = self.shares.as_ref()?;
        let drawn = unit(stream.next_u64());
        let mut left = drawn;
        let mut chosen = None;
        for (tier, share) in shares.iter().enumerate().filter(|(_, share)| share.share > 0.0) {
            left -= share.share;
            chosen = Some(tier);
            if left < 0.0 {
                break;
            }
        }
        let tier = chosen?;
        let panics = shares[tier].panics;
        let eligible = (0..candidates.len()).filter(|&s| {
            usize::from(tiers.of[s as usize]) == tier
                && candidates.excluded() != Some(s)
                && (!gate || candidates.has_room(s))
                && (candidates.is_available(s) || (panics && is_there(s)))
        });
        self.scans[tier].choose(candidates, eligible, stream)
    }
}

impl LatencyScan {
    fn choose(
        &mut self,
        candidates: &Candidates<'_>,
        eligible: impl Iterator<Item = u32>,
        stream: &mut Stream,
    ) -> Option<ServerId> {
        let keyed =
            eligible.map(|s| (candidates.belief(s).latency_ns.to_bits(), self.rank[s as usize], s));
        let (_, rank, server) = keyed.min()?;
        if self.ties == LatencyTies::Random {
            self.virtual_time = self.virtual_time.max(rank);
            self.rank[server as usize] = self.virtual_time + policy::tie_step(stream);
        }
        Some(ServerId(server))
    }
}
