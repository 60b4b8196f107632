//! A server of the reference engine: a list of jobs in service and a queue.

use std::collections::VecDeque;

use sim_core::config::{AdaptiveLifo, CoDel, Discipline, Slowdown};
use sim_core::ids::ServerId;
use sim_core::network::{Stage, Status};
use sim_core::plan::Change;
use sim_core::result::ServerResult;
use sim_core::rng::{Purpose, RngExt, Stream};
use sim_core::server::{LatencyMean, Snapshot, overlap_ns};
use sim_core::setup::Setup;
use sim_core::setup::conduct::ConductSetup;
use sim_core::time::Nanos;

use super::pace::{Load, Pace};
use super::signals::Signals;

/// An attempt at a server.
#[derive(Clone, Copy, Debug, Default)]
pub struct Job {
    pub node: u32,
    pub slot: u32,
    pub attempt: u32,
    pub demand: u64,
    pub admission: u32,
    pub arrived_ns: Nanos,
    /// Where slots are shared, the slot-time given to everybody by then.
    pub begin_ns: Nanos,
    pub answer_delay_ns: Nanos,
    /// When service began.
    pub started_ns: Nanos,
    /// Who was there when it came.
    pub met: u32,
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

/// What becomes of the next that waits.
pub enum Start {
    /// There is no slot for it, or there is none.
    Nothing,
    /// It runs; the time of its end, where that is known [ns].
    Runs(u32, Option<Nanos>),
    Shed(u32),
}

/// Controlled delay, with the variables of `folly::Codel`.
struct Waits {
    min_delay_ns: Nanos,
    interval_time_ns: Nanos,
    reset_delay: bool,
    overloaded: bool,
}

impl Waits {
    const fn new() -> Self {
        Self { min_delay_ns: 0, interval_time_ns: 0, reset_delay: true, overloaded: false }
    }

    const fn sheds(&mut self, codel: CoDel, now_ns: Nanos, delay_ns: Nanos) -> bool {
        if now_ns > self.interval_time_ns && !self.reset_delay {
            self.reset_delay = true;
            self.interval_time_ns = now_ns + codel.interval_ns;
            self.overloaded = self.min_delay_ns > codel.target_ns;
        }
        if self.reset_delay {
            self.reset_delay = false;
            self.min_delay_ns = delay_ns;
            return false;
        }
        if delay_ns < self.min_delay_ns {
            self.min_delay_ns = delay_ns;
        }
        self.overloaded && delay_ns > 2 * codel.target_ns
    }
}

pub struct Server {
    active: Vec<u32>,
    waiting: VecDeque<u32>,
    /// Arrivals in the present herd interval.
    pub herd: u32,
    /// Apart, as all that is large and hardly ever needed: the control of the speed figures has to be
    /// a fair one.
    pub signals: Box<Signals>,
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
    /// Since when somebody has been waiting.
    queued_since_ns: Nanos,
    started_ns: Nanos,
    waits: Box<Waits>,
    pace: Option<Box<Pace>>,
}

impl Server {
    pub fn new(setup: &Setup, id: ServerId) -> Self {
        Self {
            active: Vec::new(),
            waiting: VecDeque::new(),
            herd: 0,
            signals: Box::new(Signals::new(setup, id)),
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
            queued_since_ns: 0,
            started_ns: 0,
            waits: Box::new(Waits::new()),
            pace: setup.groups[setup.group_of(id)]
                .conduct
                .as_ref()
                .filter(|conduct| conduct.has_pace())
                .map(|conduct| Box::new(Pace::new(setup, conduct, id))),
        }
    }

    pub fn load(&self) -> u32 {
        (self.active.len() + self.waiting.len()) as u32
    }

    fn conduct<'a>(&self, setup: &'a Setup) -> Option<&'a ConductSetup> {
        setup.groups[self.group].conduct.as_deref()
    }

    fn shares(&self, setup: &Setup) -> bool {
        self.conduct(setup).is_some_and(ConductSetup::shares)
    }

    /// In service and waiting; whoever shares a slot with another one is half in service.
    pub fn parts(&self, setup: &Setup) -> (u32, u32) {
        let active = self.active.len() as u32;
        let served = if self.shares(setup) { active.min(self.slots) } else { active };
        (served, self.load() - served)
    }

    /// Works on up to `at_ns`: to be called before anything happens here.
    pub fn advance(&mut self, setup: &Setup, at_ns: Nanos) {
        let (load, conduct) = (self.pace_load(), self.conduct(setup));
        if let (Some(pace), Some(conduct)) = (&mut self.pace, conduct) {
            pace.advance(setup, conduct, load, at_ns);
        }
    }

    fn pace_load(&self) -> Load {
        Load { slots: self.slots, active: self.active.len() as u32, in_server: self.load() }
    }

    /// Where the speed can change: when to look at the server next, and the number of that look.
    pub fn next_look(&mut self, setup: &Setup) -> Option<(Nanos, u32)> {
        let (load, conduct) = (self.pace_load(), self.conduct(setup));
        let pace = self.pace.as_mut()?;
        pace.generation += 1;
        Some((pace.next_ns(conduct?, load)?, pace.generation))
    }

    /// Where the speed can change: the job that is done by now, if the look of this number still
    /// counts. The second part is false if it does not.
    pub fn look(
        &mut self,
        setup: &Setup,
        at_ns: Nanos,
        generation: u32,
        jobs: &Jobs,
    ) -> (Option<u32>, bool) {
        if self.pace.as_ref().is_none_or(|pace| pace.generation != generation) {
            return (None, false);
        }
        self.advance(setup, at_ns);
        (self.pace.as_ref().and_then(|pace| pace.finished(jobs)), true)
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
        job.met = self.load();
        if self.waiting.is_empty() {
            self.queued_since_ns = at_ns;
        }
        self.waiting.push_back(id);
        None
    }

    /// How long one may wait here [ns].
    pub fn longest_wait_ns(&self, setup: &Setup) -> Option<Nanos> {
        self.conduct(setup)?.shed.queue_timeout_ns
    }

    /// Sheds a job that has waited too long, if it still waits.
    pub fn expire(&mut self, id: u32, admission: u32, jobs: &Jobs) -> bool {
        let waits = self.waiting.contains(&id) && jobs[id].admission == admission;
        if waits {
            self.waiting.retain(|&waiting| waiting != id);
            self.result.shed += 1;
        }
        waits
    }

    /// Moves who is next into a free slot, if there are both.
    pub fn start_next(&mut self, setup: &Setup, at_ns: Nanos, jobs: &mut Jobs) -> Start {
        let group = &setup.groups[self.group];
        let conduct = group.conduct.as_deref();
        if self.active.len() >= self.slots as usize && !self.shares(setup) {
            return Start::Nothing;
        }
        let shed = conduct.map(|conduct| conduct.shed).unwrap_or_default();
        let newest_first = match shed.adaptive_lifo {
            Some(AdaptiveLifo::Above(most)) => self.waiting.len() > most as usize,
            Some(AdaptiveLifo::After(ns)) => at_ns - self.queued_since_ns >= ns,
            None => conduct.is_some_and(|conduct| conduct.discipline == Discipline::Lifo),
        };
        let next = if newest_first { self.waiting.pop_back() } else { self.waiting.pop_front() };
        let Some(id) = next else { return Start::Nothing };
        if let Some(codel) = shed.codel
            && self.waits.sheds(codel, at_ns, at_ns - jobs[id].arrived_ns)
        {
            self.result.shed += 1;
            return Start::Shed(id);
        }
        self.active.push(id);
        let job = &mut jobs[id];
        (job.begin_ns, job.started_ns) = (at_ns, at_ns);
        let mut service_ns = group.service_ns(job.demand, setup.demand_is_service, self.slow);
        if let Some(conduct) = conduct {
            service_ns = conduct.cold_ns(service_ns, at_ns - self.started_ns);
        }
        let Some(pace) = &mut self.pace else {
            return Start::Runs(id, Some(at_ns + service_ns));
        };
        pace.begin(id, service_ns);
        if conduct.is_some_and(ConductSetup::shares) {
            job.begin_ns = pace.given_ns();
        }
        Start::Runs(id, None)
    }

    /// Slot-time in the window that a job in service has been given [ns].
    fn spent_ns(&self, setup: &Setup, at_ns: Nanos, job: &Job) -> Nanos {
        match &self.pace {
            Some(pace) if self.shares(setup) => pace.given_ns() - job.begin_ns,
            _ => overlap_ns(setup, job.begin_ns, at_ns),
        }
    }

    /// Ends a job and returns when its service began and its slot-time in the window; `None` when a crash or a cancellation has taken
    /// it before. The number of its admission tells it from a later one that is kept in the same
    /// place. Where slots are shared, its service is taken to be the last it had of its stay.
    pub fn complete(
        &mut self,
        setup: &Setup,
        at_ns: Nanos,
        admission: u32,
        id: u32,
        jobs: &Jobs,
    ) -> Option<(Nanos, Nanos)> {
        let job = &jobs[id];
        if !self.active.contains(&id) || job.admission != admission {
            return None;
        }
        let spent_ns = self.spent_ns(setup, at_ns, job);
        self.leave_slot(id);
        self.result.completed += 1;
        let alpha = setup.heartbeat.latency_alpha as f32;
        self.latency.observe(at_ns, (at_ns - job.arrived_ns) as f32, alpha);
        if self.shares(setup) {
            return Some((at_ns - spent_ns, spent_ns));
        }
        self.result.busy_ns += u128::from(spent_ns);
        Some((job.begin_ns, spent_ns))
    }

    fn leave_slot(&mut self, id: u32) {
        self.active.retain(|&active| active != id);
        if let Some(pace) = &mut self.pace {
            pace.remove(id);
        }
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
            let spent_ns = self.spent_ns(setup, at_ns, &jobs[id]);
            self.result.cancelled_ns += spent_ns;
            self.result.busy_ns += if self.shares(setup) { 0 } else { u128::from(spent_ns) };
        }
        self.leave_slot(id);
        self.waiting.retain(|&waiting| waiting != id);
        Some(id)
    }

    /// Slot-time in the window of the jobs in service, where it is not counted for all together.
    fn busy_ns(&self, setup: &Setup, until_ns: Nanos, jobs: &Jobs) -> u128 {
        if self.shares(setup) {
            return 0;
        }
        let busy = self.active.iter().map(|&id| overlap_ns(setup, jobs[id].begin_ns, until_ns));
        busy.map(u128::from).sum()
    }

    /// Breaks or heals; returns the attempts lost.
    pub fn change(&mut self, setup: &Setup, at_ns: Nanos, change: Change, jobs: &Jobs) -> Vec<u32> {
        match change {
            Change::Slow(slowdown) => self.slow = Some(slowdown),
            Change::Heal => self.slow = None,
            Change::Recover => {
                self.down = None;
                self.started_ns = at_ns;
            }
            Change::FailFast(share) => self.fail_share = share,
            Change::Sound => self.fail_share = 0.0,
            Change::Slots(slots) => self.slots = slots,
            Change::AllSlots => self.slots = setup.groups[self.group].capacity,
            Change::Join => {
                self.absent = false;
                self.started_ns = at_ns;
            }
            Change::Drain => self.stage = Stage::Draining,
            Change::Resume => self.stage = Stage::Serving,
            Change::Leave => self.stage = Stage::Leaving,
            Change::Crash { silent } => {
                self.down = Some(silent);
                if self.stage == Stage::Leaving {
                    self.absent = true;
                }
                self.latency = LatencyMean::default();
                self.signals.forget();
                self.result.busy_ns += self.busy_ns(setup, at_ns, jobs);
                self.result.lost += u64::from(self.load());
                *self.waits = Waits::new();
                self.pace.iter_mut().for_each(|pace| pace.clear());
                return self.active.drain(..).chain(self.waiting.drain(..)).collect();
            }
        }
        Vec::new()
    }

    /// Requests served, requests answered with an error, slots.
    pub const fn counted(&self) -> (u32, u32, u32) {
        (self.result.completed as u32, self.result.failed as u32, self.slots)
    }

    /// It would take work and has none.
    pub fn is_idle(&self) -> bool {
        self.is_up() && self.stage == Stage::Serving && self.load() == 0
    }

    pub const fn is_up(&self) -> bool {
        self.down.is_none() && !self.absent
    }

    pub const fn depart(&mut self) {
        self.absent = true;
    }

    pub fn snapshot(&self, setup: &Setup, at_ns: Nanos) -> Snapshot {
        let (active, waiting) = self.parts(setup);
        Snapshot {
            active,
            waiting,
            capacity: self.slots,
            stage: self.stage,
            latency_ns: self.latency.reported_ns(at_ns, setup.heartbeat.latency_decay_ns),
            up: self.is_up(),
        }
    }

    pub fn result(&mut self, setup: &Setup, end_ns: Nanos, jobs: &Jobs) -> ServerResult {
        self.advance(setup, end_ns);
        let (active, waiting) = self.parts(setup);
        let (slowed_ns, paused_ns) = self.pace.as_ref().map_or((0, 0), |pace| pace.taken_ns());
        let shared_ns = match &self.pace {
            Some(pace) if self.shares(setup) => pace.busy_ns,
            _ => 0,
        };
        ServerResult {
            active: u64::from(active),
            waiting: u64::from(waiting),
            busy_ns: self.result.busy_ns + self.busy_ns(setup, end_ns, jobs) + shared_ns,
            slowed_ns,
            paused_ns,
            ..self.result.clone()
        }
    }
}
