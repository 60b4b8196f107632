//! Goal: a preset is its policy with other numbers, and nothing else. Method: every preset runs on a
//! fleet with two kinds of servers, a crash and keys; its result is that of the plain policy with the
//! same parameters, byte for byte, at other numbers of threads too.

mod common;

use common::{fleet, run_with};
use sim_core::config::{Fault, FaultKind, PRESETS, PolicyConfig, Preset, Scenario, Targets};
use sim_core::popularity::Popularity;
use sim_core::simulation::Options;
use sim_core::time::SECOND;

fn scenario(policies: Vec<PolicyConfig>) -> Scenario {
    let mut scenario = fleet(6, 2, PolicyConfig::named("random").expect("built in"));
    scenario.servers[0].count = 4;
    let mut large = scenario.servers[0].clone();
    (large.count, large.capacity, large.weight) = (2, 4, 2.0);
    scenario.servers.push(large);
    scenario.workload.keys = Some(Popularity::Zipf { count: 100, exponent: 1.0 });
    scenario.duration_ns = 2 * SECOND;
    scenario.faults.push(Fault {
        at_ns: SECOND,
        for_ns: Some(SECOND / 2),
        kind: FaultKind::Crash { silent: false, servers: Targets::Ids(0..1) },
    });
    scenario.policies = policies;
    scenario.validate().expect("possible");
    scenario
}

#[test]
fn a_preset_runs_as_its_policy_does() {
    for preset in PRESETS {
        let config = preset.config();
        let named = scenario(vec![config.clone()]);
        let result = run_with(&named, 0, Options::default());
        assert!(result.total.arrived > 100, "{}", preset.name);
        let plain = scenario(vec![config.plain().clone()]);
        assert_eq!(result, run_with(&plain, 0, Options::default()), "{}", preset.name);
        let threads = Options { threads: 3, ..Options::default() };
        assert_eq!(result, run_with(&named, 0, threads), "{}", preset.name);
        assert_eq!(Preset::named(preset.name).expect("known").config(), config);
    }
}

/// Goal: whoever looks for his system in the tournament finds it. Left out is one that is another one over a subset.
#[test]
fn every_preset_is_in_the_tournament() {
    let tournament = include_str!("../../data/sweeps/tournament.toml");
    for preset in PRESETS.iter().filter(|preset| preset.name != "finagle_aperture") {
        assert!(tournament.contains(&format!("    \"{}\",\n", preset.name)), "{}", preset.name);
    }
}
