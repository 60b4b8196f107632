//! Weighted random: an eligible server drawn in proportion to its weight.
//!
//! Source: every proxy's weighted random (Envoy `random`, AWS `weighted_random`). Signal: none beyond
//! eligibility; weights are configured (`servers.weight`). No ties. With equal weights it is `random`.
//!
//! Parameters: `capacity_gate` (false). O(1) a decision from an alias table ([`super::alias`]):
//! draws until one is eligible, and after a few misses once among all that are, O(servers). Both
//! ways have the law of the weights among the eligible.

use crate::config::ParameterList;
use crate::config::keys::Key;
use crate::ids::{NodeId, ServerId};
use crate::rng::Stream;
use crate::setup::Setup;
use crate::view::{BLIND_DRAWS, Candidates};

use super::alias::AliasTable;
use super::registry::capacity_gate_key;
use super::roll::Roll;
use super::{Parameters, Policy, SelectionIndex};

/// Parameters of [`WeightedRandom`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WeightedRandomConfig {
    /// Skip servers whose estimated load has reached their capacity.
    pub capacity_gate: bool,
}

impl Parameters for WeightedRandomConfig {
    const KEYS: &'static [Key] = &[capacity_gate_key!("weighted_random", "false")];

    fn list(&mut self, list: &mut ParameterList<'_, '_, '_>) {
        let Self { capacity_gate } = self;
        list.flag("capacity_gate", capacity_gate);
    }

    fn server_bytes(&self) -> usize {
        WeightedDraw::SERVER_BYTES
    }

    fn build(&self, setup: &Setup, _: NodeId, _: &mut Stream) -> SelectionIndex {
        let draw = WeightedDraw::new(setup.weights());
        SelectionIndex::Boxed(Box::new(WeightedRandom { draw, capacity_gate: self.capacity_gate }))
    }
}

/// See the module documentation.
#[derive(Debug)]
pub struct WeightedRandom {
    draw: WeightedDraw,
    capacity_gate: bool,
}

impl Policy for WeightedRandom {
    fn choose(&mut self, candidates: &Candidates<'_>, stream: &mut Stream) -> Option<ServerId> {
        let gate = self.capacity_gate;
        let chosen = self.draw.draw_where(candidates, stream, |s| candidates.is_eligible(s, gate));
        chosen.map(ServerId)
    }
}

/// Draws servers in proportion to their weights.
#[derive(Debug)]
pub struct WeightedDraw {
    /// By id.
    weights: Vec<f64>,
    roll: Roll,
    table: AliasTable,
}

impl WeightedDraw {
    /// Memory a server takes [bytes].
    pub const SERVER_BYTES: usize = size_of::<f64>() + AliasTable::OUTCOME_BYTES;

    /// A draw by these weights, by id.
    pub fn new(weights: Vec<f64>) -> Self {
        Self { weights, roll: Roll::default(), table: AliasTable::default() }
    }

    /// The weight of a server.
    pub fn weight(&self, server: u32) -> f64 {
        self.weights[server as usize]
    }

    /// A server, whoever it is; none if there are none. O(1).
    pub fn draw(&mut self, candidates: &Candidates<'_>, stream: &mut Stream) -> Option<u32> {
        if self.roll.has_changed(candidates) {
            let weights: Vec<f64> = self.roll.servers().map(|server| self.weight(server)).collect();
            self.table = AliasTable::new(&weights);
        }
        (self.roll.places() > 0).then(|| self.roll.server(self.table.draw(stream)))
    }

    /// A server that passes `is_in`; O(1) expected while a fair share of the weight does.
    pub fn draw_where(
        &mut self,
        candidates: &Candidates<'_>,
        stream: &mut Stream,
        is_in: impl Fn(u32) -> bool,
    ) -> Option<u32> {
        for _ in 0..BLIND_DRAWS {
            let server = self.draw(candidates, stream)?;
            if is_in(server) {
                return Some(server);
            }
        }
        self.draw_by_scan(candidates, stream, is_in)
    }

    fn draw_by_scan(
        &self,
        candidates: &Candidates<'_>,
        stream: &mut Stream,
        is_in: impl Fn(u32) -> bool,
    ) -> Option<u32> {
        let weight = |server| if is_in(server) { self.weight(server) } else { 0.0 };
        candidates.draw_weighted_by_scan(stream, weight)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Purpose, stream};
    use crate::view::fixture;

    /// Goal: blind draws and the scan have the same law, that of the weights among the eligible.
    /// Method: counts of both ways against it, chi-square.
    #[test]
    fn both_ways_of_drawing_follow_the_weights_of_the_eligible() {
        let weights: Vec<f64> = vec![1.0, 4.0, 2.0, 8.0, 3.0];
        let mut draw = WeightedDraw::new(weights);
        let view = fixture::view(5, 4);
        let candidates = fixture::candidates(&view);
        let is_in = |server| server != 1 && server != 3;
        let mut stream = stream(1, 0, Purpose::Policy, 0);
        for by_scan in [false, true] {
            let mut counts = [0.0; 5];
            for _ in 0..60_000 {
                let server = if by_scan {
                    draw.draw_by_scan(&candidates, &mut stream, is_in)
                } else {
                    draw.draw_where(&candidates, &mut stream, is_in)
                };
                counts[server.unwrap() as usize] += 1.0;
            }
            let chi: f64 = [(0, 1.0), (2, 2.0), (4, 3.0)]
                .map(|(server, weight): (usize, f64)| {
                    (counts[server] - weight * 1e4).powi(2) / (weight * 1e4)
                })
                .iter()
                .sum();
            assert!(chi < 27.6 && counts[1] + counts[3] < 1.0, "{by_scan}: {counts:?}");
        }
        assert_eq!(draw.draw_where(&candidates, &mut stream, |_| false), None);
    }
}
