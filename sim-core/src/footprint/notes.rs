//! What notes and probes take on their way, and what servers keep for them.

use super::model::{ALLOCATION_BYTES, Load, Model, peak};
use crate::network::Dispatch;
use crate::notes::{Notes, Notice};
use crate::server::event::EventServers;
use crate::simulation;

impl Model<'_> {
    /// What a server keeps to tell nodes how it is [bytes].
    pub(super) fn signals_bytes(&self) -> f64 {
        if self.setup.needs.messages() {
            EventServers::signals_bytes(&self.setup) as f64 + ALLOCATION_BYTES
        } else {
            0.0
        }
    }

    /// Notes and probes on their way [bytes].
    pub(super) fn notes(&self, load: &Load) -> f64 {
        let (setup, needs) = (&self.setup, self.setup.needs);
        if !needs.messages() {
            return 0.0;
        }
        let of_own_accord = match needs.notes {
            // Heartbeats are counted below.
            None | Some(Notice::Heartbeats) => 0.0,
            // A server may be hit by chance after every note.
            Some(Notice::Idle) => 2.0,
            Some(Notice::IdleToShorter) => 4.0,
            Some(Notice::Completions { share_ppm }) => f64::from(share_ppm) / 1e6,
        };
        let probes = setup.policy.probes_a_request();
        let notes = of_own_accord + probes + f64::from(u8::from(needs.feedback));
        let network = &self.scenario.network;
        let within = |ns: f64| load.rate * (ns + setup.ticks.tick_ns as f64) / 1e9;
        let horizon = simulation::reply_horizon_ticks(setup, self.scenario);
        let heartbeats = if needs.notes == Some(Notice::Heartbeats) {
            peak(self.nodes * self.heard_by() * self.heartbeats_on_way())
        } else {
            0.0
        };
        let back = peak(notes * within(network.server_node.mean_ns())) + heartbeats;
        let replies = if needs.notes == Some(Notice::IdleToShorter) { 2.0 } else { 0.0 };
        let there = peak((probes + replies) * within(network.node_server.mean_ns()));
        Notes::bytes(horizon, back) + there * size_of::<Dispatch>() as f64
    }
}
