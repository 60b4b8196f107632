//! Reads `[expect]`: what a scenario must show.

use super::suggest::nearest;
use super::tree::{Entry, Value};
use super::units::parse_bound;
use super::values::text;
use super::walk::{Item, Section, Walk, enter, join};
use super::{Expectation, PolicyConfig};
use crate::policy::registry::NAMES;

/// Name of the section.
const EXPECT: &str = "expect";

/// `[expect]` in file order. Metrics are looked up in `metrics`, if it is given.
pub(super) fn expectations(
    walk: &mut Walk<'_>,
    top: &mut Section<'_>,
    policies: &[PolicyConfig],
    metrics: Option<&[&str]>,
) -> Vec<Expectation> {
    let Some(item) = top.get(walk, EXPECT) else {
        return Vec::new();
    };
    // The keys are data: metrics. One stands for all in the list of keys.
    walk.asked.insert(join(EXPECT, "METRIC"));
    let Value::Table(entries) = &item.node.value else {
        Section::open(walk, &item);
        return Vec::new();
    };
    let mut expectations = Vec::new();
    for (name, entry) in flatten("", entries) {
        let item = enter(walk, join(EXPECT, &name), entry);
        let split = name.split_once('.');
        let (policy, metric) = match split {
            Some((policy, metric)) => (Some(policy.to_owned()), metric.to_owned()),
            None => (None, name),
        };
        // Whoever overrides the policies need not rewrite what the file expects of the others.
        let is_known = policy.as_deref().is_some_and(|policy| NAMES.contains(&policy));
        let is_run = policies.iter().any(|run| Some(run.name()) == policy.as_deref());
        if is_known && !is_run && walk.is_overridden("policy") {
            continue;
        }
        check_names(walk, &item, policy.as_deref(), &metric, policies, metrics);
        if let Some((comparison, bound)) = bound(walk, &item) {
            expectations.push(Expectation { policy, metric, comparison, bound });
        }
    }
    expectations
}

/// `"two_choices.latency_p99"` may also be written without quotes: then it is nested tables.
fn flatten<'t>(path: &str, entries: &'t [Entry]) -> Vec<(String, &'t Entry)> {
    entries
        .iter()
        .flat_map(|entry| {
            let name = join(path, &entry.key);
            match &entry.node.value {
                Value::Table(below) => flatten(&name, below),
                _ => vec![(name, entry)],
            }
        })
        .collect()
}

fn check_names(
    walk: &mut Walk<'_>,
    item: &Item<'_>,
    policy: Option<&str>,
    metric: &str,
    policies: &[PolicyConfig],
    metrics: Option<&[&str]>,
) {
    let names: Vec<&str> = policies.iter().map(PolicyConfig::name).collect();
    let mut refuse = |problem: String, allowed: String, meant: Option<&str>| {
        let place = walk.key_place(&item.path);
        let fault = walk.refuse_at(&item.path, place.as_ref(), problem);
        fault.allowed = Some(allowed);
        fault.fix = meant.map(|meant| format!("did you mean `{meant}`?"));
    };
    if let Some(policy) = policy.filter(|policy| !names.contains(policy)) {
        let problem = format!("the scenario has no policy `{policy}`");
        refuse(problem, names.join(", "), nearest(policy, &names));
    }
    if let Some(metrics) = metrics.filter(|metrics| !metrics.contains(&metric)) {
        let problem = format!("there is no metric `{metric}`");
        refuse(problem, "a metric of `lbsim list metrics`".into(), nearest(metric, metrics));
    }
}

fn bound(walk: &mut Walk<'_>, item: &Item<'_>) -> Option<(super::Comparison, f64)> {
    let written = text(walk, item)?;
    let bound = parse_bound(&written);
    if bound.is_none() {
        walk.refuse(item, "is no bound").allowed =
            Some("<, <=, > or >= and a number: \">= 0.99\"".into());
    }
    bound
}
