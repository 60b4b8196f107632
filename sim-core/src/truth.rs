//! Which servers are really up: what detectors are measured against, and what a health check finds.
//!
//! Worked out from the plan of faults alone, so that looking costs the servers nothing.

use bevy_ecs::prelude::Resource;

use crate::ids::ServerId;
use crate::plan::Change;
use crate::setup::Setup;

/// See the module documentation.
#[derive(Clone, Debug, Resource)]
pub struct Truth {
    /// The next change of the plan.
    next: usize,
    servers: Vec<State>,
    changed: Vec<(ServerId, bool)>,
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
    /// At time 0: the configured servers are up, those that faults add are not there yet.
    pub fn new(setup: &Setup) -> Self {
        let state = |server| State { up: server < setup.configured, leaving: false, since: 0 };
        Self { next: 0, servers: (0..setup.servers).map(state).collect(), changed: Vec::new() }
    }

    /// Moves on to the boundary `quantum`; [`Truth::changed`] says who went down or came up since
    /// the last call, in order.
    pub fn advance(&mut self, setup: &Setup, quantum: u64) {
        self.changed.clear();
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

    /// Whether a server has been up without a break since the quantum `since`.
    pub fn up_since(&self, server: ServerId, since: u32) -> bool {
        self.answers(server) && self.servers[server.index()].since <= since
    }

    /// When a server last came up or went down [quanta].
    pub fn since(&self, server: ServerId) -> u32 {
        self.servers[server.index()].since
    }
}
