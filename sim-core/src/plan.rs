//! What breaks and heals in a run, and when: the faults of a scenario and of its random campaign,
//! worked out into changes of servers, of their reports, of nodes and of links.
//!
//! Every change happens on a quantum boundary. On one boundary what ends goes before what starts,
//! so that a fault may start where another ends; else the order is the scenario's.

use std::ops::Range;

use crate::config::{
    Fault, FaultKind, Inconsistency, Lie, Scenario, Side, Slowdown, Targets, all_faults,
};
use crate::ticks::Ticks;
use crate::time::Nanos;

/// All changes of a run, each list in the order in which they happen.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plan {
    /// Of servers.
    pub servers: Vec<Planned<Change>>,
    /// Of what servers report.
    pub reports: Vec<Planned<ReportChange>>,
    /// Of LB nodes.
    pub nodes: Vec<Planned<NodeChange>>,
    /// Of links.
    pub links: Vec<PlannedCut>,
    /// The partitions that `links` speaks of.
    pub partitions: Vec<Partition>,
}

/// A change of some servers or nodes at a quantum boundary.
#[derive(Clone, Debug, PartialEq)]
pub struct Planned<C> {
    /// When, in quanta.
    pub quantum: u64,
    /// First target.
    pub first: u32,
    /// One past the last target.
    pub end: u32,
    /// What happens to them.
    pub change: C,
}

/// What happens to a server.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Change {
    /// It stops with everything in it.
    Crash {
        /// Connections hang instead of being reset.
        silent: bool,
    },
    /// It comes back empty.
    Recover,
    /// Requests that start from now on take longer.
    Slow(Slowdown),
    /// Requests that start from now on take their normal time.
    Heal,
    /// It answers this share of what arrives with an error at once.
    FailFast(f64),
    /// It answers properly again.
    Sound,
    /// It has this many slots.
    Slots(u32),
    /// It has its normal number of slots.
    AllSlots,
    /// It is there from now on.
    Join,
    /// It takes no new work.
    Drain,
    /// It takes new work again.
    Resume,
    /// It takes no new work, and is gone for good when it has said so with nothing left to do.
    Leave,
}

/// What happens to the heartbeats of a server.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ReportChange {
    /// Chance of loss.
    Loss(f64),
    /// All are this much later [ns].
    Delay(Nanos),
    /// Chance of arriving twice.
    Duplicate(f64),
    /// Chance of being held up, and by how much at most [ns].
    Reorder(f64, Nanos),
    /// They are not true.
    Lie(Option<Lie>),
    /// They cannot be; the share that is so.
    Inconsistent(Option<(Inconsistency, f64)>),
    /// They are stamped this many quanta too new.
    Skew(i64),
}

/// What happens to an LB node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NodeChange {
    /// It stops with everything in it.
    Crash,
    /// It comes back with an empty view.
    Recover,
    /// It says good-bye and leaves.
    Leave,
    /// It joins, for the first time or again.
    Join,
}

/// The beginning or end of a partition at a quantum boundary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlannedCut {
    /// When, in quanta.
    pub quantum: u64,
    /// Which, as an index into [`Plan::partitions`].
    pub partition: u32,
    /// Whether it begins.
    pub begins: bool,
}

/// Added to the number of a partition for its second side: the two must not draw the same.
const OTHER_SIDE: usize = 1 << 31;

/// Two sides between which nothing passes while the partition lasts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Partition {
    /// One side.
    pub a: Members,
    /// The other.
    pub b: Members,
    /// Only what goes from `a` to `b` is cut.
    pub one_way: bool,
}

/// Who is on one side of a partition, by ascending ranges of ids.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Members {
    /// LB nodes.
    pub nodes: Vec<Range<u32>>,
    /// Servers.
    pub servers: Vec<Range<u32>>,
}

impl Members {
    /// Whether an LB node is on this side.
    pub fn has_node(&self, node: u32) -> bool {
        self.nodes.iter().any(|range| range.contains(&node))
    }

    /// Whether a server is on this side.
    pub fn has_server(&self, server: u32) -> bool {
        self.servers.iter().any(|range| range.contains(&server))
    }

    /// `number` names the draw of a side given as a share.
    fn new(side: &Side, scenario: &Scenario, number: usize) -> Self {
        let nodes = |nodes: &Targets| nodes.nodes(scenario, number);
        let servers = |servers: &Targets| servers.servers(scenario, number);
        Self {
            nodes: side.nodes.as_ref().map_or_else(Vec::new, nodes),
            servers: side.servers.as_ref().map_or_else(Vec::new, servers),
        }
    }
}

impl Change {
    /// Whether a fault ends with it.
    const fn is_end(self) -> bool {
        matches!(
            self,
            Self::Recover | Self::Heal | Self::Sound | Self::AllSlots | Self::Resume | Self::Join
        )
    }
}

impl ReportChange {
    fn is_end(self) -> bool {
        match self {
            Self::Loss(share) | Self::Duplicate(share) | Self::Reorder(share, _) => share == 0.0,
            Self::Delay(by_ns) => by_ns == 0,
            Self::Lie(lie) => lie.is_none(),
            Self::Inconsistent(what) => what.is_none(),
            Self::Skew(quanta) => quanta == 0,
        }
    }
}

impl NodeChange {
    const fn is_end(self) -> bool {
        matches!(self, Self::Recover | Self::Join)
    }
}

impl Plan {
    /// The plan of `replication` of a checked scenario, whose run ends at `limit_ns`.
    pub fn new(scenario: &Scenario, ticks: &Ticks, replication: u32, limit_ns: Nanos) -> Self {
        let mut plan = Self::default();
        let mut next_added = scenario.configured_count();
        for (number, fault) in all_faults(scenario, replication).iter().enumerate() {
            plan.add(scenario, ticks, limit_ns, number, fault, &mut next_added);
        }
        plan.servers.sort_by_key(|planned| (planned.quantum, !planned.change.is_end()));
        plan.reports.sort_by_key(|planned| (planned.quantum, !planned.change.is_end()));
        plan.nodes.sort_by_key(|planned| (planned.quantum, !planned.change.is_end()));
        plan.links.sort_by_key(|planned| (planned.quantum, planned.begins));
        plan
    }

    fn add(
        &mut self,
        scenario: &Scenario,
        ticks: &Ticks,
        limit_ns: Nanos,
        number: usize,
        fault: &Fault,
        next_added: &mut u32,
    ) {
        let hit = fault.hit(scenario, number);
        let end_ns = fault.for_ns.map(|for_ns| fault.at_ns.saturating_add(for_ns));
        let span = Span { ticks, hit: &hit, at_ns: fault.at_ns, end_ns };
        match &fault.kind {
            FaultKind::Crash { silent, .. } => {
                span.put(&mut self.servers, Change::Crash { silent: *silent }, Change::Recover);
            }
            FaultKind::Slow { slowdown, .. } => {
                span.put(&mut self.servers, Change::Slow(*slowdown), Change::Heal);
            }
            FaultKind::FailFast { share, .. } => {
                span.put(&mut self.servers, Change::FailFast(*share), Change::Sound);
            }
            FaultKind::Flap { period_ns, up, silent, .. } => {
                let down_ns = (*period_ns as f64 * (1.0 - up)) as Nanos;
                let last_ns = end_ns.unwrap_or(limit_ns).min(limit_ns);
                let mut at_ns = fault.at_ns;
                while at_ns < last_ns {
                    let up_ns = (at_ns + down_ns).min(end_ns.unwrap_or(Nanos::MAX));
                    let cycle = Span { ticks, hit: &hit, at_ns, end_ns: Some(up_ns) };
                    let crash = Change::Crash { silent: *silent };
                    // A piece of a cycle too short for the grid is left out.
                    if ticks.quantum_from(up_ns) > ticks.quantum_from(at_ns) {
                        cycle.put(&mut self.servers, crash, Change::Recover);
                    }
                    at_ns += period_ns;
                }
            }
            FaultKind::Capacity { slots, .. } => {
                span.put(&mut self.servers, Change::Slots(*slots), Change::AllSlots);
            }
            FaultKind::Add { group } => {
                let ids = *next_added..*next_added + group.count;
                *next_added = ids.end;
                Span { hit: &[ids], ..span }.start(&mut self.servers, Change::Join);
            }
            FaultKind::Drain { .. } => {
                span.put(&mut self.servers, Change::Drain, Change::Resume);
            }
            FaultKind::Remove { .. } => span.start(&mut self.servers, Change::Leave),
            FaultKind::HeartbeatLoss { share, .. } => {
                span.put(&mut self.reports, ReportChange::Loss(*share), ReportChange::Loss(0.0));
            }
            FaultKind::HeartbeatDelay { by_ns, .. } => {
                span.put(&mut self.reports, ReportChange::Delay(*by_ns), ReportChange::Delay(0));
            }
            FaultKind::HeartbeatDuplicate { share, .. } => {
                let change = ReportChange::Duplicate;
                span.put(&mut self.reports, change(*share), change(0.0));
            }
            FaultKind::HeartbeatReorder { share, by_ns, .. } => {
                let change = ReportChange::Reorder;
                span.put(&mut self.reports, change(*share, *by_ns), change(0.0, 0));
            }
            FaultKind::Lie { lie, .. } => {
                span.put(&mut self.reports, ReportChange::Lie(Some(*lie)), ReportChange::Lie(None));
            }
            FaultKind::Inconsistent { what, share, .. } => {
                let change = ReportChange::Inconsistent;
                span.put(&mut self.reports, change(Some((*what, *share))), change(None));
            }
            FaultKind::ClockSkew { ahead_ns, .. } => {
                let quanta = ahead_ns / ticks.quantum_ns.cast_signed();
                span.put(&mut self.reports, ReportChange::Skew(quanta), ReportChange::Skew(0));
            }
            FaultKind::NodeCrash { .. } => {
                span.put(&mut self.nodes, NodeChange::Crash, NodeChange::Recover);
            }
            FaultKind::NodeLeave { .. } => {
                span.put(&mut self.nodes, NodeChange::Leave, NodeChange::Join);
            }
            FaultKind::NodeJoin { .. } => span.start(&mut self.nodes, NodeChange::Join),
            FaultKind::Partition { a, b, one_way } => {
                let partition = self.partitions.len() as u32;
                self.partitions.push(Partition {
                    a: Members::new(a, scenario, number),
                    b: Members::new(b, scenario, number + OTHER_SIDE),
                    one_way: *one_way,
                });
                let mut cut = |at_ns, begins| {
                    let quantum = ticks.quantum_from(at_ns);
                    self.links.push(PlannedCut { quantum, partition, begins });
                };
                cut(fault.at_ns, true);
                if let Some(end_ns) = end_ns {
                    cut(end_ns, false);
                }
            }
        }
    }
}

/// When a fault holds, and whom.
#[derive(Clone, Copy)]
struct Span<'a> {
    ticks: &'a Ticks,
    hit: &'a [Range<u32>],
    at_ns: Nanos,
    end_ns: Option<Nanos>,
}

impl Span<'_> {
    fn start<C: Copy>(&self, list: &mut Vec<Planned<C>>, change: C) {
        self.at(list, self.at_ns, change);
    }

    fn put<C: Copy>(&self, list: &mut Vec<Planned<C>>, start: C, end: C) {
        self.start(list, start);
        if let Some(end_ns) = self.end_ns {
            self.at(list, end_ns, end);
        }
    }

    fn at<C: Copy>(&self, list: &mut Vec<Planned<C>>, at_ns: Nanos, change: C) {
        let quantum = self.ticks.quantum_from(at_ns);
        list.extend(self.hit.iter().map(|ids| Planned {
            quantum,
            first: ids.start,
            end: ids.end,
            change,
        }));
    }
}
