//! Probes: one member an interval is asked whether it lives, directly and then through others.
//!
//! The next target is the next member of a ring that is shuffled anew after each round, so that
//! nobody waits longer than two rounds; or a random member, as in the paper's analysis.
//!
//! With Lifeguard, an interval lasts `1 + health` times its length, and health tells how often this
//! node has failed of late: it improves by one with each answered probe; a failed one makes it worse
//! by the number of helpers that sent neither `Ack` nor `Nack`, or by one if none was asked.

use crate::config::ProbeOrder;
use crate::rng::{Stream, below};

use super::message::Kind;
use super::{Membership, Turn, catch_up, draw};

/// What a node is probing, and for whom.
#[derive(Clone, Debug, Default)]
pub(super) struct Prober {
    ring: Vec<u32>,
    ring_at: usize,
    sequence: u32,
    next_probe: u64,
    probe: Option<Probe>,
    relays: Vec<Relay>,
}

#[derive(Clone, Copy, Debug)]
struct Probe {
    target: u32,
    sequence: u32,
    /// Others are asked from here on; `u64::MAX` once they have been.
    ask_at: u64,
    helpers: u32,
    nacks: u32,
}

/// A ping on somebody else's behalf.
#[derive(Clone, Copy, Debug)]
struct Relay {
    asker: u32,
    asker_sequence: u32,
    sequence: u32,
    ends: u64,
}

impl Prober {
    /// The first probe is due at `quantum`.
    pub(super) fn start(&mut self, quantum: u64) {
        self.next_probe = quantum;
    }

    /// Puts a new member at a random place of the ring: nobody is probed by all at once.
    pub(super) fn admit(&mut self, node: u32, stream: &mut Stream) {
        if !self.ring.contains(&node) {
            let place = below(stream, self.ring.len() as u32 + 1) as usize;
            self.ring.insert(place, node);
            if place < self.ring_at {
                self.ring_at += 1;
            }
        }
    }

    /// A helper has not heard from the target either.
    pub(super) fn nack(&mut self, sequence: u32) {
        if let Some(probe) = &mut self.probe
            && probe.sequence == sequence
        {
            probe.nacks += 1;
        }
    }

    /// When the next thing happens by itself.
    pub(super) fn next_due(&self) -> u64 {
        let ask = self.probe.map_or(u64::MAX, |probe| probe.ask_at);
        let relay = self.relays.iter().map(|relay| relay.ends).min().unwrap_or(u64::MAX);
        ask.min(self.next_probe).min(relay)
    }

    /// What a crash leaves: questions are numbered on, so that nobody takes an answer to an earlier
    /// life for one to this.
    pub(super) fn stopped(&self) -> Self {
        Self { sequence: self.sequence, ..Self::default() }
    }

    fn number(&mut self) -> u32 {
        self.sequence = self.sequence.wrapping_add(1);
        self.sequence
    }
}

impl Membership {
    /// Does what is due of the probes.
    pub(super) fn probe(&mut self, turn: &mut Turn<'_>) {
        self.end_relays(turn);
        let Turn { rules, quantum, .. } = *turn;
        if let Some(probe) = self.prober.probe
            && probe.ask_at <= quantum
            && self.prober.next_probe > quantum
        {
            self.ask_others(probe, turn);
        }
        if self.prober.next_probe > quantum {
            return;
        }
        if let Some(probe) = self.prober.probe.take() {
            let helpers = probe.helpers;
            self.worsen(if helpers > 0 { helpers - probe.nacks.min(helpers) } else { 1 }, rules);
            self.accuse(probe.target, turn);
        }
        let interval = rules.probe_interval * u64::from(1 + self.health);
        if !catch_up(&mut self.prober.next_probe, quantum, interval) {
            return;
        }
        if let Some(target) = self.next_target(turn) {
            let sequence = self.prober.number();
            let ask_at = quantum + rules.probe_timeout;
            self.prober.probe = Some(Probe { target, sequence, ask_at, helpers: 0, nacks: 0 });
            self.send(target, Kind::Ping { sequence }, turn);
        }
    }

    fn next_target(&mut self, turn: &mut Turn<'_>) -> Option<u32> {
        if self.others.is_empty() {
            return None;
        }
        if turn.rules.probe_order == ProbeOrder::Random {
            return Some(self.others[below(turn.stream, self.others.len() as u32) as usize]);
        }
        // Those gone leave the ring at the end of a round. A round holds all who live.
        for _ in 0..2 {
            while let Some(&node) = self.prober.ring.get(self.prober.ring_at) {
                self.prober.ring_at += 1;
                if self.takes_for_live(node) {
                    return Some(node);
                }
            }
            self.prober.ring.clear();
            self.prober.ring.extend_from_slice(&self.others);
            self.prober.ring_at = 0;
            let all = self.prober.ring.len();
            draw(&mut self.prober.ring, all, turn.stream);
        }
        None
    }

    fn ask_others(&mut self, probe: Probe, turn: &mut Turn<'_>) {
        let Probe { target, sequence, .. } = probe;
        let mut helpers = std::mem::take(&mut self.scratch);
        helpers.clear();
        helpers.extend(self.others.iter().filter(|&&node| node != target));
        let chosen = draw(&mut helpers, turn.rules.indirect as usize, turn.stream);
        for &helper in &helpers[..chosen] {
            self.send(helper, Kind::PingFor { target, sequence }, turn);
        }
        self.scratch = helpers;
        self.prober.probe = Some(Probe { ask_at: u64::MAX, helpers: chosen as u32, ..probe });
    }

    /// Pings `target` for another member.
    pub(super) fn relay(&mut self, asker: u32, target: u32, sequence: u32, turn: &mut Turn<'_>) {
        let own = self.prober.number();
        let ends = turn.quantum + turn.rules.probe_timeout;
        self.prober.relays.push(Relay { asker, asker_sequence: sequence, sequence: own, ends });
        self.send(target, Kind::Ping { sequence: own }, turn);
    }

    /// An answer: to the present probe, to a ping for another, or too late.
    pub(super) fn acknowledged(&mut self, sequence: u32, turn: &mut Turn<'_>) {
        if let Some(probe) = self.prober.probe
            && probe.sequence == sequence
        {
            self.prober.probe = None;
            self.health = self.health.saturating_sub(1);
        } else if let Some(place) =
            self.prober.relays.iter().position(|relay| relay.sequence == sequence)
        {
            let relay = self.prober.relays.remove(place);
            self.send(relay.asker, Kind::Ack { sequence: relay.asker_sequence }, turn);
        }
    }

    fn end_relays(&mut self, turn: &mut Turn<'_>) {
        while let Some(place) =
            self.prober.relays.iter().position(|relay| relay.ends <= turn.quantum)
        {
            let relay = self.prober.relays.remove(place);
            if turn.rules.lifeguard {
                self.send(relay.asker, Kind::Nack { sequence: relay.asker_sequence }, turn);
            }
        }
    }
}
