//! The owners of state, shards of servers and LB nodes, as phases see them.
//!
//! bevy keeps every component of an archetype in one array, in the order of spawning: position `i`
//! is shard or node `i`. A phase works on those arrays as slices, one task a part of them.

use rayon::join;

use crate::judge::Judge;
use crate::meters::{Lane, NodeMeters};
use crate::network::Dispatches;
use crate::policy::SelectionIndex;
use crate::request::InFlight;
use crate::selection::{NodeParts, NodeStreams};
use crate::traffic::Traffic;
use crate::view::View;

/// In what order owners are visited. It changes no result; tests prove it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Visit {
    /// From the first to the last.
    #[default]
    Forward,
    /// From the last to the first.
    Reverse,
}

impl Visit {
    /// The positions `0..len` in this order.
    #[inline]
    pub fn order(self, len: usize) -> impl Iterator<Item = usize> {
        (0..len).map(move |i| if self == Self::Reverse { len - 1 - i } else { i })
    }
}

/// What selection changes of the nodes of one lane: equal-length slices.
pub struct NodeColumns<'a> {
    /// Beliefs.
    pub views: &'a mut [View],
    /// Policies.
    pub indexes: &'a mut [SelectionIndex],
    /// Requests.
    pub in_flight: &'a mut [InFlight],
    /// Arrivals.
    pub traffic: &'a mut [Traffic],
    /// Attempts on their way.
    pub dispatches: &'a mut [Dispatches],
    /// Chance.
    pub streams: &'a mut [NodeStreams],
    /// Counts.
    pub meters: &'a mut [NodeMeters],
    /// What nodes make of the servers.
    pub judges: &'a mut [Judge],
}

impl NodeColumns<'_> {
    fn len(&self) -> usize {
        self.views.len()
    }

    /// The columns of one node.
    pub fn node(&mut self, i: usize) -> NodeParts<'_> {
        NodeParts {
            view: &mut self.views[i],
            index: &mut self.indexes[i],
            in_flight: &mut self.in_flight[i],
            traffic: &mut self.traffic[i],
            dispatches: &mut self.dispatches[i],
            streams: &mut self.streams[i],
            meters: &mut self.meters[i],
            judge: &mut self.judges[i],
        }
    }

    fn split_at(self, cut: usize) -> (Self, Self) {
        let (views, views_2) = self.views.split_at_mut(cut);
        let (indexes, indexes_2) = self.indexes.split_at_mut(cut);
        let (in_flight, in_flight_2) = self.in_flight.split_at_mut(cut);
        let (traffic, traffic_2) = self.traffic.split_at_mut(cut);
        let (dispatches, dispatches_2) = self.dispatches.split_at_mut(cut);
        let (streams, streams_2) = self.streams.split_at_mut(cut);
        let (meters, meters_2) = self.meters.split_at_mut(cut);
        let (judges, judges_2) = self.judges.split_at_mut(cut);
        (
            Self { views, indexes, in_flight, traffic, dispatches, streams, meters, judges },
            Self {
                views: views_2,
                indexes: indexes_2,
                in_flight: in_flight_2,
                traffic: traffic_2,
                dispatches: dispatches_2,
                streams: streams_2,
                meters: meters_2,
                judges: judges_2,
            },
        )
    }

    /// Splits the nodes evenly over the lanes and runs `work(first node, nodes, lane)` on each, in
    /// parallel.
    pub fn for_lanes<F>(self, first: usize, lanes: &mut [Lane], work: &F)
    where
        F: Fn(usize, Self, &mut Lane) + Sync,
    {
        match lanes {
            [] => {}
            [lane] => {
                if let Some(thread) = rayon::current_thread_index() {
                    lane.threads_seen |= 1 << (thread % 64);
                }
                work(first, self, lane);
            }
            _ => {
                let half = lanes.len() / 2;
                let cut = self.len() * half / lanes.len();
                let (left_lanes, right_lanes) = lanes.split_at_mut(half);
                let (left, right) = self.split_at(cut);
                join(
                    || left.for_lanes(first, left_lanes, work),
                    || right.for_lanes(first + cut, right_lanes, work),
                );
            }
        }
    }
}
