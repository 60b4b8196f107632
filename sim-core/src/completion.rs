//! Completion: servers take the attempts that arrive in this tick and serve.
//!
//! Reads every node's `Dispatches`; writes `Servers`, `Arrivals` and `Responses` of a shard. A
//! shard belongs to one task, and every server takes its attempts in the order (time, node,
//! attempt), so neither the number of shards nor of threads can change a result.

use bevy_ecs::prelude::Component;
use rayon::prelude::*;

use crate::clock::Clock;
use crate::links::Links;
use crate::network::{Dispatch, Dispatches, Freight, Responses};
use crate::order::{Inbox, Sorter};
use crate::server::{Attempts, Delivery, KernelKind, Servers};
use crate::setup::Setup;

/// The buffers in which a shard sorts what arrives in a tick.
#[derive(Component, Debug, Default)]
pub struct Arrivals {
    sorter: Sorter<Delivery>,
    /// Attempts whose order matters, because they meet at a server.
    aside: Vec<Delivery>,
    /// Attempts that a partition kept from their server.
    pub cut_off: u64,
}

/// What arrives at one shard in one tick, from all nodes.
struct Door<'a> {
    outboxes: &'a [Dispatches],
    shard: usize,
    /// Id of the shard's first server.
    first: u32,
    tick: u64,
}

impl Attempts for Door<'_> {
    #[inline]
    fn for_each(&self, mut visit: impl FnMut(u32, &[Dispatch])) {
        for (node, outbox) in (0u32..).zip(self.outboxes) {
            for slice in outbox.by_shard[self.shard].slices(self.tick) {
                visit(node, slice);
            }
        }
    }
}

impl Inbox<Delivery> for Door<'_> {
    fn len(&self) -> usize {
        let mut len = 0;
        Attempts::for_each(self, |_, attempts| len += attempts.len());
        len
    }

    #[inline]
    fn for_each(&self, mut visit: impl FnMut(Delivery)) {
        Attempts::for_each(self, |node, attempts| {
            for attempt in attempts {
                let Dispatch { offset_ns, server, slot, attempt, demand } = *attempt;
                let server = server - self.first;
                visit(Delivery { offset_ns, server, node, slot, attempt, demand });
            }
        });
    }
}

/// What partitions let through of it.
struct Passed {
    passed: Vec<Delivery>,
    /// Attempts that they did not.
    cut_off: u64,
}

impl Passed {
    #[cold]
    fn through(links: &Links, door: &Door<'_>) -> Self {
        let mut all = Self { passed: Vec::new(), cut_off: 0 };
        Inbox::for_each(door, |delivery| {
            if !links.cut_to_server(delivery.node, door.first + delivery.server) {
                all.passed.push(delivery);
            } else if delivery.freight() == Freight::Attempt {
                all.cut_off += 1;
            }
        });
        all
    }
}

/// Part of it.
struct Part<'a>(&'a [Delivery]);

impl Inbox<Delivery> for Part<'_> {
    fn len(&self) -> usize {
        self.0.len()
    }

    fn for_each(&self, visit: impl FnMut(Delivery)) {
        self.0.iter().copied().for_each(visit);
    }
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
    let tick = clock.tick;
    let door = Door { outboxes: dispatches, shard, first: servers.first, tick };
    let Arrivals { sorter, aside, cut_off } = arrivals;
    if !clock.links.are_whole() {
        let passed = Passed::through(&clock.links, &door);
        *cut_off += passed.cut_off;
        let inbox = sorted(setup, servers, sorter, &Part(&passed.passed));
        servers.serve(setup, tick, inbox, responses);
    } else if servers.kernel_kind() == KernelKind::Fifo {
        aside.clear();
        servers.serve_lone(setup, tick, &door, aside, responses);
        if !aside.is_empty() {
            let inbox = sorted(setup, servers, sorter, &Part(aside));
            servers.serve(setup, tick, inbox, responses);
        }
    } else {
        let inbox = sorted(setup, servers, sorter, &door);
        servers.serve(setup, tick, inbox, responses);
    }
}

/// Only the order at each server matters. The FIFO kernel takes the servers one after the other. The
/// event kernel has its own events to merge with.
/// Names break ties: overflow that was refiled comes after later attempts of its node. What is no
/// attempt comes to the event kernel only.
#[inline]
fn sorted<'a>(
    setup: &Setup,
    servers: &Servers,
    sorter: &'a mut Sorter<Delivery>,
    inbox: &impl Inbox<Delivery>,
) -> &'a [Delivery] {
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
            let by_kind = |d: &Delivery| (by_time(d), d.freight());
            sorter.sort(inbox, span, |d| d.offset_ns, |a, b| by_kind(a) < by_kind(b))
        }
    }
}
