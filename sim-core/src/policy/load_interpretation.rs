//! Load interpretation: old loads are read together with their age.
//!
//! Source: Dahlin, "Interpreting stale load information", IEEE TPDS 11(10), 2000. Signal: the loads in
//! the newest reports, as they are, and the arrivals expected to act on them. A node that knows how
//! many requests the whole fleet will send before it hears again can share them out so that all
//! servers end up level, instead of sending them all to the server that looks idlest now.
//!
//! Formula. Let `q_i` be the reported load of server i and `K` the expected arrivals of the whole fleet
//! in a period. The water level `L` solves `sum_i max(L - q_i, 0) = K`.
//! * `basic`: the period is `phase`, the time between two reports of a server. Server i is chosen with
//!   probability `max(L - q_i, 0) / K`. Whatever the phases of the reports, each server gets `L - q_i` between
//!   two of its own.
//! * `aggressive`: the period is the time since the reports (their mean age, so all of it when
//!   servers report in step); each of the servers below the level is chosen with equal chance: they have
//!   been filled up to it, if all nodes do alike.
//!
//! The rate of the fleet is this node's own rate of attempts, averaged over about `rate_window`, times
//! the number of configured nodes. Loads count requests, so it fits servers that are alike.
//! Ties: chance decides. Servers that are not eligible are drawn again; after a few misses one scan
//! settles it, with the level of the eligible alone.
//!
//! Cost: servers are kept by reported load, so a decision is O(loads below the level), and a report O(log of
//! the reports since the last decision).

use crate::answer::{Answer, Status};
use crate::config::keys::{Key, key};
use crate::config::{ParameterCheck, ParameterList};
use crate::ids::{NodeId, ServerId};
use crate::rng::{RngExt, Stream, below};
use crate::setup::Setup;
use crate::time::Nanos;
use crate::view::barred::BARRED;
use crate::view::{BLIND_DRAWS, Belief, Candidates};

use super::registry::capacity_gate_key;
use super::{Parameters, Policy, SelectionIndex};

/// Parameters of [`LoadInterpretation`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadInterpretationConfig {
    /// How arrivals are shared out.
    pub mode: Interpretation,
    /// Time between two reports of a server [ns]; `None`: the heartbeat interval.
    pub phase_ns: Option<Nanos>,
    /// Time constant of the measured rate [ns].
    pub rate_window_ns: Nanos,
    /// Skip servers whose reported load has reached their capacity.
    pub capacity_gate: bool,
}

/// How arrivals are shared out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interpretation {
    /// All servers are level when they report again.
    Basic,
    /// All servers are level as soon as may be, and stay so.
    Aggressive,
}

impl Default for LoadInterpretationConfig {
    fn default() -> Self {
        Self {
            mode: Interpretation::Basic,
            phase_ns: None,
            rate_window_ns: 1_000_000_000,
            capacity_gate: false,
        }
    }
}

impl Parameters for LoadInterpretationConfig {
    #[rustfmt::skip] // One key a row.
    const KEYS: &'static [Key] = &[
        key("policy.load_interpretation.mode", "", "basic", "basic, aggressive", "How expected arrivals are shared out: level at the end of a phase, or at once.", "aggressive: better while reports are fresh."),
        key("policy.load_interpretation.phase", "duration", "interval", "above 0, or interval", "Time between two reports of a server, as the node assumes; interval: that of heartbeats.", "Longer: nearer to random."),
        key("policy.load_interpretation.rate_window", "duration", "1s", "above 0", "Time constant of the node's measured rate.", "Longer: steadier, slower to follow."),
        capacity_gate_key!("load_interpretation", "false"),
    ];

    fn list(&mut self, list: &mut ParameterList<'_, '_, '_>) {
        let Self { mode, phase_ns, rate_window_ns, capacity_gate } = self;
        let modes = [("basic", Interpretation::Basic), ("aggressive", Interpretation::Aggressive)];
        list.word("mode", &modes, mode);
        list.time_or("phase", "interval", phase_ns);
        list.time("rate_window", rate_window_ns);
        list.flag("capacity_gate", capacity_gate);
    }

    fn check(&self, check: &mut ParameterCheck<'_>) {
        if let Some(phase_ns) = self.phase_ns {
            check.positive_time("phase", phase_ns);
        }
        check.positive_time("rate_window", self.rate_window_ns);
    }

    fn corrects_own_sends(&self) -> bool {
        false
    }

    fn server_bytes(&self) -> usize {
        Board::SERVER_BYTES
    }

    fn build(&self, setup: &Setup, _: NodeId, _: &mut Stream) -> SelectionIndex {
        let phase_ns = self.phase_ns.unwrap_or(setup.heartbeat.interval_ns);
        SelectionIndex::Boxed(Box::new(LoadInterpretation {
            mode: self.mode,
            capacity_gate: self.capacity_gate,
            phase_ns: phase_ns as f64,
            quantum_ns: setup.ticks.quantum_ns,
            nodes: f64::from(setup.nodes),
            rate: Rate::new(self.rate_window_ns),
            board: Board::new(setup.servers),
            changed: Vec::new(),
            filled_for: None,
        }))
    }
}

/// See the module documentation.
#[derive(Debug)]
pub struct LoadInterpretation {
    mode: Interpretation,
    capacity_gate: bool,
    phase_ns: f64,
    quantum_ns: Nanos,
    nodes: f64,
    rate: Rate,
    board: Board,
    /// Servers about which something may have changed since the last choice.
    changed: Vec<u32>,
    /// Of which pool the board is; `None`: of nobody yet.
    filled_for: Option<u32>,
}

impl LoadInterpretation {
    /// Brings the board up to date. Reports come in no order, so they are taken by server.
    fn catch_up(&mut self, candidates: &Candidates<'_>) {
        if self.filled_for != Some(candidates.pool_changes()) {
            self.filled_for = Some(candidates.pool_changes());
            self.board = Board::new(candidates.len());
            self.changed.extend(candidates.servers());
        }
        self.changed.sort_unstable();
        self.changed.dedup();
        for &server in &self.changed {
            self.board.post(server, candidates.belief(server));
        }
        self.changed.clear();
    }

    /// Arrivals of the fleet in the period: at least the one at hand.
    fn expected(&self, candidates: &Candidates<'_>) -> f64 {
        let period_ns = match self.mode {
            Interpretation::Basic => self.phase_ns,
            Interpretation::Aggressive => {
                candidates.at_ns() as f64 - self.board.mean_stamp() * self.quantum_ns as f64
            }
        };
        (self.rate.per_ns(candidates.at_ns()) * self.nodes * period_ns).max(1.0)
    }

    /// The weight of a server whose posted load is `load`, below the level.
    fn weight(&self, level: f64, load: usize) -> f64 {
        let missing = level - load as f64;
        match self.mode {
            Interpretation::Basic => missing.max(0.0),
            Interpretation::Aggressive => f64::from(missing > 0.0),
        }
    }

    fn draw(&self, expected: f64, stream: &mut Stream) -> Option<u32> {
        let counts = || self.board.levels.iter().map(Vec::len).enumerate();
        let level = water_level(counts(), expected)?;
        let mass = |(load, count): (usize, usize)| self.weight(level, load) * count as f64;
        let below_level = || counts().take_while(|&(load, _)| (load as f64) < level);
        let mut left = stream.random::<f64>() * below_level().map(mass).sum::<f64>();
        let mut last = None;
        for (load, count) in below_level().filter(|&(_, count)| count > 0) {
            last = Some(load);
            left -= mass((load, count));
            if left < 0.0 {
                break;
            }
        }
        let servers = &self.board.levels[last?];
        Some(servers[below(stream, servers.len() as u32) as usize])
    }

    /// The same choice among the eligible alone. O(servers).
    #[cold]
    fn draw_by_scan(
        &self,
        candidates: &Candidates<'_>,
        expected: f64,
        stream: &mut Stream,
    ) -> Option<u32> {
        let is_eligible = |server: u32| candidates.is_eligible(server, self.capacity_gate);
        let load = |server: u32| usize::from(candidates.belief(server).others);
        let eligible = candidates.servers().filter(|&server| is_eligible(server));
        let mut loads: Vec<usize> = eligible.map(load).collect();
        loads.sort_unstable();
        let level = water_level(loads.iter().map(|&load| (load, 1)), expected)?;
        let weight =
            |server| if is_eligible(server) { self.weight(level, load(server)) } else { 0.0 };
        candidates.draw_weighted_by_scan(stream, weight)
    }
}

impl Policy for LoadInterpretation {
    fn choose(&mut self, candidates: &Candidates<'_>, stream: &mut Stream) -> Option<ServerId> {
        self.catch_up(candidates);
        let expected = self.expected(candidates);
        for _ in 0..BLIND_DRAWS {
            let server = self.draw(expected, stream)?;
            if candidates.is_eligible(server, self.capacity_gate) {
                return Some(ServerId(server));
            }
        }
        self.draw_by_scan(candidates, expected, stream).map(ServerId)
    }

    fn on_report(&mut self, server: ServerId, _: &Belief) {
        self.changed.push(server.0);
    }

    fn on_send(&mut self, _: ServerId, _: &Belief, at_ns: Nanos) {
        self.rate.count(at_ns);
    }

    fn on_answer(&mut self, server: ServerId, _: &Belief, answer: &Answer) {
        // The node takes a server that refused for full.
        if answer.status == Some(Status::Refused) {
            self.changed.push(server.0);
        }
    }
}

/// The level to which `poured` fills vessels of these bottoms, in rising order with their numbers; none
/// without a vessel. O(bottoms below the level).
fn water_level(bottoms: impl Iterator<Item = (usize, usize)>, poured: f64) -> Option<f64> {
    let mut vessels = 0;
    let mut bottom_sum = 0;
    let level = |vessels: usize, bottom_sum: usize| (poured + bottom_sum as f64) / vessels as f64;
    for (bottom, count) in bottoms.filter(|&(_, count)| count > 0) {
        if vessels > 0 && level(vessels, bottom_sum) <= bottom as f64 {
            break;
        }
        vessels += count;
        bottom_sum += count * bottom;
    }
    (vessels > 0).then(|| level(vessels, bottom_sum))
}

/// Servers by posted load.
#[derive(Debug)]
struct Board {
    /// The servers of each load.
    levels: Vec<Vec<u32>>,
    /// Where each server stands.
    places: Vec<Place>,
    servers: u64,
    /// Sum of the stamps of their reports [quanta].
    stamp_sum: u64,
}

#[derive(Clone, Copy, Debug)]
struct Place {
    load: u32,
    position: u32,
    stamp: u32,
}

/// In a place: the server is not on the board.
const NOWHERE: u32 = u32::MAX;

impl Board {
    /// Memory a server takes [bytes]: its place, and its entry with its share of the spare room.
    const SERVER_BYTES: usize = size_of::<Place>() + 3 * size_of::<u32>();

    fn new(servers: u32) -> Self {
        let place = Place { load: NOWHERE, position: 0, stamp: 0 };
        let places = vec![place; servers as usize];
        Self { levels: Vec::new(), places, servers: 0, stamp_sum: 0 }
    }

    /// Takes down what was posted of a server, and posts what is believed of it unless it is barred.
    fn post(&mut self, server: u32, belief: &Belief) {
        let Place { load, position, stamp } = self.places[server as usize];
        if load != NOWHERE {
            let servers = &mut self.levels[load as usize];
            servers.swap_remove(position as usize);
            if let Some(&moved) = servers.get(position as usize) {
                self.places[moved as usize].position = position;
            }
            self.servers -= 1;
            self.stamp_sum -= u64::from(stamp);
            self.places[server as usize].load = NOWHERE;
        }
        if belief.sent_quantum == BARRED {
            return;
        }
        let load = usize::from(belief.others);
        if self.levels.len() <= load {
            self.levels.resize_with(load + 1, Vec::new);
        }
        self.servers += 1;
        self.stamp_sum += u64::from(belief.sent_quantum);
        self.places[server as usize] = Place {
            load: load as u32,
            position: self.levels[load].len() as u32,
            stamp: belief.sent_quantum,
        };
        self.levels[load].push(server);
    }

    /// Mean stamp of the posted reports [quanta]; 0 of none.
    fn mean_stamp(&self) -> f64 {
        self.stamp_sum as f64 / self.servers.max(1) as f64
    }
}

/// A rate of events, exponentially averaged; right from the first event on, because the average is
/// divided by the weight it has gathered.
#[derive(Debug)]
struct Rate {
    window_ns: f64,
    events: f64,
    first_ns: Option<Nanos>,
    last_ns: Nanos,
}

impl Rate {
    fn new(window_ns: Nanos) -> Self {
        Self { window_ns: window_ns as f64, events: 0.0, first_ns: None, last_ns: 0 }
    }

    fn faded(&self, at_ns: Nanos) -> f64 {
        self.events * libm::exp(-((at_ns - self.last_ns) as f64) / self.window_ns)
    }

    /// Events a nanosecond; 0 before the second.
    fn per_ns(&self, at_ns: Nanos) -> f64 {
        let observed_ns = self.first_ns.map_or(0, |first_ns| at_ns - first_ns) as f64;
        if observed_ns > 0.0 {
            self.faded(at_ns) / (-libm::expm1(-observed_ns / self.window_ns) * self.window_ns)
        } else {
            0.0
        }
    }

    fn count(&mut self, at_ns: Nanos) {
        // The event that opens the observation is not in it.
        self.events = if self.first_ns.is_some() { self.faded(at_ns) + 1.0 } else { 0.0 };
        self.first_ns.get_or_insert(at_ns);
        self.last_ns = at_ns;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Purpose, stream};
    use proptest::prelude::*;

    proptest! {
        /// Goal: the level is the one at which all water is in the vessels. Method: against bisection.
        #[test]
        fn level_is_where_the_water_stands(
            mut loads in proptest::collection::vec(0_usize..30, 1..40),
            poured in 0.01_f64..500.0,
        ) {
            loads.sort_unstable();
            let level = water_level(loads.iter().map(|&load| (load, 1)), poured).unwrap();
            let held: f64 = loads.iter().map(|&load| (level - load as f64).max(0.0)).sum();
            prop_assert!((held - poured).abs() < 1e-9 * poured.max(1.0), "{held} of {poured}");
        }

        /// Goal: the board is what was last posted of each server. Method: against a plain table.
        #[test]
        fn board_keeps_what_was_posted_last(
            posts in proptest::collection::vec((0_u32..8, 0_u16..5, 0_u32..4), 1..80),
        ) {
            let mut board = Board::new(8);
            let mut plain = [None; 8];
            for (server, others, stamp) in posts {
                let belief = Belief { others, sent_quantum: stamp, ..Belief::default() };
                board.post(server, &belief);
                plain[server as usize] = (stamp != BARRED).then_some((others, stamp));
            }
            for (load, servers) in board.levels.iter().enumerate() {
                let mut servers = servers.clone();
                servers.sort_unstable();
                let expected: Vec<u32> = (0..8)
                    .filter(|&s: &u32| {
                        plain[s as usize].is_some_and(|(others, _)| usize::from(others) == load)
                    })
                    .collect();
                prop_assert_eq!(servers, expected);
            }
            let stamps = plain.iter().flatten().map(|&(_, stamp)| u64::from(stamp));
            prop_assert_eq!(board.stamp_sum, stamps.sum::<u64>());
            prop_assert_eq!(board.servers, plain.iter().flatten().count() as u64);
        }
    }

    fn interpreter(mode: Interpretation, loads: &[u16]) -> LoadInterpretation {
        let mut board = Board::new(loads.len() as u32);
        for (server, &others) in (0..).zip(loads) {
            board.post(server, &Belief { others, sent_quantum: 1, ..Belief::default() });
        }
        LoadInterpretation {
            mode,
            capacity_gate: false,
            phase_ns: 1.0,
            quantum_ns: 1,
            nodes: 1.0,
            rate: Rate::new(1),
            board,
            changed: Vec::new(),
            filled_for: Some(0),
        }
    }

    /// Goal: shares are `(L - q_i) / K`, or equal below the level. Method: counts of 100 000 draws by
    /// chi-square; 3 degrees of freedom, the bound is the 1 - 1e-6 quantile.
    #[test]
    fn shares_follow_what_is_missing_to_the_level() {
        // K = 6 over 0, 1, 1, 3, 9: the level is 11/4 of the first three: 8/3.
        let loads = [0, 1, 1, 3, 9];
        let missing = [8.0 / 3.0, 5.0 / 3.0, 5.0 / 3.0, 0.0, 0.0];
        for (mode, shares) in [
            (Interpretation::Basic, missing.map(|m| m / 6.0)),
            (Interpretation::Aggressive, [1.0 / 3.0, 1.0 / 3.0, 1.0 / 3.0, 0.0, 0.0]),
        ] {
            let policy = interpreter(mode, &loads);
            let mut stream = stream(1, 0, Purpose::Policy, 0);
            let mut counts = [0.0; 5];
            for _ in 0..100_000 {
                counts[policy.draw(6.0, &mut stream).unwrap() as usize] += 1.0;
            }
            let chi: f64 = counts
                .iter()
                .zip(shares)
                .map(|(&count, share): (&f64, f64)| {
                    let expected = share * 1e5;
                    if share > 0.0 { (count - expected).powi(2) / expected } else { count * 1e9 }
                })
                .sum();
            assert!(chi < 30.7, "{mode:?}: {counts:?}");
        }
    }

    #[test]
    fn rate_is_right_from_the_start() {
        let mut rate = Rate::new(1_000);
        for event in 0..5_000 {
            rate.count(event * 10);
            if event > 0 {
                // At an event the average holds one event more than half an interval ago.
                let per_ns = rate.per_ns(event * 10);
                assert!((per_ns - 0.1).abs() < 0.002 + 0.1 / event as f64, "{event}: {per_ns}");
            }
        }
    }
}
