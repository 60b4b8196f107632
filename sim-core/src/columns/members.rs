//! The figures of what nodes know of each other, as functions over a result.

use crate::config::Scenario;
use crate::result::{MemberCounts, MembershipResult, RunResult};
use crate::time::seconds;

use super::getters::{count, mean_ms, milliseconds, ratio};

/// Unknown without `[membership]`.
fn membership<'a>(scenario: &Scenario, result: &'a RunResult) -> Option<&'a MembershipResult> {
    scenario.membership.is_some().then_some(&result.membership)
}

fn sum(scenario: &Scenario, result: &RunResult, get: fn(&MemberCounts) -> u64) -> Option<f64> {
    membership(scenario, result)?;
    count(result.nodes.iter().map(|node| get(&node.members)).sum())
}

pub(super) fn formed_ms(scenario: &Scenario, result: &RunResult) -> Option<f64> {
    membership(scenario, result)?.formed_ns.map(milliseconds)
}

pub(super) fn known_ms_mean(scenario: &Scenario, result: &RunResult) -> Option<f64> {
    let known = membership(scenario, result)?;
    mean_ms(known.known_sum_ns, known.changes_known)
}

pub(super) fn known_ms_max(scenario: &Scenario, result: &RunResult) -> Option<f64> {
    let known = membership(scenario, result)?;
    (known.changes_known > 0).then(|| milliseconds(known.known_max_ns))
}

pub(super) fn missed(scenario: &Scenario, result: &RunResult) -> Option<f64> {
    count(membership(scenario, result)?.changes_missed)
}

pub(super) fn first_suspicion_ms_mean(scenario: &Scenario, result: &RunResult) -> Option<f64> {
    let first_ns = &membership(scenario, result)?.first_suspicion_ns;
    mean_ms(first_ns.iter().map(|&ns| u128::from(ns)).sum(), first_ns.len() as u64)
}

pub(super) fn first_suspicion_ms_max(scenario: &Scenario, result: &RunResult) -> Option<f64> {
    membership(scenario, result)?.first_suspicion_ns.iter().max().map(|&ns| milliseconds(ns))
}

pub(super) fn false_suspicions(scenario: &Scenario, result: &RunResult) -> Option<f64> {
    sum(scenario, result, |members| members.false_suspicions)
}

pub(super) fn false_deaths(scenario: &Scenario, result: &RunResult) -> Option<f64> {
    sum(scenario, result, |members| members.false_deaths)
}

pub(super) fn messages_per_s(scenario: &Scenario, result: &RunResult) -> Option<f64> {
    ratio(sum(scenario, result, |members| members.messages)?, seconds(result.end_ns))
}

pub(super) fn bytes_per_s(scenario: &Scenario, result: &RunResult) -> Option<f64> {
    ratio(sum(scenario, result, |members| members.bytes)?, seconds(result.end_ns))
}
