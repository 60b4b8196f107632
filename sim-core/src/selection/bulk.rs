//! Selection in bulk: a tick of a node whose requests end with their first answer, because nobody
//! retries and no client loses patience.
//!
//! Then answers and arrivals meet in one thing only, what the node believes of the servers, and a
//! tick is three short loops instead of a long one: what came back is settled, choices are made in
//! the order of time, and what was chosen is sent. Each keeps what it works on in registers; the
//! loop of [`super`], which does the same one event after the other, cannot.

use super::{Desk, outcome_of};
use crate::answer::Answer;
use crate::ids::ServerId;
use crate::meters::{Lane, Return};
use crate::network::{Dispatch, Moment, Response, Status};
use crate::policy::Policy;
use crate::result::Outcome;
use crate::time::Nanos;
use crate::traffic::Arrival;
use crate::view::Candidates;

/// In place of a server: none was eligible.
const NOBODY: u32 = u32::MAX;

impl<P: Policy> Desk<'_, P> {
    /// The same as `work`, where requests end with their first answer.
    pub(super) fn work_in_bulk(&mut self, due: &[Response], arrivals: &[Arrival]) {
        let mut returns = std::mem::take(&mut self.lane.returns);
        let mut chosen = std::mem::take(&mut self.lane.chosen);
        self.settle(due, &mut returns);
        let all_served = self.choose_all(&returns, arrivals, &mut chosen);
        self.send_all(arrivals, &chosen, all_served);
        self.lane.returns = returns;
        self.lane.chosen = chosen;
    }

    /// Ends the requests that are answered, and counts them.
    #[inline(never)]
    fn settle(&mut self, due: &[Response], returns: &mut Vec<Return>) {
        returns.resize(due.len(), Return::default());
        let window_start_ns = self.setup.window_start_ns;
        let (mut measured, mut strays, mut moments) = (0, false, Moment::default());
        let mut places = returns.iter_mut();
        self.in_flight.end_answered(due, |answer, request| {
            let Some(place) = places.next() else { return };
            place.moment = answer.moment();
            moments = moments.with_bits_of(place.moment);
            if let Some(request) = request {
                place.arrived_ns = request.arrived_ns;
                place.server = request.server;
                measured += usize::from(request.arrived_ns >= window_start_ns);
            } else {
                place.server = NOBODY;
                strays = true;
            }
        });
        if strays {
            returns.retain(|back| back.server != NOBODY);
        }
        let failed = moments.status() != Status::Ok;
        if !failed && measured == returns.len() {
            self.record(1, returns);
        } else if !failed && measured == 0 {
            self.record(0, returns);
        } else {
            self.record_one_by_one(returns);
        }
    }

    /// Counts requests that ended well; all of them arrived in the window, or all before it.
    #[inline]
    fn record(&mut self, measured: usize, returns: &[Return]) {
        let (ticks, start_ns) = (self.setup.ticks, self.start_ns);
        let Lane { latency, recent, .. } = &mut *self.lane;
        let latencies_ns =
            returns.iter().map(|back| back.at_ns(&ticks, start_ns) - back.arrived_ns);
        let sum_ns = latency[measured].record_all(latencies_ns, recent.recorder());
        self.meters.latency_sum_ns[measured] += sum_ns;
        self.meters.counts[measured].by_outcome[Outcome::Ok as usize] += returns.len() as u64;
    }

    #[cold]
    #[inline(never)]
    fn record_one_by_one(&mut self, returns: &[Return]) {
        for back in returns {
            let measured = back.arrived_ns >= self.setup.window_start_ns;
            match back.moment.status() {
                Status::Ok => self.record(usize::from(measured), std::slice::from_ref(back)),
                failure => self.meters.end(measured, outcome_of(failure)),
            }
        }
    }

    /// Chooses for every arrival, after hearing of the answers that came before it. Says whether there
    /// was a server for everyone.
    #[inline(never)]
    fn choose_all(
        &mut self,
        returns: &[Return],
        arrivals: &[Arrival],
        chosen: &mut Vec<u32>,
    ) -> bool {
        chosen.resize(arrivals.len(), NOBODY);
        let mut returns = returns;
        let mut all_served = true;
        for (arrival, chosen) in arrivals.iter().zip(chosen) {
            let at_ns = arrival.at_ns;
            let moment = Moment::last_at(&self.setup.ticks, (at_ns - self.start_ns) as u32);
            while let [back, rest @ ..] = returns
                && back.moment <= moment
            {
                self.hear(back);
                returns = rest;
            }
            // No key and no pool: with either, nodes work carefully.
            let candidates = Candidates::new(self.view, self.freshness, at_ns, None);
            let choice = self.policy.choose(&candidates, &mut self.streams.policy);
            debug_assert!(self.is_sound(&candidates, choice));
            if let Some(server) = choice {
                *chosen = server.0;
                let belief = &mut self.view.beliefs[server];
                belief.own += 1;
                let belief = *belief;
                self.policy.on_send(server, &belief, at_ns);
            } else {
                *chosen = NOBODY;
                all_served = false;
                self.meters.end(at_ns >= self.setup.window_start_ns, Outcome::Rejected);
            }
        }
        for back in returns {
            self.hear(back);
        }
        all_served
    }

    /// A server has answered: its attempt no longer counts.
    #[inline]
    fn hear(&mut self, back: &Return) {
        let server = ServerId(back.server);
        let belief = &mut self.view.beliefs[server];
        belief.own -= 1;
        let belief = *belief;
        let status = back.moment.status();
        let at_ns = back.at_ns(&self.setup.ticks, self.start_ns);
        self.policy.on_answer(server, &belief, &Answer { at_ns, sent_ns: 0, status: Some(status) });
        if status == Status::Refused {
            self.view.mark_full(server);
        }
    }

    /// Sends every request to whom was chosen for it.
    fn send_all(&mut self, arrivals: &[Arrival], chosen: &[u32], all_served: bool) {
        let delay_ns = self.setup.node_server.constant_ns();
        if let (Some(delay_ns), [_]) = (delay_ns, &self.dispatches.by_shard[..])
            && all_served
        {
            self.send_together(arrivals, chosen, delay_ns);
        } else {
            self.send_one_by_one(arrivals, chosen);
        }
    }

    /// The same where all travel equally long to one shard: they arrive in the order of sending.
    #[inline(never)]
    fn send_together(&mut self, mut arrivals: &[Arrival], mut chosen: &[u32], delay_ns: Nanos) {
        let Self { setup, in_flight, dispatches, meters, .. } = self;
        let Some(wheel) = dispatches.by_shard.first_mut() else { return };
        meters.dispatched += arrivals.len() as u64;
        while let Some(first) = arrivals.first() {
            let tick = setup.ticks.tick_of(first.at_ns + delay_ns);
            // What is sent from here on arrives after `tick`; often there is nothing.
            let until_ns = setup.ticks.start_ns(tick + 1) - delay_ns;
            let count = match arrivals.last() {
                Some(last) if last.at_ns < until_ns => arrivals.len(),
                _ => arrivals.partition_point(|arrival| arrival.at_ns < until_ns),
            };
            let (these, later) = arrivals.split_at(count);
            let (servers, chosen_later) = chosen.split_at(count);
            // Wraps around where the tick begins before the delay.
            let zero_ns = setup.ticks.start_ns(tick).wrapping_sub(delay_ns);
            let sent = these.iter().zip(servers);
            let slots =
                in_flight.open_all(sent.clone().map(|(sent, &server)| (sent.at_ns, server)));
            let dispatch = |((sent, &server), (slot, attempt)): ((&Arrival, &u32), _)| Dispatch {
                offset_ns: sent.at_ns.wrapping_sub(zero_ns) as u32,
                server,
                slot,
                attempt,
                demand: sent.demand,
            };
            wheel.push_all(tick, sent.zip(slots).map(dispatch));
            (arrivals, chosen) = (later, chosen_later);
        }
    }

    #[inline(never)]
    fn send_one_by_one(&mut self, arrivals: &[Arrival], chosen: &[u32]) {
        for (&Arrival { at_ns, demand, .. }, &server) in arrivals.iter().zip(chosen) {
            if server != NOBODY {
                let (slot, attempt) = self.in_flight.open(at_ns, demand, server);
                self.send(at_ns, ServerId(server), slot, attempt, demand);
            }
        }
    }
}
