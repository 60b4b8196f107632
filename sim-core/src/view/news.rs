//! The rare half of a merge: reports of servers that were out of bounds, and all reports where a
//! node looks at them closely.
//!
//! A merge over a belief as fresh as `floor` asks for leaves no trace: it is the hot path. All other
//! merges come here and leave a note of what was believed before. Notes are read once a boundary, by
//! server; of several notes on one server only the first counts, because of two reports that arrive
//! together the older may or may not have been merged before the newer.

use super::barred::{BARRED, KNOWN_AT_START, Reasons};
use super::inspector::{Inspector, Verdict};
use super::{Belief, View};
use crate::config::{Detector, Prior};
use crate::ids::ServerId;
use crate::network::{Report, Stage};
use crate::setup::Setup;

/// What was believed of a server before a merge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heard {
    /// Whom the report was about.
    pub server: ServerId,
    /// Why the server was out of bounds.
    pub reasons: Reasons,
    /// The stamp of the report before [quanta].
    pub stamp: u32,
    /// The version of the report before; 0: none.
    pub version: u32,
}

/// See the module documentation.
#[derive(Clone, Debug)]
pub struct News {
    /// Merges over a belief with an older stamp leave a note. Above [`BARRED`], always.
    pub(super) floor: u32,
    /// All merges leave a note.
    all: bool,
    heard: Vec<Heard>,
    /// What is believed of the latency of a server that has completed nothing.
    prior_ns: f32,
    known: Option<KnownLatencies>,
    pub(super) inspector: Option<Box<Inspector>>,
}

/// The latencies a node knows, for their mean: a sum of integers, so that order changes nothing.
#[derive(Clone, Debug)]
struct KnownLatencies {
    /// By server; 0: none known.
    ns: Vec<u64>,
    sum_ns: u64,
    count: u64,
}

impl Default for News {
    fn default() -> Self {
        Self {
            floor: KNOWN_AT_START,
            all: false,
            heard: Vec::new(),
            prior_ns: 0.0,
            known: None,
            inspector: None,
        }
    }
}

impl News {
    /// Every merge leaves a note.
    #[cfg(test)]
    pub(super) fn of_all() -> Self {
        Self { floor: u32::MAX, all: true, ..Self::default() }
    }

    pub(super) const fn prior_ns(&self) -> f32 {
        self.prior_ns
    }

    /// What the scenario wants to know of merges.
    pub fn new(setup: &Setup) -> Self {
        let judgement = &setup.judgement;
        let prior = judgement.discovery.prior;
        let all = prior != Prior::Zero
            || judgement.trust.is_some()
            || matches!(judgement.detector, Detector::PhiAccrual(_));
        Self {
            floor: if all { u32::MAX } else { KNOWN_AT_START },
            all,
            prior_ns: if let Prior::Penalty(ns) = prior { ns as f32 } else { 0.0 },
            known: (prior == Prior::Mean).then(|| KnownLatencies {
                ns: vec![0; setup.servers as usize],
                sum_ns: 0,
                count: 0,
            }),
            inspector: judgement.trust.map(|trust| Box::new(Inspector::new(setup, trust))),
            ..Self::default()
        }
    }
}

impl View {
    /// Opens a boundary: from now on merges over beliefs older than `oldest_live` leave a note.
    pub const fn listen(&mut self, oldest_live: u32) {
        if !self.news.all {
            self.news.floor = oldest_live;
        }
    }

    /// Takes the notes of the boundary, one a server, in the order of servers, and settles what is
    /// to be believed of servers that have completed nothing.
    pub fn take_heard(&mut self) -> Vec<Heard> {
        if let Some(known) = &self.news.known {
            self.news.prior_ns = known.sum_ns.checked_div(known.count).unwrap_or(0) as f32;
        }
        let mut heard = std::mem::take(&mut self.news.heard);
        heard.sort_by_key(|note| note.server);
        heard.dedup_by_key(|note| note.server);
        heard
    }

    /// True when there are notes to take.
    pub const fn has_heard(&self) -> bool {
        !self.news.heard.is_empty()
    }

    /// The latency believed of a server that has completed nothing [ns].
    pub const fn prior_ns(&self) -> f32 {
        self.news.prior_ns
    }

    /// Looks at reports closely, where the scenario asks for it.
    pub fn inspector(&mut self) -> Option<&mut Inspector> {
        self.news.inspector.as_deref_mut()
    }

    /// Sees a server as it is, which is more than any report can tell: an oracle's work.
    pub fn see(&mut self, report: &Report, up: bool) {
        let server = ServerId(report.server);
        self.versions[server] = 0;
        self.merge(report);
        if up {
            self.unbar(server, Reasons::DOWN);
        } else {
            self.bar(server, Reasons::DOWN);
        }
    }

    /// What looking closely has found.
    pub fn inspected(&self) -> Option<&Inspector> {
        self.news.inspector.as_deref()
    }

    /// The rest of a merge that leaves a note; false when the report is rejected. The belief is the
    /// report's already; `before` and `version` are what was there.
    #[cold]
    #[inline(never)]
    pub(super) fn merge_closely(&mut self, report: &Report, version: u32, before: &Belief) -> bool {
        let server = ServerId(report.server);
        let reasons = self.reasons_at(server, before.sent_quantum);
        let stamp = self.kept_stamp(server, before.sent_quantum);
        let mut report = *report;
        if let Some(inspector) = &mut self.news.inspector {
            match inspector.inspect(&report, before) {
                Verdict::Reject => {
                    self.beliefs[server] = *before;
                    self.versions[server] = version;
                    return false;
                }
                Verdict::Accept(amended) => report = amended,
            }
        }
        self.news.heard.push(Heard { server, reasons, stamp, version });
        self.rewrite(&report, before.own);
        if let Some(known) = &mut self.news.known {
            known.note(server, report.latency_ns);
        }
        if !reasons.is_empty() || report.stage != Stage::Serving {
            self.merge_barred(&report, reasons);
        }
        true
    }

    /// Believes an amended report.
    fn rewrite(&mut self, report: &Report, own: u32) {
        let counted = if self.own_sends { own } else { 0 };
        let belief = &mut self.beliefs[ServerId(report.server)];
        belief.sent_quantum = report.sent_quantum;
        belief.capacity = report.capacity;
        belief.others = u32::from(report.load).saturating_sub(counted) as u16;
        // Zero is what a server says that has completed nothing.
        let completed = report.latency_ns != 0.0;
        belief.latency_ns = if completed { report.latency_ns } else { self.news.prior_ns };
        if let Some(inspector) = &self.news.inspector
            && let Some(own_ns) = inspector.own_latency_ns(report.server, report.version)
        {
            belief.latency_ns = own_ns;
            belief.others = if self.own_sends { 0 } else { own.min(u32::from(u16::MAX)) as u16 };
        }
    }

    /// A report that is no news: older than what is known, or of the same version.
    #[cold]
    pub(super) fn turn_away(&mut self, report: &Report) -> bool {
        if let Some(inspector) = &mut self.news.inspector {
            let held = self.versions[ServerId(report.server)];
            // The highest version is that of a server the node is not to know.
            if held != u32::MAX {
                inspector.turn_away(report, held);
            }
        }
        false
    }

    /// As [`View::reasons`], for a belief with this stamp.
    pub(super) fn reasons_at(&self, server: ServerId, stamp: u32) -> Reasons {
        match self.barred.reasons(server) {
            Some(reasons) => reasons,
            None if stamp != BARRED => Reasons::NONE,
            None => Reasons::UNKNOWN,
        }
    }
}

impl KnownLatencies {
    fn note(&mut self, server: ServerId, latency_ns: f32) {
        let before = std::mem::replace(&mut self.ns[server.index()], latency_ns as u64);
        let now = self.ns[server.index()];
        self.sum_ns = self.sum_ns - before + now;
        self.count = self.count - u64::from(before > 0) + u64::from(now > 0);
    }
}
