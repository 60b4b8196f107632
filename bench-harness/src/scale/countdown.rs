//! Progress of a pass on stderr: what was measured, and how long the rest will take.

use std::collections::BTreeMap;

use crate::one::{HEARTBEAT_MS, OneArgs, Reading};
use crate::process::name;

use super::grid::crude_ns;

/// What is left to do.
#[derive(Debug)]
pub struct Countdown {
    total: usize,
    /// Runs still to come, the next one last.
    left: Vec<OneArgs>,
    /// Wall time of the last run of its kind [ns].
    known_ns: BTreeMap<OneArgs, f64>,
    /// Time that known runs took and that was expected of them [ns]: corrects the expectation of
    /// runs that nobody has seen yet.
    taken_ns: f64,
    expected_ns: f64,
}

impl Countdown {
    /// Before the first of `runs`.
    pub fn new(runs: &[(OneArgs, u32)]) -> Self {
        let left: Vec<OneArgs> = runs.iter().rev().map(|run| run.0).collect();
        let known_ns = BTreeMap::new();
        Self { total: left.len(), left, known_ns, taken_ns: 0.0, expected_ns: 0.0 }
    }

    /// Tells what is to come.
    pub fn announce(&self) {
        if self.total > 0 {
            eprintln!("{} measurements, about {}", self.total, minutes(self.left_ns()));
        }
    }

    /// Notes how long a run took.
    pub fn learn(&mut self, one: &OneArgs, reading: &Reading) {
        self.known_ns.insert(*one, reading.wall_ns as f64);
        self.taken_ns += reading.wall_ns as f64;
        self.expected_ns += crude_ns(one);
    }

    /// Notes that the next run is over, and tells how far the pass has come.
    pub fn done(&mut self, one: &OneArgs, reading: &Reading) {
        assert_eq!(self.left.pop().as_ref(), Some(one), "runs come in their order");
        self.learn(one, reading);
        eprintln!(
            "[{} of {}] {}: {:.1} ns a request; about {} left",
            self.total - self.left.len(),
            self.total,
            shown(one),
            reading.running_ns_per_request(),
            minutes(self.left_ns()),
        );
    }

    /// Time until the last run is over [ns].
    fn left_ns(&self) -> f64 {
        let correction =
            if self.expected_ns > 0.0 { self.taken_ns / self.expected_ns } else { 1.0 };
        let expected = |one: &OneArgs| match self.known_ns.get(one) {
            Some(&ns) => ns,
            None => correction * crude_ns(one),
        };
        self.left.iter().map(expected).sum()
    }
}

/// A run in words.
pub fn shown(one: &OneArgs) -> String {
    let OneArgs { policy, servers, nodes, threads, .. } = *one;
    let by = one.kernel.map_or_else(|| name(one.engine), name);
    let many = if threads > 1 { format!(", {threads} threads") } else { String::new() };
    let dense = one.heartbeat_ms != HEARTBEAT_MS;
    let dense = if dense { ", dense heartbeats" } else { "" };
    format!("{servers} x {nodes} {} {by}{many}{dense}", name(policy))
}

fn minutes(ns: f64) -> String {
    let seconds = (ns / 1e9).round() as u64;
    match seconds / 60 {
        0 => format!("{seconds} s"),
        minutes => format!("{minutes} min {} s", seconds % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::super::results::tests::{planned, reading};
    use super::*;

    #[test]
    fn what_was_seen_once_is_expected_again() {
        let case = planned(&[10], &[8], &[1]).planned[0].case;
        let (one, other) = (case.windowed(), case.by_reference());
        let mut countdown = Countdown::new(&[(one, 0), (other, 0), (one, 1), (other, 1)]);
        let unseen_ns = countdown.left_ns();
        assert!((unseen_ns / (2.0 * crude_ns(&one) + 2.0 * crude_ns(&other)) - 1.0).abs() < 1e-12);
        // Half as long as expected: so may be what nobody has seen yet.
        let half_ns = crude_ns(&one) / 2.0;
        countdown.done(&one, &reading(half_ns as u64 - 500, 0, 0));
        let expected = crude_ns(&other) + half_ns;
        assert!((countdown.left_ns() / expected - 1.0).abs() < 0.01, "{countdown:?}");
        countdown.done(&other, &reading(9_500, 0, 0));
        assert!((countdown.left_ns() - half_ns.trunc() - 10_000.0).abs() < 1.0, "{countdown:?}");
        assert_eq!(countdown.left.len(), 2);
    }

    #[test]
    fn runs_and_times_read_well() {
        let case = planned(&[10], &[8], &[2]).planned[0].case;
        assert_eq!(shown(&case.windowed()), "10 x 8 two_choices fifo, 2 threads");
        assert_eq!(shown(&case.densely()), "10 x 8 two_choices fifo, 2 threads, dense heartbeats");
        assert_eq!((minutes(59.4e9), minutes(61e9)), ("59 s".into(), "1 min 1 s".into()));
    }
}
