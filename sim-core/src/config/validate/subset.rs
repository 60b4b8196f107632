//! Subsets that hold somebody, and tiers that can share.

use super::Checker;
use crate::config::{PrioritiesConfig, SubsetConfig};

impl Checker {
    pub(super) fn subset(&mut self, subset: Option<&SubsetConfig>) {
        let (key, size) = match subset {
            None => return,
            Some(SubsetConfig::Random { size }) => ("subset.random.size", size),
            Some(SubsetConfig::Rendezvous { size }) => ("subset.rendezvous.size", size),
            Some(SubsetConfig::DeterministicAperture { aperture }) => {
                ("subset.deterministic_aperture.aperture", aperture)
            }
        };
        self.within(key, u64::from(*size), 1..=u32::MAX.into());
    }

    pub(super) fn priorities(&mut self, priorities: &PrioritiesConfig) {
        let PrioritiesConfig { overprovisioning, panic } = *priorities;
        let fine = (1.0..=100.0).contains(&overprovisioning);
        self.number("priorities.overprovisioning", overprovisioning, fine, "1 to 100");
        let fine = (0.0..=1.0).contains(&panic);
        self.number("priorities.panic", panic, fine, "0 to 1");
    }
}
