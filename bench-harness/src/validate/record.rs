//! What came of cases: `validation.csv`, and a file a case from which an interrupted run goes on.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::rule::{Verdict, misses_allowed};
use super::table::Case;
use crate::sweep::identity::Digest;
use crate::sweep::store::write_whole;

/// Columns of `validation.csv`: name, unit, meaning.
#[rustfmt::skip] // One column a row.
pub const COLUMNS: &[(&str, &str, &str)] = &[
    ("case", "", "Row of the table, and the way it was run."),
    ("table", "", "Short name of the table."),
    ("metric", "", "Column of the table."),
    ("unit", "", "Unit of the values."),
    ("rule", "", "Acceptance rule, of those in data/oracles/README.md."),
    ("theory", "as `unit`", "The known value."),
    ("theory_se", "as `unit`", "Its standard error, 0 where it is exact."),
    ("simulated", "as `unit`", "Mean over the replications."),
    ("half_width", "as `unit`", "Half the width of its 99 % interval."),
    ("widest", "as `unit`", "Widest half interval that can tell."),
    ("allowed", "as `unit`", "How far the mean may be from the known value."),
    ("replications", "runs", "Independent replications."),
    ("window", "services", "Measured window of each."),
    ("seed", "", "Seed of the scenario."),
    ("round", "", "1, or 2 where the first measurement did not tell or missed."),
    ("first", "", "What the first measurement said."),
    ("verdict", "", "What follows."),
    ("build", "", "Version, revision and digest of the program that measured it."),
];

/// A target and what came of it: a row of `validation.csv`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Line {
    /// Row of the table, and the way it was run.
    pub case: String,
    /// Short name of the table.
    pub table: String,
    /// Column of the table.
    pub metric: String,
    /// Unit.
    pub unit: String,
    /// Acceptance rule.
    pub rule: String,
    /// The known value.
    pub theory: f64,
    /// Its standard error, 0 where it is exact.
    pub theory_se: f64,
    /// Mean over the replications.
    pub simulated: f64,
    /// Half the width of its 99 % interval.
    pub half_width: f64,
    /// Widest half interval that can tell.
    pub widest: f64,
    /// How far the mean may be from the known value.
    pub allowed: f64,
    /// Independent replications.
    pub replications: u32,
    /// Measured window of each [services].
    pub window: f64,
    /// Seed of the scenario.
    pub seed: u64,
    /// 1, or 2 where the first measurement did not tell or missed.
    pub round: u64,
    /// What the first measurement said.
    pub first: Verdict,
    /// What follows.
    pub verdict: Verdict,
    /// Version, revision and digest of the program that measured it.
    pub build: String,
}

/// What all lines say together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Targets.
    pub targets: usize,
    /// Those that agree.
    pub passed: usize,
    /// Those that missed at first.
    pub missed: usize,
    /// Those that missed at first, or could not be told, and were run again.
    pub repeated: usize,
    /// Those that do not agree.
    pub failed: usize,
}

impl Totals {
    /// Counts.
    pub fn of(lines: &[Line]) -> Self {
        let count = |is: &dyn Fn(&Line) -> bool| lines.iter().filter(|line| is(line)).count();
        Self {
            targets: lines.len(),
            passed: count(&|line| line.verdict == Verdict::Pass),
            missed: count(&|line| line.first == Verdict::Miss),
            repeated: count(&|line| line.round > 1),
            failed: count(&|line| line.verdict != Verdict::Pass),
        }
    }

    /// Whether every target agrees and no more missed at first than chance explains.
    pub fn is_fine(self) -> bool {
        self.failed == 0 && self.missed <= misses_allowed(self.targets)
    }
}

/// A folder in which every finished case leaves a file.
///
/// A file is called by what is asked: the scenario, the known values, seed and effort. Which program answered
/// stands in it. So cases can be added to a folder later, and what has changed is not mistaken for what was.
pub struct Store {
    folder: PathBuf,
    /// Seed and effort.
    effort: String,
    /// The program whose results count, or those of any.
    build: Option<String>,
}

impl Store {
    /// Opens or makes it. Results of another program than `build` are not used; `None` takes those of any.
    ///
    /// # Errors
    /// When the folder cannot be made.
    pub fn open(out: &Path, effort: String, build: Option<String>) -> io::Result<Self> {
        let folder = out.join("cases");
        fs::create_dir_all(&folder)?;
        Ok(Self { folder, effort, build })
    }

    fn file(&self, case: &Case) -> PathBuf {
        let mut digest = Digest::default();
        let name = case.name();
        digest.part(self.effort.as_bytes()).part(name.as_bytes());
        digest.part(format!("{:?}", case.experiment).as_bytes());
        for target in case.targets() {
            let metric =
                (target.row.id(), target.column.name, target.theory, target.se, target.rule);
            digest.part(format!("{metric:?}").as_bytes());
        }
        self.folder.join(format!("{name}-{}.csv", digest.finish()))
    }

    /// The lines of a case that is done.
    pub fn find(&self, case: &Case) -> Option<Vec<Line>> {
        let lines = read(&self.file(case)).ok()?;
        let is_of = |line: &Line| self.build.as_ref().is_none_or(|build| line.build == *build);
        let is_whole = lines.len() == case.targets().len() && lines.iter().all(is_of);
        is_whole.then_some(lines)
    }

    /// Keeps the lines of a case.
    ///
    /// # Errors
    /// When they cannot be written.
    pub fn keep(&self, case: &Case, lines: &[Line]) -> io::Result<()> {
        write(&self.file(case), lines)
    }
}

/// Reads lines.
///
/// # Errors
/// When the file is not there, or is no such table.
pub fn read(file: &Path) -> io::Result<Vec<Line>> {
    let mut reader = csv::Reader::from_path(file)?;
    let lines = reader.deserialize().collect::<Result<Vec<Line>, csv::Error>>();
    lines.map_err(io::Error::other)
}

/// Writes lines, all or none.
///
/// # Errors
/// When the file cannot be written.
pub fn write(file: &Path, lines: &[Line]) -> io::Result<()> {
    let content = |file: &mut fs::File| {
        let mut writer = csv::Writer::from_writer(file);
        for line in lines {
            writer.serialize(line)?;
        }
        writer.flush()
    };
    write_whole(file, content).map_err(io::Error::other)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Goal: the documented columns are those that are written, and what is written can be read.
    #[test]
    fn every_column_is_explained() {
        let room = tempfile::tempdir().unwrap();
        let file = room.path().join("validation.csv");
        let line = Line {
            case: "a".to_owned(),
            table: "b".to_owned(),
            metric: "c".to_owned(),
            unit: "d".to_owned(),
            rule: "R1".to_owned(),
            theory: 1.0,
            theory_se: 0.0,
            simulated: 1.5,
            half_width: 0.25,
            widest: 0.5,
            allowed: 0.75,
            replications: 20,
            window: 9.0,
            seed: 3,
            round: 1,
            first: Verdict::Miss,
            verdict: Verdict::Pass,
            build: "e".to_owned(),
        };
        write(&file, std::slice::from_ref(&line)).unwrap();
        let text = fs::read_to_string(&file).unwrap();
        let names: Vec<&str> = COLUMNS.iter().map(|&(name, ..)| name).collect();
        assert_eq!(text.lines().next().unwrap(), names.join(","));
        assert_eq!(read(&file).unwrap(), [line]);
    }
}
