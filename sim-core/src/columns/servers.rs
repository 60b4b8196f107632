//! The figures of one server.

use super::getters::{count, group, ratio, server, utilisation, window_ns};
use super::{PartColumn, part};

/// What each server did: `servers.csv`.
pub static SERVER_COLUMNS: &[PartColumn] = &[
    part("server", "id", "Number of the server, from 0.", |_, r, i| {
        server(r, i).and_then(|_| count(i as u64))
    }),
    part(
        "group",
        "id",
        "Number of its `[[servers]]` group, from 0; groups that faults add come after.",
        |s, _, i| group(s, i).and_then(|(number, _)| count(number as u64)),
    ),
    part("capacity", "slots", "Its service slots.", |s, _, i| {
        group(s, i).and_then(|(_, group)| count(u64::from(group.capacity)))
    }),
    part("speed", "ratio", "Its speed.", |s, _, i| group(s, i).map(|(_, group)| group.speed)),
    part(
        "utilisation",
        "share",
        "Slot-time in service over slot-time of the window.",
        |s, r, i| utilisation(s, server(r, i)?, i),
    ),
    part(
        "slowed_share",
        "share",
        "Share of the window in which an antagonist took its speed.",
        |s, r, i| ratio(server(r, i)?.slowed_ns as f64, window_ns(s)),
    ),
    part("paused_share", "share", "Share of the window that it spent in pauses.", |s, r, i| {
        ratio(server(r, i)?.paused_ns as f64, window_ns(s))
    }),
    part("picks", "attempts", "Attempts that arrived in the window, let in or not.", |_, r, i| {
        count(server(r, i)?.picks)
    }),
    part("picks_share", "share", "Its share of the `picks` of all servers.", |_, r, i| {
        let all: u64 = r.servers.iter().map(|server| server.picks).sum();
        ratio(server(r, i)?.picks as f64, all as f64)
    }),
    part(
        "connections",
        "nodes",
        "LB nodes that have it in their subset when the run ends; unknown without `[subset]`.",
        |s, r, i| s.subset.and_then(|_| count(server(r, i)?.connections)),
    ),
    part("admitted_total", "attempts", "Attempts let in, in the whole run.", |_, r, i| {
        count(server(r, i)?.admitted)
    }),
    part("refused_total", "attempts", "Attempts refused because it was full.", |_, r, i| {
        count(server(r, i)?.refused)
    }),
    part("completed_total", "attempts", "Attempts served to the end.", |_, r, i| {
        count(server(r, i)?.completed)
    }),
    part("lost_total", "attempts", "Admitted attempts that a crash took.", |_, r, i| {
        count(server(r, i)?.lost)
    }),
    part("shed_total", "attempts", "Attempts it let in and then turned away.", |_, r, i| {
        count(server(r, i)?.shed)
    }),
    part("cancelled_total", "attempts", "Attempts that were taken back there.", |_, r, i| {
        count(server(r, i)?.cancelled)
    }),
    part("arrived_dead_total", "attempts", "Attempts that found it down.", |_, r, i| {
        count(server(r, i)?.arrived_dead)
    }),
    part("failed_total", "attempts", "Attempts it answered with an error at once.", |_, r, i| {
        count(server(r, i)?.failed)
    }),
    part("active_end", "attempts", "In service when the run ended.", |_, r, i| {
        count(server(r, i)?.active)
    }),
    part("waiting_end", "attempts", "Waiting when the run ended.", |_, r, i| {
        count(server(r, i)?.waiting)
    }),
];
