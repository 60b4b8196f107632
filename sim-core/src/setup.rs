//! Everything about a run that never changes while it goes on, worked out once from the scenario.

pub mod conduct; // how servers serve

use bevy_ecs::prelude::Resource;

use crate::config::{
    Arrivals, ClientsConfig, Detector, Fanout, GossipConfig, HeartbeatConfig, JudgementConfig,
    OnNoServer, PolicyConfig, PrioritiesConfig, Scenario, Slowdown, SubsetConfig,
};
use crate::hashing::{Hasher, SharedTable};
use crate::ids::{NodeId, ServerId};
use crate::law::{DelaySampler, ServiceSampler};
use crate::membership::rules::Rules;
use crate::places::Places;
use crate::plan::Plan;
use crate::policy::Needs;
use crate::popularity::KeySampler;
use crate::rng::{Purpose, Rng, Stream, stream};
use crate::ticks::Ticks;
use crate::tiers::Tiers;
use crate::time::{Nanos, rounded, seconds};

use conduct::ConductSetup;

/// See the module documentation.
#[derive(Clone, Debug, Resource)]
pub struct Setup {
    /// Seed of all streams.
    pub seed: u64,
    /// Replication, part of every stream's name.
    pub replication: u32,
    /// The grid of time.
    pub ticks: Ticks,
    /// Measurement starts here [ns], a quantum boundary.
    pub window_start_ns: Nanos,
    /// Arrivals and measurement end here [ns], a quantum boundary.
    pub window_end_ns: Nanos,
    /// The run ends here at the latest [ns], a quantum boundary.
    pub limit_ns: Nanos,
    /// Number of LB nodes.
    pub nodes: u32,
    /// Time until the world notices that a node is gone or back [ns].
    pub failover_delay_ns: Nanos,
    /// Number of servers that are ever there.
    pub servers: u32,
    /// Number of servers that are there from the start; faults add the others.
    pub configured: u32,
    /// Server groups with the id of their first server.
    pub groups: Vec<GroupSetup>,
    /// Delay of dispatches.
    pub node_server: DelaySampler,
    /// Delay of responses and heartbeats.
    pub server_node: DelaySampler,
    /// Delay of what nodes tell each other.
    pub node_node: DelaySampler,
    /// Mean delay there and back [ns].
    pub round_trip_ns: f64,
    /// Tiers of servers, where there are several.
    pub tiers: Option<Tiers>,
    /// Nodes know a part of the servers.
    pub subset: Option<SubsetConfig>,
    /// The law of keys; `None` where a trace brings them or there are none.
    pub keys: Option<KeySampler>,
    /// Where the policy spreads keys by a table: the table, built by the first node.
    pub table: SharedTable,
    /// Requests have keys.
    pub has_keys: bool,
    /// Demand bits are service times in ns.
    pub demand_is_service: bool,
    /// How nodes find each other; `None`: they know all nodes for ever.
    pub membership: Option<Rules>,
    /// Nodes send each other messages.
    pub nodes_talk: bool,
    /// Gossip between nodes.
    pub gossip: Option<GossipConfig>,
    /// Heartbeats.
    pub heartbeat: HeartbeatConfig,
    /// What nodes make of the servers beyond their reports.
    pub judgement: JudgementConfig,
    /// Silence of this length alone means failure [ns]; beyond any run where something else decides.
    pub silence_ns: Nanos,
    /// Whole quanta in it.
    pub timeout_quanta: u64,
    /// Quanta between two looks at who was picked most.
    pub herd_quanta: u64,
    /// Quanta between two samples of the time series.
    pub sample_quanta: u64,
    /// The client's patience [ns].
    pub timeout_ns: Option<Nanos>,
    /// Most retries of a request.
    pub retries_max: u32,
    /// Budget for retries, millionths of a retry a request.
    pub retry_budget_ppm: u32,
    /// What clients do beyond that.
    pub clients: ClientsConfig,
    reports_a_request: f64,
    /// Where columns about servers keep their entries: by id, unless a run lays them out anew.
    pub places: Places,
    /// The policy of this run.
    pub policy: PolicyConfig,
    /// What it needs.
    pub needs: Needs,
    /// What breaks and heals.
    pub plan: Plan,
}

/// A server group, ready to serve.
#[derive(Clone, Debug)]
pub struct GroupSetup {
    /// Id of its first server.
    pub first: u32,
    /// Number of servers.
    pub count: u32,
    /// Service slots.
    pub capacity: u32,
    /// Most requests in service and waiting; `u32::MAX` is unbounded.
    pub room: u32,
    /// Service law at speed 1.
    pub service: ServiceSampler,
    /// Service time is multiplied by this.
    pub inverse_speed: f64,
    /// How it serves, where that is not plain.
    pub conduct: Option<Box<ConductSetup>>,
    /// Weight of each server.
    pub weight: f64,
}

impl GroupSetup {
    /// Most requests in service and waiting while a server has `slots` slots.
    #[inline]
    pub const fn room_with(&self, slots: u32) -> u32 {
        if self.room == u32::MAX {
            u32::MAX
        } else {
            (self.room - self.capacity).saturating_add(slots)
        }
    }

    /// Service time of a request on a server of this group [ns], at least 1.
    #[inline]
    pub fn service_ns(
        &self,
        demand: u64,
        demand_is_service: bool,
        slow: Option<Slowdown>,
    ) -> Nanos {
        let at_speed_1 =
            if demand_is_service { demand as f64 } else { self.service.sample_ns(demand) };
        let healthy = at_speed_1 * self.inverse_speed;
        let service = match slow {
            None => healthy,
            Some(Slowdown::Factor(factor)) => healthy * factor,
            Some(Slowdown::Fixed(ns)) => return ns,
        };
        rounded(service).unwrap_or(service as u64).max(1)
    }
}

/// With more reports a request than this, what is laid out and kept for reports is the faster.
const MUCH_REPORTS: f64 = 1.0;

/// Reports that nodes hear for every request they choose a server for; NaN where the rate is unknown.
fn reports_a_request(scenario: &Scenario) -> f64 {
    let hearing = match scenario.heartbeat.fanout {
        Fanout::All => scenario.nodes.count,
        Fanout::Random(nodes) | Fanout::Home(nodes) => nodes,
    };
    let reports = f64::from(scenario.configured_count()) * f64::from(hearing);
    let requests = scenario.arrivals_per_s();
    reports / seconds(scenario.heartbeat.interval_ns) / requests
}

/// Which tier every server is in.
fn tiers(scenario: &Scenario) -> Tiers {
    let groups = scenario.all_groups();
    let of: Vec<u8> =
        groups.flat_map(|group| (0..group.count).map(|_| group.priority as u8)).collect();
    let PrioritiesConfig { overprovisioning, panic } = scenario.priorities;
    Tiers { of: of.into(), overprovisioning, panic }
}

impl Setup {
    /// From here on nothing happens any more [ns]: the run ends on the boundary after its window at the
    /// earliest.
    pub const fn over_ns(&self) -> Nanos {
        self.limit_ns.saturating_add(self.ticks.quantum_ns)
    }

    /// Nodes hear more often than they choose. It decides what is faster, and no result.
    pub fn hears_much(&self) -> bool {
        self.reports_a_request > MUCH_REPORTS
    }

    /// Works out the run of `policy` in `replication` of a checked scenario.
    pub fn new(scenario: &Scenario, policy: usize, replication: u32) -> Self {
        let ticks = Ticks::new(scenario);
        let mut first = 0;
        let groups = scenario.all_groups().map(|group| {
            let setup = GroupSetup {
                first,
                count: group.count,
                capacity: group.capacity,
                room: group.backlog.map_or(u32::MAX, |b| group.capacity.saturating_add(b)),
                service: group.service.sampler(),
                inverse_speed: 1.0 / group.speed,
                conduct: ConductSetup::new(group),
                weight: group.weight,
            };
            first += group.count;
            setup
        });
        let groups: Vec<_> = groups.collect();
        let window_end_ns = ticks.round_up(scenario.duration_ns);
        let limit_ns = ticks.round_up(window_end_ns + scenario.drain_ns);
        let judgement = &scenario.judgement;
        // Half of eternity: it can be added to any moment of a run.
        let silence_ns = match judgement.detector {
            Detector::Timeout if !judgement.oracle => scenario.heartbeat.failure_timeout_ns,
            _ => Nanos::MAX / 2,
        };
        Self {
            seed: scenario.seed,
            replication,
            ticks,
            window_start_ns: ticks.round_up(scenario.warmup_ns),
            window_end_ns,
            limit_ns,
            nodes: scenario.nodes.count,
            failover_delay_ns: scenario.nodes.failover_delay_ns,
            servers: first,
            configured: scenario.configured_count(),
            groups,
            node_server: scenario.network.node_server.sampler(),
            server_node: scenario.network.server_node.sampler(),
            node_node: scenario.network.node_node.sampler(),
            round_trip_ns: scenario.network.node_server.mean_ns()
                + scenario.network.server_node.mean_ns(),
            tiers: scenario.has_tiers().then(|| tiers(scenario)),
            subset: scenario.subset,
            keys: scenario.workload.keys.map(|keys| keys.sampler()),
            table: SharedTable::default(),
            has_keys: scenario.workload.has_keys(),
            demand_is_service: matches!(
                &scenario.workload.arrivals,
                Arrivals::Trace(trace) if trace.states_service()
            ),
            membership: scenario.membership.as_ref().map(|config| Rules::new(config, &ticks)),
            nodes_talk: scenario.nodes_talk(),
            gossip: scenario.gossip.clone(),
            heartbeat: scenario.heartbeat.clone(),
            judgement: judgement.clone(),
            silence_ns,
            timeout_quanta: silence_ns / ticks.quantum_ns,
            herd_quanta: (scenario.heartbeat.interval_ns / ticks.quantum_ns).max(1),
            sample_quanta: scenario.engine.sample_interval_ns / ticks.quantum_ns,
            timeout_ns: scenario.workload.timeout_ns,
            retries_max: scenario.workload.retries.max,
            retry_budget_ppm: scenario.workload.retries.budget_ppm,
            clients: scenario.workload.clients.clone(),
            needs: scenario.policies[policy].needs(),
            policy: scenario.policies[policy].plain().clone(),
            plan: Plan::new(scenario, &ticks, replication, limit_ns),
            reports_a_request: reports_a_request(scenario),
            places: Places::default(),
        }
    }

    /// Whether servers must be simulated completion by completion.
    pub fn needs_events(&self) -> bool {
        !self.plan.servers.is_empty()
            || self.needs.messages()
            || self.has_active_clients()
            || self.groups.iter().any(|group| group.conduct.is_some())
    }

    /// Whether clients do more than wait, and retry at once.
    pub fn has_active_clients(&self) -> bool {
        self.clients != ClientsConfig::default()
    }

    /// Whether nodes look closely at answers and choices, in a loop of its own.
    pub fn is_careful(&self) -> bool {
        let judgement = &self.judgement;
        judgement.outlier_ejection.is_some()
            || judgement.discovery.slow_start.is_some()
            || judgement.trust.is_some()
            || self.has_keys
            || self.subset.is_some()
            || judgement.on_no_server != OnNoServer::Reject
            || self.needs.messages()
            || self.needs.holds_back
            || self.has_active_clients()
    }

    /// Whether nodes keep what a retry or a deadline must know of a request.
    pub fn keeps_dossiers(&self) -> bool {
        self.retries_max > 0 || self.timeout_ns.is_some() || self.is_careful()
    }

    /// Whether nodes judge servers by the rhythm of their reports.
    pub const fn has_rhythms(&self) -> bool {
        matches!(self.judgement.detector, Detector::PhiAccrual(_)) && !self.judgement.oracle
    }

    /// The stream of one node for one purpose.
    pub fn node_stream(&self, purpose: Purpose, node: NodeId) -> Stream {
        stream(self.seed, self.replication, purpose, node.0)
    }

    /// The stream of one server for one purpose.
    pub fn server_stream(&self, purpose: Purpose, server: ServerId) -> Stream {
        stream(self.seed, self.replication, purpose, server.0)
    }

    /// Policies choose among a part of the servers.
    pub const fn is_layered(&self) -> bool {
        self.subset.is_some() || self.tiers.is_some()
    }

    /// Where servers and keys stand in the tables of this run.
    pub fn hasher(&self) -> Hasher {
        Hasher::new(stream(self.seed, self.replication, Purpose::Layout, 0).next_u64())
    }

    /// The configured weight of every server, by id.
    pub fn weights(&self) -> Vec<f64> {
        let groups = self.groups.iter();
        groups.flat_map(|group| (0..group.count).map(|_| group.weight)).collect()
    }

    /// The group of a server, as an index into `groups`.
    pub fn group_of(&self, server: ServerId) -> usize {
        self.groups.partition_point(|group| group.first <= server.0) - 1
    }
}
