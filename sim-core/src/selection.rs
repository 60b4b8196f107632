//! Selection: nodes work through the events of a tick in time order: responses, clients that lose
//! patience, arrivals; they choose a server for each attempt and dispatch it.
//!
//! Reads every shard's `Responses`; writes all columns of a node. A node belongs to one task and
//! draws from its own streams, so the number of tasks cannot change a result.
//!
//! Simultaneous events go: responses (by status, attempt), deadlines, arrivals.

mod bulk;
mod careful;

use bevy_ecs::prelude::Component;

use careful::Care;

use crate::answer::Answer;
use crate::clock::Clock;
use crate::ids::{NodeId, ServerId};
use crate::judge::Judge;
use crate::meters::{Lane, NodeMeters};
use crate::network::{Dispatch, Dispatches, Replies, Response, Responses, Status};
use crate::owners::NodeColumns;
use crate::policy::{Policy, SelectionIndex, with_policy};
use crate::request::{InFlight, Request};
use crate::result::{Outcome, RetryCause};
use crate::rng::{Purpose, Stream};
use crate::setup::Setup;
use crate::time::Nanos;
use crate::traffic::{Arrival, Traffic};
use crate::view::{Candidates, Freshness, TOUCH_SERVERS, View};

/// A node's streams for choices and for the delays of its dispatches.
#[derive(Component, Debug)]
pub struct NodeStreams {
    /// Candidates and ties.
    pub policy: Stream,
    /// Delays to the servers.
    pub network: Stream,
    /// How long retries wait.
    pub backoff: Stream,
}

impl NodeStreams {
    /// The streams of one node.
    pub fn new(setup: &Setup, node: NodeId) -> Self {
        Self {
            policy: setup.node_stream(Purpose::Policy, node),
            network: setup.node_stream(Purpose::NetworkOut, node),
            backoff: setup.node_stream(Purpose::Backoff, node),
        }
    }
}

/// All columns of one node.
pub struct NodeParts<'a> {
    /// What it believes.
    pub view: &'a mut View,
    /// How it chooses.
    pub index: &'a mut SelectionIndex,
    /// What it has in flight.
    pub in_flight: &'a mut InFlight,
    /// What arrives at it.
    pub traffic: &'a mut Traffic,
    /// What it has sent.
    pub dispatches: &'a mut Dispatches,
    /// Its chance.
    pub streams: &'a mut NodeStreams,
    /// What it has done.
    pub meters: &'a mut NodeMeters,
    /// What it makes of the servers.
    pub judge: &'a mut Judge,
}

/// Works through the present tick of every node.
pub fn run(
    setup: &Setup,
    clock: &Clock,
    nodes: NodeColumns<'_>,
    lanes: &mut [Lane],
    responses: &[Responses],
) {
    let work = |first: usize, mut nodes: NodeColumns<'_>, lane: &mut Lane| {
        for node in clock.visit.order(nodes.views.len()) {
            let parts = nodes.node(node);
            decide(setup, clock, first + node, parts, lane, responses);
        }
    };
    let tasks = if clock.parallel { lanes.len() } else { 1 };
    nodes.for_lanes(0, &mut lanes[..tasks], &work);
}

fn decide(
    setup: &Setup,
    clock: &Clock,
    node: usize,
    parts: NodeParts<'_>,
    lane: &mut Lane,
    responses: &[Responses],
) {
    let Clock { tick, freshness, links, .. } = clock;
    let tick = *tick;
    let start_ns = setup.ticks.start_ns(tick);
    let end_ns = start_ns + setup.ticks.tick_ns;
    let NodeParts { view, index, in_flight, traffic, dispatches, streams, meters, judge } = parts;
    for wheel in &mut dispatches.by_shard {
        // The shards have read what arrives in this tick.
        wheel.clear(tick);
        wheel.advance(tick + 1);
    }
    let mut sorter = std::mem::take(&mut lane.sorter);
    let node = node as u32;
    let due = if let [shard] = responses {
        shard.to_node(node)
    } else {
        let inbox = Replies { shards: responses, node };
        let offset_ns = |r: &Response| r.offset_ns(&setup.ticks);
        sorter.sort(&inbox, setup.ticks.tick_ns, offset_ns, Response::precedes)
    };
    // Of many nodes with few servers, or with short ticks, most have nothing to do in a tick.
    let is_idle = due.is_empty()
        && traffic.is_quiet_before(end_ns)
        && in_flight.next_deadline_ns() >= end_ns
        && (!judge.rules.is_careful
            || careful::is_quiet_before(end_ns, traffic, in_flight, responses, node));
    if is_idle {
        lane.sorter = sorter;
        return;
    }
    let passed: Vec<Response>;
    // A careful node looks at each answer when it comes.
    let due = if links.are_whole() || judge.rules.is_careful {
        due
    } else {
        // An answer to an attempt that nobody waits for is let in, and then ignored.
        let mut is_cut = |answer: &&Response| {
            let waiting = in_flight.answered(answer.slot, answer.attempt);
            let cut = waiting.filter(|request| links.cut_to_node(request.server, node));
            // Its client may give up in this tick, before the answer would have come.
            let at_ns = start_ns + Nanos::from(answer.offset_ns(&setup.ticks));
            let is_awaited = |request: &Request| {
                setup.timeout_ns.is_none_or(|patience| at_ns <= request.arrived_ns + patience)
            };
            meters.answers_cut += u64::from(cut.as_ref().is_some_and(is_awaited));
            cut.is_some()
        };
        passed = due.iter().filter(|answer| !is_cut(answer)).copied().collect();
        &passed
    };
    let mut arrivals = std::mem::take(&mut lane.arrivals);
    arrivals.clear();
    traffic.take_before(end_ns, &mut arrivals);
    // The window starts on a boundary: a tick lies wholly before it or in it.
    let measured = start_ns >= setup.window_start_ns;
    meters.counts[usize::from(measured)].arrived += arrivals.len() as u64;
    lane.events += (arrivals.len() + due.len()) as u64;
    if view.beliefs.len() > TOUCH_SERVERS {
        touch_ahead(view, in_flight, due);
        with_policy!(index, policy => policy.touch_ahead(view, &streams.policy, arrivals.len()));
    }
    with_policy!(index, policy => {
        let mut desk = Desk {
            setup, start_ns, freshness, view, policy, in_flight, dispatches, streams, meters, lane,
        };
        if judge.rules.is_careful {
            let boundary_ns = clock.boundary.map(|_| start_ns);
            let clients = traffic.clients.as_deref_mut();
            let rules = &mut judge.rules;
            let mut care = Care { rules, clients, links, responses, node };
            desk.work_carefully(&mut care, due, &arrivals, boundary_ns, end_ns);
        } else if desk.in_flight.ends_with_first_answer() && !desk.policy.times_answers() {
            desk.work_in_bulk(due, &arrivals);
        } else {
            desk.work(due, &arrivals, end_ns);
        }
    });
    lane.arrivals = arrivals;
    lane.sorter = sorter;
}

/// Reads what the responses of the tick will need, all at once: loads that do not depend on each
/// other overlap, so the tick waits for memory once or twice instead of once a response.
fn touch_ahead(view: &View, in_flight: &InFlight, due: &[Response]) {
    let server = |response: &Response| in_flight.glance(response.slot);
    std::hint::black_box(due.iter().fold(0, |sum, response| sum ^ server(response)));
    let own = |response| view.beliefs.get(ServerId(server(response))).map_or(0, |b| b.own);
    std::hint::black_box(due.iter().fold(0, |sum, response| sum ^ own(response)));
}

/// How a request ends with its last answer.
const fn outcome_of(status: Status) -> Outcome {
    match status {
        Status::Ok => Outcome::Ok,
        Status::Refused => Outcome::Refused,
        Status::Lost => Outcome::Lost,
        Status::Failed => Outcome::Failed,
    }
}

/// One node at work: the columns and the policy, statically known.
struct Desk<'a, P> {
    setup: &'a Setup,
    /// Start of the tick [ns].
    start_ns: Nanos,
    freshness: &'a Freshness,
    view: &'a mut View,
    policy: &'a mut P,
    in_flight: &'a mut InFlight,
    dispatches: &'a mut Dispatches,
    streams: &'a mut NodeStreams,
    meters: &'a mut NodeMeters,
    lane: &'a mut Lane,
}

impl<P: Policy> Desk<'_, P> {
    /// The events before `end_ns` in time order: three sorted sources are merged.
    #[inline(never)]
    fn work(&mut self, due: &[Response], arrivals: &[Arrival], end_ns: Nanos) {
        let mut due = due.iter();
        let mut arrivals = arrivals.iter();
        let mut response = due.next();
        let mut arrival = arrivals.next();
        let start_ns = self.start_ns;
        let ticks = self.setup.ticks;
        let arrival_of = |r: &Response| start_ns + Nanos::from(r.offset_ns(&ticks));
        let mut response_ns = response.map_or(Nanos::MAX, arrival_of);
        let mut arrival_ns = arrival.map_or(Nanos::MAX, |arrival| arrival.at_ns);
        loop {
            let deadline_ns = self.in_flight.next_deadline_ns();
            if response_ns <= deadline_ns && response_ns <= arrival_ns {
                let Some(present) = response else { break };
                self.respond(response_ns, present);
                response = due.next();
                response_ns = response.map_or(Nanos::MAX, arrival_of);
            } else if deadline_ns <= arrival_ns {
                if deadline_ns >= end_ns {
                    break;
                }
                self.lane.events += 1;
                self.give_up(deadline_ns);
            } else {
                let Some(present) = arrival else { break };
                self.arrive(present);
                arrival = arrivals.next();
                arrival_ns = arrival.map_or(Nanos::MAX, |arrival| arrival.at_ns);
            }
        }
    }

    fn is_measured(&self, request: &Request) -> bool {
        request.arrived_ns >= self.setup.window_start_ns
    }

    #[inline]
    fn arrive(&mut self, arrival: &Arrival) {
        let at_ns = arrival.at_ns;
        if self.setup.retries_max > 0 {
            self.in_flight.earn(self.setup.retry_budget_ppm);
        }
        // No key and no pool: with either, nodes work carefully.
        let candidates = Candidates::new(self.view, self.freshness, at_ns, None);
        let chosen = self.policy.choose(&candidates, &mut self.streams.policy);
        debug_assert!(self.is_sound(&candidates, chosen));
        match chosen {
            Some(server) => {
                let demand = arrival.demand;
                let (slot, attempt) = self.in_flight.open(at_ns, demand, server.0);
                self.dispatch(at_ns, server, slot, attempt, demand);
            }
            None => self.meters.end(at_ns >= self.setup.window_start_ns, Outcome::Rejected),
        }
    }

    /// Nobody is chosen who is not eligible, unless a tier may panic.
    fn is_sound(&self, candidates: &Candidates<'_>, chosen: Option<ServerId>) -> bool {
        self.setup.tiers.is_some()
            || chosen.is_none_or(|server| candidates.is_eligible(server.0, false))
    }

    /// Chooses a server for a request about `key`.
    fn choose(&mut self, at_ns: Nanos, key: u64, exclude: Option<ServerId>) -> Option<ServerId> {
        let candidates =
            Candidates::new(self.view, self.freshness, at_ns, exclude).with_key(key).within_pool();
        if candidates.choosable() == 0 {
            return None;
        }
        let chosen = self.policy.choose(&candidates, &mut self.streams.policy);
        debug_assert!(self.is_sound(&candidates, chosen));
        chosen
    }

    #[expect(
        clippy::inline_always,
        reason = "a call saves and restores every register: 20 instructions"
    )]
    #[inline(always)]
    fn dispatch(&mut self, at_ns: Nanos, server: ServerId, slot: u32, attempt: u32, demand: u64) {
        let belief = &mut self.view.beliefs[server];
        belief.own += 1;
        let belief = *belief;
        self.policy.on_send(server, &belief, at_ns);
        if self.policy.times_answers() {
            self.in_flight.note_sent(slot, at_ns);
        }
        self.send(at_ns, server, slot, attempt, demand);
    }

    /// Puts an attempt on its way.
    #[expect(clippy::inline_always, reason = "as above")]
    #[inline(always)]
    fn send(&mut self, at_ns: Nanos, server: ServerId, slot: u32, attempt: u32, demand: u64) {
        self.meters.dispatched += 1;
        self.post(at_ns, server, slot, attempt, demand);
    }

    /// Files a message to a server, under the tick of its arrival there.
    #[expect(clippy::inline_always, reason = "as above")]
    #[inline(always)]
    fn post(&mut self, at_ns: Nanos, server: ServerId, slot: u32, attempt: u32, demand: u64) {
        let delay_ns = self.setup.node_server.sample_ns(&mut self.streams.network);
        let arrival_ns = at_ns + delay_ns;
        let tick = self.setup.ticks.tick_of(arrival_ns);
        let offset_ns = (arrival_ns - self.setup.ticks.start_ns(tick)) as u32;
        let dispatch = Dispatch { offset_ns, server: server.0, slot, attempt, demand };
        self.dispatches.push(tick, dispatch);
    }

    #[expect(clippy::inline_always, reason = "a second caller must not cost the first a call")]
    #[inline(always)]
    fn respond(&mut self, at_ns: Nanos, response: &Response) {
        // Otherwise the client gave up before: nobody waits for this answer.
        let Some(request) = self.in_flight.answered(response.slot, response.attempt) else {
            return;
        };
        self.release(at_ns, response.slot, ServerId(request.server), Some(response.status()));
        if response.status() == Status::Ok {
            self.count_ok(at_ns, request.arrived_ns);
            self.in_flight.close(response.slot);
        } else {
            self.try_again(at_ns, response, &request);
        }
    }

    /// Counts a request that is answered well.
    #[expect(clippy::inline_always, reason = "as above")]
    #[inline(always)]
    fn count_ok(&mut self, at_ns: Nanos, arrived_ns: Nanos) {
        let measured = usize::from(arrived_ns >= self.setup.window_start_ns);
        let latency_ns = at_ns - arrived_ns;
        self.meters.latency_sum_ns[measured] += u128::from(latency_ns);
        let bucket = self.lane.latency[measured].record(latency_ns);
        self.lane.recent.record(bucket);
        self.meters.counts[measured].by_outcome[Outcome::Ok as usize] += 1;
    }

    /// A node stops counting an attempt as its own in flight.
    #[inline]
    fn release(&mut self, at_ns: Nanos, slot: u32, server: ServerId, status: Option<Status>) {
        let belief = &mut self.view.beliefs[server];
        belief.own -= 1;
        let belief = *belief;
        let sent_ns = if self.policy.times_answers() { self.in_flight.sent_ns(slot) } else { 0 };
        self.policy.on_answer(server, &belief, &Answer { at_ns, sent_ns, status });
    }

    /// An attempt was refused, lost or failed: another server, if the rules and the budget allow.
    #[cold]
    fn try_again(&mut self, at_ns: Nanos, response: &Response, request: &Request) {
        let outcome = outcome_of(response.status());
        let server = ServerId(request.server);
        if response.status() == Status::Refused {
            self.view.mark_full(server);
        }
        if self.in_flight.tries(response.slot) <= self.setup.retries_max {
            if self.in_flight.spend(at_ns) {
                let key = self.in_flight.key(response.slot);
                if let Some(other) = self.choose(at_ns, key, Some(server)) {
                    self.meters.retried += 1;
                    if let Some(cause) = RetryCause::of(outcome) {
                        self.meters.efforts.retried_for[cause as usize] += 1;
                    }
                    let slot = response.slot;
                    let (attempt, demand) = self.in_flight.attempt_again(slot, other.0);
                    self.dispatch(at_ns, other, slot, attempt, demand);
                    return;
                }
            } else {
                self.meters.retries_denied += 1;
            }
        }
        self.meters.end(self.is_measured(request), outcome);
        self.in_flight.close(response.slot);
    }

    /// The client of the next deadline gives up, if its request is still in flight. The server is
    /// not told: it goes on serving the attempt.
    fn give_up(&mut self, at_ns: Nanos) {
        if let Some((slot, request)) = self.in_flight.take_deadline() {
            self.end_impatient(at_ns, slot, &request);
        }
    }

    fn end_impatient(&mut self, at_ns: Nanos, slot: u32, request: &Request) {
        self.release(at_ns, slot, ServerId(request.server), None);
        self.meters.end(self.is_measured(request), Outcome::TimedOut);
        self.in_flight.close(slot);
    }
}
