//! `manifest.json`: what made a folder of results. The only file of it that may differ when a run
//! is repeated, and the mark by which a folder is known to be lbsim's own.

use std::collections::BTreeSet;
use std::time::Duration;

use bench_harness::memory;
use serde::{Deserialize, Serialize};
use sim_core::columns::policy_labels;
use sim_core::config::Scenario;
use sim_core::result::RunResult;

use crate::trace::Tally;

/// Name of the file.
pub const FILE: &str = "manifest.json";
/// Value of `tool`, by which a manifest is known.
const TOOL: &str = "lbsim";

/// What made a folder of results.
#[derive(Clone, Debug, Serialize)]
pub struct Manifest {
    tool: &'static str,
    version: &'static str,
    commit: &'static str,
    name: String,
    scenario: String,
    overrides: Vec<(String, String)>,
    policies: Vec<String>,
    seed: u64,
    replications: u32,
    /// Warm-up [ns]: given or found.
    warmup_ns: u64,
    warmup_found: bool,
    /// Policies that had not settled by then, where it was found.
    warmup_too_short_for: Vec<String>,
    tick_ns: u64,
    quantum_ns: u64,
    host_cores: Option<usize>,
    threads: usize,
    wall_s: f64,
    engine_ns_per_request: Option<f64>,
    /// Most memory the process has held [bytes], where the system tells.
    peak_memory_bytes: Option<u64>,
    /// What was read of a trace and left out of it.
    traces: Vec<Tally>,
    files: BTreeSet<String>,
}

/// How a run was made, as far as its result does not tell.
#[derive(Clone, Debug)]
pub struct Making<'a> {
    /// The scenario's text as it was read.
    pub text: &'a str,
    /// What `--set` changed in it.
    pub overrides: &'a [(String, String)],
    /// Whether the warm-up was found by pilot runs.
    pub warmup_found: bool,
    /// Policies whose pilot run found no steady state.
    pub unsettled: &'a [String],
    /// Threads used.
    pub threads: usize,
    /// Time from the first run's start to the last one's end.
    pub wall: Duration,
    /// The engine's own time, summed over the runs.
    pub engine: Duration,
    /// What was read of a trace and left out of it.
    pub traces: &'a [Tally],
}

impl Manifest {
    /// The manifest of `runs`; its list of files is filled in by [`Manifest::listing`].
    pub fn new(scenario: &Scenario, runs: &[RunResult], making: &Making) -> Self {
        let requests: u64 = runs.iter().map(|run| run.total.arrived).sum();
        Self {
            tool: TOOL,
            version: env!("CARGO_PKG_VERSION"),
            commit: option_env!("LBSIM_COMMIT").unwrap_or("unknown"),
            name: scenario.name.clone(),
            scenario: making.text.to_owned(),
            overrides: making.overrides.to_vec(),
            policies: policy_labels(scenario),
            seed: scenario.seed,
            replications: scenario.replications,
            warmup_ns: scenario.warmup_ns,
            warmup_found: making.warmup_found,
            warmup_too_short_for: making.unsettled.to_vec(),
            tick_ns: scenario.engine.tick_ns,
            quantum_ns: scenario.engine.quantum_ns,
            host_cores: std::thread::available_parallelism().ok().map(Into::into),
            threads: making.threads,
            wall_s: making.wall.as_secs_f64(),
            engine_ns_per_request: (requests > 0)
                .then(|| making.engine.as_nanos() as f64 / requests as f64),
            peak_memory_bytes: memory::peak_bytes(),
            traces: making.traces.to_vec(),
            files: BTreeSet::new(),
        }
    }

    /// The same with the files of the folder, the manifest itself included.
    pub fn listing(mut self, files: BTreeSet<String>) -> Self {
        self.files = files;
        self.files.insert(FILE.to_owned());
        self
    }
}

/// The files that a manifest lists; `None` if `text` is no manifest of lbsim's.
pub fn files(text: &str) -> Option<BTreeSet<String>> {
    #[derive(Deserialize)]
    struct Known {
        tool: String,
        files: BTreeSet<String>,
    }
    let known: Known = serde_json::from_str(text).ok()?;
    (known.tool == TOOL).then_some(known.files)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture;

    #[test]
    fn a_manifest_is_known_by_its_tool_and_lists_its_files() {
        let scenario = fixture::scenario();
        let making = Making {
            text: "name = \"fixture\"",
            overrides: &[("seed".to_owned(), "7".to_owned())],
            warmup_found: false,
            unsettled: &[],
            threads: 2,
            wall: Duration::from_secs(1),
            engine: Duration::from_micros(6),
            traces: &[],
        };
        let manifest = Manifest::new(&scenario, &fixture::runs(&scenario), &making);
        // 6 runs of 1 000 requests in 6 us.
        assert_eq!(manifest.engine_ns_per_request, Some(1.0));
        let manifest = manifest.listing(BTreeSet::from(["runs.csv".to_owned()]));
        let text = serde_json::to_string(&manifest).expect("serialisable");
        let listed = BTreeSet::from(["manifest.json".to_owned(), "runs.csv".to_owned()]);
        assert_eq!(files(&text), Some(listed));
        for other in ["", "{}", r#"{"tool": "npm", "files": []}"#, r#"{"tool": "lbsim"}"#] {
            assert_eq!(files(other), None, "{other}");
        }
    }
}
