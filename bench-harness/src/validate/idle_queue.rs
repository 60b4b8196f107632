//! Join idle queue: servers that fall idle tell one of several nodes.

use super::experiment::Experiment;
use super::fresh::HOP_NS;
use super::measure;
use super::mmc::{answered_or_cell, fleet};
use super::row::Row;
use super::rule::Rule;
use super::table::{Table, column, row_by_row, rule_of_column};

/// Servers: enough for the limit.
const SERVERS: f64 = 1_000.0;
/// With one node for all, 1000 servers at load 0.9 are all busy one time in 2000.
const SERVERS_OF_ONE: f64 = 4_000.0;

/// The table.
pub const TABLE: Table = Table {
    name: "idle_queue",
    file: "p12_jiq_meanfield.csv",
    text: include_str!("../../../data/oracles/p12_jiq_meanfield.csv"),
    model: "join_idle_queue with r servers a node: an idle server is listed at one random node and withdraws when a request of another node reaches it; a node whose list is empty picks at random. 1000 servers, or 4000 behind one node, stand for infinitely many.",
    source: "Mean field after Lu et al. 2011, with withdrawal (data/oracles/oracle_lib.py).",
    bias: "Notes and requests take 0.001 services: a server that falls idle is not listed for so long, and \
           one listed may be hit by chance before it can withdraw.",
    variants: &[""],
    columns: &[
        column("mean_sojourn", "service", Rule::Rl, measure::mean_sojourn),
        column("mean_queue", "requests per server", Rule::Rl, measure::in_system_each),
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
    let load = row.number("lam");
    let each = row.get("servers_per_dispatcher");
    let servers = each.map_or(SERVERS_OF_ONE, |_| SERVERS);
    let nodes = each.map_or(1.0, |each| servers / each);
    let service = "exponential = { mean = \"10ms\" }";
    let body = format!("[nodes]\ncount = {nodes}\n")
        + &fleet(servers, 1.0, "unbounded", service, servers * load)
        + "[policy.join_idle_queue]\n";
    let mut experiment = Experiment::new(HOP_NS, &body, 20.0 / (1.0 - load), servers * load);
    experiment.pilot = 20.0;
    Ok(experiment)
}
