//! One recorded request, as a line states it.

use sim_core::rng;
use sim_core::time::{Nanos, SECOND};

/// One recorded request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// When it arrived [ns], from wherever the file counts. May be negative: where a line states
    /// the end of a request, its start may lie before the file's.
    pub at_ns: i64,
    /// A moment that no later line is before [ns], if lines are in order.
    pub floor_ns: i64,
    /// Its service time at speed 1 [ns].
    pub service_ns: Option<Nanos>,
    /// A hash of its key.
    pub key: Option<u64>,
    /// Equal for lines that tell of one request.
    pub identity: u64,
}

/// What a line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Line {
    /// A request.
    Request(Row),
    /// A good line that was not asked for.
    Other,
}

/// FNV-1a (Fowler, Noll, Vo), then mixed because its high bits are weak for short keys. Our own,
/// since the standard library's hash may change with its version, and results with it.
pub fn hash(key: &[u8]) -> u64 {
    let fnv = key.iter().fold(0xCBF2_9CE4_8422_2325, |hash: u64, &byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3)
    });
    rng::mix(fnv)
}

/// Moments for requests of which only the second is known: uniform within it, by the number of the
/// request in its second. So a file always gives the same arrivals, and the requests of a second
/// come as a Poisson process would bring them.
#[derive(Debug, Default)]
pub struct Spread {
    second: i64,
    count: u64,
}

impl Spread {
    /// The moment of the next request in `second` [ns].
    pub fn place(&mut self, second: i64) -> Option<i64> {
        if self.second != second {
            *self = Self { second, count: 0 };
        }
        let bits = rng::mix(rng::mix(second.cast_unsigned()) ^ self.count);
        self.count += 1;
        let within_ns = (u128::from(bits) * u128::from(SECOND)) >> 64;
        second.checked_mul(SECOND.cast_signed())?.checked_add(within_ns as i64)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// Pins the hash: it may not change with a library or a platform.
    #[test]
    fn key_hash_is_fixed() {
        assert_eq!(hash(b"user-1"), 0xF16D_8D44_0FBB_25D5, "{:#x}", hash(b"user-1"));
        let hashes: BTreeSet<_> =
            (0..100_000).map(|i: u32| hash(i.to_string().as_bytes())).collect();
        assert_eq!(hashes.len(), 100_000);
    }

    /// Goal: requests of a second are spread evenly over it, and always in the same way. Method: the
    /// mean and variance of 10 000 uniform moments, five standard errors wide.
    #[test]
    fn seconds_are_spread_evenly() {
        let mut spread = Spread::default();
        let moments: Vec<f64> = (0..10_000)
            .map(|_| {
                (spread.place(7).expect("fits") - 7 * SECOND.cast_signed()) as f64 / SECOND as f64
            })
            .collect();
        assert!(moments.iter().all(|moment| (0.0..1.0).contains(moment)));
        let mean = moments.iter().sum::<f64>() / 1e4;
        let variance = moments.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / 1e4;
        assert!((mean - 0.5).abs() < 5.0 * 0.0029, "{mean}");
        assert!((variance - 1.0 / 12.0).abs() < 5.0 * 0.00075, "{variance}");
        let again = |second| Spread::default().place(second);
        assert_eq!(again(7), again(7));
        assert_eq!(again(i64::MAX), None);
    }
}
