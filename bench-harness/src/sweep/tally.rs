//! How far a sweep is, for whoever watches. Nothing is computed from it.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::needs::Needs;

/// Counters that workers raise and a display reads.
#[derive(Debug, Default)]
pub struct Tally {
    /// Runs of this part, those that were there already included.
    pub runs: AtomicU64,
    /// Of those, finished.
    pub finished: AtomicU64,
    /// Of those, there already when the sweep was started.
    pub reused: AtomicU64,
    /// Of the finished ones, failed.
    pub failed: AtomicU64,
    /// Going on.
    pub running: AtomicU64,
    /// Points of this part.
    pub points: AtomicU64,
    /// Of those, with all runs finished.
    pub points_finished: AtomicU64,
    /// Of those, with a failed run.
    pub points_failed: AtomicU64,
    /// Requests simulated by runs that were finished.
    pub requests: AtomicU64,
    /// Estimated cost of all runs to be made.
    pub cost: AtomicU64,
    /// Of that, of those that were made.
    pub cost_done: AtomicU64,
    lanes: Vec<Lane>,
}

/// What one worker is at; in a cache line of its own, for it is written often.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Lane {
    requests: AtomicU64,
    cost: AtomicU64,
}

impl Tally {
    /// Nothing done, by this many workers.
    pub fn new(workers: usize) -> Self {
        Self { lanes: (0..workers).map(|_| Lane::default()).collect(), ..Self::default() }
    }

    /// Worker `lane` has done this share of a run.
    pub fn reached(&self, lane: usize, needs: Needs, share: f64) {
        let Some(lane) = self.lanes.get(lane) else { return };
        lane.requests.store((needs.requests as f64 * share) as u64, Relaxed);
        lane.cost.store((needs.cost as f64 * share) as u64, Relaxed);
    }

    /// Requests simulated so far, those of runs that go on included.
    pub fn requests_so_far(&self) -> u64 {
        let going_on: u64 = self.lanes.iter().map(|lane| lane.requests.load(Relaxed)).sum();
        self.requests.load(Relaxed) + going_on
    }

    /// Which share of the work is done, in `[0, 1]`.
    pub fn share(&self) -> f64 {
        let going_on: u64 = self.lanes.iter().map(|lane| lane.cost.load(Relaxed)).sum();
        let all = self.cost.load(Relaxed).max(1) as f64;
        ((self.cost_done.load(Relaxed) + going_on) as f64 / all).min(1.0)
    }
}
