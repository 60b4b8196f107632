//! Your own policy against every scenario of `data/scenarios`, in virtual time, beside built-in ones.
//!
//! ```text
//! cargo run --release -p sim-core --example custom_policy            # all scenarios
//! cargo run --release -p sim-core --example custom_policy herd       # those with "herd" in their name
//! ```
//!
//! Copy this file, change `choose`, run it: `docs/custom-policy.md` says what a policy may see and do.

use std::fs;
use std::path::{Path, PathBuf};

use sim_core::config::{Arrivals, CustomPolicy, PolicyConfig, Scenario};
use sim_core::ids::ServerId;
use sim_core::policy::Policy;
use sim_core::rng::Stream;
use sim_core::simulation::{Options, RunError, simulate};
use sim_core::view::Candidates;

/// The idea to try: two choices with a memory. The lightest of two servers drawn at random and of the one
/// that was the lightest left over last time, by the load the node estimates (Mitzenmacher, Prabhakar
/// and Shah 2002).
#[derive(Debug, Default)]
struct Memory {
    /// The runner-up of the last choice.
    runner_up: Option<u32>,
}

impl Policy for Memory {
    fn choose(&mut self, candidates: &Candidates<'_>, stream: &mut Stream) -> Option<ServerId> {
        // Only eligible servers may be chosen, below their capacity as far as the node knows.
        let mut drawn = vec![candidates.draw_eligible(true, stream)?];
        drawn.extend(candidates.draw_eligible(true, stream));
        drawn.extend(self.runner_up.filter(|&server| candidates.is_eligible(server, true)));
        drawn.sort_by_key(|&server| candidates.load(server)); // Ties keep the order of draws.
        drawn.dedup();
        self.runner_up = drawn.get(1).copied();
        Some(ServerId(drawn[0]))
    }
}

/// The policy as a scenario has it: a name for tables, and what gives each node its own.
pub fn memory() -> PolicyConfig {
    PolicyConfig::Custom(CustomPolicy::new("memory", |_, _, _| Box::new(Memory::default())))
}

/// Built-in policies to compare with.
const BUILT_IN: [&str; 3] = ["lowest_latency", "two_choices", "random"];

fn main() -> Result<(), RunError> {
    let wanted = std::env::args().nth(1).unwrap_or_default();
    let built_in = BUILT_IN.into_iter().filter_map(PolicyConfig::named);
    let policies: Vec<PolicyConfig> = std::iter::once(memory()).chain(built_in).collect();
    for (name, scenario) in scenarios(&wanted) {
        println!("{name}");
        for (policy, result) in compare(scenario, &policies)? {
            println!("  {policy:<16} {result}");
        }
    }
    Ok(())
}

/// The scenarios with `wanted` in their name, by name; without those that replay a file, which only
/// `lbsim` reads.
pub fn scenarios(wanted: &str) -> Vec<(String, Scenario)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../data/scenarios");
    let entries = fs::read_dir(&folder).expect("data/scenarios");
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("a file").path()).collect();
    files.sort();
    let scenario = |file: PathBuf| {
        let name = file.file_stem()?.to_str()?.to_owned();
        let text = fs::read_to_string(&file).ok()?;
        let read = |other: &str| fs::read_to_string(folder.join(other)).map_err(|e| e.to_string());
        let parsed = Scenario::parse(&text, &[], &read);
        let scenario = parsed.expect("a possible scenario");
        let replays = matches!(scenario.workload.arrivals, Arrivals::Trace(_));
        (name.contains(wanted) && !replays).then_some((name, scenario))
    };
    files.into_iter().filter_map(scenario).collect()
}

/// Success and latency of each policy in one replication; all policies get the same requests.
///
/// # Errors
/// For a scenario that replays a trace.
pub fn compare(
    mut scenario: Scenario,
    policies: &[PolicyConfig],
) -> Result<Vec<(String, String)>, RunError> {
    // `lbsim` finds an open warm-up by pilot runs; half the run will do here.
    if scenario.warmup_auto {
        (scenario.warmup_auto, scenario.warmup_ns) = (false, scenario.duration_ns / 2);
    }
    scenario.policies = policies.to_vec();
    scenario.expect.clear();
    scenario.validate().expect("every policy can run it");
    let row = |policy: usize| {
        let result = simulate(&scenario, policy, 0, Options::default(), &|_| ())?;
        let arrived = result.measured.arrived.max(1) as f64;
        let ok = result.latency.count() as f64 / arrived;
        let ms = |q| result.latency.quantile_ns(q).map_or(f64::NAN, |ns| ns as f64 / 1e6);
        let text = format!("ok {ok:.4}  p50 {:9.3} ms  p99 {:9.3} ms", ms(0.5), ms(0.99));
        Ok((scenario.policies[policy].name().to_owned(), text))
    };
    (0..scenario.policies.len()).map(row).collect()
}
