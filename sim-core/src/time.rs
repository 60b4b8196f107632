//! Simulated time: `u64` nanoseconds since the start of the run. No wall clock exists here.

/// A moment or a length of simulated time [ns]. 2^64 ns are 584 years.
pub type Nanos = u64;

/// One microsecond [ns].
pub const MICROSECOND: Nanos = 1_000;
/// One millisecond [ns].
pub const MILLISECOND: Nanos = 1_000_000;
/// One second [ns].
pub const SECOND: Nanos = 1_000_000_000;

/// A non-negative number rounded to the nearest whole one (ties to even), below 2^52; `None` above
/// and for NaN.
///
/// Adding 2^52 leaves no bit for a fraction, so the sum's mantissa is the answer: two instructions,
/// where a cast has to look for NaN and for numbers out of range.
#[inline]
pub fn rounded(number: f64) -> Option<u64> {
    const TWO_TO_52: f64 = (1_u64 << 52) as f64;
    (number < TWO_TO_52).then(|| (number + TWO_TO_52).to_bits() - TWO_TO_52.to_bits())
}

/// A length in seconds, for rates and reports.
pub fn seconds(ns: Nanos) -> f64 {
    ns as f64 / SECOND as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounds_to_the_nearest_whole_number_within_its_range() {
        for (number, whole) in
            [(0.0, 0), (0.49, 0), (0.5, 0), (0.51, 1), (1.5, 2), (1e15, 10_u64.pow(15))]
        {
            assert_eq!(rounded(number), Some(whole), "{number}");
        }
        let edge = (1_u64 << 52) as f64;
        assert_eq!(rounded(edge - 1.0), Some((1 << 52) - 1));
        for number in [edge, f64::INFINITY, f64::NAN] {
            assert_eq!(rounded(number), None, "{number}");
        }
    }
}
