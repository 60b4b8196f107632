//! What was news to a node, in the order in which it was.
//!
//! Invariants
//! 1. Entries have rising numbers, from 1.
//! 2. An entry is live when the node's view holds exactly its version; each server the node has
//!    heard of has exactly one live entry, unless the view has forgotten the server.
//! 3. Dead entries are dropped when there are more of them than live ones: adding is O(1) on
//!    average, and the log is never longer than about twice the servers.

use crate::ids::ServerId;
use crate::network::Report;
use crate::places::ByServer;

/// Not from a peer.
const FROM_SERVER: u32 = u32::MAX;
/// A log this short is not worth tidying.
const TIDY_ENTRIES: usize = 64;

/// See the module documentation.
#[derive(Clone, Debug, Default)]
pub struct ChangeLog {
    entries: Vec<Entry>,
    last: u64,
    /// Length at which dead entries are dropped.
    tidy_at: usize,
    /// Entries looked at so far.
    pub looked_at: u64,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    lsn: u64,
    /// The peer it came from.
    from: u32,
    report: Report,
}

impl ChangeLog {
    /// Memory a server takes at most [bytes]: a live entry and a dead one.
    pub(crate) const SERVER_BYTES: usize = 2 * size_of::<Entry>();

    /// The last number given.
    pub const fn last(&self) -> u64 {
        self.last
    }

    /// Adds a report that the view with these `versions` has just merged.
    #[inline]
    pub fn push(&mut self, report: &Report, from: Option<u32>, versions: &ByServer<u32>) {
        self.last += 1;
        if self.entries.len() >= self.tidy_at {
            self.tidy(versions);
        }
        let from = from.unwrap_or(FROM_SERVER);
        self.entries.push(Entry { lsn: self.last, from, report: *report });
    }

    #[cold]
    fn tidy(&mut self, versions: &ByServer<u32>) {
        self.entries.retain(|entry| is_live(&entry.report, versions));
        self.tidy_at = (2 * self.entries.len()).max(TIDY_ENTRIES);
    }

    /// Shows the live entries after `after`, oldest first, to `visit`, until it returns false.
    /// Returns the number up to which all have been looked at.
    pub fn look(
        &mut self,
        after: u64,
        versions: &ByServer<u32>,
        mut visit: impl FnMut(&Report, Option<u32>) -> bool,
    ) -> u64 {
        let start = self.entries.partition_point(|entry| entry.lsn <= after);
        for entry in &self.entries[start..] {
            self.looked_at += 1;
            let from = (entry.from != FROM_SERVER).then_some(entry.from);
            if is_live(&entry.report, versions) && !visit(&entry.report, from) {
                return entry.lsn;
            }
        }
        self.last
    }

    /// All live reports.
    pub fn all(&mut self, versions: &ByServer<u32>) -> Vec<Report> {
        let mut reports = Vec::new();
        self.look(0, versions, |report, _| {
            reports.push(*report);
            true
        });
        reports
    }

    /// Forgets all entries about a server: its versions may begin anew.
    pub fn forget_server(&mut self, server: u32) {
        self.entries.retain(|entry| entry.report.server != server);
    }

    /// Forgets that entries came from `peer`: it has lost them.
    pub fn forget_source(&mut self, peer: u32) {
        for entry in self.entries.iter_mut().filter(|entry| entry.from == peer) {
            entry.from = FROM_SERVER;
        }
    }
}

fn is_live(report: &Report, versions: &ByServer<u32>) -> bool {
    versions[ServerId(report.server)] == report.version
}

#[cfg(test)]
impl ChangeLog {
    /// Entries, live and dead.
    pub fn length(&self) -> usize {
        self.entries.len()
    }

    /// The number of the entry that holds exactly this version.
    pub fn number_of(&self, report: &Report) -> Option<u64> {
        let same = |entry: &&Entry| {
            (entry.report.server, entry.report.version) == (report.server, report.version)
        };
        self.entries.iter().find(same).map(|entry| entry.lsn)
    }
}
