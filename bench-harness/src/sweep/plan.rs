//! A plan: every point and every run of a sweep, in a file that each part reads what it needs of.
//!
//! The first line is the [`Head`]. A row each of the subjects follows, the longest run at the top, then
//! one of each point. A part of the sweep reads the rows of its own runs only: starting it costs the same
//! however large the sweep is.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use sim_core::config::{Arrivals, Scenario};

use super::error::{StoreError, failed};
use super::file::SweepFile;
use super::grid::{Grid, POLICY};
use super::head::Head;
use super::identity::{self, Id, RunId};
use super::inputs::{Files, Inputs};
use super::needs::Needs;
use super::recipe::Recipe;
use super::replicate::Replications;
use super::rows::{Layout, RowError, Rows};
use super::shard::Shard;

/// A plan that was written.
#[derive(Debug)]
pub struct Plan {
    /// What it is about.
    pub head: Head,
    /// How often every subject is run.
    pub replications: Replications,
    path: PathBuf,
    recipe: Recipe,
    subjects: Layout,
    points: Layout,
    rows: Rows,
}

/// A combination of the axes and one policy of the scenario that it gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Point {
    /// Number of the combination in the grid.
    pub combination: u64,
    /// Number of the policy in the combination's scenario.
    pub policy: u32,
    /// Number of the policy's label in the plan.
    pub label: u32,
    /// What is simulated for it.
    pub subject: u32,
    /// The point that it is compared with; itself, if it is a baseline.
    pub baseline: Option<u32>,
}

/// A scenario with one policy: points that are the same but for their place on an axis share one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    /// Digest of all that its results depend on.
    pub id: Id,
    /// The first point that needs it.
    pub point: u32,
    /// How many points need it.
    pub points: u32,
    /// Its seed.
    pub seed: u64,
    /// What one run of it takes.
    pub needs: Needs,
    /// The policy's parameters, as in `policy_params`.
    pub params: String,
    /// Subjects that differ from it in the policy alone, itself included, if their warm-up has yet to
    /// be found: they are measured in the same window, so it is found for all of them.
    pub compared: Vec<u32>,
}

impl Subject {
    /// The id of a run.
    pub const fn run(&self, replication: u32) -> RunId {
        RunId { subject: self.id, replication }
    }
}

/// The row of a subject.
type SubjectRow = (String, u32, u32, u64, u64, u64, u64, String, Vec<u32>);
/// The row of a point.
type PointRow = (u64, u32, u32, u32, Option<u32>);

impl Subject {
    /// Its row, without the closing bracket; `blanks` are as many as the longest numbers are wide.
    pub(super) fn to_row(&self) -> String {
        let Self { id, point, points, seed, needs, params, compared } = self;
        let Needs { cost, requests, bytes } = needs;
        let params = serde_json::to_string(params).expect("a text");
        let compared = serde_json::to_string(compared).expect("numbers");
        format!("[\"{id}\",{point},{points},{seed},{cost},{requests},{bytes},{params},{compared}")
    }

    fn from_row(row: SubjectRow) -> Option<Self> {
        let (id, point, points, seed, cost, requests, bytes, params, compared) = row;
        let needs = Needs { cost, requests, bytes };
        Some(Self { id: id.parse().ok()?, point, points, seed, needs, params, compared })
    }
}

impl Point {
    /// Its row, without the closing bracket.
    pub(super) fn to_row(self) -> String {
        let Self { combination, policy, label, subject, baseline } = self;
        let baseline = baseline.map_or_else(|| "null".to_owned(), |point| point.to_string());
        format!("[{combination},{policy},{label},{subject},{baseline}")
    }

    const fn from_row((combination, policy, label, subject, baseline): PointRow) -> Self {
        Self { combination, policy, label, subject, baseline }
    }
}

impl Plan {
    /// Opens a plan of this build.
    ///
    /// # Errors
    /// If it cannot be read, is damaged, or another build's.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let (head, length) = Head::read(path)?;
        head.check_build(path)?;
        let damaged =
            |what: &str| StoreError::Damaged { path: path.to_owned(), what: what.to_owned() };
        let (subjects, points) =
            head.layouts(length).ok_or_else(|| damaged("it cannot be so long"))?;
        let found = fs::metadata(path).map_err(failed("read", path))?.len();
        if points.end() != Some(found) {
            let wanted = points.end().unwrap_or(u64::MAX);
            return Err(damaged(&format!("it has {found} bytes and should have {wanted}")));
        }
        let (file, faults) =
            SweepFile::parse(&head.inputs.sweep).map_err(|_| damaged("its sweep file"))?;
        let recipe = Recipe::new(file, head.inputs.clone());
        let recipe = recipe.map_err(|_| damaged("its base scenario"))?;
        if !faults.is_empty() {
            return Err(damaged("its sweep file"));
        }
        let rows = Rows::new(File::open(path).map_err(failed("read", path))?);
        let mut plan = Self {
            head,
            replications: Replications::default(),
            path: path.to_owned(),
            recipe,
            subjects,
            points,
            rows,
        };
        let first = plan.point(0)?;
        let scenario = plan.recipe.scenario(first.combination, &|name| plan.small_file(name));
        let scenario = scenario.map_err(|_| damaged("its first point"))?;
        plan.replications = Replications::of(&scenario);
        Ok(plan)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What the sweep file says.
    pub const fn file(&self) -> &SweepFile {
        &self.recipe.file
    }

    /// The axes.
    pub const fn grid(&self) -> &Grid {
        &self.recipe.grid
    }

    /// The texts of a point's axes: one a key, in the order of [`Grid::keys`].
    pub fn coordinates(&self, point: &Point) -> impl Iterator<Item = &str> {
        self.recipe.grid.texts(point.combination)
    }

    /// The label of a point's policy, distinct within the sweep.
    pub fn label(&self, point: &Point) -> &str {
        self.head.labels.get(point.label as usize).map_or("", String::as_str)
    }

    /// Number of the subjects.
    pub const fn subject_count(&self) -> u32 {
        self.subjects.count as u32
    }

    /// The subject with this number, which is below [`Plan::subject_count`].
    ///
    /// # Errors
    /// If its row cannot be read, or is damaged.
    pub fn subject(&self, number: u32) -> Result<Subject, StoreError> {
        self.subject_of(u64::from(number), self.rows.get(&self.subjects, number.into()))
    }

    /// The subjects that a part of the sweep has runs of, with their numbers.
    ///
    /// # Errors
    /// If a row cannot be read, or is damaged.
    pub fn subjects_of(
        &self,
        shard: Shard,
    ) -> impl Iterator<Item = Result<(u32, Subject), StoreError>> + '_ {
        let owned = shard.subjects(&self.replications, self.subjects.count);
        self.rows
            .some(&self.subjects, owned)
            .map(|(number, row)| Ok((number as u32, self.subject_of(number, row)?)))
    }

    /// The point with this number.
    ///
    /// # Errors
    /// If its row cannot be read, or is damaged.
    pub fn point(&self, number: u32) -> Result<Point, StoreError> {
        let row = self.rows.get(&self.points, number.into());
        self.found("point", number.into(), row).map(Point::from_row)
    }

    /// The points in order.
    ///
    /// # Errors
    /// If a row cannot be read, or is damaged.
    pub fn points(&self) -> impl Iterator<Item = Result<Point, StoreError>> + '_ {
        let rows = self.rows.some(&self.points, 0..self.points.count);
        rows.map(|(number, row)| self.found("point", number, row).map(Point::from_row))
    }

    fn subject_of(
        &self,
        number: u64,
        row: Result<SubjectRow, RowError>,
    ) -> Result<Subject, StoreError> {
        let row = self.found("subject", number, row)?;
        Subject::from_row(row).ok_or_else(|| self.damaged("subject", number))
    }

    fn found<T>(&self, kind: &str, number: u64, row: Result<T, RowError>) -> Result<T, StoreError> {
        row.map_err(|error| match error {
            RowError::Io(source) => failed("read", &self.path)(source),
            RowError::Damaged => self.damaged(kind, number),
        })
    }

    fn damaged(&self, kind: &str, number: u64) -> StoreError {
        let what = format!("the row of {kind} {number} is not as it was written");
        StoreError::Damaged { path: self.path.clone(), what }
    }

    fn small_file(&self, name: &str) -> Result<String, String> {
        Files::text(&self.head.inputs, "", name)
    }

    /// The scenario of a subject, with exactly its policy, and the digest of all that its runs depend on
    /// but for the warm-up.
    ///
    /// # Errors
    /// If the plan is damaged, or this build makes something else of it.
    pub fn scenario(&self, subject: &Subject) -> Result<(Scenario, Id), StoreError> {
        let point = self.point(subject.point)?;
        let scenario = self.recipe.scenario(point.combination, &|name| self.small_file(name));
        let other = || self.damaged("the scenario of point", subject.point.into());
        let mut scenario = scenario.map_err(|_| other())?;
        if point.policy as usize >= scenario.policies.len() {
            return Err(other());
        }
        scenario.policies = vec![scenario.policies.swap_remove(point.policy as usize)];
        scenario.expect.clear();
        let id = identity::subject(&scenario, self.trace_digest(&scenario));
        if subject.compared.is_empty() && id != subject.id {
            return Err(other());
        }
        Ok((scenario, id))
    }

    fn trace_digest(&self, scenario: &Scenario) -> Option<&str> {
        let Arrivals::Trace(trace) = &scenario.workload.arrivals else { return None };
        self.head.inputs.traces.get(&trace.file).map(String::as_str)
    }

    /// Path of the base scenario as written.
    pub fn base_name(&self) -> &str {
        self.recipe.base_name()
    }

    /// The texts that the sweep is made from.
    pub const fn inputs(&self) -> &Inputs {
        &self.head.inputs
    }

    /// A name for a point in messages: `policy = random, heartbeat.interval = 20ms`.
    pub fn describe(&self, point: &Point) -> String {
        let keys = self.grid().keys().zip(self.coordinates(point));
        let mut parts: Vec<String> = keys
            .filter(|(key, _)| *key != POLICY)
            .map(|(key, text)| format!("{key} = {text}"))
            .collect();
        parts.insert(0, format!("policy = {}", self.label(point)));
        parts.join(", ")
    }
}
