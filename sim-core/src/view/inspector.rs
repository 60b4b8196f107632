//! Reports that cannot be true: what is wrong with them, and what a node does about it.
//!
//! | flaw | sign | what is done |
//! |---|---|---|
//! | [`Flaw::NoSlots`] | capacity 0 | rejected |
//! | [`Flaw::BadLatency`] | latency negative, not a number, or above an hour | what was believed before stays |
//! | [`Flaw::TooActive`] | more in service than slots | load at most the slots and the backlog |
//! | [`Flaw::TooLoaded`] | load above slots and backlog of its group | load cut to that |
//! | [`Flaw::Late`] | version below the one held | no news |
//! | [`Flaw::TwoFaced`] | the version held, with another payload | the first stays |
//! | [`Flaw::FarOff`] | latency against the node's own measurement | a strike |
//!
//! Late reports are normal where links reorder; all others are not, and none of them touches what a
//! sound server says: merging sound reports stays the maximum of a total order.
//!
//! Quarantine. A report far off is a strike, one that is not takes a strike back. From `strikes`
//! strikes on, until none is left, the node believes its own measurement: the latency of its own
//! attempts, and a load of what it has there itself.
//!
//! The node's measurement is the time from dispatch to answer less the mean delays of both ways, for
//! what a server reports is the time inside it. The comparison waits for `min_answers` answers, and
//! for one since the last comparison: a server idle by this node's doing is not judged by old figures.
//! And what is believed of a server in quarantine fades while it is idle, as reported latencies do
//! (`heartbeat.latency_decay`): else a policy that follows latencies would never try it again, and it
//! could not show that it is honest by now.

use super::Belief;
use crate::config::TrustConfig;
use crate::network::{Report, Stage};
use crate::setup::Setup;
use crate::time::{Nanos, SECOND};

/// What can be wrong with a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Flaw {
    /// No slots.
    NoSlots,
    /// A latency that no server can have.
    BadLatency,
    /// More in service than slots.
    TooActive,
    /// More load than slots and backlog hold.
    TooLoaded,
    /// An older version than the one held.
    Late,
    /// The version held, and something else in it.
    TwoFaced,
    /// A latency far from what the node measures.
    FarOff,
}

/// Number of flaws.
pub const FLAWS: usize = 7;

/// Longest latency that is believed [ns].
const LATENCY_NS_MAX: f32 = 3_600.0 * SECOND as f32;

/// What becomes of a report.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Verdict {
    /// Nothing is believed.
    Reject,
    /// This is believed.
    Accept(Report),
}

/// See the module documentation.
#[derive(Clone, Debug)]
pub struct Inspector {
    config: TrustConfig,
    /// Mean delays of both ways [ns].
    way_ns: f32,
    quantum_ns: Nanos,
    /// In how many quanta a measurement fades to 1/e, if ever.
    fade_quanta: Option<f64>,
    /// First server and most load of each group.
    rooms: Vec<(u32, u32)>,
    servers: Vec<Record>,
    counts: [u64; FLAWS],
    quarantines: u64,
}

/// What is kept of a server.
#[derive(Clone, Copy, Debug, Default)]
struct Record {
    /// Mean of the node's own measurements [ns].
    own_ns: f32,
    /// Answers in it, saturating.
    answers: u32,
    /// The newest report: payload in 32 bits.
    payload: u32,
    /// The quantum of the last answer.
    answered: u32,
    strikes: u8,
    quarantined: bool,
    /// An answer has come since the last comparison.
    fresh: bool,
}

impl Inspector {
    /// Memory a server takes [bytes].
    pub(crate) const SERVER_BYTES: usize = size_of::<Record>();

    /// Nothing suspicious yet.
    pub fn new(setup: &Setup, config: TrustConfig) -> Self {
        Self {
            config,
            way_ns: setup.round_trip_ns as f32,
            quantum_ns: setup.ticks.quantum_ns,
            fade_quanta: setup
                .heartbeat
                .latency_decay_ns
                .map(|ns| ns as f64 / setup.ticks.quantum_ns as f64),
            rooms: setup.groups.iter().map(|group| (group.first, group.room)).collect(),
            servers: vec![Record::default(); setup.servers as usize],
            counts: [0; FLAWS],
            quarantines: 0,
        }
    }

    /// Flawed reports by kind.
    pub const fn counts(&self) -> &[u64; FLAWS] {
        &self.counts
    }

    /// Times a server was put into quarantine.
    pub const fn quarantines(&self) -> u64 {
        self.quarantines
    }

    /// The latency to believe, after a report sent in the quantum `now`, of a server in quarantine
    /// [ns].
    pub fn own_latency_ns(&self, server: u32, now: u32) -> Option<f32> {
        let record = &self.servers[server as usize];
        let faded = self.fade_quanta.map_or(1.0, |fade_quanta| {
            libm::exp(-f64::from(now.saturating_sub(record.answered)) / fade_quanta)
        });
        record.quarantined.then_some((f64::from(record.own_ns) * faded) as f32)
    }

    /// Takes in an answer that came at `at_ns`, `took_ns` after the attempt was sent.
    pub fn measure(&mut self, server: u32, at_ns: Nanos, took_ns: Nanos) {
        let answered = (at_ns / self.quantum_ns) as u32;
        let record = &mut self.servers[server as usize];
        let inside_ns = (took_ns as f32 - self.way_ns).max(1.0);
        record.own_ns = if record.answers == 0 {
            inside_ns
        } else {
            record.own_ns + self.config.alpha as f32 * (inside_ns - record.own_ns)
        };
        record.answers = record.answers.saturating_add(1);
        record.answered = answered;
        record.fresh = true;
    }

    fn count(&mut self, flaw: Flaw) {
        self.counts[flaw as usize] += 1;
    }

    /// Judges a report that is news; `before` is what was believed.
    pub(super) fn inspect(&mut self, report: &Report, before: &Belief) -> Verdict {
        if report.capacity == 0 {
            self.count(Flaw::NoSlots);
            return Verdict::Reject;
        }
        let mut amended = *report;
        let sane = (0.0..=LATENCY_NS_MAX).contains(&report.latency_ns);
        if sane {
            self.compare(report);
        } else {
            self.count(Flaw::BadLatency);
            amended.latency_ns = before.latency_ns;
        }
        let group = self.rooms.partition_point(|&(first, _)| first <= report.server) - 1;
        let room = self.rooms[group].1;
        if report.active > report.capacity {
            self.count(Flaw::TooActive);
        }
        if u32::from(report.load) > room {
            self.count(Flaw::TooLoaded);
            amended.load = room.min(u32::from(u16::MAX)) as u16;
        }
        self.servers[report.server as usize].payload = payload(report);
        Verdict::Accept(amended)
    }

    fn compare(&mut self, report: &Report) {
        let TrustConfig { factor, min_answers, strikes, .. } = self.config;
        let record = &mut self.servers[report.server as usize];
        // A server that has completed nothing says nothing about its latency.
        if record.answers < min_answers || !record.fresh || report.latency_ns == 0.0 {
            return;
        }
        record.fresh = false;
        let factor = factor as f32;
        let far = report.latency_ns > record.own_ns * factor
            || report.latency_ns * factor < record.own_ns;
        if far {
            record.strikes = record.strikes.saturating_add(1).min(strikes as u8);
            if u32::from(record.strikes) == strikes && !record.quarantined {
                record.quarantined = true;
                self.quarantines += 1;
            }
            self.count(Flaw::FarOff);
        } else {
            record.strikes = record.strikes.saturating_sub(1);
            record.quarantined &= record.strikes > 0;
        }
    }

    /// Counts a report that is no news; `held` is the version held.
    pub(super) fn turn_away(&mut self, report: &Report, held: u32) {
        if report.version < held {
            self.count(Flaw::Late);
        } else if payload(report) != self.servers[report.server as usize].payload {
            self.count(Flaw::TwoFaced);
        }
    }
}

/// The payload of a report in 32 bits.
fn payload(report: &Report) -> u32 {
    let Report { load, active, capacity, stage, latency_ns, sent_quantum, .. } = *report;
    let counts = u64::from(load) | u64::from(active) << 16 | u64::from(capacity) << 32;
    let stage = match stage {
        Stage::Serving => 0,
        Stage::Draining => 1,
        Stage::Leaving => 2,
    };
    let rest = u64::from(latency_ns.to_bits()) | u64::from(sent_quantum) << 32;
    (crate::rng::mix(crate::rng::mix(counts | stage << 48) ^ rest) >> 32) as u32
}
