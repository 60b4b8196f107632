//! The other selection index of the seed rule: a 16-ary tree of minima.
//!
//! It answers the question of [`crate::heap`], "which eligible server has the smallest (latency,
//! rank, id)?", with the same answers, ties included. To hear is one write here, and the note that
//! the block of the server is stale; all that has changed in a block since is carried up at once
//! when somebody chooses. The reports of a tick concern a few blocks, and between two choices nobody
//! looks. So the tree is the better one where nodes hear more than they choose.
//!
//! 1. Level 0 has an entry a server, by place, so that the reports of a tick concern the same few
//!    blocks; its key is the latency told last, or `NEVER`. An eligible server's key is at most its
//!    latency.
//! 2. Entry `b` of level `d + 1` is the least of block `b` of level `d`: its key, and whose it is; but
//!    those above the blocks of level 0 in `stale` are of an earlier time.
//! 3. The last level has one entry, the best of all.
//!
//! A block is one cache line of keys and is searched without a branch. Ranks and ids are looked at
//! where keys are equal; ranks are those of the heap.

use crate::places::Places;

/// Keys in a block: one cache line.
const WIDTH: usize = 16;
/// Key of a server that cannot be picked: above every latency.
const NEVER: i32 = i32::MAX;

/// A latency's bits as a number that orders as they do unsigned, which is how the heap compares: a
/// report that cannot be true may state a negative latency, and is above all others then.
const fn signed(latency: u32) -> i32 {
    (latency ^ 1 << 31).cast_signed()
}

/// See the module documentation. Latencies are the bits of an `f32`: of a non-negative one they order
/// as the numbers do.
#[derive(Clone, Debug)]
pub struct LatencyTree {
    places: Places,
    levels: Vec<Level>,
    /// Blocks of level 0 in which a key has changed, each once.
    stale: Vec<u32>,
    /// Whether a block is among them.
    is_stale: Vec<bool>,
    /// By place.
    ranks: Vec<u64>,
    virtual_time: u64,
}

#[derive(Clone, Debug)]
struct Level {
    keys: Vec<Block>,
    /// The place an entry's key came from. Empty on level 0, where it is the entry itself.
    winners: Vec<u32>,
}

#[derive(Clone, Copy, Debug)]
#[repr(align(64))]
struct Block([i32; WIDTH]);

impl Block {
    /// The smallest key. In halves: the compiler turns them into vector code.
    #[inline]
    fn smallest(&self) -> i32 {
        let halved: [i32; 8] = std::array::from_fn(|i| self.0[i].min(self.0[i + 8]));
        let halved: [i32; 4] = std::array::from_fn(|i| halved[i].min(halved[i + 4]));
        halved[0].min(halved[2]).min(halved[1].min(halved[3]))
    }

    /// Which entries have this key: eight bits each, of which the lowest is set.
    #[inline]
    fn equal_to(&self, key: i32) -> u128 {
        u128::from_le_bytes(self.0.map(|other| u8::from(other == key)))
    }
}

/// A key and whose it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Entry {
    key: i32,
    place: u32,
}

impl LatencyTree {
    /// An index of `ranks.len()` servers, none of which can be picked. `ranks` are their first tie
    /// ranks, by server.
    pub fn new(places: &Places, ranks: &[u64]) -> Self {
        let by_place = (0..ranks.len() as u32).map(|place| ranks[places.server(place) as usize]);
        let mut levels = Vec::new();
        let mut entries = ranks.len();
        loop {
            let winners = if levels.is_empty() { 0 } else { entries };
            let blocks = entries.div_ceil(WIDTH);
            levels.push(Level {
                keys: vec![Block([NEVER; WIDTH]); blocks],
                winners: vec![0; winners],
            });
            if entries <= 1 {
                let ranks: Vec<u64> = by_place.collect();
                return Self {
                    places: places.clone(),
                    levels,
                    stale: Vec::new(),
                    is_stale: vec![false; ranks.len().div_ceil(WIDTH)],
                    ranks,
                    virtual_time: 0,
                };
            }
            entries = blocks;
        }
    }

    /// Tells the latency of a server; `None`: it cannot be picked until the tree is told otherwise.
    /// O(1).
    #[inline]
    pub fn tell(&mut self, server: u32, latency: Option<u32>) {
        let place = self.places.of(server);
        let key = latency.map_or(NEVER, signed);
        let kept = &mut self.levels[0].keys[place / WIDTH].0[place % WIDTH];
        if *kept != key {
            *kept = key;
            let is_stale = &mut self.is_stale[place / WIDTH];
            if !*is_stale {
                *is_stale = true;
                self.stale.push((place / WIDTH) as u32);
            }
        }
    }

    /// Carries up what has changed. O(log n) a stale block.
    fn refresh(&mut self) {
        while let Some(block) = self.stale.pop() {
            let block = block as usize;
            self.is_stale[block] = false;
            if self.levels.len() > 1 {
                let best = self.least(0, block);
                if best != self.entry(1, block) {
                    self.put(1, block, best);
                    self.carry_up(1, block, best, false);
                }
            }
        }
    }

    /// Reads what telling of `servers` will need, all at once: loads that do not depend on each other
    /// overlap.
    #[inline]
    pub fn touch(&self, servers: impl Iterator<Item = u32>) {
        let touch = |sum, server| {
            let place = self.places.of(server);
            sum ^ self.levels[0].keys[place / WIDTH].0[place % WIDTH]
        };
        std::hint::black_box(servers.fold(0, touch));
    }

    /// The best server: smallest (latency, rank, id) among those to which `latency_of` gives a
    /// latency. `None` from it means ineligible; `exclude` is passed over this once. O(1) unless
    /// blocks are stale, the best is excluded, or it has changed untold: O(log n) for each of these.
    pub fn pick(
        &mut self,
        exclude: Option<u32>,
        latency_of: impl Fn(u32) -> Option<u32>,
    ) -> Option<u32> {
        loop {
            self.refresh();
            let mut best = self.entry(self.levels.len() - 1, 0);
            if exclude.is_some_and(|server| self.places.of(server) == best.place as usize) {
                best = self.best_without(best.place);
            }
            if best.key == NEVER {
                return None;
            }
            let server = self.places.server(best.place);
            let latency = latency_of(server);
            if latency.map(signed) == Some(best.key) {
                return Some(server);
            }
            self.tell(server, latency);
        }
    }

    /// Moves the tie rank of the server just returned by [`LatencyTree::pick`] on by `jump`.
    #[inline]
    pub fn pass_turn(&mut self, server: u32, jump: u64) {
        let place = self.places.of(server);
        // A server that was away does not get all the turns it missed, only the next one.
        self.virtual_time = self.virtual_time.max(self.ranks[place]);
        self.ranks[place] = self.virtual_time + jump;
        let best = self.entry(0, place);
        // Alone with its latency, it stays where it is: nearly always, after the first reports.
        let tied = |depth: usize| {
            let at = place >> (4 * depth);
            self.levels[depth].keys[at / WIDTH].equal_to(best.key).count_ones() > 1
        };
        if (0..self.levels.len() - 1).any(tied) {
            self.carry_up(0, place, best, true);
        }
    }

    #[inline]
    fn entry(&self, depth: usize, at: usize) -> Entry {
        let level = &self.levels[depth];
        let place = if depth == 0 { at as u32 } else { level.winners[at] };
        Entry { key: level.keys[at / WIDTH].0[at % WIDTH], place }
    }

    #[inline]
    fn put(&mut self, depth: usize, at: usize, entry: Entry) {
        let level = &mut self.levels[depth];
        level.keys[at / WIDTH].0[at % WIDTH] = entry.key;
        level.winners[at] = entry.place;
    }

    /// Repairs the levels above an entry that has changed to `best`; `turned`: its rank has, so it may
    /// have to give way although its key is the same.
    fn carry_up(&mut self, from: usize, mut at: usize, mut best: Entry, turned: bool) {
        for depth in from..self.levels.len() - 1 {
            let block = at / WIDTH;
            let before = self.entry(depth + 1, block);
            let came_from_here = before.place as usize >> (4 * depth) == at;
            if came_from_here && before.key <= best.key {
                best = self.least(depth, block);
                if best == before && !turned {
                    return;
                }
            } else if !came_from_here && !self.precedes(best, before) {
                return;
            }
            self.put(depth + 1, block, best);
            at = block;
        }
    }

    #[inline]
    fn precedes(&self, one: Entry, other: Entry) -> bool {
        one.key < other.key || (one.key == other.key && self.is_first(one.place, other.place))
    }

    /// Who goes first of two that are equally fast. Blocks are filled up with places of nobody,
    /// which only meet others that cannot be picked.
    #[cold]
    fn is_first(&self, one: u32, other: u32) -> bool {
        let turn = |place| (self.ranks.get(place as usize), self.places.server(place));
        turn(one) < turn(other)
    }

    /// The least of a block.
    #[inline]
    fn least(&self, depth: usize, block: usize) -> Entry {
        let keys = &self.levels[depth].keys[block];
        let key = keys.smallest();
        let equal = keys.equal_to(key);
        if equal.is_power_of_two() || key == NEVER {
            return self.entry(depth, block * WIDTH + first_in(equal));
        }
        self.first_of(depth, block, equal)
    }

    /// Who goes first of those in a block that are equally fast.
    #[cold]
    fn first_of(&self, depth: usize, block: usize, mut equal: u128) -> Entry {
        let mut first = self.entry(depth, block * WIDTH + first_in(equal));
        loop {
            equal &= equal - 1;
            if equal == 0 {
                return first;
            }
            let next = self.entry(depth, block * WIDTH + first_in(equal));
            if self.is_first(next.place, first.place) {
                first = next;
            }
        }
    }

    /// The best of all but one: on the way up from it, the least of everything beside it.
    #[cold]
    fn best_without(&self, place: u32) -> Entry {
        let mut best = Entry { key: NEVER, place };
        let mut at = place as usize;
        for depth in 0..self.levels.len() - 1 {
            let start = at / WIDTH * WIDTH;
            for beside in (start..start + WIDTH).filter(|&beside| beside != at) {
                // Blocks are filled up with keys that cannot be picked, and have no winners.
                let key = self.levels[depth].keys[beside / WIDTH].0[beside % WIDTH];
                if key != NEVER {
                    let entry = self.entry(depth, beside);
                    best = if self.precedes(entry, best) { entry } else { best };
                }
            }
            at /= WIDTH;
        }
        best
    }
}

/// The first of a set of entries as [`Block::equal_to`] states it.
#[inline]
const fn first_in(equal: u128) -> usize {
    (equal.trailing_zeros() / 8) as usize
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::heap::LatencyHeap;
    use crate::rng::{Purpose, RngExt, Stream, stream};

    fn shuffled(servers: u32, rng: &mut Stream) -> Vec<u32> {
        let mut order: Vec<u32> = (0..servers).collect();
        for last in (1..servers as usize).rev() {
            order.swap(last, rng.random_range(0..=last));
        }
        order
    }

    /// Goal: heap, tree and scan give the same answers, ties included, wherever servers have their
    /// places.
    /// Method: random reports, losses of eligibility, exclusions and turns, told to both indexes;
    /// after each step both picks are compared with a linear scan over (latency, rank, id). Few
    /// values, so ties abound; fleets of 1 to 600 servers, so that trees of 1 to 3 levels occur.
    #[test]
    fn tree_heap_and_scan_pick_the_same() {
        let mut depths = BTreeSet::new();
        for seed in 0..150 {
            let mut rng = stream(seed, 0, Purpose::Policy, 0);
            let largest = [3, 40, 600][seed as usize % 3];
            let servers = rng.random_range(1..=largest);
            let places = match seed % 2 {
                0 => Places::default(),
                _ => Places::in_order(shuffled(servers, &mut rng)),
            };
            let mut rank: Vec<u64> = (0..servers).map(|_| rng.random_range(0..4)).collect();
            let mut heap = LatencyHeap::new(rank.clone());
            let mut tree = LatencyTree::new(&places, &rank);
            depths.insert(tree.levels.len());
            let mut truth: Vec<Option<u32>> = vec![None; servers as usize];
            let mut virtual_time = 0;
            for step in 0..1_500 {
                let server = rng.random_range(0..servers);
                let at = server as usize;
                match rng.random_range(0..5) {
                    // Not told: the indexes find out.
                    0 => truth[at] = None,
                    1 if truth[at].is_some() => truth[at] = truth[at].map(|latency| latency + 1),
                    2 => {
                        truth[at] = None;
                        tree.tell(server, None);
                    }
                    _ => {
                        let sign = u32::from(rng.random_range(0..8) == 0) << 31;
                        let latency = rng.random_range(0..6) | sign;
                        truth[at] = Some(latency);
                        heap.offer(server, latency);
                        tree.tell(server, Some(latency));
                    }
                }
                let exclude = rng.random_bool(0.2).then(|| rng.random_range(0..servers));
                let expected = (0..servers)
                    .filter(|&s| Some(s) != exclude)
                    .filter_map(|s| truth[s as usize].map(|l| (l, rank[s as usize], s)))
                    .min()
                    .map(|(_, _, s)| s);
                let by_heap = heap.pick(exclude, |s| truth[s as usize]);
                let by_tree = tree.pick(exclude, |s| truth[s as usize]);
                let what = format!("seed {seed}, {servers} servers, step {step}");
                assert_eq!(by_heap, expected, "heap: {what}");
                assert_eq!(by_tree, expected, "tree: {what}");
                if let Some(server) = expected {
                    let jump = rng.random_range(0..3);
                    heap.pass_turn(server, jump);
                    tree.pass_turn(server, jump);
                    virtual_time = u64::max(virtual_time, rank[server as usize]);
                    rank[server as usize] = virtual_time + jump;
                }
            }
        }
        assert_eq!(depths.into_iter().collect::<Vec<_>>(), [1, 2, 3, 4]);
    }
}
