//! Weighted round robin by static strides, as gRPC has it.
//!
//! Source: gRFC A58 and grpc-go's `weightedroundrobin` scheduler. Signal: none beyond eligibility;
//! weights are configured (`servers.weight`) or reported ([`super::weights`]).
//!
//! Weights are scaled to `1..=65535`, the largest to 65535. A counter goes up by one a step; it names
//! a server (`counter mod n`) and a generation (`counter div n`). The server is picked if
//! `(weight * generation + server * 32767) mod 65535 >= 65535 - weight`, else the step is skipped: so a
//! server is picked `weight` times in 65535 generations, evenly spread. With one server, or weights
//! that are all equal after scaling, it is round robin. A weight that rounds to 0 is never picked,
//! as in grpc-go. Ties: there are none. O(largest weight / mean weight) expected a decision, never
//! more than a few rounds.
//!
//! Parameters: those of weights; `random_start` (true): the counter starts at random (32 bits), as in gRPC;
//! `capacity_gate` (false). Where it differs: gRPC makes a new scheduler when subchannels come or go;
//! here a step at a server that is out is skipped, and after a few such steps the next eligible server
//! in turn is taken, O(servers).

use crate::config::keys::{Key, key};
use crate::config::{ParameterCheck, ParameterList};
use crate::ids::{NodeId, ServerId};
use crate::notes::Note;
use crate::rng::{Rng, Stream};
use crate::setup::Setup;
use crate::time::Nanos;
use crate::view::{BLIND_DRAWS, Candidates};

use super::registry::capacity_gate_key;
use super::roll::Roll;
use super::weights::{Weights, WeightsConfig, weights_keys};
use super::{Needs, Parameters, Policy, SelectionIndex};

/// Parameters of [`StaticStride`].
#[derive(Clone, Debug, PartialEq)]
pub struct StaticStrideConfig {
    /// Where weights come from.
    pub weights: WeightsConfig,
    /// Start each node's counter at a random value.
    pub random_start: bool,
    /// Skip servers whose estimated load has reached their capacity.
    pub capacity_gate: bool,
}

impl Default for StaticStrideConfig {
    fn default() -> Self {
        Self { weights: WeightsConfig::default(), random_start: true, capacity_gate: false }
    }
}

impl Parameters for StaticStrideConfig {
    const KEYS: &'static [Key] = &{
        let [weights, reports, blackout, expiration, update, penalty] =
            weights_keys!("static_stride");
        let random_start = key(
            "policy.static_stride.random_start",
            "",
            "true",
            "true, false",
            "Each node's counter starts at random.",
            "false: nodes move in step.",
        );
        let gate = capacity_gate_key!("static_stride", "false");
        [weights, reports, blackout, expiration, update, penalty, random_start, gate]
    };

    fn list(&mut self, list: &mut ParameterList<'_, '_, '_>) {
        let Self { weights, random_start, capacity_gate } = self;
        weights.list(list);
        list.flag("random_start", random_start);
        list.flag("capacity_gate", capacity_gate);
    }

    fn check(&self, check: &mut ParameterCheck<'_>) {
        self.weights.check(check);
    }

    fn needs(&self) -> Needs {
        self.weights.needs()
    }

    fn server_bytes(&self) -> usize {
        Weights::SERVER_BYTES + size_of::<u16>()
    }

    fn build(&self, setup: &Setup, _: NodeId, stream: &mut Stream) -> SelectionIndex {
        let counter = if self.random_start { stream.next_u32() } else { 0 };
        SelectionIndex::Boxed(Box::new(StaticStride {
            weights: Weights::new(setup, self.weights),
            roll: Roll::default(),
            strides: Strides::new(&[], counter),
            capacity_gate: self.capacity_gate,
        }))
    }
}

/// See the module documentation.
#[derive(Debug)]
pub struct StaticStride {
    weights: Weights,
    roll: Roll,
    strides: Strides,
    capacity_gate: bool,
}

impl Policy for StaticStride {
    fn choose(&mut self, candidates: &Candidates<'_>, _: &mut Stream) -> Option<ServerId> {
        let Self { weights, roll, strides, capacity_gate } = self;
        let are_new = roll.has_changed(candidates);
        if weights.update(candidates, are_new) || are_new {
            let weights: Vec<f64> = roll.servers().map(|server| weights.of(server)).collect();
            *strides = Strides::new(&weights, strides.counter);
        }
        let is_eligible = |place| candidates.is_eligible(roll.server(place), *capacity_gate);
        strides.pick(is_eligible).map(|place| ServerId(roll.server(place)))
    }

    fn on_note(&mut self, note: &Note, at_ns: Nanos) {
        self.weights.hear(note, at_ns);
    }
}

/// The largest scaled weight.
const MOST: u16 = u16::MAX;

/// The scheduler: weights that do not change, and a counter.
#[derive(Clone, Debug)]
pub struct Strides {
    /// Scaled; empty: all alike, so nothing is skipped.
    weights: Vec<u16>,
    servers: u32,
    counter: u32,
}

impl Strides {
    /// A scheduler of these weights from `counter` on; a weight of 0 stands for the mean of the others.
    pub fn new(weights: &[f64], counter: u32) -> Self {
        let servers = weights.len() as u32;
        let known = || weights.iter().copied().filter(|&weight| weight > 0.0);
        let (sum, most, count) =
            (known().sum::<f64>(), known().fold(0.0, f64::max), known().count());
        if count <= 1 {
            return Self { weights: Vec::new(), servers, counter };
        }
        let scale = f64::from(MOST) / most;
        let scaled = |weight: f64| (scale * weight).round() as u16;
        let mean = scaled(sum / count as f64);
        let of = |&weight: &f64| if weight > 0.0 { scaled(weight) } else { mean };
        let mut scaled: Vec<u16> = weights.iter().map(of).collect();
        if scaled.iter().all(|&weight| weight == mean) {
            scaled.clear();
        }
        Self { weights: scaled, servers, counter }
    }

    /// The next server, eligible or not.
    pub fn step(&mut self) -> u32 {
        loop {
            let step = u64::from(self.counter);
            self.counter = self.counter.wrapping_add(1);
            let (generation, server) =
                (step / u64::from(self.servers), step % u64::from(self.servers));
            let Some(&weight) = self.weights.get(server as usize) else {
                return server as u32;
            };
            let most = u64::from(MOST);
            let spread = u64::from(weight) * generation + server * (most / 2);
            if spread % most >= most - u64::from(weight) {
                return server as u32;
            }
        }
    }

    /// The next server that is eligible.
    pub fn pick(&mut self, is_eligible: impl Fn(u32) -> bool) -> Option<u32> {
        if self.servers == 0 {
            return None;
        }
        let mut last = 0;
        for _ in 0..BLIND_DRAWS {
            last = self.step();
            if is_eligible(last) {
                return Some(last);
            }
        }
        (last + 1..self.servers).chain(0..=last).find(|&server| is_eligible(server))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The definition as it is written: the k-th server in generation g, for all g and k in order.
    fn sequence(weights: &[u64], from: u64, len: usize) -> Vec<u32> {
        let n = weights.len() as u64;
        let picked = |&step: &u64| {
            let (i, generation) = (step % n, step / n);
            let weight = weights[i as usize];
            (weight * generation + i * 32_767) % 65_535 >= 65_535 - weight
        };
        (from..).filter(picked).map(|step| (step % n) as u32).take(len).collect()
    }

    proptest! {
        #[test]
        fn picks_are_those_of_the_definition(
            weights in proptest::collection::vec(1_u64..=65_535, 2..20),
            top in 0_usize..20,
            from in 0_u32..1 << 31,
        ) {
            let mut weights = weights;
            let n = weights.len();
            weights[top % n] = 65_535; // Scaled to itself, so all others are.
            let given: Vec<f64> = weights.iter().map(|&weight| weight as f64).collect();
            let mut strides = Strides::new(&given, from);
            prop_assume!(!strides.weights.is_empty());
            let picks: Vec<u32> = (0..200).map(|_| strides.step()).collect();
            prop_assert_eq!(picks, sequence(&weights, from.into(), 200));
        }
    }

    /// In 65 535 generations everyone is picked exactly as often as his scaled weight says.
    #[test]
    fn a_whole_cycle_gives_everyone_his_weight() {
        let weights = [65_535.0, 32_768.0, 7.0, 40_000.0, 1.0];
        let mut strides = Strides::new(&weights, 0);
        let mut counts = [0_u32; 5];
        let picks = weights.iter().sum::<f64>() as usize;
        for _ in 0..picks {
            counts[strides.step() as usize] += 1;
        }
        assert_eq!(counts, [65_535, 32_768, 7, 40_000, 1]);
    }

    #[test]
    fn a_few_known_weights_and_equal_ones_are_round_robin() {
        for weights in [[0.0; 3], [0.0, 7.0, 0.0], [4.0; 3]] {
            let mut strides = Strides::new(&weights, 0);
            let picks: Vec<u32> = (0..6).map(|_| strides.step()).collect();
            assert_eq!(picks, [0, 1, 2, 0, 1, 2], "{weights:?}");
        }
        // Who has none stands for the mean: (65535 + 21845) / 2.
        let strides = Strides::new(&[3.0, 1.0, 0.0], 0);
        assert_eq!(strides.weights, [65_535, 21_845, 43_690]);
    }

    #[test]
    fn whoever_is_out_is_skipped() {
        let mut strides = Strides::new(&[1.0, 100.0, 1.0, 2.0], 0);
        for _ in 0..100 {
            assert_eq!(strides.pick(|server| server == 2), Some(2));
        }
        assert_eq!(strides.pick(|_| false), None);
    }
}
