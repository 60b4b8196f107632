//! News that nodes push to each other in rounds.

use super::experiment::{Experiment, SERVICE_NS, Seen};
use super::mmc::{RANDOM, fleet};
use super::row::Row;
use super::rule::Rule;
use super::table::{Table, cell, column, rule_of_column};

/// Rounds between two reports: the last one has reached everybody long before.
const ROUNDS: u64 = 50;

/// The table.
pub const TABLE: Table = Table {
    name: "gossip_rounds",
    file: "p15_gossip_sync.csv",
    text: include_str!("../../../data/oracles/p15_gossip_sync.csv"),
    model: "One of N nodes hears of something; in every round each node that knows tells `fanout` others all it knows (payload `full`: one message; a delta asks first and takes three). Counted are the rounds until all know.",
    source: "The Markov chain of the number of nodes that know, solved exactly.",
    bias: "None: gossip and its messages happen on the boundaries of a quantum, and with one round in each \
           quantum the rounds of all nodes are in step.",
    variants: &[""],
    columns: &[
        column("mean_rounds", "rounds", Rule::R1, mean_rounds),
        column("sd_rounds", "rounds", Rule::R3, sd_rounds),
    ],
    unmeasured: &[],
    experiment,
    theory: cell,
    rule: rule_of_column,
    quick: &["gossip-push-f1-N8"],
};

fn experiment(row: &Row, _: &str) -> Result<Experiment, &'static str> {
    let (nodes, fanout) = (row.number("N"), row.number("fanout"));
    if row.text("mode") != "push" {
        return Err(
            "an answer takes a message there and one back, so pull and push-pull have no rounds in step; \
                    sim-core/tests/gossip_rounds.rs drives the exchange itself in rounds and compares them",
        );
    }
    if nodes > 1_000.0 {
        return Err("10 000 nodes take too long; the chain is the same");
    }
    let service = "exponential = { mean = \"10ms\" }";
    let round_ns = SERVICE_NS;
    let heartbeat = format!("interval = \"{}ns\"\nfanout.home = 1\n", ROUNDS * round_ns);
    let body = format!("[nodes]\ncount = {nodes}\n")
        + &fleet(1.0, 1.0, "unbounded", service, 1e-3).replace("interval = \"100s\"\n", &heartbeat)
        + RANDOM
        + &format!(
            "[gossip]\ninterval = \"{round_ns}ns\"\nfanout = {fanout}\nmode = \"push\"\npayload = \"full\"\n"
        );
    let mut experiment = Experiment::new(round_ns / 10, &body, 3.0 * ROUNDS as f64, nodes);
    experiment.quantum_ns = round_ns;
    experiment.pilot = 40.0 * ROUNDS as f64;
    Ok(experiment)
}

/// Rounds until all knew, each with how often.
fn rounds(seen: &Seen<'_>) -> Vec<(f64, f64)> {
    let round_ns = seen.scenario.engine.quantum_ns as f64;
    let histogram = seen.run.consistency.convergence.to_histogram();
    // Whole rounds, so the buckets of the histogram are undone.
    let values = histogram.iter_recorded();
    values
        .map(|value| {
            let rounds = (value.value_iterated_to() as f64 / round_ns).round();
            (rounds, value.count_since_last_iteration() as f64)
        })
        .collect()
}

fn mean_rounds(seen: &Seen<'_>) -> Option<f64> {
    let rounds = rounds(seen);
    let count: f64 = rounds.iter().map(|(_, times)| times).sum();
    (count > 0.0).then(|| rounds.iter().map(|(value, times)| value * times).sum::<f64>() / count)
}

fn sd_rounds(seen: &Seen<'_>) -> Option<f64> {
    let rounds = rounds(seen);
    let mean = mean_rounds(seen)?;
    let count: f64 = rounds.iter().map(|(_, times)| times).sum();
    let squares: f64 = rounds.iter().map(|(value, times)| (value - mean).powi(2) * times).sum();
    Some((squares / count).sqrt())
}
