//! Power of d choices: the least loaded of `choices` servers drawn at random.
//!
//! Source: Vvedenskaya, Dobrushin, Karpelevich 1996; Mitzenmacher 1996. With `replacement` one
//! server may be drawn twice (Envoy, gRPC); without, the draws are distinct (Finagle, tower).
//! `choices = "all"` is the full scan (Envoy `FULL_SCAN`, least connections).
//!
//! Signal: the node's own in-flight requests (`own`: what proxies do), the load in the newest
//! report (`reported`), or the report corrected by own sends since (`combined`, the default).
//! Ties: the first drawn (`first`), or each with equal chance (`random`). O(choices) a decision.

use crate::config::keys::{Key, key};
use crate::config::{ConfigFault, ParameterCheck, ParameterList};
use crate::ids::{NodeId, ServerId};
use crate::rng::{Stream, below, distinct_pair};
use crate::setup::Setup;
use crate::view::{Belief, Candidates, View};

use super::registry::{Growth, capacity_gate_key};
use super::{Parameters, Policy, SelectionIndex};

/// Parameters of [`TwoChoices`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TwoChoicesConfig {
    /// How many are drawn.
    pub choices: Choices,
    /// Whether one server may be drawn twice.
    pub replacement: bool,
    /// What "loaded" means.
    pub signal: LoadSignal,
    /// Who wins among equal loads.
    pub ties: DrawTies,
    /// Skip servers whose estimated load has reached their capacity.
    pub capacity_gate: bool,
}

/// How many servers are drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choices {
    /// This many, at least 1.
    Count(u32),
    /// Every server: the full scan.
    All,
}

/// What a node takes for a server's load.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoadSignal {
    /// This node's own in-flight requests at the server.
    Own,
    /// The load in the newest report, as it is.
    Reported,
    /// The reported load corrected by the change of this node's own in-flight requests since.
    Combined,
}

/// Who wins among equal loads of drawn servers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DrawTies {
    /// The one drawn first.
    First,
    /// Each of them with equal chance.
    Random,
}

impl Default for TwoChoicesConfig {
    fn default() -> Self {
        Self {
            choices: Choices::Count(2),
            replacement: false,
            signal: LoadSignal::Combined,
            ties: DrawTies::Random,
            capacity_gate: false,
        }
    }
}

impl Parameters for TwoChoicesConfig {
    #[rustfmt::skip] // One key a row.
    const KEYS: &'static [Key] = &[
        key("policy.two_choices.choices", "servers", "2", "1 to the servers, or all", "How many are drawn.", "More: better with fresh views, herds with stale ones."),
        key("policy.two_choices.replacement", "", "false", "true, false", "Whether one server may be drawn twice.", "true: slightly worse, simpler theory."),
        key("policy.two_choices.signal", "", "combined", "combined, own, reported", "What a node takes for a server's load.", "own: never stale, blind to other nodes. reported: stale."),
        key("policy.two_choices.ties", "", "random", "random, first", "Who wins among equal loads.", ""),
        capacity_gate_key!("two_choices", "false"),
    ];

    fn list(&mut self, list: &mut ParameterList<'_, '_, '_>) {
        let Self { choices, replacement, signal, ties, capacity_gate } = self;
        choices.list("choices", list);
        list.flag("replacement", replacement);
        signal.list("signal", list);
        ties.list("ties", list);
        list.flag("capacity_gate", capacity_gate);
    }

    fn check(&self, check: &mut ParameterCheck<'_>) {
        self.choices.check("choices", self.replacement, check);
    }

    fn corrects_own_sends(&self) -> bool {
        self.signal != LoadSignal::Reported
    }

    fn growth(&self) -> Growth {
        match self.choices {
            Choices::Count(_) => Growth::Small,
            Choices::All => Growth::Linear,
        }
    }

    fn build(&self, setup: &Setup, _: NodeId, _: &mut Stream) -> SelectionIndex {
        let Self { choices, replacement, signal, ties, capacity_gate } = *self;
        let mut policy = TwoChoices::new(choices, replacement, signal, ties, capacity_gate);
        // A pair is drawn at once out of all servers, or not at all.
        policy.distinct_pair &= !setup.is_layered();
        SelectionIndex::TwoChoices(policy)
    }
}

impl Choices {
    /// Lists the parameter: a number of servers, or `"all"`.
    pub(super) fn list(&mut self, key: &'static str, list: &mut ParameterList<'_, '_, '_>) {
        let mut count = match *self {
            Self::Count(count) => Some(count),
            Self::All => None,
        };
        list.count_or(key, "all", &mut count);
        *self = count.map_or(Self::All, Self::Count);
    }

    /// There must be so many servers, unless one may be drawn twice.
    pub(super) fn check(self, key: &str, replacement: bool, check: &mut ParameterCheck<'_>) {
        let Self::Count(drawn) = self else {
            return;
        };
        check.check(drawn >= 1, key, || {
            ConfigFault::new("", "somebody must be chosen")
                .found(drawn)
                .allowed("a whole number, at least 1, or \"all\"")
        });
        let servers = check.servers;
        let fine = replacement || u64::from(drawn) <= servers;
        check.check_counted(fine, key, || {
            ConfigFault::new("", "there are not that many different servers")
                .found(drawn)
                .allowed(format!("1 to {servers}, or \"all\""))
                .fix("write choices = \"all\", or replacement = true")
        });
    }
}

impl LoadSignal {
    /// Lists the parameter.
    pub(super) fn list(&mut self, key: &'static str, list: &mut ParameterList<'_, '_, '_>) {
        let words =
            [("combined", Self::Combined), ("own", Self::Own), ("reported", Self::Reported)];
        list.word(key, &words, self);
    }
}

impl DrawTies {
    /// Lists the parameter.
    pub(super) fn list(&mut self, key: &'static str, list: &mut ParameterList<'_, '_, '_>) {
        list.word(key, &[("random", Self::Random), ("first", Self::First)], self);
    }
}

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
        let first = candidates.draw_eligible(self.capacity_gate, stream)?;
        let mut best = Best::new(first, self.load(candidates, first));
        self.drawn.clear();
        self.drawn.push(first);
        for _ in 1..choices {
            let next = if self.replacement {
                candidates.draw_eligible(self.capacity_gate, stream)
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
        let mut eligible = candidates.servers().filter(|&s| candidates.is_eligible(s, gate));
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
        candidates.draw_where(stream, |server| {
            candidates.is_eligible(server, self.capacity_gate) && !self.drawn.contains(&server)
        })
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
            // Not `&&`: both nearly always are.
            let are_eligible = |gate| {
                candidates.is_eligible_by(a, of_a, gate) & candidates.is_eligible_by(b, of_b, gate)
            };
            if if self.capacity_gate { are_eligible(true) } else { are_eligible(false) } {
                let load_a = self.load_by(candidates, of_a);
                let load_b = self.load_by(candidates, of_b);
                if load_a == load_b && self.ties == DrawTies::Random {
                    return Some(ServerId(if below(stream, 2) == 0 { b } else { a }));
                }
                // No branch: which of two is the lighter cannot be predicted.
                return Some(ServerId(std::hint::select_unpredictable(load_b < load_a, b, a)));
            }
        }
        // A copy: the candidates of the common case then never have to be in memory.
        let candidates = *candidates;
        self.choose_in_turn(&candidates, stream)
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
