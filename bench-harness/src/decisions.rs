//! `bench-harness decisions`: what a decision of each policy costs, from 10 to 100 000 servers, and
//! whether that grows as the policy's documentation says.
//!
//! One decision = a choice, its send, and the answer of an earlier one, at a node that has heard every
//! server once and has 64 requests in flight. The median of repeats counts. The growth is the exponent of
//! a fit through the sizes; what does not fit into the cache grows a little by itself, hence the limits.
//! The control looks at every server, so its exponent must be near 1: else the measurement lies.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::process::ExitCode;
#[expect(clippy::disallowed_types, reason = "speed is measured against the wall clock")]
use std::time::Instant;

use bench_harness::fleet;
use clap::Args;
use serde::Serialize;
use sim_core::answer::{Answer, Status};
use sim_core::config::keys::POLICIES;
use sim_core::config::{Choices, MaglevConfig, PolicyConfig, TwoChoicesConfig};
use sim_core::ids::{NodeId, ServerId};
use sim_core::policy::Policy;
use sim_core::popularity::Popularity;
use sim_core::rng::Purpose;
use sim_core::setup::Setup;
use sim_core::view::{Candidates, Freshness};

use crate::process::Failure;
use crate::scale::fit::log_log;
use crate::summary::median;

/// Arguments of `bench-harness decisions`.
#[derive(Debug, Args)]
pub struct DecisionsArgs {
    /// Write decisions.csv and growth.csv into this folder
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
    /// Measurements of each policy and size
    #[arg(long, default_value_t = 5)]
    repeats: u32,
    /// Only these policies
    #[arg(long = "policy", value_name = "NAME")]
    policies: Vec<String>,
}

/// Numbers of servers.
const SIZES: [u32; 5] = [10, 100, 1_000, 10_000, 100_000];
/// Requests in flight.
const IN_FLIGHT: usize = 64;
/// Length of a measurement [ns]; one decision may be longer.
const MEASURE_NS: u128 = 20_000_000;

/// How the cost of a decision grows with the servers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Growth {
    /// Not at all, or with a logarithm.
    Small,
    /// In proportion.
    Linear,
}

impl Growth {
    /// Largest exponent: a decision in a view of 1.6 MB costs a few cache misses more than in one of
    /// 160 bytes, some 4 to 10 times over four decades.
    const fn exponent_max(self) -> f64 {
        match self {
            Self::Small => 0.4,
            Self::Linear => 1.25,
        }
    }
}

/// What policies say of themselves; those not named here may look at every server.
const SMALL: [&str; 18] = [
    "lowest_latency",
    "random",
    "round_robin",
    "two_choices",
    "weighted_random",
    "edf_weighted_round_robin",
    "static_stride",
    "least_request",
    "heap_least_loaded",
    "haproxy_random",
    "nginx_random_two",
    "peak_ewma",
    "ring_hash",
    "maglev",
    "prequal",
    "join_idle_queue",
    "c3",
    "load_interpretation",
];

/// The name under which the control is measured.
const CONTROL: &str = "two_choices of all (control)";
/// Least exponent of the control.
const CONTROL_MIN: f64 = 0.7;

/// Columns of `decisions.csv`: name, unit, meaning.
#[cfg(test)]
#[rustfmt::skip] // One column a row.
pub const COLUMNS: &[(&str, &str, &str)] = &[
    ("policy", "", "Policy with all defaults; the control looks at every server."),
    ("servers", "servers", "Servers it chooses among."),
    ("ns_per_decision", "ns", "Wall time of a choice, its send, and an answer heard; reports, notes and probes are not in it. Median."),
];

/// Columns of `growth.csv`: name, unit, meaning.
#[cfg(test)]
pub const GROWTH_COLUMNS: &[(&str, &str, &str)] = &[
    ("policy", "", "As above."),
    ("stated", "", "Growth the policy states: `small` (none, or a logarithm) or `linear`."),
    ("exponent", "", "Slope of the logarithm of `ns_per_decision` over that of `servers`."),
    ("exponent_max", "", "Largest slope that agrees with what is stated."),
    ("holds", "", "Whether it agrees."),
];

/// A row of `decisions.csv`.
#[derive(Debug, Serialize)]
struct Row {
    policy: String,
    servers: u32,
    ns_per_decision: f64,
}

/// A row of `growth.csv`.
#[derive(Debug, Serialize)]
struct GrowthRow {
    policy: String,
    stated: Growth,
    exponent: Option<f64>,
    exponent_max: f64,
    holds: bool,
}

/// Measures; exit 1 if a policy costs more than it says.
///
/// # Errors
/// When a policy is unknown or the results cannot be written.
pub fn run(args: &DecisionsArgs) -> Result<ExitCode, Failure> {
    if let Some(unknown) =
        args.policies.iter().find(|&wanted| POLICIES.iter().all(|(name, _)| name != wanted))
    {
        return Err(format!("there is no policy {unknown}: see lbsim list policies").into());
    }
    let wanted =
        |name: &str| args.policies.is_empty() || args.policies.iter().any(|policy| policy == name);
    let named = POLICIES.iter().map(|&(name, _)| name).filter(|name| wanted(name));
    let mut subjects: Vec<(String, PolicyConfig)> = named
        .filter_map(|name| PolicyConfig::named(name).map(|policy| (name.to_owned(), policy)))
        .collect();
    let all = TwoChoicesConfig { choices: Choices::All, ..TwoChoicesConfig::default() };
    subjects.push((CONTROL.into(), PolicyConfig::TwoChoices(all)));
    let (mut rows, mut growths) = (Vec::new(), Vec::new());
    for (name, policy) in subjects {
        let points: Vec<(f64, f64)> = SIZES
            .iter()
            .map(|&servers| {
                let repeats: Vec<f64> =
                    (0..args.repeats.max(1)).map(|_| measure(&policy, servers)).collect();
                let ns_per_decision = median(&repeats).unwrap_or(f64::NAN);
                println!("{name:32} {servers:>7} servers {ns_per_decision:>12.1} ns");
                rows.push(Row { policy: name.clone(), servers, ns_per_decision });
                (f64::from(servers), ns_per_decision)
            })
            .collect();
        growths.push(growth(name, &points));
    }
    for row in growths.iter().filter(|row| !row.holds) {
        println!(
            "{}: exponent {:.2}, and {:?} growth allows {}",
            row.policy,
            row.exponent.unwrap_or(f64::NAN),
            row.stated,
            row.exponent_max
        );
    }
    if let Some(folder) = &args.out {
        std::fs::create_dir_all(folder)?;
        write(&folder.join("decisions.csv"), &rows)?;
        write(&folder.join("growth.csv"), &growths)?;
    }
    let holds = growths.iter().all(|row| row.holds);
    Ok(if holds { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

/// Whether a policy, or the control, grows as it should.
fn growth(policy: String, points: &[(f64, f64)]) -> GrowthRow {
    let small = SMALL.contains(&policy.as_str());
    let stated = if small { Growth::Small } else { Growth::Linear };
    let exponent = log_log(points).map(|fit| fit.exponent);
    let exponent_max = stated.exponent_max();
    let least = if policy == CONTROL { CONTROL_MIN } else { f64::NEG_INFINITY };
    let holds = exponent.is_some_and(|exponent| (least..=exponent_max).contains(&exponent));
    GrowthRow { policy, stated, exponent, exponent_max, holds }
}

fn write<T: Serialize>(path: &std::path::Path, rows: &[T]) -> Result<(), Failure> {
    let mut writer = csv::Writer::from_path(path)?;
    rows.iter().try_for_each(|row| writer.serialize(row))?;
    Ok(writer.flush()?)
}

/// Nanoseconds a decision.
#[expect(clippy::disallowed_types, reason = "speed is measured against the wall clock")]
fn measure(policy: &PolicyConfig, servers: u32) -> f64 {
    let mut scenario = fleet::scenario(servers, 1, policy.clone(), 1);
    scenario.workload.keys = Some(Popularity::Uniform { count: 1 << 40 });
    if let PolicyConfig::Maglev(config) = &mut scenario.policies[0]
        && servers > 10_000
    {
        // The table has to hold all servers, and about a hundred places each.
        *config = MaglevConfig { table_size: 5_000_011, ..config.clone() };
    }
    let setup = Setup::new(&scenario, 0, 0);
    let (mut view, mut index) = fleet::informed_node(&setup);
    let mut draws = setup.node_stream(Purpose::Policy, NodeId(0));
    let mut in_flight: VecDeque<ServerId> = VecDeque::new();
    let mut decide = |at_ns: u64| {
        let freshness = Freshness::new(&setup.ticks, at_ns, setup.silence_ns);
        let candidates = Candidates::new(&view, &freshness, at_ns, None).with_key(at_ns);
        if let Some(server) = index.choose(&candidates, &mut draws) {
            view.beliefs[server].own += 1;
            let belief = view.beliefs[server];
            index.on_send(server, &belief, at_ns);
            in_flight.push_back(server);
        }
        if in_flight.len() > IN_FLIGHT.min(2 * servers as usize)
            && let Some(server) = in_flight.pop_front()
        {
            view.beliefs[server].own -= 1;
            let belief = view.beliefs[server];
            let answer = Answer {
                at_ns,
                sent_ns: at_ns.saturating_sub(1_000_000),
                status: Some(Status::Ok),
            };
            index.on_answer(server, &belief, &answer);
        }
    };
    let warm = 2 * IN_FLIGHT as u64;
    (0..warm).for_each(|step| decide(1_000_000 + step));
    let start = Instant::now();
    let mut decisions = 0_u64;
    loop {
        for _ in 0..16 {
            decide(1_000_000 + warm + decisions);
            decisions += 1;
        }
        let took_ns = start.elapsed().as_nanos();
        if took_ns >= MEASURE_NS {
            return took_ns as f64 / decisions as f64;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn points(exponent: f64) -> Vec<(f64, f64)> {
        SIZES.map(|servers| (f64::from(servers), libm::pow(f64::from(servers), exponent))).to_vec()
    }

    /// The check can fail: in both directions for the control.
    #[test]
    fn growth_beyond_what_is_stated_is_found() {
        for (policy, exponent, holds) in [
            ("random", 0.1, true),
            ("random", 0.6, false),
            ("rendezvous", 1.0, true),
            ("rendezvous", 1.9, false),
            (CONTROL, 1.0, true),
            (CONTROL, 0.3, false),
        ] {
            let row = growth(policy.into(), &points(exponent));
            assert_eq!(row.holds, holds, "{policy} {exponent}: {row:?}");
        }
    }

    #[test]
    fn every_column_is_explained() {
        let header = |row: &dyn Fn(&mut csv::Writer<Vec<u8>>)| {
            let mut writer = csv::Writer::from_writer(Vec::new());
            row(&mut writer);
            let bytes = writer.into_inner().unwrap();
            let text = String::from_utf8(bytes).unwrap();
            text.lines().next().unwrap().to_owned()
        };
        let names = |columns: &[(&str, &str, &str)]| {
            columns.iter().map(|&(name, ..)| name).collect::<Vec<_>>().join(",")
        };
        let row = Row { policy: "a".to_owned(), servers: 1, ns_per_decision: 1.0 };
        assert_eq!(header(&|writer| writer.serialize(&row).unwrap()), names(COLUMNS));
        let row = growth("random".to_owned(), &points(0.0));
        assert_eq!(header(&|writer| writer.serialize(&row).unwrap()), names(GROWTH_COLUMNS));
    }
}
