//! Measurements in processes of their own: so peak memory is one run's, and nothing is warm but
//! the machine.

use std::error::Error;
use std::process::Command;

use clap::ValueEnum;

use crate::one::{OneArgs, Reading};

/// Why something was not measured.
pub type Failure = Box<dyn Error>;

/// Fleets above this are not counted under valgrind: it is fifty times slower.
pub const COUNTED_SERVERS: u32 = 100_000;

/// Runs one measurement.
///
/// # Errors
/// When the process fails.
pub fn measure(one: &OneArgs) -> Result<Reading, Failure> {
    let mut command = Command::new(std::env::current_exe()?);
    Ok(run(command.args(arguments(one)))?.0)
}

/// Whether instructions can be counted here.
pub fn valgrind_is_there() -> bool {
    Command::new("valgrind").arg("--version").output().is_ok_and(|output| output.status.success())
}

/// Instructions a request: the difference of two lengths of run over that of their requests, so
/// that loading and set-up are left out. `one.requests` does not matter.
///
/// # Errors
/// When a process fails or counts nothing.
pub fn instructions_per_request(one: &OneArgs) -> Result<f64, Failure> {
    // 16 requests a server are 50 ms, five service times: by then the fleet has filled up.
    let short = 100_000.max(16 * u64::from(one.servers));
    let (first, requests) = callgrind(&OneArgs { requests: short, ..*one })?;
    let (second, more) = callgrind(&OneArgs { requests: 3 * short, ..*one })?;
    Ok((second - first) as f64 / (more - requests) as f64)
}

/// Instructions of a whole process, and the requests it simulated.
fn callgrind(one: &OneArgs) -> Result<(u64, u64), Failure> {
    let mut command = Command::new("valgrind");
    command.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]);
    command.arg(std::env::current_exe()?).args(arguments(one));
    let (reading, stderr) = run(&mut command)?;
    let collected = stderr.lines().find_map(|line| line.split("Collected : ").nth(1));
    let collected = collected.ok_or_else(|| format!("callgrind counted nothing: {stderr}"))?;
    Ok((collected.trim().parse()?, reading.requests))
}

/// The reading, and what went to stderr.
fn run(command: &mut Command) -> Result<(Reading, String), Failure> {
    let output = command.output()?;
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    if !output.status.success() {
        return Err(format!("{command:?} ended with {}: {stderr}", output.status).into());
    }
    Ok((String::from_utf8_lossy(&output.stdout).trim().parse()?, stderr))
}

fn arguments(one: &OneArgs) -> Vec<String> {
    let OneArgs { engine, policy, servers, nodes, requests, kernel, threads, heartbeat_ms } = *one;
    let mut arguments = vec!["one".to_owned()];
    arguments.push(format!("--engine={}", name(engine)));
    arguments.push(format!("--policy={}", name(policy)));
    arguments.push(format!("--servers={servers}"));
    arguments.push(format!("--nodes={nodes}"));
    arguments.push(format!("--requests={requests}"));
    arguments.extend(kernel.map(|kernel| format!("--kernel={}", name(kernel))));
    arguments.push(format!("--threads={threads}"));
    arguments.push(format!("--heartbeat-ms={heartbeat_ms}"));
    arguments
}

/// The name of an engine, policy or kernel, as it is written everywhere.
pub fn name(value: impl ValueEnum) -> String {
    value.to_possible_value().expect("no value is hidden").get_name().to_owned()
}

/// An error in a build that is not optimised: its figures would say nothing.
///
/// # Errors
/// See above.
pub fn require_optimised() -> Result<(), Failure> {
    if cfg!(debug_assertions) {
        return Err("this build is not optimised: cargo run --release -p bench-harness".into());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use clap::{Args, Command, FromArgMatches};

    use super::*;
    use crate::one::{Engine, Kernel, Policy};

    /// What the parent writes, the child reads.
    #[test]
    fn arguments_survive_the_way_to_the_child() {
        let one = OneArgs {
            servers: 3,
            nodes: 2,
            requests: 77,
            threads: 2,
            heartbeat_ms: 1_000,
            kernel: Some(Kernel::Event),
            ..OneArgs::new(Engine::Reference, Policy::LowestLatency)
        };
        for one in [one, OneArgs { kernel: None, ..one }] {
            let command = OneArgs::augment_args(Command::new("one"));
            let matches = command.try_get_matches_from(arguments(&one)).unwrap();
            assert_eq!(OneArgs::from_arg_matches(&matches).unwrap(), one);
        }
    }
}
