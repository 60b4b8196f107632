//! What a node of the reference engine may send beyond first attempts, and when it hedges.

use sim_core::config::HedgeAfter;
use sim_core::latency_table::{bucket_of, highest_of};
use sim_core::setup::Setup;
use sim_core::time::Nanos;

/// A budget: what requests bring, and what time brings.
pub struct Purse {
    saved_ppm: u64,
    min_ppm: u64,
    /// Parts of 10^-15 attempts.
    reserve: u128,
    at_ns: Nanos,
}

impl Purse {
    pub fn new(min_per_s: f64) -> Self {
        let min_ppm = (min_per_s * 1e6).round() as u64;
        let mut purse = Self { saved_ppm: 0, min_ppm, reserve: 0, at_ns: 0 };
        purse.reset();
        purse
    }

    pub fn reset(&mut self) {
        self.saved_ppm = 10_000_000;
        self.reserve = self.most();
    }

    /// Ten seconds of it, and at least one attempt.
    fn most(&self) -> u128 {
        let ten_seconds = u128::from(self.min_ppm) * 10_000_000_000;
        if self.min_ppm == 0 { 0 } else { ten_seconds.max(1_000_000_000_000_000) }
    }

    pub fn earn(&mut self, ppm: u32) {
        self.saved_ppm = (self.saved_ppm + u64::from(ppm)).min(100_000_000);
    }

    pub fn spend(&mut self, at_ns: Nanos) -> bool {
        if self.saved_ppm >= 1_000_000 {
            self.saved_ppm -= 1_000_000;
            return true;
        }
        let brought = u128::from(self.min_ppm) * u128::from(at_ns - self.at_ns);
        self.reserve = (self.reserve + brought).min(self.most());
        self.at_ns = at_ns;
        if self.reserve < 1_000_000_000_000_000 {
            return false;
        }
        self.reserve -= 1_000_000_000_000_000;
        true
    }
}

/// What a node keeps in order to hedge.
pub struct Hedges {
    pub purse: Purse,
    /// Latencies since the last look, and when that was.
    measured: Vec<Nanos>,
    since_ns: Nanos,
    percentile_ns: Option<Nanos>,
    /// By slot: the attempt after which the next hedge counts.
    pub after: Vec<u32>,
}

impl Hedges {
    pub fn new(setup: &Setup) -> Self {
        let min_per_s = setup.clients.hedge.as_ref().map_or(0.0, |hedge| hedge.budget_min_per_s);
        Self {
            purse: Purse::new(min_per_s),
            measured: Vec::new(),
            since_ns: 0,
            percentile_ns: None,
            after: Vec::new(),
        }
    }

    pub fn reset(&mut self) {
        self.purse.reset();
        self.measured.clear();
        self.percentile_ns = None;
    }

    pub fn earn(&mut self, setup: &Setup) {
        self.purse.earn(setup.clients.hedge.as_ref().map_or(0, |hedge| hedge.budget_ppm));
    }

    pub fn measure(&mut self, setup: &Setup, at_ns: Nanos, latency_ns: Nanos) {
        if setup.clients.hedge.is_some() {
            self.look(setup, at_ns);
            self.measured.push(latency_ns);
        }
    }

    fn look(&mut self, setup: &Setup, at_ns: Nanos) {
        let after = setup.clients.hedge.as_ref().map(|hedge| hedge.after);
        let Some(HedgeAfter::Percentile { percent, refresh_ns, min_ns }) = after else { return };
        if self.measured.len() < 20 || at_ns < self.since_ns.saturating_add(refresh_ns) {
            return;
        }
        self.measured.sort_unstable();
        let rank = (percent / 100.0 * self.measured.len() as f64).ceil() as usize;
        let coarse = bucket_of(self.measured[rank.max(1) - 1]) / 32;
        self.percentile_ns = Some(highest_of(coarse * 32 + 31).max(min_ns));
        self.measured.clear();
        self.since_ns = at_ns;
    }

    pub fn delay_ns(&mut self, setup: &Setup, at_ns: Nanos) -> Option<Nanos> {
        self.look(setup, at_ns);
        match setup.clients.hedge.as_ref()?.after {
            HedgeAfter::Delay(ns) => Some(ns),
            HedgeAfter::Percentile { .. } => self.percentile_ns,
        }
    }
}
