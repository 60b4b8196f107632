//! How long requests take at about the present load, as a server answers probes with.
//!
//! Prequal (Wydrowski et al., NSDI 2024): the median of recent latencies, tagged with the requests in
//! flight that each met, near the present number. Here: of the last [`KEPT`] completions the
//! [`NEAREST`] whose tag is nearest to the present load, newer ones first; their median. The paper gives
//! neither number.
//!
//! The estimate fades while nothing is completed, as the latency in heartbeats does
//! (`heartbeat.latency_decay`): the paper's "recent" has no length, and without it a server with a few slow
//! completions is never asked for more by those who choose by latency, so that it stays slow for ever.

use std::collections::VecDeque;

use super::LatencyMean;
use crate::time::Nanos;

/// Completions that are kept.
pub const KEPT: usize = 64;
/// Completions that count.
pub const NEAREST: usize = 9;

/// The newest completions of a server.
#[derive(Clone, Debug, Default)]
pub struct LatencySamples {
    /// Requests met and time in the server [ns], newest first.
    recent: VecDeque<(u32, f32)>,
    /// When the newest left [ns].
    newest_ns: Nanos,
}

impl LatencySamples {
    /// Memory the completions take [bytes].
    pub(crate) const BYTES: usize = KEPT * size_of::<(u32, f32)>();

    /// A request that met `met` others has left at `at_ns` after `latency_ns`.
    pub fn add(&mut self, at_ns: Nanos, met: u32, latency_ns: f32) {
        self.newest_ns = at_ns;
        self.recent.truncate(KEPT - 1);
        self.recent.push_front((met, latency_ns));
    }

    /// All is forgotten.
    pub fn clear(&mut self) {
        self.recent.clear();
    }

    /// The estimate at `at_ns` for a request that would meet `load` others [ns]; 0 before the first
    /// completion.
    pub fn estimate_ns(&self, at_ns: Nanos, load: u32, decay_ns: Option<Nanos>) -> f32 {
        let mean_ns = self.median_ns(load);
        LatencyMean { mean_ns, last_ns: self.newest_ns }.reported_ns(at_ns, decay_ns)
    }

    fn median_ns(&self, load: u32) -> f32 {
        let mut nearest = [(u32::MAX, 0.0); NEAREST];
        let mut count = 0;
        for &(met, latency_ns) in &self.recent {
            let distance = met.abs_diff(load);
            // After all that are as near: those are newer.
            let place = nearest[..count].partition_point(|&(other, _)| other <= distance);
            if place < NEAREST {
                count = (count + 1).min(NEAREST);
                nearest[place..count].rotate_right(1);
                nearest[place] = (distance, latency_ns);
            }
        }
        let mut latencies = nearest.map(|(_, latency_ns)| latency_ns);
        let latencies = &mut latencies[..count];
        latencies.sort_unstable_by(f32::total_cmp);
        latencies.get(count / 2).copied().unwrap_or(0.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_estimate_fades_while_nothing_is_completed() {
        let mut samples = LatencySamples::default();
        samples.add(1_000, 0, 50.0);
        let at = |at_ns| samples.estimate_ns(at_ns, 0, Some(500));
        assert!((at(1_000) - 50.0).abs() < 1e-6);
        assert!((f64::from(at(1_500)) - 50.0 * libm::exp(-1.0)).abs() < 1e-5);
        assert!((samples.estimate_ns(9_000, 0, None) - 50.0).abs() < 1e-6);
    }

    proptest! {
        /// The definition by sorting all.
        #[test]
        fn the_estimate_is_the_median_of_the_nearest(
            all in proptest::collection::vec((0_u32..12, 1_u32..1_000), 0..150),
            load in 0_u32..14,
        ) {
            let mut samples = LatencySamples::default();
            for &(met, ns) in &all {
                samples.add(7, met, ns as f32);
            }
            let mut kept: Vec<_> = all.iter().rev().take(KEPT).collect();
            kept.sort_by_key(|(met, _)| met.abs_diff(load)); // Stable: newer ones first.
            let mut near: Vec<u32> = kept.iter().take(NEAREST).map(|(_, ns)| *ns).collect();
            near.sort_unstable();
            let median = near.get(near.len() / 2).copied().unwrap_or(0);
            prop_assert_eq!(samples.median_ns(load).to_bits(), (median as f32).to_bits());
        }
    }
}
