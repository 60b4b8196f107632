//! Detection: nodes judge the servers, by their silence, their rhythm, their answers to checks and to
//! attempts.
//!
//! Reads the `Truth`, which stands for the servers at the other end of a health check; writes `Judge`,
//! `View`, `SelectionIndex` and `Sharing` of a node. Comes after everything that has arrived on the boundary has
//! been merged. A node uses nothing but its own columns, so the order of nodes changes nothing.

use rayon::prelude::*;

use crate::clock::Clock;
use crate::exchange::Sharing;
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
    sharings: &mut [Sharing],
) {
    let Some(quantum) = clock.boundary else { return };
    truth.advance(setup, quantum);
    let now = Now { setup, truth, quantum };
    if clock.parallel {
        (judges, views, indexes, sharings).into_par_iter().for_each(
            |(judge, view, index, sharing)| {
                sit(&now, judge, view, index, sharing);
            },
        );
    } else {
        for node in clock.visit.order(views.len()) {
            let (view, index) = (&mut views[node], &mut indexes[node]);
            sit(&now, &mut judges[node], view, index, &mut sharings[node]);
        }
    }
}

fn sit(
    now: &Now<'_>,
    judge: &mut Judge,
    view: &mut View,
    index: &mut SelectionIndex,
    sharing: &mut Sharing,
) {
    if !judge.rules.is_running {
        judge.pass_over(now, view);
        return;
    }
    if !view.has_heard() && now.truth.changed().is_empty() && !judge.rules.is_busy() {
        return;
    }
    judge.sit(now, view);
    with_policy!(index, policy => {
        for server in judge.rules.freed.drain(..) {
            policy.on_report(server, &view.beliefs[server]);
        }
    });
    judge.rules.forgotten.drain(..).for_each(|server| sharing.forget(server));
}
