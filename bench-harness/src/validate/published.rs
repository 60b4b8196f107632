//! Published experiments, as others ran them.

use sim_core::time::SECOND;

use super::experiment::{Experiment, SERVICE_NS, Seen};
use super::measure;
use super::row::Row;
use super::rule::Rule;
use super::stale_board::{board, board_of};
use super::table::{Column, Table, cell, column, row_by_row};

/// Linkerd's set-up: a file of the project like any other.
const LINKERD: &str = include_str!("../../../data/scenarios/linkerd-2016.toml");

/// The table.
pub const TABLE: Table = Table {
    name: "published",
    file: "q03_published.csv",
    text: include_str!("../../../data/oracles/q03_published.csv"),
    model: "Linkerd 2016: one of eleven backends is slow for half a minute of a minute, and the share of requests that are answered within a second. Stale boards as in stale_curves: ten choices, other loads, basic load interpretation (Dahlin 2000), and 100 nodes that correct the board by their own requests.",
    source: "W. Morgan, \"Beyond Round Robin\", 2016 (about 95, 99 and 99.9 %), by an independent simulation of it; the boards by the simulation of stale_curves.",
    bias: "Linkerd: none that is known; how far the other simulation may be off is a stated range. A report is \
           0.001 services late. Own requests: there a node never takes off what has been answered; with 100 \
           nodes it knows of 1 % of the answers.",
    variants: &[""],
    columns: &[
        column("within_1s", "share", Rule::Rr, within_a_second),
        column("mean_sojourn", "service", Rule::Rm, measure::mean_sojourn),
        column("answered", "share", Rule::Rx, measure::answered),
    ],
    unmeasured: &[(
        "mean_sojourn",
        "of 1 and 10 nodes that add what they have sent since the board: no policy that a scenario can name forgets \
         what was answered since; a policy given from code agrees (sim-core/tests/stale_loads.rs)",
    )],
    experiment,
    theory,
    rule: |_, column| column.rule,
    group: row_by_row,
    quick: &["linkerd-peak_ewma"],
};

fn experiment(row: &Row, _: &str) -> Result<Experiment, &'static str> {
    if row.text("source") == "linkerd" {
        return Ok(linkerd(row.text("policy")));
    }
    let (load, interval, nodes) = (row.number("lam"), row.number("T"), row.number("nodes"));
    let (policy, has_own) = match row.text("policy").strip_suffix("-own") {
        Some(policy) => (policy, true),
        None => (row.text("policy"), false),
    };
    let servers = 100.0;
    let mut experiment = if policy == "basic" {
        board_of(servers, load, interval, "[policy.load_interpretation]\nmode = \"basic\"\n", true)
    } else {
        let choices = if policy == "all" { "\"all\"" } else { &policy[1..] };
        board(servers, load, interval, choices, policy != "all", true)
    };
    if has_own {
        experiment.body = experiment.body.replace("signal = \"reported\"", "signal = \"combined\"");
        experiment.body = format!("[nodes]\ncount = {nodes}\n{}", experiment.body);
    }
    experiment.warmup = f64::max(20.0 / (1.0 - load), 100.0 * interval);
    if policy == "all" && load > 0.9 {
        // The herd wastes so much that its queues take long to grow: after 500 services the mean is 25, not 28.
        experiment.warmup = 7.5 / (1.0 - load).powi(2);
    }
    experiment.pilot = f64::max(200.0, 20.0 * interval);
    Ok(experiment)
}

/// The project's scenario with one policy, from which nobody gives up: a late answer is one.
fn linkerd(policy: &str) -> Experiment {
    let (_, body) = LINKERD.split_once("[nodes]").expect("nodes");
    let (body, _) = body.split_once("[policy").expect("policies");
    let (_, faults) = LINKERD.split_once("[[faults]]").expect("a fault");
    let (faults, _) = faults.split_once("[expect]").expect("expectations");
    let signal = if policy == "two_choices" { "signal = \"own\"\n" } else { "" };
    let text = format!(
        "[nodes]{}[policy.{policy}]\n{signal}[[faults]]{faults}",
        body.replace("timeout = \"1s\"\n", ""),
    );
    let mut experiment = Experiment::new(SERVICE_NS / 20, "", 0.0, 10.0);
    experiment.body = text;
    experiment.is_scalable = false;
    experiment.pilot = 60.0 * SECOND as f64 / SERVICE_NS as f64;
    experiment
}

/// Share of the requests answered within a second, by halving the histogram.
fn within_a_second(seen: &Seen<'_>) -> Option<f64> {
    let answered = measure::answered(seen)?;
    let (mut low, mut high) = (0.0, 1.0);
    while high - low > 1e-7 {
        let middle = f64::midpoint(low, high);
        let is_within = seen.run.latency.quantile_ns(middle).is_some_and(|ns| ns <= SECOND);
        *(if is_within { &mut low } else { &mut high }) = middle;
    }
    Some(low * answered)
}

fn theory(row: &Row, column: &Column, variant: &str) -> Option<f64> {
    if column.name == "answered" { Some(1.0) } else { cell(row, column, variant) }
}
