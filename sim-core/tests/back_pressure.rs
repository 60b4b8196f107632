//! A policy that holds requests back, in whole runs: C3 with its rate control.

use sim_core::config::Scenario;
use sim_core::result::{Outcome, RunResult};
use sim_core::simulation::{Options, simulate};

/// So many servers of 64 slots and 10 ms of work, and nodes; `rest` is the end of the file.
fn run(policy: &str, (servers, nodes): (u32, u32), rate: u32, rest: &str) -> RunResult {
    let text = format!(
        "name = \"back-pressure\"\nduration = \"4s\"\nwarmup = \"0s\"\ndrain = \"60s\"\npolicy = {policy}\n\
         on_no_server = \"reject\"\nnodes.count = {nodes}\nheartbeat.interval = \"50ms\"\n\
         heartbeat.failure_timeout = \"200ms\"\n\
         [[servers]]\ncount = {servers}\ncapacity = 64\nbacklog = \"unbounded\"\n\
         service.constant.mean = \"10ms\"\n\
         [workload]\narrivals.poisson.rate = \"{rate}/s\"\n{rest}"
    );
    let scenario = Scenario::parse(&text, &[], &|_| Err(String::new()));
    let scenario = scenario.unwrap_or_else(|faults| panic!("{faults:#?}"));
    simulate(&scenario, 0, 0, Options::default(), &|_| {}).unwrap()
}

const FREE: &str = "\"elasticsearch_c3\"";
const LIMITED: &str = "\"c3_paper\"";

fn queued(result: &RunResult) -> u64 {
    result.nodes.iter().map(|node| node.findings.queued).sum()
}

/// Goal: a request for which no server has a token waits, although the scenario says `reject`, and is answered.
/// Method: 100 requests a second at one server, of which the published constants let through 10 at once and then
/// about 14 to 40 a second (so does `client.py` of absim: 0.7 requests an interval). The control has no limit.
#[test]
fn requests_without_a_token_wait_and_are_answered() {
    let free = run(FREE, (1, 1), 100, "");
    let limited = run(LIMITED, (1, 1), 100, "");
    assert_eq!(queued(&free), 0);
    assert!(queued(&limited) > 200, "{}", queued(&limited));
    for result in [&free, &limited] {
        assert_eq!(result.measured.of(Outcome::Ok), result.measured.arrived);
    }
    let mean_ms = |r: &RunResult| r.latency_sum_ns as f64 / r.measured.arrived as f64 / 1e6;
    let (free, limited) = (mean_ms(&free), mean_ms(&limited));
    assert!(free < 12.0 && limited > 1_000.0, "{limited} ms, {free} without limit");
}

/// Goal: where nodes are many and each sends a server less than one request an interval, as in the paper, hardly
/// anything waits, and the limit changes nothing.
#[test]
fn with_many_nodes_hardly_anything_waits() {
    let limited = run(LIMITED, (10, 40), 4_000, "");
    assert!(queued(&limited) * 1_000 < limited.measured.arrived, "{}", queued(&limited));
    let free = run(FREE, (10, 40), 4_000, "");
    let ratio = limited.latency_sum_ns as f64 / free.latency_sum_ns as f64;
    assert!((ratio - 1.0).abs() < 0.01, "{ratio}");
}

/// Goal: what waits for a token is turned away once no server is there for which it could wait.
#[test]
fn with_all_servers_gone_the_line_is_turned_away() {
    let crash = "[[faults]]\nat = \"2s\"\ncrash = { servers = \"0..1\" }\n";
    let limited = run(LIMITED, (1, 1), 3_000, crash);
    let counts = &limited.measured;
    assert!(queued(&limited) > 1_000, "{}", queued(&limited));
    assert!(counts.of(Outcome::Rejected) > 4_000, "{counts:?}");
    let ended: u64 = counts.by_outcome.iter().sum();
    assert_eq!((ended, counts.of(Outcome::InFlight)), (counts.arrived, 0), "{counts:?}");
}
