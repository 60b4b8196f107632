//! The shape of Prequal's published results (NSDI 2024), on a fleet like that of the paper: 100 clients, 100
//! replicas that share their machines, each with far less work than its machine could do (its allocation is a
//! share of it). Absolute values are those of a testbed that is not described closely enough; what comes
//! out is which rule is better, and by about how much.

use sim_core::config::Scenario;
use sim_core::result::{Outcome, RunResult};
use sim_core::simulation::{Options, simulate};

/// Replications of each run, with the same random numbers for all policies.
const REPLICATIONS: u32 = 3;

fn scenario(policies: &str, servers: &str, load: &str) -> Scenario {
    let text = format!(
        "name = \"prequal\"\nduration = \"25s\"\nwarmup = \"5s\"\nnodes.count = 100\n{servers}\
         [workload]\narrivals.poisson.rate = \"{load}\"\ntimeout = \"5s\"\n{policies}"
    );
    let scenario = Scenario::parse(&text, &[], &|_| Err(String::new()));
    scenario.unwrap_or_else(|faults| panic!("{faults:#?}"))
}

/// Servers of ten slots that all present requests share, 75 ms of work each.
fn servers(count: u32, speed: &str, more: &str) -> String {
    format!(
        "[[servers]]\ncount = {count}\ncapacity = 10\nbacklog = \"unbounded\"\nspeed = {speed}\n\
         discipline = \"processor_sharing\"\nservice.exponential.mean = \"75ms\"\n{more}"
    )
}

/// The quantiles of latency [ms] over all replications, of who gave up as well: those count as 5 s.
fn quantiles(scenario: &Scenario, policy: usize, shares: [f64; 2]) -> [f64; 2] {
    let runs: Vec<RunResult> = (0..REPLICATIONS)
        .map(|replication| {
            simulate(scenario, policy, replication, Options::default(), &|_| {}).unwrap()
        })
        .collect();
    shares.map(|share| {
        let each = runs.iter().map(|run| {
            let of_ok = share * run.measured.arrived as f64 / run.measured.of(Outcome::Ok) as f64;
            let ns = (of_ok < 1.0).then(|| run.latency.quantile_ns(of_ok)).flatten();
            ns.map_or(5_000.0, |ns| ns as f64 / 1e6)
        });
        each.sum::<f64>() / f64::from(REPLICATIONS)
    })
}

/// Goal: figure 9. Half of the replicas are twice as slow. From requests in flight alone to the hot-cold rule
/// p99 falls (published: 162 to 142 ms, 12 %; p90 93 to 75, 19 %); by latency alone it is worse than both
/// (published: 20 %, and p99.9 swings). Here p99 falls by about 20 % and then rises by more than 40; the bounds
/// are half of that, some ten standard errors of three replications.
#[test]
fn by_latency_alone_the_tail_is_worse_and_hot_and_cold_is_best() {
    let fleet = servers(50, "1.0", "") + &servers(50, "0.5", "");
    let by_quantile = |quantile: &str| {
        let policy = format!("[policy.prequal]\nhot_quantile = {quantile}\n");
        quantiles(&scenario(&policy, &fleet, "40%"), 0, [0.9, 0.99])
    };
    let [in_flight, hot_cold, latency] = ["0.0", "0.84", "1.0"].map(by_quantile);
    assert!(hot_cold[0] < 0.9 * in_flight[0], "p90 {in_flight:?}, {hot_cold:?}");
    assert!(hot_cold[1] < 0.9 * in_flight[1], "p99 {in_flight:?}, {hot_cold:?}");
    assert!(latency[1] > 1.2 * in_flight[1], "p99 {in_flight:?}, by latency alone {latency:?}");
}

/// Goal: the table of selection rules. A third of the time another's work takes two thirds of a replica's
/// machine. At both loads p99 is best under Prequal, then C3; round robin, weighted round robin and the least
/// in flight of two by what a client itself has sent are far worse, the more the higher the load (published at
/// 70 and 90 % of the allocation: 281 and 286 ms under Prequal, 299 and 304 C3, 314 and 1667 weighted round
/// robin, 2642 and 1169 two choices, and timeouts under round robin).
#[test]
fn prequal_leads_the_table_of_rules() {
    let shared = "antagonist = { factor = 3.0, normal = \"20s\", slow = \"10s\" }\n";
    let fleet = servers(100, "1.0", shared);
    let rules = ["prequal_paper", "elasticsearch_c3", "grpc_wrr", "finagle_p2c", "round_robin"];
    let policies: String = rules.map(|rule| format!("[policy.{rule}]\n")).concat();
    let tails = ["35%", "50%"].map(|load| {
        let scenario = scenario(&policies, &fleet, load);
        [0, 1, 2, 3, 4].map(|policy| quantiles(&scenario, policy, [0.5, 0.99])[1])
    });
    for tails in tails {
        let [prequal, c3, weighted, choices, round_robin] = tails;
        assert!(prequal < 0.9 * c3, "{tails:?}");
        assert!(weighted > 1.3 * c3 && choices > 1.3 * c3, "{tails:?}");
        assert!(round_robin >= weighted.max(choices), "{tails:?}");
    }
    let [low, high] = tails;
    assert!(low[4] > 1.2 * low[2].max(low[3]), "{low:?}");
    assert!(high[0] < 1.6 * low[0] && high[2] > 2.0 * low[2], "{low:?} {high:?}");
}
