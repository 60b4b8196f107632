//! M/G/1: one slot, other laws of services.

use super::erlang_b::law_of_mean_one;
use super::experiment::{Experiment, SERVICE_NS};
use super::measure;
use super::mmc::{answered_or_cell, station};
use super::row::Row;
use super::rule::Rule;
use super::table::{Column, Table, column, row_by_row};

/// The table.
pub const TABLE: Table = Table {
    name: "mg1",
    file: "p06_mg1_fifo.csv",
    text: include_str!("../../../data/oracles/p06_mg1_fifo.csv"),
    model: "M/G/1: Poisson arrivals at one slot, first come first served, under seven laws of services.",
    source: "Pollaczek and Khinchine.",
    bias: "None from the network: a constant delay moves all arrivals alike. Start from empty, at least 10 \
           relaxation times left out. The standard deviation is that of a histogram, 0.1 % wide.",
    variants: &[""],
    columns: &[
        column("p_wait", "prob", Rule::Rp, measure::all_busy),
        column("mean_wait", "service", Rule::R2, measure::mean_wait),
        column("mean_sojourn", "service", Rule::R1, measure::mean_sojourn),
        column("mean_in_system", "requests", Rule::R1, measure::in_system),
        column("sd_sojourn", "service", Rule::R3, measure::sd_sojourn),
        column("answered", "share", Rule::Rx, measure::answered),
    ],
    unmeasured: &[("scv", "a property of the law, tested beside it (sim-core/src/law.rs)")],
    experiment,
    theory: answered_or_cell,
    rule,
    group: row_by_row,
    quick: &["mg1-deterministic-r0.5"],
};

fn experiment(row: &Row, _: &str) -> Result<Experiment, &'static str> {
    let (load, scv) = (row.number("rho"), row.number("scv"));
    let parameter = row.text("param").split_once('=').map(|(_, value)| value);
    let law = match (row.text("service"), parameter) {
        ("erlang", Some(k)) => format!("erlang = {{ mean = \"10ms\", shape = {k} }}"),
        ("lognormal", Some(cv)) => format!("lognormal = {{ mean = \"10ms\", cv = {cv} }}"),
        ("uniform", _) => "uniform = { min = \"0s\", max = \"20ms\" }".to_owned(),
        (law, _) => law_of_mean_one(law).to_owned(),
    };
    let warmup = 10.0 * f64::max(1.0, f64::midpoint(1.0, scv)) / (1.0 - load).powi(2);
    Ok(Experiment::new(SERVICE_NS, &station(1.0, "unbounded", &law, load), warmup, load))
}

/// A coefficient of variation of 2 makes the tails so heavy that the table asks for 2 % of all.
fn rule(row: &Row, column: &Column) -> Rule {
    let is_heavy = row.number("scv") > 3.0 && column.rule != Rule::Rx;
    if is_heavy { Rule::R2 } else { column.rule }
}
