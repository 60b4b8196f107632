//! What several runs say together: means with confidence intervals, differences of pairs, and
//! measures of imbalance.

pub mod target; // how many runs are enough
pub mod contest; // which alternative is best

/// Confidence of every interval that lbsim reports.
pub const CONFIDENCE: f64 = 0.95;

/// A mean and how well it is known.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval {
    /// The mean of the values.
    pub mean: f64,
    /// Half the width of the confidence interval; `None` for a single value, which tells nothing
    /// about its own spread. Unknown is not 0.
    pub half_width: Option<f64>,
}

impl Interval {
    /// Lower end of the interval, where it is known.
    pub fn low(&self) -> Option<f64> {
        self.half_width.map(|half| self.mean - half)
    }

    /// Upper end of the interval, where it is known.
    pub fn high(&self) -> Option<f64> {
        self.half_width.map(|half| self.mean + half)
    }
}

/// The mean of independent values and its Student-t interval, which covers the true mean with
/// probability `confidence`, in `(0, 1)`, if the values are normal. `None` without values.
pub fn mean_interval(values: &[f64], confidence: f64) -> Option<Interval> {
    let n = values.len() as f64;
    let count = u32::try_from(values.len()).expect("replications are counted in u32");
    let mean = match count {
        0 => return None,
        _ => values.iter().sum::<f64>() / n,
    };
    let half_width =
        variance(values).map(|variance| student_t(count - 1, confidence) * (variance / n).sqrt());
    Some(Interval { mean, half_width })
}

/// A mean difference of pairs, and what pairing them was worth.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PairedDifference {
    /// The mean of `value - baseline` and its interval.
    pub interval: Interval,
    /// Variance of the difference had the two sides been independent, over the variance of the
    /// paired difference: how many times as many replications independent runs would have needed.
    /// Above 1 where common random numbers helped, below where they hurt. `None` for fewer than
    /// two pairs, and where all pairs differ by the same: no number says how much that is worth.
    pub variance_reduction: Option<f64>,
}

/// The mean difference `values - baseline`, pair by pair. With common random numbers both sides
/// share their luck, so its interval is far narrower than that of two independent sets of runs.
/// `None` without values; both slices are equally long.
pub fn paired_difference(
    values: &[f64],
    baseline: &[f64],
    confidence: f64,
) -> Option<PairedDifference> {
    assert_eq!(values.len(), baseline.len(), "pairs need two sides");
    let differences: Vec<f64> = values.iter().zip(baseline).map(|(v, b)| v - b).collect();
    let interval = mean_interval(&differences, confidence)?;
    let reduction = || {
        let paired = variance(&differences)?;
        (paired > 0.0).then_some((variance(values)? + variance(baseline)?) / paired)
    };
    Some(PairedDifference { interval, variance_reduction: reduction() })
}

/// The sample variance; `None` for fewer than two values.
pub fn variance(values: &[f64]) -> Option<f64> {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let squares = || values.iter().map(|value| (value - mean) * (value - mean)).sum::<f64>();
    (values.len() > 1).then(|| squares() / (n - 1.0))
}

/// The `t` for which a Student-t variable with `degrees >= 1` degrees of freedom lies in
/// `[-t, t]` with probability `confidence`, in `(0, 1)`.
///
/// For whole degrees the distribution is a finite sum in the angle `theta`, `tan(theta) =
/// t / sqrt(degrees)` (Abramowitz and Stegun 26.7.3 and 26.7.4). It increases from 0 to 1 over a
/// quarter turn, so bisection finds the angle. O(degrees).
pub fn student_t(degrees: u32, confidence: f64) -> f64 {
    assert!(degrees >= 1, "no spread is known from a single value");
    assert!(0.0 < confidence && confidence < 1.0, "confidence {confidence} is not in (0, 1)");
    let (mut low, mut high) = (0.0, std::f64::consts::FRAC_PI_2);
    loop {
        let theta = f64::midpoint(low, high);
        if theta <= low || theta >= high {
            return libm::tan(theta) * f64::from(degrees).sqrt();
        }
        if central_probability(degrees, theta) < confidence {
            low = theta;
        } else {
            high = theta;
        }
    }
}

/// `P(|T| <= sqrt(degrees) tan(theta))`.
fn central_probability(degrees: u32, theta: f64) -> f64 {
    let (sin, cos) = (libm::sin(theta), libm::cos(theta));
    // Even degrees: sin (1 + 1/2 cos^2 + 1*3/(2*4) cos^4 + ...), powers up to degrees - 2.
    // Odd: 2/pi (theta + sin (cos + 2/3 cos^3 + 2*4/(3*5) cos^5 + ...)), likewise.
    let odd = degrees % 2 == 1;
    let mut power = u32::from(odd);
    let mut term = if odd { cos } else { 1.0 };
    let mut sum = 0.0;
    while power + 2 <= degrees {
        sum += term;
        term *= cos * cos * f64::from(power + 1) / f64::from(power + 2);
        power += 2;
    }
    if odd { std::f64::consts::FRAC_2_PI * (theta + sin * sum) } else { sin * sum }
}

/// The Gini coefficient of non-negative values: 0 when all are equal, near 1 when one has all.
/// `None` where it has no meaning: without values, or if all are 0.
pub fn gini(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let n = sorted.len() as f64;
    let total: f64 = sorted.iter().sum();
    // Sen's form: sum over ranks i = 1..n of (2 i - n - 1) x_i, over n sum x_i.
    let weighted: f64 =
        (1u32..).zip(&sorted).map(|(rank, x)| (2.0 * f64::from(rank) - n - 1.0) * x).sum();
    (total > 0.0).then(|| weighted / (n * total))
}

/// The largest of non-negative values over their mean: 1 when all are equal. `None` where it has
/// no meaning: without values, or if all are 0.
pub fn max_over_mean(values: &[f64]) -> Option<f64> {
    let total: f64 = values.iter().sum();
    let largest = values.iter().copied().fold(0.0, f64::max);
    (total > 0.0).then(|| largest * values.len() as f64 / total)
}

#[cfg(test)]
mod tests {
    use statrs::distribution::{ContinuousCDF, StudentsT};

    use super::*;
    use crate::rng::{Purpose, stream};
    use crate::ziggurat::Normal;

    /// Printed tables, to their last digit.
    #[test]
    fn student_t_equals_printed_tables() {
        for (degrees, confidence, t) in [
            (1, 0.95, 12.706),
            (2, 0.95, 4.303),
            (4, 0.95, 2.776),
            (9, 0.95, 2.262),
            (29, 0.95, 2.045),
            (1, 0.99, 63.657),
            (10, 0.99, 3.169),
            (120, 0.95, 1.980),
        ] {
            let ours = student_t(degrees, confidence);
            assert!((ours - t).abs() < 5.01e-4, "{degrees} degrees, {confidence}: {ours}");
        }
    }

    /// Against the distribution function of `statrs`: its quantile function is itself a search.
    #[test]
    fn student_t_inverts_statrs() {
        for degrees in (1..=60).chain([99, 100, 999, 10_000, 100_001]) {
            let theory = StudentsT::new(0.0, 1.0, f64::from(degrees)).unwrap();
            for confidence in [0.01, 0.5, 0.8, 0.9, 0.95, 0.99, 0.999, 0.999_999] {
                let t = student_t(degrees, confidence);
                let covered = 1.0 - 2.0 * theory.cdf(-t);
                assert!((covered - confidence).abs() < 1e-9, "{degrees}, {confidence}: {covered}");
            }
        }
    }

    /// Goal: the interval covers the truth as often as it says. 20 000 trials of 5 normal values;
    /// the bound allows 1e-6 false alarms.
    #[test]
    fn interval_covers_the_true_mean_as_often_as_stated() {
        let mut stream = stream(51, 0, Purpose::Demand, 0);
        let normal = Normal::default();
        let trials = 20_000;
        let covered = (0..trials)
            .filter(|_| {
                let values: [f64; 5] = std::array::from_fn(|_| 3.0 + normal.draw(&mut stream));
                let interval = mean_interval(&values, 0.9).unwrap();
                interval.low().unwrap() <= 3.0 && 3.0 <= interval.high().unwrap()
            })
            .count() as f64;
        let expected = 0.9 * f64::from(trials);
        assert!((covered - expected).abs() < crate::goodness::Z * (0.1 * expected).sqrt());
    }

    #[test]
    fn the_spread_of_one_value_is_unknown() {
        assert_eq!(mean_interval(&[], 0.95), None);
        let one = mean_interval(&[7.0], 0.95).unwrap();
        assert_eq!((one.mean, one.low(), one.high()), (7.0, None, None));
        let equal = mean_interval(&[7.0, 7.0], 0.95).unwrap();
        assert_eq!((equal.low(), equal.high()), (Some(7.0), Some(7.0)));
    }

    #[test]
    fn pairs_cancel_what_they_share() {
        let baseline = [1.0, 50.0, 900.0];
        let shifted = baseline.map(|b| b + 2.0);
        let difference = paired_difference(&shifted, &baseline, 0.95).unwrap();
        assert_eq!(difference.interval, Interval { mean: 2.0, half_width: Some(0.0) });
        assert_eq!(difference.variance_reduction, None, "no number is large enough");
    }

    /// Of 1, 2, 3 and 1, 3, 2 both variances are 1; the differences 0, -1, 1 have variance 1 too.
    #[test]
    fn what_pairing_was_worth_is_a_ratio_of_variances() {
        let difference = paired_difference(&[1.0, 2.0, 3.0], &[1.0, 3.0, 2.0], 0.95).unwrap();
        assert_eq!((difference.interval.mean, difference.variance_reduction), (0.0, Some(2.0)));
        // Pairs that pull in opposite directions: 2 over the variance of -2, 0, 2.
        let difference = paired_difference(&[1.0, 2.0, 3.0], &[3.0, 2.0, 1.0], 0.95).unwrap();
        assert_eq!(difference.variance_reduction, Some(0.5));
        assert_eq!(paired_difference(&[1.0], &[3.0], 0.95).unwrap().variance_reduction, None);
        assert_eq!(paired_difference(&[], &[], 0.95), None);
    }

    /// Goal: independent pairs are worth nothing: the ratio is near 1. Method: 20 000 pairs of
    /// independent normal values; its relative error is about sqrt(2/n) = 1 %.
    #[test]
    fn independent_pairs_reduce_no_variance() {
        let normal = Normal::default();
        let draw = |entity| {
            let mut stream = stream(52, 0, Purpose::Demand, entity);
            (0..20_000).map(|_| normal.draw(&mut stream)).collect::<Vec<_>>()
        };
        let reduction = paired_difference(&draw(0), &draw(1), 0.95).unwrap().variance_reduction;
        assert!((reduction.unwrap() - 1.0).abs() < 0.05, "{reduction:?}");
    }

    #[test]
    fn imbalance_of_known_shares() {
        assert_eq!((gini(&[]), max_over_mean(&[])), (None, None));
        assert_eq!((gini(&[0.0; 3]), max_over_mean(&[0.0; 3])), (None, None));
        assert_eq!((gini(&[2.0; 4]), max_over_mean(&[2.0; 4])), (Some(0.0), Some(1.0)));
        assert_eq!(
            (gini(&[0.0, 8.0, 0.0, 0.0]), max_over_mean(&[0.0, 8.0])),
            (Some(0.75), Some(2.0))
        );
        assert_eq!(gini(&[3.0, 1.0]), Some(0.25));
    }
}
