//! Earliest deadline first: weighted turns without bursts.
//!
//! Source: Envoy's `EdfScheduler`. Whoever has the earliest deadline is picked, and the next deadline is
//! `now + 1 / weight`, with the weight as it is at that moment; `now` is the latest deadline picked.
//! Ties: first in, first out. O(log servers) a pick.
//!
//! A server that may not be picked loses its turn. After a few lost turns the eligible server with the
//! earliest deadline is looked for, O(servers): its entry in the heap is then stale, and put right
//! when it comes up. A server that was out for long has one old turn, and not all that it missed.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;

use super::roll::Roll;
use super::weights::Weights;
use crate::ids::ServerId;
use crate::notes::Note;
use crate::rng::{Stream, below};
use crate::time::Nanos;
use crate::view::{BLIND_DRAWS, Candidates};

/// When it is whose turn.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Turn {
    deadline: f64,
    /// Rising with every turn given.
    order: u64,
    server: u32,
}

impl Eq for Turn {}

impl Ord for Turn {
    fn cmp(&self, other: &Self) -> Ordering {
        self.deadline.total_cmp(&other.deadline).then(self.order.cmp(&other.order))
    }
}

impl PartialOrd for Turn {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// See the module documentation. Turns are in units of one over weight.
#[derive(Clone, Debug, Default)]
pub struct Edf {
    /// One entry a server; never later than its true turn.
    heap: BinaryHeap<Reverse<Turn>>,
    /// The true turns, by server.
    turns: Vec<Turn>,
    now: f64,
    order: u64,
}

impl Edf {
    /// Memory a server takes [bytes].
    pub const SERVER_BYTES: usize = 2 * size_of::<Turn>();

    /// Servers `0..n` with these weights, above 0, in this order.
    pub fn new(weights: impl Iterator<Item = f64>) -> Self {
        let turn = |(server, weight): (u32, f64)| {
            let deadline = 1.0 / weight;
            Turn { deadline, order: server.into(), server }
        };
        let turns: Vec<Turn> = (0..).zip(weights).map(turn).collect();
        let heap = turns.iter().copied().map(Reverse).collect();
        Self { heap, now: 0.0, order: turns.len() as u64, turns }
    }

    /// Picks the next eligible server; `weight` is asked for the present weight of everyone whose turn
    /// passes.
    pub fn pick(
        &mut self,
        mut weight: impl FnMut(u32) -> f64,
        is_eligible: impl Fn(u32) -> bool,
    ) -> Option<u32> {
        for _ in 0..BLIND_DRAWS {
            let server = self.first()?;
            self.pass(server, weight(server));
            let turn = self.turns[server as usize];
            *self.heap.peek_mut().expect("it was there just now") = Reverse(turn);
            if is_eligible(server) {
                return Some(server);
            }
        }
        let eligible = (0..self.turns.len() as u32).filter(|&server| is_eligible(server));
        let server = eligible.min_by_key(|&server| self.turns[server as usize])?;
        self.pass(server, weight(server));
        Some(server)
    }

    /// Whose turn it is, on top of the heap.
    fn first(&mut self) -> Option<u32> {
        loop {
            let mut top = self.heap.peek_mut()?;
            let server = top.0.server;
            let turn = self.turns[server as usize];
            if top.0 == turn {
                return Some(server);
            }
            // Sinks to its place when `top` is dropped.
            *top = Reverse(turn);
        }
    }

    /// Gives a server its next turn.
    fn pass(&mut self, server: u32, weight: f64) {
        let turn = &mut self.turns[server as usize];
        self.now = self.now.max(turn.deadline);
        *turn = Turn { deadline: self.now + 1.0 / weight, order: self.order, server };
        self.order += 1;
    }
}

/// A schedule of the servers a node may choose among.
#[derive(Debug)]
pub struct Schedule {
    weights: Weights,
    random_start: bool,
    roll: Roll,
    edf: Edf,
}

impl Schedule {
    /// Memory a server takes [bytes].
    pub const SERVER_BYTES: usize = Weights::SERVER_BYTES + Edf::SERVER_BYTES;

    /// A schedule by these weights. With `random_start` it begins after a random number of picks below the
    /// number of servers.
    pub fn new(weights: Weights, random_start: bool) -> Self {
        Self { weights, random_start, roll: Roll::default(), edf: Edf::default() }
    }

    /// Takes in what a server reports.
    pub fn hear(&mut self, note: &Note, at_ns: Nanos) {
        self.weights.hear(note, at_ns);
    }

    /// Picks the next server that is eligible with `gate`; `weight` is told everyone whose turn passes
    /// and his weight as it is.
    pub fn pick(
        &mut self,
        candidates: &Candidates<'_>,
        gate: bool,
        stream: &mut Stream,
        weight: impl Fn(u32, f64) -> f64,
    ) -> Option<ServerId> {
        let Self { weights, roll, edf, .. } = self;
        let are_new = roll.has_changed(candidates);
        let are_weighed_anew = weights.update(candidates, are_new);
        if are_weighed_anew {
            weights.fill_with_median(roll);
        }
        if are_new || are_weighed_anew {
            *edf = Edf::new(roll.servers().map(|server| weights.of(server)));
            if self.random_start && roll.places() > 0 {
                for _ in 0..below(stream, roll.places()) {
                    edf.pick(|place| weights.of(roll.server(place)), |_| true);
                }
            }
        }
        let present = |place| {
            let server = roll.server(place);
            weight(server, weights.of(server))
        };
        let picked = edf.pick(present, |place| candidates.is_eligible(roll.server(place), gate));
        picked.map(|place| ServerId(roll.server(place)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The slow and obvious version: turns in a list.
    struct List {
        turns: Vec<(f64, u64)>,
        now: f64,
        order: u64,
    }

    impl List {
        fn new(weights: &[f64]) -> Self {
            let turns = (0..).zip(weights).map(|(order, weight)| (1.0 / weight, order)).collect();
            Self { turns, now: 0.0, order: weights.len() as u64 }
        }

        fn first(&self, is_in: impl Fn(usize) -> bool) -> Option<usize> {
            (0..self.turns.len()).filter(|&server| is_in(server)).min_by(|&a, &b| {
                let (a, b) = (self.turns[a], self.turns[b]);
                a.0.partial_cmp(&b.0).unwrap().then(a.1.cmp(&b.1))
            })
        }

        fn pass(&mut self, server: usize, weight: f64) {
            self.now = self.now.max(self.turns[server].0);
            self.turns[server] = (self.now + 1.0 / weight, self.order);
            self.order += 1;
        }

        fn pick(&mut self, weight: impl Fn(usize) -> f64, up: &[bool]) -> Option<usize> {
            for _ in 0..BLIND_DRAWS {
                let server = self.first(|_| true)?;
                self.pass(server, weight(server));
                if up[server] {
                    return Some(server);
                }
            }
            let server = self.first(|server| up[server])?;
            self.pass(server, weight(server));
            Some(server)
        }
    }

    proptest! {
        /// Weights that change, servers that come and go, many out at once, and equal deadlines.
        #[test]
        fn heap_picks_as_the_list_does(
            weights in proptest::collection::vec(
                prop_oneof![Just(1.0), Just(2.0), Just(5.0), Just(0.3)], 1..40),
            changes in proptest::collection::vec((0_usize..40, 0.1_f64..9.0, 0_u32..3), 1..60),
        ) {
            let mut edf = Edf::new(weights.iter().copied());
            let mut list = List::new(&weights);
            let n = weights.len();
            let mut weights = weights;
            let mut up = vec![true; n];
            for (server, weight, kind) in changes {
                match kind {
                    0 => weights[server % n] = weight,
                    1 => up[server % n] ^= true,
                    _ => up.iter_mut().enumerate().for_each(|(i, up)| *up = i % 19 == server % 19),
                }
                for _ in 0..7 {
                    let picked = edf.pick(
                        |server| weights[server as usize],
                        |server| up[server as usize],
                    );
                    let expected = list.pick(|server| weights[server], &up);
                    prop_assert_eq!(picked.map(|server| server as usize), expected);
                }
            }
        }
    }

    /// Over any stretch of picks with fixed weights, nobody is more than one turn away from his share.
    #[test]
    fn turns_are_spread_evenly() {
        let weights: [f64; 4] = [5.0, 1.0, 3.0, 0.5];
        let sum: f64 = weights.iter().sum();
        let mut edf = Edf::new(weights.iter().copied());
        let mut counts = [0.0; 4];
        for pick in 1..2_000 {
            let server = edf.pick(|server| weights[server as usize], |_| true).unwrap();
            counts[server as usize] += 1.0;
            for (count, weight) in counts.iter().zip(weights) {
                let share = f64::from(pick) * weight / sum;
                assert!((count - share).abs() < 2.0, "{counts:?} after {pick}");
            }
        }
    }

    /// The published order of weights 2, 1, 1: heavy first, and equal deadlines in the order given.
    #[test]
    fn equal_deadlines_are_first_in_first_out() {
        let weights = [2.0, 1.0, 1.0];
        let mut edf = Edf::new(weights.iter().copied());
        let picks: Vec<u32> = (0..8)
            .map(|_| edf.pick(|server| weights[server as usize], |_| true).unwrap())
            .collect();
        // At 0.5 server 0; at 1 servers 1 and 2 were given their turns before server 0.
        assert_eq!(picks, [0, 1, 2, 0, 0, 1, 2, 0]);
    }
}
