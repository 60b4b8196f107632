//! News that nodes tell each other in rounds: how many know after each.

use super::experiment::{Experiment, Seen};
use super::gossip_rounds::{LONGEST, QUANTA, rounds, rounds_together};
use super::row::Row;
use super::rule::{REPLICATIONS, Rule};
use super::table::{Column, Table, cell, column, rule_of_column};

/// Rounds between two reports; the table ends where all but 1 in 10^11 know.
const ROUNDS: u64 = 48;
/// What happens less often, or fails less often, is not compared: hardly a run would show it.
const RAREST: f64 = 0.002;
/// Messages that a share may take to be known well enough.
const MESSAGES_MAX: f64 = 4e8;

/// The table.
pub const TABLE: Table = Table {
    name: "gossip_spread",
    file: "p15b_gossip_sync_rounds.csv",
    text: include_str!("../../../data/oracles/p15b_gossip_sync_rounds.csv"),
    model: "As gossip_rounds: the share of nodes that know after each round, by the ages of what they hold, and how often all do.",
    source: "The same Markov chain.",
    bias: "None, as there. Of 1000 nodes a run looks at 256, the one that hears it first among them: of the \
           others they are a fair sample.",
    variants: &[""],
    columns: &[
        column("mean_fraction", "fraction", Rule::R1, fraction),
        column("p_all_informed", "prob", Rule::Rp, all_informed),
    ],
    unmeasured: &[
        ("mean_fraction", "after 0 rounds: that is how it begins"),
        ("p_all_informed", "likewise"),
        ("mean_fraction", "where all know, or do not yet, in fewer than one of 500 cases"),
        ("p_all_informed", "likewise"),
        (
            "p_all_informed",
            "where it would take more than 400 million messages, or 2 million rounds, to know it to 2 % or to 0.0005",
        ),
    ],
    experiment,
    theory,
    rule: rule_of_column,
    group,
    quick: &[],
};

/// All rounds are looked at in one run.
fn group(row: &Row) -> String {
    let run = row.id().rsplit_once("-t").map_or(row.id(), |(run, _)| run);
    format!("{run}-rounds")
}

fn experiment(row: &Row, _: &str) -> Result<Experiment, &'static str> {
    rounds_together(row, ROUNDS)
}

fn theory(row: &Row, column: &Column, variant: &str) -> Option<f64> {
    let known = cell(row, column, variant).filter(|_| row.number("round") > 0.0)?;
    let all = row.number("p_all_informed");
    if (0.0 < all && all < RAREST) || (1.0 - RAREST < all && all < 1.0) {
        return None;
    }
    if column.name == "p_all_informed" {
        let half_width = column.rule.widest(known);
        let rounds = known * (1.0 - known) * (3.0 / half_width).powi(2) * ROUNDS as f64;
        let is_long = rounds > LONGEST * f64::from(REPLICATIONS);
        return Some(known).filter(|_| !is_long && rounds * row.number("N") <= MESSAGES_MAX);
    }
    Some(known)
}

/// Mean share of nodes that know after the row's round.
///
/// A report is sent in step with a round. Who holds it is `m` rounds of age behind at the `m`-th sample
/// after it, who does not is a whole interval older. What nodes tell of their own accord is a round later than what they
/// are asked for, for the first round after the report has come is the next.
fn fraction(seen: &Seen<'_>) -> Option<f64> {
    let late = u64::from(seen.row.text("mode") == "push");
    let round = seen.row.number("round") as u64 + late;
    let nodes = seen.row.number("N");
    let sample_ns = u128::from(seen.scenario.engine.sample_interval_ns);
    let interval_ns = u128::from(seen.scenario.heartbeat.interval_ns);
    let first = u128::from(seen.scenario.warmup_ns) / sample_ns;
    let (mut sum, mut samples) = (0.0, 0.0);
    for (index, bin) in seen.bins().iter().enumerate() {
        // At the end of the interval.
        let at_ns = (first + index as u128 + 1) * sample_ns;
        let age_ns = at_ns % interval_ns;
        if age_ns != u128::from(round) * sample_ns {
            continue;
        }
        let looked_at = u128::from(bin.view_samples);
        let old = (bin.view_age_sum_ns - looked_at * age_ns) / interval_ns;
        let knowing_others = looked_at.checked_sub(old + 1)? as f64 / (looked_at - 1) as f64;
        sum += (1.0 + (nodes - 1.0) * knowing_others) / nodes;
        samples += 1.0;
    }
    (samples > 0.0).then(|| sum / samples)
}

/// How often all knew after the row's round.
fn all_informed(seen: &Seen<'_>) -> Option<f64> {
    let rounds = rounds(seen);
    let count: f64 = rounds.iter().map(|(_, times)| times).sum();
    let in_time = rounds.iter().filter(|(value, _)| *value <= seen.row.number("round"));
    (count > 0.0).then(|| in_time.map(|(_, times)| times).sum::<f64>() / count)
}

const _: () = assert!(QUANTA > 2, "an answer must come within its round");
