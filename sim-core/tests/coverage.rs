//! Goal: a 95 % confidence interval means 95 %. Method: 200 experiments on M/M/1, each of which does
//! what a user does: a few replications through the ordinary engine, warm-up left out, Student's t
//! over their means. The truth is known, so it can be counted how often the interval holds it; an
//! honest 95 % gives 91 to 99 % of 200 experiments in all but one of a hundred sets of seeds, and the
//! seeds are fixed. Controls that do what the method forbids must fail the same bounds.

mod common;

use common::{EXPONENTIAL, HOP_NS, RANDOM, SERVICE_NS, TWO_CHOICES, fleet, queue, run_with};
use sim_core::config::{Arrivals, Scenario};
use sim_core::result::{Outcome, RunResult};
use sim_core::simulation::Options;
use sim_core::stats::target::{HalfWidth, Target, counts};
use sim_core::stats::{CONFIDENCE, Interval, mean_interval, paired_difference, variance};
use sim_core::time::SECOND;

const EXPERIMENTS: u32 = 200;
/// Replications of an experiment.
const REPLICATIONS: u32 = 5;

/// One server of one slot, `load` Erlangs, about `requests` requests, the first `warmup` of the time
/// left out.
fn mm1(load: f64, requests: f64, warmup: f64) -> Scenario {
    let mut scenario = queue(RANDOM, (1, 1), EXPONENTIAL, load, requests);
    let hops = (scenario.duration_ns / HOP_NS) as f64;
    scenario.warmup_ns = (hops * warmup) as u64 * HOP_NS;
    scenario.servers[0].backlog = None;
    scenario
}

/// A replication of an experiment: experiments differ in the seed.
fn run(scenario: &Scenario, experiment: u32, replication: u32) -> RunResult {
    let scenario = Scenario { seed: u64::from(experiment), ..scenario.clone() };
    run_with(&scenario, replication, Options::default())
}

/// Mean latency [ns]: the sojourn time of M/M/1 is exponential with mean 1 / (mu - lambda), and a
/// constant delay is added at either end.
fn mean(result: &RunResult) -> f64 {
    result.latency_sum_ns as f64 / result.measured.of(Outcome::Ok) as f64
}

fn mean_in_theory(load: f64) -> f64 {
    SERVICE_NS / (1.0 - load) + 2.0 * HOP_NS as f64
}

/// 90th percentile of the latency [ns]: ln 10 mean sojourn times.
fn p90(result: &RunResult) -> f64 {
    result.latency.quantile_ns(0.9).expect("answers") as f64
}

fn p90_in_theory(load: f64) -> f64 {
    libm::log(10.0) * SERVICE_NS / (1.0 - load) + 2.0 * HOP_NS as f64
}

fn holds(interval: &Interval, truth: f64) -> bool {
    interval.half_width.is_some_and(|half_width| (interval.mean - truth).abs() <= half_width)
}

/// Share of the experiments whose interval holds the truth.
fn coverage(truth: f64, interval: impl Fn(u32) -> Interval) -> f64 {
    let covered = (0..EXPERIMENTS).filter(|&experiment| holds(&interval(experiment), truth));
    covered.count() as f64 / f64::from(EXPERIMENTS)
}

const HONEST: std::ops::RangeInclusive<f64> = 0.91..=0.99;

/// Load 0.5, 2 500 requests a replication of which 250 are warm-up: 500 mean services, some dozen
/// relaxation times.
#[test]
fn intervals_cover_the_truth_as_often_as_they_say() {
    let scenario = mm1(0.5, 2_500.0, 0.1);
    let experiments: Vec<Vec<RunResult>> = (0..EXPERIMENTS)
        .map(|experiment| (0..REPLICATIONS).map(|r| run(&scenario, experiment, r)).collect())
        .collect();
    let over_replications = |measure: &dyn Fn(&RunResult) -> f64, experiment: u32| {
        let values: Vec<f64> = experiments[experiment as usize].iter().map(measure).collect();
        mean_interval(&values, CONFIDENCE).expect("values")
    };
    let of_means = coverage(mean_in_theory(0.5), |e| over_replications(&mean, e));
    assert!(HONEST.contains(&of_means), "means: {of_means}");
    let of_p90 = coverage(p90_in_theory(0.5), |e| over_replications(&p90, e));
    assert!(HONEST.contains(&of_p90), "90th percentiles: {of_p90}");

    // Control: all requests pooled as if they were independent. Sojourn times are exponential, so
    // their standard deviation is their mean; neighbours share a queue, which this overlooks.
    let pooled = coverage(mean_in_theory(0.5), |experiment| {
        let results = &experiments[experiment as usize];
        let requests: u64 = results.iter().map(|result| result.measured.of(Outcome::Ok)).sum();
        let sum_ns: u128 = results.iter().map(|result| result.latency_sum_ns).sum();
        let mean = sum_ns as f64 / requests as f64;
        let spread = mean - 2.0 * HOP_NS as f64;
        Interval { mean, half_width: Some(1.96 * spread / (requests as f64).sqrt()) }
    });
    assert!(pooled < 0.8, "pooled requests are no independent sample, yet cover {pooled}");
    println!("means {of_means}, 90th percentiles {of_p90}, pooled {pooled}");
}

/// Control: runs that count their empty start. 300 requests at load 0.9 have hardly filled the queue.
#[test]
fn an_empty_start_left_in_is_found_out() {
    let scenario = mm1(0.9, 300.0, 0.0);
    let left_in = coverage(mean_in_theory(0.9), |experiment| {
        let values = (0..REPLICATIONS).map(|r| mean(&run(&scenario, experiment, r)));
        mean_interval(&values.collect::<Vec<_>>(), CONFIDENCE).expect("values")
    });
    assert!(left_in < 0.85, "a biased mean, yet the interval covers the truth in {left_in}");
    println!("empty start left in: {left_in}");
}

/// Stopping as soon as the interval looks narrow enough costs a little coverage: at most 4 % here.
#[test]
fn stopping_when_it_looks_narrow_costs_little() {
    let scenario = mm1(0.5, 1_500.0, 0.15);
    // Of a latency that is two thirds delay: 6 % of the sojourn time.
    let target = Target { metric: String::new(), half_width: HalfWidth::Percent(2.0) };
    let mut made = Vec::new();
    let covered = (0..EXPERIMENTS)
        .filter(|&experiment| {
            let mut values = Vec::new();
            for count in counts(REPLICATIONS, 50) {
                let more = values.len() as u32..count;
                values.extend(more.map(|r| mean(&run(&scenario, experiment, r))));
                if target.is_met(&values) {
                    break;
                }
            }
            made.push(values.len());
            holds(&mean_interval(&values, CONFIDENCE).expect("values"), mean_in_theory(0.5))
        })
        .count() as f64
        / f64::from(EXPERIMENTS);
    let replications = made.iter().sum::<usize>() as f64 / made.len() as f64;
    println!("stopping rule: {covered}, {replications} replications on the mean");
    assert!(made.iter().any(|&n| n > 5) && made.iter().any(|&n| n < 50), "the rule decides");
    assert!((0.89..=0.99).contains(&covered), "{covered}");
}

/// Goal: common random numbers pay. Method: two policies on the same requests, 12 replications; the
/// interval of the paired difference against that of two independent sets of runs.
#[test]
fn pairs_on_the_same_requests_know_a_difference_better() {
    let mut scenario = fleet(20, 3, TWO_CHOICES);
    scenario.duration_ns = 2 * SECOND;
    scenario.warmup_ns = SECOND / 5;
    scenario.workload.arrivals = Arrivals::Poisson { rate: 20.0 * 320.0 };
    let other = Scenario { policies: vec![RANDOM], ..scenario.clone() };
    let of = |scenario: &Scenario| -> Vec<f64> {
        (0..12).map(|r| mean(&run_with(scenario, r, Options::default()))).collect()
    };
    let (values, baseline) = (of(&scenario), of(&other));
    let paired = paired_difference(&values, &baseline, CONFIDENCE).expect("pairs");
    // Had the sets been independent: the variances add up, over twice the degrees of freedom.
    let sum = variance(&values).expect("12") + variance(&baseline).expect("12");
    let independent = sim_core::stats::student_t(22, CONFIDENCE) * (sum / 12.0).sqrt();
    let half_width = paired.interval.half_width.expect("12");
    let reduction = paired.variance_reduction.expect("they differ");
    println!("paired {half_width}, independent {independent}, variance reduction {reduction}");
    assert!(half_width < 0.9 * independent, "{half_width} against {independent}");
    assert!(reduction > 1.5, "{reduction}");
}
