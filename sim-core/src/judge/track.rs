//! How well one node's detectors do, against the truth.
//!
//! *Detection time*: from a server's crash to the moment the node takes it for unavailable, by
//! whatever means; 0 when it did so already, without cause. *Missed*: the server is back before the
//! node noticed. *Recovery time*: from the server's return to the moment the node takes it for
//! available. *Discovery time*: from the moment a server is there to the first news of it. *False
//! failure*: the node takes a server for failed by silence, rhythm or health checks that has been up
//! since before its last report (or, for checks, since before the verdict). Ejections are no false
//! failures: who answers with errors is up, and ejected with good reason.
//!
//! A failure by silence begins at an exact moment, one timeout after the last report was sent;
//! everything else happens on boundaries.

use std::collections::BTreeMap;

use crate::ids::ServerId;
use crate::result::Findings;
use crate::setup::Setup;
use crate::time::Nanos;
use crate::truth::Truth;
use crate::view::barred::{BARRED, Reasons};
use crate::view::news::Heard;
use crate::view::{Freshness, View};

/// Reasons that are plans and not failures.
const PLANNED: Reasons = Reasons::UNKNOWN.with(Reasons::DRAINING).with(Reasons::GONE);

/// See the module documentation.
#[derive(Clone, Debug, Default)]
pub struct Track {
    /// What the node has not noticed yet: server, whether it came up, and when [quanta].
    pending: BTreeMap<u32, (bool, u64)>,
    /// Servers that rhythm or checks have put out: since when [quanta], and from when on the server
    /// must have been up for this to be false.
    out: BTreeMap<(u32, Cause), (u64, u32)>,
    /// Servers the node has been told to know, and since when [quanta].
    entered: BTreeMap<u32, u64>,
    /// The node knows nothing from before this [quanta].
    started: u64,
    findings: Findings,
}

/// Who took a server for failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cause {
    /// Its rhythm.
    Rhythm,
    /// Its health checks.
    Checks,
}

/// A moment, and what is true at it.
#[derive(Clone, Copy)]
pub struct Now<'a> {
    /// What never changes.
    pub setup: &'a Setup,
    /// Who is up.
    pub truth: &'a Truth,
    /// The boundary [quanta].
    pub quantum: u64,
}

impl Now<'_> {
    /// The boundary [ns].
    pub const fn ns(&self) -> Nanos {
        self.quantum * self.setup.ticks.quantum_ns
    }

    /// When silence since a report stamped `stamp` becomes failure [ns].
    pub fn silent_ns(&self, stamp: u32) -> Nanos {
        u64::from(stamp).saturating_mul(self.setup.ticks.quantum_ns) + self.setup.silence_ns
    }

    fn is_available(&self, view: &View, server: ServerId) -> bool {
        let oldest_live = Freshness::on_boundary(self.setup, self.quantum).oldest_live(self.ns());
        view.beliefs[server].sent_quantum >= oldest_live
    }
}

impl Track {
    /// What has been found out, apart from what is still open.
    pub const fn findings(&mut self) -> &mut Findings {
        &mut self.findings
    }

    /// True while something has happened that the node has not noticed.
    pub fn is_waiting(&self) -> bool {
        !self.pending.is_empty()
    }

    /// The node has heard of a server.
    pub fn hear(&mut self, now: &Now<'_>, heard: &Heard) {
        let Heard { server, reasons, stamp, version } = *heard;
        let quantum_ns = now.setup.ticks.quantum_ns;
        if reasons.has(Reasons::UNKNOWN) {
            let told = self.entered.remove(&server.0).unwrap_or(0);
            let there = u64::from(now.truth.since(server)).max(self.started).max(told);
            self.findings.discovery_ns.push(now.quantum.saturating_sub(there) * quantum_ns);
        }
        let silent_ns = now.silent_ns(stamp);
        if reasons.is_empty() && silent_ns < now.ns() {
            if now.truth.up_since(server, version) {
                self.note_false(now.ns() - silent_ns);
            }
            if let Some(&(false, down)) = self.pending.get(&server.0) {
                self.detect(server, silent_ns.saturating_sub(down * quantum_ns));
            }
        }
        if reasons.has(Reasons::SUSPECTED) {
            self.clear(now, server, Cause::Rhythm);
        }
    }

    /// Rhythm or checks take a server for failed. `version` is that of its last report.
    pub fn accuse(&mut self, now: &Now<'_>, server: ServerId, cause: Cause, version: u32) {
        let since = match cause {
            Cause::Rhythm => version,
            Cause::Checks => now.quantum as u32,
        };
        self.out.insert((server.0, cause), (now.quantum, since));
    }

    /// Rhythm or checks no longer do.
    pub fn clear(&mut self, now: &Now<'_>, server: ServerId, cause: Cause) {
        if let Some((begin, since)) = self.out.remove(&(server.0, cause))
            && now.truth.up_since(server, since)
        {
            self.note_false((now.quantum - begin) * now.setup.ticks.quantum_ns);
        }
    }

    fn note_false(&mut self, length_ns: Nanos) {
        self.findings.false_failures += 1;
        self.findings.false_failure_ns += u128::from(length_ns);
    }

    fn detect(&mut self, server: ServerId, after_ns: Nanos) {
        self.findings.detection_ns.push(after_ns);
        self.pending.remove(&server.0);
    }

    /// Servers have come up or gone down.
    pub fn follow(&mut self, now: &Now<'_>, view: &View) {
        for &(server, up) in now.truth.changed() {
            self.look(now, view, server);
            let unnoticed = self.pending.remove(&server.0);
            if view.reasons(server).has(PLANNED) {
                continue;
            }
            let available = now.is_available(view, server);
            if !up && available {
                self.pending.insert(server.0, (false, now.quantum));
            } else if !up {
                // It was taken for failed already.
                self.findings.detection_ns.push(0);
            } else if unnoticed.is_some_and(|(up, _)| !up) {
                self.findings.missed_failures += 1;
            } else if !available {
                self.pending.insert(server.0, (true, now.quantum));
            }
        }
    }

    /// Looks for what the node has noticed by now.
    pub fn observe(&mut self, now: &Now<'_>, view: &View) {
        let noticed = |&(&server, &(up, _)): &(&u32, &(bool, u64))| {
            now.is_available(view, ServerId(server)) == up
        };
        let noticed: Vec<u32> = self.pending.iter().filter(noticed).map(|(&id, _)| id).collect();
        for server in noticed {
            self.look(now, view, ServerId(server));
        }
    }

    fn look(&mut self, now: &Now<'_>, view: &View, server: ServerId) {
        let Some(&(up, since)) = self.pending.get(&server.0) else { return };
        if now.is_available(view, server) != up {
            return;
        }
        let since_ns = since * now.setup.ticks.quantum_ns;
        if up {
            self.findings.recovery_ns.push(now.ns() - since_ns);
            self.pending.remove(&server.0);
            return;
        }
        let seen_ns = match view.beliefs[server].sent_quantum {
            BARRED => now.ns(),
            stamp => now.silent_ns(stamp),
        };
        self.detect(server, seen_ns.saturating_sub(since_ns));
    }

    /// The node is not to know a server any more: what it had not noticed of it is nothing.
    pub fn forget(&mut self, server: ServerId) {
        self.entered.remove(&server.0);
        self.pending.remove(&server.0);
        for cause in [Cause::Rhythm, Cause::Checks] {
            self.out.remove(&(server.0, cause));
        }
    }

    /// The node is to know a server from the boundary `quantum` on.
    pub fn enter(&mut self, server: ServerId, quantum: u64) {
        self.entered.insert(server.0, quantum);
    }

    /// The node forgets all it knew.
    pub fn stop(&mut self) {
        self.entered.clear();
        self.pending.clear();
        self.out.clear();
    }

    /// The node begins to know something, on the boundary `quantum`.
    pub const fn start(&mut self, quantum: u64) {
        self.started = quantum;
    }

    /// What was found out in the whole run, with the false failures that are still open in the view
    /// of a node that is there.
    #[must_use]
    pub fn finish(mut self, now: &Now<'_>, view: Option<&View>) -> Findings {
        let Some(view) = view else { return self.findings };
        let open: Vec<(u32, Cause)> = self.out.keys().copied().collect();
        for (server, cause) in open {
            self.clear(now, ServerId(server), cause);
        }
        let oldest_live = Freshness::on_boundary(now.setup, now.quantum).oldest_live(now.ns());
        for (server, belief) in view.beliefs.iter() {
            if belief.sent_quantum < oldest_live
                && belief.sent_quantum != BARRED
                && now.truth.up_since(server, view.versions[server])
            {
                self.note_false(now.ns() - now.silent_ns(belief.sent_quantum));
            }
        }
        self.findings
    }
}
