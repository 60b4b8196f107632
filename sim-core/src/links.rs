//! Which links are cut at present.
//!
//! A partition cuts the links between its two sides, or those one way. A message is lost if the link
//! is cut at the moment at which it would arrive; that holds for all kinds alike: attempts, answers,
//! heartbeats and what nodes tell each other. Nobody is told: an attempt into a partition, or one
//! whose answer does not get out of it, ends when its client loses patience, as connections across a
//! partition time out rather than being reset.
//!
//! Partitions begin and end on quantum boundaries, so within a tick nothing changes, and while no
//! partition lasts the phases ask once a tick and owner, never once a message.

use crate::plan::Partition;
use crate::setup::Setup;

/// See the module documentation.
#[derive(Clone, Debug, Default)]
pub struct Links {
    /// How far the plan has been carried out.
    next: usize,
    /// The partitions that last, each as often as it has begun.
    cuts: Vec<Partition>,
}

impl Links {
    /// Carries out what is planned up to the boundary `quantum`.
    pub fn advance(&mut self, setup: &Setup, quantum: u64) {
        while let Some(cut) = setup.plan.links.get(self.next)
            && cut.quantum <= quantum
        {
            let partition = &setup.plan.partitions[cut.partition as usize];
            if cut.begins {
                self.cuts.push(partition.clone());
            } else if let Some(at) = self.cuts.iter().position(|cut| cut == partition) {
                self.cuts.swap_remove(at);
            }
            self.next += 1;
        }
    }

    /// The quantum of the next change, if any is left.
    pub fn next_quantum(&self, setup: &Setup) -> Option<u64> {
        setup.plan.links.get(self.next).map(|cut| cut.quantum)
    }

    /// Nothing is cut.
    #[inline]
    pub const fn are_whole(&self) -> bool {
        self.cuts.is_empty()
    }

    /// What a node sends a server is lost.
    pub fn cut_to_server(&self, node: u32, server: u32) -> bool {
        self.cuts.iter().any(|cut| {
            (cut.a.has_node(node) && cut.b.has_server(server))
                || (!cut.one_way && cut.b.has_node(node) && cut.a.has_server(server))
        })
    }

    /// What a server sends a node is lost.
    pub fn cut_to_node(&self, server: u32, node: u32) -> bool {
        self.cuts.iter().any(|cut| {
            (cut.a.has_server(server) && cut.b.has_node(node))
                || (!cut.one_way && cut.b.has_server(server) && cut.a.has_node(node))
        })
    }

    /// What a node sends another is lost.
    pub fn cut_between(&self, from: u32, to: u32) -> bool {
        self.cuts.iter().any(|cut| {
            (cut.a.has_node(from) && cut.b.has_node(to))
                || (!cut.one_way && cut.b.has_node(from) && cut.a.has_node(to))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Members;

    fn links(one_way: bool) -> Links {
        let side = |nodes, servers| Members { nodes: vec![nodes], servers: vec![servers] };
        let cut = Partition { a: side(0..2, 0..5), b: side(2..3, 5..10), one_way };
        Links { next: 0, cuts: vec![cut] }
    }

    #[test]
    fn a_partition_cuts_what_crosses_it_and_nothing_else() {
        for one_way in [false, true] {
            let links = links(one_way);
            // From side a to side b, always.
            assert!(links.cut_between(0, 2) && links.cut_between(1, 2));
            assert!(links.cut_to_server(1, 5) && links.cut_to_node(4, 2));
            // Back, unless only one way is cut.
            assert_eq!(links.cut_between(2, 1), !one_way);
            assert_eq!(links.cut_to_server(2, 0), !one_way);
            assert_eq!(links.cut_to_node(9, 0), !one_way);
            // Within a side, and where somebody is on neither.
            assert!(!links.cut_between(0, 1) && !links.cut_to_server(0, 4));
            assert!(!links.cut_to_node(7, 2) && !links.cut_to_node(3, 1));
            assert!(!links.cut_between(0, 3) && !links.cut_to_server(3, 0));
        }
    }
}
