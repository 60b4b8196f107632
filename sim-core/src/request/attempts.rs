//! The attempts of each request at a careful node: several may be on their way at once, and those that
//! ended are remembered as long as the request is.
//!
//! The attempts of a request are a chain, newest first, through one pool of entries; an entry goes
//! back to the pool when its request ends. So nothing is allocated for a request once the pool has
//! grown. A chain is as long as its request has attempts: a look at one costs that.

use crate::ids::ServerId;
use crate::result::Outcome;
use crate::time::Nanos;

/// End of a chain: there is never an entry of this number.
const NONE: u32 = u32::MAX;

/// An attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// Its running number at the node.
    pub number: u32,
    /// Where it went.
    pub server: ServerId,
    /// When it left [ns].
    pub sent_ns: Nanos,
    /// It was sent beside another one.
    pub is_hedge: bool,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    attempt: Attempt,
    is_awaited: bool,
    /// The attempt before it, or the next free entry.
    next: u32,
}

/// What a careful node knows of a request besides.
#[derive(Clone, Copy, Debug)]
pub struct Story {
    /// Retries so far.
    pub retries: u32,
    /// Hedges so far.
    pub hedges: u32,
    /// Who waits for its end, in a closed loop.
    pub client: Option<u32>,
    /// How the attempt that ended last ended.
    pub last: Outcome,
    /// Where that had gone.
    pub last_server: ServerId,
    /// The attempt after which the next hedge counts: a timer of another is void.
    pub hedged_after: u32,
    /// Attempts on their way.
    awaited: u32,
    newest: u32,
}

/// See the module documentation.
#[derive(Clone, Debug)]
pub struct Attempts {
    /// By slot of the request.
    stories: Vec<Story>,
    entries: Vec<Entry>,
    free: u32,
}

impl Default for Attempts {
    fn default() -> Self {
        Self { stories: Vec::new(), entries: Vec::new(), free: NONE }
    }
}

impl Attempts {
    /// Memory a request takes [bytes].
    pub(crate) const STORY_BYTES: usize = size_of::<Story>();
    /// Memory an attempt takes [bytes].
    pub(crate) const ATTEMPT_BYTES: usize = size_of::<Entry>();

    /// A request without attempts begins in a slot, which is free.
    pub fn open(&mut self, slot: u32, client: Option<u32>) {
        let story = Story {
            retries: 0,
            hedges: 0,
            client,
            last: Outcome::InFlight,
            last_server: ServerId(0),
            hedged_after: 0,
            awaited: 0,
            newest: NONE,
        };
        if slot as usize == self.stories.len() {
            self.stories.push(story);
        } else {
            self.stories[slot as usize] = story;
        }
    }

    /// What is known of the request in a slot.
    pub fn story(&self, slot: u32) -> &Story {
        &self.stories[slot as usize]
    }

    /// The same, to be changed.
    pub fn story_mut(&mut self, slot: u32) -> &mut Story {
        &mut self.stories[slot as usize]
    }

    /// A further attempt of the request in a slot is on its way.
    pub fn add(&mut self, slot: u32, attempt: Attempt) {
        let story = &mut self.stories[slot as usize];
        let entry = Entry { attempt, is_awaited: true, next: story.newest };
        let place = self.free;
        if let Some(free) = self.entries.get_mut(place as usize) {
            story.newest = place;
            self.free = free.next;
            *free = entry;
        } else {
            story.newest = self.entries.len() as u32;
            self.entries.push(entry);
        }
        story.awaited += 1;
    }

    fn chain(&self, slot: u32) -> impl Iterator<Item = &Entry> {
        let newest = self.stories.get(slot as usize).map_or(NONE, |story| story.newest);
        let first = self.entries.get(newest as usize);
        std::iter::successors(first, |entry| self.entries.get(entry.next as usize))
    }

    /// The attempt of this number, if it is on its way.
    pub fn awaited(&self, slot: u32, number: u32) -> Option<Attempt> {
        let mut chain = self.chain(slot);
        let found = chain.find(|entry| entry.attempt.number == number && entry.is_awaited)?;
        Some(found.attempt)
    }

    /// The newest attempt on its way.
    pub fn newest_awaited(&self, slot: u32) -> Option<Attempt> {
        self.chain(slot).find(|entry| entry.is_awaited).map(|entry| entry.attempt)
    }

    /// Whether any attempt of the request is on its way.
    pub fn is_awaiting(&self, slot: u32) -> bool {
        self.stories[slot as usize].awaited > 0
    }

    /// Where the request has been sent, newest first; a server may come up twice.
    pub fn tried(&self, slot: u32) -> impl Iterator<Item = ServerId> {
        self.chain(slot).map(|entry| entry.attempt.server)
    }

    /// Nobody waits any more for an attempt that is on its way.
    pub fn end(&mut self, slot: u32, number: u32) {
        let mut place = self.stories[slot as usize].newest;
        while let Some(entry) = self.entries.get_mut(place as usize) {
            if entry.attempt.number == number {
                debug_assert!(entry.is_awaited, "attempt {number} ends twice");
                entry.is_awaited = false;
                self.stories[slot as usize].awaited -= 1;
                return;
            }
            place = entry.next;
        }
        unreachable!("attempt {number} is none of slot {slot}");
    }

    /// The request in a slot ends, with nothing on its way that anybody waits for.
    pub fn close(&mut self, slot: u32) {
        let story = &mut self.stories[slot as usize];
        (story.awaited, story.client) = (0, None);
        let mut place = std::mem::replace(&mut story.newest, NONE);
        while let Some(entry) = self.entries.get_mut(place as usize) {
            let next = std::mem::replace(&mut entry.next, self.free);
            self.free = place;
            place = next;
        }
    }
}
