//! Gossip merge: nodes take in the reports that have arrived.
//!
//! Reads every shard's `Reports`; writes `View`, `SelectionIndex` and `Mail` of a node. Merging
//! takes the newer of two reports (see [`crate::view`]), so the order of arrival within a boundary
//! changes nothing.

use bevy_ecs::prelude::Component;
use rayon::prelude::*;

use crate::clock::Clock;
use crate::exchange::Sharing;
use crate::ids::ServerId;
use crate::meters::NodeMeters;
use crate::network::{Report, Reports};
use crate::policy::{Policy, SelectionIndex, with_policy};
use crate::roster::Roster;
use crate::setup::Setup;
use crate::view::View;
use crate::wheel::Wheel;

/// Reports to one node alone that are still on their way, by quantum of arrival.
#[derive(Component, Debug)]
pub struct Mail {
    pending: Wheel<Report>,
    due: Vec<Report>,
    /// Reports may contradict each other: those of a boundary are taken in one certain order.
    in_order: bool,
}

impl Mail {
    /// Nothing on its way.
    pub fn new(setup: &Setup) -> Self {
        let in_order = !setup.plan.reports.is_empty() || setup.judgement.trust.is_some();
        Self { pending: Wheel::new(64), due: Vec::new(), in_order }
    }

    /// The first quantum from the present one on in which a report arrives.
    pub fn next_due(&self) -> Option<u64> {
        self.pending.next_due()
    }

    /// Takes what has arrived by the boundary `quantum`, and files what was sent on it.
    fn collect(&mut self, quantum: u64, node: usize, reports: &[Reports]) {
        self.due.clear();
        self.pending.take(quantum, &mut self.due);
        for shard in reports {
            for &(arrival, report) in &shard.by_node[node] {
                self.pending.push(arrival, report);
            }
        }
    }

    /// Lets what has arrived by the boundary `quantum` go by: the node is down.
    fn pass_over(&mut self, quantum: u64, node: usize, reports: &[Reports]) {
        self.collect(quantum, node, reports);
        self.due.clear();
    }
}

/// Merges what has arrived at every node, when the present tick starts on a boundary.
#[expect(clippy::too_many_arguments, reason = "one argument a column")]
pub fn run(
    setup: &Setup,
    clock: &Clock,
    roster: &Roster,
    views: &mut [View],
    indexes: &mut [SelectionIndex],
    mails: &mut [Mail],
    sharings: &mut [Sharing],
    meters: &mut [NodeMeters],
    reports: &[Reports],
) {
    let Some(quantum) = clock.boundary else { return };
    let oldest_live = clock.freshness.oldest_live(clock.now_ns(setup));
    for view in views.iter_mut() {
        view.listen(oldest_live);
    }
    let nothing_sent = reports
        .iter()
        .all(|shard| !shard.broadcast.is_due(quantum) && shard.by_node.iter().all(Vec::is_empty));
    if nothing_sent && mails.iter().all(|mail| mail.pending.is_empty()) {
        return;
    }
    if clock.parallel {
        (views, indexes, mails, sharings, meters).into_par_iter().enumerate().for_each(
            |(node, (view, index, mail, sharing, meters))| {
                if roster.is_running(node as u32) {
                    meters.reports += merge(clock, node, view, index, mail, sharing, reports);
                } else {
                    mail.pass_over(quantum, node, reports);
                }
            },
        );
    } else {
        for node in clock.visit.order(views.len()) {
            if !roster.is_running(node as u32) {
                mails[node].pass_over(quantum, node, reports);
                continue;
            }
            let (view, index, mail) = (&mut views[node], &mut indexes[node], &mut mails[node]);
            let sharing = &mut sharings[node];
            meters[node].reports += merge(clock, node, view, index, mail, sharing, reports);
        }
    }
}

/// Merges what has arrived at one node by the present boundary; returns the number of reports.
pub fn merge(
    clock: &Clock,
    node: usize,
    view: &mut View,
    index: &mut SelectionIndex,
    mail: &mut Mail,
    sharing: &mut Sharing,
    reports: &[Reports],
) -> u64 {
    let Some(quantum) = clock.boundary else { return 0 };
    mail.collect(quantum, node, reports);
    let apart = mail.in_order || !clock.links.are_whole();
    if apart {
        for shard in reports {
            for slice in shard.broadcast.slices(quantum) {
                mail.due.extend_from_slice(slice);
            }
        }
        mail.due.retain(|report| !clock.links.cut_to_node(report.server, node as u32));
    }
    if mail.in_order {
        mail.due.sort_unstable_by_key(Report::order);
    }
    // Else what reaches all nodes at once is read where it lies.
    let broadcasts = if apart { &[] } else { reports };
    with_policy!(index, policy => {
        let mut merge = |slice: &[Report]| {
            if sharing.is_on {
                merge_and_note(view, policy, sharing, slice)
            } else {
                merge_reports(view, policy, slice)
            }
        };
        let mut merged = merge(&mail.due);
        for shard in broadcasts {
            for slice in shard.broadcast.slices(quantum) {
                merged += merge(slice);
            }
        }
        sharing.note_heard(&view.versions);
        merged
    })
}

/// The hot loop: plain data, so benches call it directly.
#[inline]
pub fn merge_reports<P: Policy>(view: &mut View, policy: &mut P, reports: &[Report]) -> u64 {
    if view.touch_ahead(reports) {
        policy.touch_servers(reports.iter().map(|report| report.server));
    }
    let mut rest = reports;
    loop {
        let plain = view.merge_plain(rest, |server, belief| policy.on_report(server, belief));
        let Some((odd, later)) = rest[plain..].split_first() else { break };
        if view.merge(odd) {
            policy.on_report(ServerId(odd.server), &view.beliefs[ServerId(odd.server)]);
        }
        rest = later;
    }
    reports.len() as u64
}

/// The same for a node that shares what it hears.
fn merge_and_note<P: Policy>(
    view: &mut View,
    policy: &mut P,
    sharing: &mut Sharing,
    reports: &[Report],
) -> u64 {
    for report in reports {
        if view.merge(report) {
            policy.on_report(ServerId(report.server), &view.beliefs[ServerId(report.server)]);
            sharing.heard.push(*report);
        }
    }
    reports.len() as u64
}
