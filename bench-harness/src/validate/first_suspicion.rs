//! How soon the first member of a cluster probes one that has crashed.

use std::fmt::Write as _;

use super::experiment::{Experiment, SERVICE_NS, Seen};
use super::mmc::nodes_alone;
use super::row::Row;
use super::rule::Rule;
use super::table::{Table, cell, column, row_by_row, rule_of_column};

/// Crashes in a replication.
const CRASHES: u64 = 2_500;
/// Above so many members each crash costs much: fewer of them, 40 000 in all, and twice the delay.
const FEW: f64 = 8.0;
const CRASHES_OF_MANY: u64 = 2_000;
/// Probe intervals from one to the next, of which the node is away for `AWAY`.
const APART: u64 = 24;
const AWAY: u64 = 12;
/// Delay of a message [ns]: 1/200 of an interval.
const HOP_NS: u64 = SERVICE_NS / 200;

/// The table.
pub const TABLE: Table = Table {
    name: "first_suspicion",
    file: "p17_swim_first_detection.csv",
    text: include_str!("../../../data/oracles/p17_swim_first_detection.csv"),
    model: "SWIM with a random target in each probe interval: one of N members crashes, comes back, and another one crashes. Probes of different members are not in step, but each sends one an interval; whole intervals until the first one that found nobody: the prober says so an interval later, which is when it is suspected.",
    source: "Das, Gupta, Motivala 2002: geometric with p = 1 - (1 - 1/(N - 1))^(N - 1).",
    bias: "A ping that is on its way when its target crashes counts for the first interval: one message takes \
           0.005 intervals (0.01 with 64 members), so 0.1 % of the mean (0.2 %).",
    variants: &[""],
    columns: &[
        column("mean_periods", "intervals", Rule::R1, mean_periods),
        column("p_probe_per_period", "prob", Rule::Rp, in_the_first),
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
    if nodes > 64.0 {
        return Err("30 000 crashes, one at a time, of 1000 members take too long; \
                    the law is the same and nearly at its limit with 64");
    }
    let members = format!(
        "[membership]\nprobe_interval = \"{SERVICE_NS}ns\"\nprobe_order = \"random\"\n\
         lifeguard = false\nseeds = \"0\"\n"
    );
    let mut body = nodes_alone(nodes, None, &members);
    let is_few = nodes <= FEW;
    let (crashes, hop_ns) = if is_few { (CRASHES, HOP_NS) } else { (CRASHES_OF_MANY, 2 * HOP_NS) };
    for crash in 1..=crashes {
        // Never the seed, so that whoever comes back is let in at once.
        let node = 1 + crash % (nodes as u64 - 1);
        // Not in step with the probes of those that started at time 0.
        let at_ns = crash * APART * SERVICE_NS + (crash % 97) * SERVICE_NS / 97;
        let _ = write!(
            body,
            "[[faults]]\nat = \"{at_ns}ns\"\nfor = \"{}ns\"\nnode_crash = {{ nodes = \"{node}\" }}\n",
            AWAY * SERVICE_NS
        );
    }
    let mut experiment = Experiment::new(hop_ns, &body, APART as f64, nodes);
    experiment.is_scalable = false;
    experiment.pilot = (crashes * APART) as f64;
    Ok(experiment)
}

/// From each crash to the first probe that found nobody, in whole intervals, the first being 1.
fn periods(seen: &Seen<'_>) -> impl Iterator<Item = f64> {
    let times_ns = seen.run.membership.first_suspicion_ns.iter();
    times_ns.map(|&ns| (ns.div_ceil(SERVICE_NS).max(2) - 1) as f64)
}

fn mean_periods(seen: &Seen<'_>) -> Option<f64> {
    let count = seen.run.membership.first_suspicion_ns.len();
    (count > 0).then(|| periods(seen).sum::<f64>() / count as f64)
}

fn in_the_first(seen: &Seen<'_>) -> Option<f64> {
    let count = seen.run.membership.first_suspicion_ns.len();
    (count > 0).then(|| periods(seen).filter(|&n| n < 1.5).count() as f64 / count as f64)
}
