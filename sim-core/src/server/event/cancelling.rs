//! What nodes take back.

use std::collections::BTreeMap;

use super::state::Server;
use super::{EventServers, Job};
use crate::network::Responses;
use crate::server::Delivery;
use crate::setup::Setup;
use crate::time::Nanos;

/// Which job is which attempt: by server, node and the node's number of it.
pub type Names = BTreeMap<Name, u32>;
/// Server, node and the node's number of an attempt.
type Name = (u32, u32, u32);

/// Memory a name takes [bytes]: an entry of a tree whose nodes are half full at least.
pub const NAME_BYTES: usize = 2 * (size_of::<Name>() + size_of::<u32>());

impl EventServers {
    /// Takes an attempt back that is here; its slot, if it had one, goes to the next.
    pub(super) fn cancel(
        &mut self,
        setup: &Setup,
        tick: u64,
        at_ns: Nanos,
        delivery: &Delivery,
        out: &mut Responses,
    ) {
        let server = delivery.server;
        let name = (server, delivery.node, delivery.attempt);
        let Some(&index) = self.names().get(&name) else { return };
        self.catch_up(setup, server, at_ns);
        let state = &mut self.servers[server as usize];
        state.cancelled += 1;
        if self.jobs[index as usize].is_in_service(state, index) {
            let spent_ns = self.spent_ns(setup, at_ns, server, index);
            self.servers[server as usize].cancelled_ns += spent_ns;
            self.vacate(setup, server, index, spent_ns);
            self.release(server, index);
            self.begin_next(setup, tick, at_ns, server, out);
        } else {
            state.waiting.remove(&self.jobs, index);
            self.release(server, index);
        }
        self.settle(setup, at_ns, server, None, out);
        self.look_ahead(setup, tick, server);
    }

    /// Which job is which attempt. Nobody needs to know before the first cancellation.
    fn names(&mut self) -> &Names {
        let Self { names, servers, jobs, .. } = self;
        names.get_or_insert_with(|| {
            let name = |server, index: u32| {
                let Job { node, attempt, .. } = jobs[index as usize];
                ((server, node, attempt), index)
            };
            let at_server = |(server, state): (u32, &Server)| {
                let here: Vec<u32> =
                    state.active.iter().copied().chain(state.waiting.iter()).collect();
                here.into_iter().map(move |index| name(server, index))
            };
            (0u32..).zip(servers.iter()).flat_map(at_server).collect()
        })
    }
}
