//! Reads `[subset]` and `[priorities]`: among which servers a node chooses.

use super::fleet::table;
use super::values::{count, number};
use super::walk::{Section, Walk, choice};
use super::{PrioritiesConfig, SubsetConfig};

/// Servers in an aperture unless the scenario says otherwise: Finagle's.
const APERTURE: u32 = 12;

/// `[subset]`; without it nodes know all servers.
pub(super) fn subset(walk: &mut Walk<'_>, top: &mut Section<'_>) -> Option<SubsetConfig> {
    let item = top.get(walk, "subset")?;
    let variants = ["random", "rendezvous", "deterministic_aperture"];
    let (variant, inner) = choice(walk, &item, &variants, "rendezvous = { size = 20 }")?;
    let mut s = Section::open(walk, &inner);
    let subset = match variant {
        "random" => SubsetConfig::Random { size: s.need(walk, "size", "20", count).unwrap_or(1) },
        "rendezvous" => {
            SubsetConfig::Rendezvous { size: s.need(walk, "size", "20", count).unwrap_or(1) }
        }
        _ => SubsetConfig::DeterministicAperture {
            aperture: s.read(walk, "aperture", count).unwrap_or(APERTURE),
        },
    };
    s.close(walk);
    Some(subset)
}

/// `[priorities]`.
pub(super) fn priorities(walk: &mut Walk<'_>, top: &mut Section<'_>) -> PrioritiesConfig {
    let default = PrioritiesConfig::default();
    let mut s = table(walk, top, "priorities");
    let overprovisioning =
        s.read(walk, "overprovisioning", number).unwrap_or(default.overprovisioning);
    let panic = s.read(walk, "panic", number).unwrap_or(default.panic);
    s.close(walk);
    PrioritiesConfig { overprovisioning, panic }
}
