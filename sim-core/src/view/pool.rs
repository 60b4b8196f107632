//! A view of a part of the fleet: the node knows the servers of its pool and nobody else.
//!
//! A server outside the pool is *shut*: unknown, and its version is [`SHUT`], above that of any report,
//! so that a merge turns away what is said of it without knowing why.

use super::View;
use crate::ids::ServerId;
use crate::subset::Pool;

/// The version held of a server that the node is not to know.
const SHUT: u32 = u32::MAX;

impl View {
    /// The servers the node knows of, if they are a part.
    #[inline]
    pub const fn pool(&self) -> Option<&Pool> {
        self.pool.as_ref()
    }

    /// How often that part has changed.
    pub const fn pool_changes(&self) -> u32 {
        self.pool_changes
    }

    /// Whether the node is not to know a server.
    #[inline]
    pub fn is_shut(&self, server: ServerId) -> bool {
        self.pool.is_some() && self.versions[server] == SHUT
    }

    /// The version of the newest report of a server, 0 before the first; `None` for a server outside
    /// the pool.
    pub fn held(&self, server: ServerId) -> Option<u32> {
        Some(self.versions[server]).filter(|_| !self.is_shut(server))
    }

    /// Adds one to the count of every server of the pool, if there is one.
    pub fn count_pool(&self, counts: &mut [u64]) {
        for &server in self.pool.iter().flat_map(|pool| &pool.members) {
            counts[server as usize] += 1;
        }
    }

    /// Whether a server has come into the pool since this was last asked.
    pub const fn take_widened(&mut self) -> bool {
        std::mem::replace(&mut self.widened, false)
    }

    /// Changes the pool. Who leaves it is forgotten; who enters it is unknown until the next report.
    /// Returns both, in order of ids: the ones that left, the ones that entered. O(servers).
    pub fn narrow(&mut self, pool: Pool) -> (Vec<ServerId>, Vec<ServerId>) {
        let servers = self.beliefs.len() as u32;
        let mut is_member = vec![false; servers as usize];
        pool.members.iter().for_each(|&server| is_member[server as usize] = true);
        let (mut left, mut entered) = (Vec::new(), Vec::new());
        for server in (0..servers).map(ServerId) {
            let shut = self.is_shut(server);
            if is_member[server.index()] && shut {
                self.versions[server] = 0;
                entered.push(server);
            } else if !is_member[server.index()] && !shut {
                self.forget(server);
                self.versions[server] = SHUT;
                left.push(server);
            }
        }
        self.widened |= !entered.is_empty();
        self.pool = Some(pool);
        self.pool_changes += 1;
        (left, entered)
    }
}
