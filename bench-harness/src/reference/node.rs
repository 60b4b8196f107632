//! A node of the reference engine: its view, its requests, its rules for retries.

use sim_core::config::{Arrivals, PolicyConfig};
use sim_core::ids::{NodeId, ServerId};
use sim_core::judge::track::Now;
use sim_core::meters::NodeMeters;
use sim_core::network::Report;
use sim_core::oracle::Oracle;
use sim_core::outcome;
use sim_core::policy::{Policy, SelectionIndex};
use sim_core::result::{NodeResult, Outcome};
use sim_core::rng::Stream;
use sim_core::roster::Roster;
use sim_core::selection::NodeStreams;
use sim_core::setup::Setup;
use sim_core::time::Nanos;
use sim_core::traffic::Traffic;
use sim_core::view::{Belief, Candidates, Freshness, View};

use super::agenda::Event;
use super::budgets::{Hedges, Purse};
use super::judge::Bench;
use super::peers::Talk;
use super::requests::{Ask, Request, Tries};
use super::scan::TierScan;
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
    Scan(TierScan),
}

impl Chooser {
    fn new(setup: &Setup, id: NodeId, choice: LatencyChoice, stream: &mut Stream) -> Self {
        match (&setup.policy, choice) {
            (PolicyConfig::LowestLatency(parameters), LatencyChoice::Scan) => {
                Self::Scan(TierScan::new(setup, parameters, stream))
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

/// What follows from what a node does, elsewhere or later.
pub enum Todo {
    /// An attempt arrives: when, where.
    Send(Nanos, u32, Job),
    /// Something happens.
    At(Nanos, Event),
    /// A request has ended that a client in a closed loop waited for; its node takes requests.
    Free { client: u32, is_up: bool },
}

pub struct Node {
    pub(super) id: NodeId,
    pub view: View,
    pub talk: Talk,
    /// What it makes of the servers.
    pub bench: Bench,
    pub meters: NodeMeters,
    pub traffic: Traffic,
    pub chooser: Chooser,
    pub streams: NodeStreams,
    /// It takes requests.
    pub is_up: bool,
    pub out: Vec<Todo>,
    pub(super) requests: Vec<Option<Request>>,
    /// The attempts of each of them, oldest first.
    pub(super) tries: Vec<Tries>,
    pub(super) free: Vec<u32>,
    pub(super) attempts: u32,
    pub(super) retry_purse: Purse,
    pub(super) hedges: Hedges,
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
            is_up: roster.is_up(id.0),
            out: Vec::new(),
            requests: Vec::new(),
            tries: Vec::new(),
            free: Vec::new(),
            attempts: 0,
            retry_purse: Purse::new(setup.clients.budget_min_per_s),
            hedges: Hedges::new(setup),
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
            if self.requests[slot].is_some() {
                self.end(setup, slot as u32, Outcome::Lost);
            }
        }
        for waiter in std::mem::take(&mut self.bench.waiters) {
            self.end_waiter(setup, &waiter, Outcome::Lost);
        }
        self.retry_purse.reset();
        self.hedges.reset();
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

    /// A request arrives. If it waits for a server, returns its serial number.
    pub fn arrive(&mut self, setup: &Setup, ask: Ask) -> Option<u32> {
        let at_ns = ask.arrived_ns;
        let measured = at_ns >= setup.window_start_ns;
        self.meters.counts[usize::from(measured)].arrived += 1;
        self.retry_purse.earn(setup.retry_budget_ppm);
        self.hedges.earn(setup);
        let chosen = if self.bench.waiters.is_empty() {
            self.choose_first(setup, at_ns, ask.key)
        } else {
            None
        };
        if let Some(server) = chosen {
            self.open(setup, at_ns, ask, server);
            return None;
        }
        let serial = self.wait(setup, ask);
        if serial.is_none() {
            self.meters.end(measured, Outcome::Rejected);
            self.set_free(ask.client);
        }
        serial
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
        if candidates.choosable() == 0 {
            return None;
        }
        match &mut self.chooser {
            Chooser::Shared(index) => index.choose(&candidates, &mut self.streams.policy),
            Chooser::Scan(scan) => {
                scan.choose(setup, &self.view, &candidates, &mut self.streams.policy)
            }
        }
    }

    pub fn result(&mut self, now: &Now<'_>) -> NodeResult {
        let left = self.requests.iter().flatten().map(|request| request.ask.arrived_ns);
        let left = left.chain(self.bench.waiters.iter().map(|waiter| waiter.ask.arrived_ns));
        let findings = self.bench.rules.finish(now, &self.view);
        outcome::node_result(now.setup, self.meters.clone(), findings, left)
    }
}
