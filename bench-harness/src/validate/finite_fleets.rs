//! 8 to 500 servers, against other simulations.

use super::experiment::Experiment;
use super::fresh;
use super::measure;
use super::mmc::answered_or_cell;
use super::row::Row;
use super::rule::Rule;
use super::table::{Table, column, row_by_row, rule_of_column};

/// The table.
pub const TABLE: Table = Table {
    name: "finite_fleets",
    file: "p09_finite_n.csv",
    text: include_str!("../../../data/oracles/p09_finite_n.csv"),
    model: "The least loaded of two drawn servers, with fresh information, in fleets of 8, 100 and 500.",
    source: "Another simulation (data/oracles/oracle_lib.py), whose standard error is allowed for; it agrees with what Gast and Van Houdt published for up to 100.",
    bias: fresh::BIAS,
    variants: &[""],
    columns: &[
        column("mean_sojourn", "service", Rule::R1, measure::mean_sojourn),
        column("mean_queue", "requests per server", Rule::R1, measure::in_system_each),
        column("p_wait", "prob", Rule::Rp, measure::waited),
        column("answered", "share", Rule::Rx, measure::answered),
    ],
    unmeasured: &[],
    experiment,
    theory: answered_or_cell,
    rule: rule_of_column,
    group: row_by_row,
    quick: &["fin-jsqd-n100-d2-c1-l0.5-without"],
};

fn experiment(row: &Row, _: &str) -> Result<Experiment, &'static str> {
    let (n, load) = (row.number("n"), row.number("lam"));
    let replacement = row.text("replacement") == "with";
    // The time to fill up from empty is that of a mean field with a few choices, or of one M/M/1.
    let warmup = if n < 50.0 { 10.0 / (1.0 - load).powi(2) } else { 40.0 / (1.0 - load) };
    Ok(fresh::choices(n, load, row.text("d"), replacement, warmup))
}
