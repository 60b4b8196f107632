//! Which nodes are there, and where the requests go that are meant for one that is not.
//!
//! The truth about nodes, as the world around them sees it: what a node believes of the others is
//! in [`crate::membership`]. Requests come to a node through something that notices a crash, and a
//! return, `nodes.failover_delay` late:
//!
//! * after a crash, its requests are lost until then, and go to the other nodes afterwards;
//! * after a start they go to the other nodes until then: a node that has just started knows no
//!   server yet;
//! * a node that leaves has said so: its requests go elsewhere at once.
//!
//! The others take turns, by id; the turn is part of the run. A request keeps its moment and its
//! demand wherever it goes, so a crash changes nobody's random numbers.

use bevy_ecs::prelude::Resource;

use crate::plan::NodeChange;
use crate::setup::Setup;
use crate::time::Nanos;

/// What a node is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It works.
    Up,
    /// It finishes what it has in flight, and takes nothing new.
    Leaving,
    /// It has crashed, or has not joined yet.
    Down,
}

/// Where a request goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// To the node it was meant for.
    Here,
    /// To another node.
    At(u32),
    /// Nobody takes it, and nobody has noticed.
    Lost,
    /// Nobody is there to take it.
    Nowhere,
}

/// A node has come or gone.
#[derive(Clone, Copy, Debug)]
pub struct News {
    /// When, in quanta.
    pub quantum: u64,
    /// Who.
    pub node: u32,
    /// It has come.
    pub is_here: bool,
    /// It was there from the start.
    pub is_first: bool,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    standing: Standing,
    /// Number of its start, from 0.
    starts: u32,
    /// From here on the world knows its standing [ns].
    known_ns: Nanos,
}

/// See the module documentation.
#[derive(Clone, Debug, Resource)]
pub struct Roster {
    entries: Vec<Entry>,
    /// Nodes whose requests may have to go elsewhere, by id. Empty in a run without node faults.
    out: Vec<u32>,
    /// The node whose turn it is to take a request of another.
    turn: u32,
    /// How far the plan has been carried out.
    next: usize,
    /// What nobody has looked at yet.
    news: Vec<News>,
}

impl Roster {
    /// At time 0: all nodes are up but those that join later.
    pub fn new(setup: &Setup) -> Self {
        let mut roster = Self {
            entries: vec![
                Entry { standing: Standing::Up, starts: 0, known_ns: 0 };
                setup.nodes as usize
            ],
            out: Vec::new(),
            turn: 0,
            next: 0,
            news: Vec::new(),
        };
        for node in 0..setup.nodes {
            let first = setup
                .plan
                .nodes
                .iter()
                .find(|planned| (planned.first..planned.end).contains(&node));
            if first.is_some_and(|planned| planned.change == NodeChange::Join) {
                roster.entries[node as usize].standing = Standing::Down;
                roster.out.push(node);
            } else {
                let news = News { quantum: 0, node, is_here: true, is_first: true };
                roster.news.push(news);
            }
        }
        roster
    }

    /// The quantum of the next change, if any is left.
    pub fn next_quantum(&self, setup: &Setup) -> Option<u64> {
        setup.plan.nodes.get(self.next).map(|planned| planned.quantum)
    }

    /// Carries out the next change due at the boundary `quantum`: calls `each` with every node that
    /// changes, how, and the number of its start. False when none is left.
    pub fn change(
        &mut self,
        setup: &Setup,
        quantum: u64,
        mut each: impl FnMut(u32, NodeChange, u32),
    ) -> bool {
        let Some(planned) = setup.plan.nodes.get(self.next).filter(|p| p.quantum <= quantum) else {
            return false;
        };
        self.next += 1;
        let at_ns = quantum * setup.ticks.quantum_ns;
        let noticed_ns = at_ns.saturating_add(setup.failover_delay_ns);
        for node in planned.first..planned.end {
            let entry = &mut self.entries[node as usize];
            (entry.standing, entry.known_ns) = match planned.change {
                NodeChange::Crash => (Standing::Down, noticed_ns),
                NodeChange::Leave => (Standing::Leaving, at_ns),
                NodeChange::Recover | NodeChange::Join => {
                    entry.starts += 1;
                    (Standing::Up, noticed_ns)
                }
            };
            if let Err(place) = self.out.binary_search(&node) {
                self.out.insert(place, node);
            }
            let is_here = entry.standing == Standing::Up;
            self.news.push(News { quantum, node, is_here, is_first: false });
            let starts = self.entries[node as usize].starts;
            each(node, planned.change, starts);
        }
        true
    }

    /// Forgets about nodes that are back and known to be at `start_ns`, the start of a tick.
    pub fn settle(&mut self, start_ns: Nanos) {
        let entries = &self.entries;
        self.out.retain(|&node| !entries[node as usize].takes_requests(start_ns));
    }

    /// Comings and goings since the last call.
    pub fn take_news(&mut self) -> Vec<News> {
        std::mem::take(&mut self.news)
    }

    /// Nodes whose requests may have to go elsewhere, by id.
    pub fn out(&self) -> &[u32] {
        &self.out
    }

    /// True while all nodes work and take their requests.
    pub fn is_complete(&self) -> bool {
        self.out.is_empty()
    }

    /// What a node is doing.
    pub fn standing(&self, node: u32) -> Standing {
        self.entries[node as usize].standing
    }

    /// Whether a node hears what is sent to it and works on what it has.
    pub fn is_running(&self, node: u32) -> bool {
        self.is_complete() || self.standing(node) != Standing::Down
    }

    /// Whether a node takes part in what nodes do together.
    pub fn is_up(&self, node: u32) -> bool {
        self.is_complete() || self.standing(node) == Standing::Up
    }

    /// Number of the node's present or last start, from 0.
    pub fn starts(&self, node: u32) -> u32 {
        self.entries[node as usize].starts
    }

    /// Where a request goes that arrives at `at_ns` and is meant for `node`. Requests are asked
    /// about in order of time, then node.
    pub fn place(&mut self, node: u32, at_ns: Nanos) -> Place {
        let entry = self.entries[node as usize];
        if entry.takes_requests(at_ns) {
            return Place::Here;
        }
        if entry.standing == Standing::Down && at_ns < entry.known_ns {
            return Place::Lost;
        }
        let nodes = self.entries.len() as u32;
        let in_turn = |step| (self.turn + step) % nodes;
        let known = |&node: &u32| self.entries[node as usize].takes_requests(at_ns);
        // Better a node that nobody has noticed than none.
        let up = |&node: &u32| self.entries[node as usize].standing == Standing::Up;
        let next = (0..nodes).map(in_turn).find(known);
        match next.or_else(|| (0..nodes).map(in_turn).find(up)) {
            Some(next) => {
                self.turn = (next + 1) % nodes;
                if next == node { Place::Here } else { Place::At(next) }
            }
            None => Place::Nowhere,
        }
    }
}

impl Entry {
    const fn takes_requests(&self, at_ns: Nanos) -> bool {
        matches!(self.standing, Standing::Up) && at_ns >= self.known_ns
    }
}
