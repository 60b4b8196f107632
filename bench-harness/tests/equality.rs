//! The windowed engine and the reference engine give the same result, bit for bit.

mod ageing;
mod breakage;
mod clients;
mod judging;
mod keyed;
mod nodes;
mod policies;
mod shrink;

use bench_harness::fleet;
use bench_harness::reference::{self, LatencyChoice};
use sim_core::config::*;
use sim_core::law::{DelayLaw, ServiceLaw};
use sim_core::owners::Visit;
use sim_core::result::RunResult;
use sim_core::rng::{Purpose, RngExt, Stream, stream};
use sim_core::server::KernelKind;
use sim_core::setup::Setup;
use sim_core::simulation::{Options, PhaseDispatch, Simulation};
use sim_core::time::{MICROSECOND, MILLISECOND, SECOND};
use sim_core::workload::{TraceRecord, TraceSource};

/// Random cases of the suite.
const CASES: u64 = 300;

/// Random cases to look at: those of the suite, or as many as `LBSIM_CASES` says.
fn cases() -> u64 {
    std::env::var("LBSIM_CASES").map_or(CASES, |cases| cases.parse().expect("a number of cases"))
}

/// A scenario and, if it replays one, its trace.
#[derive(Clone)]
struct Case {
    scenario: Scenario,
    trace: Vec<TraceRecord>,
}

/// A trace in memory.
struct Replay(std::vec::IntoIter<TraceRecord>);

impl TraceSource for Replay {
    fn next(&mut self) -> Result<Option<TraceRecord>, String> {
        Ok(self.0.next())
    }
}

impl Case {
    fn source(&self) -> Box<dyn TraceSource> {
        Box::new(Replay(self.trace.clone().into_iter()))
    }

    fn windowed(&self, options: Options) -> RunResult {
        let options = Options { trace: Some(self.source()), ..options };
        let mut simulation = Simulation::new(&self.scenario, 0, 0, options).unwrap();
        while simulation.advance().unwrap() {}
        simulation.finish()
    }

    fn plain(&self) -> RunResult {
        reference::simulate(&self.scenario, 0, 0, LatencyChoice::Scan, Some(self.source()))
    }
}

/// Names the first thing that differs: a whole result is too long to read.
fn assert_same(left: &RunResult, right: &RunResult, what: &str) {
    assert_eq!(left.total, right.total, "{what}: total");
    assert_eq!(left.measured, right.measured, "{what}: measured");
    assert_eq!(left.end_ns, right.end_ns, "{what}: end");
    for (id, (l, r)) in left.nodes.iter().zip(&right.nodes).enumerate() {
        assert_eq!(l, r, "{what}: node {id}");
    }
    for (id, (l, r)) in left.servers.iter().zip(&right.servers).enumerate() {
        assert_eq!(l, r, "{what}: server {id}");
    }
    for (at, (l, r)) in left.series.iter().zip(&right.series).enumerate() {
        assert_eq!(l, r, "{what}: bin {at}");
    }
    assert_eq!(left.latency.quantile_ns(0.99), right.latency.quantile_ns(0.99), "{what}");
    assert!(left == right, "{what}: results differ elsewhere");
}

/// A case drawn from a seed. Some have round times, so that events of every kind coincide; some
/// are 20 times slower, so that 32-bit offsets run over.
fn random_case(seed: u64) -> Case {
    let mut rng = stream(seed, 0, Purpose::Policy, 0);
    let unit = if rng.random_bool(0.2) { 20 } else { 1 };
    let mut scenario = random_scenario(seed, unit, &mut rng);
    let mut trace =
        if rng.random_bool(0.4) { round_times(&mut scenario, &mut rng) } else { Vec::new() };
    if seed % 5 < 2 {
        clients::add(seed, unit, &mut scenario);
    }
    ageing::add(&mut scenario);
    nodes::add_node_faults(&mut scenario);
    policies::vary(&mut scenario);
    nodes::add_membership(&mut scenario);
    keyed::add(&mut scenario, &mut trace);
    keyed::narrow(&mut scenario);
    keyed::rank(&mut scenario);
    assert_eq!(scenario.validate(), Ok(()), "{}", scenario.name);
    Case { scenario, trace }
}

/// Puts every time of a scenario on its ticks: constant laws, and a trace of bursts. Returns the
/// trace.
fn round_times(scenario: &mut Scenario, rng: &mut Stream) -> Vec<TraceRecord> {
    let tick_ns = scenario.engine.tick_ns;
    let mut hop = || DelayLaw::Constant { mean_ns: tick_ns * rng.random_range(1..4) };
    scenario.network = NetworkConfig { node_server: hop(), server_node: hop(), node_node: hop() };
    // Even numbers of ticks stay whole at speeds of 2 and 1/2.
    let mut service_ns = || 2 * tick_ns * rng.random_range(5..60);
    let shortest_ns = service_ns();
    for group in &mut scenario.servers {
        group.service = ServiceLaw::Constant { mean_ns: service_ns() as f64 };
    }
    scenario.servers[0].service = ServiceLaw::Constant { mean_ns: shortest_ns as f64 };
    if rng.random_bool(0.7) {
        let patience_ns = shortest_ns + tick_ns * rng.random_range(2..60);
        scenario.workload.timeout_ns = Some(patience_ns);
    }
    let stated = rng.random_bool(0.5);
    scenario.workload.arrivals = Arrivals::Trace(TraceConfig::new(
        "memory",
        TraceFormat::Csv(CsvColumns {
            time: "at".into(),
            time_unit_ns: 1,
            service: stated.then(|| "service".into()),
            service_unit_ns: 1,
            ..CsvColumns::default()
        }),
    ));
    // Bursts up to the end of the run; a few rows are off the ticks.
    let rows = rng.random_range(100..4_000);
    let burst_share = [0.05, 0.3][rng.random_range(0..2)];
    let gap_ticks = scenario.duration_ns as f64 / (tick_ns * rows) as f64 / burst_share;
    let mut burst_ns = 0;
    let mut row = |_| {
        if rng.random_bool(burst_share) {
            burst_ns += tick_ns * rng.random_range(1..=(2.0 * gap_ticks) as u64 + 1);
        }
        let astray_ns = if rng.random_bool(0.1) { rng.random_range(0..tick_ns) } else { 0 };
        let service_ns = stated.then(|| 2 * tick_ns * rng.random_range(1..60));
        TraceRecord { at_ns: burst_ns + astray_ns, service_ns, key: None }
    };
    let mut trace: Vec<TraceRecord> = (0..rows).map(&mut row).collect();
    trace.sort_by_key(|record| record.at_ns);
    trace
}

/// A scenario drawn from a seed: every policy, law and fault of the model comes up. Times are in
/// `unit` ms.
fn random_scenario(seed: u64, unit: u64, rng: &mut Stream) -> Scenario {
    let nodes = rng.random_range(1..5);
    let mut scenario = fleet::scenario(1, nodes, random_policy(rng), 100);
    scenario.name = format!("random-{seed}");
    scenario.seed = seed;
    scenario.servers = (0..rng.random_range(1..4)).map(|_| random_group(unit, rng)).collect();
    let servers = scenario.server_count();
    if let PolicyConfig::TwoChoices(TwoChoicesConfig {
        choices: Choices::Count(count),
        replacement,
        ..
    }) = &mut scenario.policies[0]
    {
        *replacement |= *count > servers;
    }
    let tick_ns = unit * [50 * MICROSECOND, 77_777, 500 * MICROSECOND][rng.random_range(0..3)];
    let quantum_ns = tick_ns * rng.random_range(1..4);
    scenario.engine = EngineConfig {
        tick_ns,
        quantum_ns,
        sample_interval_ns: quantum_ns * rng.random_range(1..200),
    };
    scenario.network = NetworkConfig {
        node_server: random_delay(rng, tick_ns),
        server_node: random_delay(rng, tick_ns),
        node_node: random_delay(rng, tick_ns),
    };
    scenario.duration_ns = unit * rng.random_range(300..900) * MILLISECOND;
    scenario.warmup_ns = scenario.duration_ns / rng.random_range(3..20);
    scenario.drain_ns = unit * rng.random_range(0..3) * 100 * MILLISECOND;
    let capacity: f64 = scenario
        .servers
        .iter()
        .map(|g| f64::from(g.count * g.capacity) * g.speed / g.service.mean_ns() * 1e9)
        .sum();
    let rate = (capacity * rng.random_range(0.1..1.6)).min(40_000.0 / unit as f64);
    scenario.workload = WorkloadConfig {
        arrivals: random_arrivals(rng, rate, scenario.duration_ns),
        keys: None,
        timeout_ns: rng.random_bool(0.5).then(|| unit * rng.random_range(2..60) * MILLISECOND),
        retries: Retries {
            max: rng.random_range(0..3),
            budget_ppm: rng.random_range(0..3) * 150_000,
        },
        clients: ClientsConfig::default(),
    };
    // Short ones let nodes hear more than they choose.
    let quanta_below = [6, 300][rng.random_range(0..2)];
    let interval_ns = quantum_ns * rng.random_range(1..quanta_below);
    scenario.heartbeat = HeartbeatConfig {
        interval_ns,
        jitter: [0.0, 0.3][rng.random_range(0..2)],
        synchronised: rng.random_bool(0.3),
        loss: [0.0, 0.2][rng.random_range(0..2)],
        fanout: match rng.random_range(0..4) {
            0 => Fanout::Random(rng.random_range(1..=nodes)),
            1 => Fanout::Home(rng.random_range(1..=nodes)),
            _ => Fanout::All,
        },
        failure_timeout_ns: interval_ns * rng.random_range(2..6) + rng.random_range(0..1000),
        latency_alpha: [0.1, 1.0][rng.random_range(0..2)],
        latency_decay_ns: [None, Some(SECOND), Some(20 * MILLISECOND)][rng.random_range(0..3)],
    };
    if nodes > 1 && rng.random_bool(0.6) {
        scenario.gossip = Some(random_gossip(rng, nodes, quantum_ns));
    }
    if rng.random_bool(0.6) {
        breakage::add_faults(rng, &mut scenario);
    }
    if rng.random_bool(0.6) {
        judging::add(rng, &mut scenario);
    }
    scenario
}

fn random_gossip(rng: &mut Stream, nodes: u32, quantum_ns: u64) -> GossipConfig {
    let (jitter, rounds) = [
        (0.0, GossipRounds::Spread),
        (0.4, GossipRounds::Spread),
        (0.0, GossipRounds::Together),
        (0.4, GossipRounds::Together),
        (0.0, GossipRounds::Poisson),
    ][rng.random_range(0..5)];
    GossipConfig {
        interval_ns: quantum_ns * rng.random_range(1..200),
        jitter,
        rounds,
        fanout: rng.random_range(1..nodes),
        mode: [GossipMode::Push, GossipMode::Pull, GossipMode::PushPull][rng.random_range(0..3)],
        payload: [GossipPayload::Delta, GossipPayload::Delta, GossipPayload::Full]
            [rng.random_range(0..3)],
        mtu_bytes: [200, 1_400, 65_507][rng.random_range(0..3)],
        loss: [0.0, 0.2][rng.random_range(0..2)],
    }
}

fn random_policy(rng: &mut Stream) -> PolicyConfig {
    let capacity_gate = rng.random_bool(0.5);
    match rng.random_range(0..5) {
        0 => PolicyConfig::Random(RandomConfig { capacity_gate }),
        1 => PolicyConfig::RoundRobin(RoundRobinConfig {
            random_start: rng.random_bool(0.5),
            capacity_gate,
        }),
        2 => PolicyConfig::TwoChoices(TwoChoicesConfig {
            choices: [Choices::Count(1), Choices::Count(2), Choices::Count(3), Choices::All]
                [rng.random_range(0..4)],
            replacement: rng.random_bool(0.5),
            signal: [LoadSignal::Own, LoadSignal::Reported, LoadSignal::Combined]
                [rng.random_range(0..3)],
            ties: [DrawTies::First, DrawTies::Random][rng.random_range(0..2)],
            capacity_gate,
        }),
        _ => PolicyConfig::LowestLatency(LowestLatencyConfig {
            own_sends: rng.random_bool(0.5),
            ties: [LatencyTies::Random, LatencyTies::Id][rng.random_range(0..2)],
            capacity_gate,
        }),
    }
}

fn random_group(unit: u64, rng: &mut Stream) -> ServerGroup {
    let mean_ns = unit as f64 * [1e6, 4e6, 10e6][rng.random_range(0..3)];
    ServerGroup {
        name: None,
        count: rng.random_range(1..12),
        capacity: [1, 2, 4, 13, 30][rng.random_range(0..5)],
        backlog: [None, Some(0), Some(2), Some(40)][rng.random_range(0..4)],
        service: match rng.random_range(0..7) {
            0 => ServiceLaw::Constant { mean_ns },
            1 => ServiceLaw::Uniform { low_ns: 0.5 * mean_ns, high_ns: 1.5 * mean_ns },
            2 => ServiceLaw::Erlang { mean_ns, shape: 3 },
            3 => ServiceLaw::Hyperexponential { mean_ns, cv: 3.0 },
            4 => ServiceLaw::Lognormal { mean_ns, cv: 1.5 },
            5 => ServiceLaw::BoundedPareto {
                low_ns: mean_ns / 4.0,
                high_ns: mean_ns * 50.0,
                alpha: 1.3,
            },
            _ => ServiceLaw::Exponential { mean_ns },
        },
        speed: [1.0, 0.5, 2.0][rng.random_range(0..3)],
        conduct: Conduct::default(),
        weight: 1.0,
        priority: 0,
    }
}

fn random_delay(rng: &mut Stream, min_ns: u64) -> DelayLaw {
    match rng.random_range(0..5) {
        0 => DelayLaw::Uniform { min_ns, max_ns: 20 * min_ns },
        1 => DelayLaw::Exponential { mean_ns: 3 * min_ns, min_ns },
        2 => DelayLaw::Lognormal { mean_ns: 4 * min_ns, cv: 1.0, min_ns },
        3 => DelayLaw::Constant { mean_ns: 3 * min_ns + 1 },
        _ => DelayLaw::Constant { mean_ns: min_ns },
    }
}

fn random_arrivals(rng: &mut Stream, rate: f64, duration_ns: u64) -> Arrivals {
    match rng.random_range(0..6) {
        // Equal gaps of a round length: arrivals, completions and responses coincide.
        0 => Arrivals::Constant { rate: (rate / 100.0).ceil() * 100.0 },
        1 => Arrivals::Mmpp {
            rate_low: rate / 2.0,
            rate_high: rate * 2.0,
            dwell_low_ns: 50 * MILLISECOND,
            dwell_high_ns: 20 * MILLISECOND,
        },
        4 if rng.random_bool(0.3) => Arrivals::Burst {
            rate: rate / 2.0,
            peak: rate * 2.0,
            at_ns: duration_ns / 4,
            for_ns: duration_ns / 3,
        },
        2 => Arrivals::Ramp { from: rate / 10.0, to: rate * 1.5, over_ns: duration_ns / 2 },
        3 => Arrivals::Diurnal { mean: rate, amplitude: 0.8, period_ns: duration_ns / 3 },
        _ => Arrivals::Poisson { rate },
    }
}

/// Goal: a failing case can be printed as a scenario file, and no kind of fault is missing from the
/// cases. Method: every random case written and read back is what it was; faults are counted.
#[test]
fn random_scenarios_survive_being_written_and_name_every_fault() {
    let mut kinds = std::collections::BTreeMap::new();
    for seed in 0..CASES {
        let Case { mut scenario, .. } = random_case(seed);
        if matches!(scenario.policies[0], PolicyConfig::Custom(_)) {
            // No file can name it.
            scenario.policies = vec![PolicyConfig::named("random").expect("a policy")];
        }
        let text = scenario.to_toml();
        match Scenario::parse(&text, &[], &|file| Err(format!("no file {file}"))) {
            Ok(read) => assert_eq!(read, scenario, "{text}"),
            Err(faults) => panic!("{faults:#?}\n{text}"),
        }
        for fault in &scenario.faults {
            *kinds.entry(fault.kind.name()).or_insert(0) += 1;
        }
    }
    let members = (0..CASES).filter(|&seed| {
        let Case { scenario, .. } = random_case(seed);
        scenario.membership.is_some() && scenario.nodes.count > 1
    });
    assert!(members.count() >= 50, "cases with membership are rare");
    for kind in keys::FAULTS {
        let count = kinds.get(kind).copied().unwrap_or(0);
        assert!(count >= 5, "{kind} in {count} cases: {kinds:?}");
    }
}

/// Goal: a policy is told the same at the same moments by both engines, however they run, and the
/// caller's own policy enters both. Method: random cases with a policy that hears everything.
#[test]
fn policies_hear_the_same_in_both_engines() {
    for seed in 3_000..3_060 {
        let mut case = random_case(seed);
        case.scenario.policies = vec![policies::listener()];
        let expected = case.plain();
        assert_same(&case.windowed(Options::default()), &expected, &case.scenario.name);
        let threads = Options { shards: Some(3), always_parallel: true, ..Options::default() };
        let threads = Options { threads: 2, visit: Visit::Reverse, ..threads };
        assert_same(&case.windowed(threads), &expected, &case.scenario.name);
    }
}

/// Goal: no scenario tells the engines apart. Method: cases from seeds, both engines, equality of
/// everything a run leaves behind.
#[test]
fn random_scenarios_agree_with_the_reference() {
    for seed in 0..cases() {
        let case = random_case(seed);
        if let Err(difference) = agrees(&case) {
            let small = shrink::shrink(&case, &|case| agrees(case).is_err());
            let other = agrees(&small).expect_err("it was kept for failing");
            panic!("seed {seed}: {difference}\nShrunk: {other}\n{}", shrink::print(&small));
        }
    }
}

/// Goal: requests that end with their first answer, which nodes work through in bulk, end as they do
/// one by one. Method: random scenarios without timeouts and retries, whose nodes are not careful,
/// but may stop.
#[test]
fn patient_clients_agree_with_the_reference() {
    let mut compared = 0;
    for seed in 0..cases() / 2 {
        let mut rng = stream(seed, 1, Purpose::Policy, 0);
        let mut scenario = random_scenario(seed, 1, &mut rng);
        let trace =
            if rng.random_bool(0.4) { round_times(&mut scenario, &mut rng) } else { Vec::new() };
        scenario.judgement = JudgementConfig::default();
        scenario.workload.timeout_ns = None;
        scenario.workload.retries.max = 0;
        nodes::add_node_faults(&mut scenario);
        // A partition asks for a timeout, and so may others.
        if scenario.validate().is_ok() {
            compared += 1;
            agrees(&Case { scenario, trace }).unwrap_or_else(|why| panic!("seed {seed}: {why}"));
        }
    }
    assert!(compared >= cases() / 8, "only {compared} cases could do without timeouts");
}

/// Goal: what does not come up in the random cases is not compared. Method: count the cases in which
/// nodes gossiped, and in which a partition kept attempts from their server.
#[test]
fn random_cases_gossip_and_are_cut_apart() {
    let (mut gossiped, mut cut) = (0, 0);
    for case in (0..150).map(random_case) {
        let result = case.windowed(Options::default());
        gossiped += u32::from(result.nodes.iter().any(|node| node.peer_messages > 0));
        cut += u32::from(result.cut_off > 0);
    }
    assert!(
        gossiped >= 40 && cut >= 4,
        "{gossiped} cases with gossip, {cut} with attempts cut off"
    );
}

/// Goal: every policy is compared. Method: count the cases of each.
#[test]
fn random_cases_name_every_policy() {
    let names = (0..CASES).map(|seed| random_case(seed).scenario.policies[0].name());
    let mut counts = std::collections::BTreeMap::new();
    for name in names {
        *counts.entry(name).or_insert(0) += 1;
    }
    for (name, _) in keys::POLICIES {
        let count = counts.get(name).copied().unwrap_or(0);
        assert!(count >= 4, "{name} in {count} cases: {counts:?}");
    }
}

/// Goal: both layouts of the columns and both indexes of latencies are compared. Method: count the
/// cases on either side of where they change.
#[test]
fn random_cases_hear_much_and_little() {
    let mut counts = [0; 2];
    for Case { scenario, .. } in (0..2 * CASES).map(random_case) {
        if matches!(scenario.policies[0], PolicyConfig::LowestLatency(_)) {
            counts[usize::from(Setup::new(&scenario, 0, 0).hears_much())] += 1;
        }
    }
    assert!(counts.iter().all(|&cases| cases >= 10), "{counts:?} cases that hear little, much");
}

/// Goal: the random cases let nodes judge in every way there is. Method: count what nodes find.
#[test]
fn random_scenarios_judge_in_every_way() {
    let mut seen = judging::Seen::default();
    for seed in 0..100 {
        seen.add(&random_case(seed).windowed(Options::default()));
    }
    seen.assert_all();
}

/// Goal: the random cases let clients do all they can. Method: count what they do.
#[test]
fn random_scenarios_retry_and_hedge_in_every_way() {
    let mut seen = clients::Seen::default();
    for seed in 0..150 {
        seen.add(&random_case(seed).windowed(Options::default()));
    }
    seen.assert_all();
}

/// Whether the engines agree on a case; if not, or if one of them panics, why not.
fn agrees(case: &Case) -> Result<(), String> {
    let compare = || {
        assert_same(&case.windowed(Options::default()), &case.plain(), &case.scenario.name);
    };
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(compare)).map_err(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        text.or_else(|| panic.downcast_ref::<&str>().map(|&text| text.to_owned()))
            .unwrap_or_default()
    })
}

/// Goal: what a failing case is reduced to still fails and holds little else. Method: take cases
/// with a certain fault for failing.
#[test]
fn a_case_shrinks_to_what_it_fails_of() {
    let lies = |case: &Case| {
        case.scenario.faults.iter().any(|fault| matches!(fault.kind, FaultKind::Lie { .. }))
    };
    let mut shrunk = 0;
    for case in (0..100).map(random_case).filter(lies).take(5) {
        let small = shrink::shrink(&case, &lies).scenario;
        assert_eq!(small.validate(), Ok(()));
        assert!(small.gossip.is_none() && small.membership.is_none() && small.chaos.is_none());
        let targets = small.faults.iter().filter(|fault| fault.kind.servers().is_some());
        assert_eq!(targets.count(), 1, "{small:#?}");
        shrunk += 1;
    }
    assert_eq!(shrunk, 5, "cases with a lie are rare");
}

/// Goal: requests that leave a server at one moment leave it in the order they were let in: the
/// mean latency depends on it. Method: sound servers with several slots, round times, and the policy
/// that looks at mean latencies.
#[test]
fn coinciding_completions_agree_with_the_reference() {
    for seed in 2_000..2_080 {
        let mut rng = stream(seed, 0, Purpose::Policy, 0);
        let mut scenario = random_scenario(seed, 1, &mut rng);
        scenario.policies = vec![fleet::LOWEST_LATENCY];
        scenario.faults.clear();
        for group in &mut scenario.servers {
            group.count = 1 + group.count / 4;
            group.capacity = [3, 8, 20][rng.random_range(0..3)];
            group.backlog = None;
        }
        let trace = round_times(&mut scenario, &mut rng);
        assert_eq!(scenario.validate(), Ok(()), "{}", scenario.name);
        let case = Case { scenario, trace };
        assert_same(&case.windowed(Options::default()), &case.plain(), &case.scenario.name);
    }
}

/// Goal: how a run is executed changes nothing. Method: the same cases under every kernel, phase
/// dispatch, shard count and visiting order.
#[test]
fn execution_choices_change_nothing() {
    for seed in 1_000..1_040 {
        let case = random_case(seed);
        let expected = case.windowed(Options::default());
        let same = |options: Options, choice: &str| {
            let what = format!("{} {choice}", case.scenario.name);
            assert_same(&case.windowed(options), &expected, &what);
        };
        for dispatch in [PhaseDispatch::Schedule, PhaseDispatch::Burst] {
            let options = Options { dispatch: Some(dispatch), ..Options::default() };
            same(options, &format!("{dispatch:?}"));
        }
        same(Options { kernel: Some(KernelKind::Event), ..Options::default() }, "event kernel");
        for shards in [2, 3, 7] {
            let options = Options { shards: Some(shards), ..Options::default() };
            same(options, &format!("{shards} shards"));
        }
        let visit = Visit::Reverse;
        same(Options { visit, shards: Some(3), ..Options::default() }, "reverse");
    }
}

/// Goal: size makes no difference. Method: the fleets of the speed figures, for as long as the
/// reference, which looks at every server for every lowest latency, takes a few seconds.
#[test]
fn large_fleets_agree_with_the_reference() {
    for (servers, requests) in [(1_000, 60_000), (10_000, 50_000)] {
        for policy in [fleet::TWO_CHOICES, fleet::LOWEST_LATENCY] {
            let mut scenario = fleet::scenario(servers, 8, policy, requests);
            // A run is shorter than a heartbeat interval of the speed figures: beat faster.
            scenario.heartbeat.interval_ns = 10 * MILLISECOND;
            scenario.heartbeat.failure_timeout_ns = 35 * MILLISECOND;
            let case = Case { scenario, trace: Vec::new() };
            let what = format!("{servers} servers, {}", case.scenario.policies[0].name());
            let expected = case.plain();
            assert!(expected.total.arrived > requests / 2, "{what}");
            assert_same(&case.windowed(Options::default()), &expected, &what);
            let threads = Options { shards: Some(4), always_parallel: true, ..Options::default() };
            assert_same(&case.windowed(Options { threads: 2, ..threads }), &expected, &what);
        }
    }
}

/// Goal: recorded arrivals are the same to both engines in a large fleet too. Method: bursts of
/// simultaneous rows over 1 000 servers and 8 nodes.
#[test]
fn a_trace_over_a_large_fleet_agrees_with_the_reference() {
    for policy in [fleet::TWO_CHOICES, fleet::LOWEST_LATENCY] {
        let mut scenario = fleet::scenario(1_000, 8, policy, 40_000);
        let trace = round_times(&mut scenario, &mut stream(1, 0, Purpose::Policy, 0));
        let case = Case { scenario, trace };
        let what = case.scenario.policies[0].name();
        assert_same(&case.windowed(Options::default()), &case.plain(), what);
    }
}
