//! Completion: servers take the attempts that arrive in this tick and serve.
//!
//! Reads every node's `Dispatches`; writes `Servers`, `Arrivals` and `Responses` of a shard. A
//! shard belongs to one task, and every server takes its attempts in the order (time, node,
//! attempt), so neither the number of shards nor of threads can change a result.

use bevy_ecs::prelude::Component;
use rayon::prelude::*;

use crate::clock::Clock;
use crate::network::{Dispatches, Responses};
use crate::order::Sorter;
use crate::server::{Delivery, KernelKind, Servers};
use crate::setup::Setup;

/// A shard's inbox of the present tick, with the buffers to sort it.
#[derive(Component, Debug, Default)]
pub struct Arrivals {
    inbox: Vec<Delivery>,
    sorter: Sorter<Delivery>,
    /// Attempts that a partition kept from their server.
    pub cut_off: u64,
}

/// Serves every shard for the present tick.
pub fn run(
    setup: &Setup,
    clock: &Clock,
    servers: &mut [Servers],
    arrivals: &mut [Arrivals],
    responses: &mut [Responses],
    dispatches: &[Dispatches],
) {
    if clock.parallel {
        (servers, arrivals, responses).into_par_iter().enumerate().for_each(
            |(shard, (servers, arrivals, responses))| {
                serve(setup, clock, shard, servers, arrivals, responses, dispatches);
            },
        );
    } else {
        for shard in clock.visit.order(servers.len()) {
            let (servers, arrivals) = (&mut servers[shard], &mut arrivals[shard]);
            serve(setup, clock, shard, servers, arrivals, &mut responses[shard], dispatches);
        }
    }
}

fn serve(
    setup: &Setup,
    clock: &Clock,
    shard: usize,
    servers: &mut Servers,
    arrivals: &mut Arrivals,
    responses: &mut Responses,
    dispatches: &[Dispatches],
) {
    let Clock { tick, links, .. } = clock;
    let tick = *tick;
    let Arrivals { inbox, sorter, cut_off } = arrivals;
    inbox.clear();
    for (node, outbox) in (0u32..).zip(dispatches) {
        for slice in outbox.by_shard[shard].slices(tick) {
            inbox.extend(slice.iter().map(|dispatch| Delivery {
                offset_ns: dispatch.offset_ns,
                server: dispatch.server - servers.first,
                node,
                slot: dispatch.slot,
                attempt: dispatch.attempt,
                demand: dispatch.demand,
            }));
        }
    }
    if !links.are_whole() {
        let sent = inbox.len();
        inbox.retain(|d| !links.cut_to_server(d.node, servers.first + d.server));
        *cut_off += (sent - inbox.len()) as u64;
    }
    // Only the order at each server matters. The FIFO kernel takes the servers one after the other:
    // memory is walked through in one direction. The event kernel has its own events to merge with.
    // Names break ties: overflow that was refiled comes after later attempts of its node.
    let by_time = |d: &Delivery| (d.offset_ns, d.node, d.attempt);
    match servers.kernel_kind() {
        KernelKind::Fifo => sorter.sort(
            inbox,
            u64::from(servers.len),
            |d| d.server,
            |a, b| (a.server, by_time(a)) < (b.server, by_time(b)),
        ),
        KernelKind::Event => {
            let span = setup.ticks.tick_ns;
            sorter.sort(inbox, span, |d| d.offset_ns, |a, b| by_time(a) < by_time(b));
        }
    }
    servers.serve(setup, tick, inbox, responses);
}
