//! What happens while nodes and servers are kept apart, and afterwards.

mod common;

use sim_core::config::*;
use sim_core::result::{Outcome, RunResult};
use sim_core::simulation::{Options, simulate};
use sim_core::time::{MILLISECOND, SECOND};

/// Eight servers, four nodes, a patience of 200 ms; each server reports to one node, and gossip
/// does the rest.
fn scenario() -> Scenario {
    let mut scenario = common::fleet(8, 4, common::TWO_CHOICES);
    scenario.workload.timeout_ns = Some(200 * MILLISECOND);
    scenario.workload.arrivals = Arrivals::Poisson { rate: 800.0 };
    scenario.heartbeat.fanout = Fanout::Home(1);
    scenario.heartbeat.failure_timeout_ns = 600 * MILLISECOND;
    scenario.gossip = Some(GossipConfig { interval_ns: 50 * MILLISECOND, ..Default::default() });
    scenario
}

fn side(nodes: Option<(u32, u32)>, servers: Option<(u32, u32)>) -> Side {
    let targets = |range: Option<(u32, u32)>| range.map(|(from, to)| Targets::Ids(from..to));
    Side { nodes: targets(nodes), servers: targets(servers) }
}

fn cut(a: Side, b: Side, one_way: bool) -> Fault {
    let kind = FaultKind::Partition { a, b, one_way };
    Fault { at_ns: SECOND, for_ns: Some(SECOND), kind }
}

fn run(scenario: &Scenario) -> RunResult {
    assert_eq!(scenario.validate(), Ok(()));
    simulate(scenario, 0, 0, Options::default(), &|_| {}).unwrap()
}

fn max_convergence_ns(result: &RunResult) -> u64 {
    result.consistency.convergence.max_ns()
}

#[test]
fn gossip_alone_brings_every_report_to_every_node() {
    let with = run(&scenario());
    assert_eq!(with.total.of(Outcome::Rejected), 0);
    assert!(!with.consistency.convergence.is_empty());
    assert!(max_convergence_ns(&with) < 500 * MILLISECOND);
    // The control: without gossip three nodes in four never hear of a server.
    let mut without = scenario();
    without.gossip = None;
    let without = run(&without);
    assert!(without.consistency.convergence.is_empty());
    assert!(without.consistency.unfinished > 10);
}

#[test]
fn two_halves_serve_on_and_agree_again_after_healing() {
    let mut scenario = scenario();
    let (a, b) = (side(Some((0, 2)), Some((0, 4))), side(Some((2, 4)), Some((4, 8))));
    scenario.faults = vec![cut(a, b, false)];
    let result = run(&scenario);
    assert!(result.cut_off > 50, "{} attempts cut off", result.cut_off);
    assert_eq!(result.total.of(Outcome::Rejected), 0, "each half has servers");
    assert_eq!(result.total.of(Outcome::Lost), 0, "nobody is told of a partition");
    // Nothing else makes a client wait for so long: each of these lost its attempt or its answer.
    let answers: u64 = result.nodes.iter().map(|node| node.answers_cut).sum();
    assert_eq!(result.total.of(Outcome::TimedOut), result.cut_off + answers);
    // What was sent before the failure timeout is all that suffers.
    assert!(result.total.of(Outcome::TimedOut) < 800, "{:?}", result.total);
    // News of the other half waits for the end of the partition, and not much longer.
    let longest_ns = max_convergence_ns(&result);
    assert!(longest_ns > 700 * MILLISECOND && longest_ns < 1_500 * MILLISECOND, "{longest_ns}");
    // In the last second nothing is left of it.
    for bin in result.series.iter().rev().take(8) {
        assert_eq!(bin.counts.of(Outcome::TimedOut), 0);
    }
}

/// Goal: one way is half of a conversation. Method: what nodes send servers 0..4 is cut, or what
/// these send the nodes; both end in timeouts, but only the second lets the servers do the work.
#[test]
fn one_way_partitions_lose_questions_or_answers() {
    let nodes = || side(Some((0, 4)), None);
    let servers = || side(None, Some((0, 4)));
    let mut questions = scenario();
    questions.faults = vec![cut(nodes(), servers(), true)];
    let questions = run(&questions);
    assert!(questions.cut_off > 100);
    // Heartbeats get out: the nodes never notice.
    assert!(questions.total.of(Outcome::TimedOut) > 150, "{:?}", questions.total);
    let mut answers = scenario();
    answers.faults = vec![cut(servers(), nodes(), true)];
    let answers = run(&answers);
    assert_eq!(answers.cut_off, 0);
    assert!(answers.total.of(Outcome::TimedOut) > 50);
    assert!(
        answers.total.of(Outcome::TimedOut) < questions.total.of(Outcome::TimedOut),
        "silence of the heartbeats saves the rest"
    );
}

/// Goal: a health check does not cross a partition. Method: questions are cut one way, so heartbeats
/// go on and only checks can tell.
#[test]
fn health_checks_notice_what_heartbeats_do_not() {
    let mut scenario = scenario();
    scenario.faults = vec![cut(side(Some((0, 4)), None), side(None, Some((0, 4))), true)];
    let blind = run(&scenario).total.of(Outcome::TimedOut);
    scenario.judgement.health_checks = Some(HealthChecks {
        interval_ns: 100 * MILLISECOND,
        timeout_ns: 50 * MILLISECOND,
        fall: 2,
        rise: 1,
    });
    let seeing = run(&scenario).total.of(Outcome::TimedOut);
    assert!(seeing * 2 < blind, "{seeing} with checks, {blind} without");
}

#[test]
fn a_partition_of_nodes_from_servers_needs_patient_clients_to_be_impatient() {
    let mut scenario = scenario();
    scenario.faults = vec![cut(side(Some((0, 4)), None), side(None, Some((0, 4))), false)];
    scenario.workload.timeout_ns = None;
    let faults = scenario.validate().unwrap_err();
    assert_eq!(faults.len(), 1);
    assert!(faults[0].to_string().contains("workload.timeout"), "{}", faults[0]);
    // Between nodes alone no request is cut off.
    scenario.faults = vec![cut(side(Some((0, 2)), None), side(Some((2, 4)), None), false)];
    assert_eq!(scenario.validate(), Ok(()));
}

/// One way: attempts arrive and are served, and the answers do not come back.
#[test]
fn answers_that_a_partition_takes_are_counted() {
    let mut scenario = scenario();
    let (servers, nodes) = (side(None, Some((0, 4))), side(Some((0, 4)), None));
    scenario.faults = vec![cut(servers, nodes, true)];
    let result = run(&scenario);
    let answers: u64 = result.nodes.iter().map(|node| node.answers_cut).sum();
    assert!(answers > 50, "{answers}");
    assert_eq!((result.cut_off, result.total.of(Outcome::TimedOut)), (0, answers));
}
