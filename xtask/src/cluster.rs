//! The step that has real batch engines run a sweep.

use std::path::Path;
use std::process::Command;

use super::{Outcome, cargo_path, root, run as run_command};

/// An engine: what the names of its tests begin with, the programs it needs, the packages of Debian that
/// have them.
const ENGINES: [(&str, &[&str], &str); 2] = [
    (
        "slurm",
        &["slurmctld", "slurmd", "sbatch", "munged", "setpriv", "timeout"],
        "slurm-wlm munge",
    ),
    (
        "parallel",
        &["parallel", "ssh", "sshd", "ssh-keygen", "setpriv", "timeout"],
        "parallel openssh-server openssh-client",
    ),
];

/// Longer than this and something hangs [s].
const LIMIT_S: &str = "420";

/// Runs the tests of every engine that is installed.
pub fn run() -> Outcome {
    let mut skipped = Vec::new();
    let mut wanted = Vec::new();
    for (engine, programs, packages) in ENGINES {
        let missing: Vec<&str> = programs.iter().copied().filter(|name| !is_there(name)).collect();
        if missing.is_empty() {
            wanted.push(engine);
        } else {
            let missing = missing.join(", ");
            skipped.push(format!(
                "{engine}: missing {missing} (on Debian: apt-get install {packages})"
            ));
        }
    }
    if !wanted.is_empty() {
        let test = ["test", "--package=sim-cli", "--test=cluster"];
        let built = run_command(Command::new(cargo_path()).args(test).arg("--no-run"));
        if !matches!(built, Outcome::Passed) {
            return built;
        }
        // One after the other: both want all cores.
        let mut limited = Command::new("timeout");
        limited.args(["--kill-after=10", LIMIT_S]).arg(cargo_path()).args(test);
        limited.args(["--", "--test-threads=1", "--nocapture"]).args(wanted);
        let tested = run_command(&mut limited);
        if !matches!(tested, Outcome::Passed) {
            return tested;
        }
    }
    if skipped.is_empty() { Outcome::Passed } else { Outcome::Skipped(skipped.join("; ")) }
}

/// Whether a program is there; daemons stand where only the administrator looks.
fn is_there(name: &str) -> bool {
    let own = std::env::var_os("PATH").unwrap_or_default();
    let more = ["/usr/sbin", "/sbin"].map(|folder| Path::new(folder).to_owned());
    std::env::split_paths(&own).chain(more).any(|folder| root().join(folder).join(name).is_file())
}
