//! `bench-harness instructions`: the gate. Instructions a request at fixed sizes must not rise by
//! more than 5 % over the committed figure.
//!
//! Instructions, because time on a shared machine scatters by more than what is to be noticed.
//! They are counted by callgrind and depend on the compiler and the target, which are recorded
//! beside each figure:
//! * on another target nothing is compared: its instructions are others;
//! * by another compiler up to 15 % are allowed: a release of LLVM may well move a count by some
//!   per cent, while what costs speed for good (a spilled record, a loop no longer unrolled) shows
//!   beyond that.
//!
//! A fall beyond the same margin is told, so that the record is renewed: else it would leave room
//! for a later rise.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use serde::{Deserialize, Serialize};

use crate::machine::{RUSTC, TARGET};
use crate::one::{Engine, OneArgs, Policy};
use crate::process::{self, Failure, name};

/// Arguments of `bench-harness instructions`.
#[derive(Debug, Args)]
pub struct InstructionsArgs {
    /// The committed figures
    #[arg(long, value_name = "FILE", default_value = RECORD)]
    against: PathBuf,
    /// Write the figures of this build there, instead of comparing
    #[arg(long)]
    record: bool,
    /// Accept a build that is not optimised; for tests of this command
    #[arg(long, hide = true)]
    any_build: bool,
}

const RECORD: &str = "bench-harness/instructions.csv";

/// What is counted: servers, nodes, policy.
const SIZES: [(u32, u32, Policy); 4] = [
    (100, 4, Policy::TwoChoices),
    (1_000, 8, Policy::TwoChoices),
    (1_000, 8, Policy::LowestLatency),
    (10_000, 8, Policy::TwoChoices),
];
/// Most that a figure may rise, as a share.
const TOLERANCE: f64 = 0.05;
/// The same under another compiler than that of the record.
const TOLERANCE_OTHER_COMPILER: f64 = 0.15;
/// What test runners take for "skipped".
const SKIPPED: u8 = 77;

/// A row of the record.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Figure {
    servers: u32,
    nodes: u32,
    policy: Policy,
    instructions_per_request: f64,
    compiler: String,
    target: String,
}

/// What became of a figure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Holds,
    Fell,
    Rose,
    /// The record says nothing about this size on this target.
    NoRecord,
}

/// Counts, and compares or records.
pub fn run(args: &InstructionsArgs) -> Result<ExitCode, Failure> {
    if !args.any_build {
        process::require_optimised()?;
    }
    if !process::valgrind_is_there() {
        println!("skipped: valgrind is missing (on Debian: apt-get install valgrind)");
        return Ok(ExitCode::from(SKIPPED));
    }
    let record = if args.record { Vec::new() } else { read(&args.against)? };
    if !args.record && record.iter().all(|figure| figure.target != TARGET) {
        println!("skipped: {} has no figure for {TARGET}", args.against.display());
        return Ok(ExitCode::from(SKIPPED));
    }
    let mut figures = Vec::new();
    for (servers, nodes, policy) in SIZES {
        let one = OneArgs { servers, nodes, ..OneArgs::new(Engine::Windowed, policy) };
        let figure = Figure {
            servers,
            nodes,
            policy,
            instructions_per_request: process::instructions_per_request(&one)?,
            compiler: RUSTC.to_owned(),
            target: TARGET.to_owned(),
        };
        println!("{}", figure.compared(&record).1);
        figures.push(figure);
    }
    if args.record {
        write(&args.against, &figures)?;
        println!("Written to {}", args.against.display());
        return Ok(ExitCode::SUCCESS);
    }
    let verdicts: Vec<Verdict> = figures.iter().map(|figure| figure.compared(&record).0).collect();
    if verdicts.contains(&Verdict::Fell) {
        println!("fell: renew the record by `{}`", again());
    }
    if verdicts.iter().any(|verdict| matches!(verdict, Verdict::Rose | Verdict::NoRecord)) {
        println!("A request costs more than it did. If it has to, record it by `{}`.", again());
        return Ok(ExitCode::FAILURE);
    }
    Ok(ExitCode::SUCCESS)
}

fn again() -> &'static str {
    "cargo run --release -p bench-harness -- instructions --record"
}

impl Figure {
    /// The verdict, and a line that says why.
    fn compared(&self, record: &[Self]) -> (Verdict, String) {
        let Self { servers, nodes, policy, instructions_per_request: now, .. } = self;
        let size =
            format!("{servers} x {nodes} {}: {now:.1} instructions a request", name(*policy));
        let key = |figure: &Self| (figure.servers, figure.nodes, figure.policy);
        let there = record.iter().find(|f| key(f) == key(self) && f.target == self.target);
        let Some(there) = there else { return (Verdict::NoRecord, size) };
        let same = there.compiler == self.compiler;
        let tolerance = if same { TOLERANCE } else { TOLERANCE_OTHER_COMPILER };
        let change = now / there.instructions_per_request - 1.0;
        let verdict = match change {
            held if (-tolerance..=tolerance).contains(&held) => Verdict::Holds,
            fall if fall < 0.0 => Verdict::Fell,
            // Not a number, after a faulty record, is no pass either.
            _ => Verdict::Rose,
        };
        let by = if same { String::new() } else { format!(" by {}", there.compiler) };
        let line = format!(
            "{size}, {:+.2} % on {:.1}{by}, at most {:+.0} %: {}",
            100.0 * change,
            there.instructions_per_request,
            100.0 * tolerance,
            match verdict {
                Verdict::Holds => "holds",
                Verdict::Fell => "fell",
                Verdict::Rose | Verdict::NoRecord => "ROSE",
            }
        );
        (verdict, line)
    }
}

fn read(path: &Path) -> Result<Vec<Figure>, Failure> {
    let at = |error: csv::Error| format!("{}: {error}; record it by `{}`", path.display(), again());
    let mut reader = csv::Reader::from_path(path).map_err(at)?;
    let figures: Result<Vec<Figure>, csv::Error> = reader.deserialize().collect();
    Ok(figures.map_err(at)?)
}

fn write(path: &Path, figures: &[Figure]) -> Result<(), Failure> {
    let at = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
    let mut writer = csv::Writer::from_writer(Vec::new());
    figures.iter().try_for_each(|figure| writer.serialize(figure))?;
    let bytes = writer.into_inner()?;
    Ok(std::fs::write(path, bytes).map_err(|e| at(&e))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figure(instructions_per_request: f64) -> Figure {
        Figure {
            servers: 1_000,
            nodes: 8,
            policy: Policy::TwoChoices,
            instructions_per_request,
            compiler: "rustc 1.95.0 (59807616e 2026-04-14)".to_owned(),
            target: "x86_64-unknown-linux-gnu".to_owned(),
        }
    }

    /// The gate itself: a record 10 % lower than what is counted makes it fail.
    #[test]
    fn a_rise_beyond_the_tolerance_fails() {
        let verdict = |now: f64| figure(now).compared(&[figure(900.0)]).0;
        assert_eq!(figure(900.0).compared(&[figure(810.0)]).0, Verdict::Rose);
        assert_eq!(verdict(900.0), Verdict::Holds);
        assert_eq!((verdict(944.0), verdict(946.0)), (Verdict::Holds, Verdict::Rose));
        assert_eq!((verdict(856.0), verdict(854.0)), (Verdict::Holds, Verdict::Fell));
        assert_eq!(figure(900.0).compared(&[figure(f64::NAN)]).0, Verdict::Rose);
    }

    #[test]
    fn another_compiler_has_more_room_and_another_target_is_no_record() {
        let there = Figure { compiler: "rustc 1.96.0".to_owned(), ..figure(900.0) };
        let (verdict, line) = figure(1_000.0).compared(std::slice::from_ref(&there));
        assert_eq!(verdict, Verdict::Holds);
        assert!(line.contains("rustc 1.96.0") && line.contains("+15 %"), "{line}");
        assert_eq!(figure(1_040.0).compared(&[there]).0, Verdict::Rose);
        let there = Figure { target: "aarch64".to_owned(), ..figure(900.0) };
        assert_eq!(figure(900.0).compared(&[there]).0, Verdict::NoRecord);
        let there = Figure { servers: 100, ..figure(900.0) };
        assert_eq!(figure(900.0).compared(&[there]).0, Verdict::NoRecord);
    }

    #[test]
    fn a_record_is_read_back() {
        let room = tempfile::tempdir().unwrap();
        let path = room.path().join("record.csv");
        let figures = [figure(902.470_590_300_9), Figure { servers: 10, ..figure(1e6 / 3.0) }];
        write(&path, &figures).unwrap();
        assert_eq!(read(&path).unwrap(), figures);
        let error = read(&room.path().join("none.csv")).unwrap_err().to_string();
        assert!(error.contains("none.csv") && error.contains("--record"), "{error}");
    }

    /// The record in the repository has exactly the sizes that are counted.
    #[test]
    fn the_committed_record_is_whole() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join(RECORD);
        let sizes: Vec<_> =
            read(&path).unwrap().iter().map(|f| (f.servers, f.nodes, f.policy)).collect();
        assert_eq!(sizes, SIZES);
    }
}
