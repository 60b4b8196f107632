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
use crate::result::{Outcome, RunResult};

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

/// What the verdict looks at in one run: little enough to be kept of each of many.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Evidence {
    /// Work offered over what the servers can do.
    pub offered_load: Option<f64>,
    /// Requests that arrived in the measurement window.
    pub arrivals: u64,
    /// Of those, answered in time.
    pub ok: u64,
    /// Requests at the servers at the end of each sample interval of the window.
    pub present: Vec<u64>,
    /// Requests that arrived in each of them.
    pub arrived: Vec<u64>,
}

impl Evidence {
    /// What the verdict looks at in `result`.
    pub fn of(scenario: &Scenario, result: &RunResult) -> Self {
        let interval_ns = scenario.engine.sample_interval_ns.max(1);
        let first = usize::try_from(scenario.warmup_ns.div_ceil(interval_ns)).unwrap_or(usize::MAX);
        let bins = &result.series[first.min(result.series.len())..];
        Self {
            offered_load: columns::metric("offered_load")
                .and_then(|load| (load.get)(scenario, result)),
            arrivals: result.measured.arrived,
            ok: result.measured.of(Outcome::Ok),
            present: bins.iter().map(|bin| bin.active + bin.waiting).collect(),
            arrived: bins.iter().map(|bin| bin.counts.arrived).collect(),
        }
    }
}

/// The verdict on the replications of one policy. Without any, nothing speaks against `Stable`.
pub fn judge(scenario: &Scenario, replications: &[RunResult]) -> Verdict {
    let evidence = replications.iter().map(|result| Evidence::of(scenario, result));
    judge_evidence(&evidence.collect::<Vec<_>>())
}

/// The same, from what was kept of the replications.
pub fn judge_evidence(replications: &[Evidence]) -> Verdict {
    let overfull = is_overfull(replications);
    if overfull && success_rate(replications).is_some_and(|rate| rate < SUCCESS_LEAST) {
        Verdict::Overloaded
    } else if piled_up(&populations(replications), overfull) {
        Verdict::Backlogged
    } else {
        Verdict::Stable
    }
}

fn is_overfull(replications: &[Evidence]) -> bool {
    let loads: Vec<f64> = replications.iter().filter_map(|run| run.offered_load).collect();
    !loads.is_empty() && loads.iter().sum::<f64>() >= loads.len() as f64
}

fn success_rate(replications: &[Evidence]) -> Option<f64> {
    let arrived: u64 = replications.iter().map(|run| run.arrivals).sum();
    let ok: u64 = replications.iter().map(|run| run.ok).sum();
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
fn populations(replications: &[Evidence]) -> Vec<Population> {
    let length = replications.iter().map(|run| run.present.len()).min().unwrap_or(0);
    let sum = |i: usize| {
        replications.iter().fold(Population::default(), |sum, run| Population {
            present: sum.present + run.present[i],
            arrived: sum.arrived + run.arrived[i],
        })
    };
    (0..length).map(sum).collect()
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
