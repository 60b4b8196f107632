//! C3: of a few replicas the lowest score of response time, service time and estimated queue.
//!
//! Source: Suresh, Canini, Schmid, Feldmann, "C3: Cutting tail latency in cloud data stores via adaptive
//! replica selection", NSDI 2015, and its simulator absim; without its rate control, as in
//! Elasticsearch. Signal: the node's own response times and requests in flight; with each answer the
//! server's service time and the number of requests waiting there.
//!
//! `score = R - s + q^3 s`, `q = 1 + in flight * nodes + w`: `R`, `s` and `w` are averages of response time,
//! service time and requests waiting, with weight `alpha` (0.9: absim) for what is new. The product with the
//! number of nodes takes all others to be as busy as this one. A server that has never answered has
//! score 0, so it is the best: as in Elasticsearch, a new server is flooded until its first answer.
//!
//! `replicas` (3) different random eligible servers are looked at for each request; with "all", every
//! one. Ties: the first drawn; with "all" a random one. O(replicas) a decision, O(servers) with "all".
//!
//! With `rate_control` (false, as in Elasticsearch) a node sends each server no more than its limiter allows, the
//! best of those looked at that has a token gets the request, and where none has, the request waits at the node,
//! first come first served, till the first of them has one; then others are looked at. (absim has a line for each
//! group of replicas, and groups are fixed.) What passes over a server, as retries and hedges do, does not
//! wait, and takes a token that may be missing. The reads of other replicas that repair a store are no part of it.
//! The published constants are for many nodes: more than about 0.7 requests an interval from one node to one server
//! are not let through for long, whatever the server can do (an independent copy of absim's loop says the same).
//!
//! Parameters besides: `capacity_gate` (false), and those of the rate control: `rate_interval` (20 ms),
//! `rate_burst` (10), `cubic_beta` (0.2), `cubic_gamma` (4e-6), `rate_step_max` (10), `rate_hysteresis` (2).

mod limiter;

use crate::answer::{Answer, Status};
use crate::config::keys::{Key, key};
use crate::config::{ParameterCheck, ParameterList};
use crate::ids::{NodeId, ServerId};
use crate::notes::{Note, NoteKind};
use crate::rng::Stream;
use crate::setup::Setup;
use crate::time::Nanos;
use crate::view::{Belief, Candidates};

use super::registry::capacity_gate_key;
use super::{Needs, Parameters, Policy, SelectionIndex};
use limiter::Limiter;
pub use limiter::LimiterConfig;

/// Parameters of [`C3`].
#[derive(Clone, Debug, PartialEq)]
pub struct C3Config {
    /// Servers looked at for each request; `None`: all.
    pub replicas: Option<u32>,
    /// Weight of a new value in the averages.
    pub alpha: f64,
    /// Skip servers whose estimated load has reached their capacity.
    pub capacity_gate: bool,
    /// Whether a node limits what it sends to each server.
    pub rate_control: bool,
    /// How, if it does.
    pub limiter: LimiterConfig,
}

impl Default for C3Config {
    fn default() -> Self {
        Self {
            replicas: Some(3),
            alpha: 0.9,
            capacity_gate: false,
            rate_control: false,
            limiter: LimiterConfig::default(),
        }
    }
}

impl Parameters for C3Config {
    #[rustfmt::skip] // One key a row.
    const KEYS: &'static [Key] = &[
        key("policy.c3.replicas", "", "3", "1 to 100, or all", "Random servers looked at for each request.", "More: closer to the best, and more nodes choose it."),
        key("policy.c3.alpha", "", "0.9", "above 0, up to 1", "Weight of a new value in the averages of response time, service time and queue.", "Less: slower to follow."),
        capacity_gate_key!("c3", "false"),
        key("policy.c3.rate_control", "", "false", "true, false", "Limit what a node sends to each server; a request for which no server has a token waits at the node.", "true: no flood of one server, and waits of their own."),
        key("policy.c3.rate_interval", "duration", "20ms", "above 0", "Rates are requests in this time.", "Longer: slower to follow."),
        key("policy.c3.rate_burst", "requests", "10", "1 or more", "Most tokens of a server, and its rate at first.", "More: less waiting, larger bursts."),
        key("policy.c3.cubic_beta", "", "0.2", "above 0, below 1", "A rate falls to this share of itself.", "Less: backs off further."),
        key("policy.c3.cubic_gamma", "requests/interval/ms^3", "4e-6", "above 0", "Steepness of the curve by which a rate grows again.", "More: sooner back, and beyond."),
        key("policy.c3.rate_step_max", "requests/interval", "10", "above 0", "Most by which one answer lets a rate grow.", "More: faster growth."),
        key("policy.c3.rate_hysteresis", "intervals", "2", "0 or more", "After a growth a rate does not fall for so long.", "More: steadier."),
    ];

    fn list(&mut self, list: &mut ParameterList<'_, '_, '_>) {
        let Self { replicas, alpha, capacity_gate, rate_control, limiter } = self;
        let LimiterConfig { interval_ns, burst, beta, gamma, step_max, hysteresis } = limiter;
        list.count_or("replicas", "all", replicas);
        list.number("alpha", alpha);
        list.flag("capacity_gate", capacity_gate);
        list.flag("rate_control", rate_control);
        list.time("rate_interval", interval_ns);
        list.number("rate_burst", burst);
        list.number("cubic_beta", beta);
        list.number("cubic_gamma", gamma);
        list.number("rate_step_max", step_max);
        list.number("rate_hysteresis", hysteresis);
    }

    fn check(&self, check: &mut ParameterCheck<'_>) {
        if let Some(replicas) = self.replicas {
            check.within("replicas", replicas.into(), 1..=100);
        }
        let is_fine = self.alpha > 0.0 && self.alpha <= 1.0;
        check.number("alpha", self.alpha, is_fine, "above 0, up to 1");
        let LimiterConfig { interval_ns, burst, beta, gamma, step_max, hysteresis } = self.limiter;
        check.positive_time("rate_interval", interval_ns);
        check.number("rate_burst", burst, burst >= 1.0, "1 or more");
        check.number("cubic_beta", beta, beta > 0.0 && beta < 1.0, "above 0, below 1");
        check.number("cubic_gamma", gamma, gamma > 0.0, "above 0");
        check.number("rate_step_max", step_max, step_max > 0.0, "above 0");
        check.number("rate_hysteresis", hysteresis, hysteresis >= 0.0, "0 or more");
    }

    fn needs(&self) -> Needs {
        let holds_back = self.rate_control;
        Needs { feedback: true, timed_answers: true, holds_back, ..Needs::default() }
    }

    fn server_bytes(&self) -> usize {
        size_of::<Means>() + if self.rate_control { size_of::<Limiter>() } else { 0 }
    }

    fn build(&self, setup: &Setup, _: NodeId, _: &mut Stream) -> SelectionIndex {
        SelectionIndex::Boxed(Box::new(C3::new(self, setup.servers, setup.nodes)))
    }
}

/// See the module documentation.
#[derive(Debug)]
pub struct C3 {
    parameters: C3Config,
    nodes: f64,
    means: Vec<Means>,
    /// Nobody's without rate control.
    limiters: Vec<Limiter>,
    /// When the first of those looked at last has a token, if none had [ns].
    opens_ns: Nanos,
}

/// Averages about a server; `None` before the first value.
#[derive(Clone, Copy, Debug, Default)]
struct Means {
    response_ns: Option<f64>,
    service_ns: Option<f64>,
    waiting: Option<f64>,
}

fn mix_in(mean: &mut Option<f64>, alpha: f64, value: f64) {
    *mean = Some(mean.map_or(value, |mean| alpha * value + (1.0 - alpha) * mean));
}

impl Means {
    fn score(&self, in_flight: u32, nodes: f64) -> f64 {
        let (Some(response_ns), Some(service_ns)) = (self.response_ns, self.service_ns) else {
            return 0.0;
        };
        let queue = 1.0 + f64::from(in_flight) * nodes + self.waiting.unwrap_or(0.0);
        response_ns - service_ns + queue * queue * queue * service_ns
    }
}

impl C3 {
    fn new(parameters: &C3Config, servers: u32, nodes: u32) -> Self {
        let means = vec![Means::default(); servers as usize];
        let limited = if parameters.rate_control { servers as usize } else { 0 };
        let limiters = vec![Limiter::new(&parameters.limiter); limited];
        let nodes = f64::from(nodes);
        Self { parameters: parameters.clone(), nodes, means, limiters, opens_ns: Nanos::MAX }
    }

    fn score(&self, candidates: &Candidates<'_>, server: u32) -> f64 {
        self.means[server as usize].score(candidates.belief(server).own, self.nodes)
    }

    /// When a server may be sent a request: now, or later [ns].
    fn opens_ns(&self, candidates: &Candidates<'_>, server: u32) -> Nanos {
        match self.limiters.get(server as usize) {
            Some(limiter) if candidates.excluded().is_none() => {
                limiter.opens_ns(&self.parameters.limiter, candidates.at_ns())
            }
            _ => candidates.at_ns(),
        }
    }

    /// The best of all: a random one of those with the lowest score.
    fn choose_of_all(
        &mut self,
        candidates: &Candidates<'_>,
        stream: &mut Stream,
    ) -> Option<ServerId> {
        let gate = self.parameters.capacity_gate;
        let eligible = candidates.servers().filter(|&server| candidates.is_eligible(server, gate));
        let mut lowest: Option<f64> = None;
        for server in eligible {
            let opens_ns = self.opens_ns(candidates, server);
            if opens_ns > candidates.at_ns() {
                self.opens_ns = self.opens_ns.min(opens_ns);
                continue;
            }
            let score = self.score(candidates, server);
            let is_lowest = lowest.is_none_or(|lowest| score.total_cmp(&lowest).is_lt());
            lowest = if is_lowest { Some(score) } else { lowest };
        }
        let lowest = lowest?;
        let is_lowest = |server| {
            candidates.is_eligible(server, gate)
                && self.opens_ns(candidates, server) <= candidates.at_ns()
                && self.score(candidates, server).total_cmp(&lowest).is_eq()
        };
        candidates.draw_by_scan(stream, is_lowest).map(ServerId)
    }
}

impl Policy for C3 {
    fn choose(&mut self, candidates: &Candidates<'_>, stream: &mut Stream) -> Option<ServerId> {
        self.opens_ns = Nanos::MAX;
        let Some(replicas) = self.parameters.replicas else {
            return self.choose_of_all(candidates, stream);
        };
        let gate = self.parameters.capacity_gate;
        let mut drawn: Vec<u32> = Vec::with_capacity(replicas as usize);
        while drawn.len() < replicas as usize {
            let is_new = |server| candidates.is_eligible(server, gate) && !drawn.contains(&server);
            let Some(server) = candidates.draw_where(stream, is_new) else { break };
            drawn.push(server);
        }
        drawn.retain(|&server| {
            let opens_ns = self.opens_ns(candidates, server);
            let is_open = opens_ns <= candidates.at_ns();
            self.opens_ns = if is_open { self.opens_ns } else { self.opens_ns.min(opens_ns) };
            is_open
        });
        let score = |server| self.score(candidates, server);
        let best = drawn.into_iter().min_by(|&a, &b| score(a).total_cmp(&score(b)));
        best.map(ServerId)
    }

    fn held_until_ns(&self) -> Nanos {
        self.opens_ns
    }

    fn on_send(&mut self, server: ServerId, _: &Belief, at_ns: Nanos) {
        if let Some(limiter) = self.limiters.get_mut(server.index()) {
            limiter.send(&self.parameters.limiter, at_ns);
        }
    }

    fn on_answer(&mut self, server: ServerId, _: &Belief, answer: &Answer) {
        if answer.status == Some(Status::Ok) {
            let response_ns = (answer.at_ns - answer.sent_ns) as f64;
            let means = &mut self.means[server.index()];
            mix_in(&mut means.response_ns, self.parameters.alpha, response_ns);
            if let Some(limiter) = self.limiters.get_mut(server.index()) {
                limiter.answer(&self.parameters.limiter, answer.at_ns);
            }
        }
    }

    fn on_note(&mut self, note: &Note, _: Nanos) {
        if note.kind == NoteKind::Answer {
            let (alpha, means) = (self.parameters.alpha, &mut self.means[note.server as usize]);
            mix_in(&mut means.service_ns, alpha, f64::from(note.latency_ns));
            mix_in(&mut means.waiting, alpha, f64::from(note.waiting));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Purpose, stream};
    use crate::view::fixture::{candidates, candidates_without, view};

    fn answer(policy: &mut C3, server: u32, response_ns: Nanos, service_ns: f32, waiting: u32) {
        let kind = NoteKind::Answer;
        let note = Note { kind, server, latency_ns: service_ns, waiting, ..Note::default() };
        policy.on_note(&note, 0);
        let answer = Answer { at_ns: response_ns, sent_ns: 0, status: Some(Status::Ok) };
        policy.on_answer(ServerId(server), &Belief::default(), &answer);
    }

    fn assert_near(policy: &C3, server: usize, in_flight: u32, score: f64) {
        let found = policy.means[server].score(in_flight, 10.0);
        assert!((found - score).abs() < 1e-6, "{found}, not {score}");
    }

    #[test]
    fn the_score_is_as_published() {
        let mut policy = C3::new(&C3Config { alpha: 0.75, ..C3Config::default() }, 2, 10);
        answer(&mut policy, 0, 100, 20.0, 4);
        // R 100, s 20, w 4; alone and with 2 of its own in flight at 10 nodes.
        assert_near(&policy, 0, 0, 100.0 - 20.0 + 125.0 * 20.0);
        assert_near(&policy, 0, 2, 100.0 - 20.0 + 15_625.0 * 20.0);
        answer(&mut policy, 0, 200, 40.0, 0);
        // R 175, s 35, w 1.
        assert_near(&policy, 0, 0, 175.0 - 35.0 + 8.0 * 35.0);
        // What failed says nothing; who never answered is the best.
        let failed = Answer { at_ns: 9, sent_ns: 0, status: Some(Status::Failed) };
        policy.on_answer(ServerId(1), &Belief::default(), &failed);
        assert_near(&policy, 1, 3, 0.0);
    }

    /// Goal: tokens decide who may be chosen, and when to come again.
    #[test]
    fn who_has_no_token_is_passed_over_and_with_none_the_request_waits() {
        let limiter = LimiterConfig { burst: 2.0, ..LimiterConfig::default() };
        for replicas in [None, Some(2)] {
            let limiter = limiter.clone();
            let config = C3Config { replicas, rate_control: true, limiter, ..C3Config::default() };
            let mut policy = C3::new(&config, 2, 1);
            answer(&mut policy, 0, 100, 10.0, 0);
            answer(&mut policy, 1, 200, 10.0, 0);
            let (view, mut s) = (view(2, 9), stream(1, 0, Purpose::Policy, 0));
            let mut chosen = Vec::new();
            while let Some(server) = policy.choose(&candidates(&view), &mut s) {
                policy.on_send(server, &Belief::default(), 0);
                chosen.push(server.0);
            }
            assert_eq!(chosen, [0, 0, 1, 1], "{replicas:?}");
            // Two tokens in 20 ms: the next in ten.
            let opens_ns = policy.held_until_ns();
            assert!((10_000_000..=10_000_002).contains(&opens_ns), "{opens_ns}");
            // A retry does not wait.
            let retry = candidates_without(&view, 0);
            assert_eq!(policy.choose(&retry, &mut s), Some(ServerId(1)));
            // That nobody is there is another matter.
            let mut view = view;
            (0..2).for_each(|server| view.beliefs[ServerId(server)].sent_quantum = 0);
            assert_eq!(policy.choose(&candidates(&view), &mut s), None);
            assert_eq!(policy.held_until_ns(), Nanos::MAX);
        }
    }

    #[test]
    fn the_lowest_score_of_those_drawn_wins() {
        let (view, mut s) = (view(5, 1), stream(1, 0, Purpose::Policy, 0));
        for (replicas, best) in [(None, 500), (Some(5), 500), (Some(1), 100), (Some(2), 200)] {
            let mut policy = C3::new(&C3Config { replicas, ..C3Config::default() }, 5, 1);
            for server in 0..5 {
                answer(&mut policy, server, 100 + Nanos::from(server), 10.0, 0);
            }
            let picks =
                (0..500).filter(|_| policy.choose(&candidates(&view), &mut s) == Some(ServerId(0)));
            let picks = i32::try_from(picks.count()).expect("at most 500");
            // Five standard deviations of 500 draws are below 56.
            let slack = if best == 500 { 0 } else { 56 };
            assert!((picks - best).abs() <= slack, "{replicas:?}: {picks}");
        }
    }
}
