//! Fleets at their limits: nothing up, nothing free, nothing to do, and the way back.

mod common;

use common::{
    DELAY_NS, LOWEST_LATENCY, POLICIES, RANDOM, ROUND_ROBIN, TWO_CHOICES, crash, fleet, run,
    run_with, slow, two_choices,
};
use sim_core::config::{
    Arrivals, CsvColumns, LoadSignal, PolicyConfig, RandomConfig, Retries, RoundRobinConfig,
    Scenario, TraceConfig, TraceFormat, TwoChoicesConfig,
};
use sim_core::law::ServiceLaw;
use sim_core::result::{Outcome, RunResult};
use sim_core::simulation::{Options, PhaseDispatch, RunError, Simulation};
use sim_core::time::{MICROSECOND, MILLISECOND, Nanos, SECOND};
use sim_core::workload::{TraceRecord, TraceSource};

const HOUR: Nanos = 3_600 * SECOND;

/// Share of a server in what arrived at all servers in the window.
fn share(result: &RunResult, server: usize) -> f64 {
    let all: u64 = result.servers.iter().map(|server| server.picks).sum();
    result.servers[server].picks as f64 / all as f64
}

/// Looks at `[from_ns, to_ns)` of a scenario alone. What breaks later has no part in it.
fn window(scenario: &Scenario, from_ns: Nanos, to_ns: Nanos) -> RunResult {
    let mut part = Scenario { warmup_ns: from_ns, duration_ns: to_ns, ..scenario.clone() };
    part.faults.retain(|fault| fault.at_ns < to_ns);
    run(&part)
}

// Nothing up.

/// Every server crashes at 1 s for good. A loud crash answers until the heartbeats have been
/// missing for the failure timeout; then there is nobody left to send to.
#[test]
fn when_all_servers_crash_loudly_requests_are_lost_then_rejected() {
    for policy in POLICIES {
        let mut scenario = fleet(8, 3, policy);
        scenario.faults = vec![crash(0..8, false, SECOND, None)];
        scenario.workload.retries = Retries { max: 2, budget_ppm: 1_000_000 };
        let name = scenario.policies[0].name();
        let unnoticed = window(&scenario, SECOND, 1_200 * MILLISECOND);
        assert_eq!(unnoticed.measured.of(Outcome::Ok), 0, "{name}");
        assert!(unnoticed.measured.of(Outcome::Lost) > 100, "{name}");
        // The last heartbeats left at 1 s, and are too old one failure timeout later.
        let noticed = window(&scenario, 1_350 * MILLISECOND + DELAY_NS, 4 * SECOND);
        let rejected = noticed.measured.of(Outcome::Rejected);
        assert!(rejected > 1_000, "{name}");
        assert_eq!(rejected, noticed.measured.arrived, "{name}");
    }
}

/// A silent crash answers nothing: clients run out of patience, or wait to the end of the run.
#[test]
fn when_all_servers_crash_silently_clients_time_out_or_wait_for_ever() {
    for patience_ns in [Some(50 * MILLISECOND), None] {
        let mut scenario = fleet(8, 3, TWO_CHOICES);
        scenario.faults = vec![crash(0..8, true, 0, None)];
        scenario.workload.timeout_ns = patience_ns;
        let result = run(&scenario);
        let hung = if patience_ns.is_some() { Outcome::TimedOut } else { Outcome::InFlight };
        let rejected = result.total.of(Outcome::Rejected);
        assert!(result.total.of(hung) > 500 && rejected > 5_000, "{:?}", result.total);
        assert_eq!(result.total.of(hung) + rejected, result.total.arrived);
        let limit_ns = scenario.duration_ns + scenario.drain_ns;
        let end_ns = if patience_ns.is_some() { scenario.duration_ns + DELAY_NS } else { limit_ns };
        assert_eq!(result.end_ns, end_ns, "the run waits only while somebody waits");
        let dead: u64 = result.servers.iter().map(|server| server.arrived_dead).sum();
        assert_eq!(dead, result.total.of(hung));
    }
}

// Nothing free.

/// Services that never end and no backlog: as many requests stay as there are slots. What happens
/// to the others depends on whether nodes pass over servers they know to be full.
#[test]
fn when_all_servers_are_full_requests_are_refused_or_with_the_gate_rejected() {
    let gated = [
        PolicyConfig::Random(RandomConfig { capacity_gate: true }),
        PolicyConfig::RoundRobin(RoundRobinConfig { random_start: true, capacity_gate: true }),
        LOWEST_LATENCY,
    ];
    let blind = [RANDOM, ROUND_ROBIN, TWO_CHOICES];
    let cases = gated.map(|policy| (policy, Outcome::Rejected));
    for (policy, outcome) in cases.into_iter().chain(blind.map(|p| (p, Outcome::Refused))) {
        let mut scenario = fleet(6, 1, policy);
        scenario.servers[0].backlog = Some(0);
        scenario.servers[0].service = ServiceLaw::Constant { mean_ns: HOUR as f64 };
        let result = run(&scenario);
        let what = format!("{:?}: {:?}", scenario.policies[0], result.total);
        assert_eq!(result.total.of(Outcome::InFlight), 24, "{what}");
        assert_eq!(result.total.of(outcome), result.total.arrived - 24, "{what}");
        assert!(result.servers.iter().all(|server| server.active == 4), "{what}");
    }
}

/// Heartbeats alone fill the view of a second node, which has sent nothing itself.
#[test]
fn a_node_learns_from_heartbeats_that_all_is_full() {
    let mut scenario = fleet(4, 2, LOWEST_LATENCY);
    scenario.servers[0].service = ServiceLaw::Constant { mean_ns: HOUR as f64 };
    scenario.duration_ns = 2 * SECOND;
    let result = run(&scenario);
    // One heartbeat interval, its way and two quanta after the slots were taken nobody sends.
    let late = window(&scenario, 500 * MILLISECOND, 2 * SECOND);
    assert!(result.servers.iter().all(|server| server.active == 4));
    assert_eq!(late.measured.of(Outcome::Rejected), late.measured.arrived);
}

// The way back.

/// A crash from 1 s to 2 s: the server is picked until its heartbeats are too old, not a moment
/// longer, and again once it has reported.
#[test]
fn traffic_leaves_a_crashed_server_in_time_and_comes_back() {
    for policy in POLICIES {
        for silent in [false, true] {
            let mut scenario = fleet(5, 3, policy.clone());
            scenario.workload.arrivals = Arrivals::Poisson { rate: 750.0 };
            scenario.workload.timeout_ns = Some(500 * MILLISECOND);
            scenario.faults = vec![crash(0..1, silent, SECOND, Some(SECOND))];
            let what = format!("{}, silent {silent}", policy.name());
            let before = window(&scenario, 200 * MILLISECOND, SECOND);
            assert!(share(&before, 0) > 0.1, "{what}");
            let unnoticed = window(&scenario, SECOND, 1_200 * MILLISECOND);
            assert!(unnoticed.servers[0].arrived_dead > 0, "{what}");
            // Attempts sent at the last moment arrive a delay later.
            let left_ns = SECOND + scenario.heartbeat.failure_timeout_ns + 2 * DELAY_NS;
            let away = window(&scenario, left_ns, 2 * SECOND);
            assert_eq!(away.servers[0].picks, 0, "{what}");
            // The seed rule may find the others full; nobody may meet the dead.
            let met = away.measured.of(Outcome::Lost) + away.measured.of(Outcome::TimedOut);
            assert_eq!(met, 0, "{what}");
            // It reports within a heartbeat interval; then two ways and two quanta.
            let back_ns = 2 * SECOND + scenario.heartbeat.interval_ns + 4 * DELAY_NS;
            let back = window(&scenario, back_ns, 4 * SECOND);
            assert!(share(&back, 0) > 0.1, "{what}: {}", share(&back, 0));
        }
    }
}

/// A server exactly as old as the failure timeout is alive; a nanosecond later it is not.
#[test]
fn failure_timeout_holds_to_the_nanosecond() {
    let mut scenario = traced(1, 1);
    scenario.heartbeat.synchronised = true;
    scenario.faults = vec![crash(0..1, false, 150 * MILLISECOND, None)];
    // Heartbeats leave at 100 ms, 200 ms, ...; the last one before the crash leaves at 100 ms.
    let last_ns = 100 * MILLISECOND + scenario.heartbeat.failure_timeout_ns;
    let trace = VecTrace::new(&[(last_ns, None), (last_ns + 1, None)]);
    let result = run_with(&scenario, 0, trace.options());
    assert_eq!(result.servers[0].arrived_dead, 1);
    assert_eq!(result.total.of(Outcome::Lost), 1);
    assert_eq!(result.total.of(Outcome::Rejected), 1);
}

/// A server 20 times slower from 2 s to 6 s loses its traffic, and gets it back when healed.
#[test]
fn traffic_leaves_a_slow_server_and_returns_after_healing() {
    for policy in [LOWEST_LATENCY, two_choices(LoadSignal::Own)] {
        let mut scenario = fleet(5, 2, policy);
        scenario.workload.arrivals = Arrivals::Poisson { rate: 800.0 };
        scenario.heartbeat.latency_decay_ns = Some(SECOND);
        scenario.faults = vec![slow(0..1, 20.0, 2 * SECOND, Some(4 * SECOND))];
        let name = scenario.policies[0].name();
        let before = share(&window(&scenario, 500 * MILLISECOND, 2 * SECOND), 0);
        let slowed = share(&window(&scenario, 2_500 * MILLISECOND, 6 * SECOND), 0);
        let healed = share(&window(&scenario, 9 * SECOND, 15 * SECOND), 0);
        let what = format!("{name}: {before:.3}, {slowed:.3}, {healed:.3}");
        assert!((0.1..0.4).contains(&before), "{what}");
        assert!(slowed < 0.3 * before, "{what}");
        assert!((0.1..0.4).contains(&healed), "{what}");
    }
}

/// Without decay the seed rule never tries a server again that was once slow.
#[test]
fn without_decay_a_server_once_slow_stays_alone() {
    let mut scenario = fleet(5, 2, LOWEST_LATENCY);
    scenario.workload.arrivals = Arrivals::Poisson { rate: 300.0 };
    scenario.heartbeat.latency_decay_ns = None;
    scenario.faults = vec![slow(0..1, 20.0, SECOND, Some(SECOND))];
    let healed = window(&scenario, 4 * SECOND, 15 * SECOND);
    assert!(share(&healed, 0) < 0.01, "{}", share(&healed, 0));
}

// Small, empty, lopsided.

#[test]
fn one_server_and_one_node_are_a_fleet() {
    for policy in POLICIES {
        let mut scenario = fleet(1, 1, policy.clone());
        if let PolicyConfig::TwoChoices(TwoChoicesConfig { replacement, .. }) =
            &mut scenario.policies[0]
        {
            *replacement = true;
        }
        let result = run(&scenario);
        let answered = result.total.of(Outcome::Ok) + result.total.of(Outcome::Rejected);
        assert_eq!(answered, result.total.arrived, "{}", policy.name());
        assert!(result.total.of(Outcome::Ok) > 800, "{}", policy.name());
    }
}

/// Forty nodes, about ten requests: most nodes never see one.
#[test]
fn more_nodes_than_requests_are_no_problem() {
    for policy in POLICIES {
        let mut scenario = fleet(3, 40, policy.clone());
        scenario.workload.arrivals = Arrivals::Poisson { rate: 2.5 };
        let result = run(&scenario);
        assert!((1..40).contains(&result.total.arrived), "{}", policy.name());
        assert_eq!(result.total.of(Outcome::Ok), result.total.arrived, "{}", policy.name());
        assert!(result.nodes.iter().any(|node| node.total.arrived == 0), "{}", policy.name());
    }
}

/// Unknown is not 0: a run without requests has counts of zero and no quantiles.
#[test]
fn a_run_without_arrivals_ends_and_has_no_latency() {
    for policy in POLICIES {
        let mut scenario = fleet(3, 2, policy);
        scenario.workload.arrivals = Arrivals::Poisson { rate: 1e-9 };
        let result = run(&scenario);
        assert_eq!(result.total.arrived, 0);
        assert_eq!(result.latency.quantile_ns(0.5), None);
        assert_eq!(result.end_ns, scenario.duration_ns + DELAY_NS);
        assert_eq!(result.series.len(), 40);
        assert!(result.nodes.iter().all(|node| node.reports > 100));
    }
    let empty = run_with(&traced(3, 2), 0, VecTrace::new(&[]).options());
    assert_eq!(empty.total.arrived, 0);
}

// Retries, patience, lost heartbeats.

/// One of two servers is down, loudly and unnoticed; in strict turns every second request of a node
/// meets it. A retry goes to the other server and succeeds.
#[test]
fn retries_save_what_the_budget_pays_for() {
    let with = |max: u32, budget_ppm: u32| {
        let mut scenario = fleet(2, 2, ROUND_ROBIN);
        scenario.workload.arrivals = Arrivals::Poisson { rate: 100.0 };
        scenario.heartbeat.failure_timeout_ns = HOUR;
        scenario.faults = vec![crash(0..1, false, 0, None)];
        scenario.workload.retries = Retries { max, budget_ppm };
        run(&scenario)
    };
    let retried = |result: &RunResult| result.nodes.iter().map(|node| node.retried).sum::<u64>();
    let denied =
        |result: &RunResult| result.nodes.iter().map(|node| node.retries_denied).sum::<u64>();

    let never = with(0, 1_000_000);
    let met = never.total.of(Outcome::Lost);
    assert!(met.abs_diff(never.total.arrived / 2) <= 2, "{:?}", never.total);
    assert_eq!((retried(&never), denied(&never)), (0, 0));

    let paid = with(1, 1_000_000);
    assert_eq!(paid.total.of(Outcome::Ok), paid.total.arrived);
    assert_eq!((retried(&paid), denied(&paid)), (paid.servers[0].arrived_dead, 0));

    // Each node has ten retries in hand and earns none.
    let unpaid = with(1, 0);
    assert_eq!(retried(&unpaid), 20);
    assert_eq!(denied(&unpaid), unpaid.total.of(Outcome::Lost));
    assert_eq!(unpaid.servers[0].arrived_dead, 20 + denied(&unpaid));
}

/// A retry is not sent where the last attempt failed; with nobody else there is none.
#[test]
fn a_retry_needs_another_server() {
    let mut scenario = fleet(1, 1, RANDOM);
    scenario.heartbeat.failure_timeout_ns = HOUR;
    scenario.faults = vec![crash(0..1, false, 0, None)];
    scenario.workload.retries = Retries { max: 3, budget_ppm: 1_000_000 };
    let result = run(&scenario);
    assert_eq!(result.total.of(Outcome::Lost), result.total.arrived);
    assert_eq!(result.nodes[0].retried, 0);
}

/// An answer at the very moment the client gives up counts; one nanosecond less patience and it
/// comes too late, while the server goes on serving.
#[test]
fn patience_ends_to_the_nanosecond() {
    let latency_ns = 10 * MILLISECOND + 2 * DELAY_NS;
    for (patience_ns, outcome) in [(latency_ns, Outcome::Ok), (latency_ns - 1, Outcome::TimedOut)] {
        let mut scenario = fleet(4, 2, TWO_CHOICES);
        scenario.servers[0].capacity = 1_000;
        scenario.servers[0].service = ServiceLaw::Constant { mean_ns: 1e7 };
        scenario.workload.timeout_ns = Some(patience_ns);
        let result = run(&scenario);
        assert_eq!(result.total.of(outcome), result.total.arrived, "{patience_ns}");
        let completed: u64 = result.servers.iter().map(|server| server.completed).sum();
        assert!(completed + 100 > result.total.arrived, "{patience_ns}: {completed}");
    }
}

/// With 99 % of heartbeats lost, every 10 ms one is sent and a server counts as failed after 35 ms,
/// so a node takes it for alive p^k-th of the time with three or four chances in a row: in the mean
/// 1 - 0.99^3 (0.01 (3 - 3.5) + 1) = 3.5 % (less the 1 ms a report is on its way).
#[test]
fn lost_heartbeats_reject_requests_but_break_nothing() {
    let mut scenario = fleet(1, 40, RANDOM);
    scenario.servers[0].capacity = 1_000;
    scenario.duration_ns = 10 * SECOND;
    scenario.workload.arrivals = Arrivals::Poisson { rate: 4_000.0 };
    scenario.heartbeat.interval_ns = 10 * MILLISECOND;
    scenario.heartbeat.failure_timeout_ns = 35 * MILLISECOND;
    scenario.heartbeat.loss = 0.99;
    let result = run(&scenario);
    let served = result.measured.of(Outcome::Ok) as f64 / result.measured.arrived as f64;
    assert!((0.030..0.038).contains(&served), "{served}");
    assert_eq!(
        result.measured.of(Outcome::Ok) + result.measured.of(Outcome::Rejected),
        result.measured.arrived
    );
}

// Traces.

/// A recorded workload in memory; `Err` stands for a row that cannot be read.
struct VecTrace(std::vec::IntoIter<Result<TraceRecord, String>>);

impl VecTrace {
    fn new(rows: &[(Nanos, Option<Nanos>)]) -> Self {
        let record = |&(at_ns, service_ns): &_| Ok(TraceRecord { at_ns, service_ns, key: None });
        Self(rows.iter().map(record).collect::<Vec<_>>().into_iter())
    }

    fn options(self) -> Options {
        Options { trace: Some(Box::new(self)), ..Options::default() }
    }
}

impl TraceSource for VecTrace {
    fn next(&mut self) -> Result<Option<TraceRecord>, String> {
        self.0.next().transpose()
    }
}

/// A fleet that replays a trace with service times.
fn traced(servers: u32, nodes: u32) -> Scenario {
    let mut scenario = fleet(servers, nodes, ROUND_ROBIN);
    scenario.warmup_ns = 0;
    scenario.workload.arrivals = Arrivals::Trace(TraceConfig::new(
        "memory",
        TraceFormat::Csv(CsvColumns {
            time: "at".into(),
            time_unit_ns: 1,
            service: Some("service".into()),
            service_unit_ns: 1,
            ..CsvColumns::default()
        }),
    ));
    scenario
}

/// Arrivals keep their times and services, also several at one moment; nodes take turns; what comes
/// at the end of the run or later is not part of it.
#[test]
fn a_trace_is_replayed_as_it_was_recorded() {
    let scenario = traced(1, 3);
    let end_ns = scenario.duration_ns;
    let rows = [
        (0, 5_000_000),
        (0, 7_000_000),
        (1_234_567, 1),
        (SECOND + 17, 40_000_000),
        (SECOND + 17, 1_000_000),
        (2 * SECOND, 3_000_000),
        (end_ns - 1, 2_000_000),
        (end_ns, 9_000_000),
        (end_ns + SECOND, 9_000_000),
    ];
    let rows = rows.map(|(at_ns, service_ns)| (at_ns, Some(service_ns)));
    let result = run_with(&scenario, 0, VecTrace::new(&rows).options());
    assert_eq!(result.total.arrived, 7);
    assert_eq!(result.total.of(Outcome::Ok), 7);
    let arrived: Vec<u64> = result.nodes.iter().map(|node| node.total.arrived).collect();
    assert_eq!(arrived, [3, 2, 2]);
    // Turns: rows 0, 3, 6 at node 0; rows 1, 4 at node 1; rows 2, 5 at node 2. Nobody waits.
    let hops = |requests: u128| requests * 2 * u128::from(DELAY_NS);
    let latency_ns: Vec<u128> = result.nodes.iter().map(|node| node.latency_sum_ns).collect();
    assert_eq!(latency_ns, [47_000_000 + hops(3), 8_000_000 + hops(2), 3_000_001 + hops(2)]);
    let busy_ns: u128 = result.servers.iter().map(|server| server.busy_ns).sum();
    assert_eq!(busy_ns, 56_000_001, "the last request is served after the window");
}

/// The window is half open at both ends of an attempt's stay: what arrives at a server at the
/// warm-up's end belongs to it, what is completed at the end of the run does not.
#[test]
fn the_window_is_half_open() {
    let mut scenario = traced(1, 1);
    scenario.warmup_ns = SECOND;
    let end_ns = scenario.duration_ns;
    for (at_server_ns, service_ns, served) in [
        (SECOND - 1, MILLISECOND, 0),
        (SECOND, MILLISECOND, 1),
        (end_ns - MILLISECOND, MILLISECOND - 1, 1),
        (end_ns - MILLISECOND, MILLISECOND, 0),
    ] {
        let rows = [(at_server_ns - DELAY_NS, Some(service_ns))];
        let result = run_with(&scenario, 0, VecTrace::new(&rows).options());
        assert_eq!(result.served, served, "at {at_server_ns} for {service_ns}");
    }
    for (at_ns, measured) in [(SECOND - 1, 0), (SECOND, 1)] {
        let rows = [(at_ns, Some(MILLISECOND))];
        let result = run_with(&scenario, 0, VecTrace::new(&rows).options());
        assert_eq!(result.measured.arrived, measured, "at {at_ns}");
        assert_eq!(result.total.arrived, 1);
    }
}

/// Rows without a service time draw their demands as generated requests do.
#[test]
fn a_trace_without_services_draws_them() {
    let mut scenario = traced(4, 2);
    if let Arrivals::Trace(TraceConfig { format: TraceFormat::Csv(columns), .. }) =
        &mut scenario.workload.arrivals
    {
        columns.service = None;
    }
    let rows: Vec<_> = (0..2_000).map(|i| (i * MILLISECOND, None)).collect();
    let result = run_with(&scenario, 0, VecTrace::new(&rows).options());
    assert_eq!(result.total.of(Outcome::Ok), 2_000);
    let mean_ns = result.latency_sum_ns as f64 / 2_000.0 - 2.0 * DELAY_NS as f64;
    assert!((9e6..11e6).contains(&mean_ns), "{mean_ns}");
}

#[test]
fn a_trace_that_breaks_off_is_an_error_and_no_panic() {
    let ran = |source: VecTrace| {
        let mut simulation = Simulation::new(&traced(2, 2), 0, 0, source.options())?;
        while simulation.advance()? {}
        Ok(simulation.finish().total.arrived)
    };
    let row = |at_ns| Ok(TraceRecord { at_ns, service_ns: Some(1_000), key: None });
    for good in [0, 1, 500] {
        let mut rows: Vec<Result<TraceRecord, String>> =
            (0..good).map(|i| row(i * MILLISECOND)).collect();
        rows.push(Err("line 7: not a number".into()));
        rows.push(row(2 * SECOND));
        let error = RunError::Trace("line 7: not a number".into());
        assert_eq!(ran(VecTrace(rows.into_iter())), Err(error), "after {good} rows");
    }
    let missing = Simulation::new(&traced(2, 2), 0, 0, Options::default()).err();
    assert_eq!(missing, Some(RunError::NoTrace));
}

// Long and short times.

/// Goal: idle time costs nothing. Method: services of hours on ticks of a microsecond, in 30 hours
/// with 10 requests; of 10^11 ticks only those in which something happens may be run.
#[test]
fn idle_ticks_are_skipped() {
    for kernel_is_needed in [false, true] {
        let mut scenario = traced(2, 2);
        scenario.duration_ns = 30 * HOUR;
        scenario.engine.tick_ns = MICROSECOND;
        scenario.engine.quantum_ns = 100 * MILLISECOND;
        scenario.engine.sample_interval_ns = HOUR;
        scenario.heartbeat.interval_ns = HOUR / 2;
        scenario.heartbeat.failure_timeout_ns = 2 * HOUR;
        if kernel_is_needed {
            scenario.faults = vec![slow(0..1, 1.5, 0, None)];
        }
        let rows: Vec<_> = (0..10).map(|i| (i * HOUR + 123_457, Some(5 * HOUR))).collect();
        let options =
            Options { dispatch: Some(PhaseDispatch::Schedule), ..VecTrace::new(&rows).options() };
        let mut simulation = Simulation::new(&scenario, 0, 0, options).unwrap();
        let mut ticks = 1;
        while simulation.advance().unwrap() {
            ticks += 1;
            assert!(ticks < 1_000, "still running at {} ns", simulation.now_ns());
        }
        let result = simulation.finish();
        assert_eq!(result.total.of(Outcome::Ok), 10);
        let longest_ns = if kernel_is_needed { 75 * HOUR / 10 } else { 5 * HOUR };
        assert_eq!(result.latency.max_ns(), longest_ns + 2 * DELAY_NS);
    }
}
