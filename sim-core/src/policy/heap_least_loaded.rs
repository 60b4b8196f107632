//! Least loaded of all by a heap, as Finagle has it.
//!
//! Source: Finagle `HeapLeastLoaded.scala` (`Balancers.heap`). Signal: own in flight.
//!
//! All servers lie in a binary heap by their requests in flight. The top is chosen if it is eligible;
//! else it gets a penalty above any load, goes on a list of servers that are down, and the new top is
//! looked at. At every choice those on the list are looked at first, and whoever is eligible again
//! loses its penalty. If the top is down, everybody is, and nobody is chosen (Finagle would choose
//! it all the same). Ties: by the place in the heap; a server that becomes idle is put at a random
//! place, and the heap has its idle servers in no fixed order for it.
//!
//! Parameters: `capacity_gate` (false). O(log servers + servers down) a decision, O(log servers) a send
//! or an answer; a server that goes down or comes back costs O(log servers) once.

use crate::answer::Answer;
use crate::config::ParameterList;
use crate::config::keys::Key;
use crate::ids::{NodeId, ServerId};
use crate::rng::{Rng, Stream, below};
use crate::setup::Setup;
use crate::time::Nanos;
use crate::view::{Belief, Candidates};

use super::registry::capacity_gate_key;
use super::roll::Roll;
use super::{Parameters, Policy, SelectionIndex};

/// Parameters of [`HeapLeastLoaded`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HeapLeastLoadedConfig {
    /// Skip servers whose estimated load has reached their capacity.
    pub capacity_gate: bool,
}

impl Parameters for HeapLeastLoadedConfig {
    const KEYS: &'static [Key] = &[capacity_gate_key!("heap_least_loaded", "false")];

    fn list(&mut self, list: &mut ParameterList<'_, '_, '_>) {
        let Self { capacity_gate } = self;
        list.flag("capacity_gate", capacity_gate);
    }

    fn server_bytes(&self) -> usize {
        // Load, heap, its index, the list of those that are down, and its number.
        size_of::<u64>() + 4 * size_of::<u32>()
    }

    fn build(&self, setup: &Setup, _: NodeId, stream: &mut Stream) -> SelectionIndex {
        // What happens at answers must not move the stream of choices.
        let places =
            Stream::new(u128::from(stream.next_u64()) << 64 | u128::from(stream.next_u64()));
        SelectionIndex::Boxed(Box::new(HeapLeastLoaded {
            roll: Roll::default(),
            place_of: vec![NOWHERE; setup.servers as usize],
            heap: LoadHeap::new(0),
            places,
            capacity_gate: self.capacity_gate,
        }))
    }
}

/// See the module documentation.
#[derive(Debug)]
pub struct HeapLeastLoaded {
    roll: Roll,
    /// By id, the number under which the heap knows a server.
    place_of: Vec<u32>,
    heap: LoadHeap,
    /// Places of servers that become idle.
    places: Stream,
    capacity_gate: bool,
}

impl Policy for HeapLeastLoaded {
    fn choose(&mut self, candidates: &Candidates<'_>, _: &mut Stream) -> Option<ServerId> {
        let Self { roll, place_of, heap, capacity_gate, .. } = self;
        if roll.has_changed(candidates) {
            place_of.fill(NOWHERE);
            *heap = LoadHeap::new(roll.places());
            for (place, server) in (0..).zip(roll.servers()) {
                place_of[server as usize] = place;
                heap.load(place, candidates.belief(server).own);
            }
        }
        let picked = heap.pick(|place| candidates.is_eligible(roll.server(place), *capacity_gate));
        picked.map(|place| ServerId(roll.server(place)))
    }

    fn on_send(&mut self, server: ServerId, belief: &Belief, _: Nanos) {
        self.load(server, belief.own);
    }

    fn on_answer(&mut self, server: ServerId, belief: &Belief, _: &Answer) {
        let place = self.load(server, belief.own);
        if belief.own == 0 && place != NOWHERE {
            self.heap.shuffle(place, &mut self.places);
        }
    }
}

impl HeapLeastLoaded {
    /// Tells the heap of a load; returns where the server is in it.
    fn load(&mut self, server: ServerId, load: u32) -> u32 {
        let place = self.place_of[server.index()];
        if place != NOWHERE {
            self.heap.load(place, load);
        }
        place
    }
}

/// The number of a server that the heap does not know.
const NOWHERE: u32 = u32::MAX;

/// Above any load.
const PENALTY: u64 = 1 << 32;

/// All servers by load.
///
/// 1. `loads[heap[(i - 1) / 2]] <= loads[heap[i]]`: a binary heap with the least on top.
/// 2. `places[heap[i]] == i`.
/// 3. A server is in `down` exactly when its load has the penalty.
#[derive(Clone, Debug)]
struct LoadHeap {
    heap: Vec<u32>,
    places: Vec<u32>,
    loads: Vec<u64>,
    down: Vec<u32>,
}

impl LoadHeap {
    fn new(servers: u32) -> Self {
        let all: Vec<u32> = (0..servers).collect();
        Self { places: all.clone(), heap: all, loads: vec![0; servers as usize], down: Vec::new() }
    }

    fn load_at(&self, place: usize) -> u64 {
        self.loads[self.heap[place] as usize]
    }

    fn swap(&mut self, a: usize, b: usize) {
        self.heap.swap(a, b);
        self.places[self.heap[a] as usize] = a as u32;
        self.places[self.heap[b] as usize] = b as u32;
    }

    fn sift_up(&mut self, mut place: usize) {
        while place > 0 && self.load_at(place) < self.load_at((place - 1) / 2) {
            self.swap(place, (place - 1) / 2);
            place = (place - 1) / 2;
        }
    }

    fn sift_down(&mut self, mut place: usize) {
        loop {
            let (left, right) = (2 * place + 1, 2 * place + 2);
            if left >= self.heap.len() {
                return;
            }
            let is_right = right < self.heap.len() && self.load_at(right) < self.load_at(left);
            let least = if is_right { right } else { left };
            if self.load_at(place) <= self.load_at(least) {
                return;
            }
            self.swap(place, least);
            place = least;
        }
    }

    /// Sets a load, penalty included.
    fn set(&mut self, server: u32, load: u64) {
        self.loads[server as usize] = load;
        let place = self.places[server as usize] as usize;
        self.sift_up(place);
        self.sift_down(self.places[server as usize] as usize);
    }

    /// A server has so many requests in flight now.
    fn load(&mut self, server: u32, load: u32) {
        let penalty = self.loads[server as usize] & PENALTY;
        self.set(server, penalty | u64::from(load));
    }

    /// Puts a server that has nothing in flight at a random place: it may be anywhere among its like.
    fn shuffle(&mut self, server: u32, stream: &mut Stream) {
        if self.loads[server as usize] > 0 || self.heap.len() < 2 {
            return;
        }
        let last = self.heap.len() - 1;
        // Out of the heap: the last one takes its place, and goes where it belongs.
        let place = self.places[server as usize] as usize;
        self.swap(place, last);
        self.heap.pop();
        if place < last {
            let moved = self.heap[place];
            self.sift_up(place);
            self.sift_down(self.places[moved as usize] as usize);
        }
        // In again, at a random place; who was there goes to the end.
        self.heap.push(server);
        let place = below(stream, last as u32 + 1) as usize;
        self.swap(place, last);
        self.sift_up(place);
        self.sift_up(last);
    }

    fn pick(&mut self, is_eligible: impl Fn(u32) -> bool) -> Option<u32> {
        let mut down = std::mem::take(&mut self.down);
        down.retain(|&server| {
            let is_back = is_eligible(server);
            if is_back {
                self.set(server, self.loads[server as usize] - PENALTY);
            }
            !is_back
        });
        self.down = down;
        loop {
            let server = *self.heap.first()?;
            if is_eligible(server) {
                return Some(server);
            }
            if self.loads[server as usize] >= PENALTY {
                return None;
            }
            self.down.push(server);
            self.set(server, self.loads[server as usize] + PENALTY);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Purpose, stream};
    use proptest::prelude::*;

    proptest! {
        /// The oracle is a scan: the server picked is eligible and has the least load of those that are.
        /// The invariants hold after every step, and none is lost.
        #[test]
        fn heap_picks_the_least_loaded(
            servers in 1_u32..40,
            steps in proptest::collection::vec((0_u32..40, 0_u32..5), 1..200),
        ) {
            let mut heap = LoadHeap::new(servers);
            let mut loads = vec![0_u32; servers as usize];
            let mut up = vec![true; servers as usize];
            let mut stream = stream(1, 0, Purpose::Policy, 0);
            for (server, kind) in steps {
                let server = server % servers;
                let load = &mut loads[server as usize];
                match kind {
                    0 => up[server as usize] ^= true,
                    1 | 2 if *load > 0 => {
                        *load -= 1;
                        heap.load(server, *load);
                        if *load == 0 {
                            heap.shuffle(server, &mut stream);
                        }
                    }
                    _ => {
                        *load += 1;
                        heap.load(server, *load);
                    }
                }
                let picked = heap.pick(|server| up[server as usize]);
                let eligible = (0..servers).filter(|&server| up[server as usize]);
                let least = eligible.map(|server| loads[server as usize]).min();
                prop_assert_eq!(picked.map(|server| loads[server as usize]), least);
                prop_assert!(picked.is_none_or(|server| up[server as usize]));
                for place in 1..heap.heap.len() {
                    prop_assert!(heap.load_at((place - 1) / 2) <= heap.load_at(place));
                }
                for (place, &server) in (0..).zip(&heap.heap) {
                    prop_assert_eq!(heap.places[server as usize], place);
                }
                let penalised: Vec<u32> =
                    (0..servers).filter(|&s| heap.loads[s as usize] >= PENALTY).collect();
                let mut down = heap.down.clone();
                down.sort_unstable();
                prop_assert_eq!(down, penalised);
                prop_assert_eq!(heap.heap.len(), servers as usize);
            }
        }
    }

    /// Goal: idle servers take turns at random, and not in a fixed order. Method: one request at a
    /// time over ten servers; every server gets its share, chi-square at nine degrees of freedom.
    #[test]
    fn idle_servers_share_the_work() {
        let mut heap = LoadHeap::new(10);
        let mut stream = stream(1, 0, Purpose::Policy, 0);
        let mut counts = [0.0; 10];
        for _ in 0..20_000 {
            let server = heap.pick(|_| true).unwrap();
            counts[server as usize] += 1.0;
            heap.load(server, 1);
            heap.load(server, 0);
            heap.shuffle(server, &mut stream);
        }
        let chi: f64 = counts.iter().map(|n| (n - 2_000.0_f64).powi(2) / 2_000.0).sum();
        assert!(chi < 100.0 && counts.iter().all(|&n| n > 1_000.0), "{counts:?}");
    }
}
