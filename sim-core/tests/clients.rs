//! Clients that do more than wait: closed loops against queueing theory, metastable overload with its
//! controls, budgets, and what hedges and cancellations leave behind.

mod common;

use common::{HOP_NS, RANDOM, SERVICE_NS, TWO_CHOICES, fleet, queue, run, run_with};
use sim_core::config::{
    Arrivals, Avoid, Backoff, ClientsConfig, ClosedLoop, Hedge, HedgeAfter, Retries,
    RetryConcurrency, RetryOn, Scenario,
};
use sim_core::law::ServiceLaw;
use sim_core::result::{Outcome, RunResult};
use sim_core::rng::{Purpose, RngExt, stream};
use sim_core::simulation::Options;
use sim_core::stats::mean_interval;
use sim_core::time::{MILLISECOND, Nanos, SECOND, seconds};

/// `clients` in a closed loop before one server with `capacity` slots; `think` is their mean thought.
fn closed(clients: u32, capacity: u32, think: ServiceLaw) -> Scenario {
    let mut scenario = queue(
        RANDOM,
        (1, capacity),
        ServiceLaw::Exponential { mean_ns: SERVICE_NS },
        f64::from(capacity),
        20_000.0,
    );
    scenario.workload.arrivals = Arrivals::Nothing;
    scenario.workload.clients.closed_loop = Some(ClosedLoop { clients, think });
    assert_eq!(scenario.validate(), Ok(()));
    scenario
}

fn window_s(scenario: &Scenario) -> f64 {
    seconds(scenario.duration_ns - scenario.warmup_ns)
}

/// Answers a second, of requests that arrived in the window.
fn throughput(scenario: &Scenario, result: &RunResult) -> f64 {
    result.measured.of(Outcome::Ok) as f64 / window_s(scenario)
}

fn mean_latency_s(result: &RunResult) -> f64 {
    result.latency_sum_ns as f64 / 1e9 / result.measured.of(Outcome::Ok) as f64
}

/// The machine repairman: N clients that think Z, c slots, services of mean S. The number at the server
/// is k with a probability in proportion to N! / (N - k)! (S / Z)^k / prod min(i, c). What clients think
/// may have any law, so the constant delays of the network are part of it (BCMP 1975). Returns the
/// throughput in services of mean S.
fn repairman(clients: u32, slots: u32, think: f64) -> f64 {
    let mut weights = vec![1.0];
    for k in 1..=clients {
        let last = weights[k as usize - 1];
        weights.push(last * f64::from(clients - k + 1) / think / f64::from(k.min(slots)));
    }
    let total: f64 = weights.iter().sum();
    (0..).zip(&weights).map(|(k, weight)| f64::from(u32::min(k, slots)) * weight / total).sum()
}

/// Goal: a closed loop is one, at any load. Method: throughput and sojourn of M/M/c//N and M/G/c//N
/// within the 99 % interval of 20 replications, and that narrow.
#[test]
fn closed_loop_is_the_machine_repairman() {
    for (clients, slots, think) in [
        (3, 1, ServiceLaw::Exponential { mean_ns: 4.0 * SERVICE_NS }),
        (10, 2, ServiceLaw::Exponential { mean_ns: 5.0 * SERVICE_NS }),
        (30, 4, ServiceLaw::Exponential { mean_ns: 4.0 * SERVICE_NS }),
        (10, 2, ServiceLaw::Constant { mean_ns: 5.0 * SERVICE_NS }),
        (10, 2, ServiceLaw::Hyperexponential { mean_ns: 5.0 * SERVICE_NS, cv: 3.0 }),
    ] {
        let think_services = think.mean_ns() / SERVICE_NS + 2.0 * HOP_NS as f64 / SERVICE_NS;
        let scenario = closed(clients, slots, think.clone());
        let expected = repairman(clients, slots, think_services);
        let per_service = SERVICE_NS / 1e9;
        let runs: Vec<RunResult> =
            (0..20).map(|r| run_with(&scenario, r, Options::default())).collect();
        let rates: Vec<f64> =
            runs.iter().map(|run| throughput(&scenario, run) * per_service).collect();
        let sojourn = f64::from(clients) / expected - think_services;
        let hops = 2.0 * HOP_NS as f64 / SERVICE_NS;
        let sojourns: Vec<f64> =
            runs.iter().map(|run| mean_latency_s(run) / per_service - hops).collect();
        for (values, expected, what) in
            [(rates, expected, "throughput"), (sojourns, sojourn, "sojourn")]
        {
            let interval = mean_interval(&values, 0.99).expect("20 values");
            let (mean, half) = (interval.mean, interval.half_width.expect("20 values"));
            let context = format!(
                "{what} of {clients} clients, {slots} slots, {think:?}: {mean:.5} +- {half:.5}, \
                 theory {expected:.5}"
            );
            assert!(half <= 0.02 * expected, "too wide to tell: {context}");
            assert!((mean - expected).abs() <= half, "{context}");
        }
    }
}

/// The response time law: X = N / (R + Z), whatever the laws, the policy and the fleet.
#[test]
fn closed_loop_keeps_the_response_time_law() {
    let think_ns = 50e6;
    for (clients, policy) in [(20, RANDOM), (400, TWO_CHOICES), (2_000, RANDOM)] {
        let mut scenario = fleet(5, 3, policy);
        scenario.duration_ns = 60 * SECOND;
        scenario.warmup_ns = 5 * SECOND;
        scenario.workload.arrivals = Arrivals::Nothing;
        let think = ServiceLaw::Lognormal { mean_ns: think_ns, cv: 2.0 };
        scenario.workload.clients.closed_loop = Some(ClosedLoop { clients, think });
        let result = run(&scenario);
        let x = throughput(&scenario, &result);
        let expected = f64::from(clients) / (mean_latency_s(&result) + think_ns / 1e9);
        assert!((x / expected - 1.0).abs() < 0.02, "{clients} clients: {x}, not {expected}");
    }
}

/// Goal: both kinds of clients can be there at once. Method: the requests of both together are those of
/// the open loop, which do not depend on anything, and somewhat fewer than those of a closed loop that
/// has the fleet for itself.
#[test]
fn closed_loop_stands_beside_the_open_one() {
    let alone = fleet(5, 3, RANDOM);
    let mut both = alone.clone();
    let think = ServiceLaw::Exponential { mean_ns: 50e6 };
    both.workload.clients.closed_loop = Some(ClosedLoop { clients: 30, think });
    let mut closed = both.clone();
    closed.workload.arrivals = Arrivals::Nothing;
    let arrived = |scenario: &Scenario| run(scenario).total.arrived;
    let (open, loops, sum) = (arrived(&alone), arrived(&closed), arrived(&both));
    let more = sum - open;
    assert!(loops > 1_000 && more > 1_000, "{loops} {more}");
    assert!(more < loops && 10 * more > 6 * loops, "{sum} of {open} and at most {loops}");
}

/// A scenario of the project.
fn scenario(name: &str, set: &[(&str, &str)]) -> Scenario {
    let path = format!("{}/../data/scenarios/{name}.toml", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(path).expect("a scenario");
    let set: Vec<(String, String)> =
        set.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    Scenario::parse(&text, &set, &|_| Err("no file".into())).expect("a sound scenario")
}

fn success(scenario: &Scenario) -> f64 {
    let measured = run(scenario).measured;
    measured.of(Outcome::Ok) as f64 / measured.arrived as f64
}

/// Goal: the overload is metastable: the burst begins it, the retries keep it up, a budget ends it, and
/// to tell the servers helps. Method: the same scenario with one thing changed at a time.
#[test]
fn retries_keep_a_fleet_down_and_a_budget_lets_it_up() {
    let name = "metastable-retries";
    let down = success(&scenario(name, &[]));
    assert!(down < 0.4, "{down}");
    let controls = [
        ("no burst", vec![("workload.arrivals.burst.peak", "\"70%\"")]),
        ("no retries", vec![("workload.retries.max", "0")]),
        ("a budget", vec![("workload.retries.budget", "0.2")]),
        ("a budget of requests", vec![("workload.retries.concurrency", "{ share = 0.2 }")]),
    ];
    for (control, set) in controls {
        let up = success(&scenario(name, &set));
        assert!(up > 0.99, "{control}: {up}");
    }
    let told = success(&scenario(name, &[("workload.cancel_on_timeout", "true")]));
    assert!(told > 0.6, "{told}");
}

/// Goal: a hedge helps against slow servers, at the price of a few attempts. Method: the scenario with
/// and without hedges.
#[test]
fn hedges_cut_the_tail_that_pauses_make() {
    let p999 = |result: &RunResult| result.latency.quantile_ns(0.999).expect("answers");
    let hedged = run(&scenario("hedging", &[]));
    let plain = run(&scenario("hedging", &[("workload.hedge.budget", "0")]));
    assert!(2 * p999(&hedged) < p999(&plain), "{} {}", p999(&hedged), p999(&plain));
    let sent: u64 = hedged.nodes.iter().map(|node| node.dispatched).sum();
    assert!(sent * 100 < hedged.total.arrived * 106, "{sent}");
    let cancelled: u64 = hedged.servers.iter().map(|server| server.cancelled).sum();
    let told: u64 = hedged.nodes.iter().map(|node| node.efforts.cancels).sum();
    assert!(cancelled * 10 > told * 9 && cancelled <= told, "{cancelled} of {told}");
}

/// Goal: backoff waits as its formula says. Method: many draws at each retry.
#[test]
fn backoff_doubles_up_to_its_maximum_and_is_spread_by_jitter() {
    let mut draws = stream(1, 0, Purpose::Backoff, 0);
    for jitter in [0.0, 0.5, 1.0] {
        let backoff = Backoff { base_ns: 1_000_000, max_ns: 5_000_000, jitter };
        for (k, longest_ns) in [(0, 1e6), (1, 2e6), (2, 4e6), (3, 5e6), (70, 5e6)] {
            let waits: Vec<f64> =
                (0..4_000).map(|_| backoff.wait_ns(k, &mut draws) as f64).collect();
            let mean = waits.iter().sum::<f64>() / waits.len() as f64;
            let theory = longest_ns * (1.0 - jitter / 2.0);
            // A uniform law's standard error, four times.
            let error = 4.0 * longest_ns * jitter / 12.0_f64.sqrt() / 4_000.0_f64.sqrt();
            assert!((mean - theory).abs() <= error.max(1.0), "{k} {jitter}: {mean} {theory}");
            let least = longest_ns * (1.0 - jitter);
            assert!(waits.iter().all(|&wait| (least..=longest_ns).contains(&wait) && wait >= 1.0));
        }
    }
}

/// Clients drawn from a seed that do all they can.
fn busy(seed: u64) -> Scenario {
    let mut rng = stream(seed, 0, Purpose::Backoff, 1);
    let mut scenario = fleet(rng.random_range(2..6), rng.random_range(1..4), TWO_CHOICES);
    scenario.name = format!("busy-{seed}");
    scenario.seed = seed;
    scenario.duration_ns = 2 * SECOND;
    scenario.warmup_ns = 200 * MILLISECOND;
    scenario.drain_ns = [0, 10 * SECOND][rng.random_range(0..2)];
    scenario.servers[0].backlog = [None, Some(3)][rng.random_range(0..2)];
    let rate = f64::from(scenario.servers[0].count) * 400.0 * rng.random_range(0.3..1.5);
    scenario.workload.arrivals = Arrivals::Poisson { rate };
    scenario.workload.timeout_ns = [None, Some(80 * MILLISECOND)][rng.random_range(0..2)];
    scenario.workload.retries = Retries {
        max: rng.random_range(0..4),
        budget_ppm: [100_000, 1_000_000][seed as usize % 2],
    };
    scenario.workload.clients = ClientsConfig {
        retry_on: RetryOn { timed_out: true, ..RetryOn::default() },
        avoid: [Avoid::Nobody, Avoid::Last, Avoid::Tried][rng.random_range(0..3)],
        backoff: rng.random_bool(0.5).then_some(Backoff {
            base_ns: 5 * MILLISECOND,
            max_ns: 50 * MILLISECOND,
            jitter: 1.0,
        }),
        attempt_timeout_ns: Some(rng.random_range(5..60) * MILLISECOND),
        budget_min_per_s: [0.0, 5.0][rng.random_range(0..2)],
        concurrency: rng
            .random_bool(0.3)
            .then_some(RetryConcurrency { share_ppm: 100_000, min: 2 }),
        hedge: rng.random_bool(0.7).then_some(Hedge {
            after: HedgeAfter::Delay(rng.random_range(1..30) * MILLISECOND),
            max: rng.random_range(1..4),
            budget_ppm: 50_000,
            budget_min_per_s: 2.0,
            cancel: rng.random_bool(0.7),
        }),
        cancel_on_timeout: rng.random_bool(0.5),
        closed_loop: rng.random_bool(0.5).then_some(ClosedLoop {
            clients: 20,
            think: ServiceLaw::Exponential { mean_ns: 30e6 },
        }),
    };
    assert_eq!(scenario.validate(), Ok(()));
    scenario
}

/// Goal: each request ends once, each attempt is accounted for, and no budget is overspent, whatever
/// clients do. Method: random clients; the books from outside the engine.
#[test]
fn busy_clients_keep_their_books_and_their_budgets() {
    let (mut hedges, mut cancelled, mut denied) = (0, 0, 0);
    for seed in 0..60 {
        let scenario = busy(seed);
        let clients = &scenario.workload.clients;
        let result = run(&scenario);
        let what = &scenario.name;
        assert!(result.total.is_conserved() && result.measured.is_conserved(), "{what}");
        assert!(result.servers.iter().all(sim_core::result::ServerResult::is_conserved), "{what}");
        let end_s = seconds(result.end_ns as Nanos);
        let allowed = |share_ppm: u32, min: f64, requests: u64| {
            let reserve = if min > 0.0 { (10.0 * min).max(1.0) + min * end_s } else { 0.0 };
            10.0 + f64::from(share_ppm) / 1e6 * requests as f64 + reserve
        };
        for node in &result.nodes {
            let efforts = &node.efforts;
            let sent = node.total.arrived - node.total.of(Outcome::Rejected);
            assert_eq!(node.dispatched, sent + node.retried + efforts.hedges, "{what}");
            assert_eq!(node.retried, efforts.retried_for.iter().sum::<u64>(), "{what}");
            assert!(efforts.hedges_won <= efforts.hedges, "{what}");
            let most = node.total.arrived * u64::from(scenario.workload.retries.max);
            assert!(node.retried <= most, "{what}");
            let share = scenario.workload.retries.budget_ppm;
            let retries = allowed(share, clients.budget_min_per_s, node.total.arrived);
            assert!(node.retried as f64 <= retries, "{what}: {} of {retries}", node.retried);
            if let Some(hedge) = &clients.hedge {
                let most = allowed(hedge.budget_ppm, hedge.budget_min_per_s, node.total.arrived);
                assert!(efforts.hedges as f64 <= most, "{what}: {} of {most}", efforts.hedges);
            }
            hedges += efforts.hedges;
            denied += efforts.hedges_denied + node.retries_denied;
        }
        let told: u64 = result.nodes.iter().map(|node| node.efforts.cancels).sum();
        let dropped: u64 = result.servers.iter().map(|server| server.cancelled).sum();
        assert!(dropped <= told, "{what}: {dropped} of {told}");
        let busy: u128 = result.servers.iter().map(|server| server.busy_ns).sum();
        let wasted: u128 = result.nodes.iter().map(|node| node.efforts.wasted_ns).sum();
        assert!(wasted <= busy, "{what}: {wasted} of {busy}");
        cancelled += dropped;
    }
    assert!(hedges > 1_000 && cancelled > 1_000 && denied > 1_000, "{hedges} {cancelled} {denied}");
}
