//! Chores of the workspace. `cargo xtask test` checks everything that a change must not break;
//! `cargo xtask docs` writes what is generated: the tables of columns in `data/README.md`.
//!
//! A step whose tool is missing is installed where that touches nothing outside the toolchain and
//! `target/`; otherwise it is skipped in plain sight. A step that fails does not stop the others.

mod notebooks;

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

/// How a step ended.
enum Outcome {
    Passed,
    Failed(String),
    Skipped(String),
}

/// Name of the step, and what it does.
type Step = (&'static str, fn() -> Outcome);

const STEPS: [Step; 7] = [
    ("format", format),
    ("clippy", clippy),
    ("tests", || cargo(&["test", "--workspace"])),
    ("docs", docs),
    ("benches, one pass each", || cargo(&["bench", "--package=bench-harness", "--", "--test"])),
    ("notebooks", notebooks::run),
    ("dependencies", dependencies),
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.as_slice() {
        [only] if only == "test" => test(),
        [only] if only == "docs" => summary(&[(&"columns", write_columns())]),
        _ => {
            eprintln!("usage: cargo xtask test|docs");
            ExitCode::from(2)
        }
    }
}

fn test() -> ExitCode {
    let mut ends = Vec::new();
    for (number, (name, step)) in STEPS.iter().enumerate() {
        println!("\n=== {} of {}: {name}", number + 1, STEPS.len());
        let outcome = step();
        if let Outcome::Failed(why) | Outcome::Skipped(why) = &outcome {
            println!("{why}");
        }
        ends.push((name, outcome));
    }
    summary(&ends)
}

fn summary(ends: &[(&&str, Outcome)]) -> ExitCode {
    println!();
    let [mut passed, mut failed, mut skipped] = [0; 3];
    for (name, outcome) in ends {
        let (count, end) = match outcome {
            Outcome::Passed => (&mut passed, "passed".to_owned()),
            Outcome::Failed(why) => (&mut failed, format!("FAILED: {why}")),
            Outcome::Skipped(why) => (&mut skipped, format!("skipped: {why}")),
        };
        *count += 1;
        println!("{name}: {end}");
    }
    println!("{passed} passed, {failed} failed, {skipped} skipped");
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn format() -> Outcome {
    match component("fmt", "rustfmt") {
        Ok(()) => cargo(&["fmt", "--all", "--check"]),
        Err(skip) => skip,
    }
}

fn clippy() -> Outcome {
    match component("clippy", "clippy") {
        Ok(()) => cargo(&["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]),
        Err(skip) => skip,
    }
}

fn docs() -> Outcome {
    let mut command = Command::new(cargo_path());
    command.args(["doc", "--workspace", "--no-deps"]).env("RUSTDOCFLAGS", "-D warnings");
    run(&mut command)
}

/// The tests that compare the tables of columns with the code write them when they are told to.
fn write_columns() -> Outcome {
    let mut command = Command::new(cargo_path());
    command.args(["test", "--package=sim-core", "--package=bench-harness", "column_docs"]);
    run(command.env("LBSIM_UPDATE", "1"))
}

fn dependencies() -> Outcome {
    if !works(Command::new(cargo_path()).args(["deny", "--version"])) {
        return Outcome::Skipped("cargo-deny is missing (cargo install cargo-deny)".to_owned());
    }
    cargo(&["deny", "--offline", "check", "bans", "licenses", "sources"])
}

/// Makes sure of a component of the toolchain.
fn component(subcommand: &str, name: &str) -> Result<(), Outcome> {
    let there = || works(Command::new(cargo_path()).args([subcommand, "--version"]));
    if there() || (works(Command::new("rustup").args(["component", "add", name])) && there()) {
        return Ok(());
    }
    Err(Outcome::Skipped(format!("{name} is missing and rustup could not add it")))
}

fn cargo(arguments: &[&str]) -> Outcome {
    // Snapshots are compared and never rewritten here.
    run(Command::new(cargo_path()).args(arguments).env("INSTA_UPDATE", "no"))
}

fn cargo_path() -> PathBuf {
    std::env::var_os("CARGO").map_or_else(|| PathBuf::from("cargo"), PathBuf::from)
}

/// Runs in plain sight.
fn run(command: &mut Command) -> Outcome {
    println!("$ {}", shown(command));
    match command.current_dir(root()).status() {
        Ok(status) if status.success() => Outcome::Passed,
        Ok(status) => Outcome::Failed(format!("{} ended with {status}", shown(command))),
        Err(error) => Outcome::Failed(format!("{} did not start: {error}", shown(command))),
    }
}

/// Runs silently and says whether it succeeded.
fn works(command: &mut Command) -> bool {
    let output: io::Result<_> = command.current_dir(root()).output();
    output.is_ok_and(|output| output.status.success())
}

/// A command as one would type it: the program without its folder.
fn shown(command: &Command) -> String {
    let program = PathBuf::from(command.get_program());
    let program = program.file_name().unwrap_or(command.get_program()).to_string_lossy();
    let arguments = command.get_args().map(|argument| argument.to_string_lossy());
    std::iter::once(program).chain(arguments).collect::<Vec<_>>().join(" ")
}

/// The root of the workspace.
fn root() -> PathBuf {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.parent().expect("a package of the workspace lies below its root").to_owned()
}
