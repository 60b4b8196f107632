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
//! Parameters besides: `capacity_gate` (false).

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

/// Parameters of [`C3`].
#[derive(Clone, Debug, PartialEq)]
pub struct C3Config {
    /// Servers looked at for each request; `None`: all.
    pub replicas: Option<u32>,
    /// Weight of a new value in the averages.
    pub alpha: f64,
    /// Skip servers whose estimated load has reached their capacity.
    pub capacity_gate: bool,
}

impl Default for C3Config {
    fn default() -> Self {
        Self { replicas: Some(3), alpha: 0.9, capacity_gate: false }
    }
}

impl Parameters for C3Config {
    #[rustfmt::skip] // One key a row.
    const KEYS: &'static [Key] = &[
        key("policy.c3.replicas", "", "3", "1 to 100, or all", "Random servers looked at for each request.", "More: closer to the best, and more nodes choose it."),
        key("policy.c3.alpha", "", "0.9", "above 0, up to 1", "Weight of a new value in the averages of response time, service time and queue.", "Less: slower to follow."),
        capacity_gate_key!("c3", "false"),
    ];

    fn list(&mut self, list: &mut ParameterList<'_, '_, '_>) {
        let Self { replicas, alpha, capacity_gate } = self;
        list.count_or("replicas", "all", replicas);
        list.number("alpha", alpha);
        list.flag("capacity_gate", capacity_gate);
    }

    fn check(&self, check: &mut ParameterCheck<'_>) {
        if let Some(replicas) = self.replicas {
            check.within("replicas", replicas.into(), 1..=100);
        }
        let is_fine = self.alpha > 0.0 && self.alpha <= 1.0;
        check.number("alpha", self.alpha, is_fine, "above 0, up to 1");
    }

    fn needs(&self) -> Needs {
        Needs { feedback: true, timed_answers: true, ..Needs::default() }
    }

    fn server_bytes(&self) -> usize {
        size_of::<Means>()
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
        Self { parameters: parameters.clone(), nodes: f64::from(nodes), means }
    }

    fn score(&self, candidates: &Candidates<'_>, server: u32) -> f64 {
        self.means[server as usize].score(candidates.belief(server).own, self.nodes)
    }
}

impl Policy for C3 {
    fn choose(&mut self, candidates: &Candidates<'_>, stream: &mut Stream) -> Option<ServerId> {
        let gate = self.parameters.capacity_gate;
        let score = |server| self.score(candidates, server);
        let Some(replicas) = self.parameters.replicas else {
            let eligible =
                candidates.servers().filter(|&server| candidates.is_eligible(server, gate));
            let lowest = eligible.map(score).min_by(f64::total_cmp)?;
            let is_lowest = |server| {
                candidates.is_eligible(server, gate) && score(server).total_cmp(&lowest).is_eq()
            };
            return candidates.draw_by_scan(stream, is_lowest).map(ServerId);
        };
        let mut drawn: Vec<u32> = Vec::with_capacity(replicas as usize);
        while drawn.len() < replicas as usize {
            let is_new = |server| candidates.is_eligible(server, gate) && !drawn.contains(&server);
            let Some(server) = candidates.draw_where(stream, is_new) else { break };
            drawn.push(server);
        }
        let best = drawn.into_iter().min_by(|&a, &b| score(a).total_cmp(&score(b)));
        best.map(ServerId)
    }

    fn on_answer(&mut self, server: ServerId, _: &Belief, answer: &Answer) {
        if answer.status == Some(Status::Ok) {
            let response_ns = (answer.at_ns - answer.sent_ns) as f64;
            let means = &mut self.means[server.index()];
            mix_in(&mut means.response_ns, self.parameters.alpha, response_ns);
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
    use crate::view::fixture::{candidates, view};

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
