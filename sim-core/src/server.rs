//! The backend servers of one shard, and the contract of the kernels that serve them.
//!
//! A kernel takes what arrives in a tick, in the order (time, node, attempt, freight), and answers
//! each attempt. Two kernels keep the same rules (first in, first out, `capacity` slots, a bounded
//! backlog) and give the same bytes:
//! * [`fifo`] knows at admission when an attempt will finish, and answers at once: no completion
//!   event exists. It needs servers that never change their mind.
//! * [`event`] completes attempts one by one, so a fault can take or delay them.

pub mod event;
pub mod fifo;
pub mod samples;

use bevy_ecs::prelude::Component;

use crate::ids::ServerId;
use crate::network::{Dispatch, Freight, Report, Responses, Stage};
use crate::plan::Change;
use crate::result::ServerResult;
use crate::rng::{Purpose, Stream};
use crate::setup::Setup;
use crate::time::Nanos;

use event::EventServers;
use fifo::FifoServers;

/// A message at the door of a server, mostly an attempt. A server takes those of a tick by (offset,
/// node, attempt, freight).
#[derive(Clone, Copy, Debug, Default)]
pub struct Delivery {
    /// Arrival, as an offset into the tick [ns].
    pub offset_ns: u32,
    /// Server, as an index into the shard.
    pub server: u32,
    /// Who sent it.
    pub node: u32,
    /// Where the sender keeps the request, or what else this is: see [`Freight::of`].
    pub slot: u32,
    /// The sender's running number.
    pub attempt: u32,
    /// Demand bits, or service time [ns].
    pub demand: u64,
}

impl Delivery {
    /// What comes.
    #[inline]
    pub const fn freight(&self) -> Freight {
        Freight::of(self.slot)
    }
}

/// The attempts that arrive at a shard in a tick.
pub trait Attempts {
    /// Visits all, a few of one node at a time, in the same order every time.
    fn for_each(&self, visit: impl FnMut(u32, &[Dispatch]));
}

/// The servers of one shard: ids `first..first + len`.
#[derive(Component, Debug)]
pub struct Servers {
    /// Id of the first server.
    pub first: u32,
    /// Number of servers.
    pub len: u32,
    kernel: Kernel,
    answers: Answers,
    meters: Meters,
    /// Arrivals of each server when the present herd interval began.
    herd_base: Vec<u32>,
    /// Arrivals of each server when the window began, then (after its end) inside it.
    picks: Vec<u32>,
    /// When each server sent its newest report, in quanta; 0 before the first.
    reported: Vec<u32>,
}

#[derive(Debug)]
enum Kernel {
    Fifo(FifoServers),
    Event(Box<EventServers>),
}

/// Which kernel serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KernelKind {
    /// Finish times at admission.
    Fifo,
    /// A completion event an attempt.
    Event,
}

/// Sums over the servers of a shard.
#[derive(Clone, Debug, Default)]
pub struct Meters {
    /// As in [`crate::result::RunResult::wait_sum_ns`].
    pub wait_sum_ns: u128,
    /// As in [`crate::result::RunResult::service_sum_ns`].
    pub service_sum_ns: u128,
    /// As in [`crate::result::RunResult::served`].
    pub served: u64,
    /// As in [`crate::result::RunResult::waited`].
    pub waited: u64,
}

impl Meters {
    /// Adds the sums of another shard.
    pub const fn add(&mut self, other: &Self) {
        self.wait_sum_ns += other.wait_sum_ns;
        self.service_sum_ns += other.service_sum_ns;
        self.served += other.served;
        self.waited += other.waited;
    }
}

/// What is added to [`Meters`] in one tick: 64 bits hold the times of a tick, not those of a run.
#[derive(Clone, Copy, Debug, Default)]
pub struct TickSums {
    wait_ns: u64,
    service_ns: u64,
    served: u64,
    waited: u64,
}

impl TickSums {
    /// Counts an attempt that is completed, if it lies in the window from arrival to finish; says
    /// whether it does.
    #[inline]
    pub const fn complete(
        &mut self,
        setup: &Setup,
        arrived: Nanos,
        start: Nanos,
        finish: Nanos,
    ) -> bool {
        let inside = arrived >= setup.window_start_ns && finish < setup.window_end_ns;
        if inside {
            self.wait_ns += start - arrived;
            self.service_ns += finish - start;
            self.served += 1;
            self.waited += (start > arrived) as u64;
        }
        inside
    }

    /// Adds the tick to the run.
    pub const fn add_to(self, meters: &mut Meters) {
        meters.wait_sum_ns += self.wait_ns as u128;
        meters.service_sum_ns += self.service_ns as u128;
        meters.served += self.served;
        meters.waited += self.waited;
    }
}

/// What a tick of service works with, besides the servers.
#[derive(Debug)]
pub struct Shift<'a> {
    setup: &'a Setup,
    /// Start of the tick [ns].
    start_ns: Nanos,
    /// Weight of a completion in a [`LatencyMean`].
    alpha: f32,
    answers: &'a mut Answers,
    out: &'a mut Responses,
    sums: TickSums,
}

impl<'a> Shift<'a> {
    fn new(setup: &'a Setup, tick: u64, answers: &'a mut Answers, out: &'a mut Responses) -> Self {
        let start_ns = setup.ticks.start_ns(tick);
        let alpha = setup.heartbeat.latency_alpha as f32;
        Self { setup, start_ns, alpha, answers, out, sums: TickSums::default() }
    }
}

/// The way of answers: the delay law, with a stream a server when it is random.
#[derive(Debug)]
pub struct Answers {
    streams: Vec<Stream>,
    constant_ns: Nanos,
}

impl Answers {
    fn new(setup: &Setup, first: u32, len: u32) -> Self {
        let constant = setup.server_node.constant_ns();
        let stream = |id| setup.server_stream(Purpose::NetworkBack, ServerId(id));
        Self {
            streams: match constant {
                Some(_) => Vec::new(),
                None => (first..first + len).map(stream).collect(),
            },
            constant_ns: constant.unwrap_or(0),
        }
    }

    /// Delay of the answer to an attempt [ns]. Drawn when the attempt arrives, whatever becomes of
    /// it, so that kernels and faults do not shift the stream.
    #[inline]
    pub fn delay_ns(&mut self, setup: &Setup, server: u32) -> Nanos {
        match self.streams.get_mut(server as usize) {
            None => self.constant_ns,
            Some(stream) => setup.server_node.sample_ns(stream),
        }
    }
}

/// Mean sojourn time of a server's completions, exponentially weighted.
///
/// The mean after the first completion is that completion; an idle server's mean fades with time
/// (as in Finagle's peak EWMA), so that a server once slow is tried again.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct LatencyMean {
    /// The mean [ns]; 0 before the first completion.
    pub mean_ns: f32,
    /// The newest completion [ns]; 0 before the first.
    pub last_ns: Nanos,
}

impl LatencyMean {
    /// Takes a completion at `at_ns` into the mean.
    #[inline]
    pub fn observe(&mut self, at_ns: Nanos, sojourn_ns: f32, alpha: f32) {
        self.mean_ns = if self.last_ns == 0 {
            sojourn_ns
        } else {
            self.mean_ns + alpha * (sojourn_ns - self.mean_ns)
        };
        self.last_ns = at_ns;
    }

    /// The mean to report at `at_ns`.
    pub fn reported_ns(&self, at_ns: Nanos, decay_ns: Option<Nanos>) -> f32 {
        match decay_ns {
            Some(decay_ns) if self.last_ns > 0 => {
                let idle = (at_ns - self.last_ns) as f64 / decay_ns as f64;
                (f64::from(self.mean_ns) * libm::exp(-idle)) as f32
            }
            _ => self.mean_ns,
        }
    }
}

/// The part of `[start, end)` inside the measurement window [ns].
#[inline]
pub fn overlap_ns(setup: &Setup, start: Nanos, end: Nanos) -> Nanos {
    end.min(setup.window_end_ns).saturating_sub(start.max(setup.window_start_ns))
}

/// What a server would say of itself.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Snapshot {
    /// Requests in service.
    pub active: u32,
    /// Requests waiting.
    pub waiting: u32,
    /// Service slots.
    pub capacity: u32,
    /// Whether it takes new work.
    pub stage: Stage,
    /// Mean latency to report [ns].
    pub latency_ns: f32,
    /// False while it is crashed, not yet added, or removed.
    pub up: bool,
}

impl Snapshot {
    /// The report of it, sent in a quantum.
    pub fn report(&self, server: ServerId, quantum: u64) -> Report {
        Report {
            server: server.0,
            version: quantum as u32,
            sent_quantum: quantum as u32,
            load: (self.active + self.waiting).min(u32::from(u16::MAX)) as u16,
            active: self.active.min(self.capacity) as u16,
            capacity: self.capacity as u16,
            stage: self.stage,
            latency_ns: self.latency_ns,
        }
    }
}

impl Snapshot {
    /// Whether its next report is its last: it is leaving and has nothing left to do.
    pub fn departs(&self) -> bool {
        self.stage == Stage::Leaving && self.active + self.waiting == 0
    }
}

impl Servers {
    /// The servers `first..first + len`, idle and healthy.
    pub fn new(setup: &Setup, first: u32, len: u32, kernel: KernelKind) -> Self {
        Self {
            first,
            len,
            kernel: match kernel {
                KernelKind::Fifo => Kernel::Fifo(FifoServers::new(setup, first, len)),
                KernelKind::Event => Kernel::Event(Box::new(EventServers::new(setup, first, len))),
            },
            answers: Answers::new(setup, first, len),
            meters: Meters::default(),
            herd_base: vec![0; len as usize],
            picks: vec![0; len as usize],
            reported: vec![0; len as usize],
        }
    }

    /// Which kernel serves: it decides in what order attempts of different servers are handed over.
    pub const fn kernel_kind(&self) -> KernelKind {
        match self.kernel {
            Kernel::Fifo(_) => KernelKind::Fifo,
            Kernel::Event(_) => KernelKind::Event,
        }
    }

    /// Serves the attempts that arrive in a tick, in order, and whatever else happens at the servers in
    /// it.
    pub fn serve(&mut self, setup: &Setup, tick: u64, inbox: &[Delivery], out: &mut Responses) {
        let Self { kernel, answers, meters, .. } = self;
        match kernel {
            Kernel::Fifo(kernel) => {
                let mut shift = Shift::new(setup, tick, answers, out);
                kernel.serve(&mut shift, inbox);
                shift.sums.add_to(meters);
            }
            Kernel::Event(k) => k.serve(setup, tick, inbox, answers, meters, out),
        }
    }

    /// Serves those attempts of a tick, in whatever order they come, that meet no other at their server,
    /// and puts the others aside, to be served in order afterwards. For the FIFO kernel alone, whose
    /// servers have nothing else to do.
    pub fn serve_lone(
        &mut self,
        setup: &Setup,
        tick: u64,
        attempts: &impl Attempts,
        aside: &mut Vec<Delivery>,
        out: &mut Responses,
    ) {
        let Self { kernel, answers, meters, first, .. } = self;
        let Kernel::Fifo(kernel) = kernel else {
            unreachable!("the event kernel has its own events to put in order")
        };
        attempts.for_each(|_, attempts| kernel.note_callers(*first, attempts));
        let mut shift = Shift::new(setup, tick, answers, out);
        attempts.for_each(|node, attempts| {
            kernel.serve_lone(&mut shift, *first, node, attempts, aside);
        });
        shift.sums.add_to(meters);
    }

    /// Applies a change to server `index` at a quantum boundary.
    pub fn change(
        &mut self,
        setup: &Setup,
        index: u32,
        at_ns: Nanos,
        change: Change,
        out: &mut Responses,
    ) {
        match &mut self.kernel {
            Kernel::Fifo(_) => unreachable!("a scenario with faults runs on the event kernel"),
            Kernel::Event(k) => {
                k.change(setup, ServerId(self.first + index), index, at_ns, change, out);
            }
        }
    }

    /// Server `index` has said good-bye and is gone for good.
    pub fn depart(&mut self, index: u32) {
        match &mut self.kernel {
            Kernel::Fifo(_) => unreachable!("a scenario with faults runs on the event kernel"),
            Kernel::Event(k) => k.depart(index),
        }
    }

    /// The state of server `index` at a boundary: everything before `at_ns` has happened.
    pub fn snapshot(&mut self, setup: &Setup, index: u32, at_ns: Nanos) -> Snapshot {
        match &mut self.kernel {
            Kernel::Fifo(k) => k.snapshot(setup, index, at_ns),
            Kernel::Event(k) => k.snapshot(setup, index, at_ns),
        }
    }

    /// Server `index` tells a node with a heartbeat what it has done; it arrives at `arrival_ns`.
    pub fn tell_with_heartbeat(
        &mut self,
        setup: &Setup,
        index: u32,
        at_ns: Nanos,
        (node, arrival_ns): (u32, Nanos),
        out: &mut Responses,
    ) {
        match &mut self.kernel {
            Kernel::Fifo(_) => unreachable!("where nodes hear notes is the event kernel"),
            Kernel::Event(k) => k.tell_with_heartbeat(setup, at_ns, index, (node, arrival_ns), out),
        }
    }

    /// Server `index` looks whether a node knows that it is idle, at a boundary.
    pub fn reconsider(&mut self, setup: &Setup, index: u32, at_ns: Nanos, out: &mut Responses) {
        match &mut self.kernel {
            Kernel::Fifo(_) => unreachable!("where nodes hear notes is the event kernel"),
            Kernel::Event(k) => k.reconsider(setup, at_ns, index, out),
        }
    }

    /// Requests in service and waiting at server `index`, at a boundary.
    pub fn load(&mut self, setup: &Setup, index: u32, at_ns: Nanos) -> (u32, u32) {
        match &mut self.kernel {
            Kernel::Fifo(k) => k.load(setup, index, at_ns),
            Kernel::Event(k) => k.load(setup, index),
        }
    }

    /// The first tick from the present one on in which a server acts without being sent anything.
    pub fn next_due(&self) -> Option<u64> {
        match &self.kernel {
            Kernel::Fifo(_) => None,
            Kernel::Event(k) => k.next_due(),
        }
    }

    /// Ends a herd interval: most and total arrivals at one server since the last call.
    pub fn take_picks(&mut self) -> (u32, u64) {
        let mut most = 0;
        let mut total = 0;
        for (index, base) in self.herd_base.iter_mut().enumerate() {
            let arrivals = self.kernel.arrivals(index);
            let picks = arrivals.wrapping_sub(*base);
            *base = arrivals;
            most = most.max(picks);
            total += u64::from(picks);
        }
        (most, total)
    }

    /// A server sends a report.
    pub fn note_report(&mut self, index: u32, quantum: u64) {
        self.reported[index as usize] = quantum as u32;
    }

    /// The newest version of a server that any node can hold.
    pub fn newest_version(&self, index: u32) -> u32 {
        self.reported[index as usize]
    }

    /// Called at both edges of the measurement window: afterwards `picks` holds the difference.
    pub fn mark_window_edge(&mut self) {
        for (index, picks) in self.picks.iter_mut().enumerate() {
            *picks = self.kernel.arrivals(index).wrapping_sub(*picks);
        }
    }

    /// Sums over the servers.
    pub const fn meters(&self) -> &Meters {
        &self.meters
    }

    /// What each server did, at the end of the run. Asserts conservation at each.
    pub fn results(&mut self, setup: &Setup, end_ns: Nanos) -> impl Iterator<Item = ServerResult> {
        (0..self.len).map(move |index| {
            let mut result = match &mut self.kernel {
                Kernel::Fifo(k) => k.result(setup, index, end_ns),
                Kernel::Event(k) => k.result(setup, index, end_ns),
            };
            result.picks = u64::from(self.picks[index as usize]);
            let id = self.first + index;
            assert!(result.is_conserved(), "server {id} lost count: {result:?}");
            result
        })
    }
}

impl Kernel {
    fn arrivals(&self, index: usize) -> u32 {
        match self {
            Self::Fifo(k) => k.arrivals(index),
            Self::Event(k) => k.arrivals(index),
        }
    }
}
