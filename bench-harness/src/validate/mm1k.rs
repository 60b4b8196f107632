//! M/M/1/K: a backlog of K - 1.

use super::erlang_b::accounted_or_cell;
use super::experiment::{Experiment, SERVICE_NS};
use super::measure;
use super::mmc::station;
use super::row::Row;
use super::rule::Rule;
use super::table::{Column, Table, column, row_by_row, rule_of_column};

/// Rarer than this is not seen in any reasonable time.
const RAREST: f64 = 1e-5;

/// The table.
pub const TABLE: Table = Table {
    name: "mm1k",
    file: "p05_mm1k.csv",
    text: include_str!("../../../data/oracles/p05_mm1k.csv"),
    model: "M/M/1/K: Poisson arrivals at one slot with a backlog of K - 1; the rest is refused.",
    source: "Birth and death equations.",
    bias: "None from the network: a constant delay moves all arrivals alike. Start from empty, 10 \
           relaxation times left out: below 1e-4.",
    variants: &[""],
    columns: &[
        column("blocking", "prob", Rule::Rp, measure::blocked),
        column("mean_in_system", "requests", Rule::R1, measure::in_system),
        column("mean_sojourn", "service", Rule::R1, measure::mean_sojourn),
        column("utilization", "ratio", Rule::R1, measure::utilisation),
        column("throughput", "per service", Rule::R1, measure::throughput),
        column("sojourn_p90", "service", Rule::Rq, measure::sojourn_p90),
        column("sojourn_p99", "service", Rule::Rq, measure::sojourn_p99),
        column("accounted", "share", Rule::Rx, measure::accounted),
    ],
    unmeasured: &[
        ("blocking", "where fewer than one request in 100 000 is refused"),
        ("utilization", "where the slot is idle for less than 1/100 000 of the time"),
    ],
    experiment,
    theory,
    rule: rule_of_column,
    group: row_by_row,
    quick: &["mm1k-K2-r0.9", "mm1k-K5-r1.5"],
};

fn experiment(row: &Row, _: &str) -> Result<Experiment, &'static str> {
    let (room, load) = (row.number("K"), row.number("rho"));
    let body = station(1.0, &(room - 1.0).to_string(), "exponential = { mean = \"10ms\" }", load);
    // The slowest mode of the chain (Morse 1955).
    let slowest = libm::cos(std::f64::consts::PI / (room + 1.0));
    let relaxation = 1.0 / (1.0 + load - 2.0 * load.sqrt() * slowest);
    Ok(Experiment::new(SERVICE_NS / 2, &body, 10.0 * relaxation + 50.0, load))
}

fn theory(row: &Row, column: &Column, variant: &str) -> Option<f64> {
    let is_seen = match column.name {
        "blocking" => row.number("blocking") >= RAREST,
        "utilization" => 1.0 - row.number("utilization") >= RAREST,
        _ => true,
    };
    accounted_or_cell(row, column, variant).filter(|_| is_seen)
}
