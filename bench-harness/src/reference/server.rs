//! A server of the reference engine: a list of jobs in service and a queue.

use std::collections::VecDeque;

use sim_core::config::Slowdown;
use sim_core::ids::ServerId;
use sim_core::network::{Stage, Status};
use sim_core::plan::Change;
use sim_core::result::ServerResult;
use sim_core::rng::{Purpose, RngExt, Stream};
use sim_core::server::{LatencyMean, Snapshot, overlap_ns};
use sim_core::setup::Setup;
use sim_core::time::Nanos;

/// An attempt at a server.
#[derive(Clone, Copy, Debug, Default)]
pub struct Job {
    pub node: u32,
    pub slot: u32,
    pub attempt: u32,
    pub demand: u64,
    pub admission: u32,
    pub arrived_ns: Nanos,
    pub begin_ns: Nanos,
    pub answer_delay_ns: Nanos,
    /// Service inside the window.
    pub served_ns: Nanos,
}

/// All attempts at servers or on their way, by index: events carry four bytes instead of fifty.
#[derive(Default)]
pub struct Jobs {
    jobs: Vec<Job>,
    free: Vec<u32>,
}

impl Jobs {
    pub fn add(&mut self, job: Job) -> u32 {
        if let Some(index) = self.free.pop() {
            self.jobs[index as usize] = job;
            return index;
        }
        self.jobs.push(job);
        (self.jobs.len() - 1) as u32
    }

    pub fn remove(&mut self, index: u32) {
        self.free.push(index);
    }
}

impl std::ops::Index<u32> for Jobs {
    type Output = Job;
    fn index(&self, index: u32) -> &Job {
        &self.jobs[index as usize]
    }
}

impl std::ops::IndexMut<u32> for Jobs {
    fn index_mut(&mut self, index: u32) -> &mut Job {
        &mut self.jobs[index as usize]
    }
}

pub struct Server {
    pub active: Vec<u32>,
    pub waiting: VecDeque<u32>,
    /// Arrivals in the present herd interval.
    pub herd: u32,
    group: usize,
    answer_stream: Stream,
    /// Crashed; the flag says whether silently.
    down: Option<bool>,
    /// Not yet added, or removed.
    absent: bool,
    slow: Option<Slowdown>,
    /// Chance of an error at once, and its stream, which starts with the first such fault.
    fail_share: f64,
    fail_stream: Stream,
    slots: u32,
    stage: Stage,
    latency: LatencyMean,
    result: ServerResult,
}

impl Server {
    pub fn new(setup: &Setup, id: ServerId) -> Self {
        Self {
            active: Vec::new(),
            waiting: VecDeque::new(),
            herd: 0,
            group: setup.group_of(id),
            answer_stream: setup.server_stream(Purpose::NetworkBack, id),
            down: None,
            absent: id.0 >= setup.configured,
            slow: None,
            fail_share: 0.0,
            fail_stream: setup.server_stream(Purpose::ServerFault, id),
            slots: setup.groups[setup.group_of(id)].capacity,
            stage: Stage::Serving,
            latency: LatencyMean::default(),
            result: ServerResult::default(),
        }
    }

    pub fn load(&self) -> u32 {
        (self.active.len() + self.waiting.len()) as u32
    }

    /// Takes an attempt into the queue, or says why not. A silent death says nothing, ever: its
    /// answer would arrive after the end of time.
    pub fn arrive(
        &mut self,
        setup: &Setup,
        at_ns: Nanos,
        id: u32,
        job: &mut Job,
    ) -> Option<Status> {
        self.herd += 1;
        self.result.picks +=
            u64::from(at_ns >= setup.window_start_ns && at_ns < setup.window_end_ns);
        job.answer_delay_ns = setup.server_node.sample_ns(&mut self.answer_stream);
        job.arrived_ns = at_ns;
        if let Some(silent) = self.down {
            self.result.arrived_dead += 1;
            if silent {
                job.answer_delay_ns = Nanos::MAX - at_ns;
            }
            return Some(Status::Lost);
        }
        if self.absent {
            self.result.arrived_dead += 1;
            return Some(Status::Lost);
        }
        if self.fail_share >= 1.0
            || self.fail_share > 0.0 && self.fail_stream.random_bool(self.fail_share)
        {
            self.result.failed += 1;
            self.latency.observe(at_ns, 0.0, setup.heartbeat.latency_alpha as f32);
            return Some(Status::Failed);
        }
        let group = &setup.groups[self.group];
        let backlog = group.room - group.capacity;
        let full = group.room < u32::MAX && self.load() >= backlog.saturating_add(self.slots);
        if full || self.stage != Stage::Serving {
            self.result.refused += 1;
            return Some(Status::Refused);
        }
        self.result.admitted += 1;
        job.admission = self.result.admitted as u32;
        self.waiting.push_back(id);
        None
    }

    /// Moves the head of the queue into a free slot, if there are both; returns when it finishes.
    pub fn start_next(
        &mut self,
        setup: &Setup,
        at_ns: Nanos,
        jobs: &mut Jobs,
    ) -> Option<(Nanos, u32)> {
        let group = &setup.groups[self.group];
        if self.active.len() >= self.slots as usize {
            return None;
        }
        let id = self.waiting.pop_front()?;
        self.active.push(id);
        let job = &mut jobs[id];
        job.begin_ns = at_ns;
        let service_ns = group.service_ns(job.demand, setup.demand_is_service, self.slow);
        Some((at_ns + service_ns, id))
    }

    /// Ends a job; false when a crash or a cancellation has taken it before. The number of its
    /// admission tells it from a later one that is kept in the same place.
    pub fn complete(
        &mut self,
        setup: &Setup,
        at_ns: Nanos,
        admission: u32,
        id: u32,
        jobs: &Jobs,
    ) -> bool {
        let job = &jobs[id];
        if !self.active.contains(&id) || job.admission != admission {
            return false;
        }
        self.active.retain(|&active| active != id);
        self.result.completed += 1;
        self.result.busy_ns += u128::from(overlap_ns(setup, job.begin_ns, at_ns));
        let alpha = setup.heartbeat.latency_alpha as f32;
        self.latency.observe(at_ns, (at_ns - job.arrived_ns) as f32, alpha);
        true
    }

    /// Takes back the attempt of this number, if it is here; returns its job.
    pub fn cancel(
        &mut self,
        setup: &Setup,
        at_ns: Nanos,
        (node, attempt): (u32, u32),
        jobs: &Jobs,
    ) -> Option<u32> {
        let is_it = |id: &&u32| (jobs[**id].node, jobs[**id].attempt) == (node, attempt);
        let id = *self.active.iter().chain(&self.waiting).find(is_it)?;
        self.result.cancelled += 1;
        if self.active.contains(&id) {
            let spent_ns = u128::from(overlap_ns(setup, jobs[id].begin_ns, at_ns));
            self.result.busy_ns += spent_ns;
            self.result.cancelled_ns += spent_ns;
        }
        self.active.retain(|&active| active != id);
        self.waiting.retain(|&waiting| waiting != id);
        Some(id)
    }

    fn busy_ns(&self, setup: &Setup, until_ns: Nanos, jobs: &Jobs) -> u128 {
        let busy = self.active.iter().map(|&id| overlap_ns(setup, jobs[id].begin_ns, until_ns));
        busy.map(u128::from).sum()
    }

    /// Breaks or heals; returns the attempts lost.
    pub fn change(&mut self, setup: &Setup, at_ns: Nanos, change: Change, jobs: &Jobs) -> Vec<u32> {
        match change {
            Change::Slow(slowdown) => self.slow = Some(slowdown),
            Change::Heal => self.slow = None,
            Change::Recover => self.down = None,
            Change::FailFast(share) => self.fail_share = share,
            Change::Sound => self.fail_share = 0.0,
            Change::Slots(slots) => self.slots = slots,
            Change::AllSlots => self.slots = setup.groups[self.group].capacity,
            Change::Join => self.absent = false,
            Change::Drain => self.stage = Stage::Draining,
            Change::Resume => self.stage = Stage::Serving,
            Change::Leave => self.stage = Stage::Leaving,
            Change::Crash { silent } => {
                self.down = Some(silent);
                if self.stage == Stage::Leaving {
                    self.absent = true;
                }
                self.latency = LatencyMean::default();
                self.result.busy_ns += self.busy_ns(setup, at_ns, jobs);
                self.result.lost += u64::from(self.load());
                return self.active.drain(..).chain(self.waiting.drain(..)).collect();
            }
        }
        Vec::new()
    }

    pub const fn depart(&mut self) {
        self.absent = true;
    }

    pub fn snapshot(&self, setup: &Setup, at_ns: Nanos) -> Snapshot {
        Snapshot {
            active: self.active.len() as u32,
            waiting: self.waiting.len() as u32,
            capacity: self.slots,
            stage: self.stage,
            latency_ns: self.latency.reported_ns(at_ns, setup.heartbeat.latency_decay_ns),
            up: self.down.is_none() && !self.absent,
        }
    }

    pub fn result(&self, setup: &Setup, end_ns: Nanos, jobs: &Jobs) -> ServerResult {
        ServerResult {
            active: self.active.len() as u64,
            waiting: self.waiting.len() as u64,
            busy_ns: self.result.busy_ns + self.busy_ns(setup, end_ns, jobs),
            ..self.result.clone()
        }
    }
}
