//! The event kernel: every attempt completes in an event of its own, so it can be taken back, held,
//! overtaken, or served at another speed.
//!
//! Two kinds of server. At a constant speed the finish time is known when service starts, and is filed.
//! Where the speed can change (`pace`), the server looks at itself when the first of its jobs
//! would be done or its surroundings change, and files the next look whenever the answer is another.

mod agenda; // what happens when
mod breakage; // what faults do
mod cancelling; // what nodes take back
mod codel; // who waited too long
mod line; // who waits
mod pace; // work at a speed that changes
mod shedding; // what is turned away after all
mod signals; // what servers say besides
mod state; // one server
mod surroundings; // what takes its speed
#[cfg(test)]
mod tests;

use crate::ids::ServerId;
use crate::network::{Freight, Responses, Status};
use crate::result::ServerResult;
use crate::setup::Setup;
use crate::time::Nanos;

use agenda::{Agenda, Due, Named, Step};
use cancelling::Names;
use pace::Pace;
use state::{Server, Temper};

use super::{Answers, Delivery, Meters, Snapshot, TickSums, overlap_ns};

/// The servers of a shard under the event kernel.
#[derive(Debug)]
pub struct EventServers {
    servers: Vec<Server>,
    jobs: Vec<Job>,
    free: Vec<u32>,
    agenda: Agenda,
    /// Which job is which attempt: there from the first cancellation on.
    names: Option<Names>,
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
    /// When service began [ns]; where slots are shared, and service begins on arrival, the reading of
    /// [`Pace::given_ns`] then.
    begin_ns: Nanos,
    answer_delay_ns: Nanos,
    /// When service began [ns].
    started_ns: Nanos,
    /// Requests in the server when it came, itself not counted.
    met: u32,
    /// Position among the server's active jobs, or place in its [`line::Line`].
    position: u32,
    /// Counts the uses of this entry: a step of an earlier use is void.
    use_count: u32,
}

impl EventServers {
    /// Memory a server takes, without its attempts [bytes].
    pub(crate) const SERVER_BYTES: usize = size_of::<Server>();
    /// Memory a server takes besides whose conduct is not plain [bytes].
    pub(crate) const TEMPER_BYTES: usize = size_of::<Temper>();
    /// Memory an attempt takes [bytes]: its job, its place at the server and among the free.
    pub(crate) const JOB_BYTES: usize = size_of::<Job>() + 2 * size_of::<u32>();
    /// Memory an attempt takes that can be cancelled, beyond its job [bytes].
    pub(crate) const NAME_BYTES: usize = cancelling::NAME_BYTES;
    /// Memory a step takes that is on its way [bytes].
    pub(crate) const STEP_BYTES: usize = size_of::<Due>();
    /// Memory a server takes to tell nodes how it is [bytes].
    pub(crate) const fn signals_bytes(setup: &Setup) -> usize {
        signals::Signals::bytes(setup)
    }
    /// Memory an attempt in service takes besides where the speed can change [bytes].
    pub(crate) const PACED_BYTES: usize = Pace::FINISH_BYTES;

    /// Idle servers.
    pub fn new(setup: &Setup, first: u32, len: u32) -> Self {
        Self {
            servers: (first..first + len).map(|id| Server::new(setup, ServerId(id))).collect(),
            jobs: Vec::new(),
            free: Vec::new(),
            agenda: Agenda::new(),
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
        self.agenda.open(tick);
        let mut inbox = inbox.iter().peekable();
        loop {
            // What happens at the servers goes before what arrives at the same moment.
            let arrival = inbox.peek().map_or(u32::MAX, |d| d.offset_ns);
            if let Some(Due { offset_ns, server, step }) = self.agenda.next(arrival) {
                let at_ns = start_ns + u64::from(offset_ns);
                match step {
                    Step::Complete(Named { job, use_count, .. }) => {
                        if self.jobs[job as usize].use_count == use_count {
                            self.complete(setup, tick, at_ns, server, job, meters, out);
                        }
                    }
                    Step::Look(generation) => {
                        self.look(setup, tick, at_ns, (server, generation), meters, out);
                    }
                    Step::Expire(job) => self.expire(setup, tick, at_ns, server, job, out),
                }
            } else if let Some(delivery) = inbox.next() {
                let at_ns = start_ns + u64::from(delivery.offset_ns);
                match delivery.freight() {
                    Freight::Attempt => {
                        let delay_ns = answers.delay_ns(setup, delivery.server);
                        self.arrive(setup, tick, at_ns, delivery, delay_ns, out);
                    }
                    Freight::Cancel => self.cancel(setup, tick, at_ns, delivery, out),
                    Freight::Probe => self.answer_probe(setup, at_ns, delivery, out),
                    Freight::Reply => self.take_reply(setup, at_ns, delivery, out),
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
        let met = server.in_server();
        let admission = server.admitted;
        let free_slot = server.has_free_slot(group.conduct.as_deref());
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
            met,
            use_count: job.use_count.wrapping_add(1),
            ..Job::default()
        };
        if let Some(names) = &mut self.names {
            names.insert((delivery.server, delivery.node, delivery.attempt), index);
        }
        self.catch_up(setup, delivery.server, at_ns);
        if free_slot {
            if !self.sheds(setup, at_ns, delivery.server, index, out) {
                self.begin(setup, tick, at_ns, delivery.server, index);
            }
        } else {
            self.queue(setup, tick, at_ns, delivery.server, index);
        }
        self.settle(setup, at_ns, delivery.server, Some(delivery.node), out);
        self.look_ahead(setup, tick, delivery.server);
    }

    /// Lets a job wait.
    fn queue(&mut self, setup: &Setup, tick: u64, at_ns: Nanos, server: u32, index: u32) {
        let state = &mut self.servers[server as usize];
        if let Some(temper) = &mut state.temper {
            if state.waiting.len() == 0 {
                temper.queued_since_ns = at_ns;
            }
            let shed = setup.groups[state.group].conduct.as_ref().map(|conduct| conduct.shed);
            if let Some(wait_ns) = shed.and_then(|shed| shed.queue_timeout_ns)
                && at_ns + wait_ns < setup.over_ns()
            {
                let expiry = Step::Expire(self.jobs[index as usize].named(index));
                self.agenda.file(setup, tick, at_ns + wait_ns, server, expiry);
            }
        }
        state.waiting.push(&mut self.jobs, index);
    }

    /// Puts a job into a slot.
    fn begin(&mut self, setup: &Setup, tick: u64, at_ns: Nanos, server: u32, index: u32) {
        let state = &mut self.servers[server as usize];
        let group = &setup.groups[state.group];
        let conduct = group.conduct.as_deref();
        assert!(state.has_free_slot(conduct), "more than {} attempts in service", state.slots);
        let job = &mut self.jobs[index as usize];
        (job.begin_ns, job.started_ns) = (at_ns, at_ns);
        job.position = state.active.len() as u32;
        state.active.push(index);
        let mut service_ns = group.service_ns(job.demand, setup.demand_is_service, state.slow);
        if let Some((conduct, temper)) = conduct.zip(state.temper.as_mut()) {
            service_ns = conduct.cold_ns(service_ns, at_ns - temper.started_ns);
            if let Some(pace) = &mut temper.pace {
                if conduct.shares() {
                    job.begin_ns = pace.given_ns();
                }
                pace.begin(index, job, service_ns);
                return;
            }
        }
        let step = Step::Complete(job.named(index));
        self.agenda.file(setup, tick, at_ns + service_ns, server, step);
    }

    /// Brings a server whose speed can change up to date, before anything happens there.
    fn catch_up(&mut self, setup: &Setup, server: u32, at_ns: Nanos) {
        let state = &mut self.servers[server as usize];
        if let Some(temper) = &mut state.temper
            && let Some(pace) = &mut temper.pace
            && let Some(conduct) = &setup.groups[state.group].conduct
        {
            pace.advance(setup, conduct, at_ns);
        }
    }

    /// Files when a server whose speed can change must look at itself, after something happened
    /// there.
    fn look_ahead(&mut self, setup: &Setup, tick: u64, server: u32) {
        let state = &mut self.servers[server as usize];
        let load = state.load();
        if let Some(temper) = &mut state.temper
            && let Some(pace) = &mut temper.pace
            && let Some(conduct) = &setup.groups[state.group].conduct
        {
            pace.set_load(conduct, load);
            if let Some((at_ns, generation)) = pace.file(setup, &self.jobs) {
                self.agenda.file(setup, tick, at_ns, server, Step::Look(generation));
            }
        }
    }

    /// A server whose speed can change looks at itself: one job may be done. If a second one is, the
    /// next look is at the same moment.
    fn look(
        &mut self,
        setup: &Setup,
        tick: u64,
        at_ns: Nanos,
        (server, generation): (u32, u32),
        meters: &mut Meters,
        out: &mut Responses,
    ) {
        let temper = self.servers[server as usize].temper.as_mut();
        let Some(pace) = temper.and_then(|temper| temper.pace.as_mut()) else { return };
        if !pace.is_due(generation) {
            return;
        }
        self.catch_up(setup, server, at_ns);
        let temper = self.servers[server as usize].temper.as_mut();
        let pace = temper.and_then(|temper| temper.pace.as_mut());
        if let Some(index) = pace.and_then(|pace| pace.take_finished(&self.jobs)) {
            self.complete(setup, tick, at_ns, server, index, meters, out);
        }
        self.look_ahead(setup, tick, server);
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
        let spent_ns = self.spent_ns(setup, at_ns, server, index);
        self.vacate(setup, server, index, spent_ns);
        let state = &mut self.servers[server as usize];
        let begin_ns = if state.shares(setup) { at_ns - spent_ns } else { job.begin_ns };
        state.completed += 1;
        let alpha = setup.heartbeat.latency_alpha as f32;
        state.latency.observe(at_ns, (at_ns - job.arrived_ns) as f32, alpha);
        let mut sums = TickSums::default();
        sums.complete(setup, job.arrived_ns, begin_ns, at_ns);
        sums.add_to(meters);
        let answer_ns = at_ns + job.answer_delay_ns;
        out.push(&setup.ticks, job.node, answer_ns, Status::Ok, (job.slot, job.attempt));
        out.note_service(&setup.ticks, (job.node, job.attempt), answer_ns, spent_ns);
        self.release(server, index);
        self.begin_next(setup, tick, at_ns, server, out);
        self.tell_of_completion(setup, at_ns, server, &job, out);
    }

    /// Slot-time inside the window that a job in service has been given [ns].
    fn spent_ns(&self, setup: &Setup, at_ns: Nanos, server: u32, index: u32) -> Nanos {
        let begin_ns = self.jobs[index as usize].begin_ns;
        let state = &self.servers[server as usize];
        let pace = state.temper.as_ref().and_then(|temper| temper.pace.as_ref());
        match pace {
            Some(pace) if state.shares(setup) => pace.given_ns() - begin_ns,
            _ => overlap_ns(setup, begin_ns, at_ns),
        }
    }

    /// Takes a job out of its slot, in which it has spent `spent_ns` of the window.
    fn vacate(&mut self, setup: &Setup, server: u32, index: u32, spent_ns: Nanos) {
        let position = self.jobs[index as usize].position;
        let state = &mut self.servers[server as usize];
        // Where slots are shared, the time in use is counted for all together.
        if !state.shares(setup) {
            state.busy_ns += spent_ns;
        }
        state.active.swap_remove(position as usize);
        if let Some(&moved) = state.active.get(position as usize) {
            self.jobs[moved as usize].position = position;
        }
    }

    /// Puts the next that waits into a free slot; false when there is none of either.
    fn begin_next(
        &mut self,
        setup: &Setup,
        tick: u64,
        at_ns: Nanos,
        server: u32,
        out: &mut Responses,
    ) -> bool {
        loop {
            let state = &mut self.servers[server as usize];
            let conduct = setup.groups[state.group].conduct.as_deref();
            if !state.has_free_slot(conduct) {
                return false;
            }
            let Some(next) = state.next_waiting(conduct, at_ns) else { return false };
            if !self.sheds(setup, at_ns, server, next, out) {
                self.begin(setup, tick, at_ns, server, next);
                return true;
            }
        }
    }

    fn release(&mut self, server: u32, index: u32) {
        let job = &mut self.jobs[index as usize];
        job.use_count = job.use_count.wrapping_add(1);
        if let Some(names) = &mut self.names {
            names.remove(&(server, job.node, job.attempt));
        }
        self.free.push(index);
    }

    /// A server that has said good-bye is gone.
    pub fn depart(&mut self, index: u32) {
        self.servers[index as usize].absent = true;
    }

    /// See [`super::Servers::snapshot`].
    pub fn snapshot(&self, setup: &Setup, index: u32, at_ns: Nanos) -> Snapshot {
        let (active, waiting) = self.load(setup, index);
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
    pub fn load(&self, setup: &Setup, index: u32) -> (u32, u32) {
        let server = &self.servers[index as usize];
        let active = server.active.len() as u32;
        // Where slots are shared, whoever is beyond them is taken to wait.
        let beyond = if server.shares(setup) { active.saturating_sub(server.slots) } else { 0 };
        (active - beyond, server.waiting.len() as u32 + beyond)
    }

    /// See [`super::Servers::next_due`].
    pub fn next_due(&self) -> Option<u64> {
        self.agenda.next_due()
    }

    /// Attempts that have arrived at a server (modulo 2^32).
    pub fn arrivals(&self, index: usize) -> u32 {
        self.servers[index].arrivals
    }

    /// See [`super::Servers::results`].
    pub fn result(&mut self, setup: &Setup, index: u32, end_ns: Nanos) -> ServerResult {
        self.catch_up(setup, index, end_ns);
        let (active, waiting) = self.load(setup, index);
        let server = &mut self.servers[index as usize];
        let shares = server.shares(setup);
        let in_service = |&job: &u32| overlap_ns(setup, self.jobs[job as usize].begin_ns, end_ns);
        let in_service: u64 = if shares { 0 } else { server.active.iter().map(in_service).sum() };
        let mut busy_ns = u128::from(server.busy_ns + in_service);
        let (mut slowed_ns, mut paused_ns) = (0, 0);
        if let Some(pace) = server.temper.as_mut().and_then(|temper| temper.pace.as_mut()) {
            (slowed_ns, paused_ns) = pace.taken_ns(setup);
            if shares {
                busy_ns = pace.busy_ns();
            }
        }
        ServerResult {
            admitted: u64::from(server.admitted),
            refused: u64::from(server.refused),
            completed: u64::from(server.completed),
            lost: u64::from(server.lost),
            shed: u64::from(server.shed),
            cancelled: u64::from(server.cancelled),
            cancelled_ns: server.cancelled_ns,
            arrived_dead: u64::from(server.arrived_dead),
            failed: u64::from(server.failed),
            active: u64::from(active),
            waiting: u64::from(waiting),
            busy_ns,
            slowed_ns,
            paused_ns,
            ..ServerResult::default()
        }
    }
}

impl Job {
    /// How a step names the job kept at `index`.
    const fn named(&self, index: u32) -> Named {
        Named { admission: self.admission, job: index, use_count: self.use_count }
    }

    /// Whether the job kept at `index`, which is in the server, is in a slot.
    fn is_in_service(&self, state: &Server, index: u32) -> bool {
        state.active.get(self.position as usize) == Some(&index)
    }
}
