//! How many replications a subject gets: a fixed number, or as many as the targets ask for.
//!
//! With targets the rule looks at the first replications only, at counts that are known before: how many
//! there are in the end depends on results, and never on the order in which they came.

use sim_core::columns::METRICS;
use sim_core::config::Scenario;
use sim_core::stats::target::{Target, counts};

use super::record::Record;

/// How often each subject is run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Replications {
    /// With targets the least, else exactly so many.
    pub least: u32,
    /// With targets the most.
    pub most: u32,
    /// What must be known how well; none: `least` replications.
    pub targets: Vec<Target>,
}

/// What is known of one replication: the value of each target's metric, where it has one.
pub type Values = Vec<Option<f64>>;

impl Replications {
    /// Those that a scenario asks for.
    pub fn of(scenario: &Scenario) -> Self {
        Self {
            least: scenario.replications,
            most: scenario.replications_max,
            targets: scenario.target.clone(),
        }
    }

    /// Into how many places the runs of a subject are put when they are dealt out: with a target, whose
    /// number of replications is not known before, a part gets whole subjects.
    pub fn deals(&self) -> u64 {
        if self.targets.is_empty() { u64::from(self.least.max(1)) } else { 1 }
    }

    /// Most replications there may be.
    pub fn most(&self) -> u32 {
        if self.targets.is_empty() { self.least } else { self.most.max(self.least) }
    }

    /// What the rule wants to know of a result; of a failed one it knows nothing.
    pub fn values(&self, record: &Record) -> Values {
        let figures = record.outcome.as_ref().ok();
        let value = |target: &Target| {
            let i = METRICS.iter().position(|metric| metric.name == target.metric)?;
            figures.and_then(|figures| figures.metrics[i])
        };
        self.targets.iter().map(value).collect()
    }

    /// How many of the first replications are needed, and whether that is all. `known` are the first
    /// ones that are there; more may be needed once these are.
    pub fn wanted(&self, known: &[Values]) -> (u32, bool) {
        if self.targets.is_empty() {
            return (self.least, known.len() >= self.least as usize);
        }
        for count in counts(self.least, self.most()) {
            let Some(first) = known.get(..count as usize) else {
                return (count, false);
            };
            let is_met = |(i, target): (usize, &Target)| {
                let values: Vec<f64> = first.iter().filter_map(|values| values[i]).collect();
                target.is_met(&values)
            };
            if self.targets.iter().enumerate().all(is_met) {
                return (count, true);
            }
        }
        (self.most(), true)
    }
}

#[cfg(test)]
mod tests {
    use sim_core::stats::target::HalfWidth;

    use super::*;

    fn rule(targets: usize) -> Replications {
        let target = Target { metric: "ok".to_owned(), half_width: HalfWidth::Absolute(1.0) };
        Replications { least: 2, most: 10, targets: vec![target; targets] }
    }

    #[test]
    fn without_targets_the_number_is_fixed() {
        assert_eq!(rule(0).wanted(&[]), (2, false));
        assert_eq!(rule(0).wanted(&[vec![], vec![]]), (2, true));
        assert_eq!((rule(0).most(), rule(1).most()), (2, 10));
    }

    /// Far apart, then all alike: enough as soon as the first ones no longer count for much, or at
    /// the cap.
    #[test]
    fn with_targets_it_grows_until_all_are_met_or_the_cap() {
        let alike = vec![vec![Some(5.0)]; 10];
        assert_eq!(rule(1).wanted(&alike), (2, true));
        assert_eq!(rule(1).wanted(&alike[..1]), (2, false));
        let apart: Vec<Values> = (0..10).map(|i| vec![Some(f64::from(i % 2) * 100.0)]).collect();
        assert_eq!(rule(1).wanted(&apart[..2]), (3, false));
        assert_eq!(rule(1).wanted(&apart), (10, true));
        // More than is asked for changes nothing.
        let mut more = alike;
        more[9] = vec![Some(1e9)];
        assert_eq!(rule(1).wanted(&more), (2, true));
        // What is not known is never known well.
        assert_eq!(rule(1).wanted(&vec![vec![None]; 10]), (10, true));
    }
}
