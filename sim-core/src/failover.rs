//! Failover: requests meant for a node that is not there are lost or go to another one.
//!
//! Comes before selection and takes the arrivals of the present tick from every node that is out,
//! in order of time, then node; at one moment clients in a closed loop come first, by number. In a
//! tick with all nodes in place it does nothing.

use crate::clock::Clock;
use crate::meters::{Lane, NodeMeters};
use crate::result::Outcome;
use crate::rng::Stream;
use crate::roster::{Place, Roster};
use crate::setup::Setup;
use crate::time::Nanos;
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
    let mut moved = Vec::new();
    for (node, arrival) in astray {
        place_clients(setup, arrival.at_ns + 1, roster, traffic, meters, &mut moved);
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
        miss(setup, &mut meters[node as usize], arrival.at_ns, outcome);
        lanes[0].events += 1;
    }
    place_clients(setup, end_ns, roster, traffic, meters, &mut moved);
    lanes[0].events += moved.len() as u64;
    for Move { to, client, stream, at_ns } in moved {
        if let Some(clients) = &mut traffic[to as usize].clients {
            clients.adopt(client, stream, at_ns);
        }
    }
}

/// A client that goes to another node.
struct Move {
    to: u32,
    client: u32,
    stream: Stream,
    at_ns: Nanos,
}

/// Finds nodes for the clients that send before `end_ns` and whose node is not up. Those that find none
/// think again, until the next boundary at least.
fn place_clients(
    setup: &Setup,
    end_ns: Nanos,
    roster: &mut Roster,
    traffic: &mut [Traffic],
    meters: &mut [NodeMeters],
    moved: &mut Vec<Move>,
) {
    loop {
        let next = roster.out().iter().filter_map(|&node| {
            let clients = traffic[node as usize].clients.as_ref()?;
            let next = clients.next()?;
            (!clients.is_up() && next.0 < end_ns).then_some((next, node))
        });
        let Some(((at_ns, client), node)) = next.min() else { return };
        let Some(clients) = &mut traffic[node as usize].clients else { return };
        clients.take();
        let outcome = match roster.place(node, at_ns) {
            Place::At(to) => {
                let stream = clients.release(client);
                moved.extend(stream.map(|stream| Move { to, client, stream, at_ns }));
                continue;
            }
            Place::Lost => Outcome::Lost,
            Place::Here | Place::Nowhere => Outcome::Rejected,
        };
        clients.think(client, at_ns);
        miss(setup, &mut meters[node as usize], at_ns, outcome);
    }
}

/// A request that nobody takes in ends at once.
fn miss(setup: &Setup, meters: &mut NodeMeters, at_ns: Nanos, outcome: Outcome) {
    let measured = at_ns >= setup.window_start_ns;
    meters.counts[usize::from(measured)].arrived += 1;
    meters.end(measured, outcome);
}
