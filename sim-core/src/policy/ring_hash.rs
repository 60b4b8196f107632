//! Ring hash: consistent hashing on a circle.
//!
//! Source: Karger and others 1997; ring sizes and weights as in Envoy's `ring_hash` and gRPC (A42).
//! See [`crate::hashing::ring`] for the ring, [`crate::hashing::bound`] for the bound on load.
//!
//! Signal: the request's key; with `hash_balance_factor` also the node's own requests in flight.
//! Formula: the first eligible server whose point lies at or after the key's hash. No ties: of equal
//! hashes the smaller id is first.
//!
//! Parameters: `minimum_ring_size` 1024 points and `maximum_ring_size` 8388608 (Envoy's; gRPC's maximum
//! is 4096), `hash_balance_factor` off, `overflow` next, `capacity_gate` false.
//!
//! One ring for the run, over all servers that are ever there, those that faults add included: a server
//! that is down, draining, not yet there or outside the node's subset is walked past. Envoy builds its
//! ring anew over the healthy hosts; that leaves the points of the others where they are, so the choices
//! are the same as long as their number is. O(log points) a decision while most servers are eligible.

use crate::config::keys::{Key, key};
use crate::config::{ConfigFault, ParameterCheck, ParameterList};
use crate::hashing::Ring;
use crate::ids::NodeId;
use crate::rng::Stream;
use crate::setup::Setup;

use super::keyed::{BoundConfig, Keyed, bound_keys};
use super::registry::capacity_gate_key;
use super::{Needs, Parameters, SelectionIndex};

/// Parameters of the policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RingHashConfig {
    /// Points on the ring, at least.
    pub minimum_ring_size: u32,
    /// Points on the ring, at most.
    pub maximum_ring_size: u32,
    /// Bounded load.
    pub bound: BoundConfig,
    /// Skip servers whose estimated load has reached their capacity.
    pub capacity_gate: bool,
}

/// Most points: Envoy's bound.
const RING_MAX: u32 = 8_388_608;

impl Default for RingHashConfig {
    fn default() -> Self {
        Self {
            minimum_ring_size: 1_024,
            maximum_ring_size: RING_MAX,
            bound: BoundConfig::default(),
            capacity_gate: false,
        }
    }
}

impl Parameters for RingHashConfig {
    #[rustfmt::skip] // One key a row.
    const KEYS: &'static [Key] = &[
        key("policy.ring_hash.minimum_ring_size", "points", "1024", "1 to 8388608", "Points on the ring, at least.", "More: shares follow weights more closely, and more memory."),
        key("policy.ring_hash.maximum_ring_size", "points", "8388608", "minimum_ring_size to 8388608", "Points on the ring, at most.", "Fewer: less memory; servers may be left without points."),
        bound_keys!("ring_hash")[0],
        bound_keys!("ring_hash")[1],
        capacity_gate_key!("ring_hash", "false"),
    ];

    fn list(&mut self, list: &mut ParameterList<'_, '_, '_>) {
        let Self { minimum_ring_size, maximum_ring_size, bound, capacity_gate } = self;
        list.count("minimum_ring_size", minimum_ring_size);
        list.count("maximum_ring_size", maximum_ring_size);
        bound.list(list);
        list.flag("capacity_gate", capacity_gate);
    }

    fn check(&self, check: &mut ParameterCheck<'_>) {
        check.within("minimum_ring_size", self.minimum_ring_size.into(), 1..=RING_MAX.into());
        let (least, most) = (self.minimum_ring_size, self.maximum_ring_size);
        check.check((least..=RING_MAX).contains(&most), "maximum_ring_size", || {
            ConfigFault::new("", "is out of range")
                .found(most)
                .allowed(format!("minimum_ring_size ({least}) to {RING_MAX}"))
        });
        self.bound.check(check);
    }

    fn needs(&self) -> Needs {
        Needs { keys: true, ..Needs::default() }
    }

    fn server_bytes(&self) -> usize {
        self.bound.server_bytes()
    }

    fn shared_bytes(&self, servers: f64) -> f64 {
        let points = servers.max(f64::from(self.minimum_ring_size));
        // While it is sorted it is there twice; weights besides.
        28.0 * points.min(f64::from(self.maximum_ring_size)) + 8.0 * servers
    }

    fn build(&self, setup: &Setup, _: NodeId, _: &mut Stream) -> SelectionIndex {
        let Self { minimum_ring_size, maximum_ring_size, bound, capacity_gate } = *self;
        let ring = setup.table.ring(|| {
            Ring::new(&setup.weights(), minimum_ring_size, maximum_ring_size, &setup.hasher())
        });
        SelectionIndex::Boxed(Box::new(Keyed::new(setup, ring, bound, capacity_gate)))
    }
}
