//! What a policy does, one operation at a time: on this the cost of policies is measured.
//!
//! A node that has heard every server once and has up to 64 requests in flight, in front of a fleet of any size.

use std::collections::VecDeque;

use sim_core::answer::{Answer, Status};
use sim_core::config::{MaglevConfig, PolicyConfig};
use sim_core::gossip::merge_reports;
use sim_core::ids::{NodeId, ServerId};
use sim_core::network::Report;
use sim_core::notes::{Counters, Note, NoteKind};
use sim_core::policy::{Needs, Notice, Policy, SelectionIndex};
use sim_core::popularity::Popularity;
use sim_core::rng::{Purpose, RngExt, Stream, below, stream};
use sim_core::setup::Setup;
use sim_core::time::Nanos;
use sim_core::view::{Candidates, Freshness, View};

use crate::fleet;

/// Requests in flight.
pub const IN_FLIGHT: usize = 64;

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// A choice, its probes and its send, and the answer of an earlier one.
    Decision,
    /// A report of a random server is merged, and somebody chooses: what a report leaves undone, the next
    /// choice does.
    Report,
    /// A note of a random server is heard.
    Note,
    /// A send to a random server and its answer, without a choice.
    Answer,
}

impl Operation {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Decision, Self::Report, Self::Note, Self::Answer];

    /// What it is called in tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Decision => "decision",
            Self::Report => "report",
            Self::Note => "note",
            Self::Answer => "answer",
        }
    }
}

/// One node with its policy.
pub struct Subject {
    setup: Setup,
    view: View,
    policy: SelectionIndex,
    draws: Stream,
    /// Whom reports, notes and answers are about.
    chance: Stream,
    in_flight: VecDeque<ServerId>,
    asked: Vec<ServerId>,
    /// Operations so far: they are the time and the versions.
    steps: u32,
}

impl Subject {
    /// In front of `servers` servers.
    pub fn new(policy: &PolicyConfig, servers: u32) -> Self {
        let mut scenario = fleet::scenario(servers, 1, policy.clone(), 1);
        scenario.workload.keys = Some(Popularity::Uniform { count: 1 << 40 });
        if let PolicyConfig::Maglev(config) = &mut scenario.policies[0]
            && servers > 10_000
        {
            // The table has to hold all servers, and about a hundred places each.
            *config = MaglevConfig { table_size: 5_000_011, ..config.clone() };
        }
        let setup = Setup::new(&scenario, 0, 0);
        let (view, policy) = fleet::informed_node(&setup);
        let draws = setup.node_stream(Purpose::Policy, NodeId(0));
        let mut subject = Self {
            setup,
            view,
            policy,
            draws,
            chance: stream(7, 0, Purpose::Chaos, 0),
            in_flight: VecDeque::new(),
            asked: Vec::new(),
            steps: 0,
        };
        (0..2 * IN_FLIGHT).for_each(|_| subject.perform(Operation::Decision));
        subject
    }

    /// Whether the policy hears notes.
    pub fn hears_notes(&self) -> bool {
        self.setup.needs.messages()
    }

    /// Does it once.
    pub fn perform(&mut self, operation: Operation) {
        self.steps += 1;
        match operation {
            Operation::Decision => self.decide(),
            Operation::Report => self.report(),
            Operation::Note => self.note(),
            Operation::Answer => {
                let server = self.draw();
                self.send(server);
                self.answer(server);
            }
        }
    }

    /// Now: a nanosecond an operation, so that all is as fresh as at the start, and nothing that is done once
    /// in a while is due [ns].
    fn at_ns(&self) -> Nanos {
        1_000_000 + Nanos::from(self.steps)
    }

    fn draw(&mut self) -> ServerId {
        ServerId(below(&mut self.chance, self.setup.servers))
    }

    fn choose(&mut self) -> Option<ServerId> {
        let at_ns = self.at_ns();
        let freshness = Freshness::new(&self.setup.ticks, at_ns, self.setup.silence_ns);
        let candidates = Candidates::new(&self.view, &freshness, at_ns, None).with_key(at_ns);
        self.policy.choose(&candidates, &mut self.draws)
    }

    fn decide(&mut self) {
        if let Some(server) = self.choose() {
            self.send(server);
            self.in_flight.push_back(server);
        }
        if self.setup.needs.probes {
            let at_ns = self.at_ns();
            let freshness = Freshness::new(&self.setup.ticks, at_ns, self.setup.silence_ns);
            let candidates = Candidates::new(&self.view, &freshness, at_ns, None).with_key(at_ns);
            self.asked.clear();
            self.policy.probes(&candidates, &mut self.draws, &mut self.asked);
        }
        if self.in_flight.len() > IN_FLIGHT.min(2 * self.setup.servers as usize)
            && let Some(server) = self.in_flight.pop_front()
        {
            self.answer(server);
        }
    }

    fn send(&mut self, server: ServerId) {
        self.view.beliefs[server].own += 1;
        let belief = self.view.beliefs[server];
        self.policy.on_send(server, &belief, self.at_ns());
    }

    fn answer(&mut self, server: ServerId) {
        self.view.beliefs[server].own -= 1;
        let belief = self.view.beliefs[server];
        let at_ns = self.at_ns();
        let sent_ns = at_ns.saturating_sub(1_000_000);
        let answer = Answer { at_ns, sent_ns, status: Some(Status::Ok) };
        self.policy.on_answer(server, &belief, &answer);
    }

    fn report(&mut self) {
        let report = Report {
            server: self.draw().0,
            version: 1 + self.steps,
            sent_quantum: 2,
            load: self.chance.random_range(0..8),
            capacity: fleet::CAPACITY as u16,
            latency_ns: self.chance.random_range(1e6..1e8),
            ..Report::default()
        };
        merge_reports(&mut self.view, &mut self.policy, &[report]);
        self.choose();
    }

    fn note(&mut self) {
        let at_ns = self.at_ns();
        let note = Note {
            server: self.draw().0,
            number: self.steps,
            kind: kind(self.setup.needs, self.steps),
            attempt: self.steps,
            load: self.chance.random_range(0..8),
            latency_ns: self.chance.random_range(1e6..1e8),
            counters: Counters {
                at_ns,
                completed: self.steps,
                failed: 0,
                busy_ns: at_ns,
                slots: fleet::CAPACITY,
            },
            ..Note::default()
        };
        self.policy.on_note(&note, at_ns);
    }
}

/// What a policy with these needs hears.
const fn kind(needs: Needs, step: u32) -> NoteKind {
    match needs.notes {
        Some(Notice::Idle | Notice::IdleToShorter) if step.is_multiple_of(2) => NoteKind::Idle,
        Some(Notice::Idle | Notice::IdleToShorter) => NoteKind::Busy,
        Some(Notice::Completions { .. }) => NoteKind::Completion,
        Some(Notice::Heartbeats) => NoteKind::Report,
        None if needs.probes => NoteKind::Probe,
        None => NoteKind::Answer,
    }
}
