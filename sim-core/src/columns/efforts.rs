//! The figures of what clients do beyond waiting, as functions over a result.

use crate::config::{ClientsConfig, Scenario};
use crate::result::{Efforts, RetryCause, RunResult};

use super::getters::{count, dispatched, ratio};

fn efforts(result: &RunResult, get: impl Fn(&Efforts) -> u64) -> Option<f64> {
    count(result.nodes.iter().map(|node| get(&node.efforts)).sum())
}

fn retried_for(result: &RunResult, cause: RetryCause) -> Option<f64> {
    efforts(result, |efforts| efforts.retried_for[cause as usize])
}

pub(super) fn refused(_: &Scenario, result: &RunResult) -> Option<f64> {
    retried_for(result, RetryCause::Refused)
}

pub(super) fn lost(_: &Scenario, result: &RunResult) -> Option<f64> {
    retried_for(result, RetryCause::Lost)
}

pub(super) fn failed(_: &Scenario, result: &RunResult) -> Option<f64> {
    retried_for(result, RetryCause::Failed)
}

pub(super) fn timed_out(_: &Scenario, result: &RunResult) -> Option<f64> {
    retried_for(result, RetryCause::TimedOut)
}

pub(super) fn attempts_timed_out(_: &Scenario, result: &RunResult) -> Option<f64> {
    efforts(result, |efforts| efforts.attempts_timed_out)
}

pub(super) fn hedged(_: &Scenario, result: &RunResult) -> Option<f64> {
    efforts(result, |efforts| efforts.hedges)
}

pub(super) fn hedges_denied(_: &Scenario, result: &RunResult) -> Option<f64> {
    efforts(result, |efforts| efforts.hedges_denied)
}

pub(super) fn hedges_won(_: &Scenario, result: &RunResult) -> Option<f64> {
    efforts(result, |efforts| efforts.hedges_won)
}

pub(super) fn cancels(_: &Scenario, result: &RunResult) -> Option<f64> {
    efforts(result, |efforts| efforts.cancels)
}

pub(super) fn amplification(_: &Scenario, result: &RunResult) -> Option<f64> {
    ratio(dispatched(result) as f64, result.total.arrived as f64)
}

/// Unknown where clients only wait: nobody keeps what it takes to know.
pub(super) fn unawaited(scenario: &Scenario, result: &RunResult) -> Option<f64> {
    are_active(scenario).then(|| efforts(result, |efforts| efforts.unawaited))?
}

/// As above.
pub(super) fn wasted_share(scenario: &Scenario, result: &RunResult) -> Option<f64> {
    let unawaited: u128 = result.nodes.iter().map(|node| node.efforts.wasted_ns).sum();
    let cancelled: u128 = result.servers.iter().map(|s| u128::from(s.cancelled_ns)).sum();
    let busy: u128 = result.servers.iter().map(|server| server.busy_ns).sum();
    are_active(scenario).then(|| ratio((unawaited + cancelled) as f64, busy as f64))?
}

fn are_active(scenario: &Scenario) -> bool {
    scenario.workload.clients != ClientsConfig::default()
}
