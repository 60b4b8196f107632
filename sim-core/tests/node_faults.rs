//! Nodes that crash, leave, join and come back: what becomes of their requests and of others'.

mod common;

use common::{POLICIES, ROUND_ROBIN, TWO_CHOICES, fleet, run};
use sim_core::config::{Fault, FaultKind, Retries, Scenario, Targets};
use sim_core::result::{Outcome, RunResult};
use sim_core::time::{MILLISECOND, Nanos, SECOND};

fn fault(kind: fn(Targets) -> FaultKind, node: u32, at_ns: Nanos, for_ns: Option<Nanos>) -> Fault {
    Fault { at_ns, for_ns, kind: kind(Targets::Ids(node..node + 1)) }
}

fn crash(nodes: Targets) -> FaultKind {
    FaultKind::NodeCrash { nodes }
}

fn leave(nodes: Targets) -> FaultKind {
    FaultKind::NodeLeave { nodes }
}

fn join(nodes: Targets) -> FaultKind {
    FaultKind::NodeJoin { nodes }
}

/// What arrived in the window, and what became of it.
fn of(result: &RunResult, node: usize, outcome: Outcome) -> u64 {
    result.nodes[node].measured.of(outcome)
}

/// Looks at `[from_ns, to_ns)` of a scenario alone.
fn window(scenario: &Scenario, from_ns: Nanos, to_ns: Nanos) -> RunResult {
    let mut part = Scenario { warmup_ns: from_ns, duration_ns: to_ns, ..scenario.clone() };
    part.faults.retain(|fault| fault.at_ns < to_ns);
    run(&part)
}

/// Goal: what was in flight at a crash is lost, what comes before anybody notices as well, and
/// nothing after. Method: one of four nodes stops for good at 2 s; it is noticed at 2.5 s.
#[test]
fn a_crash_loses_requests_until_it_is_noticed_and_none_after() {
    for policy in POLICIES {
        let mut scenario = fleet(8, 4, policy);
        scenario.nodes.failover_delay_ns = 500 * MILLISECOND;
        scenario.faults = vec![fault(crash, 1, 2 * SECOND, None)];
        let name = scenario.policies[0].name();

        let before = window(&scenario, SECOND, 2 * SECOND);
        let lost = before.measured.of(Outcome::Lost);
        assert_eq!(lost, 0, "{name}: the fault is later than this window");
        let mut around = scenario.clone();
        around.warmup_ns = SECOND;
        let around = run(&around);
        let unnoticed = window(&scenario, 2 * SECOND, 2_500 * MILLISECOND);
        let lost_unnoticed = of(&unnoticed, 1, Outcome::Lost);
        assert_eq!(lost_unnoticed, unnoticed.nodes[1].measured.arrived, "{name}");
        assert!(lost_unnoticed > 100, "{name}: {lost_unnoticed}");
        // Besides: its requests in flight, about its rate times the time in the system.
        let in_flight = around.measured.of(Outcome::Lost) - lost_unnoticed;
        assert!((1..60).contains(&in_flight), "{name}: {in_flight}");

        let noticed = window(&scenario, 2_500 * MILLISECOND, 4 * SECOND);
        assert_eq!(noticed.measured.of(Outcome::Lost), 0, "{name}");
        assert_eq!(noticed.nodes[1].measured.arrived, 0, "{name}");
        assert_eq!(noticed.nodes[1].total.of(Outcome::InFlight), 0, "{name}");
    }
}

/// Goal: a crash moves requests and draws none: common random numbers hold. Method: the same
/// scenario with and without; as many requests arrive, and those of the dead node are shared out.
#[test]
fn requests_of_a_dead_node_go_to_the_others_in_turn() {
    let scenario = fleet(8, 4, TWO_CHOICES);
    let sound = run(&scenario);
    let mut broken = scenario.clone();
    broken.nodes.failover_delay_ns = 0;
    broken.faults = vec![fault(crash, 1, 0, None)];
    let result = run(&broken);
    assert_eq!(result.total.arrived, sound.total.arrived);
    assert_eq!(result.nodes[1].total.arrived, 0);
    let extra = |node: usize| result.nodes[node].total.arrived - sound.nodes[node].total.arrived;
    let moved = sound.nodes[1].total.arrived;
    let extras = [extra(0), extra(2), extra(3)];
    assert_eq!(extras.iter().sum::<u64>(), moved);
    assert!(extras.iter().all(|extra| extra.abs_diff(moved / 3) <= 1), "{extras:?} of {moved}");
}

/// Goal: attempts of a dead node burn on, and their answers reach nobody. Method: conservation at
/// the servers is asserted by every run; here the attempts of the dead are completed.
#[test]
fn attempts_of_a_dead_node_are_served_for_nobody() {
    let mut scenario = fleet(4, 1, TWO_CHOICES);
    scenario.faults = vec![fault(crash, 0, SECOND, None)];
    let result = run(&scenario);
    let completed: u64 = result.servers.iter().map(|server| server.completed).sum();
    let ok = result.total.of(Outcome::Ok);
    assert!(completed > ok, "{completed} served, {ok} answered");
    // The way of an answer is so short that hardly any was on it.
    assert!(completed - ok < 30, "{completed} served, {ok} answered");
    assert_eq!(result.servers.iter().map(|server| server.active).sum::<u64>(), 0);
    // With no node left nobody takes the requests: first lost, then rejected.
    let after = window(&scenario, 2_500 * MILLISECOND, 4 * SECOND);
    assert_eq!(after.measured.of(Outcome::Rejected), after.measured.arrived);
}

/// Goal: a node comes back with an empty view and catches up by heartbeats. Method: it crashes for a
/// second; its requests come back a failover delay after it, longer than a heartbeat interval; none
/// is rejected. With no delay its first requests find an empty view.
#[test]
fn a_node_comes_back_knowing_nobody_and_catches_up() {
    for (delay_ns, rejects) in [(200 * MILLISECOND, false), (0, true)] {
        let mut scenario = fleet(8, 4, TWO_CHOICES);
        scenario.nodes.failover_delay_ns = delay_ns;
        scenario.faults = vec![fault(crash, 2, SECOND, Some(SECOND))];
        let back = window(&scenario, 2 * SECOND + delay_ns, 4 * SECOND);
        let arrived = back.nodes[2].measured.arrived;
        assert!(arrived > 300, "{arrived}: its requests are its own again");
        let rejected = of(&back, 2, Outcome::Rejected);
        assert_eq!(rejected > 0, rejects, "delay {delay_ns}: {rejected}");
        assert_eq!(of(&back, 2, Outcome::Lost), 0, "answers to its former life fit nothing");
        let others: u64 = [0, 1, 3].iter().map(|&n| of(&back, n, Outcome::Rejected)).sum();
        assert_eq!(others, 0, "the others knew all along");
    }
}

/// Goal: a graceful leave loses nothing: the node finishes what it has, and takes nothing new.
#[test]
fn a_leaving_node_loses_nothing() {
    for policy in POLICIES {
        let mut scenario = fleet(8, 4, policy);
        scenario.workload.retries = Retries { max: 2, budget_ppm: 1_000_000 };
        scenario.faults = vec![fault(leave, 3, 2 * SECOND, None)];
        let result = run(&scenario);
        assert_eq!(result.total.of(Outcome::Lost), 0);
        assert_eq!(result.total.of(Outcome::InFlight), 0);
        let after = window(&scenario, 2 * SECOND, 4 * SECOND);
        assert_eq!(after.nodes[3].measured.arrived, 0);
        assert!(after.nodes[0].measured.arrived > after.nodes[3].measured.arrived);
    }
}

/// Goal: all nodes may be restarted one after the other without losing a request.
#[test]
fn a_rolling_restart_loses_nothing() {
    let mut scenario = fleet(8, 4, TWO_CHOICES);
    scenario.nodes.failover_delay_ns = 150 * MILLISECOND;
    let at = |node: u32| (500 + 800 * u64::from(node)) * MILLISECOND;
    scenario.faults =
        (0..4).map(|node| fault(leave, node, at(node), Some(300 * MILLISECOND))).collect();
    let result = run(&scenario);
    assert_eq!(result.total.of(Outcome::Lost), 0);
    assert_eq!(result.total.of(Outcome::Rejected), 0);
    assert!(result.nodes.iter().all(|node| node.total.arrived > 1_000));
}

/// Goal: a node that joins later was not there before. Method: it joins at 2 s.
#[test]
fn a_node_that_joins_takes_its_share_from_then_on() {
    let mut scenario = fleet(8, 2, ROUND_ROBIN);
    scenario.nodes.failover_delay_ns = 200 * MILLISECOND;
    scenario.faults = vec![fault(join, 1, 2 * SECOND, None)];
    let before = window(&scenario, 0, 2 * SECOND + MILLISECOND);
    assert_eq!(before.nodes[1].total.arrived, 0);
    assert!(before.nodes[1].reports < 8, "nobody was there to hear");
    assert_eq!(before.total.of(Outcome::Lost), 0, "nobody expects it yet");
    let after = window(&scenario, 2_200 * MILLISECOND, 4 * SECOND);
    let share = after.nodes[1].measured.arrived as f64 / after.measured.arrived as f64;
    assert!((0.45..0.55).contains(&share), "{share}");
    assert_eq!(of(&after, 1, Outcome::Rejected), 0);
}

/// Goal: clients of a crashed node are not asked again: patience and retries end with it.
#[test]
fn deadlines_of_an_earlier_life_are_void() {
    let mut scenario = fleet(8, 2, TWO_CHOICES);
    scenario.workload.timeout_ns = Some(400 * MILLISECOND);
    scenario.faults = vec![fault(crash, 0, SECOND, Some(20 * MILLISECOND))];
    scenario.nodes.failover_delay_ns = 0;
    let result = run(&scenario);
    assert_eq!(result.total.of(Outcome::TimedOut), 0);
    assert!(result.total.of(Outcome::Lost) > 0);
}
