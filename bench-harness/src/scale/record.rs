//! The folder of a pass: where it comes from, what was measured, and how it reads.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::machine;
use crate::process::Failure;

use super::columns::{self, Column};
use super::curves::{self, Curve, curves};
use super::journal::Journal;
use super::results::Results;

/// Where measurements come from: the row of `origin.csv`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Origin {
    command: String,
    commit: String,
    machine: String,
    compiler: String,
    target: String,
    started: String,
    load_average: Option<f64>,
    binary: String,
}

impl Origin {
    /// This process, now.
    pub fn of_this_process() -> Result<Self, Failure> {
        let arguments: Vec<String> = std::env::args().skip(1).collect();
        Ok(Self {
            command: format!("cargo run --release -p bench-harness -- {}", arguments.join(" ")),
            commit: machine::commit(),
            machine: machine::machine(),
            compiler: machine::RUSTC.to_owned(),
            target: machine::TARGET.to_owned(),
            started: machine::now(),
            load_average: machine::load_average(),
            binary: machine::fingerprint()?,
        })
    }
}

/// Opens a folder for measurements of this origin.
///
/// # Errors
/// When it holds those of another binary or machine: they are not comparable.
pub fn open(folder: &Path, origin: &Origin) -> Result<PathBuf, Failure> {
    fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let path = folder.join("origin.csv");
    let (mut journal, there) = Journal::open::<Origin>(&path)?;
    match there.first() {
        None => journal.append(origin)?,
        Some(there) if (&there.binary, &there.machine) == (&origin.binary, &origin.machine) => {}
        Some(there) => {
            return Err(format!(
                "{}: holds measurements of another build or machine (commit {}, {}, started {}); \
                 they cannot be mixed with those of commit {}: give another folder by --out, or \
                 remove this one",
                path.display(),
                there.commit,
                there.machine,
                there.started,
                origin.commit,
            )
            .into());
        }
    }
    Ok(folder.to_owned())
}

/// Writes `scale.csv`, `exponents.csv` and `README.md`, each whole or not at all.
///
/// # Errors
/// When one cannot be written.
pub fn write(folder: &Path, results: &Results) -> Result<(), Failure> {
    let curves = curves(results);
    let (_, origins) = Journal::open::<Origin>(&folder.join("origin.csv"))?;
    let origin = origins.first().ok_or("origin.csv has gone while measuring")?;
    replace(&folder.join("scale.csv"), &scale_csv(results)?)?;
    replace(&folder.join("exponents.csv"), &exponents_csv(&curves)?)?;
    replace(&folder.join("README.md"), readme(origin, results, &curves).as_bytes())
}

/// By a file beside it, so that an interruption leaves the old one or the new one.
pub fn replace(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let beside = path.with_extension("part");
    let written = File::create(&beside)
        .and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()))
        .and_then(|()| fs::rename(&beside, path));
    written.map_err(|error| format!("{}: {error}", path.display()).into())
}

fn scale_csv(results: &Results) -> Result<Vec<u8>, Failure> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(columns::COLUMNS.iter().map(|column| column.name))?;
    for planned in &results.planned {
        writer.write_record(columns::COLUMNS.iter().map(|c| c.cell(results, planned)))?;
    }
    Ok(writer.into_inner()?)
}

fn exponents_csv(curves: &[Curve]) -> Result<Vec<u8>, Failure> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(curves::COLUMNS.iter().map(|column| column.0))?;
    for curve in curves {
        writer.write_record(curves::COLUMNS.iter().map(|column| column.2(curve)))?;
    }
    Ok(writer.into_inner()?)
}

/// The columns a person looks at first, and what they are called there.
const SHOWN: [(&str, &str); 13] = [
    ("policy", "policy"),
    ("kernel", "kernel"),
    ("threads", "threads"),
    ("nodes", "nodes"),
    ("servers", "servers"),
    ("ns_per_request_median", "ns a request"),
    ("ns_per_request_low", "low"),
    ("ns_per_request_high", "high"),
    ("ns_per_view_update_median", "ns a view update"),
    ("peak_memory_mb", "MB"),
    ("instructions_per_request", "instructions"),
    ("ratio_median", "reference / engine"),
    ("speedup_median", "speed-up"),
];

/// The results as a Markdown table.
pub fn summary(results: &Results) -> String {
    let mut text = format!("|{}|\n", SHOWN.map(|(_, title)| format!(" {title} ")).join("|"));
    let _ = writeln!(text, "|:--|:--|{}", "--:|".repeat(SHOWN.len() - 2));
    for planned in &results.planned {
        let cell = |(name, _)| {
            let column = columns::COLUMNS.iter().find(|column| column.name == name);
            let column = column.expect("what is shown is a column");
            format!(" {} ", column.cell(results, planned))
        };
        let skipped = planned.skipped.as_ref().map(|why| format!(" skipped: {why}"));
        let _ = writeln!(text, "|{}|{}", SHOWN.map(cell).join("|"), skipped.unwrap_or_default());
    }
    text
}

fn exponents(curves: &[Curve]) -> String {
    let mut text = String::from(
        "| quantity | grows with | policy | kernel | threads | nodes | servers | range | points | \
         from | to | exponent | +- |\n|:--|:--|:--|:--|--:|--:|--:|:--|--:|--:|--:|--:|--:|\n",
    );
    for curve in curves {
        let cells = curves::COLUMNS[..11].iter().map(|column| column.2(curve));
        let cells: Vec<String> = cells.map(|cell| format!(" {cell} ")).collect();
        let Curve { fit, .. } = curve;
        let error = fit.standard_error;
        let _ = writeln!(text, "|{}| {:.3} | {error:.3} |", cells.join("|"), fit.exponent);
    }
    text
}

fn readme(origin: &Origin, results: &Results, curves: &[Curve]) -> String {
    let load = |load: Option<f64>| load.map_or_else(|| "unknown".to_owned(), |l| l.to_string());
    format!(
        "# How costs grow\n\n\
         * Command: `{}`\n\
         * Commit: {}\n\
         * Machine: {}\n\
         * Compiler: {}, {}\n\
         * Date: {} to {}\n\
         * Load average: {} at the start; at most {} before a measurement, the measurements \
         themselves included\n\n\
         Load 0.8, four slots a server, exponential service of 10 ms, 500 us one way, heartbeats \
         every 100 ms to all nodes. Times are medians over repeats in processes of their own, \
         interleaved. `scale.csv` has a row a point and `exponents.csv` a row a fitted curve; \
         their columns are explained below. `measurements.csv` has a row a process, \
         `instructions.csv` one a count, `origin.csv` where all come from. A missing figure was \
         not measured: no room (last column), or not affordable.\n\n\
         ## Points\n\n{}\n\
         ## Exponents\n\n\
         Least squares on logarithms, with the standard error of the exponent: 0 does not grow, 1 \
         grows in proportion.\n\n{}{}",
        origin.command,
        origin.commit,
        origin.machine,
        origin.compiler,
        origin.target,
        origin.started,
        machine::now(),
        load(origin.load_average),
        load(results.load_average_max),
        summary(results),
        exponents(curves),
        columns_documented("##"),
    )
}

/// What every column of the two files means, as Markdown below headings of this depth.
pub fn columns_documented(heading: &str) -> String {
    let head = "\n\n| column | unit | meaning |\n|---|---|---|\n";
    let mut text = format!("\n{heading} `scale.csv`: a row a point{head}");
    for Column { name, unit, meaning, .. } in columns::COLUMNS {
        let _ = writeln!(text, "| `{name}` | {unit} | {meaning} |");
    }
    let _ = write!(text, "\n{heading} `exponents.csv`: a row a fitted curve{head}");
    for (name, meaning, _) in curves::COLUMNS {
        let _ = writeln!(text, "| `{name}` |  | {meaning} |");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::results::tests::{planned, reading};
    use super::*;

    fn origin(binary: &str) -> Origin {
        Origin {
            command: "scale --out a, \"b\"".to_owned(),
            commit: "abc".to_owned(),
            machine: "M".to_owned(),
            compiler: "rustc".to_owned(),
            target: "t".to_owned(),
            started: "now".to_owned(),
            load_average: Some(0.5),
            binary: binary.to_owned(),
        }
    }

    #[test]
    fn a_folder_goes_on_only_with_the_binary_that_began_it() {
        let room = tempfile::tempdir().unwrap();
        let folder = room.path().join("new/scale");
        for _ in 0..2 {
            open(&folder, &origin("one")).unwrap();
        }
        let error = open(&folder, &origin("two")).unwrap_err().to_string();
        assert!(error.contains("another build") && error.contains("--out"), "{error}");
        let other = Origin { machine: "N".to_owned(), ..origin("one") };
        assert!(open(&folder, &other).is_err());
    }

    /// Goal: what is written can be read, holds all points, measured or not, and the same results
    /// give the same bytes.
    #[test]
    fn the_folder_reads_back() {
        let room = tempfile::tempdir().unwrap();
        open(room.path(), &origin("one")).unwrap();
        let mut results = planned(&[10, 100, 1_000, 10_000], &[8], &[1]);
        for index in 0..3 {
            let case = results.planned[index].case;
            results.readings.insert((case.windowed(), 0), reading(100_000, 500, 4_000));
        }
        results.planned[3].skipped = Some("needs about 9.0 GB, 1.0 GB may be used".to_owned());
        write(room.path(), &results).unwrap();
        let mut reader = csv::Reader::from_path(room.path().join("scale.csv")).unwrap();
        let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
        assert_eq!(rows.len(), 4);
        assert!(rows.iter().all(|row| row.len() == columns::COLUMNS.len()));
        assert!(rows[3].iter().next_back().unwrap().starts_with("needs about 9.0 GB"));
        let mut reader = csv::Reader::from_path(room.path().join("exponents.csv")).unwrap();
        let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
        assert_eq!(rows.len(), 1, "one curve of three points");
        assert_eq!((&rows[0][0], &rows[0][11]), ("ns_per_request_median", "0"));
        let readme = fs::read_to_string(room.path().join("README.md")).unwrap();
        for part in ["commit: abc", "Commit: abc"] {
            assert_eq!(readme.contains(part), part.starts_with('C'), "{part}");
        }
        assert!(readme.contains("skipped: needs about 9.0 GB") && readme.contains("0.5 at the"));
        let before = fs::read(room.path().join("scale.csv")).unwrap();
        write(room.path(), &results).unwrap();
        assert_eq!(before, fs::read(room.path().join("scale.csv")).unwrap());
    }
}
