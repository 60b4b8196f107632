//! Which run is next: the longest that fits into the memory left.
//!
//! Longest first, because a long run begun last leaves the other threads idle at the end.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::needs::Needs;

/// A run to be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Job {
    /// Of which subject.
    pub subject: u32,
    /// Which replication.
    pub replication: u32,
}

/// Runs that wait, and the memory they wait for.
#[derive(Debug)]
pub struct Agenda {
    waiting: BTreeMap<(Reverse<u64>, Job), u64>,
    free_bytes: u64,
}

impl Agenda {
    /// Nothing to do, and this much memory.
    pub const fn new(budget_bytes: u64) -> Self {
        Self { waiting: BTreeMap::new(), free_bytes: budget_bytes }
    }

    /// A run is to be made.
    pub fn add(&mut self, job: Job, needs: Needs) {
        self.waiting.insert((Reverse(needs.cost), job), needs.bytes);
    }

    /// The next run, if one fits; its memory is taken.
    pub fn take(&mut self) -> Option<(Job, u64)> {
        let fits = |(_, bytes): &(&(Reverse<u64>, Job), &u64)| **bytes <= self.free_bytes;
        let (key, bytes) = self.waiting.iter().find(fits).map(|(key, bytes)| (*key, *bytes))?;
        self.waiting.remove(&key);
        self.free_bytes -= bytes;
        Some((key.1, bytes))
    }

    /// The memory of a run is free again.
    pub const fn release(&mut self, bytes: u64) {
        self.free_bytes += bytes;
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(subject: u32) -> Job {
        Job { subject, replication: 0 }
    }

    #[test]
    fn the_longest_that_fits_comes_first() {
        let mut agenda = Agenda::new(100);
        for (subject, cost, bytes) in [(0, 1, 10), (1, 9, 80), (2, 9, 50), (3, 5, 20)] {
            agenda.add(job(subject), Needs { cost, requests: 0, bytes });
        }
        assert_eq!(agenda.take(), Some((job(1), 80)));
        // 50 do not fit beside 80, 20 do.
        assert_eq!(agenda.take(), Some((job(3), 20)));
        assert_eq!(agenda.take(), None);
        agenda.release(20);
        assert_eq!(agenda.take(), Some((job(0), 10)));
        agenda.release(80);
        assert_eq!(agenda.take(), Some((job(2), 50)));
        assert!(agenda.is_empty());
    }
}
