//! Servers that serve otherwise than first in, first out at one speed, against queueing theory.
//!
//! The method is that of `queueing.rs`: the theory's value lies in the 99 % interval of 20 seeded
//! replications, and the interval is narrow.

mod common;

use common::theory::{Claim, busy_slots, check, sojourn, wait};
use common::{EXPONENTIAL, HOP_NS, RANDOM, SERVICE_NS, queue, run};
use sim_core::config::{
    AdaptiveLifo, Antagonist, CoDel, ColdStart, Conduct, Crowding, Discipline, Pauses, Scenario,
    Shedding,
};
use sim_core::law::ServiceLaw;
use sim_core::result::{Outcome, RunResult};

/// One server of `slots` under a conduct, at `load` Erlangs.
fn server(slots: u32, service: ServiceLaw, load: f64, requests: f64, conduct: Conduct) -> Scenario {
    let mut scenario = queue(RANDOM, (1, slots), service, load, requests);
    scenario.servers[0].conduct = conduct;
    scenario
}

fn of(discipline: Discipline) -> Conduct {
    Conduct { discipline, ..Conduct::default() }
}

/// A length of so many services [ns].
fn services(count: f64) -> u64 {
    (count * SERVICE_NS) as u64
}

/// Mean square of the sojourn time [services^2].
fn sojourn_square(result: &RunResult) -> f64 {
    let histogram = result.latency.to_histogram();
    let squares = histogram.iter_recorded().map(|step| {
        let sojourn = (step.value_iterated_to() as f64 - 2.0 * HOP_NS as f64) / SERVICE_NS;
        sojourn * sojourn * step.count_since_last_iteration() as f64
    });
    squares.sum::<f64>() / histogram.len() as f64
}

/// M/G/1 with processor sharing: the mean sojourn time is 1 / (1 - rho) whatever the law of service,
/// where a queue in order of arrival would have it depend on the spread. The service that is counted
/// is the work done, and the slot is in use for rho of the time.
#[test]
fn sharing_is_insensitive_to_the_law_of_service() {
    let load = 0.7;
    let mean = 1.0 / (1.0 - load);
    let spread = ServiceLaw::Hyperexponential { mean_ns: SERVICE_NS, cv: 2.0 };
    let even = ServiceLaw::Constant { mean_ns: SERVICE_NS };
    for (name, service, requests) in [
        ("even", even, 40_000.0),
        ("spread", spread, 120_000.0),
        ("exponential", EXPONENTIAL, 80_000.0),
    ] {
        let scenario = server(1, service, load, requests, of(Discipline::ProcessorSharing));
        let busy = busy_slots(&scenario);
        let claims = [
            Claim { what: "sojourn", measure: &sojourn, theory: mean, precision: 0.04 },
            Claim { what: "wait", measure: &wait, theory: mean - 1.0, precision: 0.06 },
            Claim { what: "busy", measure: &busy, theory: load, precision: 0.02 },
        ];
        check(&scenario, &format!("M/G/1 shared, {name}"), &claims);
    }
}

/// Four slots that are shared serve as many at a time as four that are not, so with exponential
/// services the mean is that of M/M/4: 1 + C / (slots - load).
#[test]
fn shared_slots_keep_the_mean_of_mmc() {
    let scenario = server(4, EXPONENTIAL, 3.2, 120_000.0, of(Discipline::ProcessorSharing));
    let b = (1..=4).fold(1.0, |b, k| 3.2 * b / (f64::from(k) + 3.2 * b));
    let expected = b / (1.0 - 0.8 * (1.0 - b)) / (4.0 - 3.2);
    let busy = busy_slots(&scenario);
    let claims = [
        Claim { what: "sojourn", measure: &sojourn, theory: 1.0 + expected, precision: 0.03 },
        Claim { what: "wait", measure: &wait, theory: expected, precision: 0.06 },
        Claim { what: "busy", measure: &busy, theory: 3.2, precision: 0.01 },
    ];
    check(&scenario, "M/M/4 shared", &claims);
}

/// M/M/1 served last in, first out: the mean of the wait is the same, its mean square is larger by
/// 1 / (1 - rho) (Kleinrock 1976, 3.4); wait and service are independent.
#[test]
fn last_in_first_out_keeps_the_mean_and_spreads_the_wait() {
    let load: f64 = 0.6;
    let mean_wait = load / (1.0 - load);
    let square = |of_wait: f64| of_wait + 2.0 * mean_wait + 2.0;
    let first = 2.0 * load / (1.0 - load).powi(2);
    for (discipline, of_wait) in
        [(Discipline::Fifo, first), (Discipline::Lifo, first / (1.0 - load))]
    {
        let scenario = server(1, EXPONENTIAL, load, 120_000.0, of(discipline));
        let claims = [
            Claim { what: "sojourn", measure: &sojourn, theory: 1.0 + mean_wait, precision: 0.02 },
            Claim {
                what: "square",
                measure: &sojourn_square,
                theory: square(of_wait),
                precision: 0.08,
            },
        ];
        check(&scenario, &format!("M/M/1 {discipline:?}"), &claims);
    }
}

/// M/M/1 whose server stops at rate f, idle or not, for exponential times of mean 1 / r, with the work
/// in progress standing still (White and Christie 1958): with u = (f + r) / r,
/// T = (u + f load / r^2) / (1 - load u) + f / (r (f + r)).
#[test]
fn pauses_keep_the_law_of_a_queue_with_breakdowns() {
    let (load, f, r) = (0.5, 0.1, 0.5);
    let u = (f + r) / r;
    let mean = (u + f * load / (r * r)) / (1.0 - load * u) + f / (r * (f + r));
    let length = ServiceLaw::Exponential { mean_ns: SERVICE_NS / r };
    let pauses = Conduct {
        pauses: Some(Pauses { rate: f * 1e9 / SERVICE_NS, length }),
        ..Conduct::default()
    };
    // So slow that hardly anything is done is the same as standing still.
    let antagonist = Conduct {
        antagonist: Some(Antagonist {
            factor: 1e6,
            normal_ns: services(1.0 / f),
            slow_ns: services(1.0 / r),
        }),
        ..Conduct::default()
    };
    for (name, conduct) in [("pauses", pauses), ("antagonist", antagonist)] {
        let scenario = server(1, EXPONENTIAL, load, 120_000.0, conduct);
        let window_ns = (scenario.duration_ns - scenario.warmup_ns) as f64;
        let away = |result: &RunResult| {
            let server = &result.servers[0];
            (server.paused_ns + server.slowed_ns) as f64 / window_ns
        };
        let claims = [
            Claim { what: "sojourn", measure: &sojourn, theory: mean, precision: 0.03 },
            Claim { what: "away", measure: &away, theory: f / (f + r), precision: 0.02 },
        ];
        check(&scenario, name, &claims);
    }
}

/// M/M/1 at speeds that fall with the number in the server is a birth-and-death chain, and with room
/// for ten its states can be summed.
#[test]
fn crowding_keeps_the_law_of_its_chain() {
    let (load, slope, room) = (0.6, 0.15, 10_u32);
    let conduct = Conduct { slowdown: Some(Crowding { knee: 2, slope }), ..Conduct::default() };
    let mut scenario = server(1, EXPONENTIAL, load, 120_000.0, conduct);
    scenario.servers[0].backlog = Some(room - 1);
    let mut weight = 1.0;
    let weights: Vec<f64> = (0..=room)
        .map(|n| {
            if n > 0 {
                weight *= load * (1.0 + slope * f64::from(n.saturating_sub(2)));
            }
            weight
        })
        .collect();
    let all: f64 = weights.iter().sum();
    let full = weights[room as usize] / all;
    let number: f64 = (0..=room).zip(&weights).map(|(n, weight)| f64::from(n) * weight / all).sum();
    let refused = |result: &RunResult| {
        result.measured.of(Outcome::Refused) as f64 / result.measured.arrived as f64
    };
    let claims = [
        Claim {
            what: "sojourn",
            measure: &sojourn,
            theory: number / (load * (1.0 - full)),
            precision: 0.03,
        },
        Claim { what: "refused", measure: &refused, theory: full, precision: 0.1 },
    ];
    check(&scenario, "M/M/1/10 with crowding", &claims);
}

/// M/M/1 whose requests leave after waiting for t (Barrer 1957): with e = exp(-t (1 - rho)), the share
/// that does is (1 - rho) rho e / (1 - rho^2 e).
#[test]
fn a_queue_timeout_keeps_the_law_of_impatience() {
    let (load, longest): (f64, f64) = (0.9, 3.0);
    let shed = Shedding { queue_timeout_ns: Some(services(longest)), ..Shedding::default() };
    let scenario = server(1, EXPONENTIAL, load, 60_000.0, Conduct { shed, ..Conduct::default() });
    let e = libm::exp(-longest * (1.0 - load));
    let theory = (1.0 - load) * load * e / (1.0 - load * load * e);
    let refused = |result: &RunResult| {
        result.measured.of(Outcome::Refused) as f64 / result.measured.arrived as f64
    };
    let shed = |result: &RunResult| {
        let server = &result.servers[0];
        assert_eq!(server.refused, 0, "the queue has no bound");
        server.shed as f64 / server.admitted as f64
    };
    let claims = [
        Claim { what: "refused", measure: &refused, theory, precision: 0.03 },
        Claim { what: "shed", measure: &shed, theory, precision: 0.03 },
    ];
    check(&scenario, "M/M/1 with impatience", &claims);
}

/// Goal: what does nothing changes nothing, though the kernel works another way. Method: an antagonist
/// that takes no speed, a clock of work that never changes, shedding that never sheds.
#[test]
fn conduct_without_effect_is_a_plain_queue() {
    let plain = run(&server(3, EXPONENTIAL, 2.4, 20_000.0, Conduct::default()));
    let hour_ns = 3_600_000_000_000;
    let antagonist = Antagonist { factor: 1.0, normal_ns: services(1.0), slow_ns: services(1.0) };
    let conducts = [
        Conduct { antagonist: Some(antagonist), ..Conduct::default() },
        Conduct { slowdown: Some(Crowding { knee: u32::MAX, slope: 1.0 }), ..Conduct::default() },
        Conduct {
            cold_start: Some(ColdStart { factor: 1.0, decay_ns: 1 }),
            shed: Shedding {
                queue_timeout_ns: Some(hour_ns),
                codel: Some(CoDel { target_ns: hour_ns, interval_ns: 2 * hour_ns }),
                adaptive_lifo: Some(AdaptiveLifo::Above(u32::MAX)),
            },
            ..Conduct::default()
        },
    ];
    for conduct in conducts {
        let mut result = run(&server(3, EXPONENTIAL, 2.4, 20_000.0, conduct.clone()));
        let slowed_ns = std::mem::take(&mut result.servers[0].slowed_ns);
        assert_eq!(slowed_ns > 0, conduct.antagonist.is_some());
        assert!(result == plain, "{conduct:?}");
    }
}
