//! `lbsim check`: what a scenario says, or what is wrong with it.

use std::fmt::Write;
use std::process::ExitCode;

use sim_core::config::{PolicyConfig, Scenario};
use sim_core::footprint;
use sim_core::time::{Nanos, seconds};

use crate::args::CheckArgs;
use crate::output;
use crate::scenario_file;

/// Loads the scenario and prints a summary.
pub fn check(args: &CheckArgs) -> ExitCode {
    match scenario_file::load(&args.scenario.file, &args.scenario.set) {
        Ok(loaded) => output::print(&summary(&loaded.scenario)),
        Err(code) => code,
    }
}

/// A few lines about the scenario, above all how much of the fleet the workload takes.
pub fn summary(scenario: &Scenario) -> String {
    let Scenario { name, duration_ns, warmup_ns, engine, nodes, policies, heartbeat, .. } =
        scenario;
    let warmup =
        if scenario.warmup_auto { "found by a pilot run".to_owned() } else { show(*warmup_ns) };
    let policies: Vec<&str> = policies.iter().map(PolicyConfig::name).collect();
    let capacity = scenario.capacity_per_s();
    let lines = [
        ("scenario", format!("{name}, seed {}, {}", scenario.seed, replications(scenario))),
        ("time", format!("{}, of which warm-up {warmup}", show(*duration_ns))),
        ("tick", format!("{}, control quantum {}", show(engine.tick_ns), show(engine.quantum_ns))),
        (
            "fleet",
            format!(
                "{} node(s), {} servers, {} slots: {capacity:.0} requests/s at most",
                nodes.count,
                scenario.server_count(),
                scenario.slots()
            ),
        ),
        ("offered", offered(scenario, capacity)),
        (
            "heartbeat",
            format!(
                "every {}, failed after {}",
                show(heartbeat.interval_ns),
                show(heartbeat.failure_timeout_ns)
            ),
        ),
        ("policies", policies.join(", ")),
        ("memory", memory(scenario)),
        ("faults", format!("{}, expectations {}", scenario.faults.len(), scenario.expect.len())),
    ];
    let mut out = String::new();
    for (what, text) in lines {
        // Writing to a string cannot fail.
        let _ = writeln!(out, "{what:<10} {text}");
    }
    out
}

fn memory(scenario: &Scenario) -> String {
    let footprint = footprint::estimate(scenario);
    let bytes = footprint::show(footprint.bytes);
    format!("about {bytes} a run at most: {}", footprint.breakdown())
}

/// How many replications, and what they go on for.
fn replications(scenario: &Scenario) -> String {
    let Scenario { replications, replications_max, target, .. } = scenario;
    if target.is_empty() {
        return format!("{replications} replication(s)");
    }
    let targets = target.iter().map(|target| format!("{} ± {}", target.metric, target.half_width));
    let targets = targets.collect::<Vec<_>>().join(", ");
    format!("{replications} to {replications_max} replications, until {targets}")
}

fn offered(scenario: &Scenario, capacity_per_s: f64) -> String {
    let Some(rate) = scenario.offered_per_s() else {
        return "as recorded in the trace".into();
    };
    let load = rate / capacity_per_s;
    let requests = rate * seconds(scenario.duration_ns);
    let warning = if load >= 1.0 { " (overload: the backlogs fill up)" } else { "" };
    format!(
        "{rate:.0} requests/s, {:.1} % of that{warning}; {requests:.0} requests a run",
        load * 100.0
    )
}

fn show(ns: Nanos) -> String {
    match ns {
        0 | 1_000_000_000.. => format!("{} s", seconds(ns)),
        1_000_000.. => format!("{} ms", ns as f64 / 1e6),
        1_000.. => format!("{} us", ns as f64 / 1e3),
        _ => format!("{ns} ns"),
    }
}
