//! M/M/c: one server of c slots, unbounded backlog.

use super::experiment::{Experiment, MANY_SAMPLES, SERVICE_NS};
use super::measure;
use super::row::Row;
use super::rule::Rule;
use super::table::{Column, Table, cell, column, row_by_row, rule_of_column};

/// Rarer than this is not measured: 2 % of it would take more than 10^9 requests.
const RAREST_WAIT: f64 = 1e-5;

/// The table.
pub const TABLE: Table = Table {
    name: "mmc",
    file: "p01_mmc.csv",
    text: include_str!("../../../data/oracles/p01_mmc.csv"),
    model: "M/M/c: Poisson arrivals at one server of c slots and exponential services, first come first served.",
    source: "Erlang; Kleinrock, Queueing Systems 1. Quantiles to 40 digits.",
    bias: "None from the network: a constant delay moves all arrivals alike, and the two delays are \
           subtracted. Start from empty, 10 relaxation times left out: below 1e-4. Quantiles: half a \
           bucket of the histogram, 0.05 % of latency.",
    variants: &[""],
    columns: &[
        column("p_wait", "prob", Rule::Rp, measure::all_busy),
        column("mean_wait", "service", Rule::R2, measure::mean_wait),
        column("mean_sojourn", "service", Rule::R1, measure::mean_sojourn),
        column("mean_queue_waiting", "requests", Rule::R2, measure::waiting),
        column("mean_in_system", "requests", Rule::R1, measure::in_system),
        column("sojourn_p50", "service", Rule::Rq, measure::sojourn_p50),
        column("sojourn_p90", "service", Rule::Rq, measure::sojourn_p90),
        column("sojourn_p99", "service", Rule::Rq, measure::sojourn_p99),
        column("sojourn_p999", "service", Rule::Rq3, measure::sojourn_p999),
        column("answered", "share", Rule::Rx, measure::answered),
    ],
    unmeasured: &[
        ("p_wait", "where fewer than one request in 100 000 waits"),
        ("mean_wait", "where fewer than one request in 100 000 waits"),
        ("mean_queue_waiting", "likewise"),
    ],
    experiment,
    theory,
    rule: rule_of_column,
    group: row_by_row,
    quick: &["mmc-c1-r0.5", "mmc-c4-r0.7"],
};

fn experiment(row: &Row, _: &str) -> Result<Experiment, &'static str> {
    let (slots, load, rate) = (row.number("c"), row.number("rho"), row.number("lam"));
    let body = station(slots, "unbounded", "exponential = { mean = \"10ms\" }", rate);
    // About a quarter of a mean sojourn, so that many requests share a tick and quantiles stay fine.
    let hop = (row.number("mean_sojourn") / 4.0).clamp(0.1, 2.0) * SERVICE_NS as f64;
    let mut experiment = Experiment::new(hop as u64, &body, 10.0 / (1.0 - load).powi(2), rate);
    if slots > 8.0 {
        // Most of the time nobody waits.
        experiment.samples = MANY_SAMPLES;
    }
    Ok(experiment)
}

/// One server of `slots` slots, whatever arrives goes to it: `rate` requests a service.
pub fn station(slots: f64, backlog: &str, service: &str, rate: f64) -> String {
    fleet(1.0, slots, backlog, service, rate) + RANDOM
}

/// The policy of those who choose blindly.
pub const RANDOM: &str = "[policy.random]\ncapacity_gate = false\n";

/// Servers that are alike behind one node, `rate` requests a service in all. Heartbeats are rare: nobody
/// looks at them.
pub fn fleet(servers: f64, slots: f64, backlog: &str, service: &str, rate: f64) -> String {
    let per_s = rate * 1e9 / SERVICE_NS as f64;
    let backlog = if backlog == "unbounded" { "\"unbounded\"" } else { backlog };
    format!(
        "[heartbeat]\ninterval = \"100s\"\n[[servers]]\ncount = {servers}\ncapacity = {slots}\n\
         backlog = {backlog}\nservice.{service}\n[workload]\n\
         arrivals.poisson = {{ rate = \"{per_s}/s\" }}\n"
    )
}

/// Nodes with one server that is hardly used: what counts is what they tell each other, as `rest` says.
/// `heartbeat` replaces the rare one.
pub fn nodes_alone(nodes: f64, heartbeat: Option<&str>, rest: &str) -> String {
    let rare = "interval = \"100s\"\n";
    let servers = fleet(1.0, 1.0, "unbounded", "exponential = { mean = \"10ms\" }", 1e-3);
    let servers = servers.replace(rare, heartbeat.unwrap_or(rare));
    format!("[nodes]\ncount = {nodes}\n{servers}{RANDOM}{rest}")
}

/// A request that is always answered has no column in the tables.
pub fn answered_or_cell(row: &Row, column: &Column, variant: &str) -> Option<f64> {
    if column.name == "answered" { Some(1.0) } else { cell(row, column, variant) }
}

fn theory(row: &Row, column: &Column, variant: &str) -> Option<f64> {
    let is_of_waits = matches!(column.name, "p_wait" | "mean_wait" | "mean_queue_waiting");
    let is_rare = row.number("p_wait") < RAREST_WAIT;
    answered_or_cell(row, column, variant).filter(|_| !(is_of_waits && is_rare))
}
