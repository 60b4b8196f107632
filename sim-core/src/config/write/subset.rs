//! Writes among which servers a node chooses.

use super::{File, inline, number};
use crate::config::{PrioritiesConfig, SubsetConfig};

impl File {
    pub(super) fn subset(&mut self, subset: SubsetConfig) {
        self.table("[subset]");
        let (name, key, size) = match subset {
            SubsetConfig::Random { size } => ("random", "size", size),
            SubsetConfig::Rendezvous { size } => ("rendezvous", "size", size),
            SubsetConfig::DeterministicAperture { aperture } => {
                ("deterministic_aperture", "aperture", aperture)
            }
        };
        self.key(name, inline(&[(key, size.to_string())]));
    }

    pub(super) fn priorities(&mut self, priorities: PrioritiesConfig) {
        let PrioritiesConfig { overprovisioning, panic } = priorities;
        self.table("[priorities]");
        self.key("overprovisioning", number(overprovisioning));
        self.key("panic", number(panic));
    }
}
