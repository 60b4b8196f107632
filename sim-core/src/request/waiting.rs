//! Requests that wait at a node until a server is eligible, by `on_no_server.queue`, or until the policy
//! holds them back no longer.
//!
//! First come, first served: while anybody waits, who arrives queues up behind. All have the same
//! patience, so they also run out of it in order of arrival.

use std::collections::VecDeque;

use crate::config::OnNoServer;
use crate::result::Outcome;
use crate::setup::Setup;
use crate::time::Nanos;

/// A request without a server.
#[derive(Clone, Copy, Debug)]
pub struct Waiter {
    /// Arrival at the node [ns].
    pub arrived_ns: Nanos,
    /// Demand bits, or service time [ns].
    pub demand: u64,
    /// Who waits for its end, in a closed loop.
    pub client: Option<u32>,
    /// What it is about.
    pub key: u64,
}

/// See the module documentation.
#[derive(Clone, Debug)]
pub struct Waiting {
    queue: VecDeque<Waiter>,
    limit: usize,
    /// A request waits no longer than this [ns] ...
    patience_ns: Nanos,
    /// ... and then ends so.
    outcome: Outcome,
    /// When the first one is to be tried again, if the policy holds it back [ns].
    opens_ns: Nanos,
}

impl Waiting {
    /// Nobody waits; nobody may, unless the scenario says so.
    pub fn new(setup: &Setup) -> Self {
        let (limit, timeout_ns) = match setup.judgement.on_no_server {
            OnNoServer::Queue { limit, timeout_ns, .. } => (limit as usize, timeout_ns),
            OnNoServer::Reject | OnNoServer::LeastBad if setup.needs.holds_back => {
                (usize::MAX, Nanos::MAX)
            }
            OnNoServer::Reject | OnNoServer::LeastBad => (0, Nanos::MAX),
        };
        let client_ns = setup.timeout_ns.unwrap_or(Nanos::MAX);
        // At one moment the client is first, as everywhere.
        let outcome = if client_ns <= timeout_ns { Outcome::TimedOut } else { Outcome::Rejected };
        let patience_ns = client_ns.min(timeout_ns);
        let opens_ns = Nanos::MAX;
        Self { queue: VecDeque::new(), limit, patience_ns, outcome, opens_ns }
    }

    /// When the first one is to be tried again [ns]; `Nanos::MAX` when nobody waits, or for a server.
    pub fn opens_ns(&self) -> Nanos {
        if self.queue.is_empty() { Nanos::MAX } else { self.opens_ns }
    }

    /// Whether the policy holds the first one back.
    pub const fn is_held(&self) -> bool {
        self.opens_ns < Nanos::MAX
    }

    /// The policy holds the first one back until then [ns]; `Nanos::MAX`: it does not.
    pub const fn hold_until(&mut self, opens_ns: Nanos) {
        self.opens_ns = opens_ns;
    }

    /// Takes in a request; false when there is no room.
    pub fn push(&mut self, waiter: Waiter) -> bool {
        let fits = self.queue.len() < self.limit;
        if fits {
            self.queue.push_back(waiter);
        }
        fits
    }

    /// Who is next.
    pub fn first(&self) -> Option<&Waiter> {
        self.queue.front()
    }

    /// Lets the first one go.
    pub fn pop(&mut self) -> Option<Waiter> {
        self.queue.pop_front()
    }

    /// When the first one has waited long enough [ns]; `Nanos::MAX` when nobody waits.
    pub fn next_end_ns(&self) -> Nanos {
        self.queue
            .front()
            .map_or(Nanos::MAX, |first| first.arrived_ns.saturating_add(self.patience_ns))
    }

    /// What becomes of those who have waited long enough.
    pub const fn outcome(&self) -> Outcome {
        self.outcome
    }

    /// How many wait.
    pub fn len(&self) -> usize {
        self.queue.len()
    }

    /// True when nobody waits.
    pub fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// All who wait, in order.
    pub fn iter(&self) -> impl Iterator<Item = &Waiter> {
        self.queue.iter()
    }

    /// Sends all away.
    pub fn clear(&mut self) {
        self.queue.clear();
    }
}
