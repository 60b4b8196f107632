//! The tables of a finished sweep, written point by point.

use std::io::{self, Write};

use sim_core::columns::sweeps::{
    BASELINE_KEY, PAIRED_KEYS, PAIRED_PARTS, POINT_KEY, POINT_KEYS, POINT_PARTS, RUN_EXTRAS,
};
use sim_core::columns::{METRICS, RUN_KEYS};
use sim_core::stats::{CONFIDENCE, Interval, PairedDifference, mean_interval, paired_difference};
use sim_core::verdict::{Evidence, judge_evidence};

use super::plan::{Plan, Point, Subject};
use super::record::{Figures, Record};

/// A point and what came of it.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'a> {
    /// Its number.
    pub number: u32,
    /// The point.
    pub point: &'a Point,
    /// What was simulated for it.
    pub subject: &'a Subject,
    /// Its results, in the order of their replications.
    pub records: &'a [Record],
}

/// The columns of the axes: those whose keys have no column of their own.
fn axis_keys(plan: &Plan) -> impl Iterator<Item = &str> {
    plan.grid().keys().filter(|key| !is_own(key))
}

fn is_own(key: &str) -> bool {
    RUN_KEYS.iter().any(|column| column.name == key)
}

/// The cells of the axes of a point.
fn axis_cells<'a>(plan: &'a Plan, point: &'a Point) -> impl Iterator<Item = String> + 'a {
    let cells = plan.grid().keys().zip(plan.coordinates(point));
    cells.filter(|(key, _)| !is_own(key)).map(|(_, text)| text.to_owned())
}

/// `runs.csv`: a row a replication of each point.
pub struct RunsTable<'a, W: Write> {
    plan: &'a Plan,
    csv: csv::Writer<W>,
}

impl<'a, W: Write> RunsTable<'a, W> {
    /// The table with its header.
    ///
    /// # Errors
    /// If `writer` fails.
    pub fn new(plan: &'a Plan, writer: W) -> io::Result<Self> {
        let mut csv = csv::Writer::from_writer(writer);
        let header = [POINT_KEY.name].into_iter().chain(axis_keys(plan));
        let header = header.chain(RUN_KEYS.iter().map(|key| key.name));
        let header = header.chain(RUN_EXTRAS.iter().map(|key| key.name));
        csv.write_record(header.chain(METRICS.iter().map(|metric| metric.name)))?;
        Ok(Self { plan, csv })
    }

    /// The rows of a point.
    ///
    /// # Errors
    /// If the writer fails.
    pub fn add(&mut self, entry: Entry<'_>) -> io::Result<()> {
        let Self { plan, csv } = self;
        let Entry { number, point, subject, records } = entry;
        let verdict = verdict_on(records);
        for Record { replication, outcome } in records {
            let keys = [
                plan.head.scenario.clone(),
                plan.label(point).to_owned(),
                subject.params.clone(),
                subject.seed.to_string(),
                replication.to_string(),
            ];
            let figures = outcome.as_ref().ok();
            let (status, error) = match outcome {
                Ok(_) => ("ok", ""),
                Err(error) => ("failed", error.as_str()),
            };
            let too_short = figures.map(|figures| figures.warmup_too_short.to_string());
            let extras = [
                status.to_owned(),
                error.to_owned(),
                cell(figures.map(|figures| figures.warmup_s)),
                verdict.clone(),
                too_short.unwrap_or_default(),
            ];
            let value = |i: usize| figures.and_then(|figures| figures.metrics[i]);
            let values = (0..METRICS.len()).map(|i| cell(value(i)));
            let row = [number.to_string()].into_iter().chain(axis_cells(plan, point));
            csv.write_record(row.chain(keys).chain(extras).chain(values))?;
        }
        Ok(())
    }

    /// Writes what is left of it.
    ///
    /// # Errors
    /// If the writer fails.
    pub fn finish(mut self) -> io::Result<()> {
        self.csv.flush()
    }
}

/// What the replications of a point say together.
#[derive(Clone, Debug)]
pub struct PointSummary {
    /// Replications that were run.
    pub replications: usize,
    /// Of those, failed.
    pub failed: usize,
    /// Whether the figures describe a steady state; empty if all have failed.
    pub verdict: String,
    /// One entry a metric, in the order of [`METRICS`].
    pub estimates: Vec<Option<Interval>>,
}

/// The verdict on all replications of a point together; empty if all have failed.
fn verdict_on(records: &[Record]) -> String {
    let figures = records.iter().filter_map(|record| record.outcome.as_ref().ok());
    let evidence: Vec<Evidence> = figures.map(|figures| figures.evidence.clone()).collect();
    if evidence.is_empty() { String::new() } else { judge_evidence(&evidence).to_string() }
}

/// What the replications of a point say together.
pub fn summarise(records: &[Record]) -> PointSummary {
    let figures: Vec<&Figures> = records.iter().filter_map(|r| r.outcome.as_ref().ok()).collect();
    let estimate = |i: usize| {
        let values: Vec<f64> = figures.iter().filter_map(|figures| figures.metrics[i]).collect();
        mean_interval(&values, CONFIDENCE)
    };
    PointSummary {
        replications: records.len(),
        failed: records.len() - figures.len(),
        verdict: verdict_on(records),
        estimates: (0..METRICS.len()).map(estimate).collect(),
    }
}

/// The numbers, in [`METRICS`], of the metrics that the sweep file asks for.
fn chosen(plan: &Plan) -> Vec<usize> {
    let wanted =
        |i: &usize| plan.file().metrics.iter().any(|metric| metric.name == METRICS[*i].name);
    (0..METRICS.len()).filter(wanted).collect()
}

/// `points.csv`: a row a point.
pub struct PointsTable<'a, W: Write> {
    plan: &'a Plan,
    metrics: Vec<usize>,
    csv: csv::Writer<W>,
}

impl<'a, W: Write> PointsTable<'a, W> {
    /// The table with its header.
    ///
    /// # Errors
    /// If `writer` fails.
    pub fn new(plan: &'a Plan, writer: W) -> io::Result<Self> {
        let mut csv = csv::Writer::from_writer(writer);
        let metrics = chosen(plan);
        let header =
            [POINT_KEY.name.to_owned()].into_iter().chain(axis_keys(plan).map(str::to_owned));
        let header = header.chain(POINT_KEYS.iter().map(|key| key.name.to_owned()));
        csv.write_record(header.chain(per_metric(&metrics, &POINT_PARTS.map(|part| part.name))))?;
        Ok(Self { plan, metrics, csv })
    }

    /// The row of a point.
    ///
    /// # Errors
    /// If the writer fails.
    pub fn add(&mut self, entry: Entry<'_>, summary: &PointSummary) -> io::Result<()> {
        let Self { plan, metrics, csv } = self;
        let Entry { number, point, subject, .. } = entry;
        let keys = [
            plan.head.scenario.clone(),
            plan.label(point).to_owned(),
            subject.params.clone(),
            subject.seed.to_string(),
            summary.replications.to_string(),
            summary.failed.to_string(),
            summary.verdict.clone(),
        ];
        let values = metrics.iter().flat_map(|i| interval_cells(summary.estimates[*i].as_ref()));
        let row = [number.to_string()].into_iter().chain(axis_cells(plan, point));
        Ok(csv.write_record(row.chain(keys).chain(values))?)
    }

    /// Writes what is left of it.
    ///
    /// # Errors
    /// If the writer fails.
    pub fn finish(mut self) -> io::Result<()> {
        self.csv.flush()
    }
}

/// `paired.csv`: a row a point that is compared with another.
pub struct PairedTable<'a, W: Write> {
    plan: &'a Plan,
    metrics: Vec<usize>,
    csv: csv::Writer<W>,
}

impl<'a, W: Write> PairedTable<'a, W> {
    /// The table with its header.
    ///
    /// # Errors
    /// If `writer` fails.
    pub fn new(plan: &'a Plan, writer: W) -> io::Result<Self> {
        let mut csv = csv::Writer::from_writer(writer);
        let metrics = chosen(plan);
        let header = [POINT_KEY.name.to_owned(), BASELINE_KEY.name.to_owned()].into_iter();
        let header = header.chain(axis_keys(plan).map(str::to_owned));
        let header = header.chain(PAIRED_KEYS.iter().map(|key| key.name.to_owned()));
        csv.write_record(header.chain(per_metric(&metrics, &PAIRED_PARTS.map(|part| part.name))))?;
        Ok(Self { plan, metrics, csv })
    }

    /// The row of a point and the results of the point number `baseline`.
    ///
    /// # Errors
    /// If the writer fails.
    pub fn add(&mut self, entry: Entry<'_>, baseline: u32, other: &[Record]) -> io::Result<()> {
        let Self { plan, metrics, csv } = self;
        let Entry { number, point, records, .. } = entry;
        let pairs = pairs(records, other);
        let values = metrics.iter().flat_map(|i| {
            let known = pairs
                .iter()
                .filter_map(|(value, other)| Some((value.metrics[*i]?, other.metrics[*i]?)));
            let (values, others): (Vec<f64>, Vec<f64>) = known.unzip();
            paired_cells(paired_difference(&values, &others, CONFIDENCE))
        });
        let row = [number.to_string(), baseline.to_string()].into_iter();
        let keys = [plan.label(point).to_owned(), pairs.len().to_string()];
        Ok(csv.write_record(row.chain(axis_cells(plan, point)).chain(keys).chain(values))?)
    }

    /// Writes what is left of it.
    ///
    /// # Errors
    /// If the writer fails.
    pub fn finish(mut self) -> io::Result<()> {
        self.csv.flush()
    }
}

/// Replications that came to an end on both sides: their random draws are the same.
fn pairs<'r>(records: &'r [Record], baseline: &'r [Record]) -> Vec<(&'r Figures, &'r Figures)> {
    let partner = |record: &'r Record| {
        let other = baseline.iter().find(|other| other.replication == record.replication)?;
        Some((record.outcome.as_ref().ok()?, other.outcome.as_ref().ok()?))
    };
    records.iter().filter_map(partner).collect()
}

fn per_metric(metrics: &[usize], parts: &[&str]) -> Vec<String> {
    let names = |i: &usize| {
        parts.iter().map(|part| format!("{}{part}", METRICS[*i].name)).collect::<Vec<_>>()
    };
    metrics.iter().flat_map(names).collect()
}

fn interval_cells(interval: Option<&Interval>) -> [String; 3] {
    [
        cell(interval.map(|interval| interval.mean)),
        cell(interval.and_then(Interval::low)),
        cell(interval.and_then(Interval::high)),
    ]
}

fn paired_cells(difference: Option<PairedDifference>) -> [String; 4] {
    let [mean, low, high] = interval_cells(difference.as_ref().map(|d| &d.interval));
    [mean, low, high, cell(difference.and_then(|difference| difference.variance_reduction))]
}

/// The shortest text that reads back as the same number; nothing for what is not known.
pub fn cell(value: Option<f64>) -> String {
    value.filter(|value| value.is_finite()).map_or_else(String::new, |value| value.to_string())
}
