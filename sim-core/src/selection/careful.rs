//! Selection at a node that judges servers by their answers, eases new ones in, keeps requests for
//! which no server is eligible, or serves requests with keys. The same events in the same order as in [`super`], with a fourth
//! source: requests that have waited long enough, after deadlines of the same moment.
//!
//! A node that does none of this never comes here, so it pays nothing for it.
//!
//! Who waits is served when something has changed: on every boundary, where reports and judgements
//! change, and after every answer. The first in line goes to the server the policy chooses, if that
//! server has room as far as the node knows, whatever the policy thinks of capacity; after [`MISSES`]
//! choices without room everybody goes on waiting. So the first server that comes back gets what it
//! can serve, and not the whole line; and with [`crate::judge::pacing`], not the lines of all nodes.

use super::{Desk, Response};
use crate::config::OnNoServer;
use crate::ids::ServerId;
use crate::judge::Rules;
use crate::judge::pacing::MISSES;
use crate::policy::{Policy, least_bad};
use crate::request::waiting::Waiter;
use crate::result::Outcome;
use crate::time::Nanos;
use crate::traffic::Arrival;
use crate::view::Candidates;

impl<P: Policy> Desk<'_, P> {
    /// The events before `end_ns` in time order; on a boundary first those who wait.
    pub(super) fn work_carefully(
        &mut self,
        rules: &mut Rules,
        due: &[Response],
        arrivals: &[Arrival],
        boundary_ns: Option<Nanos>,
        end_ns: Nanos,
    ) {
        if let Some(at_ns) = boundary_ns {
            self.serve_waiting(rules, at_ns);
        }
        let start_ns = self.start_ns;
        let mut due = due.iter().peekable();
        let mut arrivals = arrivals.iter().peekable();
        loop {
            let response_ns =
                due.peek().map_or(Nanos::MAX, |r| start_ns + Nanos::from(r.offset_ns()));
            let arrival_ns = arrivals.peek().map_or(Nanos::MAX, |arrival| arrival.at_ns);
            let deadline_ns = self.in_flight.next_deadline_ns();
            let wait_ns = self.in_flight.waiting.next_end_ns();
            let first_ns = response_ns.min(arrival_ns).min(deadline_ns).min(wait_ns);
            if first_ns >= end_ns {
                break;
            }
            if response_ns == first_ns {
                let Some(response) = due.next() else { break };
                self.respond_carefully(rules, first_ns, response);
            } else if deadline_ns == first_ns {
                self.lane.events += 1;
                self.give_up_carefully(rules, first_ns);
            } else if wait_ns == first_ns {
                self.lane.events += 1;
                self.send_away();
            } else {
                let Some(arrival) = arrivals.next() else { break };
                self.arrive_carefully(rules, arrival);
            }
        }
    }

    fn arrive_carefully(&mut self, rules: &mut Rules, arrival: &Arrival) {
        let Arrival { at_ns, demand, key } = *arrival;
        if self.setup.retries_max > 0 {
            self.in_flight.earn(self.setup.retry_budget_ppm);
        }
        let waiter = Waiter { arrived_ns: at_ns, demand, key };
        let chosen = if self.in_flight.waiting.is_empty() {
            self.choose_carefully(rules, at_ns, key)
        } else {
            None
        };
        if let Some(server) = chosen {
            self.open(rules, at_ns, &waiter, server);
        } else if self.in_flight.waiting.push(waiter) {
            rules.findings().queued += 1;
        } else {
            self.meters.end(at_ns >= self.setup.window_start_ns, Outcome::Rejected);
        }
    }

    /// A choice, made again for a server that is eased in; and the least bad one if there is none.
    fn choose_carefully(&mut self, rules: &mut Rules, at_ns: Nanos, key: u64) -> Option<ServerId> {
        let Some(server) = self.choose(at_ns, key, None) else {
            return self.choose_least_bad(rules, at_ns);
        };
        let stands = rules.warming.as_mut().is_none_or(|warming| warming.stands(server, at_ns));
        if stands { Some(server) } else { self.choose(at_ns, key, Some(server)).or(Some(server)) }
    }

    fn choose_least_bad(&mut self, rules: &mut Rules, at_ns: Nanos) -> Option<ServerId> {
        if self.setup.judgement.on_no_server != OnNoServer::LeastBad {
            return None;
        }
        let candidates = Candidates::new(self.view, self.freshness, at_ns, None).within_pool();
        let server = least_bad::choose(self.view, &candidates, &mut self.streams.policy)?;
        rules.findings().least_bad += 1;
        Some(server)
    }

    fn open(&mut self, rules: &mut Rules, at_ns: Nanos, waiter: &Waiter, server: ServerId) {
        let Waiter { arrived_ns, demand, key } = *waiter;
        let (slot, attempt) = self.in_flight.open(arrived_ns, demand, server.0);
        if self.setup.has_keys {
            self.in_flight.set_key(slot, key);
        }
        rules.send(slot, at_ns);
        self.dispatch(at_ns, server, slot, attempt, demand);
    }

    fn respond_carefully(&mut self, rules: &mut Rules, at_ns: Nanos, response: &Response) {
        let slot = response.slot;
        let Some(request) = self.in_flight.answered(slot, response.attempt) else { return };
        rules.answer(slot, ServerId(request.server), at_ns, Some(response.status()), self.view);
        self.respond(at_ns, response);
        if self.in_flight.holds(slot) {
            rules.send(slot, at_ns);
        }
        self.serve_waiting(rules, at_ns);
    }

    fn give_up_carefully(&mut self, rules: &mut Rules, at_ns: Nanos) {
        let Some((slot, request)) = self.in_flight.take_deadline() else { return };
        rules.answer(slot, ServerId(request.server), at_ns, None, self.view);
        self.end_impatient(at_ns, slot, &request);
        self.serve_waiting(rules, at_ns);
    }

    /// The first in line has waited long enough.
    fn send_away(&mut self) {
        let outcome = self.in_flight.waiting.outcome();
        if let Some(waiter) = self.in_flight.waiting.pop() {
            self.meters.end(waiter.arrived_ns >= self.setup.window_start_ns, outcome);
        }
    }

    /// Serves those who wait, as far as there is room for them.
    fn serve_waiting(&mut self, rules: &mut Rules, at_ns: Nanos) {
        let mut misses = 0;
        while let Some(&waiter) = self.in_flight.waiting.first() {
            let Some(server) = self.choose(at_ns, waiter.key, None) else { break };
            let belief = &self.view.beliefs[server];
            let room = u32::from(belief.capacity).saturating_sub(self.view.load(belief));
            if room == 0 {
                misses += 1;
                if misses == MISSES {
                    break;
                }
                continue;
            }
            self.in_flight.waiting.pop();
            self.open(rules, at_ns, &waiter, server);
            if let Some(pacing) = &mut rules.pacing {
                pacing.send(server, room, self.view);
            }
        }
    }
}
