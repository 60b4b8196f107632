//! The figures of one node.

use crate::result::Outcome;

use super::getters::{count, mean_ms, node, success_rate};
use super::{PartColumn, part};

/// What each node did: `nodes.csv`.
pub static NODE_COLUMNS: &[PartColumn] = &[
    part("node", "id", "Number of the node, from 0.", |_, r, i| {
        node(r, i).and_then(|_| count(i as u64))
    }),
    part("arrived", "requests", "Requests that arrived here in the window.", |_, r, i| {
        count(node(r, i)?.measured.arrived)
    }),
    part("ok", "requests", "Of those, answered in time.", |_, r, i| {
        count(node(r, i)?.measured.of(Outcome::Ok))
    }),
    part("rejected", "requests", "Of those, without an eligible server.", |_, r, i| {
        count(node(r, i)?.measured.of(Outcome::Rejected))
    }),
    part("refused", "requests", "Of those, refused by full servers.", |_, r, i| {
        count(node(r, i)?.measured.of(Outcome::Refused))
    }),
    part("timed_out", "requests", "Of those, given up by the client.", |_, r, i| {
        count(node(r, i)?.measured.of(Outcome::TimedOut))
    }),
    part("failed", "requests", "Of those, answered with an error.", |_, r, i| {
        count(node(r, i)?.measured.of(Outcome::Failed))
    }),
    part("lost", "requests", "Of those, gone in a crash.", |_, r, i| {
        count(node(r, i)?.measured.of(Outcome::Lost))
    }),
    part("in_flight", "requests", "Of those, under way at the end of the run.", |_, r, i| {
        count(node(r, i)?.measured.of(Outcome::InFlight))
    }),
    part("success_rate", "share", "`ok` over `arrived`.", |_, r, i| {
        success_rate(&node(r, i)?.measured)
    }),
    part("latency_ms_mean", "ms", "Mean latency of its `ok` requests.", |_, r, i| {
        let node = node(r, i)?;
        mean_ms(node.latency_sum_ns, node.measured.of(Outcome::Ok))
    }),
    part("dispatched_total", "attempts", "Attempts it sent in the whole run.", |_, r, i| {
        count(node(r, i)?.dispatched)
    }),
    part("retried_total", "attempts", "Of those, beyond the first of a request.", |_, r, i| {
        count(node(r, i)?.retried)
    }),
    part("retries_denied_total", "attempts", "Retries its budget did not allow.", |_, r, i| {
        count(node(r, i)?.retries_denied)
    }),
    part("reports_total", "heartbeats", "Heartbeats that reached it.", |_, r, i| {
        count(node(r, i)?.reports)
    }),
    part("peer_messages_total", "packets", "Packets it sent to other nodes.", |_, r, i| {
        count(node(r, i)?.peer_messages)
    }),
    part("peer_bytes_total", "bytes", "Bytes of those packets, headers included.", |_, r, i| {
        count(node(r, i)?.peer_bytes)
    }),
];
