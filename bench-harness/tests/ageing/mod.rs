//! Random conduct of servers: disciplines, shedding, and everything that ages.

use sim_core::config::*;
use sim_core::law::ServiceLaw;
use sim_core::result::ServerResult;
use sim_core::rng::{Purpose, RngExt, Stream, stream};
use sim_core::simulation::Options;

use super::random_case;

/// Groups that serve otherwise than first in, first out at one speed, in about half of the cases.
/// Draws from a stream of its own.
pub fn add(scenario: &mut Scenario) {
    let mut rng = stream(scenario.seed, 2, Purpose::Policy, 0);
    if rng.random_bool(0.5) {
        return;
    }
    // Times on the ticks make events of every kind coincide.
    let tick_ns = scenario.engine.tick_ns;
    let is_round = rng.random_bool(0.4);
    let mut groups: Vec<&mut ServerGroup> = scenario.servers.iter_mut().collect();
    for fault in &mut scenario.faults {
        if let FaultKind::Add { group } = &mut fault.kind {
            groups.push(group);
        }
    }
    for group in groups {
        if rng.random_bool(0.8) {
            let service_ns = group.service.mean_ns() / group.speed;
            let mut time = Time { tick_ns, is_round, service_ns };
            group.conduct = random_conduct(&mut rng, &mut time);
        }
    }
}

/// Times that matter: from a tenth of a service to a hundred of them.
struct Time {
    tick_ns: u64,
    is_round: bool,
    service_ns: f64,
}

impl Time {
    fn draw(&self, rng: &mut Stream) -> u64 {
        let services = [0.1, 1.0, 3.0, 10.0, 100.0][rng.random_range(0..5)];
        let ns = (services * self.service_ns * rng.random_range(0.5..2.0)) as u64;
        let unit_ns = if self.is_round { self.tick_ns } else { 1 };
        ns.next_multiple_of(unit_ns).max(unit_ns)
    }
}

fn random_conduct(rng: &mut Stream, time: &mut Time) -> Conduct {
    let discipline =
        [Discipline::Fifo, Discipline::Fifo, Discipline::Lifo, Discipline::ProcessorSharing]
            [rng.random_range(0..4)];
    Conduct {
        discipline,
        shed: random_shedding(rng, time, discipline),
        antagonist: rng.random_bool(0.4).then(|| Antagonist {
            factor: [1.0, 2.0, 3.7, 50.0][rng.random_range(0..4)],
            normal_ns: time.draw(rng),
            slow_ns: time.draw(rng),
        }),
        cold_start: rng.random_bool(0.4).then(|| ColdStart {
            factor: [1.0, 2.0, 7.3][rng.random_range(0..3)],
            decay_ns: time.draw(rng),
        }),
        pauses: rng.random_bool(0.4).then(|| Pauses {
            rate: (1e9 / time.draw(rng) as f64).min(1e6),
            length: random_length(rng, time),
        }),
        slowdown: rng.random_bool(0.4).then(|| Crowding {
            knee: rng.random_range(0..8),
            slope: [0.05, 0.5, 3.0][rng.random_range(0..3)],
        }),
    }
}

fn random_shedding(rng: &mut Stream, time: &mut Time, discipline: Discipline) -> Shedding {
    if discipline == Discipline::ProcessorSharing {
        return Shedding::default();
    }
    let target_ns = time.draw(rng);
    let adaptive = if rng.random_bool(0.5) {
        AdaptiveLifo::Above(rng.random_range(0..6))
    } else {
        AdaptiveLifo::After(time.draw(rng))
    };
    Shedding {
        queue_timeout_ns: rng.random_bool(0.4).then(|| time.draw(rng)),
        codel: rng
            .random_bool(0.4)
            .then(|| CoDel { target_ns, interval_ns: target_ns + time.draw(rng) }),
        adaptive_lifo: (discipline == Discipline::Fifo && rng.random_bool(0.4)).then_some(adaptive),
    }
}

fn random_length(rng: &mut Stream, time: &mut Time) -> ServiceLaw {
    let mean_ns = time.draw(rng) as f64;
    match rng.random_range(0..3) {
        0 => ServiceLaw::Constant { mean_ns },
        1 => ServiceLaw::Lognormal { mean_ns, cv: 2.0 },
        _ => ServiceLaw::Exponential { mean_ns },
    }
}

/// Goal: what does not come up in the random cases is not compared. Method: count the cases in which
/// each kind of conduct is asked for, and those in which it showed.
#[test]
fn random_cases_age_in_every_way() {
    let mut asked = std::collections::BTreeMap::<&str, u32>::new();
    let (mut shed, mut slowed, mut paused) = (0, 0, 0);
    for case in (0..100).map(random_case) {
        let mut names = std::collections::BTreeSet::new();
        for Conduct { discipline, shed, antagonist, cold_start, pauses, slowdown } in
            case.scenario.all_groups().map(|group| group.conduct.clone())
        {
            names.extend((discipline == Discipline::Lifo).then_some("lifo"));
            names.extend((discipline == Discipline::ProcessorSharing).then_some("shared"));
            names.extend(shed.queue_timeout_ns.map(|_| "queue_timeout"));
            names.extend(shed.codel.map(|_| "codel"));
            names.extend(shed.adaptive_lifo.map(|when| match when {
                AdaptiveLifo::Above(_) => "above",
                AdaptiveLifo::After(_) => "after",
            }));
            names.extend(antagonist.map(|_| "antagonist"));
            names.extend(cold_start.map(|_| "cold_start"));
            names.extend(pauses.map(|_| "pauses"));
            names.extend(slowdown.map(|_| "slowdown"));
        }
        for &name in &names {
            *asked.entry(name).or_default() += 1;
        }
        if !names.is_empty() {
            let servers = case.windowed(Options::default()).servers;
            let any = |found: &dyn Fn(&ServerResult) -> bool| u32::from(servers.iter().any(found));
            shed += any(&|server| server.shed > 0);
            slowed += any(&|server| server.slowed_ns > 0);
            paused += any(&|server| server.paused_ns > 0);
        }
    }
    assert_eq!(asked.len(), 10, "{asked:?}");
    assert!(asked.values().all(|&cases| cases >= 5), "{asked:?}");
    assert!(shed >= 12 && slowed >= 20 && paused >= 20, "{shed}, {slowed}, {paused}: {asked:?}");
}
