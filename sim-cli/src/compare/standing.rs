//! Who stands where: contests in every setting, from the rows of runs.

use sim_core::columns::Metric;
use sim_core::stats::contest::{Contest, Direction, Entrant, Finding, contest};
use sim_core::stats::{CONFIDENCE, Interval, mean_interval};

use super::rows::{Row, Rows};

/// Beginnings of the names of metrics that mean nothing without a steady state.
pub const STEADY_METRICS: [&str; 2] = ["latency_ms", "wait_ms"];

/// One alternative in one setting.
#[derive(Clone, Debug, PartialEq)]
pub struct Contestant {
    /// Its name.
    pub label: String,
    /// Runs that were finished.
    pub replications: usize,
    /// Runs that were not.
    pub failed: usize,
    /// Mean of the metric over them, where it is known.
    pub estimate: Option<Interval>,
    /// The verdict, where there is no steady state.
    pub unsteady: Option<String>,
    /// Mean share of requests that were answered.
    pub success: Option<f64>,
}

/// A contest in one setting.
#[derive(Clone, Debug, PartialEq)]
pub struct Standing {
    /// Key and value of what is the same for all, and differs from other settings.
    pub setting: Vec<(String, String)>,
    /// Who takes part, in the order of the file.
    pub contestants: Vec<Contestant>,
    /// How it came out; `None` where nobody can be ranked.
    pub contest: Option<Contest>,
}

impl Standing {
    /// Labels of the best and of those that cannot be told from it.
    pub fn leaders(&self) -> Vec<&str> {
        let Some(contest) = &self.contest else { return Vec::new() };
        let level = contest.rivals.iter().filter(|rival| rival.finding != Finding::Worse);
        let entrants = [contest.best].into_iter().chain(level.map(|rival| rival.entrant));
        entrants.map(|entrant| self.contestants[entrant].label.as_str()).collect()
    }
}

/// The contests on metric number `which` of the rows, one a setting in which there are at least two
/// alternatives, in the order of the file. `success` is the number of the success rate among the
/// values, if it is there.
pub fn standings(
    rows: &Rows,
    metric: &Metric,
    better: Direction,
    which: usize,
    success: Option<usize>,
) -> Vec<Standing> {
    let mut settings: Vec<(&[String], Vec<&Row>)> = Vec::new();
    for row in &rows.rows {
        match settings.iter_mut().find(|(keys, _)| *keys == row.keys) {
            Some((_, of_setting)) => of_setting.push(row),
            None => settings.push((&row.keys, vec![row])),
        }
    }
    let standing = |(keys, of_setting): (&[String], Vec<&Row>)| {
        let setting = rows.keys.iter().cloned().zip(keys.iter().cloned()).collect();
        one_standing(setting, &of_setting, metric, better, which, success)
    };
    settings.into_iter().map(standing).filter(|s| s.contestants.len() > 1).collect()
}

fn one_standing(
    setting: Vec<(String, String)>,
    rows: &[&Row],
    metric: &Metric,
    better: Direction,
    which: usize,
    success: Option<usize>,
) -> Standing {
    let mut labels: Vec<&str> = Vec::new();
    for row in rows {
        if !labels.contains(&row.entrant.as_str()) {
            labels.push(&row.entrant);
        }
    }
    let needs_steady_state = STEADY_METRICS.iter().any(|start| metric.name.starts_with(start));
    let (contestants, entrants): (Vec<Contestant>, Vec<Entrant>) = labels
        .into_iter()
        .map(|label| {
            let own: Vec<&&Row> = rows.iter().filter(|row| row.entrant == label).collect();
            let finished: Vec<&&&Row> = own.iter().filter(|row| row.is_ok).collect();
            let known = finished.iter();
            let mut values: Vec<(u32, f64)> =
                known.filter_map(|row| Some((row.replication, row.values[which]?))).collect();
            values.sort_by_key(|(replication, _)| *replication);
            let unsteady = finished.iter().find_map(|row| row.unsteady.clone());
            let answered: Vec<f64> =
                finished.iter().filter_map(|row| row.values[success?]).collect();
            let plain: Vec<f64> = values.iter().map(|(_, value)| *value).collect();
            let contestant = Contestant {
                label: label.to_owned(),
                replications: finished.len(),
                failed: own.len() - finished.len(),
                estimate: mean_interval(&plain, CONFIDENCE),
                success: mean_interval(&answered, CONFIDENCE).map(|interval| interval.mean),
                unsteady: unsteady.clone(),
            };
            let is_ranked = !needs_steady_state || unsteady.is_none();
            (contestant, Entrant { values, is_ranked })
        })
        .unzip();
    Standing { setting, contest: contest(better, &entrants), contestants }
}
