//! Simulated time: `u64` nanoseconds since the start of the run. No wall clock exists here.

/// A moment or a length of simulated time [ns]. 2^64 ns are 584 years.
pub type Nanos = u64;

/// One microsecond [ns].
pub const MICROSECOND: Nanos = 1_000;
/// One millisecond [ns].
pub const MILLISECOND: Nanos = 1_000_000;
/// One second [ns].
pub const SECOND: Nanos = 1_000_000_000;

/// A length in seconds, for rates and reports.
pub fn seconds(ns: Nanos) -> f64 {
    ns as f64 / SECOND as f64
}
