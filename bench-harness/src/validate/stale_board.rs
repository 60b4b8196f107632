//! A bulletin board that shows all queue lengths as they were at the last update.

use super::experiment::{Experiment, SERVICE_NS};
use super::measure;
use super::mmc::{RANDOM, answered_or_cell, fleet};
use super::row::Row;
use super::rule::Rule;
use super::table::{Table, column, row_by_row, rule_of_column};

/// Servers: enough for the limit.
const SERVERS: f64 = 1_000.0;
/// One-way delay, as a share of a service.
const HOP: f64 = 1e-3;

/// The table.
pub const TABLE: Table = Table {
    name: "stale_board",
    file: "p13_stale_bulletin_board.csv",
    text: include_str!("../../../data/oracles/p13_stale_bulletin_board.csv"),
    model: "Queue lengths are reported every T and nothing else is known, not even one's own choices; the least loaded of d drawn servers, or of all. All report at once, or each in its own phase.",
    source: "Model: Mitzenmacher 2000, periodic update; fixed point of the mean field, solved by data/oracles/oracle_lib.py.",
    bias: "1000 servers stand for infinitely many (allowed for by rule RLS). A report is 0.001 services \
           late: at the smallest T of 0.1 this is 0.02 % of the mean, and less elsewhere.",
    variants: &["at_once", "own_phases"],
    columns: &[
        column("mean_sojourn", "service", Rule::Rls, measure::mean_sojourn),
        column("mean_queue", "requests per server", Rule::Rls, measure::in_system_each),
        column("sojourn_p50", "service", Rule::Rls, measure::sojourn_p50),
        column("sojourn_p90", "service", Rule::Rls, measure::sojourn_p90),
        column("sojourn_p99", "service", Rule::Rls, measure::sojourn_p99),
        column("answered", "share", Rule::Rx, measure::answered),
    ],
    unmeasured: &[],
    experiment,
    theory: answered_or_cell,
    rule: rule_of_column,
    group: row_by_row,
    quick: &["stale-d2-T1-l0.7@own_phases"],
};

fn experiment(row: &Row, variant: &str) -> Result<Experiment, &'static str> {
    let (load, interval) = (row.number("lam"), row.get("T"));
    let d = row.text("d");
    let Some(interval) = interval else {
        let service = "exponential = { mean = \"10ms\" }";
        // Who draws one server looks at no board.
        let rate = 100.0 * load;
        let body = fleet(100.0, 1.0, "unbounded", service, rate) + RANDOM;
        let warmup = 10.0 / (1.0 - load).powi(2);
        return Ok(Experiment::new(SERVICE_NS / 10, &body, warmup, rate));
    };
    let choices = if d == "inf" { "\"all\"" } else { d };
    let mut experiment = board(SERVERS, load, interval, choices, false, variant == "at_once");
    // Contraction over 40 updates, where it is slow, says how long the start is felt.
    let slow = row.number("phase_map_40");
    let updates = if slow > 0.5 { 1_000.0 } else { 100.0 };
    experiment.warmup = f64::max(20.0 / (1.0 - load), updates * interval);
    // Whole cycles, for a cycle is not the same all along.
    experiment.pilot = f64::max(20.0, 10.0 * interval);
    Ok(experiment)
}

/// `n` servers of one slot at load `load` that report every `interval` services, and the least loaded
/// of `choices` by the last reports alone.
pub fn board(
    n: f64,
    load: f64,
    interval: f64,
    choices: &str,
    replacement: bool,
    at_once: bool,
) -> Experiment {
    let policy = format!(
        "[policy.two_choices]\nchoices = {choices}\nreplacement = {replacement}\n\
         signal = \"reported\"\nties = \"random\"\ncapacity_gate = false\n"
    );
    board_of(n, load, interval, &policy, at_once)
}

/// The same servers under any policy.
pub fn board_of(n: f64, load: f64, interval: f64, policy: &str, at_once: bool) -> Experiment {
    let service = "exponential = { mean = \"10ms\" }";
    let ns = (interval * SERVICE_NS as f64).round();
    let heartbeat = format!("[heartbeat]\ninterval = \"{ns}ns\"\nsynchronised = {at_once}\n");
    let body = fleet(n, 1.0, "unbounded", service, n * load)
        .replace("[heartbeat]\ninterval = \"100s\"\n", &heartbeat)
        + policy;
    let hop = (SERVICE_NS as f64 * HOP) as u64;
    Experiment::new(hop, &body, 100.0, n * load)
}
