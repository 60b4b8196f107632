//! Which servers are really up: what detectors are measured against, and what a health check finds.
//!
//! Worked out from the plan of faults alone, so that looking costs the servers nothing.

use bevy_ecs::prelude::Resource;

use crate::ids::ServerId;
use crate::links::Links;
use crate::plan::Change;
use crate::setup::Setup;

/// See the module documentation.
#[derive(Clone, Debug, Resource)]
pub struct Truth {
    /// The next change of the plan.
    next: usize,
    servers: Vec<State>,
    changed: Vec<(ServerId, bool)>,
    links: Links,
}

#[derive(Clone, Copy, Debug)]
struct State {
    up: bool,
    /// It is on its way out: nobody has to detect that.
    leaving: bool,
    /// When it last came up or went down [quanta].
    since: u32,
}

impl Truth {
    /// Memory a server takes [bytes].
    pub(crate) const SERVER_BYTES: usize = size_of::<State>();

    /// At time 0: the configured servers are up, those that faults add are not there yet.
    pub fn new(setup: &Setup) -> Self {
        let state = |server| State { up: server < setup.configured, leaving: false, since: 0 };
        let servers = (0..setup.servers).map(state).collect();
        Self { next: 0, servers, changed: Vec::new(), links: Links::default() }
    }

    /// Moves on to the boundary `quantum`; [`Truth::changed`] says who went down or came up since
    /// the last call, in order.
    pub fn advance(&mut self, setup: &Setup, quantum: u64) {
        self.changed.clear();
        self.links.advance(setup, quantum);
        while let Some(planned) = setup.plan.servers.get(self.next)
            && planned.quantum <= quantum
        {
            for server in planned.first..planned.end {
                let state = &mut self.servers[server as usize];
                let up = match planned.change {
                    Change::Crash { .. } => false,
                    Change::Recover | Change::Join => true,
                    Change::Leave => {
                        state.leaving = true;
                        continue;
                    }
                    _ => continue,
                };
                if state.up != up && !state.leaving {
                    self.changed.push((ServerId(server), up));
                }
                (state.up, state.since) = (up, planned.quantum as u32);
            }
            self.next += 1;
        }
    }

    /// Who went down (false) or came up (true) on the present boundary, in order. A server that did
    /// both is there twice.
    pub fn changed(&self) -> &[(ServerId, bool)] {
        &self.changed
    }

    /// Whether a server answers health checks: it is up and not on its way out.
    pub fn answers(&self, server: ServerId) -> bool {
        let state = self.servers[server.index()];
        state.up && !state.leaving
    }

    /// Whether a server answers a health check of this node: the question must get there and the
    /// answer out again, by the links as they are when the question comes.
    pub fn answers_to(&self, node: u32, server: ServerId) -> bool {
        let cut = !self.links.are_whole()
            && (self.links.cut_to_server(node, server.0) || self.links.cut_to_node(server.0, node));
        self.answers(server) && !cut
    }

    /// Whether a server has been up without a break since the quantum `since`.
    pub fn up_since(&self, server: ServerId, since: u32) -> bool {
        self.answers(server) && self.servers[server.index()].since <= since
    }

    /// When a server last came up or went down [quanta].
    pub fn since(&self, server: ServerId) -> u32 {
        self.servers[server.index()].since
    }
}
