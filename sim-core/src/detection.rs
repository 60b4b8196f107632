//! Detection: nodes judge the servers, by their silence, their rhythm, their answers to checks and to
//! attempts.
//!
//! Reads the `Truth`, which stands for the servers at the other end of a health check; writes `Judge`,
//! `View` and `SelectionIndex` of a node. Comes after everything that has arrived on the boundary has
//! been merged. A node uses nothing but its own columns, so the order of nodes changes nothing.

use rayon::prelude::*;

use crate::clock::Clock;
use crate::judge::Judge;
use crate::judge::track::Now;
use crate::policy::{Policy, SelectionIndex, with_policy};
use crate::setup::Setup;
use crate::truth::Truth;
use crate::view::View;

/// Lets every node judge, when the present tick starts on a boundary.
pub fn run(
    setup: &Setup,
    clock: &Clock,
    truth: &mut Truth,
    judges: &mut [Judge],
    views: &mut [View],
    indexes: &mut [SelectionIndex],
) {
    let Some(quantum) = clock.boundary else { return };
    truth.advance(setup, quantum);
    let now = Now { setup, truth, quantum };
    if clock.parallel {
        (judges, views, indexes).into_par_iter().for_each(|(judge, view, index)| {
            sit(&now, judge, view, index);
        });
    } else {
        for node in clock.visit.order(views.len()) {
            sit(&now, &mut judges[node], &mut views[node], &mut indexes[node]);
        }
    }
}

fn sit(now: &Now<'_>, judge: &mut Judge, view: &mut View, index: &mut SelectionIndex) {
    if !view.has_heard() && now.truth.changed().is_empty() && !judge.is_busy() {
        return;
    }
    judge.sit(now, view);
    tell(&mut judge.rules.freed, view, index);
}

/// Tells a policy of the servers that may be used again.
pub fn tell(freed: &mut Vec<crate::ids::ServerId>, view: &View, index: &mut SelectionIndex) {
    with_policy!(index, policy => {
        for server in freed.drain(..) {
            policy.on_report(server, &view.beliefs[server.index()]);
        }
    });
}
