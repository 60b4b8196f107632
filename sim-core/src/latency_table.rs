//! A compact log-linear table of durations, filled on the hot path and turned into an HDR
//! histogram at the end.

use crate::time::Nanos;

/// Durations counted in buckets no wider than 0.1 % of their value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LatencyTable {
    counts: Vec<u64>,
    max_ns: Nanos,
}
