//! The end of a sweep on the terminal, and as JSON.

use std::fmt::Write;
use std::path::Path;

use bench_harness::sweep::execute::Report;
use bench_harness::sweep::grid::POLICY;
use bench_harness::sweep::join::Inventory;
use bench_harness::sweep::plan::{Plan, Point};
use bench_harness::sweep::tables::PointSummary;
use comfy_table::{CellAlignment, Table};
use serde_json::{Map, Value, json};
use sim_core::columns::{METRICS, Metric};
use sim_core::stats::Interval;

use crate::{compare, number};

/// Most points shown on the terminal; the others are in the files.
pub const ROWS_MAX: usize = 48;
/// Most settings whose winner is told.
const WINNERS_MAX: usize = 12;
/// Sweeps of more points are not searched for winners: that reads all runs into memory, and `lbsim compare` does
/// it for who asks.
const SEARCHED_MAX: u64 = 5_000;
/// Most metrics shown on the terminal.
const METRICS_MAX: usize = 4;
/// Metrics shown unless the sweep file names its own.
const DEFAULT: [&str; METRICS_MAX] =
    ["success_rate", "latency_ms_mean", "latency_ms_p99", "herd_index"];
/// Most failed runs told one by one.
const FAILURES_MAX: usize = 5;

/// What is wrong with single runs, on stderr.
pub fn tell_oddities(plan: &Plan, report: &Report) {
    for path in &report.damaged {
        eprintln!("note: `{path}` was damaged or cut short, and its run was made again");
    }
    for (job, error) in report.failures.iter().take(FAILURES_MAX) {
        let described = plan.subject(job.subject).and_then(|subject| {
            let point = plan.point(subject.point)?;
            Ok(format!("point {} ({})", subject.point, plan.describe(&point)))
        });
        let described = described.unwrap_or_else(|_| format!("subject {}", job.subject));
        eprintln!("failed: {described}, replication {}: {error}", job.replication);
    }
    if report.failures.len() > FAILURES_MAX {
        let more = report.failures.len() - FAILURES_MAX;
        eprintln!("failed: {more} more; column `error` of runs.csv has them all");
    }
}

/// Points as they are shown at the end.
pub struct Shown<'a> {
    plan: &'a Plan,
    rows: Vec<(Point, u32, PointSummary)>,
    most: usize,
    points: u64,
}

impl<'a> Shown<'a> {
    /// Nothing yet, and at most this many.
    pub fn new(plan: &'a Plan, most: usize) -> Self {
        Self { plan, rows: Vec::new(), most, points: 0 }
    }

    /// The next point.
    pub fn add(&mut self, number: u32, point: &Point, summary: &PointSummary) {
        self.points += 1;
        if self.rows.len() < self.most {
            self.rows.push((*point, number, summary.clone()));
        }
    }

    /// The metrics on the terminal.
    fn metrics(&self) -> Vec<(usize, &'static Metric)> {
        let asked = &self.plan.file().metrics;
        let wanted = |metric: &Metric| {
            if asked.len() == METRICS.len() {
                DEFAULT.contains(&metric.name)
            } else {
                asked.iter().any(|asked| asked.name == metric.name)
            }
        };
        let all = METRICS.iter().enumerate();
        all.filter(|(_, metric)| wanted(metric)).take(METRICS_MAX).collect()
    }

    /// The axes that have more than one value, but for the policy.
    fn axes(&self) -> Vec<usize> {
        let grid = self.plan.grid();
        let varied = |(_, key): &(usize, &str)| {
            *key != POLICY && grid.find(key).is_some_and(|place| grid.texts_of(place).count() > 1)
        };
        grid.keys().enumerate().filter(varied).map(|(i, _)| i).collect()
    }

    /// A table of the points, and where the files are.
    pub fn table(&self, plan: &Plan, out: &Path, stock: &Inventory) -> String {
        let (metrics, axes) = (self.metrics(), self.axes());
        let keys: Vec<&str> = plan.grid().keys().collect();
        let mut table = Table::new();
        table.load_style(comfy_table::presets::NOTHING);
        let header = axes.iter().map(|axis| keys[*axis]).chain([POLICY]);
        table.set_header(header.chain(metrics.iter().map(|(_, metric)| metric.name)).chain([""]));
        for (point, _, summary) in &self.rows {
            let texts: Vec<&str> = plan.coordinates(point).collect();
            let mut row: Vec<String> = axes.iter().map(|axis| texts[*axis].to_owned()).collect();
            row.push(plan.label(point).to_owned());
            row.extend(metrics.iter().map(|(i, metric)| {
                summary.estimates[*i]
                    .as_ref()
                    .map_or_else(|| "-".to_owned(), |e| number::estimate(e, metric.unit))
            }));
            row.push(remark(summary));
            table.add_row(row);
        }
        let first = axes.len() + 1;
        for column in table.column_iter_mut().skip(first).take(metrics.len()) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        let mut text = format!(
            "{}: {}, {} of {}, 95 % intervals\n\n{}\n",
            plan.head.name,
            number::counted(self.points, "point"),
            number::counted(stock.runs, "run"),
            plan.head.scenario,
            table.trim_fmt(),
        );
        let more = self.points - self.rows.len() as u64;
        if more > 0 {
            let _ = writeln!(text, "... and {more} more in points.csv");
        }
        if stock.failed > 0 {
            let _ = writeln!(
                text,
                "\n{} of {} runs failed: column `error` of runs.csv says why",
                stock.failed, stock.runs
            );
        }
        if let Some(verdict) = self.winners(plan, out) {
            let _ = write!(text, "\n{verdict}");
        }
        text + &format!(
            "\nfiles are in {out}; more on who wins where: lbsim compare {out}\n",
            out = out.display()
        )
    }

    /// Who is best in each setting, on the first metric that is shown and knows better from worse.
    fn winners(&self, plan: &Plan, out: &Path) -> Option<String> {
        if self.points > SEARCHED_MAX {
            return None;
        }
        let chosen = plan.file().metrics.len() < METRICS.len();
        let named = self.metrics().into_iter().map(|(_, metric)| metric);
        let mut named = named.filter(|metric| chosen && metric.better.is_some());
        let metric = named.next().map_or(compare::METRIC, |metric| metric.name);
        let axes = self.axes();
        let by = match plan.head.labels.as_slice() {
            [_] => plan.grid().keys().nth(*axes.first()?)?,
            _ => POLICY,
        };
        compare::of_folder(out, by, metric, WINNERS_MAX)
    }

    /// One JSON object on a line of its own.
    pub fn json(&self, plan: &Plan, out: &Path, stock: &Inventory) -> String {
        let keys: Vec<&str> = plan.grid().keys().collect();
        let points: Vec<Value> = self
            .rows
            .iter()
            .map(|(point, number, summary)| {
                let axes: Map<String, Value> = keys
                    .iter()
                    .zip(plan.coordinates(point))
                    .map(|(key, text)| ((*key).to_owned(), text.into()))
                    .collect();
                let metrics: Map<String, Value> = plan
                    .file()
                    .metrics
                    .iter()
                    .filter_map(|metric| {
                        let i = METRICS.iter().position(|other| other.name == metric.name)?;
                        Some((
                            metric.name.to_owned(),
                            estimate(metric, summary.estimates[i].as_ref()),
                        ))
                    })
                    .collect();
                json!({
                    "point": number, "axes": axes, "policy": plan.label(point),
                    "replications": summary.replications, "failed": summary.failed,
                    "verdict": (!summary.verdict.is_empty()).then_some(&summary.verdict),
                    "metrics": metrics,
                })
            })
            .collect();
        let object = json!({
            "name": plan.head.name, "plan_id": plan.head.plan_id, "out": out.display().to_string(),
            "complete": true, "runs": stock.runs, "failed": stock.failed,
            "replications": plan.replications.least, "points": points,
        });
        format!("{object}\n")
    }
}

fn estimate(metric: &Metric, interval: Option<&Interval>) -> Value {
    json!({
        "unit": metric.unit,
        "mean": interval.map(|interval| interval.mean),
        "ci_low": interval.and_then(Interval::low),
        "ci_high": interval.and_then(Interval::high),
    })
}

/// What is to be said about a point beside its figures.
fn remark(summary: &PointSummary) -> String {
    let verdict = if summary.verdict == "stable" { "" } else { &summary.verdict };
    match summary.failed {
        0 => verdict.to_owned(),
        failed => format!("{failed} failed {verdict}").trim().to_owned(),
    }
}
