//! What was left out of a trace: never in silence.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};

use serde::Serialize;

/// Bad lines told in full; the others are counted.
const TOLD_MAX: usize = 5;

/// What was read of a trace, and what was left out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Tally {
    /// The file, as written in the scenario.
    pub file: String,
    /// Lines read, without header and empty ones.
    pub lines: u64,
    /// Of those, bad ones.
    pub bad_lines: u64,
    /// File, line and reason of the first bad ones.
    pub first_bad_lines: Vec<String>,
    /// Good lines that were not asked for.
    pub other_lines: u64,
    /// Lines that told of a request a second time.
    pub double_lines: u64,
}

impl Tally {
    /// Lines of which no request was made.
    pub fn left_out(&self) -> u64 {
        self.bad_lines + self.other_lines + self.double_lines
    }

    /// Counts a bad line.
    pub fn bad(&mut self, number: u64, reason: &str) {
        self.bad_lines += 1;
        if self.first_bad_lines.len() < TOLD_MAX {
            self.first_bad_lines.push(format!("{}:{number}: {reason}", self.file));
        }
    }

    /// Whether more lines are bad than allowed. While the file is being read, it is given the
    /// benefit of a thousand lines.
    pub fn is_too_bad(&self, share_max: f64, at_end: bool) -> bool {
        let lines = if at_end { self.lines } else { self.lines.max(1_000) };
        self.bad_lines as f64 > share_max * lines as f64
    }

    /// Why the file is given up.
    pub fn complaint(&self, share_max: f64) -> String {
        let first = self.first_bad_lines.first().map_or("", String::as_str);
        let (bad, lines) = (self.bad_lines, self.lines);
        format!("{first} ({bad} of {lines} lines are bad; bad_lines_max = {share_max} allows less)")
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, lines, bad_lines, first_bad_lines, other_lines, double_lines } = self;
        write!(f, "{file}: {lines} lines read")?;
        if *other_lines > 0 {
            write!(f, ", {other_lines} of other services passed over")?;
        }
        if *double_lines > 0 {
            write!(f, ", {double_lines} told of a call a second time")?;
        }
        if *bad_lines > 0 {
            write!(f, ", {bad_lines} bad and left out:")?;
            for line in first_bad_lines {
                write!(f, "\n  {line}")?;
            }
            let more = bad_lines - first_bad_lines.len() as u64;
            if more > 0 {
                write!(f, "\n  and {more} more")?;
            }
        }
        Ok(())
    }
}

/// The tallies of all traces of a command. Runs read the same lines, some further than others: the
/// one that read furthest counts.
#[derive(Debug, Default)]
pub struct Ledger(Mutex<BTreeMap<String, Tally>>);

impl Ledger {
    /// Takes in what one reading found.
    pub fn enter(&self, tally: &Tally) {
        let mut tallies = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = tallies.entry(tally.file.clone()).or_default();
        if known.lines <= tally.lines {
            known.clone_from(tally);
        }
    }

    /// By file.
    pub fn tallies(&self) -> Vec<Tally> {
        let tallies = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        tallies.values().cloned().collect()
    }
}
