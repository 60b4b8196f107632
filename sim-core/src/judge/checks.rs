//! Active health checks: a node asks every server it knows whether it is there.
//!
//! A check is a small message to the server and back, with the delays of dispatches and of answers.
//! It is answered at once by every server that is up and not leaving, however slow, full or broken
//! inside: a check sees crashes, not grey failures. No answer within `timeout` is a failure. `fall`
//! failures in a row put a server out, `rise` successes in a row bring it back.
//!
//! A node checks each server every `interval`, from a random phase on; it asks nobody it has never
//! heard of, and nobody who said that it takes nothing new.

use crate::config::HealthChecks;
use crate::ids::{NodeId, ServerId};
use crate::rng::{Purpose, RngExt, Stream};
use crate::setup::Setup;
use crate::time::Nanos;

/// What a check costs on the wire, there and back [bytes]: twice a TCP/IP header of 40 and a line.
pub const CHECK_BYTES: u64 = 160;

/// The checks of one node.
#[derive(Clone, Debug)]
pub struct Checks {
    config: HealthChecks,
    stream: Stream,
    /// By server: successes in a row, or failures as a negative number.
    streaks: Vec<i32>,
    /// By server: when it is to be checked next [ns].
    due_ns: Vec<Nanos>,
    /// Number of the node's life: what an earlier one has asked is nothing to a later one.
    life: u32,
}

/// A check on its way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flight {
    /// Who is asked.
    pub server: u32,
    /// The quantum in which the question arrives there.
    pub arrival: u64,
    /// The quantum in which the answer would be back.
    pub answer: u64,
    /// The quantum in which the node gives up.
    pub limit: u64,
    /// The life of the node that asked.
    pub life: u32,
}

impl Flight {
    /// True when no answer can be back in time: the check fails at the limit whatever happens.
    pub const fn is_late(&self) -> bool {
        self.answer > self.limit
    }

    /// What comes of it, and in which quantum the node knows; `answered`: the server was there.
    pub const fn outcome(&self, answered: bool) -> (bool, u64) {
        if answered && !self.is_late() { (true, self.answer) } else { (false, self.limit) }
    }
}

impl Checks {
    /// Memory a server takes [bytes].
    pub(crate) const SERVER_BYTES: usize = size_of::<i32>() + size_of::<Nanos>();

    /// Random phases, no results.
    pub fn new(setup: &Setup, config: &HealthChecks, node: NodeId) -> Self {
        let mut stream = setup.node_stream(Purpose::HealthChecks, node);
        let interval_ns = config.interval_ns as f64;
        let phase = |_| (stream.random::<f64>() * interval_ns) as Nanos;
        let due_ns = (0..setup.servers).map(phase).collect();
        Self { config: *config, due_ns, streaks: vec![0; setup.servers as usize], stream, life: 0 }
    }

    /// The quantum in which a server is to be checked next; after `now`.
    pub fn due(&self, setup: &Setup, server: ServerId, now: u64) -> u64 {
        setup.ticks.quantum_from(self.due_ns[server.index()]).max(now + 1)
    }

    /// The present check of a server is done or left out: the next one is an interval later.
    pub fn pass_turn(&mut self, server: ServerId) {
        self.due_ns[server.index()] += self.config.interval_ns;
    }

    /// Sends a check on the boundary `quantum`.
    pub fn send(&mut self, setup: &Setup, server: ServerId, quantum: u64) -> Flight {
        let sent_ns = quantum * setup.ticks.quantum_ns;
        let arrival =
            setup.ticks.quantum_from(sent_ns + setup.node_server.sample_ns(&mut self.stream));
        let back_ns = setup.server_node.sample_ns(&mut self.stream);
        Flight {
            server: server.0,
            arrival,
            answer: setup.ticks.quantum_from(arrival * setup.ticks.quantum_ns + back_ns),
            limit: setup.ticks.quantum_from(sent_ns + self.config.timeout_ns),
            life: self.life,
        }
    }

    /// Takes in a result; `Some(true)`: the server is out from now on, `Some(false)`: it is back.
    /// `out` says whether it is out at present.
    pub fn note(&mut self, server: ServerId, passed: bool, out: bool) -> Option<bool> {
        let streak = &mut self.streaks[server.index()];
        let longer = if passed { (*streak).max(0) + 1 } else { (*streak).min(0) - 1 };
        *streak = longer.clamp(-i32::MAX / 2, i32::MAX / 2);
        if !out && streak.unsigned_abs() >= self.config.fall && !passed {
            Some(true)
        } else if out && streak.unsigned_abs() >= self.config.rise && passed {
            Some(false)
        } else {
            None
        }
    }

    /// Whether a check is one of the present life.
    pub const fn is_present(&self, flight: &Flight) -> bool {
        flight.life == self.life
    }

    /// Forgets all results, and those of checks on their way.
    pub fn reset(&mut self) {
        self.life += 1;
        self.streaks.fill(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::stream;

    #[test]
    fn it_takes_fall_failures_in_a_row_to_put_out_and_rise_successes_to_bring_back() {
        let config = HealthChecks { interval_ns: 1, timeout_ns: 1, fall: 3, rise: 2 };
        let mut checks = Checks {
            config,
            stream: stream(1, 0, Purpose::HealthChecks, 0),
            streaks: vec![0],
            due_ns: vec![0],
            life: 0,
        };
        let mut out = false;
        let mut seen = String::new();
        for letter in "++--+---+-++-+".chars() {
            if let Some(verdict) = checks.note(ServerId(0), letter == '+', out) {
                out = verdict;
            }
            seen.push(if out { 'o' } else { 'i' });
        }
        assert_eq!(seen, "iiiiiiioooo".to_owned() + "iii");
    }

    #[test]
    fn an_answer_counts_up_to_the_limit() {
        let flight = Flight { server: 0, arrival: 5, answer: 8, limit: 8, life: 0 };
        assert_eq!(flight.outcome(true), (true, 8));
        assert_eq!(flight.outcome(false), (false, 8));
        assert_eq!(Flight { limit: 7, ..flight }.outcome(true), (false, 7));
    }
}
