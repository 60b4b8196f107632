//! How many replications are enough: the stopping rule.
//!
//! The rule, for one point: start with `replications` of them; as long as some named metric's
//! interval is wider than its target, go on to [`next_count`]; stop at the cap in any case. It is
//! asked about the first `n` replications only, at the counts that [`counts`] lists, so how many a
//! point gets depends on their results and on nothing else: not on the order in which they finish.
//!
//! What it costs: whoever stops when the interval *looks* narrow stops too early a little more
//! often than too late, because a spread that is underestimated by chance ends the search
//! (Chow and Robbins 1965: the stated confidence is reached in the limit of narrow targets). Starting
//! with 5 replications and ending with 11 on the mean, the 95 % interval of an M/M/1 queue's mean
//! latency covered the truth in 91 % of 200 experiments (`sim-core/tests/coverage.rs`); a larger
//! `replications` to start with costs less. Growing by half instead of one by one keeps the loss
//! small: the rule is asked seldom.

use std::fmt;

use super::{CONFIDENCE, Interval, mean_interval};

/// How well a metric must be known before replications stop.
#[derive(Clone, Debug, PartialEq)]
pub struct Target {
    /// Column name of the metric.
    pub metric: String,
    /// Widest half-width of its 95 % confidence interval.
    pub half_width: HalfWidth,
}

/// A half-width of a confidence interval, as somebody asks for it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum HalfWidth {
    /// In percent of the absolute value of the mean, above 0.
    Percent(f64),
    /// In the unit of the metric, above 0.
    Absolute(f64),
}

impl HalfWidth {
    /// What a target looks like, for messages.
    pub const FORM: &str = "a share of the mean (\"5%\") or a number in the metric's unit (0.5)";

    /// A number in the metric's unit.
    ///
    /// # Errors
    /// The reason why it is no half-width.
    pub fn absolute(value: f64) -> Result<Self, String> {
        Ok(Self::Absolute(checked(value)?))
    }

    /// Reads `"5%"`, or a number in the metric's unit written as a text.
    ///
    /// # Errors
    /// The reason why it is no half-width.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let (number, is_percentage) =
            text.strip_suffix('%').map_or((text, false), |number| (number.trim_end(), true));
        let value = number.parse().map_err(|_| format!("`{text}` is no number or percentage"))?;
        let value = checked(value)?;
        Ok(if is_percentage { Self::Percent(value) } else { Self::Absolute(value) })
    }

    /// Whether an interval is as narrow as this. One of a single value is not known to be.
    pub fn is_met_by(self, interval: &Interval) -> bool {
        let widest = match self {
            Self::Percent(percent) => percent / 100.0 * interval.mean.abs(),
            Self::Absolute(value) => value,
        };
        interval.half_width.is_some_and(|half_width| half_width <= widest)
    }
}

fn checked(value: f64) -> Result<f64, String> {
    let fine = value.is_finite() && value > 0.0;
    if fine { Ok(value) } else { Err("must be above 0".to_owned()) }
}

/// As a scenario or a sweep file writes it, without quotes.
impl fmt::Display for HalfWidth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Absolute(value) => write!(f, "{value}"),
            Self::Percent(percent) => write!(f, "{percent}%"),
        }
    }
}

impl Target {
    /// Whether these replications are enough. `values` are those in which the metric is known; of
    /// fewer than two nothing is known about the spread, so they never are.
    pub fn is_met(&self, values: &[f64]) -> bool {
        mean_interval(values, CONFIDENCE)
            .is_some_and(|interval| self.half_width.is_met_by(&interval))
    }
}

/// How many replications to have next after `n`: half as many again, at least one more, and no
/// more than `cap`. `None` when `n` is as many as may be.
pub fn next_count(n: u32, cap: u32) -> Option<u32> {
    (n < cap).then(|| n.saturating_add((n / 2).max(1)).min(cap))
}

/// The counts at which the rule is asked: `least`, then as [`next_count`] says, up to `cap`.
pub fn counts(least: u32, cap: u32) -> impl Iterator<Item = u32> {
    std::iter::successors(Some(least), move |&n| next_count(n, cap))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(half_width: HalfWidth) -> Target {
        Target { metric: "latency_ms_p99".to_owned(), half_width }
    }

    /// Of 9, 10, 11 the standard deviation is 1 and t of 2 degrees is 4.303, so the half-width is
    /// 4.303 / sqrt(3) = 2.484.
    #[test]
    fn a_target_is_met_from_its_width_on() {
        let values = [9.0, 10.0, 11.0];
        for (half_width, met) in [
            (HalfWidth::Absolute(2.48), false),
            (HalfWidth::Absolute(2.49), true),
            (HalfWidth::Percent(24.8), false),
            (HalfWidth::Percent(24.9), true),
        ] {
            assert_eq!(target(half_width).is_met(&values), met, "{half_width}");
            let mirrored = values.map(|value| -value);
            assert_eq!(target(half_width).is_met(&mirrored), met, "negative, {half_width}");
        }
    }

    #[test]
    fn what_is_not_known_is_not_narrow() {
        let target = target(HalfWidth::Absolute(1e9));
        assert!(!target.is_met(&[]));
        assert!(!target.is_met(&[1.0]));
        assert!(target.is_met(&[1.0, 1.0]));
    }

    #[test]
    fn a_share_of_a_mean_of_zero_is_met_only_by_certainty() {
        let target = target(HalfWidth::Percent(5.0));
        assert!(target.is_met(&[0.0, 0.0, 0.0]));
        assert!(!target.is_met(&[-1.0, 1.0]));
    }

    #[test]
    fn counts_grow_by_half_up_to_the_cap() {
        assert_eq!(counts(5, 30).collect::<Vec<_>>(), [5, 7, 10, 15, 22, 30]);
        assert_eq!(counts(1, 5).collect::<Vec<_>>(), [1, 2, 3, 4, 5]);
        assert_eq!(counts(4, 4).collect::<Vec<_>>(), [4]);
        assert_eq!(counts(4, 2).collect::<Vec<_>>(), [4], "the least comes before the cap");
        assert_eq!(next_count(u32::MAX - 1, u32::MAX), Some(u32::MAX));
    }

    #[test]
    fn a_written_target_reads_back_as_the_same() {
        for value in [5.0, 0.1, 1.0 / 3.0, 7.000_000_000_000_001, 1e-12, 1e300] {
            for half_width in [HalfWidth::Absolute(value), HalfWidth::Percent(value)] {
                let written = half_width.to_string();
                assert_eq!(HalfWidth::parse(&written), Ok(half_width), "{written}");
            }
        }
        assert_eq!(HalfWidth::Percent(5.0).to_string(), "5%");
    }

    #[test]
    fn what_is_no_half_width_is_told() {
        for text in ["", "%", "5 percent", "0", "-1%", "NaN", "inf%"] {
            assert!(HalfWidth::parse(text).is_err(), "{text}");
        }
        assert_eq!(HalfWidth::parse(" 5 % "), Ok(HalfWidth::Percent(5.0)));
        assert!(HalfWidth::absolute(0.0).is_err() && HalfWidth::absolute(f64::NAN).is_err());
    }
}
