//! Which servers the nodes of the reference engine know, where that is a part of them.

use sim_core::subset;

use super::node::Node;
use super::{Event, Reference};

impl Reference {
    /// When the list of servers changes is known from the start.
    pub(super) fn plan_subsets(&mut self) {
        let setup = &self.setup;
        let mut quanta: Vec<u64> =
            setup.plan.servers.iter().map(|planned| planned.quantum).collect();
        quanta.dedup();
        for quantum in quanta.into_iter().filter(|&quantum| subset::changes_on(setup, quantum)) {
            self.agenda.add(quantum * setup.ticks.quantum_ns, Event::Listed, &self.jobs);
        }
    }

    /// The list of servers has changed: nodes that are there choose theirs anew.
    pub(super) fn renew_subsets(&mut self, quantum: u64) {
        for node in self.nodes.iter_mut().filter(|node| node.bench.rules.is_running) {
            for server in node.bench.rules.narrow(&self.setup, quantum, &mut node.view) {
                node.talk.forget(server);
            }
        }
    }

    /// Nodes that have a server in their subset.
    pub(super) fn connections(&self, server: u32) -> u64 {
        let holds = |node: &&Node| {
            let pool = node.view.pool().filter(|_| node.bench.rules.is_running);
            pool.is_some_and(|pool| pool.members.contains(&server))
        };
        self.nodes.iter().filter(holds).count() as u64
    }
}
