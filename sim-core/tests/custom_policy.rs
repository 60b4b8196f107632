//! Goal: the example that people copy runs, on every scenario there is, and its policy is one.
//! Method: its own functions, called as `main` calls them; then the same scenario at other numbers of
//! threads.

#[expect(dead_code, reason = "`main` and what only it calls")]
#[path = "../examples/custom_policy.rs"]
mod example;

use sim_core::config::PolicyConfig;
use sim_core::simulation::{Options, simulate};

#[test]
fn the_example_runs_on_every_scenario() {
    let mut seen = 0;
    for (name, scenario) in example::scenarios("") {
        // As for everybody, but a run of a fleet of this size takes its time.
        if name == "large" {
            continue;
        }
        let rows = example::compare(scenario, &[example::memory()]).expect("no trace");
        let (policy, text) = &rows[0];
        assert_eq!((rows.len(), policy.as_str()), (1, "memory"), "{name}");
        let ok: f64 = text.split_whitespace().nth(1).expect("a share").parse().expect("a number");
        assert!((0.2..=1.0).contains(&ok), "{name}: {text}");
        seen += 1;
    }
    assert!(seen >= 20, "only {seen} scenarios");
}

/// With fresh views it is better than chance, which is what the paper is about; stale ones are another story.
#[test]
fn the_examples_policy_does_not_depend_on_threads_and_beats_chance() {
    let (_, mut scenario) =
        example::scenarios("oracle-view").pop().expect("a scenario with fresh views");
    scenario.policies = vec![example::memory(), PolicyConfig::named("random").expect("built in")];
    let run = |policy: usize, threads: usize| {
        let options = Options { threads, ..Options::default() };
        simulate(&scenario, policy, 0, options, &|_| ()).expect("no trace")
    };
    let one = run(0, 1);
    assert_eq!(one, run(0, 3));
    let p99 = |policy: usize| run(policy, 1).latency.quantile_ns(0.99).expect("answers");
    assert!(p99(0) < p99(1), "{} and {}", p99(0), p99(1));
}
