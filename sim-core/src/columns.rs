//! The one table of figures: what each is called, its unit, its meaning and how to get it.
//!
//! The headers and rows of every CSV file, the summary on the terminal, the JSON object, the
//! names allowed under `[expect]` and `data/README.md` all come from here, so they cannot differ.
//! A figure that is not known (a mean of nothing, say) is `None` and becomes an empty cell: it is
//! not 0.

mod efforts; // what clients do beyond waiting
mod getters;
mod members; // what nodes know of each other
mod nodes;
mod runs;
mod series;
mod servers;
pub mod sweeps;

use crate::config::{PolicyConfig, Scenario};
use crate::result::RunResult;
use crate::stats::contest::Direction;

pub use nodes::NODE_COLUMNS;
pub use runs::METRICS;
pub use series::SERIES_COLUMNS;
pub use servers::SERVER_COLUMNS;

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
    /// Which of two values is better; `None` where that is no question of the figure alone.
    pub better: Option<Direction>,
    /// The value, where it is known.
    pub get: fn(&Scenario, &RunResult) -> Option<f64>,
}

impl Metric {
    const fn less_is_better(mut self) -> Self {
        self.better = Some(Direction::Less);
        self
    }

    const fn more_is_better(mut self) -> Self {
        self.better = Some(Direction::More);
        self
    }
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

/// Columns between the keys and the figures of `runs.csv`: what was made of the run.
pub const RUN_NOTES: [Key; 2] = [
    Key {
        name: "warmup_s",
        meaning: "Warm-up [s]: given, or found by pilot runs with `warmup = \"auto\"`.",
    },
    Key {
        name: "verdict",
        meaning: "`stable`, `backlogged` or `overloaded`: whether figures describe a steady state, from all replications together.",
    },
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
    policy.params()
}

/// A row of [`METRICS`]; only here so that the table reads as one.
const fn run(
    name: &'static str,
    unit: &'static str,
    meaning: &'static str,
    get: fn(&Scenario, &RunResult) -> Option<f64>,
) -> Metric {
    Metric { name, unit, meaning, better: None, get }
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
    use crate::config::{
        Arrivals, ClientsConfig, EngineConfig, Fanout, HeartbeatConfig, JudgementConfig,
        NetworkConfig, NodesConfig, PolicyConfig, RandomConfig, Retries, RoundRobinConfig,
        WorkloadConfig,
    };
    use crate::config::{Conduct, ServerGroup};
    use crate::latency_table::LatencyTable;
    use crate::law::{DelayLaw, ServiceLaw};
    use crate::result::{
        Bin, ConsistencyResult, Counts, MembershipResult, NodeResult, RunResult, ServerResult,
    };
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
            conduct: Conduct::default(),
            weight: 1.0,
            priority: 0,
        };
        let delay = DelayLaw::Constant { mean_ns: 500 * MICROSECOND };
        Scenario {
            name: "fixture".to_owned(),
            duration_ns: 10 * SECOND,
            warmup_ns: 0,
            warmup_auto: false,
            drain_ns: SECOND,
            seed: 1,
            replications: 1,
            replications_max: 1,
            target: Vec::new(),
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
                keys: None,
                timeout_ns: None,
                retries: Retries { max: 0, budget_ppm: 0 },
                clients: ClientsConfig::default(),
            },
            policies: vec![
                PolicyConfig::Random(RandomConfig { capacity_gate: true }),
                PolicyConfig::RoundRobin(RoundRobinConfig {
                    random_start: true,
                    capacity_gate: true,
                }),
                PolicyConfig::Random(RandomConfig { capacity_gate: false }),
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
            subset: None,
            priorities: crate::config::PrioritiesConfig::default(),
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
        (1..=990).for_each(|ms| _ = latency.record(ms * MILLISECOND));
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
            answers_cut: 2,
            peer_messages: 120,
            peer_bytes: 12_000,
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
            waited: 250,
            // Utilisations 0.5, 0.25 and 0.25.
            servers: vec![server(10, 100), server(5, 100), server(10, 200)],
            nodes: vec![node, NodeResult::default()],
            series: vec![Bin { active: 1, ..Bin::default() }; 100],
            view_age: LatencyTable::default(),
            view_error_sum: 30,
            view_samples: 20,
            herd_sum_ppm: 1_500_000,
            herd_intervals: 6,
            cut_off: 5,
            membership: MembershipResult::default(),
            consistency: ConsistencyResult {
                compared: 600,
                divergent: 150,
                divergence_max_ppm: 750_000,
                convergence: LatencyTable::default(),
                unfinished: 2,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::MembershipConfig;
    use crate::result::MemberCounts;
    use crate::time::SECOND;
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
            // 1 seen in every sample; 10.5 s of stays in 10 s.
            ("little_ratio", 1.0 / 1.05),
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
            ("dispatched_cut_total", 5.0),
            ("answers_cut_total", 2.0),
            ("reports_per_s", 25.0),
            ("peer_messages_per_s", 10.0),
            ("peer_bytes_per_s", 1000.0),
            ("control_messages_per_s", 35.0),
            ("control_bytes_per_s", 2800.0),
            ("view_divergence_mean", 0.25),
            ("view_divergence_max", 0.75),
            ("convergence_unfinished_total", 2.0),
            ("decisions_per_s", 1100.0 / 12.0),
        ];
        for (name, expected) in expected {
            let found = value(name).expect(name);
            assert!((found - expected).abs() < 1e-9, "{name} is {found}, not {expected}");
        }
    }

    #[test]
    fn figures_of_members_are_known_only_with_membership() {
        let get = |scenario: &Scenario, result: &RunResult, name: &str| {
            (metric(name).expect(name).get)(scenario, result)
        };
        let (mut scenario, mut result) = (fixture::scenario(), fixture::result());
        result.nodes[1].members =
            MemberCounts { messages: 36, bytes: 2400, false_suspicions: 3, false_deaths: 1 };
        result.membership.changes_missed = 1;
        let of_members = METRICS.iter().map(|metric| metric.name);
        let of_members = of_members
            .filter(|name| name.contains("member") || name.starts_with("false_suspicions"))
            .chain(["false_deaths_total"]);
        for name in of_members {
            assert_eq!(get(&scenario, &result, name), None, "{name} without [membership]");
        }
        scenario.membership = Some(MembershipConfig::lan(2));
        for (name, expected) in [
            // Nothing has become known, so the times are not 0 but unknown.
            ("members_formed_ms", None),
            ("members_known_ms_mean", None),
            ("members_known_ms_max", None),
            ("members_missed_total", Some(1.0)),
            ("first_suspicion_ms_mean", None),
            ("first_suspicion_ms_max", None),
            ("false_suspicions_total", Some(3.0)),
            ("false_deaths_total", Some(1.0)),
            ("member_messages_per_s", Some(3.0)),
            ("member_bytes_per_s", Some(200.0)),
        ] {
            assert_eq!(get(&scenario, &result, name), expected, "{name}");
        }
        result.membership.formed_ns = Some(SECOND);
        result.membership.changes_known = 4;
        result.membership.known_sum_ns = 2 * u128::from(SECOND);
        result.membership.known_max_ns = SECOND;
        result.membership.first_suspicion_ns = vec![SECOND, 2 * SECOND];
        for (name, expected) in [
            ("members_formed_ms", 1000.0),
            ("members_known_ms_mean", 500.0),
            ("members_known_ms_max", 1000.0),
            ("first_suspicion_ms_mean", 1500.0),
            ("first_suspicion_ms_max", 2000.0),
        ] {
            assert_eq!(get(&scenario, &result, name), Some(expected), "{name}");
        }
    }

    #[test]
    fn what_servers_turn_away_and_lose_is_told_of_each_and_of_all() {
        let (scenario, mut result) = (fixture::scenario(), fixture::result());
        (result.servers[0].shed, result.servers[2].shed) = (3, 4);
        result.servers[1].cancelled = 5;
        // The window is 10 s.
        result.servers[1].slowed_ns = 6 * SECOND;
        (result.servers[0].paused_ns, result.servers[2].paused_ns) = (SECOND, 2 * SECOND);
        for (name, expected, of_each) in [
            ("shed_total", 7.0, [3.0, 0.0, 4.0]),
            ("cancelled_total", 5.0, [0.0, 5.0, 0.0]),
            ("slowed_share", 0.2, [0.0, 0.6, 0.0]),
            ("paused_share", 0.1, [0.1, 0.0, 0.2]),
        ] {
            let found = (metric(name).expect(name).get)(&scenario, &result);
            assert_eq!(found, Some(expected), "{name}");
            let column = SERVER_COLUMNS.iter().find(|column| column.name == name).expect(name);
            let each = [0, 1, 2].map(|server| (column.get)(&scenario, &result, server));
            assert_eq!(each, of_each.map(Some), "{name}");
        }
    }

    #[test]
    fn members_known_are_a_mean_over_the_nodes_that_are_up() {
        let (scenario, mut result) = (fixture::scenario(), fixture::result());
        let known = |result: &RunResult, bin: usize| {
            ["nodes_up", "members_known", "members_known_min"].map(|name| {
                let column = SERIES_COLUMNS.iter().find(|column| column.name == name).expect(name);
                (column.get)(&scenario, result, bin)
            })
        };
        result.series[3].nodes_up = 4;
        result.series[3].members_known = 14;
        result.series[3].members_known_min = 2;
        assert_eq!(known(&result, 3), [Some(4.0), Some(3.5), Some(2.0)]);
        assert_eq!(known(&result, 0), [Some(0.0), None, None], "no node, nothing known");
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
