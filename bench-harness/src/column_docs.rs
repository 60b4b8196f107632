//! Goal: `data/README.md` explains every column that measurements and `lbsim validate` write, and no other.
//! Method: render the tables from the code and compare. `cargo xtask docs` has this test write the
//! part between the two marks; the rest of the file is written by hand.

use std::fmt::Write as _;
use std::fs;

use bench_harness::validate::record;

use crate::decisions;
use crate::scale;

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../data/README.md");
const START: &str = "<!-- columns of measurements: written by `cargo xtask docs` -->\n";
const END: &str = "<!-- end of columns of measurements -->\n";

fn table(title: &str, columns: &[(&str, &str, &str)]) -> String {
    let mut text = format!("\n### {title}\n\n| column | unit | meaning |\n|---|---|---|\n");
    for (name, unit, meaning) in columns {
        let _ = writeln!(text, "| `{name}` | {unit} | {meaning} |");
    }
    text
}

#[test]
fn column_docs_explain_the_files_of_measurements() {
    let found = fs::read_to_string(FILE).unwrap();
    let (before, rest) = found.split_once(START).expect("the first mark");
    let (_, after) = rest.split_once(END).expect("the second mark");
    let tables = [
        scale::columns_documented("###"),
        table("`decisions.csv`: a row a policy and number of servers", decisions::COLUMNS),
        table("`growth.csv`: a row a policy and operation", decisions::GROWTH_COLUMNS),
        table("`validation.csv`: a row a target", record::COLUMNS),
    ]
    .concat();
    let expected = format!("{before}{START}{tables}\n{END}{after}");
    if std::env::var_os("LBSIM_UPDATE").is_some() {
        fs::write(FILE, expected).unwrap();
    } else {
        assert!(found == expected, "data/README.md is out of date: run `cargo xtask docs`");
    }
}
