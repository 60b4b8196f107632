//! What one run leaves behind: exact integers only, so that two runs can be compared for equality.
//!
//! "Measured" means: of requests that arrived in the window `[warmup, duration)`. "Total" means:
//! from time 0 to the end of the run. Derived figures (means, rates) are in [`crate::columns`].

use crate::latency_table::LatencyTable;
use crate::time::Nanos;

/// How a request ended. Every request ends in exactly one of these.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Outcome {
    /// Answered before its timeout.
    Ok,
    /// The node found no eligible server.
    Rejected,
    /// Its attempts were used up on full servers.
    Refused,
    /// The client gave up.
    TimedOut,
    /// The server answered with an error.
    Failed,
    /// A server or node crashed with it.
    Lost,
    /// The run ended first.
    InFlight,
}

/// All outcomes in column order.
pub const OUTCOMES: [Outcome; 7] = [
    Outcome::Ok,
    Outcome::Rejected,
    Outcome::Refused,
    Outcome::TimedOut,
    Outcome::Failed,
    Outcome::Lost,
    Outcome::InFlight,
];

/// Requests by outcome [requests].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Requests that arrived at a node.
    pub arrived: u64,
    /// Indexed by [`Outcome`].
    pub by_outcome: [u64; OUTCOMES.len()],
}

impl Counts {
    /// Requests that ended in `outcome`.
    pub const fn of(&self, outcome: Outcome) -> u64 {
        self.by_outcome[outcome as usize]
    }

    /// Adds another population.
    pub fn add(&mut self, other: &Self) {
        self.arrived += other.arrived;
        for (mine, theirs) in self.by_outcome.iter_mut().zip(other.by_outcome) {
            *mine += theirs;
        }
    }

    /// What has come since `earlier`, a former state of the same population.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        let mut difference = *self;
        difference.arrived -= earlier.arrived;
        for (now, before) in difference.by_outcome.iter_mut().zip(earlier.by_outcome) {
            *now -= before;
        }
        difference
    }

    /// Conservation: every request that arrived ended in exactly one outcome.
    pub fn is_conserved(&self) -> bool {
        self.arrived == self.by_outcome.iter().sum::<u64>()
    }
}

/// Everything one run of one policy leaves behind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunResult {
    /// Which of the scenario's policies.
    pub policy: usize,
    /// Which replication.
    pub replication: u32,
    /// When the run ended [ns]: the first quantum from `duration` on with nothing in flight.
    pub end_ns: Nanos,
    /// All requests of the run.
    pub total: Counts,
    /// Requests that arrived in the measurement window.
    pub measured: Counts,
    /// Latency of measured requests that ended `Ok`: response at node minus arrival at node.
    pub latency: LatencyTable,
    /// Sum of those latencies [ns].
    pub latency_sum_ns: u128,
    /// Sum of the waits of attempts that arrived at a server from `warmup` on and were completed
    /// before `duration` [ns].
    pub wait_sum_ns: u128,
    /// Sum of the service times of the same attempts [ns].
    pub service_sum_ns: u128,
    /// Number of those attempts.
    pub served: u64,
    /// Of those, the ones that waited: whose service began after they had arrived.
    pub waited: u64,
    /// One entry a server.
    pub servers: Vec<ServerResult>,
    /// One entry a node.
    pub nodes: Vec<NodeResult>,
    /// One entry a sample interval, from time 0 to `duration`.
    pub series: Vec<Bin>,
    /// Age of beliefs, sampled in the window at the sample interval over nodes and servers.
    pub view_age: LatencyTable,
    /// Sum over those samples of |estimated load - true load| [requests].
    pub view_error_sum: u64,
    /// Number of those samples.
    pub view_samples: u64,
    /// Sum over the heartbeat intervals in the window of the share of all picks that the most
    /// picked server got [millionths].
    pub herd_sum_ppm: u64,
    /// Number of those intervals with at least one pick.
    pub herd_intervals: u64,
    /// Attempts that a partition kept from their server, total.
    pub cut_off: u64,
    /// How far the views of the nodes were apart, and for how long.
    pub consistency: ConsistencyResult,
    /// How long it took until all nodes knew of each other.
    pub membership: MembershipResult,
}

/// How far the views of the nodes were apart, from samples in the measurement window.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConsistencyResult {
    /// (pair of nodes, server) compared.
    pub compared: u64,
    /// Of those, with reports of different versions.
    pub divergent: u64,
    /// Largest share of servers for which one pair differed in one sample [millionths].
    pub divergence_max_ppm: u64,
    /// Times from when a node first holds a new report of a watched server until all live nodes
    /// hold it or a newer one.
    pub convergence: LatencyTable,
    /// Watched changes that had not reached all live nodes when the run ended.
    pub unfinished: u64,
}

/// What one server did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServerResult {
    /// Attempts let in, total.
    pub admitted: u64,
    /// Attempts turned away because slots and backlog were full, total.
    pub refused: u64,
    /// Attempts served to the end, total.
    pub completed: u64,
    /// Attempts that a crash took, admitted ones only, total.
    pub lost: u64,
    /// Attempts turned away though they had been let in, total.
    pub shed: u64,
    /// Attempts that their sender took back while they waited or were in service, total.
    pub cancelled: u64,
    /// Attempts that arrived while the server was down, total.
    pub arrived_dead: u64,
    /// Attempts answered with an error at once, total.
    pub failed: u64,
    /// In service when the run ended.
    pub active: u64,
    /// Waiting when the run ended.
    pub waiting: u64,
    /// Slot-time in service inside the measurement window [ns].
    pub busy_ns: u128,
    /// Of that, spent on attempts that were then cancelled [ns].
    pub cancelled_ns: Nanos,
    /// Time inside the measurement window in which an antagonist took speed [ns].
    pub slowed_ns: Nanos,
    /// Time inside the measurement window in pauses [ns].
    pub paused_ns: Nanos,
    /// Attempts that arrived (admitted or not) inside the measurement window.
    pub picks: u64,
    /// Nodes in whose subset it is when the run ends; 0 where nodes know all servers.
    pub connections: u64,
}

impl ServerResult {
    /// Conservation: every attempt that was let in has left in one way, or is there.
    pub const fn is_conserved(&self) -> bool {
        let left = self.completed + self.lost + self.cancelled + self.shed;
        self.admitted == left + self.active + self.waiting
    }
}

/// What one node did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NodeResult {
    /// Requests of this node that arrived in the measurement window.
    pub measured: Counts,
    /// All requests of this node.
    pub total: Counts,
    /// Sum of the latencies of measured requests that ended `Ok` [ns].
    pub latency_sum_ns: u128,
    /// Attempts sent to servers, total.
    pub dispatched: u64,
    /// Attempts beyond the first, total.
    pub retried: u64,
    /// Retries not made because the budget was spent, total.
    pub retries_denied: u64,
    /// What it sent beyond the first attempts.
    pub efforts: Efforts,
    /// Heartbeats that arrived, total.
    pub reports: u64,
    /// Answers that were waited for and that a partition kept from the node, total.
    pub answers_cut: u64,
    /// Probes sent, total.
    pub probes: u64,
    /// Notes that came on their own, not with an answer, total.
    pub notes: u64,
    /// Packets sent to other nodes, total.
    pub peer_messages: u64,
    /// Bytes of those packets, total.
    pub peer_bytes: u64,
    /// Its part in membership.
    pub members: MemberCounts,
    /// Nodes that it came to suspect by its own probes while they were down, and when [ns].
    pub suspicions: Vec<(u32, Nanos)>,
    /// What it made of the servers.
    pub findings: Findings,
}

/// Why a request is retried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum RetryCause {
    /// The server was full.
    Refused,
    /// The server crashed with the attempt.
    Lost,
    /// The server answered with an error.
    Failed,
    /// The attempt took too long.
    TimedOut,
}

impl RetryCause {
    /// That an attempt ended so, if it is a reason.
    pub const fn of(outcome: Outcome) -> Option<Self> {
        match outcome {
            Outcome::Refused => Some(Self::Refused),
            Outcome::Lost => Some(Self::Lost),
            Outcome::Failed => Some(Self::Failed),
            Outcome::TimedOut => Some(Self::TimedOut),
            Outcome::Ok | Outcome::Rejected | Outcome::InFlight => None,
        }
    }
}

/// What a node has sent beyond the first attempts, and what came of it, total unless it says otherwise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Efforts {
    /// Retries, by [`RetryCause`].
    pub retried_for: [u64; 4],
    /// Attempts given up by their own timeout.
    pub attempts_timed_out: u64,
    /// Hedges sent.
    pub hedges: u64,
    /// Hedges not sent because the budget was spent.
    pub hedges_denied: u64,
    /// Requests answered by a hedge.
    pub hedges_won: u64,
    /// Servers told that nobody waits for an attempt.
    pub cancels: u64,
    /// Good answers that nobody waited for, where the node looks closely.
    pub unawaited: u64,
    /// Service time behind them inside the measurement window [ns].
    pub wasted_ns: u128,
}

/// What a node has spent on membership, and where it was wrong.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MemberCounts {
    /// Packets sent about who is a member.
    pub messages: u64,
    /// Bytes of those packets.
    pub bytes: u64,
    /// Nodes that it came to suspect by its own probes, though they were up.
    pub false_suspicions: u64,
    /// Nodes that it came to hold for dead, though they were up.
    pub false_deaths: u64,
}

/// How long it took until all knew who is a member. All zero without `[membership]`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MembershipResult {
    /// When every node knew every node that was there from the start [ns].
    pub formed_ns: Option<Nanos>,
    /// Later comings and goings that all live nodes came to know.
    pub changes_known: u64,
    /// Those that they did not, before the next one of the same node or the end of the run.
    pub changes_missed: u64,
    /// Sum of the times from a change until all knew [ns].
    pub known_sum_ns: u128,
    /// Longest of those times [ns].
    pub known_max_ns: Nanos,
    /// From each crash to the first member that came by its own probes to suspect the node [ns]; without
    /// crashes that nobody suspected before the node came back.
    pub first_suspicion_ns: Vec<Nanos>,
}

/// What one node has made of the servers beyond their reports, and how well: see
/// [`crate::judge::track`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Findings {
    /// From each crash to its detection [ns].
    pub detection_ns: Vec<Nanos>,
    /// From each return to its detection [ns].
    pub recovery_ns: Vec<Nanos>,
    /// From each server's being there to the first news of it [ns].
    pub discovery_ns: Vec<Nanos>,
    /// Crashes over before they were noticed.
    pub missed_failures: u64,
    /// Times a sound server was taken for failed.
    pub false_failures: u64,
    /// For how long, over all of them [ns].
    pub false_failure_ns: u128,
    /// Health checks sent.
    pub checks: u64,
    /// Ejections.
    pub ejections: u64,
    /// Times it began to ignore its own judgement.
    pub panics: u64,
    /// Flawed reports, by [`crate::view::inspector::Flaw`].
    pub flaws: [u64; 7],
    /// Times a server was put into quarantine.
    pub quarantines: u64,
    /// Requests that waited for a server.
    pub queued: u64,
    /// Requests sent to the least bad server.
    pub least_bad: u64,
}

/// One interval of the time series. Counts go by the moment of the event.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bin {
    /// Arrivals and endings inside the interval.
    pub counts: Counts,
    /// Attempts sent.
    pub dispatched: u64,
    /// Sum of the latencies of requests that ended `Ok` [ns].
    pub latency_sum_ns: u128,
    /// 99th percentile of those latencies [ns]; 0 when there are none.
    pub latency_p99_ns: Nanos,
    /// Requests in service over all servers, at the end of the interval.
    pub active: u64,
    /// Requests waiting over all servers, at the end of the interval.
    pub waiting: u64,
    /// Sum of sampled belief ages at the end of the interval [ns].
    pub view_age_sum_ns: u128,
    /// Sum of sampled |estimated - true| loads at the end of the interval [requests].
    pub view_error_sum: u64,
    /// Sampled beliefs that took a server for available.
    pub view_available: u64,
    /// Number of beliefs sampled.
    pub view_samples: u64,
    /// (pair of nodes, server) compared at the end of the interval.
    pub view_compared: u64,
    /// Of those, with reports of different versions.
    pub view_divergent: u64,
    /// Heartbeats that arrived.
    pub reports: u64,
    /// Probes that nodes sent, and notes that came on their own.
    pub notes: u64,
    /// Packets nodes sent to each other.
    pub peer_messages: u64,
    /// Bytes of those packets.
    pub peer_bytes: u64,
    /// Nodes that are up at the end of the interval.
    pub nodes_up: u64,
    /// Live members known, themselves included, summed over those nodes.
    pub members_known: u64,
    /// Fewest known by one of those nodes.
    pub members_known_min: u64,
    /// Largest share of the picks of a heartbeat interval that went to one server, over the heartbeat
    /// intervals that ended in this one [millionths].
    pub herd_max_ppm: u64,
}
