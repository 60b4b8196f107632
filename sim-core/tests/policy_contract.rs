//! The contract that every policy of the registry keeps, whatever its law.

mod common;

use common::{crash, fleet, run, run_with};
use sim_core::answer::{Answer, Status};
use sim_core::config::keys::POLICIES;
use sim_core::config::{Arrivals, Fault, FaultKind, PolicyConfig, Scenario, ServerGroup};
use sim_core::ids::{NodeId, ServerId};
use sim_core::network::Report;
use sim_core::policy::{Policy, SelectionIndex};
use sim_core::popularity::Popularity;
use sim_core::result::{Outcome, RunResult};
use sim_core::rng::{Purpose, RngExt, stream};
use sim_core::setup::Setup;
use sim_core::simulation::Options;
use sim_core::time::{MILLISECOND, SECOND};
use sim_core::view::barred::Reasons;
use sim_core::view::{Candidates, Freshness, View};

/// Every policy a file can name, with its defaults.
fn policies() -> impl Iterator<Item = PolicyConfig> {
    POLICIES.iter().map(|(name, _)| PolicyConfig::named(name).expect("it is registered"))
}

/// A fleet that lets any policy work: requests have keys, so many that no server has a hot one.
fn scenario(policy: PolicyConfig, servers: u32, nodes: u32) -> Scenario {
    let mut scenario = fleet(servers, nodes, policy);
    scenario.workload.keys = Some(Popularity::Uniform { count: 1_000_000 });
    scenario
}

/// Plays a node for a while, by hand: sends, answers, reports, servers in and out. Returns what was
/// chosen; checks every choice.
fn play(policy: &PolicyConfig, seed: u64) -> Vec<Option<u32>> {
    const SERVERS: u32 = 12;
    let setup = Setup::new(&scenario(policy.clone(), SERVERS, 1), 0, 0);
    let what = format!("{}, seed {seed}", policy.name());
    let mut rng = stream(seed, 0, Purpose::Chaos, 0);
    let mut draws = stream(seed, 0, Purpose::Policy, 0);
    let mut view = View::new(&setup, policy.corrects_own_sends());
    let mut index = SelectionIndex::new(&setup, NodeId(0), &mut draws);
    let mut sent: Vec<(u32, u64)> = Vec::new();
    let mut chosen = Vec::new();
    let mut at_ns = 0;
    for step in 0..1_500_u32 {
        at_ns += rng.random_range(0..2 * MILLISECOND);
        let quantum = at_ns / setup.ticks.quantum_ns;
        let server = ServerId(rng.random_range(0..SERVERS));
        match rng.random_range(0..10) {
            0 => view.bar(server, Reasons::EJECTED),
            1 | 2 if view.unbar(server, Reasons::EJECTED) => {
                index.on_report(server, &view.beliefs[server]);
            }
            3 | 4 => {
                let report = Report {
                    server: server.0,
                    version: quantum as u32 + 1,
                    sent_quantum: quantum as u32 + 1,
                    load: rng.random_range(0..6),
                    capacity: 4,
                    latency_ns: rng.random_range(1.0..1e7),
                    ..Report::default()
                };
                if view.merge(&report) {
                    index.on_report(server, &view.beliefs[server]);
                }
            }
            5 | 6 if !sent.is_empty() => {
                let (server, sent_ns) = sent.swap_remove(rng.random_range(0..sent.len()));
                view.beliefs[ServerId(server)].own -= 1;
                // One that fails is out for ten seconds under NGINX's rules: longer than this.
                let status = [Some(Status::Ok), Some(Status::Failed), None];
                let status =
                    if seed.is_multiple_of(2) { status[0] } else { status[rng.random_range(0..3)] };
                let belief = view.beliefs[ServerId(server)];
                index.on_answer(ServerId(server), &belief, &Answer { at_ns, sent_ns, status });
            }
            _ => {}
        }
        // Now and then everybody is out.
        if step % 300 == 299 {
            (0..SERVERS).for_each(|server| view.bar(ServerId(server), Reasons::EJECTED));
        }
        let exclude = rng.random_bool(0.3).then(|| ServerId(rng.random_range(0..SERVERS)));
        let freshness = Freshness::new(&setup.ticks, at_ns, setup.silence_ns);
        let candidates = Candidates::new(&view, &freshness, at_ns, exclude).with_key(rng.random());
        let somebody = (0..SERVERS).any(|server| candidates.is_eligible(server, false));
        let choice = index.choose(&candidates, &mut draws);
        chosen.push(choice.map(|server| server.0));
        let Some(server) = choice else { continue };
        assert!(somebody, "{what}, step {step}: nobody is eligible, and {server:?} was chosen");
        assert_ne!(Some(server), exclude, "{what}, step {step}");
        assert!(candidates.is_eligible(server.0, false), "{what}, step {step}: {server:?} is out");
        view.beliefs[server].own += 1;
        let belief = view.beliefs[server];
        index.on_send(server, &belief, at_ns);
        sent.push((server.0, at_ns));
        // No server may fill up for good: a choice that finds room is asked for below.
        if sent.len() > 20 {
            let (server, sent_ns) = sent.remove(0);
            view.beliefs[ServerId(server)].own -= 1;
            let belief = view.beliefs[ServerId(server)];
            let answer = Answer { at_ns, sent_ns, status: Some(Status::Ok) };
            index.on_answer(ServerId(server), &belief, &answer);
        }
    }
    chosen
}

/// Goal: nobody is chosen who is not eligible or excluded, nobody at all when nobody is eligible, and a
/// choice follows from the seed. Method: a node played by hand, twice.
#[test]
fn choices_are_eligible_and_follow_from_the_seed() {
    for policy in policies() {
        for seed in 0..4 {
            let chosen = play(&policy, seed);
            let found = chosen.iter().flatten().count();
            let least = if seed.is_multiple_of(2) { 700 } else { 30 };
            assert!(found > least, "{}: {found} choices of 1500", policy.name());
            assert_eq!(chosen, play(&policy, seed), "{}", policy.name());
        }
    }
}

fn picks(result: &RunResult) -> Vec<u64> {
    result.servers.iter().map(|server| server.picks).collect()
}

/// Goal: in a uniform fleet every policy spreads its requests over all servers; and every request that
/// arrives ends (runs assert conservation). 280 requests a second and server: about 1000 a server.
#[test]
fn a_uniform_fleet_shares_the_load() {
    for policy in policies() {
        let mut scenario = scenario(policy, 10, 2);
        // Half of what it can carry: nobody is turned away.
        scenario.workload.arrivals = Arrivals::Poisson { rate: 2_000.0 };
        // A hundred services: who was slow by chance is tried again within the run.
        scenario.heartbeat.latency_decay_ns = Some(SECOND);
        let result = run(&scenario);
        let what = scenario.policies[0].name();
        let picks = picks(&result);
        let mean = picks.iter().sum::<u64>() as f64 / 10.0;
        let uneven = picks.iter().any(|&picks| !(0.4..2.0).contains(&(picks as f64 / mean)));
        assert!(!uneven, "{what}: {picks:?}");
        let ok = result.total.of(Outcome::Ok) as f64 / result.total.arrived as f64;
        assert!(ok > 0.98, "{what}: {ok} of all requests are served");
    }
}

/// Goal: the number of threads and shards changes no byte.
#[test]
fn threads_and_shards_change_nothing() {
    for policy in policies() {
        let mut scenario = scenario(policy, 7, 4);
        scenario.duration_ns = SECOND;
        scenario.warmup_ns = 100 * MILLISECOND;
        scenario.faults = vec![crash(2..4, false, 300 * MILLISECOND, Some(200 * MILLISECOND))];
        let expected = run(&scenario);
        let what = scenario.policies[0].name();
        for (threads, shards) in [(1, 3), (3, 2), (4, 7)] {
            let options = Options {
                threads,
                shards: Some(shards),
                always_parallel: true,
                ..Options::default()
            };
            let result = run_with(&scenario, 0, options);
            assert!(result == expected, "{what}: {threads} threads, {shards} shards");
        }
    }
}

/// Goal: a server that joins gets traffic, and one that has crashed gets none once that is known.
#[test]
fn servers_that_come_are_used_and_those_that_go_are_not() {
    for policy in policies() {
        let mut scenario = scenario(policy, 10, 2);
        scenario.workload.arrivals = Arrivals::Poisson { rate: 2_000.0 };
        let group = ServerGroup { count: 2, ..scenario.servers[0].clone() };
        scenario.faults = vec![
            Fault { at_ns: SECOND, for_ns: None, kind: FaultKind::Add { group } },
            crash(3..5, false, SECOND, None),
        ];
        scenario.warmup_ns = 2 * SECOND;
        let picks = picks(&run(&scenario));
        let what = scenario.policies[0].name();
        assert!(picks[10..].iter().all(|&picks| picks > 0), "{what}: newcomers get {picks:?}");
        assert_eq!(picks[3] + picks[4], 0, "{what}: the dead get {picks:?}");
    }
}
