//! Power of d choices in a fleet so large that its limit holds.

use super::experiment::{Experiment, SERVICE_NS};
use super::fresh;
use super::measure;
use super::mmc::{RANDOM, fleet};
use super::row::Row;
use super::rule::Rule;
use super::table::{Column, Table, column, row_by_row, rule_of_column};

/// Servers, at least and at most. The means are corrected for the rest by the table's coefficient of 1/n.
const SERVERS: std::ops::RangeInclusive<f64> = 2_000.0..=10_000.0;
/// Quantiles have no such coefficient: there are so many servers that it is below this share of the mean.
const REST: f64 = 5e-4;
/// Servers where they do not matter, since each is an M/M/1 by itself.
const SERVERS_ALONE: f64 = 100.0;

/// The table.
pub const TABLE: Table = Table {
    name: "supermarket",
    file: "p07_supermarket_meanfield.csv",
    text: include_str!("../../../data/oracles/p07_supermarket_meanfield.csv"),
    model: "The least loaded of d servers drawn anew for each request, with fresh information; 2000 to 10 000 servers stand for infinitely many.",
    source: "Vvedenskaya, Dobrushin, Karpelevich 1996; Mitzenmacher 1996. Coefficients of 1/n: refined mean field, Gast and Van Houdt 2017.",
    bias: fresh::BIAS,
    variants: &["with", "without"],
    columns: &[
        column("mean_sojourn", "service", Rule::Rl, measure::mean_sojourn),
        column("mean_queue", "requests per server", Rule::Rl, measure::in_system_each),
        column("sojourn_p50", "service", Rule::Rl, measure::sojourn_p50),
        column("sojourn_p90", "service", Rule::Rl, measure::sojourn_p90),
        column("sojourn_p99", "service", Rule::Rl, measure::sojourn_p99),
        column("answered", "share", Rule::Rx, measure::answered),
    ],
    unmeasured: &[],
    experiment,
    theory,
    rule: rule_of_column,
    group: row_by_row,
    quick: &["sm-d2-l0.7@without", "sm-d3-l0.5@with"],
};

fn experiment(row: &Row, variant: &str) -> Result<Experiment, &'static str> {
    let (d, load) = (row.number("d"), row.number("lam"));
    if load > 0.98 {
        return Err("background at load 0.99, where the table sets no target");
    }
    if d < 2.0 {
        let service = "exponential = { mean = \"10ms\" }";
        let rate = SERVERS_ALONE * load;
        let body = fleet(SERVERS_ALONE, 1.0, "unbounded", service, rate) + RANDOM;
        let warmup = 10.0 / (1.0 - load).powi(2);
        return Ok(Experiment::new(SERVICE_NS / 10, &body, warmup, rate));
    }
    let warmup = 20.0 / (1.0 - load);
    Ok(fresh::choices(servers(row, variant), load, &d.to_string(), variant == "with", warmup))
}

/// How much a fleet of n is above the limit, times n.
fn coefficient(row: &Row, variant: &str) -> f64 {
    row.number(match variant {
        "with" => "coef_1_over_n_with_repl",
        _ => "coef_1_over_n_without_repl",
    })
}

fn servers(row: &Row, variant: &str) -> f64 {
    let enough = coefficient(row, variant) / (REST * row.number("mean_sojourn"));
    enough.clamp(*SERVERS.start(), *SERVERS.end()).ceil()
}

/// The limit, and the first correction for a finite fleet. The median and the tail have none in the table.
fn theory(row: &Row, column: &Column, variant: &str) -> Option<f64> {
    if column.name == "answered" {
        return Some(1.0);
    }
    let coefficient = coefficient(row, variant);
    let correction = match column.name {
        "mean_sojourn" => coefficient / servers(row, variant),
        "mean_queue" => coefficient * row.number("lam") / servers(row, variant),
        _ => 0.0,
    };
    Some(row.number(column.name) + correction)
}
