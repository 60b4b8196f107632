//! The grid of simulated time: ticks (windows of the data plane) and quanta (control plane).

use crate::config::Scenario;
use crate::time::Nanos;

/// Divides times by the tick without a division.
#[derive(Clone, Copy, Debug)]
pub struct Ticks {
    /// The window W [ns].
    pub tick_ns: Nanos,
    /// An offset into a tick takes the upper bits of a word of 32, from this one on.
    pub offset_shift: u32,
    /// The control quantum [ns], a multiple of the tick.
    pub quantum_ns: Nanos,
    /// Ticks in a quantum.
    pub per_quantum: u64,
    /// `floor(2^64 / tick_ns) + 1`: the product with a time, shifted by 64, is the tick.
    magic: u64,
    /// Times up to here are divided exactly by `magic`.
    magic_limit_ns: Nanos,
}

impl Ticks {
    /// The grid of a checked scenario.
    pub fn new(scenario: &Scenario) -> Self {
        Self::grid(scenario.engine.tick_ns, scenario.engine.quantum_ns)
    }

    fn grid(tick_ns: Nanos, quantum_ns: Nanos) -> Self {
        // With e = magic * W - 2^64 in (0, W], floor(t * magic / 2^64) = floor(t / W) as long as
        // t * e < 2^64, that is for every t below 2^64 / W.
        let magic = (u64::MAX / tick_ns).saturating_add(1);
        // The two lowest bits are left for something else: a tick is at most 2^30 ns.
        let offset_bits = (Nanos::BITS - (tick_ns - 1).leading_zeros()).clamp(1, 30);
        Self {
            tick_ns,
            offset_shift: u32::BITS - offset_bits,
            quantum_ns,
            per_quantum: quantum_ns / tick_ns,
            magic,
            magic_limit_ns: if tick_ns == 1 { 0 } else { u64::MAX / tick_ns },
        }
    }

    /// A grid without a scenario.
    #[cfg(test)]
    pub fn test_grid(tick_ns: Nanos, quantum_ns: Nanos) -> Self {
        Self::grid(tick_ns, quantum_ns)
    }

    /// The tick a moment falls into.
    #[inline]
    pub fn tick_of(&self, at: Nanos) -> u64 {
        if at < self.magic_limit_ns {
            ((u128::from(at) * u128::from(self.magic)) >> 64) as u64
        } else {
            self.tick_of_far(at)
        }
    }

    #[cold]
    #[inline(never)]
    const fn tick_of_far(&self, at: Nanos) -> u64 {
        at / self.tick_ns
    }

    /// Start of a tick [ns].
    #[inline]
    pub const fn start_ns(&self, tick: u64) -> Nanos {
        tick * self.tick_ns
    }

    /// The first quantum boundary at or after a moment, as a count of quanta.
    pub const fn quantum_from(&self, at: Nanos) -> u64 {
        at.div_ceil(self.quantum_ns)
    }

    /// A moment rounded up to a quantum boundary [ns].
    pub const fn round_up(&self, at: Nanos) -> Nanos {
        self.quantum_from(at) * self.quantum_ns
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn magic_division_equals_division_at_every_edge() {
        for tick_ns in [1, 2, 3, 7, 1_000, 499_999, 500_000, 524_288, 1 << 30] {
            let grid = Ticks::grid(tick_ns, tick_ns);
            let limit = grid.magic_limit_ns;
            for k in [0, 1, 2, 3, 1_000, 86_400_000, limit / tick_ns, u64::MAX / tick_ns - 1] {
                for at in [k * tick_ns, k * tick_ns + tick_ns - 1, (k * tick_ns).saturating_sub(1)]
                {
                    assert_eq!(grid.tick_of(at), at / tick_ns, "{at} / {tick_ns}");
                }
            }
        }
    }
}
