//! What a node of the reference engine does for its requests: attempts, retries, hedges.

use sim_core::answer::Answer;
use sim_core::config::{Avoid, RetryConcurrency};
use sim_core::ids::ServerId;
use sim_core::latency_table::LatencyTable;
use sim_core::meters::RecentTable;
use sim_core::network::Status;
use sim_core::policy::Policy;
use sim_core::result::{Outcome, RetryCause};
use sim_core::setup::Setup;
use sim_core::time::Nanos;
use sim_core::view::Belief;
use sim_core::view::barred::Reasons;
use smallvec::SmallVec;

use super::Reference;
use super::agenda::Event;
use super::judge::Waiter;
use super::node::{Chooser, Node, Todo};
use super::server::Job;

/// A request as it comes.
#[derive(Clone, Copy)]
pub struct Ask {
    pub arrived_ns: Nanos,
    pub demand: u64,
    pub key: u64,
    /// Who waits for its end, in a closed loop.
    pub client: Option<u32>,
}

#[derive(Clone, Copy)]
pub struct Request {
    pub ask: Ask,
    name: u32,
    retries: u32,
    hedges: u32,
    /// How the last attempt ended, and where.
    last: (Outcome, u32),
}

/// The attempts of a request. There is hardly ever a second one, so the first is kept in place.
pub type Tries = SmallVec<[Try; 1]>;

/// An attempt.
#[derive(Clone, Copy)]
pub struct Try {
    number: u32,
    server: u32,
    sent_ns: Nanos,
    is_hedge: bool,
    is_awaited: bool,
}

impl Reference {
    /// Something happens to a request at its node.
    pub(super) fn request(&mut self, at_ns: Nanos, event: Event) {
        match event {
            Event::Response { node, slot, attempt, status, served_ns } => {
                let at = &mut self.nodes[node as usize];
                let tables = (&mut self.latency, &mut self.recent);
                let server = at.awaits(slot, attempt);
                let cut = server.is_some_and(|server| self.links.cut_to_node(server, node));
                at.meters.answers_cut += u64::from(cut);
                if server.is_none() {
                    at.ignore(&self.setup, status, served_ns);
                } else if !cut {
                    at.respond(&self.setup, at_ns, (slot, attempt), status, tables);
                    self.carry_out(at_ns, node);
                    self.serve(at_ns, node);
                }
            }
            Event::Deadline { node, slot, name } => {
                if self.nodes[node as usize].give_up(&self.setup, at_ns, slot, name) {
                    self.carry_out(at_ns, node);
                    self.serve(at_ns, node);
                }
            }
            Event::GiveUp { node, slot, attempt } => {
                let at = &mut self.nodes[node as usize];
                if at.give_up_attempt(&self.setup, at_ns, slot, attempt) {
                    self.carry_out(at_ns, node);
                    self.serve(at_ns, node);
                }
            }
            Event::Retry { node, slot, name } => {
                self.nodes[node as usize].retry(&self.setup, at_ns, slot, name);
                self.carry_out(at_ns, node);
            }
            Event::Hedge { node, slot, attempt } => {
                self.nodes[node as usize].hedge(&self.setup, at_ns, slot, attempt);
                self.carry_out(at_ns, node);
            }
            Event::WaitEnd { node, serial } => {
                self.nodes[node as usize].send_away(&self.setup, serial);
                self.carry_out(at_ns, node);
            }
            _ => unreachable!("{event:?} concerns no request"),
        }
    }
}

impl Node {
    /// Sends the first attempt of a request.
    pub fn open(&mut self, setup: &Setup, at_ns: Nanos, ask: Ask, server: ServerId) {
        let slot = self.free.pop().unwrap_or(self.requests.len() as u32);
        if slot as usize == self.requests.len() {
            self.requests.push(None);
            self.tries.push(Tries::new());
            self.hedges.after.push(0);
        }
        let last = (Outcome::InFlight, 0);
        let name = self.attempts;
        self.requests[slot as usize] = Some(Request { ask, name, retries: 0, hedges: 0, last });
        if let Some(patience_ns) = setup.timeout_ns {
            let deadline = Event::Deadline { node: self.id.0, slot, name };
            self.out.push(Todo::At(ask.arrived_ns + patience_ns, deadline));
        }
        self.dispatch(setup, at_ns, slot, server, false);
        if setup.needs.probes {
            self.probe(setup, at_ns, ask.key);
        }
    }

    fn dispatch(
        &mut self,
        setup: &Setup,
        at_ns: Nanos,
        slot: u32,
        server: ServerId,
        is_hedge: bool,
    ) {
        let number = self.attempts;
        self.attempts += 1;
        let tried = Try { number, server: server.0, sent_ns: at_ns, is_hedge, is_awaited: true };
        self.tries[slot as usize].push(tried);
        self.view.beliefs[server].own += 1;
        if let Chooser::Shared(index) = &mut self.chooser {
            index.on_send(server, &self.view.beliefs[server], at_ns);
        }
        self.meters.dispatched += 1;
        let request = self.request(slot);
        let delay_ns = setup.node_server.sample_ns(&mut self.streams.network);
        let job = Job { slot, attempt: number, demand: request.ask.demand, ..Job::default() };
        self.out.push(Todo::Send(at_ns + delay_ns, server.0, job));
        let node = self.id.0;
        if let Some(patience_ns) = setup.clients.attempt_timeout_ns {
            let give_up = Event::GiveUp { node, slot, attempt: number };
            self.out.push(Todo::At(at_ns.saturating_add(patience_ns), give_up));
        }
        if let Some(hedge) = &setup.clients.hedge {
            self.hedges.after[slot as usize] = number;
            if request.hedges < hedge.max
                && let Some(delay_ns) = self.hedges.delay_ns(setup, at_ns)
            {
                let event = Event::Hedge { node, slot, attempt: number };
                self.out.push(Todo::At(at_ns.saturating_add(delay_ns), event));
            }
        }
    }

    fn request(&self, slot: u32) -> Request {
        self.requests[slot as usize].expect("a request is in the slot")
    }

    fn change(&mut self, slot: u32) -> &mut Request {
        self.requests[slot as usize].as_mut().expect("a request is in the slot")
    }

    fn awaited(&self, slot: u32) -> Option<Try> {
        self.tries[slot as usize].iter().rev().find(|tried| tried.is_awaited).copied()
    }

    fn find(&self, slot: u32, attempt: u32) -> Option<Try> {
        let mut tries = self.tries[slot as usize].iter();
        tries.find(|tried| tried.number == attempt && tried.is_awaited).copied()
    }

    /// The server from which an answer to this attempt is awaited, if it is.
    pub fn awaits(&self, slot: u32, attempt: u32) -> Option<u32> {
        self.find(slot, attempt).map(|tried| tried.server)
    }

    /// An answer comes that nobody waits for.
    pub fn ignore(&mut self, setup: &Setup, status: Status, served_ns: Nanos) {
        if status == Status::Ok && setup.is_careful() {
            self.meters.efforts.unawaited += 1;
            if setup.has_active_clients() {
                self.meters.efforts.wasted_ns += u128::from(served_ns);
            }
        }
    }

    /// An answer arrives that is waited for.
    pub fn respond(
        &mut self,
        setup: &Setup,
        at_ns: Nanos,
        (slot, attempt): (u32, u32),
        status: Status,
        (latency, recent): (&mut [LatencyTable; 2], &mut RecentTable),
    ) {
        let Some(tried) = self.find(slot, attempt) else { return };
        let server = ServerId(tried.server);
        self.bench.rules.answer(tried.sent_ns, server, at_ns, Some(status), &mut self.view);
        self.release(setup, at_ns, slot, &tried, Some(status));
        let outcome = match status {
            Status::Ok => {
                let arrived_ns = self.request(slot).ask.arrived_ns;
                let measured = arrived_ns >= setup.window_start_ns;
                let latency_ns = at_ns - arrived_ns;
                self.meters.latency_sum_ns[usize::from(measured)] += u128::from(latency_ns);
                let bucket = latency[usize::from(measured)].record(latency_ns);
                recent.record(bucket);
                self.meters.efforts.hedges_won += u64::from(tried.is_hedge);
                while let Some(loser) = self.awaited(slot) {
                    self.release(setup, at_ns, slot, &loser, None);
                    if setup.clients.hedge.as_ref().is_some_and(|hedge| hedge.cancel) {
                        self.cancel(setup, at_ns, &loser);
                    }
                }
                return self.end(setup, slot, Outcome::Ok);
            }
            Status::Refused => {
                self.view.mark_full(server);
                Outcome::Refused
            }
            Status::Lost => Outcome::Lost,
            Status::Failed => Outcome::Failed,
        };
        self.fail(setup, at_ns, slot, &tried, outcome);
    }

    /// An attempt has failed.
    fn fail(&mut self, setup: &Setup, at_ns: Nanos, slot: u32, tried: &Try, outcome: Outcome) {
        self.change(slot).last = (outcome, tried.server);
        if self.awaited(slot).is_some() {
            return;
        }
        let request = self.request(slot);
        let clients = &setup.clients;
        let on = match outcome {
            Outcome::Refused => clients.retry_on.refused,
            Outcome::Lost => clients.retry_on.lost,
            Outcome::Failed => clients.retry_on.failed,
            Outcome::TimedOut => clients.retry_on.timed_out,
            _ => false,
        };
        if !on || request.retries >= setup.retries_max {
            return self.end(setup, slot, outcome);
        }
        let wait_ns = match &clients.backoff {
            Some(backoff) => backoff.wait_ns(request.retries, &mut self.streams.backoff),
            None => 0,
        };
        let start_ns = at_ns.saturating_add(wait_ns);
        if let Some(patience_ns) = setup.timeout_ns
            && wait_ns > 0
            && start_ns >= request.ask.arrived_ns + patience_ns
        {
            return self.end(setup, slot, outcome);
        }
        let mut denied = false;
        if let Some(RetryConcurrency { share_ppm, min }) = clients.concurrency {
            let under_way = self.requests.iter().flatten().count() + self.bench.waiters.len();
            let share = u64::from(share_ppm) * under_way as u64 / 1_000_000;
            let retried = |(at, request): (usize, &Option<Request>)| {
                at != slot as usize && request.is_some_and(|request| request.retries > 0)
            };
            let others = self.requests.iter().enumerate().filter(|&it| retried(it)).count() as u64;
            denied = others >= share.max(min.into());
        }
        if denied || !self.retry_purse.spend(at_ns) {
            self.meters.retries_denied += 1;
            return self.end(setup, slot, outcome);
        }
        self.change(slot).retries += 1;
        if wait_ns == 0 {
            self.retry(setup, at_ns, slot, request.name);
        } else {
            let retry = Event::Retry { node: self.id.0, slot, name: request.name };
            self.out.push(Todo::At(start_ns, retry));
        }
    }

    fn is_named(&self, slot: u32, name: u32) -> bool {
        self.requests[slot as usize].is_some_and(|request| request.name == name)
    }

    /// A retry starts, unless the request has ended.
    pub fn retry(&mut self, setup: &Setup, at_ns: Nanos, slot: u32, name: u32) {
        if !self.is_named(slot, name) {
            return;
        }
        let Request { last: (outcome, last), ask, .. } = self.request(slot);
        let last = Some(ServerId(last));
        let chosen = match setup.clients.avoid {
            Avoid::Nobody => self.choose(setup, at_ns, ask.key, None),
            Avoid::Last => self.choose(setup, at_ns, ask.key, last),
            Avoid::Tried => self
                .choose_untried(setup, at_ns, slot)
                .or_else(|| self.choose(setup, at_ns, ask.key, last)),
        };
        let Some(server) = chosen else { return self.end(setup, slot, outcome) };
        self.meters.retried += 1;
        let cause = RetryCause::of(outcome).expect("what is retried has failed");
        self.meters.efforts.retried_for[cause as usize] += 1;
        self.dispatch(setup, at_ns, slot, server, false);
    }

    /// The request may be hedged, if it still waits for what was sent then.
    pub fn hedge(&mut self, setup: &Setup, at_ns: Nanos, slot: u32, attempt: u32) {
        if self.hedges.after[slot as usize] != attempt || self.awaited(slot).is_none() {
            return;
        }
        if !self.hedges.purse.spend(at_ns) {
            self.meters.efforts.hedges_denied += 1;
        } else if let Some(server) = self.choose_untried(setup, at_ns, slot) {
            self.meters.efforts.hedges += 1;
            self.change(slot).hedges += 1;
            self.dispatch(setup, at_ns, slot, server, true);
        }
    }

    fn choose_untried(&mut self, setup: &Setup, at_ns: Nanos, slot: u32) -> Option<ServerId> {
        let tried = self.tries[slot as usize].iter();
        let tried: Vec<ServerId> = tried.map(|tried| ServerId(tried.server)).collect();
        for &server in &tried {
            self.view.bar(server, Reasons::TRIED);
        }
        let chosen = self.choose(setup, at_ns, self.request(slot).ask.key, None);
        for server in tried.into_iter().rev() {
            if self.view.unbar(server, Reasons::TRIED) {
                self.chooser.on_report(server, &self.view.beliefs[server]);
            }
        }
        chosen
    }

    /// The client of a request gives up; false when the request had ended.
    pub fn give_up(&mut self, setup: &Setup, at_ns: Nanos, slot: u32, name: u32) -> bool {
        if !self.is_named(slot, name) {
            return false;
        }
        while let Some(tried) = self.awaited(slot) {
            self.lose_patience(setup, at_ns, slot, &tried);
        }
        self.end(setup, slot, Outcome::TimedOut);
        true
    }

    /// An attempt has taken too long; false when it had ended.
    pub fn give_up_attempt(
        &mut self,
        setup: &Setup,
        at_ns: Nanos,
        slot: u32,
        attempt: u32,
    ) -> bool {
        let Some(tried) = self.find(slot, attempt) else { return false };
        self.lose_patience(setup, at_ns, slot, &tried);
        self.meters.efforts.attempts_timed_out += 1;
        self.fail(setup, at_ns, slot, &tried, Outcome::TimedOut);
        true
    }

    fn lose_patience(&mut self, setup: &Setup, at_ns: Nanos, slot: u32, tried: &Try) {
        let server = ServerId(tried.server);
        self.bench.rules.answer(tried.sent_ns, server, at_ns, None, &mut self.view);
        self.release(setup, at_ns, slot, tried, None);
        if setup.clients.cancel_on_timeout {
            self.cancel(setup, at_ns, tried);
        }
    }

    fn cancel(&mut self, setup: &Setup, at_ns: Nanos, tried: &Try) {
        self.meters.efforts.cancels += 1;
        let delay_ns = setup.node_server.sample_ns(&mut self.streams.network);
        let Try { server, number: attempt, .. } = *tried;
        let cancel = Event::Cancel { server, node: self.id.0, attempt };
        self.out.push(Todo::At(at_ns + delay_ns, cancel));
    }

    fn release(
        &mut self,
        setup: &Setup,
        at_ns: Nanos,
        slot: u32,
        tried: &Try,
        status: Option<Status>,
    ) {
        let mut all = self.tries[slot as usize].iter_mut();
        let mine = all.find(|mine| mine.number == tried.number).expect("it is one of them");
        mine.is_awaited = false;
        if status.is_none_or(|status| status == Status::Ok) {
            self.hedges.measure(setup, at_ns, at_ns - tried.sent_ns);
        }
        let server = ServerId(tried.server);
        let belief: &mut Belief = &mut self.view.beliefs[server];
        belief.own -= 1;
        if let Chooser::Shared(index) = &mut self.chooser {
            let sent_ns = if setup.needs.timed_answers { tried.sent_ns } else { 0 };
            index.on_answer(server, belief, &Answer { at_ns, sent_ns, status });
        }
    }

    /// A request ends.
    pub fn end(&mut self, setup: &Setup, slot: u32, outcome: Outcome) {
        let Ask { arrived_ns, client, .. } = self.request(slot).ask;
        self.meters.end(arrived_ns >= setup.window_start_ns, outcome);
        self.requests[slot as usize] = None;
        self.tries[slot as usize].clear();
        self.free.push(slot);
        self.set_free(client);
    }

    /// A request ends that was never sent.
    pub fn end_waiter(&mut self, setup: &Setup, waiter: &Waiter, outcome: Outcome) {
        self.meters.end(waiter.ask.arrived_ns >= setup.window_start_ns, outcome);
        self.set_free(waiter.ask.client);
    }

    pub fn set_free(&mut self, client: Option<u32>) {
        let is_up = self.is_up;
        self.out.extend(client.map(|client| Todo::Free { client, is_up }));
    }
}
