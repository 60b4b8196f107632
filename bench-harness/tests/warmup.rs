//! Goal: `warmup = "auto"` takes away the bias of the empty start. Method: short runs of M/M/1, whose
//! mean latency is known; over many seeds the bias of the mean shows, with the warm-up that a pilot
//! run of the same seed has found, and without one as the control.

use bench_harness::fleet;
use bench_harness::warmup::{no_trace, settle};
use sim_core::config::{Arrivals, PolicyConfig, RandomConfig, Scenario};
use sim_core::law::{DelayLaw, ServiceLaw};
use sim_core::result::Outcome;
use sim_core::simulation::{Options, simulate};
use sim_core::stats::{mean_interval, paired_difference};
use sim_core::time::SECOND;

const SEEDS: u64 = 32;
const SERVERS: u32 = 100;
const LOAD: f64 = 0.8;
const SERVICE_NS: f64 = 1e7;

/// 100 servers of one slot, chosen at random: a hundred M/M/1 at once, so that a run of few
/// relaxation times (0.9 s each) is known well enough for its bias to show.
fn queue(seed: u64) -> Scenario {
    let mut scenario =
        fleet::scenario(SERVERS, 1, PolicyConfig::Random(RandomConfig::default()), 1_500);
    scenario.seed = seed;
    scenario.warmup_ns = 0;
    scenario.servers[0].capacity = 1;
    scenario.servers[0].service = ServiceLaw::Exponential { mean_ns: SERVICE_NS };
    let rate = f64::from(SERVERS) * LOAD * SECOND as f64 / SERVICE_NS;
    scenario.workload.arrivals = Arrivals::Poisson { rate };
    scenario.duration_ns = 6 * SECOND;
    scenario
}

/// Mean latency over that of theory, less 1.
fn error(scenario: &Scenario) -> f64 {
    let result = simulate(scenario, 0, 0, Options::default(), &|_| ()).expect("a run");
    let DelayLaw::Constant { mean_ns } = scenario.network.node_server else { panic!("constant") };
    let mean_ns = result.latency_sum_ns as f64 / result.measured.of(Outcome::Ok) as f64
        - 2.0 * mean_ns as f64;
    mean_ns / (SERVICE_NS / (1.0 - LOAD)) - 1.0
}

fn errors(scenario: impl Fn(u64) -> Scenario) -> Vec<f64> {
    (0..SEEDS).map(|seed| error(&scenario(seed))).collect()
}

#[test]
fn a_warm_up_found_takes_bias_of_the_empty_start_away() {
    let without = errors(queue);
    let with = errors(|seed| {
        let scenario = Scenario { warmup_auto: true, ..queue(seed) };
        settle(&scenario, &no_trace).expect("no trace").applied_to(&scenario)
    });
    let [none, found] = [&without, &with].map(|errors| mean_interval(errors, 0.99).expect("some"));
    // The same seeds, so the difference is known better than either.
    let gain = paired_difference(&with, &without, 0.99).expect("pairs").interval;
    println!("bias without a warm-up {none:?}, with the one found {found:?}, difference {gain:?}");
    assert!(none.high().expect("known") < 0.0, "the control is not biased: {none:?}");
    assert!(gain.low().expect("known") > 0.0, "{found:?} is no better than {none:?}");
    assert!(found.mean.abs() < 0.6 * none.mean.abs(), "{found:?} against {none:?}");
}
