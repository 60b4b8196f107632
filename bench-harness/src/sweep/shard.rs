//! Parts of a sweep that are run without knowing of each other.
//!
//! Subjects stand in a plan by what they take, longest first, and their runs are dealt out in turn: so
//! parts are about equally long. Who gets what follows from the plan and the numbers alone.

use std::fmt;
use std::str::FromStr;

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

    /// Whether what is dealt out at this place is in this part.
    pub fn owns(self, place: u64) -> bool {
        place % u64::from(self.count) == u64::from(self.index)
    }

    /// The numbers of the subjects that it has runs of, out of `count`.
    pub fn subjects(
        self,
        replications: &Replications,
        count: u64,
    ) -> impl Iterator<Item = u64> + 'static {
        let (deals, parts) = (replications.deals(), u64::from(self.count));
        let mut next = u64::from(self.index);
        std::iter::from_fn(move || {
            let subject = next / deals;
            if subject >= count {
                return None;
            }
            // The first of its places beyond this subject.
            let ahead = ((subject + 1) * deals - next).div_ceil(parts);
            next += ahead * parts;
            Some(subject)
        })
    }

    /// Which of the first replications of a subject are in this part.
    pub fn replications(
        self,
        replications: &Replications,
        subject: u32,
    ) -> impl Iterator<Item = u32> + 'static {
        let (deals, least) = (replications.deals(), replications.least);
        let place = move |replication: u32| {
            u64::from(subject) * deals + if deals == 1 { 0 } else { u64::from(replication) }
        };
        (0..least).filter(move |replication| self.owns(place(*replication)))
    }

    /// The number of the part, out of `count`, that a run is in.
    pub fn of(replications: &Replications, subject: u32, replication: u32, count: u32) -> u32 {
        let deals = replications.deals();
        let within = if deals == 1 { 0 } else { u64::from(replication) };
        ((u64::from(subject) * deals + within) % u64::from(count)) as u32
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

#[cfg(test)]
mod tests {
    use sim_core::stats::target::{HalfWidth, Target};

    use super::*;

    /// Goal: every run is in one part, and parts that are counted up front are those that are found.
    /// Method: all parts of small sweeps against a walk through all runs.
    #[test]
    fn every_run_is_dealt_to_exactly_one_part() {
        let target = Target { metric: "ok".to_owned(), half_width: HalfWidth::Absolute(1.0) };
        for (least, targets) in [(1, 0), (3, 0), (10, 0), (3, 1)] {
            let rule = Replications { least, most: 20, targets: vec![target.clone(); targets] };
            for (subjects, parts) in [(1, 1), (7, 3), (20, 7), (5, 40)] {
                let mut seen = Vec::new();
                for index in 0..parts {
                    let shard = Shard { index, count: parts };
                    let own: Vec<u64> = shard.subjects(&rule, subjects).collect();
                    for subject in 0..subjects {
                        let runs: Vec<u32> = shard.replications(&rule, subject as u32).collect();
                        assert_eq!(own.contains(&subject), !runs.is_empty());
                        for run in runs {
                            assert_eq!(Shard::of(&rule, subject as u32, run, parts), index);
                            seen.push((subject, run));
                        }
                    }
                }
                seen.sort_unstable();
                let all: Vec<(u64, u32)> =
                    (0..subjects).flat_map(|s| (0..least).map(move |r| (s, r))).collect();
                assert_eq!(seen, all, "{least} {targets} {subjects} {parts}");
            }
        }
    }
}
