//! A detector of failures by silence, whose heartbeats are lost at random.

use sim_core::result::{Findings, RunResult};
use sim_core::stats::student_t;
use sim_core::time::seconds;

use super::experiment::{Experiment, SERVICE_NS, Seen};
use super::mmc::{RANDOM, fleet};
use super::row::Row;
use super::rule::{CONFIDENCE, REPLICATIONS, Rule};
use super::table::{Column, Table, cell, column, row_by_row, rule_of_column};

/// False suspicions a second and pair that are so rare that their length is not measured.
const RAREST: f64 = 1e-4;
/// Rates [per s] and shares above 0 that are so rare that a run sees none, or one or two.
const UNSEEN: f64 = 1e-5;
/// The grid of heartbeats and their delay [ns].
const HOP_NS: u64 = 100_000;
/// One second in units of the experiments.
const SECOND: f64 = 1e9 / SERVICE_NS as f64;

/// The table.
pub const TABLE: Table = Table {
    name: "detector",
    file: "p14_heartbeat_detector.csv",
    text: include_str!("../../../data/oracles/p14_heartbeat_detector.csv"),
    model: "A heartbeat every second in a phase of its own, each lost with probability p; a server is suspected when none has come for the timeout. Watched without crashes, and when all crash at once.",
    source: "A renewal argument.",
    bias: "Heartbeats are sent and heard on a grid of 0.1 ms, each up to 0.2 ms late: 0.02 % of the interval. \
           Times count from the moment of sending, as in the table. Half a step is taken off ages.",
    variants: &["watched", "crash"],
    columns: &[
        column("false_suspicions_per_s", "per s", Rule::Rp, false_per_s),
        column("frac_time_suspected", "ratio", Rule::Rp, false_share),
        column("mean_false_suspicion_s", "s", Rule::R2, false_length),
        column("mean_age_s", "s", Rule::R1, age),
        column("detect_mean_s", "s", Rule::R1, detect_mean),
        column("detect_mean_clipped_s", "s", Rule::R1, detect_mean),
        column("p_already_suspected", "prob", Rule::Rp, already),
        column("detect_p10_s", "s", Rule::Rq, |seen| detect(seen, 0.1)),
        column("detect_p50_s", "s", Rule::Rq, |seen| detect(seen, 0.5)),
        column("detect_p90_s", "s", Rule::Rq, |seen| detect(seen, 0.9)),
        column("detect_p99_s", "s", Rule::Rq, |seen| detect(seen, 0.99)),
    ],
    unmeasured: &[
        ("mean_time_to_first_false_s", "a run counts false suspicions and does not time the first"),
        (
            "detect_max_s",
            "a bound that samples approach and never reach; sim-core/tests/detection.rs holds them below it",
        ),
        (
            "detect_mean_s",
            "with loss: it keeps negative times, which lbsim counts as 0 (as detect_mean_clipped_s does)",
        ),
        ("detect_p10_s", "where it is negative, likewise"),
        ("false_suspicions_per_s", "above 0 and below 0.00001: a run sees none, or one or two"),
        ("frac_time_suspected", "likewise"),
        ("p_already_suspected", "likewise"),
        ("mean_false_suspicion_s", "where there are fewer than one in 10 000 s"),
    ],
    experiment,
    theory,
    rule: rule_of_column,
    group: row_by_row,
    quick: &["hb-To2.5-p0.1@crash", "hb-To1.5-p0.2@watched"],
};

fn experiment(row: &Row, variant: &str) -> Result<Experiment, &'static str> {
    let (timeout, loss) = (row.number("timeout"), row.number("loss"));
    let is_crash = variant == "crash";
    let servers = if is_crash { crashing(row) } else { 50.0 };
    let heartbeat = format!("interval = \"1s\"\nfailure_timeout = \"{timeout}s\"\nloss = {loss}\n");
    // A request a second: what is looked at are the views.
    let service = "exponential = { mean = \"10ms\" }";
    let mut body = fleet(servers, 1.0, "unbounded", service, 1.0 / SECOND)
        .replace("interval = \"100s\"\n", &heartbeat)
        + RANDOM;
    if is_crash {
        // The answers of those that crash never come: the client does not wait for them.
        body = body.replace("[workload]\n", "[workload]\ntimeout = \"1s\"\n")
            + "[[faults]]\nat = \"20s\"\ncrash = { servers = \"0%..\", silent = true }\n"
                .replace("0%..", &format!("0..{servers}"))
                .as_str();
    }
    let mut experiment = Experiment::new(HOP_NS, &body, 10.0 * SECOND, servers / SECOND);
    experiment.is_scalable = !is_crash;
    experiment.pilot = if is_crash { 20.0 * SECOND } else { 2_000.0 * SECOND };
    Ok(experiment)
}

/// So many servers crash that the share of those suspected already is known well enough: the more the rarer, down
/// to where a width of 0.0005 does.
fn crashing(row: &Row) -> f64 {
    let share = row.number("p_already_suspected");
    let asked = Rule::Rp.widest(share) / student_t(REPLICATIONS - 1, CONFIDENCE);
    let servers = share * (1.0 - share) / (asked * asked * f64::from(REPLICATIONS));
    // Half as much again, in thousands.
    f64::max(12.0, (1.5 * servers / 1e3).ceil()) * 1e3
}

fn theory(row: &Row, column: &Column, variant: &str) -> Option<f64> {
    let is_of_crash = column.name.starts_with("detect") || column.name.starts_with("p_already");
    let is_known = match column.name {
        "detect_mean_s" => row.number("p_already_suspected") == 0.0,
        "detect_p10_s" => row.number("detect_p10_s") > 0.0,
        "mean_false_suspicion_s" => row.number("false_suspicions_per_s") >= RAREST,
        "false_suspicions_per_s" | "frac_time_suspected" | "p_already_suspected" => {
            row.get(column.name).is_none_or(|value| value == 0.0 || value >= UNSEEN)
        }
        _ => true,
    };
    cell(row, column, variant).filter(|_| is_known && is_of_crash == (variant == "crash"))
}

fn sum(run: &RunResult, figure: impl Fn(&Findings) -> f64) -> f64 {
    run.nodes.iter().map(|node| figure(&node.findings)).sum()
}

/// Pairs of node and server, times the length of the run [s].
fn pair_seconds(seen: &Seen<'_>) -> f64 {
    seen.servers() * seen.run.nodes.len() as f64 * seconds(seen.run.end_ns)
}

fn false_per_s(seen: &Seen<'_>) -> Option<f64> {
    Some(sum(seen.run, |found| found.false_failures as f64) / pair_seconds(seen))
}

fn false_share(seen: &Seen<'_>) -> Option<f64> {
    Some(sum(seen.run, |found| found.false_failure_ns as f64) / 1e9 / pair_seconds(seen))
}

fn false_length(seen: &Seen<'_>) -> Option<f64> {
    let count = sum(seen.run, |found| found.false_failures as f64);
    (count > 0.0).then(|| sum(seen.run, |found| found.false_failure_ns as f64) / 1e9 / count)
}

/// Samples are taken where reports have just been heard, so that ages are whole steps of the grid, and never
/// none: half a step too long on the mean.
fn age(seen: &Seen<'_>) -> Option<f64> {
    let half_step = seconds(HOP_NS) / 2.0;
    let samples: u64 = seen.bins().iter().map(|bin| bin.view_samples).sum();
    let sum_ns: u128 = seen.bins().iter().map(|bin| bin.view_age_sum_ns).sum();
    (samples > 0).then(|| sum_ns as f64 / 1e9 / samples as f64 - half_step)
}

/// Times from crash to detection [s], in order; 0 where the server was suspected already.
fn detections(seen: &Seen<'_>) -> Vec<f64> {
    let nodes = seen.run.nodes.iter();
    let mut times: Vec<f64> =
        nodes.flat_map(|node| &node.findings.detection_ns).map(|&ns| seconds(ns)).collect();
    times.sort_by(f64::total_cmp);
    times
}

fn detect_mean(seen: &Seen<'_>) -> Option<f64> {
    let times = detections(seen);
    (!times.is_empty()).then(|| times.iter().sum::<f64>() / times.len() as f64)
}

fn already(seen: &Seen<'_>) -> Option<f64> {
    let times = detections(seen);
    let zero = times.iter().filter(|&&time| time == 0.0).count();
    (!times.is_empty()).then(|| zero as f64 / times.len() as f64)
}

fn detect(seen: &Seen<'_>, q: f64) -> Option<f64> {
    let times = detections(seen);
    let place = (q * times.len() as f64).ceil() as usize;
    times.get(place.checked_sub(1)?).copied()
}
