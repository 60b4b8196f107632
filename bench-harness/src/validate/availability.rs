//! Servers that crash and come back, independent of each other.

use sim_core::result::{RunResult, ServerResult};

use super::experiment::{Experiment, SERVICE_NS, Seen};
use super::measure;
use super::mmc::{RANDOM, fleet};
use super::row::Row;
use super::rule::Rule;
use super::table::{Column, Table, cell, column, row_by_row, rule_of_column};

/// Requests a service at each server: so few that hardly any is refused.
const LOAD: f64 = 0.1;

/// All servers are down for so small a share of the time that hardly a run sees it.
const UNSEEN: f64 = 1e-5;

/// The table.
pub const TABLE: Table = Table {
    name: "availability",
    file: "p20_availability.csv",
    text: include_str!("../../../data/oracles/p20_availability.csv"),
    model: "Each server is up and down for exponential times (a chaos campaign of crashes that reset connections); a node that does not notice picks at random; no waiting. Retried: each request tries one server after the other, so that it fails only if all are down.",
    source: "Alternating renewal; a request survives a service of length S with probability exp(-S / mttf).",
    bias: "Faults begin and end on a grid of 0.01 services: below 0.1 % of the shortest mean time. Counts are \
           of the whole run, which starts with all servers up: below 0.02 %. With retries a request is served in \
           0.001 services and tries all servers within 0.02 a server: what changes in that time of the 110 or 100 \
           between two crashes is below 0.1 % for 2 servers and 1 % for 16, of which less than 0.0005 is down at once.",
    variants: &["exponential", "constant", "retried"],
    columns: &[
        column("availability", "ratio", Rule::R1, availability),
        column("mean_up", "servers", Rule::R1, mean_up),
        column("p_all_down", "prob", Rule::Rp, nobody),
        column("success_given_admitted_exp", "prob", Rule::Rp, survival),
        column("success_given_admitted_det", "prob", Rule::Rp, survival),
        column("latency_success_exp", "service", Rule::R1, measure::mean_sojourn),
    ],
    unmeasured: &[("p_all_down", "below 0.00001: hardly a run sees it")],
    experiment,
    theory,
    rule: rule_of_column,
    group: row_by_row,
    quick: &[],
};

fn experiment(row: &Row, law: &str) -> Result<Experiment, &'static str> {
    let (n, up, down) = (row.number("n"), row.number("mttf"), row.number("mttr"));
    let unit_s = SERVICE_NS as f64 / 1e9;
    let is_retried = law == "retried";
    if is_retried && row.number("p_all_down") < UNSEEN {
        return Err("all servers are hardly ever down");
    }
    let service = match law {
        "retried" => "constant = { mean = \"10us\" }".to_owned(),
        _ => format!("{law} = {{ mean = \"10ms\" }}"),
    };
    let body = fleet(n, 64.0, "0", &service, n * LOAD)
        .replace("interval = \"100s\"", "interval = \"1000h\"")
        + RANDOM
        + &format!(
            "[chaos]\nrate = \"{}/s\"\nkinds = [\"crash\"]\nfor = \"{}ns\"\n",
            n / up / unit_s,
            down * SERVICE_NS as f64
        );
    let retries = format!(
        "retries = {{ max = {}, budget = 100, on = [\"lost\"], avoid = \"tried\" }}\n[policy",
        n - 1.0
    );
    let body = if is_retried { body.replacen("[policy", &retries, 1) } else { body };
    let mut experiment = Experiment::new(SERVICE_NS / 100, &body, 100.0, n * LOAD);
    experiment.pilot = 50_000.0;
    Ok(experiment)
}

fn sum(run: &RunResult, count: impl Fn(&ServerResult) -> u64) -> f64 {
    run.servers.iter().map(count).sum::<u64>() as f64
}

/// Share of the attempts that found the server up: Poisson arrivals see time averages.
fn availability(seen: &Seen<'_>) -> Option<f64> {
    let dead = sum(seen.run, |server| server.arrived_dead);
    let alive = sum(seen.run, |server| server.admitted + server.refused);
    Some(alive / (alive + dead))
}

fn mean_up(seen: &Seen<'_>) -> Option<f64> {
    Some(availability(seen)? * seen.servers())
}

/// Share of the requests that found nobody up.
fn nobody(seen: &Seen<'_>) -> Option<f64> {
    Some(1.0 - measure::answered(seen)?)
}

/// Share of the admitted attempts that were served to the end.
fn survival(seen: &Seen<'_>) -> Option<f64> {
    Some(sum(seen.run, |s| s.completed) / sum(seen.run, |s| s.admitted))
}

/// Of the columns about services, each is about one law.
fn theory(row: &Row, column: &Column, law: &str) -> Option<f64> {
    let is_of_law = match column.name {
        "success_given_admitted_det" => law == "constant",
        "success_given_admitted_exp" | "latency_success_exp" => law == "exponential",
        "p_all_down" => law == "retried",
        _ => law != "retried",
    };
    cell(row, column, law).filter(|_| is_of_law)
}
