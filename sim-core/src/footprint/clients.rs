//! What nodes and servers keep where clients do more than wait.

use super::model::{Load, Model, peak};
use crate::clients::Clients;
use crate::config::HedgeAfter;
use crate::meters::RecentTable;
use crate::network::Responses;
use crate::request::InFlight;
use crate::request::attempts::Attempts;
use crate::request::timers::Timer;
use crate::server::event::EventServers;
use crate::simulation;
use crate::time::{Nanos, seconds};

impl Model<'_> {
    pub(super) fn clients(&self, load: &Load) -> f64 {
        let setup = &self.setup;
        if !setup.is_careful() {
            return 0.0;
        }
        let clients = &setup.clients;
        // Attempts of a request, if not every one is retried as often as may be.
        let hedges = clients.hedge.as_ref().map_or(0, |hedge| hedge.max.min(2));
        let attempts = f64::from(1 + hedges + setup.retries_max.min(2));
        let request_bytes =
            Attempts::STORY_BYTES as f64 + attempts * Attempts::ATTEMPT_BYTES as f64;
        let mut bytes = self.nodes * peak(load.in_flight / self.nodes) * request_bytes;
        if !setup.has_active_clients() {
            return bytes;
        }
        // A heap doubles when it is full. Timers stay until they are due, whatever their request does.
        let timers = |wait_ns: Nanos, share: f64| {
            let pending = load.rate * share * seconds(wait_ns.min(self.scenario.duration_ns));
            let places = (peak(pending / self.nodes) as u64).next_power_of_two();
            self.nodes * places as f64 * size_of::<Timer>() as f64
        };
        bytes += clients.attempt_timeout_ns.map_or(0.0, |ns| timers(ns, 1.0));
        if let Some(backoff) = &clients.backoff {
            let budget = f64::from(setup.retry_budget_ppm) / 1e6;
            bytes += timers(backoff.max_ns, budget.min(1.0));
            // Who waits in a backoff is under way.
            let waiting = load.rate * budget.min(1.0) * seconds(backoff.max_ns);
            let request_bytes = InFlight::REQUEST_BYTES + InFlight::DOSSIER_BYTES;
            bytes += waiting * (request_bytes + Attempts::STORY_BYTES) as f64;
        }
        if let Some(hedge) = &clients.hedge {
            let after_ns = match hedge.after {
                HedgeAfter::Delay(ns) => ns,
                // As long as most requests take: their number says how long that is.
                HedgeAfter::Percentile { .. } => (3.0 * load.in_flight / load.rate * 1e9) as Nanos,
            };
            bytes += timers(after_ns, 1.0) + self.nodes * RecentTable::BYTES as f64;
        }
        if clients.cancel_on_timeout || clients.hedge.is_some() {
            bytes += (load.busy + load.waiting) * EventServers::NAME_BYTES as f64;
        }
        bytes += clients.closed_loop.as_ref().map_or(0.0, |closed_loop| {
            f64::from(closed_loop.clients) * Clients::CLIENT_BYTES as f64
        });
        let horizon = simulation::reply_horizon_ticks(setup, self.scenario);
        let back_ns = self.scenario.network.server_node.mean_ns() + setup.ticks.tick_ns as f64;
        bytes += Responses::services_bytes(horizon, peak(load.rate * back_ns / 1e9));
        bytes
    }
}
