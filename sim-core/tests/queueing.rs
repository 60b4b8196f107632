//! The engine against queueing theory, over the ordinary path of a scenario.
//!
//! Method: 20 independent replications under fixed seeds; the theory's value must lie in their 99 %
//! Student-t interval, and the interval must be narrow enough to mean something. So an honest check
//! misses with probability 1 % under a seed chosen afresh; with the seeds fixed here a miss is a
//! change of the model. There are 27 checks here.
//!
//! A constant one-way delay moves every arrival at the servers by the same time, so a Poisson stream
//! stays one and the latency is the sojourn time plus exactly two delays, which are subtracted.
//! What bias remains: runs start empty and drop their first tenth, at least 20 relaxation times;
//! service times are rounded to whole ns (1e-7 of a service).

mod common;

use common::theory::{Claim, busy_slots, check, sojourn, sojourn_p99, wait};
use common::{EXPONENTIAL, RANDOM, ROUND_ROBIN, SERVICE_NS, queue};
use sim_core::law::ServiceLaw;
use sim_core::result::{Outcome, RunResult};

fn blocked(result: &RunResult) -> f64 {
    result.measured.of(Outcome::Refused) as f64 / result.measured.arrived as f64
}

/// Erlang's loss formula: the share of requests that find all `slots` busy under `load` Erlangs.
fn erlang_b(slots: u32, load: f64) -> f64 {
    (1..=slots).fold(1.0, |b, k| load * b / (f64::from(k) + load * b))
}

/// M/M/1: the sojourn time is exponential with mean 1 / (1 - rho).
#[test]
fn one_slot_keeps_the_law_of_mm1() {
    for (load, requests, precision) in [(0.5, 60_000.0, 0.02), (0.8, 150_000.0, 0.03)] {
        let scenario = queue(RANDOM, (1, 1), EXPONENTIAL, load, requests);
        let busy = busy_slots(&scenario);
        let mean = 1.0 / (1.0 - load);
        let claims = [
            Claim { what: "sojourn", measure: &sojourn, theory: mean, precision },
            Claim { what: "wait", measure: &wait, theory: mean - 1.0, precision: 2.0 * precision },
            Claim { what: "busy", measure: &busy, theory: load, precision: 0.01 },
            // A tail of e^(-t (1 - rho)) is 1 % at ln 100 means.
            Claim {
                what: "p99",
                measure: &sojourn_p99,
                theory: mean * libm::log(100.0),
                precision: 0.05,
            },
        ];
        check(&scenario, &format!("M/M/1 at {load}"), &claims);
    }
}

/// M/M/4: the mean wait is C / (slots - load), with Erlang's C = B / (1 - rho (1 - B)).
#[test]
fn four_slots_keep_the_law_of_mmc() {
    let scenario = queue(RANDOM, (1, 4), EXPONENTIAL, 3.2, 120_000.0);
    let b = erlang_b(4, 3.2);
    let expected = b / (1.0 - 0.8 * (1.0 - b)) / (4.0 - 3.2);
    let claims = [
        Claim { what: "sojourn", measure: &sojourn, theory: 1.0 + expected, precision: 0.02 },
        Claim { what: "wait", measure: &wait, theory: expected, precision: 0.05 },
    ];
    check(&scenario, "M/M/4 at 0.8", &claims);
}

/// M/G/1: Pollaczek and Khinchine's mean wait, rho (1 + cv^2) / (2 (1 - rho)).
#[test]
fn waits_grow_with_the_variance_of_services() {
    let lognormal = ServiceLaw::Lognormal { mean_ns: SERVICE_NS, cv: 1.5 };
    for (law, square_of_cv) in
        [(ServiceLaw::Constant { mean_ns: SERVICE_NS }, 0.0), (lognormal, 2.25)]
    {
        let scenario = queue(RANDOM, (1, 1), law, 0.6, 120_000.0);
        let theory = 0.6 * (1.0 + square_of_cv) / (2.0 * (1.0 - 0.6));
        let claims = [Claim { what: "wait", measure: &wait, theory, precision: 0.05 }];
        check(&scenario, &format!("M/G/1, cv^2 {square_of_cv}"), &claims);
    }
}

/// M/G/c/c: Erlang's B, whatever the law of services (Sevastyanov's insensitivity), and nobody who
/// is let in waits.
#[test]
fn blocking_depends_on_the_mean_service_alone() {
    let laws = [
        ("constant", ServiceLaw::Constant { mean_ns: SERVICE_NS }),
        ("exponential", EXPONENTIAL),
        ("lognormal", ServiceLaw::Lognormal { mean_ns: SERVICE_NS, cv: 2.0 }),
    ];
    for (name, law) in laws {
        for (slots, load) in [(4, 4.0), (8, 4.0)] {
            let mut scenario = queue(RANDOM, (1, slots), law.clone(), load, 60_000.0);
            scenario.servers[0].backlog = Some(0);
            let busy = busy_slots(&scenario);
            let b = erlang_b(slots, load);
            let claims = [
                Claim { what: "blocked", measure: &blocked, theory: b, precision: 0.05 },
                Claim { what: "busy", measure: &busy, theory: load * (1.0 - b), precision: 0.01 },
            ];
            check(&scenario, &format!("{slots} slots, {load} Erlangs, {name}"), &claims);
        }
    }
}

/// A random split of a Poisson stream gives independent Poisson streams: n times M/M/1, also when
/// several nodes split.
#[test]
fn random_choice_makes_every_server_an_mm1() {
    let mut scenario = queue(RANDOM, (5, 1), EXPONENTIAL, 0.7, 300_000.0);
    scenario.nodes.count = 3;
    let theory = 1.0 / (1.0 - 0.7);
    let claims = [Claim { what: "sojourn", measure: &sojourn, theory, precision: 0.02 }];
    check(&scenario, "5 servers, random", &claims);
}

/// One node in strict turns gives every server Erlang-n arrivals. Sojourn times in `E_n/M/1` are
/// exponential with mean 1 / (1 - sigma), sigma = (n rho / (n rho + 1 - sigma))^n.
#[test]
fn round_robin_makes_every_server_an_erlang_queue() {
    for (servers, load) in [(4_u32, 0.8), (8, 0.7)] {
        let scenario = queue(ROUND_ROBIN, (servers, 1), EXPONENTIAL, load, 300_000.0);
        let n = f64::from(servers);
        // The map contracts towards its root below 1 from every start below 1.
        let sigma =
            (0..10_000).fold(0.5, |sigma, _| libm::pow(n * load / (n * load + 1.0 - sigma), n));
        let theory = 1.0 / (1.0 - sigma);
        let claims = [Claim { what: "sojourn", measure: &sojourn, theory, precision: 0.02 }];
        check(&scenario, &format!("round robin over {servers} at {load}"), &claims);
    }
}
