//! M/G/c/c: no backlog, and every law of services.

use super::experiment::{Experiment, MANY_SAMPLES, SERVICE_NS};
use super::measure;
use super::mmc::station;
use super::row::Row;
use super::rule::Rule;
use super::table::{Column, Table, cell, column, row_by_row, rule_of_column};

/// The table.
pub const TABLE: Table = Table {
    name: "erlang_b",
    file: "p02_erlang_b.csv",
    text: include_str!("../../../data/oracles/p02_erlang_b.csv"),
    model: "M/G/c/c: Poisson arrivals at one server of c slots that refuses when all are busy, under four laws of services with one mean.",
    source: "Erlang's loss formula; insensitivity: Sevastyanov.",
    bias: "None from the network: a constant delay moves all arrivals alike. Start from empty: at least \
           50 services left out, below 1e-6.",
    variants: &["constant", "exponential", "lognormal", "hyperexponential"],
    columns: &[
        column("blocking", "prob", Rule::Rp, measure::blocked),
        column("mean_active", "requests", Rule::R1, measure::in_system),
        column("utilization", "ratio", Rule::R1, measure::utilisation),
        column("mean_sojourn", "service", Rule::R1, measure::mean_sojourn),
        column("accounted", "share", Rule::Rx, measure::accounted),
    ],
    unmeasured: &[],
    experiment,
    theory: accounted_or_cell,
    rule: rule_of_column,
    group: row_by_row,
    quick: &["erlb-c4-a4@constant", "erlb-c4-a4@exponential", "erlb-c4-a4@lognormal"],
};

fn experiment(row: &Row, law: &str) -> Result<Experiment, &'static str> {
    let (slots, load) = (row.number("c"), row.number("a"));
    let hop = SERVICE_NS / 2;
    let body = station(slots, "0", law_of_mean_one(law), load);
    let mut experiment = Experiment::new(hop, &body, 100.0, load);
    if load < 1.0 {
        // Most of the time nobody is there.
        experiment.samples = MANY_SAMPLES;
    }
    Ok(experiment)
}

/// A law of services with a mean of one unit, by its name.
pub fn law_of_mean_one(name: &str) -> &'static str {
    match name {
        "constant" | "deterministic" => "constant = { mean = \"10ms\" }",
        "exponential" => "exponential = { mean = \"10ms\" }",
        "lognormal" => "lognormal = { mean = \"10ms\", cv = 2 }",
        "hyperexponential" => "hyperexponential = { mean = \"10ms\", cv = 3 }",
        _ => unreachable!("the tables name no other law: {name}"),
    }
}

/// Requests that are neither answered nor refused have no column in the tables.
pub fn accounted_or_cell(row: &Row, column: &Column, variant: &str) -> Option<f64> {
    if column.name == "accounted" { Some(1.0) } else { cell(row, column, variant) }
}
