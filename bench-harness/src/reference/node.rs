//! A node of the reference engine: its view, its requests, its rules for retries.

use sim_core::answer::Answer;
use sim_core::config::{Arrivals, LatencyTies, LowestLatencyConfig, PolicyConfig};
use sim_core::ids::{NodeId, ServerId};
use sim_core::judge::track::Now;
use sim_core::latency_table::LatencyTable;
use sim_core::meters::{NodeMeters, RecentTable};
use sim_core::network::{Report, Status};
use sim_core::oracle::Oracle;
use sim_core::outcome;
use sim_core::policy::{self, Policy, SelectionIndex};
use sim_core::result::{NodeResult, Outcome};
use sim_core::rng::Stream;
use sim_core::roster::Roster;
use sim_core::selection::NodeStreams;
use sim_core::setup::Setup;
use sim_core::time::Nanos;
use sim_core::traffic::{Arrival, Traffic};
use sim_core::view::{Belief, Candidates, Freshness, View};

use super::judge::Bench;
use super::peers::Talk;
use super::server::Job;

/// How the reference finds the lowest latency.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LatencyChoice {
    /// By looking at every server: the oracle.
    Scan,
    /// With the heap of the windowed engine: the control of speed figures.
    Heap,
}

/// A policy of the reference engine.
pub enum Chooser {
    Shared(SelectionIndex),
    Scan(LatencyScan),
}

impl Chooser {
    fn new(setup: &Setup, id: NodeId, choice: LatencyChoice, stream: &mut Stream) -> Self {
        match (&setup.policy, choice) {
            (PolicyConfig::LowestLatency(parameters), LatencyChoice::Scan) => {
                let LowestLatencyConfig { own_sends: _, ties, capacity_gate } = *parameters;
                let mut rank = |_| match ties {
                    LatencyTies::Random => policy::tie_step(stream),
                    LatencyTies::Id => 0,
                };
                Self::Scan(LatencyScan {
                    rank: (0..setup.servers).map(&mut rank).collect(),
                    virtual_time: 0,
                    ties,
                    capacity_gate,
                })
            }
            _ => Self::Shared(SelectionIndex::new(setup, id, stream)),
        }
    }

    /// The node has merged a report. A scan has nothing to note.
    pub fn on_report(&mut self, server: ServerId, belief: &Belief) {
        if let Self::Shared(index) = self {
            index.on_report(server, belief);
        }
    }

    /// An oracle shows the node the truth.
    pub fn shown(&mut self, oracle: &Oracle, view: &mut View) {
        match self {
            Self::Shared(index) => oracle.show(view, index),
            Self::Scan(_) => oracle.show_to(view, |_, _| {}),
        }
    }
}

/// The seed rule, written the slow and obvious way.
pub struct LatencyScan {
    rank: Vec<u64>,
    virtual_time: u64,
    ties: LatencyTies,
    capacity_gate: bool,
}

impl LatencyScan {
    fn choose(&mut self, candidates: &Candidates<'_>, stream: &mut Stream) -> Option<ServerId> {
        let eligible =
            (0..candidates.len()).filter(|&s| candidates.is_eligible(s, self.capacity_gate));
        let keyed =
            eligible.map(|s| (candidates.belief(s).latency_ns.to_bits(), self.rank[s as usize], s));
        let (_, rank, server) = keyed.min()?;
        if self.ties == LatencyTies::Random {
            self.virtual_time = self.virtual_time.max(rank);
            self.rank[server as usize] = self.virtual_time + policy::tie_step(stream);
        }
        Some(ServerId(server))
    }
}

/// What becomes of a request that arrives.
pub enum Fate {
    /// Its first attempt: arrival, server, job.
    Sent((Nanos, u32, Job)),
    /// It waits under this serial number.
    Waits(u32),
    /// No server, no room.
    Rejected,
}

pub struct Node {
    id: NodeId,
    pub view: View,
    pub talk: Talk,
    /// What it makes of the servers.
    pub bench: Bench,
    pub meters: NodeMeters,
    pub traffic: Traffic,
    pub chooser: Chooser,
    pub streams: NodeStreams,
    requests: Vec<Option<Request>>,
    free: Vec<u32>,
    attempts: u32,
    /// Retries in hand [millionths].
    budget_ppm: u64,
}

#[derive(Clone, Copy)]
struct Request {
    arrived_ns: Nanos,
    demand: u64,
    key: u64,
    name: u32,
    attempt: u32,
    server: u32,
    tries: u32,
    /// When the present attempt left.
    sent_ns: Nanos,
}

impl Node {
    pub fn new(
        setup: &Setup,
        arrivals: &Arrivals,
        id: NodeId,
        choice: LatencyChoice,
        roster: &Roster,
    ) -> Self {
        let mut view = View::new(setup, setup.policy.corrects_own_sends());
        let mut bench = Bench::new(setup, id);
        bench.rules.narrow(setup, 0, &mut view);
        let mut streams = NodeStreams::new(setup, id);
        let chooser = Chooser::new(setup, id, choice, &mut streams.policy);
        Self {
            id,
            view,
            meters: NodeMeters::default(),
            traffic: Traffic::new(setup, arrivals, id),
            talk: Talk::new(setup, id, roster),
            bench,
            chooser,
            streams,
            requests: Vec::new(),
            free: Vec::new(),
            attempts: 0,
            budget_ppm: 10_000_000,
        }
    }

    pub fn is_idle(&self) -> bool {
        self.requests.len() == self.free.len() && self.bench.waiters.is_empty()
    }

    pub fn hear(&mut self, report: &Report) {
        self.meters.reports += 1;
        if self.view.merge(report) {
            let belief = &self.view.beliefs[ServerId(report.server)];
            self.chooser.on_report(ServerId(report.server), belief);
            self.talk.note(report, &self.view.versions);
        }
    }

    /// A request that nobody takes in ends at once.
    pub fn miss(&mut self, setup: &Setup, at_ns: Nanos, outcome: Outcome) {
        let measured = at_ns >= setup.window_start_ns;
        self.meters.counts[usize::from(measured)].arrived += 1;
        self.meters.end(measured, outcome);
    }

    /// The node stops, with everything it has in flight.
    pub fn stop(&mut self, setup: &Setup) {
        for slot in 0..self.requests.len() {
            if let Some(request) = self.requests[slot] {
                let measured = request.arrived_ns >= setup.window_start_ns;
                self.meters.end(measured, Outcome::Lost);
                self.close(slot as u32);
            }
        }
        for waiter in self.bench.waiters.drain(..) {
            let measured = waiter.arrived_ns >= setup.window_start_ns;
            self.meters.end(measured, Outcome::Lost);
        }
        self.budget_ppm = 10_000_000;
        self.bench.rules.stop(&self.view);
        self.talk.stop();
    }

    /// The node starts anew and knows nobody.
    pub fn start(&mut self, setup: &Setup, choice: LatencyChoice, starts: u32, quantum: u64) {
        self.bench.rules.start(quantum);
        self.view = View::empty(setup, setup.policy.corrects_own_sends());
        self.bench.rules.narrow(setup, quantum, &mut self.view);
        self.chooser = Chooser::new(setup, self.id, choice, &mut self.streams.policy);
        self.talk.start(setup, starts, quantum);
    }

    /// A request arrives.
    pub fn arrive(&mut self, setup: &Setup, at_ns: Nanos, arrival: &Arrival) -> Fate {
        let what = (arrival.demand, arrival.key);
        let measured = at_ns >= setup.window_start_ns;
        self.meters.counts[usize::from(measured)].arrived += 1;
        let earned = u64::from(setup.retry_budget_ppm);
        self.budget_ppm = (self.budget_ppm + earned).min(100_000_000);
        let chosen = if self.bench.waiters.is_empty() {
            self.choose_first(setup, at_ns, what.1)
        } else {
            None
        };
        if let Some(server) = chosen {
            Fate::Sent(self.open(setup, at_ns, at_ns, what, server))
        } else if let Some(serial) = self.wait(setup, at_ns, what) {
            Fate::Waits(serial)
        } else {
            self.meters.end(measured, Outcome::Rejected);
            Fate::Rejected
        }
    }

    /// Sends the first attempt of a request: arrival, server, job.
    pub fn open(
        &mut self,
        setup: &Setup,
        at_ns: Nanos,
        arrived_ns: Nanos,
        (demand, key): (u64, u64),
        server: ServerId,
    ) -> (Nanos, u32, Job) {
        let request = Request {
            arrived_ns,
            demand,
            key,
            name: self.attempts,
            attempt: self.attempts,
            server: server.0,
            tries: 0,
            sent_ns: at_ns,
        };
        let slot = self.free.pop().unwrap_or(self.requests.len() as u32);
        if slot as usize == self.requests.len() {
            self.requests.push(None);
        }
        self.dispatch(setup, at_ns, slot, request, server)
    }

    pub fn choose(
        &mut self,
        setup: &Setup,
        at_ns: Nanos,
        key: u64,
        exclude: Option<ServerId>,
    ) -> Option<ServerId> {
        let freshness = Freshness::new(&setup.ticks, at_ns, setup.silence_ns);
        let candidates =
            Candidates::new(&self.view, &freshness, at_ns, exclude).with_key(key).within_pool();
        match &mut self.chooser {
            Chooser::Shared(index) => index.choose(&candidates, &mut self.streams.policy),
            Chooser::Scan(scan) => scan.choose(&candidates, &mut self.streams.policy),
        }
    }

    fn dispatch(
        &mut self,
        setup: &Setup,
        at_ns: Nanos,
        slot: u32,
        request: Request,
        server: ServerId,
    ) -> (Nanos, u32, Job) {
        let attempt = self.attempts;
        self.attempts += 1;
        self.requests[slot as usize] = Some(Request {
            attempt,
            server: server.0,
            tries: request.tries + 1,
            sent_ns: at_ns,
            ..request
        });
        self.view.beliefs[server].own += 1;
        if let Chooser::Shared(index) = &mut self.chooser {
            index.on_send(server, &self.view.beliefs[server], at_ns);
        }
        self.meters.dispatched += 1;
        self.bench.rules.send(slot, at_ns);
        let delay_ns = setup.node_server.sample_ns(&mut self.streams.network);
        let job = Job { slot, attempt, demand: request.demand, ..Job::default() };
        (at_ns + delay_ns, server.0, job)
    }

    /// The server from which an answer to this attempt is awaited, if it is.
    pub fn awaits(&self, slot: u32, attempt: u32) -> Option<u32> {
        let request = self.requests[slot as usize].filter(|request| request.attempt == attempt);
        request.map(|request| request.server)
    }

    /// An answer arrives; returns the next attempt, if there is one.
    pub fn respond(
        &mut self,
        setup: &Setup,
        at_ns: Nanos,
        (slot, attempt): (u32, u32),
        status: Status,
        (latency, recent): (&mut [LatencyTable; 2], &mut RecentTable),
    ) -> Option<(Nanos, u32, Job)> {
        let request = self.requests[slot as usize].filter(|request| request.attempt == attempt)?;
        let server = ServerId(request.server);
        self.bench.rules.answer(slot, server, at_ns, Some(status), &mut self.view);
        self.release(setup, at_ns, &request, Some(status));
        let measured = request.arrived_ns >= setup.window_start_ns;
        let outcome = match status {
            Status::Ok => {
                let latency_ns = at_ns - request.arrived_ns;
                self.meters.latency_sum_ns[usize::from(measured)] += u128::from(latency_ns);
                let bucket = latency[usize::from(measured)].record(latency_ns);
                recent.record(bucket);
                Outcome::Ok
            }
            Status::Refused => {
                self.view.mark_full(server);
                Outcome::Refused
            }
            Status::Lost => Outcome::Lost,
            Status::Failed => Outcome::Failed,
        };
        if outcome != Outcome::Ok && request.tries <= setup.retries_max {
            if self.budget_ppm >= 1_000_000 {
                self.budget_ppm -= 1_000_000;
                if let Some(other) = self.choose(setup, at_ns, request.key, Some(server)) {
                    self.meters.retried += 1;
                    return Some(self.dispatch(setup, at_ns, slot, request, other));
                }
            } else {
                self.meters.retries_denied += 1;
            }
        }
        self.meters.end(measured, outcome);
        self.close(slot);
        None
    }

    /// The client of a request gives up; false when the request had ended.
    pub fn give_up(&mut self, setup: &Setup, at_ns: Nanos, slot: u32, name: u32) -> bool {
        let Some(request) = self.requests[slot as usize].filter(|request| request.name == name)
        else {
            return false;
        };
        let server = ServerId(request.server);
        self.bench.rules.answer(slot, server, at_ns, None, &mut self.view);
        self.release(setup, at_ns, &request, None);
        let measured = request.arrived_ns >= setup.window_start_ns;
        self.meters.end(measured, Outcome::TimedOut);
        self.close(slot);
        true
    }

    fn release(&mut self, setup: &Setup, at_ns: Nanos, request: &Request, status: Option<Status>) {
        let server = ServerId(request.server);
        let belief: &mut Belief = &mut self.view.beliefs[server];
        belief.own -= 1;
        if let Chooser::Shared(index) = &mut self.chooser {
            let sent_ns = if setup.needs.timed_answers { request.sent_ns } else { 0 };
            index.on_answer(server, belief, &Answer { at_ns, sent_ns, status });
        }
    }

    fn close(&mut self, slot: u32) {
        self.requests[slot as usize] = None;
        self.free.push(slot);
    }

    pub fn result(&mut self, now: &Now<'_>) -> NodeResult {
        let left = self.requests.iter().flatten().map(|request| request.arrived_ns);
        let left = left.chain(self.bench.waiters.iter().map(|waiter| waiter.arrived_ns));
        let findings = self.bench.rules.finish(now, &self.view);
        outcome::node_result(now.setup, self.meters.clone(), findings, left)
    }
}
