//! Subsets that hold somebody.

use super::Checker;
use crate::config::SubsetConfig;

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
}
