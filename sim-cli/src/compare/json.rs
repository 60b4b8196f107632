//! Standings for a program.

use serde::Serialize;
use sim_core::columns::Metric;
use sim_core::stats::contest::{Direction, Finding};

use super::standing::Standing;

/// The one object on standard output.
#[derive(Serialize)]
pub struct Comparisons {
    /// The column of the alternatives.
    pub by: String,
    /// Confidence of all statements of one setting together.
    pub confidence: f64,
    /// One entry a metric.
    pub metrics: Vec<Comparison>,
}

/// One metric in every setting.
#[derive(Serialize)]
pub struct Comparison {
    metric: &'static str,
    unit: &'static str,
    better: &'static str,
    settings: Vec<Place>,
}

#[derive(Serialize)]
struct Place {
    setting: serde_json::Map<String, serde_json::Value>,
    /// The best and all that cannot be told from it.
    leaders: Vec<String>,
    alternatives: Vec<Alternative>,
}

/// What is not known is `null`.
#[derive(Serialize)]
struct Alternative {
    name: String,
    replications: usize,
    failed: usize,
    verdict: String,
    mean: Option<f64>,
    ci_low: Option<f64>,
    ci_high: Option<f64>,
    /// `best`, `worse`, `no_difference`, `too_few` or `not_ranked`.
    finding: &'static str,
    /// Its value minus that of the best.
    diff: Option<f64>,
    diff_ci_low: Option<f64>,
    diff_ci_high: Option<f64>,
    diff_percent: Option<f64>,
    variance_reduction: Option<f64>,
}

impl Comparison {
    /// The form of the standings on a metric.
    pub fn new(metric: &Metric, better: Direction, standings: &[Standing]) -> Self {
        let settings = standings.iter().map(setting).collect();
        Self { metric: metric.name, unit: metric.unit, better: better.name(), settings }
    }
}

fn setting(standing: &Standing) -> Place {
    let keys = standing.setting.iter().map(|(key, value)| (key.clone(), value.as_str().into()));
    Place {
        setting: keys.collect(),
        leaders: standing.leaders().into_iter().map(str::to_owned).collect(),
        alternatives: (0..standing.contestants.len()).map(|i| alternative(standing, i)).collect(),
    }
}

fn alternative(standing: &Standing, entrant: usize) -> Alternative {
    let contestant = &standing.contestants[entrant];
    let contest = standing.contest.as_ref();
    let is_best = contest.is_some_and(|contest| contest.best == entrant);
    let rival = contest.and_then(|contest| contest.rivals.iter().find(|r| r.entrant == entrant));
    let finding = match rival.map(|rival| rival.finding) {
        _ if is_best => "best",
        None => "not_ranked",
        Some(Finding::Worse) => "worse",
        Some(Finding::NoDifference) => "no_difference",
        Some(Finding::TooFew) => "too_few",
    };
    let difference = rival.and_then(|rival| rival.difference);
    let interval = difference.map(|difference| difference.interval);
    let best = contest.and_then(|contest| standing.contestants[contest.best].estimate);
    let percent = interval.zip(best).filter(|(_, best)| best.mean != 0.0);
    Alternative {
        name: contestant.label.clone(),
        replications: contestant.replications,
        failed: contestant.failed,
        verdict: contestant.unsteady.clone().unwrap_or_else(|| "stable".to_owned()),
        mean: contestant.estimate.map(|estimate| estimate.mean),
        ci_low: contestant.estimate.and_then(|estimate| estimate.low()),
        ci_high: contestant.estimate.and_then(|estimate| estimate.high()),
        finding,
        diff: interval.map(|interval| interval.mean),
        diff_ci_low: interval.and_then(|interval| interval.low()),
        diff_ci_high: interval.and_then(|interval| interval.high()),
        diff_percent: percent.map(|(interval, best)| 100.0 * interval.mean / best.mean.abs()),
        variance_reduction: difference.and_then(|difference| difference.variance_reduction),
    }
}
