//! `bench-harness decisions`: what each policy costs, from 10 to 100 000 servers, and whether that grows as the
//! policy states ([`Growth`]).
//!
//! Four operations, as [`Operation`] says: a decision, a report with the choice that pays for it, a note, an
//! answer. The median of repeats counts. The growth is the exponent of a fit through the sizes; what does not
//! fit into the cache grows a little by itself, hence the limits. The control looks at every server, so the
//! exponent of its decisions must be near 1: else the measurement lies.

use std::path::PathBuf;
use std::process::ExitCode;
#[expect(clippy::disallowed_types, reason = "speed is measured against the wall clock")]
use std::time::Instant;

use bench_harness::operations::{Operation, Subject};
use clap::Args;
use serde::Serialize;
use sim_core::config::keys::POLICIES;
use sim_core::config::{Choices, PolicyConfig, Preset, TwoChoicesConfig};
use sim_core::policy::Growth;

use crate::process::Failure;
use crate::scale::fit::log_log;
use crate::scale::record::replace;
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
/// Length of a measurement [ns]; one operation may be longer.
const MEASURE_NS: u128 = 10_000_000;
/// Policies that hear more under another name than with their defaults.
const PRESETS: [&str; 3] = ["grpc_wrr", "envoy_client_side_wrr", "join_idle_queue_sq2"];

/// Largest exponent that agrees with a growth: an operation in a view of 1.6 MB costs a few cache misses more
/// than in one of 160 bytes, some 4 to 10 times over four decades.
const fn exponent_max(growth: Growth) -> f64 {
    match growth {
        Growth::Small => 0.4,
        Growth::Linear => 1.25,
    }
}

/// The name under which the control is measured.
const CONTROL: &str = "two_choices of all (control)";
/// Least exponent of the control.
const CONTROL_MIN: f64 = 0.7;

/// Columns of `decisions.csv`: name, unit, meaning.
#[cfg(test)]
#[rustfmt::skip] // One column a row.
pub const COLUMNS: &[(&str, &str, &str)] = &[
    ("policy", "", "Policy with all defaults, or preset; the control looks at every server."),
    ("servers", "servers", "Servers it chooses among."),
    ("ns_per_decision", "ns", "Wall time of a choice, its probes and its send, and an answer heard. Median, as all of these."),
    ("ns_per_report", "ns", "Of merging a report about a random server, and a choice after it, which does what the report left undone."),
    ("ns_per_note", "ns", "Of hearing a note of a random server; empty where the policy hears none."),
    ("ns_per_answer", "ns", "Of a send to a random server and its answer, without a choice."),
];

/// Columns of `growth.csv`: name, unit, meaning.
#[cfg(test)]
#[rustfmt::skip] // One column a row.
pub const GROWTH_COLUMNS: &[(&str, &str, &str)] = &[
    ("policy", "", "As above."),
    ("operation", "", "`decision`, `report`, `note` or `answer`."),
    ("stated", "", "Growth the policy states: `small` (none, or a logarithm) or `linear`."),
    ("exponent", "", "Slope of the logarithm of the time over that of `servers`."),
    ("exponent_max", "", "Largest slope that agrees with what is stated."),
    ("holds", "", "Whether it agrees."),
];

/// A row of `decisions.csv`.
#[derive(Debug, Default, Serialize)]
struct Row {
    policy: String,
    servers: u32,
    ns_per_decision: Option<f64>,
    ns_per_report: Option<f64>,
    ns_per_note: Option<f64>,
    ns_per_answer: Option<f64>,
}

impl Row {
    const fn cell(&mut self, operation: Operation) -> &mut Option<f64> {
        match operation {
            Operation::Decision => &mut self.ns_per_decision,
            Operation::Report => &mut self.ns_per_report,
            Operation::Note => &mut self.ns_per_note,
            Operation::Answer => &mut self.ns_per_answer,
        }
    }
}

/// A row of `growth.csv`.
#[derive(Debug, Serialize)]
struct GrowthRow {
    policy: String,
    operation: &'static str,
    stated: &'static str,
    exponent: Option<f64>,
    exponent_max: f64,
    holds: bool,
}

/// What is measured: policies and presets by name, and the control.
fn subjects(wanted: &[String]) -> Result<Vec<(String, PolicyConfig)>, Failure> {
    let named = POLICIES.iter().filter_map(|&(name, _)| Some((name, PolicyConfig::named(name)?)));
    let presets = PRESETS.iter().filter_map(|&name| Some((name, Preset::named(name)?.config())));
    let all: Vec<_> = named.chain(presets).collect();
    if let Some(unknown) = wanted.iter().find(|wanted| all.iter().all(|(name, _)| name != wanted)) {
        return Err(format!("there is no policy {unknown}: see lbsim list policies").into());
    }
    let is_wanted = |name: &str| wanted.is_empty() || wanted.iter().any(|wanted| wanted == name);
    let control = TwoChoicesConfig { choices: Choices::All, ..TwoChoicesConfig::default() };
    let control = (CONTROL.to_owned(), PolicyConfig::TwoChoices(control));
    let chosen = all.into_iter().filter(|(name, _)| is_wanted(name));
    Ok(chosen.map(|(name, policy)| (name.to_owned(), policy)).chain([control]).collect())
}

/// Measures; exit 1 if a policy costs more than it says.
///
/// # Errors
/// When a policy is unknown or the results cannot be written.
pub fn run(args: &DecisionsArgs) -> Result<ExitCode, Failure> {
    let (mut rows, mut growths) = (Vec::new(), Vec::new());
    for (name, policy) in subjects(&args.policies)? {
        let mut of_policy: Vec<Row> = SIZES
            .iter()
            .map(|&servers| {
                let row = measure_all(&name, &policy, servers, args.repeats.max(1));
                println!("{}", line(&row));
                row
            })
            .collect();
        for operation in Operation::ALL {
            let point = |row: &mut Row| Some((f64::from(row.servers), (*row.cell(operation))?));
            let points: Vec<(f64, f64)> = of_policy.iter_mut().filter_map(point).collect();
            if !points.is_empty() {
                growths.push(growth(&name, operation, policy.growth(), &points));
            }
        }
        rows.extend(of_policy);
    }
    for row in growths.iter().filter(|row| !row.holds) {
        let GrowthRow { policy, operation, stated, exponent, exponent_max, .. } = row;
        let exponent = exponent.unwrap_or(f64::NAN);
        println!("{policy}, {operation}: exponent {exponent:.2}; {stated} allows {exponent_max}");
    }
    if let Some(folder) = &args.out {
        let (decisions, growth) = (table(&rows)?, table(&growths)?);
        std::fs::create_dir_all(folder)?;
        replace(&folder.join("decisions.csv"), &decisions)?;
        replace(&folder.join("growth.csv"), &growth)?;
    }
    let holds = growths.iter().all(|row| row.holds);
    Ok(if holds { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

fn line(row: &Row) -> String {
    let cell = |ns: Option<f64>| ns.map_or_else(|| "-".into(), |ns| format!("{ns:.1}"));
    format!(
        "{:32} {:>7} servers; ns a decision {:>9}, report {:>9}, note {:>7}, answer {:>7}",
        row.policy,
        row.servers,
        cell(row.ns_per_decision),
        cell(row.ns_per_report),
        cell(row.ns_per_note),
        cell(row.ns_per_answer),
    )
}

/// Whether a policy, or the control, grows as it should.
fn growth(
    policy: &str,
    operation: Operation,
    of_decisions: Growth,
    points: &[(f64, f64)],
) -> GrowthRow {
    let chooses = matches!(operation, Operation::Decision | Operation::Report);
    let stated = if chooses { of_decisions } else { Growth::Small };
    let exponent = log_log(points).map(|fit| fit.exponent);
    let exponent_max = exponent_max(stated);
    let least = if policy == CONTROL && chooses { CONTROL_MIN } else { f64::NEG_INFINITY };
    let holds = exponent.is_some_and(|exponent| (least..=exponent_max).contains(&exponent));
    let stated = match stated {
        Growth::Small => "small",
        Growth::Linear => "linear",
    };
    let (policy, operation) = (policy.to_owned(), operation.name());
    GrowthRow { policy, operation, stated, exponent, exponent_max, holds }
}

fn table<T: Serialize>(rows: &[T]) -> Result<Vec<u8>, Failure> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    rows.iter().try_for_each(|row| writer.serialize(row))?;
    Ok(writer.into_inner()?)
}

fn measure_all(name: &str, policy: &PolicyConfig, servers: u32, repeats: u32) -> Row {
    let mut subject = Subject::new(policy, servers);
    let mut row = Row { policy: name.to_owned(), servers, ..Row::default() };
    for operation in Operation::ALL {
        if operation != Operation::Note || subject.hears_notes() {
            let repeats: Vec<f64> =
                (0..repeats).map(|_| measure(&mut subject, operation)).collect();
            *row.cell(operation) = median(&repeats);
        }
    }
    row
}

/// Nanoseconds an operation.
#[expect(clippy::disallowed_types, reason = "speed is measured against the wall clock")]
fn measure(subject: &mut Subject, operation: Operation) -> f64 {
    let start = Instant::now();
    let mut count = 0_u64;
    loop {
        for _ in 0..16 {
            subject.perform(operation);
        }
        count += 16;
        let took_ns = start.elapsed().as_nanos();
        if took_ns >= MEASURE_NS {
            return took_ns as f64 / count as f64;
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
        use Operation::{Answer, Decision, Note, Report};
        for (policy, operation, stated, exponent, holds) in [
            ("random", Decision, Growth::Small, 0.1, true),
            ("random", Decision, Growth::Small, 0.6, false),
            ("rendezvous", Report, Growth::Linear, 1.0, true),
            ("rendezvous", Decision, Growth::Linear, 1.9, false),
            ("rendezvous", Answer, Growth::Linear, 1.0, false),
            ("local_shortest_queue", Note, Growth::Linear, 0.2, true),
            (CONTROL, Decision, Growth::Linear, 1.0, true),
            (CONTROL, Decision, Growth::Linear, 0.3, false),
        ] {
            let row = growth(policy, operation, stated, &points(exponent));
            assert_eq!(row.holds, holds, "{policy} {exponent}: {row:?}");
        }
    }

    /// Every operation of every subject does something at the smallest size, and notes are heard by those
    /// who ask for them.
    #[test]
    fn every_subject_can_be_measured() {
        for (name, policy) in subjects(&[]).unwrap() {
            let mut subject = Subject::new(&policy, SIZES[0]);
            assert_eq!(subject.hears_notes(), policy.needs().messages(), "{name}");
            for operation in Operation::ALL {
                (0..100).for_each(|_| subject.perform(operation));
            }
        }
        assert_eq!(subjects(&["random".to_owned()]).unwrap().len(), 2);
        assert!(subjects(&["rendom".to_owned()]).is_err());
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
        let row = Row { policy: "a".to_owned(), servers: 1, ..Row::default() };
        assert_eq!(header(&|writer| writer.serialize(&row).unwrap()), names(COLUMNS));
        let row = growth("random", Operation::Note, Growth::Small, &points(0.0));
        assert_eq!(header(&|writer| writer.serialize(&row).unwrap()), names(GROWTH_COLUMNS));
    }
}
