//! Writes a plan: whole, or not at all.

use std::cmp::Reverse;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::Path;

use super::draft::Draft;
use super::error::{StoreError, failed};
use super::head::{Estimate, Head, POINT_COLUMNS, SUBJECT_COLUMNS};
use super::plan::{Point, Subject};
use super::rows::{self, Layout};
use super::shard::Shard;
use super::store;

/// A part is meant to run so long on one core [s]: short against the limits of batch queues, long against
/// what starting it costs.
pub const SHARD_S: f64 = 600.0;
/// Most parts, unless somebody asks for more: Slurm's arrays end at 1 000 unless they are told to.
pub const SHARDS_MAX: u32 = 1_000;

/// The subjects of a draft in the order in which they are dealt out: those with the longest runs first.
struct Order {
    /// By place, the number in the draft.
    by_place: Vec<u32>,
    /// By number in the draft, the place.
    places: Vec<u32>,
}

impl Order {
    fn of(draft: &Draft) -> Self {
        let mut by_place: Vec<u32> = (0..draft.subjects.len() as u32).collect();
        let cost = |subject: u32| draft.subjects[subject as usize].needs.cost;
        by_place.sort_by_key(|subject| (Reverse(cost(*subject)), *subject));
        let mut places = vec![0; by_place.len()];
        for (place, subject) in by_place.iter().enumerate() {
            places[*subject as usize] = place as u32;
        }
        Self { by_place, places }
    }

    fn subject(&self, draft: &Draft, place: u32) -> Subject {
        let mut subject = draft.subject(self.by_place[place as usize]);
        for other in &mut subject.compared {
            *other = self.places[*other as usize];
        }
        subject.compared.sort_unstable();
        subject
    }

    fn point(&self, draft: &Draft, number: usize) -> Point {
        let point = draft.points[number];
        Point { subject: self.places[point.subject as usize], ..point }
    }
}

/// The first line of the plan of a draft; its rows have no width yet.
pub fn head(draft: &Draft, shards: Option<u32>, folder: Option<&Path>) -> Head {
    let Draft { recipe, replications, .. } = draft;
    let costs: u128 = draft.subjects.iter().map(|subject| u128::from(subject.needs.cost)).sum();
    let sweep_s = costs as f64 * f64::from(replications.least) / 1e9;
    let deals = replications.deals() * draft.subjects.len() as u64;
    let enough = (sweep_s / SHARD_S).ceil().clamp(1.0, f64::from(SHARDS_MAX)) as u64;
    let shards = shards.unwrap_or(enough.min(deals) as u32);
    let (tool, schema, engine, commit) = Head::of_this_build();
    let of_columns = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    let folder = folder.filter(|_| !recipe.inputs.traces.is_empty());
    Head {
        tool,
        schema,
        engine,
        commit,
        plan_id: draft.id.to_string(),
        name: recipe.file.name.clone(),
        scenario: draft.scenario.clone(),
        shards,
        points: draft.points.len() as u64,
        subjects: draft.subjects.len() as u64,
        runs: draft.subjects.len() as u64 * u64::from(replications.least),
        replications: replications.least,
        replications_max: replications.most(),
        estimate: estimate(draft, sweep_s, shards),
        labels: draft.labels.clone(),
        subject_columns: of_columns(&SUBJECT_COLUMNS),
        subject_row_bytes: 0,
        point_columns: of_columns(&POINT_COLUMNS),
        point_row_bytes: 0,
        folder: folder.map(|folder| folder.display().to_string()),
        inputs: recipe.inputs.clone(),
    }
}

fn estimate(draft: &Draft, sweep_s: f64, shards: u32) -> Estimate {
    let mut costs: Vec<u64> = draft.subjects.iter().map(|subject| subject.needs.cost).collect();
    costs.sort_unstable_by_key(|cost| Reverse(*cost));
    let replications = &draft.replications;
    // The first part gets the first of each round, so it has most runs and the longest.
    let first = Shard { index: 0, count: shards };
    let (mut cost, mut shard_runs) = (0_u128, 0);
    for subject in first.subjects(replications, costs.len() as u64) {
        let runs = first.replications(replications, subject as u32).count() as u64;
        cost += u128::from(costs[subject as usize]) * u128::from(runs);
        shard_runs += runs;
    }
    Estimate {
        sweep_s,
        shard_s: cost as f64 / 1e9,
        run_s: costs.first().map_or(0.0, |cost| *cost as f64 / 1e9),
        shard_runs,
        run_bytes: draft.subjects.iter().map(|s| s.needs.bytes).max().unwrap_or(0),
    }
}

/// Writes the plan of a draft to `path`, for so many parts, or as many as seem right; `folder` is where
/// the sweep file is.
///
/// # Errors
/// If the system refuses; then there is no such file, or the one that was there before.
pub fn write(
    draft: &Draft,
    path: &Path,
    shards: Option<u32>,
    folder: &Path,
) -> Result<Head, StoreError> {
    let folder = std::path::absolute(folder).ok();
    let mut head = head(draft, shards, folder.as_deref());
    let order = Order::of(draft);
    let subjects = 0..draft.subjects.len() as u32;
    let widest = subjects.map(|place| order.subject(draft, place).to_row().len()).max();
    head.subject_row_bytes = rows::width(widest.unwrap_or(0));
    let points = 0..draft.points.len();
    let widest = points.map(|number| order.point(draft, number).to_row().len()).max();
    head.point_row_bytes = rows::width(widest.unwrap_or(0));
    store::write_whole(path, |file| write_to(draft, &head, &order, file))?;
    if let Some(parent) = path.parent() {
        // Best effort: some systems cannot flush a folder.
        let parent = if parent.as_os_str().is_empty() { Path::new(".") } else { parent };
        let _ = File::open(parent).and_then(|folder| folder.sync_all());
    }
    Ok(head)
}

fn write_to(draft: &Draft, head: &Head, order: &Order, file: &mut File) -> io::Result<()> {
    let line = head.to_line();
    let layouts = head.layouts(line.len() as u64);
    let (subjects, points): (Layout, Layout) =
        layouts.ok_or_else(|| io::Error::other("the plan is too long for a file"))?;
    let mut writer = BufWriter::with_capacity(1 << 16, file);
    writer.write_all(&line)?;
    for place in 0..subjects.count {
        let row = order.subject(draft, place as u32).to_row();
        subjects.write(&mut writer, place, &row)?;
    }
    for number in 0..points.count {
        let row = order.point(draft, number as usize).to_row();
        points.write(&mut writer, number, &row)?;
    }
    writer.flush()
}

/// Puts the plan at `from` beside results, where it is not there yet: as another name of the same file
/// where the system can, else as a copy.
///
/// # Errors
/// If the system refuses.
pub fn lay_beside(from: &Path, to: &Path) -> Result<(), StoreError> {
    match fs::hard_link(from, to) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(_) => {
            let mut source = File::open(from).map_err(failed("read", from))?;
            store::write_whole(to, |file| io::copy(&mut source, file).map(drop))
        }
    }
}
