//! What is to happen at the servers of a shard, and when.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::setup::Setup;
use crate::time::Nanos;
use crate::wheel::Wheel;

/// Something that happens at a server. At one moment, steps of one server go in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// A job at a constant speed is done, if it still is this one.
    Complete(Named),
    /// A server whose speed can change looks at itself: something may be done there. The look of this
    /// number.
    Look(u32),
    /// A job has waited for as long as it may, if it still is this one and waits.
    Expire(Named),
}

impl Default for Step {
    fn default() -> Self {
        Self::Look(0)
    }
}

/// A job, and which use of its entry is meant; orders by admission.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Named {
    pub admission: u32,
    pub job: u32,
    pub use_count: u32,
}

/// A step on its way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Due {
    pub offset_ns: u32,
    pub server: u32,
    pub step: Step,
}

/// See the module documentation.
#[derive(Debug)]
pub struct Agenda {
    filed: Wheel<Due>,
    /// The steps of the tick being served.
    due: BinaryHeap<Reverse<Due>>,
    drained: Vec<Due>,
}

impl Agenda {
    pub fn new() -> Self {
        Self { filed: Wheel::new(1024), due: BinaryHeap::new(), drained: Vec::new() }
    }

    /// Opens a tick.
    pub fn open(&mut self, tick: u64) {
        self.drained.clear();
        self.filed.take(tick, &mut self.drained);
        self.due.extend(self.drained.iter().copied().map(Reverse));
    }

    /// Files a step, while `tick` is being served or about to be.
    pub fn file(&mut self, setup: &Setup, tick: u64, at_ns: Nanos, server: u32, step: Step) {
        let due_tick = setup.ticks.tick_of(at_ns);
        let offset_ns = (at_ns - setup.ticks.start_ns(due_tick)) as u32;
        let due = Due { offset_ns, server, step };
        if due_tick == tick {
            self.due.push(Reverse(due));
        } else {
            self.filed.push(due_tick, due);
        }
    }

    /// Takes the next step of the open tick, if it happens at `until` at the latest, as an offset.
    #[inline]
    pub fn next(&mut self, until: u32) -> Option<Due> {
        let Reverse(due) = *self.due.peek()?;
        if due.offset_ns > until {
            return None;
        }
        self.due.pop();
        Some(due)
    }

    /// The first tick from the present one on in which anything happens.
    pub fn next_due(&self) -> Option<u64> {
        self.filed.next_due()
    }
}
