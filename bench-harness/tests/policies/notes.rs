//! Random policies that live on what servers tell them, and one that hears all of it.

use sim_core::answer::Answer;
use sim_core::config::*;
use sim_core::ids::ServerId;
use sim_core::notes::{Counters, Note};
use sim_core::policy::c3::LimiterConfig;
use sim_core::policy::{Notice, Policy};
use sim_core::rng::{Purpose, RngExt, Stream, below, mix, stream};
use sim_core::time::MILLISECOND;
use sim_core::view::{Belief, Candidates};

/// Gives some scenarios such a policy, from a stream of their own.
pub fn vary(scenario: &mut Scenario) {
    let mut rng = stream(scenario.seed, 0, Purpose::Policy, 79);
    if rng.random_bool(0.2) {
        scenario.policies = vec![policy(&mut rng)];
    }
}

fn policy(rng: &mut Stream) -> PolicyConfig {
    let capacity_gate = rng.random_bool(0.3);
    match rng.random_range(0..5) {
        0 => PolicyConfig::JoinIdleQueue(JoinIdleQueueConfig {
            join: [Join::Random, Join::ShorterOfTwo][rng.random_range(0..2)],
            fallback: [Fallback::Random, Fallback::TwoChoices][rng.random_range(0..2)],
            capacity_gate,
        }),
        1 => PolicyConfig::Prequal(PrequalConfig {
            pool: rng.random_range(2..20),
            probes: rng.random_range(0.0..4.0),
            removals: rng.random_range(0.0..2.0),
            max_age_ns: rng.random_range(1..1_000) * MILLISECOND,
            hot_quantile: [0.0, 0.6, 0.84, 1.0][rng.random_range(0..4)],
            delta: rng.random_range(0.0..3.0),
            capacity_gate,
        }),
        2 => PolicyConfig::LocalShortestQueue(LocalShortestQueueConfig {
            refresh: [Refresh::Sample, Refresh::Completions][rng.random_range(0..2)],
            samples: rng.random_range(1..4),
            share: [0.0, 0.2, 1.0][rng.random_range(0..3)],
            capacity_gate,
        }),
        3 => PolicyConfig::C3(C3Config {
            replicas: [None, Some(1), Some(3)][rng.random_range(0..3)],
            alpha: rng.random_range(0.05..1.0),
            capacity_gate,
            rate_control: rng.random_bool(0.5),
            limiter: LimiterConfig {
                interval_ns: [MILLISECOND, 20 * MILLISECOND][rng.random_range(0..2)],
                burst: [1.0, 3.5, 10.0][rng.random_range(0..3)],
                beta: rng.random_range(0.05..0.95),
                gamma: [4e-6, 4e-2][rng.random_range(0..2)],
                step_max: rng.random_range(0.5..20.0),
                hysteresis: rng.random_range(0.0..4.0),
            },
        }),
        _ => {
            let share_ppm = [0, 300_000, 1_000_000][rng.random_range(0..3)];
            let notes = [
                None,
                Some(Notice::Idle),
                Some(Notice::IdleToShorter),
                Some(Notice::Completions { share_ppm }),
                Some(Notice::Heartbeats),
            ];
            listener(Needs {
                notes: notes[rng.random_range(0..5)],
                counters: rng.random_bool(0.7),
                feedback: rng.random_bool(0.5),
                probes: rng.random_bool(0.5),
                timed_answers: rng.random_bool(0.5),
                holds_back: rng.random_bool(0.5),
                ..Needs::default()
            })
        }
    }
}

/// A policy whose choices depend on every note and on when it comes.
fn listener(needs: Needs) -> PolicyConfig {
    let policy = CustomPolicy::new("listener", move |_, node, _| {
        let heard = u64::from(node.0);
        Box::new(Listener { heard, holds_back: needs.holds_back, opens_ns: u64::MAX })
    });
    PolicyConfig::Custom(policy.needing(needs))
}

/// See [`listener`].
#[derive(Debug)]
struct Listener {
    /// A digest of all that was said, in its order.
    heard: u64,
    /// Whether it finds nobody now and then, and until when.
    holds_back: bool,
    opens_ns: u64,
}

impl Listener {
    fn hear(&mut self, numbers: &[u64]) {
        self.heard = numbers.iter().fold(self.heard, |heard, &number| mix(heard ^ mix(number)));
    }
}

impl Policy for Listener {
    fn choose(&mut self, candidates: &Candidates<'_>, stream: &mut Stream) -> Option<ServerId> {
        let servers: Vec<u32> =
            candidates.servers().filter(|&s| candidates.is_eligible(s, false)).collect();
        let number = u64::from(below(stream, u32::MAX)) ^ self.heard;
        let place = number.checked_rem(servers.len() as u64)?;
        self.opens_ns = u64::MAX;
        if self.holds_back && number.is_multiple_of(5) {
            // Now and then at once, which is taken for the next nanosecond.
            self.opens_ns = candidates.at_ns() + (number / 5 % 4) * 7_000_001;
            return None;
        }
        Some(ServerId(servers[place as usize]))
    }

    fn held_until_ns(&self) -> u64 {
        self.opens_ns
    }

    fn on_answer(&mut self, server: ServerId, _: &Belief, answer: &Answer) {
        self.hear(&[u64::from(server.0), answer.at_ns]);
    }

    fn on_note(&mut self, note: &Note, at_ns: u64) {
        let Note {
            node: _,
            offset_ns: _,
            server,
            number,
            kind,
            attempt,
            load,
            waiting,
            latency_ns,
            counters,
        } = *note;
        let Counters { at_ns: read_ns, completed, failed, busy_ns, slots } = counters;
        self.hear(&[read_ns, completed.into(), failed.into(), busy_ns, slots.into()]);
        self.hear(&[server.into(), number.into(), kind as u64, attempt.into(), load.into()]);
        self.hear(&[latency_ns.to_bits().into(), waiting.into(), at_ns]);
    }

    fn idle_known(&self, question: &Note) -> u32 {
        (self.heard ^ u64::from(question.number)) as u32 % 5
    }

    fn probes(
        &mut self,
        candidates: &Candidates<'_>,
        stream: &mut Stream,
        out: &mut Vec<ServerId>,
    ) {
        for _ in 0..below(stream, 4) {
            out.extend((candidates.choosable() > 0).then(|| ServerId(candidates.draw(stream))));
        }
    }
}
