//! The FIFO kernel: finish times are known at admission, so no completion event exists.
//!
//! Invariants, per server
//! 1. `ring`, then `spill`, hold the finish times of all attempts in the server, in service or
//!    waiting, in ascending order; equal times in the order of admission.
//! 2. First in, first out with `capacity` slots: whoever finds `n >= capacity` in the server starts
//!    when all but `capacity - 1` of them have left, at the `(n - capacity + 1)`-th finish time.
//!    (Kiefer and Wolfowitz 1955, written for finish times instead of slots.)
//! 3. The first few are in the server's own three cache lines, as 32-bit offsets from its `epoch`;
//!    what does not fit, by number or by distance in time, is in `spill`.
//!
//! A new finish time is inserted from the back: only attempts in service can finish later than it,
//! so an admission moves fewer than `capacity` entries.

use std::collections::VecDeque;

use crate::ids::ServerId;
use crate::network::{Dispatch, Stage, Status};
use crate::result::ServerResult;
use crate::setup::Setup;
use crate::time::Nanos;

use super::{Delivery, LatencyMean, Shift, Snapshot, overlap_ns};

/// Attempts kept beside the server itself: what three cache lines hold; a power of two.
const RING: usize = 16;
/// How many servers ahead are touched, so that their cache lines arrive together.
const AHEAD: usize = 32;
/// So many servers stay in the second-level cache: nothing need be touched ahead.
const NEAR: usize = 2_048;

/// The servers of a shard under the FIFO kernel.
#[derive(Debug)]
pub struct FifoServers {
    lines: Vec<Line>,
    spills: Vec<Spill>,
    refused: Vec<u32>,
    /// How many come to a server in this tick: 0, 1, or 2 for more.
    callers: Vec<u8>,
}

/// What has no place in the ring: finish time [ns] and sojourn time [ns].
type Spill = VecDeque<(Nanos, f32)>;

impl FifoServers {
    /// Memory a server takes [bytes].
    pub(crate) const SERVER_BYTES: usize =
        size_of::<Line>() + size_of::<Spill>() + size_of::<u32>() + size_of::<u8>();
    /// Memory an attempt takes that has no place beside its server [bytes].
    pub(crate) const SPILLED_BYTES: usize = size_of::<(Nanos, f32)>();
}

const _: () = assert!(size_of::<Line>() == 192, "a server is three cache lines");

/// One server: three cache lines.
#[derive(Clone, Debug)]
#[repr(C, align(64))]
struct Line {
    /// What the finish times in the ring count from [ns].
    epoch_ns: Nanos,
    /// The two parts of a [`LatencyMean`], apart so that the line has no gap.
    latency_last_ns: Nanos,
    /// Slot-time in service inside the window [ns].
    busy_ns: u64,
    latency_mean_ns: f32,
    /// Attempts that arrived, refused ones included.
    arrivals: u32,
    /// Attempts in the spill.
    spilled: u32,
    group: u16,
    head: u8,
    len: u8,
    ring: [Entry; RING],
}

/// An attempt in a server.
#[derive(Clone, Copy, Debug, Default)]
struct Entry {
    /// When it finishes, since the server's epoch [ns].
    finish_ns: u32,
    /// From arrival to finish [ns].
    sojourn_ns: f32,
}

/// A finish time in the spill [ns].
#[cold]
#[inline(never)]
fn spilled_finish_ns(spills: &[Spill], server: usize, position: usize) -> Nanos {
    spills[server][position].0
}

impl Line {
    #[inline]
    const fn at(&self, position: usize) -> usize {
        (self.head as usize + position) % RING
    }

    #[inline]
    const fn in_server(&self) -> u32 {
        self.len as u32 + self.spilled
    }

    #[inline]
    const fn latency(&self) -> LatencyMean {
        LatencyMean { mean_ns: self.latency_mean_ns, last_ns: self.latency_last_ns }
    }

    /// The `position`-th finish time [ns].
    #[inline]
    fn finish_ns(&self, spills: &[Spill], server: usize, position: usize) -> Nanos {
        if position < self.len as usize {
            self.epoch_ns + Nanos::from(self.ring[self.at(position)].finish_ns)
        } else {
            spilled_finish_ns(spills, server, position - self.len as usize)
        }
    }

    /// Takes out everything that finished before `limit_ns`.
    #[expect(
        clippy::inline_always,
        reason = "a call saves and restores every register: 20 instructions"
    )]
    #[inline(always)]
    fn complete_before(
        &mut self,
        spills: &mut [Spill],
        server: usize,
        limit_ns: Nanos,
        alpha: f32,
    ) {
        let limit = limit_ns - self.epoch_ns;
        loop {
            if self.len == 0 {
                // Cold: the ring is refilled, and its epoch with it.
                if self.spilled > 0 && self.refill(spills, server, limit_ns) {
                    return self.complete_before(spills, server, limit_ns, alpha);
                }
                return;
            }
            let Entry { finish_ns, sojourn_ns } = self.ring[self.at(0)];
            if Nanos::from(finish_ns) >= limit {
                return;
            }
            let finish_ns = self.epoch_ns + Nanos::from(finish_ns);
            let mut latency = self.latency();
            latency.observe(finish_ns, sojourn_ns, alpha);
            (self.latency_mean_ns, self.latency_last_ns) = (latency.mean_ns, latency.last_ns);
            self.head = self.at(1) as u8;
            self.len -= 1;
        }
    }

    /// Moves what fits from the spill into the empty ring, if its first is due before `limit_ns`:
    /// so the new epoch is past no later arrival. False when it is not.
    #[cold]
    #[inline(never)]
    fn refill(&mut self, spills: &mut [Spill], server: usize, limit_ns: Nanos) -> bool {
        let spill = &mut spills[server];
        match spill.front() {
            Some(first) if first.0 < limit_ns => self.epoch_ns = first.0,
            _ => return false,
        }
        self.take_back(spill);
        true
    }

    /// Moves from the spill what the ring has room for.
    fn take_back(&mut self, spill: &mut Spill) {
        while (self.len as usize) < RING
            && let Some(&(finish_ns, sojourn_ns)) = spill.front()
            && let Ok(finish_ns) = u32::try_from(finish_ns - self.epoch_ns)
        {
            let back = self.at(self.len as usize);
            self.ring[back] = Entry { finish_ns, sojourn_ns };
            self.len += 1;
            self.spilled -= 1;
            spill.pop_front();
        }
    }

    #[inline]
    fn insert_in_ring(&mut self, finish_ns: u32, sojourn_ns: f32) {
        let mut hole = self.len as usize;
        while hole > 0 {
            let before = self.ring[self.at(hole - 1)];
            if before.finish_ns <= finish_ns {
                break;
            }
            let at = self.at(hole);
            self.ring[at] = before;
            hole -= 1;
        }
        let at = self.at(hole);
        self.ring[at] = Entry { finish_ns, sojourn_ns };
        self.len += 1;
    }

    /// Files an attempt when the ring is full, when there is a spill, or far ahead in time. `now_ns`
    /// is past no finish time.
    #[cold]
    #[inline(never)]
    fn insert_beyond(
        &mut self,
        (spills, server): (&mut [Spill], usize),
        now_ns: Nanos,
        finish_ns: Nanos,
        sojourn_ns: f32,
    ) {
        let spill = &mut spills[server];
        if finish_ns - self.epoch_ns > Nanos::from(u32::MAX) {
            self.rebase(now_ns);
        }
        self.take_back(spill);
        // The ring takes what finishes before its last, or before the spill if it is empty.
        let last = self.ring[self.at((self.len as usize).saturating_sub(1))];
        let last_ns = if self.len == 0 {
            spill.front().map_or(0, |first| first.0)
        } else {
            self.epoch_ns + Nanos::from(last.finish_ns)
        };
        match u32::try_from(finish_ns - self.epoch_ns) {
            Ok(finish)
                if finish_ns < last_ns || (self.spilled == 0 && (self.len as usize) < RING) =>
            {
                if self.len as usize == RING {
                    spill.push_front((last_ns, last.sojourn_ns));
                    self.spilled += 1;
                    self.len -= 1;
                }
                self.insert_in_ring(finish, sojourn_ns);
            }
            _ => {
                let later = spill.iter().rev().take_while(|entry| entry.0 > finish_ns).count();
                spill.insert(spill.len() - later, (finish_ns, sojourn_ns));
                self.spilled += 1;
            }
        }
    }

    /// Counts finish times from `now_ns`, which is past none of them.
    #[cold]
    fn rebase(&mut self, now_ns: Nanos) {
        let past = now_ns - self.epoch_ns;
        for position in 0..self.len as usize {
            let at = self.at(position);
            let finish_ns = Nanos::from(self.ring[at].finish_ns) - past;
            self.ring[at].finish_ns = finish_ns as u32;
        }
        self.epoch_ns = now_ns;
    }
}

impl FifoServers {
    /// Idle servers.
    pub fn new(setup: &Setup, first: u32, len: u32) -> Self {
        let line = |id| Line {
            epoch_ns: 0,
            latency_last_ns: 0,
            busy_ns: 0,
            latency_mean_ns: 0.0,
            arrivals: 0,
            spilled: 0,
            group: setup.group_of(ServerId(id)) as u16,
            head: 0,
            len: 0,
            ring: [Entry::default(); RING],
        };
        Self {
            lines: (first..first + len).map(line).collect(),
            spills: vec![Spill::new(); len as usize],
            refused: vec![0; len as usize],
            callers: vec![0; len as usize],
        }
    }

    /// Notes who is called in this tick, by attempts to the servers from `first` on. Once for all
    /// attempts of the tick, before [`Self::serve_lone`].
    #[inline]
    pub fn note_callers(&mut self, first: u32, attempts: &[Dispatch]) {
        let callers = &mut self.callers[..];
        for attempt in attempts {
            let callers = &mut callers[(attempt.server - first) as usize];
            *callers = 1 + u8::from(*callers > 0);
        }
    }

    /// Serves attempts of `node` to servers that nobody else calls in this tick; the others are put
    /// aside, for their order matters.
    #[inline]
    pub fn serve_lone(
        &mut self,
        shift: &mut Shift<'_>,
        first: u32,
        node: u32,
        attempts: &[Dispatch],
        aside: &mut Vec<Delivery>,
    ) {
        self.touch(attempts.iter().map(|attempt| attempt.server - first));
        for attempt in attempts {
            let Dispatch { offset_ns, server, slot, attempt, demand } = *attempt;
            let server = server - first;
            let delivery = Delivery { offset_ns, server, node, slot, attempt, demand };
            let callers = &mut self.callers[server as usize];
            if *callers == 1 {
                *callers = 0;
                self.serve_one(shift, &delivery);
            } else {
                aside.push(delivery);
            }
        }
    }

    /// Serves attempts in order: those to one server by (time, node, attempt).
    pub fn serve(&mut self, shift: &mut Shift<'_>, inbox: &[Delivery]) {
        for batch in inbox.chunks(AHEAD) {
            self.touch(batch.iter().map(|delivery| delivery.server));
            for delivery in batch {
                self.callers[delivery.server as usize] = 0;
                self.serve_another(shift, delivery);
            }
        }
    }

    /// Reads what serving will need. Loads that do not depend on each other overlap: one wait for
    /// memory instead of 32.
    #[inline]
    fn touch(&self, servers: impl Iterator<Item = u32>) {
        if self.lines.len() > NEAR {
            let touch = |sum, server| {
                let line = &self.lines[server as usize];
                sum ^ line.arrivals ^ line.ring[RING / 2].finish_ns ^ line.ring[RING - 1].finish_ns
            };
            std::hint::black_box(servers.fold(0, touch));
        }
    }

    /// The same, out of line.
    #[inline(never)]
    fn serve_another(&mut self, shift: &mut Shift<'_>, delivery: &Delivery) {
        self.serve_one(shift, delivery);
    }

    #[expect(
        clippy::inline_always,
        reason = "a call saves and restores every register: 20 instructions"
    )]
    #[inline(always)]
    fn serve_one(&mut self, shift: &mut Shift<'_>, delivery: &Delivery) {
        let Delivery { offset_ns, server, node, slot, attempt, demand } = *delivery;
        let at_ns = shift.start_ns + Nanos::from(offset_ns);
        let (status, done_ns) = self.admit(shift, at_ns, server as usize, demand);
        let answer_ns = done_ns + shift.answers.delay_ns(shift.setup, server);
        shift.out.push(&shift.setup.ticks, node, answer_ns, status, (slot, attempt));
    }

    /// Lets an attempt in or turns it away; returns when the server is done with it [ns].
    #[expect(
        clippy::inline_always,
        reason = "a call saves and restores every register: 20 instructions"
    )]
    #[inline(always)]
    fn admit(
        &mut self,
        shift: &mut Shift<'_>,
        at_ns: Nanos,
        server: usize,
        demand: u64,
    ) -> (Status, Nanos) {
        let setup = shift.setup;
        let line = &mut self.lines[server];
        // Completions go before arrivals of the same moment.
        line.complete_before(&mut self.spills, server, at_ns + 1, shift.alpha);
        line.arrivals = line.arrivals.wrapping_add(1);
        let group = &setup.groups[line.group as usize];
        let in_server = line.in_server();
        if in_server >= group.room {
            self.refused[server] += 1;
            return (Status::Refused, at_ns);
        }
        let begin_ns = if in_server < group.capacity {
            at_ns
        } else {
            line.finish_ns(&self.spills, server, (in_server - group.capacity) as usize)
        };
        assert!(begin_ns >= at_ns, "more than {} attempts in service", group.capacity);
        let finish_ns = begin_ns + group.service_ns(demand, setup.demand_is_service, None);
        if shift.sums.complete(setup, at_ns, begin_ns, finish_ns) {
            line.busy_ns += finish_ns - begin_ns;
        } else {
            line.busy_ns += overlap_ns(setup, begin_ns, finish_ns);
        }
        // By way of `i64`: one instruction, where `u64` takes a branch.
        let sojourn_ns = (finish_ns - at_ns).cast_signed() as f32;
        let since_epoch_ns = finish_ns - line.epoch_ns;
        let fits = line.spilled == 0 && (line.len as usize) < RING;
        if fits && since_epoch_ns <= Nanos::from(u32::MAX) {
            line.insert_in_ring(since_epoch_ns as u32, sojourn_ns);
        } else {
            line.insert_beyond((&mut self.spills, server), at_ns, finish_ns, sojourn_ns);
        }
        (Status::Ok, finish_ns)
    }

    /// See [`super::Servers::snapshot`].
    pub fn snapshot(&mut self, setup: &Setup, index: u32, at_ns: Nanos) -> Snapshot {
        let (active, waiting) = self.load(setup, index, at_ns);
        let line = &self.lines[index as usize];
        let latency = line.latency();
        Snapshot {
            active,
            waiting,
            capacity: setup.groups[line.group as usize].capacity,
            stage: Stage::Serving,
            latency_ns: latency.reported_ns(at_ns, setup.heartbeat.latency_decay_ns),
            up: true,
        }
    }

    /// See [`super::Servers::load`].
    pub fn load(&mut self, setup: &Setup, index: u32, at_ns: Nanos) -> (u32, u32) {
        let alpha = setup.heartbeat.latency_alpha as f32;
        let line = &mut self.lines[index as usize];
        line.complete_before(&mut self.spills, index as usize, at_ns, alpha);
        let in_server = line.in_server();
        let active = in_server.min(setup.groups[line.group as usize].capacity);
        (active, in_server - active)
    }

    /// Attempts that have arrived at a server (modulo 2^32).
    pub fn arrivals(&self, index: usize) -> u32 {
        self.lines[index].arrivals
    }

    /// See [`super::Servers::results`].
    pub fn result(&mut self, setup: &Setup, index: u32, end_ns: Nanos) -> ServerResult {
        let (active, waiting) = self.load(setup, index, end_ns);
        let line = &self.lines[index as usize];
        let refused = u64::from(self.refused[index as usize]);
        let admitted = u64::from(line.arrivals) - refused;
        ServerResult {
            admitted,
            refused,
            completed: admitted - u64::from(active) - u64::from(waiting),
            active: u64::from(active),
            waiting: u64::from(waiting),
            busy_ns: u128::from(line.busy_ns),
            ..ServerResult::default()
        }
    }
}
