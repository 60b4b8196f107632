//! The rival of [`sim_core::heap::LatencyHeap`]: a 16-ary tree of minima over all servers.
//!
//! It answers the same question, "which eligible server has the smallest (latency, rank, id)?",
//! under the same calls, and gives the same answers, ties included. It is eager where the heap is
//! lazy: every change is carried up at once, so nothing stale is ever inside.
//!
//! 1. `levels[0][s]` is what is known of server `s`; a disarmed server's latency is `DISARMED`,
//!    above every latency.
//! 2. `levels[d + 1][b]` is the least of block `b` of level `d`: entries `16 b .. 16 b + 16`.
//! 3. The last level has one entry, the best of all.
//!
//! A change costs one comparison a level and stops where a block keeps its least; a block is
//! searched only when its own least got worse.

/// Entries in a block: four cache lines, fetched together because their addresses are known.
const WIDTH: usize = 16;
/// Latency of a server that cannot be picked.
const DISARMED: u32 = u32::MAX;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Entry {
    latency: u32,
    rank: u64,
    server: u32,
}

/// Above every entry.
const NEVER: Entry = Entry { latency: DISARMED, rank: u64::MAX, server: u32::MAX };

/// See the module documentation. Latencies and ranks are those of the heap.
#[derive(Clone, Debug)]
pub struct MinTree {
    levels: Vec<Vec<Entry>>,
    virtual_time: u64,
}

impl MinTree {
    /// An index of `ranks.len()` servers, all disarmed. `ranks` are their first tie ranks.
    ///
    /// # Panics
    /// Without servers.
    pub fn new(ranks: &[u64]) -> Self {
        assert!(!ranks.is_empty(), "a tree of no servers has no best");
        let entry = |(server, &rank)| Entry { latency: DISARMED, rank, server };
        let mut levels: Vec<Vec<Entry>> = vec![(0..).zip(ranks).map(entry).collect()];
        loop {
            let level = &levels[levels.len() - 1];
            let above: Vec<Entry> = level.chunks(WIDTH).map(least).collect();
            levels.push(above);
            if levels[levels.len() - 1].len() == 1 {
                return Self { levels, virtual_time: 0 };
            }
        }
    }

    /// Tells of an eligible server, at `latency`. O(1) while the best of its block
    /// stays, else O(log n).
    #[inline]
    pub fn offer(&mut self, server: u32, latency: u32) {
        self.set(Entry { latency, ..self.levels[0][server as usize] });
    }

    /// The best server: smallest (latency, rank, id) among those to which `latency_of` gives a
    /// latency. `None` from it means ineligible; `exclude` is passed over this once. O(1) unless
    /// the best is excluded or has changed untold, else O(log n) for each such entry.
    pub fn pick(
        &mut self,
        exclude: Option<u32>,
        latency_of: impl Fn(u32) -> Option<u32>,
    ) -> Option<u32> {
        loop {
            let best = match exclude {
                Some(server) if self.best().server == server => self.best_without(server),
                _ => self.best(),
            };
            if best.latency == DISARMED {
                return None;
            }
            match latency_of(best.server) {
                Some(latency) if latency == best.latency => return Some(best.server),
                Some(latency) => self.set(Entry { latency, ..best }),
                None => self.set(Entry { latency: DISARMED, ..best }),
            }
        }
    }

    /// Moves the tie rank of the server just returned by [`MinTree::pick`] on by `jump`.
    #[inline]
    pub fn pass_turn(&mut self, server: u32, jump: u64) {
        let entry = self.levels[0][server as usize];
        self.virtual_time = self.virtual_time.max(entry.rank);
        self.set(Entry { rank: self.virtual_time + jump, ..entry });
    }

    fn best(&self) -> Entry {
        self.levels[self.levels.len() - 1][0]
    }

    /// The best of all but one: on the way up from `server`, the least of everything beside it.
    fn best_without(&self, server: u32) -> Entry {
        let mut best = NEVER;
        let mut at = server as usize;
        for level in &self.levels {
            let block = at / WIDTH;
            let start = block * WIDTH;
            let end = level.len().min(start + WIDTH);
            best = best.min(least(&level[start..at])).min(least(&level[at + 1..end]));
            at = block;
        }
        best
    }

    /// Puts an entry in its place and repairs the minima above it.
    #[inline]
    fn set(&mut self, mut entry: Entry) {
        let mut at = entry.server as usize;
        let mut before = std::mem::replace(&mut self.levels[0][at], entry);
        for depth in 1..self.levels.len() {
            let block = at / WIDTH;
            let winner = self.levels[depth][block];
            if winner == before && before < entry {
                let level = &self.levels[depth - 1];
                let start = block * WIDTH;
                entry = least(&level[start..level.len().min(start + WIDTH)]);
            } else if winner != before && winner < entry {
                return;
            }
            before = winner;
            self.levels[depth][block] = entry;
            at = block;
        }
    }
}

fn least(block: &[Entry]) -> Entry {
    block.iter().copied().min().unwrap_or(NEVER)
}

#[cfg(test)]
mod tests {
    use sim_core::heap::LatencyHeap;
    use sim_core::rng::{Purpose, RngExt, stream};

    use super::*;

    /// Goal: heap, tree and scan give the same answers, ties included.
    /// Method: random reports, losses of eligibility, exclusions and turns, told to both indexes;
    /// after each step both picks are compared with a linear scan over (latency, rank, id). Few
    /// values, so ties abound; fleets of 1 to 600 servers, so that trees of 1 to 3 levels occur.
    #[test]
    fn tree_heap_and_scan_pick_the_same() {
        for seed in 0..120 {
            let mut rng = stream(seed, 0, Purpose::Policy, 0);
            let largest = [3, 40, 600][seed as usize % 3];
            let servers = rng.random_range(1..=largest);
            let mut rank: Vec<u64> = (0..servers).map(|_| rng.random_range(0..4)).collect();
            let mut heap = LatencyHeap::new(rank.clone());
            let mut tree = MinTree::new(&rank);
            let mut truth: Vec<Option<u32>> = vec![None; servers as usize];
            let mut virtual_time = 0;
            for step in 0..1_500 {
                let server = rng.random_range(0..servers);
                let at = server as usize;
                let old = truth[at];
                match rng.random_range(0..5) {
                    0 => truth[at] = None,
                    1 => {
                        let latency = old.unwrap_or_else(|| rng.random_range(0..6));
                        truth[at] = Some(latency);
                        // Down and up again unseen: still entered, under a latency of before.
                        heap.offer(server, latency);
                        tree.offer(server, latency);
                    }
                    _ => {
                        let latency = rng.random_range(0..6);
                        truth[at] = Some(latency);
                        heap.offer(server, latency);
                        tree.offer(server, latency);
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
    }
}
