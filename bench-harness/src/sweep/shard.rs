//! Parts of a sweep that are run without knowing of each other.
//!
//! Subjects or runs are put in order by what they take, longest first, and dealt out in turn: so
//! parts are about equally long. Who gets what follows from the plan and the numbers alone.

use std::cmp::Reverse;
use std::fmt;
use std::str::FromStr;

use super::plan::Plan;
use super::replicate::Replications;

/// Part `index` of `count`, from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    /// Which part.
    pub index: u32,
    /// Of how many.
    pub count: u32,
}

impl Shard {
    /// Everything.
    pub const WHOLE: Self = Self { index: 0, count: 1 };

    /// Whether a run is in this part.
    pub fn owns(self, position: usize) -> bool {
        position as u64 % u64::from(self.count) == u64::from(self.index)
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.index, self.count)
    }
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let form = "write i/n, the number of the part from 0 and how many there are: 3/20";
        let (index, count) = text.split_once('/').ok_or(form)?;
        let count: u32 = count.trim().parse().map_err(|_| form)?;
        let index: u32 = index.trim().parse().map_err(|_| form)?;
        if index < count {
            return Ok(Self { index, count });
        }
        Err(format!("there is no part {index} of {count}: parts are numbered from 0; {form}"))
    }
}

/// All subjects of a plan, longest first: the order in which they, or their runs, are dealt out.
pub fn order(plan: &Plan) -> Vec<u32> {
    let mut subjects: Vec<u32> = (0..plan.subjects.len() as u32).collect();
    subjects
        .sort_by_key(|subject| (Reverse(plan.subjects[*subject as usize].needs.cost), *subject));
    subjects
}

/// The place of a run when runs are dealt out; `rank` is that of its subject in [`order`]. With a
/// target, whose number of replications is not known before, a part gets whole subjects.
pub fn position(plan: &Plan, rank: usize, replication: u32) -> usize {
    let Replications { least, targets, .. } = &plan.replications;
    if targets.is_empty() { rank * *least as usize + replication as usize } else { rank }
}

/// All runs that a plan can ask for, as (subject, replication).
pub fn all_runs(plan: &Plan) -> impl Iterator<Item = (u32, u32)> {
    let replications = plan.replications.most();
    (0..plan.subjects.len() as u32).flat_map(move |s| (0..replications).map(move |r| (s, r)))
}
