//! The record of a validation as a page for people.

use std::fmt::Write as _;

use super::held::HELD;
use super::record::{Line, Totals};
use super::rule::{CONFIDENCE, FAMILY, REPLICATIONS, Verdict, misses_allowed};
use super::table::{Case, Table};
use super::{NOT_COMPARED, NOT_VALIDATED, REASONS, TABLES, cases};

/// The page: what was checked, against which source, how close, and what is not.
pub fn page(lines: &[Line]) -> String {
    let mut page = String::from(HEAD);
    let totals = Totals::of(lines);
    let all = cases(false, None);
    let is_there = |case: &Case| {
        case.rows.iter().any(|row| lines.iter().any(|line| line.case == case.named(row.id())))
    };
    let there = all.iter().filter(|case| is_there(case)).count();
    let _ =
        writeln!(page, "This record holds {there} of the {} cases of the full form.\n", all.len());
    let _ = writeln!(
        page,
        "{} targets in {} tables: {} agree, {} do not. {} missed at \
         first and were measured again; up to {} honest ones would, with probability {} %.\n",
        totals.targets,
        TABLES.iter().filter(|table| lines.iter().any(|line| line.table == table.name)).count(),
        totals.passed,
        totals.failed,
        totals.missed,
        misses_allowed(totals.targets),
        100.0 * FAMILY,
    );
    let _ = writeln!(
        page,
        "Each target: {REPLICATIONS} replications with seeds of their own, a {} % Student-t interval, \
         and the rule of [its table](../data/oracles/README.md).\n",
        100.0 * CONFIDENCE,
    );
    page += "| table | rows | targets | agree | median distance | largest distance |\n|---|--:|--:|--:|--:|--:|\n";
    for table in TABLES {
        let of_table: Vec<&Line> = lines.iter().filter(|line| line.table == table.name).collect();
        if !of_table.is_empty() {
            page += &summary(table, &of_table);
        }
    }
    page += "\nDistance: |simulated - known| / known, of targets above 0.001.\n";
    for table in TABLES {
        let of_table: Vec<&Line> = lines.iter().filter(|line| line.table == table.name).collect();
        page += &section(table, &of_table);
    }
    page + &tail() + &builds(lines)
}

fn distance(line: &Line) -> Option<f64> {
    (line.theory.abs() > 1e-3 && line.rule != "RX")
        .then(|| (line.simulated - line.theory).abs() / line.theory.abs())
}

fn percent(share: Option<&f64>) -> String {
    share.map_or_else(|| "-".to_owned(), |share| format!("{:.2} %", 100.0 * share))
}

fn summary(table: &Table, lines: &[&Line]) -> String {
    let mut cases: Vec<&str> = lines.iter().map(|line| line.case.as_str()).collect();
    cases.dedup();
    let mut distances: Vec<f64> = lines.iter().filter_map(|line| distance(line)).collect();
    distances.sort_by(f64::total_cmp);
    format!(
        "| [{}](#{}) | {} | {} | {} | {} | {} |\n",
        table.name,
        table.name,
        cases.len(),
        lines.len(),
        lines.iter().filter(|line| line.verdict == Verdict::Pass).count(),
        percent(distances.get(distances.len() / 2)),
        percent(distances.last()),
    )
}

fn section(table: &Table, lines: &[&Line]) -> String {
    let mut text = format!("\n## {}\n\n{}\n\n", table.name, table.model);
    let _ = writeln!(text, "Known values: `data/oracles/{}`. {}\n", table.file, table.source);
    let _ = writeln!(text, "Bias that is left: {}\n", table.bias);
    for (column, why) in table.unmeasured {
        let _ = writeln!(text, "* Not compared: `{column}`: {why}.");
    }
    let mut left_out: Vec<&str> = table.left_out().into_iter().map(|(_, why)| why).collect();
    left_out.sort_unstable();
    for group in left_out.chunk_by(|a, b| a == b) {
        let _ = writeln!(text, "* {} rows not run: {}.", group.len(), group[0]);
    }
    if lines.is_empty() {
        return text + "\nNot run.\n";
    }
    text += "\n| metric | rule | targets | agree | largest distance | widest interval used |\n|---|---|--:|--:|--:|--:|\n";
    for column in table.columns {
        let of: Vec<&&Line> = lines.iter().filter(|line| line.metric == column.name).collect();
        if of.is_empty() {
            continue;
        }
        let largest = of.iter().filter_map(|line| distance(line)).max_by(f64::total_cmp);
        let widest = of
            .iter()
            .filter(|line| distance(line).is_some())
            .map(|line| line.half_width / line.theory.abs())
            .max_by(f64::total_cmp);
        let passed = of.iter().filter(|line| line.verdict == Verdict::Pass).count();
        let _ = writeln!(
            text,
            "| {} | {} | {} | {passed} | {} | {} |",
            column.name,
            column.rule.name(),
            of.len(),
            percent(largest.as_ref()),
            percent(widest.as_ref()),
        );
    }
    let failed: Vec<&&Line> = lines.iter().filter(|line| line.verdict != Verdict::Pass).collect();
    if !failed.is_empty() {
        text += "\nThese do not agree:\n\n| case | metric | known | simulated | half width | allowed | verdict | reason |\n|---|---|--:|--:|--:|--:|---|---|\n";
        for line in failed {
            let _ = writeln!(
                text,
                "| {} | {} | {:.6} | {:.6} | {:.6} | {:.6} | {} | {} |",
                line.case,
                line.metric,
                line.theory,
                line.simulated,
                line.half_width,
                line.allowed,
                line.verdict.name(),
                reason(line),
            );
        }
    }
    text
}

const HEAD: &str = "# What lbsim is validated against\n\n\
<!-- Written by `lbsim validate --out DIR` (DIR/validation.md); do not edit by hand. -->\n\n\
`lbsim validate` runs known results as ordinary scenarios and compares. Every value is in \
`validation.csv`; this page says what was checked, against what, and how close it came.\n\n";

/// Failing rows, invariants, and what is not validated.
fn tail() -> String {
    let mut text = String::from("\n## Tables that no scenario is compared with\n\n");
    for (file, why) in NOT_COMPARED {
        let _ = writeln!(text, "* `{file}`: {why}.");
    }
    text += "\n## Invariants\n\nEvery run of every case is looked at for those marked so; a run that breaks one stops \
             the validation. The second engine of bench-harness/tests/equality.rs computes every figure of random \
             scenarios again.\n\n| invariant | every run | tests | tables | |\n|---|---|---|---|---|\n";
    for held in HELD {
        let tests: Vec<String> =
            held.tests.iter().map(|(file, test)| format!("`{test}` ({file})")).collect();
        let tables: Vec<String> =
            held.tables.iter().map(|table| format!("[{table}](#{table})")).collect();
        let mark = if held.in_every_run { "yes" } else { "" };
        let (id, tests, tables) = (held.id, tests.join(", "), tables.join(", "));
        let _ = writeln!(text, "| {id} | {mark} | {tests} | {tables} | {} |", held.note);
    }
    text += "\n## What is not validated\n\n";
    for what in NOT_VALIDATED {
        let _ = writeln!(text, "* {what}");
    }
    text
}

/// Which programs have measured what.
fn builds(lines: &[Line]) -> String {
    let mut builds: Vec<&str> = lines.iter().map(|line| line.build.as_str()).collect();
    builds.sort_unstable();
    let mut text = String::from("\n## Measured by\n\n");
    for group in builds.chunk_by(|a, b| a == b) {
        let _ = writeln!(text, "* `{}`: {} targets.", group[0], group.len());
    }
    text
}

/// Why a line does not agree, as far as it is known.
fn reason(line: &Line) -> &'static str {
    let of = |&&(case, metric, _): &&(&str, &str, &str)| case == line.case && metric == line.metric;
    REASONS.iter().find(of).map_or("not found yet", |&(_, _, reason)| reason)
}
