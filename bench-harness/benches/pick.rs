//! What does it cost to look at two servers instead of all?

use std::hint::black_box;

use bench_harness::fleet;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use sim_core::config::{Choices, DrawTies, LoadSignal, PolicyConfig, TwoChoicesConfig};
use sim_core::ids::NodeId;
use sim_core::policy::Policy;
use sim_core::rng::Purpose;
use sim_core::setup::Setup;
use sim_core::view::{Candidates, Freshness};

/// Picks an iteration.
const PICKS: u32 = 1_000;

/// The least loaded of all servers: what two choices approximate.
const ALL: PolicyConfig = PolicyConfig::TwoChoices(TwoChoicesConfig {
    choices: Choices::All,
    replacement: false,
    signal: LoadSignal::Combined,
    ties: DrawTies::Random,
    capacity_gate: false,
});

/// Question: what does a pick of `two_choices` cost, and how does it grow with the view, whose
/// cache misses are all that is left to grow?
///
/// One iteration = 1 000 picks from the view of a node that has heard every server once; loads are
/// random. The same policy with `choices = "all"` is the control: it looks at every server, so it
/// must be slower at every size and grow in proportion. (A node hides the misses of a large view
/// by reading ahead for a whole batch, which single picks cannot show: `bench-harness speed` does.)
fn pick_by_servers(c: &mut Criterion) {
    let mut group = c.benchmark_group("pick/two_choices");
    group.throughput(Throughput::Elements(PICKS.into())).sample_size(20);
    for servers in [100, 1_000, 10_000, 100_000] {
        for (name, policy) in [("two", fleet::TWO_CHOICES), ("all", ALL)] {
            // A pass over 100 000 servers a thousand times takes a minute a sample.
            if name == "all" && servers > 10_000 {
                continue;
            }
            let setup = Setup::new(&fleet::scenario(servers, 1, policy, 1), 0, 0);
            let (view, mut index) = fleet::informed_node(&setup);
            let mut draws = setup.node_stream(Purpose::Policy, NodeId(0));
            let freshness = Freshness::new(&setup.ticks, 0, setup.silence_ns);
            group.bench_function(BenchmarkId::new(name, servers), |b| {
                let candidates = Candidates::new(&view, &freshness, 0, None);
                b.iter(|| {
                    for _ in 0..PICKS {
                        black_box(index.choose(black_box(&candidates), &mut draws));
                    }
                });
            });
        }
    }
    group.finish();
}

criterion_group!(benches, pick_by_servers);
criterion_main!(benches);
