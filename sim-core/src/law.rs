//! Probability laws of service times and network delays.

use crate::rng::{Rng, Stream, mix};
use crate::time::Nanos;
use crate::ziggurat::{Exponential, Normal, unit};

/// A service-time law at speed 1. All times in ns, as `f64` because laws have real parameters.
#[derive(Clone, Debug, PartialEq)]
pub enum ServiceLaw {
    /// Always the same.
    Constant {
        /// The value [ns].
        mean_ns: f64,
    },
    /// Memoryless.
    Exponential {
        /// Mean [ns].
        mean_ns: f64,
    },
    /// Uniform on `[low, high]`.
    Uniform {
        /// Smallest [ns].
        low_ns: f64,
        /// Largest [ns].
        high_ns: f64,
    },
    /// Sum of `shape` exponentials.
    Erlang {
        /// Mean of the sum [ns].
        mean_ns: f64,
        /// Number of phases, at least 1.
        shape: u32,
    },
    /// Two-phase hyperexponential with balanced means and coefficient of variation `cv >= 1`.
    Hyperexponential {
        /// Mean [ns].
        mean_ns: f64,
        /// Coefficient of variation.
        cv: f64,
    },
    /// Log-normal.
    Lognormal {
        /// Mean [ns].
        mean_ns: f64,
        /// Coefficient of variation, above 0.
        cv: f64,
    },
    /// Pareto cut at `high`.
    BoundedPareto {
        /// Smallest [ns].
        low_ns: f64,
        /// Largest [ns].
        high_ns: f64,
        /// Tail exponent, above 0.
        alpha: f64,
    },
    /// Piecewise linear between measured quantiles.
    Empirical {
        /// `(probability, ns)` from probability 0 to 1, both columns increasing.
        quantiles: Vec<(f64, f64)>,
    },
}

/// A one-way delay law with a minimum above 0: the minimum bounds the engine's window.
#[derive(Clone, Debug, PartialEq)]
pub enum DelayLaw {
    /// Always the same.
    Constant {
        /// The value [ns], at least 1.
        mean_ns: Nanos,
    },
    /// `min` plus a uniform part, up to `max`.
    Uniform {
        /// Smallest [ns], at least 1.
        min_ns: Nanos,
        /// Largest [ns].
        max_ns: Nanos,
    },
    /// `min` plus an exponential part.
    Exponential {
        /// Mean of the whole delay [ns], above `min`.
        mean_ns: Nanos,
        /// Smallest [ns], at least 1.
        min_ns: Nanos,
    },
    /// `min` plus a log-normal part.
    Lognormal {
        /// Mean of the whole delay [ns], above `min`.
        mean_ns: Nanos,
        /// Coefficient of variation of the part above `min`, above 0.
        cv: f64,
        /// Smallest [ns], at least 1.
        min_ns: Nanos,
    },
}

impl ServiceLaw {
    /// Mean service time at speed 1 [ns].
    pub fn mean_ns(&self) -> f64 {
        match self {
            Self::Constant { mean_ns }
            | Self::Exponential { mean_ns }
            | Self::Erlang { mean_ns, .. }
            | Self::Hyperexponential { mean_ns, .. }
            | Self::Lognormal { mean_ns, .. } => *mean_ns,
            Self::Uniform { low_ns, high_ns } => f64::midpoint(*low_ns, *high_ns),
            Self::BoundedPareto { low_ns, high_ns, alpha } => {
                pareto_moment(*low_ns, *high_ns, *alpha, 1.0)
            }
            Self::Empirical { quantiles } => {
                pieces(quantiles).map(|(share, a, b)| share * f64::midpoint(a, b)).sum()
            }
        }
    }

    /// Coefficient of variation: standard deviation over mean.
    pub fn cv(&self) -> f64 {
        let from_square = |square: f64| {
            let mean = self.mean_ns();
            // Rounding may leave a constant law slightly below 0.
            (square / (mean * mean) - 1.0).max(0.0).sqrt()
        };
        match self {
            Self::Constant { .. } => 0.0,
            Self::Exponential { .. } => 1.0,
            Self::Erlang { shape, .. } => 1.0 / f64::from(*shape).sqrt(),
            Self::Hyperexponential { cv, .. } | Self::Lognormal { cv, .. } => *cv,
            Self::Uniform { low_ns, high_ns } => {
                (high_ns - low_ns) / (high_ns + low_ns) / 3.0_f64.sqrt()
            }
            Self::BoundedPareto { low_ns, high_ns, alpha } => {
                from_square(pareto_moment(*low_ns, *high_ns, *alpha, 2.0))
            }
            Self::Empirical { quantiles } => from_square(
                pieces(quantiles).map(|(share, a, b)| share * (a * a + a * b + b * b) / 3.0).sum(),
            ),
        }
    }

    /// The sampler, with everything computed that does not depend on the request.
    pub fn sampler(&self) -> ServiceSampler {
        ServiceSampler(match *self {
            Self::Constant { mean_ns } => Service::Constant { mean_ns },
            Self::Exponential { mean_ns } => {
                Service::Exponential { mean_ns, exponential: Exponential::default() }
            }
            Self::Uniform { low_ns, high_ns } => {
                Service::Uniform { low_ns, width_ns: high_ns - low_ns }
            }
            Self::Erlang { mean_ns, shape } => Service::Erlang {
                phase_mean_ns: mean_ns / f64::from(shape),
                shape,
                exponential: Exponential::default(),
            },
            Self::Hyperexponential { mean_ns, cv } => {
                // Balanced means: both phases contribute half of the mean (Morse 1958).
                let square = cv * cv;
                let short_share = 0.5 * (1.0 + ((square - 1.0).max(0.0) / (square + 1.0)).sqrt());
                Service::Hyperexponential {
                    short_share,
                    short_mean_ns: 0.5 * mean_ns / short_share,
                    long_mean_ns: 0.5 * mean_ns / (1.0 - short_share),
                    exponential: Exponential::default(),
                }
            }
            Self::Lognormal { mean_ns, cv } => Service::Lognormal(LognormalPart::new(mean_ns, cv)),
            Self::BoundedPareto { low_ns, high_ns, alpha } => Service::BoundedPareto {
                low_ns,
                high_ns,
                cut: libm::pow(low_ns / high_ns, alpha),
                exponent: -1.0 / alpha,
            },
            Self::Empirical { ref quantiles } => {
                Service::Empirical { quantiles: quantiles.clone().into_boxed_slice() }
            }
        })
    }
}

/// Turns a request's demand bits into a service time.
#[derive(Clone, Debug)]
pub struct ServiceSampler(Service);

#[derive(Clone, Debug)]
enum Service {
    Constant {
        mean_ns: f64,
    },
    Exponential {
        mean_ns: f64,
        exponential: Exponential,
    },
    Uniform {
        low_ns: f64,
        width_ns: f64,
    },
    Erlang {
        phase_mean_ns: f64,
        shape: u32,
        exponential: Exponential,
    },
    Hyperexponential {
        short_share: f64,
        short_mean_ns: f64,
        long_mean_ns: f64,
        exponential: Exponential,
    },
    Lognormal(LognormalPart),
    BoundedPareto {
        low_ns: f64,
        high_ns: f64,
        cut: f64,
        exponent: f64,
    },
    Empirical {
        quantiles: Box<[(f64, f64)]>,
    },
}

impl ServiceSampler {
    /// The service time at speed 1 that `demand` selects [ns]. Above 0.
    ///
    /// A function of the bits alone: a request takes the same work wherever and whenever it is
    /// served, so policies are compared on the same work. Time is O(1), for Erlang O(shape), for
    /// empirical laws O(log quantiles).
    #[inline]
    pub fn sample_ns(&self, demand: u64) -> f64 {
        // The usual law comes first and inline; the others share one call.
        if let Service::Exponential { mean_ns, exponential } = &self.0 {
            let mut further = FurtherBits(demand);
            return mean_ns * exponential.sample(demand, &mut || further.next());
        }
        self.sample_other_ns(demand)
    }

    fn sample_other_ns(&self, demand: u64) -> f64 {
        let mut further = FurtherBits(demand);
        let mut more = || further.next();
        match &self.0 {
            Service::Exponential { .. } => unreachable!("sampled inline"),
            Service::Constant { mean_ns } => *mean_ns,
            Service::Uniform { low_ns, width_ns } => low_ns + width_ns * unit(demand),
            Service::Erlang { phase_mean_ns, shape, exponential } => {
                let first = exponential.sample(demand, &mut more);
                let sum = (1..*shape).fold(first, |sum, _| {
                    let bits = more();
                    sum + exponential.sample(bits, &mut more)
                });
                phase_mean_ns * sum
            }
            Service::Hyperexponential { short_share, short_mean_ns, long_mean_ns, exponential } => {
                let mean_ns =
                    if unit(more()) < *short_share { short_mean_ns } else { long_mean_ns };
                mean_ns * exponential.sample(demand, &mut more)
            }
            Service::Lognormal(part) => part.sample(demand, &mut more),
            Service::BoundedPareto { low_ns, high_ns, cut, exponent } => {
                let survival = cut + (1.0 - cut) * unit(demand);
                (low_ns * libm::pow(survival, *exponent)).min(*high_ns)
            }
            Service::Empirical { quantiles } => {
                let at = unit(demand);
                let upper =
                    quantiles.partition_point(|&(p, _)| p < at).clamp(1, quantiles.len() - 1);
                let ((p0, low), (p1, high)) = (quantiles[upper - 1], quantiles[upper]);
                // A flat start at 0 would be work of no length, which no server can do.
                (low + (high - low) * (at - p0) / (p1 - p0)).max(f64::MIN_POSITIVE)
            }
        }
    }
}

/// Bits for the laws that need more than the 64 of the demand: `SplitMix64` seeded with them.
struct FurtherBits(u64);

impl FurtherBits {
    const fn next(&mut self) -> u64 {
        let bits = mix(self.0);
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        bits
    }
}

/// A log-normal law, given by its mean and its coefficient of variation.
#[derive(Clone, Copy, Debug)]
struct LognormalPart {
    /// Mean and standard deviation of the logarithm.
    mu: f64,
    sigma: f64,
    normal: Normal,
}

impl LognormalPart {
    fn new(mean: f64, cv: f64) -> Self {
        let variance = libm::log1p(cv * cv);
        Self {
            mu: libm::log(mean) - 0.5 * variance,
            sigma: variance.sqrt(),
            normal: Normal::default(),
        }
    }

    #[inline]
    fn sample(&self, bits: u64, more: &mut impl FnMut() -> u64) -> f64 {
        libm::exp(self.mu + self.sigma * self.normal.sample(bits, more))
    }
}

/// `E[X^m]` of the Pareto law cut at `high`.
///
/// With `r = low / high` the density integrates to `low^m phi(alpha - m) / phi(alpha)`, where
/// `phi(k)` is the integral of `t^(k - 1)` from `r` to 1. So written nothing cancels near
/// `alpha = m`, where the textbook formula divides 0 by 0.
fn pareto_moment(low: f64, high: f64, alpha: f64, m: f64) -> f64 {
    if low >= high {
        return libm::pow(low, m);
    }
    let log_ratio = libm::log(low / high);
    let phi = |k: f64| {
        if k == 0.0 { -log_ratio } else { -libm::expm1(k * log_ratio) / k }
    };
    libm::pow(low, m) * phi(alpha - m) / phi(alpha)
}

/// The pieces of an empirical law: probability, smallest and largest value of each.
fn pieces(quantiles: &[(f64, f64)]) -> impl Iterator<Item = (f64, f64, f64)> {
    quantiles.windows(2).map(|pair| (pair[1].0 - pair[0].0, pair[0].1, pair[1].1))
}

impl DelayLaw {
    /// No delay is shorter [ns].
    pub const fn min_ns(&self) -> Nanos {
        match *self {
            Self::Constant { mean_ns } => mean_ns,
            Self::Uniform { min_ns, .. }
            | Self::Exponential { min_ns, .. }
            | Self::Lognormal { min_ns, .. } => min_ns,
        }
    }

    /// Mean delay [ns].
    pub fn mean_ns(&self) -> f64 {
        match *self {
            Self::Uniform { min_ns, max_ns } => f64::midpoint(min_ns as f64, max_ns as f64),
            Self::Constant { mean_ns }
            | Self::Exponential { mean_ns, .. }
            | Self::Lognormal { mean_ns, .. } => mean_ns as f64,
        }
    }

    /// The sampler, with everything computed that does not depend on the message.
    pub fn sampler(&self) -> DelaySampler {
        DelaySampler(match *self {
            Self::Constant { mean_ns } => Delay::Constant { ns: mean_ns },
            Self::Uniform { min_ns, max_ns } if min_ns == max_ns => Delay::Constant { ns: min_ns },
            Self::Uniform { min_ns, max_ns } => {
                Delay::Uniform { min_ns, choices: u128::from(max_ns - min_ns) + 1 }
            }
            Self::Exponential { mean_ns, min_ns } => Delay::Exponential {
                min_ns,
                above_mean_ns: (mean_ns - min_ns) as f64,
                exponential: Exponential::default(),
            },
            Self::Lognormal { mean_ns, cv, min_ns } => Delay::Lognormal {
                min_ns,
                above: LognormalPart::new((mean_ns - min_ns) as f64, cv),
            },
        })
    }
}

/// Draws one-way delays.
#[derive(Clone, Debug)]
pub struct DelaySampler(Delay);

#[derive(Clone, Debug)]
enum Delay {
    Constant { ns: Nanos },
    Uniform { min_ns: Nanos, choices: u128 },
    Exponential { min_ns: Nanos, above_mean_ns: f64, exponential: Exponential },
    Lognormal { min_ns: Nanos, above: LognormalPart },
}

impl DelaySampler {
    /// The delay of the next message [ns]; never below the law's minimum, never above 2^62. A
    /// constant delay draws nothing.
    #[inline]
    pub fn sample_ns(&self, stream: &mut Stream) -> Nanos {
        match &self.0 {
            Delay::Constant { ns } => *ns,
            random => random.draw_ns(stream),
        }
    }

    /// The delay, where it is always the same [ns].
    pub const fn constant_ns(&self) -> Option<Nanos> {
        match self.0 {
            Delay::Constant { ns } => Some(ns),
            _ => None,
        }
    }
}

impl Delay {
    fn draw_ns(&self, stream: &mut Stream) -> Nanos {
        match self {
            Self::Constant { ns } => *ns,
            Self::Uniform { min_ns, choices } => {
                // Multiply and shift: whole ns, each equally likely to within choices / 2^64.
                min_ns + ((u128::from(stream.next_u64()) * choices) >> 64) as Nanos
            }
            Self::Exponential { min_ns, above_mean_ns, exponential } => {
                nanos_after(*min_ns, above_mean_ns * exponential.draw(stream))
            }
            Self::Lognormal { min_ns, above } => {
                let bits = stream.next_u64();
                nanos_after(*min_ns, above.sample(bits, &mut || stream.next_u64()))
            }
        }
    }
}

/// `min` plus a real time rounded to the nearest ns. Cut at 2^62 ns (146 years), so that adding a
/// delay to a moment cannot overflow whatever a wild log-normal tail yields.
#[inline]
fn nanos_after(min_ns: Nanos, above_ns: f64) -> Nanos {
    min_ns.saturating_add((above_ns + 0.5) as Nanos).min(1 << 62)
}

#[cfg(test)]
mod tests {
    use statrs::distribution::{ContinuousCDF, Erlang, LogNormal};

    use super::*;
    use crate::goodness::{assert_moments, assert_uniform};
    use crate::rng::{Purpose, stream};

    const SAMPLES: usize = 400_000;
    const MEAN_NS: f64 = 1e7;

    fn demands(seed: u64) -> impl Iterator<Item = u64> {
        let mut stream = stream(seed, 0, Purpose::Demand, 0);
        std::iter::repeat_with(move || stream.next_u64()).take(SAMPLES)
    }

    /// Goal: mean, variance and distribution function are those of the law's definition, which
    /// each test writes down again in another way than the sampler does.
    fn check(law: &ServiceLaw, mean_ns: f64, cv: f64, cdf: impl Fn(f64) -> f64) {
        assert!((law.mean_ns() / mean_ns - 1.0).abs() < 1e-12, "{law:?}: {}", law.mean_ns());
        assert!((law.cv() - cv).abs() < 1e-9, "{law:?}: {}", law.cv());
        let service = law.sampler();
        let times: Vec<f64> = demands(21).map(|bits| service.sample_ns(bits)).collect();
        assert!(times.iter().all(|&x| x > 0.0), "{law:?}");
        assert_moments(&times, mean_ns, (mean_ns * cv).powi(2));
        assert_uniform(times.into_iter().map(cdf).collect());
    }

    #[test]
    fn constant_service_is_constant() {
        let law = ServiceLaw::Constant { mean_ns: MEAN_NS };
        assert!(demands(1).take(100).all(|bits| law.sampler().sample_ns(bits) == MEAN_NS));
        assert_eq!((law.mean_ns(), law.cv()), (MEAN_NS, 0.0));
    }

    #[test]
    fn exponential_service_follows_its_law() {
        let law = ServiceLaw::Exponential { mean_ns: MEAN_NS };
        check(&law, MEAN_NS, 1.0, |x| 1.0 - libm::exp(-x / MEAN_NS));
    }

    #[test]
    fn uniform_service_follows_its_law() {
        let law = ServiceLaw::Uniform { low_ns: 5e6, high_ns: 15e6 };
        check(&law, MEAN_NS, 0.5 / 3.0_f64.sqrt(), |x| (x - 5e6) / 1e7);
    }

    #[test]
    fn erlang_service_follows_its_law() {
        for shape in [1, 2, 4, 16] {
            let law = ServiceLaw::Erlang { mean_ns: MEAN_NS, shape };
            let theory = Erlang::new(u64::from(shape), f64::from(shape)).unwrap();
            let cv = 1.0 / f64::from(shape).sqrt();
            check(&law, MEAN_NS, cv, |x| theory.cdf(x / MEAN_NS));
        }
    }

    #[test]
    fn hyperexponential_service_follows_its_law() {
        for cv in [1.0, 2.0, 5.0] {
            let law = ServiceLaw::Hyperexponential { mean_ns: MEAN_NS, cv };
            // The share p of short phases solves cv^2 + 1 = 1 / (2 p (1 - p)).
            let p = 0.5 + (0.25 - 0.5 / (cv * cv + 1.0)).sqrt();
            check(&law, MEAN_NS, cv, |x| {
                1.0 - p * libm::exp(-2.0 * p * x / MEAN_NS)
                    - (1.0 - p) * libm::exp(-2.0 * (1.0 - p) * x / MEAN_NS)
            });
        }
    }

    #[test]
    fn lognormal_service_follows_its_law() {
        for cv in [0.1, 0.5, 2.0] {
            let law = ServiceLaw::Lognormal { mean_ns: MEAN_NS, cv };
            let variance: f64 = libm::log(cv * cv + 1.0);
            let mu = libm::log(MEAN_NS) - variance / 2.0;
            let theory = LogNormal::new(mu, variance.sqrt()).unwrap();
            check(&law, MEAN_NS, cv, |x| theory.cdf(x));
        }
    }

    /// The moments of the definition come from a numeric integral over `log x` here.
    #[test]
    fn bounded_pareto_service_follows_its_law() {
        let (low_ns, high_ns) = (1e6, 1e9);
        for alpha in [0.7, 1.0, 1.0 + 1e-9, 1.5, 2.0, 3.0] {
            let law = ServiceLaw::BoundedPareto { low_ns, high_ns, alpha };
            let tail = |x: f64| libm::pow(low_ns / x, alpha);
            let cut = tail(high_ns);
            let moment = |m: f64| {
                // Simpson over y = log(x / low), density alpha exp(-alpha y) / (1 - cut).
                let (steps, top) = (20_000, libm::log(high_ns / low_ns));
                let value = |i: u32| {
                    let y = top * f64::from(i) / f64::from(steps);
                    alpha * libm::exp((m - alpha) * y) / (1.0 - cut)
                };
                let weight = |i: u32| match i {
                    0 => 1.0,
                    _ if i == steps => 1.0,
                    _ if i % 2 == 1 => 4.0,
                    _ => 2.0,
                };
                let sum: f64 = (0..=steps).map(|i| weight(i) * value(i)).sum();
                libm::pow(low_ns, m) * sum * top / f64::from(steps) / 3.0
            };
            let mean = moment(1.0);
            let cv = (moment(2.0) / mean / mean - 1.0).sqrt();
            check(&law, mean, cv, |x| (1.0 - tail(x)) / (1.0 - cut));
        }
    }

    #[test]
    fn empirical_service_follows_its_law() {
        let quantiles = vec![(0.0, 1e6), (0.5, 2e6), (0.99, 1e7), (1.0, 1e8)];
        let law = ServiceLaw::Empirical { quantiles: quantiles.clone() };
        let mean: f64 = 0.5 * 1.5e6 + 0.49 * 6e6 + 0.01 * 5.5e7;
        // Variance of a mixture of uniforms: that inside the pieces plus that between them.
        let inside = 0.5 * 1e12 / 12.0 + 0.49 * 64e12 / 12.0 + 0.01 * 9e7 * 9e7 / 12.0;
        let between = 0.5 * (1.5e6 - mean).powi(2)
            + 0.49 * (6e6 - mean).powi(2)
            + 0.01 * (5.5e7 - mean).powi(2);
        let cv = (inside + between).sqrt() / mean;
        check(&law, mean, cv, |x| {
            let piece = quantiles.windows(2).find(|w| x <= w[1].1).unwrap();
            let ((p0, a), (p1, b)) = (piece[0], piece[1]);
            p0 + (p1 - p0) * (x - a) / (b - a)
        });
    }

    /// With equal phases the hyperexponential is the exponential, draw by draw: the phase is
    /// chosen by further bits, not by those that make the time.
    #[test]
    fn hyperexponential_without_extra_variation_equals_exponential() {
        let hyper = ServiceLaw::Hyperexponential { mean_ns: MEAN_NS, cv: 1.0 }.sampler();
        let plain = ServiceLaw::Exponential { mean_ns: MEAN_NS }.sampler();
        let close = demands(3)
            .filter(|&bits| (hyper.sample_ns(bits) / plain.sample_ns(bits) - 1.0).abs() < 1e-12)
            .count();
        // All but those one in 100 where the ziggurat needs further bits as well.
        assert!(close > SAMPLES * 98 / 100, "{close}");
    }

    /// Pins the bits: a change of these figures changes every result ever recorded.
    #[test]
    fn samples_are_the_same_on_every_platform() {
        let bits = [0, 1, 0xFFFF_FFFF_FFFF_FF00, u64::MAX, 0x0123_4567_89AB_CDEF];
        let exponential = ServiceLaw::Exponential { mean_ns: 1.0 }.sampler();
        let lognormal = ServiceLaw::Lognormal { mean_ns: 1.0, cv: 1.0 }.sampler();
        let hash = bits.iter().fold(0, |hash, &b| {
            let both = exponential.sample_ns(b).to_bits() ^ mix(lognormal.sample_ns(b).to_bits());
            mix(hash ^ both)
        });
        assert_eq!(hash, 0x8176_692C_5195_8FC1, "{hash:#x}");
    }

    fn delays(law: &DelayLaw) -> Vec<Nanos> {
        let mut stream = stream(31, 0, Purpose::NetworkOut, 0);
        let sampler = law.sampler();
        assert_eq!(sampler.constant_ns(), None);
        let delays: Vec<_> = (0..SAMPLES).map(|_| sampler.sample_ns(&mut stream)).collect();
        assert!(delays.iter().all(|&ns| ns >= law.min_ns()), "{law:?}");
        delays
    }

    #[test]
    fn constant_delays_draw_nothing() {
        for law in
            [DelayLaw::Constant { mean_ns: 500 }, DelayLaw::Uniform { min_ns: 500, max_ns: 500 }]
        {
            let mut stream = stream(31, 0, Purpose::NetworkOut, 0);
            let untouched = stream.clone();
            assert_eq!(law.sampler().sample_ns(&mut stream), 500);
            assert_eq!(law.sampler().constant_ns(), Some(500));
            assert_eq!(stream, untouched);
            assert_eq!((law.min_ns(), law.mean_ns()), (500, 500.0));
        }
    }

    #[test]
    fn uniform_delays_reach_both_ends_equally_often() {
        let law = DelayLaw::Uniform { min_ns: 10, max_ns: 19 };
        let mut counts = [0.0; 10];
        for ns in delays(&law) {
            counts[(ns - 10) as usize] += 1.0;
        }
        let expected = SAMPLES as f64 / 10.0;
        // 10 cells, 1e-7 each.
        assert!(counts.iter().all(|n| (n - expected).abs() < 5.33 * (0.9 * expected).sqrt()));
        assert!((law.mean_ns() - 14.5).abs() < 1e-12);
    }

    #[test]
    fn exponential_and_lognormal_delays_follow_their_laws() {
        let (mean_ns, min_ns) = (800_000, 500_000);
        let above = |law: &DelayLaw| -> Vec<f64> {
            delays(law).into_iter().map(|ns| (ns - min_ns) as f64).collect()
        };
        let samples = above(&DelayLaw::Exponential { mean_ns, min_ns });
        assert_moments(&samples, 3e5, 9e10);
        assert_uniform(samples.iter().map(|x| 1.0 - libm::exp(-x / 3e5)).collect());

        let samples = above(&DelayLaw::Lognormal { mean_ns, cv: 0.5, min_ns });
        assert_moments(&samples, 3e5, 0.25 * 9e10);
        let variance: f64 = libm::log(1.25);
        let theory = LogNormal::new(libm::log(3e5) - variance / 2.0, variance.sqrt()).unwrap();
        assert_uniform(samples.iter().map(|&x| theory.cdf(x)).collect());
    }

    #[test]
    fn wild_delays_stay_within_the_clock() {
        assert_eq!(nanos_after(5, f64::INFINITY), 1 << 62);
        assert_eq!(nanos_after(5, 0.4), 5);
        assert_eq!(nanos_after(5, 0.6), 6);
    }
}
