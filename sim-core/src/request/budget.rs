//! How many further attempts a node may send: a share of its requests, and a few a second.
//!
//! Two purses. Every request puts its share of an attempt into the first, which starts with
//! `AT_START` and holds `SAVED` at most; time puts `min` a second into the second, which starts
//! full and holds what `RESERVE_S` seconds bring. An attempt is paid from the first if it holds a
//! whole one, else from the second, else not made. So in a time `t` with `n` requests no more than
//! `10 + share n + min (10 s + t)` attempts are paid.
//!
//! Finagle's `RetryBudget` (20 %, 10 a second, ttl 10 s) is `share = 0.2`, `min = 10`. What differs:
//! its deposits expire after 10 s, where ours are capped at 100; its reserve comes back 10 s after it
//! was drawn on, where ours comes back evenly.

use crate::time::{Nanos, SECOND};

/// An attempt costs this much of the first purse [millionths].
const ATTEMPT_PPM: u64 = 1_000_000;
/// Attempts in the first purse at the start.
const AT_START: u64 = 10;
/// Most attempts in it.
const SAVED: u64 = 100;
/// An attempt costs this much of the second purse: so many parts that a rate of one millionth of an
/// attempt a second brings one part a nanosecond.
const ATTEMPT_PARTS: u128 = 1_000_000_000_000_000;
/// The second purse holds what this many seconds bring.
const RESERVE_S: u64 = 10;

/// See the module documentation.
#[derive(Clone, Debug)]
pub struct Budget {
    saved_ppm: u64,
    /// Attempts a second [millionths].
    min_ppm: u64,
    /// What is in the second purse [parts].
    reserve: u128,
    /// As of this moment [ns].
    at_ns: Nanos,
}

impl Budget {
    /// The purses of a node at time 0.
    pub fn new(min_per_s: f64) -> Self {
        let min_ppm = (min_per_s * 1e6).round() as u64;
        let mut budget = Self { saved_ppm: 0, min_ppm, reserve: 0, at_ns: 0 };
        budget.reset();
        budget
    }

    /// The purses of a node that starts anew.
    pub const fn reset(&mut self) {
        self.saved_ppm = AT_START * ATTEMPT_PPM;
        self.reserve = self.reserve_max();
    }

    const fn reserve_max(&self) -> u128 {
        let brought = self.min_ppm as u128 * (RESERVE_S * SECOND) as u128;
        if brought == 0 || brought > ATTEMPT_PARTS { brought } else { ATTEMPT_PARTS }
    }

    /// A request arrives.
    #[inline]
    pub fn earn(&mut self, share_ppm: u32) {
        self.saved_ppm = (self.saved_ppm + u64::from(share_ppm)).min(SAVED * ATTEMPT_PPM);
    }

    /// Pays for an attempt at `at_ns`; false when neither purse can.
    pub fn spend(&mut self, at_ns: Nanos) -> bool {
        if self.saved_ppm >= ATTEMPT_PPM {
            self.saved_ppm -= ATTEMPT_PPM;
            return true;
        }
        if self.min_ppm == 0 {
            return false;
        }
        let brought = u128::from(self.min_ppm) * u128::from(at_ns - self.at_ns);
        self.reserve = (self.reserve + brought).min(self.reserve_max());
        self.at_ns = at_ns;
        let enough = self.reserve >= ATTEMPT_PARTS;
        if enough {
            self.reserve -= ATTEMPT_PARTS;
        }
        enough
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::MILLISECOND;
    use proptest::prelude::*;

    proptest! {
        /// Goal: no more is paid than the module says, up to every moment, and all of it is when there
        /// is always somebody to pay for. Method: random arrivals and demands.
        #[test]
        fn budget_is_kept_and_can_be_used_up(
            share_ppm in 0_u32..2_000_000,
            min in 0.0_f64..50.0,
            steps in proptest::collection::vec((0_u64..200, 0_u32..4, 0_u32..6), 1..300),
        ) {
            let mut budget = Budget::new(min);
            let (mut at_ns, mut requests, mut paid) = (0, 0_u64, 0_u64);
            for (gap_ms, arrivals, wanted) in steps {
                at_ns += gap_ms * MILLISECOND;
                for _ in 0..arrivals {
                    budget.earn(share_ppm);
                    requests += 1;
                }
                paid += (0..wanted).filter(|_| budget.spend(at_ns)).count() as u64;
                let share = 10.0 + f64::from(share_ppm) / 1e6 * requests as f64;
                let min = (min * 1e6).round() / 1e6;
                let reserve = if min > 0.0 { (min * 10.0).max(1.0) } else { 0.0 };
                let allowed = share + reserve + min * at_ns as f64 / 1e9;
                prop_assert!(paid as f64 <= allowed + 1e-9, "{paid} of {allowed}");
            }
            let left = (0..100_000).take_while(|_| budget.spend(at_ns)).count();
            prop_assert!(left <= 100 + 500, "{left}");
            prop_assert!(!budget.spend(at_ns));
        }
    }

    #[test]
    fn reserve_of_ten_a_second_pays_a_hundred_and_then_one_every_tenth() {
        let mut budget = Budget::new(10.0);
        assert_eq!((0..1_000).filter(|_| budget.spend(0)).count(), 10 + 100);
        for tenth in 1..50 {
            let at_ns = tenth * 100 * MILLISECOND;
            assert!(!budget.spend(at_ns - 1), "{tenth}");
            assert!(budget.spend(at_ns), "{tenth}");
        }
    }
}
