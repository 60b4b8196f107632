//! Random policies beside the four that nodes know at compile time, and one that hears everything.

mod notes;

use sim_core::answer::Answer;
use sim_core::config::*;
use sim_core::ids::ServerId;
use sim_core::policy::Policy;
use sim_core::rng::{Purpose, RngExt, Stream, below, mix, stream};
use sim_core::time::MILLISECOND;
use sim_core::view::{Belief, Candidates};

/// Gives some scenarios weights and another policy, from a stream of their own.
pub fn vary(scenario: &mut Scenario) {
    let mut rng = stream(scenario.seed, 0, Purpose::Policy, 78);
    if rng.random_bool(0.5) {
        for group in &mut scenario.servers {
            group.weight = [1.0, 0.5, 3.0, 70_000.0][rng.random_range(0..4)];
        }
    }
    if rng.random_bool(0.1) {
        scenario.policies = vec![listener()];
    } else if rng.random_bool(0.6) {
        scenario.policies = vec![boxed(&mut rng)];
    }
    notes::vary(scenario);
}

/// One of the policies that nodes know by a box only, each as likely as any other.
fn boxed(rng: &mut Stream) -> PolicyConfig {
    let capacity_gate = rng.random_bool(0.3);
    let random_start = rng.random_bool(0.5);
    let failing = Failing {
        max_fails: rng.random_range(0..4),
        timeout_ns: rng.random_range(1..300) * MILLISECOND,
    };
    let mut some_ns = |share| {
        let ns = rng.random_range(1..400) * MILLISECOND;
        rng.random_bool(share).then_some(ns)
    };
    let (default_rtt_ns, failure_penalty_ns) = (some_ns(0.5), some_ns(0.5));
    let mut time_ns = || some_ns(1.0).unwrap_or(1);
    let [tau_ns, blackout_ns, expiration_ns, update_ns] = [(); 4].map(|()| time_ns());
    let source = [WeightSource::Configured, WeightSource::Reported][rng.random_range(0..2)];
    let weights = WeightsConfig {
        source,
        load_reports: [LoadReports::Answers, LoadReports::Heartbeats][rng.random_range(0..2)],
        blackout_ns: [0, blackout_ns][rng.random_range(0..2)],
        expiration_ns,
        update_ns,
        error_penalty: [0.0, 1.0, 3.0][rng.random_range(0..3)],
    };
    match rng.random_range(0..12) {
        0 => PolicyConfig::WeightedRandom(WeightedRandomConfig { capacity_gate }),
        1 => PolicyConfig::SmoothWeightedRoundRobin(SmoothWeightedRoundRobinConfig {
            failing,
            capacity_gate,
        }),
        2 => PolicyConfig::EdfWeightedRoundRobin(EdfWeightedRoundRobinConfig {
            weights,
            random_start,
            capacity_gate,
        }),
        3 => {
            PolicyConfig::StaticStride(StaticStrideConfig { weights, random_start, capacity_gate })
        }
        4 => PolicyConfig::LeastRequest(LeastRequestConfig {
            choices: rng.random_range(2..5),
            selection: [LeastRequestSelection::NChoices, LeastRequestSelection::FullScan]
                [rng.random_range(0..2)],
            bias: [0.0, 1.0, 2.5][rng.random_range(0..3)],
            capacity_gate,
        }),
        5 => PolicyConfig::HeapLeastLoaded(HeapLeastLoadedConfig { capacity_gate }),
        6 => PolicyConfig::HaproxyRandom(HaproxyRandomConfig {
            draws: rng.random_range(1..4),
            capacity_gate,
        }),
        7 => PolicyConfig::NginxRandomTwo(NginxRandomTwoConfig { failing, capacity_gate }),
        8 => PolicyConfig::NginxLeastConnections(NginxLeastConnectionsConfig {
            failing,
            capacity_gate,
        }),
        9 => PolicyConfig::NginxLeastTime(NginxLeastTimeConfig {
            inflight: rng.random_bool(0.5),
            failing,
            capacity_gate,
        }),
        10 => PolicyConfig::LoadInterpretation(LoadInterpretationConfig {
            mode: [Interpretation::Basic, Interpretation::Aggressive][rng.random_range(0..2)],
            phase_ns: default_rtt_ns,
            rate_window_ns: tau_ns,
            capacity_gate,
        }),
        _ => PolicyConfig::PeakEwma(PeakEwmaConfig {
            tau_ns,
            default_rtt_ns,
            failure_penalty_ns,
            capacity_gate,
        }),
    }
}

/// A policy whose choices depend on everything it is ever told, and on when.
pub fn listener() -> PolicyConfig {
    let needs = Needs { timed_answers: true, ..Needs::default() };
    let policy = CustomPolicy::new("listener", |setup, node, stream| {
        let beliefs = vec![0; setup.servers as usize];
        Box::new(Listener { heard: u64::from(node.0) + u64::from(below(stream, 9)), beliefs })
    });
    PolicyConfig::Custom(policy.needing(needs))
}

/// See [`listener`].
#[derive(Debug)]
struct Listener {
    /// A digest of sends and answers, in their order.
    heard: u64,
    /// Of each server a digest of what was last said of it: reports of one moment have no order.
    beliefs: Vec<u64>,
}

impl Listener {
    fn hear(&mut self, what: u64, server: ServerId, belief: &Belief, numbers: [u64; 2]) {
        let [first, second] = numbers;
        let about = mix(u64::from(server.0)) ^ mix(first) ^ mix(mix(second));
        self.heard = mix(self.heard ^ about ^ (what << 32) ^ digest(belief));
    }
}

fn digest(belief: &Belief) -> u64 {
    let Belief { sent_quantum, latency_ns, own, others, capacity } = *belief;
    let report = (u64::from(sent_quantum) << 32) | u64::from(latency_ns.to_bits());
    mix(report ^ mix(u64::from(own) ^ (u64::from(others) << 32) ^ (u64::from(capacity) << 48)))
}

impl Policy for Listener {
    fn choose(&mut self, candidates: &Candidates<'_>, stream: &mut Stream) -> Option<ServerId> {
        let seen = self.beliefs.iter().fold(candidates.at_ns(), |seen, belief| seen ^ belief);
        let servers: Vec<u32> =
            candidates.servers().filter(|&s| candidates.is_eligible(s, false)).collect();
        let number = u64::from(below(stream, u32::MAX)) ^ mix(self.heard ^ seen);
        let place = number.checked_rem(servers.len() as u64)?;
        Some(ServerId(servers[place as usize]))
    }

    fn on_report(&mut self, server: ServerId, belief: &Belief) {
        // The node's own share changes without a report.
        self.beliefs[server.index()] = mix(digest(&Belief { own: 0, ..*belief }));
    }

    fn on_send(&mut self, server: ServerId, belief: &Belief, at_ns: u64) {
        self.hear(1, server, belief, [at_ns, 0]);
    }

    fn on_answer(&mut self, server: ServerId, belief: &Belief, answer: &Answer) {
        let Answer { at_ns, sent_ns, status } = *answer;
        assert!(sent_ns <= at_ns, "sent before its end: {answer:?}");
        let status = status.map_or(9, |status| status as u64);
        self.hear(2 + status, server, belief, [at_ns, sent_ns]);
    }
}
