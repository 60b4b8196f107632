//! What follows from what a node hears and sees of the servers; *when* something is due is kept
//! elsewhere.

use std::collections::BTreeSet;

use super::checks::{Checks, Flight};
use super::ejection::Ejections;
use super::pacing::Pacing;
use super::rhythm::Rhythms;
use super::track::{Cause, Now, Track};
use super::warming::Warming;
use crate::config::{Detector, OnNoServer};
use crate::ids::{NodeId, ServerId};
use crate::network::Status;
use crate::result::Findings;
use crate::setup::Setup;
use crate::subset::{self, Subset};
use crate::time::Nanos;
use crate::view::View;
use crate::view::barred::Reasons;
use crate::view::news::Heard;

/// What panic ignores: the node's own judgement, and not what a server says of itself.
const JUDGED: Reasons = Reasons::CHECKS_FAILED.with(Reasons::EJECTED).with(Reasons::SUSPECTED);
/// Who is not awaited at any time.
pub(super) const UNHEARD: Reasons = Reasons::SUSPECTED.with(Reasons::UNKNOWN);
/// Who is not asked for his health.
const UNASKED: Reasons = Reasons::UNKNOWN.with(Reasons::DRAINING).with(Reasons::GONE);

/// What follows from what a node hears and sees.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "four things that have nothing in common")]
pub struct Rules {
    /// The node whose rules they are.
    pub node: u32,
    rhythms: Option<Rhythms>,
    checks: Option<Checks>,
    ejections: Option<Ejections>,
    /// Slow start.
    pub warming: Option<Warming>,
    /// How those who wait are let go, where they are.
    pub pacing: Option<Pacing>,
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
    /// Which servers the node knows, where it knows a part.
    subset: Option<Subset>,
    /// Answers and choices concern the rules.
    pub is_careful: bool,
    /// The node is there.
    pub is_running: bool,
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
            node: node.0,
            panic_threshold: if judges { judgement.panic_threshold } else { 0.0 },
            is_careful: setup.is_careful(),
            rhythms,
            checks,
            ejections,
            warming: slow_start.map(|slow_start| Warming::new(setup, slow_start, node)),
            pacing: matches!(judgement.on_no_server, OnNoServer::Queue { paced: true, .. })
                .then(|| Pacing::new(setup)),
            tombstones: BTreeSet::new(),
            track: Track::default(),
            freed: Vec::new(),
            forgotten: Vec::new(),
            panics: false,
            unsettled: false,
            subset: Subset::new(setup, node),
            is_running: true,
        }
    }

    /// Works out which servers the node knows, as of the boundary `quantum`. Returns who is forgotten.
    pub fn narrow(&mut self, setup: &Setup, quantum: u64, view: &mut View) -> Vec<ServerId> {
        let Some(subset) = &mut self.subset else { return Vec::new() };
        let (left, entered) = view.narrow(subset.pick(subset::listed(setup, quantum)));
        for &server in &left {
            self.track.forget(server);
        }
        for server in entered {
            self.track.enter(server, quantum);
        }
        left
    }

    /// True when something may have to be decided though nothing was heard.
    pub fn is_busy(&self) -> bool {
        let judges = self.rhythms.is_some() || self.checks.is_some() || self.ejections.is_some();
        judges || self.track.is_waiting() || self.next_tombstone().is_some()
    }

    /// What the node has found out and done.
    pub const fn findings(&mut self) -> &mut Findings {
        self.track.findings()
    }

    /// News of a server has come.
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

    /// Whether silence is judged by the rhythm of each server.
    pub const fn watches_rhythms(&self) -> bool {
        self.rhythms.is_some()
    }

    /// Whether servers are asked how they are.
    pub const fn checks_servers(&self) -> bool {
        self.checks.is_some()
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
        self.track.accuse(now, server, Cause::Rhythm, view.versions[server]);
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
        let flight = (self.is_running && !view.reasons(server).has(UNASKED))
            .then(|| checks.send(now.setup, server, now.quantum));
        self.findings().checks += u64::from(flight.is_some());
        flight
    }

    /// A check has ended.
    pub fn checked(&mut self, now: &Now<'_>, flight: &Flight, passed: bool, view: &mut View) {
        let server = ServerId(flight.server);
        let reasons = view.reasons(server);
        let present = self.checks.as_ref().is_some_and(|checks| checks.is_present(flight));
        if !present || reasons.has(UNASKED) {
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

    /// An attempt at `server` that left at `sent_ns` has ended at `at_ns`; `None`: its client gave up.
    pub fn answer(
        &mut self,
        sent_ns: Nanos,
        server: ServerId,
        at_ns: Nanos,
        status: Option<Status>,
        view: &mut View,
    ) {
        if status == Some(Status::Ok)
            && let Some(inspector) = view.inspector()
        {
            inspector.measure(server.0, at_ns, at_ns - sent_ns);
        }
        if status == Some(Status::Refused) {
            return;
        }
        if let (Some(pacing), Some(_)) = (&self.pacing, status) {
            pacing.answer(server, view);
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
        let running = self.is_running;
        if running {
            self.note_inspected(view);
        }
        std::mem::take(&mut self.track).finish(now, running.then_some(view))
    }

    /// The node stops: all it knew of the servers is gone, and what it found out stays. `view` is
    /// the one it had.
    pub fn stop(&mut self, view: &View) {
        if !std::mem::replace(&mut self.is_running, false) {
            return;
        }
        self.note_inspected(view);
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
        if let Some(pacing) = &mut self.pacing {
            pacing.reset();
        }
        self.tombstones.clear();
        self.track.stop();
        self.freed.clear();
        self.panics = false;
    }

    /// The node starts on the boundary `quantum`, with an empty view.
    pub const fn start(&mut self, quantum: u64) {
        self.is_running = true;
        self.track.start(quantum);
    }

    fn note_inspected(&mut self, view: &View) {
        if let Some(inspector) = view.inspected() {
            let findings = self.track.findings();
            findings.quarantines += inspector.quarantines();
            for (sum, count) in findings.flaws.iter_mut().zip(inspector.counts()) {
                *sum += count;
            }
        }
    }
}
