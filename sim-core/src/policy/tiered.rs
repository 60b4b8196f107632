//! Any policy over servers in tiers: which tier a request goes to is drawn by the shares of
//! [`crate::tiers`], and a policy of its own chooses within each tier.
//!
//! Healthy is a server that the node takes for available. The node works out the shares at its first
//! choice of every quantum, for O(servers). A tier that panics counts on every server that the node knows
//! and that has not said that it leaves.
//!
//! A tier that its own policy finds nobody in has nobody, whatever other tiers have: shares follow health
//! and not load, as in Envoy. Under a subset with borders, tiers lose the weights of the borders.

use super::{Policy, SelectionIndex};
use crate::answer::Answer;
use crate::ids::{NodeId, ServerId};
use crate::notes::Note;
use crate::rng::{Rng, Stream};
use crate::setup::Setup;
use crate::subset::Pool;
use crate::tiers::{Scope, Share, Tier, Tiers, share_out};
use crate::time::Nanos;
use crate::view::{Belief, Candidates};
use crate::ziggurat::unit;

/// See the module documentation.
#[derive(Debug)]
pub struct Tiered {
    tiers: Tiers,
    policies: Vec<SelectionIndex>,
    shares: Vec<Share>,
    /// The servers of each tier that the node knows.
    pools: Vec<Pool>,
    /// Changes of the node's part of the servers seen by `pools`.
    changes: Option<u32>,
    /// When the shares were worked out, in quanta.
    quantum: Option<u64>,
    /// The tier of the newest choice: whoever asks after it asks there.
    newest: usize,
    /// What that said of whom it held back.
    held_until_ns: Nanos,
    quantum_ns: Nanos,
}

impl Tiered {
    /// A policy of the run for each tier.
    pub fn new(setup: &Setup, tiers: &Tiers, node: NodeId, stream: &mut Stream) -> Self {
        let count = tiers.count();
        let policies =
            (0..count).map(|_| SelectionIndex::of_one_tier(setup, node, stream)).collect();
        Self {
            tiers: tiers.clone(),
            policies,
            shares: vec![Share::default(); count],
            pools: vec![Pool::default(); count],
            changes: None,
            quantum: None,
            newest: 0,
            held_until_ns: Nanos::MAX,
            quantum_ns: setup.ticks.quantum_ns,
        }
    }

    fn of(&self, server: ServerId) -> usize {
        usize::from(self.tiers.of[server.index()])
    }

    /// Works out the shares as of now. A tier that begins to panic hears of servers it had given up.
    fn work_out(&mut self, candidates: &Candidates<'_>) {
        if self.changes != Some(candidates.pool_changes()) {
            self.changes = Some(candidates.pool_changes());
            self.pools.iter_mut().for_each(|pool| pool.members.clear());
            for server in candidates.servers() {
                let tier = self.of(ServerId(server));
                self.pools[tier].members.push(server);
            }
        }
        let mut states = vec![Tier { healthy: 0, all: 0 }; self.policies.len()];
        for server in candidates.servers().filter(|&server| candidates.is_there(server)) {
            let tier = self.of(ServerId(server));
            states[tier].all += 1;
            states[tier].healthy += u32::from(candidates.is_available(server));
        }
        let Tiers { overprovisioning, panic, .. } = self.tiers;
        let shares = share_out(&states, overprovisioning, panic);
        for (tier, (now, before)) in shares.iter().zip(&self.shares).enumerate() {
            if now.panics && !before.panics {
                let members = self.pools[tier].members.iter();
                for &server in members.filter(|&&server| candidates.is_there(server)) {
                    let server = ServerId(server);
                    self.policies[tier].on_report(server, candidates.belief(server.0));
                }
            }
        }
        self.shares = shares;
    }
}

impl Policy for Tiered {
    fn choose(&mut self, candidates: &Candidates<'_>, stream: &mut Stream) -> Option<ServerId> {
        self.held_until_ns = Nanos::MAX;
        let quantum = candidates.at_ns() / self.quantum_ns;
        if self.quantum != Some(quantum) {
            self.quantum = Some(quantum);
            self.work_out(candidates);
        }
        let mut left = unit(stream.next_u64());
        let drawn = self.shares.iter().position(|share| {
            left -= share.share;
            left < 0.0
        });
        // Rounding may leave a trace of the whole.
        let last = || self.shares.iter().rposition(|share| share.share > 0.0);
        let tier = drawn.or_else(last)?;
        self.newest = tier;
        let within = within_tier(&self.tiers, &self.shares, &self.pools, tier, candidates);
        if within.choosable() == 0 {
            return None;
        }
        let chosen = self.policies[tier].choose(&within, stream);
        self.held_until_ns = self.policies[tier].held_until_ns();
        chosen
    }

    fn held_until_ns(&self) -> Nanos {
        self.held_until_ns
    }

    fn on_report(&mut self, server: ServerId, belief: &Belief) {
        let tier = self.of(server);
        self.policies[tier].on_report(server, belief);
    }

    fn on_send(&mut self, server: ServerId, belief: &Belief, at_ns: Nanos) {
        let tier = self.of(server);
        self.policies[tier].on_send(server, belief, at_ns);
    }

    fn on_answer(&mut self, server: ServerId, belief: &Belief, answer: &Answer) {
        let tier = self.of(server);
        self.policies[tier].on_answer(server, belief, answer);
    }

    fn on_note(&mut self, note: &Note, at_ns: Nanos) {
        let tier = self.of(ServerId(note.server));
        self.policies[tier].on_note(note, at_ns);
    }

    fn idle_known(&self, question: &Note) -> u32 {
        self.policies[self.of(ServerId(question.server))].idle_known(question)
    }

    fn probes(
        &mut self,
        candidates: &Candidates<'_>,
        stream: &mut Stream,
        out: &mut Vec<ServerId>,
    ) {
        let tier = self.newest;
        let within = within_tier(&self.tiers, &self.shares, &self.pools, tier, candidates);
        if within.choosable() > 0 {
            self.policies[tier].probes(&within, stream, out);
        }
    }
}

/// The candidates of one tier.
fn within_tier<'a>(
    tiers: &'a Tiers,
    shares: &[Share],
    pools: &'a [Pool],
    tier: usize,
    candidates: &Candidates<'a>,
) -> Candidates<'a> {
    let scope = Scope { of: &tiers.of, tier: tier as u8, panics: shares[tier].panics };
    candidates.within_tier(scope, &pools[tier])
}
