//! The event kernel: every attempt completes in an event of its own, so faults can take it,
//! hold it or change its speed.

mod line;
#[cfg(test)]
mod tests;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use crate::config::Slowdown;
use crate::ids::ServerId;
use crate::network::{Freight, Responses, Stage, Status};
use crate::plan::Change;
use crate::result::ServerResult;
use crate::rng::{Purpose, RngExt, Stream};
use crate::setup::{GroupSetup, Setup};
use crate::time::Nanos;
use crate::wheel::Wheel;

use line::Line;

use super::{Answers, Delivery, LatencyMean, Meters, Snapshot, TickSums, overlap_ns};

/// The servers of a shard under the event kernel.
#[derive(Debug)]
pub struct EventServers {
    servers: Vec<Server>,
    jobs: Vec<Job>,
    free: Vec<u32>,
    completions: Wheel<Completion>,
    /// Completions of the tick being served: [`Order`], the job and its use.
    due: BinaryHeap<Reverse<(Order, u32, u32)>>,
    drained: Vec<Completion>,
    /// Which job is which attempt: there from the first cancellation on.
    names: Option<BTreeMap<Name, u32>>,
}

/// Server, node and the node's number of an attempt.
type Name = (u32, u32, u32);

/// Completions of one tick go by (offset, server, admission).
type Order = (u32, u32, u32);

#[derive(Clone, Debug, Default)]
struct Server {
    group: usize,
    down: Option<Down>,
    /// Not yet added, or removed for good.
    absent: bool,
    slow: Option<Slowdown>,
    failing: Option<Box<Failing>>,
    /// Service slots.
    slots: u32,
    stage: Stage,
    /// Jobs in service, in no order.
    active: Vec<u32>,
    /// Jobs waiting.
    waiting: Line,
    latency: LatencyMean,
    busy_ns: u64,
    arrivals: u32,
    admitted: u32,
    refused: u32,
    completed: u32,
    lost: u32,
    cancelled: u32,
    cancelled_ns: u64,
    arrived_dead: u32,
    failed: u32,
}

#[derive(Clone, Copy, Debug)]
struct Down {
    silent: bool,
}

/// Answering attempts with an error at once.
#[derive(Clone, Debug)]
struct Failing {
    /// The chance; 0 while the server is sound.
    share: f64,
    stream: Stream,
}

impl Server {
    fn in_server(&self) -> u32 {
        (self.active.len() + self.waiting.len()) as u32
    }

    const fn is_up(&self) -> bool {
        self.down.is_none() && !self.absent
    }

    /// Decides about an attempt at the door: `None` lets it in, else the answer; the flag says
    /// that nobody is told.
    fn turn_away(
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
    /// Position among the server's active jobs, or place in its [`Line`].
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
    /// Memory a server takes, without its attempts [bytes].
    pub(crate) const SERVER_BYTES: usize = size_of::<Server>();
    /// Memory an attempt takes [bytes]: its job, its place at the server and among the free.
    pub(crate) const JOB_BYTES: usize = size_of::<Job>() + 2 * size_of::<u32>();
    /// Memory an attempt takes that can be cancelled, beyond its job [bytes]: an entry of a tree whose
    /// nodes are half full at least.
    pub(crate) const NAME_BYTES: usize = 2 * (size_of::<Name>() + size_of::<u32>());
    /// Memory a completion takes that is on its way [bytes].
    pub(crate) const COMPLETION_BYTES: usize = size_of::<Completion>();

    /// Idle servers.
    pub fn new(setup: &Setup, first: u32, len: u32) -> Self {
        let server = |id| {
            let group = setup.group_of(ServerId(id));
            let slots = setup.groups[group].capacity;
            Server { group, slots, absent: id >= setup.configured, ..Server::default() }
        };
        Self {
            servers: (first..first + len).map(server).collect(),
            jobs: Vec::new(),
            free: Vec::new(),
            completions: Wheel::new(1024),
            due: BinaryHeap::new(),
            drained: Vec::new(),
            names: None,
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
        for &Completion { offset_ns, server, job: index, use_count } in &self.drained {
            let job = &self.jobs[index as usize];
            if job.use_count == use_count {
                self.due.push(Reverse(((offset_ns, server, job.admission), index, use_count)));
            }
        }
        let mut inbox = inbox.iter().peekable();
        loop {
            let arrival = inbox.peek().map_or(u32::MAX, |d| d.offset_ns);
            // Completions go before arrivals of the same moment.
            if let Some(&Reverse((order, job, use_count))) = self.due.peek()
                && order.0 <= arrival
            {
                self.due.pop();
                // A job that was cancelled after this was filed leaves it void.
                if self.jobs[job as usize].use_count == use_count {
                    let at_ns = start_ns + u64::from(order.0);
                    self.complete(setup, tick, at_ns, order.1, job, meters, out);
                }
            } else if let Some(delivery) = inbox.next() {
                let at_ns = start_ns + u64::from(delivery.offset_ns);
                match delivery.freight() {
                    Freight::Attempt => {
                        let delay_ns = answers.delay_ns(setup, delivery.server);
                        self.arrive(setup, tick, at_ns, delivery, delay_ns, out);
                    }
                    Freight::Cancel => self.cancel(setup, tick, at_ns, delivery),
                    Freight::Probe => self.probe(setup, at_ns, delivery),
                }
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
        let alpha = setup.heartbeat.latency_alpha as f32;
        if let Some((status, silent)) = server.turn_away(group, at_ns, alpha) {
            if !silent {
                let answer_ns = at_ns + answer_delay_ns;
                let name = (delivery.slot, delivery.attempt);
                out.push(&setup.ticks, delivery.node, answer_ns, status, name);
            }
            return;
        }
        server.admitted += 1;
        let admission = server.admitted;
        let free_slot = server.active.len() < server.slots as usize;
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
        if let Some(names) = &mut self.names {
            names.insert((delivery.server, delivery.node, delivery.attempt), index);
        }
        if free_slot {
            self.begin(setup, tick, at_ns, delivery.server, index);
        } else {
            server.waiting.push(&mut self.jobs, index);
        }
    }

    /// Takes an attempt back that is here; its slot, if it had one, goes to the next.
    fn cancel(&mut self, setup: &Setup, tick: u64, at_ns: Nanos, delivery: &Delivery) {
        let name = (delivery.server, delivery.node, delivery.attempt);
        let Some(&index) = self.names().get(&name) else { return };
        let state = &mut self.servers[delivery.server as usize];
        state.cancelled += 1;
        let Job { position, begin_ns, .. } = self.jobs[index as usize];
        if state.active.get(position as usize) == Some(&index) {
            let spent_ns = overlap_ns(setup, begin_ns, at_ns);
            state.cancelled_ns += spent_ns;
            self.vacate(delivery.server, index, spent_ns);
            self.release(delivery.server, index);
            self.begin_next(setup, tick, at_ns, delivery.server);
        } else {
            state.waiting.remove(&self.jobs, index);
            self.release(delivery.server, index);
        }
    }

    /// Which job is which attempt. Nobody needs to know before the first cancellation.
    fn names(&mut self) -> &BTreeMap<Name, u32> {
        let Self { names, servers, jobs, .. } = self;
        names.get_or_insert_with(|| {
            let name = |server, index: u32| {
                let Job { node, attempt, .. } = jobs[index as usize];
                ((server, node, attempt), index)
            };
            let at_server = |(server, state): (u32, &Server)| {
                let here: Vec<u32> =
                    state.active.iter().copied().chain(state.waiting.iter()).collect();
                here.into_iter().map(move |index| name(server, index))
            };
            (0u32..).zip(servers.iter()).flat_map(at_server).collect()
        })
    }

    /// Takes a question about a server's load. Nobody asks yet, so nobody answers.
    #[expect(clippy::unused_self, reason = "the answer will read the server")]
    const fn probe(&self, _setup: &Setup, _at_ns: Nanos, _delivery: &Delivery) {}

    /// Puts a job into a slot.
    fn begin(&mut self, setup: &Setup, tick: u64, at_ns: Nanos, server: u32, index: u32) {
        let state = &mut self.servers[server as usize];
        let group = &setup.groups[state.group];
        let job = &mut self.jobs[index as usize];
        job.begin_ns = at_ns;
        job.position = state.active.len() as u32;
        state.active.push(index);
        assert!(
            state.active.len() <= state.slots as usize,
            "more than {} attempts in service",
            state.slots
        );
        let service_ns = group.service_ns(job.demand, setup.demand_is_service, state.slow);
        let finish_ns = at_ns + service_ns;
        let finish_tick = setup.ticks.tick_of(finish_ns);
        let offset_ns = (finish_ns - setup.ticks.start_ns(finish_tick)) as u32;
        let use_count = job.use_count;
        if finish_tick == tick {
            self.due.push(Reverse(((offset_ns, server, job.admission), index, use_count)));
        } else {
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
        let busy_ns = overlap_ns(setup, job.begin_ns, at_ns);
        self.vacate(server, index, busy_ns);
        let state = &mut self.servers[server as usize];
        state.completed += 1;
        let alpha = setup.heartbeat.latency_alpha as f32;
        state.latency.observe(at_ns, (at_ns - job.arrived_ns) as f32, alpha);
        let mut sums = TickSums::default();
        sums.complete(setup, job.arrived_ns, job.begin_ns, at_ns);
        sums.add_to(meters);
        let answer_ns = at_ns + job.answer_delay_ns;
        out.push(&setup.ticks, job.node, answer_ns, Status::Ok, (job.slot, job.attempt));
        out.note_service(&setup.ticks, (job.node, job.attempt), answer_ns, busy_ns);
        self.release(server, index);
        self.begin_next(setup, tick, at_ns, server);
    }

    /// Takes a job out of its slot, in which it has spent `busy_ns` of the window.
    fn vacate(&mut self, server: u32, index: u32, busy_ns: u64) {
        let position = self.jobs[index as usize].position;
        let state = &mut self.servers[server as usize];
        state.busy_ns += busy_ns;
        state.active.swap_remove(position as usize);
        if let Some(&moved) = state.active.get(position as usize) {
            self.jobs[moved as usize].position = position;
        }
    }

    /// Puts the next that waits into a free slot; false when there is none of either. With fewer
    /// slots than before, more than the slots may still be in service.
    fn begin_next(&mut self, setup: &Setup, tick: u64, at_ns: Nanos, server: u32) -> bool {
        let state = &mut self.servers[server as usize];
        if state.active.len() >= state.slots as usize {
            return false;
        }
        let Some(next) = state.waiting.pop_first() else { return false };
        self.begin(setup, tick, at_ns, server, next);
        true
    }

    fn release(&mut self, server: u32, index: u32) {
        let job = &mut self.jobs[index as usize];
        job.use_count = job.use_count.wrapping_add(1);
        if let Some(names) = &mut self.names {
            names.remove(&(server, job.node, job.attempt));
        }
        self.free.push(index);
    }

    /// See [`super::Servers::change`].
    pub fn change(
        &mut self,
        setup: &Setup,
        id: ServerId,
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
            Change::Crash { silent } => self.crash(setup, index, at_ns, silent, out),
            Change::FailFast(share) => {
                let stream = || setup.server_stream(Purpose::ServerFault, id);
                let failing = || Box::new(Failing { share, stream: stream() });
                server.failing.get_or_insert_with(failing).share = share;
            }
            Change::Sound => server.failing.iter_mut().for_each(|failing| failing.share = 0.0),
            Change::Slots(slots) => self.set_slots(setup, index, at_ns, slots),
            Change::AllSlots => {
                let slots = setup.groups[server.group].capacity;
                self.set_slots(setup, index, at_ns, slots);
            }
            Change::Join => server.absent = false,
            Change::Drain => server.stage = Stage::Draining,
            Change::Resume => server.stage = Stage::Serving,
            Change::Leave => server.stage = Stage::Leaving,
        }
    }

    fn crash(
        &mut self,
        setup: &Setup,
        index: u32,
        at_ns: Nanos,
        silent: bool,
        out: &mut Responses,
    ) {
        let server = &mut self.servers[index as usize];
        server.down = Some(Down { silent });
        // What was about to leave does not come back.
        server.absent |= server.stage == Stage::Leaving;
        server.latency = LatencyMean::default();
        let active = std::mem::take(&mut server.active);
        let waiting = std::mem::take(&mut server.waiting);
        server.lost += (active.len() + waiting.len()) as u32;
        for &job in &active {
            let begin_ns = self.jobs[job as usize].begin_ns;
            server.busy_ns += overlap_ns(setup, begin_ns, at_ns);
        }
        for job in active.into_iter().chain(waiting.iter()) {
            let Job { node, slot, attempt, answer_delay_ns, .. } = self.jobs[job as usize];
            if !silent {
                let reset_ns = at_ns + answer_delay_ns;
                out.push(&setup.ticks, node, reset_ns, Status::Lost, (slot, attempt));
            }
            self.release(index, job);
        }
    }

    /// Changes the number of slots; those that come free are taken at once.
    fn set_slots(&mut self, setup: &Setup, index: u32, at_ns: Nanos, slots: u32) {
        let tick = setup.ticks.tick_of(at_ns);
        self.servers[index as usize].slots = slots;
        while self.begin_next(setup, tick, at_ns, index) {}
    }

    /// A server that has said good-bye is gone.
    pub fn depart(&mut self, index: u32) {
        self.servers[index as usize].absent = true;
    }

    /// See [`super::Servers::snapshot`].
    pub fn snapshot(&self, setup: &Setup, index: u32, at_ns: Nanos) -> Snapshot {
        let (active, waiting) = self.load(index);
        let server = &self.servers[index as usize];
        Snapshot {
            active,
            waiting,
            capacity: server.slots,
            stage: server.stage,
            latency_ns: server.latency.reported_ns(at_ns, setup.heartbeat.latency_decay_ns),
            up: server.is_up(),
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
            cancelled: u64::from(server.cancelled),
            cancelled_ns: u128::from(server.cancelled_ns),
            arrived_dead: u64::from(server.arrived_dead),
            failed: u64::from(server.failed),
            active: server.active.len() as u64,
            waiting: server.waiting.len() as u64,
            busy_ns: u128::from(server.busy_ns + in_service),
            ..ServerResult::default()
        }
    }
}
