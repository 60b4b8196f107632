//! What NGINX's balancers share: smooth weights, servers that have failed, and the best of all.
//!
//! Source: `ngx_http_upstream_round_robin.c` and the modules `least_conn`, `random` and `least_time`.
//! Of a server with `max_fails` failures nothing is asked for `fail_timeout`; then it gets one request
//! a `fail_timeout`, and the first success after that makes it sound again. Each failure takes
//! `weight / max_fails` off its effective weight (not below 0), each pass over it gives 1 back.
//! A failure is an attempt that was refused, lost or failed, or whose client gave up.
//!
//! Where it differs: NGINX counts in whole numbers (`weight / max_fails` is rounded down, time is in
//! seconds), here weights are real and time is in nanoseconds.

use crate::answer::{Answer, Status};
use crate::config::keys::{Key, key};
use crate::config::{ParameterCheck, ParameterList};
use crate::ids::ServerId;
use crate::setup::Setup;
use crate::time::{Nanos, SECOND};
use crate::view::Candidates;

/// When a server counts as failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failing {
    /// Failures after which nothing is sent; 0: never.
    pub max_fails: u32,
    /// For how long [ns].
    pub timeout_ns: Nanos,
}

impl Default for Failing {
    fn default() -> Self {
        Self { max_fails: 1, timeout_ns: 10 * SECOND }
    }
}

impl Failing {
    pub(super) fn list(&mut self, list: &mut ParameterList<'_, '_, '_>) {
        let Self { max_fails, timeout_ns } = self;
        list.count("max_fails", max_fails);
        list.time("fail_timeout", timeout_ns);
    }

    pub(super) fn check(self, check: &mut ParameterCheck<'_>) {
        check.positive_time("fail_timeout", self.timeout_ns);
    }
}

/// The documentation of [`Failing`] in a policy.
macro_rules! failing_keys {
    ($policy:literal) => {
        [
            $crate::policy::nginx::max_fails_key(concat!("policy.", $policy, ".max_fails")),
            $crate::policy::nginx::fail_timeout_key(concat!("policy.", $policy, ".fail_timeout")),
        ]
    };
}
pub(super) use failing_keys;

pub(super) const fn max_fails_key(path: &'static str) -> Key {
    let meaning = "Failures after which a server gets nothing for the fail_timeout; 0: never.";
    key(path, "failures", "1", "0 or more", meaning, "Lower: failures have more weight.")
}

pub(super) const fn fail_timeout_key(path: &'static str) -> Key {
    let meaning = "How long a server that has failed gets nothing, and then one request.";
    key(path, "time", "10s", "above 0", meaning, "Longer: fewer requests are lost on it.")
}

/// What is kept of a server.
#[derive(Clone, Debug)]
pub struct Peer {
    /// As configured.
    pub weight: f64,
    effective: f64,
    current: f64,
    fails: u32,
    /// Last failure.
    accessed_ns: Option<Nanos>,
    /// Last failure, or the last choice that came a `fail_timeout` after this.
    checked_ns: Option<Nanos>,
}

/// All servers, by id.
#[derive(Clone, Debug)]
pub struct Peers {
    all: Vec<Peer>,
    failing: Failing,
    capacity_gate: bool,
}

impl Peers {
    /// Memory a server takes [bytes].
    pub const SERVER_BYTES: usize = size_of::<Peer>();

    /// Nobody has failed.
    pub fn new(setup: &Setup, failing: Failing, capacity_gate: bool) -> Self {
        let peer = |weight| Peer {
            weight,
            effective: weight,
            current: 0.0,
            fails: 0,
            accessed_ns: None,
            checked_ns: None,
        };
        Self { all: setup.weights().into_iter().map(peer).collect(), failing, capacity_gate }
    }

    /// The configured weight of a server.
    pub fn weight(&self, server: u32) -> f64 {
        self.all[server as usize].weight
    }

    /// Time since a server was checked [ns]; for ever, if it never was.
    pub fn unchecked_ns(&self, server: u32, at_ns: Nanos) -> Nanos {
        self.all[server as usize].checked_ns.map_or(Nanos::MAX, |checked_ns| at_ns - checked_ns)
    }

    /// Whether a server may be chosen. A single one may whatever it has done.
    pub fn is_fit(&self, candidates: &Candidates<'_>, server: u32) -> bool {
        let Failing { max_fails, timeout_ns } = self.failing;
        let failed = max_fails > 0
            && self.all[server as usize].fails >= max_fails
            && self.unchecked_ns(server, candidates.at_ns()) <= timeout_ns
            && self.all.len() > 1;
        !failed && candidates.is_eligible(server, self.capacity_gate)
    }

    /// A server has been chosen.
    pub fn note_choice(&mut self, server: u32, at_ns: Nanos) {
        if self.unchecked_ns(server, at_ns) > self.failing.timeout_ns {
            self.all[server as usize].checked_ns = Some(at_ns);
        }
    }

    /// Smooth weighted round robin among all that are fit. O(servers).
    pub fn next_in_turn(&mut self, candidates: &Candidates<'_>) -> Option<u32> {
        let best = self.turn(candidates, None, |_, _| true);
        best.inspect(|&server| self.note_choice(server, candidates.at_ns()))
    }

    /// Of all that are fit the one with the least `score / weight`; smooth weighted round robin among
    /// equal ones. O(servers).
    #[expect(clippy::float_cmp, reason = "products of whole numbers are equal to the bit, or not")]
    pub fn least(
        &mut self,
        candidates: &Candidates<'_>,
        score: impl Fn(&Self, u32) -> f64,
    ) -> Option<u32> {
        let mut best: Option<(u32, f64)> = None;
        let mut many = false;
        for server in candidates.servers().filter(|&server| self.is_fit(candidates, server)) {
            let of_server = score(self, server);
            let lighter = best.is_none_or(|(other, of_other)| {
                let (a, b) = (of_server * self.weight(other), of_other * self.weight(server));
                many |= a == b;
                a < b
            });
            if lighter {
                best = Some((server, of_server));
                many = false;
            }
        }
        let (mut server, least) = best?;
        if many {
            let best_weight = self.weight(server);
            let scores: &dyn Fn(&Self, u32) -> f64 = &score;
            server = self
                .turn(candidates, Some(server), |peers, other| {
                    scores(peers, other) * best_weight == least * peers.weight(other)
                })
                .unwrap_or(server);
        }
        self.note_choice(server, candidates.at_ns());
        Some(server)
    }

    /// A round of smooth weights among those fit servers that pass `is_in`, from `first` on: the first of
    /// the largest current weights wins.
    fn turn(
        &mut self,
        candidates: &Candidates<'_>,
        first: Option<u32>,
        is_in: impl Fn(&Self, u32) -> bool,
    ) -> Option<u32> {
        let mut best = first;
        let mut total = 0.0;
        let is_before = |server: &u32| first.is_some_and(|first| *server != first);
        for server in candidates.servers().skip_while(is_before) {
            if !(is_in(self, server) && self.is_fit(candidates, server)) {
                continue;
            }
            let peer = &mut self.all[server as usize];
            peer.current += peer.effective;
            total += peer.effective;
            peer.effective = peer.weight.min(peer.effective + 1.0);
            let current = peer.current;
            if best.is_none_or(|best| current > self.all[best as usize].current) {
                best = Some(server);
            }
        }
        if let Some(best) = best {
            self.all[best as usize].current -= total;
        }
        best
    }

    /// An attempt has ended.
    pub fn note_answer(&mut self, server: ServerId, answer: &Answer) {
        let peer = &mut self.all[server.index()];
        if answer.status == Some(Status::Ok) {
            if peer.accessed_ns < peer.checked_ns {
                peer.fails = 0;
            }
            return;
        }
        peer.fails = peer.fails.saturating_add(1);
        peer.accessed_ns = Some(answer.at_ns);
        peer.checked_ns = Some(answer.at_ns);
        if self.failing.max_fails > 0 {
            let loss = peer.weight / f64::from(self.failing.max_fails);
            peer.effective = (peer.effective - loss).max(0.0);
        }
    }
}
