//! Servers that break, lie, come and go: what the fleet notices, and how soon.
//!
//! Method: a fleet whose window of measurement is laid over the time in question, so that the picks
//! of a server in the window say whether anybody sent it anything then.

mod common;

use common::{
    DELAY_NS, LOWEST_LATENCY, RANDOM, ROUND_ROBIN, TWO_CHOICES, crash, fleet, run, two_choices,
};
use sim_core::config::{
    Arrivals, ChaosConfig, ChaosKind, Fault, FaultKind, Inconsistency, Lie, LoadSignal,
    PolicyConfig, Retries, Scenario, ServerGroup, Targets,
};
use sim_core::plan::{Change, Planned};
use sim_core::result::{Outcome, RunResult};
use sim_core::setup::Setup;
use sim_core::time::{MILLISECOND, Nanos, SECOND};

/// Heartbeat interval and failure timeout of [`fleet`] [ns].
const INTERVAL_NS: Nanos = 100 * MILLISECOND;
const TIMEOUT_NS: Nanos = 350 * MILLISECOND;

fn fault(at_ns: Nanos, for_ns: Option<Nanos>, kind: FaultKind) -> Fault {
    Fault { at_ns, for_ns, kind }
}

/// Server 0 alone.
const fn first() -> Targets {
    Targets::Ids(0..1)
}

/// The scenario with its measurement window laid over `[from, to)`.
fn in_window(scenario: &Scenario, from_ns: Nanos, to_ns: Nanos) -> RunResult {
    let mut scenario = scenario.clone();
    (scenario.warmup_ns, scenario.duration_ns) = (from_ns, to_ns);
    scenario.faults.retain(|fault| fault.at_ns < to_ns);
    run(&scenario)
}

/// Share of the picks of a window that went to `server`.
fn share(result: &RunResult, server: usize) -> f64 {
    let all: u64 = result.servers.iter().map(|server| server.picks).sum();
    result.servers[server].picks as f64 / all as f64
}

/// Ten servers, two nodes, one fault.
fn with(policy: PolicyConfig, fault: Fault) -> Scenario {
    let mut scenario = fleet(10, 2, policy);
    scenario.faults = vec![fault];
    scenario
}

#[test]
fn flapping_is_a_row_of_crashes_that_ends_up() {
    let flap = FaultKind::Flap { servers: first(), period_ns: SECOND, up: 0.25, silent: true };
    let scenario = with(RANDOM, fault(SECOND, Some(2_500 * MILLISECOND), flap));
    assert_eq!(scenario.validate(), Ok(()));
    let plan = Setup::new(&scenario, 0, 0).plan.servers;
    let at = |ms: u64, change| Planned { quantum: ms * 2, first: 0, end: 1, change };
    let down = Change::Crash { silent: true };
    let expected = [
        at(1_000, down),
        at(1_750, Change::Recover),
        at(2_000, down),
        at(2_750, Change::Recover),
        at(3_000, down),
        // The fault ends in the middle of a crash: the server comes back.
        at(3_500, Change::Recover),
    ];
    assert_eq!(plan, expected);
    let result = in_window(&scenario, 3_600 * MILLISECOND, 4 * SECOND);
    assert!(result.servers[0].picks > 0, "it is back in use");
    assert!(result.servers[0].lost > 0 && result.servers[1].lost == 0);
}

/// What ends goes before what starts, whatever the order in the scenario.
#[test]
fn a_fault_may_start_where_another_ends() {
    let mut scenario = fleet(2, 1, RANDOM);
    scenario.faults =
        vec![crash(0..1, false, 2 * SECOND, None), crash(0..1, true, SECOND, Some(SECOND))];
    assert_eq!(scenario.validate(), Ok(()));
    let changes: Vec<Change> =
        Setup::new(&scenario, 0, 0).plan.servers.iter().map(|planned| planned.change).collect();
    let crash = |silent| Change::Crash { silent };
    assert_eq!(changes, [crash(true), Change::Recover, crash(false)]);
}

/// Nobody sends a crashed server anything later than a failure timeout, the tick in which it ends
/// and the way there after its last heartbeat.
#[test]
fn traffic_leaves_a_silent_server_within_the_timeout_and_comes_back() {
    let (down_ns, up_ns) = (1_500 * MILLISECOND, 2_500 * MILLISECOND);
    for policy in [RANDOM, ROUND_ROBIN, LOWEST_LATENCY, TWO_CHOICES] {
        let scenario = with(policy, crash(0..1, true, down_ns, Some(up_ns - down_ns)));
        let bound_ns = down_ns + TIMEOUT_NS + 2 * DELAY_NS;
        let late = in_window(&scenario, bound_ns, up_ns);
        assert_eq!(late.servers[0].picks, 0, "{}", scenario.policies[0].name());
        // Up to a heartbeat interval before the crash was the last one sent.
        let soon = in_window(&scenario, down_ns, bound_ns - INTERVAL_NS);
        // The seed rule may prefer others all the time.
        let picked = soon.servers[0].picks > 0 || scenario.policies[0] == LOWEST_LATENCY;
        assert!(picked, "{}", scenario.policies[0].name());
        let after = in_window(&scenario, up_ns + INTERVAL_NS + DELAY_NS, 4 * SECOND);
        assert!(share(&after, 0) > 0.01, "{}: {}", scenario.policies[0].name(), share(&after, 0));
    }
}

/// A server that answers errors at once looks idle and fast: the seed rule sends it nearly
/// everything, random its fair share; a retry elsewhere rescues what it gets.
#[test]
fn a_fast_failing_server_is_a_sinkhole() {
    let fail = FaultKind::FailFast { servers: first(), share: 1.0 };
    let sinkhole = |policy| with(policy, fault(SECOND, None, fail.clone()));
    let failed = |scenario: &Scenario| {
        let result = in_window(scenario, 2 * SECOND, 4 * SECOND);
        assert_eq!(result.servers[1].failed, 0);
        result.measured.of(Outcome::Failed) as f64 / result.measured.arrived as f64
    };
    let evenly = failed(&sinkhole(RANDOM));
    assert!((0.08..0.12).contains(&evenly), "{evenly}");
    let drawn_in = failed(&sinkhole(LOWEST_LATENCY));
    assert!(drawn_in > 0.5, "{drawn_in}");
    let mut rescued = sinkhole(RANDOM);
    rescued.workload.retries = Retries { max: 1, budget_ppm: 1_000_000 };
    assert!(failed(&rescued) < 1e-9);
}

#[test]
fn a_share_of_the_answers_fails() {
    let fail = FaultKind::FailFast { servers: Targets::Ids(0..10), share: 0.3 };
    let result = in_window(&with(RANDOM, fault(0, None, fail)), SECOND, 4 * SECOND);
    let share = result.measured.of(Outcome::Failed) as f64 / result.measured.arrived as f64;
    assert!((share - 0.3).abs() < 0.02, "{share}");
}

/// One slot instead of four carries a quarter; afterwards what waited is served at full width.
#[test]
fn fewer_slots_carry_less_for_a_while() {
    let fewer = FaultKind::Capacity { servers: Targets::Ids(0..10), slots: 1 };
    let scenario = with(ROUND_ROBIN, fault(SECOND, Some(SECOND), fewer));
    let served = |from_ms: u64, to_ms: u64| {
        let result = in_window(&scenario, from_ms * MILLISECOND, to_ms * MILLISECOND);
        let busy: u128 = result.servers.iter().map(|server| server.busy_ns).sum();
        busy as f64 / ((to_ms - from_ms) as f64 * 1e6)
    };
    assert!((26.0..30.0).contains(&served(200, 1_000)), "28 slots in use: {}", served(200, 1_000));
    assert!((9.9..10.1).contains(&served(1_200, 2_000)), "{}", served(1_200, 2_000));
    assert!(
        served(2_000, 2_400) > 39.0,
        "the backlog keeps all slots busy: {}",
        served(2_000, 2_400)
    );
    let more = FaultKind::Capacity { servers: first(), slots: 8 };
    let mut scenario = with(ROUND_ROBIN, fault(SECOND, None, more));
    scenario.workload.arrivals = Arrivals::Poisson { rate: 20_000.0 };
    let result = in_window(&scenario, 2 * SECOND, 3 * SECOND);
    assert_eq!(result.servers[0].active + result.servers[0].waiting, 0, "the run waits for all");
    assert_eq!(result.servers[0].busy_ns, 8 * u128::from(SECOND));
    assert_eq!(result.servers[1].busy_ns, 4 * u128::from(SECOND));
}

/// A draining server finishes what it has: nothing is lost, and after the next heartbeat nobody
/// sends it anything, until it is back.
#[test]
fn a_draining_server_loses_nothing_and_gets_nothing() {
    let drain = FaultKind::Drain { servers: first() };
    for policy in [RANDOM, LOWEST_LATENCY, TWO_CHOICES] {
        let scenario = with(policy, fault(SECOND, Some(SECOND), drain.clone()));
        let told_ns = SECOND + INTERVAL_NS + 3 * DELAY_NS;
        let drained = in_window(&scenario, told_ns, 2 * SECOND);
        assert_eq!(drained.servers[0].picks, 0, "{}", scenario.policies[0].name());
        assert_eq!(drained.total.of(Outcome::Lost), 0);
        let back = in_window(&scenario, 2 * SECOND + INTERVAL_NS + DELAY_NS, 3 * SECOND);
        assert!(share(&back, 0) > 0.05, "{}: {}", scenario.policies[0].name(), share(&back, 0));
    }
}

#[test]
fn a_removed_server_serves_what_it_has_and_is_gone() {
    let mut scenario = with(RANDOM, fault(SECOND, None, FaultKind::Remove { servers: first() }));
    scenario.workload.retries = Retries { max: 1, budget_ppm: 1_000_000 };
    let result = in_window(&scenario, 2 * SECOND, 4 * SECOND);
    let server = &result.servers[0];
    assert_eq!((server.picks, server.lost, server.arrived_dead), (0, 0, 0));
    assert!(server.completed > 0 && server.refused > 0);
    assert_eq!(result.total.of(Outcome::Ok), result.total.arrived, "retries cover the gap");
    // It also stops reporting: nine servers, ten reports a second, two nodes.
    let reports: u64 = result.nodes.iter().map(|node| node.reports).sum();
    let seconds = result.end_ns as f64 / 1e9;
    let expected = 20.0 * (9.0 * seconds + 1.1);
    assert!((reports as f64 - expected).abs() < 20.0, "{reports} {expected}");
}

/// A new server is unknown until it reports, and within a second every node uses it.
#[test]
fn added_servers_take_their_share_within_a_second_and_nothing_before() {
    for policy in [RANDOM, ROUND_ROBIN, LOWEST_LATENCY, TWO_CHOICES] {
        let mut scenario = fleet(10, 4, policy);
        let group = ServerGroup { count: 10, ..scenario.servers[0].clone() };
        scenario.faults = vec![fault(SECOND, None, FaultKind::Add { group })];
        let name = scenario.policies[0].name();
        let before = in_window(&scenario, 0, SECOND);
        assert_eq!(before.servers.len(), 10, "nobody but those configured");
        let result = in_window(&scenario, 2 * SECOND, 4 * SECOND);
        assert_eq!(result.servers.len(), 20);
        for (id, server) in result.servers.iter().enumerate().skip(10) {
            assert!(server.picks > 0, "{name}: server {id}");
            assert_eq!(server.arrived_dead, 0, "{name}: server {id}");
        }
        let new: f64 = (10..20).map(|server| share(&result, server)).sum();
        assert!((0.35..0.65).contains(&new), "{name}: {new}");
        let wait = in_window(&scenario, 400 * MILLISECOND, SECOND + DELAY_NS);
        assert!(wait.servers[10..].iter().all(|server| server.picks == 0), "{name}");
    }
}

/// Without any heartbeat all servers look failed after the timeout, and with the first ones they
/// are back.
#[test]
fn a_storm_that_takes_all_heartbeats_blinds_the_nodes_until_it_ends() {
    let loss = FaultKind::HeartbeatLoss { servers: Targets::Percent(100.0), share: 1.0 };
    let scenario = with(TWO_CHOICES, fault(SECOND, Some(SECOND), loss));
    let blind = in_window(&scenario, SECOND + TIMEOUT_NS + DELAY_NS, 2 * SECOND);
    assert_eq!(blind.measured.of(Outcome::Rejected), blind.measured.arrived);
    let seeing = in_window(&scenario, 2 * SECOND + INTERVAL_NS + DELAY_NS, 3 * SECOND);
    assert_eq!(seeing.measured.of(Outcome::Ok), seeing.measured.arrived);
    // Half of the heartbeats are enough.
    let loss = FaultKind::HeartbeatLoss { servers: Targets::Percent(100.0), share: 0.5 };
    let half = in_window(&with(TWO_CHOICES, fault(SECOND, None, loss)), 2 * SECOND, 3 * SECOND);
    assert!(half.measured.of(Outcome::Ok) * 100 > half.measured.arrived * 99);
}

#[test]
fn late_heartbeats_make_views_older_and_doubled_ones_do_not() {
    let age_ms = |kind: FaultKind| {
        let result = in_window(&with(RANDOM, fault(0, None, kind)), SECOND, 4 * SECOND);
        let reports: u64 = result.nodes.iter().map(|node| node.reports).sum();
        (result.view_age.quantile_ns(0.5).unwrap() as f64 / 1e6, reports)
    };
    let servers = || Targets::Ids(0..10);
    let (sound, once) = age_ms(FaultKind::Drain { servers: first() });
    let by_ns = 200 * MILLISECOND;
    let (late, _) = age_ms(FaultKind::HeartbeatDelay { servers: servers(), by_ns });
    assert!((late - sound - 200.0).abs() < 10.0, "{late} {sound}");
    let (doubled, twice) = age_ms(FaultKind::HeartbeatDuplicate { servers: servers(), share: 1.0 });
    assert!((doubled - sound).abs() < 2.0, "{doubled} {sound}");
    assert!(twice.abs_diff(2 * once) < 45, "{twice} {once}");
    // Held up by U(0, 400 ms), with one sent every 100 ms: later ones overtake.
    let by_ns = 400 * MILLISECOND;
    let (mixed, _) = age_ms(FaultKind::HeartbeatReorder { servers: servers(), share: 1.0, by_ns });
    assert!(mixed > sound + 20.0 && mixed < sound + 200.0, "{mixed} {sound}");
}

/// A server that understates its load draws traffic in.
#[test]
fn lies_draw_traffic_in() {
    let policy = || two_choices(LoadSignal::Reported);
    let picked = |lie: Lie| {
        let lie = FaultKind::Lie { servers: first(), lie };
        let mut scenario = with(policy(), fault(20 * MILLISECOND, None, lie));
        // Light enough for one server to carry a fifth of it.
        scenario.workload.arrivals = Arrivals::Poisson { rate: 1_500.0 };
        share(&in_window(&scenario, SECOND, 4 * SECOND), 0)
    };
    let honest = picked(Lie::Scaled { load: 1.0, latency: 1.0 });
    assert!((0.07..0.13).contains(&honest), "{honest}");
    // Of two servers drawn, one is server 0 with chance 1/5; then it wins, but for half of the times
    // when the other one is idle.
    let scaled = picked(Lie::Scaled { load: 0.0, latency: 1.0 });
    assert!((0.14..0.2).contains(&scaled), "{scaled}");
}

/// Reports whose versions do not rise are not taken in: their server goes stale and out of use.
#[test]
fn versions_that_do_not_rise_are_no_news() {
    for what in [Inconsistency::Backwards, Inconsistency::Conflicting] {
        let kind = FaultKind::Inconsistent { servers: first(), what, share: 1.0 };
        let scenario = with(RANDOM, fault(SECOND, Some(2 * SECOND), kind));
        let stale_ns = SECOND + INTERVAL_NS + TIMEOUT_NS + 2 * DELAY_NS;
        let stale = in_window(&scenario, stale_ns, 3 * SECOND);
        assert_eq!(stale.servers[0].picks, 0, "{what:?}");
        assert!(stale.servers[1].picks > 0);
        let back = in_window(&scenario, 3 * SECOND + INTERVAL_NS + DELAY_NS, 4 * SECOND);
        assert!(share(&back, 0) > 0.05, "{what:?}: {}", share(&back, 0));
    }
}

/// No policy falls over reports that cannot be, and requests are conserved.
#[test]
fn impossible_reports_are_survived() {
    let what = Inconsistency::Impossible;
    for policy in [RANDOM, ROUND_ROBIN, LOWEST_LATENCY, TWO_CHOICES] {
        let servers = Targets::Percent(50.0);
        let kind = FaultKind::Inconsistent { servers, what, share: 0.7 };
        let result = run(&with(policy, fault(SECOND, Some(SECOND), kind)));
        assert!(result.total.is_conserved());
        let after = result.series.last().unwrap();
        assert!(after.counts.of(Outcome::Ok) > 0);
    }
}

/// A clock that is ahead hides a crash for as long; one that is behind by the timeout hides the
/// server.
#[test]
fn skewed_clocks_move_detection() {
    let skew = |ahead_ns: i64| {
        let kind = FaultKind::ClockSkew { servers: first(), ahead_ns };
        let mut scenario = with(RANDOM, fault(0, None, kind));
        scenario.faults.push(crash(0..1, true, SECOND, None));
        scenario
    };
    let sent_late = |scenario: &Scenario| {
        let from_ns = SECOND + TIMEOUT_NS + 2 * DELAY_NS;
        in_window(scenario, from_ns, from_ns + 200 * MILLISECOND).servers[0].picks
    };
    assert_eq!(sent_late(&skew(DELAY_NS.cast_signed())), 0);
    assert!(sent_late(&skew(SECOND.cast_signed())) > 0, "its reports seem to be from the future");
    let behind = skew(-TIMEOUT_NS.cast_signed() - DELAY_NS.cast_signed());
    let unused = in_window(&behind, 400 * MILLISECOND, SECOND);
    assert_eq!(unused.servers[0].picks, 0);
}

/// A campaign is the same for the same seed, another one in every replication, hits one target at a
/// time in any one way, and is as frequent as asked.
#[test]
fn a_campaign_is_random_and_never_collides() {
    let mut scenario = fleet(5, 2, RANDOM);
    scenario.chaos = Some(ChaosConfig {
        rate: 20.0,
        kinds: vec![ChaosKind::Crash, ChaosKind::Flap, ChaosKind::Slow, ChaosKind::Lie],
        for_ns: 300 * MILLISECOND,
        seed: None,
    });
    assert_eq!(scenario.validate(), Ok(()));
    let plan = |replication| Setup::new(&scenario, 0, replication).plan;
    assert_eq!(plan(0), plan(0));
    assert_ne!(plan(0), plan(1));
    let mut slowdowns = 0;
    for replication in 0..40 {
        let plan = plan(replication);
        let mut down = [false; 5];
        let mut slow = [false; 5];
        for Planned { first, end, change, .. } in &plan.servers {
            assert_eq!(first + 1, *end, "one target");
            let id = *first as usize;
            match change {
                Change::Crash { .. } => assert!(!std::mem::replace(&mut down[id], true)),
                Change::Recover => assert!(std::mem::replace(&mut down[id], false)),
                Change::Slow(_) => {
                    slowdowns += 1;
                    assert!(!std::mem::replace(&mut slow[id], true));
                }
                Change::Heal => assert!(std::mem::replace(&mut slow[id], false)),
                other => panic!("{other:?} was not asked for"),
            }
        }
        assert!(!plan.reports.is_empty());
    }
    // 20 faults a second, a quarter of them slow, 4 s, 40 runs: 800, less those that would have met
    // another: of 5 slots each busy a share of 5 x 0.3 / 5 = 0.3 of the time, 23 %.
    assert!((550..700).contains(&slowdowns), "{slowdowns}");
    let result = run(&scenario);
    assert!(result.total.of(Outcome::Lost) > 0 && result.total.is_conserved());
}
