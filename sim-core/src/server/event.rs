//! The event kernel: every attempt completes in an event of its own, so faults can take it,
//! hold it or change its speed.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use crate::config::Slowdown;
use crate::ids::ServerId;
use crate::network::{Responses, Status};
use crate::result::ServerResult;
use crate::setup::{Change, Setup};
use crate::time::Nanos;
use crate::wheel::Wheel;

use super::{Answers, Delivery, LatencyMean, Meters, Snapshot, TickSums, overlap_ns};

/// The servers of a shard under the event kernel.
#[derive(Debug)]
pub struct EventServers {
    servers: Vec<Server>,
    jobs: Vec<Job>,
    free: Vec<u32>,
    completions: Wheel<Completion>,
    /// Completions of the tick being served: [`Order`] and the job.
    due: BinaryHeap<Reverse<(Order, u32)>>,
    drained: Vec<Completion>,
}

/// Completions of one tick go by (offset, server, admission).
type Order = (u32, u32, u32);

#[derive(Clone, Debug, Default)]
struct Server {
    group: usize,
    down: Option<Down>,
    slow: Option<Slowdown>,
    /// Jobs in service, in no order.
    active: Vec<u32>,
    /// Jobs waiting, first in first.
    waiting: VecDeque<u32>,
    latency: LatencyMean,
    busy_ns: u64,
    arrivals: u32,
    admitted: u32,
    refused: u32,
    completed: u32,
    lost: u32,
    arrived_dead: u32,
}

#[derive(Clone, Copy, Debug)]
struct Down {
    silent: bool,
}

/// An admitted attempt.
#[derive(Clone, Copy, Debug, Default)]
struct Job {
    node: u32,
    slot: u32,
    attempt: u32,
    /// Running number of its admission at the server.
    admission: u32,
    demand: u64,
    arrived_ns: Nanos,
    begin_ns: Nanos,
    answer_delay_ns: Nanos,
    /// Position among the server's active jobs.
    position: u32,
    /// Counts the uses of this entry: a completion of an earlier use is void.
    use_count: u32,
}

#[derive(Clone, Copy, Debug, Default)]
struct Completion {
    offset_ns: u32,
    server: u32,
    job: u32,
    use_count: u32,
}

impl EventServers {
    /// Idle servers.
    pub fn new(setup: &Setup, first: u32, len: u32) -> Self {
        let server = |id| Server { group: setup.group_of(ServerId(id)), ..Server::default() };
        Self {
            servers: (first..first + len).map(server).collect(),
            jobs: Vec::new(),
            free: Vec::new(),
            completions: Wheel::new(1024),
            due: BinaryHeap::new(),
            drained: Vec::new(),
        }
    }

    /// See [`super::Servers::serve`].
    pub fn serve(
        &mut self,
        setup: &Setup,
        tick: u64,
        inbox: &[Delivery],
        answers: &mut Answers,
        meters: &mut Meters,
        out: &mut Responses,
    ) {
        let start_ns = setup.ticks.start_ns(tick);
        self.drained.clear();
        self.completions.take(tick, &mut self.drained);
        for completion in &self.drained {
            let job = &self.jobs[completion.job as usize];
            if job.use_count == completion.use_count {
                let order = (completion.offset_ns, completion.server, job.admission);
                self.due.push(Reverse((order, completion.job)));
            }
        }
        let mut inbox = inbox.iter().peekable();
        loop {
            let arrival = inbox.peek().map_or(u32::MAX, |d| d.offset_ns);
            // Completions go before arrivals of the same moment.
            if let Some(&Reverse((order, job))) = self.due.peek()
                && order.0 <= arrival
            {
                self.due.pop();
                let at_ns = start_ns + u64::from(order.0);
                self.complete(setup, tick, at_ns, order.1, job, meters, out);
            } else if let Some(delivery) = inbox.next() {
                let at_ns = start_ns + u64::from(delivery.offset_ns);
                let delay_ns = answers.delay_ns(setup, delivery.server);
                self.arrive(setup, tick, at_ns, delivery, delay_ns, out);
            } else {
                break;
            }
        }
    }

    fn arrive(
        &mut self,
        setup: &Setup,
        tick: u64,
        at_ns: Nanos,
        delivery: &Delivery,
        answer_delay_ns: Nanos,
        out: &mut Responses,
    ) {
        let server = &mut self.servers[delivery.server as usize];
        server.arrivals = server.arrivals.wrapping_add(1);
        let group = &setup.groups[server.group];
        let in_server = (server.active.len() + server.waiting.len()) as u32;
        let turned_away = match server.down {
            Some(down) => {
                server.arrived_dead += 1;
                Some((Status::Lost, down.silent))
            }
            None if in_server >= group.room => {
                server.refused += 1;
                Some((Status::Refused, false))
            }
            None => None,
        };
        if let Some((status, silent)) = turned_away {
            if !silent {
                let answer_ns = at_ns + answer_delay_ns;
                let name = (delivery.slot, delivery.attempt);
                out.push(&setup.ticks, delivery.node, answer_ns, status, name);
            }
            return;
        }
        server.admitted += 1;
        let admission = server.admitted;
        let free_slot = server.active.len() < group.capacity as usize;
        let index = self.free.pop().unwrap_or_else(|| {
            self.jobs.push(Job::default());
            (self.jobs.len() - 1) as u32
        });
        let job = &mut self.jobs[index as usize];
        *job = Job {
            node: delivery.node,
            slot: delivery.slot,
            attempt: delivery.attempt,
            admission,
            demand: delivery.demand,
            arrived_ns: at_ns,
            answer_delay_ns,
            use_count: job.use_count.wrapping_add(1),
            ..Job::default()
        };
        if free_slot {
            self.begin(setup, tick, at_ns, delivery.server, index);
        } else {
            server.waiting.push_back(index);
        }
    }

    /// Puts a job into a slot.
    fn begin(&mut self, setup: &Setup, tick: u64, at_ns: Nanos, server: u32, index: u32) {
        let state = &mut self.servers[server as usize];
        let group = &setup.groups[state.group];
        let job = &mut self.jobs[index as usize];
        job.begin_ns = at_ns;
        job.position = state.active.len() as u32;
        state.active.push(index);
        assert!(
            state.active.len() <= group.capacity as usize,
            "more than {} attempts in service",
            group.capacity
        );
        let service_ns = group.service_ns(job.demand, setup.demand_is_service, state.slow);
        let finish_ns = at_ns + service_ns;
        let finish_tick = setup.ticks.tick_of(finish_ns);
        let offset_ns = (finish_ns - setup.ticks.start_ns(finish_tick)) as u32;
        if finish_tick == tick {
            self.due.push(Reverse(((offset_ns, server, job.admission), index)));
        } else {
            let use_count = job.use_count;
            let completion = Completion { offset_ns, server, job: index, use_count };
            self.completions.push(finish_tick, completion);
        }
    }

    #[expect(clippy::too_many_arguments, reason = "one step of the loop above")]
    fn complete(
        &mut self,
        setup: &Setup,
        tick: u64,
        at_ns: Nanos,
        server: u32,
        index: u32,
        meters: &mut Meters,
        out: &mut Responses,
    ) {
        let job = self.jobs[index as usize];
        let state = &mut self.servers[server as usize];
        state.active.swap_remove(job.position as usize);
        if let Some(&moved) = state.active.get(job.position as usize) {
            self.jobs[moved as usize].position = job.position;
        }
        state.completed += 1;
        state.busy_ns += overlap_ns(setup, job.begin_ns, at_ns);
        let alpha = setup.heartbeat.latency_alpha as f32;
        state.latency.observe(at_ns, (at_ns - job.arrived_ns) as f32, alpha);
        let mut sums = TickSums::default();
        sums.complete(setup, job.arrived_ns, job.begin_ns, at_ns);
        sums.add_to(meters);
        let next = state.waiting.pop_front();
        let answer_ns = at_ns + job.answer_delay_ns;
        out.push(&setup.ticks, job.node, answer_ns, Status::Ok, (job.slot, job.attempt));
        self.release(index);
        if let Some(next) = next {
            self.begin(setup, tick, at_ns, server, next);
        }
    }

    fn release(&mut self, index: u32) {
        let job = &mut self.jobs[index as usize];
        job.use_count = job.use_count.wrapping_add(1);
        self.free.push(index);
    }

    /// See [`super::Servers::change`].
    pub fn change(
        &mut self,
        setup: &Setup,
        index: u32,
        at_ns: Nanos,
        change: Change,
        out: &mut Responses,
    ) {
        let server = &mut self.servers[index as usize];
        match change {
            Change::Slow(slowdown) => server.slow = Some(slowdown),
            Change::Heal => server.slow = None,
            Change::Recover => server.down = None,
            Change::Crash { silent } => {
                server.down = Some(Down { silent });
                server.latency = LatencyMean::default();
                let active = std::mem::take(&mut server.active);
                let waiting = std::mem::take(&mut server.waiting);
                server.lost += (active.len() + waiting.len()) as u32;
                for &job in &active {
                    let begin_ns = self.jobs[job as usize].begin_ns;
                    server.busy_ns += overlap_ns(setup, begin_ns, at_ns);
                }
                for job in active.into_iter().chain(waiting) {
                    let Job { node, slot, attempt, answer_delay_ns, .. } = self.jobs[job as usize];
                    if !silent {
                        let reset_ns = at_ns + answer_delay_ns;
                        out.push(&setup.ticks, node, reset_ns, Status::Lost, (slot, attempt));
                    }
                    self.release(job);
                }
            }
        }
    }

    /// See [`super::Servers::snapshot`].
    pub fn snapshot(&self, setup: &Setup, index: u32, at_ns: Nanos) -> Snapshot {
        let (active, waiting) = self.load(index);
        let server = &self.servers[index as usize];
        Snapshot {
            active,
            waiting,
            latency_ns: server.latency.reported_ns(at_ns, setup.heartbeat.latency_decay_ns),
            up: server.down.is_none(),
        }
    }

    /// See [`super::Servers::load`].
    pub fn load(&self, index: u32) -> (u32, u32) {
        let server = &self.servers[index as usize];
        (server.active.len() as u32, server.waiting.len() as u32)
    }

    /// See [`super::Servers::next_due`].
    pub fn next_due(&self) -> Option<u64> {
        self.completions.next_due()
    }

    /// Attempts that have arrived at a server (modulo 2^32).
    pub fn arrivals(&self, index: usize) -> u32 {
        self.servers[index].arrivals
    }

    /// See [`super::Servers::results`].
    pub fn result(&self, setup: &Setup, index: u32, end_ns: Nanos) -> ServerResult {
        let server = &self.servers[index as usize];
        let in_service: u64 = server
            .active
            .iter()
            .map(|&job| overlap_ns(setup, self.jobs[job as usize].begin_ns, end_ns))
            .sum();
        ServerResult {
            admitted: u64::from(server.admitted),
            refused: u64::from(server.refused),
            completed: u64::from(server.completed),
            lost: u64::from(server.lost),
            arrived_dead: u64::from(server.arrived_dead),
            active: server.active.len() as u64,
            waiting: server.waiting.len() as u64,
            busy_ns: u128::from(server.busy_ns + in_service),
            ..ServerResult::default()
        }
    }
}
