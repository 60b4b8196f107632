//! What is known of each point, and what follows from it.

use std::collections::BTreeMap;

use crate::one::{OneArgs, Reading};
use crate::summary::{high, median};

use super::grid::{Axis, Case, Point};

/// A case, and why it was left out, if it was.
#[derive(Clone, Debug)]
pub struct Planned {
    pub case: Case,
    pub skipped: Option<String>,
}

/// Everything measured.
#[derive(Debug, Default)]
pub struct Results {
    /// In the order of rows.
    pub planned: Vec<Planned>,
    /// By what was run and the number of the repeat.
    pub readings: BTreeMap<(OneArgs, u32), Reading>,
    /// Instructions a request.
    pub instructions: BTreeMap<Point, f64>,
    /// Largest load average before a measurement.
    pub load_average_max: Option<f64>,
}

/// View updates more, a request, below which their price drowns in the noise of the request's.
const VIEW_UPDATES_MIN: f64 = 0.5;
/// Memory by which two runs must differ to be compared [bytes]: less is noise of the process.
const MEMORY_MIN: f64 = 1e6;

impl Results {
    /// The readings of a run by repeat.
    fn readings<'a>(&'a self, one: &OneArgs) -> impl Iterator<Item = (u32, &'a Reading)> {
        let first = (*one, 0);
        let last = (*one, u32::MAX);
        self.readings.range(first..=last).map(|(&(_, repeat), reading)| (repeat, reading))
    }

    /// The readings of two runs that were made in the same repeat.
    fn pairs<'a>(
        &'a self,
        one: &OneArgs,
        other: OneArgs,
    ) -> impl Iterator<Item = (&'a Reading, &'a Reading)> {
        self.readings(one).filter_map(move |(repeat, reading)| {
            self.readings.get(&(other, repeat)).map(|other| (reading, other))
        })
    }

    /// The readings of the engine.
    pub fn windowed(&self, case: &Case) -> Vec<Reading> {
        self.readings(&case.windowed()).map(|(_, reading)| *reading).collect()
    }

    /// Time a request from the first tick on [ns], a repeat each.
    pub fn ns_per_request(&self, case: &Case) -> Vec<f64> {
        self.windowed(case).iter().map(Reading::running_ns_per_request).collect()
    }

    /// View updates a request.
    pub fn view_updates_per_request(&self, case: &Case) -> Option<f64> {
        let readings = self.windowed(case);
        let reading = readings.first()?;
        Some(reading.view_updates as f64 / reading.requests as f64)
    }

    /// Time a view update [ns], a repeat each: what the run with frequent heartbeats takes longer,
    /// over the view updates it has more. Empty where there are too few.
    pub fn ns_per_view_update(&self, case: &Case) -> Vec<f64> {
        let price = |(usual, dense): (&Reading, &Reading)| {
            let running = |reading: &Reading| reading.wall_ns as f64 - reading.setup_ns as f64;
            let more = dense.view_updates as f64 - usual.view_updates as f64;
            (more >= VIEW_UPDATES_MIN * usual.requests as f64)
                .then(|| (running(dense) - running(usual)) / more)
        };
        self.pairs(&case.windowed(), case.densely()).filter_map(price).collect()
    }

    /// Time a request of the reference engine, set-up included [ns], a repeat each.
    pub fn reference_ns_per_request(&self, case: &Case) -> Vec<f64> {
        let one = case.by_reference();
        self.readings(&one).map(|(_, reading)| reading.ns_per_request()).collect()
    }

    /// How many times as fast as the reference, set-up included on both sides, a repeat each.
    pub fn ratios(&self, case: &Case) -> Vec<f64> {
        self.pairs(&case.windowed(), case.by_reference())
            .map(|(windowed, reference)| reference.ns_per_request() / windowed.ns_per_request())
            .collect()
    }

    /// How many times as fast as on one thread, a repeat each.
    pub fn speedups(&self, case: &Case) -> Vec<f64> {
        let alone = OneArgs { threads: 1, ..case.windowed() };
        self.pairs(&case.windowed(), alone)
            .map(|(many, one)| one.running_ns_per_request() / many.running_ns_per_request())
            .collect()
    }

    /// Most memory of any repeat [bytes].
    pub fn peak_bytes(&self, case: &Case) -> Option<f64> {
        let peaks: Vec<f64> = self
            .windowed(case)
            .iter()
            .filter_map(|reading| reading.peak_kib)
            .map(|kib| kib as f64 * 1_024.0)
            .collect();
        high(&peaks)
    }

    /// Bytes that a server adds at this number of nodes: the rise of peak memory from the smallest
    /// fleet at the same number, over the servers it has more.
    pub fn bytes_per_server(&self, case: &Case) -> Option<f64> {
        self.rise(case, Axis::Servers, |point| point.servers.into())
    }

    /// Bytes that a belief adds at this number of servers: the rise of peak memory from the fewest
    /// nodes at the same number, over the beliefs of the nodes it has more.
    pub fn bytes_per_view_entry(&self, case: &Case) -> Option<f64> {
        self.rise(case, Axis::Nodes, Point::entries)
    }

    /// The rise of peak memory from the first point of the curve, a piece of what `count` counts.
    fn rise(&self, case: &Case, axis: Axis, count: fn(&Point) -> u64) -> Option<f64> {
        let base = self
            .planned
            .iter()
            .map(|planned| &planned.case)
            .filter(|other| axis.curve(&other.point) == axis.curve(&case.point))
            .filter(|other| self.peak_bytes(other).is_some())
            .min_by_key(|other| axis.of(&other.point))?;
        let bytes = self.peak_bytes(case)? - self.peak_bytes(base)?;
        let more = count(&case.point).checked_sub(count(&base.point)).filter(|&more| more > 0)?;
        (bytes >= MEMORY_MIN).then(|| bytes / more as f64)
    }

    /// Decisions a second, median.
    pub fn decisions_per_s(&self, case: &Case) -> Option<f64> {
        let rate = |reading: &Reading| {
            reading.decisions as f64 * 1e9 / (reading.wall_ns - reading.setup_ns) as f64
        };
        median(&self.windowed(case).iter().map(rate).collect::<Vec<_>>())
    }
}

#[cfg(test)]
pub mod tests {
    use super::super::grid::{Axes, Pass, cases};
    use super::*;
    use crate::one::{Kernel, Policy};

    /// A reading of 1 000 requests.
    pub const fn reading(running_ns: u64, view_updates: u64, peak_kib: u64) -> Reading {
        Reading {
            wall_ns: running_ns + 500,
            setup_ns: 500,
            requests: 1_000,
            decisions: 1_000,
            view_updates,
            threads_used: 1,
            peak_kib: Some(peak_kib),
        }
    }

    /// Two choices at all sizes, nothing measured yet.
    pub fn planned(servers: &[u32], nodes: &[u32], threads: &[u32]) -> Results {
        let pass = Pass { quick: false, repeats: 3, requests: 1_000, instructions: true, cores: 2 };
        let axes = Axes {
            servers: servers.to_vec(),
            nodes: nodes.to_vec(),
            policies: vec![Policy::TwoChoices],
            kernels: vec![Kernel::Fifo],
            threads: threads.to_vec(),
        };
        let planned = cases(&pass, Some(&axes)).into_iter();
        let planned = planned.map(|case| Planned { case, skipped: None }).collect();
        Results { planned, ..Results::default() }
    }

    #[test]
    fn a_view_update_costs_the_difference_over_the_updates_more() {
        let mut results = planned(&[1_000], &[8], &[1]);
        let case = results.planned[0].case;
        assert!(results.ns_per_view_update(&case).is_empty());
        for (repeat, dense_ns) in [(0, 100_000), (1, 109_000), (2, 91_000)] {
            results.readings.insert((case.densely(), repeat), reading(dense_ns, 1_000, 0));
            // The last repeat was interrupted before its second run.
            if repeat < 2 {
                results.readings.insert((case.windowed(), repeat), reading(91_000, 100, 0));
            }
        }
        assert_eq!(results.ns_per_request(&case), [91.0, 91.0]);
        assert_eq!(results.ns_per_view_update(&case), [10.0, 20.0]);
        // Where there are next to no more view updates, their price is not known.
        results.readings.insert((case.densely(), 0), reading(100_000, 599, 0));
        assert_eq!(results.ns_per_view_update(&case), [20.0]);
    }

    #[test]
    fn ratios_are_within_a_repeat() {
        let mut results = planned(&[1_000], &[8], &[1, 2]);
        let [one, two] = [0, 1].map(|index| results.planned[index].case);
        for (repeat, ns) in [(0, 99_500), (1, 199_500)] {
            results.readings.insert((one.windowed(), repeat), reading(ns, 0, 0));
            results.readings.insert((two.windowed(), repeat), reading(ns / 2, 0, 0));
            results.readings.insert((one.by_reference(), repeat), reading(5 * ns + 2_000, 0, 0));
        }
        assert_eq!(results.ratios(&one), [5.0, 5.0]);
        assert_eq!(results.speedups(&two), [2.0, 2.0]);
        // 5 x 100 000 over 50 250, and over 100 250: the reference knows no threads.
        assert!(
            results.ratios(&two).iter().all(|ratio| *ratio > 9.9),
            "{:?}",
            results.ratios(&two)
        );
    }

    #[test]
    fn bytes_are_rises_over_what_was_added() {
        let mut results = planned(&[10, 100_000], &[1, 100], &[1]);
        assert_eq!(results.bytes_per_server(&results.planned[0].case), None);
        for index in 0..4 {
            let case = results.planned[index].case;
            let Point { servers, nodes, .. } = case.point;
            let bytes = 4_096_000 + 512 * u64::from(servers) + 64 * case.point.entries();
            let bytes = bytes + 1_024 * u64::from(nodes);
            // The larger of two repeats counts.
            results.readings.insert((case.windowed(), 0), reading(1, 0, bytes / 1_024));
            results.readings.insert((case.windowed(), 1), reading(1, 0, 1));
        }
        let case = |servers, nodes| {
            let at = |p: &&Planned| (p.case.point.servers, p.case.point.nodes) == (servers, nodes);
            results.planned.iter().find(at).unwrap().case
        };
        let near = |value: Option<f64>, truth: f64| (value.unwrap() / truth - 1.0).abs() < 1e-3;
        assert!(near(results.bytes_per_server(&case(100_000, 1)), 512.0 + 64.0));
        assert!(near(results.bytes_per_server(&case(100_000, 100)), 512.0 + 6_400.0));
        assert!(near(results.bytes_per_view_entry(&case(100_000, 100)), 64.0));
        // The first point of a curve, and differences within the noise.
        assert_eq!(results.bytes_per_server(&case(10, 100)), None);
        assert_eq!(results.bytes_per_view_entry(&case(10, 100)), None);
    }
}
