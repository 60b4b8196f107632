//! The selection index of the seed rule: a 4-ary min-heap of mean latencies with lazy invalidation.
//!
//! It answers "which eligible server has the smallest (latency, rank, id)?" while latencies change
//! far more often than anyone asks. So a change does as little as it can:
//!
//! 1. `keyed[s]` is the latency under which server `s` was last entered, or `DISARMED`.
//! 2. An entry is *live* when its latency is `keyed[s]` and its rank is `rank[s]`; every eligible
//!    server is armed and has a live entry, whose latency is at most the server's present latency.
//!    So the index is told of a server when it becomes eligible, and of a latency that falls
//!    while it is; of what happens to an ineligible server it need not be told.
//! 3. A latency that falls enters a new entry and thereby kills the old one; a latency that rises
//!    does nothing: the live entry surfaces too early and is re-keyed then.
//! 4. An ineligible server is disarmed when it surfaces.
//! 5. Dead entries are dropped when they surface, and all at once when the heap has grown beyond
//!    twice the number of servers; so its length is bounded and a rebuild is paid for by at least
//!    `servers` entries.
//!
//! Ties. Equal latencies are decided by `rank`, then id. With random ties, a server's rank is the
//! next point of a Poisson process of rate 1 in a virtual time that moves to the rank of whoever
//! is picked. Superposed Poisson processes have no memory, so each of the servers that stay tied
//! is picked with equal chance, independently, at O(log n) a pick instead of O(ties).

/// In `keyed`: the server has no live entry.
const DISARMED: u32 = u32::MAX;
/// Children of a heap entry: four 16-byte entries are one cache line.
const ARITY: usize = 4;

/// Latency, rank and server, from the highest bits down: one comparison of 128 bits orders all
/// three.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Entry(u128);

impl Entry {
    #[inline]
    const fn new(latency: u32, rank: u64, server: u32) -> Self {
        Self((latency as u128) << 96 | (rank as u128) << 32 | server as u128)
    }

    const fn latency(self) -> u32 {
        (self.0 >> 96) as u32
    }

    const fn rank(self) -> u64 {
        (self.0 >> 32) as u64
    }

    const fn server(self) -> u32 {
        self.0 as u32
    }
}

/// See the module documentation. Latencies are the bits of a non-negative `f32`, which order as
/// the numbers do.
#[derive(Clone, Debug)]
pub struct LatencyHeap {
    entries: Vec<Entry>,
    keyed: Vec<u32>,
    rank: Vec<u64>,
    virtual_time: u64,
    parked: Vec<Entry>,
}

impl LatencyHeap {
    /// Memory a server takes at most [bytes]: two entries, its latency, its rank.
    pub(crate) const SERVER_BYTES: usize =
        2 * size_of::<Entry>() + size_of::<u32>() + size_of::<u64>();

    /// An index of `ranks.len()` servers, all disarmed. `ranks` are their first tie ranks.
    pub fn new(ranks: Vec<u64>) -> Self {
        let servers = ranks.len();
        Self {
            entries: Vec::with_capacity(2 * servers + 1),
            keyed: vec![DISARMED; servers],
            rank: ranks,
            virtual_time: 0,
            parked: Vec::new(),
        }
    }

    /// Tells of an eligible server, at `latency`. O(1) when it is armed and has not become faster,
    /// else O(log n) amortised.
    #[inline]
    pub fn offer(&mut self, server: u32, latency: u32) {
        // DISARMED is above every latency.
        if latency < self.keyed[server as usize] {
            self.enter(server, latency);
        }
    }

    /// Reads what offers of `servers` will need, all at once: loads that do not depend on each other
    /// overlap.
    #[inline]
    pub fn touch(&self, servers: impl Iterator<Item = u32>) {
        let touch = |sum, server| sum ^ self.keyed[server as usize];
        std::hint::black_box(servers.fold(0, touch));
    }

    fn enter(&mut self, server: u32, latency: u32) {
        if self.entries.len() >= 2 * self.keyed.len() {
            self.rebuild();
        }
        self.keyed[server as usize] = latency;
        self.push(Entry::new(latency, self.rank[server as usize], server));
    }

    /// The best server: smallest (latency, rank, id) among those to which `latency_of` gives a
    /// latency. `None` from it means ineligible; `exclude` is passed over this once.
    ///
    /// O(1) when the top is live and eligible; every dropped or re-keyed entry costs O(log n).
    pub fn pick(
        &mut self,
        exclude: Option<u32>,
        latency_of: impl Fn(u32) -> Option<u32>,
    ) -> Option<u32> {
        let found = loop {
            let Some(&top) = self.entries.first() else { break None };
            let server = top.server() as usize;
            if top.latency() != self.keyed[server] || top.rank() != self.rank[server] {
                self.pop();
            } else if Some(top.server()) == exclude {
                self.parked.push(top);
                self.pop();
            } else {
                match latency_of(top.server()) {
                    Some(latency) if latency == top.latency() => break Some(top.server()),
                    Some(latency) => {
                        self.keyed[server] = latency;
                        self.replace_top(Entry::new(latency, top.rank(), top.server()));
                    }
                    None => {
                        self.keyed[server] = DISARMED;
                        self.pop();
                    }
                }
            }
        };
        while let Some(entry) = self.parked.pop() {
            self.push(entry);
        }
        found
    }

    /// Moves the tie rank of the server just returned by [`LatencyHeap::pick`] on by `jump`.
    #[inline]
    pub fn pass_turn(&mut self, server: u32, jump: u64) {
        let rank = &mut self.rank[server as usize];
        // A server that was away does not get all the turns it missed, only the next one.
        self.virtual_time = self.virtual_time.max(*rank);
        *rank = self.virtual_time + jump;
        let moved = *rank;
        match self.entries.first() {
            Some(&top) if top.server() == server => {
                self.replace_top(Entry::new(top.latency(), moved, server));
            }
            // An excluded server went back above it: enter anew, the old entry is dead.
            _ => {
                let latency = std::mem::replace(&mut self.keyed[server as usize], DISARMED);
                self.enter(server, latency);
            }
        }
    }

    /// Entries held, dead ones included. At most twice the number of servers.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// True when no server is entered.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Drops all dead entries. O(n).
    #[cold]
    fn rebuild(&mut self) {
        self.entries.clear();
        for (server, (&latency, &rank)) in (0u32..).zip(self.keyed.iter().zip(&self.rank)) {
            if latency != DISARMED {
                self.entries.push(Entry::new(latency, rank, server));
            }
        }
        for at in (0..self.entries.len().div_ceil(ARITY)).rev() {
            self.sift_down(at, self.entries[at]);
        }
    }

    fn push(&mut self, entry: Entry) {
        let mut hole = self.entries.len();
        self.entries.push(entry);
        while hole > 0 {
            let parent = (hole - 1) / ARITY;
            if self.entries[parent] <= entry {
                break;
            }
            self.entries[hole] = self.entries[parent];
            hole = parent;
        }
        self.entries[hole] = entry;
    }

    fn pop(&mut self) {
        if let Some(last) = self.entries.pop()
            && !self.entries.is_empty()
        {
            self.sift_down(0, last);
        }
    }

    #[inline]
    fn replace_top(&mut self, entry: Entry) {
        self.sift_down(0, entry);
    }

    /// Puts `entry` where the hole at `hole` is, or below.
    fn sift_down(&mut self, mut hole: usize, entry: Entry) {
        loop {
            let first = hole * ARITY + 1;
            let family = self.entries.get(first..first + ARITY);
            let (child, least) = if let Some(&[one, two, three, four]) = family {
                // Two rounds without a branch: which child is the least cannot be predicted.
                let (second, fourth) = (two < one, four < three);
                let left = if second { two } else { one };
                let right = if fourth { four } else { three };
                if right < left {
                    (2 + usize::from(fourth), right)
                } else {
                    (usize::from(second), left)
                }
            } else {
                let children = self.entries.get(first..).unwrap_or_default();
                let least = children.iter().copied().enumerate().min_by_key(|&(_, entry)| entry);
                let Some(least) = least else { break };
                least
            };
            if entry <= least {
                break;
            }
            self.entries[hole] = least;
            hole = first + child;
        }
        self.entries[hole] = entry;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Purpose, RngExt, stream};

    /// Goal: laziness never changes an answer and never lets the heap grow.
    /// Method: random reports, losses of eligibility, exclusions and turns; after each step the
    /// pick is compared with a linear scan over (latency, rank, id). Few values, so ties abound.
    #[test]
    fn heap_pick_equals_linear_scan() {
        for seed in 0..200 {
            let mut rng = stream(seed, 0, Purpose::Policy, 0);
            let servers = rng.random_range(1..40_u32);
            let ranks: Vec<u64> = (0..servers).map(|_| rng.random_range(0..4)).collect();
            let mut truth: Vec<Option<u32>> = vec![None; servers as usize];
            let mut rank = ranks.clone();
            let mut virtual_time = 0;
            let mut heap = LatencyHeap::new(ranks);
            for step in 0..2_000 {
                let server = rng.random_range(0..servers);
                let at = server as usize;
                match rng.random_range(0..4) {
                    0 => truth[at] = None,
                    1 => {
                        let latency = truth[at].unwrap_or_else(|| rng.random_range(0..6));
                        truth[at] = Some(latency);
                        heap.offer(server, latency);
                    }
                    _ => {
                        let latency = rng.random_range(0..6);
                        truth[at] = Some(latency);
                        heap.offer(server, latency);
                    }
                }
                let exclude = rng.random_bool(0.2).then(|| rng.random_range(0..servers));
                let expected = (0..servers)
                    .filter(|&s| Some(s) != exclude)
                    .filter_map(|s| truth[s as usize].map(|l| (l, rank[s as usize], s)))
                    .min()
                    .map(|(_, _, s)| s);
                let picked = heap.pick(exclude, |s| truth[s as usize]);
                assert_eq!(picked, expected, "seed {seed}, step {step}");
                assert!(heap.len() <= 2 * servers as usize, "seed {seed}, step {step}");
                if let Some(server) = picked {
                    let jump = rng.random_range(0..3);
                    heap.pass_turn(server, jump);
                    virtual_time = u64::max(virtual_time, rank[server as usize]);
                    rank[server as usize] = virtual_time + jump;
                }
            }
        }
    }
}
