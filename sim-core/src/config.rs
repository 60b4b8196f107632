//! The checked scenario: what the engine runs. Every value in here is possible.
//!
//! A scenario file becomes a [`Scenario`] through [`Scenario::parse`], which either returns a
//! value with all defaults filled in or **all** faults of the file, each with its place in the
//! text. Code that builds a scenario by hand (tests, benches) calls [`Scenario::validate`].

mod scenario; // READ FIRST: from text to scenario
mod fault; // what is wrong, and where
mod suggest; // did you mean
mod units; // texts with a unit
mod tree; // what is written, and where
mod overrides; // --set key=value
mod walk; // tables out of the tree
mod values; // values out of the tree
mod laws; // delays and service times
mod load; // what a fleet can carry
mod fleet; // network, nodes, servers, engine
mod conduct; // how servers serve
mod workload; // arrivals, timeout, retries
mod clients; // what clients do beyond waiting
pub mod trace; // recorded arrivals
mod policy; // the policies to compare
mod parameters; // what they may be told
mod heartbeat; // reports
mod membership; // who is a node
mod gossip; // what nodes tell each other
mod judgement; // what nodes make of servers
mod subset; // which servers a node knows
mod breaking; // what can break
mod targets; // whom it hits
mod faults; // what breaks, read
mod chaos; // what breaks by chance
mod expect; // what must be shown
mod target; // how well it must be known
mod validate; // what is impossible
mod write; // from scenario to text
pub mod document; // the pieces, for other files
pub mod keys; // every key there is

pub use breaking::{Fault, FaultKind, Inconsistency, Lie, Side, Slowdown};
pub(crate) use chaos::all_faults;
pub use chaos::{ChaosConfig, ChaosKind};
pub use clients::{
    Avoid, Backoff, ClientsConfig, ClosedLoop, Hedge, HedgeAfter, RETRY_CAUSES, RetryConcurrency,
    RetryOn,
};
pub use conduct::{
    AdaptiveLifo, Antagonist, CoDel, ColdStart, Conduct, Crowding, Discipline, Pauses, Shedding,
};
pub use fault::{ConfigFault, Origin};
pub use gossip::{GossipConfig, GossipMode, GossipPayload, GossipRounds};
pub use judgement::{
    Detector, DiscoveryConfig, HealthChecks, JudgementConfig, OnNoServer, OutlierEjection,
    PhiAccrual, Prior, SlowStart, SuccessRate, TrustConfig,
};
pub use membership::{MembershipConfig, ProbeOrder};
pub use parameters::{ParameterCheck, ParameterList};
pub use scenario::{Check, ReadFile, Source};
pub use targets::Targets;
pub use trace::{CsvColumns, TraceConfig, TraceFormat};

pub(crate) use policy::preset_defaults;

pub use crate::policy::registry::*;

use crate::law::{DelayLaw, ServiceLaw};
use crate::popularity::Popularity;
use crate::stats::target::Target;
use crate::time::Nanos;

/// A fleet, its workload, and what is to be learnt about it.
#[derive(Clone, Debug, PartialEq)]
pub struct Scenario {
    /// Short name, used in file names and tables.
    pub name: String,
    /// Requests arrive in `[0, duration)` [ns].
    pub duration_ns: Nanos,
    /// Requests that arrive before this are simulated but not measured [ns]. Below `duration`.
    pub warmup_ns: Nanos,
    /// The warm-up has yet to be found by a pilot run (`bench_harness::warmup::settle`), and
    /// `warmup_ns` is a stand-in. No such scenario is run.
    pub warmup_auto: bool,
    /// After `duration` no request arrives; the run goes on until every request has ended, but no
    /// longer than this [ns].
    pub drain_ns: Nanos,
    /// All randomness derives from this.
    pub seed: u64,
    /// Independent repetitions with streams of their own. At least 1; with a `target` at least 2.
    pub replications: u32,
    /// Most repetitions when there is a `target`. At least `replications`.
    pub replications_max: u32,
    /// Replicate until each of these metrics of every policy is known this well, or there are
    /// `replications_max`. None: exactly `replications`.
    pub target: Vec<Target>,
    /// How the simulation itself proceeds.
    pub engine: EngineConfig,
    /// One-way delays.
    pub network: NetworkConfig,
    /// The LB nodes.
    pub nodes: NodesConfig,
    /// The backend servers, group by group. Ids run through the groups in order.
    pub servers: Vec<ServerGroup>,
    /// Where requests come from.
    pub workload: WorkloadConfig,
    /// The policies to compare, each run on the same random numbers. At least one.
    pub policies: Vec<PolicyConfig>,
    /// Reports from servers to nodes.
    pub heartbeat: HeartbeatConfig,
    /// What nodes tell each other of the servers; `None`: nothing.
    pub gossip: Option<GossipConfig>,
    /// Which servers a node knows; `None`: all.
    pub subset: Option<SubsetConfig>,
    /// How tiers of servers share the requests; without servers of a priority above 0, of no effect.
    pub priorities: PrioritiesConfig,
    /// What nodes make of the servers beyond their reports.
    pub judgement: JudgementConfig,
    /// How nodes find each other; `None`: every node knows all nodes for ever.
    pub membership: Option<MembershipConfig>,
    /// What breaks and when, in file order.
    pub faults: Vec<Fault>,
    /// What breaks by chance besides.
    pub chaos: Option<ChaosConfig>,
    /// What the scenario must show.
    pub expect: Vec<Expectation>,
}

/// How the simulation itself proceeds. None of it changes a result but `quantum_ns`.
#[derive(Clone, Debug, PartialEq)]
pub struct EngineConfig {
    /// The window W: owners are independent inside it [ns]. In `1..=min(lookahead, 2^30)`, where
    /// the lookahead is the smallest one-way delay; divides `quantum_ns`.
    pub tick_ns: Nanos,
    /// Heartbeats, reports and faults happen on multiples of this [ns].
    pub quantum_ns: Nanos,
    /// Bin of the time series and interval of view sampling [ns]. A multiple of `quantum_ns`.
    pub sample_interval_ns: Nanos,
}

/// One-way delays of every kind of link. Each law's minimum is above 0: it is the lookahead.
#[derive(Clone, Debug, PartialEq)]
pub struct NetworkConfig {
    /// From an LB node to a server: dispatches.
    pub node_server: DelayLaw,
    /// From a server to an LB node: responses and heartbeats.
    pub server_node: DelayLaw,
    /// From an LB node to another: gossip and membership.
    pub node_node: DelayLaw,
}

/// The LB nodes.
#[derive(Clone, Debug, PartialEq)]
pub struct NodesConfig {
    /// How many. At least 1. The workload is split evenly among them.
    pub count: u32,
    /// Whoever sends requests to the nodes notices this long after a crash that a node is down, and
    /// after its return that it is back [ns]. In between, its requests are lost after the crash,
    /// and go to the other nodes after the return.
    pub failover_delay_ns: Nanos,
}

/// Servers that are alike. Heterogeneity is several groups.
#[derive(Clone, Debug, PartialEq)]
pub struct ServerGroup {
    /// What faults call it: not a number, so that it cannot be taken for an id.
    pub name: Option<String>,
    /// How many. At least 1.
    pub count: u32,
    /// Most requests in service at once, in `1..=65535`.
    pub capacity: u32,
    /// Most requests waiting; `None` is unbounded. 0 refuses whatever finds no free slot.
    pub backlog: Option<u32>,
    /// Service time at speed 1.
    pub service: ServiceLaw,
    /// Work done in one second of service, relative to speed 1. Above 0.
    pub speed: f64,
    /// Order of service, shedding, and what ages.
    pub conduct: Conduct,
    /// What an operator says of the server's strength, relative to others; known to every node from
    /// the start, and no part of reports. Only weighted policies look at it. Above 0.
    pub weight: f64,
    /// The tier of these servers: 0 gets all requests while enough of it is healthy; see
    /// [`crate::tiers`]. In `0..=127`.
    pub priority: u32,
}

/// Where requests come from and how long they are pursued.
#[derive(Clone, Debug, PartialEq)]
pub struct WorkloadConfig {
    /// The arrival process of the whole fleet, split evenly among the nodes.
    pub arrivals: Arrivals,
    /// What requests are about: the law of their keys. `None`: a trace's keys, if it has any.
    pub keys: Option<Popularity>,
    /// The client gives up this long after arrival [ns]; `None`: never.
    pub timeout_ns: Option<Nanos>,
    /// Second tries on another server.
    pub retries: Retries,
    /// What clients do beyond that.
    pub clients: ClientsConfig,
}

/// Second tries, made at once on another server when an attempt is refused or lost.
#[derive(Clone, Debug, PartialEq)]
pub struct Retries {
    /// Most retries of one request. 0: none.
    pub max: u32,
    /// Retries a node may spend, as a share of the requests it receives, in millionths; a node
    /// starts with 10 in hand and saves up to 100.
    pub budget_ppm: u32,
}

/// An arrival process of the whole fleet. Rates are in requests a second, above 0.
#[derive(Clone, Debug, PartialEq)]
pub enum Arrivals {
    /// None: all requests come from clients that wait for their answers.
    Nothing,
    /// Independent exponential interarrival times.
    Poisson {
        /// Mean arrivals a second.
        rate: f64,
    },
    /// Equal interarrival times; nodes take turns.
    Constant {
        /// Arrivals a second.
        rate: f64,
    },
    /// Markov-modulated Poisson: bursts. The state is common to all nodes.
    Mmpp {
        /// Rate in the quiet state.
        rate_low: f64,
        /// Rate in the burst state.
        rate_high: f64,
        /// Mean time in the quiet state [ns].
        dwell_low_ns: Nanos,
        /// Mean time in the burst state [ns].
        dwell_high_ns: Nanos,
    },
    /// Poisson at one rate, but for one burst.
    Burst {
        /// Mean arrivals a second outside the burst.
        rate: f64,
        /// Mean arrivals a second inside it.
        peak: f64,
        /// Its beginning [ns].
        at_ns: Nanos,
        /// Its length [ns]. Above 0.
        for_ns: Nanos,
    },
    /// Poisson whose rate goes linearly from one value to another, then stays.
    Ramp {
        /// Rate at time 0.
        from: f64,
        /// Rate from `over_ns` on.
        to: f64,
        /// Length of the ramp [ns].
        over_ns: Nanos,
    },
    /// Poisson whose rate is `mean * (1 + amplitude * sin(2 pi t / period))`.
    Diurnal {
        /// Mean rate.
        mean: f64,
        /// In `[0, 1]`.
        amplitude: f64,
        /// Length of one day [ns].
        period_ns: Nanos,
    },
    /// Recorded arrivals, read from a file while the run goes on; nodes take turns.
    Trace(TraceConfig),
}

/// Reports from servers to nodes, and what their absence means.
#[derive(Clone, Debug, PartialEq)]
pub struct HeartbeatConfig {
    /// Mean time between two heartbeats of one server [ns]. At least one quantum.
    pub interval_ns: Nanos,
    /// Each gap is `interval * U(1 - jitter, 1 + jitter)`; in `[0, 1)`.
    pub jitter: f64,
    /// All servers in step from time 0 (an artefact worth seeing), instead of a random phase each.
    pub synchronised: bool,
    /// Chance that one heartbeat to one node is lost, in `[0, 1)`.
    pub loss: f64,
    /// Which nodes hear a heartbeat.
    pub fanout: Fanout,
    /// A server whose newest heartbeat was sent longer ago than this is taken for failed [ns].
    pub failure_timeout_ns: Nanos,
    /// Weight of a new completion in a server's mean latency, in `(0, 1]`.
    pub latency_alpha: f64,
    /// Time constant with which an idle server's reported latency falls towards 0 [ns]; `None`:
    /// never. Without it a server once slow is never tried again.
    pub latency_decay_ns: Option<Nanos>,
}

/// Which nodes hear a heartbeat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fanout {
    /// Every node.
    All,
    /// This many distinct nodes, drawn anew for each heartbeat.
    Random(u32),
    /// The same `k` nodes every time: server `s` reports to nodes `s, s + 1, ... s + k - 1`
    /// (modulo the node count).
    Home(u32),
}

/// Which of the servers a node knows; see [`crate::subset`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SubsetConfig {
    /// This many, drawn anew whenever servers come or go.
    Random {
        /// At least 1.
        size: u32,
    },
    /// Those that suit the node best by a hash.
    Rendezvous {
        /// At least 1.
        size: u32,
    },
    /// A slice of a circle of all servers.
    DeterministicAperture {
        /// Servers it holds at least, at least 1.
        aperture: u32,
    },
}

/// How tiers of servers share the requests; see [`crate::tiers`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PrioritiesConfig {
    /// A tier is well if this many times its healthy servers are all of them; in `[1, 100]`.
    pub overprovisioning: f64,
    /// A tier with a smaller share of healthy servers uses all of them, when no tier can help out; in
    /// `[0, 1]`, 0 for never.
    pub panic: f64,
}

impl Default for PrioritiesConfig {
    fn default() -> Self {
        Self { overprovisioning: 1.4, panic: 0.5 }
    }
}

/// What a scenario must show: a bound on a metric's mean over the replications.
#[derive(Clone, Debug, PartialEq)]
pub struct Expectation {
    /// Name of a policy of the scenario this is about; `None`: all of them.
    pub policy: Option<String>,
    /// Column name of the metric.
    pub metric: String,
    /// How it compares.
    pub comparison: Comparison,
    /// With what.
    pub bound: f64,
}

/// How a metric compares with its bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
}

impl WorkloadConfig {
    /// Whether requests have keys.
    pub const fn has_keys(&self) -> bool {
        match &self.arrivals {
            Arrivals::Trace(trace) if trace.states_key() => true,
            _ => self.keys.is_some(),
        }
    }
}

impl Scenario {
    /// Number of servers that are there from the start.
    pub fn configured_count(&self) -> u32 {
        self.servers.iter().map(|group| group.count).sum()
    }

    /// Number of servers that are ever there: the configured ones, then those that faults add.
    pub fn server_count(&self) -> u32 {
        self.all_groups().map(|group| group.count).sum()
    }

    /// The configured groups, then those that faults add, in file order: ids run through them.
    pub fn all_groups(&self) -> impl Iterator<Item = &ServerGroup> {
        let added = self.faults.iter().filter_map(|fault| match &fault.kind {
            FaultKind::Add { group } => Some(group),
            _ => None,
        });
        self.servers.iter().chain(added)
    }

    /// Whether servers are in tiers.
    pub fn has_tiers(&self) -> bool {
        self.all_groups().any(|group| group.priority > 0)
    }

    /// Service slots of all configured servers together.
    pub fn slots(&self) -> u64 {
        self.servers.iter().map(|g| u64::from(g.count) * u64::from(g.capacity)).sum()
    }
}
