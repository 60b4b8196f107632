//! Random conduct of servers: disciplines, shedding, and everything that ages.

use sim_core::config::*;
use sim_core::law::ServiceLaw;
use sim_core::rng::{Purpose, RngExt, Stream, stream};

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
