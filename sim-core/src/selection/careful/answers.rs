//! Attempts end: by an answer, by their own timeout, with their request, or beside a better one.

use super::super::outcome_of;
use super::{Care, Desk, Response};
use crate::answer::Answer;
use crate::network::{CANCEL_SLOT, Status};
use crate::policy::Policy;
use crate::request::attempts::Attempt;
use crate::result::Outcome;
use crate::time::Nanos;

impl<P: Policy> Desk<'_, P> {
    /// An answer arrives.
    pub(super) fn take_answer(&mut self, care: &mut Care<'_>, at_ns: Nanos, response: &Response) {
        let Response { slot, attempt: number, .. } = *response;
        let status = response.status();
        let Some(attempt) = self.in_flight.attempts.awaited(slot, number) else {
            if status == Status::Ok {
                self.meters.efforts.unawaited += 1;
                self.meters.efforts.wasted_ns += u128::from(care.service_ns(number));
            }
            return;
        };
        if care.links.cut_to_node(attempt.server.0, care.node) {
            self.meters.answers_cut += 1;
            return;
        }
        care.rules.answer(attempt.sent_ns, attempt.server, at_ns, Some(status), self.view);
        self.drop_attempt(at_ns, slot, &attempt, Some(status));
        if status == Status::Refused {
            self.view.mark_full(attempt.server);
        }
        if status == Status::Ok {
            self.answer_client(care, at_ns, slot, attempt.is_hedge);
        } else {
            self.attempt_failed(care, at_ns, slot, &attempt, outcome_of(status));
        }
        self.serve_waiting(care, at_ns);
    }

    /// A request is answered: its other attempts have lost.
    fn answer_client(&mut self, care: &mut Care<'_>, at_ns: Nanos, slot: u32, by_hedge: bool) {
        self.count_ok(at_ns, self.in_flight.arrived_ns(slot));
        self.meters.efforts.hedges_won += u64::from(by_hedge);
        let cancels = self.setup.clients.hedge.as_ref().is_some_and(|hedge| hedge.cancel);
        while let Some(loser) = self.in_flight.attempts.newest_awaited(slot) {
            self.drop_attempt(at_ns, slot, &loser, None);
            if cancels {
                self.cancel(at_ns, &loser);
            }
        }
        let client = self.in_flight.close_story(slot);
        care.set_free(client, at_ns);
    }

    /// The client of the next deadline gives up, if its request has not ended.
    pub(super) fn take_deadline(&mut self, care: &mut Care<'_>, at_ns: Nanos) {
        let Some((slot, _)) = self.in_flight.take_deadline() else { return };
        while let Some(attempt) = self.in_flight.attempts.newest_awaited(slot) {
            self.abandon(care, at_ns, slot, &attempt);
        }
        self.end_request(care, at_ns, slot, Outcome::TimedOut);
        self.serve_waiting(care, at_ns);
    }

    /// An attempt has taken too long, if it has not ended.
    pub(super) fn give_up_attempt(
        &mut self,
        care: &mut Care<'_>,
        at_ns: Nanos,
        slot: u32,
        number: u32,
    ) {
        let Some(attempt) = self.in_flight.attempts.awaited(slot, number) else { return };
        self.abandon(care, at_ns, slot, &attempt);
        self.meters.efforts.attempts_timed_out += 1;
        self.attempt_failed(care, at_ns, slot, &attempt, Outcome::TimedOut);
        self.serve_waiting(care, at_ns);
    }

    /// Nobody waits any more for an attempt that took too long.
    fn abandon(&mut self, care: &mut Care<'_>, at_ns: Nanos, slot: u32, attempt: &Attempt) {
        care.rules.answer(attempt.sent_ns, attempt.server, at_ns, None, self.view);
        self.drop_attempt(at_ns, slot, attempt, None);
        if self.setup.clients.cancel_on_timeout {
            self.cancel(at_ns, attempt);
        }
    }

    /// Counts an attempt no longer. How long it took, or has taken so far, says when to hedge, unless
    /// it failed: failures are fast.
    fn drop_attempt(&mut self, at_ns: Nanos, slot: u32, attempt: &Attempt, status: Option<Status>) {
        let Attempt { number, server, sent_ns, .. } = *attempt;
        self.in_flight.attempts.end(slot, number);
        if let Some(hedging) = &mut self.in_flight.hedging
            && matches!(status, Some(Status::Ok) | None)
        {
            hedging.delay.measure(at_ns, at_ns - sent_ns);
        }
        let belief = &mut self.view.beliefs[server];
        belief.own -= 1;
        let belief = *belief;
        let sent_ns = if self.setup.needs.timed_answers { sent_ns } else { 0 };
        self.policy.on_answer(server, &belief, &Answer { at_ns, sent_ns, status });
    }

    /// Tells a server that nobody waits for an attempt.
    fn cancel(&mut self, at_ns: Nanos, attempt: &Attempt) {
        self.meters.efforts.cancels += 1;
        self.post(at_ns, attempt.server, CANCEL_SLOT, attempt.number, 0);
    }

    /// A request ends without an answer.
    pub(super) fn end_request(
        &mut self,
        care: &mut Care<'_>,
        at_ns: Nanos,
        slot: u32,
        outcome: Outcome,
    ) {
        let arrived_ns = self.in_flight.arrived_ns(slot);
        self.meters.end(arrived_ns >= self.setup.window_start_ns, outcome);
        let client = self.in_flight.close_story(slot);
        care.set_free(client, at_ns);
    }
}
