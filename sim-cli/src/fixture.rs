//! A small scenario and runs of it for the tests of this crate, made without the engine.

use std::time::Duration;

use sim_core::config::{
    Arrivals, ClientsConfig, Conduct, EngineConfig, Fanout, HeartbeatConfig, JudgementConfig,
    NetworkConfig, NodesConfig, PolicyConfig, PrioritiesConfig, RandomConfig, Retries,
    RoundRobinConfig, Scenario, ServerGroup, WorkloadConfig,
};
use sim_core::latency_table::LatencyTable;
use sim_core::law::{DelayLaw, ServiceLaw};
use sim_core::result::{Bin, ConsistencyResult, Counts, NodeResult, RunResult, ServerResult};
use sim_core::time::{MICROSECOND, MILLISECOND, SECOND};

use crate::simulated::Simulated;

/// Two policies, three replications, 10 s of which 1 s is warm-up.
pub fn scenario() -> Scenario {
    let delay = DelayLaw::Constant { mean_ns: 500 * MICROSECOND };
    Scenario {
        name: "fixture".to_owned(),
        duration_ns: 10 * SECOND,
        warmup_ns: SECOND,
        warmup_auto: false,
        drain_ns: SECOND,
        seed: 7,
        replications: 3,
        replications_max: 3,
        target: Vec::new(),
        engine: EngineConfig {
            tick_ns: 500 * MICROSECOND,
            quantum_ns: MILLISECOND,
            sample_interval_ns: SECOND,
        },
        network: NetworkConfig {
            node_server: delay.clone(),
            server_node: delay.clone(),
            node_node: delay,
        },
        nodes: NodesConfig { count: 1, failover_delay_ns: SECOND },
        servers: vec![ServerGroup {
            name: None,
            count: 2,
            capacity: 1,
            backlog: None,
            service: ServiceLaw::Exponential { mean_ns: 10e6 },
            speed: 1.0,
            conduct: Conduct::default(),
            weight: 1.0,
            priority: 0,
        }],
        workload: WorkloadConfig {
            arrivals: Arrivals::Poisson { rate: 110.0 },
            keys: None,
            timeout_ns: None,
            retries: Retries { max: 0, budget_ppm: 0 },
            clients: ClientsConfig::default(),
        },
        policies: vec![
            PolicyConfig::Random(RandomConfig { capacity_gate: true }),
            PolicyConfig::RoundRobin(RoundRobinConfig { random_start: true, capacity_gate: true }),
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
        priorities: PrioritiesConfig::default(),
        judgement: JudgementConfig::default(),
        membership: None,
        faults: Vec::new(),
        chaos: None,
        expect: Vec::new(),
    }
}

/// The runs of every policy and replication, in the order in which a run delivers them.
pub fn runs(scenario: &Scenario) -> Vec<RunResult> {
    let of_policy = |policy| (0..scenario.replications).map(move |r| run(policy, r));
    (0..scenario.policies.len()).flat_map(of_policy).collect()
}

/// The scenario and [`runs`] of it, as if they had been simulated.
pub fn simulated(scenario: Scenario) -> Simulated {
    let runs = runs(&scenario);
    let (wall, engine) = (Duration::from_secs(1), Duration::from_secs(1));
    let (warmup_found, unsettled) = (false, Vec::new());
    let traces = Vec::new();
    Simulated { scenario, warmup_found, unsettled, runs, threads: 1, wall, engine, traces }
}

/// 1 000 requests, 990 of them answered; the latencies depend on the policy and replication.
fn run(policy: usize, replication: u32) -> RunResult {
    let unit_ns = MILLISECOND * (policy as u64 + 1) + MICROSECOND * u64::from(replication);
    let mut latency = LatencyTable::default();
    (1..=990).for_each(|i| _ = latency.record(i * unit_ns));
    let latency_sum_ns = 990 * 991 / 2 * u128::from(unit_ns);
    let counts = Counts { arrived: 1000, by_outcome: [990, 0, 10, 0, 0, 0, 0] };
    let server = ServerResult { busy_ns: 5 * u128::from(SECOND), ..ServerResult::default() };
    RunResult {
        policy,
        replication,
        end_ns: 10 * SECOND + MILLISECOND,
        total: counts,
        measured: counts,
        latency,
        latency_sum_ns,
        wait_sum_ns: u128::from(SECOND),
        service_sum_ns: 10 * u128::from(SECOND),
        served: 1000,
        waited: 250,
        servers: vec![server; 2],
        nodes: vec![NodeResult { measured: counts, total: counts, ..NodeResult::default() }],
        series: vec![Bin { active: 1, ..Bin::default() }; 10],
        view_age: LatencyTable::default(),
        view_error_sum: 0,
        view_samples: 0,
        herd_sum_ppm: 0,
        herd_intervals: 0,
        cut_off: 0,
        membership: sim_core::result::MembershipResult::default(),
        consistency: ConsistencyResult::default(),
    }
}
