use std::sync::atomic::{AtomicBool, AtomicU64};

use super::execute::Effort;
use super::record::Totals;
use super::*;

#[test]
fn names_are_unique_and_the_quick_form_exists() {
    let all: Vec<String> = cases(false, None).iter().map(Case::name).collect();
    let mut sorted = all.clone();
    sorted.sort();
    sorted.dedup();
    assert_eq!(sorted.len(), all.len());
    for table in TABLES {
        for quick in table.quick {
            assert!(all.iter().any(|name| name == quick), "{quick} of {}", table.name);
        }
    }
}

#[test]
fn a_row_agrees() {
    let (stop, finished) = (AtomicBool::new(false), AtomicU64::new(0));
    let effort = Effort { seed: 1, events_max: 3e7, stop: &stop, finished: &finished };
    let case = cases(true, Some("erlb-c4-a4@constant")).remove(0);
    let lines = effort.run(&case).expect("nobody stops it");
    assert!(Totals::of(&lines).failed == 0, "{lines:#?}");
}

#[test]
fn every_row_is_a_scenario() {
    for case in cases(false, None) {
        let experiment = &case.experiment;
        let scenario = experiment.scenario(&case.name(), experiment.pilot, 1);
        assert_eq!(scenario.policies.len(), 1, "{}", case.name());
        assert!(!case.targets().is_empty(), "{}", case.name());
    }
}
