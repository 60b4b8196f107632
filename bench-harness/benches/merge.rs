//! What does it cost a node to take in heartbeats?

use std::collections::BTreeMap;

use bench_harness::fleet;
use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use sim_core::gossip::merge_reports;
use sim_core::ids::NodeId;
use sim_core::network::Report;
use sim_core::policy::{Policy, SelectionIndex};
use sim_core::rng::{Purpose, RngExt, below, stream};
use sim_core::setup::Setup;
use sim_core::view::{Belief, Candidates, Freshness, View};

/// Heartbeats of every server merged in an iteration, after a first one.
const ROUNDS: u32 = 4;

/// Question: what does a heartbeat cost a node, with an index to keep (`lowest_latency`) and
/// without (`two_choices`), and what does a view in columns save over a map?
///
/// One iteration = 4 rounds of one heartbeat a server, in random order as random phases make it,
/// merged into the view of a node that has heard every server once. The latencies are drawn anew
/// for each round, so a third of the reports are the lowest yet of their server: only those make
/// the index work. `btree_map` is the control: the same rule on a map from server to belief; it
/// must be the slowest from 1 000 servers on.
fn merge_by_servers(c: &mut Criterion) {
    let mut group = c.benchmark_group("merge/heartbeats");
    group.sample_size(20);
    for servers in [100, 1_000, 10_000] {
        let reports = draw_reports(servers);
        let (first, reports) = reports.split_at(servers as usize);
        group.throughput(Throughput::Elements(reports.len() as u64));
        let policies =
            [("two_choices", fleet::TWO_CHOICES), ("lowest_latency", fleet::LOWEST_LATENCY)];
        for (name, policy) in policies {
            let setup = Setup::new(&fleet::scenario(servers, 1, policy, 1), 0, 0);
            group.bench_with_input(BenchmarkId::new(name, servers), reports, |b, reports| {
                b.iter_batched_ref(
                    || listening_node(&setup, first),
                    |(view, index)| merge_reports(view, index, reports),
                    BatchSize::PerIteration,
                );
            });
        }
        group.bench_with_input(BenchmarkId::new("btree_map", servers), reports, |b, reports| {
            let mut listening = BTreeMap::new();
            merge_into_map(&mut listening, first);
            b.iter_batched_ref(
                || listening.clone(),
                |view| merge_into_map(view, reports),
                BatchSize::PerIteration,
            );
        });
    }
    group.finish();
}

/// A node that has heard every server once and chosen once: its index knows those latencies.
fn listening_node(setup: &Setup, first: &[Report]) -> (View, SelectionIndex) {
    let mut stream = setup.node_stream(Purpose::Policy, NodeId(0));
    let mut index = SelectionIndex::new(setup, NodeId(0), &mut stream);
    let mut view = View::new(setup, setup.policy.corrects_own_sends());
    merge_reports(&mut view, &mut index, first);
    let freshness = Freshness::new(&setup.ticks, 0, setup.silence_ns);
    let candidates = Candidates::new(&view, &freshness, 0, None);
    index.choose(&candidates, &mut stream).expect("every server is up");
    (view, index)
}

fn merge_into_map(view: &mut BTreeMap<u32, Belief>, reports: &[Report]) {
    for report in reports {
        let belief = view.entry(report.server).or_default();
        if report.sent_quantum > belief.sent_quantum {
            *belief = Belief {
                sent_quantum: report.sent_quantum,
                latency_ns: report.latency_ns,
                own: belief.own,
                others: report.load.saturating_sub(belief.own as u16),
                capacity: report.capacity,
            };
        }
    }
}

/// A heartbeat a server and round, in random order within the round.
fn draw_reports(servers: u32) -> Vec<Report> {
    let mut rng = stream(42, 0, Purpose::Heartbeat, 0);
    let mut reports = Vec::new();
    for round in 1..=1 + ROUNDS {
        let mut order: Vec<u32> = (0..servers).collect();
        for last in (1..servers).rev() {
            order.swap(last as usize, below(&mut rng, last + 1) as usize);
        }
        let report = |server| Report {
            server,
            version: round,
            sent_quantum: round,
            load: rng.random_range(0..8),
            capacity: fleet::CAPACITY as u16,
            latency_ns: rng.random_range(5e6..15e6),
            ..Report::default()
        };
        reports.extend(order.into_iter().map(report));
    }
    reports
}

criterion_group!(benches, merge_by_servers);
criterion_main!(benches);
