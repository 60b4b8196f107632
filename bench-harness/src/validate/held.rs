//! Where each invariant of `data/oracles/invariants.csv` is held.

/// An invariant, and what holds it: every run of a validation, tests, tables, or nothing.
#[derive(Clone, Copy, Debug)]
pub struct Held {
    /// Its name in `invariants.csv`.
    pub id: &'static str,
    /// Looked at in every run of a validation (`invariants.rs`), or asserted by the engine itself.
    pub in_every_run: bool,
    /// Tests that assert it: file from the root of the project, function.
    pub tests: &'static [(&'static str, &'static str)],
    /// Tables of known results that follow from it.
    pub tables: &'static [&'static str],
    /// What is left out, if anything.
    pub note: &'static str,
}

const fn held(id: &'static str) -> Held {
    Held { id, in_every_run: false, tests: &[], tables: &[], note: "" }
}

const fn tests(id: &'static str, tests: &'static [(&'static str, &'static str)]) -> Held {
    Held { tests, ..held(id) }
}

const CONSERVATION: &str = "sim-core/tests/conservation.rs";
const EQUALITY: &str = "bench-harness/tests/equality.rs";
const METAMORPHIC: &str = "sim-core/tests/metamorphic.rs";
const DETERMINISM: &str = "sim-core/tests/determinism.rs";
const CONTRACT: &str = "sim-core/tests/policy_contract.rs";

/// What the reference engine, written plainly a second time, shows of every figure.
const REFERENCE: (&str, &str) = (EQUALITY, "random_scenarios_agree_with_the_reference");
const RANDOM_RUNS: (&str, &str) = (CONSERVATION, "random_scenarios_conserve_requests_and_attempts");

/// All of them, in the order of the table.
#[rustfmt::skip] // One a row.
pub const HELD: &[Held] = &[
    Held { in_every_run: true, tests: &[RANDOM_RUNS], ..held("inv01-request-conservation") },
    Held { in_every_run: true, tests: &[RANDOM_RUNS], ..held("inv02-dispatch-conservation") },
    Held { in_every_run: true, tests: &[RANDOM_RUNS, ("sim-core/tests/clients.rs", "busy_clients_keep_their_books_and_their_budgets")], ..held("inv03-retry-conservation") },
    Held { tests: &[REFERENCE], note: "what is sent and heard is the same in both engines; a run does not add up what was lost on the way", ..held("inv04-message-conservation") },
    Held { in_every_run: true, tests: &[REFERENCE], ..held("inv05-capacity") },
    tests("inv06-dead-server-silent", &[REFERENCE, ("sim-core/tests/edge_cases.rs", "when_all_servers_crash_silently_clients_time_out_or_wait_for_ever")]),
    Held { tests: &[("sim-core/src/view.rs", "merge_is_commutative_associative_and_idempotent")], note: "a clock that is ahead moves the stamp of a report, never its version", ..held("inv07-view-not-from-the-future") },
    tests("inv08-view-monotone", &[("sim-core/src/view.rs", "merge_is_commutative_associative_and_idempotent"), ("sim-core/src/membership/tests.rs", "claims_merge_in_any_order")]),
    tests("inv09-causality", &[REFERENCE, ("sim-core/tests/edge_cases.rs", "a_trace_is_replayed_as_it_was_recorded")]),
    tests("inv10-fifo", &[REFERENCE, ("sim-core/src/server/event/tests.rs", "order_of_service_and_shedding_by_hand")]),
    Held { tests: &[REFERENCE], note: "the reference engine serves a list of requests in time order", ..held("inv11-lindley-replay") },
    tests("inv12-selection-oracle", &[("sim-core/src/heap.rs", "heap_pick_equals_linear_scan"), ("sim-core/src/tree.rs", "tree_heap_and_scan_pick_the_same")]),
    tests("inv13-no-dispatch-to-suspected", &[(CONTRACT, "choices_are_eligible_and_follow_from_the_seed"), ("sim-core/src/view/barred.rs", "a_barred_view_equals_the_plain_one")]),
    tests("inv14-reject-only-when-none", &[(CONTRACT, "choices_are_eligible_and_follow_from_the_seed"), ("sim-core/tests/edge_cases.rs", "when_all_servers_are_full_requests_are_refused_or_with_the_gate_rejected")]),
    tests("inv15-little-pathwise", &[(CONSERVATION, "number_in_the_servers_is_rate_times_time")]),
    Held { in_every_run: true, tests: &[(CONSERVATION, "busy_time_is_the_work_demanded")], note: "in every run: what was served wholly inside the window is no more than the busy time there", ..held("inv16-busy-area") },
    Held { in_every_run: true, ..held("inv17-histogram-total") },
    Held { in_every_run: true, tests: &[("sim-core/src/latency_table.rs", "quantiles_equal_sorted_durations_and_hdrhistogram")], ..held("inv18-histogram-mean") },
    tests("inv19-determinism", &[(DETERMINISM, "same_seed_same_result_and_another_seed_another"), (DETERMINISM, "threads_change_nothing"), (DETERMINISM, "execution_choices_change_nothing")]),
    tests("inv20-seed-sensitivity", &[(DETERMINISM, "same_seed_same_result_and_another_seed_another")]),
    tests("inv21-csv-roundtrip", &[("sim-core/tests/column_docs.rs", "column_docs_explain_every_column_of_a_run"), ("bench-harness/tests/samples.rs", "a_point_of_a_sample_comes_out_again")]),
    tests("inv22-heartbeat-count", &[REFERENCE]),
    tests("inv23-detector-consistency", &[REFERENCE, ("sim-core/tests/detection.rs", "false_failures_are_as_frequent_as_theory_says")]),
    tests("inv24-age-bound", &[("sim-core/tests/edge_cases.rs", "failure_timeout_holds_to_the_nanosecond"), ("sim-core/tests/detection.rs", "timeout_detection_takes_as_long_as_theory_says")]),
    tests("inv25-ewma-hull", &[("sim-core/tests/smoothing.rs", "a_smoothed_latency_stays_between_its_samples")]),
    tests("inv26-constant-latency", &[("sim-core/tests/edge_cases.rs", "a_trace_is_replayed_as_it_was_recorded"), ("sim-core/src/law.rs", "constant_service_is_constant")]),
    tests("inv27-sojourn-lower-bound", &[REFERENCE, ("sim-core/tests/edge_cases.rs", "a_trace_is_replayed_as_it_was_recorded")]),
    Held { tests: &[(CONSERVATION, "number_in_the_servers_is_rate_times_time")], tables: &["mmc", "mg1", "supermarket"], note: "mean sojourn times and mean numbers are measured apart and both compared", ..held("inv28-little-statistical") },
    Held { tests: &[(CONSERVATION, "busy_time_is_the_work_demanded")], tables: &["erlang_b", "mm1k", "processor_sharing"], ..held("inv29-utilization-law") },
    Held { tables: &["mm1k", "ordered_hunt", "weighted_split"], ..held("inv30-forced-flow") },
    Held { tables: &["mmc", "small_fleets"], note: "of busy systems in mmc by samples in time, in small_fleets by who waited", ..held("inv31-pasta") },
    tests("inv32-poisson-counts", &[("sim-core/src/workload.rs", "poisson_nodes_and_their_superposition_are_poisson")]),
    tests("inv33-service-sample", &[("sim-core/src/law.rs", "exponential_service_follows_its_law"), ("sim-core/src/law.rs", "lognormal_service_follows_its_law"), ("sim-core/src/law.rs", "hyperexponential_service_follows_its_law"), ("sim-core/src/law.rs", "erlang_service_follows_its_law"), ("sim-core/src/law.rs", "uniform_service_follows_its_law")]),
    tests("inv34-uniform-routing", &[(CONTRACT, "a_uniform_fleet_shares_the_load"), ("sim-core/src/rng.rs", "distinct_pairs_are_uniform")]),
    tests("inv35-stream-independence", &[("sim-core/src/rng.rs", "streams_differ_in_every_part_of_their_name"), (DETERMINISM, "requests_are_the_same_under_every_policy_and_fleet")]),
    Held { tables: &["pool", "erlang_b"], ..held("inv36-policy-free-total") },
    Held { tables: &["pool"], note: "where blocking is rare; the variance is not compared", ..held("inv37-mm-infinity") },
    Held { tables: &["availability"], ..held("inv38-crash-survival") },
    tests("inv39-time-scaling", &[(METAMORPHIC, "half_the_speed_and_half_the_rate_double_all_times")]),
    tests("inv40-relabel", &[(METAMORPHIC, "the_order_of_servers_does_not_matter"), (METAMORPHIC, "a_group_cut_in_two_is_the_same_fleet")]),
    tests("inv41-jsq1-is-random", &[(METAMORPHIC, "one_choice_is_a_random_one_and_all_choices_are_the_shortest_queue")]),
    tests("inv42-jsqn-is-jsq", &[(METAMORPHIC, "one_choice_is_a_random_one_and_all_choices_are_the_shortest_queue")]),
    Held { tables: &["stale_board"], note: "at T = 0.1 against its own limit; T = 0.02 is not run", ..held("inv43-fresh-limit") },
    Held { tests: &[(METAMORPHIC, "nodes_that_choose_at_random_may_be_many")], note: "for random choice; nodes that know the truth at every moment are no part of the model", ..held("inv44-one-lb-equals-many-fresh") },
    tests("inv45-k-independent-replicas", &[("sim-core/tests/queueing.rs", "random_choice_makes_every_server_an_mm1")]),
    Held { tables: &["supermarket", "finite_fleets"], note: "the known values rise and fall so, and are met", ..held("inv46-monotone-load") },
    Held { tables: &["detector"], note: "likewise", ..held("inv47-loss-monotone") },
    tests("inv48-warmup-independence", &[("bench-harness/tests/warmup.rs", "a_warm_up_found_takes_bias_of_the_empty_start_away")]),
];

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;
    use crate::validate::TABLES;
    use crate::validate::row::Row;

    const INVARIANTS: &str = include_str!("../../../data/oracles/invariants.csv");

    /// Goal: the list is whole and names nothing that is not there.
    #[test]
    fn every_invariant_is_held_by_something_that_exists() {
        let mut reader = csv::Reader::from_reader(INVARIANTS.as_bytes());
        let known: Vec<String> = reader.records().map(|row| row.unwrap()[0].to_owned()).collect();
        let listed: Vec<&str> = HELD.iter().map(|held| held.id).collect();
        assert_eq!(listed, known);
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        for held in HELD {
            let places = held.tests.len() + held.tables.len() + usize::from(held.in_every_run);
            assert!(places > 0, "{} is held by nothing", held.id);
            for (file, test) in held.tests {
                let text = fs::read_to_string(root.join(file)).unwrap();
                assert!(text.contains(&format!("fn {test}(")), "no `{test}` in {file}");
            }
            for table in held.tables {
                let table = TABLES.iter().find(|known| known.name == *table).unwrap();
                assert!(!Row::all(table.text).is_empty());
            }
        }
    }
}
