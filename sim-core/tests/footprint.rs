//! What is refused for want of memory, and what is said about it. That the estimate is true is
//! tested where memory can be measured: in `sim-cli/tests/memory.rs`.

use sim_core::config::{ConfigFault, Scenario, Source};
use sim_core::footprint;

const TEXT: &str = "name = \"footprint\"
duration = \"1s\"
[nodes]
count = 50
[[servers]]
count = 10
capacity = 4
service.exponential = { mean = \"10ms\" }
[[servers]]
count = 20000
capacity = 4
service.exponential = { mean = \"10ms\" }
[workload]
arrivals.poisson = { rate = \"70%\" }
[policy.random]
[policy.lowest_latency]
";

fn scenario(set: &[(&str, &str)]) -> Scenario {
    let set: Vec<(String, String)> =
        set.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    Scenario::parse(TEXT, &set, &|_| Err("no file".into())).expect("a scenario")
}

fn fault(set: &[(&str, &str)], memory_bytes: u64) -> Option<ConfigFault> {
    footprint::fault(&scenario(set), memory_bytes)
}

/// The number before a word in a text.
fn number_before(text: &str, word: &str) -> String {
    let before = text.split(word).next().expect("a first part");
    before.trim_end().rsplit(' ').next().expect("a word").to_owned()
}

/// Goal: what the fix says is true, to the last node and server. Method: follow it; then go one
/// beyond.
#[test]
fn the_fix_fits_and_one_more_does_not() {
    // Room for a few nodes: one or two hear so little that their columns are laid out another way.
    let memory = 30 << 20;
    let found = fault(&[], memory).expect("too large");
    assert_eq!(found.key, "nodes.count");
    assert!(found.problem.contains("views (nodes x servers)"), "{found}");
    let fix = found.fix.clone().expect("a fix");

    let nodes = number_before(&fix, "nodes");
    assert_eq!(fault(&[("nodes.count", &nodes)], memory), None, "{found}");
    let more = (nodes.parse::<u32>().expect("a number") + 1).to_string();
    assert!(fault(&[("nodes.count", &more)], memory).is_some(), "{found}");

    // Servers are counted in all: ten of them are in the other group.
    let servers: u32 = number_before(&fix, "servers").parse().expect("a number");
    let of_group = |servers: u32| (servers - 10).to_string();
    assert_eq!(fault(&[("servers.1.count", &of_group(servers))], memory), None, "{found}");
    let beyond = of_group(servers + servers / 50);
    assert!(fault(&[("servers.1.count", &beyond)], memory).is_some(), "{found}");
}

#[test]
fn with_one_node_the_largest_group_is_to_blame() {
    let found = fault(&[("nodes.count", "1")], 4 << 20).expect("too large");
    assert_eq!(found.key, "servers.1.count");
    assert!(!found.fix.expect("a fix").contains("nodes"));
}

#[test]
fn many_results_need_memory_though_each_run_fits() {
    let one = footprint::estimate(&scenario(&[]));
    // Two policies: two runs a replication. Ten results stay beside the last run.
    let memory = one.bytes + 10 * one.result_bytes;
    assert_eq!(fault(&[("replications", "5")], memory), None);
    let found = fault(&[("replications", "6")], memory).expect("twelve runs");
    assert_eq!(
        (found.key.as_str(), found.fix.as_deref()),
        ("replications", Some("write at most 5"))
    );
}

#[test]
fn the_fault_is_shown_where_the_number_stands() {
    let check = |scenario: &Scenario| footprint::fault(scenario, 1 << 20);
    let read = |_: &str| Err("no file".to_owned());
    let source =
        Source { text: TEXT, overrides: &[], read: &read, metrics: None, check: Some(&check) };
    let faults = source.parse().expect_err("too large");
    assert_eq!(faults.len(), 1);
    assert_eq!(&TEXT[faults[0].span.clone().expect("a place")], "20000");
}

#[test]
fn the_most_demanding_policy_counts() {
    let both = footprint::estimate(&scenario(&[]));
    let views = |f: &footprint::Footprint| f.parts[0].bytes;
    let random = Scenario { policies: scenario(&[]).policies[..1].to_vec(), ..scenario(&[]) };
    assert!(views(&both) > 2 * views(&footprint::estimate(&random)));
}
