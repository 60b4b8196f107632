//! Goal: `data/README.md` explains every column that lbsim writes, and no other.
//! Method: render the tables from the code and compare. `cargo xtask docs` has this test write the
//! part between the two marks; the rest of the file is written by hand.

use std::fmt::Write;
use std::fs;

use sim_core::columns::sweeps::{
    BASELINE_KEY, PAIRED_KEYS, PAIRED_PARTS, POINT_KEY, POINT_KEYS, POINT_PARTS, RUN_EXTRAS,
    SWEEP_KEYS,
};
use sim_core::columns::{
    Key, METRICS, NODE_COLUMNS, PART_KEYS, RUN_KEYS, RUN_NOTES, SERIES_COLUMNS, SERVER_COLUMNS,
};
use sim_core::stats::contest::Direction;

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../data/README.md");
const START: &str = "<!-- columns of runs: written by `cargo xtask docs` -->\n";
const END: &str = "<!-- end of columns of runs -->\n";

type Row = (&'static str, &'static str, &'static str);

fn table(title: &str, keys: &[Key], rows: impl Iterator<Item = Row>) -> String {
    let keys = keys.iter().map(|key| (key.name, "", key.meaning));
    let mut text = format!("\n### {title}\n\n| column | unit | meaning |\n|---|---|---|\n");
    for (name, unit, meaning) in keys.chain(rows) {
        let _ = writeln!(text, "| `{name}` | {unit} | {meaning} |");
    }
    text
}

/// With a column more than the others: which of two values `lbsim compare` calls better.
fn runs() -> String {
    let mut text = "\n### `runs.csv`: a row a policy and replication\n\n\
                    | column | unit | better | meaning |\n|---|---|---|---|\n"
        .to_owned();
    for key in RUN_KEYS.iter().chain(&RUN_NOTES) {
        let _ = writeln!(text, "| `{}` | | | {} |", key.name, key.meaning);
    }
    for metric in METRICS {
        let better = metric.better.map_or("", Direction::name);
        let _ = writeln!(
            text,
            "| `{}` | {} | {better} | {} |",
            metric.name, metric.unit, metric.meaning
        );
    }
    text
}

fn tables() -> String {
    let mut text = runs();
    for (title, columns) in [
        ("`servers.csv`: a row a server of each run", SERVER_COLUMNS),
        ("`nodes.csv`: a row a node of each run", NODE_COLUMNS),
        ("`timeseries.csv`: a row a sample interval of each run", SERIES_COLUMNS),
    ] {
        let columns = columns.iter().map(|c| (c.name, c.unit, c.meaning));
        text.push_str(&table(title, &PART_KEYS, columns));
    }
    text.push_str(&sweep_tables());
    text.push('\n');
    text
}

/// The tables of a sweep. Their metrics are those of `runs.csv`, so only what is added is named.
fn sweep_tables() -> String {
    let row = |name: &'static str, meaning| (name, "", meaning);
    let keys = |keys: &[Key]| keys.iter().map(|key| row(key.name, key.meaning)).collect::<Vec<_>>();
    let axes = (
        "an axis",
        "",
        "A column a key of the axes, under its dotted name: its value as in the file.",
    );
    let parts = |parts: &[Key]| -> Vec<(String, &'static str)> {
        parts.iter().map(|part| (format!("<metric>{}", part.name), part.meaning)).collect()
    };
    let mut text = String::new();
    for (title, first, rest, of_metrics) in [
        (
            "`runs.csv` of a sweep: a row a replication of each point",
            keys(&SWEEP_KEYS),
            [keys(&RUN_KEYS), keys(&RUN_EXTRAS)].concat(),
            vec![("<metric>".to_owned(), "Every metric, as in the `runs.csv` of a run.")],
        ),
        (
            "`points.csv` of a sweep: a row a point",
            keys(&[POINT_KEY]),
            keys(&POINT_KEYS),
            parts(&POINT_PARTS),
        ),
        (
            "`paired.csv` of a sweep: a row a point that has a baseline",
            keys(&[POINT_KEY, BASELINE_KEY]),
            keys(&PAIRED_KEYS),
            parts(&PAIRED_PARTS),
        ),
    ] {
        let own = first.into_iter().chain([axes]).chain(rest);
        text.push_str(&table(title, &[], own));
        for (name, meaning) in of_metrics {
            let _ = writeln!(text, "| `{name}` | that of the metric | {meaning} |");
        }
    }
    text
}

#[test]
fn column_docs_explain_every_column_of_a_run() {
    let found = fs::read_to_string(FILE).expect("data/README.md is readable");
    let (before, rest) = found.split_once(START).expect("the first mark");
    let (_, after) = rest.split_once(END).expect("the second mark");
    let expected = format!("{before}{START}{}{END}{after}", tables());
    if std::env::var_os("LBSIM_UPDATE").is_some() {
        fs::write(FILE, expected).expect("data/README.md is writable");
    } else {
        assert!(found == expected, "data/README.md is out of date: run `cargo xtask docs`");
    }
}
