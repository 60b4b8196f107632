//! Clients in a closed loop: each sends a request, waits for its end (however it ends), thinks, and
//! sends the next. So they send less when the fleet is slow, which an open loop does not.
//!
//! Latencies of a closed loop say less than they seem to: a client that waits for a slow answer sends
//! nothing meanwhile, so slow times are seen by few ("coordinated omission", G. Tene). What a user of a
//! slow fleet would meet is what the open loop measures.
//!
//! A client belongs to a node: client `c` of `n` nodes starts at node `c mod n`. It thinks before its
//! first request too. Each draws what it thinks and what it asks for from a stream of its own, so it
//! does the same under every policy.
//!
//! **When its node is not up**, a client sends at most once a quantum. As long as nobody has noticed a
//! crash (`nodes.failover_delay`) its requests are lost; afterwards, or when the node has said that it
//! leaves, the client goes to another one with its next request, in the turn that requests of the open
//! loop take, and stays there: its old node may come back, and it does not. Unlike requests of the open
//! loop, clients go back to a node that they have not left as soon as it is up.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use crate::ids::NodeId;
use crate::law::ServiceSampler;
use crate::popularity::KeySampler;
use crate::rng::{Purpose, Rng, Stream, stream};
use crate::setup::Setup;
use crate::time::{Nanos, rounded};

/// The clients of one node.
#[derive(Clone, Debug)]
pub struct Clients {
    think: ServiceSampler,
    keys: Option<KeySampler>,
    /// When each sends its next request [ns]: those that wait for an end are not in here.
    thinking: BinaryHeap<Reverse<(Nanos, u32)>>,
    streams: BTreeMap<u32, Stream>,
    /// The node takes requests.
    is_up: bool,
    quantum_ns: Nanos,
    end_ns: Nanos,
}

impl Clients {
    /// Memory a client takes [bytes]: its turn, and an entry of a tree whose nodes are half full at
    /// least.
    pub(crate) const CLIENT_BYTES: usize =
        size_of::<(Nanos, u32)>() + 2 * (size_of::<u32>() + size_of::<Stream>());

    /// The clients that start at `node`; `None` where there is no closed loop.
    pub fn new(setup: &Setup, node: NodeId, is_up: bool) -> Option<Self> {
        let closed_loop = setup.clients.closed_loop.as_ref()?;
        let mut clients = Self {
            think: closed_loop.think.sampler(),
            keys: setup.keys,
            thinking: BinaryHeap::new(),
            streams: BTreeMap::new(),
            is_up,
            quantum_ns: setup.ticks.quantum_ns,
            end_ns: setup.window_end_ns,
        };
        for client in (node.0..closed_loop.clients).step_by(setup.nodes as usize) {
            let stream = stream(setup.seed, setup.replication, Purpose::Client, client);
            clients.streams.insert(client, stream);
            clients.think(client, 0);
        }
        Some(clients)
    }

    /// A client's request has ended: it thinks from `at_ns` on, at least 1 ns.
    pub fn think(&mut self, client: u32, at_ns: Nanos) {
        let Some(stream) = self.streams.get_mut(&client) else { return };
        let thought = self.think.sample_ns(stream.next_u64());
        let thought_ns = rounded(thought).unwrap_or(thought as Nanos).max(1);
        let mut next_ns = at_ns.saturating_add(thought_ns);
        if !self.is_up {
            next_ns = next_ns.max((at_ns / self.quantum_ns + 1) * self.quantum_ns);
        }
        if next_ns < self.end_ns {
            self.thinking.push(Reverse((next_ns, client)));
        }
    }

    /// When the next request is sent [ns]; `Nanos::MAX` when nobody thinks.
    #[inline]
    pub fn next_ns(&self) -> Nanos {
        self.thinking.peek().map_or(Nanos::MAX, |Reverse((at_ns, _))| *at_ns)
    }

    /// Who sends next, and when.
    pub fn next(&self) -> Option<(Nanos, u32)> {
        self.thinking.peek().map(|Reverse(next)| *next)
    }

    /// Takes who sends next: when, and who. At one moment clients go by number.
    pub fn take(&mut self) -> Option<(Nanos, u32)> {
        self.thinking.pop().map(|Reverse(next)| next)
    }

    /// What a client asks for: demand bits, and a key where requests have some.
    pub fn ask(&mut self, client: u32) -> (u64, u64) {
        let Self { streams, keys, .. } = self;
        let Some(stream) = streams.get_mut(&client) else { return (0, 0) };
        let demand = stream.next_u64();
        (demand, keys.as_ref().map_or(0, |keys| keys.draw(stream)))
    }

    /// A client leaves for another node.
    pub fn release(&mut self, client: u32) -> Option<Stream> {
        self.streams.remove(&client)
    }

    /// A client of another node comes, and sends at `at_ns`.
    pub fn adopt(&mut self, client: u32, stream: Stream, at_ns: Nanos) {
        self.streams.insert(client, stream);
        self.thinking.push(Reverse((at_ns, client)));
    }

    /// Whether the node takes requests.
    pub const fn is_up(&self) -> bool {
        self.is_up
    }

    /// The node stops or starts to take requests.
    pub const fn set_up(&mut self, is_up: bool) {
        self.is_up = is_up;
    }
}
