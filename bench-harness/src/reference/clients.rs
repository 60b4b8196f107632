//! Clients in a closed loop.

use sim_core::law::ServiceSampler;
use sim_core::result::Outcome;
use sim_core::rng::{Purpose, Rng, Stream, stream};
use sim_core::roster::{Place, Standing};
use sim_core::setup::Setup;
use sim_core::time::{Nanos, rounded};

use super::node::Todo;
use super::requests::Ask;
use super::{Event, Reference};

/// All clients: where each belongs, and what it draws from.
pub struct Clients {
    think: Option<ServiceSampler>,
    clients: Vec<(u32, Stream)>,
}

impl Clients {
    pub fn new(setup: &Setup) -> Self {
        let closed_loop = setup.clients.closed_loop.as_ref();
        let count = closed_loop.map_or(0, |closed_loop| closed_loop.clients);
        let client = |client| {
            let stream = stream(setup.seed, setup.replication, Purpose::Client, client);
            (client % setup.nodes, stream)
        };
        Self {
            think: closed_loop.map(|closed_loop| closed_loop.think.sampler()),
            clients: (0..count).map(client).collect(),
        }
    }
}

impl Reference {
    /// All clients begin to think.
    pub(super) fn start_clients(&mut self) {
        for client in 0..self.clients.clients.len() as u32 {
            let (node, _) = self.clients.clients[client as usize];
            self.think(0, client, self.nodes[node as usize].is_up);
        }
    }

    fn think(&mut self, at_ns: Nanos, client: u32, is_up: bool) {
        let Some(think) = &self.clients.think else { return };
        let (_, stream) = &mut self.clients.clients[client as usize];
        let thought = think.sample_ns(stream.next_u64());
        let thought_ns = rounded(thought).unwrap_or(thought as Nanos).max(1);
        let boundary_ns = (at_ns / self.setup.ticks.quantum_ns + 1) * self.setup.ticks.quantum_ns;
        let mut next_ns = at_ns.saturating_add(thought_ns);
        if !is_up {
            next_ns = next_ns.max(boundary_ns);
        }
        if next_ns < self.setup.window_end_ns {
            self.agenda.add(next_ns, Event::Client { client }, &self.jobs);
        }
    }

    /// A client sends its next request.
    pub(super) fn client(&mut self, at_ns: Nanos, client: u32) {
        let (home, _) = self.clients.clients[client as usize];
        let mut node = home;
        if self.roster.standing(home) != Standing::Up {
            let missed = match self.roster.place(home, at_ns) {
                Place::At(other) => {
                    node = other;
                    None
                }
                Place::Lost => Some(Outcome::Lost),
                Place::Here | Place::Nowhere => Some(Outcome::Rejected),
            };
            if let Some(outcome) = missed {
                self.nodes[home as usize].miss(&self.setup, at_ns, outcome);
                return self.think(at_ns, client, false);
            }
        }
        let (home, stream) = &mut self.clients.clients[client as usize];
        *home = node;
        let demand = stream.next_u64();
        let key = self.setup.keys.as_ref().map_or(0, |keys| keys.draw(stream));
        self.take_in(node, Ask { arrived_ns: at_ns, demand, key, client: Some(client) });
    }

    /// Sees to what a node has left to be done.
    pub(super) fn carry_out(&mut self, at_ns: Nanos, node: u32) {
        let mut out = std::mem::take(&mut self.nodes[node as usize].out);
        for todo in out.drain(..) {
            match todo {
                Todo::Send(at_ns, server, job) => self.send(node, at_ns, server, job),
                Todo::At(at_ns, event) => self.agenda.add(at_ns, event, &self.jobs),
                Todo::Free { client, is_up } => self.think(at_ns, client, is_up),
            }
        }
        // Its room is used again.
        self.nodes[node as usize].out = out;
    }
}
