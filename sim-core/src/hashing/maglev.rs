//! Maglev's table: servers take turns to take the next free place of their own permutation of the
//! places, until all places are taken; a key goes to the server of the place it hashes to.
//!
//! Eisenbud and others, "Maglev", 2016, listing 1; weights as in Envoy: in round `r` a server of weight
//! `w` takes its turn if `r * w` has reached its target, which rises by the largest weight with each
//! turn; so the heaviest takes every turn and one of half its weight every second. O(1) to find a place,
//! O(places log places) to build the table on average. Of 4 bytes a place.

use super::{Hasher, Spread, Weights};
use crate::rng::mix;

/// See the module documentation.
#[derive(Clone, Debug)]
pub struct Maglev {
    /// Who has each place.
    places: Vec<u32>,
    weights: Weights,
}

/// Places that a hash picks before all are looked at: nine in ten servers must be out for one key in
/// a thousand to come so far.
const HASHES: u64 = 64;

/// Nobody's place.
const FREE: u32 = u32::MAX;

/// A server while the table is built.
struct Turn {
    server: u32,
    weight: f64,
    target: f64,
    /// The place it looks at next, and how far it goes on from there.
    place: u64,
    skip: u64,
}

impl Maglev {
    /// The table with `size` places, a prime number, of servers with these weights, all above 0.
    pub fn new(weights: &[f64], size: u32, hasher: &Hasher) -> Self {
        let size = u64::from(size);
        let heaviest = weights.iter().copied().fold(0.0, f64::max);
        let mut turns: Vec<Turn> = (0..)
            .zip(weights)
            .map(|(server, &weight)| Turn {
                server,
                weight,
                target: 0.0,
                place: hasher.server(server, 0) % size,
                skip: hasher.server(server, 1) % (size - 1).max(1) + 1,
            })
            .collect();
        let mut places = vec![FREE; size as usize];
        let mut left = places.len();
        let mut round = 0.0;
        while left > 0 {
            round += 1.0;
            for turn in &mut turns {
                if left == 0 {
                    break;
                }
                if round * turn.weight < turn.target {
                    continue;
                }
                turn.target += heaviest;
                while places[turn.place as usize] != FREE {
                    turn.place = (turn.place + turn.skip) % size;
                }
                places[turn.place as usize] = turn.server;
                left -= 1;
            }
        }
        Self { places, weights: Weights::new(weights) }
    }
}

impl Spread for Maglev {
    /// The server a hash points to, then those it points to when it is hashed again, as Envoy does for
    /// retries; after `HASHES` of them all places in turn.
    ///
    /// Neighbours in the table are no heirs: permutations are arithmetic progressions, so that one
    /// server may stand behind another far more often than a third one.
    #[inline]
    fn way(&self, hash: u64) -> impl Iterator<Item = u32> + '_ {
        let size = self.places.len() as u64;
        let at = move |hash: u64| self.places[(hash % size) as usize];
        let again = (1..HASHES).map(move |number| at(mix(hash ^ number)));
        std::iter::once(hash).map(at).chain(again).chain(self.places.iter().copied())
    }

    fn weights(&self) -> &Weights {
        &self.weights
    }
}

/// Whether a number is prime: by trial division, up to a square root of 65 536.
pub const fn is_prime(number: u32) -> bool {
    let mut divisor = 2;
    while divisor * divisor <= number as u64 {
        if (number as u64).is_multiple_of(divisor) {
            return false;
        }
        divisor += 1;
    }
    number >= 2
}

/// The smallest prime number from `number` on, if it fits.
pub fn next_prime(number: u32) -> Option<u32> {
    (number..=u32::MAX).find(|&candidate| is_prime(candidate))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(table: &Maglev, servers: usize) -> Vec<u32> {
        let mut counts = vec![0; servers];
        table.places.iter().for_each(|&server| counts[server as usize] += 1);
        counts
    }

    /// Published: Envoy's documentation of the 65 537 places of two servers with weights 1 and 2, and
    /// its test with 17 places.
    #[test]
    fn weights_one_and_two_split_the_table_as_published() {
        for salt in 0..5 {
            let table = Maglev::new(&[1.0, 2.0], 65_537, &Hasher::new(salt));
            assert_eq!(counts(&table, 2), [21_846, 43_691]);
            let small = Maglev::new(&[1.0, 2.0], 17, &Hasher::new(salt));
            assert_eq!(counts(&small, 2), [6, 11]);
        }
    }

    /// Paper: with equal weights no server has more than one place more than another.
    #[test]
    fn equal_weights_share_to_within_one_place() {
        for (servers, size) in [(1, 2), (3, 3), (7, 65_537), (1_000, 65_537), (5, 251)] {
            let table = Maglev::new(&vec![1.0; servers], size, &Hasher::new(9));
            let counts = counts(&table, servers);
            let (least, most) = (counts.iter().min().unwrap(), counts.iter().max().unwrap());
            assert!(most - least <= 1, "{servers} in {size}: {least} to {most}");
        }
    }

    /// The paper's figure 4 by the same steps: permutations written out in full.
    #[test]
    fn the_table_equals_the_one_built_from_whole_permutations() {
        let weights = [1.0, 0.5, 2.0, 1.25];
        let (size, hasher) = (101_u32, Hasher::new(77));
        let permutation: Vec<Vec<u32>> = (0..weights.len() as u32)
            .map(|server| {
                let offset = hasher.server(server, 0) % 101;
                let skip = hasher.server(server, 1) % 100 + 1;
                (0..101).map(|j| ((offset + j * skip) % 101) as u32).collect()
            })
            .collect();
        for of_server in &permutation {
            let mut sorted = of_server.clone();
            sorted.sort_unstable();
            assert!(sorted.into_iter().eq(0..size), "a prime size gives a permutation");
        }
        let mut places = vec![FREE; size as usize];
        let mut turns = vec![0_u32; weights.len()];
        let mut left = size;
        for round in 1.. {
            for (server, weight) in weights.iter().enumerate() {
                // The k-th turn comes in the first round in which round * weight >= k * heaviest.
                let due = f64::from(round) * weight >= f64::from(turns[server]) * 2.0;
                if left == 0 || !due {
                    continue;
                }
                turns[server] += 1;
                let place = permutation[server].iter().find(|&&p| places[p as usize] == FREE);
                places[*place.unwrap() as usize] = server as u32;
                left -= 1;
            }
            if left == 0 {
                break;
            }
        }
        assert_eq!(Maglev::new(&weights, size, &hasher).places, places);
    }

    /// Goal: when a server goes, its keys move and no others, about evenly to all others.
    #[test]
    fn only_the_keys_of_a_lost_server_move() {
        let hasher = Hasher::new(5);
        let table = Maglev::new(&[1.0; 10], 65_537, &hasher);
        let mut heirs = [0_u32; 10];
        for key in 0..90_000 {
            let hash = hasher.key(key);
            let before = table.way(hash).next().unwrap();
            let after = table.way(hash).find(|&server| server != 7).unwrap();
            assert!(before == 7 || after == before, "key {key} moved from {before} to {after}");
            heirs[after as usize] += u32::from(before == 7);
        }
        assert_eq!(heirs[7], 0);
        // About 1000 each of 9000; binomial spread 30.
        let even = |keys: &u32| (800..1_200).contains(keys);
        assert!(heirs.iter().filter(|keys| even(keys)).count() == 9, "{heirs:?}");
    }

    #[test]
    fn primes_are_told() {
        let primes: Vec<u32> = (0..60).filter(|&number| is_prime(number)).collect();
        assert_eq!(primes, [2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59]);
        assert!(is_prime(65_537) && is_prime(5_000_011) && is_prime(4_294_967_291));
        assert!(!is_prime(65_535) && !is_prime(4_294_836_225));
        assert_eq!((next_prime(65_530), next_prime(4_294_967_292)), (Some(65_537), None));
    }
}
