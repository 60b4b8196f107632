//! The one table of figures: what each is called, its unit, its meaning and how to get it.
//!
//! The headers and rows of every CSV file, the summary on the terminal, the JSON object, the
//! names allowed under `[expect]` and `data/README.md` all come from here, so they cannot differ.
//! A figure that is not known (a mean of nothing, say) is `None` and becomes an empty cell: it is
//! not 0.

mod getters;

use crate::config::{Choices, DrawTies, LatencyTies, LoadSignal, PolicyConfig, Scenario};
use crate::result::{Outcome, RunResult};
use crate::stats;
use crate::time::seconds;

use getters::{
    bin, count, dispatched, group, mean_ms, milliseconds, node, offered_load, outcome, quantile_ms,
    ratio, reports_per_s, server, success_rate, utilisation, utilisations, window_ns, window_s,
};

/// What one heartbeat to one node costs on the wire [bytes]: server id 4, incarnation 4,
/// sequence 8, time sent 8, active 4, waiting 4, capacity 4, mean latency 8, and 28 of IPv4 and
/// UDP headers.
pub const HEARTBEAT_BYTES: u64 = 72;

/// A column of text or of a number that says which row this is.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// Name in the header.
    pub name: &'static str,
    /// What it says, in one sentence.
    pub meaning: &'static str,
}

/// A figure of a whole run: a column of `runs.csv`.
#[derive(Clone, Copy, Debug)]
pub struct Metric {
    /// Name in the header, under `[expect]` and in JSON.
    pub name: &'static str,
    /// Unit of the value.
    pub unit: &'static str,
    /// What it says, in one sentence.
    pub meaning: &'static str,
    /// The value, where it is known.
    pub get: fn(&Scenario, &RunResult) -> Option<f64>,
}

/// A figure of a part of a run (a server, a node, an interval), chosen by its index.
#[derive(Clone, Copy, Debug)]
pub struct PartColumn {
    /// Name in the header.
    pub name: &'static str,
    /// Unit of the value.
    pub unit: &'static str,
    /// What it says, in one sentence.
    pub meaning: &'static str,
    /// The value, where it is known. `None` also for an index beyond the last part.
    pub get: fn(&Scenario, &RunResult, usize) -> Option<f64>,
}

/// Columns that come first in `runs.csv`.
pub const RUN_KEYS: [Key; 5] = [
    Key { name: "name", meaning: "Name of the scenario." },
    POLICY_KEY,
    Key {
        name: "policy_params",
        meaning: "Parameters of the policy, as `key=value` joined by `;`.",
    },
    Key { name: "seed", meaning: "Seed of all randomness." },
    REPLICATION_KEY,
];

/// Columns that come first in `servers.csv`, `nodes.csv` and `timeseries.csv`.
pub const PART_KEYS: [Key; 2] = [POLICY_KEY, REPLICATION_KEY];

const POLICY_KEY: Key = Key {
    name: "policy",
    meaning: "Name of the policy; a second one of the same kind has `-2` behind its name.",
};
const REPLICATION_KEY: Key = Key {
    name: "replication",
    meaning: "Number of the replication, from 0; equal numbers share their random draws.",
};

/// The metric of this name.
pub fn metric(name: &str) -> Option<&'static Metric> {
    METRICS.iter().find(|metric| metric.name == name)
}

/// Every figure of a run, in column order.
pub static METRICS: &[Metric] = &[
    run("arrived", "requests", "Requests that arrived in the measurement window.", |_, r| {
        count(r.measured.arrived)
    }),
    run("ok", "requests", "Of those, answered in time.", |_, r| outcome(r, Outcome::Ok)),
    run(
        "rejected",
        "requests",
        "Of those, turned away because the node found no eligible server.",
        |_, r| outcome(r, Outcome::Rejected),
    ),
    run("refused", "requests", "Of those, given up after full servers refused them.", |_, r| {
        outcome(r, Outcome::Refused)
    }),
    run("timed_out", "requests", "Of those, given up by the client.", |_, r| {
        outcome(r, Outcome::TimedOut)
    }),
    run("failed", "requests", "Of those, answered with an error.", |_, r| {
        outcome(r, Outcome::Failed)
    }),
    run("lost", "requests", "Of those, gone in the crash of a server or node.", |_, r| {
        outcome(r, Outcome::Lost)
    }),
    run("in_flight", "requests", "Of those, still under way when the run ended.", |_, r| {
        outcome(r, Outcome::InFlight)
    }),
    run("success_rate", "share", "`ok` over `arrived`.", |_, r| success_rate(&r.measured)),
    run("goodput_per_s", "1/s", "`ok` over the length of the measurement window.", |s, r| {
        ratio(r.measured.of(Outcome::Ok) as f64, window_s(s))
    }),
    run(
        "latency_ms_mean",
        "ms",
        "Mean latency of `ok` requests: response at the node minus arrival at the node.",
        |_, r| mean_ms(r.latency_sum_ns, r.measured.of(Outcome::Ok)),
    ),
    run("latency_ms_p50", "ms", "Median of the same latencies.", |_, r| {
        quantile_ms(&r.latency, 0.5)
    }),
    run("latency_ms_p90", "ms", "90th percentile of the same latencies.", |_, r| {
        quantile_ms(&r.latency, 0.9)
    }),
    run("latency_ms_p99", "ms", "99th percentile of the same latencies.", |_, r| {
        quantile_ms(&r.latency, 0.99)
    }),
    run("latency_ms_p999", "ms", "99.9th percentile of the same latencies.", |_, r| {
        quantile_ms(&r.latency, 0.999)
    }),
    run("latency_ms_p9999", "ms", "99.99th percentile of the same latencies.", |_, r| {
        quantile_ms(&r.latency, 0.9999)
    }),
    run("latency_ms_max", "ms", "Largest of the same latencies.", |_, r| {
        (!r.latency.is_empty()).then(|| milliseconds(r.latency.max_ns()))
    }),
    run(
        "wait_ms_mean",
        "ms",
        "Mean wait in the backlog of attempts that were served within the window.",
        |_, r| mean_ms(r.wait_sum_ns, r.served),
    ),
    run("service_ms_mean", "ms", "Mean service time of the same attempts.", |_, r| {
        mean_ms(r.service_sum_ns, r.served)
    }),
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
    ),
    run(
        "imbalance_gini",
        "share",
        "Gini coefficient of the servers' utilisations; 0 is perfect balance.",
        |s, r| stats::gini(&utilisations(s, r)),
    ),
    run(
        "herd_index",
        "share",
        "Share of all picks that went to the most picked server of a heartbeat interval, averaged \
         over the intervals.",
        |_, r| ratio(r.herd_sum_ppm as f64 / 1e6, r.herd_intervals as f64),
    ),
    run(
        "view_age_ms_p50",
        "ms",
        "Median age of what the nodes believe about the servers, sampled at even intervals.",
        |_, r| quantile_ms(&r.view_age, 0.5),
    ),
    run("view_age_ms_p99", "ms", "99th percentile of the same ages.", |_, r| {
        quantile_ms(&r.view_age, 0.99)
    }),
    run(
        "view_error_mean",
        "requests",
        "Mean distance between the load a node estimates and the true one, in the same samples.",
        |_, r| ratio(r.view_error_sum as f64, r.view_samples as f64),
    ),
    run(
        "dispatched_total",
        "attempts",
        "Attempts sent to servers in the whole run, warm-up and drain included.",
        |_, r| count(dispatched(r)),
    ),
    run("retried_total", "attempts", "Of those, beyond the first of their request.", |_, r| {
        count(r.nodes.iter().map(|node| node.retried).sum())
    }),
    run(
        "retries_denied_total",
        "attempts",
        "Retries not made in the whole run because the retry budget was spent.",
        |_, r| count(r.nodes.iter().map(|node| node.retries_denied).sum()),
    ),
    run(
        "dispatched_dead_total",
        "attempts",
        "Attempts of the whole run that found their server down.",
        |_, r| count(r.servers.iter().map(|server| server.arrived_dead).sum()),
    ),
    run(
        "dispatched_full_total",
        "attempts",
        "Attempts of the whole run that found slots and backlog full.",
        |_, r| count(r.servers.iter().map(|server| server.refused).sum()),
    ),
    run(
        "dispatched_failed_total",
        "attempts",
        "Attempts of the whole run that their server answered with an error.",
        |_, r| count(r.servers.iter().map(|server| server.failed).sum()),
    ),
    run("reports_per_s", "1/s", "Heartbeats that arrived at all nodes, a second.", reports_per_s),
    run(
        "control_bytes_per_s",
        "bytes/s",
        "`reports_per_s` at 72 bytes a heartbeat: 44 of payload and 28 of IPv4 and UDP headers.",
        |s, r| reports_per_s(s, r).map(|per_s| per_s * HEARTBEAT_BYTES as f64),
    ),
    run(
        "decisions_per_s",
        "1/s",
        "Choices of a server by all nodes, a second of simulated time.",
        |_, r| ratio(dispatched(r) as f64, seconds(r.end_ns)),
    ),
];

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
    part("picks", "attempts", "Attempts that arrived in the window, let in or not.", |_, r, i| {
        count(server(r, i)?.picks)
    }),
    part("picks_share", "share", "Its share of the `picks` of all servers.", |_, r, i| {
        let all: u64 = r.servers.iter().map(|server| server.picks).sum();
        ratio(server(r, i)?.picks as f64, all as f64)
    }),
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
];

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
];

/// The names of a scenario's policies, made distinct: a second one of a kind is `<name>-2`.
pub fn policy_labels(scenario: &Scenario) -> Vec<String> {
    let policies = &scenario.policies;
    let nth = |i: usize| policies[..=i].iter().filter(|p| p.name() == policies[i].name()).count();
    (0..policies.len())
        .map(|i| match nth(i) {
            1 => policies[i].name().to_owned(),
            n => format!("{}-{n}", policies[i].name()),
        })
        .collect()
}

/// The parameters of a policy as `key=value` joined by `;`, for the column `policy_params`.
pub fn policy_params(policy: &PolicyConfig) -> String {
    match policy {
        PolicyConfig::LowestLatency { own_sends, ties, capacity_gate } => {
            let ties = match ties {
                LatencyTies::Random => "random",
                LatencyTies::Id => "id",
            };
            format!("own_sends={own_sends};ties={ties};capacity_gate={capacity_gate}")
        }
        PolicyConfig::Random { capacity_gate } => format!("capacity_gate={capacity_gate}"),
        PolicyConfig::RoundRobin { random_start, capacity_gate } => {
            format!("random_start={random_start};capacity_gate={capacity_gate}")
        }
        PolicyConfig::TwoChoices { choices, replacement, signal, ties, capacity_gate } => {
            let choices = match choices {
                Choices::Count(n) => n.to_string(),
                Choices::All => "all".to_owned(),
            };
            let signal = match signal {
                LoadSignal::Own => "own",
                LoadSignal::Reported => "reported",
                LoadSignal::Combined => "combined",
            };
            let ties = match ties {
                DrawTies::First => "first",
                DrawTies::Random => "random",
            };
            format!(
                "choices={choices};replacement={replacement};signal={signal};ties={ties};\
                 capacity_gate={capacity_gate}"
            )
        }
    }
}

/// A row of [`METRICS`]; only here so that the table reads as one.
const fn run(
    name: &'static str,
    unit: &'static str,
    meaning: &'static str,
    get: fn(&Scenario, &RunResult) -> Option<f64>,
) -> Metric {
    Metric { name, unit, meaning, get }
}

/// A row of the other tables.
const fn part(
    name: &'static str,
    unit: &'static str,
    meaning: &'static str,
    get: fn(&Scenario, &RunResult, usize) -> Option<f64>,
) -> PartColumn {
    PartColumn { name, unit, meaning, get }
}

/// A small scenario and a run of it with figures that are easy to check by hand.
#[cfg(test)]
pub(crate) mod fixture {
    use super::Scenario;
    use crate::config::ServerGroup;
    use crate::config::{
        Arrivals, EngineConfig, Fanout, HeartbeatConfig, JudgementConfig, NetworkConfig,
        NodesConfig, PolicyConfig, Retries, WorkloadConfig,
    };
    use crate::latency_table::LatencyTable;
    use crate::law::{DelayLaw, ServiceLaw};
    use crate::result::{Bin, Counts, NodeResult, RunResult, ServerResult};
    use crate::time::{MICROSECOND, MILLISECOND, SECOND};

    /// 2 servers of 2 slots and 1 of 4; 10 s, nothing cut off as warm-up.
    pub fn scenario() -> Scenario {
        let group = |count, capacity, speed| ServerGroup {
            name: None,
            count,
            capacity,
            backlog: Some(4),
            service: ServiceLaw::Exponential { mean_ns: 10e6 },
            speed,
        };
        let delay = DelayLaw::Constant { mean_ns: 500 * MICROSECOND };
        Scenario {
            name: "fixture".to_owned(),
            duration_ns: 10 * SECOND,
            warmup_ns: 0,
            drain_ns: SECOND,
            seed: 1,
            replications: 1,
            engine: EngineConfig {
                tick_ns: 500 * MICROSECOND,
                quantum_ns: MILLISECOND,
                sample_interval_ns: 100 * MILLISECOND,
            },
            network: NetworkConfig {
                node_server: delay.clone(),
                server_node: delay.clone(),
                node_node: delay,
            },
            nodes: NodesConfig { count: 2, failover_delay_ns: SECOND },
            servers: vec![group(2, 2, 1.0), group(1, 4, 2.0)],
            workload: WorkloadConfig {
                arrivals: Arrivals::Poisson { rate: 100.0 },
                timeout_ns: None,
                retries: Retries { max: 0, budget_ppm: 0 },
            },
            policies: vec![
                PolicyConfig::Random { capacity_gate: true },
                PolicyConfig::RoundRobin { random_start: true, capacity_gate: true },
                PolicyConfig::Random { capacity_gate: false },
            ],
            heartbeat: HeartbeatConfig {
                interval_ns: 100 * MILLISECOND,
                jitter: 0.1,
                synchronised: false,
                loss: 0.0,
                fanout: Fanout::All,
                failure_timeout_ns: 350 * MILLISECOND,
                latency_alpha: 0.1,
                latency_decay_ns: None,
            },
            gossip: None,
            judgement: JudgementConfig::default(),
            membership: None,
            faults: Vec::new(),
            chaos: None,
            expect: Vec::new(),
        }
    }

    /// 1 000 requests, 990 of them answered after 1 ms to 990 ms.
    pub fn result() -> RunResult {
        let mut latency = LatencyTable::default();
        (1..=990).for_each(|ms| latency.record(ms * MILLISECOND));
        let latency_sum_ns = 990 * 991 / 2 * u128::from(MILLISECOND);
        let measured = Counts { arrived: 1000, by_outcome: [990, 1, 4, 2, 1, 1, 1] };
        let server = |busy_s: u128, picks| ServerResult {
            busy_ns: busy_s * u128::from(SECOND),
            picks,
            refused: 2,
            arrived_dead: 1,
            ..ServerResult::default()
        };
        let node = NodeResult {
            measured,
            latency_sum_ns,
            dispatched: 1100,
            retried: 100,
            retries_denied: 3,
            reports: 300,
            ..NodeResult::default()
        };
        RunResult {
            policy: 0,
            replication: 0,
            end_ns: 12 * SECOND,
            total: measured,
            measured,
            latency,
            latency_sum_ns,
            wait_sum_ns: 500 * u128::from(MILLISECOND),
            service_sum_ns: 10_000 * u128::from(MILLISECOND),
            served: 1000,
            // Utilisations 0.5, 0.25 and 0.25.
            servers: vec![server(10, 100), server(5, 100), server(10, 200)],
            nodes: vec![node, NodeResult::default()],
            series: vec![Bin { active: 1, ..Bin::default() }; 100],
            view_age: LatencyTable::default(),
            view_error_sum: 30,
            view_samples: 20,
            herd_sum_ppm: 1_500_000,
            herd_intervals: 6,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn value(name: &str) -> Option<f64> {
        (metric(name).expect(name).get)(&fixture::scenario(), &fixture::result())
    }

    #[test]
    fn every_metric_of_the_fixture_is_what_a_hand_calculation_gives() {
        let expected = [
            ("arrived", 1000.0),
            ("ok", 990.0),
            ("rejected", 1.0),
            ("refused", 4.0),
            ("timed_out", 2.0),
            ("failed", 1.0),
            ("lost", 1.0),
            ("in_flight", 1.0),
            ("success_rate", 0.99),
            ("goodput_per_s", 99.0),
            ("latency_ms_mean", 495.5),
            ("latency_ms_max", 990.0),
            ("wait_ms_mean", 0.5),
            ("service_ms_mean", 10.0),
            // 100 a second of 10 ms each on 8 slots.
            ("offered_load", 0.125),
            // 25 s of 80 s of slot-time.
            ("utilisation", 0.3125),
            ("imbalance_max_over_mean", 1.5),
            // Differences of ordered pairs: 4 of 0.25 and 5 of 0; mean 1/9, halved over 1/3.
            ("imbalance_gini", 1.0 / 6.0),
            ("herd_index", 0.25),
            ("view_error_mean", 1.5),
            ("dispatched_total", 1100.0),
            ("retried_total", 100.0),
            ("retries_denied_total", 3.0),
            ("dispatched_dead_total", 3.0),
            ("dispatched_full_total", 6.0),
            ("reports_per_s", 25.0),
            ("control_bytes_per_s", 1800.0),
            ("decisions_per_s", 1100.0 / 12.0),
        ];
        for (name, expected) in expected {
            let found = value(name).expect(name);
            assert!((found - expected).abs() < 1e-9, "{name} is {found}, not {expected}");
        }
    }

    #[test]
    fn percentiles_are_within_the_table_s_precision() {
        for (name, expected) in [
            ("latency_ms_p50", 495.0),
            ("latency_ms_p90", 891.0),
            ("latency_ms_p99", 981.0),
            ("latency_ms_p999", 990.0),
            ("latency_ms_p9999", 990.0),
        ] {
            let found = value(name).expect(name);
            assert!((found / expected - 1.0).abs() < 0.002, "{name} is {found}, not {expected}");
        }
    }

    #[test]
    fn what_was_not_measured_is_unknown_and_not_zero() {
        assert_eq!(value("view_age_ms_p50"), None);
        let (mut scenario, mut result) = (fixture::scenario(), fixture::result());
        scenario.warmup_ns = scenario.duration_ns;
        result.end_ns = 0;
        result.measured = crate::result::Counts::default();
        result.latency = crate::latency_table::LatencyTable::default();
        result.served = 0;
        for name in [
            "success_rate",
            "goodput_per_s",
            "latency_ms_mean",
            "latency_ms_p50",
            "latency_ms_max",
            "wait_ms_mean",
            "offered_load",
            "utilisation",
            "imbalance_gini",
            "reports_per_s",
            "decisions_per_s",
        ] {
            let metric = metric(name).expect(name);
            assert_eq!((metric.get)(&scenario, &result), None, "{name}");
        }
    }

    #[test]
    fn no_value_of_a_part_exists_beyond_the_last_part() {
        let (scenario, result) = (fixture::scenario(), fixture::result());
        for (columns, length) in [(SERVER_COLUMNS, 3), (NODE_COLUMNS, 2), (SERIES_COLUMNS, 100)] {
            assert!((columns[0].get)(&scenario, &result, length - 1).is_some());
            for column in columns {
                assert_eq!((column.get)(&scenario, &result, length), None, "{}", column.name);
            }
        }
    }

    #[test]
    fn servers_know_their_group() {
        let (scenario, result) = (fixture::scenario(), fixture::result());
        let column = |name: &str, server: usize| {
            let column = SERVER_COLUMNS.iter().find(|column| column.name == name).expect(name);
            (column.get)(&scenario, &result, server)
        };
        assert_eq!([column("group", 1), column("group", 2)], [Some(0.0), Some(1.0)]);
        assert_eq!([column("capacity", 1), column("capacity", 2)], [Some(2.0), Some(4.0)]);
        assert_eq!([column("utilisation", 0), column("utilisation", 2)], [Some(0.5), Some(0.25)]);
        assert_eq!(column("picks_share", 2), Some(0.5));
    }

    fn assert_well_named(
        keys: &[Key],
        columns: impl Iterator<Item = (&'static str, &'static str)>,
    ) {
        let mut seen: BTreeSet<&str> = keys.iter().map(|key| key.name).collect();
        assert_eq!(seen.len(), keys.len());
        for (name, unit) in columns {
            assert!(seen.insert(name), "{name} twice");
            assert_eq!(name.contains("_ms"), unit == "ms", "{name} in {unit}");
            assert_eq!(name.ends_with("_per_s"), unit.ends_with("/s"), "{name} in {unit}");
        }
    }

    #[test]
    fn names_are_distinct_and_carry_their_unit() {
        assert_well_named(&RUN_KEYS, METRICS.iter().map(|metric| (metric.name, metric.unit)));
        for columns in [SERVER_COLUMNS, NODE_COLUMNS, SERIES_COLUMNS] {
            assert_well_named(&PART_KEYS, columns.iter().map(|column| (column.name, column.unit)));
        }
    }

    #[test]
    fn a_second_policy_of_a_kind_gets_a_name_of_its_own() {
        assert_eq!(policy_labels(&fixture::scenario()), ["random", "round_robin", "random-2"]);
    }

    #[test]
    fn the_stated_cost_of_a_heartbeat_is_the_one_that_counts() {
        let meaning = metric("control_bytes_per_s").expect("a metric").meaning;
        assert!(meaning.contains(&format!("{HEARTBEAT_BYTES} bytes")));
    }
}
