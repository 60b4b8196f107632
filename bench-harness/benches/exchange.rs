//! What does it cost two nodes to bring each other up to date?

use bench_harness::fleet;
use criterion::{BatchSize, BenchmarkId, Criterion, criterion_group, criterion_main};
use sim_core::config::{GossipConfig, GossipPayload};
use sim_core::exchange::Sharing;
use sim_core::ids::NodeId;
use sim_core::network::Report;
use sim_core::setup::Setup;
use sim_core::view::View;

/// Servers that have changed since the last exchange.
const CHANGES: u32 = 100;

type Node = (View, Sharing);

/// Question: does the cost of an exchange follow the changes, or the servers?
///
/// One iteration = one `push_pull` exchange between two nodes that know every server, one of which
/// has heard 100 new reports. `delta` looks at the same entries whatever the fleet (a test counts
/// them) and may cost more in a large one by cache misses alone; `full`, the control, must be the
/// slower one from 1 000 servers on and grow with the fleet.
fn exchange_by_servers(c: &mut Criterion) {
    let mut group = c.benchmark_group("exchange/push_pull");
    group.sample_size(20);
    for servers in [1_000, 10_000] {
        for (name, payload) in [("delta", GossipPayload::Delta), ("full", GossipPayload::Full)] {
            let config = GossipConfig { payload, ..GossipConfig::default() };
            let pair = pair(servers, &config);
            group.bench_function(BenchmarkId::new(name, servers), |b| {
                b.iter_batched_ref(
                    || pair.clone(),
                    |nodes| exchange(&config, nodes),
                    BatchSize::LargeInput,
                );
            });
        }
    }
    group.finish();
}

/// Two nodes that agree about all servers, and then one hears of changes.
fn pair(servers: u32, config: &GossipConfig) -> [Node; 2] {
    let mut scenario = fleet::scenario(servers, 2, fleet::TWO_CHOICES, 1);
    scenario.gossip = Some(config.clone());
    let setup = Setup::new(&scenario, 0, 0);
    let mut nodes = [0, 1].map(|id| (View::new(&setup, true), Sharing::new(&setup, NodeId(id))));
    (0..servers).for_each(|server| hear(&mut nodes[0], server, 1));
    (0..3).for_each(|_| exchange(config, &mut nodes));
    (0..CHANGES).for_each(|change| hear(&mut nodes[0], change * (servers / CHANGES), 2));
    nodes
}

fn hear((view, sharing): &mut Node, server: u32, version: u32) {
    let report =
        Report { server, version, sent_quantum: version, capacity: 4, ..Report::default() };
    if view.merge(&report) {
        sharing.note(&report, None, &view.versions);
    }
}

/// Node 1 opens; messages go to and fro until nobody answers.
fn exchange(config: &GossipConfig, nodes: &mut [Node; 2]) {
    let (view, sharing) = &mut nodes[1];
    let mut message = Some(sharing.open(config, 0, &view.versions));
    let mut to = 0;
    while let Some(told) = message {
        let (view, sharing) = &mut nodes[to];
        message = sharing.receive(config, view, 1 - to as u32, &told, |_, _| {});
        to = 1 - to;
    }
}

criterion_group!(benches, exchange_by_servers);
criterion_main!(benches);
