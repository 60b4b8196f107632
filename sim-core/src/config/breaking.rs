//! What can break: every kind of fault, whom it hits and what it must not meet.

use super::{Scenario, ServerGroup, Targets};
use crate::time::Nanos;

/// Something that breaks at a moment, and heals `for_ns` later.
#[derive(Clone, Debug, PartialEq)]
pub struct Fault {
    /// When [ns].
    pub at_ns: Nanos,
    /// How long [ns]; `None`: to the end of the run.
    pub for_ns: Option<Nanos>,
    /// What.
    pub kind: FaultKind,
}

/// What breaks.
#[derive(Clone, Debug, PartialEq)]
pub enum FaultKind {
    /// Servers stop at once, with everything in them; they come back empty and report again.
    Crash {
        /// Whom it hits.
        servers: Targets,
        /// Nobody is told: connections hang instead of being reset.
        silent: bool,
    },
    /// Requests that start service on these servers take longer.
    Slow {
        /// Whom it hits.
        servers: Targets,
        /// How much longer.
        slowdown: Slowdown,
    },
    /// These servers answer attempts with an error at once: they look idle and fast, and draw
    /// traffic in. What they had let in before is served.
    FailFast {
        /// Whom it hits.
        servers: Targets,
        /// Chance that an attempt is answered so, in `(0, 1]`.
        share: f64,
    },
    /// These servers crash and come back, over and over, down first.
    Flap {
        /// Whom it hits.
        servers: Targets,
        /// From one crash to the next [ns].
        period_ns: Nanos,
        /// Share of a period that they are up, in `(0, 1)`.
        up: f64,
        /// As in [`Self::Crash`].
        silent: bool,
    },
    /// These servers have another number of slots; what is in service goes on.
    Capacity {
        /// Whom it hits.
        servers: Targets,
        /// Service slots, in `1..=65535`.
        slots: u32,
    },
    /// New servers come up, with the ids that follow all others.
    Add {
        /// What they are, and how many.
        group: ServerGroup,
    },
    /// These servers say that they are draining, serve what they have and refuse what comes.
    Drain {
        /// Whom it hits.
        servers: Targets,
    },
    /// These servers drain, and are gone for good with the first report they send when empty.
    Remove {
        /// Whom it hits.
        servers: Targets,
    },
    /// Heartbeats of these servers are lost, each at each node by chance.
    HeartbeatLoss {
        /// Whom it hits.
        servers: Targets,
        /// The chance, in `(0, 1]`.
        share: f64,
    },
    /// Heartbeats of these servers take longer.
    HeartbeatDelay {
        /// Whom it hits.
        servers: Targets,
        /// By this much [ns].
        by_ns: Nanos,
    },
    /// Heartbeats of these servers arrive twice, each at each node by chance.
    HeartbeatDuplicate {
        /// Whom it hits.
        servers: Targets,
        /// The chance, in `(0, 1]`.
        share: f64,
    },
    /// Heartbeats of these servers are held up, each at each node by chance, so that later ones
    /// overtake them.
    HeartbeatReorder {
        /// Whom it hits.
        servers: Targets,
        /// The chance, in `(0, 1]`.
        share: f64,
        /// By a uniformly random time up to this [ns].
        by_ns: Nanos,
    },
    /// These servers report a load and a latency that are possible and not true.
    Lie {
        /// Whom it hits.
        servers: Targets,
        /// What they say instead.
        lie: Lie,
    },
    /// These servers report what cannot be.
    Inconsistent {
        /// Whom it hits.
        servers: Targets,
        /// What is wrong.
        what: Inconsistency,
        /// Share of the heartbeats that are so, in `(0, 1]`.
        share: f64,
    },
    /// The clocks of these servers are wrong: their reports claim to be older or newer.
    ClockSkew {
        /// Whom it hits.
        servers: Targets,
        /// How far their clocks are ahead [ns]; behind when negative.
        ahead_ns: i64,
    },
    /// LB nodes stop at once, with everything in flight; they come back with an empty view.
    NodeCrash {
        /// Whom it hits.
        nodes: Targets,
    },
    /// LB nodes say good-bye and leave the cluster; after `for` they join again.
    NodeLeave {
        /// Whom it hits.
        nodes: Targets,
    },
    /// LB nodes that were not there until now join the cluster.
    NodeJoin {
        /// Whom it hits.
        nodes: Targets,
    },
    /// Nothing sent between two sides arrives.
    Partition {
        /// One side.
        a: Side,
        /// The other.
        b: Side,
        /// Only what goes from `a` to `b` is cut; what comes back arrives.
        one_way: bool,
    },
}

/// How a slow server serves.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Slowdown {
    /// Service times are multiplied by this, above 0.
    Factor(f64),
    /// Every service takes exactly this long [ns].
    Fixed(Nanos),
}

/// What a lying server reports.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Lie {
    /// The truth, multiplied.
    Scaled {
        /// Factor of the load, 0 or more.
        load: f64,
        /// Factor of the mean latency, 0 or more.
        latency: f64,
    },
    /// Whatever was true when it sent its first report under the fault.
    Frozen,
}

/// What is wrong with an inconsistent report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inconsistency {
    /// Values that no server can have: no slots, more in service than slots, a negative latency,
    /// a latency that is not a number; in turn.
    Impossible,
    /// Each version is one below the one before.
    Backwards,
    /// The version of the first such report, with whatever is true now.
    Conflicting,
}

/// One side of a partition. At least one of the two is given.
#[derive(Clone, Debug, PartialEq)]
pub struct Side {
    /// LB nodes on this side.
    pub nodes: Option<Targets>,
    /// Servers on this side.
    pub servers: Option<Targets>,
}

/// What of its target a fault holds. No two faults hold the same of one target at a time: which of
/// them ended first would decide what becomes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Aspect {
    /// Whether it is up.
    Up,
    /// How fast it serves.
    Speed,
    /// What it answers.
    Answers,
    /// How many slots it has.
    Slots,
    /// Whether it takes new work.
    Stage,
    /// Whether its heartbeats get lost.
    Loss,
    /// How long its heartbeats take.
    Delay,
    /// Whether its heartbeats arrive twice.
    Duplicates,
    /// Whether its heartbeats overtake each other.
    Order,
    /// Whether its reports are true.
    Truth,
    /// Whether its reports can be.
    Sense,
    /// What its clock shows.
    Clock,
    /// Whether a node is a member.
    Node,
}

impl FaultKind {
    /// The key under which a scenario names the kind.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Crash { .. } => "crash",
            Self::Slow { .. } => "slow",
            Self::FailFast { .. } => "fail_fast",
            Self::Flap { .. } => "flap",
            Self::Capacity { .. } => "capacity",
            Self::Add { .. } => "add",
            Self::Drain { .. } => "drain",
            Self::Remove { .. } => "remove",
            Self::HeartbeatLoss { .. } => "heartbeat_loss",
            Self::HeartbeatDelay { .. } => "heartbeat_delay",
            Self::HeartbeatDuplicate { .. } => "heartbeat_duplicate",
            Self::HeartbeatReorder { .. } => "heartbeat_reorder",
            Self::Lie { .. } => "lie",
            Self::Inconsistent { .. } => "inconsistent",
            Self::ClockSkew { .. } => "clock_skew",
            Self::NodeCrash { .. } => "node_crash",
            Self::NodeLeave { .. } => "node_leave",
            Self::NodeJoin { .. } => "node_join",
            Self::Partition { .. } => "partition",
        }
    }

    /// The servers it hits, where it hits servers.
    pub const fn servers(&self) -> Option<&Targets> {
        match self {
            Self::Crash { servers, .. }
            | Self::Slow { servers, .. }
            | Self::FailFast { servers, .. }
            | Self::Flap { servers, .. }
            | Self::Capacity { servers, .. }
            | Self::Drain { servers }
            | Self::Remove { servers }
            | Self::HeartbeatLoss { servers, .. }
            | Self::HeartbeatDelay { servers, .. }
            | Self::HeartbeatDuplicate { servers, .. }
            | Self::HeartbeatReorder { servers, .. }
            | Self::Lie { servers, .. }
            | Self::Inconsistent { servers, .. }
            | Self::ClockSkew { servers, .. } => Some(servers),
            Self::Add { .. }
            | Self::NodeCrash { .. }
            | Self::NodeLeave { .. }
            | Self::NodeJoin { .. }
            | Self::Partition { .. } => None,
        }
    }

    /// The nodes it hits, where it hits nodes.
    pub const fn nodes(&self) -> Option<&Targets> {
        match self {
            Self::NodeCrash { nodes } | Self::NodeLeave { nodes } | Self::NodeJoin { nodes } => {
                Some(nodes)
            }
            _ => None,
        }
    }

    /// What of its targets it holds; partitions add up, and what is added has no past.
    const fn aspect(&self) -> Option<Aspect> {
        Some(match self {
            Self::Crash { .. } | Self::Flap { .. } => Aspect::Up,
            Self::Slow { .. } => Aspect::Speed,
            Self::FailFast { .. } => Aspect::Answers,
            Self::Capacity { .. } => Aspect::Slots,
            Self::Drain { .. } | Self::Remove { .. } => Aspect::Stage,
            Self::HeartbeatLoss { .. } => Aspect::Loss,
            Self::HeartbeatDelay { .. } => Aspect::Delay,
            Self::HeartbeatDuplicate { .. } => Aspect::Duplicates,
            Self::HeartbeatReorder { .. } => Aspect::Order,
            Self::Lie { .. } => Aspect::Truth,
            Self::Inconsistent { .. } => Aspect::Sense,
            Self::ClockSkew { .. } => Aspect::Clock,
            Self::NodeCrash { .. } | Self::NodeLeave { .. } | Self::NodeJoin { .. } => Aspect::Node,
            Self::Add { .. } | Self::Partition { .. } => return None,
        })
    }
}

impl Fault {
    /// When it ends [ns]; never, without `for`. A join holds nothing after its moment.
    pub fn end_ns(&self) -> Nanos {
        match (&self.kind, self.for_ns) {
            (FaultKind::NodeJoin { .. }, _) => self.at_ns.saturating_add(1),
            (_, for_ns) => for_ns.map_or(Nanos::MAX, |ns| self.at_ns.saturating_add(ns)),
        }
    }

    /// Whom it hits, servers or nodes, as ranges of ids; `number` is its place in the scenario.
    pub fn hit(&self, scenario: &Scenario, number: usize) -> Vec<std::ops::Range<u32>> {
        if let Some(servers) = self.kind.servers() {
            return servers.servers(scenario, number);
        }
        self.kind.nodes().map_or_else(Vec::new, |nodes| nodes.nodes(scenario, number))
    }

    /// Whether this and another fault hold the same of one target at the same time.
    pub(super) fn collides(
        &self,
        hit: &[std::ops::Range<u32>],
        other: &Self,
        other_hit: &[std::ops::Range<u32>],
    ) -> bool {
        let share =
            |a: &std::ops::Range<u32>| other_hit.iter().any(|b| a.start < b.end && b.start < a.end);
        self.kind.aspect().is_some()
            && self.kind.aspect() == other.kind.aspect()
            && self.at_ns < other.end_ns()
            && other.at_ns < self.end_ns()
            && hit.iter().any(share)
    }
}
