//! Probability laws of service times and network delays.

use crate::time::Nanos;

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
