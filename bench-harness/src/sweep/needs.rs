//! What one run takes, worked out before it starts: the order of the runs and how many go on at once
//! follow from it, and no result does.

use sim_core::config::{Fanout, Scenario};
use sim_core::footprint;
use sim_core::time::seconds;

/// What one run takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    /// About how long it takes [ns of one thread]; only good enough for an order.
    pub cost: u64,
    /// About how many requests arrive in it.
    pub requests: u64,
    /// Most memory it takes [bytes].
    pub bytes: u64,
}

/// Cost of a request [ns]: measured at 1 000 servers, and near enough elsewhere.
const REQUEST_NS: f64 = 150.0;
/// Cost of a heartbeat that arrives at a node [ns].
const REPORT_NS: f64 = 15.0;
/// Requests of a trace that does not say how many it holds.
const TRACE_REQUESTS: f64 = 1e6;

/// What one run of `scenario` takes.
pub fn of(scenario: &Scenario) -> Needs {
    let duration_s = seconds(scenario.duration_ns);
    let requests = scenario.offered_per_s().map_or(TRACE_REQUESTS, |rate| rate * duration_s);
    let servers = f64::from(scenario.server_count());
    let nodes = match scenario.heartbeat.fanout {
        Fanout::All => scenario.nodes.count,
        Fanout::Random(count) | Fanout::Home(count) => count,
    };
    let reports = servers * f64::from(nodes) * duration_s / seconds(scenario.heartbeat.interval_ns);
    Needs {
        cost: (requests * REQUEST_NS + reports * REPORT_NS) as u64,
        requests: requests as u64,
        bytes: footprint::estimate(scenario).bytes,
    }
}
