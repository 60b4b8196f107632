//! The requests that arrive at one node: when, and what they demand.

use std::collections::VecDeque;

use bevy_ecs::prelude::Component;

use crate::clients::Clients;
use crate::config::Arrivals;
use crate::ids::NodeId;
use crate::popularity::KeySampler;
use crate::rng::{Purpose, Rng, Stream};
use crate::setup::Setup;
use crate::time::Nanos;
use crate::workload::{ArrivalProcess, TraceRecord};

/// See the module documentation.
#[derive(Component, Debug)]
pub struct Traffic {
    source: Source,
    next_ns: Nanos,
    demand: Stream,
    /// What requests are about, unless a trace tells.
    keys: Option<(KeySampler, Stream)>,
    end_ns: Nanos,
    node: u32,
    /// Meant for nodes that are out, by time and node; taken with the arrivals of their tick.
    handed: Vec<(u32, Arrival)>,
    /// Who sends the next request only when the last has ended.
    pub clients: Option<Box<Clients>>,
}

#[derive(Debug)]
enum Source {
    Process(ArrivalProcess),
    /// This node's share of a trace, as far as it has been read.
    Trace(VecDeque<TraceRecord>),
}

/// A request as it arrives.
#[derive(Clone, Copy, Debug)]
pub struct Arrival {
    /// When [ns].
    pub at_ns: Nanos,
    /// Demand bits, or service time [ns].
    pub demand: u64,
    /// What it is about; 0 where requests have no keys.
    pub key: u64,
}

impl Traffic {
    /// The traffic of `node` under a checked arrival process.
    pub fn new(setup: &Setup, arrivals: &Arrivals, node: NodeId) -> Self {
        let mut traffic = Self {
            source: match arrivals {
                Arrivals::Trace(_) => Source::Trace(VecDeque::new()),
                generated => Source::Process(ArrivalProcess::new(
                    generated,
                    setup.nodes,
                    node,
                    setup.seed,
                    setup.replication,
                )),
            },
            next_ns: Nanos::MAX,
            demand: setup.node_stream(Purpose::Demand, node),
            keys: setup.keys.map(|keys| (keys, setup.node_stream(Purpose::Keys, node))),
            end_ns: setup.window_end_ns,
            node: node.0,
            handed: Vec::new(),
            clients: None,
        };
        traffic.advance();
        traffic
    }

    /// Arrival of the next request [ns]; `Nanos::MAX` when none is known.
    #[inline]
    pub const fn next_ns(&self) -> Nanos {
        self.next_ns
    }

    /// When the next client in a closed loop sends a request [ns]; `Nanos::MAX` when none does.
    #[inline]
    pub fn next_client_ns(&self) -> Nanos {
        self.clients.as_ref().map_or(Nanos::MAX, |clients| clients.next_ns())
    }

    /// Whether nothing arrives before `end_ns`.
    #[inline]
    pub const fn is_quiet_before(&self, end_ns: Nanos) -> bool {
        self.next_ns >= end_ns && self.handed.is_empty()
    }

    /// Takes every request that arrives before `end_ns`, in order. A function of its own: its loops
    /// keep the states of streams in registers.
    #[inline(never)]
    pub fn take_before(&mut self, end_ns: Nanos, out: &mut Vec<Arrival>) {
        let from = out.len();
        if let Source::Process(process) = &mut self.source {
            let limit_ns = end_ns.min(self.end_ns);
            let next_ns = process.take_before(self.next_ns, limit_ns, |at_ns| {
                out.push(Arrival { at_ns, demand: 0, key: 0 });
            });
            // A loop of its own: the states of two streams do not fit into the registers.
            let mut bits = self.demand.clone();
            out[from..].iter_mut().for_each(|arrival| arrival.demand = bits.next_u64());
            self.demand = bits;
            self.next_ns = if next_ns < self.end_ns { next_ns } else { Nanos::MAX };
            if let Some((keys, stream)) = &mut self.keys {
                out[from..].iter_mut().for_each(|arrival| arrival.key = keys.draw(stream));
            }
        }
        while self.next_ns < end_ns {
            let arrival = self.take();
            out.push(arrival);
        }
        if !self.handed.is_empty() {
            self.merge_handed(from, out);
        }
    }

    /// Takes over a request of the present tick that was meant for node `origin`. Such requests
    /// come by time, then origin.
    pub fn hand(&mut self, origin: u32, arrival: Arrival) {
        self.handed.push((origin, arrival));
    }

    /// Puts what was handed over among the arrivals from `from` on: by time, then the node they
    /// were meant for.
    #[cold]
    fn merge_handed(&mut self, from: usize, out: &mut Vec<Arrival>) {
        let own = out.split_off(from);
        let mut own = own.into_iter().peekable();
        for (origin, handed) in self.handed.drain(..) {
            let before = |own: &Arrival| (own.at_ns, self.node) <= (handed.at_ns, origin);
            while let Some(arrival) = own.next_if(before) {
                out.push(arrival);
            }
            out.push(handed);
        }
        out.extend(own);
    }

    /// Takes the next request.
    #[inline]
    pub fn take(&mut self) -> Arrival {
        let bits = self.demand.next_u64();
        let drawn = self.keys.as_mut().map_or(0, |(keys, stream)| keys.draw(stream));
        let mut arrival = Arrival { at_ns: self.next_ns, demand: bits, key: drawn };
        if let Source::Trace(records) = &mut self.source
            && let Some(record) = records.pop_front()
        {
            arrival.demand = record.service_ns.unwrap_or(bits);
            arrival.key = record.key.unwrap_or(drawn);
        }
        self.advance();
        arrival
    }

    /// Appends a record of a trace; records come in order.
    pub fn feed(&mut self, record: TraceRecord) {
        if let Source::Trace(records) = &mut self.source {
            records.push_back(record);
            self.advance();
        }
    }

    #[inline]
    fn advance(&mut self) {
        let next_ns = match &mut self.source {
            Source::Process(process) => process.next_ns(),
            Source::Trace(records) => records.front().map_or(Nanos::MAX, |record| record.at_ns),
        };
        self.next_ns = if next_ns < self.end_ns { next_ns } else { Nanos::MAX };
    }
}
