//! How nodes of the reference engine judge: they look at every server on every boundary.

use std::collections::VecDeque;

use sim_core::config::OnNoServer;
use sim_core::ids::{NodeId, ServerId};
use sim_core::judge::Rules;
use sim_core::judge::checks::Flight;
use sim_core::judge::pacing::MISSES;
use sim_core::judge::track::Now;
use sim_core::policy::{Policy, least_bad};
use sim_core::result::Outcome;
use sim_core::setup::Setup;
use sim_core::time::Nanos;
use sim_core::view::{Candidates, Freshness};

use super::node::{Chooser, Node};
use super::requests::Ask;
use super::{Event, Reference};

/// A node's judgement, and who waits at it.
pub struct Bench {
    pub rules: Rules,
    /// Checks on their way; with what comes of them and when, once that is known.
    flights: Vec<(Flight, Option<(bool, u64)>)>,
    pub waiters: VecDeque<Waiter>,
    serial: u32,
    /// When to try the first of them again that the policy holds back [ns]; `None`: it does not.
    pub opens_ns: Option<Nanos>,
}

/// A request without a server.
#[derive(Clone, Copy)]
pub struct Waiter {
    pub serial: u32,
    pub ask: Ask,
}

impl Bench {
    pub fn new(setup: &Setup, node: NodeId) -> Self {
        let rules = Rules::new(setup, node);
        let (flights, waiters) = (Vec::new(), VecDeque::new());
        Self { rules, flights, waiters, serial: 0, opens_ns: None }
    }
}

impl Reference {
    /// Everything that nodes do on a boundary once all has been heard.
    pub(super) fn judge(&mut self, at_ns: Nanos) {
        let quantum_ns = self.setup.ticks.quantum_ns;
        let setup = &self.setup;
        if setup.judgement.oracle {
            for (id, server) in (0..).map(ServerId).zip(&self.servers) {
                self.oracle.look(id, server.snapshot(setup, at_ns));
            }
            for node in &mut self.nodes {
                node.chooser.shown(&self.oracle, &mut node.view);
            }
            self.oracle.close();
        }
        self.truth.advance(setup, at_ns / quantum_ns);
        let now = Now { setup, truth: &self.truth, quantum: at_ns / quantum_ns };
        for node in &mut self.nodes {
            node.judge(&now);
        }
        self.agenda.add(at_ns + quantum_ns, Event::Judge, &self.jobs);
    }

    /// Those who wait try again.
    pub(super) fn serve(&mut self, at_ns: Nanos, node: u32) {
        self.nodes[node as usize].serve(&self.setup, at_ns);
        self.carry_out(at_ns, node);
        self.plan_opening(node);
    }

    /// The policy may let somebody go who waits, unless it has changed its mind.
    pub(super) fn open(&mut self, at_ns: Nanos, node: u32) {
        if self.nodes[node as usize].bench.opens_ns == Some(at_ns) {
            self.serve(at_ns, node);
        }
    }

    /// Those held back are tried again.
    pub(super) fn plan_opening(&mut self, node: u32) {
        let Bench { opens_ns, waiters, .. } = &self.nodes[node as usize].bench;
        if let Some(opens_ns) = opens_ns.filter(|_| !waiters.is_empty()) {
            self.agenda.add(opens_ns, Event::Open { node }, &self.jobs);
        }
    }

    /// A request has begun to wait: it will not do so for ever.
    pub(super) fn plan_end_of_wait(&mut self, at_ns: Nanos, node: u32, serial: u32) {
        let (patience_ns, _) = patience(&self.setup);
        if let Some(end_ns) = at_ns.checked_add(patience_ns) {
            self.agenda.add(end_ns, Event::WaitEnd { node, serial }, &self.jobs);
        }
    }
}

/// How long a request waits for a server, and how that ends.
fn patience(setup: &Setup) -> (Nanos, Outcome) {
    let client = (setup.timeout_ns.unwrap_or(Nanos::MAX), Outcome::TimedOut);
    match setup.judgement.on_no_server {
        OnNoServer::Queue { timeout_ns, .. } if timeout_ns < client.0 => {
            (timeout_ns, Outcome::Rejected)
        }
        _ => client,
    }
}

impl Node {
    pub fn listen(&mut self, setup: &Setup, at_ns: Nanos) {
        let freshness = Freshness::new(&setup.ticks, at_ns, setup.silence_ns);
        self.view.listen(freshness.oldest_live(at_ns));
    }

    fn judge(&mut self, now: &Now<'_>) {
        let Self { view, bench: Bench { rules, flights, .. }, .. } = self;
        let servers = || (0..now.setup.servers).map(ServerId);
        if rules.is_running {
            for heard in view.take_heard() {
                rules.hear(now, &heard, view);
            }
            rules.track.follow(now, view);
            // Nothing to look at server by server is nothing to pay for: the control of the speed
            // figures has to be a fair one.
            let watched = rules.watches_rhythms();
            for server in servers().filter(|_| watched) {
                rules.suspect(now, server, view);
            }
        }
        let mut results: Vec<(u32, bool, Flight)> = Vec::new();
        flights.retain(|&(flight, end)| match end {
            Some((passed, quantum)) if quantum == now.quantum => {
                results.push((flight.server, passed, flight));
                false
            }
            _ => true,
        });
        results.sort_unstable_by_key(|&(server, passed, _)| (server, passed));
        for (_, passed, flight) in results {
            rules.checked(now, &flight, passed, view);
        }
        for (flight, end) in flights.iter_mut().filter(|(f, _)| f.arrival == now.quantum) {
            let answered = now.truth.answers_to(rules.node, ServerId(flight.server));
            end.get_or_insert(flight.outcome(answered));
        }
        let checked = rules.checks_servers() && now.quantum > 0;
        for server in servers().filter(|_| checked) {
            if rules.check_due(now.setup, server, now.quantum - 1) == Some(now.quantum)
                && let Some(flight) = rules.check(now, server, view)
            {
                flights.push((flight, flight.is_late().then(|| flight.outcome(false))));
            }
        }
        if rules.look_due(now.setup) == Some(now.quantum) {
            rules.look(now, view);
        }
        if !rules.is_running {
            return;
        }
        rules.bury(now, view);
        rules.settle(view);
        rules.track.observe(now, view);
        for server in rules.freed.drain(..) {
            self.chooser.on_report(server, &view.beliefs[server]);
        }
        rules.forgotten.drain(..).for_each(|server| self.talk.forget(server));
    }

    /// The first choice, made again for a server that is eased in; or the least bad server.
    pub fn choose_first(&mut self, setup: &Setup, at_ns: Nanos, key: u64) -> Option<ServerId> {
        let Some(server) = self.choose(setup, at_ns, key, None) else {
            let is_held_back = self.is_held_back(setup, at_ns);
            return if is_held_back { None } else { self.choose_least_bad(setup, at_ns) };
        };
        let warming = self.bench.rules.warming.as_mut();
        if warming.is_none_or(|warming| warming.stands(server, at_ns)) {
            return Some(server);
        }
        self.choose(setup, at_ns, key, Some(server)).or(Some(server))
    }

    fn choose_least_bad(&mut self, setup: &Setup, at_ns: Nanos) -> Option<ServerId> {
        if setup.judgement.on_no_server != OnNoServer::LeastBad {
            return None;
        }
        let freshness = Freshness::new(&setup.ticks, at_ns, setup.silence_ns);
        let candidates = Candidates::new(&self.view, &freshness, at_ns, None).within_pool();
        let stream = &mut self.streams.policy;
        let server = least_bad::choose(&self.view, &candidates, stream)?;
        self.bench.rules.findings().least_bad += 1;
        Some(server)
    }

    /// Nobody was chosen just now: asks the policy whether, and until when, it holds requests back.
    fn is_held_back(&mut self, setup: &Setup, at_ns: Nanos) -> bool {
        let freshness = Freshness::new(&setup.ticks, at_ns, setup.silence_ns);
        let candidates = Candidates::new(&self.view, &freshness, at_ns, None).within_pool();
        self.bench.opens_ns = match &self.chooser {
            Chooser::Shared(index) if setup.needs.holds_back && candidates.choosable() > 0 => {
                Some(index.held_until_ns()).filter(|&until_ns| until_ns < Nanos::MAX)
            }
            _ => None,
        };
        self.bench.opens_ns = self.bench.opens_ns.map(|until_ns| until_ns.max(at_ns + 1));
        self.bench.opens_ns.is_some()
    }

    /// Lets a request wait for a server, if there is room; returns its serial number.
    pub fn wait(&mut self, setup: &Setup, ask: Ask) -> Option<u32> {
        let waiting = self.bench.waiters.len();
        let may_wait = match setup.judgement.on_no_server {
            OnNoServer::Queue { limit, .. } => waiting < limit as usize,
            OnNoServer::Reject | OnNoServer::LeastBad => {
                waiting > 0 || self.bench.opens_ns.is_some()
            }
        };
        if !may_wait {
            return None;
        }
        let serial = self.bench.serial;
        self.bench.serial += 1;
        self.bench.waiters.push_back(Waiter { serial, ask });
        self.bench.rules.findings().queued += 1;
        Some(serial)
    }

    /// A request has waited long enough, unless it has been served.
    pub fn send_away(&mut self, setup: &Setup, serial: u32) {
        let place = self.bench.waiters.iter().position(|waiter| waiter.serial == serial);
        if let Some(waiter) = place.and_then(|place| self.bench.waiters.remove(place)) {
            let (_, outcome) = patience(setup);
            self.end_waiter(setup, &waiter, outcome);
        }
    }

    /// Serves those who wait, in order, while the policy finds a server with room.
    fn serve(&mut self, setup: &Setup, at_ns: Nanos) {
        let mut misses = 0;
        while let Some(&waiter) = self.bench.waiters.front() {
            let mut chosen = self.choose(setup, at_ns, waiter.ask.key, None);
            if chosen.is_none() {
                let queues = matches!(setup.judgement.on_no_server, OnNoServer::Queue { .. });
                if self.is_held_back(setup, at_ns) || queues {
                    break;
                }
                chosen = self.choose_least_bad(setup, at_ns);
            }
            let Some(server) = chosen else {
                self.bench.waiters.pop_front();
                self.end_waiter(setup, &waiter, Outcome::Rejected);
                continue;
            };
            if setup.needs.holds_back {
                self.bench.waiters.pop_front();
                self.open(setup, at_ns, waiter.ask, server);
                continue;
            }
            let belief = &self.view.beliefs[server];
            let load = self.view.load(belief);
            let room = u32::from(belief.capacity).saturating_sub(load);
            if room == 0 {
                misses += 1;
                if misses >= MISSES {
                    break;
                }
                continue;
            }
            self.bench.waiters.pop_front();
            self.open(setup, at_ns, waiter.ask, server);
            if let Some(pacing) = &mut self.bench.rules.pacing {
                pacing.send(server, room, &mut self.view);
            }
        }
    }
}
