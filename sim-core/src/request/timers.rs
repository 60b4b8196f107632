//! What a node has to do at a certain moment for its requests, besides deadlines.
//!
//! One heap a node, by (time, kind, number). A timer of a request that has moved on meanwhile is not
//! looked for: it comes up and finds nothing to do.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::time::Nanos;

/// What is to be done. The order is that of one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TimerKind {
    /// An attempt has taken too long. Named by the attempt.
    GiveUp,
    /// A retry has waited long enough. Named by the request.
    Retry,
    /// A request may be sent to another server too. Named by its last attempt.
    Hedge,
}

/// Something to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timer {
    /// When [ns].
    pub at_ns: Nanos,
    /// What.
    pub kind: TimerKind,
    /// The number of the request's first attempt, or of the attempt concerned.
    pub number: u32,
    /// Where the request is kept.
    pub slot: u32,
}

/// See the module documentation.
#[derive(Clone, Debug, Default)]
pub struct Timers(BinaryHeap<Reverse<Timer>>);

impl Timers {
    /// Sets a timer. O(log timers).
    pub fn set(&mut self, timer: Timer) {
        self.0.push(Reverse(timer));
    }

    /// When the next one is due [ns]; `Nanos::MAX` when there is none.
    #[inline]
    pub fn next_ns(&self) -> Nanos {
        self.0.peek().map_or(Nanos::MAX, |Reverse(timer)| timer.at_ns)
    }

    /// Takes the next one. O(log timers).
    pub fn take(&mut self) -> Option<Timer> {
        self.0.pop().map(|Reverse(timer)| timer)
    }

    /// Forgets all: the node has stopped.
    pub fn clear(&mut self) {
        self.0.clear();
    }
}
