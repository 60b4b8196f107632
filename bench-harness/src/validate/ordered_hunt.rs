//! The seed rule with equal latencies: always the first server with a free slot.

use super::erlang_b::accounted_or_cell;
use super::experiment::{Experiment, SERVICE_NS, Seen};
use super::measure;
use super::mmc::fleet;
use super::pool::{BIAS, HOP};
use super::row::Row;
use super::rule::Rule;
use super::table::{Column, Table, column, row_by_row, rule_of_column};

/// The table.
pub const TABLE: Table = Table {
    name: "ordered_hunt",
    file: "p04_ordered_hunt.csv",
    text: include_str!("../../../data/oracles/p04_ordered_hunt.csv"),
    model: "lowest_latency with equal latencies and ties by id, no backlog: the first server with a free slot.",
    source: "Overflow theory of telephone traffic: the first i servers are one pool.",
    bias: BIAS,
    variants: &[""],
    columns: &[
        column("mean_active", "requests", Rule::R1, taken),
        column("share_of_offered", "ratio", Rule::Rp, share),
        column("blocking", "prob", Rule::Rp, measure::blocked),
        column("accounted", "share", Rule::Rx, measure::accounted),
    ],
    unmeasured: &[],
    experiment,
    theory,
    rule: rule_of_column,
    group: row_by_row,
    quick: &["hunt-n4-c2-a5-s1", "hunt-n4-c2-a5-all"],
};

fn experiment(row: &Row, _: &str) -> Result<Experiment, &'static str> {
    let (servers, slots, load) = (row.number("n"), row.number("c"), row.number("a"));
    // Constant services, and an idle server's latency does not fade: so all stay equal.
    let service = "constant = { mean = \"9ms\" }";
    let body = fleet(servers, slots, "0", service, load)
        .replace("interval = \"100s\"", "interval = \"1s\"\nlatency_decay = \"never\"")
        + "[policy.lowest_latency]\nties = \"id\"\n";
    let hop = (SERVICE_NS as f64 * HOP) as u64;
    // Until every server has reported a latency, those that have none look faster.
    Ok(Experiment::new(hop, &body, 1_000.0, load))
}

/// The row's server; 0 stands for all.
fn place(seen: &Seen<'_>) -> Option<usize> {
    (seen.row.number("server") as usize).checked_sub(1)
}

/// Slots taken at that server, as the node counts them.
fn taken(seen: &Seen<'_>) -> Option<f64> {
    let busy_ns = seen.run.servers[place(seen)?].busy_ns as f64;
    let occupied = 1.0 / (1.0 - seen.wire());
    Some(busy_ns / SERVICE_NS as f64 / seen.window() * occupied)
}

/// Share of the offered load that the server carries.
fn share(seen: &Seen<'_>) -> Option<f64> {
    Some(taken(seen)? / seen.row.number("a"))
}

fn theory(row: &Row, column: &Column, variant: &str) -> Option<f64> {
    // That all end is said once for all servers.
    let is_of_all = row.number("server") == 0.0;
    accounted_or_cell(row, column, variant).filter(|_| column.name != "accounted" || is_of_all)
}
