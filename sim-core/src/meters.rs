//! What is counted while nodes work: per node in exact sums, per lane in tables.
//!
//! A *lane* is a contiguous range of nodes worked through by one task. Latency tables belong to
//! lanes and not to nodes (a table a node would flush the caches); counts add up to the same
//! whatever the number of lanes.

use bevy_ecs::prelude::{Component, Resource};

use crate::ids::ServerId;
use crate::latency_table::{LatencyTable, bucket_of, highest_of};
use crate::network::{Moment, Response};
use crate::order::Sorter;
use crate::result::{Counts, Efforts, MemberCounts, Outcome};
use crate::ticks::Ticks;
use crate::time::Nanos;
use crate::traffic::Arrival;

/// What one node has done. The pairs are: requests that arrived before the measurement window, and
/// in it.
#[derive(Component, Clone, Debug, Default)]
pub struct NodeMeters {
    /// Requests by outcome.
    pub counts: [Counts; 2],
    /// Sum of latencies of requests that ended `Ok` [ns].
    pub latency_sum_ns: [u128; 2],
    /// Attempts sent.
    pub dispatched: u64,
    /// Attempts beyond the first.
    pub retried: u64,
    /// Retries not made because the budget was spent.
    pub retries_denied: u64,
    /// What was sent beyond the first attempts.
    pub efforts: Efforts,
    /// Heartbeats that arrived.
    pub reports: u64,
    /// Probes sent.
    pub probes: u64,
    /// Notes that came on their own, not with an answer.
    pub notes: u64,
    /// Answers that were waited for and that a partition kept from the node.
    pub answers_cut: u64,
    /// Packets sent to other nodes.
    pub peer_messages: u64,
    /// Bytes of those packets.
    pub peer_bytes: u64,
    /// Membership.
    pub members: MemberCounts,
    /// As in [`crate::result::NodeResult::suspicions`].
    pub suspicions: Vec<(u32, Nanos)>,
}

impl NodeMeters {
    /// Counts the end of a request.
    #[inline]
    pub const fn end(&mut self, measured: bool, outcome: Outcome) {
        self.counts[measured as usize].by_outcome[outcome as usize] += 1;
    }
}

/// Working memory and tables of the tasks that work through the nodes.
#[derive(Debug, Resource)]
pub struct Lanes {
    /// One a task.
    pub lanes: Vec<Lane>,
}

/// Working memory and tables of one task.
#[derive(Debug, Default)]
pub struct Lane {
    /// Latencies of requests that ended `Ok`: arrived before the window, and in it.
    pub latency: [LatencyTable; 2],
    /// Latencies of the present time-series interval.
    pub recent: RecentTable,
    /// Puts in order what arrives at a node in this tick, where several shards answer.
    pub sorter: Sorter<Response>,
    /// Requests that arrive at a node in this tick.
    pub arrivals: Vec<Arrival>,
    /// What came back to a node in this tick.
    pub returns: Vec<Return>,
    /// Who was chosen for each arrival of this tick.
    pub chosen: Vec<u32>,
    /// Whom a node probes.
    pub asked: Vec<ServerId>,
    /// Events handled in the present tick.
    pub events: u64,
    /// Bit `t` is set once worker thread `t` has worked here.
    pub threads_seen: u64,
}

/// An answer that was waited for.
#[derive(Clone, Copy, Debug, Default)]
pub struct Return {
    /// When its request arrived [ns].
    pub arrived_ns: Nanos,
    /// When it came back in its tick, and how.
    pub moment: Moment,
    /// From where.
    pub server: u32,
}

impl Return {
    /// When it came back [ns], in the tick that starts at `start_ns`.
    #[inline]
    pub const fn at_ns(&self, ticks: &Ticks, start_ns: Nanos) -> Nanos {
        start_ns + self.moment.offset_ns(ticks) as Nanos
    }
}

/// A bucket of [`RecentTable`] is this many of [`LatencyTable`], as a power of two.
const RECENT_SHIFT: u32 = 5;

/// A coarse table of latencies, cheap to fill, read and clear: buckets of 3 % of their value, 32
/// ns at least.
#[derive(Clone, Debug)]
pub struct RecentTable {
    counts: Vec<u32>,
}

impl Default for RecentTable {
    fn default() -> Self {
        Self { counts: vec![0; (bucket_of(Nanos::MAX) >> RECENT_SHIFT) + 1] }
    }
}

impl RecentTable {
    /// Memory it takes [bytes].
    pub(crate) const BYTES: usize =
        ((bucket_of(Nanos::MAX) >> RECENT_SHIFT) + 1) * size_of::<u32>();

    /// Counts a latency by its bucket in a [`LatencyTable`].
    #[inline]
    pub fn record(&mut self, bucket: usize) {
        self.recorder()(bucket);
    }

    /// The same for many.
    #[inline]
    pub fn recorder(&mut self) -> impl FnMut(usize) {
        let counts = &mut self.counts[..];
        |bucket| counts[bucket >> RECENT_SHIFT] += 1
    }

    /// Adds another table and empties it.
    pub fn take(&mut self, other: &mut Self) {
        for (mine, theirs) in self.counts.iter_mut().zip(&mut other.counts) {
            *mine += std::mem::take(theirs);
        }
    }

    /// The smallest bucket with at least `share` of the counts at or below it, as its upper edge
    /// [ns]; 0 when nothing was counted. Empties the table.
    pub fn take_quantile_ns(&mut self, share: f64) -> Nanos {
        let total: u64 = self.counts.iter().map(|&count| u64::from(count)).sum();
        if total == 0 {
            return 0;
        }
        let wanted = (share * total as f64).ceil() as u64;
        let mut seen = 0;
        let bucket = self.counts.iter().position(|&count| {
            seen += u64::from(count);
            seen >= wanted
        });
        self.counts.fill(0);
        bucket.map_or(0, |bucket| highest_of(((bucket + 1) << RECENT_SHIFT) - 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantile_is_within_one_bucket_above_the_value() {
        let mut table = RecentTable::default();
        assert_eq!(table.take_quantile_ns(0.99), 0);
        for value in 1..=1_000_u64 {
            table.record(bucket_of(value * 10_007));
        }
        let p99 = table.take_quantile_ns(0.99);
        assert!((9_906_930..=9_906_930 * 33 / 32).contains(&p99), "{p99}");
        assert_eq!(table.take_quantile_ns(0.5), 0, "taking empties");
    }
}
