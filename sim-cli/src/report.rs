//! The summary of a run for a person at a terminal. It holds no clock, so it can be compared.

use std::fmt::Write;

use comfy_table::{CellAlignment, LineStyle, Table, TableStyle};
use sim_core::columns::{self, Metric};
use sim_core::verdict::Verdict;

use crate::expect::Check;
use crate::simulated::{Simulated, is_enough};
use crate::summary::PolicySummary;
use crate::{compare, number, picture};

/// Rows of the table, by metric.
const ROWS: [&str; 22] = [
    "success_rate",
    "goodput_per_s",
    "refused",
    "rejected",
    "timed_out",
    "lost",
    "failed",
    "in_flight",
    "latency_ms_mean",
    "latency_ms_p50",
    "latency_ms_p90",
    "latency_ms_p99",
    "latency_ms_p999",
    "latency_ms_max",
    "wait_ms_mean",
    "utilisation",
    "imbalance_max_over_mean",
    "imbalance_gini",
    "herd_index",
    "view_age_ms_p50",
    "view_age_ms_p99",
    "view_error_mean",
];

/// Rows that only show when one of the policies has some.
const RARE_ROWS: [&str; 2] = ["failed", "in_flight"];

/// Beginnings of the names of metrics that mean nothing without a steady state.
const STEADY_ROWS: [&str; 2] = ["latency_ms", "wait_ms"];

/// Where Little's law is checked: attempts served, mean stays that fit into the window, and what is
/// taken for 1.
const LITTLE_SERVED_LEAST: u64 = 1_000;
const LITTLE_STAYS_LEAST: f64 = 50.0;
const LITTLE_FINE: std::ops::RangeInclusive<f64> = 0.5..=1.5;

/// One line under the header and none else: a run has many rows.
const STYLE: TableStyle =
    TableStyle::new().header_separator(LineStyle::none().fill('─').junction('─'));

/// The whole summary, with a line feed at its end.
pub fn render(simulated: &Simulated, policies: &[PolicySummary], checks: &[Check]) -> String {
    let scenario = &simulated.scenario;
    let mut text = header(simulated, policies);
    text.push_str(&warnings(simulated));
    text.push_str(&little(simulated, policies));
    let _ = writeln!(text, "\n{}", table(policies).trim_fmt());
    if scenario.replications > 1 {
        text.push_str("± is the half-width of the 95 % confidence interval of the mean.\n");
    }
    text.push_str(&legend(policies));
    if let Some(sentence) = compare::in_short(simulated) {
        let _ = write!(text, "\n{sentence}");
    }
    let distributions: Vec<_> = policies
        .iter()
        .map(|policy| (policy.label.as_str(), policy.latency.to_histogram()))
        .collect();
    let picture = picture::latencies(&distributions);
    if !picture.is_empty() {
        let _ = write!(text, "\n{picture}");
    }
    if !checks.is_empty() {
        text.push_str("\nexpected:\n");
    }
    for check in checks {
        let _ = writeln!(text, "  {check}");
    }
    text
}

/// What keeps the figures from meaning what they say.
fn warnings(simulated: &Simulated) -> String {
    let Simulated { scenario, unsettled, traces, .. } = simulated;
    let mut text = String::new();
    for trace in traces.iter().filter(|trace| trace.left_out() > 0) {
        let kind = if trace.bad_lines > 0 { "warning" } else { "note" };
        let _ = writeln!(text, "{kind}: trace {trace}");
    }
    if !unsettled.is_empty() {
        let _ = writeln!(
            text,
            "warning: the warm-up is half of the run, and {} had not settled in it:\n\
             lengthen `duration`, lower the load, or give `warmup` as a time",
            unsettled.join(", ")
        );
    }
    let most = scenario.replications_max;
    if !scenario.target.is_empty() && scenario.replications == most && !is_enough(simulated) {
        let _ = writeln!(
            text,
            "warning: {most} replications (`replications_max`) were not enough for `[target]`"
        );
    }
    text
}

/// Little's law holds in every steady state, whatever the policy, so where it is far off, lbsim counts
/// wrongly. Both sides are sums over one run, and the bound is wide enough that chance, the edges of
/// the window and samples in step with heartbeats stay well inside: no alarm is a false one.
fn little(simulated: &Simulated, policies: &[PolicySummary]) -> String {
    let Simulated { scenario, runs, .. } = simulated;
    let in_step = scenario.engine.sample_interval_ns.is_multiple_of(scenario.heartbeat.interval_ns);
    let is_quiet = scenario.faults.is_empty() && scenario.chaos.is_none() && !in_step;
    let window_ms = scenario.duration_ns.saturating_sub(scenario.warmup_ns) as f64 / 1e6;
    let mut text = String::new();
    for (i, policy) in policies.iter().enumerate() {
        let known = |name| policy.estimate(name).map(|estimate| estimate.mean);
        let (Some(ratio), Some(wait_ms), Some(service_ms)) =
            (known("little_ratio"), known("wait_ms_mean"), known("service_ms_mean"))
        else {
            continue;
        };
        let served: u64 = runs.iter().filter(|run| run.policy == i).map(|run| run.served).sum();
        let is_checked = is_quiet
            && policy.verdict == Verdict::Stable
            && served >= LITTLE_SERVED_LEAST
            && window_ms >= LITTLE_STAYS_LEAST * (wait_ms + service_ms);
        if is_checked && !LITTLE_FINE.contains(&ratio) {
            let _ = writeln!(
                text,
                "warning: Little's law does not hold for {} (little_ratio {ratio:.3}): please report \
                 this scenario as an error of lbsim",
                policy.label
            );
        }
    }
    text
}

/// What was simulated.
fn header(simulated: &Simulated, policies: &[PolicySummary]) -> String {
    let Simulated { scenario, warmup_found, .. } = simulated;
    let known = |name| policies.iter().find_map(|p| p.estimate(name)).map(|e| e.mean);
    let mut text = format!(
        "{}: {}, {}",
        scenario.name,
        number::counted(u64::from(scenario.server_count()), "server"),
        number::counted(u64::from(scenario.nodes.count), "node"),
    );
    if let Some(load) = known("offered_load") {
        let _ = write!(text, ", offered load {load:.3} of {} slots", scenario.slots());
    }
    let interval_ns = scenario.heartbeat.interval_ns;
    let _ = write!(text, ",\nheartbeat every {}", number::duration(interval_ns));
    if let Some(service_ms) = known("service_ms_mean").filter(|service_ms| *service_ms > 0.0) {
        let intervals = interval_ns as f64 / 1e6 / service_ms;
        let _ = write!(text, " (T/S = {intervals:.2} mean service times)");
    }
    let _ = writeln!(
        text,
        ",\nmeasured {} after {} of warm-up{}, seed {}, {}",
        number::duration(scenario.duration_ns.saturating_sub(scenario.warmup_ns)),
        number::duration(scenario.warmup_ns),
        if *warmup_found { " (found by pilot runs)" } else { "" },
        scenario.seed,
        number::counted(u64::from(scenario.replications), "replication"),
    );
    text
}

/// A cell of the table. What depends on how long the run was is no figure of the fleet.
fn cell(policy: &PolicySummary, metric: &Metric) -> String {
    let Some(estimate) = policy.estimate(metric.name) else { return "-".to_owned() };
    let is_of_steady_state = STEADY_ROWS.iter().any(|start| metric.name.starts_with(start));
    match policy.verdict {
        Verdict::Backlogged if is_of_steady_state => "grows".to_owned(),
        Verdict::Overloaded if is_of_steady_state => {
            format!("({})", number::plain(estimate.mean, metric.unit))
        }
        _ => number::estimate(estimate, metric.unit),
    }
}

/// What such cells mean, where there are any.
fn legend(policies: &[PolicySummary]) -> String {
    let mut text = String::new();
    if policies.iter().any(|policy| policy.verdict == Verdict::Backlogged) {
        text.push_str(
            "backlogged: work piles up, so a longer run would show longer waits: `grows`.\n",
        );
    }
    if policies.iter().any(|policy| policy.verdict == Verdict::Overloaded) {
        text.push_str(
            "overloaded: more work than the servers can do; (latencies) are those of the few that \
             were answered.\n",
        );
    }
    text
}

fn table(policies: &[PolicySummary]) -> Table {
    let mut table = Table::new();
    table.load_style(STYLE);
    let labels = policies.iter().map(|policy| policy.label.clone());
    table.set_header(std::iter::once(String::new()).chain(labels));
    let verdicts = policies.iter().map(|policy| policy.verdict.to_string());
    table.add_row(std::iter::once("verdict".to_owned()).chain(verdicts));
    for metric in ROWS.iter().filter_map(|name| columns::metric(name)) {
        let estimates = || policies.iter().map(|policy| policy.estimate(metric.name));
        let all_zero = || estimates().flatten().all(|estimate| estimate.mean == 0.0);
        if RARE_ROWS.contains(&metric.name) && all_zero() {
            continue;
        }
        let cells = policies.iter().map(|policy| cell(policy, metric));
        table.add_row(std::iter::once(metric.name.to_owned()).chain(cells));
    }
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::summary::summarise;
    use crate::{expect, fixture};
    use sim_core::config::{Comparison, Expectation};

    #[test]
    fn a_summary_reads_like_this() {
        let simulated = fixture::simulated(fixture::scenario());
        let policies = summarise(&simulated.scenario, &simulated.runs);
        let expectation = Expectation {
            policy: None,
            metric: "success_rate".to_owned(),
            comparison: Comparison::GreaterOrEqual,
            bound: 0.99,
        };
        let checks = expect::check(&[expectation], &policies);
        insta::assert_snapshot!(render(&simulated, &policies, &checks), @r#"
fixture: 2 servers, 1 node, offered load 0.556 of 2 slots,
heartbeat every 100 ms (T/S = 10.00 mean service times),
measured 9 s after 1 s of warm-up, seed 7, 3 replications

                                random    round_robin
──────────────────────────────────────────────────────
 verdict                        stable         stable
 success_rate               0.9900 ± 0     0.9900 ± 0
 goodput_per_s                 110 ± 0        110 ± 0
 refused                        10 ± 0         10 ± 0
 rejected                        0 ± 0          0 ± 0
 timed_out                       0 ± 0          0 ± 0
 lost                            0 ± 0          0 ± 0
 latency_ms_mean           496.0 ± 1.2    991.5 ± 1.2
 latency_ms_p50            495.7 ± 1.3    990.9 ± 1.3
 latency_ms_p90            892.2 ± 2.0   1783.6 ± 2.6
 latency_ms_p99            982.2 ± 2.0   1963.6 ± 1.5
 latency_ms_p999           991.0 ± 2.5   1981.0 ± 2.5
 latency_ms_max            991.0 ± 2.5   1981.0 ± 2.5
 wait_ms_mean                    1 ± 0          1 ± 0
 utilisation                0.5556 ± 0     0.5556 ± 0
 imbalance_max_over_mean         1 ± 0          1 ± 0
 imbalance_gini                  0 ± 0          0 ± 0
 herd_index                          -              -
 view_age_ms_p50                     -              -
 view_age_ms_p99                     -              -
 view_error_mean                     -              -
± is the half-width of the 95 % confidence interval of the mean.

latency_ms_p99: random is best; worse: round_robin (99.9 % more)

latency of ok requests, logarithmic, each line scaled to its own peak
random            ▁    ▁ ▁  ▁▁▁ ▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▂▂▂▂▂▃▃▃▄▄▅▆▆▇██
round_robin            ▁    ▁ ▁  ▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▂▂▂▂▂▃▃▃▄▄▅▅▆▇██
             |         |     |         |      |         |          |    |
             500 µs    2 ms  5 ms      20 ms  50 ms     200 ms     1 s  2 s

expected:
  pass  random: success_rate >= 0.99, found 0.9900
  pass  round_robin: success_rate >= 0.99, found 0.9900
"#);
    }

    /// The fixture claims 1 000 services of 10 ms and 1 request seen at a time, over 9 s.
    #[test]
    fn counting_wrongly_is_told() {
        let mut simulated = fixture::simulated(fixture::scenario());
        simulated.scenario.engine.sample_interval_ns += 1;
        let told = |simulated: &Simulated| {
            let policies = summarise(&simulated.scenario, &simulated.runs);
            little(simulated, &policies)
        };
        assert_eq!(told(&simulated), "");
        for run in &mut simulated.runs {
            run.series.iter_mut().for_each(|bin| bin.active = 3);
        }
        assert_eq!(told(&simulated).matches("Little's law does not hold for ").count(), 2);
        simulated.runs.iter_mut().for_each(|run| run.served = 100);
        assert_eq!(told(&simulated), "", "too few to tell");
    }

    #[test]
    fn every_row_is_a_metric() {
        assert!(ROWS.iter().all(|name| columns::metric(name).is_some()));
        assert!(RARE_ROWS.iter().all(|name| ROWS.contains(name)));
    }

    #[test]
    fn a_run_of_nothing_can_be_reported() {
        let mut scenario = fixture::scenario();
        scenario.warmup_ns = scenario.duration_ns;
        let mut simulated = fixture::simulated(scenario);
        simulated.runs.clear();
        let text = render(&simulated, &summarise(&simulated.scenario, &[]), &[]);
        assert!(text.contains("success_rate") && !text.contains("NaN"), "{text}");
    }
}
