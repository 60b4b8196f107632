//! What does it save to know finish times at admission?

use bench_harness::fleet;
use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use sim_core::network::Responses;
use sim_core::rng::{Purpose, Rng, RngExt, below, stream};
use sim_core::server::{Delivery, KernelKind, Servers};
use sim_core::setup::Setup;

/// Ticks an iteration: 100 ms, ten service times.
const TICKS: u64 = 200;
const NODES: u32 = 8;

/// Question: how much does the fifo kernel, which needs no completion event, save over the event
/// kernel, which completes attempts one by one?
///
/// One iteration = 200 ticks of prepared, sorted inboxes at load 0.8, served by fresh servers. The
/// event kernel is the control and must be slower; both must give the same number of answers.
fn completion_by_kernel(c: &mut Criterion) {
    let mut group = c.benchmark_group("completion/serve");
    group.sample_size(20);
    for servers in [100, 1_000, 10_000] {
        let setup = Setup::new(&fleet::scenario(servers, NODES, fleet::TWO_CHOICES, 1), 0, 0);
        let inboxes = draw_inboxes(&setup);
        group.throughput(Throughput::Elements(inboxes.iter().map(|i| i.len() as u64).sum()));
        for (name, kernel) in [("fifo", KernelKind::Fifo), ("event", KernelKind::Event)] {
            group.bench_with_input(BenchmarkId::new(name, servers), &inboxes, |b, inboxes| {
                let fresh = || {
                    let out = Responses::new(NODES, 256);
                    (Servers::new(&setup, 0, servers, kernel), out)
                };
                b.iter_batched_ref(
                    fresh,
                    |(servers, out)| {
                        for (tick, inbox) in (0..).zip(inboxes) {
                            out.open(tick);
                            servers.serve(&setup, tick, inbox, out);
                        }
                    },
                    BatchSize::PerIteration,
                );
            });
        }
    }
    group.finish();
}

/// Poisson arrivals at random servers, tick by tick, in the order (offset, node, attempt).
fn draw_inboxes(setup: &Setup) -> Vec<Vec<Delivery>> {
    let mut rng = stream(42, 0, Purpose::Policy, 0);
    let slots = f64::from(setup.servers * fleet::CAPACITY);
    let a_tick = slots * fleet::LOAD * setup.ticks.tick_ns as f64 / fleet::SERVICE_NS as f64;
    let mut attempt = 0;
    let mut inbox = |_| {
        // The fraction left over by whole arrivals becomes a coin: the mean is exact.
        let count = a_tick as u32 + u32::from(rng.random_bool(a_tick.fract()));
        let mut delivery = |_| {
            attempt += 1;
            Delivery {
                offset_ns: below(&mut rng, setup.ticks.tick_ns as u32),
                server: below(&mut rng, setup.servers),
                node: below(&mut rng, NODES),
                slot: attempt,
                attempt,
                demand: rng.next_u64(),
            }
        };
        let mut inbox: Vec<Delivery> = (0..count).map(&mut delivery).collect();
        inbox.sort_unstable_by_key(|d| (d.offset_ns, d.node, d.attempt));
        inbox
    };
    (0..TICKS).map(&mut inbox).collect()
}

criterion_group!(benches, completion_by_kernel);
criterion_main!(benches);
