//! The figures of a whole run.

use crate::judge::checks::CHECK_BYTES;
use crate::result::Outcome;
use crate::stats;
use crate::time::seconds;

use super::getters::{
    connections, count, dispatched, found, little_ratio, mean_ms, milliseconds, notes_per_s,
    offered_load, outcome, peer_bytes_per_s, peer_messages_per_s, quantile_ms, ratio,
    reports_per_s, span_ms_max, span_ms_mean, span_ms_quantile, success_rate, time_share,
    utilisations, window_ns, window_s,
};
use super::{HEARTBEAT_BYTES, Metric, efforts, members, run};
use crate::notes::NOTE_BYTES;

/// Every figure of a run, in column order.
pub static METRICS: &[Metric] = &[
    run("arrived", "requests", "Requests that arrived in the measurement window.", |_, r| {
        count(r.measured.arrived)
    }),
    run("ok", "requests", "Of those, answered in time.", |_, r| outcome(r, Outcome::Ok)).more_is_better(),
    run(
        "rejected",
        "requests",
        "Of those, turned away because the node found no eligible server.",
        |_, r| outcome(r, Outcome::Rejected),
    ).less_is_better(),
    run("refused", "requests", "Of those, given up after full servers refused them.", |_, r| {
        outcome(r, Outcome::Refused)
    }).less_is_better(),
    run("timed_out", "requests", "Of those, given up by the client.", |_, r| {
        outcome(r, Outcome::TimedOut)
    }).less_is_better(),
    run("failed", "requests", "Of those, answered with an error.", |_, r| {
        outcome(r, Outcome::Failed)
    }).less_is_better(),
    run("lost", "requests", "Of those, gone in the crash of a server or node.", |_, r| {
        outcome(r, Outcome::Lost)
    }).less_is_better(),
    run("in_flight", "requests", "Of those, still under way when the run ended.", |_, r| {
        outcome(r, Outcome::InFlight)
    }),
    run("success_rate", "share", "`ok` over `arrived`.", |_, r| success_rate(&r.measured)).more_is_better(),
    run("goodput_per_s", "1/s", "`ok` over the length of the measurement window.", |s, r| {
        ratio(r.measured.of(Outcome::Ok) as f64, window_s(s))
    }).more_is_better(),
    run(
        "latency_ms_mean",
        "ms",
        "Mean latency of `ok` requests: response at the node minus arrival at the node.",
        |_, r| mean_ms(r.latency_sum_ns, r.measured.of(Outcome::Ok)),
    ).less_is_better(),
    run("latency_ms_p50", "ms", "Median of the same latencies.", |_, r| {
        quantile_ms(&r.latency, 0.5)
    }).less_is_better(),
    run("latency_ms_p90", "ms", "90th percentile of the same latencies.", |_, r| {
        quantile_ms(&r.latency, 0.9)
    }).less_is_better(),
    run("latency_ms_p99", "ms", "99th percentile of the same latencies.", |_, r| {
        quantile_ms(&r.latency, 0.99)
    }).less_is_better(),
    run("latency_ms_p999", "ms", "99.9th percentile of the same latencies.", |_, r| {
        quantile_ms(&r.latency, 0.999)
    }).less_is_better(),
    run("latency_ms_p9999", "ms", "99.99th percentile of the same latencies.", |_, r| {
        quantile_ms(&r.latency, 0.9999)
    }).less_is_better(),
    run("latency_ms_max", "ms", "Largest of the same latencies.", |_, r| {
        (!r.latency.is_empty()).then(|| milliseconds(r.latency.max_ns()))
    }).less_is_better(),
    run(
        "wait_ms_mean",
        "ms",
        "Mean wait in the backlog of attempts that were served within the window.",
        |_, r| mean_ms(r.wait_sum_ns, r.served),
    ).less_is_better(),
    run("waited_share", "share", "Share of the same attempts that waited at all.", |_, r| {
        ratio(r.waited as f64, r.served as f64)
    }).less_is_better(),
    run("service_ms_mean", "ms", "Mean service time of the same attempts.", |_, r| {
        mean_ms(r.service_sum_ns, r.served)
    }),
    run(
        "little_ratio",
        "ratio",
        "Little's law: requests at the servers in samples of the window, over the rate of attempts \
         served within it times their time there; near 1 where there is a steady state.",
        little_ratio,
    ),
    run(
        "offered_load",
        "ratio",
        "Arrivals a second times the mean service time over the number of slots; from 1 on the \
         servers cannot keep up.",
        offered_load,
    ),
    run(
        "utilisation",
        "share",
        "Slot-time in service over all slot-time of the measurement window.",
        |s, r| {
            let busy_ns: u128 = r.servers.iter().map(|server| server.busy_ns).sum();
            ratio(busy_ns as f64, s.slots() as f64 * window_ns(s))
        },
    ),
    run(
        "imbalance_max_over_mean",
        "ratio",
        "Highest utilisation of a server over the mean of the servers; 1 is perfect balance.",
        |s, r| stats::max_over_mean(&utilisations(s, r)),
    ).less_is_better(),
    run(
        "imbalance_gini",
        "share",
        "Gini coefficient of the servers' utilisations; 0 is perfect balance.",
        |s, r| stats::gini(&utilisations(s, r)),
    ).less_is_better(),
    run(
        "herd_index",
        "share",
        "Share of all picks that went to the most picked server of a heartbeat interval, averaged \
         over the intervals.",
        |_, r| ratio(r.herd_sum_ppm as f64 / 1e6, r.herd_intervals as f64),
    ).less_is_better(),
    run(
        "view_age_ms_p50",
        "ms",
        "Median age of what the nodes believe about the servers, sampled at even intervals.",
        |_, r| quantile_ms(&r.view_age, 0.5),
    ).less_is_better(),
    run("view_age_ms_p99", "ms", "99th percentile of the same ages.", |_, r| {
        quantile_ms(&r.view_age, 0.99)
    }).less_is_better(),
    run(
        "view_error_mean",
        "requests",
        "Mean distance between the load a node estimates and the true one, in the same samples.",
        |_, r| ratio(r.view_error_sum as f64, r.view_samples as f64),
    ).less_is_better(),
    run(
        "view_divergence_mean",
        "share",
        "Share of servers of which two nodes hold different reports, over sampled pairs of nodes.",
        |_, r| ratio(r.consistency.divergent as f64, r.consistency.compared as f64),
    ).less_is_better(),
    run("view_divergence_max", "share", "Largest such share of one pair in one sample.", |_, r| {
        let known = r.consistency.compared > 0;
        known.then(|| r.consistency.divergence_max_ppm as f64 / 1e6)
    }).less_is_better(),
    run(
        "convergence_ms_p50",
        "ms",
        "Median time from when a node first holds a new report until all live nodes hold it or a \
         newer one, over sampled servers.",
        |_, r| quantile_ms(&r.consistency.convergence, 0.5),
    ).less_is_better(),
    run("convergence_ms_p99", "ms", "99th percentile of the same times.", |_, r| {
        quantile_ms(&r.consistency.convergence, 0.99)
    }).less_is_better(),
    run("convergence_ms_max", "ms", "Largest of the same times.", |_, r| {
        let times = &r.consistency.convergence;
        (!times.is_empty()).then(|| milliseconds(times.max_ns()))
    }).less_is_better(),
    run(
        "convergence_unfinished_total",
        "reports",
        "Watched reports that had not come to all live nodes by the end of the run.",
        |_, r| count(r.consistency.unfinished),
    ).less_is_better(),
    run(
        "dispatched_total",
        "attempts",
        "Attempts sent to servers in the whole run, warm-up and drain included.",
        |_, r| count(dispatched(r)),
    ),
    run("retried_total", "attempts", "Of those, beyond the first of their request.", |_, r| {
        count(r.nodes.iter().map(|node| node.retried).sum())
    }).less_is_better(),
    run(
        "retries_denied_total",
        "attempts",
        "Retries not made in the whole run because the retry budget was spent.",
        |_, r| count(r.nodes.iter().map(|node| node.retries_denied).sum()),
    ),
    run("retried_refused_total", "attempts", "Retries after a refusal.", efforts::refused),
    run("retried_lost_total", "attempts", "Retries after a server's crash.", efforts::lost),
    run("retried_failed_total", "attempts", "Retries after an error.", efforts::failed),
    run("retried_timed_out_total", "attempts", "Retries after a timeout.", efforts::timed_out),
    run("attempts_timed_out_total", "attempts", "Attempts given up.", efforts::attempts_timed_out)
        .less_is_better(),
    run("hedged_total", "attempts", "Attempts sent beside one that took long.", efforts::hedged),
    run("hedges_denied_total", "attempts", "Hedges beyond their budget.", efforts::hedges_denied),
    run("hedges_won_total", "requests", "Requests answered by a hedge.", efforts::hedges_won),
    run("cancels_total", "messages", "Cancellations sent to servers.", efforts::cancels),
    run("amplification", "ratio", "Attempts sent over requests arrived.", efforts::amplification)
        .less_is_better(),
    run("unawaited_total", "answers", "Good answers of the whole run that nobody waited for any more; known where clients do more than wait.", efforts::unawaited)
        .less_is_better(),
    run("wasted_share", "share", "Service time behind such answers or cut short by a cancellation, of all in the window; known where `unawaited_total` is.", efforts::wasted_share)
        .less_is_better(),
    run(
        "dispatched_dead_total",
        "attempts",
        "Attempts of the whole run that found their server down.",
        |_, r| count(r.servers.iter().map(|server| server.arrived_dead).sum()),
    ).less_is_better(),
    run(
        "dispatched_full_total",
        "attempts",
        "Attempts of the whole run that found slots and backlog full.",
        |_, r| count(r.servers.iter().map(|server| server.refused).sum()),
    ).less_is_better(),
    run(
        "dispatched_failed_total",
        "attempts",
        "Attempts of the whole run that their server answered with an error.",
        |_, r| count(r.servers.iter().map(|server| server.failed).sum()),
    ).less_is_better(),
    run(
        "dispatched_cut_total",
        "attempts",
        "Attempts of the whole run that a partition kept from their server.",
        |_, r| count(r.cut_off),
    ),
    run(
        "answers_cut_total",
        "answers",
        "Answers of the whole run that were waited for and that a partition kept from their node.",
        |_, r| count(r.nodes.iter().map(|node| node.answers_cut).sum()),
    ),
    run("shed_total", "attempts", "Attempts of the whole run that a server let in and then turned away.", |_, r| {
        count(r.servers.iter().map(|server| server.shed).sum())
    }).less_is_better(),
    run("cancelled_total", "attempts", "Attempts of the whole run that were taken back at their server.", |_, r| {
        count(r.servers.iter().map(|server| server.cancelled).sum())
    }),
    run("slowed_share", "share", "Share of the time in which an antagonist took speed, over servers.", |s, r| {
        time_share(s, r, |server| server.slowed_ns)
    }),
    run("paused_share", "share", "Share of the time spent in pauses, over servers.", |s, r| {
        time_share(s, r, |server| server.paused_ns)
    }),
    run(
        "misroute_share",
        "share",
        "Attempts that found their server down or full, of all attempts sent.",
        |_, r| {
            let lost = |s: &crate::result::ServerResult| s.arrived_dead + s.refused;
            let lost: u64 = r.servers.iter().map(lost).sum();
            ratio(lost as f64, dispatched(r) as f64)
        },
    ).less_is_better(),
    run(
        "detection_ms_mean",
        "ms",
        "Mean time from a server's crash until a node takes it for unavailable, over nodes and crashes; 0 where it did already.",
        |_, r| span_ms_mean(r, |found| &found.detection_ns),
    ).less_is_better(),
    run("detection_ms_p99", "ms", "99th percentile of the same times.", |_, r| {
        span_ms_quantile(r, 0.99, |found| &found.detection_ns)
    }).less_is_better(),
    run("detection_ms_max", "ms", "Longest of the same times.", |_, r| {
        span_ms_max(r, |found| &found.detection_ns)
    }).less_is_better(),
    run(
        "recovery_ms_mean",
        "ms",
        "Mean time from a server's return until a node takes it for available again.",
        |_, r| span_ms_mean(r, |found| &found.recovery_ns),
    ).less_is_better(),
    run("recovery_ms_p99", "ms", "99th percentile of the same times.", |_, r| {
        span_ms_quantile(r, 0.99, |found| &found.recovery_ns)
    }).less_is_better(),
    run("recovery_ms_max", "ms", "Longest of the same times.", |_, r| {
        span_ms_max(r, |found| &found.recovery_ns)
    }).less_is_better(),
    run(
        "discovery_ms_mean",
        "ms",
        "Mean time from a server's being there until the first news of it at a node that did not know it.",
        |_, r| span_ms_mean(r, |found| &found.discovery_ns),
    ).less_is_better(),
    run("discovery_ms_p99", "ms", "99th percentile of the same times.", |_, r| {
        span_ms_quantile(r, 0.99, |found| &found.discovery_ns)
    }).less_is_better(),
    run("discovery_ms_max", "ms", "Longest of the same times.", |_, r| {
        span_ms_max(r, |found| &found.discovery_ns)
    }).less_is_better(),
    run(
        "missed_failures_total",
        "failures",
        "Crashes that were over before a node had noticed, over nodes.",
        |_, r| found(r, |found| found.missed_failures),
    ).less_is_better(),
    run(
        "false_failures_total",
        "failures",
        "Times a node took a server for failed, by silence, rhythm or health checks, that was up.",
        |_, r| found(r, |found| found.false_failures),
    ).less_is_better(),
    run(
        "false_failure_share",
        "share",
        "Time of false failures over the time of all pairs of a node and a server.",
        |_, r| {
            let pairs = r.nodes.len() as f64 * r.servers.len() as f64;
            let ns: u128 = r.nodes.iter().map(|node| node.findings.false_failure_ns).sum();
            ratio(ns as f64, pairs * r.end_ns as f64)
        },
    ).less_is_better(),
    run("health_checks_per_s", "1/s", "Health checks that all nodes sent, a second.", |_, r| {
        ratio(found(r, |found| found.checks)?, seconds(r.end_ns))
    }).less_is_better(),
    run(
        "health_check_bytes_per_s",
        "bytes/s",
        "The same at 160 bytes a check, there and back; not part of `control_bytes_per_s`.",
        |_, r| {
            let bytes = found(r, |found| found.checks)? * CHECK_BYTES as f64;
            ratio(bytes, seconds(r.end_ns))
        },
    ).less_is_better(),
    run(
        "ejections_total",
        "ejections",
        "Times a node ejected a server for its answers.",
        |_, r| found(r, |found| found.ejections),
    ),
    run(
        "panics_total",
        "panics",
        "Times a node began to ignore its own judgement because too few servers were left.",
        |_, r| found(r, |found| found.panics),
    ),
    run(
        "reports_no_slots_total",
        "reports",
        "Reports without service slots, rejected; flaws are counted where `[trust]` is given.",
        |_, r| found(r, |found| found.flaws[0]),
    ),
    run(
        "reports_bad_latency_total",
        "reports",
        "Reports with a latency that no server can have; the one before stays.",
        |_, r| found(r, |found| found.flaws[1]),
    ),
    run(
        "reports_too_active_total",
        "reports",
        "Reports with more in service than slots.",
        |_, r| found(r, |found| found.flaws[2]),
    ),
    run(
        "reports_too_loaded_total",
        "reports",
        "Reports with more load than slots and backlog, cut to that.",
        |_, r| found(r, |found| found.flaws[3]),
    ),
    run("reports_late_total", "reports", "Reports older than what the node held.", |_, r| {
        found(r, |found| found.flaws[4])
    }),
    run(
        "reports_two_faced_total",
        "reports",
        "Reports of the version that the node held, with something else in them.",
        |_, r| found(r, |found| found.flaws[5]),
    ),
    run(
        "reports_far_off_total",
        "reports",
        "Reports with a latency far from what the node measured.",
        |_, r| found(r, |found| found.flaws[6]),
    ),
    run(
        "quarantines_total",
        "quarantines",
        "Times a node began to believe its own measurement instead of a server.",
        |_, r| found(r, |found| found.quarantines),
    ),
    run(
        "queued_total",
        "requests",
        "Requests of the whole run that waited at a node for an eligible server.",
        |_, r| found(r, |found| found.queued),
    ),
    run(
        "least_bad_total",
        "requests",
        "Requests of the whole run sent to the least bad server, none being eligible.",
        |_, r| found(r, |found| found.least_bad),
    ),
    run(
        "members_formed_ms",
        "ms",
        "Time from the start until every node knew every node that was there from the start; \
         figures of members are known where `[membership]` is given.",
        members::formed_ms,
    ).less_is_better(),
    run("members_known_ms_mean", "ms",
        "Mean time from a node's later coming or going until all live nodes knew.",
        members::known_ms_mean,
    ).less_is_better(),
    run("members_known_ms_max", "ms", "Longest of the same times.", members::known_ms_max)
        .less_is_better(),
    run(
        "members_missed_total",
        "changes",
        "Comings and goings that not all live nodes knew before the next one of the same node or \
         the end of the run.",
        members::missed,
    ).less_is_better(),
    run(
        "first_suspicion_ms_mean",
        "ms",
        "Mean time from the crash of a node until the first member came by its own probes to suspect it.",
        members::first_suspicion_ms_mean,
    ).less_is_better(),
    run("first_suspicion_ms_max", "ms", "Longest of the same times.", members::first_suspicion_ms_max)
        .less_is_better(),
    run("false_suspicions_total", "suspicions",
        "Times a node came by its own probes to suspect another that was up.",
        members::false_suspicions,
    ).less_is_better(),
    run("false_deaths_total", "deaths",
        "Times a node came to hold another for dead that was up.",
        members::false_deaths,
    ).less_is_better(),
    run(
        "member_messages_per_s",
        "1/s",
        "Packets about membership that all nodes sent, a second; part of `peer_messages_per_s`.",
        members::messages_per_s,
    ).less_is_better(),
    run("member_bytes_per_s", "bytes/s",
        "Bytes of those packets, headers included, a second.",
        members::bytes_per_s,
    ).less_is_better(),
    run(
        "connections_mean",
        "nodes",
        "LB nodes that have a server in their subset when the run ends, mean over the configured \
         servers; unknown without `[subset]`.",
        |s, r| connections(s, r).map(|(mean, _)| mean),
    ),
    run(
        "connections_cv",
        "ratio",
        "Their standard deviation over servers, divided by the mean.",
        |s, r| connections(s, r)?.1,
    ).less_is_better(),
    run("reports_per_s", "1/s", "Heartbeats that arrived at all nodes, a second.", reports_per_s),
    run(
        "peer_messages_per_s",
        "1/s",
        "Packets that nodes sent to each other, lost ones included, a second.",
        peer_messages_per_s,
    ).less_is_better(),
    run(
        "peer_bytes_per_s",
        "bytes/s",
        "Bytes of those packets, headers included, a second.",
        peer_bytes_per_s,
    ).less_is_better(),
    run(
        "notes_per_s",
        "1/s",
        "Probes that nodes sent, and notes of servers that came on their own, a second.",
        notes_per_s,
    ).less_is_better(),
    run(
        "control_messages_per_s",
        "1/s",
        "`reports_per_s`, `notes_per_s` and `peer_messages_per_s` together.",
        |s, r| Some(reports_per_s(s, r)? + notes_per_s(s, r)? + peer_messages_per_s(s, r)?),
    ).less_is_better(),
    run(
        "control_bytes_per_s",
        "bytes/s",
        "`peer_bytes_per_s`, `reports_per_s` at 72 bytes a heartbeat (44 of payload and 28 of \
         IPv4 and UDP headers) and `notes_per_s` at 48.",
        |s, r| {
            let reports = reports_per_s(s, r)? * HEARTBEAT_BYTES as f64;
            Some(reports + notes_per_s(s, r)? * NOTE_BYTES as f64 + peer_bytes_per_s(s, r)?)
        },
    ).less_is_better(),
    run(
        "decisions_per_s",
        "1/s",
        "Choices of a server by all nodes, a second of simulated time.",
        |_, r| ratio(dispatched(r) as f64, seconds(r.end_ns)),
    ),
];
