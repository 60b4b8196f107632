//! Hedges: further attempts of a request beside one that takes long, each to a server that it has not
//! been sent to. The first good answer wins.
//!
//! The clock of the next hedge starts anew with every attempt of the request, hedges among them, and
//! counts while anything is on its way.

use super::Desk;
use crate::policy::Policy;
use crate::request::timers::{Timer, TimerKind};
use crate::time::Nanos;

impl<P: Policy> Desk<'_, P> {
    /// Starts the clock of the next hedge of a request whose attempt `number` leaves at `at_ns`.
    pub(super) fn plan_hedge(&mut self, at_ns: Nanos, slot: u32, number: u32) {
        let Some(hedge) = &self.setup.clients.hedge else { return };
        let story = self.in_flight.attempts.story_mut(slot);
        story.hedged_after = number;
        if story.hedges >= hedge.max {
            return;
        }
        let Some(hedging) = &mut self.in_flight.hedging else { return };
        if let Some(delay_ns) = hedging.delay.delay_ns(at_ns) {
            let at_ns = at_ns.saturating_add(delay_ns);
            self.in_flight.timers.set(Timer { at_ns, kind: TimerKind::Hedge, number, slot });
        }
    }

    /// The clock that attempt `number` started has run down.
    pub(super) fn hedge(&mut self, at_ns: Nanos, slot: u32, number: u32) {
        let attempts = &self.in_flight.attempts;
        if attempts.story(slot).hedged_after != number || !attempts.is_awaiting(slot) {
            return;
        }
        let pays = self.in_flight.hedging.as_mut().is_some_and(|h| h.budget.spend(at_ns));
        if !pays {
            self.meters.efforts.hedges_denied += 1;
            return;
        }
        if let Some(server) = self.choose_untried(at_ns, slot) {
            self.meters.efforts.hedges += 1;
            self.in_flight.attempts.story_mut(slot).hedges += 1;
            self.attempt_again(at_ns, slot, server, true);
        }
    }
}
