//! Which index answers "who has the lowest latency?" fastest, and from which size on?

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use sim_core::heap::LatencyHeap;
use sim_core::places::Places;
use sim_core::rng::{Purpose, RngExt, below, stream};
use sim_core::tree::LatencyTree;

/// Reports and picks an iteration.
const STEPS: usize = 1_000;
/// Reports drawn before timing starts: enough that 100 000 servers get one each.
const DRAWN: usize = 1 << 17;

/// Question: from how many servers on does an index beat a linear scan, and is the 4-ary lazy heap
/// or the 16-ary tree of minima the better one?
///
/// One iteration = 1 000 x (one report, one pick): a pick alone would hide the cost of keeping the
/// index. Reports are as random as can be, which favours laziness: in a large fleet a report
/// seldom concerns the best, and the heap looks at it only when its server surfaces.
/// The scan is the control: it must grow with the servers and lose from 1 000 on, or the bench
/// lies. Latencies are continuous, so ties are rare, and go to the smaller id.
fn selection_by_servers(c: &mut Criterion) {
    let mut group = c.benchmark_group("selection/report_and_pick");
    group.throughput(Throughput::Elements(STEPS as u64)).sample_size(20);
    for servers in [10, 100, 1_000, 10_000, 100_000] {
        let reports = draw_reports(servers);
        let first: Vec<u32> = draw_reports(servers).iter().map(|&(_, latency)| latency).collect();
        let first = &first[..servers as usize];
        group.bench_with_input(BenchmarkId::new("heap_4ary", servers), &reports, |b, reports| {
            let mut latencies = first.to_vec();
            let mut heap = LatencyHeap::new(vec![0; first.len()]);
            (0..).zip(first).for_each(|(server, &latency)| heap.offer(server, latency));
            let mut reports = reports.iter().cycle();
            b.iter(|| {
                for &(server, latency) in reports.by_ref().take(STEPS) {
                    latencies[server as usize] = latency;
                    heap.offer(server, latency);
                    black_box(heap.pick(None, |server| Some(latencies[server as usize])));
                }
            });
        });
        group.bench_with_input(BenchmarkId::new("tree_16ary", servers), &reports, |b, reports| {
            let mut latencies = first.to_vec();
            let mut tree = LatencyTree::new(&Places::default(), &vec![0; first.len()]);
            (0..).zip(first).for_each(|(server, &latency)| tree.tell(server, Some(latency)));
            let mut reports = reports.iter().cycle();
            b.iter(|| {
                for &(server, latency) in reports.by_ref().take(STEPS) {
                    latencies[server as usize] = latency;
                    tree.tell(server, Some(latency));
                    black_box(tree.pick(None, |server| Some(latencies[server as usize])));
                }
            });
        });
        group.bench_with_input(BenchmarkId::new("scan", servers), &reports, |b, reports| {
            let mut latencies = first.to_vec();
            let mut reports = reports.iter().cycle();
            b.iter(|| {
                for &(server, latency) in reports.by_ref().take(STEPS) {
                    latencies[server as usize] = latency;
                    black_box(pick_by_scan(&latencies));
                }
            });
        });
    }
    group.finish();
}

/// Two passes that the compiler turns into vector code: the smallest value, then its place.
fn pick_by_scan(latencies: &[u32]) -> Option<usize> {
    let least = latencies.iter().copied().min()?;
    latencies.iter().position(|&latency| latency == least)
}

/// A random server and the bits of a random latency between 5 and 15 ms [ns].
fn draw_reports(servers: u32) -> Vec<(u32, u32)> {
    let mut rng = stream(42, 0, Purpose::Policy, 0);
    let mut report = || {
        let latency_ns: f32 = rng.random_range(5e6..15e6);
        (below(&mut rng, servers), latency_ns.to_bits())
    };
    (0..DRAWN).map(|_| report()).collect()
}

criterion_group!(benches, selection_by_servers);
criterion_main!(benches);
