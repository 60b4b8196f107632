//! Faults: servers crash, recover, slow down and heal on quantum boundaries.
//!
//! Opens a tick for the shards: last tick's answers, which the nodes have read, are cleared; then
//! the changes planned for this boundary happen, before anything else does.

use bevy_ecs::prelude::Resource;

use crate::clock::Clock;
use crate::network::Responses;
use crate::plan::{Change, Planned};
use crate::server::Servers;
use crate::setup::Setup;

/// How far the plan has been carried out.
#[derive(Clone, Copy, Debug, Default, Resource)]
pub struct FaultCursor {
    next: usize,
}

impl FaultCursor {
    /// The quantum of the next change, if any is left.
    pub fn next_quantum(&self, setup: &Setup) -> Option<u64> {
        setup.plan.servers.get(self.next).map(|fault| fault.quantum)
    }
}

/// Clears the outboxes of the last tick and, on a boundary, applies what is planned for it.
pub fn open_tick(
    setup: &Setup,
    clock: &Clock,
    cursor: &mut FaultCursor,
    servers: &mut [Servers],
    responses: &mut [Responses],
) {
    for outbox in responses.iter_mut() {
        outbox.open(clock.tick);
    }
    let Some(quantum) = clock.boundary else { return };
    while let Some(fault) = setup.plan.servers.get(cursor.next)
        && fault.quantum <= quantum
    {
        for (shard, outbox) in servers.iter_mut().zip(responses.iter_mut()) {
            apply(setup, quantum, fault, shard, outbox);
        }
        cursor.next += 1;
    }
}

fn apply(
    setup: &Setup,
    quantum: u64,
    fault: &Planned<Change>,
    shard: &mut Servers,
    outbox: &mut Responses,
) {
    let at_ns = quantum * setup.ticks.quantum_ns;
    let from = fault.first.clamp(shard.first, shard.first + shard.len);
    let to = fault.end.clamp(shard.first, shard.first + shard.len);
    for server in from..to {
        shard.change(setup, server - shard.first, at_ns, fault.change, outbox);
    }
}
