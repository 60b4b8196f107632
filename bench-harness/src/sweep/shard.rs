//! Parts of a sweep that are run without knowing of each other.
//!
//! Subjects or runs are put in order by what they take, longest first, and dealt out in turn: so
//! parts are about equally long. Who gets what follows from the plan and the numbers alone.

use std::fmt;
use std::str::FromStr;

use super::plan::Plan;

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

/// All runs of a plan as (subject, replication), longest first: the order in which they are dealt
/// out. With a target, whose number of replications is not known before, a part gets whole subjects.
pub fn dealt(plan: &Plan) -> Vec<(u32, u32)> {
    let mut subjects: Vec<u32> = (0..plan.subjects.len() as u32).collect();
    subjects.sort_by_key(|subject| {
        (std::cmp::Reverse(plan.subjects[*subject as usize].needs.cost), *subject)
    });
    let runs = subjects.into_iter().flat_map(|s| (0..plan.replications).map(move |r| (s, r)));
    runs.collect()
}
