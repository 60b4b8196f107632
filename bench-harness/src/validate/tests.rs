//! The tables are whole: names, scenarios, and no target forgotten.

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
fn every_row_is_a_scenario() {
    for case in cases(false, None) {
        let experiment = &case.experiment;
        let scenario = experiment.scenario(&case.name(), experiment.pilot, 1);
        assert_eq!(scenario.policies.len(), 1, "{}", case.name());
        assert!(!case.targets().is_empty(), "{}", case.name());
    }
}

/// Goal: no target is forgotten. Method: the list of all targets, with values and rules, against what the
/// tables here compare or say that they do not.
#[test]
fn every_target_is_compared_or_said_not_to_be() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../data/oracles/all_targets_long.csv");
    let mut reader = csv::Reader::from_path(file).expect("the list of targets");
    let cases = cases(false, None);
    let mut compared = 0;
    for record in reader.records() {
        let record = record.expect("a whole row");
        let [id, file, metric, value, rule] = [0, 1, 4, 5, 9].map(|at| record[at].to_owned());
        if rule == "INFO" || NOT_COMPARED.iter().any(|(name, _)| *name == file) {
            continue;
        }
        let what = format!("{id}, {metric}");
        let table = TABLES.iter().find(|table| table.file == file);
        let table = table.unwrap_or_else(|| panic!("nothing is said of {file}"));
        let left_out = table.left_out().iter().any(|(row, _)| *row == id);
        let said = left_out || table.unmeasured.iter().any(|(column, _)| *column == metric);
        let of_table = cases.iter().filter(|case| case.table.file == file);
        let targets = of_table.flat_map(Case::targets).filter(|target| target.row.id() == id);
        let targets: Vec<_> = targets.collect();
        let of_metric: Vec<_> = targets.iter().filter(|t| t.column.name == metric).collect();
        assert!(said || !of_metric.is_empty(), "{what} is neither compared nor said not to be");
        for target in of_metric {
            assert_eq!(target.rule.name(), rule, "{what}");
            let value: f64 = value.parse().expect("a number");
            let gap = (target.theory - value).abs();
            assert!(gap <= target.rule.widest(value), "{what}: {} is not {value}", target.theory);
            compared += 1;
        }
    }
    assert!(compared > 1_000, "only {compared}");
}
