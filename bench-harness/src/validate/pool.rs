//! Servers without backlog behind a node that always finds a free slot if there is one.

use super::erlang_b::accounted_or_cell;
use super::experiment::{Experiment, SERVICE_NS, Seen};
use super::measure;
use super::mmc::fleet;
use super::row::Row;
use super::rule::Rule;
use super::table::{Table, column, row_by_row, rule_of_column};

/// One-way delay, as a share of a service: a slot is taken from the decision to the answer.
pub const HOP: f64 = 0.05;

/// Why the delay leaves no bias.
pub const BIAS: &str = "None from the network: to the node a slot is taken from the decision to the answer, which \
     is the service and two constant delays of 0.05. The law of that does not matter (insensitivity), \
     so its mean is made one unit, and it is what is compared.";

/// The table.
pub const TABLE: Table = Table {
    name: "pool",
    file: "p03_full_information_pool.csv",
    text: include_str!("../../../data/oracles/p03_full_information_pool.csv"),
    model: "n servers of c slots without backlog; a request is turned away only if no slot is free anywhere, whatever the policy.",
    source: "Erlang's loss formula for n c slots.",
    bias: BIAS,
    variants: &["least_loaded", "lowest_latency"],
    columns: &[
        column("blocking", "prob", Rule::Rp, measure::blocked),
        column("total_active", "requests", Rule::R1, taken),
        column("mean_sojourn", "service", Rule::R1, measure::mean_latency),
        column("accounted", "share", Rule::Rx, measure::accounted),
    ],
    unmeasured: &[],
    experiment,
    theory: accounted_or_cell,
    rule: rule_of_column,
    group: row_by_row,
    quick: &["pool-n4-c4-u1.0@least_loaded", "pool-n4-c4-u1.0@lowest_latency"],
};

fn experiment(row: &Row, policy: &str) -> Result<Experiment, &'static str> {
    let (servers, slots, load) = (row.number("n"), row.number("c"), row.number("a"));
    let service = "exponential = { mean = \"9ms\" }";
    let policy = match policy {
        "lowest_latency" => "[policy.lowest_latency]\n",
        _ => "[policy.two_choices]\nchoices = \"all\"\nsignal = \"own\"\ncapacity_gate = true\n",
    };
    let body = fleet(servers, slots, "0", service, load) + policy;
    let hop = (SERVICE_NS as f64 * HOP) as u64;
    Ok(Experiment::new(hop, &body, 100.0, load))
}

/// Slots taken, as the node counts them: in service, and on the wire before and after.
pub fn taken(seen: &Seen<'_>) -> Option<f64> {
    let served = measure::busy(seen)?;
    Some(served + measure::throughput(seen)? * seen.wire())
}
