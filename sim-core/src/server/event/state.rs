//! One server under the event kernel: what it has, and whom it lets in.

use super::codel::Waits;
use super::line::Line;
use super::pace::{Load, Pace};
use super::signals::Signals;
use crate::config::{AdaptiveLifo, Discipline, Slowdown};
use crate::ids::ServerId;
use crate::network::{Stage, Status};
use crate::rng::{RngExt, Stream};
use crate::server::LatencyMean;
use crate::setup::conduct::ConductSetup;
use crate::setup::{GroupSetup, Setup};
use crate::time::Nanos;

/// See the module documentation.
#[derive(Clone, Debug, Default)]
pub struct Server {
    pub group: usize,
    pub down: Option<Down>,
    /// Not yet added, or removed for good.
    pub absent: bool,
    pub slow: Option<Slowdown>,
    pub failing: Option<Box<Failing>>,
    /// Service slots.
    pub slots: u32,
    pub stage: Stage,
    /// Jobs in service, in no order.
    pub active: Vec<u32>,
    /// Jobs waiting.
    pub waiting: Line,
    /// What its group's conduct needs, where it is not plain.
    pub temper: Option<Box<Temper>>,
    /// What it tells nodes besides, where a policy listens.
    pub signals: Option<Box<Signals>>,
    pub latency: LatencyMean,
    pub busy_ns: u64,
    pub arrivals: u32,
    pub admitted: u32,
    pub refused: u32,
    pub completed: u32,
    pub lost: u32,
    pub shed: u32,
    pub cancelled: u32,
    pub cancelled_ns: u64,
    pub arrived_dead: u32,
    pub failed: u32,
}

/// A crash.
#[derive(Clone, Copy, Debug)]
pub struct Down {
    pub silent: bool,
}

/// Answering attempts with an error at once.
#[derive(Clone, Debug)]
pub struct Failing {
    /// The chance; 0 while the server is sound.
    pub share: f64,
    pub stream: Stream,
}

/// What a server of a group with a conduct of its own has besides.
#[derive(Clone, Debug)]
pub struct Temper {
    /// Where the speed can change.
    pub pace: Option<Pace>,
    pub waits: Waits,
    /// When it last started, was added or recovered [ns].
    pub started_ns: Nanos,
    /// Since when somebody has been waiting [ns]; means nothing while nobody is.
    pub queued_since_ns: Nanos,
}

impl Temper {
    fn new(setup: &Setup, conduct: &ConductSetup, id: ServerId) -> Self {
        Self {
            pace: conduct.has_pace().then(|| Pace::new(setup, conduct, id)),
            waits: Waits::default(),
            started_ns: 0,
            queued_since_ns: 0,
        }
    }
}

impl Server {
    /// Idle and healthy.
    pub fn new(setup: &Setup, id: ServerId) -> Self {
        let number = setup.group_of(id);
        let group = &setup.groups[number];
        let temper = |conduct: &ConductSetup| Box::new(Temper::new(setup, conduct, id));
        Self {
            group: number,
            slots: group.capacity,
            absent: id.0 >= setup.configured,
            signals: setup.needs.messages().then(|| Box::new(Signals::new(setup, id))),
            temper: group.conduct.as_deref().map(temper),
            ..Self::default()
        }
    }

    pub fn in_server(&self) -> u32 {
        (self.active.len() + self.waiting.len()) as u32
    }

    /// What decides its speed.
    pub fn load(&self) -> Load {
        Load { slots: self.slots, active: self.active.len() as u32, in_server: self.in_server() }
    }

    pub const fn is_up(&self) -> bool {
        self.down.is_none() && !self.absent
    }

    /// Whether one more can be served at once. With fewer slots than before, more than the slots may
    /// still be in service.
    pub fn has_free_slot(&self, conduct: Option<&ConductSetup>) -> bool {
        self.active.len() < self.slots as usize || conduct.is_some_and(ConductSetup::shares)
    }

    /// Takes who is served next out of the queue.
    pub fn next_waiting(&mut self, conduct: Option<&ConductSetup>, at_ns: Nanos) -> Option<u32> {
        let Some((conduct, temper)) = conduct.zip(self.temper.as_ref()) else {
            return self.waiting.pop_first();
        };
        let newest_first = match conduct.shed.adaptive_lifo {
            None => conduct.discipline == Discipline::Lifo,
            Some(AdaptiveLifo::Above(most)) => self.waiting.len() > most as usize,
            Some(AdaptiveLifo::After(ns)) => {
                self.waiting.len() > 0 && at_ns - temper.queued_since_ns >= ns
            }
        };
        if newest_first { self.waiting.pop_last() } else { self.waiting.pop_first() }
    }

    /// Decides about an attempt at the door: `None` lets it in, else the answer; the flag says
    /// that nobody is told.
    pub fn turn_away(
        &mut self,
        group: &GroupSetup,
        at_ns: Nanos,
        alpha: f32,
    ) -> Option<(Status, bool)> {
        if !self.is_up() {
            self.arrived_dead += 1;
            return Some((Status::Lost, self.down.is_some_and(|down| down.silent)));
        }
        if let Some(failing) = &mut self.failing
            && failing.share > 0.0
            && (failing.share >= 1.0 || failing.stream.random_bool(failing.share))
        {
            self.failed += 1;
            // An error is an answer, and it took no time.
            self.latency.observe(at_ns, 0.0, alpha);
            return Some((Status::Failed, false));
        }
        if self.stage != Stage::Serving || self.in_server() >= group.room_with(self.slots) {
            self.refused += 1;
            return Some((Status::Refused, false));
        }
        None
    }
}
