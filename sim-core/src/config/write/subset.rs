//! Writes which servers a node knows.

use super::{File, inline};
use crate::config::SubsetConfig;

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
}
