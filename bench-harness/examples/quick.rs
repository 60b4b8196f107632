//! Times both engines once at one size.
use bench_harness::{fleet, reference};
use sim_core::simulation::{Options, simulate};
#[expect(clippy::disallowed_types, reason = "a timing")]
use std::time::Instant;

#[expect(clippy::disallowed_types, reason = "a timing")]
fn main() {
    let args: Vec<String> = std::env::args().collect();
    let servers: u32 = args[1].parse().unwrap();
    let nodes: u32 = args[2].parse().unwrap();
    let requests: u64 = args[3].parse().unwrap();
    let which = &args[4];
    let policy = if args.get(5).is_some_and(|p| p == "ll") {
        fleet::LOWEST_LATENCY
    } else {
        fleet::TWO_CHOICES
    };
    let scenario = fleet::scenario(servers, nodes, policy, requests);
    let start = Instant::now();
    let result = if which == "ref" {
        reference::simulate(&scenario, 0, 0, reference::LatencyChoice::Heap, None)
    } else {
        let threads = which.parse().unwrap();
        simulate(&scenario, 0, 0, Options { threads, ..Options::default() }, &|_| ()).unwrap()
    };
    let ns = start.elapsed().as_nanos() as f64;
    println!(
        "mean {:.2} ms, wait {:.2} ms",
        result.latency_sum_ns as f64 / result.latency.count() as f64 / 1e6,
        result.wait_sum_ns as f64 / result.served as f64 / 1e6
    );
    println!(
        "{servers}x{nodes} {which}: {:.1} ns/request, {} requests, p99 {:?}",
        ns / result.total.arrived as f64,
        result.total.arrived,
        result.latency.quantile_ns(0.99)
    );
}
