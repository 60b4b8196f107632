//! What is kept of a run: its figures, and what the verdict needs. The bytes depend on scenario and
//! seed alone.

use std::fmt;

use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Serialize};
use sim_core::columns::METRICS;
use sim_core::config::Scenario;
use sim_core::result::RunResult;
use sim_core::time::seconds;
use sim_core::verdict::Evidence;

use super::identity::{RunId, SCHEMA, digest};

/// What is kept of a run.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// Which replication of its subject.
    pub replication: u32,
    /// What came of it.
    pub outcome: Result<Figures, String>,
}

/// What a run has shown.
#[derive(Clone, Debug, PartialEq)]
pub struct Figures {
    /// What was left out at the beginning [s].
    pub warmup_s: f64,
    /// It was found by pilot runs, and these were too short to be sure.
    pub warmup_too_short: bool,
    /// One entry a metric, in the order of [`METRICS`].
    pub metrics: Vec<Option<f64>>,
    /// What the verdict looks at.
    pub evidence: Evidence,
}

/// The form in the file.
#[derive(Serialize, Deserialize)]
struct Form {
    schema: u32,
    run_id: String,
    replication: u32,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    error: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    warmup_s: Option<f64>,
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    warmup_too_short: bool,
    /// Metrics that are known, by name.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    metrics: Option<Metrics>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    evidence: Option<EvidenceForm>,
}

#[derive(Serialize, Deserialize)]
struct EvidenceForm {
    present: Vec<u64>,
    arrived: Vec<u64>,
}

/// Metrics in the order of their columns; what is not known is left out.
struct Metrics(Vec<Option<f64>>);

impl Serialize for Metrics {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let known = METRICS.iter().zip(&self.0);
        serializer.collect_map(known.filter_map(|(metric, value)| Some((metric.name, (*value)?))))
    }
}

impl<'de> Deserialize<'de> for Metrics {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(InOrder)
    }
}

/// Reads metrics that stand in the order in which they were written, as they do, in one go.
struct InOrder;

impl<'de> Visitor<'de> for InOrder {
    type Value = Metrics;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("metrics by name")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Metrics, A::Error> {
        let mut values = vec![None; METRICS.len()];
        let mut next = 0;
        while let Some(name) = map.next_key::<&'de str>()? {
            let value: f64 = map.next_value()?;
            let rest = METRICS.iter().enumerate().skip(next);
            if let Some((i, _)) = { rest }.find(|(_, metric)| metric.name == name) {
                values[i] = Some(value);
                next = i + 1;
            }
        }
        Ok(Metrics(values))
    }
}

const START: &str = "{\"checksum\":\"";
const MIDDLE: &str = "\",\"run\":";
const END: &str = "}\n";

impl Figures {
    /// What a run has shown.
    pub fn of(scenario: &Scenario, warmup_too_short: bool, result: &RunResult) -> Self {
        let value = |metric: &sim_core::columns::Metric| {
            (metric.get)(scenario, result).filter(|value| value.is_finite())
        };
        Self {
            warmup_s: seconds(scenario.warmup_ns),
            warmup_too_short,
            metrics: METRICS.iter().map(value).collect(),
            evidence: Evidence::of(scenario, result),
        }
    }
}

impl Record {
    /// The bytes of the file of run `id`.
    pub fn to_bytes(&self, id: RunId) -> Vec<u8> {
        let figures = self.outcome.as_ref().ok();
        let form = Form {
            schema: SCHEMA,
            run_id: id.to_string(),
            replication: self.replication,
            error: self.outcome.as_ref().err().cloned(),
            warmup_s: figures.map(|figures| figures.warmup_s),
            warmup_too_short: figures.is_some_and(|figures| figures.warmup_too_short),
            metrics: figures.map(|figures| Metrics(figures.metrics.clone())),
            evidence: figures.map(|figures| EvidenceForm {
                present: figures.evidence.present.clone(),
                arrived: figures.evidence.arrived.clone(),
            }),
        };
        let run = serde_json::to_string(&form).expect("a map of numbers and texts");
        format!("{START}{}{MIDDLE}{run}{END}", digest(run.as_bytes())).into_bytes()
    }

    /// Reads the file of run `id`; `None` if it is not whole, or not of that run.
    pub fn from_bytes(id: RunId, bytes: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(bytes).ok()?;
        let (checksum, run) = text.strip_prefix(START)?.split_once(MIDDLE)?;
        let run = run.strip_suffix(END)?;
        if digest(run.as_bytes()).to_string() != checksum {
            return None;
        }
        let form: Form = serde_json::from_str(run).ok()?;
        if form.schema != SCHEMA || form.run_id != id.to_string() {
            return None;
        }
        let outcome = if let Some(error) = form.error {
            Err(error)
        } else {
            let warmup = (form.warmup_s?, form.warmup_too_short);
            Ok(figures(warmup, form.metrics?.0, form.evidence?)?)
        };
        Some(Self { replication: form.replication, outcome })
    }
}

fn figures(
    (warmup_s, warmup_too_short): (f64, bool),
    metrics: Vec<Option<f64>>,
    evidence: EvidenceForm,
) -> Option<Figures> {
    let EvidenceForm { present, arrived } = evidence;
    if present.len() != arrived.len() {
        return None;
    }
    let value = |name: &str| {
        let i = METRICS.iter().position(|metric| metric.name == name)?;
        metrics[i]
    };
    let evidence = Evidence {
        offered_load: value("offered_load"),
        // Counts are exact in a float up to 2^53.
        arrivals: value("arrived")? as u64,
        ok: value("ok")? as u64,
        present,
        arrived,
    };
    Some(Figures { warmup_s, warmup_too_short, metrics, evidence })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> Record {
        let mut metrics: Vec<Option<f64>> =
            (0..METRICS.len()).map(|i| Some(0.1 * i as f64)).collect();
        metrics[5] = None;
        let value = |name: &str| METRICS.iter().position(|metric| metric.name == name).expect(name);
        metrics[value("arrived")] = Some(1000.0);
        metrics[value("ok")] = Some(990.0);
        // A last digit that a careless reader gets wrong.
        metrics[value("latency_ms_mean")] = Some(18.661_837_703_063_707);
        let evidence = Evidence {
            offered_load: metrics[value("offered_load")],
            arrivals: 1000,
            ok: 990,
            present: vec![3, 4],
            arrived: vec![500, 500],
        };
        let figures = Figures { warmup_s: 0.3, warmup_too_short: true, metrics, evidence };
        Record { replication: 3, outcome: Ok(figures) }
    }

    #[test]
    fn what_is_kept_reads_back_to_the_last_bit() {
        let id = RunId { subject: digest(b"a run"), replication: 3 };
        for record in [record(), Record { replication: 0, outcome: Err("no \"trace\"".into()) }] {
            let bytes = record.to_bytes(id);
            assert_eq!(Record::from_bytes(id, &bytes).as_ref(), Some(&record));
            assert!(Record::from_bytes(RunId { replication: 4, ..id }, &bytes).is_none());
        }
    }

    /// Goal: nothing damaged is believed. Method: cut the file at every byte, and change every byte.
    #[test]
    fn any_damage_is_seen() {
        let id = RunId { subject: digest(b"a run"), replication: 3 };
        let bytes = record().to_bytes(id);
        for at in 0..bytes.len() {
            assert!(Record::from_bytes(id, &bytes[..at]).is_none(), "cut at {at}");
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            assert!(Record::from_bytes(id, &changed).is_none(), "changed at {at}");
        }
    }
}
