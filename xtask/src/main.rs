//! Chores of the workspace. `cargo xtask test` checks everything that a change must not break;
//! names of steps behind it choose some. `cargo xtask docs` writes what is generated: the tables of
//! columns in `data/README.md`. `cargo xtask notebook DIR` makes the notebook of a sweep's or a run's
//! results.
//!
//! A step whose tool is missing is installed where that touches nothing outside the toolchain and
//! `target/`; otherwise it is skipped in plain sight. A step that fails does not stop the others.

mod cluster;
mod notebooks;

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, ExitStatus};

/// How a step ended.
enum Outcome {
    Passed,
    Failed(String),
    Skipped(String),
}

/// Name of the step, and what it does. Benches run one pass each.
type Step = (&'static str, fn() -> Outcome);

const STEPS: [Step; 10] = [
    ("format", format),
    ("clippy", clippy),
    ("tests", || cargo(&["test", "--workspace"])),
    ("cluster", cluster::run),
    ("docs", docs),
    ("benches", || cargo(&["bench", "--package=bench-harness", "--", "--test"])),
    ("instructions", instructions),
    ("validate", || cargo(&["run", "--release", "--package=sim-cli", "--", "validate", "--quick"])),
    ("notebooks", notebooks::run),
    ("dependencies", dependencies),
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.split_first() {
        Some((first, wanted)) if first == "test" => test(wanted),
        Some((first, [])) if first == "docs" => summary(&[("columns", write_columns())]),
        Some((first, [folder])) if first == "notebook" => {
            summary(&[("notebook", notebooks::show(Path::new(folder)))])
        }
        _ => {
            eprintln!("usage: cargo xtask test [STEP...] | docs | notebook DIR");
            ExitCode::from(2)
        }
    }
}

/// Runs these steps; all, if none is named.
fn test(wanted: &[String]) -> ExitCode {
    let names = STEPS.map(|step| step.0);
    if wanted.iter().any(|name| !names.contains(&name.as_str())) {
        eprintln!("usage: cargo xtask test [STEP...]\nsteps, all by default: {}", names.join(", "));
        return ExitCode::from(2);
    }
    let is_wanted = |name| wanted.is_empty() || wanted.iter().any(|wanted| wanted == name);
    let steps: Vec<&Step> = STEPS.iter().filter(|step| is_wanted(step.0)).collect();
    let mut ends = Vec::new();
    for (number, (name, step)) in (1..).zip(&steps) {
        println!("\n=== {number} of {}: {name}", steps.len());
        let outcome = step();
        if let Outcome::Failed(why) | Outcome::Skipped(why) = &outcome {
            println!("{why}");
        }
        ends.push((*name, outcome));
    }
    summary(&ends)
}

fn summary(ends: &[(&str, Outcome)]) -> ExitCode {
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
    if let Err(skip) = component("clippy", "clippy") {
        return skip;
    }
    let all = cargo(&["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]);
    // A test that does not run by itself is not among all targets.
    let cluster = ["clippy", "--package=sim-cli", "--test=cluster", "--", "-D", "warnings"];
    if matches!(all, Outcome::Passed) { cargo(&cluster) } else { all }
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

/// Instructions a request against the committed figures.
fn instructions() -> Outcome {
    // What test runners take for "skipped"; the harness has said why.
    const SKIPPED: i32 = 77;
    if !works(Command::new("valgrind").arg("--version")) {
        return Outcome::Skipped(
            "valgrind is missing (on Debian: apt-get install valgrind)".into(),
        );
    }
    let mut command = Command::new(cargo_path());
    command.args(["run", "--release", "--quiet", "--package=bench-harness", "--", "instructions"]);
    let skipped = Outcome::Skipped("no committed figure for this target".to_owned());
    match run_to_end(&mut command) {
        Ok(status) if status.code() == Some(SKIPPED) => skipped,
        Ok(status) => judge(&command, status),
        Err(failed) => failed,
    }
}

/// The version whose answers `deny.toml` is known to be right for.
const CARGO_DENY: &str = "cargo-deny@0.20.2";

fn dependencies() -> Outcome {
    let Some(deny) = cargo_deny() else {
        return Outcome::Skipped(format!(
            "cargo-deny is missing and could not be built here (cargo install {CARGO_DENY})"
        ));
    };
    // Called as cargo would call it: by its path it finds nothing else to do.
    let what = ["bans", "licenses", "sources"];
    run(Command::new(deny).args(["--offline", "check", "--hide-inclusion-graph"]).args(what))
}

/// The person's own `cargo-deny`, or one under `target/`, built there if need be.
fn cargo_deny() -> Option<PathBuf> {
    let own = PathBuf::from("cargo-deny");
    let tools = root().join("target/tools");
    let ours = tools.join("bin/cargo-deny").with_extension(std::env::consts::EXE_EXTENSION);
    let there = |path: &PathBuf| works(Command::new(path).arg("--version"));
    if let Some(found) = [&own, &ours].into_iter().find(|path| there(path)) {
        return Some(found.clone());
    }
    // Not optimised: it is built in a minute and runs for a second.
    let build = tools.join("build");
    let mut install = Command::new(cargo_path());
    install.args(["install", CARGO_DENY, "--locked", "--debug", "--quiet"]);
    install.arg("--root").arg(&tools).arg("--target-dir").arg(&build);
    let installed = matches!(run(&mut install), Outcome::Passed);
    // 700 MB that nobody needs again.
    let _ = std::fs::remove_dir_all(build);
    (installed && there(&ours)).then_some(ours)
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
    match run_to_end(command) {
        Ok(status) => judge(command, status),
        Err(failed) => failed,
    }
}

fn run_to_end(command: &mut Command) -> Result<ExitStatus, Outcome> {
    println!("$ {}", shown(command));
    command
        .current_dir(root())
        .status()
        .map_err(|error| Outcome::Failed(format!("{} did not start: {error}", shown(command))))
}

fn judge(command: &Command, status: ExitStatus) -> Outcome {
    if status.success() {
        Outcome::Passed
    } else {
        Outcome::Failed(format!("{} ended with {status}", shown(command)))
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
