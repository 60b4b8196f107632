//! Request keys: which of many things a request is about, and how popular each of them is.
//!
//! A key is a number below `count`, 0 the most popular; policies that route by key hash it. Keys are
//! drawn in constant memory and expected constant time whatever the count: by rejection-inversion
//! (Hörmann and Derflinger, "Rejection-inversion to generate variates from monotone discrete
//! distributions", 1996), which is exact.
//!
//! Each node draws the keys of what arrives at it from a stream of its own, so that all policies of a
//! scenario see the same keys, and a scenario without keys draws nothing.

use crate::rng::{Rng, Stream};
use crate::ziggurat::unit;

/// How popular keys are.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Popularity {
    /// Key `k` of `0..count` has a share in proportion to `(k + 1)^-exponent`.
    Zipf {
        /// Number of keys, in `1..=2^53`.
        count: u64,
        /// In `[0, 10]`; 0 is uniform.
        exponent: f64,
    },
    /// All keys are alike.
    Uniform {
        /// Number of keys, in `1..=2^53`.
        count: u64,
    },
}

/// Most keys: a float counts so far without gaps.
pub const KEYS_MAX: u64 = 1 << 53;
/// Largest exponent: beyond it nearly every request has key 0.
pub const EXPONENT_MAX: f64 = 10.0;

/// Draws keys by a law.
#[derive(Clone, Copy, Debug)]
pub struct KeySampler(Sampler);

#[derive(Clone, Copy, Debug)]
enum Sampler {
    Uniform { count: u64 },
    Zipf(Zipf),
}

impl Popularity {
    /// A sampler of this law, whose count is above 0.
    pub fn sampler(&self) -> KeySampler {
        KeySampler(match *self {
            Self::Zipf { count, exponent } if exponent > 0.0 => {
                Sampler::Zipf(Zipf::new(count, exponent))
            }
            Self::Zipf { count, .. } | Self::Uniform { count } => Sampler::Uniform { count },
        })
    }
}

impl KeySampler {
    /// The next key.
    #[inline]
    pub fn draw(&self, stream: &mut Stream) -> u64 {
        match &self.0 {
            // Multiply and shift: no key is likelier than another by more than count / 2^64.
            Sampler::Uniform { count } => {
                ((u128::from(stream.next_u64()) * u128::from(*count)) >> 64) as u64
            }
            Sampler::Zipf(zipf) => zipf.draw(stream) - 1,
        }
    }
}

/// A Zipf law on `1..=count`.
///
/// With `h(x) = x^-exponent` and `H` its integral from 1, a uniform point of `[H(3/2) - 1,
/// H(count + 1/2)]` falls into the piece of a number `k`, which is as wide as `h` is over `[k - 1/2,
/// k + 1/2]`: at least `h(k)`, for `h` is convex. The part beyond is refused; that happens to less
/// than one draw in five. Near the right end of a piece nothing is refused, which `safe` tells
/// without computing `H`.
#[derive(Clone, Copy, Debug)]
struct Zipf {
    count: f64,
    exponent: f64,
    /// `H(3/2) - 1`.
    low: f64,
    /// `H(count + 1/2)`.
    high: f64,
    safe: f64,
}

impl Zipf {
    fn new(count: u64, exponent: f64) -> Self {
        let mut zipf = Self { count: count as f64, exponent, low: 0.0, high: 0.0, safe: 0.0 };
        zipf.low = zipf.integral(1.5) - 1.0;
        zipf.high = zipf.integral(zipf.count + 0.5);
        zipf.safe = 2.0 - zipf.inverse(zipf.integral(2.5) - zipf.height(2.0));
        zipf
    }

    fn draw(&self, stream: &mut Stream) -> u64 {
        loop {
            let point = self.high + unit(stream.next_u64()) * (self.low - self.high);
            let x = self.inverse(point);
            let k = (x + 0.5).floor().clamp(1.0, self.count);
            if k - x <= self.safe || point >= self.integral(k + 0.5) - self.height(k) {
                return k as u64;
            }
        }
    }

    fn height(&self, x: f64) -> f64 {
        libm::exp(-self.exponent * libm::log(x))
    }

    /// `(x^(1 - exponent) - 1) / (1 - exponent)`, and `ln x` where that is 0 / 0.
    fn integral(&self, x: f64) -> f64 {
        let log = libm::log(x);
        let power = (1.0 - self.exponent) * log;
        // expm1(p) / p without cancelling.
        let ratio = if power.abs() > 1e-8 {
            libm::expm1(power) / power
        } else {
            1.0 + power * 0.5 * (1.0 + power / 3.0)
        };
        ratio * log
    }

    fn inverse(&self, y: f64) -> f64 {
        // Rounding can lead below the least value of the integral.
        let t = (y * (1.0 - self.exponent)).max(-1.0);
        let ratio = if t.abs() > 1e-8 { libm::log1p(t) / t } else { 1.0 - t * (0.5 - t / 3.0) };
        libm::exp(ratio * y)
    }
}

#[cfg(test)]
mod tests {
    use statrs::distribution::{ChiSquared, ContinuousCDF};

    use super::*;
    use crate::rng::{Purpose, stream};

    /// Goal: every key has its exact probability. Method: chi-square over all keys of laws on both
    /// sides of exponent 1, keys expected less than 10 times taken together; the bound is the
    /// 1 - 1e-6 quantile.
    #[test]
    fn keys_have_their_exact_probabilities() {
        const DRAWS: u32 = 400_000;
        let zipf = |count, exponent| Popularity::Zipf { count, exponent };
        let laws = [
            zipf(1, 1.0),
            zipf(2, 0.7),
            zipf(10, 0.0),
            zipf(50, 0.5),
            zipf(1_000, 0.99),
            zipf(1_000, 1.0),
            zipf(1_000, 1.01),
            zipf(100, 2.0),
            zipf(100, 3.0),
            Popularity::Uniform { count: 37 },
        ];
        for (number, law) in (0u32..).zip(laws) {
            let (count, exponent) = match law {
                Popularity::Zipf { count, exponent } => (count, exponent),
                Popularity::Uniform { count } => (count, 0.0),
            };
            let mut draws = stream(7, 0, Purpose::Keys, number);
            let sampler = law.sampler();
            let mut seen = vec![0_u32; count as usize];
            for _ in 0..DRAWS {
                seen[sampler.draw(&mut draws) as usize] += 1;
            }
            let weight = |key: u64| libm::pow((key + 1) as f64, -exponent);
            let total: f64 = (0..count).map(weight).sum();
            // Keys are in order of popularity: what is rare stands at the end.
            let (mut chi, mut cells) = (0.0, 0_u32);
            let (mut rest, mut expected_rest) = (0.0, 0.0);
            for (key, &found) in (0..count).zip(&seen) {
                rest += f64::from(found);
                expected_rest += f64::from(DRAWS) * weight(key) / total;
                if expected_rest >= 10.0 {
                    chi += (rest - expected_rest).powi(2) / expected_rest;
                    cells += 1;
                    (rest, expected_rest) = (0.0, 0.0);
                }
            }
            if cells > 1 {
                let tail = ChiSquared::new(f64::from(cells - 1)).unwrap().cdf(chi);
                assert!(tail < 1.0 - 1e-6, "{law:?}: chi-square {chi} in {cells} cells");
            } else {
                assert_eq!(seen[0], DRAWS, "{law:?}");
            }
        }
    }

    /// Goal: a count that no table could hold. Method: the share of key 0 and of the first million
    /// keys out of 2^53, against sums that Euler and Maclaurin give.
    #[test]
    fn huge_counts_keep_their_shares() {
        const DRAWS: u32 = 200_000;
        for exponent in [0.8, 1.0, 1.2] {
            let sampler = Popularity::Zipf { count: KEYS_MAX, exponent }.sampler();
            let mut draws = stream(8, 0, Purpose::Keys, 0);
            let (mut hottest, mut first) = (0_u32, 0_u32);
            for _ in 0..DRAWS {
                let key = sampler.draw(&mut draws);
                assert!(key < KEYS_MAX);
                hottest += u32::from(key == 0);
                first += u32::from(key < 1_000_000);
            }
            // Sum of k^-s over 1..=n: the first thousand terms one by one, then the integral.
            let sum = |n: f64| {
                let head: f64 = (1..=1_000).map(|k| libm::pow(f64::from(k), -exponent)).sum();
                let tail = Zipf::new(2, exponent);
                head + tail.integral(n + 0.5) - tail.integral(1_000.5)
            };
            let all = sum(KEYS_MAX as f64);
            for (found, share) in [(hottest, 1.0 / all), (first, sum(1e6) / all)] {
                let expected = f64::from(DRAWS) * share;
                let spread = (expected * (1.0 - share)).sqrt();
                let off = (f64::from(found) - expected).abs();
                assert!(off < 5.0 * spread + 1.0, "{exponent}: {found} for {expected}");
            }
        }
    }
}
