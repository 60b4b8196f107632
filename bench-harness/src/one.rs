//! One measurement: one engine, one policy, one size, once, in a process of its own, so that peak
//! memory is this run's and nothing is warm but the machine.

use std::fmt;
use std::str::FromStr;
#[expect(clippy::disallowed_types, reason = "speed is measured against the wall clock")]
use std::time::Instant;

use bench_harness::fleet;
use bench_harness::reference::{self, LatencyChoice};
use clap::{Args, ValueEnum};
use sim_core::config::PolicyConfig;
use sim_core::simulation::{Options, simulate};

/// What to measure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Args)]
pub struct OneArgs {
    /// Which engine
    #[arg(long)]
    pub engine: Engine,
    /// Which policy
    #[arg(long)]
    pub policy: Policy,
    /// Number of servers
    #[arg(long)]
    pub servers: u32,
    /// Number of LB nodes
    #[arg(long)]
    pub nodes: u32,
    /// About how many requests to simulate
    #[arg(long)]
    pub requests: u64,
}

/// The engines that are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
#[value(rename_all = "snake_case")]
pub enum Engine {
    /// The engine of lbsim, on one thread.
    Windowed,
    /// The plain event loop.
    Reference,
}

/// The policies that are measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
#[value(rename_all = "snake_case")]
pub enum Policy {
    /// Power of two choices.
    TwoChoices,
    /// The seed rule.
    LowestLatency,
}

impl Policy {
    const fn config(self) -> PolicyConfig {
        match self {
            Self::TwoChoices => fleet::TWO_CHOICES,
            Self::LowestLatency => fleet::LOWEST_LATENCY,
        }
    }
}

/// What was measured. Its text is one line, which the parent process reads back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reading {
    /// Wall time of the whole run, set-up included [ns].
    pub wall_ns: u64,
    /// Requests that arrived in it.
    pub requests: u64,
    /// Most memory the process ever held [KiB], where the system tells.
    pub peak_kib: Option<u64>,
}

impl Reading {
    /// Time a request [ns].
    pub fn ns_per_request(&self) -> f64 {
        self.wall_ns as f64 / self.requests as f64
    }
}

impl fmt::Display for Reading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { wall_ns, requests, peak_kib } = self;
        write!(f, "{wall_ns} {requests}")?;
        peak_kib.map_or(Ok(()), |kib| write!(f, " {kib}"))
    }
}

impl FromStr for Reading {
    type Err = String;

    fn from_str(line: &str) -> Result<Self, String> {
        let numbers: Result<Vec<u64>, _> = line.split_whitespace().map(str::parse).collect();
        match numbers.as_deref() {
            Ok(&[wall_ns, requests]) => Ok(Self { wall_ns, requests, peak_kib: None }),
            Ok(&[wall_ns, requests, kib]) => Ok(Self { wall_ns, requests, peak_kib: Some(kib) }),
            _ => Err(format!("not a reading: {line:?}")),
        }
    }
}

/// Runs once and measures.
#[expect(clippy::disallowed_types, reason = "speed is measured against the wall clock")]
pub fn measure(args: &OneArgs) -> Reading {
    let OneArgs { engine, policy, servers, nodes, requests } = *args;
    let scenario = fleet::scenario(servers, nodes, policy.config(), requests);
    let start = Instant::now();
    let result = match engine {
        Engine::Windowed => simulate(&scenario, 0, 0, Options::default(), &|_| ())
            .expect("the fleet scenario reads no trace"),
        Engine::Reference => reference::simulate(&scenario, 0, 0, LatencyChoice::Heap, None),
    };
    let wall_ns = start.elapsed().as_nanos() as u64;
    Reading { wall_ns, requests: result.total.arrived, peak_kib: peak_kib() }
}

fn peak_kib() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix("kB")?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reading_survives_the_way_to_the_parent() {
        for peak_kib in [None, Some(12)] {
            let reading = Reading { wall_ns: 5, requests: 2, peak_kib };
            assert_eq!(reading.to_string().parse(), Ok(reading));
        }
        assert!("5".parse::<Reading>().is_err());
    }

    #[test]
    fn both_engines_are_measured_on_the_same_requests() {
        let args = |engine| OneArgs {
            engine,
            policy: Policy::LowestLatency,
            servers: 10,
            nodes: 2,
            requests: 2_000,
        };
        let windowed = measure(&args(Engine::Windowed));
        assert_eq!(windowed.requests, measure(&args(Engine::Reference)).requests);
        assert!((1_500..2_500).contains(&windowed.requests), "{windowed:?}");
    }
}
