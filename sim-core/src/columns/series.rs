//! The figures of one interval of the time series.

use crate::result::Outcome;
use crate::time::seconds;

use super::getters::{bin, count, mean_ms, milliseconds, ratio};
use super::{HEARTBEAT_BYTES, PartColumn, part};
use crate::notes::NOTE_BYTES;

/// What happened in each interval: `timeseries.csv`. Counts go by the moment of the event.
pub static SERIES_COLUMNS: &[PartColumn] = &[
    part("time_s", "s", "Start of the interval; the warm-up is included.", |s, r, i| {
        bin(r, i).map(|_| i as f64 * seconds(s.engine.sample_interval_ns))
    }),
    part("arrived", "requests", "Requests that arrived in the interval.", |_, r, i| {
        count(bin(r, i)?.counts.arrived)
    }),
    part("ok", "requests", "Requests answered in the interval.", |_, r, i| {
        count(bin(r, i)?.counts.of(Outcome::Ok))
    }),
    part("rejected", "requests", "Requests rejected in the interval.", |_, r, i| {
        count(bin(r, i)?.counts.of(Outcome::Rejected))
    }),
    part("refused", "requests", "Requests that ended refused in the interval.", |_, r, i| {
        count(bin(r, i)?.counts.of(Outcome::Refused))
    }),
    part("timed_out", "requests", "Requests given up in the interval.", |_, r, i| {
        count(bin(r, i)?.counts.of(Outcome::TimedOut))
    }),
    part("failed", "requests", "Requests answered with an error in the interval.", |_, r, i| {
        count(bin(r, i)?.counts.of(Outcome::Failed))
    }),
    part("lost", "requests", "Requests lost in the interval.", |_, r, i| {
        count(bin(r, i)?.counts.of(Outcome::Lost))
    }),
    part("dispatched", "attempts", "Attempts sent in the interval.", |_, r, i| {
        count(bin(r, i)?.dispatched)
    }),
    part("latency_ms_mean", "ms", "Mean latency of what ended `ok` in it.", |_, r, i| {
        let bin = bin(r, i)?;
        mean_ms(bin.latency_sum_ns, bin.counts.of(Outcome::Ok))
    }),
    part("latency_ms_p99", "ms", "99th percentile of the same latencies.", |_, r, i| {
        let bin = bin(r, i)?;
        (bin.counts.of(Outcome::Ok) > 0).then(|| milliseconds(bin.latency_p99_ns))
    }),
    part("active", "attempts", "In service at the end of the interval.", |_, r, i| {
        count(bin(r, i)?.active)
    }),
    part("waiting", "attempts", "Waiting in backlogs at its end.", |_, r, i| {
        count(bin(r, i)?.waiting)
    }),
    part("view_age_ms_mean", "ms", "Mean age of the beliefs sampled at its end.", |_, r, i| {
        let bin = bin(r, i)?;
        mean_ms(bin.view_age_sum_ns, bin.view_samples)
    }),
    part("view_error_mean", "requests", "Mean error of the loads they estimate.", |_, r, i| {
        let bin = bin(r, i)?;
        ratio(bin.view_error_sum as f64, bin.view_samples as f64)
    }),
    part("view_available_share", "share", "Share that takes its server for up.", |_, r, i| {
        let bin = bin(r, i)?;
        ratio(bin.view_available as f64, bin.view_samples as f64)
    }),
    part(
        "herd_share",
        "share",
        "Largest share of one server in the picks of a heartbeat interval that ended in this one.",
        |_, r, i| Some(bin(r, i)?.herd_max_ppm).filter(|&ppm| ppm > 0).map(|ppm| ppm as f64 / 1e6),
    ),
    part("view_divergence", "share", "Share of servers two nodes differ on.", |_, r, i| {
        let bin = bin(r, i)?;
        ratio(bin.view_divergent as f64, bin.view_compared as f64)
    }),
    part(
        "control_messages",
        "packets",
        "Heartbeats that came, probes, notes, packets of nodes.",
        |_, r, i| {
            let bin = bin(r, i)?;
            count(bin.reports + bin.notes + bin.peer_messages)
        },
    ),
    part("control_bytes", "bytes", "Bytes of the same, headers included.", |_, r, i| {
        let bin = bin(r, i)?;
        count(bin.reports * HEARTBEAT_BYTES + bin.notes * NOTE_BYTES + bin.peer_bytes)
    }),
    part("nodes_up", "nodes", "Nodes that are up at the end of the interval.", |_, r, i| {
        count(bin(r, i)?.nodes_up)
    }),
    part(
        "members_known",
        "nodes",
        "Live members that such a node knows, itself included, on the mean over them.",
        |_, r, i| {
            let bin = bin(r, i)?;
            ratio(bin.members_known as f64, bin.nodes_up as f64)
        },
    ),
    part("members_known_min", "nodes", "Fewest known by one of them.", |_, r, i| {
        let bin = bin(r, i)?;
        (bin.nodes_up > 0).then_some(bin.members_known_min as f64)
    }),
];
