//! Random draws, as HAProxy has them: its default, `balance random(2)`.
//!
//! Source: HAProxy `src/backend.c`, `get_server_rnd`. Signal: own in flight and own request rate;
//! weights are configured (`servers.weight`).
//!
//! `draws` (2) servers that are up are drawn in proportion to weight, with replacement; a later one
//! loses against the best so far if it has more in flight for its weight, or as much and a higher request
//! rate for its weight over the last second; else it wins. HAProxy draws by a look-up in a ring with
//! points by weight, here weights are exact. With `capacity_gate` (false; HAProxy's `maxconn`) a winner
//! believed full means that **nobody** is chosen, and not another: HAProxy's request then waits in
//! the backend's queue, here `on_no_server` decides. O(draws) a decision.
//!
//! The rate is HAProxy's `freq_ctr`: what was sent in the present second, and of the second before the
//! share that is less than a second ago.

use crate::config::keys::{Key, key};
use crate::config::{ParameterCheck, ParameterList};
use crate::ids::{NodeId, ServerId};
use crate::rng::Stream;
use crate::setup::Setup;
use crate::time::{Nanos, SECOND};
use crate::view::{Belief, Candidates};

use super::registry::capacity_gate_key;
use super::weighted_random::WeightedDraw;
use super::{Parameters, Policy, SelectionIndex};

/// Parameters of [`HaproxyRandom`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HaproxyRandomConfig {
    /// How many are drawn.
    pub draws: u32,
    /// Choose nobody if the best of them is believed full.
    pub capacity_gate: bool,
}

impl Default for HaproxyRandomConfig {
    fn default() -> Self {
        Self { draws: 2, capacity_gate: false }
    }
}

impl Parameters for HaproxyRandomConfig {
    #[rustfmt::skip] // One key a row.
    const KEYS: &'static [Key] = &[
        key("policy.haproxy_random.draws", "servers", "2", "1 to 1000", "How many are drawn, by weight and with replacement.", "More: closer to the least loaded of all."),
        capacity_gate_key!("haproxy_random", "false"),
    ];

    fn list(&mut self, list: &mut ParameterList<'_, '_, '_>) {
        let Self { draws, capacity_gate } = self;
        list.count("draws", draws);
        list.flag("capacity_gate", capacity_gate);
    }

    fn check(&self, check: &mut ParameterCheck<'_>) {
        check.within("draws", self.draws.into(), 1..=1_000);
    }

    fn server_bytes(&self) -> usize {
        WeightedDraw::SERVER_BYTES + size_of::<Rate>()
    }

    fn build(&self, setup: &Setup, _: NodeId, _: &mut Stream) -> SelectionIndex {
        let Self { draws, capacity_gate } = *self;
        SelectionIndex::Boxed(Box::new(HaproxyRandom {
            draw: WeightedDraw::new(setup.weights()),
            rates: vec![Rate::default(); setup.servers as usize],
            draws,
            capacity_gate,
        }))
    }
}

/// See the module documentation.
#[derive(Debug)]
pub struct HaproxyRandom {
    draw: WeightedDraw,
    rates: Vec<Rate>,
    draws: u32,
    capacity_gate: bool,
}

/// Events in the present second and in the one before.
#[derive(Clone, Copy, Debug, Default)]
struct Rate {
    second: u64,
    present: u32,
    before: u32,
}

impl Rate {
    /// As of the second of `at_ns`.
    fn at(self, at_ns: Nanos) -> Self {
        let second = at_ns / SECOND;
        match second - self.second {
            0 => self,
            1 => Self { second, present: 0, before: self.present },
            _ => Self { second, present: 0, before: 0 },
        }
    }

    /// Events within the last second, those of the second before taken as even.
    fn a_second(self, at_ns: Nanos) -> f64 {
        let Self { present, before, .. } = self.at(at_ns);
        let left = 1.0 - (at_ns % SECOND) as f64 / SECOND as f64;
        f64::from(present) + f64::from(before) * left
    }
}

impl HaproxyRandom {
    /// Whether the later one of two servers loses.
    #[expect(clippy::float_cmp, reason = "equal fractions of small numbers are equal to the bit")]
    fn loses(&self, candidates: &Candidates<'_>, later: u32, best: u32) -> bool {
        let in_flight = |server| f64::from(candidates.belief(server).own);
        let (of_later, of_best) = (self.draw.weight(best), self.draw.weight(later));
        let (a, b) = (in_flight(later) * of_later, in_flight(best) * of_best);
        if a != b {
            return a > b;
        }
        let rate = |server: u32| self.rates[server as usize].a_second(candidates.at_ns());
        rate(later) * of_later > rate(best) * of_best
    }
}

impl Policy for HaproxyRandom {
    fn choose(&mut self, candidates: &Candidates<'_>, stream: &mut Stream) -> Option<ServerId> {
        let is_up = |server| candidates.is_eligible(server, false);
        let mut best = self.draw.draw_where(candidates, stream, is_up)?;
        for _ in 1..self.draws {
            let later = self.draw.draw_where(candidates, stream, is_up)?;
            if later != best && !self.loses(candidates, later, best) {
                best = later;
            }
        }
        (!self.capacity_gate || candidates.has_room(best)).then_some(ServerId(best))
    }

    fn on_send(&mut self, server: ServerId, _: &Belief, at_ns: Nanos) {
        let rate = &mut self.rates[server.index()];
        *rate = rate.at(at_ns);
        rate.present += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A second of even events reads as their rate at any moment; two silent seconds read as none.
    #[test]
    fn rate_slides_over_the_second_before() {
        let mut rate = Rate::default();
        for event in 0..200 {
            rate = rate.at(event * 10_000_000);
            rate.present += 1;
        }
        // At the end of second 1, which had 100 events; a quarter into second 2, three quarters count.
        assert!((rate.a_second(2 * SECOND - 1) - 100.0).abs() < 1e-3);
        assert!((rate.a_second(2 * SECOND + SECOND / 4) - 75.0).abs() < 1e-9);
        assert!(rate.a_second(3 * SECOND) < 1e-9 && rate.a_second(9 * SECOND) < 1e-9);
    }
}
