//! What one node makes of the servers beyond their reports: rhythm, health checks, ejections, slow
//! start, tombstones, panic; and how well it does.
//!
//! All of it ends in reasons not to use a server (see [`crate::view::barred`]); nothing of it is told
//! to other nodes. [`Rules`] say what follows from an event; *when* something is due is kept apart in
//! [`Judge`], so that another engine can keep it in its own way.

pub mod checks;
pub mod ejection;
pub mod rhythm;
pub mod track;
pub mod warming;

use std::collections::BTreeSet;

use bevy_ecs::prelude::Component;

use crate::config::{Detector, OnNoServer};
use crate::ids::{NodeId, ServerId};
use crate::network::Status;
use crate::result::Findings;
use crate::setup::Setup;
use crate::time::Nanos;
use crate::view::View;
use crate::view::barred::Reasons;
use crate::view::news::Heard;
use crate::wheel::Wheel;

use checks::{Checks, Flight};
use ejection::Ejections;
use rhythm::Rhythms;
use track::{Cause, Now, Track};
use warming::Warming;

/// What panic ignores: the node's own judgement, and not what a server says of itself.
const JUDGED: Reasons = Reasons::CHECKS_FAILED.with(Reasons::EJECTED).with(Reasons::SUSPECTED);
/// Who is not awaited at any time.
const UNHEARD: Reasons = Reasons::SUSPECTED.with(Reasons::UNKNOWN);
/// Who is not asked for his health.
const UNASKED: Reasons = Reasons::UNKNOWN.with(Reasons::DRAINING).with(Reasons::GONE);

/// What follows from what a node hears and sees.
#[derive(Debug)]
pub struct Rules {
    rhythms: Option<Rhythms>,
    checks: Option<Checks>,
    ejections: Option<Ejections>,
    /// Slow start.
    pub warming: Option<Warming>,
    /// When servers that left are forgotten: quantum and server.
    tombstones: BTreeSet<(u64, u32)>,
    /// How well the node does.
    pub track: Track,
    /// Servers that may be used again since this was last emptied: the policy must hear of them.
    pub freed: Vec<ServerId>,
    /// Servers forgotten since this was last emptied.
    pub forgotten: Vec<ServerId>,
    /// Panic is a matter of this share; 0 where nothing is judged.
    panic_threshold: f64,
    panics: bool,
    /// Something was decided outside a boundary.
    pub unsettled: bool,
    /// By slot of a request: when its attempt was sent [ns]. Kept where answers are measured.
    sent_ns: Vec<Nanos>,
    keeps_sent: bool,
    /// Answers and choices concern the rules.
    pub is_careful: bool,
}

impl Rules {
    /// The rules of one node.
    pub fn new(setup: &Setup, node: NodeId) -> Self {
        let judgement = &setup.judgement;
        let rhythms = match &judgement.detector {
            Detector::PhiAccrual(phi) if !judgement.oracle => Some(Rhythms::new(setup, phi)),
            _ => None,
        };
        let checks = judgement.health_checks.as_ref().map(|c| Checks::new(setup, c, node));
        let ejections = judgement.outlier_ejection.as_ref().map(|e| Ejections::new(setup, e));
        let slow_start = judgement.discovery.slow_start.as_ref();
        let judges = rhythms.is_some() || checks.is_some() || ejections.is_some();
        Self {
            panic_threshold: if judges { judgement.panic_threshold } else { 0.0 },
            is_careful: ejections.is_some()
                || slow_start.is_some()
                || judgement.trust.is_some()
                || judgement.on_no_server != OnNoServer::Reject,
            rhythms,
            checks,
            ejections,
            warming: slow_start.map(|slow_start| Warming::new(setup, slow_start, node)),
            tombstones: BTreeSet::new(),
            track: Track::default(),
            freed: Vec::new(),
            forgotten: Vec::new(),
            panics: false,
            unsettled: false,
            sent_ns: Vec::new(),
            keeps_sent: judgement.trust.is_some(),
        }
    }

    /// What the node has found out and done.
    pub const fn findings(&mut self) -> &mut Findings {
        self.track.findings()
    }

    /// News of a server has come. `expired`: it was silent for too long before.
    pub fn hear(&mut self, now: &Now<'_>, heard: &Heard, view: &View) {
        self.track.hear(now, heard);
        let Heard { server, reasons, stamp, .. } = *heard;
        if let Some(rhythms) = &mut self.rhythms {
            let again = reasons.has(UNHEARD);
            rhythms.hear(server, now.quantum, again);
        }
        let reasons_now = view.reasons(server);
        let silent_ns = now.silent_ns(stamp);
        if reasons_now.is_empty() && (!reasons.is_empty() || silent_ns < now.ns()) {
            self.warm(server, now.ns());
        }
        if reasons_now.has(Reasons::GONE) && !reasons.has(Reasons::GONE) {
            let ttl_ns = now.setup.judgement.discovery.tombstone_ttl_ns;
            let forgotten = now.setup.ticks.quantum_from(now.ns() + ttl_ns);
            self.tombstones.insert((forgotten, server.0));
        }
    }

    fn warm(&mut self, server: ServerId, now_ns: Nanos) {
        if let Some(warming) = &mut self.warming {
            warming.begin(server, now_ns);
        }
    }

    fn free(&mut self, view: &mut View, server: ServerId, reason: Reasons, now_ns: Nanos) {
        if view.unbar(server, reason) {
            self.freed.push(server);
            self.warm(server, now_ns);
        }
    }

    /// The first quantum in which a server is suspect, if nothing is heard until then.
    pub fn deadline(&self, server: ServerId) -> Option<u64> {
        self.rhythms.as_ref().map(|rhythms| rhythms.deadline(server))
    }

    /// The deadline of a server has come: true when that makes it suspected.
    pub fn suspect(&mut self, now: &Now<'_>, server: ServerId, view: &mut View) -> bool {
        let reasons = view.reasons(server);
        let overdue = self.deadline(server).is_some_and(|deadline| deadline <= now.quantum);
        if !overdue || reasons.has(UNHEARD) {
            return false;
        }
        view.bar(server, Reasons::SUSPECTED);
        self.track.accuse(now, server, Cause::Rhythm, view.versions[server.index()]);
        true
    }

    /// The first quantum after `quantum` in which a server is to be checked.
    pub fn check_due(&self, setup: &Setup, server: ServerId, quantum: u64) -> Option<u64> {
        self.checks.as_ref().map(|checks| checks.due(setup, server, quantum))
    }

    /// It is time to check a server.
    pub fn check(&mut self, now: &Now<'_>, server: ServerId, view: &View) -> Option<Flight> {
        let checks = self.checks.as_mut()?;
        checks.pass_turn(server);
        let flight = (!view.reasons(server).has(UNASKED))
            .then(|| checks.send(now.setup, server, now.quantum));
        self.findings().checks += u64::from(flight.is_some());
        flight
    }

    /// A check has ended.
    pub fn checked(&mut self, now: &Now<'_>, server: ServerId, passed: bool, view: &mut View) {
        let reasons = view.reasons(server);
        if reasons.has(UNASKED) {
            return;
        }
        let out = reasons.has(Reasons::CHECKS_FAILED);
        match self.checks.as_mut().and_then(|checks| checks.note(server, passed, out)) {
            Some(true) => {
                view.bar(server, Reasons::CHECKS_FAILED);
                self.track.accuse(now, server, Cause::Checks, 0);
            }
            Some(false) => {
                self.track.clear(now, server, Cause::Checks);
                self.free(view, server, Reasons::CHECKS_FAILED, now.ns());
            }
            None => {}
        }
    }

    /// The first quantum in which a tombstone may go.
    pub fn next_tombstone(&self) -> Option<u64> {
        self.tombstones.first().map(|&(quantum, _)| quantum)
    }

    /// Forgets the servers whose tombstones have stood long enough. Who came back meanwhile stays.
    pub fn bury(&mut self, now: &Now<'_>, view: &mut View) {
        while let Some(&(quantum, server)) = self.tombstones.first()
            && quantum <= now.quantum
        {
            self.tombstones.pop_first();
            let server = ServerId(server);
            if view.reasons(server).has(Reasons::GONE) {
                view.forget(server);
                self.forgotten.push(server);
            }
        }
    }

    /// The quantum in which success rates are looked at next.
    pub fn look_due(&self, setup: &Setup) -> Option<u64> {
        self.ejections.as_ref().map(|ejections| ejections.due(setup))
    }

    /// Looks at success rates and at the ends of ejections.
    pub fn look(&mut self, now: &Now<'_>, view: &mut View) {
        let Some(ejections) = &mut self.ejections else { return };
        let decision = ejections.look(now.ns(), view.known());
        for server in decision.back {
            self.free(view, server, Reasons::EJECTED, now.ns());
        }
        self.findings().ejections += decision.out.len() as u64;
        for server in decision.out {
            view.bar(server, Reasons::EJECTED);
        }
    }

    /// Closes a boundary: with too few servers left, the node's own judgement is ignored.
    pub fn settle(&mut self, view: &mut View) {
        self.unsettled = false;
        if self.panic_threshold == 0.0 {
            return;
        }
        let known = view.known();
        let out = view.barred().count(JUDGED);
        let panics = f64::from(known - out.min(known)) < self.panic_threshold * f64::from(known);
        self.findings().panics += u64::from(panics && !self.panics);
        self.panics = panics;
        self.freed.extend(view.waive(if panics { JUDGED } else { Reasons::NONE }));
    }

    /// An attempt is sent.
    pub fn send(&mut self, slot: u32, at_ns: Nanos) {
        if self.keeps_sent {
            let slot = slot as usize;
            if slot >= self.sent_ns.len() {
                self.sent_ns.resize(slot + 1, 0);
            }
            self.sent_ns[slot] = at_ns;
        }
    }

    /// An attempt at `server` has ended at `at_ns`; `None`: its client gave up.
    pub fn answer(
        &mut self,
        slot: u32,
        server: ServerId,
        at_ns: Nanos,
        status: Option<Status>,
        view: &mut View,
    ) {
        if status == Some(Status::Ok)
            && let Some(inspector) = view.inspector()
        {
            inspector.measure(server.0, at_ns - self.sent_ns[slot as usize]);
        }
        if status == Some(Status::Refused) {
            return;
        }
        let good = status == Some(Status::Ok);
        if let Some(ejections) = &mut self.ejections
            && ejections.answer(server, good, at_ns, view.known())
        {
            view.bar(server, Reasons::EJECTED);
            self.findings().ejections += 1;
            self.unsettled = true;
        }
    }

    /// What the node has found out in the whole run.
    pub fn finish(&mut self, now: &Now<'_>, view: &View) -> Findings {
        let mut findings = std::mem::take(&mut self.track).finish(now, view);
        if let Some(inspector) = view.inspected() {
            findings.flaws = *inspector.counts();
            findings.quarantines = inspector.quarantines();
        }
        findings
    }

    /// The node forgets all it knew of the servers, on the boundary `quantum`.
    pub fn reset(&mut self, quantum: u64) {
        if let Some(rhythms) = &mut self.rhythms {
            rhythms.reset();
        }
        if let Some(checks) = &mut self.checks {
            checks.reset();
        }
        if let Some(ejections) = &mut self.ejections {
            ejections.reset();
        }
        if let Some(warming) = &mut self.warming {
            warming.reset();
        }
        self.tombstones.clear();
        self.track.reset(quantum);
        self.freed.clear();
    }
}

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
    End(u32, bool),
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
            Self::End(server, passed) => (0, *server, *passed),
            Self::Arrive(flight) => (1, flight.server, false),
            Self::Send(server) => (2, *server, false),
        }
    }
}

impl Judge {
    /// The judgement of one node, with everything planned that is known from the start.
    pub fn new(setup: &Setup, node: NodeId) -> Self {
        let rules = Rules::new(setup, node);
        let mut deadlines = Wheel::new(1_024);
        let mut filed = Vec::new();
        let mut checks = Wheel::new(1_024);
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

    /// True when the node may have something to judge though it has heard nothing.
    pub fn is_busy(&self) -> bool {
        let Rules { rhythms, checks, ejections, .. } = &self.rules;
        let judges = rhythms.is_some() || checks.is_some() || ejections.is_some();
        judges || self.rules.track.is_waiting() || self.rules.next_tombstone().is_some()
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

    /// Judges on a boundary: takes the view's notes, then what is due.
    pub fn sit(&mut self, now: &Now<'_>, view: &mut View) {
        for heard in view.take_heard() {
            self.rules.hear(now, &heard, view);
            self.file(now, heard.server, heard.reasons.has(UNHEARD));
        }
        self.rules.track.follow(now, view);
        self.suspect(now, view);
        self.check(now, view);
        self.rules.bury(now, view);
        if self.rules.look_due(now.setup).is_some_and(|due| due <= now.quantum) {
            self.rules.look(now, view);
        }
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
                Step::End(server, passed) => {
                    self.rules.checked(now, ServerId(server), passed, view);
                }
                Step::Arrive(flight) => {
                    let answered = now.truth.answers(ServerId(flight.server));
                    let (passed, quantum) = flight.outcome(answered);
                    self.checks.push(quantum, Step::End(flight.server, passed));
                }
                Step::Send(server) => {
                    if let Some(flight) = self.rules.check(now, ServerId(server), view) {
                        if flight.is_late() {
                            self.checks.push(flight.limit, Step::End(server, false));
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
