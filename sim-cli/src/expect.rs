//! Whether a scenario showed what it says it must show.

use std::fmt;

use sim_core::config::{Comparison, Expectation};

use crate::number;
use crate::summary::PolicySummary;

/// One expectation held against one policy.
#[derive(Clone, Debug, PartialEq)]
pub struct Check {
    /// The policy's name.
    pub policy: String,
    /// Column name of the metric.
    pub metric: String,
    /// How it must compare.
    pub comparison: Comparison,
    /// With what.
    pub bound: f64,
    /// What was found; `None` when nothing is known, which never passes.
    pub mean: Option<f64>,
}

impl Check {
    /// Whether the expectation is met. A mean that only rounding keeps from the bound is equal to
    /// it: the mean of three times 0.99 is a little less than 0.99.
    pub fn passes(&self) -> bool {
        self.mean.is_some_and(|mean| {
            let equal = number::is_rounding(mean - self.bound, self.bound);
            match self.comparison {
                Comparison::Less => mean < self.bound && !equal,
                Comparison::LessOrEqual => mean <= self.bound || equal,
                Comparison::Greater => mean > self.bound && !equal,
                Comparison::GreaterOrEqual => mean >= self.bound || equal,
            }
        })
    }

    /// The comparison as a scenario writes it.
    pub const fn symbol(&self) -> &'static str {
        match self.comparison {
            Comparison::Less => "<",
            Comparison::LessOrEqual => "<=",
            Comparison::Greater => ">",
            Comparison::GreaterOrEqual => ">=",
        }
    }
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { policy, metric, bound, mean, .. } = self;
        let found = mean.map_or_else(|| "unknown".to_owned(), |mean| number::plain(mean, "share"));
        let result = if self.passes() { "pass" } else { "FAIL" };
        write!(f, "{result}  {policy}: {metric} {} {bound}, found {found}", self.symbol())
    }
}

/// Holds every expectation against every policy it is about.
///
/// An expectation about a policy that the scenario does not have is held against nothing known,
/// so that it fails instead of being passed over.
pub fn check(expectations: &[Expectation], policies: &[PolicySummary]) -> Vec<Check> {
    expectations.iter().flat_map(|expectation| check_one(expectation, policies)).collect()
}

fn check_one(expectation: &Expectation, policies: &[PolicySummary]) -> Vec<Check> {
    let Expectation { policy, metric, comparison, bound } = expectation;
    let check = |policy: &str, mean| Check {
        policy: policy.to_owned(),
        metric: metric.clone(),
        comparison: *comparison,
        bound: *bound,
        mean,
    };
    let about = |summary: &&PolicySummary| policy.as_ref().is_none_or(|p| *p == summary.label);
    let against = |summary: &PolicySummary| {
        check(&summary.label, summary.estimate(metric).map(|estimate| estimate.mean))
    };
    let checks: Vec<Check> = policies.iter().filter(about).map(against).collect();
    match policy {
        Some(policy) if checks.is_empty() => vec![check(policy, None)],
        _ => checks,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture;
    use crate::summary::summarise;

    fn expect(
        policy: Option<&str>,
        metric: &str,
        comparison: Comparison,
        bound: f64,
    ) -> Vec<Check> {
        let scenario = fixture::scenario();
        let policies = summarise(&scenario, &fixture::runs(&scenario));
        let policy = policy.map(str::to_owned);
        check(&[Expectation { policy, metric: metric.to_owned(), comparison, bound }], &policies)
    }

    #[test]
    fn the_bound_itself_meets_only_the_comparisons_that_include_it() {
        for (comparison, passes) in [
            (Comparison::Less, false),
            (Comparison::LessOrEqual, true),
            (Comparison::Greater, false),
            (Comparison::GreaterOrEqual, true),
        ] {
            let checks = expect(None, "arrived", comparison, 1000.0);
            assert_eq!(checks.len(), 2);
            assert!(checks.iter().all(|check| check.passes() == passes), "{comparison:?}");
        }
    }

    #[test]
    fn an_expectation_can_be_about_one_policy() {
        let checks = expect(Some("round_robin"), "ok", Comparison::Greater, 1.0);
        assert_eq!(checks.len(), 1);
        assert_eq!(checks[0].to_string(), "pass  round_robin: ok > 1, found 990");
    }

    #[test]
    fn what_is_not_known_does_not_pass() {
        for (policy, metric) in [(None, "view_age_ms_p50"), (None, "nonsense"), (Some("x"), "ok")] {
            let checks = expect(policy, metric, Comparison::Greater, -1.0);
            assert!(!checks.is_empty() && checks.iter().all(|check| !check.passes()), "{metric}");
        }
    }
}
