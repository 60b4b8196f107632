//! Whether the measured figures describe a steady state.
//!
//! The rule, over all replications of a policy taken together, first match wins:
//!
//! 1. `overloaded`: more work was offered than the servers can do (`offered_load >= 1`) and less
//!    than 99 % of the requests were answered in time. The latencies are those of the survivors.
//! 2. `backlogged`: work piled up. The requests at the servers (in service or waiting), averaged
//!    over the last tenth of the measurement window, are more than 1.5 times those of the first
//!    tenth, and either `offered_load >= 1` or the difference is more than 2 % of the requests
//!    that arrived between the two. The latencies depend on how long the run was.
//! 3. `stable`: neither. The figures mean what they say, however bad they are.
//!
//! Why 2 % of the arrivals: what stays behind is the part of the arrivals that the servers do not
//! keep up with. It grows with the run, while the fluctuations of a stable queue do not, so a
//! longer run or more replications make the verdict surer. Below that a slow pile-up cannot be
//! told from chance, and the verdict is `stable`.

use std::fmt;

use crate::columns;
use crate::config::Scenario;
use crate::result::{Bin, Outcome, RunResult};

/// Success rate below which an overfull system is called overloaded.
const SUCCESS_LEAST: f64 = 0.99;
/// How many times the population must have grown to count as a pile-up.
const GROWTH_FACTOR: f64 = 1.5;
/// Share of the arrivals that must have stayed behind to count as a pile-up.
const GROWTH_SHARE: f64 = 0.02;

/// Whether the measured figures describe a steady state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// They do.
    Stable,
    /// Work piled up: a longer run would give other figures.
    Backlogged,
    /// More work than the servers can do, and requests failed for it.
    Overloaded,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Stable => "stable",
            Self::Backlogged => "backlogged",
            Self::Overloaded => "overloaded",
        })
    }
}

/// The verdict on the replications of one policy. Without any, nothing speaks against `Stable`.
pub fn judge(scenario: &Scenario, replications: &[RunResult]) -> Verdict {
    let overfull = is_overfull(scenario, replications);
    if overfull && success_rate(replications).is_some_and(|rate| rate < SUCCESS_LEAST) {
        Verdict::Overloaded
    } else if piled_up(&populations(scenario, replications), overfull) {
        Verdict::Backlogged
    } else {
        Verdict::Stable
    }
}

fn is_overfull(scenario: &Scenario, replications: &[RunResult]) -> bool {
    let loads: Vec<f64> = columns::metric("offered_load")
        .into_iter()
        .flat_map(|load| replications.iter().filter_map(|result| (load.get)(scenario, result)))
        .collect();
    !loads.is_empty() && loads.iter().sum::<f64>() >= loads.len() as f64
}

fn success_rate(replications: &[RunResult]) -> Option<f64> {
    let arrived: u64 = replications.iter().map(|result| result.measured.arrived).sum();
    let ok: u64 = replications.iter().map(|result| result.measured.of(Outcome::Ok)).sum();
    (arrived > 0).then(|| ok as f64 / arrived as f64)
}

/// What the rule looks at in one interval, summed over the replications.
#[derive(Clone, Copy, Debug, Default)]
struct Population {
    /// Requests at the servers at the end of the interval.
    present: u64,
    /// Requests that arrived in it.
    arrived: u64,
}

/// One a sample interval of the measurement window.
fn populations(scenario: &Scenario, replications: &[RunResult]) -> Vec<Population> {
    let interval_ns = scenario.engine.sample_interval_ns.max(1);
    let first = usize::try_from(scenario.warmup_ns.div_ceil(interval_ns)).unwrap_or(usize::MAX);
    let length = replications.iter().map(|result| result.series.len()).min().unwrap_or(0);
    let sum = |bin_number: usize| {
        let bins = replications.iter().map(|result| &result.series[bin_number]);
        bins.fold(Population::default(), |sum, bin: &Bin| Population {
            present: sum.present + bin.active + bin.waiting,
            arrived: sum.arrived + bin.counts.arrived,
        })
    };
    (first.min(length)..length).map(sum).collect()
}

fn piled_up(intervals: &[Population], overfull: bool) -> bool {
    let tenth = intervals.len().div_ceil(10);
    // A beginning and an end that overlap show no growth.
    if intervals.len() < 2 * tenth.max(1) {
        return false;
    }
    let last_start = intervals.len() - tenth;
    let mean = |part: &[Population]| {
        part.iter().map(|interval| interval.present).sum::<u64>() as f64 / part.len() as f64
    };
    let (first, last) = (mean(&intervals[..tenth]), mean(&intervals[last_start..]));
    // From the middle of the first tenth to the middle of the last.
    let between = &intervals[tenth / 2..intervals.len() - tenth / 2];
    let arrived: u64 = between.iter().map(|interval| interval.arrived).sum();
    last > GROWTH_FACTOR * first && (overfull || last - first > GROWTH_SHARE * arrived as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::columns::fixture;

    /// A run whose population goes linearly from one value to another over 100 intervals.
    fn run(from: u64, to: u64, arrived_per_interval: u64) -> (Scenario, RunResult) {
        let scenario = fixture::scenario();
        let mut result = fixture::result();
        let length = result.series.len() as u64;
        for (i, bin) in (0u64..).zip(&mut result.series) {
            bin.counts.arrived = arrived_per_interval;
            bin.active = 0;
            bin.waiting = (from * (length - 1 - i) + to * i) / (length - 1);
        }
        (scenario, result)
    }

    /// Sets the measured offered load through the mean service time.
    fn at_load(load: f64, scenario: &Scenario, mut result: RunResult) -> RunResult {
        let window_ns = (scenario.duration_ns - scenario.warmup_ns) as f64;
        let work_ns = load * scenario.slots() as f64 * window_ns;
        result.served = result.measured.arrived;
        result.service_sum_ns = work_ns as u128;
        result
    }

    #[test]
    fn a_constant_population_is_stable() {
        let (scenario, result) = run(50, 50, 100);
        assert_eq!(judge(&scenario, &[result]), Verdict::Stable);
    }

    #[test]
    fn growth_of_more_than_two_percent_of_the_arrivals_is_a_backlog() {
        // 100 intervals of 100 requests, of which the middles of the tenths are 90 apart.
        let (scenario, result) = run(0, 300, 100);
        assert_eq!(judge(&scenario, &[result]), Verdict::Backlogged);
    }

    #[test]
    fn growth_of_less_is_chance() {
        let (scenario, result) = run(0, 100, 100);
        assert_eq!(judge(&scenario, &[result]), Verdict::Stable);
    }

    #[test]
    fn growth_by_less_than_half_is_chance() {
        let (scenario, result) = run(2000, 2900, 100);
        assert_eq!(judge(&scenario, &[result]), Verdict::Stable);
    }

    #[test]
    fn above_full_load_any_growth_is_a_backlog() {
        let (scenario, result) = run(0, 100, 100);
        let mut result = at_load(1.01, &scenario, result);
        result.measured.by_outcome = [result.measured.arrived, 0, 0, 0, 0, 0, 0];
        assert_eq!(judge(&scenario, &[result]), Verdict::Backlogged);
    }

    #[test]
    fn failures_above_full_load_are_overload_and_below_it_are_not() {
        let (scenario, result) = run(50, 50, 100);
        let arrived = result.measured.arrived;
        for (load, lost_share, verdict) in [
            (1.2, 50, Verdict::Overloaded),
            (0.9, 50, Verdict::Stable),
            // Exactly 99 % answered is enough.
            (1.2, 100, Verdict::Stable),
        ] {
            let mut result = at_load(load, &scenario, result.clone());
            let refused = arrived / lost_share;
            result.measured.by_outcome = [arrived - refused, 0, refused, 0, 0, 0, 0];
            assert_eq!(judge(&scenario, &[result]), verdict, "load {load}, 1/{lost_share}");
        }
    }

    #[test]
    fn nothing_measured_is_stable() {
        let (scenario, mut result) = run(0, 300, 100);
        assert_eq!(judge(&scenario, &[]), Verdict::Stable);
        for intervals in [0, 1] {
            result.series.truncate(intervals);
            assert_eq!(judge(&scenario, std::slice::from_ref(&result)), Verdict::Stable);
        }
    }

    #[test]
    fn the_warmup_is_not_looked_at() {
        let (mut scenario, mut result) = run(50, 50, 100);
        for bin in &mut result.series[..50] {
            bin.waiting = 0;
        }
        scenario.warmup_ns = scenario.duration_ns / 2;
        assert_eq!(judge(&scenario, &[result]), Verdict::Stable);
    }
}
