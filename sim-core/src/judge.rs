//! What one node makes of the servers beyond their reports: rhythm, health checks, ejections, slow
//! start, tombstones, panic; and how well it does.
//!
//! All of it ends in reasons not to use a server (see [`crate::view::barred`]); nothing of it is told
//! to other nodes. [`Rules`] say what follows from an event; *when* something is due is kept apart in
//! [`Judge`], so that another engine can keep it in its own way.

pub mod checks;
pub mod ejection;
pub mod pacing;
pub mod rhythm;
pub mod rules;
pub mod track;
pub mod warming;

use bevy_ecs::prelude::Component;

use crate::ids::{NodeId, ServerId};
use crate::setup::Setup;
use crate::time::Nanos;
use crate::view::View;
use crate::wheel::Wheel;

use checks::{Checks, Flight};
use rhythm::Rhythms;
pub use rules::Rules;
use rules::UNHEARD;
use track::Now;

/// How far ahead deadlines and checks are filed without detour.
const HORIZON_QUANTA: u64 = 1_024;

/// One node's judgement: the rules, and what is due when.
#[derive(Component, Debug)]
pub struct Judge {
    /// What follows from what.
    pub rules: Rules,
    /// Servers whose deadline may have come. It may have moved on: then they are filed anew.
    deadlines: Wheel<u32>,
    /// By server: the quantum under which it is filed; other files of it are void.
    filed: Vec<u32>,
    /// Checks by what happens next to them.
    checks: Wheel<Step>,
    due: Vec<u32>,
    steps: Vec<Step>,
}

/// What happens next to a check.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// It is sent.
    Send(u32),
    /// The question arrives at the server.
    Arrive(Flight),
    /// The node knows the result.
    End(Flight, bool),
}

impl Default for Step {
    fn default() -> Self {
        Self::Send(0)
    }
}

impl Step {
    /// Steps of one boundary: results, then arrivals, then what is sent; by server; a failure
    /// before the success of the next check.
    const fn order(&self) -> (u8, u32, bool) {
        match self {
            Self::End(flight, passed) => (0, flight.server, *passed),
            Self::Arrive(flight) => (1, flight.server, false),
            Self::Send(server) => (2, *server, false),
        }
    }
}

impl Judge {
    /// Memory that rhythms and health checks of `servers` take at one node [bytes].
    pub(crate) fn bytes(setup: &Setup, servers: f64) -> f64 {
        let quanta = |ns: Nanos| ns as f64 / setup.ticks.quantum_ns as f64;
        let mut bytes = 0.0;
        if setup.has_rhythms() {
            // A server may be filed under an earlier deadline once more.
            let ahead = quanta(setup.heartbeat.failure_timeout_ns);
            bytes += Wheel::<u32>::bytes_ahead(HORIZON_QUANTA, ahead, 2.0 * servers);
            bytes += servers * (Rhythms::SERVER_BYTES + size_of::<u32>()) as f64;
        }
        if let Some(checks) = &setup.judgement.health_checks {
            let ahead = quanta(checks.interval_ns);
            bytes += Wheel::<Step>::bytes_ahead(HORIZON_QUANTA, ahead, servers);
            bytes += servers * Checks::SERVER_BYTES as f64;
        }
        bytes
    }

    /// The judgement of one node, with everything planned that is known from the start.
    pub fn new(setup: &Setup, node: NodeId) -> Self {
        let rules = Rules::new(setup, node);
        // Nothing is ever filed where nothing is judged: the smallest wheel will do.
        let horizon = |is_used| if is_used { HORIZON_QUANTA } else { 0 };
        let mut deadlines = Wheel::new(horizon(setup.has_rhythms()));
        let mut filed = Vec::new();
        let mut checks = Wheel::new(horizon(setup.judgement.health_checks.is_some()));
        for server in 0..setup.servers {
            if let Some(quantum) = rules.deadline(ServerId(server)) {
                deadlines.push(quantum, server);
                filed.push(quantum as u32);
            }
            if let Some(quantum) = rules.check_due(setup, ServerId(server), 0) {
                checks.push(quantum, Step::Send(server));
            }
        }
        Self { rules, deadlines, filed, checks, due: Vec::new(), steps: Vec::new() }
    }

    /// The first quantum after `quantum` in which the node has something to judge.
    pub fn next_due(&self, setup: &Setup, quantum: u64) -> Option<u64> {
        let soon = self.rules.unsettled || self.rules.track.is_waiting();
        [
            soon.then_some(quantum + 1),
            self.deadlines.next_due(),
            self.checks.next_due(),
            self.rules.next_tombstone(),
            self.rules.look_due(setup),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// Lets a boundary go by: the node is out. What was due is void, and checks take turns on.
    pub fn pass_over(&mut self, now: &Now<'_>, view: &mut View) {
        self.due.clear();
        self.deadlines.take(now.quantum, &mut self.due);
        self.check(now, view);
        self.look(now, view);
    }

    fn look(&mut self, now: &Now<'_>, view: &mut View) {
        if self.rules.look_due(now.setup).is_some_and(|due| due <= now.quantum) {
            self.rules.look(now, view);
        }
    }

    /// Judges on a boundary: takes the view's notes, then what is due.
    pub fn sit(&mut self, now: &Now<'_>, view: &mut View) {
        for heard in view.take_heard() {
            self.rules.hear(now, &heard, view);
            self.file(now, heard.server, heard.reasons.has(UNHEARD));
        }
        self.rules.track.follow(now, view);
        self.suspect(now, view);
        self.check(now, view);
        self.look(now, view);
        self.rules.bury(now, view);
        self.rules.settle(view);
        self.rules.track.observe(now, view);
    }

    /// Files a server under its deadline, if that is earlier than where it is filed. `anew`: it is
    /// filed nowhere.
    fn file(&mut self, now: &Now<'_>, server: ServerId, anew: bool) {
        let Some(deadline) = self.rules.deadline(server) else { return };
        // A gap shorter than all before makes patience shorter too.
        let deadline = deadline.max(now.quantum + 1);
        let filed = &mut self.filed[server.index()];
        if anew || deadline < u64::from(*filed) {
            *filed = deadline as u32;
            self.deadlines.push(deadline, server.0);
        }
    }

    fn suspect(&mut self, now: &Now<'_>, view: &mut View) {
        let mut due = std::mem::take(&mut self.due);
        due.clear();
        self.deadlines.take(now.quantum, &mut due);
        for server in due.drain(..).map(ServerId) {
            // Whoever is suspected or unknown is filed anew when it is heard of.
            let void = u64::from(self.filed[server.index()]) != now.quantum;
            if void || view.reasons(server).has(UNHEARD) {
                continue;
            }
            if !self.rules.suspect(now, server, view) {
                self.file(now, server, true);
            }
        }
        self.due = due;
    }

    fn check(&mut self, now: &Now<'_>, view: &mut View) {
        self.steps.clear();
        self.checks.take(now.quantum, &mut self.steps);
        self.steps.sort_unstable_by_key(Step::order);
        for &step in &self.steps {
            match step {
                Step::End(flight, passed) => self.rules.checked(now, &flight, passed, view),
                Step::Arrive(flight) => {
                    let answered = now.truth.answers_to(self.rules.node, ServerId(flight.server));
                    let (passed, quantum) = flight.outcome(answered);
                    self.checks.push(quantum, Step::End(flight, passed));
                }
                Step::Send(server) => {
                    if let Some(flight) = self.rules.check(now, ServerId(server), view) {
                        if flight.is_late() {
                            self.checks.push(flight.limit, Step::End(flight, false));
                        } else {
                            self.checks.push(flight.arrival, Step::Arrive(flight));
                        }
                    }
                    if let Some(next) =
                        self.rules.check_due(now.setup, ServerId(server), now.quantum)
                    {
                        self.checks.push(next, Step::Send(server));
                    }
                }
            }
        }
    }
}
