//! Failover: requests meant for a node that is not there are lost or go to another one.
//!
//! Comes before selection and takes the arrivals of the present tick from every node that is out,
//! in order of time, then node. In a tick with all nodes in place it does nothing.

use crate::clock::Clock;
use crate::meters::{Lane, NodeMeters};
use crate::result::Outcome;
use crate::roster::{Place, Roster};
use crate::setup::Setup;
use crate::traffic::{Arrival, Traffic};

/// Finds a place for what arrives in the present tick at nodes that are out.
pub fn run(
    setup: &Setup,
    clock: &Clock,
    roster: &mut Roster,
    traffic: &mut [Traffic],
    meters: &mut [NodeMeters],
    lanes: &mut [Lane],
) {
    if roster.is_complete() {
        return;
    }
    let end_ns = clock.now_ns(setup) + setup.ticks.tick_ns;
    let mut astray: Vec<(u32, Arrival)> = Vec::new();
    let mut arrivals = Vec::new();
    for &node in roster.out() {
        traffic[node as usize].take_before(end_ns, &mut arrivals);
        astray.extend(arrivals.drain(..).map(|arrival| (node, arrival)));
    }
    // Stable: the arrivals of one node at one moment stay in order.
    astray.sort_by_key(|&(node, arrival)| (arrival.at_ns, node));
    for (node, arrival) in astray {
        let outcome = match roster.place(node, arrival.at_ns) {
            Place::Here => {
                traffic[node as usize].hand(node, arrival);
                continue;
            }
            Place::At(other) => {
                traffic[other as usize].hand(node, arrival);
                continue;
            }
            Place::Lost => Outcome::Lost,
            Place::Nowhere => Outcome::Rejected,
        };
        let measured = arrival.at_ns >= setup.window_start_ns;
        let meters = &mut meters[node as usize];
        meters.counts[usize::from(measured)].arrived += 1;
        meters.end(measured, outcome);
        lanes[0].events += 1;
    }
}
