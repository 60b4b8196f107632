//! A plain fleet to start from and the ways to run it, for the tests of the whole engine.
#![allow(dead_code, reason = "each test file uses its part")]

pub mod theory;

use sim_core::config::{
    Arrivals, Choices, ClientsConfig, Conduct, DrawTies, EngineConfig, Fanout, Fault, FaultKind,
    HeartbeatConfig, JudgementConfig, LatencyTies, LoadSignal, LowestLatencyConfig, NetworkConfig,
    NodesConfig, PolicyConfig, PrioritiesConfig, RandomConfig, Retries, RoundRobinConfig, Scenario,
    ServerGroup, Slowdown, Targets, TwoChoicesConfig, WorkloadConfig,
};
use sim_core::law::{DelayLaw, ServiceLaw};
use sim_core::result::RunResult;
use sim_core::simulation::{Options, Simulation};
use sim_core::time::{MILLISECOND, Nanos, SECOND};

/// One-way delay, tick and quantum of [`fleet`] [ns].
pub const DELAY_NS: Nanos = 500_000;

/// A uniformly random server, full or not.
pub const RANDOM: PolicyConfig = PolicyConfig::Random(RandomConfig { capacity_gate: false });

/// Servers in turn from the first, full or not.
pub const ROUND_ROBIN: PolicyConfig =
    PolicyConfig::RoundRobin(RoundRobinConfig { random_start: false, capacity_gate: false });

/// The seed rule.
pub const LOWEST_LATENCY: PolicyConfig = PolicyConfig::LowestLatency(LowestLatencyConfig {
    own_sends: true,
    ties: LatencyTies::Random,
    capacity_gate: true,
});

/// Power of two choices on the reported load, corrected by own sends.
pub const TWO_CHOICES: PolicyConfig = two_choices(LoadSignal::Combined);

/// Power of two choices.
pub const fn two_choices(signal: LoadSignal) -> PolicyConfig {
    PolicyConfig::TwoChoices(TwoChoicesConfig {
        choices: Choices::Count(2),
        replacement: false,
        signal,
        ties: DrawTies::Random,
        capacity_gate: false,
    })
}

/// Every policy of the model.
pub const POLICIES: [PolicyConfig; 4] = [RANDOM, ROUND_ROBIN, LOWEST_LATENCY, TWO_CHOICES];

/// Servers of four slots and exponential services of 10 ms behind `nodes` nodes; load 0.7, Poisson
/// arrivals for 4 s, heartbeats every 100 ms to all, 500 us one way, nothing breaks.
pub fn fleet(servers: u32, nodes: u32, policy: PolicyConfig) -> Scenario {
    let delay = DelayLaw::Constant { mean_ns: DELAY_NS };
    Scenario {
        name: "test".into(),
        duration_ns: 4 * SECOND,
        warmup_ns: 400 * MILLISECOND,
        warmup_auto: false,
        drain_ns: 10 * SECOND,
        seed: 1,
        replications: 1,
        replications_max: 1,
        target: Vec::new(),
        engine: EngineConfig {
            tick_ns: DELAY_NS,
            quantum_ns: DELAY_NS,
            sample_interval_ns: 100 * MILLISECOND,
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
            capacity: 4,
            backlog: None,
            service: ServiceLaw::Exponential { mean_ns: 1e7 },
            speed: 1.0,
            conduct: Conduct::default(),
            weight: 1.0,
            priority: 0,
        }],
        workload: WorkloadConfig {
            arrivals: Arrivals::Poisson { rate: f64::from(servers) * 280.0 },
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

/// A crash of `servers` from `at_ns` on.
pub const fn crash(
    servers: std::ops::Range<u32>,
    silent: bool,
    at_ns: Nanos,
    for_ns: Option<Nanos>,
) -> Fault {
    Fault { at_ns, for_ns, kind: FaultKind::Crash { servers: Targets::Ids(servers), silent } }
}

/// Services on `servers` that take `factor` times as long from `at_ns` on.
pub const fn slow(
    servers: std::ops::Range<u32>,
    factor: f64,
    at_ns: Nanos,
    for_ns: Option<Nanos>,
) -> Fault {
    let servers = Targets::Ids(servers);
    Fault { at_ns, for_ns, kind: FaultKind::Slow { servers, slowdown: Slowdown::Factor(factor) } }
}

/// Runs the first policy of a scenario, which must be possible.
pub fn run(scenario: &Scenario) -> RunResult {
    run_with(scenario, 0, Options::default())
}

/// As [`run`], in a replication of its own and in a certain way.
pub fn run_with(scenario: &Scenario, replication: u32, options: Options) -> RunResult {
    assert_eq!(scenario.validate(), Ok(()), "{}", scenario.name);
    let mut simulation = Simulation::new(scenario, 0, replication, options).unwrap();
    while simulation.advance().unwrap() {}
    simulation.finish()
}

/// Mean service time, the unit of queueing theory [ns].
pub const SERVICE_NS: f64 = 1e7;
/// One-way delay, tick and quantum of [`queue`] [ns]: two services, so that a tick holds several events.
pub const HOP_NS: u64 = 40 * DELAY_NS;
/// The law of most theory.
pub const EXPONENTIAL: ServiceLaw = ServiceLaw::Exponential { mean_ns: SERVICE_NS };

/// `servers` servers of `capacity` slots; `load` Erlangs a server, about `requests` requests,
/// the first tenth of the time left out.
pub fn queue(
    policy: PolicyConfig,
    (servers, capacity): (u32, u32),
    service: ServiceLaw,
    load: f64,
    requests: f64,
) -> Scenario {
    let mut scenario = fleet(servers, 1, policy);
    let rate = f64::from(servers) * load * SECOND as f64 / SERVICE_NS;
    let hops = (requests / rate * SECOND as f64) as u64 / HOP_NS;
    scenario.duration_ns = hops * HOP_NS;
    scenario.warmup_ns = hops / 10 * HOP_NS;
    scenario.engine.tick_ns = HOP_NS;
    scenario.engine.quantum_ns = HOP_NS;
    scenario.engine.sample_interval_ns = hops * HOP_NS;
    let delay = DelayLaw::Constant { mean_ns: HOP_NS };
    scenario.network.node_server = delay.clone();
    scenario.network.server_node = delay;
    scenario.heartbeat.interval_ns = 500 * HOP_NS;
    scenario.heartbeat.failure_timeout_ns = 1_750 * HOP_NS;
    scenario.servers[0].capacity = capacity;
    scenario.servers[0].service = service;
    scenario.workload.arrivals = Arrivals::Poisson { rate };
    scenario
}
