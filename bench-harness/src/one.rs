//! One measurement: one engine, one policy, one size, once, in a process of its own, so that peak
//! memory is this run's and nothing is warm but the machine.

use std::fmt;
use std::str::FromStr;
#[expect(clippy::disallowed_types, reason = "speed is measured against the wall clock")]
use std::time::Instant;

use bench_harness::fleet;
use bench_harness::memory;
use bench_harness::reference::{self, LatencyChoice};
use clap::{Args, ValueEnum};
use serde::{Deserialize, Serialize};
use sim_core::config::{PolicyConfig, RandomConfig, Scenario};
use sim_core::result::RunResult;
use sim_core::server::KernelKind;
use sim_core::simulation::{Options, Simulation};
use sim_core::time::{MILLISECOND, Nanos};

use crate::process::Failure;

/// What to measure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Args)]
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
    /// Server kernel of the windowed engine [default: the one it chooses]
    #[arg(long)]
    pub kernel: Option<Kernel>,
    /// Threads of the windowed engine
    #[arg(long, default_value_t = 1)]
    pub threads: u32,
    /// Time between two heartbeats of a server [ms]; the failure timeout follows it
    #[arg(long, default_value_t = HEARTBEAT_MS)]
    pub heartbeat_ms: u64,
}

/// Time between two heartbeats in the workload of the speed figures [ms].
pub const HEARTBEAT_MS: u64 = 100;

impl OneArgs {
    /// The smallest measurement: one thread, kernel as the engine chooses.
    pub const fn new(engine: Engine, policy: Policy) -> Self {
        let (kernel, threads, heartbeat_ms) = (None, 1, HEARTBEAT_MS);
        Self { engine, policy, servers: 1, nodes: 1, requests: 1, kernel, threads, heartbeat_ms }
    }

    /// The fleet to be simulated.
    pub fn scenario(&self) -> Scenario {
        let policy = self.policy.config();
        let mut scenario = fleet::scenario(self.servers, self.nodes, policy, self.requests);
        let heartbeat = &mut scenario.heartbeat;
        let interval_ns = self.heartbeat_ms * MILLISECOND;
        // As many intervals of silence as before, so that nobody is taken for failed.
        heartbeat.failure_timeout_ns =
            interval_ns * heartbeat.failure_timeout_ns / heartbeat.interval_ns;
        heartbeat.interval_ns = interval_ns;
        scenario
    }
}

/// The engines that are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum, Serialize, Deserialize)]
#[value(rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum Engine {
    /// The engine of lbsim.
    Windowed,
    /// The plain event loop.
    Reference,
}

/// The policies that are measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum, Serialize, Deserialize)]
#[value(rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum Policy {
    /// Power of two choices.
    TwoChoices,
    /// The seed rule.
    LowestLatency,
    /// A random server: what a request costs where choosing costs next to nothing.
    Random,
}

impl Policy {
    const fn config(self) -> PolicyConfig {
        match self {
            Self::TwoChoices => fleet::TWO_CHOICES,
            Self::LowestLatency => fleet::LOWEST_LATENCY,
            Self::Random => PolicyConfig::Random(RandomConfig { capacity_gate: false }),
        }
    }
}

/// The server kernels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum, Serialize, Deserialize)]
#[value(rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum Kernel {
    /// Knows at admission when an attempt will finish.
    Fifo,
    /// Completes attempts one by one.
    Event,
}

impl From<Kernel> for KernelKind {
    fn from(kernel: Kernel) -> Self {
        match kernel {
            Kernel::Fifo => Self::Fifo,
            Kernel::Event => Self::Event,
        }
    }
}

/// What was measured. Its text is one line, which the parent process reads back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reading {
    /// Wall time of the whole run, set-up included [ns].
    pub wall_ns: u64,
    /// Of that, until the first tick [ns]; 0 for the reference, which does not tell.
    pub setup_ns: u64,
    /// Requests that arrived in it.
    pub requests: u64,
    /// Decisions: attempts sent to servers.
    pub decisions: u64,
    /// View updates: heartbeats that reached a node.
    pub view_updates: u64,
    /// Threads that did work of a phase; 1 where the run was not split.
    pub threads_used: u32,
    /// Most memory the process ever held [KiB], where the system tells.
    pub peak_kib: Option<u64>,
}

impl Reading {
    /// Time a request, set-up included [ns].
    pub fn ns_per_request(&self) -> f64 {
        self.wall_ns as f64 / self.requests as f64
    }

    /// Time a request from the first tick on [ns].
    pub fn running_ns_per_request(&self) -> f64 {
        (self.wall_ns - self.setup_ns) as f64 / self.requests as f64
    }
}

impl fmt::Display for Reading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { wall_ns, setup_ns, requests, decisions, view_updates, threads_used, peak_kib } =
            self;
        write!(f, "{wall_ns} {setup_ns} {requests} {decisions} {view_updates} {threads_used}")?;
        peak_kib.map_or(Ok(()), |kib| write!(f, " {kib}"))
    }
}

impl FromStr for Reading {
    type Err = String;

    fn from_str(line: &str) -> Result<Self, String> {
        let wrong = || format!("not a reading: {line:?}");
        let numbers: Result<Vec<u64>, _> = line.split_whitespace().map(str::parse).collect();
        let (&[wall_ns, setup_ns, requests, decisions, view_updates, threads], peak) =
            numbers.as_deref().ok().and_then(<[u64]>::split_first_chunk).ok_or_else(wrong)?;
        let threads_used = u32::try_from(threads).map_err(|_| wrong())?;
        let peak_kib = match *peak {
            [] => None,
            [kib] => Some(kib),
            _ => return Err(wrong()),
        };
        Ok(Self { wall_ns, setup_ns, requests, decisions, view_updates, threads_used, peak_kib })
    }
}

/// Runs once and measures.
///
/// # Errors
/// When the threads cannot be started.
pub fn measure(args: &OneArgs) -> Result<Reading, Failure> {
    let scenario = args.scenario();
    let (times, result) = match (args.engine, args.threads) {
        (Engine::Reference, _) => timed_reference(&scenario),
        // One thread is this one: no pool stands between.
        (Engine::Windowed, 0 | 1) => timed_windowed(args, &scenario),
        (Engine::Windowed, threads) => {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads as usize).build()?;
            pool.install(|| timed_windowed(args, &scenario))
        }
    };
    let Times { wall_ns, setup_ns, threads_used } = times;
    Ok(Reading {
        wall_ns,
        setup_ns,
        requests: result.total.arrived,
        decisions: result.nodes.iter().map(|node| node.dispatched).sum(),
        view_updates: result.nodes.iter().map(|node| node.reports).sum(),
        threads_used,
        peak_kib: memory::peak_bytes().map(|bytes| bytes / 1_024),
    })
}

struct Times {
    wall_ns: u64,
    setup_ns: u64,
    threads_used: u32,
}

#[expect(clippy::disallowed_types, reason = "speed is measured against the wall clock")]
fn timed_windowed(args: &OneArgs, scenario: &Scenario) -> (Times, RunResult) {
    let options = Options {
        threads: args.threads as usize,
        kernel: args.kernel.map(KernelKind::from),
        ..Options::default()
    };
    let no_trace = "the fleet scenario reads no trace";
    let start = Instant::now();
    let mut simulation = Simulation::new(scenario, 0, 0, options).expect(no_trace);
    let setup_ns = elapsed_ns(start);
    while simulation.advance().expect(no_trace) {}
    let threads_used = simulation.threads_seen().count_ones().max(1);
    let result = simulation.finish();
    (Times { wall_ns: elapsed_ns(start), setup_ns, threads_used }, result)
}

#[expect(clippy::disallowed_types, reason = "speed is measured against the wall clock")]
fn timed_reference(scenario: &Scenario) -> (Times, RunResult) {
    let start = Instant::now();
    let result = reference::simulate(scenario, 0, 0, LatencyChoice::Heap, None);
    (Times { wall_ns: elapsed_ns(start), setup_ns: 0, threads_used: 1 }, result)
}

#[expect(clippy::disallowed_types, reason = "speed is measured against the wall clock")]
fn elapsed_ns(start: Instant) -> Nanos {
    start.elapsed().as_nanos() as Nanos
}

#[cfg(test)]
mod tests {
    use super::*;

    fn small(engine: Engine, policy: Policy) -> OneArgs {
        OneArgs { servers: 10, nodes: 2, requests: 2_000, ..OneArgs::new(engine, policy) }
    }

    #[test]
    fn a_reading_survives_the_way_to_the_parent() {
        for peak_kib in [None, Some(12)] {
            let reading = Reading {
                wall_ns: 5,
                setup_ns: 1,
                requests: 2,
                decisions: 3,
                view_updates: 4,
                threads_used: 1,
                peak_kib,
            };
            assert_eq!(reading.to_string().parse(), Ok(reading));
        }
        for line in ["5", "1 2 3 4 5", "1 2 3 4 5 6 7 8", "1 2 3 4 5 x"] {
            assert!(line.parse::<Reading>().is_err(), "{line}");
        }
    }

    /// What is compared is the same work: requests, decisions and view updates agree between the
    /// engines, the kernels and any number of threads.
    #[test]
    fn all_ways_to_run_do_the_same_work() {
        let work = |one: &OneArgs| {
            let reading = measure(one).unwrap();
            assert!(reading.setup_ns <= reading.wall_ns);
            (reading.requests, reading.decisions, reading.view_updates)
        };
        for policy in [Policy::TwoChoices, Policy::LowestLatency, Policy::Random] {
            let windowed = small(Engine::Windowed, policy);
            let (requests, decisions, view_updates) = work(&windowed);
            assert!((1_500..2_500).contains(&requests), "{requests}");
            // Only behind its capacity gate may a policy find nobody to send a request to.
            let all = policy != Policy::LowestLatency;
            assert!(view_updates > 0 && (decisions == requests || !all && decisions > 0));
            for other in [
                small(Engine::Reference, policy),
                OneArgs { kernel: Some(Kernel::Fifo), ..windowed },
                OneArgs { kernel: Some(Kernel::Event), ..windowed },
                OneArgs { threads: 2, ..windowed },
            ] {
                assert_eq!(work(&other), (requests, decisions, view_updates), "{other:?}");
            }
        }
    }

    /// More frequent heartbeats: as many more view updates, and no server is taken for failed, so
    /// every request is still sent.
    #[test]
    fn heartbeats_can_be_made_frequent() {
        let usual = OneArgs { requests: 50_000, ..small(Engine::Windowed, Policy::TwoChoices) };
        let dense = OneArgs { heartbeat_ms: HEARTBEAT_MS / 10, ..usual };
        let [usual, dense] = [usual, dense].map(|one| measure(&one).unwrap());
        let ratio = dense.view_updates as f64 / usual.view_updates as f64;
        assert!((9.0..11.0).contains(&ratio), "{usual:?} {dense:?}");
        assert_eq!((usual.requests, dense.requests), (usual.decisions, usual.decisions));
    }
}
