//! A compact log-linear table of durations, filled on the hot path and turned into an HDR
//! histogram at the end.
//!
//! Buckets are those of an HDR histogram with 3 significant digits (Gil Tene), so the conversion
//! is exact and quantiles agree to the last bit. What differs is the price: recording
//! is a dozen instructions on 8 bytes, and the table is only as long as its largest value needs.

use hdrhistogram::Histogram;

use crate::time::Nanos;

/// Buckets an octave: 2^10 makes a bucket at most 1/1024 of its value wide.
const OCTAVE_BITS: u32 = 10;
const OCTAVE: usize = 1 << OCTAVE_BITS;

/// Durations counted in buckets no wider than 0.1 % of their value. Below 2048 ns each value has a
/// bucket of its own.
///
/// Invariants:
/// 1. `counts` reaches to the end of the octave of `max_ns` and no further; it is empty if nothing
///    was recorded. So tables of the same durations are equal, whatever their history.
/// 2. `counts[bucket_of(max_ns)] > 0` unless `counts` is empty.
///
/// Counts are `u64`: under a constant law all requests fall into one bucket, and 2^32 of them are
/// a few minutes of simulation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LatencyTable {
    counts: Vec<u64>,
    max_ns: Nanos,
}

/// The bucket of a duration. Branch-free and consecutive: values below 2^11 are their own index,
/// and each further octave drops one more low bit.
#[inline]
pub const fn bucket_of(ns: Nanos) -> usize {
    // The low bits are set so that short durations need no case of their own: they drop no bit.
    let dropped_bits = (ns | (2 * OCTAVE as u64 - 1)).ilog2() - OCTAVE_BITS;
    ((dropped_bits as usize) << OCTAVE_BITS) + (ns >> dropped_bits) as usize
}

/// The largest duration of a bucket.
pub const fn highest_of(bucket: usize) -> Nanos {
    let dropped_bits = (bucket >> OCTAVE_BITS).saturating_sub(1);
    let kept = (bucket - (dropped_bits << OCTAVE_BITS)) as u64;
    (kept << dropped_bits) + ((1 << dropped_bits) - 1)
}

impl LatencyTable {
    /// A table without durations. Allocates nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Counts one duration; returns its bucket.
    #[inline]
    pub fn record(&mut self, ns: Nanos) -> usize {
        let bucket = bucket_of(ns);
        self.max_ns = self.max_ns.max(ns);
        match self.counts.get_mut(bucket) {
            Some(count) => *count += 1,
            None => self.record_longest(bucket),
        }
        bucket
    }

    /// Counts many durations and calls `each` with every bucket; returns their sum [ns].
    #[inline]
    pub fn record_all(
        &mut self,
        durations: impl Iterator<Item = Nanos>,
        mut each: impl FnMut(usize),
    ) -> u128 {
        let (mut sum_ns, mut max_ns) = (0_u64, self.max_ns);
        let mut counts = &mut self.counts[..];
        for ns in durations {
            let bucket = bucket_of(ns);
            sum_ns += ns;
            max_ns = max_ns.max(ns);
            if let Some(count) = counts.get_mut(bucket) {
                *count += 1;
            } else {
                self.grow((bucket | (OCTAVE - 1)) + 1);
                counts = &mut self.counts[..];
                counts[bucket] += 1;
            }
            each(bucket);
        }
        self.max_ns = max_ns;
        sum_ns.into()
    }

    #[cold]
    fn record_longest(&mut self, bucket: usize) {
        self.grow((bucket | (OCTAVE - 1)) + 1);
        self.counts[bucket] += 1;
    }

    /// Lengthens the table. Happens at most once an octave, so 54 times in a table's life.
    #[cold]
    fn grow(&mut self, length: usize) {
        // Fresh zeroes and a copy of the used part, rather than `resize`: pages of small buckets
        // that no duration ever reaches are then never touched.
        let used = self.counts.iter().position(|&count| count > 0).unwrap_or(self.counts.len());
        let mut counts = vec![0; length];
        counts[used..self.counts.len()].copy_from_slice(&self.counts[used..]);
        self.counts = counts;
    }

    /// Adds the durations of another table.
    pub fn merge(&mut self, other: &Self) {
        if self.counts.len() < other.counts.len() {
            self.grow(other.counts.len());
        }
        for (mine, theirs) in self.counts.iter_mut().zip(&other.counts) {
            *mine += theirs;
        }
        self.max_ns = self.max_ns.max(other.max_ns);
    }

    /// Number of durations. O(buckets): the hot path keeps no sum.
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// Whether no duration was recorded.
    pub const fn is_empty(&self) -> bool {
        self.counts.is_empty()
    }

    /// The longest duration, exactly [ns]; 0 if there is none.
    pub const fn max_ns(&self) -> Nanos {
        self.max_ns
    }

    /// The `q` quantile [ns], `None` without durations.
    ///
    /// Defined as by `HdrHistogram`: with n durations, the first bucket by which at least
    /// `ceil(q * n)` of them (at least 1) are counted. Answers the largest duration of that bucket,
    /// so it is never too low and too high by less than 0.1 %; but never more than the longest one
    /// recorded. `q` is cut to `[0, 1]`. O(buckets).
    pub fn quantile_ns(&self, q: f64) -> Option<Nanos> {
        quantile(|| self.counts.iter().copied(), q).map(|ns| ns.min(self.max_ns))
    }

    /// The same over the durations recorded since `earlier`, an older copy of this table.
    pub fn quantile_since(&self, earlier: &Self, q: f64) -> Option<Nanos> {
        let before = || earlier.counts.iter().copied().chain(std::iter::repeat(0));
        let since = || self.counts.iter().zip(before()).map(|(now, before)| now - before);
        quantile(since, q).map(|ns| ns.min(self.max_ns))
    }

    /// The same durations as an HDR histogram with 3 significant digits.
    pub fn to_histogram(&self) -> Histogram<u64> {
        let mut histogram =
            Histogram::new_with_max(self.max_ns.max(2), 3).expect("3 digits and 2 are in range");
        for (bucket, &count) in self.counts.iter().enumerate().filter(|&(_, &count)| count > 0) {
            let ns = highest_of(bucket).min(self.max_ns);
            histogram.record_n(ns, count).expect("the histogram reaches to the longest duration");
        }
        histogram
    }
}

fn quantile<I: Iterator<Item = u64>>(counts: impl Fn() -> I, q: f64) -> Option<Nanos> {
    let total: u64 = counts().sum();
    let wanted = ((q.clamp(0.0, 1.0) * total as f64).ceil() as u64).max(1);
    let mut counted = 0;
    counts()
        .position(|count| {
            counted += count;
            counted >= wanted
        })
        .map(highest_of)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Purpose, Rng, Stream, stream};

    const QUANTILES: [f64; 10] = [0.0, 0.001, 0.25, 0.5, 0.9, 0.95, 0.99, 0.999, 0.9999, 1.0];

    /// Durations of all magnitudes up to `bits` bits, short ones included.
    fn durations(stream: &mut Stream, n: usize, bits: u64) -> Vec<Nanos> {
        (0..n).map(|_| (stream.next_u64() >> (64 - bits)) >> (stream.next_u64() % bits)).collect()
    }

    fn table(durations: &[Nanos]) -> LatencyTable {
        let mut table = LatencyTable::new();
        for &ns in durations {
            table.record(ns);
        }
        table
    }

    #[test]
    fn buckets_are_consecutive_and_narrow() {
        assert_eq!(bucket_of(0), 0);
        assert_eq!(highest_of(bucket_of(u64::MAX)), u64::MAX);
        for bucket in 0..bucket_of(u64::MAX) {
            let highest = highest_of(bucket);
            assert_eq!(bucket_of(highest), bucket);
            assert_eq!(bucket_of(highest + 1), bucket + 1);
            let width = highest_of(bucket + 1) - highest;
            assert!(width == 1 || width as f64 <= highest as f64 / 1024.0 + 1.0, "{bucket}");
        }
    }

    /// Goal: quantiles are right to a bucket, against the sorted durations; and they are those of
    /// the well-known histogram, except that ours stop at the longest duration.
    #[test]
    fn quantiles_equal_sorted_durations_and_hdrhistogram() {
        for seed in 0..64 {
            let mut stream = stream(seed, 0, Purpose::Demand, 0);
            let n = 1 + (stream.next_u64() % 3_000) as usize;
            let bits = 1 + stream.next_u64() % 63;
            let mut sorted = durations(&mut stream, n, bits);
            let table = table(&sorted);
            let mut histogram = Histogram::<u64>::new(3).unwrap();
            for &ns in &sorted {
                histogram.record(ns).unwrap();
            }
            sorted.sort_unstable();
            let longest = sorted[n - 1];

            assert_eq!(table.count(), n as u64, "seed {seed}");
            assert_eq!(table.max_ns(), longest, "seed {seed}");
            assert_eq!(table.to_histogram(), histogram, "seed {seed}");
            for q in QUANTILES {
                let rank = ((q * n as f64).ceil() as usize).max(1);
                let bucket = bucket_of(sorted[rank - 1]);
                let answer = table.quantile_ns(q).unwrap();
                assert_eq!(answer, highest_of(bucket).min(longest), "seed {seed}, q {q}");
                if q > 0.0 {
                    let theirs = histogram.value_at_quantile(q).min(longest);
                    assert_eq!(answer, theirs, "seed {seed}, q {q}");
                }
            }
        }
    }

    /// Goal: a table knows its durations, not its history. Method: parts of a sequence, merged in
    /// another order, equal the whole; a copy subtracted leaves the rest.
    #[test]
    fn merging_and_subtracting_undo_a_split() {
        for seed in 0..64 {
            let mut stream = stream(seed, 1, Purpose::Demand, 0);
            let bits = 1 + stream.next_u64() % 63;
            let all = durations(&mut stream, 500, bits);
            let (first, last) = all.split_at((stream.next_u64() % 501) as usize);
            let whole = table(&all);
            let mut merged = table(last);
            merged.merge(&LatencyTable::new());
            merged.merge(&table(first));
            assert_eq!(merged, whole, "seed {seed}");

            // Many at once: the same table, and every bucket told.
            let mut at_once = table(first);
            let mut buckets = Vec::new();
            let sum_ns = at_once.record_all(last.iter().map(|ns| ns >> 10), |b| buckets.push(b));
            assert_eq!(sum_ns, last.iter().map(|ns| u128::from(ns >> 10)).sum(), "seed {seed}");
            let mut one_by_one = table(first);
            let told: Vec<usize> = last.iter().map(|ns| one_by_one.record(ns >> 10)).collect();
            assert_eq!((at_once, buckets), (one_by_one, told), "seed {seed}");

            let rest = table(last);
            for q in QUANTILES {
                let (since, alone) = (whole.quantile_since(&table(first), q), rest.quantile_ns(q));
                // The longest of the rest alone is not known, so its bucket's end is answered.
                let to_bucket = |ns: Option<Nanos>| ns.map(bucket_of);
                assert_eq!(to_bucket(since), to_bucket(alone), "seed {seed}, q {q}");
            }
        }
    }

    #[test]
    fn an_empty_table_has_no_quantile() {
        let mut table = LatencyTable::new();
        assert_eq!((table.quantile_ns(0.5), table.count(), table.max_ns()), (None, 0, 0));
        assert!(table.is_empty());
        assert_eq!(table.to_histogram().len(), 0);
        assert_eq!(table.quantile_since(&table, 0.5), None);
        table.record(0);
        assert!(!table.is_empty());
        assert_eq!((table.quantile_ns(0.5), table.count()), (Some(0), 1));
        assert_eq!(table.quantile_since(&table, 0.5), None);
    }
}
