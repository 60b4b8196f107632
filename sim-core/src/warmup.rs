//! How much of the beginning of a run to leave out: MSER-5.
//!
//! A run starts empty, so its first observations say how an empty fleet fills up. Leaving out too few
//! of them biases every mean; leaving out too many wastes data. The *marginal standard error rule*
//! (White 1997, "An effective truncation heuristic for bias reduction in simulation output",
//! Simulation 69) weighs the two: leave out the first `d` observations for which
//!
//! ```text
//! z(d) = sum over i = d+1 ..= n of (x_i - mean of those)^2  /  (n - d)^2
//! ```
//!
//! is smallest, which is the squared standard error of the mean of the rest, had they been
//! independent. *MSER-5* takes means of 5 observations for the `x_i`, which made it the most robust
//! of the rules compared by White, Cobb and Spratt (2000, "A comparison of five steady-state
//! truncation heuristics for simulation", Winter Simulation Conference).
//!
//! Only the first half is searched: near the end `z` falls by chance, being made of few values. If
//! it is smallest at the very middle, it was still falling there, and the run is too short to say.

/// Observations in a batch.
pub const BATCH: usize = 5;
/// With fewer batches than this the rule says nothing.
const BATCHES_LEAST: usize = 10;

/// What to leave out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Truncation {
    /// So many observations from the start: a multiple of [`BATCH`], at most half of all.
    pub observations: usize,
    /// The series did not settle in its first half, or is shorter than 50 observations:
    /// `observations` is half of it, and even that may not be enough.
    pub too_short: bool,
}

/// MSER-5 of a series of finite observations taken at even intervals. What is left over of the last
/// batch is not looked at. Among equal `z` the least is left out. O(n).
pub fn mser5(series: &[f64]) -> Truncation {
    let batches: Vec<f64> =
        series.chunks_exact(BATCH).map(|batch| batch.iter().sum::<f64>() / BATCH as f64).collect();
    let middle = batches.len() / 2;
    if batches.len() < BATCHES_LEAST {
        return Truncation { observations: middle * BATCH, too_short: true };
    }
    let d = truncation(&batches);
    Truncation { observations: d * BATCH, too_short: d == middle }
}

/// The `d` in the first half with the smallest `z(d)`.
///
/// From the last value backwards, with the mean and the sum of squares of what has been seen kept
/// up to date (Welford 1962): sums of squares of large values would leave nothing but rounding.
fn truncation(values: &[f64]) -> usize {
    let middle = values.len() / 2;
    let (mut count, mut mean, mut squares) = (0.0, 0.0, 0.0);
    let mut best = (middle, f64::INFINITY);
    for (d, value) in values.iter().enumerate().rev() {
        count += 1.0;
        let distance = value - mean;
        mean += distance / count;
        squares += distance * (value - mean);
        let z = squares / (count * count);
        if d <= middle && z <= best.1 {
            best = (d, z);
        }
    }
    best.0
}

#[cfg(test)]
mod tests {
    use rand::RngExt;

    use super::*;
    use crate::rng::{Purpose, stream};
    use crate::ziggurat::Normal;

    /// `z(d)` as it is written.
    fn z(values: &[f64], d: usize) -> f64 {
        let rest = &values[d..];
        let n = rest.len() as f64;
        let mean = rest.iter().sum::<f64>() / n;
        rest.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / (n * n)
    }

    /// Goal: the backward pass finds the smallest `z`. Method: series of every shape, on a large
    /// offset, against the definition, in O(n^2); equal up to rounding of the offset's squares.
    #[test]
    fn the_truncation_minimises_the_definition() {
        let normal = Normal::default();
        for seed in 0..400 {
            let mut stream = stream(seed, 0, Purpose::Demand, 0);
            let n = stream.random_range(1..120_usize);
            let (offset, fall) = (stream.random_range(0.0..1e4), stream.random_range(0.0..30.0));
            let settling = stream.random_range(1.0..80.0);
            let values: Vec<f64> = (0..n)
                .map(|i| {
                    offset - fall * libm::exp(-(i as f64) / settling) + normal.draw(&mut stream)
                })
                .collect();
            let found = truncation(&values);
            let least = (0..=n / 2).map(|d| z(&values, d)).fold(f64::INFINITY, f64::min);
            assert!(found <= n / 2, "seed {seed}");
            let excess = z(&values, found) - least;
            assert!(excess <= 1e-9 * least + 1e-12, "seed {seed}: {found} of {n}, {excess} above");
        }
    }

    /// Worked out by hand: 2 values of 10, then 8 of 0. z(0) = 160/100, z(1) = (720/9)/81,
    /// z(2) = 0.
    #[test]
    fn a_step_is_cut_off_where_it_is() {
        let mut batches = vec![0.0; 10];
        batches[..2].fill(10.0);
        assert!((z(&batches, 0) - 1.6).abs() < 1e-12);
        assert_eq!(truncation(&batches), 2);
        // As observations: 5 of each.
        let series: Vec<f64> = batches.iter().flat_map(|value| [*value; BATCH]).collect();
        assert_eq!(mser5(&series), Truncation { observations: 10, too_short: false });
    }

    #[test]
    fn a_constant_series_is_kept_whole() {
        assert_eq!(mser5(&[3.5; 73]), Truncation { observations: 0, too_short: false });
    }

    #[test]
    fn a_series_that_never_settles_is_too_short() {
        let rising: Vec<f64> = (0..1_000).map(f64::from).collect();
        assert_eq!(mser5(&rising), Truncation { observations: 500, too_short: true });
        for n in 0..50 {
            let observations = n / BATCH / 2 * BATCH;
            assert_eq!(mser5(&vec![1.0; n]), Truncation { observations, too_short: true });
        }
    }

    /// Goal: a transient is recognised in noise and little else is thrown away. Method: 200 series
    /// of 1 000 observations, `-20 e^(-i/20)` below a noisy level. After 20 * ln(20) = 60 of them the
    /// transient is as large as the noise, after 140 it is 2 % of it.
    #[test]
    fn a_transient_is_cut_off_and_little_more() {
        let normal = Normal::default();
        let cuts: Vec<usize> = (0..200)
            .map(|seed| {
                let mut stream = stream(seed, 1, Purpose::Demand, 0);
                let series: Vec<f64> = (0..1_000)
                    .map(|i| {
                        100.0 - 20.0 * libm::exp(-f64::from(i) / 20.0) + normal.draw(&mut stream)
                    })
                    .collect();
                let cut = mser5(&series);
                assert!(!cut.too_short, "seed {seed}");
                cut.observations
            })
            .collect();
        assert!(cuts.iter().all(|&cut| cut >= 40), "{cuts:?}");
        let mean = cuts.iter().sum::<usize>() as f64 / cuts.len() as f64;
        assert!((50.0..150.0).contains(&mean), "{mean}");
    }
}
