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
use crate::view::{Candidates, View};

use super::{Policy, draw_by_scan, draw_eligible};

/// See the module documentation.
#[derive(Clone, Debug)]
pub struct TwoChoices {
    /// How many are drawn.
    pub choices: Choices,
    /// Whether one server may be drawn twice.
    pub replacement: bool,
    /// What "loaded" means.
    pub signal: LoadSignal,
    /// Who wins among equal loads.
    pub ties: DrawTies,
    /// Pass over servers believed full.
    pub capacity_gate: bool,
    /// The servers drawn for the present decision.
    pub(super) drawn: Vec<u32>,
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
    #[inline]
    fn load(&self, candidates: &Candidates<'_>, server: u32) -> u32 {
        match self.signal {
            LoadSignal::Own => candidates.belief(server).own,
            LoadSignal::Reported | LoadSignal::Combined => candidates.load(server),
        }
    }

    /// One draw after the other, each among all eligible servers.
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
    #[inline]
    fn choose(&mut self, candidates: &Candidates<'_>, stream: &mut Stream) -> Option<ServerId> {
        if self.choices == Choices::Count(2) && !self.replacement && candidates.len() >= 2 {
            // The common case in one draw: both eligible. Given that, the pair is uniform.
            let (a, b) = distinct_pair(stream, candidates.len());
            let gate = self.capacity_gate;
            if candidates.is_eligible(a, gate) && candidates.is_eligible(b, gate) {
                let mut best = Best::new(a, self.load(candidates, a));
                best.challenge(b, self.load(candidates, b), self.ties, stream);
                return Some(ServerId(best.server));
            }
        }
        self.choose_in_turn(candidates, stream)
    }

    fn touch_ahead(&self, view: &View, stream: &Stream, arrivals: usize) {
        if self.choices == Choices::Count(2) && !self.replacement {
            let mut stream = stream.clone();
            let servers = view.beliefs.len() as u32;
            let touch = |sum, _| {
                let (a, b) = distinct_pair(&mut stream, servers);
                sum ^ view.beliefs[a as usize].own ^ view.beliefs[b as usize].own
            };
            std::hint::black_box((0..arrivals).fold(0, touch));
        }
    }
}
