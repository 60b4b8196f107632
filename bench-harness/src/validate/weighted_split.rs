//! A random split over servers of unequal speed.

use std::fmt::Write as _;

use super::experiment::{Experiment, SERVICE_NS, Seen};
use super::measure;
use super::mmc::answered_or_cell;
use super::row::Row;
use super::rule::Rule;
use super::table::{Table, column, row_by_row, rule_of_column};

/// The table.
pub const TABLE: Table = Table {
    name: "weighted_split",
    file: "p11_weighted_random_split.csv",
    text: include_str!("../../../data/oracles/p11_weighted_random_split.csv"),
    model: "weighted_random over four servers of speeds 2, 1, 1 and 0.5, with weights in proportion to speed, or those of the smallest mean sojourn time.",
    source: "Each server is an M/M/1. Square root rule: a constrained minimum.",
    bias: "None from the network: a constant delay moves all arrivals alike. Start from empty, 10 \
           relaxation times of the slowest server left out: below 1e-4.",
    variants: &[""],
    columns: &[
        column("mean_sojourn", "1/unit speed", Rule::R1, measure::mean_sojourn),
        column("max_utilization", "ratio", Rule::R1, utilisation_of_busiest),
        column("sojourn_p50", "service", Rule::Rq, measure::sojourn_p50),
        column("sojourn_p90", "service", Rule::Rq, measure::sojourn_p90),
        column("sojourn_p99", "service", Rule::Rq, measure::sojourn_p99),
        column("sojourn_p999", "service", Rule::Rq3, measure::sojourn_p999),
        column("answered", "share", Rule::Rx, measure::answered),
    ],
    unmeasured: &[],
    experiment,
    theory: answered_or_cell,
    rule: rule_of_column,
    group: row_by_row,
    quick: &["split-sqrt-optimal-l0.5"],
};

/// Speed and share of the requests of each server.
fn servers(row: &Row) -> impl Iterator<Item = (&str, &str)> {
    row.text("speeds").split('|').zip(row.text("probs").split('|'))
}

/// Utilisation of the servers that are the busiest by their shares. The busiest by what is measured would be
/// too high where several are alike: the highest of several sample means lies above their common mean.
fn utilisation_of_busiest(seen: &Seen<'_>) -> Option<f64> {
    let number = |text: &str| text.parse::<f64>().expect("a number");
    let planned: Vec<f64> =
        servers(seen.row).map(|(speed, share)| number(share) / number(speed)).collect();
    let most = planned.iter().copied().fold(0.0, f64::max);
    let busy = planned.iter().zip(&seen.run.servers);
    let busy = busy.filter(|&(&planned, _)| planned > most * (1.0 - 1e-6));
    let (count, busy_ns) = busy
        .fold((0.0, 0.0), |(count, sum), (_, server)| (count + 1.0, sum + server.busy_ns as f64));
    (count > 0.0).then(|| busy_ns / count / SERVICE_NS as f64 / seen.window())
}

fn experiment(row: &Row, _: &str) -> Result<Experiment, &'static str> {
    let (load, rate) = (row.number("load"), row.number("lam_total"));
    let mut body = "[heartbeat]\ninterval = \"100s\"\n".to_owned();
    let mut slowest = 1.0_f64;
    for (speed, share) in servers(row) {
        slowest = slowest.min(speed.parse().expect("a number"));
        let _ = write!(
            body,
            "[[servers]]\ncapacity = 1\nbacklog = \"unbounded\"\nspeed = {}\nweight = {share}\n\
             service.exponential = {{ mean = \"10ms\" }}\n",
            // TOML knows whole numbers from others.
            speed.parse::<f64>().map_or_else(|_| speed.to_owned(), |speed| format!("{speed:?}")),
        );
    }
    let per_s = rate * 1e9 / SERVICE_NS as f64;
    let _ = write!(
        body,
        "[workload]\narrivals.poisson = {{ rate = \"{per_s}/s\" }}\n\
         [policy.weighted_random]\ncapacity_gate = false\n"
    );
    // The busiest server of the optimal split is at most as close to its limit.
    let busiest = row.number("max_utilization").max(load);
    let warmup = 10.0 / (1.0 - busiest).powi(2) / slowest;
    Ok(Experiment::new(SERVICE_NS / 4, &body, warmup, rate))
}
