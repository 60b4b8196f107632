//! After how long a node hedges: a fixed time, or a percentile of what it has measured of late.
//!
//! Latencies of attempts that were answered well go into a coarse table, and so does the time until
//! then of those that were given up or lost to another: left out, the table would hold fast ones
//! only. Once `refresh` has passed since the last look and [`LATENCIES_MIN`] latencies have come, the
//! percentile is read off and the table emptied; before the first look there is none, and no hedge. So
//! Finagle's `BackupRequestFilter` works, but for its window: ours is the time since the last look,
//! its of 30 s.

use crate::config::{Hedge, HedgeAfter};
use crate::latency_table::bucket_of;
use crate::meters::RecentTable;
use crate::time::Nanos;

/// Fewer latencies than this say nothing about their percentiles.
pub const LATENCIES_MIN: u32 = 20;

/// See the module documentation.
#[derive(Clone, Debug)]
pub struct HedgeDelay {
    after: HedgeAfter,
    table: RecentTable,
    gathered: u32,
    /// When the table was emptied last [ns].
    since_ns: Nanos,
    present_ns: Option<Nanos>,
}

impl HedgeDelay {
    /// Nothing measured yet.
    pub fn new(hedge: &Hedge) -> Self {
        let present_ns = match hedge.after {
            HedgeAfter::Delay(ns) => Some(ns),
            HedgeAfter::Percentile { .. } => None,
        };
        let table = RecentTable::default();
        Self { after: hedge.after, table, gathered: 0, since_ns: 0, present_ns }
    }

    /// An attempt took `latency_ns` at least, as is known at `at_ns`.
    pub fn measure(&mut self, at_ns: Nanos, latency_ns: Nanos) {
        if matches!(self.after, HedgeAfter::Percentile { .. }) {
            self.look(at_ns);
            self.table.record(bucket_of(latency_ns));
            self.gathered += 1;
        }
    }

    /// How long an attempt that leaves at `at_ns` is waited for before the next [ns], if that is known.
    pub fn delay_ns(&mut self, at_ns: Nanos) -> Option<Nanos> {
        self.look(at_ns);
        self.present_ns
    }

    fn look(&mut self, at_ns: Nanos) {
        let HedgeAfter::Percentile { percent, refresh_ns, min_ns } = self.after else { return };
        if self.gathered >= LATENCIES_MIN && at_ns >= self.since_ns.saturating_add(refresh_ns) {
            let measured_ns = self.table.take_quantile_ns(percent / 100.0);
            self.present_ns = Some(measured_ns.max(min_ns));
            (self.gathered, self.since_ns) = (0, at_ns);
        }
    }

    /// Forgets what was measured: the node has stopped.
    pub fn reset(&mut self) {
        if matches!(self.after, HedgeAfter::Percentile { .. }) {
            self.table.take_quantile_ns(0.0);
            (self.gathered, self.present_ns) = (0, None);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::{MILLISECOND, SECOND};

    #[test]
    fn percentile_is_looked_up_once_a_refresh_and_only_among_enough() {
        let after = HedgeAfter::Percentile {
            percent: 90.0,
            refresh_ns: 3 * SECOND,
            min_ns: 2 * MILLISECOND,
        };
        let hedge = Hedge { after, max: 1, budget_ppm: 0, budget_min_per_s: 0.0, cancel: true };
        let mut delay = HedgeDelay::new(&hedge);
        (1..20).for_each(|ms| delay.measure(SECOND, ms * MILLISECOND));
        assert_eq!(delay.delay_ns(3 * SECOND), None, "19 are too few");
        delay.measure(3 * SECOND, 20 * MILLISECOND);
        let within = |ns: Option<Nanos>, ms: Nanos| {
            let ns = ns.expect("a percentile is known");
            assert!(
                (ms * MILLISECOND..=ms * MILLISECOND * 33 / 32).contains(&ns),
                "{ns} for {ms} ms"
            );
        };
        within(delay.delay_ns(3 * SECOND), 18);
        (0..100).for_each(|_| delay.measure(4 * SECOND, 40 * MILLISECOND));
        within(delay.delay_ns(6 * SECOND - 1), 18);
        within(delay.delay_ns(6 * SECOND), 40);
        (0..100).for_each(|_| delay.measure(7 * SECOND, MILLISECOND));
        assert_eq!(delay.delay_ns(9 * SECOND), Some(2 * MILLISECOND), "the least delay");
        delay.reset();
        assert_eq!(delay.delay_ns(20 * SECOND), None);
    }

    #[test]
    fn a_fixed_delay_is_what_it_is() {
        let after = HedgeAfter::Delay(MILLISECOND);
        let hedge = Hedge { after, max: 1, budget_ppm: 0, budget_min_per_s: 0.0, cancel: true };
        let mut delay = HedgeDelay::new(&hedge);
        delay.measure(0, SECOND);
        delay.reset();
        assert_eq!(delay.delay_ns(9 * SECOND), Some(MILLISECOND));
    }
}
