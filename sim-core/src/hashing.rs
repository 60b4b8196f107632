//! Tables that spread keys over servers: the ring, Maglev's table, and the highest random weight.
//!
//! A table is built once a run, for all servers that are ever there, those that faults add included,
//! and shared by all nodes. A server that may not be used (down, draining, not yet there, outside the
//! node's subset) is walked past. So what is true of consistent hashing on paper is exact here: when a
//! server goes, its keys and no others move, to servers that the hash picks as if at random; and they
//! move back when it returns.
//!
//! Where servers stand in a table follows from the seed and the replication: how lucky a layout is
//! averages out over replications, and all policies of a scenario compared have the same.

pub mod bound;
pub mod maglev;
pub mod ring;

use std::sync::{Arc, OnceLock};

use crate::rng::mix;

pub use maglev::Maglev;
pub use ring::Ring;

/// The table of a run, built by the first node that needs it.
#[derive(Clone, Debug, Default)]
pub struct SharedTable(Arc<OnceLock<Table>>);

#[derive(Clone, Debug)]
enum Table {
    Ring(Arc<Ring>),
    Maglev(Arc<Maglev>),
    Weights(Arc<Weights>),
}

/// Weights of servers, by id.
#[derive(Clone, Debug)]
pub struct Weights {
    /// Of each, above 0.
    pub each: Vec<f64>,
    /// Of all together.
    pub total: f64,
}

impl Weights {
    /// These.
    pub fn new(each: &[f64]) -> Self {
        Self { each: each.to_vec(), total: each.iter().sum() }
    }

    /// All the same.
    pub fn are_equal(&self) -> bool {
        self.each.windows(2).all(|pair| pair[0].total_cmp(&pair[1]).is_eq())
    }
}

/// A table that gives every hash a way through the servers.
pub trait Spread {
    /// The servers a hash leads to, one after the other: all that have a place, any number of times.
    fn way(&self, hash: u64) -> impl Iterator<Item = u32> + '_;

    /// The weights they were placed by.
    fn weights(&self) -> &Weights;
}

impl SharedTable {
    /// The ring of the run, made by `build` the first time.
    pub fn ring(&self, build: impl FnOnce() -> Ring) -> Arc<Ring> {
        match self.0.get_or_init(|| Table::Ring(Arc::new(build()))) {
            Table::Ring(ring) => ring.clone(),
            Table::Maglev(_) | Table::Weights(_) => unreachable!("a run has one policy"),
        }
    }

    /// Maglev's table of the run, made by `build` the first time.
    pub fn maglev(&self, build: impl FnOnce() -> Maglev) -> Arc<Maglev> {
        match self.0.get_or_init(|| Table::Maglev(Arc::new(build()))) {
            Table::Maglev(maglev) => maglev.clone(),
            Table::Ring(_) | Table::Weights(_) => unreachable!("a run has one policy"),
        }
    }

    /// The weights of the run, found by `build` the first time.
    pub fn weights(&self, build: impl FnOnce() -> Weights) -> Arc<Weights> {
        match self.0.get_or_init(|| Table::Weights(Arc::new(build()))) {
            Table::Weights(weights) => weights.clone(),
            Table::Ring(_) | Table::Maglev(_) => unreachable!("a run has one policy"),
        }
    }
}

/// Hashes of one run: another salt gives other ones.
#[derive(Clone, Copy, Debug)]
pub struct Hasher {
    salt: u64,
}

impl Hasher {
    /// With this salt.
    pub const fn new(salt: u64) -> Self {
        Self { salt: mix(salt) }
    }

    /// Where a key points to.
    #[inline]
    pub const fn key(&self, key: u64) -> u64 {
        mix(mix(key) ^ self.salt)
    }

    /// The `number`-th hash of a server.
    #[inline]
    pub const fn server(&self, server: u32, number: u64) -> u64 {
        // Apart from keys: no key may point at a server's place for sure.
        mix(mix(((server as u64) << 32) ^ !self.salt) ^ number)
    }

    /// How well a key and a server suit each other, for the highest random weight.
    #[inline]
    pub const fn pair(&self, key: u64, server: u32) -> u64 {
        mix(self.key(key) ^ self.server(server, 0))
    }
}
