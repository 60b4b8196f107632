//! Requests in order of arrival.
//!
//! Most files are in that order, or nearly: they are read on, and what comes a little late is put in
//! its place. Where lines are in the order of ends, or in none, the whole window is sorted in memory.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sim_core::config::trace::{Stamp, TimeOrigin};
use sim_core::config::{TraceConfig, TraceFormat};
use sim_core::time::{Nanos, SECOND};

use super::ledger::Ledger;
use super::row::Row;
use super::rows::Rows;

/// Most requests that are sorted in memory: about 1 GB.
const SORTED_MAX: usize = 20_000_000;
/// A line may come this much later than it should in files that several machines wrote [ns].
const LATE_NS: i64 = 2 * SECOND.cast_signed();

/// Whether lines are in another order than the arrivals.
pub fn must_be_sorted(format: &TraceFormat) -> bool {
    matches!(
        format,
        TraceFormat::AzureFunctions2021
            | TraceFormat::AlibabaCallgraph { .. }
            | TraceFormat::AccessLog { stamp: Stamp::End, .. }
    )
}

/// Requests in order of arrival, from a file or from memory.
pub enum Ordered {
    /// From a file.
    Streamed(Box<Streamed>),
    /// From memory.
    Sorted {
        /// The requests.
        sorted: Arc<Sorted>,
        /// The next one.
        next: usize,
    },
}

impl Ordered {
    /// A file that is read on.
    ///
    /// # Errors
    /// As [`Rows::open`].
    pub fn streamed(
        path: &Path,
        config: &TraceConfig,
        ledger: &Arc<Ledger>,
    ) -> Result<Self, String> {
        let rows = Rows::open(path, config, Some(ledger))?;
        let (path, config) = (path.to_owned(), config.clone());
        Ok(Self::Streamed(Box::new(Streamed { rows, path, config, queue: Queue::default() })))
    }

    /// What was sorted.
    pub fn sorted(sorted: Arc<Sorted>) -> Self {
        Self::Sorted { sorted, next: 0 }
    }

    /// The next request; `None` at the end.
    ///
    /// # Errors
    /// Returns a message for the user where the file cannot be read on.
    pub fn next(&mut self) -> Result<Option<Row>, String> {
        match self {
            Self::Streamed(streamed) => streamed.next(),
            Self::Sorted { sorted, next } => {
                *next += 1;
                Ok(sorted.rows.get(*next - 1).copied())
            }
        }
    }

    /// Starts again. Lines that are read a second time are not counted again.
    ///
    /// # Errors
    /// As [`Rows::open`].
    pub fn rewind(&mut self) -> Result<(), String> {
        match self {
            Self::Streamed(streamed) => {
                streamed.rows = Rows::open(&streamed.path, &streamed.config, None)?;
                streamed.queue = Queue::default();
            }
            Self::Sorted { next, .. } => *next = 0,
        }
        Ok(())
    }

    /// The time that counts as 0, where it is known before the first request is read [ns].
    pub fn origin_ns(&self) -> Option<i64> {
        match self {
            Self::Sorted { sorted, .. } => Some(sorted.origin_ns),
            Self::Streamed(streamed) => (streamed.config.origin() == TimeOrigin::Zero).then_some(0),
        }
    }
}

/// A file that is read on.
pub struct Streamed {
    rows: Rows,
    path: PathBuf,
    config: TraceConfig,
    queue: Queue,
}

/// Requests that wait until nothing can come before them.
struct Queue {
    waiting: BinaryHeap<Reverse<Waiting>>,
    /// Nothing that comes is before this [ns].
    floor_ns: i64,
    /// The last one that left [ns].
    left_ns: i64,
    count: u64,
}

impl Default for Queue {
    fn default() -> Self {
        let (waiting, count) = (BinaryHeap::new(), 0);
        Self { waiting, floor_ns: i64::MIN, left_ns: i64::MIN, count }
    }
}

/// Ordered by arrival, then by line.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Waiting {
    at_ns: i64,
    number: u64,
    service_ns: Option<Nanos>,
    key: Option<u64>,
}

impl Streamed {
    fn next(&mut self) -> Result<Option<Row>, String> {
        let late_ns = match self.config.format {
            TraceFormat::AzureLlm { .. } | TraceFormat::Wikibench => LATE_NS,
            _ => 0,
        };
        loop {
            let Queue { waiting, floor_ns, left_ns, count } = &mut self.queue;
            if waiting.peek().is_some_and(|Reverse(first)| first.at_ns <= *floor_ns)
                && let Some(Reverse(first)) = waiting.pop()
            {
                let Waiting { at_ns, service_ns, key, .. } = first;
                *left_ns = at_ns;
                return Ok(Some(Row { at_ns, floor_ns: at_ns, service_ns, key, identity: 0 }));
            }
            let Some(Row { at_ns, floor_ns: no_earlier_ns, service_ns, key, .. }) =
                self.rows.next()?
            else {
                if waiting.is_empty() {
                    return Ok(None);
                }
                *floor_ns = i64::MAX;
                continue;
            };
            if at_ns < *left_ns {
                let before_ns = left_ns.saturating_sub(at_ns);
                let reason =
                    format!("is {before_ns} ns before a line above it; sort the lines by time");
                self.rows.reject(&reason)?;
                continue;
            }
            waiting.push(Reverse(Waiting { at_ns, number: *count, service_ns, key }));
            *count += 1;
            *floor_ns = (*floor_ns).max(no_earlier_ns.saturating_sub(late_ns));
        }
    }
}

/// The requests of a window, in order of arrival.
#[derive(Debug)]
pub struct Sorted {
    rows: Vec<Row>,
    origin_ns: i64,
}

impl Sorted {
    /// Reads and sorts a file, once to find the first arrival if there is a window, and once more.
    ///
    /// # Errors
    /// As [`Rows::next`], and when there is too much to be sorted in memory.
    pub fn load(path: &Path, config: &TraceConfig, ledger: &Arc<Ledger>) -> Result<Self, String> {
        let mut first_ns = None;
        if config.window_ns.is_some() {
            let mut rows = Rows::open(path, config, None)?;
            while let Some(row) = rows.next()? {
                first_ns = Some(first_ns.map_or(row.at_ns, |first: i64| first.min(row.at_ns)));
            }
        }
        let wanted = |row: &Row| match (config.window_ns, first_ns) {
            (Some((from, to)), Some(first)) => (from..to).contains(&(row.at_ns.abs_diff(first))),
            _ => true,
        };
        let mut rows = Rows::open(path, config, Some(ledger))?;
        let twice = matches!(config.format, TraceFormat::AlibabaCallgraph { .. });
        let mut sorted = Vec::new();
        while let Some(row) = rows.next()? {
            if wanted(&row) {
                let identity = if twice { row.identity } else { rows.number() };
                sorted.push(Row { identity, ..row });
            }
            if sorted.len() > SORTED_MAX {
                return Err(format!(
                    "{}: more than {SORTED_MAX} requests, and they must be sorted in memory; \
                     replay a part: window = \"0s..60s\"",
                    config.file
                ));
            }
        }
        if twice {
            rows.count_doubles(without_doubles(&mut sorted));
        }
        sorted.sort_unstable_by_key(|row| (row.at_ns, row.identity));
        let origin_ns = first_ns.or(sorted.first().map(|row| row.at_ns)).unwrap_or(0);
        Ok(Self { rows: sorted, origin_ns })
    }
}

/// Keeps one line of each call, and says how many went. The caller's record includes the network,
/// the callee's does not: the shorter one is the service. The call came when it was first seen.
fn without_doubles(rows: &mut Vec<Row>) -> u64 {
    let before = rows.len();
    rows.sort_unstable_by_key(|row| (row.identity, row.service_ns, row.at_ns));
    rows.dedup_by(|next, kept| {
        let same = next.identity == kept.identity;
        if same {
            kept.at_ns = kept.at_ns.min(next.at_ns);
        }
        same
    });
    (before - rows.len()) as u64
}
