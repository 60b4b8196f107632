//! What owners send each other, and where it waits until the other side reads it.
//!
//! A message is written by its sender into an outbox the sender owns, and read by the receiver in
//! a later phase; so one phase reads all of the other side's outboxes while it changes only its
//! own columns, and no message ever needs a lock. Whatever is sent in a tick arrives in a later
//! one: the smallest delay is at least a tick.

use bevy_ecs::prelude::Component;

use crate::notes::Notes;
use crate::order::{Inbox, Sorter};
use crate::ticks::Ticks;
use crate::time::Nanos;
use crate::wheel::Wheel;

/// The slot of a dispatch that takes an attempt back: see [`Freight::Cancel`].
pub const CANCEL_SLOT: u32 = u32::MAX;
/// The slot of a dispatch that asks how the server is: see [`Freight::Probe`].
pub const PROBE_SLOT: u32 = u32::MAX - 1;
/// The slot of a dispatch that answers a question of the server: see [`Freight::Reply`].
pub const REPLY_SLOT: u32 = u32::MAX - 2;

/// What a node sends to a server. The order is the order of what one node sent under one number and
/// that arrives at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Freight {
    /// A request: it is served, or turned away.
    Attempt,
    /// Nobody waits any more for the attempt of this number: the server takes it out of its queue or
    /// its slot, counts it, and answers nothing. An attempt that has been answered, or that is not
    /// there yet, goes its way: the message does nothing then.
    Cancel,
    /// A question about the server's load. It takes no slot.
    Probe,
    /// The answer to a question of the server; its number stands for that of an attempt, the answer for
    /// the demand.
    Reply,
}

impl Freight {
    /// What a dispatch carries, told by the slot it names.
    #[inline]
    pub const fn of(slot: u32) -> Self {
        match slot {
            CANCEL_SLOT => Self::Cancel,
            PROBE_SLOT => Self::Probe,
            REPLY_SLOT => Self::Reply,
            _ => Self::Attempt,
        }
    }
}

/// A message on its way to a server, filed under the tick of its arrival there: an attempt, unless
/// its slot says otherwise.
#[derive(Clone, Copy, Debug, Default)]
pub struct Dispatch {
    /// Arrival at the server, as an offset into its tick [ns]. Below 2^30.
    pub offset_ns: u32,
    /// Whom it goes to.
    pub server: u32,
    /// Where the sender keeps the request, or [`CANCEL_SLOT`], [`PROBE_SLOT`] or [`REPLY_SLOT`].
    pub slot: u32,
    /// The sender's running number of the attempt (modulo 2^32): of the one to cancel, or of the
    /// probe.
    pub attempt: u32,
    /// The request's 64 demand bits, or its service time [ns] when a trace states it.
    pub demand: u64,
}

/// How an attempt ended at the server. The order is the order of simultaneous responses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Status {
    /// Served.
    #[default]
    Ok,
    /// Turned away: slots and backlog were full.
    Refused,
    /// The server crashed with it, or was down when it came.
    Lost,
    /// Answered with an error.
    Failed,
}

/// An answer on its way to a node, filed under the tick of its arrival there. 16 bytes: there is
/// one a request.
#[derive(Clone, Copy, Debug, Default)]
pub struct Response {
    /// Whom it goes to, then the [`Moment`]: orders as they do.
    key: u64,
    /// As in the dispatch.
    pub slot: u32,
    /// As in the dispatch. One node never uses it twice, so (node, arrival, status, attempt) is a
    /// total order of the responses of a tick.
    pub attempt: u32,
}

impl Response {
    /// The answer to an attempt of `node`.
    #[inline]
    const fn new(node: u32, moment: Moment, slot: u32, attempt: u32) -> Self {
        Self { key: (node as u64) << 32 | moment.0 as u64, slot, attempt }
    }

    /// Whom it goes to.
    #[inline]
    pub const fn node(&self) -> u32 {
        (self.key >> 32) as u32
    }

    /// Arrival at the node, as an offset into its tick [ns].
    #[inline]
    pub const fn offset_ns(&self, ticks: &Ticks) -> u32 {
        self.moment().offset_ns(ticks)
    }

    /// How the attempt ended.
    #[inline]
    pub const fn status(&self) -> Status {
        self.moment().status()
    }

    /// When and how it ended.
    #[inline]
    pub const fn moment(&self) -> Moment {
        Moment(self.key as u32)
    }

    /// Whether it precedes another one of the same tick: by node, arrival, status, attempt.
    #[inline]
    pub const fn precedes(&self, other: &Self) -> bool {
        self.key < other.key || (self.key == other.key && self.attempt < other.attempt)
    }
}

/// When an answer arrives in its tick, and how the attempt ended: orders by time, then status.
///
/// The offset into the tick fills the upper bits, so that answers of a tick are spread by their
/// leading bits alone; the status has the two lowest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(u32);

impl Moment {
    #[inline]
    const fn new(ticks: &Ticks, offset_ns: u32, status: Status) -> Self {
        Self(offset_ns << ticks.offset_shift | status as u32)
    }

    /// The last one at an offset into a tick [ns].
    #[inline]
    pub const fn last_at(ticks: &Ticks, offset_ns: u32) -> Self {
        Self(offset_ns << ticks.offset_shift | 3)
    }

    /// Both sets of bits: the status is [`Status::Ok`] if both are.
    #[inline]
    #[must_use]
    pub const fn with_bits_of(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Offset into the tick [ns].
    #[inline]
    pub const fn offset_ns(self, ticks: &Ticks) -> u32 {
        self.0 >> ticks.offset_shift
    }

    /// How the attempt ended.
    #[inline]
    pub const fn status(self) -> Status {
        match self.0 & 3 {
            0 => Status::Ok,
            1 => Status::Refused,
            2 => Status::Lost,
            _ => Status::Failed,
        }
    }
}

/// A heartbeat: what a server says of itself at a quantum boundary.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Report {
    /// Who.
    pub server: u32,
    /// Orders the reports of a server: newer is larger. It is the quantum of sending by the true
    /// time, and a server sends at most one report a quantum; so it stays above all earlier ones
    /// through restarts.
    pub version: u32,
    /// When it was sent, in quanta, by the server's own clock, which may be wrong. At least 1.
    pub sent_quantum: u32,
    /// Requests in service and waiting, saturating.
    pub load: u16,
    /// Of those, in service; a sound server never states more than its capacity.
    pub active: u16,
    /// Service slots.
    pub capacity: u16,
    /// Whether it takes new work.
    pub stage: Stage,
    /// Mean sojourn time of its completions [ns]; 0 before the first.
    pub latency_ns: f32,
}

impl Report {
    /// What decides the order in which a node takes in the reports of one boundary, where the order
    /// can matter: reports that differ have different orders.
    pub fn order(&self) -> (u32, u32, u32, [u16; 3], Stage, u32) {
        let values = [self.load, self.active, self.capacity];
        let latency = self.latency_ns.to_bits();
        (self.server, self.version, self.sent_quantum, values, self.stage, latency)
    }
}

/// What a server says of its own future.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Stage {
    /// It takes new work.
    #[default]
    Serving,
    /// It finishes what it has and takes nothing new for now.
    Draining,
    /// It finishes what it has and leaves for good.
    Leaving,
}

/// A node's attempts, by shard of servers and tick of arrival.
#[derive(Component, Debug)]
pub struct Dispatches {
    /// One wheel a shard.
    pub by_shard: Vec<Wheel<Dispatch>>,
    /// Servers in every shard but the last.
    pub shard_size: u32,
}

impl Dispatches {
    /// Files an attempt under the tick of its arrival.
    #[expect(
        clippy::inline_always,
        reason = "a call saves and restores every register: 20 instructions"
    )]
    #[inline(always)]
    pub fn push(&mut self, tick: u64, dispatch: Dispatch) {
        let shard = if self.by_shard.len() == 1 { 0 } else { dispatch.server / self.shard_size };
        self.by_shard[shard as usize].push(tick, dispatch);
    }

    /// Attempts on their way.
    pub fn pending(&self) -> usize {
        let attempts = |wheel: &Wheel<Dispatch>| {
            wheel.count(|dispatch| Freight::of(dispatch.slot) == Freight::Attempt)
        };
        self.by_shard.iter().map(attempts).sum()
    }
}

/// A shard's answers, by tick of arrival; those of the present tick in order, for the nodes to
/// read.
#[derive(Component, Debug)]
pub struct Responses {
    pending: Wheel<Response>,
    due: Sorter<Response>,
    nodes: u32,
    /// So many leading bits of a moment have told the bucket of an answer.
    offset_bits: u32,
    /// The work behind each good answer, where somebody asks.
    services: Option<Box<Services>>,
    /// What servers say besides, where somebody asks.
    pub notes: Option<Box<Notes>>,
}

/// The work behind answers; with each it travels along.
#[derive(Debug)]
struct Services {
    pending: Wheel<Service>,
    /// Those of the present tick, by node and attempt.
    due: Vec<Service>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Service {
    node: u32,
    attempt: u32,
    /// As far as it lies in the window [ns].
    work_ns: Nanos,
}

impl Responses {
    /// Nothing on its way to any of `nodes`; `horizon` ticks ahead are filed without detour.
    pub fn new(nodes: u32, horizon: u64) -> Self {
        Self {
            pending: Wheel::new(horizon),
            due: Sorter::default(),
            nodes,
            offset_bits: 0,
            services: None,
            notes: None,
        }
    }

    /// The same, with the work behind each answer.
    #[must_use]
    pub fn with_services(mut self, horizon: u64) -> Self {
        let services = Services { pending: Wheel::new(horizon), due: Vec::new() };
        self.services = Some(Box::new(services));
        self
    }

    /// The same, with notes.
    #[must_use]
    pub fn with_notes(mut self, horizon: u64) -> Self {
        self.notes = Some(Box::new(Notes::new(horizon)));
        self
    }

    /// Memory that the work behind answers takes, `records` at most on their way [bytes].
    pub(crate) fn services_bytes(horizon: u64, records: f64) -> f64 {
        Wheel::<Service>::bytes(horizon, horizon as f64, records)
    }

    /// Opens a tick: sorts what arrives in it, by node and time. Whatever is pushed from now on
    /// arrives later.
    pub fn open(&mut self, tick: u64) {
        let Self { pending, due, nodes, offset_bits, services, notes } = self;
        if let Some(notes) = notes {
            notes.open(tick);
        }
        if let Some(Services { pending, due }) = services.as_deref_mut() {
            due.clear();
            pending.take(tick, due);
            pending.advance(tick + 1);
            due.sort_unstable_by_key(|service| (service.node, service.attempt));
        }
        pending.advance(tick);
        let inbox = Due { pending, tick };
        // A bucket is a part of the tick at one node.
        let node_bits = u32::BITS - (*nodes - 1).leading_zeros();
        let len_bits = usize::BITS - inbox.len().leading_zeros();
        *offset_bits = len_bits.saturating_sub(node_bits);
        let shift = 32 - *offset_bits;
        let buckets = (*nodes as usize) << *offset_bits;
        due.sort_into(&inbox, buckets, |r| (r.key >> shift) as usize, Response::precedes);
        pending.clear(tick);
        pending.advance(tick + 1);
    }

    /// Files an answer to an attempt of `node`, to arrive at `at_ns`.
    #[expect(
        clippy::inline_always,
        reason = "a call saves and restores every register: 20 instructions"
    )]
    #[inline(always)]
    pub fn push(
        &mut self,
        ticks: &Ticks,
        node: u32,
        at_ns: Nanos,
        status: Status,
        (slot, attempt): (u32, u32),
    ) {
        let tick = ticks.tick_of(at_ns);
        let offset_ns = (at_ns - ticks.start_ns(tick)) as u32;
        let moment = Moment::new(ticks, offset_ns, status);
        self.pending.push(tick, Response::new(node, moment, slot, attempt));
    }

    /// Files the work behind a good answer that has just been filed, if somebody asks for it.
    #[inline]
    pub fn note_service(
        &mut self,
        ticks: &Ticks,
        (node, attempt): (u32, u32),
        at_ns: Nanos,
        work_ns: Nanos,
    ) {
        if let Some(services) = &mut self.services {
            let service = Service { node, attempt, work_ns };
            services.pending.push(ticks.tick_of(at_ns), service);
        }
    }

    /// The work behind an answer to a node that arrives in the present tick [ns]; 0 if this shard sent
    /// none, or it was not noted.
    pub fn service_ns(&self, node: u32, attempt: u32) -> Nanos {
        let Some(Services { due, .. }) = self.services.as_deref() else { return 0 };
        let found = due.binary_search_by_key(&(node, attempt), |s| (s.node, s.attempt));
        found.map_or(0, |place| due[place].work_ns)
    }

    /// What arrives at a node in the present tick, in order.
    pub fn to_node(&self, node: u32) -> &[Response] {
        let bucket = (node as usize) << self.offset_bits;
        let next = (node as usize + 1) << self.offset_bits;
        self.due.in_buckets(bucket..next).unwrap_or_else(|| {
            let sorted = self.due.sorted();
            let from = sorted.partition_point(|response| response.node() < node);
            let rest = &sorted[from..];
            &rest[..rest.partition_point(|response| response.node() == node)]
        })
    }

    /// The first tick after the present one in which an answer or a note arrives.
    pub fn next_due(&self) -> Option<u64> {
        let notes = self.notes.as_ref().and_then(|notes| notes.next_due());
        self.pending.next_due().into_iter().chain(notes).min()
    }
}

/// The answers of a shard that arrive in one tick.
struct Due<'a> {
    pending: &'a Wheel<Response>,
    tick: u64,
}

impl Inbox<Response> for Due<'_> {
    fn len(&self) -> usize {
        self.pending.slices(self.tick).map(<[Response]>::len).sum()
    }

    #[inline]
    fn for_each(&self, mut visit: impl FnMut(Response)) {
        for slice in self.pending.slices(self.tick) {
            for response in slice {
                visit(*response);
            }
        }
    }
}

/// What arrives at one node in one tick, from several shards.
pub struct Replies<'a> {
    /// The outboxes of all shards.
    pub shards: &'a [Responses],
    /// Whose answers.
    pub node: u32,
}

impl Inbox<Response> for Replies<'_> {
    fn len(&self) -> usize {
        self.shards.iter().map(|shard| shard.to_node(self.node).len()).sum()
    }

    fn for_each(&self, mut visit: impl FnMut(Response)) {
        for shard in self.shards {
            shard.to_node(self.node).iter().for_each(|response| visit(*response));
        }
    }
}

/// A shard's heartbeats.
#[derive(Component, Debug)]
pub struct Reports {
    /// Reports that reach every node at once, by quantum of arrival.
    pub broadcast: Wheel<Report>,
    /// The quantum whose broadcasts the nodes read last.
    pub read_quantum: u64,
    /// Reports to single nodes made in this quantum, with the quantum of their arrival: one list
    /// a node.
    pub by_node: Vec<Vec<(u64, Report)>>,
}

impl Reports {
    /// The first quantum after `quantum`, which the nodes have read, in which a broadcast arrives.
    pub fn next_due(&self, quantum: u64) -> Option<u64> {
        self.broadcast.next_due_after(quantum)
    }
}
