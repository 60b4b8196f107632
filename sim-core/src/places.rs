//! Where a node keeps what it knows of a server.
//!
//! Servers keep their phase: those whose reports come in one tick come together in every interval,
//! and ids say nothing of who they are. So where nodes hear much, columns about servers are laid
//! out by phase: the reports of a tick concern neighbours, a few cache lines that are read in
//! order, and not one or two random lines each. Whoever looks a server up by its id pays for it with
//! one look into a table that all nodes share.
//!
//! Nothing but speed depends on places. They are right, if no help, where phases drift (jitter), all
//! servers beat at once, or servers are added later.

use std::ops::{Index, IndexMut};
use std::sync::Arc;

use crate::ids::ServerId;

/// The place of every server, and back. Cloning is cheap.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Places {
    /// By server; empty: everyone's place is its id.
    of: Arc<[u32]>,
    /// By place.
    servers: Arc<[u32]>,
}

impl Places {
    /// Memory a server takes where places are by phase [bytes].
    pub(crate) const SERVER_BYTES: usize = 2 * size_of::<u32>();

    /// In this order.
    pub fn in_order(servers: Vec<u32>) -> Self {
        let mut of = vec![0; servers.len()];
        for (place, &server) in (0..).zip(&servers) {
            of[server as usize] = place;
        }
        Self { of: of.into(), servers: servers.into() }
    }

    /// The place of a server.
    #[inline]
    pub fn of(&self, server: u32) -> usize {
        self.of.get(server as usize).map_or(server, |&place| place) as usize
    }

    /// Whose place it is.
    #[inline]
    pub fn server(&self, place: u32) -> u32 {
        self.servers.get(place as usize).map_or(place, |&server| server)
    }
}

/// A column with an entry a server, in the order of places, read by id.
#[derive(Clone, Debug, PartialEq)]
pub struct ByServer<T> {
    places: Places,
    entries: Vec<T>,
}

impl<T: Clone> ByServer<T> {
    /// The same entry for each of `servers`.
    pub fn new(places: &Places, servers: u32, entry: T) -> Self {
        Self { places: places.clone(), entries: vec![entry; servers as usize] }
    }
}

impl<T> ByServer<T> {
    /// Number of servers.
    #[inline]
    pub const fn len(&self) -> usize {
        self.entries.len()
    }

    /// True when there are no servers.
    pub const fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Whether the reports of a tick concern neighbours.
    #[inline]
    pub fn is_by_phase(&self) -> bool {
        !self.places.of.is_empty()
    }

    /// All entries, in the order of servers.
    pub fn iter(&self) -> impl Iterator<Item = (ServerId, &T)> {
        (0..self.len() as u32).map(ServerId).map(|server| (server, &self[server]))
    }

    /// The place of a server, the same in all columns of a run.
    #[inline]
    pub fn place(&self, server: ServerId) -> usize {
        self.places.of(server.0)
    }

    /// The entry of a server, if there is such a server.
    #[inline]
    pub fn get(&self, server: ServerId) -> Option<&T> {
        self.entries.get(self.place(server))
    }

    /// Where entries are, and the entries by place.
    #[inline]
    pub fn parts(&mut self) -> (&Places, &mut [T]) {
        (&self.places, &mut self.entries)
    }

    /// What stands at a place.
    #[inline]
    pub fn at(&mut self, place: usize) -> &mut T {
        &mut self.entries[place]
    }
}

impl<T> Index<ServerId> for ByServer<T> {
    type Output = T;

    #[inline]
    fn index(&self, server: ServerId) -> &T {
        &self.entries[self.place(server)]
    }
}

impl<T> IndexMut<ServerId> for ByServer<T> {
    #[inline]
    fn index_mut(&mut self, server: ServerId) -> &mut T {
        let place = self.place(server);
        &mut self.entries[place]
    }
}
