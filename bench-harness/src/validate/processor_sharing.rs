//! Processor sharing: all who are there share the slots.

use super::erlang_b::law_of_mean_one;
use super::experiment::{Experiment, SERVICE_NS};
use super::measure;
use super::mmc::{answered_or_cell, station};
use super::row::Row;
use super::rule::Rule;
use super::table::{Table, column, row_by_row, rule_of_column};

/// The table.
pub const TABLE: Table = Table {
    name: "processor_sharing",
    file: "q01_processor_sharing.csv",
    text: include_str!("../../../data/oracles/q01_processor_sharing.csv"),
    model: "M/G/c under processor sharing: all who are there share c slots, nobody faster than one of them, under four laws of services.",
    source: "Kelly 1979: the queue is symmetric, so the number in the system has the law of M/M/c whatever the law of services.",
    bias: "None from the network: a constant delay moves all arrivals alike. Start from empty, at least 10 \
           relaxation times left out.",
    variants: &["constant", "exponential", "lognormal", "hyperexponential"],
    columns: &[
        column("mean_sojourn", "service", Rule::R1, measure::mean_sojourn),
        column("mean_in_system", "requests", Rule::R1, measure::in_system),
        column("utilization", "ratio", Rule::R1, measure::utilisation),
        column("answered", "share", Rule::Rx, measure::answered),
    ],
    unmeasured: &[],
    experiment,
    theory: answered_or_cell,
    rule: rule_of_column,
    group: row_by_row,
    quick: &["ps-c1-r0.5@constant", "ps-c4-r0.5@lognormal"],
};

fn experiment(row: &Row, law: &str) -> Result<Experiment, &'static str> {
    let (slots, load, rate) = (row.number("c"), row.number("rho"), row.number("lam"));
    let body = station(slots, "unbounded", law_of_mean_one(law), rate)
        .replace("[[servers]]\n", "[[servers]]\ndiscipline = \"processor_sharing\"\n");
    Ok(Experiment::new(SERVICE_NS, &body, 30.0 / (1.0 - load).powi(2), rate))
}
