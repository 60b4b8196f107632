//! The end of a run: everything the owners have counted becomes one [`RunResult`].
//!
//! Conservation is asserted here in every build: requests that arrived are the sum of their
//! outcomes, and attempts sent are the attempts that arrived at servers plus those on their way.

use bevy_ecs::prelude::*;

use crate::clock::Clock;
use crate::completion::Arrivals;
use crate::judge::Judge;
use crate::judge::track::Now;
use crate::latency_table::LatencyTable;
use crate::meters::{Lanes, NodeMeters};
use crate::metrics::Observations;
use crate::network::Dispatches;
use crate::plan::NodeChange;
use crate::request::InFlight;
use crate::result::{Counts, Findings, NodeResult, Outcome, RunResult, ServerResult};
use crate::server::{Meters, Servers};
use crate::setup::Setup;
use crate::time::Nanos;
use crate::truth::Truth;
use crate::view::View;

/// What is left in a node when the run ends.
pub fn node_result(
    setup: &Setup,
    mut meters: NodeMeters,
    findings: Findings,
    in_flight_since_ns: impl Iterator<Item = Nanos>,
) -> NodeResult {
    for arrived_ns in in_flight_since_ns {
        meters.end(arrived_ns >= setup.window_start_ns, Outcome::InFlight);
    }
    let [mut total, measured] = meters.counts;
    total.add(&measured);
    assert!(total.is_conserved(), "requests lost count: {total:?}");
    assert!(measured.is_conserved(), "measured requests lost count: {measured:?}");
    NodeResult {
        measured,
        total,
        latency_sum_ns: meters.latency_sum_ns[1],
        dispatched: meters.dispatched,
        retried: meters.retried,
        retries_denied: meters.retries_denied,
        efforts: meters.efforts,
        reports: meters.reports,
        answers_cut: meters.answers_cut,
        probes: meters.probes,
        notes: meters.notes,
        peer_messages: meters.peer_messages,
        peer_bytes: meters.peer_bytes,
        members: meters.members,
        suspicions: meters.suspicions,
        findings,
    }
}

/// From each crash of a node to the first member that came by its own probes to suspect it [ns], in the order
/// of the crashes; those that nobody suspected before the node came back are left out.
fn first_suspicions(setup: &Setup, nodes: &[NodeResult]) -> Vec<Nanos> {
    let mut suspicions: Vec<(u32, Nanos)> =
        nodes.iter().flat_map(|node| &node.suspicions).copied().collect();
    suspicions.sort_unstable();
    let changes = &setup.plan.nodes;
    let mut first_ns = Vec::new();
    for (place, crash) in changes.iter().enumerate() {
        if crash.change != NodeChange::Crash || suspicions.is_empty() {
            continue;
        }
        let at_ns = crash.quantum * setup.ticks.quantum_ns;
        for node in crash.first..crash.end {
            let later = changes[place + 1..].iter();
            let next = later.clone().find(|next| (next.first..next.end).contains(&node));
            let end_ns = next.map_or(Nanos::MAX, |next| next.quantum * setup.ticks.quantum_ns);
            let from = suspicions.partition_point(|&suspicion| suspicion < (node, at_ns));
            let first = suspicions.get(from).filter(|&&(of, ns)| of == node && ns < end_ns);
            first_ns.extend(first.map(|&(_, ns)| ns - at_ns));
        }
    }
    first_ns
}

/// Puts the parts of a result together.
#[expect(clippy::too_many_arguments, reason = "one argument a source of the result")]
pub fn assemble(
    policy: usize,
    setup: &Setup,
    end_ns: Nanos,
    nodes: Vec<NodeResult>,
    servers: Vec<ServerResult>,
    meters: &Meters,
    latency: LatencyTable,
    observations: Observations,
    on_their_way: u64,
    cut_off: u64,
) -> RunResult {
    let mut total = Counts::default();
    let mut measured = Counts::default();
    for node in &nodes {
        total.add(&node.total);
        measured.add(&node.measured);
    }
    let sent: u64 = nodes.iter().map(|node| node.dispatched).sum();
    let arrived: u64 =
        servers.iter().map(|s| s.admitted + s.refused + s.arrived_dead + s.failed).sum();
    assert_eq!(sent, arrived + on_their_way + cut_off, "attempts lost count");
    let mut membership = observations.agreement.finish();
    membership.first_suspicion_ns = first_suspicions(setup, &nodes);
    RunResult {
        policy,
        replication: setup.replication,
        end_ns,
        total,
        measured,
        latency,
        latency_sum_ns: nodes.iter().map(|node| node.latency_sum_ns).sum(),
        wait_sum_ns: meters.wait_sum_ns,
        service_sum_ns: meters.service_sum_ns,
        served: meters.served,
        waited: meters.waited,
        servers,
        nodes,
        series: observations.series,
        view_age: observations.view_age,
        view_error_sum: observations.view_error_sum,
        view_samples: observations.view_samples,
        herd_sum_ppm: observations.herd_sum_ppm,
        herd_intervals: observations.herd_intervals,
        cut_off,
        consistency: observations.consistency.finish(),
        membership,
    }
}

/// Collects the result of a run from its world.
pub fn collect(world: &mut World, policy: usize) -> RunResult {
    let setup = world.resource::<Setup>().clone();
    let end_ns = world.resource::<Clock>().now_ns(&setup);
    let mut on_their_way = 0;
    let mut nodes = Vec::with_capacity(setup.nodes as usize);
    // Only where nodes know parts of the fleet.
    let mut connections = vec![0; if setup.subset.is_some() { setup.servers as usize } else { 0 }];
    let mut truth = world.resource::<Truth>().clone();
    let quantum = end_ns / setup.ticks.quantum_ns;
    truth.advance(&setup, quantum);
    let now = Now { setup: &setup, truth: &truth, quantum };
    let mut query = world.query::<(&NodeMeters, &InFlight, &Dispatches, &mut Judge, &View)>();
    for (meters, in_flight, dispatches, mut judge, view) in query.iter_mut(world) {
        let left = in_flight.iter().map(|request| request.arrived_ns);
        let left = left.chain(in_flight.waiting.iter().map(|waiter| waiter.arrived_ns));
        if judge.rules.is_running {
            view.count_pool(&mut connections);
        }
        let findings = judge.rules.finish(&now, view);
        nodes.push(node_result(&setup, meters.clone(), findings, left));
        on_their_way += dispatches.pending() as u64;
    }
    let mut servers = Vec::with_capacity(setup.servers as usize);
    let mut meters = Meters::default();
    let mut cut_off = 0;
    let mut query = world.query::<(&mut Servers, &Arrivals)>();
    for (mut shard, arrivals) in query.iter_mut(world) {
        cut_off += arrivals.cut_off;
        servers.extend(shard.results(&setup, end_ns));
        meters.add(shard.meters());
    }
    for (server, nodes) in servers.iter_mut().zip(connections) {
        server.connections = nodes;
    }
    let mut latency = LatencyTable::default();
    for lane in &world.resource::<Lanes>().lanes {
        latency.merge(&lane.latency[1]);
    }
    let observations = std::mem::take(&mut *world.resource_mut::<Observations>());
    assemble(
        policy,
        &setup,
        end_ns,
        nodes,
        servers,
        &meters,
        latency,
        observations,
        on_their_way,
        cut_off,
    )
}
