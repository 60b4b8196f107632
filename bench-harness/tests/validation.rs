//! Known results: a few rows agree, and a simulator that is broken on purpose does not get away with it.
//!
//! Method of the mutations: the scenario of a row is changed where the simulator would be wrong (a service
//! that takes 1 % longer, say), the known values are not; some target of the row must then fail.

use std::sync::atomic::{AtomicBool, AtomicU64};

use bench_harness::validate::cases;
use bench_harness::validate::execute::Effort;
use bench_harness::validate::record::{Line, Totals};
use bench_harness::validate::rule::Verdict;
use bench_harness::validate::table::Case;

/// The lines of a case; a sound one gets a second look at what missed, as the rule is.
fn run(case: &Case, repeats: bool) -> Vec<Line> {
    let (stop, finished) = (AtomicBool::new(false), AtomicU64::new(0));
    let (stop, finished) = (&stop, &finished);
    let effort = Effort { seed: 1, events_max: 4e6, repeats, stop, build: "test", finished };
    effort.run(case).expect("nobody stops it")
}

fn case(name: &str) -> Case {
    let found = cases(false, Some(name)).into_iter().find(|case| case.name() == name);
    found.unwrap_or_else(|| panic!("no case {name}"))
}

/// The case with every `from` in its scenario replaced.
fn mutated(name: &str, from: &str, to: &str) -> Case {
    let mut case = case(name);
    assert!(case.experiment.body.contains(from), "no `{from}` in {}", case.experiment.body);
    case.experiment.body = case.experiment.body.replace(from, to);
    case
}

/// Asserts that these metrics of the mutated row miss.
fn assert_caught(name: &str, from: &str, to: &str, metrics: &[&str]) {
    let lines = run(&mutated(name, from, to), false);
    for metric in metrics {
        let line = lines.iter().find(|line| line.metric == *metric).expect("a metric of the row");
        assert_eq!(line.verdict, Verdict::Miss, "{name} with `{to}` got away: {line:?}");
    }
}

/// The cheapest rows of what is mutated below, and of the others; `lbsim validate --quick` takes more.
#[test]
fn sound_rows_agree() {
    for name in [
        "mmc-c1-r0.5",
        "erlb-c4-a4@constant",
        "pool-n4-c4-u1.0@lowest_latency",
        "stale-d2-T1-l0.7@at_once",
        "gossip-push-f1-N8",
        "ps-c4-r0.5@constant",
    ] {
        let lines = run(&case(name), true);
        assert_eq!(Totals::of(&lines).failed, 0, "{lines:#?}");
    }
}

#[test]
fn services_that_take_one_percent_longer_are_caught() {
    let (from, to) = ("mean = \"10ms\"", "mean = \"10.1ms\"");
    assert_caught("mmc-c1-r0.5", from, to, &["mean_sojourn"]);
    assert_caught("erlb-c4-a4@exponential", from, to, &["mean_sojourn"]);
}

/// 1 in 10 000 answers is an error instead: no mean would tell.
#[test]
fn one_lost_answer_in_ten_thousand_is_caught() {
    let fault = "capacity_gate = false\n[[faults]]\nat = \"0s\"\n\
                 fail_fast = { servers = \"0\", share = 0.0001 }\n";
    assert_caught("mmc-c1-r0.5", "capacity_gate = false\n", fault, &["answered"]);
}

#[test]
fn views_that_are_fresher_than_they_may_be_are_caught() {
    let (from, to) = ("interval = \"10000000ns\"", "interval = \"5000000ns\"");
    assert_caught("stale-d2-T1-l0.7@at_once", from, to, &["mean_sojourn", "sojourn_p99"]);
}

/// With replacement one of three servers is drawn twice a third of the time.
#[test]
fn sampling_with_replacement_is_not_sampling_without() {
    let (from, to) = ("replacement = false", "replacement = true");
    assert_caught("small-jsq2-without-n3-l0.5", from, to, &["mean_sojourn", "mean_queue"]);
}

/// A heartbeat in ten is lost; the detector that hears a fifth of those makes too few mistakes.
#[test]
fn a_detector_that_hears_too_much_is_caught() {
    let (from, to) = ("loss = 0.2", "loss = 0.18");
    assert_caught("hb-To1.5-p0.2@watched", from, to, &["false_suspicions_per_s", "mean_age_s"]);
}

/// A step aside in the order of a hunt: ties at random instead of by id.
#[test]
fn ties_in_another_order_are_caught() {
    assert_caught("hunt-n4-c2-a5-s1", "ties = \"id\"", "ties = \"random\"", &["mean_active"]);
}

/// The mean wait is the same, whoever is served first; the tail is not.
#[test]
fn a_queue_served_from_its_end_is_caught() {
    let (from, to) = ("[[servers]]\n", "[[servers]]\ndiscipline = \"lifo\"\n");
    assert_caught("mmc-c1-r0.5", from, to, &["sojourn_p99", "sojourn_p50"]);
}
