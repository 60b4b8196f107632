//! The workload on which speed is measured, at any size.

use sim_core::config::{
    Arrivals, Choices, ClientsConfig, Conduct, DrawTies, EngineConfig, Fanout, HeartbeatConfig,
    JudgementConfig, LatencyTies, LoadSignal, LowestLatencyConfig, NetworkConfig, NodesConfig,
    PolicyConfig, PrioritiesConfig, Retries, Scenario, ServerGroup, TwoChoicesConfig,
    WorkloadConfig,
};
use sim_core::gossip::merge_reports;
use sim_core::ids::NodeId;
use sim_core::law::{DelayLaw, ServiceLaw};
use sim_core::network::Report;
use sim_core::policy::SelectionIndex;
use sim_core::rng::{Purpose, RngExt, stream};
use sim_core::setup::Setup;
use sim_core::time::{MILLISECOND, Nanos, SECOND};
use sim_core::view::View;

/// Service slots of every server.
pub const CAPACITY: u32 = 4;
/// Mean service time [ns], exponential.
pub const SERVICE_NS: Nanos = 10 * MILLISECOND;
/// Share of the fleet's slots that is busy.
pub const LOAD: f64 = 0.8;
/// One-way delay and tick [ns].
pub const DELAY_NS: Nanos = 500_000;

/// Power of two choices, distinct, on reported load corrected by own sends.
pub const TWO_CHOICES: PolicyConfig = PolicyConfig::TwoChoices(TwoChoicesConfig {
    choices: Choices::Count(2),
    replacement: false,
    signal: LoadSignal::Combined,
    ties: DrawTies::Random,
    capacity_gate: false,
});

/// The seed rule.
pub const LOWEST_LATENCY: PolicyConfig = PolicyConfig::LowestLatency(LowestLatencyConfig {
    own_sends: true,
    ties: LatencyTies::Random,
    capacity_gate: true,
});

/// `servers` servers of four slots behind `nodes` nodes, load 0.8, Poisson arrivals, heartbeats
/// every 100 ms to all nodes, 500 us one way. Runs for about `requests` requests.
pub fn scenario(servers: u32, nodes: u32, policy: PolicyConfig, requests: u64) -> Scenario {
    let rate = f64::from(servers) * f64::from(CAPACITY) * LOAD * SECOND as f64 / SERVICE_NS as f64;
    let quanta = (requests as f64 / rate * SECOND as f64 / DELAY_NS as f64).ceil().max(40.0);
    let duration_ns = quanta as Nanos * DELAY_NS;
    let delay = DelayLaw::Constant { mean_ns: DELAY_NS };
    Scenario {
        name: format!("fleet-{servers}x{nodes}"),
        duration_ns,
        warmup_ns: duration_ns / 10,
        warmup_auto: false,
        drain_ns: 10 * SECOND,
        seed: 1,
        replications: 1,
        replications_max: 1,
        target: Vec::new(),
        engine: EngineConfig {
            tick_ns: DELAY_NS,
            quantum_ns: DELAY_NS,
            sample_interval_ns: 199 * DELAY_NS,
        },
        network: NetworkConfig {
            node_server: delay.clone(),
            server_node: delay.clone(),
            node_node: delay,
        },
        nodes: NodesConfig { count: nodes, failover_delay_ns: SECOND },
        servers: vec![ServerGroup {
            name: None,
            count: servers,
            capacity: CAPACITY,
            backlog: None,
            service: ServiceLaw::Exponential { mean_ns: SERVICE_NS as f64 },
            speed: 1.0,
            conduct: Conduct::default(),
            weight: 1.0,
            priority: 0,
        }],
        workload: WorkloadConfig {
            arrivals: Arrivals::Poisson { rate },
            keys: None,
            timeout_ns: None,
            retries: Retries { max: 0, budget_ppm: 0 },
            clients: ClientsConfig::default(),
        },
        policies: vec![policy],
        heartbeat: HeartbeatConfig {
            interval_ns: 100 * MILLISECOND,
            jitter: 0.0,
            synchronised: false,
            loss: 0.0,
            fanout: Fanout::All,
            failure_timeout_ns: 350 * MILLISECOND,
            latency_alpha: 0.1,
            latency_decay_ns: Some(10 * SECOND),
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

/// A node that has heard every server once; loads and latencies are random.
pub fn informed_node(setup: &Setup) -> (View, SelectionIndex) {
    let mut loads = stream(42, 0, Purpose::Heartbeat, 0);
    let mut latencies = stream(42, 0, Purpose::Heartbeat, 1);
    let report = |server| Report {
        server,
        version: 1,
        sent_quantum: 1,
        load: loads.random_range(0..8),
        capacity: CAPACITY as u16,
        latency_ns: latencies.random_range(1e6..1e8),
        ..Report::default()
    };
    let reports: Vec<Report> = (0..setup.servers).map(report).collect();
    let mut view = View::new(setup, setup.policy.corrects_own_sends());
    let mut draws = setup.node_stream(Purpose::Policy, NodeId(0));
    let mut index = SelectionIndex::new(setup, NodeId(0), &mut draws);
    merge_reports(&mut view, &mut index, &reports);
    (view, index)
}
