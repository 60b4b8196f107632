//! The requests one node has in flight, and when it gives up on them.

use std::collections::VecDeque;

use bevy_ecs::prelude::Component;

use crate::time::Nanos;

/// One request in flight. Half a cache line.
#[derive(Clone, Copy, Debug, Default)]
pub struct Request {
    /// Arrival at the node [ns].
    pub arrived_ns: Nanos,
    /// Demand bits, or service time [ns].
    pub demand: u64,
    /// Where the present attempt went.
    pub server: u32,
    /// Running number of the present attempt.
    pub attempt: u32,
    /// Running number of the first attempt: names the request.
    pub name: u32,
    /// Attempts so far; 0: the slot is free.
    pub tries: u32,
}

/// A client's patience runs out.
#[derive(Clone, Copy, Debug)]
struct Deadline {
    at_ns: Nanos,
    slot: u32,
    name: u32,
}

/// See the module documentation.
#[derive(Component, Debug)]
pub struct InFlight {
    slots: Vec<Request>,
    /// Free slots, reused last in, first out: they stay in the cache.
    free: Vec<u32>,
    next_attempt: u32,
    /// Every request has the same patience, so deadlines come in order of arrival: a queue, not a
    /// heap. Those of requests that ended earlier are dropped when they come up.
    deadlines: VecDeque<Deadline>,
    /// Retries in hand [millionths].
    budget_ppm: u64,
}

/// A retry costs this much budget [millionths].
const RETRY_PPM: u64 = 1_000_000;
/// Retries a node starts with.
const RETRIES_AT_START: u64 = 10;
/// Retries a node may save up.
const RETRIES_SAVED: u64 = 100;

impl Default for InFlight {
    fn default() -> Self {
        Self {
            slots: Vec::new(),
            free: Vec::new(),
            next_attempt: 0,
            deadlines: VecDeque::new(),
            budget_ppm: RETRIES_AT_START * RETRY_PPM,
        }
    }
}

impl InFlight {
    /// Takes in a request for its first attempt; returns its slot.
    #[inline]
    pub fn open(&mut self, arrived_ns: Nanos, demand: u64, patience_ns: Option<Nanos>) -> u32 {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(Request::default());
            (self.slots.len() - 1) as u32
        });
        let name = self.next_attempt;
        self.slots[slot as usize] = Request { arrived_ns, demand, name, ..Request::default() };
        if let Some(patience_ns) = patience_ns {
            self.deadlines.push_back(Deadline { at_ns: arrived_ns + patience_ns, slot, name });
        }
        slot
    }

    /// Notes a new attempt at `server`; returns its number and the request's demand.
    #[inline]
    pub fn attempt(&mut self, slot: u32, server: u32) -> (u32, u64) {
        let request = &mut self.slots[slot as usize];
        request.server = server;
        request.attempt = self.next_attempt;
        request.tries += 1;
        self.next_attempt = self.next_attempt.wrapping_add(1);
        (request.attempt, request.demand)
    }

    /// The request an answer belongs to, unless it has ended or moved on to another attempt.
    #[inline]
    pub fn answered(&self, slot: u32, attempt: u32) -> Option<Request> {
        let request = self.slots[slot as usize];
        (request.tries > 0 && request.attempt == attempt).then_some(request)
    }

    /// Forgets a request.
    #[inline]
    pub fn close(&mut self, slot: u32) {
        self.slots[slot as usize].tries = 0;
        self.free.push(slot);
    }

    /// The next moment a client may run out of patience [ns]; `Nanos::MAX` when nobody waits.
    #[inline]
    pub fn next_deadline_ns(&self) -> Nanos {
        self.deadlines.front().map_or(Nanos::MAX, |deadline| deadline.at_ns)
    }

    /// Takes the next deadline; the slot of its request, if that is still in flight.
    #[inline]
    pub fn take_deadline(&mut self) -> Option<u32> {
        let deadline = self.deadlines.pop_front()?;
        let request = &self.slots[deadline.slot as usize];
        (request.tries > 0 && request.name == deadline.name).then_some(deadline.slot)
    }

    /// The request in a slot.
    #[inline]
    pub fn request(&self, slot: u32) -> Request {
        self.slots[slot as usize]
    }

    /// Earns the budget of one request.
    #[inline]
    pub fn earn(&mut self, budget_ppm: u32) {
        self.budget_ppm = (self.budget_ppm + u64::from(budget_ppm)).min(RETRIES_SAVED * RETRY_PPM);
    }

    /// Pays for a retry; false when the budget is spent.
    pub fn spend(&mut self) -> bool {
        let enough = self.budget_ppm >= RETRY_PPM;
        if enough {
            self.budget_ppm -= RETRY_PPM;
        }
        enough
    }

    /// Number of requests in flight.
    pub const fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    /// True when nothing is in flight.
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All requests in flight, in no order.
    pub fn iter(&self) -> impl Iterator<Item = &Request> {
        self.slots.iter().filter(|request| request.tries > 0)
    }
}
