//! Changes of a scenario that must change nothing, or everything by one factor.

mod common;

use common::{POLICIES, fleet, run, run_with};
use sim_core::config::keys::KEYS;
use sim_core::config::{
    Arrivals, Choices, Fault, FaultKind, LoadSignal, PolicyConfig, Scenario, ServerGroup, Targets,
};
use sim_core::law::{DelayLaw, ServiceLaw};
use sim_core::result::{Outcome, RunResult};
use sim_core::simulation::Options;
use sim_core::stats::mean_interval;

/// Servers that refuse now and then, and services that all differ.
fn scenario(policy: &PolicyConfig) -> Scenario {
    let mut scenario = fleet(12, 3, policy.clone());
    scenario.servers[0].backlog = Some(4);
    scenario.workload.arrivals = Arrivals::Poisson { rate: 12.0 * 360.0 };
    scenario
}

/// Every length of time `factor` times as long, every rate as much lower.
fn stretched(scenario: &Scenario, factor: u64) -> Scenario {
    let mut longer = scenario.clone();
    let by = |ns: &mut u64| *ns *= factor;
    by(&mut longer.duration_ns);
    by(&mut longer.warmup_ns);
    by(&mut longer.drain_ns);
    by(&mut longer.engine.tick_ns);
    by(&mut longer.engine.quantum_ns);
    by(&mut longer.engine.sample_interval_ns);
    by(&mut longer.heartbeat.interval_ns);
    by(&mut longer.heartbeat.failure_timeout_ns);
    longer.heartbeat.latency_decay_ns = longer.heartbeat.latency_decay_ns.map(|ns| ns * factor);
    let delay = DelayLaw::Constant { mean_ns: common::DELAY_NS * factor };
    longer.network.node_server = delay.clone();
    longer.network.server_node = delay.clone();
    longer.network.node_node = delay;
    longer.servers[0].service = ServiceLaw::Exponential { mean_ns: 1e7 * factor as f64 };
    longer.workload.arrivals = match scenario.workload.arrivals {
        Arrivals::Poisson { rate } => Arrivals::Poisson { rate: rate / factor as f64 },
        _ => unreachable!("the scenario is Poisson"),
    };
    longer
}

/// Goal: only ratios of times matter. Method: everything 2, and 8, times as slow, on the same random
/// numbers: the same requests end in the same way on the same servers, and all times are as much longer,
/// to the ns of the clock, which each arrival and each service is rounded to.
#[test]
fn half_the_speed_and_half_the_rate_double_all_times() {
    for policy in &POLICIES {
        let scenario = scenario(policy);
        let fast = run(&scenario);
        assert!(fast.measured.of(Outcome::Ok) > 10_000, "{}", policy.name());
        for factor in [2_u64, 8] {
            let slow = run(&stretched(&scenario, factor));
            let name = format!("{} x {factor}", policy.name());
            assert_eq!(slow.measured, fast.measured, "{name}");
            assert_eq!(slow.total, fast.total, "{name}");
            let picks = |run: &RunResult| run.servers.iter().map(|s| s.picks).collect::<Vec<_>>();
            assert_eq!(picks(&slow), picks(&fast), "{name}");
            let answered = fast.measured.of(Outcome::Ok) as f64;
            let gap = slow.latency_sum_ns as f64 - fast.latency_sum_ns as f64 * factor as f64;
            // An answer is a sum of a few roundings, and so are those it had to wait for.
            assert!(gap.abs() / answered < 8.0 * factor as f64, "{name}: {gap} ns in all");
            let quantile = |run: &RunResult, q| run.latency.quantile_ns(q).unwrap() as f64;
            for q in [0.5, 0.99] {
                let ratio = quantile(&slow, q) / quantile(&fast, q) / factor as f64;
                assert!((ratio - 1.0).abs() < 2e-3, "{name}, quantile {q}: {ratio}");
            }
        }
    }
}

/// Goal: groups are but a way to write a fleet down. Method: one group of 12 against 5 and 7 alike: the
/// same bytes.
#[test]
fn a_group_cut_in_two_is_the_same_fleet() {
    for policy in &POLICIES {
        let whole = scenario(policy);
        let mut cut = whole.clone();
        let group = whole.servers[0].clone();
        cut.servers = vec![
            ServerGroup { count: 5, ..group.clone() },
            ServerGroup { count: 7, name: Some("rest".into()), ..group },
        ];
        assert_eq!(run(&cut), run(&whole), "{}", policy.name());
    }
}

/// Goal: ids are names. Method: fast servers before slow ones, and after them: other random numbers for
/// each, so the means of 20 replications must agree within their 99.9 % intervals.
#[test]
fn the_order_of_servers_does_not_matter() {
    for policy in &POLICIES {
        let mut before = scenario(policy);
        let group = before.servers[0].clone();
        let groups = [
            ServerGroup { count: 4, speed: 2.0, ..group.clone() },
            ServerGroup { count: 8, speed: 0.75, ..group },
        ];
        before.servers = groups.to_vec();
        let mut after = before.clone();
        after.servers.reverse();
        after.seed = 2;
        let figures = |scenario: &Scenario, fast: std::ops::Range<usize>| {
            let runs: Vec<RunResult> =
                (0..20).map(|r| run_with(scenario, r, Options::default())).collect();
            let of = |figure: &dyn Fn(&RunResult) -> f64| {
                let values: Vec<f64> = runs.iter().map(figure).collect();
                mean_interval(&values, 0.999).unwrap()
            };
            let latency =
                of(&|run| run.latency_sum_ns as f64 / run.measured.of(Outcome::Ok) as f64);
            let share = of(&|run| {
                let picks = |servers: &[sim_core::result::ServerResult]| {
                    servers.iter().map(|server| server.picks).sum::<u64>() as f64
                };
                picks(&run.servers[fast.clone()]) / picks(&run.servers)
            });
            [latency, share]
        };
        let pairs = figures(&before, 0..4).into_iter().zip(figures(&after, 8..12));
        for (what, (one, other)) in ["latency", "share of the fast ones"].iter().zip(pairs) {
            let (a, b) = (one.half_width.unwrap(), other.half_width.unwrap());
            let gap = (one.mean - other.mean).abs();
            // Turns are the same for whoever is next, so round robin may have no spread at all.
            assert!(
                gap <= a.hypot(b) + 1e-3 * one.mean,
                "{}, {what}: {one:?} {other:?}",
                policy.name()
            );
            assert!(a <= 0.1 * one.mean, "{}, {what}: too wide to tell", policy.name());
        }
    }
}

/// Goal: to write a default down is to write nothing. Method: each documented parameter of each policy
/// with its documented default.
#[test]
fn a_default_that_is_written_down_changes_nothing() {
    let read = |policy: &str, more: &str| {
        let text = format!(
            "name = \"x\"\nduration = \"1s\"\n[[servers]]\ncount = 3\ncapacity = 2\n\
             service.exponential = {{ mean = \"10ms\" }}\n[workload]\nkeys.uniform = {{ count = 9 }}\n\
             arrivals.poisson.rate = \"50%\"\n[policy.{policy}]\n{more}\n"
        );
        Scenario::parse(&text, &[], &|_| Err("no files".into()))
    };
    let mut checked = 0;
    for key in KEYS.iter().filter(|key| key.path.starts_with("policy.")) {
        let mut parts = key.path.splitn(3, '.').skip(1);
        let (Some(policy), Some(parameter)) = (parts.next(), parts.next()) else { continue };
        let Ok(plain) = read(policy, "") else { continue };
        let ways = [
            format!("{parameter} = {}", key.default),
            format!("{parameter} = \"{}\"", key.default),
        ];
        let Some(written) = ways.iter().find_map(|way| read(policy, way).ok()) else {
            // A default in words: it follows from something else, or there is none.
            assert!(
                matches!(key.default, "none" | "required") || key.default.contains(' '),
                "{}: its default `{}` cannot be written",
                key.path,
                key.default
            );
            continue;
        };
        assert_eq!(written, plain, "{}", key.path);
        checked += 1;
    }
    assert!(checked >= 8, "only {checked} defaults were looked at");
}

/// The mean latency over 20 replications, with its 99.9 % interval.
fn latency(scenario: &Scenario) -> sim_core::stats::Interval {
    let mean = |replication| {
        let run = run_with(scenario, replication, Options::default());
        run.latency_sum_ns as f64 / run.measured.of(Outcome::Ok) as f64
    };
    mean_interval(&(0..20).map(mean).collect::<Vec<f64>>(), 0.999).unwrap()
}

fn assert_alike(one: &Scenario, other: &Scenario, what: &str) {
    let (one, other) = (latency(one), latency(other));
    let (a, b) = (one.half_width.unwrap(), other.half_width.unwrap());
    assert!((one.mean - other.mean).abs() <= a.hypot(b), "{what}: {one:?} {other:?}");
    assert!(a <= 0.05 * one.mean, "{what}: too wide to tell");
}

/// Goal: the ends of the power of d choices. Method: one choice against a random server, and as many
/// as there are against the full scan, on other random numbers each.
#[test]
fn one_choice_is_a_random_one_and_all_choices_are_the_shortest_queue() {
    let drawn = |choices| {
        let mut policy = common::two_choices(LoadSignal::Own);
        if let PolicyConfig::TwoChoices(parameters) = &mut policy {
            parameters.choices = choices;
        }
        scenario(&policy)
    };
    let mut random = scenario(&common::RANDOM);
    random.seed = 2;
    assert_alike(&drawn(Choices::Count(1)), &random, "one choice");
    let mut scan = drawn(Choices::All);
    scan.seed = 2;
    assert_alike(&drawn(Choices::Count(12)), &scan, "all choices");
}

/// Goal: who chooses at random needs no company. Method: the same traffic over one node and over six.
#[test]
fn nodes_that_choose_at_random_may_be_many() {
    let of = |nodes| {
        let mut scenario = scenario(&common::RANDOM);
        scenario.nodes.count = nodes;
        scenario.seed = u64::from(nodes);
        scenario
    };
    assert_alike(&of(1), &of(6), "1 and 6 nodes");
}

/// Goal: a node that nobody uses changes nothing. Method: a fourth node that joins when the last
/// request has arrived; its share of the traffic goes to the others, whatever the policy.
#[test]
fn a_node_that_is_not_used_changes_nothing() {
    for policy in &POLICIES {
        let three = scenario(policy);
        let mut four = three.clone();
        four.nodes.count = 4;
        four.seed = 2;
        let kind = FaultKind::NodeJoin { nodes: Targets::Ids(3..4) };
        let at_ns = four.duration_ns - four.engine.quantum_ns;
        four.faults = vec![Fault { at_ns, for_ns: None, kind }];
        assert_alike(&three, &four, policy.name());
    }
}
