//! The faults of all scenarios of a sweep, each told once, with the point where it shows first.

use sim_core::config::{ConfigFault, Origin};

use super::file::SweepFile;
use super::grid::Grid;

/// More faults than this are not told: whoever repairs these will see the others.
const FAULTS_MAX: usize = 50;

/// What was wrong with which combinations.
pub struct Survey {
    /// By axis and value, how many combinations were looked at.
    seen: Vec<Vec<u64>>,
    all: u64,
    /// By axis and value, which bytes of the sweep file the value takes.
    spans: Vec<Vec<Vec<std::ops::Range<usize>>>>,
    found: Vec<Found>,
}

struct Found {
    fault: ConfigFault,
    count: u64,
    combination: u64,
    values: Vec<usize>,
}

impl Survey {
    /// Nothing looked at yet.
    pub fn new(file: &SweepFile) -> Self {
        let spans_of = |axis: &super::file::Axis| {
            let of_value = |i: usize| {
                axis.keys.iter().map(|key| key.values[i].place.span.clone()).collect::<Vec<_>>()
            };
            (0..axis.len()).map(of_value).collect::<Vec<_>>()
        };
        Self {
            seen: file.axes.iter().map(|axis| vec![0; axis.len()]).collect(),
            all: 0,
            spans: file.axes.iter().map(spans_of).collect(),
            found: Vec::new(),
        }
    }

    /// A combination is looked at.
    pub fn saw(&mut self, values: &[usize]) {
        self.all += 1;
        for (seen, value) in self.seen.iter_mut().zip(values) {
            seen[*value] += 1;
        }
    }

    /// What is wrong with it.
    pub fn note(&mut self, combination: u64, values: &[usize], faults: Vec<ConfigFault>) {
        for fault in faults {
            let same = |found: &&mut Found| {
                let Found { fault: known, .. } = found;
                known.origin == fault.origin
                    && known.key == fault.key
                    && (known.span == fault.span || fault.span.is_none())
            };
            if let Some(found) = self.found.iter_mut().find(same) {
                found.count += 1;
            } else if self.found.len() < FAULTS_MAX {
                let values = values.to_vec();
                self.found.push(Found { fault, count: 1, combination, values });
            }
        }
    }

    /// Each fault once. One that does not show wherever its value stands needs other values too: then
    /// it names a point.
    pub fn faults(self, grid: &Grid) -> Vec<ConfigFault> {
        let Self { seen, all, spans, found } = self;
        let place = |fault: &ConfigFault| {
            let span = fault.span.as_ref().filter(|_| fault.origin == Origin::Overlay)?;
            let within = |value: &Vec<std::ops::Range<usize>>| {
                value.iter().any(|v| v.start <= span.start && span.end <= v.end)
            };
            spans.iter().enumerate().find_map(|(axis, values)| {
                values.iter().position(within).map(|value| (axis, value))
            })
        };
        let named = |found: Found| {
            let Found { mut fault, count, combination, values } = found;
            let place = place(&fault);
            let everywhere = place.map_or(all, |(axis, value)| seen[axis][value]);
            if count < everywhere {
                let own = place.map(|(axis, _)| axis);
                let others: Vec<String> = grid
                    .keys()
                    .zip(grid.texts(combination))
                    .filter(|(key, _)| {
                        let axis = grid.find(key).map(|(axis, _)| axis);
                        axis != own && axis.is_some_and(|axis| seen[axis].len() > 1)
                    })
                    .map(|(key, text)| format!("{key} = {text}"))
                    .collect();
                debug_assert_eq!(values.len(), seen.len());
                fault.problem = format!("{} (with {})", fault.problem, others.join(", "));
            }
            fault
        };
        found.into_iter().map(named).collect()
    }
}
