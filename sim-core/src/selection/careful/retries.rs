//! Retries: further attempts after one that failed.
//!
//! An attempt that fails beside others does nothing. With the last one on its way a request is retried
//! if it failed for a reason in `retry_on`, fewer than `max` retries were made, the retry would start
//! before the deadline, not too many requests of the node are being retried, and the budget pays; in
//! this order. Otherwise it ends as its last attempt did. The budget pays when a retry is decided, so
//! what waits in a backoff is paid for.

use super::{Care, Desk};
use crate::config::{Avoid, Backoff, RetryConcurrency};
use crate::ids::ServerId;
use crate::policy::Policy;
use crate::request::attempts::Attempt;
use crate::request::timers::{Timer, TimerKind};
use crate::result::{Outcome, RetryCause};
use crate::rng::{Rng, Stream};
use crate::time::Nanos;
use crate::view::barred::Reasons;
use crate::ziggurat::unit;

impl<P: Policy> Desk<'_, P> {
    /// An attempt has failed: its request goes on with others, is retried, or ends.
    pub(super) fn attempt_failed(
        &mut self,
        care: &mut Care<'_>,
        at_ns: Nanos,
        slot: u32,
        attempt: &Attempt,
        outcome: Outcome,
    ) {
        let story = self.in_flight.attempts.story_mut(slot);
        (story.last, story.last_server) = (outcome, attempt.server);
        if self.in_flight.attempts.is_awaiting(slot) {
            return;
        }
        match self.plan_retry(at_ns, slot, outcome) {
            None => self.end_request(care, at_ns, slot, outcome),
            Some(start_ns) => {
                self.in_flight.note_retry(slot);
                let number = self.in_flight.dossier(slot).name;
                if start_ns == at_ns {
                    self.retry_now(care, at_ns, slot, number);
                } else {
                    let kind = TimerKind::Retry;
                    self.in_flight.timers.set(Timer { at_ns: start_ns, kind, number, slot });
                }
            }
        }
    }

    /// When a request is retried whose last attempt has just failed, if it is.
    fn plan_retry(&mut self, at_ns: Nanos, slot: u32, outcome: Outcome) -> Option<Nanos> {
        let clients = &self.setup.clients;
        let cause = RetryCause::of(outcome)?;
        let retries = self.in_flight.attempts.story(slot).retries;
        if !clients.retry_on.flags()[cause as usize] || retries >= self.setup.retries_max {
            return None;
        }
        let wait_ns = clients
            .backoff
            .as_ref()
            .map_or(0, |backoff| backoff.wait_ns(retries, &mut self.streams.backoff));
        let start_ns = at_ns.saturating_add(wait_ns);
        // At one moment a deadline comes after the answer that is looked at, and ends the retry.
        if wait_ns > 0 && start_ns >= self.in_flight.deadline_ns(slot) {
            return None;
        }
        let allowed = self.may_retry_another(retries > 0) && self.in_flight.spend(at_ns);
        if !allowed {
            self.meters.retries_denied += 1;
            return None;
        }
        Some(start_ns)
    }

    /// Whether few enough requests are being retried; `among_them`: this one is already.
    fn may_retry_another(&self, among_them: bool) -> bool {
        let Some(RetryConcurrency { share_ppm, min }) = self.setup.clients.concurrency else {
            return true;
        };
        let under_way = (self.in_flight.len() + self.in_flight.waiting.len()) as u64;
        let share = u64::from(share_ppm) * under_way / 1_000_000;
        let others = self.in_flight.retrying() - u32::from(among_them);
        u64::from(others) < share.max(min.into())
    }

    /// The retry of a request of this name is due, if that has not ended.
    pub(super) fn retry_now(&mut self, care: &mut Care<'_>, at_ns: Nanos, slot: u32, name: u32) {
        if !self.in_flight.is_named(slot, name) {
            return;
        }
        let story = self.in_flight.attempts.story(slot);
        let (outcome, last) = (story.last, story.last_server);
        let key = self.in_flight.key(slot);
        let chosen = match self.setup.clients.avoid {
            Avoid::Nobody => self.choose(at_ns, key, None),
            Avoid::Last => self.choose(at_ns, key, Some(last)),
            Avoid::Tried => {
                self.choose_untried(at_ns, slot).or_else(|| self.choose(at_ns, key, Some(last)))
            }
        };
        let Some(server) = chosen else {
            return self.end_request(care, at_ns, slot, outcome);
        };
        self.meters.retried += 1;
        if let Some(cause) = RetryCause::of(outcome) {
            self.meters.efforts.retried_for[cause as usize] += 1;
        }
        self.attempt_again(at_ns, slot, server, false);
    }

    /// A further attempt of the request in a slot.
    pub(super) fn attempt_again(
        &mut self,
        at_ns: Nanos,
        slot: u32,
        server: ServerId,
        is_hedge: bool,
    ) {
        let (number, demand) = self.in_flight.attempt_again(slot, server.0);
        self.launch(at_ns, slot, demand, Attempt { number, server, sent_ns: at_ns, is_hedge });
    }

    /// A choice among the servers that a request has not been sent to: these are out of bounds for as
    /// long as the choice takes, and the policy hears that they are back.
    pub(super) fn choose_untried(&mut self, at_ns: Nanos, slot: u32) -> Option<ServerId> {
        let Self { in_flight, view, .. } = self;
        for server in in_flight.attempts.tried(slot) {
            view.bar(server, Reasons::TRIED);
        }
        let chosen = self.choose(at_ns, self.in_flight.key(slot), None);
        let Self { in_flight, view, policy, .. } = self;
        for server in in_flight.attempts.tried(slot) {
            if view.unbar(server, Reasons::TRIED) {
                policy.on_report(server, &view.beliefs[server]);
            }
        }
        chosen
    }
}

impl Backoff {
    /// How long retry `k`, counted from 0, waits [ns]. Draws from `stream` if there is jitter.
    pub fn wait_ns(&self, k: u32, stream: &mut Stream) -> Nanos {
        let Self { base_ns, max_ns, jitter } = *self;
        let doubled = if k < 64 { base_ns.saturating_mul(1 << k) } else { Nanos::MAX };
        let longest_ns = doubled.min(max_ns);
        if jitter == 0.0 {
            return longest_ns;
        }
        let shortened = longest_ns as f64 * (1.0 - jitter * unit(stream.next_u64()));
        (shortened.round() as Nanos).clamp(1, longest_ns)
    }
}
