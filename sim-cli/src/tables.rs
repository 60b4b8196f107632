//! The CSV files of a run.

use std::io::{self, Write};

use bench_harness::sweep::tables::cell;
use sim_core::columns::{
    METRICS, NODE_COLUMNS, PART_KEYS, PartColumn, RUN_KEYS, RUN_NOTES, SERIES_COLUMNS,
    SERVER_COLUMNS, policy_labels, policy_params,
};
use sim_core::config::Scenario;
use sim_core::result::RunResult;
use sim_core::time::seconds;
use sim_core::verdict::{Verdict, judge};

/// A file with a row for each part (server, node, interval) of each run.
pub struct PartTable {
    /// Name of the file.
    pub file: &'static str,
    columns: &'static [PartColumn],
    parts: fn(&RunResult) -> usize,
}

/// All files of that kind.
pub static PART_TABLES: [PartTable; 3] = [
    PartTable { file: "servers.csv", columns: SERVER_COLUMNS, parts: |run| run.servers.len() },
    PartTable { file: "nodes.csv", columns: NODE_COLUMNS, parts: |run| run.nodes.len() },
    PartTable { file: "timeseries.csv", columns: SERIES_COLUMNS, parts: |run| run.series.len() },
];

/// Writes `runs.csv`: a row a run.
///
/// # Errors
/// If `writer` fails.
pub fn write_runs(scenario: &Scenario, runs: &[RunResult], writer: impl Write) -> io::Result<()> {
    let labels = policy_labels(scenario);
    let mut csv = csv::Writer::from_writer(writer);
    let keys = RUN_KEYS.iter().chain(&RUN_NOTES).map(|key| key.name);
    let verdicts: Vec<Verdict> = (0..scenario.policies.len())
        .map(|policy| {
            let of_policy = runs.iter().filter(|run| run.policy == policy);
            judge(scenario, &of_policy.cloned().collect::<Vec<_>>())
        })
        .collect();
    csv.write_record(keys.chain(METRICS.iter().map(|metric| metric.name)))?;
    for run in runs {
        let keys = [
            scenario.name.clone(),
            labels[run.policy].clone(),
            policy_params(&scenario.policies[run.policy]),
            scenario.seed.to_string(),
            run.replication.to_string(),
            seconds(scenario.warmup_ns).to_string(),
            verdicts[run.policy].to_string(),
        ];
        let values = METRICS.iter().map(|metric| cell((metric.get)(scenario, run)));
        csv.write_record(keys.into_iter().chain(values))?;
    }
    csv.flush()
}

impl PartTable {
    /// Writes the file: a row a part of every run.
    ///
    /// # Errors
    /// If `writer` fails.
    pub fn write(
        &self,
        scenario: &Scenario,
        runs: &[RunResult],
        writer: impl Write,
    ) -> io::Result<()> {
        let labels = policy_labels(scenario);
        let mut csv = csv::Writer::from_writer(writer);
        let keys = PART_KEYS.iter().map(|key| key.name);
        csv.write_record(keys.chain(self.columns.iter().map(|column| column.name)))?;
        for run in runs {
            let keys = [labels[run.policy].clone(), run.replication.to_string()];
            for part in 0..(self.parts)(run) {
                let values = self.columns.iter().map(|c| cell((c.get)(scenario, run, part)));
                csv.write_record(keys.iter().cloned().chain(values))?;
            }
        }
        csv.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture;

    fn rows(bytes: &[u8]) -> (Vec<String>, Vec<Vec<String>>) {
        let mut reader = csv::Reader::from_reader(bytes);
        let owned = |record: &csv::StringRecord| record.iter().map(str::to_owned).collect();
        let header = owned(reader.headers().expect("a header"));
        let records = reader.records().map(|record| owned(&record.expect("equal lengths")));
        (header, records.collect())
    }

    #[test]
    fn runs_have_a_row_a_run_and_empty_cells_for_what_is_not_known() {
        let scenario = fixture::scenario();
        let mut bytes = Vec::new();
        write_runs(&scenario, &fixture::runs(&scenario), &mut bytes).expect("memory");
        let (header, rows) = rows(&bytes);
        assert_eq!(rows.len(), 6);
        assert_eq!(
            rows[4][..7],
            [
                "fixture",
                "round_robin",
                "random_start=true;capacity_gate=true",
                "7",
                "1",
                "1",
                "stable"
            ]
        );
        let value = |name: &str| {
            let column = header.iter().position(|column| column == name).expect(name);
            rows[0][column].as_str()
        };
        assert_eq!(
            [value("ok"), value("success_rate"), value("view_age_ms_p50")],
            ["990", "0.99", ""]
        );
    }

    #[test]
    fn parts_have_a_row_a_part_a_run() {
        let scenario = fixture::scenario();
        let runs = fixture::runs(&scenario);
        for (table, (file, length)) in
            PART_TABLES.iter().zip([("servers.csv", 12), ("nodes.csv", 6), ("timeseries.csv", 60)])
        {
            assert_eq!(table.file, file);
            let mut bytes = Vec::new();
            table.write(&scenario, &runs, &mut bytes).expect("memory");
            let (header, rows) = rows(&bytes);
            assert_eq!(rows.len(), length, "{file}");
            assert_eq!(header.len(), PART_KEYS.len() + table.columns.len());
        }
    }

    #[test]
    fn numbers_that_are_none_are_empty() {
        for (value, text) in
            [(None, ""), (Some(f64::NAN), ""), (Some(f64::INFINITY), ""), (Some(0.1), "0.1")]
        {
            assert_eq!(cell(value), text);
        }
    }
}
