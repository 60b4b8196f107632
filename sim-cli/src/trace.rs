//! Recorded arrivals from files: the named public formats, logs of web servers, any CSV.
//!
//! A file goes through four hands: [`input`] unpacks it, [`rows`] makes lines into requests and
//! counts the bad ones, [`order`] puts them in order of arrival, [`replay`] moves them to the start
//! of the run, scales and repeats them. Files are read while the run goes on, for they may be
//! larger than memory; formats whose lines are in another order than the arrivals are the exception.

mod input; // plain, gzip, zstd
mod times; // times as text
mod row; // one request
mod lines; // formats of one line a request
mod log; // a line of a web server's log
mod table; // CSV with a header
mod rows; // good lines and bad ones
mod order; // by arrival
mod replay; // window, scale, loop
mod ledger; // what was left out
pub mod fit; // laws that resemble it
pub mod command; // `lbsim trace`

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};

use sim_core::config::TraceConfig;
use sim_core::workload::TraceSource;

use self::ledger::Ledger;
pub use self::ledger::Tally;
use self::order::{Ordered, Sorted};
use self::replay::Replay;

/// The traces of a command: every run reads by itself, but what must be sorted is sorted once.
#[derive(Debug, Default)]
pub struct Traces {
    sorted: Mutex<BTreeMap<String, Arc<Sorted>>>,
    ledger: Arc<Ledger>,
}

impl Traces {
    /// Opens `path`, which is `config.file` seen from the working directory.
    ///
    /// # Errors
    /// Returns a message for the user if there is no such file, or it is not in the stated format.
    pub fn open(&self, path: &Path, config: &TraceConfig) -> Result<Box<dyn TraceSource>, String> {
        Ok(Box::new(Replay::new(self.ordered(path, config)?, config)))
    }

    /// What was left out of each trace that was read, as far as the longest run read it.
    pub fn tallies(&self) -> Vec<Tally> {
        self.ledger.tallies()
    }

    fn ordered(&self, path: &Path, config: &TraceConfig) -> Result<Ordered, String> {
        if !order::must_be_sorted(&config.format) {
            return Ordered::streamed(path, config, &self.ledger);
        }
        let name = format!("{} {:?} {:?}", path.display(), config.format, config.window_ns);
        // Whoever comes second waits for the first: that is shorter than to sort by himself.
        let mut sorted = self.sorted.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let known = sorted.get(&name).map(Arc::clone);
        let found = match known {
            Some(found) => found,
            None => Arc::new(Sorted::load(path, config, &self.ledger)?),
        };
        sorted.insert(name, Arc::clone(&found));
        Ok(Ordered::sorted(found))
    }
}

#[cfg(test)]
mod tests;
