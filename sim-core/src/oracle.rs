//! The oracle: every node sees the truth on every quantum boundary. The control of all experiments
//! with views that are late, and the only phase in which a view learns what nobody has told it.
//!
//! Reads and settles `Servers`; writes `Oracle`, `View` and `SelectionIndex`. What has changed at a
//! server since the last boundary is written into all views; heartbeats are still sent and counted,
//! and believed by nobody. A view corrected by own sends counts what the node has dispatched since the
//! server last changed, so it knows more than the server: what is on its way to it.

use bevy_ecs::prelude::Resource;

use crate::clock::Clock;
use crate::ids::ServerId;
use crate::network::Report;
use crate::policy::{Policy, SelectionIndex, with_policy};
use crate::server::{Servers, Snapshot};
use crate::setup::Setup;
use crate::view::barred::Reasons;
use crate::view::{Belief, View};

/// What the nodes saw last, by server.
#[derive(Clone, Debug, Default, Resource)]
pub struct Oracle {
    shown: Vec<Option<Snapshot>>,
    news: Vec<(Report, bool)>,
}

impl Oracle {
    /// Memory a server takes [bytes].
    pub(crate) const SERVER_BYTES: usize = size_of::<Option<Snapshot>>();

    /// Notes the state of a server on the boundary.
    pub fn look(&mut self, server: ServerId, snapshot: Snapshot) {
        if self.shown.len() <= server.index() {
            self.shown.resize(server.index() + 1, None);
        }
        let shown = &mut self.shown[server.index()];
        if *shown != Some(snapshot) {
            *shown = Some(snapshot);
            self.news.push(sight(server, &snapshot));
        }
    }

    /// Shows a node what has changed on this boundary.
    pub fn show(&self, view: &mut View, index: &mut SelectionIndex) {
        with_policy!(index, policy => {
            self.show_to(view, |server, belief| policy.on_report(server, belief));
        });
    }

    /// The same; `tell` hears of every change.
    pub fn show_to(&self, view: &mut View, mut tell: impl FnMut(ServerId, &Belief)) {
        let knows_nobody = view.known() == 0;
        let widened = view.take_widened();
        let mut see = |view: &mut View, (report, up): (Report, bool)| {
            let server = ServerId(report.server);
            if view.is_shut(server) {
                return;
            }
            view.see(&report, up);
            tell(server, &view.beliefs[server]);
        };
        // What a node that has just started sees has not changed, and is news; so with a server that
        // has come into its subset.
        if knows_nobody || widened {
            (0..).map(ServerId).zip(&self.shown).for_each(|(server, shown)| {
                if let Some(snapshot) = shown
                    && view.reasons(server).has(Reasons::UNKNOWN)
                {
                    see(view, sight(server, snapshot));
                }
            });
        }
        if !knows_nobody {
            self.news.iter().for_each(|&news| see(view, news));
        }
    }

    /// Closes the boundary.
    pub fn close(&mut self) {
        self.news.clear();
    }
}

/// What a node sees of a server: versions and stamps that no heartbeat can reach, and whether it is
/// up.
fn sight(server: ServerId, snapshot: &Snapshot) -> (Report, bool) {
    (snapshot.report(server, u64::from(u32::MAX - 1)), snapshot.up)
}

/// Shows every node the truth, when the present tick starts on a boundary.
pub fn run(
    setup: &Setup,
    clock: &Clock,
    oracle: &mut Oracle,
    servers: &mut [Servers],
    views: &mut [View],
    indexes: &mut [SelectionIndex],
) {
    let Some(quantum) = clock.boundary else { return };
    if !setup.judgement.oracle {
        return;
    }
    let now_ns = quantum * setup.ticks.quantum_ns;
    for shard in servers {
        for index in 0..shard.len {
            let snapshot = shard.snapshot(setup, index, now_ns);
            oracle.look(ServerId(shard.first + index), snapshot);
        }
    }
    for node in clock.visit.order(views.len()) {
        oracle.show(&mut views[node], &mut indexes[node]);
    }
    oracle.close();
}
