//! How fast is a whole run?

use std::hint::black_box;

use bench_harness::fleet;
use bench_harness::reference::{self, LatencyChoice};
use criterion::{
    BenchmarkId, Criterion, SamplingMode, Throughput, criterion_group, criterion_main,
};
use sim_core::simulation::{Options, simulate};

/// Question: what does a request cost from arrival to answer, heartbeats included, and what do
/// windows save over one global event queue?
///
/// One iteration = one whole run, set-up included, of about 100 000 requests or 40 ticks, whichever
/// is more; throughput counts requests. The reference engine is the control: it gives the same
/// result and must be slower. `bench-harness speed` measures the same with longer runs.
fn run_by_size(c: &mut Criterion) {
    let mut group = c.benchmark_group("tick/run");
    group.sample_size(10).sampling_mode(SamplingMode::Flat);
    for (servers, nodes) in [(10, 1), (100, 4), (1_000, 8), (10_000, 8)] {
        let scenario = fleet::scenario(servers, nodes, fleet::TWO_CHOICES, 100_000);
        let windowed = || simulate(&scenario, 0, 0, Options::default(), &|_| ());
        let size = format!("{servers}x{nodes}");
        let requests = windowed().expect("no trace to read").total.arrived;
        group.throughput(Throughput::Elements(requests));
        group.bench_function(BenchmarkId::new("windowed", &size), |b| {
            b.iter(|| black_box(windowed()));
        });
        group.bench_function(BenchmarkId::new("reference", &size), |b| {
            b.iter(|| reference::simulate(&scenario, 0, 0, LatencyChoice::Heap, None));
        });
    }
    group.finish();
}

criterion_group!(benches, run_by_size);
criterion_main!(benches);
