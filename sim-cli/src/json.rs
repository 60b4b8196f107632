//! The summary of a run for a program: one JSON object.

use serde::ser::{Serialize, Serializer};
use sim_core::stats::Interval;
use sim_core::time::seconds;

use crate::expect::Check;
use crate::simulated::Simulated;
use crate::summary::PolicySummary;
use crate::trace::Tally;

/// The object, on one line with a line feed at its end.
///
/// # Errors
/// Only if the serialiser itself fails.
pub fn render(
    simulated: &Simulated,
    policies: &[PolicySummary],
    checks: &[Check],
) -> Result<String, serde_json::Error> {
    let scenario = &simulated.scenario;
    let first = policies.first();
    let object = Object {
        name: &scenario.name,
        seed: scenario.seed,
        replications: scenario.replications,
        warmup_s: seconds(scenario.warmup_ns),
        warmup_found: simulated.warmup_found,
        warmup_too_short_for: &simulated.unsettled,
        verdict: first.map(|policy| policy.verdict.to_string()),
        metrics: first.map(Metrics),
        policies: Policies(policies),
        expect: checks.iter().map(ExpectJson::from).collect(),
        traces: &simulated.traces,
    };
    serde_json::to_string(&object).map(|text| text + "\n")
}

/// `verdict` and `metrics` are those of the first policy.
#[derive(serde::Serialize)]
struct Object<'a> {
    name: &'a str,
    seed: u64,
    replications: u32,
    warmup_s: f64,
    warmup_found: bool,
    warmup_too_short_for: &'a [String],
    verdict: Option<String>,
    metrics: Option<Metrics<'a>>,
    policies: Policies<'a>,
    expect: Vec<ExpectJson<'a>>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    traces: &'a [Tally],
}

#[derive(serde::Serialize)]
struct PolicyJson<'a> {
    verdict: String,
    metrics: Metrics<'a>,
}

/// What is not known is `null`, as are the ends of an interval from a single replication.
#[derive(serde::Serialize)]
struct MetricJson {
    unit: &'static str,
    mean: Option<f64>,
    ci_low: Option<f64>,
    ci_high: Option<f64>,
}

#[derive(serde::Serialize)]
struct ExpectJson<'a> {
    policy: &'a str,
    metric: &'a str,
    comparison: &'static str,
    bound: f64,
    mean: Option<f64>,
    pass: bool,
}

impl<'a> From<&'a Check> for ExpectJson<'a> {
    fn from(check: &'a Check) -> Self {
        Self {
            policy: &check.policy,
            metric: &check.metric,
            comparison: check.symbol(),
            bound: check.bound,
            mean: check.mean,
            pass: check.passes(),
        }
    }
}

/// A map, in the order of the scenario.
struct Policies<'a>(&'a [PolicySummary]);

impl Serialize for Policies<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|policy| {
            let verdict = policy.verdict.to_string();
            (&policy.label, PolicyJson { verdict, metrics: Metrics(policy) })
        }))
    }
}

/// A map, in the order of the columns.
struct Metrics<'a>(&'a PolicySummary);

impl Serialize for Metrics<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.metrics().map(|(metric, estimate)| {
            let value = MetricJson {
                unit: metric.unit,
                mean: estimate.map(|e| e.mean),
                ci_low: estimate.and_then(Interval::low),
                ci_high: estimate.and_then(Interval::high),
            };
            (metric.name, value)
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture;
    use crate::summary::summarise;
    use serde_json::{Value, json};
    use sim_core::columns::METRICS;

    fn object(replications: u32) -> Value {
        let mut scenario = fixture::scenario();
        scenario.replications = replications;
        let simulated = fixture::simulated(scenario);
        let policies = summarise(&simulated.scenario, &simulated.runs);
        let text = render(&simulated, &policies, &[]).expect("serialisable");
        assert_eq!(text.matches('\n').count(), 1);
        serde_json::from_str(&text).expect("one JSON object")
    }

    #[test]
    fn the_first_policy_is_also_at_the_top() {
        let object = object(3);
        assert_eq!(object["name"], "fixture");
        assert_eq!((&object["seed"], &object["replications"]), (&json!(7), &json!(3)));
        assert_eq!(object["metrics"], object["policies"]["random"]["metrics"]);
        assert_eq!(object["verdict"], "stable");
        assert_eq!(object["policies"].as_object().map(serde_json::Map::len), Some(2));
    }

    #[test]
    fn every_column_is_there_and_what_is_not_known_is_null() {
        let object = object(1);
        let metrics = object["metrics"].as_object().expect("an object");
        assert_eq!(metrics.len(), METRICS.len());
        let unknown = json!({"unit": "ms", "mean": null, "ci_low": null, "ci_high": null});
        assert_eq!(metrics["view_age_ms_p50"], unknown);
        let single = json!({"unit": "requests", "mean": 990.0, "ci_low": null, "ci_high": null});
        assert_eq!(metrics["ok"], single);
    }

    #[test]
    fn an_interval_lies_around_its_mean() {
        let object = object(3);
        let mean = &object["metrics"]["latency_ms_mean"];
        let [low, middle, high] = ["ci_low", "mean", "ci_high"].map(|key| mean[key].as_f64());
        assert!(low < middle && middle < high && low.is_some());
    }
}
