//! The smoothed latency that servers report, against the geometric series.

use sim_core::rng::{Purpose, stream};
use sim_core::server::LatencyMean;
use sim_core::ziggurat::Exponential;

const TABLE: &str = include_str!("../../data/oracles/p18_ewma.csv");

/// Repetitions a row.
const REPETITIONS: u32 = 40_000;

/// The mean after a first sample `x0` and `samples` more, one every nanosecond.
fn smoothed(x0: f32, samples: impl Iterator<Item = f32>, alpha: f32) -> f32 {
    let mut mean = LatencyMean::default();
    mean.observe(1, x0, alpha);
    for (at_ns, sample) in (2..).zip(samples) {
        mean.observe(at_ns, sample, alpha);
    }
    mean.mean_ns
}

/// Goal: mean and variance after k exponential samples of mean 1 are those of the table, whatever it began
/// with. Method: the first sample stands for x0; 40 000 repetitions a row, within five standard errors, which are
/// below 2 % of the mean and 5 % of the variance.
#[test]
fn smoothing_keeps_the_geometric_series() {
    let mut rows = 0;
    for line in TABLE.lines().skip(1) {
        let cells: Vec<&str> = line.split(',').collect();
        let number = |column: usize| cells[column].parse::<f64>().unwrap();
        let (alpha, k, x0) = (number(1) as f32, number(2) as usize, number(3) as f32);
        let (mean, variance) = (number(4), number(6));
        let mut stream = stream(7, rows, Purpose::Arrivals, 0);
        let values: Vec<f64> = (0..REPETITIONS)
            .map(|_| {
                let draw = || Exponential::default().draw(&mut stream) as f32;
                f64::from(smoothed(x0, std::iter::repeat_with(draw).take(k), alpha))
            })
            .collect();
        let n = f64::from(REPETITIONS);
        let moment = |power| values.iter().map(|x| (x - mean).powi(power)).sum::<f64>() / n;
        let (gap, second, fourth) = (moment(1), moment(2), moment(4));
        let mean_error = 5.0 * (second / n).sqrt();
        let variance_error = 5.0 * ((fourth - second * second) / n).sqrt();
        assert!(gap.abs() <= mean_error, "{}: mean off by {gap}", cells[0]);
        let spread = second - variance;
        assert!(spread.abs() <= variance_error, "{}: variance off by {spread}", cells[0]);
        assert!(mean_error < 0.1 && variance_error < 0.12 * variance, "{}: too wide", cells[0]);
        rows += 1;
    }
    assert_eq!(rows, 24);
}

/// Goal: a mean of latencies is never outside them.
#[test]
fn a_smoothed_latency_stays_between_its_samples() {
    for alpha in [0.01, 0.3, 1.0] {
        let mut stream = stream(8, 0, Purpose::Arrivals, 0);
        let mut mean = LatencyMean::default();
        let (mut low, mut high) = (f32::INFINITY, 0.0_f32);
        for at_ns in 1..10_000 {
            let sample = Exponential::default().draw(&mut stream) as f32;
            (low, high) = (low.min(sample), high.max(sample));
            mean.observe(at_ns, sample, alpha);
            let rounding = 1e-6 * high;
            assert!((low - rounding..=high + rounding).contains(&mean.mean_ns), "{alpha} {at_ns}");
        }
    }
}
