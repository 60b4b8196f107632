//! Work at a speed that changes: one clock of work a server.
//!
//! All requests in service go at the same speed at any moment. So what each has left to do is told
//! by how far one clock, which runs at that speed, is from the reading at which the request is done;
//! a change of speed moves no request, and the next to finish is the one with the least reading. That
//! is O(log n) an event (the virtual time of Demers, Keshav and Shenker, 1989, for their fair queue).
//!
//! Readings are whole numbers with 48 bits behind the point ([`FULL_SPEED`] is one nanosecond of work),
//! so nothing depends on how often the clock is looked at. A request finishes at the first whole
//! nanosecond at which its work is done, so it may keep its share for up to one longer; those of one moment, in the order of their readings, then
//! of admission.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::Job;
use super::surroundings::Surroundings;
use crate::ids::ServerId;
use crate::server::overlap_ns;
use crate::setup::Setup;
use crate::setup::conduct::{ConductSetup, FULL_SPEED};
use crate::time::Nanos;

/// The clock of one server, and who waits for it.
#[derive(Clone, Debug)]
pub struct Pace {
    around: Surroundings,
    /// Up to when everything here has been counted [ns].
    at_ns: Nanos,
    /// What a request in service from the start would have done.
    work: u128,
    /// Slot-time inside the window that such a request would have been given.
    given: u128,
    /// Work a nanosecond.
    speed: u64,
    /// Slot-time a nanosecond.
    share: u64,
    load: Load,
    /// Slot-time in use inside the window [ns].
    busy_ns: u128,
    finishing: BinaryHeap<Reverse<Finish>>,
    /// When the server looks at itself next [ns].
    filed_ns: Option<Nanos>,
    /// Counts those looks: an earlier one is void.
    generation: u32,
}

/// What decides the speed, apart from the surroundings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Load {
    /// Slots.
    pub slots: u32,
    /// Requests in service.
    pub active: u32,
    /// Those and the ones that wait.
    pub in_server: u32,
}

/// When a request is done: orders by the reading of the clock, then by admission.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Finish {
    reading: u128,
    admission: u32,
    job: u32,
    use_count: u32,
}

impl Pace {
    /// Memory a request in service takes [bytes].
    pub const FINISH_BYTES: usize = size_of::<Finish>();

    /// An idle server at time 0.
    pub fn new(setup: &Setup, conduct: &ConductSetup, id: ServerId) -> Self {
        let around = Surroundings::new(setup, conduct, id);
        Self {
            speed: around.speed(conduct),
            around,
            at_ns: 0,
            work: 0,
            given: 0,
            share: FULL_SPEED,
            load: Load::default(),
            busy_ns: 0,
            finishing: BinaryHeap::new(),
            filed_ns: None,
            generation: 0,
        }
    }

    /// Counts everything up to `at_ns`.
    pub fn advance(&mut self, setup: &Setup, conduct: &ConductSetup, at_ns: Nanos) {
        while self.around.next_ns() <= at_ns {
            self.count_to(setup, self.around.next_ns());
            self.around.change(setup, conduct);
            self.set_speed(conduct);
        }
        self.count_to(setup, at_ns);
    }

    fn count_to(&mut self, setup: &Setup, at_ns: Nanos) {
        let inside_ns = overlap_ns(setup, self.at_ns, at_ns);
        self.work += u128::from(self.speed) * u128::from(at_ns - self.at_ns);
        self.given += u128::from(self.share) * u128::from(inside_ns);
        let slots_in_use = self.load.active.min(self.load.slots);
        self.busy_ns += u128::from(slots_in_use) * u128::from(inside_ns);
        self.at_ns = at_ns;
    }

    fn set_speed(&mut self, conduct: &ConductSetup) {
        let Load { slots, active, in_server } = self.load;
        self.speed = conduct.speed(self.around.speed(conduct), slots, active, in_server);
        self.share = conduct.share(FULL_SPEED, slots, active);
    }

    /// Takes note of what is in the server from now on.
    pub fn set_load(&mut self, conduct: &ConductSetup, load: Load) {
        if self.load != load {
            self.load = load;
            self.set_speed(conduct);
        }
    }

    /// Puts a job into service that needs `service_ns` at full speed.
    pub fn begin(&mut self, index: u32, job: &Job, service_ns: Nanos) {
        let reading = self.work + u128::from(service_ns) * u128::from(FULL_SPEED);
        let Job { admission, use_count, .. } = *job;
        self.finishing.push(Reverse(Finish { reading, admission, job: index, use_count }));
    }

    /// Slot-time inside the window that a request in service from the start would have been given
    /// [ns, rounded down].
    pub const fn given_ns(&self) -> Nanos {
        (self.given / FULL_SPEED as u128) as Nanos
    }

    /// Slot-time in use inside the window [ns], where slots are shared.
    pub const fn busy_ns(&self) -> u128 {
        self.busy_ns
    }

    /// Takes the job that is done by now, if there is one.
    pub fn take_finished(&mut self, jobs: &[Job]) -> Option<u32> {
        let Finish { reading, job, .. } = *self.next(jobs)?;
        if reading > self.work {
            return None;
        }
        self.finishing.pop();
        Some(job)
    }

    /// Who finishes first, once those are gone that were cancelled.
    fn next(&mut self, jobs: &[Job]) -> Option<&Finish> {
        while let Some(Reverse(first)) = self.finishing.peek()
            && jobs[first.job as usize].use_count != first.use_count
        {
            self.finishing.pop();
        }
        self.finishing.peek().map(|Reverse(first)| first)
    }

    /// When the server must look at itself next [ns], with the number of that look; `None`: as filed
    /// before, or never. An idle server need not look: its surroundings are caught up with.
    pub fn file(&mut self, setup: &Setup, jobs: &[Job]) -> Option<(Nanos, u32)> {
        let (work, speed, at_ns) = (self.work, self.speed, self.at_ns);
        let next_change_ns = self.around.next_ns();
        let next_ns = self.next(jobs).map(|first| {
            let left = first.reading.saturating_sub(work);
            let in_ns = if speed == 0 { u128::MAX } else { left.div_ceil(u128::from(speed)) };
            let finish_ns = at_ns.saturating_add(Nanos::try_from(in_ns).unwrap_or(Nanos::MAX));
            finish_ns.min(next_change_ns)
        });
        if next_ns == self.filed_ns {
            return None;
        }
        self.filed_ns = next_ns;
        self.generation = self.generation.wrapping_add(1);
        let at_ns = next_ns.filter(|&at_ns| at_ns < setup.over_ns())?;
        Some((at_ns, self.generation))
    }

    /// Whether a look is the one that was filed last; it then is filed no more.
    pub fn is_due(&mut self, generation: u32) -> bool {
        let is_due = self.generation == generation && self.filed_ns.is_some();
        if is_due {
            self.filed_ns = None;
        }
        is_due
    }

    /// Everything in service is gone.
    pub fn clear(&mut self) {
        self.finishing.clear();
    }

    /// Time inside the window that an antagonist and pauses took, up to now [ns].
    pub fn taken_ns(&mut self, setup: &Setup) -> (Nanos, Nanos) {
        self.around.count_to(setup, self.at_ns);
        (self.around.slowed_ns, self.around.paused_ns)
    }
}
