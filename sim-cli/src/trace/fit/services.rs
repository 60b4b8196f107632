//! Service times: the laws a scenario knows.

use std::fmt::Write;

use sim_core::time::Nanos;

use super::{Fit, digits, distance, distance_fine, time};

/// Errors of cv and 99th percentile that are taken for a fit.
const CV_FINE: f64 = 0.2;
const P99_FINE: f64 = 0.2;
/// Points of an empirical law.
const QUANTILES: usize = 1_000;

/// Sorted service times and their moments.
pub struct Services<'a> {
    sorted: &'a [Nanos],
    mean: f64,
    cv: f64,
}

impl<'a> Services<'a> {
    /// `None` where the trace states none.
    pub fn new(sorted: &'a [Nanos]) -> Option<Self> {
        let count = sorted.len() as f64;
        let mean = sorted.iter().map(|ns| *ns as f64).sum::<f64>() / count;
        let variance =
            sorted.iter().map(|ns| (*ns as f64 - mean) * (*ns as f64 - mean)).sum::<f64>() / count;
        (!sorted.is_empty()).then(|| Self { sorted, mean, cv: variance.sqrt() / mean })
    }

    fn quantile(&self, share: f64) -> f64 {
        quantile(self.sorted, share)
    }

    /// One line about the services.
    pub fn describe(&self) -> String {
        let p = |share: f64| time(self.quantile(share));
        let text = format!(
            "service times: mean {}, cv {}, p50 {}, p99 {}, max {}",
            time(self.mean),
            digits(self.cv),
            p(0.5),
            p(0.99),
            p(1.0),
        );
        text.replace('"', "")
    }

    /// Every law that can have these moments, in no order.
    pub fn fits(&self) -> Vec<Fit> {
        let Self { sorted, mean, cv } = *self;
        let mut fits = Vec::new();
        let (low, high) = (sorted[0] as f64, self.quantile(1.0));
        if cv < 1e-3 {
            let toml = format!("constant = {{ mean = {} }}", time(mean));
            let distance = format!("cv {}", digits(cv));
            return vec![Fit { toml, distance, score: 0.0, fits: true }];
        }
        let toml = format!("exponential = {{ mean = {} }}", time(mean));
        let exponential = |x: f64| -libm::expm1(-x / mean);
        fits.push(self.judge(toml, exponential, mean, 1.0));
        fits.push(self.lognormal());
        fits.push(self.uniform(low, high));
        if cv > 1.02 {
            fits.push(self.hyperexponential());
        }
        let shape = (1.0 / (cv * cv)).round();
        if (2.0..=100.0).contains(&shape) {
            fits.push(self.erlang(shape));
        }
        fits.extend(self.bounded_pareto(low, high));
        fits
    }

    /// By the moments of the logarithms, which are its likelihood's.
    fn lognormal(&self) -> Fit {
        let count = self.sorted.len() as f64;
        let log = |ns: &Nanos| libm::log(*ns as f64);
        let mu = self.sorted.iter().map(log).sum::<f64>() / count;
        let square = |ns: &Nanos| (log(ns) - mu) * (log(ns) - mu);
        let variance = self.sorted.iter().map(square).sum::<f64>() / count;
        let sigma = variance.sqrt();
        let mean = libm::exp(mu + 0.5 * variance);
        let cv = libm::expm1(variance).sqrt();
        let below = |x: f64| {
            if x <= 0.0 {
                return 0.0;
            }
            0.5 * libm::erfc(-(libm::log(x) - mu) / (sigma * std::f64::consts::SQRT_2))
        };
        let toml = format!("lognormal = {{ mean = {}, cv = {} }}", time(mean), digits(cv));
        self.judge(toml, below, mean, cv)
    }

    /// Two exponentials with balanced means, by mean and cv: what a scenario's `hyperexponential` is.
    fn hyperexponential(&self) -> Fit {
        let Self { mean, cv, .. } = *self;
        let square = cv * cv;
        let share = 0.5 * (1.0 + ((square - 1.0) / (square + 1.0)).sqrt());
        let (often, seldom) = (2.0 * share / mean, 2.0 * (1.0 - share) / mean);
        let below =
            |x: f64| 1.0 - share * libm::exp(-often * x) - (1.0 - share) * libm::exp(-seldom * x);
        let toml = format!("hyperexponential = {{ mean = {}, cv = {} }}", time(mean), digits(cv));
        self.judge(toml, below, mean, cv)
    }

    fn erlang(&self, shape: f64) -> Fit {
        let mean = self.mean;
        let below = |x: f64| {
            let y = shape * x / mean;
            // 1 - e^-y (1 + y + y^2/2 + ...), term by term from e^-y on.
            let mut term = libm::exp(-y);
            let mut sum = term;
            for i in 1..shape as u32 {
                term *= y / f64::from(i);
                sum += term;
            }
            1.0 - sum
        };
        let toml = format!("erlang = {{ mean = {}, shape = {shape} }}", time(mean));
        self.judge(toml, below, mean, 1.0 / shape.sqrt())
    }

    fn uniform(&self, low: f64, high: f64) -> Fit {
        let mean = 0.5 * (low + high);
        let cv = (high - low) / 12.0_f64.sqrt() / mean;
        let below = |x: f64| ((x - low) / (high - low)).clamp(0.0, 1.0);
        let toml = format!("uniform = {{ min = {}, max = {} }}", time(low), time(high));
        self.judge(toml, below, mean, cv)
    }

    /// Between the extremes; the exponent by likelihood, whose derivative falls with it.
    fn bounded_pareto(&self, low: f64, high: f64) -> Option<Fit> {
        let span = libm::log(high / low);
        if span < 1e-6 {
            return None;
        }
        let count = self.sorted.len() as f64;
        let logs = self.sorted.iter().map(|ns| libm::log(*ns as f64 / low)).sum::<f64>() / count;
        // Mean of ln(x / low) under the law, as a function of its exponent.
        let expected = |alpha: f64| {
            let a = alpha * span;
            if a < 1e-6 { 0.5 * span } else { 1.0 / alpha - span / libm::expm1(a) }
        };
        let (mut less, mut more) = (1e-6, 1e3);
        if !(expected(more)..expected(less)).contains(&logs) {
            return None;
        }
        for _ in 0..200 {
            let middle = 0.5 * (less + more);
            if expected(middle) > logs { less = middle } else { more = middle }
        }
        let alpha = 0.5 * (less + more);
        let all = -libm::expm1(-alpha * span);
        let below = |x: f64| {
            if x <= low {
                return 0.0;
            }
            (-libm::expm1(-alpha * libm::log(x / low)) / all).min(1.0)
        };
        // E[x^k] = alpha low^k / all * (1 - (low/high)^(alpha - k)) / (alpha - k)
        let moment = |k: f64| {
            let rest = alpha - k;
            let part = if rest.abs() < 1e-9 { span } else { -libm::expm1(-rest * span) / rest };
            alpha * libm::pow(low, k) / all * part
        };
        let mean = moment(1.0);
        let cv = (moment(2.0) / (mean * mean) - 1.0).max(0.0).sqrt();
        let toml = format!(
            "bounded_pareto = {{ min = {}, max = {}, alpha = {} }}",
            time(low),
            time(high),
            digits(alpha)
        );
        Some(self.judge(toml, below, mean, cv))
    }

    fn judge(&self, toml: String, below: impl Fn(f64) -> f64, mean: f64, cv: f64) -> Fit {
        let ks = distance(self.sorted, &below);
        let (mut less, mut more) = (0.0, self.quantile(1.0) * 100.0);
        for _ in 0..100 {
            let middle = 0.5 * (less + more);
            if below(middle) < 0.99 { less = middle } else { more = middle }
        }
        let error = |law: f64, found: f64| law / found - 1.0;
        let mean_error = error(mean, self.mean);
        let cv_error = error(cv, self.cv);
        let p99_error = error(more, self.quantile(0.99));
        let percent = |error: f64| format!("{:+.1} %", 100.0 * error);
        let distance = format!(
            "KS {}, mean {}, cv {}, p99 {}",
            digits(ks),
            percent(mean_error),
            percent(cv_error),
            percent(p99_error)
        );
        let fits = ks <= distance_fine(self.sorted.len())
            && cv_error.abs() <= CV_FINE
            && p99_error.abs() <= P99_FINE;
        let score = ks + 0.25 * (mean_error.abs() + cv_error.abs() + p99_error.abs()).min(4.0);
        Fit { toml, distance, score, fits }
    }
}

fn quantile(sorted: &[Nanos], share: f64) -> f64 {
    let last = sorted.len() - 1;
    sorted[(share * last as f64).round() as usize] as f64
}

/// Quantiles as `service.empirical` reads them; `None` without service times or where all are equal.
pub fn quantiles(sorted: &[Nanos]) -> Option<String> {
    if sorted.first() == sorted.last() {
        return None;
    }
    let mut text = "probability,value_ns\n".to_owned();
    let mut written = None;
    for i in 0..=QUANTILES {
        let share = i as f64 / QUANTILES as f64;
        // Both columns increase: of equal values the last probability counts, the first one's is 0.
        let value = quantile(sorted, share) as Nanos;
        let next = (i < QUANTILES).then(|| quantile(sorted, (i + 1) as f64 / QUANTILES as f64));
        let first = written.is_none();
        if (first || next != Some(value as f64)) && written != Some(value) {
            let _ = writeln!(text, "{share},{value}");
            written = Some(value);
        }
    }
    Some(text)
}
