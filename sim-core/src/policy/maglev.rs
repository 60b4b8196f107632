//! Maglev: consistent hashing by a table that all servers have filled in turns.
//!
//! Source: Eisenbud and others, "Maglev: a fast and reliable software network load balancer", 2016;
//! weights as in Envoy's `maglev`. See [`crate::hashing::maglev`] for the table,
//! [`crate::hashing::bound`] for the bound on load.
//!
//! Signal: the request's key; with `hash_balance_factor` also the node's own requests in flight.
//! Formula: the server at the place that the key's hash gives; of one that is not eligible, the hash is
//! hashed again. No ties.
//!
//! Parameters: `table_size` 65537, a prime number and at least the number of servers (the paper: a
//! hundred times it, for shares equal to 1 %); `hash_balance_factor` off, `overflow` next,
//! `capacity_gate` false.
//!
//! One table for the run, over all servers that are ever there, as with `ring_hash`: the keys of a server
//! that goes move, and no others. Envoy builds its table anew without it, which moves a few others too.
//! O(1) a decision while most servers are eligible.

use crate::config::keys::{Key, key};
use crate::config::{ConfigFault, ParameterCheck, ParameterList};
use crate::hashing::Maglev;
use crate::hashing::maglev::{is_prime, next_prime};
use crate::ids::NodeId;
use crate::rng::Stream;
use crate::setup::Setup;

use super::keyed::{BoundConfig, Keyed, bound_keys};
use super::registry::capacity_gate_key;
use super::{Needs, Parameters, SelectionIndex};

/// Parameters of the policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MaglevConfig {
    /// Places in the table, a prime number.
    pub table_size: u32,
    /// Bounded load.
    pub bound: BoundConfig,
    /// Skip servers whose estimated load has reached their capacity.
    pub capacity_gate: bool,
}

/// Most places: the first prime number beyond 50 million, half a gigabyte with what it takes to build.
const TABLE_MAX: u32 = 50_000_017;

impl Default for MaglevConfig {
    fn default() -> Self {
        Self { table_size: 65_537, bound: BoundConfig::default(), capacity_gate: false }
    }
}

impl Parameters for MaglevConfig {
    #[rustfmt::skip] // One key a row.
    const KEYS: &'static [Key] = &[
        key("policy.maglev.table_size", "places", "65537", "a prime number, the number of servers to 50000017", "Places in the table.", "More: shares follow weights more closely, and more memory."),
        bound_keys!("maglev")[0],
        bound_keys!("maglev")[1],
        capacity_gate_key!("maglev", "false"),
    ];

    fn list(&mut self, list: &mut ParameterList<'_, '_, '_>) {
        let Self { table_size, bound, capacity_gate } = self;
        list.count("table_size", table_size);
        bound.list(list);
        list.flag("capacity_gate", capacity_gate);
    }

    fn check(&self, check: &mut ParameterCheck<'_>) {
        let size = self.table_size;
        check.within("table_size", size.into(), 2..=TABLE_MAX.into());
        check.check(size > TABLE_MAX || is_prime(size), "table_size", || {
            let fault = ConfigFault::new("", "is not a prime number: servers would miss places");
            let prime = next_prime(size).map(|prime| format!("write {prime}"));
            prime.into_iter().fold(fault.found(size), ConfigFault::fix)
        });
        let servers = u64::from(check.scenario.server_count());
        check.check_counted(u64::from(size) >= servers, "table_size", || {
            let wanted = servers.saturating_mul(100).min(TABLE_MAX.into()) as u32;
            let prime = next_prime(wanted).filter(|&prime| prime <= TABLE_MAX);
            ConfigFault::new("", format!("{servers} servers have no place each in so few"))
                .found(size)
                .allowed(format!("a prime number, {servers} to {TABLE_MAX}"))
                .fix(format!("write {}", prime.unwrap_or(TABLE_MAX)))
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
        4.0 * f64::from(self.table_size) + 56.0 * servers
    }

    fn build(&self, setup: &Setup, _: NodeId, _: &mut Stream) -> SelectionIndex {
        let Self { table_size, bound, capacity_gate } = *self;
        let table =
            setup.table.maglev(|| Maglev::new(&setup.weights(), table_size, &setup.hasher()));
        SelectionIndex::Boxed(Box::new(Keyed::new(setup, table, bound, capacity_gate)))
    }
}
