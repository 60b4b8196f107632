//! What arrives at the nodes of the reference engine, and where it goes when a node is out.

use sim_core::plan::NodeChange;
use sim_core::result::Outcome;
use sim_core::roster::Place;
use sim_core::time::Nanos;
use sim_core::traffic::Arrival;

use super::requests::Ask;
use super::{Event, Reference};

impl Reference {
    /// Reads the records of the next moment; nodes take turns in the order of the trace, and what
    /// comes at one moment comes by node.
    pub(super) fn read_trace(&mut self) {
        let source = self.trace.as_mut().expect("a trace scenario is given a trace");
        let mut read = || source.next().expect("the trace is readable");
        let mut next = self.next_record.take().or_else(&mut read);
        let at_ns = next.map_or(Nanos::MAX, |record| record.at_ns);
        if at_ns >= self.setup.window_end_ns {
            return;
        }
        while let Some(record) = next.filter(|record| record.at_ns == at_ns) {
            self.recorded.push((self.trace_turn % self.setup.nodes, record));
            self.trace_turn += 1;
            next = read();
        }
        self.next_record = next;
        self.recorded.sort_by_key(|&(node, _)| node);
        self.agenda.add(at_ns, Event::Recorded, &self.jobs);
    }

    /// A request arrives that is meant for `node`, wherever it goes.
    pub(super) fn arrive(&mut self, at_ns: Nanos, node: u32) {
        let Arrival { demand, key, .. } = self.nodes[node as usize].traffic.take();
        let ask = Ask { arrived_ns: at_ns, demand, key, client: None };
        match self.roster.place(node, at_ns) {
            Place::Here => self.take_in(node, ask),
            Place::At(other) => self.take_in(other, ask),
            Place::Lost => self.nodes[node as usize].miss(&self.setup, at_ns, Outcome::Lost),
            Place::Nowhere => {
                self.nodes[node as usize].miss(&self.setup, at_ns, Outcome::Rejected);
            }
        }
    }

    pub(super) fn take_in(&mut self, node: u32, ask: Ask) {
        let waits = self.nodes[node as usize].arrive(&self.setup, ask);
        if let Some(serial) = waits {
            self.plan_end_of_wait(ask.arrived_ns, node, serial);
            // Of several who wait the first is planned for.
            if self.nodes[node as usize].bench.waiters.len() == 1 {
                self.plan_opening(node);
            }
        }
        self.carry_out(ask.arrived_ns, node);
    }

    /// Nodes stop and start.
    pub(super) fn node_faults(&mut self, at_ns: Nanos) {
        let Self { setup, roster, nodes, choice, .. } = self;
        let quantum = at_ns / setup.ticks.quantum_ns;
        let mut started = Vec::new();
        let mut left = Vec::new();
        let mut changed = Vec::new();
        while roster.change(setup, quantum, |id, change, starts| {
            let node = &mut nodes[id as usize];
            node.is_up = matches!(change, NodeChange::Recover | NodeChange::Join);
            changed.push(id);
            match change {
                NodeChange::Leave => {
                    node.talk.leave();
                    left.push(id);
                }
                NodeChange::Crash => node.stop(setup),
                NodeChange::Recover | NodeChange::Join => {
                    node.stop(setup);
                    node.start(setup, *choice, starts, quantum);
                    started.push(id);
                }
            }
        }) {}
        for id in changed {
            self.carry_out(at_ns, id);
        }
        for id in started {
            self.plan_round(id);
            self.plan_members(id);
        }
        for id in left {
            self.agenda.add(at_ns, Event::Members { node: id }, &self.jobs);
        }
        // Somebody may know at once.
        self.look_from(at_ns);
    }
}
