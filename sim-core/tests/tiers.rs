//! Servers in tiers, in whole runs: who gets the requests, by how many of a tier are up.

mod common;

use common::{POLICIES, RANDOM, crash, fleet, run};
use sim_core::config::{Arrivals, PolicyConfig, Scenario, ServerGroup};
use sim_core::result::{Outcome, RunResult};
use sim_core::time::{MILLISECOND, SECOND};

/// Twenty servers of priority 0 and twenty of priority 1; so many of each crash at once.
fn tiered(policy: PolicyConfig, down: [u32; 2]) -> Scenario {
    let mut scenario = fleet(20, 3, policy);
    scenario.servers.push(ServerGroup { priority: 1, ..scenario.servers[0].clone() });
    scenario.workload.arrivals = Arrivals::Poisson { rate: 1_000.0 };
    for (tier, down) in (0..).zip(down).filter(|&(_, down)| down > 0) {
        scenario.faults.push(crash(20 * tier..20 * tier + down, false, 100 * MILLISECOND, None));
    }
    // By then everybody knows.
    scenario.warmup_ns = SECOND;
    scenario
}

/// Share of tier 0 in what arrived at servers in the window.
fn first_share(result: &RunResult) -> f64 {
    let picks = |servers: &[sim_core::result::ServerResult]| -> f64 {
        servers.iter().map(|server| server.picks as f64).sum()
    };
    picks(&result.servers[..20]) / picks(&result.servers)
}

/// Published shares of Envoy's rule, under every policy. 3000 requests: five spreads are 0.045.
#[test]
fn tiers_share_by_health() {
    for policy in POLICIES {
        for (down, share) in [([0, 0], 1.0), ([5, 0], 1.0), ([10, 0], 0.7), ([15, 0], 0.35)] {
            let result = run(&tiered(policy.clone(), down));
            let found = first_share(&result);
            let what = format!("{}, {down:?} down", policy.name());
            assert!((found - share).abs() < 0.045, "{what}: {found} for {share}");
            let measured = &result.measured;
            assert_eq!(measured.of(Outcome::Ok), measured.arrived, "{what}: nobody panics");
        }
    }
}

/// Goal: with a quarter of both tiers left nodes panic and use all servers, the dead ones too; without
/// panic they do not.
#[test]
fn tiers_panic_together() {
    for policy in POLICIES {
        let mut scenario = tiered(policy.clone(), [15, 15]);
        let lost = |result: &RunResult| {
            result.measured.of(Outcome::Lost) as f64 / result.measured.arrived as f64
        };
        let result = run(&scenario);
        let share = first_share(&result);
        assert!((share - 0.5).abs() < 0.05, "{}: {share}", policy.name());
        if policy == RANDOM {
            let lost = lost(&result);
            assert!((lost - 0.75).abs() < 0.045, "{lost} of all requests go to dead servers");
        }
        assert!(lost(&result) > 0.0, "{}: somebody dead is tried", policy.name());
        scenario.priorities.panic = 0.0;
        let lost = lost(&run(&scenario));
        assert!(lost == 0.0, "{}: {lost} lost without panic", policy.name());
    }
}
