//! How popular keys are: Zipf's law over the keys that were seen.

use super::{Fit, digits, distance_fine};

/// Largest exponent of a scenario.
const EXPONENT_MAX: f64 = 10.0;

/// Requests of each key.
pub struct Popularity {
    /// The most popular first.
    counts: Vec<u64>,
    requests: u64,
}

impl Popularity {
    /// `None` where the trace states no keys, or a single one.
    pub fn new(sorted_keys: &[u64]) -> Option<Self> {
        let mut counts: Vec<u64> =
            sorted_keys.chunk_by(|a, b| a == b).map(|same| same.len() as u64).collect();
        counts.sort_unstable_by(|a, b| b.cmp(a));
        (counts.len() > 1).then_some(Self { counts, requests: sorted_keys.len() as u64 })
    }

    /// One line about the keys.
    pub fn describe(&self) -> String {
        let Self { counts, requests } = self;
        let of = |count: u64| digits(100.0 * count as f64 / *requests as f64);
        let tenth: u64 = counts[..counts.len().div_ceil(10)].iter().sum();
        format!(
            "keys: {} different ones seen, the first has {} % of the requests, the first tenth {} %",
            counts.len(),
            of(counts[0]),
            of(tenth)
        )
    }

    /// Zipf's law and the uniform one, in no order.
    pub fn fits(&self) -> Vec<Fit> {
        let count = self.counts.len();
        let exponent = self.exponent();
        let zipf = format!("zipf = {{ count = {count}, exponent = {} }}", digits(exponent));
        let uniform = format!("uniform = {{ count = {count} }}");
        vec![self.judge(zipf, exponent), self.judge(uniform, 0.0)]
    }

    /// By likelihood: the mean logarithm of the rank is that of the law, which falls with the
    /// exponent.
    fn exponent(&self) -> f64 {
        let logs: Vec<f64> = (1..=self.counts.len()).map(|rank| libm::log(rank as f64)).collect();
        let found = logs.iter().zip(&self.counts).map(|(log, n)| log * *n as f64).sum::<f64>();
        let found = found / self.requests as f64;
        let expected = |exponent: f64| {
            let (mut weights, mut sum) = (0.0, 0.0);
            for log in &logs {
                let weight = libm::exp(-exponent * log);
                weights += weight;
                sum += weight * log;
            }
            sum / weights
        };
        let (mut less, mut more) = (0.0, EXPONENT_MAX);
        for _ in 0..50 {
            let middle = 0.5 * (less + more);
            if expected(middle) > found { less = middle } else { more = middle }
        }
        0.5 * (less + more)
    }

    fn judge(&self, toml: String, exponent: f64) -> Fit {
        let weight = |rank: usize| libm::pow(rank as f64, -exponent);
        let all: f64 = (1..=self.counts.len()).map(weight).sum();
        let (mut found, mut expected, mut largest) = (0.0, 0.0, 0.0_f64);
        for (rank, count) in (1..).zip(&self.counts) {
            found += *count as f64 / self.requests as f64;
            expected += weight(rank) / all;
            largest = largest.max((found - expected).abs());
        }
        let distance = format!("KS over ranks {}", digits(largest));
        Fit {
            toml,
            distance,
            score: largest,
            fits: largest <= distance_fine(self.requests as usize),
        }
    }
}
