//! What nodes make of servers beyond their reports: rhythm, slow start, priors, tombstones, trust,
//! ejections. Each test has a control that shows that it can fail.

mod common;

use common::{LOWEST_LATENCY, RANDOM, crash, fleet, run, slow};
use sim_core::config::{
    Arrivals, Detector, Fanout, Fault, FaultKind, GossipConfig, GossipMode, GossipPayload,
    GossipRounds, Lie, OutlierEjection, PhiAccrual, Prior, Scenario, ServerGroup, SlowStart,
    Targets, TrustConfig,
};
use sim_core::result::{Findings, Outcome, RunResult};
use sim_core::time::{MILLISECOND, Nanos, SECOND};

fn over<T: std::iter::Sum>(result: &RunResult, get: impl Fn(&Findings) -> T) -> T {
    result.nodes.iter().map(|node| get(&node.findings)).sum()
}

const fn fault(at_ns: Nanos, for_ns: Option<Nanos>, kind: FaultKind) -> Fault {
    Fault { at_ns, for_ns, kind }
}

/// Looks at what arrives in `[from_ns, to_ns)` of a scenario. What breaks later has no part in it.
fn window(scenario: &Scenario, from_ns: Nanos, to_ns: Nanos) -> RunResult {
    let mut part = Scenario { warmup_ns: from_ns, duration_ns: to_ns, ..scenario.clone() };
    part.faults.retain(|fault| fault.at_ns < to_ns);
    run(&part)
}

/// Share of a server in what arrived at all servers in the window.
fn share(result: &RunResult, server: usize) -> f64 {
    let all: u64 = result.servers.iter().map(|server| server.picks).sum();
    result.servers[server].picks as f64 / all as f64
}

// Phi-accrual.

/// 50 servers heard by 4 nodes, judged by rhythm alone once five gaps are known.
fn rhythmic(threshold: f64) -> Scenario {
    let mut scenario = fleet(50, 4, RANDOM);
    scenario.workload.arrivals = Arrivals::Poisson { rate: 100.0 };
    // As good as never, so that nobody is judged by it.
    scenario.heartbeat.failure_timeout_ns = 3 * SECOND;
    // Nobody panics when all have crashed.
    scenario.judgement.panic_threshold = 0.0;
    let phi = PhiAccrual { threshold, window: 1_000, min_samples: 5 };
    scenario.judgement.detector = Detector::PhiAccrual(phi);
    scenario
}

/// Times from the crash of all servers at 2 s to their detection [ns].
fn detections(mut scenario: Scenario) -> Vec<Nanos> {
    scenario.duration_ns = 6 * SECOND;
    scenario.faults = vec![crash(0..50, true, 2 * SECOND, None)];
    let result = run(&scenario);
    assert_eq!(over(&result, |found| found.false_failures), 0, "nobody was suspected before");
    let nodes = result.nodes.into_iter();
    let found: Vec<Nanos> = nodes.flat_map(|node| node.findings.detection_ns).collect();
    assert_eq!(found.len(), 200, "every node notices every crash once");
    found
}

/// Steady heartbeats every 100 ms: the patience is `threshold x ln 10` gaps from the last report on,
/// which is up to a gap old when the server crashes.
#[test]
fn suspicion_follows_the_threshold_and_steady_hearts_are_never_suspected() {
    for threshold in [1.0, 4.0, 8.0] {
        let patience_ns = threshold * std::f64::consts::LN_10 * 1e8;
        let quantum_ns = 5e5;
        for ns in detections(rhythmic(threshold)) {
            let early_ns = patience_ns - ns as f64;
            assert!(
                (-4.0 * quantum_ns..1e8 + quantum_ns).contains(&early_ns),
                "threshold {threshold}: {early_ns} ns before the patience ends"
            );
        }
    }
}

/// Half of the heartbeats are lost: gaps are twice as long, and so is the patience; a fixed timeout
/// cries wolf all the time.
#[test]
fn patience_adapts_to_the_rhythm_that_is_heard() {
    let mean = |found: Vec<Nanos>| found.iter().sum::<Nanos>() as f64 / found.len() as f64;
    let mut lossy = rhythmic(6.0);
    lossy.heartbeat.loss = 0.5;
    let twice = mean(detections(lossy.clone())) / mean(detections(rhythmic(6.0)));
    assert!((1.8..2.2).contains(&twice), "{twice}");
    lossy.judgement.detector = Detector::Timeout;
    lossy.heartbeat.failure_timeout_ns = 250 * MILLISECOND;
    assert!(over(&run(&lossy), |found| found.false_failures) > 300, "no control");

    // A jitter of 0.9 makes gaps of up to 1.9 intervals: far within 2 x ln 10 mean gaps.
    let mut jittery = rhythmic(2.0);
    jittery.heartbeat.jitter = 0.9;
    detections(jittery);
}

// Slow start.

/// Goal: a server that returns gets the share that the ramp says. Method: server 0 of 10 is out until
/// 1.3 s and heard again within 100 ms; the policy picks at random, so a pick in ten is of it, and
/// stands by chance.
#[test]
fn a_returning_server_is_eased_in_as_configured() {
    let shares = |slow_start: Option<SlowStart>| {
        let mut scenario = fleet(10, 4, RANDOM);
        scenario.faults = vec![crash(0..1, false, 300 * MILLISECOND, Some(SECOND))];
        scenario.judgement.discovery.slow_start = slow_start;
        [(1_400, 1_500), (2_300, 2_500), (3_500, 4_000)].map(|(from, to)| {
            let result = window(&scenario, from * MILLISECOND, to * MILLISECOND);
            10.0 * share(&result, 0)
        })
    };
    let ramp = |aggression| SlowStart { window_ns: 2 * SECOND, aggression, floor: 0.1 };
    // Half of the window is over at about 2.35 s, all of it at 3.35 s. About 300, 600 and 1 400
    // picks: bounds are at least four standard deviations away.
    let [first, half, whole] = shares(None);
    assert!(first > 0.5 && half > 0.6 && (0.7..1.3).contains(&whole), "{first} {half} {whole}");
    let [first, half, whole] = shares(Some(ramp(1.0)));
    assert!(first < 0.35 && (0.2..0.85).contains(&half), "{first} {half}");
    assert!((0.7..1.3).contains(&whole), "{whole}");
    // A bolder start is the root of that: 0.7 and not 0.5 after half of the time.
    let [bold_first, bold_half, _] = shares(Some(ramp(2.0)));
    assert!(bold_first > first && bold_half > half, "{bold_first} {bold_half}");
}

// Cold-start priors.

/// A server that has completed nothing is tried by all, by as many as any other, or by nobody as
/// long as the others are fast: as its prior says.
#[test]
fn a_new_server_gets_what_its_prior_promises() {
    let new_share = |prior: Prior| {
        let mut scenario = fleet(10, 4, LOWEST_LATENCY);
        scenario.workload.arrivals = Arrivals::Poisson { rate: 1_000.0 };
        scenario.judgement.discovery.prior = prior;
        let group = ServerGroup { count: 1, ..scenario.servers[0].clone() };
        scenario.faults = vec![fault(SECOND, None, FaultKind::Add { group })];
        // Its first heartbeat comes within 100 ms, its first report of a completion 100 ms later.
        11.0 * share(&window(&scenario, SECOND, 1_150 * MILLISECOND), 10)
    };
    let [zero, mean, penalty] = [Prior::Zero, Prior::Mean, Prior::Penalty(SECOND)].map(new_share);
    assert!(zero > 1.5, "everybody tries it: {zero} fair shares");
    assert!(mean < 0.8 * zero, "as good as any: {mean} fair shares, zero gives {zero}");
    assert!(penalty < 0.05, "nobody tries it: {penalty} fair shares");
}

// Tombstones.

/// Times that a server which left at 1 s was taken for a new one, and attempts that were sent to it
/// from 1.2 s on. Its last reports are held up by as much as 1.5 s, so that some arrive after the news
/// that it leaves.
fn ghosts(tombstone_ttl_ns: Nanos) -> (usize, u64) {
    let mut scenario = fleet(10, 4, RANDOM);
    // Silence alone keeps nobody away from a server that has risen.
    scenario.heartbeat.failure_timeout_ns = 3 * SECOND;
    let last = || Targets::Ids(9..10);
    let reorder =
        FaultKind::HeartbeatReorder { servers: last(), share: 0.5, by_ns: 1_500 * MILLISECOND };
    scenario.faults = vec![
        fault(100 * MILLISECOND, Some(880 * MILLISECOND), reorder),
        fault(SECOND, None, FaultKind::Remove { servers: last() }),
    ];
    scenario.judgement.discovery.tombstone_ttl_ns = tombstone_ttl_ns;
    let result = window(&scenario, 1_200 * MILLISECOND, 4 * SECOND);
    (over(&result, |found| found.discovery_ns.len()), result.servers[9].picks)
}

#[test]
fn a_tombstone_keeps_late_reports_from_raising_the_dead_until_it_is_forgotten() {
    let (risen, sent) = ghosts(2 * SECOND);
    assert_eq!((risen, sent), (0, 0), "the oldest report is 1.5 s late, the tombstone lasts 2 s");
    let (risen, sent) = ghosts(100 * MILLISECOND);
    assert!(risen > 0 && sent > 0, "a tombstone of 100 ms is forgotten before: {risen} {sent}");
    let (later, _) = ghosts(800 * MILLISECOND);
    assert!(later < risen, "it lasts as long as it says: {later} after 800 ms, {risen} after 100");
}

/// The same with nodes that tell each other: what one of them still holds of the server is older than
/// what the first one has heard of its leaving, and does not come back by gossip.
#[test]
fn stale_gossip_does_not_raise_the_dead() {
    let mut scenario = fleet(10, 6, RANDOM);
    scenario.heartbeat.fanout = Fanout::Random(1);
    // One node hears a server every 600 ms, and its peers from there.
    scenario.heartbeat.failure_timeout_ns = 3 * SECOND;
    scenario.gossip = Some(GossipConfig {
        interval_ns: 100 * MILLISECOND,
        jitter: 0.1,
        rounds: GossipRounds::Spread,
        fanout: 2,
        mode: GossipMode::PushPull,
        payload: GossipPayload::Full,
        mtu_bytes: 1_400,
        loss: 0.2,
    });
    scenario.faults = vec![fault(SECOND, None, FaultKind::Remove { servers: Targets::Ids(9..10) })];
    let before = window(&scenario, 400 * MILLISECOND, SECOND);
    assert!(share(&before, 9) > 0.07, "it was in use");
    let after = window(&scenario, 2 * SECOND, 4 * SECOND);
    assert_eq!(after.servers[9].picks, 0, "and is no longer");
    assert_eq!(over(&after, |found| found.discovery_ns.len()), 0);
}

// Trust.

/// Server 0 takes ten times as long as the others and says that it is as fast as they, twice.
fn liar(trust: bool) -> Scenario {
    let mut scenario = fleet(10, 4, LOWEST_LATENCY);
    scenario.workload.arrivals = Arrivals::Poisson { rate: 1_000.0 };
    scenario.heartbeat.latency_decay_ns = Some(500 * MILLISECOND);
    let lie = || FaultKind::Lie {
        servers: Targets::Ids(0..1),
        lie: Lie::Scaled { load: 1.0, latency: 0.02 },
    };
    let mut faults = Vec::new();
    for at_ns in [500 * MILLISECOND, 5 * SECOND] {
        faults.push(slow(0..1, 10.0, at_ns, Some(1_500 * MILLISECOND)));
        faults.push(fault(at_ns, Some(1_500 * MILLISECOND), lie()));
    }
    scenario.faults = faults;
    scenario.duration_ns = 7 * SECOND;
    if trust {
        let trust = TrustConfig { factor: 4.0, min_answers: 5, strikes: 3, alpha: 0.2 };
        scenario.judgement.trust = Some(trust);
    }
    scenario
}

#[test]
fn a_liar_is_measured_and_an_honest_server_is_believed_again() {
    let believed = share(&window(&liar(false), 1_200 * MILLISECOND, 2 * SECOND), 0);
    let measured = share(&window(&liar(true), 1_200 * MILLISECOND, 2 * SECOND), 0);
    assert!(measured < 0.5 * believed, "{measured}, and {believed} where all is believed");
    // Between the lies it is honest, so that every node has to find it out twice.
    let result = run(&liar(true));
    let quarantines: Vec<u64> = result.nodes.iter().map(|node| node.findings.quarantines).collect();
    assert_eq!(quarantines, [2; 4], "put in twice means let out in between");
    let honest = share(&window(&liar(true), 4 * SECOND, 5 * SECOND), 0);
    assert!(honest > 0.02, "it is used again: {honest}");
    let mut sound = liar(true);
    sound.faults.clear();
    assert_eq!(over(&run(&sound), |found| found.quarantines), 0, "who tells the truth is free");
}

// Ejection.

/// Share of requests that failed from 2 s on, with five of ten servers that answer errors only, and
/// how often nodes panicked.
fn with_half_the_servers_broken(max_ejected: f64, panic_threshold: f64) -> (f64, u64) {
    let mut scenario = fleet(10, 4, RANDOM);
    scenario.workload.arrivals = Arrivals::Poisson { rate: 1_000.0 };
    let fail = FaultKind::FailFast { servers: Targets::Ids(0..5), share: 1.0 };
    scenario.faults = vec![fault(500 * MILLISECOND, None, fail)];
    scenario.judgement.outlier_ejection = Some(OutlierEjection {
        consecutive_failures: 5,
        success_rate: None,
        interval_ns: SECOND,
        base_time_ns: 30 * SECOND,
        max_time_ns: 30 * SECOND,
        max_ejected,
    });
    scenario.judgement.panic_threshold = panic_threshold;
    let result = window(&scenario, 2 * SECOND, 4 * SECOND);
    let failed = result.measured.of(Outcome::Failed) as f64 / result.measured.arrived as f64;
    (failed, over(&result, |found| found.panics))
}

/// About 2 000 requests: the standard deviation of a share is 0.011.
#[test]
fn ejection_stops_at_the_cap_and_panic_ignores_it() {
    let (all_out, panics) = with_half_the_servers_broken(1.0, 0.0);
    assert!(all_out < 0.001 && panics == 0, "{all_out}, {panics}");
    // Two of ten are out: three of the other eight are broken.
    let (capped, panics) = with_half_the_servers_broken(0.2, 0.0);
    assert!((capped - 0.375).abs() < 0.055 && panics == 0, "{capped}, {panics}");
    // Half of them are left, and nodes panic below 60 %: all ten are in use.
    let (panicking, panics) = with_half_the_servers_broken(1.0, 0.6);
    assert!((panicking - 0.5).abs() < 0.055 && panics >= 4, "{panicking}, {panics}");
    let (calm, panics) = with_half_the_servers_broken(1.0, 0.4);
    assert!(calm < 0.001 && panics == 0, "{calm}, {panics}");
}
