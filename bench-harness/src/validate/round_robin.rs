//! One node in strict turns: every server gets Erlang arrivals.

use super::experiment::{Experiment, SERVICE_NS};
use super::measure;
use super::mmc::{answered_or_cell, fleet};
use super::row::Row;
use super::rule::Rule;
use super::table::{Table, column, row_by_row, rule_of_column};

/// The table.
pub const TABLE: Table = Table {
    name: "round_robin",
    file: "p10_round_robin.csv",
    text: include_str!("../../../data/oracles/p10_round_robin.csv"),
    model: "One node hands Poisson arrivals to n servers of one slot in strict turns: each is E_n/M/1, in the limit D/M/1.",
    source: "GI/M/1.",
    bias: "None from the network: a constant delay moves all arrivals alike. Start from empty, 10 \
           relaxation times of M/M/1 left out: below 1e-4.",
    variants: &[""],
    columns: &[
        column("mean_wait", "service", Rule::R2, measure::mean_wait),
        column("mean_sojourn", "service", Rule::R1, measure::mean_sojourn),
        column("sojourn_p50", "service", Rule::Rq, measure::sojourn_p50),
        column("sojourn_p90", "service", Rule::Rq, measure::sojourn_p90),
        column("sojourn_p99", "service", Rule::Rq, measure::sojourn_p99),
        column("sojourn_p999", "service", Rule::Rq3, measure::sojourn_p999),
        column("answered", "share", Rule::Rx, measure::answered),
    ],
    unmeasured: &[(
        "p_wait",
        "a run does not count who waits, and arrivals that are not Poisson do not see time averages",
    )],
    experiment,
    theory: answered_or_cell,
    rule: rule_of_column,
    group: row_by_row,
    quick: &["rr-n4-r0.5", "rr-ninf-r0.5"],
};

fn experiment(row: &Row, _: &str) -> Result<Experiment, &'static str> {
    let load = row.number("rho");
    // In the limit one server stands for all: its arrivals come at equal distances.
    let servers = row.get("n").filter(|n| n.is_finite());
    let service = "exponential = { mean = \"10ms\" }";
    let n = servers.unwrap_or(1.0);
    let mut body = fleet(n, 1.0, "unbounded", service, n * load);
    if servers.is_none() {
        body = body.replace("arrivals.poisson", "arrivals.constant");
    }
    body += "[policy.round_robin]\ncapacity_gate = false\n";
    let hop = (row.number("mean_sojourn") / 4.0).clamp(0.1, 2.0) * SERVICE_NS as f64;
    Ok(Experiment::new(hop as u64, &body, 10.0 / (1.0 - load).powi(2), n * load))
}
