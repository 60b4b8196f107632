//! News that nodes tell each other in rounds: how many rounds until all know.

use super::experiment::{Experiment, SERVICE_NS, Seen};
use super::mmc::nodes_alone;
use super::row::Row;
use super::rule::Rule;
use super::table::{Table, cell, column, row_by_row, rule_of_column};

/// Rounds between two reports: the last one has reached everybody long before.
const ROUNDS: u64 = 50;
/// A round in quanta: time for a question and its answer.
pub const QUANTA: u64 = 4;

/// Longest run [rounds]: each is a sample.
pub const LONGEST: f64 = 1e5;

/// The table.
pub const TABLE: Table = Table {
    name: "gossip_rounds",
    file: "p15_gossip_sync.csv",
    text: include_str!("../../../data/oracles/p15_gossip_sync.csv"),
    model: "One of N nodes hears of something. All hold their rounds together; in each, who knows tells `fanout` others (push), or who does not know asks them (pull), and all that is known is sent. Counted are the rounds until all know.",
    source: "The Markov chain of the number of nodes that know, solved exactly.",
    bias: "None: rounds and messages happen on boundaries of a quantum, and a round lasts four, in which \
           the state that was asked for does not change.",
    variants: &[""],
    columns: &[
        column("mean_rounds", "rounds", Rule::R1, mean_rounds),
        column("sd_rounds", "rounds", Rule::R3, sd_rounds),
    ],
    unmeasured: &[],
    experiment,
    theory: cell,
    rule: rule_of_column,
    group: row_by_row,
    quick: &["gossip-pull-f1-N8"],
};

fn experiment(row: &Row, _: &str) -> Result<Experiment, &'static str> {
    rounds_together(row, ROUNDS)
}

/// Nodes of which one hears a report every `every` rounds, and that hold their rounds at once.
pub fn rounds_together(row: &Row, every: u64) -> Result<Experiment, &'static str> {
    let (nodes, fanout) = (row.number("N"), row.number("fanout"));
    let mode = row.text("mode");
    if mode == "push-pull" {
        return Err(
            "a node that has just been told answers with what it has been told, where the table has all \
             contacts of a round act on the state at its start; sim-core/tests/gossip_rounds.rs drives \
             the exchange itself in such rounds",
        );
    }
    if nodes > 1_000.0 {
        return Err("10 000 nodes take too long; the chain is the same");
    }
    let (round_ns, quantum_ns) = (SERVICE_NS, SERVICE_NS / QUANTA);
    let heartbeat =
        format!("interval = \"{}ns\"\nsynchronised = true\nfanout.home = 1\n", every * round_ns);
    let gossip = format!(
        "[gossip]\ninterval = \"{round_ns}ns\"\nrounds = \"together\"\nfanout = {fanout}\n\
         mode = \"{mode}\"\npayload = \"full\"\n"
    );
    let body = nodes_alone(nodes, Some(&heartbeat), &gossip);
    let mut experiment = Experiment::new(quantum_ns, &body, 3.0 * every as f64, nodes);
    experiment.pilot = 40.0 * every as f64;
    experiment.sample = Some(1.0);
    experiment.longest = LONGEST;
    Ok(experiment)
}

/// Rounds until all knew, each with how often.
///
/// The one that hears it does so a quantum after a round has begun. What it then tells has come a
/// whole number of rounds later; who asks in that round already hears of it, in a quantum.
pub fn rounds(seen: &Seen<'_>) -> Vec<(f64, f64)> {
    let quantum_ns = seen.scenario.engine.quantum_ns as f64;
    let histogram = seen.run.consistency.convergence.to_histogram();
    // Whole quanta, so the buckets of the histogram are undone.
    let values = histogram.iter_recorded();
    values
        .map(|value| {
            let quanta = (value.value_iterated_to() as f64 / quantum_ns).round();
            ((quanta / QUANTA as f64).ceil(), value.count_since_last_iteration() as f64)
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
