//! Power of d choices: the least loaded of `choices` servers drawn at random.
//!
//! Source: Vvedenskaya, Dobrushin, Karpelevich 1996; Mitzenmacher 1996. With `replacement` one
//! server may be drawn twice (Envoy, gRPC); without, the draws are distinct (Finagle, tower).
//! `choices = "all"` is the full scan (Envoy `FULL_SCAN`, least connections).
//!
//! Signal: the node's own in-flight requests (`own`: what proxies do), the load in the newest
//! report (`reported`), or the report corrected by own sends since (`combined`, the default).
//! Ties: the first drawn (`first`), or each with equal chance (`random`). O(choices) a decision.

use crate::config::{Choices, DrawTies, LoadSignal};
use crate::ids::ServerId;
use crate::rng::{Stream, below, distinct_pair};
use crate::view::{Belief, Candidates, View};

use super::{Policy, draw_by_scan, draw_eligible};

/// See the module documentation.
#[derive(Clone, Debug)]
pub struct TwoChoices {
    /// How many are drawn.
    choices: Choices,
    /// Whether one server may be drawn twice.
    replacement: bool,
    /// What "loaded" means.
    signal: LoadSignal,
    /// Who wins among equal loads.
    ties: DrawTies,
    /// Pass over servers believed full.
    capacity_gate: bool,
    /// Two distinct ones are drawn: the common case.
    distinct_pair: bool,
    /// The servers drawn for the present decision.
    drawn: Vec<u32>,
}

/// The best so far: reservoir sampling keeps each of the tied with equal chance.
struct Best {
    server: u32,
    load: u32,
    tied: u32,
}

impl Best {
    const fn new(server: u32, load: u32) -> Self {
        Self { server, load, tied: 1 }
    }

    #[inline]
    fn challenge(&mut self, server: u32, load: u32, ties: DrawTies, stream: &mut Stream) {
        if load < self.load {
            *self = Self::new(server, load);
        } else if load == self.load && ties == DrawTies::Random {
            self.tied += 1;
            if below(stream, self.tied) == 0 {
                self.server = server;
            }
        }
    }
}

impl TwoChoices {
    /// The policy with these parameters.
    pub const fn new(
        choices: Choices,
        replacement: bool,
        signal: LoadSignal,
        ties: DrawTies,
        capacity_gate: bool,
    ) -> Self {
        let distinct_pair = matches!(choices, Choices::Count(2)) && !replacement;
        let drawn = Vec::new();
        Self { choices, replacement, signal, ties, capacity_gate, distinct_pair, drawn }
    }

    #[inline]
    fn load(&self, candidates: &Candidates<'_>, server: u32) -> u32 {
        self.load_by(candidates, candidates.belief(server))
    }

    #[inline]
    fn load_by(&self, candidates: &Candidates<'_>, belief: &Belief) -> u32 {
        if self.signal == LoadSignal::Own { belief.own } else { candidates.load_by(belief) }
    }

    /// One draw after the other, each among all eligible servers.
    #[inline(never)]
    fn choose_in_turn(
        &mut self,
        candidates: &Candidates<'_>,
        stream: &mut Stream,
    ) -> Option<ServerId> {
        let Choices::Count(choices) = self.choices else {
            return self.scan(candidates, stream);
        };
        let first = draw_eligible(candidates, self.capacity_gate, stream)?;
        let mut best = Best::new(first, self.load(candidates, first));
        self.drawn.clear();
        self.drawn.push(first);
        for _ in 1..choices {
            let next = if self.replacement {
                draw_eligible(candidates, self.capacity_gate, stream)
            } else {
                self.draw_another(candidates, stream)
            };
            let Some(server) = next else { break };
            self.drawn.push(server);
            best.challenge(server, self.load(candidates, server), self.ties, stream);
        }
        Some(ServerId(best.server))
    }

    fn scan(&self, candidates: &Candidates<'_>, stream: &mut Stream) -> Option<ServerId> {
        let gate = self.capacity_gate;
        let mut eligible = (0..candidates.len()).filter(|&s| candidates.is_eligible(s, gate));
        let first = eligible.next()?;
        let mut best = Best::new(first, self.load(candidates, first));
        for server in eligible {
            best.challenge(server, self.load(candidates, server), self.ties, stream);
        }
        Some(ServerId(best.server))
    }

    /// The next distinct eligible server, or none when all have been drawn.
    #[inline]
    fn draw_another(&self, candidates: &Candidates<'_>, stream: &mut Stream) -> Option<u32> {
        let servers = candidates.len();
        let is_new =
            |s: u32| candidates.is_eligible(s, self.capacity_gate) && !self.drawn.contains(&s);
        for _ in 0..super::BLIND_DRAWS {
            let server = below(stream, servers);
            if is_new(server) {
                return Some(server);
            }
        }
        draw_by_scan(candidates, is_new, stream)
    }
}

impl Policy for TwoChoices {
    #[expect(
        clippy::inline_always,
        reason = "a call saves and restores every register: 20 instructions"
    )]
    #[inline(always)]
    fn choose(&mut self, candidates: &Candidates<'_>, stream: &mut Stream) -> Option<ServerId> {
        if self.distinct_pair && candidates.len() >= 2 {
            // The common case in one draw: both eligible. Given that, the pair is uniform.
            let (a, b) = distinct_pair(stream, candidates.len());
            let (of_a, of_b) = (candidates.belief(a), candidates.belief(b));
            let gate = self.capacity_gate;
            if candidates.is_eligible_by(a, of_a, gate) && candidates.is_eligible_by(b, of_b, gate)
            {
                let load_a = self.load_by(candidates, of_a);
                let load_b = self.load_by(candidates, of_b);
                if load_a == load_b && self.ties == DrawTies::Random {
                    return Some(ServerId(if below(stream, 2) == 0 { b } else { a }));
                }
                // No branch: which of two is the lighter cannot be predicted.
                return Some(ServerId(std::hint::select_unpredictable(load_b < load_a, b, a)));
            }
        }
        self.choose_in_turn(candidates, stream)
    }

    fn touch_ahead(&self, view: &View, stream: &Stream, arrivals: usize) {
        if self.distinct_pair {
            let mut stream = stream.clone();
            let servers = view.beliefs.len() as u32;
            let touch = |sum, _| {
                let (a, b) = distinct_pair(&mut stream, servers);
                sum ^ view.beliefs[ServerId(a)].own ^ view.beliefs[ServerId(b)].own
            };
            std::hint::black_box((0..arrivals).fold(0, touch));
        }
    }
}
