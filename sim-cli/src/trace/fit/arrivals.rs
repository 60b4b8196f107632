//! Arrival processes: constant, Poisson, and a Poisson process with two rates (MMPP-2) for bursts.
//!
//! How bursty arrivals are shows in the index of dispersion of counts, variance over mean of the
//! arrivals in windows: 1 at all lengths for a Poisson process, rising with the length for bursts.
//! For MMPP-2 with total switching rate `r` and variance of the rate `v`,
//! `variance - mean = 2 v K(w)`, `K(w) = w/r - (1 - e^(-rw))/r^2`, so `r` and `v` follow from the
//! windows of all lengths; the third factorial cumulant, `6 v d (1 - 2p) J(w)` with
//! `J(w) = integral of (w - x) x e^(-rx)`, tells how the time is shared between the rates, `d` apart,
//! `p` the share of the high one (from `E[y(s) y(t) y(u)] = p (1-p) (1-2p) e^(-r(u-s))` of the centred
//! two-state process).

use std::fmt::Write;

use sim_core::time::{Nanos, SECOND};

use super::{Fit, digits, distance, distance_fine, rate, time};

/// Fewest windows of a length: with less the index says nothing.
const WINDOWS_LEAST: usize = 64;
/// The error of the index that is taken for a fit.
const DISPERSION_FINE: f64 = 0.25;
/// Fewest times that both rates must have been seen.
const TURNS_LEAST: f64 = 10.0;
/// Gaps more even than this are constant.
const CV_CONSTANT: f64 = 0.05;

/// Arrivals and what was counted of them.
pub struct Arrivals<'a> {
    times: &'a [Nanos],
    gaps: Vec<Nanos>,
    windows: Vec<Window>,
}

/// Counts in windows of one length.
#[derive(Clone, Copy, Debug)]
struct Window {
    /// Length [s].
    length_s: f64,
    count: f64,
    mean: f64,
    variance: f64,
    /// Third central moment.
    third: f64,
}

/// A Poisson process whose rate switches between two values [1/s].
#[derive(Clone, Copy, Debug)]
struct Mmpp {
    low: f64,
    high: f64,
    /// Switches a second, from low to high and back.
    up: f64,
    down: f64,
}

impl<'a> Arrivals<'a> {
    /// `times` are in order, at least two.
    pub fn new(times: &'a [Nanos]) -> Self {
        let mut gaps: Vec<Nanos> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
        gaps.sort_unstable();
        let mut arrivals = Self { times, gaps, windows: Vec::new() };
        arrivals.count();
        arrivals
    }

    /// From the first arrival to the last one [ns].
    pub fn span_ns(&self) -> Nanos {
        self.times[self.times.len() - 1] - self.times[0]
    }

    /// Arrivals a second.
    fn rate(&self) -> f64 {
        (self.times.len() - 1) as f64 * SECOND as f64 / self.span_ns().max(1) as f64
    }

    /// Counts arrivals in windows of one mean gap, then of twice that, and so on.
    fn count(&mut self) {
        let span_ns = self.span_ns();
        let windows = self.times.len() - 1;
        let length_ns = (span_ns / windows as u64).max(1);
        let mut counts = vec![0.0; (span_ns / length_ns) as usize];
        for at_ns in self.times {
            let index = (at_ns - self.times[0]) / length_ns;
            if let Some(count) = counts.get_mut(index as usize) {
                *count += 1.0;
            }
        }
        let mut length = length_ns as f64 / SECOND as f64;
        while counts.len() >= WINDOWS_LEAST {
            self.windows.push(Window::new(length, &counts));
            counts = counts.chunks_exact(2).map(|pair| pair[0] + pair[1]).collect();
            length *= 2.0;
        }
    }

    fn gap_cv(&self) -> f64 {
        let count = self.gaps.len() as f64;
        let mean = self.span_ns() as f64 / count;
        let variance =
            self.gaps.iter().map(|gap| (*gap as f64 - mean) * (*gap as f64 - mean)).sum::<f64>();
        (variance / count).sqrt() / mean.max(f64::MIN_POSITIVE)
    }

    /// One line about the arrivals.
    pub fn describe(&self) -> String {
        let index = |window: &Window| {
            format!("{} at {}", digits(window.dispersion()), time(window.length_s * 1e9))
        };
        let step = (self.windows.len() / 4).max(1);
        let indices: Vec<String> = self.windows.iter().step_by(step).map(index).collect();
        format!(
            "arrivals: {}/s, cv of gaps {}, index of dispersion {}",
            digits(self.rate()),
            digits(self.gap_cv()),
            indices.join(", ").replace('"', ""),
        )
    }

    /// A warning where the rate at the start is another than at the end, by more than chance: then
    /// no process with a steady rate is right.
    pub fn drift(&self) -> Option<String> {
        let half_ns = self.times[0] + self.span_ns() / 2;
        let first = self.times.partition_point(|at_ns| *at_ns < half_ns) as f64;
        let second = self.times.len() as f64 - first;
        let longest = self.windows.last().map_or(1.0, |window| window.dispersion().max(1.0));
        let chance = 4.0 * (longest * (first + second)).sqrt();
        ((first - second).abs() > chance).then(|| {
            format!(
                "the rate changes: {first} requests in the first half, {second} in the second; \
                 fit a window of it"
            )
        })
    }

    /// Every process, in no order.
    pub fn fits(&self) -> Vec<Fit> {
        let per_s = self.rate();
        let exponential = |gap: f64| -libm::expm1(-per_s * gap / SECOND as f64);
        let poisson = format!("poisson = {{ rate = {} }}", rate(per_s));
        let mut fits = vec![self.judge(poisson, exponential, |_| 1.0)];
        let cv = self.gap_cv();
        if cv < CV_CONSTANT {
            let (score, fits_) = (0.0, true);
            let toml = format!("constant = {{ rate = {} }}", rate(per_s));
            let distance = format!("cv of gaps {}", digits(cv));
            fits.push(Fit { toml, distance, score, fits: fits_ });
        }
        if let Some(mmpp) = self.mmpp() {
            let toml = format!(
                "mmpp = {{ low = {}, high = {}, dwell_low = {}, dwell_high = {} }}",
                rate(mmpp.low),
                rate(mmpp.high),
                time(1e9 / mmpp.up),
                time(1e9 / mmpp.down),
            );
            let gaps = mmpp.gaps();
            let mut fit =
                self.judge(toml, |gap| gaps(gap / SECOND as f64), |window| mmpp.dispersion(window));
            // Stays that were hardly seen once are a guess.
            let turns = self.span_ns() as f64 / SECOND as f64 / (1.0 / mmpp.up + 1.0 / mmpp.down);
            if turns < TURNS_LEAST {
                let _ = write!(fit.distance, ", only {} bursts long", digits(turns));
                fit.fits = false;
            }
            fits.push(fit);
        }
        let is_steady = self.drift().is_none();
        for fit in &mut fits {
            fit.fits &= is_steady;
        }
        fits
    }

    fn judge(
        &self,
        toml: String,
        gap_below: impl Fn(f64) -> f64,
        dispersion: impl Fn(f64) -> f64,
    ) -> Fit {
        let ks = distance(&self.gaps, gap_below);
        let squares: Vec<f64> = (self.windows.iter())
            .map(|window| {
                let ratio = window.dispersion().max(1e-3) / dispersion(window.length_s);
                let error = libm::log(ratio);
                error * error
            })
            .collect();
        let error = (squares.iter().sum::<f64>() / squares.len().max(1) as f64).sqrt();
        let percent = digits(100.0 * libm::expm1(error));
        let distance = format!("KS of gaps {}, dispersion off by {percent} %", digits(ks));
        Fit {
            toml,
            distance,
            score: ks + error,
            fits: ks <= distance_fine(self.gaps.len()) && error <= DISPERSION_FINE,
        }
    }

    /// MMPP-2 by moments, where counts vary more than those of a Poisson process do by chance.
    fn mmpp(&self) -> Option<Mmpp> {
        let excess: Vec<&Window> =
            self.windows.iter().filter(|window| window.excess_is_real()).collect();
        let (first, last) = (excess.first()?, self.windows.last()?);
        // Switching is sought between four times the longest window and a tenth of the shortest.
        let slowest = 0.25 / last.length_s;
        let fastest = 10.0 / first.length_s;
        let misfit = |r: f64| -> (f64, f64) {
            let logs: Vec<(f64, f64)> = (excess.iter())
                .map(|window| {
                    let log = libm::log(window.excess() / (2.0 * pairs(r, window.length_s)));
                    (log, window.weight())
                })
                .collect();
            let weights: f64 = logs.iter().map(|(_, weight)| weight).sum();
            let mean = logs.iter().map(|(log, weight)| log * weight).sum::<f64>() / weights;
            let square = |(log, weight): &(f64, f64)| weight * (log - mean) * (log - mean);
            (logs.iter().map(square).sum(), libm::exp(mean))
        };
        let (mut low, mut high) = (libm::log(slowest), libm::log(fastest));
        let mut best = slowest;
        for _ in 0..4 {
            let step = (high - low) / 100.0;
            let tried = (0..=100).map(|i| libm::exp(low + step * f64::from(i)));
            best = tried.min_by(|a, b| misfit(*a).0.total_cmp(&misfit(*b).0))?;
            (low, high) = (libm::log(best) - step, libm::log(best) + step);
        }
        let switching = best;
        let variance = misfit(switching).1;
        // The third moment is best seen where a window is about as long as a stay.
        let off = |window: &Window| libm::log(window.length_s * switching).abs();
        let window = excess.iter().min_by(|a, b| off(a).total_cmp(&off(b)))?;
        let skew = window.third_excess() / (6.0 * variance * triples(switching, window.length_s));
        Mmpp::from_moments(self.rate(), variance, skew, switching)
    }
}

/// `K(w)` of the module documentation.
fn pairs(r: f64, w: f64) -> f64 {
    let a = r * w;
    // The closed form cancels where windows are much shorter than stays.
    if a < 1e-3 { w * w * (0.5 - a / 6.0) } else { (a + libm::expm1(-a)) / (r * r) }
}

/// `J(w)` of the module documentation.
fn triples(r: f64, w: f64) -> f64 {
    let a = r * w;
    if a < 1e-2 {
        return w * w * w * (1.0 / 6.0 - a / 12.0);
    }
    let decay = libm::exp(-a);
    let first = (1.0 - decay * (1.0 + a)) / (r * r);
    let second = (2.0 - decay * (a * a + 2.0 * a + 2.0)) / (r * r * r);
    w * first - second
}

impl Window {
    fn new(length_s: f64, counts: &[f64]) -> Self {
        let count = counts.len() as f64;
        let mean = counts.iter().sum::<f64>() / count;
        let moment =
            |power: i32| counts.iter().map(|c| (c - mean).powi(power)).sum::<f64>() / count;
        Self { length_s, count, mean, variance: moment(2), third: moment(3) }
    }

    /// Index of dispersion.
    fn dispersion(&self) -> f64 {
        self.variance / self.mean
    }

    /// Second factorial cumulant: 0 for a Poisson process.
    fn excess(&self) -> f64 {
        self.variance - self.mean
    }

    /// Third factorial cumulant: 0 for a Poisson process.
    fn third_excess(&self) -> f64 {
        self.third - 3.0 * self.variance + 2.0 * self.mean
    }

    /// Whether the counts vary more than five standard errors beyond those of a Poisson process.
    fn excess_is_real(&self) -> bool {
        self.dispersion() > 1.0 + 5.0 * (2.0 / self.count).sqrt()
    }

    /// One over the variance of the logarithm of the excess, roughly.
    fn weight(&self) -> f64 {
        let share = self.excess() / self.variance;
        0.5 * self.count * share * share
    }
}

impl Mmpp {
    /// From the mean, variance, and skew `d (1 - 2p)` of the rate, and the total switching rate.
    /// Where noise makes the low rate negative it is 0, and the skew is given up.
    fn from_moments(mean: f64, variance: f64, skew: f64, switching: f64) -> Option<Self> {
        let apart = (skew * skew + 4.0 * variance).sqrt();
        let mut share = 0.5 * (1.0 - skew / apart);
        let mut low = mean - share * apart;
        let mut high = low + apart;
        if low <= 0.0 {
            high = mean + variance / mean;
            share = mean / high;
            low = 0.0;
        }
        // A scenario's low rate is above 0.
        low = low.max(1e-6 * high);
        let fine = [high, share, switching].iter().all(|value| value.is_finite() && *value > 0.0);
        let (up, down) = (switching * share, switching * (1.0 - share));
        (fine && share < 1.0).then_some(Self { low, high, up, down })
    }

    fn share_high(&self) -> f64 {
        self.up / (self.up + self.down)
    }

    fn mean(&self) -> f64 {
        let share = self.share_high();
        share * self.high + (1.0 - share) * self.low
    }

    /// Index of dispersion of counts in windows of `w` seconds.
    fn dispersion(&self, w: f64) -> f64 {
        let share = self.share_high();
        let apart = self.high - self.low;
        let variance = apart * apart * share * (1.0 - share);
        1.0 + 2.0 * variance * pairs(self.up + self.down, w) / (self.mean() * w)
    }

    /// The distribution function of a gap [s]: a mixture of two exponentials, whose rates are the
    /// eigenvalues of the process killed at arrivals, and whose density at 0 is the mean rate an
    /// arrival sees.
    fn gaps(self) -> impl Fn(f64) -> f64 {
        let Self { low, high, up, down } = self;
        let half_trace = 0.5 * (low + high + up + down);
        let determinant = (low + up) * (high + down) - up * down;
        let root = (half_trace * half_trace - determinant).max(0.0).sqrt();
        let (fast, slow) = (half_trace + root, determinant / (half_trace + root));
        let share = self.share_high();
        let density = (share * high * high + (1.0 - share) * low * low) / self.mean();
        let weight = if fast > slow { (density - slow) / (fast - slow) } else { 1.0 };
        move |gap| 1.0 - weight * libm::exp(-fast * gap) - (1.0 - weight) * libm::exp(-slow * gap)
    }
}
