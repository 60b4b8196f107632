//! What the replications of each policy say together.

use sim_core::columns::{METRICS, Metric, policy_labels};
use sim_core::config::Scenario;
use sim_core::latency_table::LatencyTable;
use sim_core::result::RunResult;
use sim_core::stats::{CONFIDENCE, Interval, mean_interval};
use sim_core::verdict::{Verdict, judge};

/// One policy over all its replications.
#[derive(Clone, Debug)]
pub struct PolicySummary {
    /// The policy's name, distinct within the scenario.
    pub label: String,
    /// Whether the figures describe a steady state.
    pub verdict: Verdict,
    /// Latencies of all replications.
    pub latency: LatencyTable,
    /// One entry a metric, in the order of [`METRICS`]; `None` where no replication knows it.
    estimates: Vec<Option<Interval>>,
}

impl PolicySummary {
    /// Every metric with what is known of it, in column order.
    pub fn metrics(&self) -> impl Iterator<Item = (&'static Metric, Option<&Interval>)> {
        METRICS.iter().zip(self.estimates.iter().map(Option::as_ref))
    }

    /// What is known of the metric `name`.
    pub fn estimate(&self, name: &str) -> Option<&Interval> {
        self.metrics().find(|(metric, _)| metric.name == name)?.1
    }
}

/// Summarises runs that are ordered by policy, one entry a policy of the scenario.
pub fn summarise(scenario: &Scenario, runs: &[RunResult]) -> Vec<PolicySummary> {
    let labels = policy_labels(scenario).into_iter();
    let of_policy = |policy| {
        let start = runs.partition_point(|run| run.policy < policy);
        let end = runs.partition_point(|run| run.policy <= policy);
        &runs[start..end]
    };
    labels.enumerate().map(|(i, label)| summarise_policy(scenario, label, of_policy(i))).collect()
}

fn summarise_policy(scenario: &Scenario, label: String, runs: &[RunResult]) -> PolicySummary {
    let estimates = METRICS.iter().map(|metric| {
        let values: Vec<f64> = runs.iter().filter_map(|run| (metric.get)(scenario, run)).collect();
        mean_interval(&values, CONFIDENCE)
    });
    let mut latency = LatencyTable::default();
    for run in runs {
        latency.merge(&run.latency);
    }
    PolicySummary { label, verdict: judge(scenario, runs), latency, estimates: estimates.collect() }
}
