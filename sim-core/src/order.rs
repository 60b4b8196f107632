//! Sorting the events of one tick.
//!
//! Keys are in-tick offsets, close to uniform over the tick, so one distribution into as many
//! buckets as records leaves almost nothing to do for the insertion sort that finishes: O(n)
//! expected, stable, no allocation once the buffers have grown.

use std::ops::Range;

/// Records that arrive in a tick, wherever they wait.
pub trait Inbox<T> {
    /// How many there are.
    fn len(&self) -> usize;

    /// True when nothing arrives.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Visits each once, in the same order every time.
    fn for_each(&self, visit: impl FnMut(T));
}

/// Sorts what arrives in a tick, with buffers that are reused tick after tick.
#[derive(Clone, Debug, Default)]
pub struct Sorter<T> {
    /// Where each bucket ends among the sorted; empty where the last sort needed no buckets.
    ends: Vec<u32>,
    sorted: Vec<T>,
    len: usize,
}

/// Up to this many records the insertion sort alone is faster.
const SMALL: usize = 12;

impl<T: Copy + Default> Sorter<T> {
    /// Copies the records of an inbox in order: by `key`, which is below `span`; equal keys fall
    /// back to `less`.
    ///
    /// Stable: records that neither precedes stay in the order they came in.
    #[inline]
    pub fn sort(
        &mut self,
        inbox: &impl Inbox<T>,
        span: u64,
        key: impl Fn(&T) -> u32,
        less: impl Fn(&T, &T) -> bool,
    ) -> &[T] {
        let buckets = inbox.len().next_power_of_two();
        // floor(key * scale / 2^32) < buckets for every key < span: scale is rounded down.
        let scale = ((buckets as u64) << 32) / span;
        let bucket = |record: &T| ((u64::from(key(record)) * scale) >> 32) as usize;
        self.sort_into(inbox, buckets, bucket, less)
    }

    /// The same by way of these buckets, whose order is that of their records.
    #[inline]
    pub fn sort_into(
        &mut self,
        inbox: &impl Inbox<T>,
        buckets: usize,
        bucket: impl Fn(&T) -> usize,
        less: impl Fn(&T, &T) -> bool,
    ) -> &[T] {
        let len = inbox.len();
        self.len = len;
        if self.sorted.len() < len {
            self.sorted.resize(len, T::default());
        }
        self.ends.clear();
        if len > SMALL {
            self.scatter(inbox, buckets, bucket);
        } else {
            let mut places = self.sorted.iter_mut();
            inbox.for_each(|record| {
                if let Some(place) = places.next() {
                    *place = record;
                }
            });
        }
        let sorted = &mut self.sorted[..len];
        insertion_sort(sorted, less);
        sorted
    }

    /// The records sorted last.
    #[inline]
    pub fn sorted(&self) -> &[T] {
        &self.sorted[..self.len]
    }

    /// Those of some buckets, where the last sort has used any.
    #[inline]
    pub fn in_buckets(&self, buckets: Range<usize>) -> Option<&[T]> {
        let end = *self.ends.get(buckets.end.checked_sub(1)?)?;
        let start = buckets.start.checked_sub(1).map_or(0, |before| self.ends[before]);
        Some(&self.sorted[start as usize..end as usize])
    }

    #[inline]
    fn scatter(&mut self, inbox: &impl Inbox<T>, buckets: usize, bucket: impl Fn(&T) -> usize) {
        self.ends.resize(buckets, 0);
        let ends = &mut self.ends[..];
        inbox.for_each(|record| ends[bucket(&record)] += 1);
        let mut sum = 0;
        for end in &mut *ends {
            let start = sum;
            sum += *end;
            *end = start;
        }
        let sorted = &mut self.sorted[..];
        inbox.for_each(|record| {
            let slot = &mut ends[bucket(&record)];
            sorted[*slot as usize] = record;
            *slot += 1;
        });
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

    struct Slice<'a>(&'a [(u32, u32)]);

    impl Inbox<(u32, u32)> for Slice<'_> {
        fn len(&self) -> usize {
            self.0.len()
        }

        fn for_each(&self, visit: impl FnMut((u32, u32))) {
            self.0.iter().copied().for_each(visit);
        }
    }

    #[test]
    fn sorts_stably_like_the_library_does() {
        let mut rng = stream(1, 0, Purpose::Policy, 0);
        let mut sorter = Sorter::default();
        for round in 0..200_u64 {
            let span = [1, 7, 1_000, 500_000, 1 << 30][round as usize % 5];
            let n = rng.random_range(0..300_u32);
            let mut records: Vec<(u32, u32)> =
                (0..n).map(|i| (rng.random_range(0..span) as u32, i)).collect();
            let by_sorter = sorter.sort(&Slice(&records), span, |r| r.0, |a, b| a.0 < b.0).to_vec();
            let came = records.clone();
            records.sort_by_key(|r| r.0);
            assert_eq!(by_sorter, records, "round {round}, span {span}");
            // By way of 8 buckets whose borders are known: each range of buckets is found again.
            let bucket = |r: &(u32, u32)| (u64::from(r.0) * 8 / span) as usize;
            sorter.sort_into(&Slice(&came), 8, bucket, |a, b| a.0 < b.0);
            for (from, to) in [(0, 1), (2, 5), (7, 8), (0, 8)] {
                let Some(found) = sorter.in_buckets(from..to) else {
                    assert!(n as usize <= SMALL, "round {round}");
                    continue;
                };
                let is_in = |r: &&(u32, u32)| (from..to).contains(&bucket(r));
                let expected: Vec<(u32, u32)> = records.iter().filter(is_in).copied().collect();
                assert_eq!(found, expected, "round {round}, buckets {from}..{to}");
            }
        }
    }
}
