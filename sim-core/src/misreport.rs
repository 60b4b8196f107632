//! What is wrong with the heartbeats of one server under a fault: they get lost, late, doubled, out
//! of order, or say what is not so.
//!
//! The rules are here once, for both engines: a server's misreport draws from a stream of its own,
//! first per heartbeat, then per node in the order in which the heartbeat is sent.

use std::collections::BTreeMap;

use crate::config::{Inconsistency, Lie};
use crate::ids::ServerId;
use crate::network::Report;
use crate::plan::ReportChange;
use crate::rng::{Purpose, RngExt, Stream};
use crate::setup::Setup;
use crate::time::Nanos;

/// The misreports of the servers of one shard.
#[derive(Debug, Default)]
pub struct Misreports {
    /// The next change of the plan.
    next: usize,
    by_server: BTreeMap<u32, Misreport>,
}

impl Misreports {
    /// Carries out what is planned up to the boundary `quantum` for the servers from `first` to
    /// before `end`. It may come late: nothing shows before the next heartbeat.
    pub fn advance(&mut self, setup: &Setup, quantum: u64, first: u32, end: u32) {
        while let Some(planned) = setup.plan.reports.get(self.next)
            && planned.quantum <= quantum
        {
            for server in planned.first.max(first)..planned.end.min(end) {
                let new = || Misreport::new(setup.server_stream(STREAM, ServerId(server)));
                self.by_server.entry(server).or_insert_with(new).change(planned.change);
            }
            self.next += 1;
        }
    }

    /// What is wrong with the heartbeats of a server at present, if anything is.
    pub fn of(&mut self, server: ServerId) -> Option<&mut Misreport> {
        if self.by_server.is_empty() {
            return None;
        }
        self.by_server.get_mut(&server.0).filter(|misreport| misreport.is_on())
    }
}

/// The stream of a misreport.
pub const STREAM: Purpose = Purpose::ReportFault;

/// What is wrong with the heartbeats of one server.
#[derive(Clone, Debug)]
pub struct Misreport {
    stream: Stream,
    loss: f64,
    delay_ns: Nanos,
    duplicate: f64,
    reorder: (f64, Nanos),
    lie: Option<Lie>,
    /// What a frozen report says.
    frozen: Option<Report>,
    inconsistent: Option<(Inconsistency, f64)>,
    /// The version of the last report that went backwards, or of the one that is repeated.
    version: Option<u32>,
    /// Impossible reports so far: their kinds take turns.
    impossible: u32,
    skew_quanta: i64,
}

impl Misreport {
    /// Nothing wrong yet.
    pub const fn new(stream: Stream) -> Self {
        Self {
            stream,
            loss: 0.0,
            delay_ns: 0,
            duplicate: 0.0,
            reorder: (0.0, 0),
            lie: None,
            frozen: None,
            inconsistent: None,
            version: None,
            impossible: 0,
            skew_quanta: 0,
        }
    }

    /// Begins or ends something.
    pub const fn change(&mut self, change: ReportChange) {
        match change {
            ReportChange::Loss(share) => self.loss = share,
            ReportChange::Delay(by_ns) => self.delay_ns = by_ns,
            ReportChange::Duplicate(share) => self.duplicate = share,
            ReportChange::Reorder(share, by_ns) => self.reorder = (share, by_ns),
            ReportChange::Lie(lie) => (self.lie, self.frozen) = (lie, None),
            ReportChange::Inconsistent(what) => (self.inconsistent, self.version) = (what, None),
            ReportChange::Skew(quanta) => self.skew_quanta = quanta,
        }
    }

    /// Whether anything is wrong at present.
    pub fn is_on(&self) -> bool {
        self.loss > 0.0
            || self.delay_ns > 0
            || self.duplicate > 0.0
            || self.reorder.0 > 0.0
            || self.lie.is_some()
            || self.inconsistent.is_some()
            || self.skew_quanta != 0
    }

    /// What the server says instead of `report`.
    pub fn distort(&mut self, report: Report) -> Report {
        let mut said = report;
        match self.lie {
            None => {}
            Some(Lie::Frozen) => {
                let frozen = self.frozen.get_or_insert(report);
                (said.load, said.active) = (frozen.load, frozen.active);
                said.latency_ns = frozen.latency_ns;
            }
            Some(Lie::Scaled { load, latency }) => {
                // A cast saturates.
                said.load = (f64::from(report.load) * load).round() as u16;
                said.active = said.load.min(report.capacity);
                said.latency_ns = (f64::from(report.latency_ns) * latency) as f32;
            }
        }
        if self.skew_quanta != 0 {
            let stamp = i64::from(report.sent_quantum) + self.skew_quanta;
            // 0 is the stamp of a server never heard of.
            said.sent_quantum = stamp.clamp(1, i64::from(u32::MAX)) as u32;
        }
        if let Some((what, share)) = self.inconsistent
            && draw(&mut self.stream, share)
        {
            self.break_sense(what, &mut said);
        }
        said
    }

    fn break_sense(&mut self, what: Inconsistency, said: &mut Report) {
        match what {
            Inconsistency::Impossible => {
                match self.impossible % 4 {
                    0 => said.capacity = 0,
                    1 => {
                        said.active = said.capacity.saturating_add(1);
                        said.load = said.load.max(said.active);
                    }
                    2 => said.latency_ns = -1.0 - said.latency_ns,
                    _ => said.latency_ns = f32::NAN,
                }
                self.impossible = self.impossible.wrapping_add(1);
            }
            Inconsistency::Backwards => {
                let version = self.version.unwrap_or(said.version).saturating_sub(1).max(1);
                self.version = Some(version);
                said.version = version;
            }
            Inconsistency::Conflicting => said.version = *self.version.get_or_insert(said.version),
        }
    }

    /// Hands one node's copies of a heartbeat to `deliver(delay)`; `delay` gives the delay of the
    /// link, anew for a second copy from the stream it is given.
    pub fn copies(
        &mut self,
        delay_ns: Nanos,
        again: impl FnOnce(&mut Stream) -> Nanos,
        mut deliver: impl FnMut(Nanos),
    ) {
        if draw(&mut self.stream, self.loss) {
            return;
        }
        deliver(delay_ns + self.extra_ns());
        if draw(&mut self.stream, self.duplicate) {
            let delay_ns = again(&mut self.stream);
            deliver(delay_ns + self.extra_ns());
        }
    }

    /// By how much longer a copy takes [ns].
    fn extra_ns(&mut self) -> Nanos {
        let (share, by_ns) = self.reorder;
        let held_ns = if draw(&mut self.stream, share) {
            (self.stream.random::<f64>() * by_ns as f64) as Nanos
        } else {
            0
        };
        self.delay_ns + held_ns
    }
}

/// True with chance `share`; draws only where that is open.
fn draw(stream: &mut Stream, share: f64) -> bool {
    share > 0.0 && (share >= 1.0 || stream.random_bool(share))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::stream;

    fn misreport(change: ReportChange) -> Misreport {
        let mut misreport = Misreport::new(stream(1, 0, STREAM, 0));
        misreport.change(change);
        assert!(misreport.is_on());
        misreport
    }

    fn truth(version: u32) -> Report {
        Report {
            version,
            sent_quantum: version,
            load: version as u16,
            active: 2,
            capacity: 4,
            latency_ns: version as f32,
            ..Report::default()
        }
    }

    #[test]
    fn a_frozen_report_says_what_was_true_at_first_and_is_news_all_the_same() {
        let mut frozen = misreport(ReportChange::Lie(Some(Lie::Frozen)));
        assert_eq!(frozen.distort(truth(5)), truth(5));
        let later = frozen.distort(truth(9));
        assert_eq!((later.load, later.version, later.sent_quantum), (5, 9, 9));
        frozen.change(ReportChange::Lie(None));
        assert!(!frozen.is_on());
        assert_eq!(frozen.distort(truth(10)), truth(10));
    }

    #[test]
    fn inconsistent_reports_are_so_in_the_way_asked_for() {
        let on = |what| misreport(ReportChange::Inconsistent(Some((what, 1.0))));
        let mut backwards = on(Inconsistency::Backwards);
        let versions = [10, 11, 12].map(|version| backwards.distort(truth(version)).version);
        assert_eq!(versions, [9, 8, 7]);
        let mut conflicting = on(Inconsistency::Conflicting);
        let said = [10, 11].map(|version| conflicting.distort(truth(version)));
        assert_eq!((said[0].version, said[1].version), (10, 10));
        assert_ne!(said[0].load, said[1].load);
        let mut impossible = on(Inconsistency::Impossible);
        let said = [10, 11, 12, 13].map(|version| impossible.distort(truth(version)));
        assert_eq!(said[0].capacity, 0);
        assert!(said[1].active > said[1].capacity);
        assert!(said[2].latency_ns < 0.0);
        assert!(said[3].latency_ns.is_nan());
    }

    #[test]
    fn copies_are_lost_doubled_and_delayed() {
        let arrivals = |change| {
            let mut heard = Vec::new();
            misreport(change).copies(100, |_| 200, |delay_ns| heard.push(delay_ns));
            heard
        };
        assert_eq!(arrivals(ReportChange::Loss(1.0)), []);
        assert_eq!(arrivals(ReportChange::Duplicate(1.0)), [100, 200]);
        assert_eq!(arrivals(ReportChange::Delay(7)), [107]);
        let held = arrivals(ReportChange::Reorder(1.0, 50));
        assert!((100..150).contains(&held[0]), "{held:?}");
    }

    #[test]
    fn a_skewed_stamp_moves_and_the_version_does_not() {
        let mut skew = misreport(ReportChange::Skew(-3));
        let said = skew.distort(truth(10));
        assert_eq!((said.version, said.sent_quantum), (10, 7));
        assert_eq!(skew.distort(truth(2)).sent_quantum, 1, "0 is the stamp of the unknown");
    }
}
