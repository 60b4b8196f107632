//! News that nodes tell each other at the points of Poisson processes.

use super::experiment::{Experiment, SERVICE_NS, Seen};
use super::mmc::nodes_alone;
use super::row::Row;
use super::rule::Rule;
use super::table::{Table, cell, column, row_by_row, rule_of_column};

/// Mean gaps between two reports: the last one has reached everybody long before.
const GAPS: u64 = 40;
/// Delay of a message and grid of the rounds [ns]: 1/2000 of a gap.
const HOP_NS: u64 = SERVICE_NS / 2_000;

/// The table.
pub const TABLE: Table = Table {
    name: "gossip_clocks",
    file: "p16_gossip_async.csv",
    text: include_str!("../../../data/oracles/p16_gossip_async.csv"),
    model: "One of N nodes hears of something; every node turns to a random other at the points of a Poisson process (gossip.rounds = \"poisson\"). The time until all know, in mean gaps.",
    source: "A pure birth process: sum of (N - 1) / (m i (N - i)), m = 1 for push and 2 for push-pull.",
    bias: "A word takes 1/2000 of a gap, and as long again for an answer, on a grid of 1/2000: later by \
           some 3/2000 a generation, about 0.2 % (7 generations in 4.7 gaps).",
    variants: &[""],
    columns: &[
        column("mean_time", "gaps", Rule::R1, mean),
        column("sd_time", "gaps", Rule::R3, sd),
    ],
    unmeasured: &[],
    experiment,
    theory: cell,
    rule: rule_of_column,
    group: row_by_row,
    quick: &[],
};

fn experiment(row: &Row, _: &str) -> Result<Experiment, &'static str> {
    let nodes = row.number("N");
    let mode = row.text("mode").replace('-', "_");
    let heartbeat = format!("interval = \"{}ns\"\nfanout.home = 1\n", GAPS * SERVICE_NS);
    let gossip = format!(
        "[gossip]\ninterval = \"{SERVICE_NS}ns\"\nrounds = \"poisson\"\nfanout = 1\n\
         mode = \"{mode}\"\npayload = \"full\"\n"
    );
    let body = nodes_alone(nodes, Some(&heartbeat), &gossip);
    let mut experiment = Experiment::new(HOP_NS, &body, 3.0 * GAPS as f64, nodes);
    experiment.pilot = 20.0 * GAPS as f64;
    experiment.sample = Some(GAPS as f64);
    Ok(experiment)
}

fn mean(seen: &Seen<'_>) -> Option<f64> {
    let times = &seen.run.consistency.convergence;
    (!times.is_empty()).then(|| times.to_histogram().mean() / SERVICE_NS as f64)
}

fn sd(seen: &Seen<'_>) -> Option<f64> {
    let times = &seen.run.consistency.convergence;
    (!times.is_empty()).then(|| times.to_histogram().stdev() / SERVICE_NS as f64)
}
