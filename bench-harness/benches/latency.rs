//! What does it cost to count a latency?

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use hdrhistogram::Histogram;
use sim_core::latency_table::LatencyTable;
use sim_core::rng::{Purpose, RngExt, stream};

/// Latencies an iteration.
const RECORDS: usize = 100_000;

/// Question: what does our table save over the histogram whose buckets it shares, for one node and
/// when 100 nodes take turns?
///
/// One iteration = 100 000 exponential latencies of 10 ms on the mean, recorded in turn by the
/// tables of `nodes` nodes. An `hdrhistogram` of 3 digits is the control: it must be slower, and
/// lose more with 100 nodes, since a histogram that has to be ready for an hour takes 252 kB.
fn record_by_nodes(c: &mut Criterion) {
    let mut group = c.benchmark_group("latency/record");
    group.throughput(Throughput::Elements(RECORDS as u64)).sample_size(20);
    let latencies = draw();
    for nodes in [1, 100] {
        group.bench_function(BenchmarkId::new("table", nodes), |b| {
            let mut tables = vec![LatencyTable::new(); nodes];
            b.iter(|| {
                for round in latencies.chunks(nodes) {
                    for (table, &ns) in tables.iter_mut().zip(round) {
                        black_box(table.record(black_box(ns)));
                    }
                }
            });
        });
        group.bench_function(BenchmarkId::new("hdrhistogram", nodes), |b| {
            const HOUR_NS: u64 = 3_600_000_000_000;
            let histogram = Histogram::<u64>::new_with_max(HOUR_NS, 3).expect("3 digits, an hour");
            let mut histograms = vec![histogram; nodes];
            b.iter(|| {
                for round in latencies.chunks(nodes) {
                    for (histogram, &ns) in histograms.iter_mut().zip(round) {
                        histogram.record(black_box(ns)).expect("less than an hour");
                    }
                }
            });
        });
    }
    group.finish();
}

fn draw() -> Vec<u64> {
    let mut rng = stream(42, 0, Purpose::Demand, 0);
    let mut latency = |_| {
        let uniform: f64 = rng.random_range(1e-9..1.0);
        (-10e6 * libm::log(uniform)) as u64
    };
    (0..RECORDS).map(&mut latency).collect()
}

criterion_group!(benches, record_by_nodes);
criterion_main!(benches);
