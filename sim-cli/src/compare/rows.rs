//! Reads `runs.csv`, of a run or of a sweep, by the names of its columns.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use csv::StringRecord;
use sim_core::columns::{METRICS, Metric, RUN_KEYS, RUN_NOTES};

/// Column of the alternatives, unless something else is asked for.
pub const POLICY: &str = "policy";
const REPLICATION: &str = "replication";
/// Column of a sweep that numbers its points: no key of its own.
const POINT: &str = "point";
/// Column of a sweep that says whether a run could be finished.
const STATUS: &str = "status";
const OK: &str = "ok";
/// Column with which the keys of every run begin; what is before it are axes.
const NAME: &str = RUN_KEYS[0].name;
const VERDICT: &str = RUN_NOTES[1].name;
/// The verdict on figures that mean what they say.
const STABLE: &str = "stable";

/// A run, as far as comparing needs it.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// Which alternative.
    pub entrant: String,
    /// Values of [`Rows::keys`].
    pub keys: Vec<String>,
    /// Number of the replication.
    pub replication: u32,
    /// Whether the run could be finished.
    pub is_ok: bool,
    /// Verdict of all replications together; `None` where it is stable or not told.
    pub unsteady: Option<String>,
    /// One entry a metric asked for; `None` where it is not known.
    pub values: Vec<Option<f64>>,
}

/// The runs of a file.
#[derive(Clone, Debug, PartialEq)]
pub struct Rows {
    /// Columns that say in what setting alternatives are compared: those that are not the same in
    /// every row.
    pub keys: Vec<String>,
    /// The runs.
    pub rows: Vec<Row>,
}

/// Why a file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RowsError {
    /// It cannot be read.
    #[error("cannot read {}: {reason}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// It is no table of runs.
    #[error(
        "{} is no runs.csv of lbsim: it has no column `{column}`; give the folder of \
         `lbsim run --out` or `lbsim sweep --out`, or its runs.csv",
        path.display()
    )]
    Foreign {
        /// The file.
        path: PathBuf,
        /// What it lacks.
        column: String,
    },
    /// There is no such column to compare along.
    #[error(
        "{} has no axis `{by}` to compare along; it has {}",
        path.display(), allowed.join(", ")
    )]
    NoAxis {
        /// The file.
        path: PathBuf,
        /// What was asked for.
        by: String,
        /// What there is.
        allowed: Vec<String>,
    },
    /// A cell cannot be read.
    #[error("{}:{line}: column `{column}`: {problem}", path.display())]
    Cell {
        /// The file.
        path: PathBuf,
        /// Line in it.
        line: u64,
        /// Column.
        column: String,
        /// What is wrong.
        problem: String,
    },
    /// It holds no run.
    #[error("{} holds no run", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
}

/// Reads the runs in `path` with their values of `metrics`, as alternatives along `by`.
///
/// # Errors
/// If the file is missing, foreign or damaged.
pub fn read(path: &Path, by: &str, metrics: &[&Metric]) -> Result<Rows, RowsError> {
    let unreadable = |reason: String| RowsError::Unreadable { path: path.to_owned(), reason };
    let file = File::open(path).map_err(|error| unreadable(error.to_string()))?;
    parse(path, file, by, metrics)
}

fn parse(path: &Path, text: impl Read, by: &str, metrics: &[&Metric]) -> Result<Rows, RowsError> {
    let broken = |error: &csv::Error| RowsError::Unreadable {
        path: path.to_owned(),
        reason: error.to_string(),
    };
    let mut reader = csv::Reader::from_reader(text);
    let header = reader.headers().map_err(|error| broken(&error))?.clone();
    let columns = Columns::find(path, &header, by, metrics)?;
    let mut rows = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|error| broken(&error))?;
        rows.push(columns.row(path, &record)?);
    }
    if rows.is_empty() {
        return Err(RowsError::Empty { path: path.to_owned() });
    }
    Ok(varying(columns.key_names, rows))
}

/// Leaves out the keys that are the same in every row: they tell settings apart no more.
fn varying(names: Vec<String>, mut rows: Vec<Row>) -> Rows {
    let varies: Vec<bool> = (0..names.len())
        .map(|key| rows.iter().any(|row| row.keys[key] != rows[0].keys[key]))
        .collect();
    let kept = |keys: Vec<String>| {
        keys.into_iter().zip(&varies).filter(|(_, varies)| **varies).map(|(key, _)| key).collect()
    };
    for row in &mut rows {
        row.keys = kept(std::mem::take(&mut row.keys));
    }
    Rows { keys: kept(names), rows }
}

/// Where everything is.
struct Columns<'a> {
    entrant: usize,
    replication: usize,
    status: Option<usize>,
    verdict: Option<usize>,
    keys: Vec<usize>,
    key_names: Vec<String>,
    metrics: Vec<(usize, &'a Metric)>,
}

impl<'a> Columns<'a> {
    fn find(
        path: &Path,
        header: &StringRecord,
        by: &str,
        metrics: &[&'a Metric],
    ) -> Result<Self, RowsError> {
        let position = |name: &str| header.iter().position(|column| column == name);
        let need = |name: &str| {
            let foreign = || RowsError::Foreign { path: path.to_owned(), column: name.to_owned() };
            position(name).ok_or_else(foreign)
        };
        let (name, replication) = (need(NAME)?, need(REPLICATION)?);
        need(POLICY)?;
        let figures: Vec<&str> = METRICS.iter().map(|metric| metric.name).collect();
        // Axes of a sweep are the columns before the name; a seed may be one as well.
        let axes = |column: &(usize, &str)| {
            let is_own = [POINT, NAME].contains(&column.1) || figures.contains(&column.1);
            (column.0 < name && !is_own) || [NAME, POLICY, "seed"].contains(&column.1)
        };
        let (keys, names): (Vec<usize>, Vec<&str>) = header.iter().enumerate().filter(axes).unzip();
        let Some(chosen) = names.iter().position(|key| *key == by) else {
            let allowed = names.iter().map(|name| format!("`{name}`")).collect();
            return Err(RowsError::NoAxis { path: path.to_owned(), by: by.to_owned(), allowed });
        };
        let others = |i: &usize| *i != chosen;
        let others: Vec<usize> = (0..keys.len()).filter(others).collect();
        let metrics = metrics.iter().map(|metric| Ok((need(metric.name)?, *metric)));
        Ok(Self {
            entrant: keys[chosen],
            replication,
            status: position(STATUS),
            verdict: position(VERDICT),
            keys: others.iter().map(|i| keys[*i]).collect(),
            key_names: others.iter().map(|i| names[*i].to_owned()).collect(),
            metrics: metrics.collect::<Result<_, RowsError>>()?,
        })
    }

    fn row(&self, path: &Path, record: &StringRecord) -> Result<Row, RowsError> {
        let line = record.position().map_or(0, csv::Position::line);
        let wrong = |column: &str, problem: String| RowsError::Cell {
            path: path.to_owned(),
            line,
            column: column.to_owned(),
            problem,
        };
        let cell = |index: usize| record[index].to_owned();
        let number = &record[self.replication];
        let replication = number
            .parse()
            .map_err(|_| wrong(REPLICATION, format!("`{number}` is no number of a replication")))?;
        let value = |&(index, metric): &(usize, &Metric)| {
            let text = &record[index];
            if text.is_empty() {
                return Ok(None);
            }
            let value = text.parse::<f64>().ok().filter(|value| value.is_finite());
            value.map(Some).ok_or_else(|| wrong(metric.name, format!("`{text}` is no number")))
        };
        let verdict = self.verdict.map(cell).filter(|verdict| !verdict.is_empty());
        Ok(Row {
            entrant: cell(self.entrant),
            keys: self.keys.iter().map(|index| cell(*index)).collect(),
            replication,
            is_ok: self.status.is_none_or(|index| &record[index] == OK),
            unsteady: verdict.filter(|verdict| verdict != STABLE),
            values: self.metrics.iter().map(value).collect::<Result<_, _>>()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use sim_core::columns::metric;

    use super::*;

    const SWEEP: &str = "point,heartbeat.interval,name,policy,policy_params,seed,replication,status,\
                         error,warmup_s,verdict,ok,latency_ms_p99\n\
                         0,20ms,x,random,,1,0,ok,,1,stable,10,5.5\n\
                         1,50ms,x,random,,1,0,failed,\"no, trace\",,,,\n\
                         2,50ms,x,two_choices,,1,0,ok,,1,overloaded,7,\n";

    fn parsed(text: &str, by: &str) -> Result<Rows, RowsError> {
        let metrics = ["latency_ms_p99", "ok"].map(|name| metric(name).expect(name));
        parse(Path::new("runs.csv"), text.as_bytes(), by, &metrics)
    }

    #[test]
    fn a_sweep_is_read_by_the_names_of_its_columns() {
        let Rows { keys, rows } = parsed(SWEEP, POLICY).expect("a sweep");
        assert_eq!(keys, ["heartbeat.interval"]);
        let told: Vec<_> = rows
            .iter()
            .map(|row| (row.entrant.as_str(), row.keys[0].as_str(), row.is_ok, &row.values[..]))
            .collect();
        assert_eq!(
            told,
            [
                ("random", "20ms", true, &[Some(5.5), Some(10.0)][..]),
                ("random", "50ms", false, &[None, None][..]),
                ("two_choices", "50ms", true, &[None, Some(7.0)][..]),
            ]
        );
        assert_eq!(rows[2].unsteady.as_deref(), Some("overloaded"));
        assert_eq!(rows[0].unsteady, None);
        let Rows { keys, rows } = parsed(SWEEP, "heartbeat.interval").expect("another axis");
        assert_eq!((keys, rows[1].entrant.as_str()), (vec![POLICY.to_owned()], "50ms"));
    }

    #[test]
    fn what_is_no_table_of_runs_is_told() {
        for (text, by, told) in [
            ("", POLICY, "has no column `name`"),
            ("a,b\n1,2\n", POLICY, "has no column `name`"),
            ("name,policy,replication,ok\nx,random,0,1\n", POLICY, "column `latency_ms_p99`"),
            (SWEEP, "gossip.fanout", "it has `heartbeat.interval`, `name`, `policy`, `seed`"),
            (&SWEEP.replace("5.5", "5,5"), POLICY, "line: 2"),
            (&SWEEP.replace("5.5", "NaN"), POLICY, "runs.csv:2: column `latency_ms_p99`: `NaN`"),
            (&SWEEP.replace(",1,0,ok", ",1,-1,ok"), POLICY, "runs.csv:2: column `replication`"),
            (SWEEP.split_inclusive('\n').next().unwrap_or_default(), POLICY, "holds no run"),
        ] {
            let error = parsed(text, by).expect_err(told).to_string();
            assert!(error.contains(told), "{error}");
        }
        let cut = parse(Path::new("x"), &b"name,policy\xff"[..], POLICY, &[]).expect_err("bytes");
        assert!(cut.to_string().contains("cannot read x"), "{cut}");
    }
}
