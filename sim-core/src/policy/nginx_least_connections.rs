//! Least connections by weight, as NGINX has it.
//!
//! Source: `ngx_http_upstream_least_conn_module.c`. Signal: own in flight; weights are configured
//! (`servers.weight`). The fit server with the least `in flight / weight`; among equal ones smooth
//! weighted round robin ([`super::nginx`]). O(servers) a decision.
//!
//! Parameters: `max_fails` (1), `fail_timeout` (10 s), `capacity_gate` (false; NGINX's `max_conns`).
//! Other full scans: Envoy's, ties at random, is `least_request` with `selection = "full_scan"`.

use crate::answer::Answer;
use crate::config::keys::Key;
use crate::config::{ParameterCheck, ParameterList};
use crate::ids::{NodeId, ServerId};
use crate::rng::Stream;
use crate::setup::Setup;
use crate::view::{Belief, Candidates};

use super::nginx::{Failing, Peers, failing_keys};
use super::registry::{Growth, capacity_gate_key};
use super::{Parameters, Policy, SelectionIndex};

/// Parameters of [`NginxLeastConnections`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NginxLeastConnectionsConfig {
    /// When a server counts as failed.
    pub failing: Failing,
    /// Skip servers whose estimated load has reached their capacity.
    pub capacity_gate: bool,
}

impl Parameters for NginxLeastConnectionsConfig {
    const KEYS: &'static [Key] = &{
        let [max_fails, fail_timeout] = failing_keys!("nginx_least_connections");
        [max_fails, fail_timeout, capacity_gate_key!("nginx_least_connections", "false")]
    };

    fn list(&mut self, list: &mut ParameterList<'_, '_, '_>) {
        let Self { failing, capacity_gate } = self;
        failing.list(list);
        list.flag("capacity_gate", capacity_gate);
    }

    fn check(&self, check: &mut ParameterCheck<'_>) {
        self.failing.check(check);
    }

    fn server_bytes(&self) -> usize {
        Peers::SERVER_BYTES
    }

    fn growth(&self) -> Growth {
        Growth::Linear
    }

    fn build(&self, setup: &Setup, _: NodeId, _: &mut Stream) -> SelectionIndex {
        let peers = Peers::new(setup, self.failing, self.capacity_gate);
        SelectionIndex::Boxed(Box::new(NginxLeastConnections { peers }))
    }
}

/// See the module documentation.
#[derive(Debug)]
pub struct NginxLeastConnections {
    peers: Peers,
}

impl Policy for NginxLeastConnections {
    fn choose(&mut self, candidates: &Candidates<'_>, _: &mut Stream) -> Option<ServerId> {
        let in_flight = |_: &Peers, server| f64::from(candidates.belief(server).own);
        self.peers.least(candidates, in_flight).map(ServerId)
    }

    fn on_answer(&mut self, server: ServerId, _: &Belief, answer: &Answer) {
        self.peers.note_answer(server, answer);
    }
}
