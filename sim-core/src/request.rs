//! The requests one node has in flight, and when it gives up on them.

pub mod attempts;
pub mod budget;
pub mod hedge_delay;
pub mod timers;
pub mod waiting;

use std::collections::VecDeque;

use bevy_ecs::prelude::Component;

use crate::network::Response;
use crate::setup::Setup;
use crate::time::Nanos;

use attempts::Attempts;
use budget::Budget;
use hedge_delay::HedgeDelay;
use timers::Timers;
use waiting::Waiting;

/// What an answer needs to know of its request. Four fit a cache line.
#[derive(Clone, Copy, Debug)]
pub struct Request {
    /// Arrival at the node [ns].
    pub arrived_ns: Nanos,
    /// Where the present attempt went; `FREE`: the slot is free.
    pub server: u32,
    /// Running number of the present attempt; of a free slot, the free slot to be used after it.
    pub attempt: u32,
}

/// What only a retry or a deadline needs to know.
#[derive(Clone, Copy, Debug, Default)]
pub struct Dossier {
    /// Demand bits, or service time [ns].
    pub demand: u64,
    /// Running number of the first attempt: names the request.
    pub name: u32,
    /// Attempts so far.
    pub tries: u32,
}

/// In `server`: no request is in this slot.
const FREE: u32 = u32::MAX;
/// End of the chain of free slots: there is never a slot of this number.
const NO_SLOT: u32 = u32::MAX;

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
    /// By slot; kept only where requests can be retried or given up.
    dossiers: Vec<Dossier>,
    /// The first of the chain of free slots, reused last in, first out: they stay in the cache.
    free: u32,
    len: usize,
    next_attempt: u32,
    keeps_dossiers: bool,
    /// When the present attempt left [ns], by slot; kept only where the policy asks for it.
    sent_ns: Vec<Nanos>,
    keeps_times: bool,
    /// By slot: what the request is about. Kept only where requests have keys.
    keys: Vec<u64>,
    patience_ns: Option<Nanos>,
    /// Every request has the same patience, so deadlines come in order of arrival: a queue, not a
    /// heap. Those of requests that ended earlier are dropped when they come up.
    deadlines: VecDeque<Deadline>,
    /// Retries in hand.
    budget: Budget,
    /// Requests that no server has been found for yet.
    pub waiting: Waiting,
    /// All attempts of each request: kept by careful nodes alone, which leave `attempt` and `server`
    /// of a request out of account.
    pub attempts: Attempts,
    /// What is to be done at which moment.
    pub timers: Timers,
    /// Hedges in hand, and when they are due.
    pub hedging: Option<Box<Hedging>>,
    /// Requests that have been retried and have not ended.
    retrying: u32,
}

/// What a node keeps in order to hedge.
#[derive(Clone, Debug)]
pub struct Hedging {
    /// How many it may send.
    pub budget: Budget,
    /// After how long.
    pub delay: HedgeDelay,
}

impl InFlight {
    /// Memory a request takes that is waited for without end [bytes].
    pub(crate) const REQUEST_BYTES: usize = size_of::<Request>();
    /// Memory it takes besides where it can be retried or given up [bytes].
    pub(crate) const DOSSIER_BYTES: usize = size_of::<Dossier>();
    /// Memory a request takes until its client's patience would end [bytes].
    pub(crate) const DEADLINE_BYTES: usize = size_of::<Deadline>();

    /// Nothing in flight.
    pub fn new(setup: &Setup) -> Self {
        Self {
            slots: Vec::new(),
            dossiers: Vec::new(),
            free: NO_SLOT,
            len: 0,
            next_attempt: 0,
            keys: Vec::new(),
            keeps_dossiers: setup.keeps_dossiers(),
            sent_ns: Vec::new(),
            keeps_times: setup.needs.timed_answers,
            patience_ns: setup.timeout_ns,
            deadlines: VecDeque::new(),
            budget: Budget::new(setup.clients.budget_min_per_s),
            waiting: Waiting::new(setup),
            attempts: Attempts::default(),
            timers: Timers::default(),
            hedging: setup.clients.hedge.as_ref().map(|hedge| {
                let budget = Budget::new(hedge.budget_min_per_s);
                Box::new(Hedging { budget, delay: HedgeDelay::new(hedge) })
            }),
            retrying: 0,
        }
    }

    /// Takes in a request with its first attempt at `server`; returns its slot and the attempt's
    /// number.
    #[inline]
    pub fn open(&mut self, arrived_ns: Nanos, demand: u64, server: u32) -> (u32, u32) {
        let attempt = self.next_attempt;
        self.next_attempt = attempt.wrapping_add(1);
        if self.free == NO_SLOT {
            self.make_room(1);
        }
        let slot = self.free;
        let place = &mut self.slots[slot as usize];
        self.free = place.attempt;
        (place.arrived_ns, place.server, place.attempt) = (arrived_ns, server, attempt);
        self.len += 1;
        if self.keeps_dossiers {
            self.file(slot, arrived_ns, Dossier { demand, name: attempt, tries: 1 });
        }
        (slot, attempt)
    }

    /// Sees to it that so many slots are free.
    #[inline(never)]
    fn make_room(&mut self, requests: usize) {
        while self.slots.len() < self.len + requests {
            let slot = self.slots.len() as u32;
            self.slots.push(Request { arrived_ns: 0, server: FREE, attempt: self.free });
            self.free = slot;
        }
    }

    /// Takes in requests that end with their first answer; returns their slots and the attempts' numbers
    /// one by one.
    pub fn open_all(
        &mut self,
        requests: impl ExactSizeIterator<Item = (Nanos, u32)>,
    ) -> impl ExactSizeIterator<Item = (u32, u32)> {
        debug_assert!(self.ends_with_first_answer());
        if self.slots.len() < self.len + requests.len() {
            self.make_room(requests.len());
        }
        self.len += requests.len();
        let Self { slots, free, next_attempt, .. } = self;
        let slots = &mut slots[..];
        requests.map(move |(arrived_ns, server)| {
            let (slot, attempt) = (*free, *next_attempt);
            *next_attempt = attempt.wrapping_add(1);
            let place = &mut slots[slot as usize];
            *free = place.attempt;
            (place.arrived_ns, place.server, place.attempt) = (arrived_ns, server, attempt);
            (slot, attempt)
        })
    }

    fn file(&mut self, slot: u32, arrived_ns: Nanos, dossier: Dossier) {
        if slot as usize == self.dossiers.len() {
            self.dossiers.push(dossier);
        } else {
            self.dossiers[slot as usize] = dossier;
        }
        if let Some(patience_ns) = self.patience_ns {
            let at_ns = arrived_ns + patience_ns;
            self.deadlines.push_back(Deadline { at_ns, slot, name: dossier.name });
        }
    }

    /// Notes what the request in a slot is about.
    pub fn set_key(&mut self, slot: u32, key: u64) {
        let slot = slot as usize;
        if slot >= self.keys.len() {
            self.keys.resize(slot + 1, 0);
        }
        self.keys[slot] = key;
    }

    /// What the request in a slot is about; 0 where requests have no keys.
    pub fn key(&self, slot: u32) -> u64 {
        self.keys.get(slot as usize).copied().unwrap_or(0)
    }

    /// Notes a further attempt at `server`; returns its number and the request's demand.
    pub fn attempt_again(&mut self, slot: u32, server: u32) -> (u32, u64) {
        let attempt = self.next_attempt;
        self.next_attempt = attempt.wrapping_add(1);
        let request = &mut self.slots[slot as usize];
        (request.server, request.attempt) = (server, attempt);
        let dossier = &mut self.dossiers[slot as usize];
        dossier.tries += 1;
        (attempt, dossier.demand)
    }

    /// Notes when an attempt leaves, where that is kept.
    #[inline]
    pub fn note_sent(&mut self, slot: u32, at_ns: Nanos) {
        if self.keeps_times {
            let slots = self.slots.len();
            self.sent_ns.resize(slots.max(self.sent_ns.len()), 0);
            self.sent_ns[slot as usize] = at_ns;
        }
    }

    /// When the present attempt of the request in a slot left [ns]; 0 where that is not kept.
    #[inline]
    pub fn sent_ns(&self, slot: u32) -> Nanos {
        self.sent_ns.get(slot as usize).copied().unwrap_or(0)
    }

    /// The request an answer belongs to, unless it has ended or moved on to another attempt.
    #[inline]
    pub fn answered(&self, slot: u32, attempt: u32) -> Option<Request> {
        let request = self.slots[slot as usize];
        (request.attempt == attempt && request.server != FREE).then_some(request)
    }

    /// Requests end with their first answer, and nothing else ends them.
    pub const fn ends_with_first_answer(&self) -> bool {
        !self.keeps_dossiers && !self.keeps_times
    }

    /// Ends all requests that are answered, and calls `each` with every answer and the request, which is
    /// `None` where it has ended before.
    #[inline]
    pub fn end_answered(
        &mut self,
        due: &[Response],
        mut each: impl FnMut(&Response, Option<&Request>),
    ) {
        let slots = &mut self.slots[..];
        let (mut free, mut strays) = (self.free, 0);
        for answer in due {
            let place = &mut slots[answer.slot as usize];
            if place.attempt != answer.attempt || place.server == FREE {
                strays += 1;
                each(answer, None);
                continue;
            }
            each(answer, Some(place));
            (place.server, place.attempt) = (FREE, free);
            free = answer.slot;
        }
        self.free = free;
        self.len -= due.len() - strays;
    }

    /// The server of the request in a slot: read ahead of the answer, it is in the cache by then.
    #[inline]
    pub fn glance(&self, slot: u32) -> u32 {
        self.slots[slot as usize].server
    }

    /// Attempts of the request in a slot so far.
    pub fn tries(&self, slot: u32) -> u32 {
        self.dossiers.get(slot as usize).map_or(1, |dossier| dossier.tries)
    }

    /// Forgets a request.
    #[inline]
    pub fn close(&mut self, slot: u32) {
        let request = &mut self.slots[slot as usize];
        (request.server, request.attempt) = (FREE, self.free);
        self.free = slot;
        self.len -= 1;
    }

    /// The next moment a client may run out of patience [ns]; `Nanos::MAX` when nobody waits.
    #[inline]
    pub fn next_deadline_ns(&self) -> Nanos {
        self.deadlines.front().map_or(Nanos::MAX, |deadline| deadline.at_ns)
    }

    /// Takes the next deadline; the request and its slot, if that is still in flight.
    pub fn take_deadline(&mut self) -> Option<(u32, Request)> {
        let Deadline { slot, name, .. } = self.deadlines.pop_front()?;
        let request = self.slots[slot as usize];
        let waits = request.server != FREE && self.dossiers[slot as usize].name == name;
        waits.then_some((slot, request))
    }

    /// Earns the budget of one request.
    #[inline]
    pub fn earn(&mut self, budget_ppm: u32) {
        self.budget.earn(budget_ppm);
    }

    /// Pays for a retry; false when the budget is spent.
    pub fn spend(&mut self, at_ns: Nanos) -> bool {
        self.budget.spend(at_ns)
    }

    /// Number of the first attempt of the request in a slot, which names it, and its demand.
    pub fn dossier(&self, slot: u32) -> Dossier {
        self.dossiers[slot as usize]
    }

    /// Arrival of the request in a slot at the node [ns].
    pub fn arrived_ns(&self, slot: u32) -> Nanos {
        self.slots[slot as usize].arrived_ns
    }

    /// When the client of the request in a slot gives up [ns]; `Nanos::MAX`: never.
    pub fn deadline_ns(&self, slot: u32) -> Nanos {
        let arrived_ns = self.arrived_ns(slot);
        self.patience_ns.map_or(Nanos::MAX, |patience_ns| arrived_ns + patience_ns)
    }

    /// Whether the request of this name is in a slot.
    pub fn is_named(&self, slot: u32, name: u32) -> bool {
        self.holds(slot) && self.dossiers[slot as usize].name == name
    }

    /// Requests that have been retried and have not ended.
    pub const fn retrying(&self) -> u32 {
        self.retrying
    }

    /// The request in a slot is retried: once more, or for the first time.
    pub fn note_retry(&mut self, slot: u32) {
        let story = self.attempts.story_mut(slot);
        self.retrying += u32::from(story.retries == 0);
        story.retries += 1;
    }

    /// Forgets a request of a careful node, with all its attempts; returns who waited for its end.
    pub fn close_story(&mut self, slot: u32) -> Option<u32> {
        let story = self.attempts.story(slot);
        let client = story.client;
        self.retrying -= u32::from(story.retries > 0);
        self.attempts.close(slot);
        self.close(slot);
        client
    }

    /// Ends all requests, calling `each` with the arrival of every one and who waited for its end: the
    /// node has stopped. Attempts are numbered on, so answers to the old ones fit nothing any more.
    pub fn abandon(&mut self, setup: &Setup, mut each: impl FnMut(Nanos, Option<u32>)) {
        for slot in 0..self.slots.len() as u32 {
            if self.holds(slot) {
                let arrived_ns = self.arrived_ns(slot);
                if setup.is_careful() {
                    each(arrived_ns, self.close_story(slot));
                } else {
                    each(arrived_ns, None);
                    self.close(slot);
                }
            }
        }
        for waiter in self.waiting.iter() {
            each(waiter.arrived_ns, waiter.client);
        }
        self.waiting.clear();
        self.deadlines.clear();
        self.timers.clear();
        self.budget.reset();
        if let Some(Hedging { budget, delay }) = self.hedging.as_deref_mut() {
            budget.reset();
            delay.reset();
        }
    }

    /// Number of requests in flight, at servers or on their way.
    pub const fn len(&self) -> usize {
        self.len
    }

    /// True when nothing is in flight and nobody waits for a server.
    pub fn is_empty(&self) -> bool {
        self.len() == 0 && self.waiting.is_empty()
    }

    /// Whether there is a request in a slot.
    pub fn holds(&self, slot: u32) -> bool {
        self.slots[slot as usize].server != FREE
    }

    /// All requests in flight, in no order.
    pub fn iter(&self) -> impl Iterator<Item = &Request> {
        self.slots.iter().filter(|request| request.server != FREE)
    }
}
