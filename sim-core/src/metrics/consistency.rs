//! How far the views of the nodes are apart, and how long a change takes to be known by all.
//!
//! *Divergence.* In a sample, a few nodes are compared in pairs over the sampled servers: for how
//! many do the two hold different versions?
//!
//! *Convergence.* At each sample a few servers are watched: from the boundary on which some node
//! first holds a newer report of it than any node held before, until every live node has held that
//! report or a newer one. A node that restarts in between has held it. Views only rise, so a watch
//! goes through the nodes once and costs one look a boundary while it waits for one of them, and nothing
//! while the server has not sent anything.

use crate::ids::ServerId;
use crate::metrics::SamplePlan;
use crate::result::{Bin, ConsistencyResult};
use crate::setup::Setup;
use crate::view::View;

/// Nodes compared in pairs, at most.
const COMPARED_NODES: usize = 32;
/// Servers watched anew at each sample.
const WATCHES: u32 = 2;
/// Watches under way, at most; beyond that no new ones are started.
const WATCHES_MAX: usize = 1_024;

/// In place of the version of a server that is not known: above all that servers use.
const UNKNOWN: u32 = u32::MAX;

/// What the samples have shown.
#[derive(Clone, Debug, Default)]
pub struct Consistency {
    result: ConsistencyResult,
    watches: Vec<Watch>,
}

/// One change being watched.
#[derive(Clone, Copy, Debug)]
struct Watch {
    server: u32,
    /// Nobody held a newer version when the watch began.
    above: u32,
    /// The change: its version, and the quantum in which it was first held.
    change: Option<(u32, u64)>,
    /// Every node before this one has held it.
    node: usize,
}

impl Consistency {
    /// Compares nodes in pairs.
    pub fn compare<'a>(
        &mut self,
        views: impl Iterator<Item = &'a View>,
        plan: &SamplePlan,
        in_window: bool,
        bin: &mut Bin,
    ) {
        let views: Vec<&View> = views.collect();
        let stride = views.len().div_ceil(COMPARED_NODES).max(1);
        let held = |view: &View, server| view.held(ServerId(server)).unwrap_or(UNKNOWN);
        let versions: Vec<Vec<u32>> = views
            .iter()
            .step_by(stride)
            .map(|view| plan.servers().map(|server| held(view, server)).collect())
            .collect();
        for (i, one) in versions.iter().enumerate() {
            for other in &versions[..i] {
                // Servers that both know. Without branches: the compiler makes vector code of it.
                let (mut both, mut differ) = (0_u32, 0_u32);
                for (&one, &other) in one.iter().zip(other) {
                    let known = u32::from(one != UNKNOWN) & u32::from(other != UNKNOWN);
                    both += known;
                    differ += known & u32::from(one != other);
                }
                let (servers, differs) = (u64::from(both), u64::from(differ));
                bin.view_compared += servers;
                bin.view_divergent += differs;
                if in_window && servers > 0 {
                    let result = &mut self.result;
                    result.compared += servers;
                    result.divergent += differs;
                    let ppm = differs * 1_000_000 / servers;
                    result.divergence_max_ppm = result.divergence_max_ppm.max(ppm);
                }
            }
        }
    }

    /// Begins to watch the next change of a few servers. `held(node, server)` is the version a node
    /// holds, `None` for a node that is down or does not know the server.
    pub fn watch(&mut self, setup: &Setup, quantum: u64, held: impl Fn(usize, u32) -> Option<u32>) {
        if setup.nodes < 2 {
            return;
        }
        for i in 0..WATCHES.min(setup.servers) {
            if self.watches.len() == WATCHES_MAX {
                return;
            }
            // Spread over the fleet, and over different servers from sample to sample.
            let sample = quantum / setup.sample_quanta;
            let step = u64::from(setup.servers / WATCHES).max(1);
            let server = ((sample + u64::from(i) * step) % u64::from(setup.servers)) as u32;
            let above = (0..setup.nodes as usize).filter_map(|node| held(node, server)).max();
            let Some(above) = above else { continue };
            self.watches.push(Watch { server, above, change: None, node: 0 });
        }
    }

    /// Whether anything is watched.
    pub const fn is_watching(&self) -> bool {
        !self.watches.is_empty()
    }

    /// Looks whether watched changes have come, or have come to all. No node has heard a newer version of a server
    /// than `newest(server)`, so that while a server is silent nobody is asked; what an oracle shows is newer.
    pub fn look(
        &mut self,
        setup: &Setup,
        quantum: u64,
        newest: impl Fn(u32) -> u32,
        held: impl Fn(usize, u32) -> Option<u32>,
    ) {
        let Self { watches, result } = self;
        let nodes = setup.nodes as usize;
        watches.retain_mut(|watch| {
            if watch.change.is_none() {
                let news = (0..nodes).filter_map(|node| held(node, watch.server));
                let mut news = news.filter(|&version| version > watch.above);
                if !setup.judgement.oracle && newest(watch.server) <= watch.above {
                    debug_assert_eq!(news.next(), None, "newer than server {}", watch.server);
                    return true;
                }
                let first = news.min();
                watch.change = first.map(|version| (version, quantum));
            }
            let Some((version, since)) = watch.change else { return true };
            while watch.node < nodes
                && held(watch.node, watch.server).is_none_or(|held| held >= version)
            {
                watch.node += 1;
            }
            if watch.node < nodes {
                return true;
            }
            result.convergence.record((quantum - since) * setup.ticks.quantum_ns);
            false
        });
    }

    /// What has been seen up to the end of the run.
    pub fn finish(self) -> ConsistencyResult {
        let unfinished = self.watches.iter().filter(|watch| watch.change.is_some()).count() as u64;
        ConsistencyResult { unfinished, ..self.result }
    }
}
