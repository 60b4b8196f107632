//! Sorting the events of one tick.
//!
//! Keys are in-tick offsets, close to uniform over the tick, so one distribution into as many
//! buckets as records leaves almost nothing to do for the insertion sort that finishes: O(n)
//! expected, stable, no allocation once the buffers have grown.

/// Buffers for sorting, reused tick after tick.
#[derive(Clone, Debug, Default)]
pub struct Sorter<T> {
    ends: Vec<u32>,
    scattered: Vec<T>,
}

/// Up to this many records the insertion sort alone is faster.
const SMALL: usize = 16;

impl<T: Copy + Default> Sorter<T> {
    /// Sorts `records` by `key`, which is below `span`; equal keys fall back to `less`.
    ///
    /// Stable: records that neither precedes stay in the order they came in.
    #[inline]
    pub fn sort(
        &mut self,
        records: &mut [T],
        span: u64,
        key: impl Fn(&T) -> u32,
        less: impl Fn(&T, &T) -> bool,
    ) {
        if records.len() > SMALL {
            self.scatter(records, span, key);
        }
        insertion_sort(records, less);
    }

    fn scatter(&mut self, records: &mut [T], span: u64, key: impl Fn(&T) -> u32) {
        let buckets = records.len().next_power_of_two();
        // floor(key * scale / 2^32) < buckets for every key < span: scale is rounded down.
        let scale = ((buckets as u64) << 32) / span;
        let bucket = |record: &T| ((u64::from(key(record)) * scale) >> 32) as usize;
        self.ends.clear();
        self.ends.resize(buckets + 1, 0);
        for record in records.iter() {
            self.ends[bucket(record) + 1] += 1;
        }
        let mut sum = 0;
        for end in &mut self.ends {
            sum += *end;
            *end = sum;
        }
        if self.scattered.len() < records.len() {
            self.scattered.resize(records.len(), T::default());
        }
        for record in records.iter() {
            let slot = &mut self.ends[bucket(record)];
            self.scattered[*slot as usize] = *record;
            *slot += 1;
        }
        records.copy_from_slice(&self.scattered[..records.len()]);
    }
}

#[inline]
fn insertion_sort<T: Copy>(records: &mut [T], less: impl Fn(&T, &T) -> bool) {
    for i in 1..records.len() {
        let (sorted, rest) = records.split_at_mut(i);
        let (Some(last), Some(place)) = (sorted.last_mut(), rest.first_mut()) else { return };
        if !less(place, last) {
            continue; // Nearly always, after a distribution.
        }
        let record = std::mem::replace(place, *last);
        let mut hole = i - 1;
        while hole > 0 && less(&record, &sorted[hole - 1]) {
            sorted[hole] = sorted[hole - 1];
            hole -= 1;
        }
        sorted[hole] = record;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Purpose, RngExt, stream};

    #[test]
    fn sorts_stably_like_the_library_does() {
        let mut rng = stream(1, 0, Purpose::Policy, 0);
        let mut sorter = Sorter::default();
        for round in 0..200_u64 {
            let span = [1, 7, 1_000, 500_000, 1 << 30][round as usize % 5];
            let n = rng.random_range(0..300_u32);
            let mut records: Vec<(u32, u32)> =
                (0..n).map(|i| (rng.random_range(0..span) as u32, i)).collect();
            let mut expected = records.clone();
            expected.sort_by_key(|r| r.0);
            sorter.sort(&mut records, span, |r| r.0, |a, b| a.0 < b.0);
            assert_eq!(records, expected, "round {round}, span {span}");
        }
    }
}
