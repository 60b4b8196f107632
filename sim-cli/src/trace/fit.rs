//! Laws that resemble a trace, how well they do, and the scenario's lines for them.
//!
//! Laws are fitted by moments or by likelihood, in closed forms where there are any, and judged by
//! what the fit did not use: the largest distance between distribution functions (Kolmogorov and
//! Smirnov), errors of moments and of the tail. Where no law fits, that is what is said.

mod arrivals; // gaps and bursts
mod services; // how long it takes
mod keys; // what it is about

use std::fmt::Write;

use sim_core::config::TraceConfig;
use sim_core::time::{Nanos, seconds};
use sim_core::workload::TraceSource;

use self::arrivals::Arrivals;
use self::keys::Popularity;
use self::services::Services;

/// Most requests that are looked at: what comes later is not.
const REQUESTS_MAX: usize = 20_000_000;

/// A law and how far it is from the trace.
#[derive(Clone, Debug)]
struct Fit {
    /// The law as a scenario has it, without the key before it: `poisson = { rate = "5/s" }`.
    toml: String,
    /// How far, in words.
    distance: String,
    /// By which laws are ordered: smaller is closer.
    score: f64,
    /// Whether it can stand for the trace.
    fits: bool,
}

/// What is fitted to.
#[derive(Debug, Default)]
pub struct Sample {
    arrivals: Vec<Nanos>,
    services: Vec<Nanos>,
    keys: Vec<u64>,
}

impl Sample {
    /// Reads a trace to its end.
    ///
    /// # Errors
    /// Returns a message for the user where it cannot be read on, or is too short.
    pub fn read(trace: &mut dyn TraceSource) -> Result<Self, String> {
        let mut sample = Self::default();
        while sample.arrivals.len() < REQUESTS_MAX
            && let Some(record) = trace.next()?
        {
            sample.arrivals.push(record.at_ns);
            sample.services.extend(record.service_ns);
            sample.keys.extend(record.key);
        }
        if sample.arrivals.len() < 100 {
            let found = sample.arrivals.len();
            return Err(format!("{found} requests are too few to fit a law to: 100 at least"));
        }
        sample.services.sort_unstable();
        sample.keys.sort_unstable();
        Ok(sample)
    }

    /// Quantiles of the service times, for `service.empirical`.
    pub fn quantiles(&self) -> Option<String> {
        services::quantiles(&self.services)
    }

    /// What a scenario could say instead of replaying the trace: TOML, with comments on how good
    /// each law is.
    pub fn report(&self, config: &TraceConfig, trace_toml: &str) -> String {
        let arrivals = Arrivals::new(&self.arrivals);
        let mut text = format!(
            "# {} ({}): {} requests in {:.3} s\n",
            config.file,
            config.format.name(),
            self.arrivals.len(),
            seconds(arrivals.span_ns()),
        );
        let _ = writeln!(text, "\n# {}", arrivals.describe());
        if let Some(drift) = arrivals.drift() {
            let _ = writeln!(text, "# {drift}");
        }
        text.push_str("[workload]\n");
        let kept = format!("arrivals.trace = {trace_toml}");
        let replaced = choices(&mut text, "arrivals.", arrivals.fits(), &kept);
        if let Some(popularity) = Popularity::new(&self.keys) {
            let _ = writeln!(text, "\n# {}", popularity.describe());
            // A trace that is replayed brings its keys.
            let prefix = if replaced { "keys." } else { "# keys." };
            choices(&mut text, prefix, popularity.fits(), "# none: only the trace has these keys");
        }
        if let Some(services) = Services::new(&self.services) {
            let _ = writeln!(text, "\n# {}\n[[servers]]", services.describe());
            let kept = "service.empirical = { file = \"quantiles.csv\" }  \
                        # written by: lbsim trace fit FILE --quantiles quantiles.csv";
            choices(&mut text, "service.", services.fits(), kept);
        }
        text
    }
}

/// Writes the laws, the closest one first: it holds if it fits, else `instead` does, and all others
/// are comments. Returns whether one fits.
fn choices(text: &mut String, prefix: &str, mut fits: Vec<Fit>, instead: &str) -> bool {
    fits.sort_by(|a, b| a.score.total_cmp(&b.score));
    let best = fits.first().is_some_and(|fit| fit.fits);
    if !best {
        let _ = writeln!(text, "# no law fits well; what does:\n{instead}");
    }
    for (rank, Fit { toml, distance, fits, .. }) in fits.iter().enumerate() {
        let verdict = if *fits { "fits" } else { "does not fit" };
        let chosen = rank == 0 && best;
        let comment = if chosen { "" } else { "# " };
        let _ = writeln!(text, "{comment}{prefix}{toml}  # {verdict}: {distance}");
    }
    best
}

/// The largest distance between the distribution function of a sorted sample and that of a law.
fn distance(sorted: &[Nanos], law: impl Fn(f64) -> f64) -> f64 {
    let count = sorted.len() as f64;
    let mut largest: f64 = 0.0;
    let mut below = 0;
    while below < sorted.len() {
        let value = sorted[below];
        // Equal values, which clocks make, are one step of the sample's function.
        let upto = below + sorted[below..].partition_point(|other| *other == value);
        let expected = law(value as f64);
        let just_before = law((value as f64 - 0.5).max(0.0));
        largest = largest
            .max((upto as f64 / count - expected).abs())
            .max((below as f64 / count - just_before).abs());
        below = upto;
    }
    largest
}

/// The distance up to which a law is taken for a fit: what is as good as equal, or, in a small sample,
/// what chance gives in 1 of 20 (Kolmogorov's limit).
fn distance_fine(count: usize) -> f64 {
    (1.36 / (count as f64).sqrt()).max(0.05)
}

/// A time with four digits that a scenario reads.
fn time(ns: f64) -> String {
    let (unit_ns, unit) = match ns {
        ns if ns >= 1e9 => (1e9, "s"),
        ns if ns >= 1e6 => (1e6, "ms"),
        ns if ns >= 1e3 => (1e3, "us"),
        _ => return format!("\"{}ns\"", ns.round().max(1.0)),
    };
    format!("\"{}{unit}\"", digits(ns / unit_ns))
}

/// A rate with four digits that a scenario reads.
fn rate(per_s: f64) -> String {
    format!("\"{}/s\"", digits(per_s))
}

/// Four digits, or all before the point.
fn digits(value: f64) -> String {
    if value <= 0.0 || !value.is_finite() {
        return "0".to_owned();
    }
    let decimals = (3 - libm::floor(libm::log10(value)) as i32).clamp(0, 15);
    format!("{value:.*}", decimals as usize)
}

#[cfg(test)]
mod tests;
