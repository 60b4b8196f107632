//! Where should events wait until they are due?

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use sim_core::rng::{Purpose, Rng, below, stream};
use sim_core::wheel::Wheel;

/// Ticks an iteration.
const TICKS: u64 = 200;
/// Most ticks ahead an event is filed: 20 ms, as an answer after a service of two means.
const AHEAD: u32 = 40;
/// Bits of the offset of an event in its tick.
const OFFSET_BITS: u32 = 19;

/// An event as answers are filed: 16 bytes.
type Event = (u32, [u32; 3]);

/// Question: what does a timing wheel with a sort a tick save over a heap of all pending events?
///
/// One iteration = 200 ticks; in each, `events` are filed up to 40 ticks ahead and those due are
/// taken in the order of their offsets; so 20 times `events` are pending. The binary heap, which
/// keeps all of them in order all the time, is the control: it must be slower at every size, and
/// more so the more events there are.
fn file_and_take(c: &mut Criterion) {
    let mut group = c.benchmark_group("pending/file_and_take");
    group.sample_size(20);
    for events in [1_usize, 100, 10_000] {
        let drawn = draw(events);
        group.throughput(Throughput::Elements(drawn.len() as u64));
        group.bench_function(BenchmarkId::new("wheel", events), |b| {
            let mut wheel = Wheel::<Event>::new(u64::from(AHEAD));
            let mut due = Vec::new();
            let mut tick = 0;
            b.iter(|| {
                for filed in drawn.chunks(events) {
                    for &(ahead, event) in filed {
                        wheel.push(tick + ahead, event);
                    }
                    due.clear();
                    wheel.take(tick, &mut due);
                    due.sort_unstable_by_key(|event| event.0);
                    black_box(&due);
                    tick += 1;
                }
            });
        });
        group.bench_function(BenchmarkId::new("binary_heap", events), |b| {
            let mut heap = BinaryHeap::<Reverse<(u64, Event)>>::new();
            let mut tick = 0;
            b.iter(|| {
                for filed in drawn.chunks(events) {
                    for &(ahead, event) in filed {
                        heap.push(Reverse((tick + ahead, event)));
                    }
                    while heap.peek().is_some_and(|Reverse((at, _))| *at <= tick) {
                        black_box(heap.pop());
                    }
                    tick += 1;
                }
            });
        });
    }
    group.finish();
}

/// How many ticks ahead, and the event: `events` a tick.
fn draw(events: usize) -> Vec<(u64, Event)> {
    let mut rng = stream(42, 0, Purpose::Policy, 0);
    let mut event = |_| {
        let ahead = u64::from(1 + below(&mut rng, AHEAD - 1));
        (ahead, (rng.next_u32() >> (32 - OFFSET_BITS), [rng.next_u32(); 3]))
    };
    (0..events * TICKS as usize).map(&mut event).collect()
}

criterion_group!(benches, file_and_take);
criterion_main!(benches);
