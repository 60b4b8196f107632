//! Bounded load: no server gets more than `hash_balance_factor` per cent of its share of what a node
//! has in flight; keys of a full server go to others.
//!
//! Mirrokni, Thorup, Zadimoghaddam, "Consistent hashing with bounded loads", 2016. With `total` requests
//! of the node in flight, the one that arrives comes on top: `slots = ceil((total + 1) * factor)` are
//! shared out by weight among the servers that may be used. Two systems do that differently:
//!
//! | | slots of a server, at least 1 | has room while | and else |
//! |---|---|---|---|
//! | `HAProxy` (`next`) | rounded so that all together are `slots` | in flight < slots | the next one on the ring |
//! | Envoy (`jump`) | its share, rounded up | in flight <= slots | a random order that the key decides; the least overloaded if nobody has room |
//!
//! With `next` somebody always has room. The node counts its own requests in flight, as both systems do.
//! A look at one server while there is room, O(servers) when there is none.

use super::Weights;
use crate::rng::{SeedableRng, Stream, below};

/// Who gets the key of a full server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overflow {
    /// The next server on the way that the hash gives: `HAProxy`, and the paper.
    Next,
    /// Servers in a random order that the key decides: Envoy.
    Jump,
}

/// See the module documentation.
#[derive(Clone, Debug)]
pub struct Bound {
    /// Per cent, above 100.
    factor: u32,
    overflow: Overflow,
    /// The node's requests in flight, at all servers.
    total: u64,
    /// Servers that may be used, and the weight of all before them.
    usable: Vec<(u32, f64)>,
}

/// What is known of the servers at the moment of a choice.
pub struct Load<'a, O> {
    /// Weights of all servers.
    pub weights: &'a Weights,
    /// The node's requests in flight at a server.
    pub own: O,
}

impl Bound {
    /// Nothing in flight.
    pub const fn new(factor: u32, overflow: Overflow) -> Self {
        Self { factor, overflow, total: 0, usable: Vec::new() }
    }

    /// An attempt has been sent.
    pub const fn send(&mut self) {
        self.total += 1;
    }

    /// An attempt has ended.
    pub const fn end(&mut self) {
        self.total -= 1;
    }

    /// Slots to share out for the request that arrives.
    fn slots(&self) -> f64 {
        ((self.total + 1) * u64::from(self.factor)).div_ceil(100) as f64
    }

    /// The server for a key that points to `first`. `way`: the servers from there on, in the order of
    /// the hash, usable or not; `usable`: those that may be used, in order of their ids.
    pub fn settle<O: Fn(u32) -> u32>(
        &mut self,
        hash: u64,
        first: u32,
        mut way: impl Iterator<Item = u32>,
        usable: impl Iterator<Item = u32>,
        load: &Load<'_, O>,
    ) -> u32 {
        let slots = self.slots();
        let own = f64::from((load.own)(first));
        // Were all servers usable, it would have the fewest slots.
        let fewest = slots * load.weights.each[first as usize] / load.weights.total;
        let has_room = match self.overflow {
            Overflow::Next => own < fewest.floor().max(1.0),
            Overflow::Jump => own <= fewest.ceil().max(1.0),
        };
        if has_room {
            return first;
        }
        self.usable.clear();
        let mut weight_total = 0.0;
        for server in usable {
            self.usable.push((server, weight_total));
            weight_total += load.weights.each[server as usize];
        }
        match self.overflow {
            Overflow::Next => {
                let has_room = |server: u32| {
                    let place = self.usable.binary_search_by_key(&server, |usable| usable.0);
                    place.is_ok_and(|place| {
                        let before = self.usable[place].1;
                        let through = before + load.weights.each[server as usize];
                        let upto = |weight: f64| (weight * slots / weight_total).floor();
                        let slots = (upto(through) - upto(before)).max(1.0);
                        f64::from((load.own)(server)) < slots
                    })
                };
                way.find(|&server| has_room(server)).unwrap_or(first)
            }
            Overflow::Jump => {
                let overload = |server: u32| {
                    let share = slots * load.weights.each[server as usize] / weight_total;
                    f64::from((load.own)(server)) / share.ceil().max(1.0)
                };
                let mut best = (overload(first), first);
                let mut order = Stream::seed_from_u64(hash);
                let mut left = self.usable.len();
                // The beginning of a shuffle that is carried on only as far as needed.
                while best.0 > 1.0 && left > 0 {
                    let drawn = below(&mut order, left as u32) as usize;
                    left -= 1;
                    self.usable.swap(drawn, left);
                    let server = self.usable[left].0;
                    let overload = overload(server);
                    if overload < best.0 {
                        best = (overload, server);
                    }
                }
                best.1
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sends requests with one key each until none is left, and returns what every server has.
    fn fill(factor: u32, overflow: Overflow, weights: &[f64], requests: u32, key: u64) -> Vec<u32> {
        let mut bound = Bound::new(factor, overflow);
        let mut own = vec![0_u32; weights.len()];
        let servers = weights.len() as u32;
        for _ in 0..requests {
            let first = key as u32 % servers;
            let way = (0..servers).map(|step| (first + step) % servers);
            let load =
                Load { weights: &Weights::new(weights), own: |server: u32| own[server as usize] };
            let server = bound.settle(key, first, way, 0..servers, &load);
            bound.send();
            own[server as usize] += 1;
        }
        own
    }

    /// The paper's promise: with one key that everybody wants, nobody has more than its cap, and the
    /// servers next in line are full before one further away gets anything.
    #[test]
    fn one_hot_key_fills_servers_in_the_order_of_the_ring() {
        let own = fill(125, Overflow::Next, &[1.0; 8], 80, 2);
        assert_eq!(own.iter().sum::<u32>(), 80);
        // ceil(80 * 1.25) = 100 slots: 12 or 13 each.
        assert!(own.iter().all(|&own| own <= 13), "{own:?}");
        assert!(own[2] >= 12 && own[3] >= 12 && own[1] < 12, "{own:?}");
    }

    #[test]
    fn envoy_lets_one_more_in_than_the_slots() {
        let own = fill(150, Overflow::Jump, &[1.0; 4], 40, 1);
        assert_eq!(own.iter().sum::<u32>(), 40);
        // ceil(40 * 1.5) / 4 = 15 slots, and whoever has no more than that takes one.
        assert_eq!(own[1], 16, "{own:?}");
        assert!(own.iter().all(|&own| own <= 16), "{own:?}");
    }

    #[test]
    fn caps_follow_weights() {
        for overflow in [Overflow::Next, Overflow::Jump] {
            let own = fill(110, overflow, &[1.0, 2.0, 5.0], 400, 0);
            let caps = [55.0, 110.0, 275.0];
            for (own, cap) in own.iter().zip(caps) {
                assert!(f64::from(*own) <= cap + 2.0, "{overflow:?}: {own} of {cap}");
            }
        }
    }

    /// Goal: `HAProxy`'s slots are all given out, none twice. Method: with a factor so close to 100 that
    /// there is no slack, as many requests as it takes fill every server to its slots.
    #[test]
    fn slots_of_all_servers_are_the_slots_there_are() {
        let weights = [3.0, 1.0, 4.0, 1.0, 5.0, 9.0, 2.0, 6.0];
        let own = fill(101, Overflow::Next, &weights, 310, 5);
        let expected: Vec<f64> = weights.iter().map(|w| w * 310.0 / 31.0).collect();
        for (own, expected) in own.iter().zip(expected) {
            assert!((f64::from(*own) - expected).abs() <= 4.0, "{own} for {expected}");
        }
    }

    /// A server out of use counts for nothing: its share goes to the others.
    #[test]
    fn servers_out_of_use_have_no_slots() {
        let mut bound = Bound::new(200, Overflow::Next);
        (0..8).for_each(|_| bound.send());
        let own = |server: u32| if server == 0 { 8 } else { 0 };
        let load = Load { weights: &Weights::new(&[1.0; 3]), own };
        // 18 slots: 6 each of three servers, 9 each of two.
        assert_eq!(bound.settle(0, 0, [0, 1, 2].into_iter(), [0, 1, 2].into_iter(), &load), 1);
        assert_eq!(bound.settle(0, 0, [0, 1, 2].into_iter(), [0, 2].into_iter(), &load), 0);
    }
}
