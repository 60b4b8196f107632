//! Node faults: LB nodes crash, recover, join and leave on quantum boundaries; and where nodes know a
//! part of the servers, which part that is changes when servers come or go.
//!
//! A node that stops takes its requests in flight with it: they end `lost`. What it has sent goes
//! on: servers serve its attempts, and their answers find nobody. Its attempts are numbered on, so
//! an answer to an earlier life fits nothing in a later one. A node starts with an empty view and
//! a policy that has chosen nothing yet; its random streams go on where they were.

use crate::clock::Clock;
use crate::cluster::Cluster;
use crate::exchange::Sharing;
use crate::judge::Judge;
use crate::meters::NodeMeters;
use crate::plan::NodeChange;
use crate::policy::SelectionIndex;
use crate::request::InFlight;
use crate::result::Outcome;
use crate::roster::Roster;
use crate::setup::Setup;
use crate::subset;
use crate::traffic::Traffic;
use crate::view::View;

/// What changes when a node stops or starts: equal-length slices.
pub struct FragileColumns<'a> {
    /// Beliefs.
    pub views: &'a mut [View],
    /// Policies.
    pub indexes: &'a mut [SelectionIndex],
    /// Requests.
    pub in_flight: &'a mut [InFlight],
    /// Who waits for their end.
    pub traffic: &'a mut [Traffic],
    /// Membership.
    pub clusters: &'a mut [Cluster],
    /// What each has to share.
    pub sharings: &'a mut [Sharing],
    /// Counts.
    pub meters: &'a mut [NodeMeters],
    /// What nodes make of the servers.
    pub judges: &'a mut [Judge],
}

/// Carries out what is planned for the nodes, when the present tick starts on a boundary. A node
/// that starts gets its policy from `fresh`, which draws from the node's own stream.
pub fn run(
    setup: &Setup,
    clock: &Clock,
    roster: &mut Roster,
    mut nodes: FragileColumns<'_>,
    mut fresh: impl FnMut(usize) -> SelectionIndex,
) {
    if !setup.plan.nodes.is_empty() {
        roster.settle(clock.now_ns(setup));
        let Some(quantum) = clock.boundary else { return };
        while roster.change(setup, quantum, |node, change, starts| {
            apply(setup, quantum, node as usize, (change, starts), &mut nodes, &mut fresh);
        }) {}
    }
    if setup.subset.is_some()
        && let Some(quantum) = clock.boundary
        && subset::changes_on(setup, quantum)
    {
        narrow(setup, quantum, &mut nodes);
    }
}

/// The name service's list has changed: nodes work out anew which servers they know.
fn narrow(setup: &Setup, quantum: u64, nodes: &mut FragileColumns<'_>) {
    let FragileColumns { views, judges, sharings, .. } = nodes;
    for ((view, judge), sharing) in views.iter_mut().zip(&mut **judges).zip(&mut **sharings) {
        if judge.rules.is_running {
            let left = judge.rules.narrow(setup, quantum, view);
            for server in left {
                sharing.forget(server);
            }
        }
    }
}

fn apply(
    setup: &Setup,
    quantum: u64,
    node: usize,
    (change, starts): (NodeChange, u32),
    nodes: &mut FragileColumns<'_>,
    fresh: &mut impl FnMut(usize) -> SelectionIndex,
) {
    let starts_now = matches!(change, NodeChange::Recover | NodeChange::Join);
    let mut clients = nodes.traffic[node].clients.as_deref_mut();
    if let Some(clients) = &mut clients {
        clients.set_up(starts_now);
    }
    if change == NodeChange::Leave {
        nodes.sharings[node].pause();
        nodes.clusters[node].leave();
        return;
    }
    let meters = &mut nodes.meters[node];
    // A node that leaves and starts again at once has not finished.
    nodes.in_flight[node].abandon(setup, |arrived_ns, client| {
        meters.end(arrived_ns >= setup.window_start_ns, Outcome::Lost);
        if let (Some(clients), Some(client)) = (&mut clients, client) {
            clients.think(client, quantum * setup.ticks.quantum_ns);
        }
    });
    let rules = &mut nodes.judges[node].rules;
    rules.stop(&nodes.views[node]);
    if starts_now {
        rules.start(quantum);
        nodes.sharings[node].reset(setup, starts, quantum);
        nodes.clusters[node].start(setup, starts, quantum);
        nodes.views[node] = View::empty(setup, setup.policy.corrects_own_sends());
        rules.narrow(setup, quantum, &mut nodes.views[node]);
        nodes.indexes[node] = fresh(node);
    } else {
        nodes.sharings[node].pause();
        nodes.clusters[node].stop();
    }
}
