//! A timing wheel: records filed under the tick in which they fall due.
//!
//! Invariants
//! 1. `base` is the first tick that has not been taken; nothing is ever filed before it.
//! 2. A record due in `[base, base + slots)` is in the bucket `tick % slots`, unless it waits in
//!    `overflow`; `refile_at` is the earliest tick in `overflow`.
//! 3. Buckets are chains of pooled blocks, so a wheel holds what is pending and not
//!    `slots x the largest bucket`. Blocks are reused last in, first out: they stay in the cache.
//!
//! Filing is O(1); taking a bucket is O(its records). A record beyond the horizon is looked at
//! once a revolution. Records of a bucket come out in no promised order: whoever takes them sorts
//! by the total order of events.

/// No block.
const NONE: u32 = u32::MAX;
/// Records in one block: 256 bytes for the 16-byte records of the hot path.
const BLOCK: usize = 16;

/// See the module documentation.
#[derive(Clone, Debug)]
pub struct Wheel<T> {
    mask: u64,
    base: u64,
    buckets: Vec<Bucket>,
    /// One bit a bucket, set when it holds records ...
    occupied: Vec<u64>,
    /// ... and one bit a word of those, set when any of its bits is: the next due tick is found in a few steps,
    /// however far ahead it is.
    busy: Vec<u64>,
    /// The pool: block `b` is `records[b * BLOCK..][..BLOCK]`.
    records: Vec<T>,
    next_block: Vec<u32>,
    free: u32,
    overflow: Vec<(u64, T)>,
    refile_at: u64,
}

/// A chain of blocks, all full but the last.
#[derive(Clone, Copy, Debug)]
struct Bucket {
    first: u32,
    /// Where the next record goes, as an index into the pool. At a multiple of `BLOCK` there is no
    /// place: the last block is full, or there is none.
    cursor: u32,
}

const EMPTY: Bucket = Bucket { first: NONE, cursor: 0 };

impl<T: Copy + Default> Wheel<T> {
    /// Memory a wheel takes [bytes] that holds `records` at most, spread over `ticks` of its
    /// `horizon`.
    pub(crate) fn bytes(horizon: u64, ticks: f64, records: f64) -> f64 {
        let slots = horizon.clamp(64, 1 << 16).next_power_of_two() as f64;
        // Every tick in use has a block that is not full.
        let places = records + records.min(ticks.max(1.0)) * BLOCK as f64;
        slots * (size_of::<Bucket>() as f64 + 0.127) + places * size_of::<T>() as f64
    }

    /// The same for records that are filed at any time up to `ahead` ticks before they are due, which
    /// may be beyond the horizon.
    pub(crate) fn bytes_ahead(horizon: u64, ahead: f64, records: f64) -> f64 {
        let near = records * (horizon as f64 / ahead.max(1.0)).min(1.0);
        // The overflow is there twice while it is looked through.
        let far = 2.0 * (records - near) * size_of::<(u64, T)>() as f64;
        Self::bytes(horizon, ahead.min(horizon as f64), near) + far
    }

    /// A wheel that files up to `horizon` ticks ahead without overflow; rounded up to a power of
    /// two, at least 64.
    pub fn new(horizon: u64) -> Self {
        let slots = horizon.clamp(64, 1 << 16).next_power_of_two();
        Self {
            mask: slots - 1,
            base: 0,
            buckets: vec![EMPTY; slots as usize],
            occupied: vec![0; (slots / 64) as usize],
            busy: vec![0; (slots / 64).div_ceil(64) as usize],
            records: Vec::new(),
            next_block: Vec::new(),
            free: NONE,
            overflow: Vec::new(),
            refile_at: u64::MAX,
        }
    }

    /// Files `record` under `tick`, which has not been taken yet.
    #[inline]
    pub fn push(&mut self, tick: u64, record: T) {
        *self.place(tick) = record;
    }

    /// Where a record under `tick`, which has not been taken yet, is to be written.
    ///
    /// The record itself is no argument: given to the cold paths below it would have to be in
    /// memory, and every record would be built on the stack and copied from there.
    #[inline]
    fn place(&mut self, tick: u64) -> &mut T {
        debug_assert!(tick >= self.base, "tick {tick} was taken, the wheel is at {}", self.base);
        if tick - self.base > self.mask {
            return self.place_far(tick);
        }
        let slot = (tick & self.mask) as usize;
        let cursor = &mut self.buckets[slot].cursor;
        let mut at = *cursor;
        if at.is_multiple_of(BLOCK as u32) {
            at = self.grow(slot);
        } else {
            *cursor = at + 1;
        }
        &mut self.records[at as usize]
    }

    /// Files all of `records` under `tick`, which has not been taken yet: a block at a time.
    #[inline]
    pub fn push_all(&mut self, tick: u64, records: impl ExactSizeIterator<Item = T>) {
        let mut records = records;
        if tick - self.base > self.mask {
            return records.for_each(|record| *self.place_far(tick) = record);
        }
        let slot = (tick & self.mask) as usize;
        while records.len() > 0 {
            let mut start = self.buckets[slot].cursor;
            if start.is_multiple_of(BLOCK as u32) {
                start = self.grow(slot);
            }
            let room = BLOCK - start as usize % BLOCK;
            let end = start + room.min(records.len()) as u32;
            for (place, record) in
                self.records[start as usize..end as usize].iter_mut().zip(&mut records)
            {
                *place = record;
            }
            self.buckets[slot].cursor = end;
        }
    }

    #[cold]
    #[inline(never)]
    fn place_far(&mut self, tick: u64) -> &mut T {
        self.refile_at = self.refile_at.min(tick);
        self.overflow.push((tick, T::default()));
        let last = self.overflow.len() - 1;
        &mut self.overflow[last].1
    }

    /// Adds a block to a bucket that has no place left, and gives its first place away.
    #[inline(never)]
    fn grow(&mut self, slot: usize) -> u32 {
        let block = if self.free == NONE {
            self.records.resize(self.records.len() + BLOCK, T::default());
            self.next_block.push(NONE);
            (self.next_block.len() - 1) as u32
        } else {
            let block = self.free;
            self.free = self.next_block[block as usize];
            self.next_block[block as usize] = NONE;
            block
        };
        let bucket = &mut self.buckets[slot];
        if bucket.first == NONE {
            bucket.first = block;
            let word = slot / 64;
            self.occupied[word] |= 1 << (slot % 64);
            self.busy[word / 64] |= 1 << (word % 64);
        } else {
            let last = (bucket.cursor - 1) as usize / BLOCK;
            self.next_block[last] = block;
        }
        let first = block * BLOCK as u32;
        bucket.cursor = first + 1;
        first
    }

    /// The records filed under `tick`, block by block. Call [`Wheel::advance`] to `tick` first.
    pub fn slices(&self, tick: u64) -> impl Iterator<Item = &[T]> {
        let bucket = self.buckets[(tick & self.mask) as usize];
        let last = bucket.cursor.wrapping_sub(1) / BLOCK as u32;
        let mut block = bucket.first;
        std::iter::from_fn(move || {
            if block == NONE {
                return None;
            }
            let start = block as usize * BLOCK;
            let end = if block == last { bucket.cursor as usize } else { start + BLOCK };
            block = self.next_block[block as usize];
            Some(&self.records[start..end])
        })
    }

    /// Moves the wheel to `tick`. Every bucket before it has been taken.
    #[inline]
    pub fn advance(&mut self, tick: u64) {
        debug_assert!(tick >= self.base);
        self.base = tick;
        if tick >= self.refile_at {
            self.refile();
        }
    }

    /// Moves out of the overflow whatever the wheel can hold now.
    #[cold]
    fn refile(&mut self) {
        self.refile_at = u64::MAX;
        // What stays is due beyond the horizon, so the next call is a revolution away at least.
        for (tick, record) in std::mem::take(&mut self.overflow) {
            self.push(tick, record);
        }
    }

    /// Empties the bucket of `tick`; its blocks go back to the pool.
    #[inline]
    pub fn clear(&mut self, tick: u64) {
        let slot = (tick & self.mask) as usize;
        let bucket = std::mem::replace(&mut self.buckets[slot], EMPTY);
        if bucket.first != NONE {
            self.next_block[(bucket.cursor - 1) as usize / BLOCK] = self.free;
            self.free = bucket.first;
            let word = slot / 64;
            self.occupied[word] &= !(1 << (slot % 64));
            if self.occupied[word] == 0 {
                self.busy[word / 64] &= !(1 << (word % 64));
            }
        }
    }

    /// Moves to `tick` and appends its records to `out`, emptying the bucket.
    #[inline]
    pub fn take(&mut self, tick: u64, out: &mut Vec<T>) {
        self.advance(tick);
        for slice in self.slices(tick) {
            out.extend_from_slice(slice);
        }
        self.clear(tick);
    }

    /// True when nothing is filed under any tick.
    pub fn is_empty(&self) -> bool {
        self.overflow.is_empty() && self.busy.iter().all(|&words| words == 0)
    }

    /// True when something is filed under `tick`, after [`Wheel::advance`] to it.
    #[inline]
    pub fn is_due(&self, tick: u64) -> bool {
        self.buckets[(tick & self.mask) as usize].first != NONE
    }

    /// Number of records filed under any tick that are `wanted`.
    pub fn count(&self, wanted: impl Fn(&T) -> bool) -> usize {
        let due = self.base..=self.base + self.mask;
        let near = due.flat_map(|tick| self.slices(tick).flatten());
        let far = self.overflow.iter().map(|(_, record)| record);
        near.chain(far).filter(|record| wanted(record)).count()
    }

    /// The first tick from `base` on under which anything is filed.
    pub fn next_due(&self) -> Option<u64> {
        self.next_due_from(self.base)
    }

    /// The first tick after `tick`, which has been read but not emptied, with anything filed.
    pub fn next_due_after(&self, tick: u64) -> Option<u64> {
        self.next_due_from(self.base.max(tick + 1))
    }

    fn next_due_from(&self, from: u64) -> Option<u64> {
        let far = Some(self.refile_at).filter(|&tick| tick != u64::MAX);
        let limit = self.base + self.mask;
        let near = (from <= limit).then(|| self.next_occupied(from)).flatten();
        // A bucket behind `from` belongs to the next revolution, and is empty unless it is before `base`.
        let near = near.filter(|&tick| tick <= limit);
        near.map_or(far, |near| Some(far.map_or(near, |far| far.min(near))))
    }

    /// The first tick from `from` on, within a revolution, whose bucket is occupied.
    fn next_occupied(&self, from: u64) -> Option<u64> {
        let slot = from & self.mask;
        let first = (slot / 64) as usize;
        let here = self.occupied[first] >> (slot % 64);
        if here != 0 {
            return Some(from + u64::from(here.trailing_zeros()));
        }
        let words = self.occupied.len();
        // All words after the first, round to the first itself, 64 of them at a time.
        let mut word = first + 1;
        while word <= first + words {
            let at = word % words;
            let busy = self.busy[at / 64] >> (at % 64);
            if busy == 0 {
                // To the next group of words, or to the first of all.
                word += (64 - at % 64).min(words - at);
                continue;
            }
            let at = at + busy.trailing_zeros() as usize;
            let slot = (at * 64) as u64 + u64::from(self.occupied[at].trailing_zeros());
            return Some(from + (slot.wrapping_sub(from) & self.mask));
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Purpose, RngExt, stream};
    use std::collections::BTreeMap;

    /// Goal: what is next is found however far ahead it lies, in wheels of one word, of one group of words and of
    /// many, and from a tick that has been read but not emptied.
    /// Method: a few records at a time, anywhere in the revolution, compared with a map.
    #[test]
    fn what_is_next_is_found_however_large_the_wheel() {
        for slots in [64, 128, 4_096, 8_192, 1 << 16] {
            let mut rng = stream(slots, 0, Purpose::Policy, 0);
            let mut wheel = Wheel::<u32>::new(slots);
            let mut truth = BTreeMap::<u64, u32>::new();
            let mut tick = 0;
            for _ in 0..2_000 {
                while truth.len() < rng.random_range(1..4) {
                    let due = tick + rng.random_range(0..slots);
                    truth.entry(due).or_insert_with(|| {
                        wheel.push(due, 1);
                        1
                    });
                }
                assert_eq!(wheel.next_due(), truth.keys().next().copied(), "{slots}");
                let after = truth.range(tick + 1..).next().map(|(&due, _)| due);
                assert_eq!(wheel.next_due_after(tick), after, "{slots}");
                let (due, _) = truth.pop_first().expect("somebody is due");
                wheel.take(due, &mut Vec::new());
                tick = due + 1;
                wheel.advance(tick);
            }
        }
    }

    /// Goal: every record comes out in exactly its tick, whatever the horizon.
    /// Method: random pushes near and far beyond the horizon, ticks skipped where nothing is due,
    /// compared with a map from tick to records.
    #[test]
    fn every_record_comes_out_in_its_tick() {
        for seed in 0..50 {
            let mut rng = stream(seed, 0, Purpose::Policy, 0);
            let mut wheel = Wheel::<u32>::new(64);
            let mut truth = BTreeMap::<u64, Vec<u32>>::new();
            let mut tick = 0;
            for id in 0..3_000 {
                let ahead = match rng.random_range(0..10) {
                    0 => rng.random_range(0..1_000),
                    1 => rng.random_range(60..70),
                    _ => rng.random_range(0..40),
                };
                if rng.random_range(0..8) == 0 {
                    // Many at once, over the edges of blocks.
                    let many = id * 100..id * 100 + rng.random_range(0..40);
                    truth.entry(tick + ahead).or_default().extend(many.clone());
                    wheel.push_all(tick + ahead, many.collect::<Vec<u32>>().into_iter());
                    if truth[&(tick + ahead)].is_empty() {
                        truth.remove(&(tick + ahead));
                    }
                } else {
                    wheel.push(tick + ahead, id);
                    truth.entry(tick + ahead).or_default().push(id);
                }
                if rng.random_range(0..3) == 0 {
                    let due = wheel.next_due();
                    assert_eq!(due, truth.keys().next().copied(), "seed {seed}");
                    if rng.random_bool(0.5) {
                        tick = due.unwrap_or(tick);
                    }
                    let mut out = Vec::new();
                    wheel.take(tick, &mut out);
                    out.sort_unstable();
                    let mut due = truth.remove(&tick).unwrap_or_default();
                    due.sort_unstable();
                    assert_eq!(out, due, "seed {seed}");
                    tick += 1;
                    if rng.random_range(0..20) == 0 {
                        // An idle stretch: taken ticks without a call each.
                        tick = wheel.next_due().map_or(tick, |due| due.max(tick));
                    }
                    wheel.advance(tick);
                }
            }
        }
    }

    #[test]
    fn blocks_are_reused() {
        let mut wheel = Wheel::<u32>::new(64);
        let mut out = Vec::new();
        for tick in 0..10_000 {
            for i in 0..40 {
                wheel.push(tick + 3, i);
            }
            out.clear();
            wheel.take(tick, &mut out);
        }
        let blocks = wheel.next_block.len();
        assert!(blocks <= 4 * 3, "{blocks} blocks for 120 pending records");
    }
}
