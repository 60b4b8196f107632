//! Weights from what servers report of themselves: gRPC's and Envoy's weighted round robin.

mod common;

use common::{fleet, run};
use sim_core::config::{
    EdfWeightedRoundRobinConfig, Fanout, Fault, FaultKind, GossipConfig, LoadReports, PolicyConfig,
    Scenario, StaticStrideConfig, Targets, WeightSource, WeightsConfig,
};
use sim_core::time::{MILLISECOND, SECOND};

/// Both policies with both ways of reporting; the blackout is over long before the window.
fn policies(error_penalty: f64) -> Vec<PolicyConfig> {
    let mut policies = Vec::new();
    for load_reports in [LoadReports::Answers, LoadReports::Heartbeats] {
        let weights = WeightsConfig {
            source: WeightSource::Reported,
            load_reports,
            blackout_ns: 500 * MILLISECOND,
            error_penalty,
            ..WeightsConfig::default()
        };
        let stride = StaticStrideConfig { weights, ..StaticStrideConfig::default() };
        let edf = EdfWeightedRoundRobinConfig { weights, ..EdfWeightedRoundRobinConfig::default() };
        policies.push(PolicyConfig::StaticStride(stride));
        policies.push(PolicyConfig::EdfWeightedRoundRobin(edf));
    }
    policies
}

/// The share of each server in all requests of the window.
fn shares(scenario: &Scenario) -> Vec<f64> {
    let result = run(scenario);
    let picks = || result.servers.iter().map(|server| server.picks as f64);
    let sum: f64 = picks().sum();
    picks().map(|picks| picks / sum).collect()
}

/// Goal: turns follow the speed of servers, which nobody has configured. Two servers are three times as
/// fast as two others, so they get three times as much: 0.375 and 0.125.
#[test]
fn turns_follow_speed() {
    for policy in policies(1.0) {
        let mut scenario = fleet(4, 2, policy);
        let mut fast = scenario.servers[0].clone();
        (scenario.servers[0].count, fast.count, fast.speed) = (2, 2, 3.0);
        scenario.servers.push(fast);
        scenario.warmup_ns = 2 * SECOND;
        scenario.duration_ns = 8 * SECOND;
        let shares = shares(&scenario);
        for (share, expected) in shares.iter().zip([0.125, 0.125, 0.375, 0.375]) {
            assert!((share - expected).abs() < 0.025, "{:?}: {shares:?}", scenario.policies[0]);
        }
        // During the blackout everybody counts alike.
        let equal = |weights: &mut WeightsConfig| weights.blackout_ns = 20 * SECOND;
        match &mut scenario.policies[0] {
            PolicyConfig::StaticStride(stride) => equal(&mut stride.weights),
            PolicyConfig::EdfWeightedRoundRobin(edf) => equal(&mut edf.weights),
            _ => unreachable!("one of these two"),
        }
        let shares = self::shares(&scenario);
        assert!(shares.iter().all(|share| (share - 0.25).abs() < 0.01), "{shares:?}");
    }
}

/// Goal: errors lower a weight. One server of four answers half of its requests with an error at once, so
/// it uses half as many slots for as many requests. Without a penalty it looks twice as fast: its share is
/// 2/5. With penalty 1 its weight is `x / (x s / 2 + 1/2)`, where `x` is its requests a second and `s` = 2.5 ms
/// the service over the slots; the three others have `1 / s`, and 1120 requests arrive a second. What
/// reproduces itself is `x` = 208.
#[test]
fn errors_lower_a_weight() {
    for (penalty, expected) in [(0.0, 0.4), (1.0, 208.0 / 1_120.0)] {
        for policy in policies(penalty) {
            let mut scenario = fleet(4, 1, policy);
            scenario.faults = vec![Fault {
                at_ns: 0,
                for_ns: None,
                kind: FaultKind::FailFast { servers: Targets::Ids(0..1), share: 0.5 },
            }];
            scenario.warmup_ns = 4 * SECOND;
            scenario.duration_ns = 12 * SECOND;
            let share = shares(&scenario)[0];
            let what = scenario.policies[0].name();
            assert!((share - expected).abs() < 0.03, "{what}, penalty {penalty}: {share}");
        }
    }
}

/// Goal: load reports with heartbeats reach the nodes that hear them, and nobody else. Each of two nodes
/// hears one slow and one fast server, and the two others count as the mean of these: the fast ones get
/// (3 + 2) of (1 + 3 + 2 + 2), though both nodes know all reports by gossip.
#[test]
fn reports_with_heartbeats_reach_whom_the_heartbeat_reaches() {
    let policy = policies(1.0).swap_remove(2);
    let mut scenario = fleet(4, 2, policy);
    let mut fast = scenario.servers[0].clone();
    (scenario.servers[0].count, fast.count, fast.speed) = (2, 2, 3.0);
    scenario.servers.push(fast);
    scenario.warmup_ns = 2 * SECOND;
    scenario.duration_ns = 8 * SECOND;
    let fast_share = |scenario: &Scenario| shares(scenario)[2..].iter().sum::<f64>();
    let all = fast_share(&scenario);
    scenario.heartbeat.fanout = Fanout::Home(1);
    scenario.gossip = Some(GossipConfig::default());
    let some = fast_share(&scenario);
    assert!((all - 0.75).abs() < 0.03, "{all}");
    assert!((some - 0.625).abs() < 0.03, "{some}");
}
