//! Pacing: how those who wait at a node go to servers that have come back.
//!
//! All nodes see the same room in a report. If each filled it, the first server back would get as many
//! times what it can serve as there are nodes. So on the strength of one report a node sends at most
//! its share, `ceil(room / nodes)`, of those who wait, and takes the server for full from then on; each
//! answer of it lets one more go, and the next report shows what room is left, to be shared again.
//!
//! The share is never less than one: a server may get as many too many as there are nodes. Shares that
//! add up to the room exactly, by turns, were tried: with more nodes than slots those who still wait
//! get too little while the others leave theirs unused, and queues last for seconds (20 nodes, 8 slots:
//! 99 % of latencies within 2.7 s instead of 0.45 s, for 5 % fewer refusals).
//!
//! Nodes that are not there leave their share unused, but every report gives the others a share of
//! that, so a server fills up within a few heartbeats however many are out.

use std::collections::BTreeMap;

use crate::ids::ServerId;
use crate::setup::Setup;
use crate::view::View;

/// Choices of servers without room after which a node stops looking for one with room for those who
/// wait.
pub const MISSES: u32 = 4;

/// The shares of one node.
#[derive(Clone, Debug)]
pub struct Pacing {
    nodes: u32,
    shares: BTreeMap<u32, Share>,
}

/// What a node may still send to a server.
#[derive(Clone, Copy, Debug)]
struct Share {
    /// The report it follows from.
    version: u32,
    left: u32,
}

impl Pacing {
    /// No share is used up.
    pub const fn new(setup: &Setup) -> Self {
        Self { nodes: setup.nodes, shares: BTreeMap::new() }
    }

    /// One of those who wait has been sent to a server with this much `room` before that.
    pub fn send(&mut self, server: ServerId, room: u32, view: &mut View) {
        let version = view.versions[server];
        let left = match self.shares.get(&server.0) {
            Some(share) if share.version == version => share.left,
            _ => room.div_ceil(self.nodes),
        };
        let left = left.saturating_sub(1);
        self.shares.insert(server.0, Share { version, left });
        if left == 0 {
            view.mark_full(server);
        }
    }

    /// A server has answered: it has a slot for one more. A view that counts this node's own requests
    /// sees that by itself.
    pub fn answer(&self, server: ServerId, view: &mut View) {
        let version = view.versions[server];
        let is_spent = |share: &Share| share.version == version && share.left == 0;
        if !view.own_sends && self.shares.get(&server.0).is_some_and(is_spent) {
            let belief = &mut view.beliefs[server];
            belief.others = belief.others.saturating_sub(1);
        }
    }

    /// The node forgets everything.
    pub fn reset(&mut self) {
        self.shares.clear();
    }
}
