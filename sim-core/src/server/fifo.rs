//! The FIFO kernel: finish times are known at admission, so no completion event exists.
//!
//! Invariants, per server
//! 1. `finish` holds the finish times of all attempts in the server, in service or waiting, in
//!    ascending order; equal times in the order of admission.
//! 2. First in, first out with `capacity` slots: whoever finds `n >= capacity` in the server starts
//!    when all but `capacity - 1` of them have left, at the `(n - capacity + 1)`-th finish time.
//!    (Kiefer and Wolfowitz 1955, written for finish times instead of slots.)
//! 3. The first eight are in the server's own two cache lines, the rest in `spill`; `spill` is
//!    empty unless those eight places are taken.
//!
//! A new finish time is inserted from the back: only attempts in service can finish later than it,
//! so an admission moves fewer than `capacity` entries.

use std::collections::VecDeque;

use crate::ids::{NodeId, ServerId};
use crate::network::{Responses, Status};
use crate::result::ServerResult;
use crate::setup::Setup;
use crate::time::Nanos;

use super::{Answers, Delivery, LatencyMean, Meters, Snapshot, answer, overlap_ns};

/// Attempts kept beside the server itself.
const INLINE: usize = 8;
/// How many servers ahead are touched, so that their cache lines arrive together.
const AHEAD: usize = 32;

/// The servers of a shard under the FIFO kernel.
#[derive(Debug)]
pub struct FifoServers {
    lines: Vec<Line>,
    spill: Vec<Option<Box<VecDeque<(Nanos, f32)>>>>,
    refused: Vec<u32>,
}

const _: () = assert!(size_of::<Line>() == 128, "a server is two cache lines");

/// One server: two cache lines.
#[derive(Clone, Debug)]
#[repr(C, align(64))]
struct Line {
    /// Ring of finish times [ns], starting at `head`.
    finish: [Nanos; INLINE],
    /// Sojourn times [ns] of the same attempts.
    sojourn_ns: [f32; INLINE],
    /// The two parts of a [`LatencyMean`], apart so that the line has no gap.
    latency_last_ns: Nanos,
    /// Slot-time in service inside the window [ns].
    busy_ns: u64,
    latency_mean_ns: f32,
    /// Attempts that arrived, refused ones included.
    arrivals: u32,
    /// Attempts in `spill`.
    spilled: u32,
    group: u16,
    head: u8,
    len: u8,
}

impl Line {
    const fn at(&self, position: usize) -> usize {
        (self.head as usize + position) % INLINE
    }

    const fn in_server(&self) -> u32 {
        self.len as u32 + self.spilled
    }

    const fn latency(&self) -> LatencyMean {
        LatencyMean { mean_ns: self.latency_mean_ns, last_ns: self.latency_last_ns }
    }
}

impl FifoServers {
    /// Idle servers.
    pub fn new(setup: &Setup, first: u32, len: u32) -> Self {
        let line = |id| Line {
            finish: [0; INLINE],
            sojourn_ns: [0.0; INLINE],
            latency_last_ns: 0,
            busy_ns: 0,
            latency_mean_ns: 0.0,
            arrivals: 0,
            spilled: 0,
            group: setup.group_of(ServerId(id)) as u16,
            head: 0,
            len: 0,
        };
        Self {
            lines: (first..first + len).map(line).collect(),
            spill: (0..len).map(|_| None).collect(),
            refused: vec![0; len as usize],
        }
    }

    /// See [`super::Servers::serve`].
    #[expect(clippy::too_many_arguments, reason = "the hot loop takes plain data, no self-owner")]
    pub fn serve(
        &mut self,
        setup: &Setup,
        tick: u64,
        first: u32,
        inbox: &[Delivery],
        answers: &mut Answers,
        meters: &mut Meters,
        out: &mut Responses,
    ) {
        let start_ns = setup.ticks.start_ns(tick);
        let alpha = setup.heartbeat.latency_alpha as f32;
        for batch in inbox.chunks(AHEAD) {
            // Loads that do not depend on each other overlap: one wait for memory instead of 32.
            let touched: u64 = batch
                .iter()
                .map(|d| {
                    let line = &self.lines[d.server as usize];
                    line.finish[0] ^ u64::from(line.arrivals)
                })
                .fold(0, |sum, word| sum ^ word);
            std::hint::black_box(touched);
            for delivery in batch {
                let at_ns = start_ns + u64::from(delivery.offset_ns);
                let (status, done_ns) = self.admit(setup, at_ns, delivery, alpha, meters);
                let delay_ns = answers.delay_ns(setup, delivery.server);
                answer(
                    out,
                    NodeId(delivery.node),
                    (delivery.slot, delivery.attempt),
                    ServerId(first + delivery.server),
                    status,
                    done_ns + delay_ns,
                );
            }
        }
    }

    /// Lets an attempt in or turns it away; returns when the server is done with it [ns].
    #[inline]
    fn admit(
        &mut self,
        setup: &Setup,
        at_ns: Nanos,
        delivery: &Delivery,
        alpha: f32,
        meters: &mut Meters,
    ) -> (Status, Nanos) {
        let server = delivery.server as usize;
        // Completions go before arrivals of the same moment.
        complete_before(&mut self.lines[server], &mut self.spill[server], at_ns + 1, alpha);
        let line = &mut self.lines[server];
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
            let leaver = (in_server - group.capacity) as usize;
            if leaver < INLINE {
                line.finish[line.at(leaver)]
            } else {
                self.spill[server].as_ref().map_or(0, |spill| spill[leaver - INLINE].0)
            }
        };
        assert!(begin_ns >= at_ns, "more than {} attempts in service", group.capacity);
        let finish_ns = begin_ns + group.service_ns(delivery.demand, setup.demand_is_service, None);
        line.busy_ns += overlap_ns(setup, begin_ns, finish_ns);
        meters.complete(setup, at_ns, begin_ns, finish_ns);
        insert(line, &mut self.spill[server], finish_ns, (finish_ns - at_ns) as f32);
        (Status::Ok, finish_ns)
    }

    /// See [`super::Servers::snapshot`].
    pub fn snapshot(&mut self, setup: &Setup, index: u32, at_ns: Nanos) -> Snapshot {
        let (active, waiting) = self.load(setup, index, at_ns);
        let latency = self.lines[index as usize].latency();
        Snapshot {
            active,
            waiting,
            latency_ns: latency.reported_ns(at_ns, setup.heartbeat.latency_decay_ns),
            up: true,
        }
    }

    /// See [`super::Servers::load`].
    pub fn load(&mut self, setup: &Setup, index: u32, at_ns: Nanos) -> (u32, u32) {
        let alpha = setup.heartbeat.latency_alpha as f32;
        let line = &mut self.lines[index as usize];
        complete_before(line, &mut self.spill[index as usize], at_ns, alpha);
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

/// Takes out everything that finished before `limit_ns`.
#[inline]
fn complete_before(
    line: &mut Line,
    spill: &mut Option<Box<VecDeque<(Nanos, f32)>>>,
    limit_ns: Nanos,
    alpha: f32,
) {
    while line.len > 0 && line.finish[line.head as usize] < limit_ns {
        let head = line.head as usize;
        let mut latency = line.latency();
        latency.observe(line.finish[head], line.sojourn_ns[head], alpha);
        (line.latency_mean_ns, line.latency_last_ns) = (latency.mean_ns, latency.last_ns);
        line.head = line.at(1) as u8;
        line.len -= 1;
        if line.spilled > 0
            && let Some((finish_ns, sojourn_ns)) = spill.as_mut().and_then(|s| s.pop_front())
        {
            let back = line.at(line.len as usize);
            line.finish[back] = finish_ns;
            line.sojourn_ns[back] = sojourn_ns;
            line.len += 1;
            line.spilled -= 1;
        }
    }
}

/// Files an attempt by its finish time, behind its equals.
#[inline]
fn insert(
    line: &mut Line,
    spill: &mut Option<Box<VecDeque<(Nanos, f32)>>>,
    finish_ns: Nanos,
    sojourn_ns: f32,
) {
    if line.len as usize == INLINE {
        let back = line.at(INLINE - 1);
        let spill = spill.get_or_insert_default();
        line.spilled += 1;
        if finish_ns >= line.finish[back] {
            let later = spill.iter().rev().take_while(|entry| entry.0 > finish_ns).count();
            spill.insert(spill.len() - later, (finish_ns, sojourn_ns));
            return;
        }
        spill.push_front((line.finish[back], line.sojourn_ns[back]));
        line.len -= 1;
    }
    let mut hole = line.len as usize;
    while hole > 0 && line.finish[line.at(hole - 1)] > finish_ns {
        let (from, to) = (line.at(hole - 1), line.at(hole));
        line.finish[to] = line.finish[from];
        line.sojourn_ns[to] = line.sojourn_ns[from];
        hole -= 1;
    }
    let at = line.at(hole);
    line.finish[at] = finish_ns;
    line.sojourn_ns[at] = sojourn_ns;
    line.len += 1;
}
