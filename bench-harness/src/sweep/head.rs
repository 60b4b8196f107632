//! The first line of a plan: what it is about, and where its rows are.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::error::{StoreError, failed};
use super::identity::{COMMIT, ENGINE, SCHEMA, digest};
use super::inputs::Inputs;
use super::rows::Layout;

/// Value of [`Head::tool`].
const TOOL: &str = "lbsim sweep";
/// A longer first line is none of a plan [bytes].
const LENGTH_MAX: u64 = 256 << 20;

const START: &str = "{\"checksum\":\"";
const MIDDLE: &str = "\",\"plan\":";
const END: &str = "}\n";

/// Columns of a row of a subject: a scenario with one policy, whose runs are called by its id and the
/// number of the replication, `id-0`, `id-1` ...
pub const SUBJECT_COLUMNS: [&str; 9] = [
    "id",
    "point",
    "points",
    "seed",
    "cost_ns",
    "requests",
    "memory_bytes",
    "policy_params",
    "warmup_with",
];
/// Columns of a row of a point.
pub const POINT_COLUMNS: [&str; 5] = ["combination", "policy", "label", "subject", "baseline"];

/// What a plan is about.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Head {
    /// Always `lbsim sweep`.
    pub tool: String,
    /// Form of the files.
    pub schema: u32,
    /// Which engine makes the results.
    pub engine: String,
    /// Which revision of it, where known.
    pub commit: String,
    /// Digest of all points in order and of what is reported of them: two folders with equal ids hold
    /// parts of the same sweep.
    pub plan_id: String,
    /// Name of the sweep.
    pub name: String,
    /// Name of the base scenario.
    pub scenario: String,
    /// Number of parts that it is to be run in, each about equally long.
    pub shards: u32,
    /// Number of points.
    pub points: u64,
    /// Number of scenarios with one policy that are simulated for them.
    pub subjects: u64,
    /// Number of runs; with a target, the least.
    pub runs: u64,
    /// Replications of each subject; with a target, the least.
    pub replications: u32,
    /// With a target, the most.
    pub replications_max: u32,
    /// What it takes.
    pub estimate: Estimate,
    /// Labels of policies, as the rows of points number them.
    pub labels: Vec<String>,
    /// What the items of a subject's row are. Subjects come first, the longest at the top.
    pub subject_columns: Vec<String>,
    /// Length of a subject's row.
    pub subject_row_bytes: u64,
    /// What the items of a point's row are; its policy is counted within the scenario of its combination.
    pub point_columns: Vec<String>,
    /// Length of a point's row.
    pub point_row_bytes: u64,
    /// Where the sweep file was, if traces are beside it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub folder: Option<String>,
    /// What the sweep is made from.
    pub inputs: Inputs,
}

/// What a sweep takes, about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// All runs on one core [s].
    pub sweep_s: f64,
    /// The longest part on one core [s].
    pub shard_s: f64,
    /// The longest run [s].
    pub run_s: f64,
    /// Most runs of a part.
    pub shard_runs: u64,
    /// Most memory of a run [bytes].
    pub run_bytes: u64,
}

impl Head {
    /// The texts that every plan of this build begins with.
    pub fn of_this_build() -> (String, u32, String, String) {
        (TOOL.to_owned(), SCHEMA, ENGINE.to_owned(), COMMIT.to_owned())
    }

    /// The first line.
    pub fn to_line(&self) -> Vec<u8> {
        let plan = serde_json::to_string(self).expect("texts and numbers");
        format!("{START}{}{MIDDLE}{plan}{END}", digest(plan.as_bytes())).into_bytes()
    }

    /// Reads the first line of a plan, and says how long it is.
    ///
    /// # Errors
    /// If the file cannot be read, or is no plan, or not as it was written.
    pub fn read(path: &Path) -> Result<(Self, u64), StoreError> {
        let file = File::open(path).map_err(failed("read", path))?;
        let mut reader = BufReader::new(file.take(LENGTH_MAX));
        let mut line = Vec::new();
        let mut start = vec![0; START.len()];
        let read = reader.read_exact(&mut start);
        match read {
            Ok(()) if start == START.as_bytes() => {}
            Err(error) if error.kind() != io::ErrorKind::UnexpectedEof => {
                return Err(failed("read", path)(error));
            }
            _ => return Err(StoreError::NotAPlan(path.to_owned())),
        }
        line.extend(start);
        reader.read_until(b'\n', &mut line).map_err(failed("read", path))?;
        let length = line.len() as u64;
        let damaged =
            |what: &str| StoreError::Damaged { path: path.to_owned(), what: what.to_owned() };
        let text = String::from_utf8(line).map_err(|_| damaged("its first line is no text"))?;
        let parts = text.strip_prefix(START).and_then(|rest| rest.split_once(MIDDLE));
        let (checksum, plan) = parts.ok_or_else(|| StoreError::NotAPlan(path.to_owned()))?;
        let plan = plan.strip_suffix(END).ok_or_else(|| damaged("its first line is cut short"))?;
        if digest(plan.as_bytes()).to_string() != checksum {
            return Err(damaged("its first line is not as it was written"));
        }
        let build: Build =
            serde_json::from_str(plan).map_err(|_| StoreError::NotAPlan(path.to_owned()))?;
        if build.tool != TOOL {
            return Err(StoreError::NotAPlan(path.to_owned()));
        }
        let Build { schema, engine, commit, .. } = build;
        // Another form may lack fields: who made it can still be told.
        let head = serde_json::from_str(plan).ok().filter(|_| schema == SCHEMA);
        let other = || StoreError::OtherBuild { path: path.to_owned(), engine, commit, schema };
        Ok((head.ok_or_else(other)?, length))
    }

    /// Whether this build makes the results that the plan asks for; else the error says who does.
    ///
    /// # Errors
    /// If it is another build's.
    pub fn check_build(&self, path: &Path) -> Result<(), StoreError> {
        if (self.engine.as_str(), self.commit.as_str()) == (ENGINE, COMMIT) {
            return Ok(());
        }
        Err(StoreError::OtherBuild {
            path: path.to_owned(),
            engine: self.engine.clone(),
            commit: self.commit.clone(),
            schema: self.schema,
        })
    }

    /// Where the rows of subjects and of points are, after a first line of `length` bytes.
    pub fn layouts(&self, length: u64) -> Option<(Layout, Layout)> {
        let subjects = Layout {
            kind: "subject",
            plan: self.plan_id.clone(),
            start: length,
            width: self.subject_row_bytes,
            count: self.subjects,
        };
        let start = subjects.end()?;
        let (kind, plan) = ("point", self.plan_id.clone());
        let points = Layout { kind, plan, start, width: self.point_row_bytes, count: self.points };
        points.end()?;
        Some((subjects, points))
    }

    /// What is not the same, in words.
    pub fn differences(&self, other: &Self) -> Vec<String> {
        let Inputs { sweep, base, overrides, files, traces } = &self.inputs;
        let theirs = &other.inputs;
        let mut found = Vec::new();
        let mut note = |differs: bool, what: &str| {
            if differs {
                found.push(what.to_owned());
            }
        };
        note((self.schema, &self.engine) != (other.schema, &other.engine), "the version of lbsim");
        note(self.commit != other.commit, "the revision of lbsim");
        note(*sweep != theirs.sweep, "the sweep file");
        note(*base != theirs.base, "the base scenario");
        note(*overrides != theirs.overrides, "what --set says");
        note(*files != theirs.files || *traces != theirs.traces, "a file that the scenario names");
        if found.is_empty() {
            found.push("the list of points".to_owned());
        }
        found
    }
}

/// Who made a plan: in every form of it.
#[derive(Deserialize)]
struct Build {
    tool: String,
    schema: u32,
    engine: String,
    commit: String,
}
