//! Two to four servers, exactly.

use super::experiment::Experiment;
use super::fresh;
use super::measure;
use super::mmc::answered_or_cell;
use super::row::Row;
use super::rule::Rule;
use super::table::{Table, column, row_by_row, rule_of_column};

/// The table.
pub const TABLE: Table = Table {
    name: "small_fleets",
    file: "p08_small_n_exact.csv",
    text: include_str!("../../../data/oracles/p08_small_n_exact.csv"),
    model: "The least loaded of all servers, or of two drawn ones, with fresh information, in fleets of 2 to 4; or an idle server if there is one, else any of 2.",
    source: "The Markov chain of sorted queue lengths, solved to 2e-9 by data/oracles/oracle_lib.py.",
    bias: fresh::BIAS,
    variants: &[""],
    columns: &[
        column("mean_sojourn", "service", Rule::R1, measure::mean_sojourn),
        column("mean_queue", "requests per server", Rule::R1, measure::in_system_each),
        column("p_wait", "prob", Rule::Rp, measure::waited),
        column("sojourn_p50", "service", Rule::Rq, measure::sojourn_p50),
        column("sojourn_p90", "service", Rule::Rq, measure::sojourn_p90),
        column("sojourn_p99", "service", Rule::Rq, measure::sojourn_p99),
        column("answered", "share", Rule::Rx, measure::answered),
    ],
    unmeasured: &[],
    experiment,
    theory: answered_or_cell,
    rule: rule_of_column,
    group: row_by_row,
    quick: &["small-jsq2-without-n3-l0.5"],
};

fn experiment(row: &Row, _: &str) -> Result<Experiment, &'static str> {
    let (n, load) = (row.number("n"), row.number("lam"));
    let warmup = 10.0 / (1.0 - load).powi(2);
    let (choices, replacement) = match row.text("policy") {
        "jsq" => ("\"all\"", false),
        "jsq2-with" => ("2", true),
        "jsq2-without" => ("2", false),
        _ => {
            // One node that hears of all: an idle server if there is one, else any.
            let mut experiment = fresh::choices(n, load, "2", false, warmup);
            let (servers, _) = experiment.body.split_once("[policy").expect("a policy");
            experiment.body = format!("{servers}[policy.join_idle_queue]\n");
            return Ok(experiment);
        }
    };
    Ok(fresh::choices(n, load, choices, replacement, warmup))
}
