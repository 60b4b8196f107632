//! Controlled delay at a server: see [`crate::config::CoDel`].

use crate::config::CoDel;
use crate::time::Nanos;

/// What one server remembers of the waits it has seen.
#[derive(Clone, Copy, Debug, Default)]
pub struct Waits {
    /// The smallest wait of the present interval [ns]; `None`: it has yet to see one.
    least_ns: Option<Nanos>,
    /// The interval ends with the first request after this [ns].
    end_ns: Nanos,
    is_overloaded: bool,
}

impl Waits {
    /// Looks at the wait of a request that is about to start at `at_ns`: true if it is to be shed.
    ///
    /// The first of an interval never is: of one request nothing can be told.
    pub fn sheds(&mut self, codel: CoDel, at_ns: Nanos, wait_ns: Nanos) -> bool {
        if let Some(least_ns) = self.least_ns
            && at_ns > self.end_ns
        {
            self.end_ns = at_ns + codel.interval_ns;
            self.is_overloaded = least_ns > codel.target_ns;
            self.least_ns = None;
        }
        let is_first = self.least_ns.is_none();
        self.least_ns = Some(self.least_ns.map_or(wait_ns, |least_ns| least_ns.min(wait_ns)));
        !is_first && self.is_overloaded && wait_ns > 2 * codel.target_ns
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Purpose, RngExt, stream};

    /// `folly::Codel`, variable by variable.
    struct Folly {
        min_delay_ns: Nanos,
        interval_time_ns: Nanos,
        reset_delay: bool,
        overloaded: bool,
    }

    impl Folly {
        fn overloaded(&mut self, codel: CoDel, delay_ns: Nanos, now_ns: Nanos) -> bool {
            let min_delay_ns = self.min_delay_ns;
            if now_ns > self.interval_time_ns && !self.reset_delay {
                self.reset_delay = true;
                self.interval_time_ns = now_ns + codel.interval_ns;
                self.overloaded = min_delay_ns > codel.target_ns;
            }
            if self.reset_delay {
                self.reset_delay = false;
                self.min_delay_ns = delay_ns;
                return false;
            } else if delay_ns < self.min_delay_ns {
                self.min_delay_ns = delay_ns;
            }
            self.overloaded && delay_ns > 2 * codel.target_ns
        }
    }

    /// Goal: the rule is folly's. Method: random waits, small and large for a while each, at times that
    /// often are the ends of intervals, against a transcription.
    #[test]
    fn waits_are_judged_as_folly_does() {
        let mut shed = 0;
        for seed in 0..100 {
            let mut rng = stream(seed, 0, Purpose::Policy, 0);
            let target_ns = rng.random_range(1..6);
            let codel = CoDel { target_ns, interval_ns: target_ns + rng.random_range(1..30) };
            let mut waits = Waits::default();
            let (min_delay_ns, interval_time_ns) = (0, 0);
            let mut folly =
                Folly { min_delay_ns, interval_time_ns, reset_delay: true, overloaded: false };
            let (mut now_ns, mut most_ns) = (0, 1);
            for step in 0..500 {
                now_ns += rng.random_range(0..5);
                if rng.random_bool(0.05) {
                    most_ns = rng.random_range(1..40);
                }
                let wait_ns = rng.random_range(most_ns / 2..=most_ns);
                let expected = folly.overloaded(codel, wait_ns, now_ns);
                let sheds = waits.sheds(codel, now_ns, wait_ns);
                assert_eq!(sheds, expected, "seed {seed}, step {step}");
                shed += u32::from(sheds);
            }
        }
        assert!(shed > 5_000, "{shed} shed");
    }
}
