//! Selection at a node that looks closely: it judges servers by their answers, eases new ones in, keeps
//! requests for which no server is eligible, knows what requests are about, listens to notes of servers,
//! or has clients that do more than wait. The same events in the same order as in [`super`], with more
//! sources. At one moment: notes of servers, answers, deadlines, timers (attempts that take too long,
//! retries, hedges), requests that have waited long enough, those that were held back till now, clients in a
//! closed loop, arrivals.
//!
//! A node that does none of this never comes here, so it pays nothing for it.
//!
//! Who waits is served when something has changed: on every boundary, where reports and judgements
//! change, and after every answer. The first in line goes to the server the policy chooses, if that
//! server has room as far as the node knows, whatever the policy thinks of capacity; after [`MISSES`]
//! choices without room everybody goes on waiting. So the first server that comes back gets what it
//! can serve, and not the whole line; and with [`crate::judge::pacing`], not the lines of all nodes.
//!
//! A policy that holds requests back makes them wait whatever the scenario says of requests without a server, and
//! says when to try the first again. Then it alone decides who goes: room is none of the node's business.

mod answers; // attempts end, and requests with them
mod hedges; // further attempts beside one that takes long
mod notices; // what servers say besides, and what they are asked
mod retries; // further attempts after one that failed

use super::{Desk, Response};
use crate::clients::Clients;
use crate::config::OnNoServer;
use crate::ids::ServerId;
use crate::judge::Rules;
use crate::judge::pacing::MISSES;
use crate::links::Links;
use crate::network::Responses;
use crate::policy::{Policy, least_bad};
use crate::request::InFlight;
use crate::request::attempts::Attempt;
use crate::request::timers::{Timer, TimerKind};
use crate::request::waiting::Waiter;
use crate::result::Outcome;
use crate::time::Nanos;
use crate::traffic::{Arrival, Traffic};
use crate::view::Candidates;

/// What a careful node has at hand besides its desk.
pub(super) struct Care<'a> {
    pub rules: &'a mut Rules,
    /// Who waits for the ends of requests, in a closed loop.
    pub clients: Option<&'a mut Clients>,
    pub links: &'a Links,
    pub responses: &'a [Responses],
    pub node: u32,
}

/// Whether a careful node has nothing to do before `end_ns` besides answers, deadlines and arrivals.
pub(super) fn is_quiet_before(
    end_ns: Nanos,
    traffic: &Traffic,
    in_flight: &InFlight,
    responses: &[Responses],
    node: u32,
) -> bool {
    let mut notes = responses.iter().filter_map(|shard| shard.notes.as_deref());
    in_flight.timers.next_ns() >= end_ns
        && in_flight.waiting.is_empty()
        && traffic.next_client_ns() >= end_ns
        && notes.all(|notes| notes.to_node(node).is_empty())
}

/// What happens next, in the order of one moment.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Next {
    Note,
    Answer,
    Deadline,
    Timer,
    WaitEnd,
    Open,
    Client,
    Arrival,
}

impl<P: Policy> Desk<'_, P> {
    /// The events before `end_ns` in time order; on a boundary first those who wait.
    pub(super) fn work_carefully(
        &mut self,
        care: &mut Care<'_>,
        due: &[Response],
        arrivals: &[Arrival],
        boundary_ns: Option<Nanos>,
        end_ns: Nanos,
    ) {
        if let Some(at_ns) = boundary_ns {
            self.serve_waiting(care, at_ns);
        }
        let Self { start_ns, setup, .. } = *self;
        let notes = care.notes();
        let mut notes = notes.iter().peekable();
        let mut due = due.iter().peekable();
        let mut arrivals = arrivals.iter().peekable();
        loop {
            let note_ns = notes.peek().map_or(Nanos::MAX, |n| start_ns + Nanos::from(n.offset_ns));
            let arrival_of = |r: &&Response| start_ns + Nanos::from(r.offset_ns(&setup.ticks));
            let response_ns = due.peek().map_or(Nanos::MAX, arrival_of);
            let arrival_ns = arrivals.peek().map_or(Nanos::MAX, |arrival| arrival.at_ns);
            let client_ns = care.clients.as_ref().map_or(Nanos::MAX, |clients| clients.next_ns());
            let sources = [
                (note_ns, Next::Note),
                (response_ns, Next::Answer),
                (self.in_flight.next_deadline_ns(), Next::Deadline),
                (self.in_flight.timers.next_ns(), Next::Timer),
                (self.in_flight.waiting.next_end_ns(), Next::WaitEnd),
                (self.in_flight.waiting.opens_ns(), Next::Open),
                (client_ns, Next::Client),
                (arrival_ns, Next::Arrival),
            ];
            let Some(&(at_ns, next)) = sources.iter().min() else { break };
            if at_ns >= end_ns {
                break;
            }
            // Answers and arrivals have been counted.
            self.lane.events += u64::from(!matches!(next, Next::Answer | Next::Arrival));
            match next {
                Next::Note => {
                    let Some(note) = notes.next() else { break };
                    self.take_note(care, at_ns, note);
                }
                Next::Answer => {
                    let Some(response) = due.next() else { break };
                    self.take_answer(care, at_ns, response);
                }
                Next::Deadline => self.take_deadline(care, at_ns),
                Next::Timer => self.take_timer(care, at_ns),
                Next::WaitEnd => self.send_away(care, at_ns),
                Next::Open => self.serve_waiting(care, at_ns),
                Next::Client => self.take_client(care),
                Next::Arrival => {
                    let Some(&Arrival { at_ns, demand, key }) = arrivals.next() else { break };
                    let waiter = Waiter { arrived_ns: at_ns, demand, key, client: None };
                    self.take_arrival(care, waiter);
                }
            }
        }
    }

    /// A client in a closed loop sends its next request.
    fn take_client(&mut self, care: &mut Care<'_>) {
        let Some(clients) = &mut care.clients else { return };
        let Some((arrived_ns, client)) = clients.take() else { return };
        let (demand, key) = clients.ask(client);
        let measured = arrived_ns >= self.setup.window_start_ns;
        self.meters.counts[usize::from(measured)].arrived += 1;
        self.take_arrival(care, Waiter { arrived_ns, demand, key, client: Some(client) });
    }

    fn take_arrival(&mut self, care: &mut Care<'_>, waiter: Waiter) {
        let at_ns = waiter.arrived_ns;
        self.earn();
        let chosen = if self.in_flight.waiting.is_empty() {
            self.choose_carefully(care, at_ns, waiter.key)
        } else {
            None
        };
        if let Some(server) = chosen {
            self.open(at_ns, &waiter, server);
        } else if self.may_wait() && self.in_flight.waiting.push(waiter) {
            care.rules.findings().queued += 1;
        } else {
            self.end_waiter(care, at_ns, &waiter, Outcome::Rejected);
        }
    }

    /// Whether a request that nobody was chosen for may wait, if there is room.
    fn may_wait(&self) -> bool {
        let waiting = &self.in_flight.waiting;
        self.queues() || !waiting.is_empty() || waiting.is_held()
    }

    /// Whether requests without a server wait for one.
    const fn queues(&self) -> bool {
        matches!(self.setup.judgement.on_no_server, OnNoServer::Queue { .. })
    }

    /// After a choice that found nobody: whether the policy holds the request back.
    fn is_held_back(&mut self, at_ns: Nanos) -> bool {
        let waiting = &mut self.in_flight.waiting;
        waiting.hold_until(Nanos::MAX);
        let candidates = Candidates::new(self.view, self.freshness, at_ns, None).within_pool();
        if self.setup.needs.holds_back && candidates.choosable() > 0 {
            // A policy that says "now" would be asked for ever.
            waiting.hold_until(self.policy.held_until_ns().max(at_ns + 1));
        }
        waiting.is_held()
    }

    /// A request puts into the budgets what it allows.
    fn earn(&mut self) {
        let setup = self.setup;
        self.in_flight.earn(setup.retry_budget_ppm);
        if let (Some(hedging), Some(hedge)) = (&mut self.in_flight.hedging, &setup.clients.hedge) {
            hedging.budget.earn(hedge.budget_ppm);
        }
    }

    /// A request ends that was never sent.
    fn end_waiter(&mut self, care: &mut Care<'_>, at_ns: Nanos, waiter: &Waiter, outcome: Outcome) {
        self.meters.end(waiter.arrived_ns >= self.setup.window_start_ns, outcome);
        care.set_free(waiter.client, at_ns);
    }

    /// A choice, made again for a server that is eased in; and the least bad one if there is none.
    fn choose_carefully(
        &mut self,
        care: &mut Care<'_>,
        at_ns: Nanos,
        key: u64,
    ) -> Option<ServerId> {
        let Some(server) = self.choose(at_ns, key, None) else {
            let is_held_back = self.is_held_back(at_ns);
            return if is_held_back { None } else { self.choose_least_bad(care, at_ns) };
        };
        let warming = care.rules.warming.as_mut();
        let stands = warming.is_none_or(|warming| warming.stands(server, at_ns));
        if stands { Some(server) } else { self.choose(at_ns, key, Some(server)).or(Some(server)) }
    }

    fn choose_least_bad(&mut self, care: &mut Care<'_>, at_ns: Nanos) -> Option<ServerId> {
        if self.setup.judgement.on_no_server != OnNoServer::LeastBad {
            return None;
        }
        let candidates = Candidates::new(self.view, self.freshness, at_ns, None).within_pool();
        let server = least_bad::choose(self.view, &candidates, &mut self.streams.policy)?;
        care.rules.findings().least_bad += 1;
        Some(server)
    }

    fn open(&mut self, at_ns: Nanos, waiter: &Waiter, server: ServerId) {
        let Waiter { arrived_ns, demand, key, client } = *waiter;
        let (slot, number) = self.in_flight.open(arrived_ns, demand, server.0);
        if self.setup.has_keys {
            self.in_flight.set_key(slot, key);
        }
        self.in_flight.attempts.open(slot, client);
        self.launch(
            at_ns,
            slot,
            demand,
            Attempt { number, server, sent_ns: at_ns, is_hedge: false },
        );
        if self.setup.needs.probes {
            self.probe(at_ns, key);
        }
    }

    /// Sends an attempt of the request in a slot, and sets the timers that go with it.
    fn launch(&mut self, at_ns: Nanos, slot: u32, demand: u64, attempt: Attempt) {
        let Attempt { number, server, .. } = attempt;
        self.in_flight.attempts.add(slot, attempt);
        self.dispatch(at_ns, server, slot, number, demand);
        if let Some(patience_ns) = self.setup.clients.attempt_timeout_ns {
            let at_ns = at_ns.saturating_add(patience_ns);
            self.in_flight.timers.set(Timer { at_ns, kind: TimerKind::GiveUp, number, slot });
        }
        self.plan_hedge(at_ns, slot, number);
    }

    fn take_timer(&mut self, care: &mut Care<'_>, at_ns: Nanos) {
        let Some(Timer { kind, number, slot, .. }) = self.in_flight.timers.take() else { return };
        match kind {
            TimerKind::GiveUp => self.give_up_attempt(care, at_ns, slot, number),
            TimerKind::Retry => self.retry_now(care, at_ns, slot, number),
            TimerKind::Hedge => self.hedge(at_ns, slot, number),
        }
    }

    /// The first in line has waited long enough.
    fn send_away(&mut self, care: &mut Care<'_>, at_ns: Nanos) {
        let outcome = self.in_flight.waiting.outcome();
        if let Some(waiter) = self.in_flight.waiting.pop() {
            self.end_waiter(care, at_ns, &waiter, outcome);
        }
    }

    /// Serves those who wait, as far as there is room for them.
    fn serve_waiting(&mut self, care: &mut Care<'_>, at_ns: Nanos) {
        let mut misses = 0;
        while let Some(&waiter) = self.in_flight.waiting.first() {
            let chosen = self.choose(at_ns, waiter.key, None);
            if chosen.is_none() && (self.is_held_back(at_ns) || self.queues()) {
                break;
            }
            let Some(server) = chosen.or_else(|| self.choose_least_bad(care, at_ns)) else {
                // The server that it was held back for is gone.
                self.in_flight.waiting.pop();
                self.end_waiter(care, at_ns, &waiter, Outcome::Rejected);
                continue;
            };
            let belief = &self.view.beliefs[server];
            let room = u32::from(belief.capacity).saturating_sub(self.view.load(belief));
            if room == 0 && !self.setup.needs.holds_back {
                misses += 1;
                if misses == MISSES {
                    break;
                }
                continue;
            }
            self.in_flight.waiting.pop();
            self.open(at_ns, &waiter, server);
            if let Some(pacing) = &mut care.rules.pacing
                && !self.setup.needs.holds_back
            {
                pacing.send(server, room, self.view);
            }
        }
    }
}

impl Care<'_> {
    /// The request that a client waits for has ended, if one does.
    fn set_free(&mut self, client: Option<u32>, at_ns: Nanos) {
        if let (Some(clients), Some(client)) = (&mut self.clients, client) {
            clients.think(client, at_ns);
        }
    }

    /// The service time behind a good answer to an attempt, as far as it lies in the window [ns].
    fn service_ns(&self, attempt: u32) -> Nanos {
        let shards = self.responses.iter();
        shards.map(|responses| responses.service_ns(self.node, attempt)).sum()
    }
}
