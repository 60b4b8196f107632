//! The least bad server, for a request for which none is eligible.
//!
//! Among the servers that are available though full, or else among all that have not said that they
//! leave, the one with the lowest estimated load a slot; ties at random. In a large fleet `DRAWS`
//! servers drawn at random stand for all, and only if none of them will do are all looked at.

use crate::ids::ServerId;
use crate::rng::{Stream, below};
use crate::view::barred::Reasons;
use crate::view::{Candidates, View};

/// Servers drawn in a large fleet.
const DRAWS: u32 = 64;

/// A server and how bad it is: smaller is better.
struct Best {
    server: u32,
    available: bool,
    load: u64,
    slots: u64,
    tied: u32,
}

impl Best {
    /// Whether another server is better, as good, or worse.
    fn compare(&self, available: bool, load: u64, slots: u64) -> std::cmp::Ordering {
        // Loads a slot are compared as fractions.
        (self.available.cmp(&available)).then((load * self.slots).cmp(&(self.load * slots)))
    }
}

/// Chooses, or finds nobody to choose.
pub fn choose(view: &View, candidates: &Candidates<'_>, stream: &mut Stream) -> Option<ServerId> {
    if candidates.choosable() > DRAWS {
        let drawn: Vec<u32> = (0..DRAWS).map(|_| candidates.draw(stream)).collect();
        if let Some(server) = best(view, candidates, drawn.into_iter(), stream) {
            return Some(server);
        }
    }
    best(view, candidates, candidates.servers(), stream)
}

fn best(
    view: &View,
    candidates: &Candidates<'_>,
    servers: impl Iterator<Item = u32>,
    stream: &mut Stream,
) -> Option<ServerId> {
    let mut best: Option<Best> = None;
    for server in servers {
        if view.reasons(ServerId(server)).has(Reasons::UNUSABLE) {
            continue;
        }
        let available = candidates.is_available(server);
        let load = u64::from(candidates.load(server));
        let slots = u64::from(candidates.belief(server).capacity.max(1));
        let first = Best { server, available, load, slots, tied: 1 };
        match best.as_mut() {
            None => best = Some(first),
            Some(present) => match present.compare(available, load, slots) {
                std::cmp::Ordering::Less => *present = first,
                std::cmp::Ordering::Greater => {}
                std::cmp::Ordering::Equal => {
                    present.tied += 1;
                    if below(stream, present.tied) == 0 {
                        present.server = server;
                    }
                }
            },
        }
    }
    best.map(|best| ServerId(best.server))
}
