//! The committed record of a validation, and the page about it.

use std::fs;
use std::path::Path;

use bench_harness::validate::cases;
use bench_harness::validate::page::page;
use bench_harness::validate::record::{Line, read};

fn record() -> Vec<Line> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/validation.csv");
    let lines = read(&file).expect("docs/validation.csv");
    assert!(lines.len() > 500, "only {} lines", lines.len());
    lines
}

/// Goal: the page says what the record says. Whoever changes either, or a text that the page is made of, writes it
/// anew: `lbsim validate --out DIR`, or `LBSIM_WRITE_PAGE=1 cargo test -p bench-harness --test validation_page`.
#[test]
fn the_page_is_that_of_the_record() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/validation.md");
    let made = page(&record());
    if std::env::var_os("LBSIM_WRITE_PAGE").is_some() {
        fs::write(&file, &made).expect("docs/validation.md");
    }
    let committed = fs::read_to_string(&file).expect("docs/validation.md");
    assert!(made == committed, "docs/validation.md is not the page of docs/validation.csv");
}

/// Goal: nothing stands in the record that is no longer asked, or is asked otherwise.
#[test]
fn the_record_is_about_the_present_targets() {
    let cases = cases(false, None);
    let mut known = std::collections::BTreeMap::new();
    for case in &cases {
        for target in case.targets() {
            let key = (case.named(target.row.id()), target.column.name.to_owned());
            known.insert(key, (target.theory, target.rule.name()));
        }
    }
    for line in record() {
        let key = (line.case.clone(), line.metric.clone());
        let (theory, rule) = known.get(&key).unwrap_or_else(|| panic!("{key:?} is no target"));
        assert_eq!((line.theory, line.rule.as_str()), (*theory, *rule), "{key:?}");
    }
}
