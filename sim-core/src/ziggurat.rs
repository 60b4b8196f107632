//! Exact exponential and normal samples from 64 random bits: the ziggurat method.
//!
//! The area under a decreasing density is covered by 256 layers of equal area. A sample picks a
//! layer with its low 8 bits and a place in it with its high 53; in 99 cases of 100 that place
//! lies wholly under the density and is the answer. Marsaglia and Tsang, "The Ziggurat Method for
//! Generating Random Variables" (2000), in the variant of Doornik, "An Improved Ziggurat Method
//! to Generate Normal Random Samples" (2005), whose layer and place share no bits.
//!
//! `rand_distr` does the same, but its rare path and so its last bits depend on the platform's
//! `exp` and `ln`, and it wants a whole generator where a request brings 64 bits. Here tables and
//! rare path use `libm` (plain Rust): the same bits give the same sample everywhere. The tests
//! take `rand_distr` for their oracle.

use std::sync::LazyLock;

use crate::rng::{Rng, Stream};

const LAYERS: usize = 256;

/// Where the tail of the exponential begins, for 256 layers.
const EXPONENTIAL_TAIL: f64 = 7.697_117_470_131_05;
/// Where the tail of the normal begins, for 256 layers.
const NORMAL_TAIL: f64 = 3.654_152_885_361_009;

static EXPONENTIAL: LazyLock<Layers> = LazyLock::new(|| {
    let density = |x: f64| libm::exp(-x);
    let tail_area = density(EXPONENTIAL_TAIL);
    Layers::new(EXPONENTIAL_TAIL, tail_area, density, |y| -libm::log(y))
});

static NORMAL: LazyLock<Layers> = LazyLock::new(|| {
    let density = |x: f64| libm::exp(-0.5 * x * x);
    let tail_area = (std::f64::consts::PI / 2.0).sqrt()
        * libm::erfc(NORMAL_TAIL * std::f64::consts::FRAC_1_SQRT_2);
    Layers::new(NORMAL_TAIL, tail_area, density, |y| (-2.0 * libm::log(y)).sqrt())
});

/// The layers of one density `f`, widest first.
///
/// Layer `i > 0` is the rectangle `[0, x[i]] x [f(x[i]), f(x[i + 1])]`; layer 0 is the strip under
/// `f(x[1])` together with the tail beyond `x[1]`, and `x[0]` is the width a rectangle of that
/// height would need for the common area.
#[derive(Debug)]
struct Layers {
    x: [f64; LAYERS + 1],
    f: [f64; LAYERS + 1],
}

impl Layers {
    fn new(
        tail: f64,
        tail_area: f64,
        density: impl Fn(f64) -> f64,
        inverse: impl Fn(f64) -> f64,
    ) -> Self {
        let area = tail * density(tail) + tail_area;
        let mut x = [0.0; LAYERS + 1];
        x[0] = area / density(tail);
        x[1] = tail;
        for i in 1..LAYERS - 1 {
            x[i + 1] = inverse(area / x[i] + density(x[i]));
        }
        Self { x, f: x.map(density) }
    }

    /// Whether a point at `x`, at a random height in `layer > 0`, lies under the density.
    fn covers(&self, layer: usize, height: f64, density: f64) -> bool {
        self.f[layer + 1] + (self.f[layer] - self.f[layer + 1]) * height < density
    }
}

const fn layer_of(bits: u64) -> usize {
    (bits % LAYERS as u64) as usize
}

/// The high 53 bits as a number in `(0, 1)`: an odd multiple of 2^-53, so the mean is exactly 1/2
/// and neither end can occur. Laws may take its logarithm and divide by it.
#[inline]
pub fn unit(bits: u64) -> f64 {
    const STEP: f64 = 1.0 / (1u64 << 53) as f64;
    ((bits >> 11) | 1) as f64 * STEP
}

/// A sampler of the exponential law with mean 1. It is a pointer to the shared table.
#[derive(Clone, Copy, Debug)]
pub struct Exponential(&'static Layers);

impl Default for Exponential {
    fn default() -> Self {
        Self(&EXPONENTIAL)
    }
}

impl Exponential {
    /// The sample that `bits` select, above 0. One time in 100 these bits do not decide it, and
    /// `more` is asked for further ones.
    #[inline]
    pub fn sample(self, bits: u64, more: &mut impl FnMut() -> u64) -> f64 {
        let layer = layer_of(bits);
        let x = unit(bits) * self.0.x[layer];
        if x < self.0.x[layer + 1] { x } else { self.decide(layer, x, more) }
    }

    /// The next sample of a stream.
    #[inline]
    pub fn draw(self, stream: &mut Stream) -> f64 {
        self.sample(stream.next_u64(), &mut || stream.next_u64())
    }

    #[cold]
    fn decide(self, mut layer: usize, mut x: f64, more: &mut impl FnMut() -> u64) -> f64 {
        let mut beyond = 0.0;
        loop {
            if layer == 0 {
                // The law has no memory: what lies beyond the tail's start is a fresh sample.
                beyond += EXPONENTIAL_TAIL;
            } else if self.0.covers(layer, unit(more()), libm::exp(-x)) {
                return beyond + x;
            }
            let bits = more();
            layer = layer_of(bits);
            x = unit(bits) * self.0.x[layer];
            if x < self.0.x[layer + 1] {
                return beyond + x;
            }
        }
    }
}

/// A sampler of the normal law with mean 0 and variance 1. It is a pointer to the shared table.
#[derive(Clone, Copy, Debug)]
pub struct Normal(&'static Layers);

impl Default for Normal {
    fn default() -> Self {
        Self(&NORMAL)
    }
}

impl Normal {
    /// The sample that `bits` select. One time in 70 these bits do not decide it, and `more` is
    /// asked for further ones.
    #[inline]
    pub fn sample(self, mut bits: u64, more: &mut impl FnMut() -> u64) -> f64 {
        loop {
            let layer = layer_of(bits);
            let x = (2.0 * unit(bits) - 1.0) * self.0.x[layer];
            if x.abs() < self.0.x[layer + 1] {
                return x;
            }
            if layer == 0 {
                return normal_tail(more).copysign(x);
            }
            if self.0.covers(layer, unit(more()), libm::exp(-0.5 * x * x)) {
                return x;
            }
            bits = more();
        }
    }

    /// The next sample of a stream.
    #[inline]
    pub fn draw(self, stream: &mut Stream) -> f64 {
        self.sample(stream.next_u64(), &mut || stream.next_u64())
    }
}

/// A normal sample given that it exceeds the tail's start (Marsaglia 1964).
#[cold]
fn normal_tail(more: &mut impl FnMut() -> u64) -> f64 {
    loop {
        let x = -libm::log(unit(more())) / NORMAL_TAIL;
        let y = -libm::log(unit(more()));
        if 2.0 * y >= x * x {
            return NORMAL_TAIL + x;
        }
    }
}

#[cfg(test)]
mod tests {
    use rand_distr::{Distribution, Exp1, StandardNormal};

    use super::*;
    use crate::goodness::{assert_moments, assert_uniform};
    use crate::rng::{Purpose, stream};

    const SAMPLES: usize = 2_000_000;

    /// The recursion that builds a table starts at the tail; only with the right tail and area
    /// does it end exactly at the density's top.
    #[test]
    fn the_last_layer_closes_at_the_top_of_the_density() {
        for layers in [&*EXPONENTIAL, &*NORMAL] {
            let (x, f) = (&layers.x, &layers.f);
            let area = x[0] * f[1];
            let top = area / x[LAYERS - 1] + f[LAYERS - 1];
            assert!((top - 1.0).abs() < 1e-12, "{top}");
            assert!(x.is_sorted_by(|a, b| a > b));
        }
    }

    /// Goal: the samples follow the law. Bounds of 1e-6 false alarms each, see `goodness`.
    #[test]
    fn exponential_follows_its_law() {
        let mut stream = stream(11, 0, Purpose::Demand, 0);
        let law = Exponential::default();
        let samples: Vec<f64> = (0..SAMPLES).map(|_| law.draw(&mut stream)).collect();
        assert!(samples.iter().all(|&x| x > 0.0));
        assert_moments(&samples, 1.0, 1.0);
        assert_uniform(samples.iter().map(|&x| -libm::expm1(-x)).collect());
    }

    /// As above; the tail beyond `EXPONENTIAL_TAIL` (900 samples here) is a law of its own.
    #[test]
    fn exponential_tail_has_no_memory() {
        let mut stream = stream(12, 0, Purpose::Demand, 0);
        let law = Exponential::default();
        let tail: Vec<f64> = (0..SAMPLES)
            .map(|_| law.draw(&mut stream) - EXPONENTIAL_TAIL)
            .filter(|&beyond| beyond > 0.0)
            .collect();
        let expected = SAMPLES as f64 * libm::exp(-EXPONENTIAL_TAIL);
        assert!((tail.len() as f64 - expected).abs() < 5.0 * expected.sqrt(), "{}", tail.len());
        assert_uniform(tail.iter().map(|&x| -libm::expm1(-x)).collect());
    }

    #[test]
    fn normal_follows_its_law() {
        let mut stream = stream(13, 0, Purpose::Demand, 0);
        let law = Normal::default();
        let samples: Vec<f64> = (0..SAMPLES).map(|_| law.draw(&mut stream)).collect();
        assert_moments(&samples, 0.0, 1.0);
        let cdf = |x: f64| 0.5 * libm::erfc(-x * std::f64::consts::FRAC_1_SQRT_2);
        assert_uniform(samples.iter().map(|&x| cdf(x)).collect());
        let tail = samples.iter().filter(|x| x.abs() > NORMAL_TAIL).count() as f64;
        let expected = SAMPLES as f64 * 2.0 * cdf(-NORMAL_TAIL);
        assert!((tail - expected).abs() < 5.0 * expected.sqrt(), "{tail} of {expected}");
    }

    /// Goal: the tables are those of the well-known implementation. Where 64 bits decide, both
    /// must pick the same sample from the same bits. The recursion enlarges the rounding of its
    /// start some 10^4 times on the way to the top, in either table.
    #[test]
    fn samples_agree_with_rand_distr() {
        const ROUNDING: f64 = 1e-10;
        let mut ours = stream(14, 0, Purpose::Demand, 0);
        let mut decided = 0;
        for step in 0..100_000 {
            let mut theirs = ours.clone();
            let mut undecided = false;
            let bits = ours.next_u64();
            let mut spare = stream(15, step, Purpose::Demand, 0);
            let mut more = || {
                undecided = true;
                spare.next_u64()
            };
            let exponential = Exponential::default().sample(bits, &mut more);
            let normal = Normal::default().sample(bits, &mut more);
            if !undecided {
                decided += 1;
                let oracle: f64 = Exp1.sample(&mut theirs.clone());
                assert!(
                    (exponential - oracle).abs() < ROUNDING,
                    "step {step}: {exponential} {normal} {oracle}"
                );
                let oracle: f64 = StandardNormal.sample(&mut theirs);
                assert!(
                    (normal - oracle).abs() < ROUNDING,
                    "step {step}: {exponential} {normal} {oracle}"
                );
            }
        }
        assert!(decided > 95_000, "{decided}");
    }
}
