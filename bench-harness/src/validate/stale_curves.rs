//! What stale information does to a fleet of 100: where choosing well becomes worse than choosing blindly.

use super::experiment::Experiment;
use super::measure;
use super::mmc::answered_or_cell;
use super::row::Row;
use super::rule::Rule;
use super::stale_board::board;
use super::table::{Table, column, row_by_row, rule_of_column};

/// The table.
pub const TABLE: Table = Table {
    name: "stale_curves",
    file: "q02_stale_curves.csv",
    text: include_str!("../../../data/oracles/q02_stale_curves.csv"),
    model: "As stale_board with 100 servers at load 0.9, and with three choices. A random choice takes 10: the least loaded of all is worse from T = 4 on, three choices from 20, two from 35 to 40.",
    source: "An independent simulation (4 seeds), whose standard error is allowed for; the shapes are those of Mitzenmacher 2000 and Dahlin 2000.",
    bias: "A report is 0.001 services late, as in stale_board.",
    variants: &[""],
    columns: &[
        column("mean_sojourn", "service", Rule::Rm, measure::mean_sojourn),
        column("answered", "share", Rule::Rx, measure::answered),
    ],
    unmeasured: &[],
    experiment,
    theory: answered_or_cell,
    rule: rule_of_column,
    group: row_by_row,
    quick: &[],
};

fn experiment(row: &Row, _: &str) -> Result<Experiment, &'static str> {
    let (n, load, interval) = (row.number("n"), row.number("lam"), row.number("T"));
    let d = row.text("d");
    let choices = if d == "all" { "\"all\"" } else { d };
    let mut experiment = board(n, load, interval, choices, d != "all", true);
    experiment.warmup = f64::max(20.0 / (1.0 - load), 100.0 * interval);
    experiment.pilot = f64::max(200.0, 20.0 * interval);
    Ok(experiment)
}
