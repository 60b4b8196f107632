//! What the columns are worked out from: small functions over a scenario and a result.

use crate::config::{Scenario, ServerGroup};
use crate::latency_table::LatencyTable;
use crate::result::{Bin, Counts, Findings, NodeResult, Outcome, RunResult, ServerResult};
use crate::time::{MILLISECOND, Nanos, seconds};

pub(super) fn offered_load(scenario: &Scenario, result: &RunResult) -> Option<f64> {
    let service_s = mean_ms(result.service_sum_ns, result.served)? / 1e3;
    let arrivals_per_s = ratio(result.measured.arrived as f64, window_s(scenario))?;
    ratio(arrivals_per_s * service_s, scenario.slots() as f64)
}

/// Two ways to count who is at the servers: looking, and adding up how long each stays. What begins
/// before the window or ends after it is left out of the second, so it is a little above 1.
pub(super) fn little_ratio(scenario: &Scenario, result: &RunResult) -> Option<f64> {
    let interval_ns = scenario.engine.sample_interval_ns.max(1);
    let first = usize::try_from(scenario.warmup_ns.div_ceil(interval_ns)).ok()?;
    let samples = result.series.get(first..)?;
    let present: u64 = samples.iter().map(|bin| bin.active + bin.waiting).sum();
    let seen = ratio(present as f64, samples.len() as f64)?;
    let stays_ns = (result.wait_sum_ns + result.service_sum_ns) as f64;
    ratio(seen, ratio(stays_ns, window_ns(scenario))?)
}

pub(super) fn reports_per_s(_: &Scenario, result: &RunResult) -> Option<f64> {
    let reports: u64 = result.nodes.iter().map(|node| node.reports).sum();
    ratio(reports as f64, seconds(result.end_ns))
}

/// Probes of nodes, and notes of servers that came on their own, a second.
pub(super) fn notes_per_s(_: &Scenario, result: &RunResult) -> Option<f64> {
    let notes: u64 = result.nodes.iter().map(|node| node.probes + node.notes).sum();
    ratio(notes as f64, seconds(result.end_ns))
}

/// Packets that nodes sent to each other, a second.
pub(super) fn peer_messages_per_s(_: &Scenario, result: &RunResult) -> Option<f64> {
    let messages: u64 = result.nodes.iter().map(|node| node.peer_messages).sum();
    ratio(messages as f64, seconds(result.end_ns))
}

/// Bytes of those packets, a second.
pub(super) fn peer_bytes_per_s(_: &Scenario, result: &RunResult) -> Option<f64> {
    let bytes: u64 = result.nodes.iter().map(|node| node.peer_bytes).sum();
    ratio(bytes as f64, seconds(result.end_ns))
}

pub(super) fn dispatched(result: &RunResult) -> u64 {
    result.nodes.iter().map(|node| node.dispatched).sum()
}

pub(super) fn outcome(result: &RunResult, outcome: Outcome) -> Option<f64> {
    count(result.measured.of(outcome))
}

pub(super) fn success_rate(counts: &Counts) -> Option<f64> {
    ratio(counts.of(Outcome::Ok) as f64, counts.arrived as f64)
}

/// One a server; servers without capacity are left out, since theirs is not known.
pub(super) fn utilisations(scenario: &Scenario, result: &RunResult) -> Vec<f64> {
    let servers = result.servers.iter().enumerate();
    servers.filter_map(|(i, server)| utilisation(scenario, server, i)).collect()
}

pub(super) fn utilisation(scenario: &Scenario, server: &ServerResult, index: usize) -> Option<f64> {
    let (_, group) = group(scenario, index)?;
    ratio(server.busy_ns as f64, f64::from(group.capacity) * window_ns(scenario))
}

/// Mean over servers of the share of the window that `time_ns` is.
pub(super) fn time_share(
    scenario: &Scenario,
    result: &RunResult,
    time_ns: impl Fn(&ServerResult) -> Nanos,
) -> Option<f64> {
    let total: u128 = result.servers.iter().map(|server| u128::from(time_ns(server))).sum();
    ratio(total as f64, result.servers.len() as f64 * window_ns(scenario))
}

pub(super) fn server(result: &RunResult, index: usize) -> Option<&ServerResult> {
    result.servers.get(index)
}

pub(super) fn node(result: &RunResult, index: usize) -> Option<&NodeResult> {
    result.nodes.get(index)
}

pub(super) fn bin(result: &RunResult, index: usize) -> Option<&Bin> {
    result.series.get(index)
}

/// Number and definition of the group that server `index` belongs to.
pub(super) fn group(scenario: &Scenario, index: usize) -> Option<(usize, &ServerGroup)> {
    let mut end = 0;
    scenario.all_groups().enumerate().find(|(_, group)| {
        end += group.count as usize;
        index < end
    })
}

pub(super) fn window_ns(scenario: &Scenario) -> f64 {
    scenario.duration_ns.saturating_sub(scenario.warmup_ns) as f64
}

pub(super) fn window_s(scenario: &Scenario) -> f64 {
    seconds(scenario.duration_ns.saturating_sub(scenario.warmup_ns))
}

#[expect(clippy::unnecessary_wraps, reason = "a count is always known, yet a getter may not be")]
pub(super) fn count(value: u64) -> Option<f64> {
    Some(value as f64)
}

pub(super) fn milliseconds(ns: Nanos) -> f64 {
    ns as f64 / MILLISECOND as f64
}

pub(super) fn mean_ms(sum_ns: u128, count: u64) -> Option<f64> {
    ratio(sum_ns as f64 / MILLISECOND as f64, count as f64)
}

pub(super) fn quantile_ms(table: &LatencyTable, q: f64) -> Option<f64> {
    table.quantile_ns(q).map(milliseconds)
}

/// Unknown when there is nothing to divide by.
pub(super) fn ratio(numerator: f64, denominator: f64) -> Option<f64> {
    (denominator > 0.0).then(|| numerator / denominator)
}

/// The sum of what the nodes have found.
pub(super) fn found(result: &RunResult, get: fn(&Findings) -> u64) -> Option<f64> {
    count(result.nodes.iter().map(|node| get(&node.findings)).sum())
}

/// Which times of what a node has found.
type Spans = fn(&Findings) -> &Vec<Nanos>;

fn spans(result: &RunResult, get: Spans) -> impl Iterator<Item = Nanos> {
    result.nodes.iter().flat_map(move |node| get(&node.findings).iter().copied())
}

/// Mean of times that nodes have found.
pub(super) fn span_ms_mean(result: &RunResult, get: Spans) -> Option<f64> {
    let sum_ns: u128 = spans(result, get).map(u128::from).sum();
    mean_ms(sum_ns, spans(result, get).count() as u64)
}

/// Longest of times that nodes have found.
pub(super) fn span_ms_max(result: &RunResult, get: Spans) -> Option<f64> {
    spans(result, get).max().map(milliseconds)
}

/// A quantile of times that nodes have found.
pub(super) fn span_ms_quantile(result: &RunResult, q: f64, get: Spans) -> Option<f64> {
    let mut table = LatencyTable::default();
    for ns in spans(result, get) {
        table.record(ns);
    }
    quantile_ms(&table, q)
}

/// Mean and coefficient of variation of the number of nodes that know a server.
pub(super) fn connections(scenario: &Scenario, result: &RunResult) -> Option<(f64, Option<f64>)> {
    scenario.subset?;
    let servers = result.servers.get(..scenario.configured_count() as usize)?;
    let number = servers.len() as f64;
    let mean = servers.iter().map(|server| server.connections as f64).sum::<f64>() / number;
    let square = |server: &ServerResult| (server.connections as f64 - mean).powi(2);
    let variance = servers.iter().map(square).sum::<f64>() / number;
    Some((mean, ratio(variance.sqrt(), mean)))
}
