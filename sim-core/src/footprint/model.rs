//! What takes how much memory: a run as far as its memory depends on it.

use super::{Footprint, Part, What};
use crate::config::{
    Arrivals, Detector, Fanout, GossipPayload, OnNoServer, Prior, Scenario, ServerGroup,
    SubsetConfig,
};
use crate::exchange::Sharing;
use crate::exchange::log::ChangeLog;
use crate::heartbeat::{self, Heartbeats};
use crate::judge::Judge;
use crate::judge::ejection::Ejections;
use crate::membership::Membership;
use crate::membership::member::Claim;
use crate::network::{Dispatch, Report, Response};
use crate::oracle::Oracle;
use crate::places::Places;
use crate::plan::{Change, Planned};
use crate::request::InFlight;
use crate::request::waiting::Waiter;
use crate::result::{Bin, NodeResult, ServerResult};
use crate::rng::Stream;
use crate::server::Delivery;
use crate::server::event::EventServers;
use crate::server::fifo::FifoServers;
use crate::setup::conduct::ConductSetup;
use crate::setup::{GroupSetup, Setup};
use crate::simulation;
use crate::tiers::Tiers;
use crate::time::seconds;
use crate::truth::Truth;
use crate::view::View;
use crate::view::inspector::Inspector;
use crate::view::news::Heard;
use crate::wheel::Wheel;

/// Tables of latencies, buffers of a tick and other things that no size changes much [bytes].
const FIXED_BYTES: f64 = 1.5e6;
/// Components of a node, its allocations and its empty wheels, apart from what depends on sizes
/// [bytes].
const NODE_BYTES: f64 = 6_000.0;
/// What the allocator adds to an allocation of its own [bytes].
pub(super) const ALLOCATION_BYTES: f64 = 16.0;

/// The most that a number of `mean` on average is in a run: four standard deviations of a Poisson
/// law above it, and a little.
pub(super) fn peak(mean: f64) -> f64 {
    mean + 4.0 * libm::sqrt(mean) + 4.0
}

/// A run, as far as its memory depends on it. Fractional, so that no size overflows.
pub(super) struct Model<'a> {
    pub(super) scenario: &'a Scenario,
    pub(super) setup: Setup,
    pub(super) nodes: f64,
    servers: f64,
    /// The servers now, over those of the scenario.
    scale: f64,
}

/// How many requests are where at once.
pub(super) struct Load {
    /// Arrivals a second.
    pub(super) rate: f64,
    /// In service.
    pub(super) busy: f64,
    /// Waiting at servers.
    pub(super) waiting: f64,
    /// What nodes have in flight.
    pub(super) in_flight: f64,
}

impl<'a> Model<'a> {
    pub(super) fn new(scenario: &'a Scenario, policy: usize) -> Self {
        // No memory depends on where the warm-up ends, so it need not have been found yet.
        let setup = if scenario.warmup_auto {
            Setup::new(&Scenario { warmup_auto: false, ..scenario.clone() }, policy, 0)
        } else {
            Setup::new(scenario, policy, 0)
        };
        let (nodes, servers) = (f64::from(setup.nodes), f64::from(setup.servers));
        Self { scenario, setup, nodes, servers, scale: 1.0 }
    }

    pub(super) fn scale_servers(&mut self, servers: f64) {
        self.servers = servers;
        self.scale = servers / f64::from(self.setup.servers);
    }

    pub(super) fn footprint(&self) -> Footprint {
        let load = self.load();
        let result = self.result();
        let parts = [
            (What::Views, self.views()),
            (What::Servers, self.of_servers(&load)),
            (What::Requests, self.requests(&load)),
            (What::Messages, self.messages()),
            (What::Membership, self.membership()),
            (What::Series, self.series()),
            (What::Result, result),
            (What::Engine, self.engine()),
        ];
        // Rounds up, and a number beyond `u64` becomes the largest.
        let mut parts: Vec<Part> = parts
            .into_iter()
            .map(|(what, bytes)| Part { what, bytes: bytes.ceil() as u64 })
            .collect();
        parts.sort_by_key(|part| (u64::MAX - part.bytes, part.what));
        let bytes = parts.iter().fold(0_u64, |sum, part| sum.saturating_add(part.bytes));
        // What is left when the run is over.
        let result_bytes = (result + self.series() + FIXED_BYTES / 4.0) as u64;
        Footprint { bytes, result_bytes, parts }
    }

    /// What a node keeps of a server.
    fn views(&self) -> f64 {
        let setup = &self.setup;
        let judgement = &setup.judgement;
        let policies = setup.tiers.as_ref().map_or(1, Tiers::count);
        let mut pair = View::SERVER_BYTES + setup.policy.server_bytes() * policies;
        if setup.tiers.is_some() {
            pair += size_of::<u32>();
        }
        if judgement.discovery.prior == Prior::Mean {
            pair += size_of::<u64>();
        }
        if judgement.trust.is_some() {
            pair += Inspector::SERVER_BYTES;
        }
        if judgement.outlier_ejection.is_some() {
            pair += Ejections::SERVER_BYTES;
        }
        if self.setup.gossip.is_some() {
            pair += ChangeLog::SERVER_BYTES;
        }
        let all_noted = judgement.discovery.prior != Prior::Zero
            || judgement.trust.is_some()
            || matches!(judgement.detector, Detector::PhiAccrual(_));
        let noted = if all_noted { size_of::<Heard>() as f64 } else { 0.0 };
        let heard = if self.setup.gossip.is_some() { size_of::<Report>() as f64 } else { 0.0 };
        let judge = Judge::bytes(setup, self.servers);
        // Each node notes its part of the servers; who is in is worked out one node at a time.
        let pool = match setup.subset {
            None => 0.0,
            Some(SubsetConfig::Random { size } | SubsetConfig::Rendezvous { size }) => {
                f64::from(size).min(self.servers)
            }
            Some(SubsetConfig::DeterministicAperture { aperture }) => {
                (f64::from(aperture) + self.servers / self.nodes + 2.0).min(self.servers)
            }
        };
        // What is out of bounds waits in a tree besides.
        let added = f64::from(self.setup.servers - self.setup.configured) * self.scale;
        let pair = pair as f64 + 2.0 * self.at_once() * (noted + heard);
        let shared = setup.policy.shared_bytes(self.servers);
        self.nodes * (self.servers * pair + judge + added * 32.0 + pool * 4.0) + shared
    }

    /// The share of servers whose heartbeats fall on one boundary.
    fn at_once(&self) -> f64 {
        let heartbeat = &self.setup.heartbeat;
        if heartbeat.synchronised && heartbeat.jitter == 0.0 {
            return 1.0;
        }
        (self.setup.ticks.quantum_ns as f64 / heartbeat.interval_ns as f64).min(1.0)
    }

    fn is_event_kernel(&self) -> bool {
        self.setup.needs_events()
    }

    /// Servers whose group answers yes.
    fn servers_that(&self, asks: impl Fn(&ConductSetup) -> bool) -> f64 {
        let groups = self.setup.groups.iter();
        let groups = groups.filter(|group| group.conduct.as_deref().is_some_and(&asks));
        groups.map(|group| f64::from(group.count)).sum::<f64>() * self.scale
    }

    /// What antagonists and pauses leave of the fleet's speed in the long run.
    fn speed_left(&self) -> f64 {
        let left = |(group, config): (&GroupSetup, &ServerGroup)| {
            let work = f64::from(group.count) * f64::from(group.capacity) / group.inverse_speed;
            (work, work * config.conduct.mean_speed())
        };
        let groups = self.setup.groups.iter().zip(self.scenario.all_groups()).map(left);
        let (full, left) = groups.fold((0.0, 0.0), |sum, group| (sum.0 + group.0, sum.1 + group.1));
        left / full
    }

    fn of_servers(&self, load: &Load) -> f64 {
        let setup = &self.setup;
        let mut bytes = Heartbeats::SERVER_BYTES + Truth::SERVER_BYTES + 3 * size_of::<u32>();
        if setup.hears_much() {
            bytes += Places::SERVER_BYTES;
        }
        if setup.server_node.constant_ns().is_none() {
            bytes += size_of::<Stream>();
        }
        if setup.judgement.oracle {
            bytes += Oracle::SERVER_BYTES;
        }
        let mut bytes = bytes as f64;
        if self.is_event_kernel() {
            bytes += EventServers::SERVER_BYTES as f64;
            // Its two lists.
            let slots = self.slots() / self.servers;
            let waiting = load.waiting / self.servers;
            for length in [slots, waiting] {
                let places = (length.max(4.0) as u64).next_power_of_two();
                bytes += places as f64 * size_of::<u32>() as f64 + ALLOCATION_BYTES;
            }
        } else {
            bytes += FifoServers::SERVER_BYTES as f64;
        }
        let tempers =
            self.servers_that(|_| true) * (EventServers::TEMPER_BYTES as f64 + ALLOCATION_BYTES);
        let waiting = (load.busy + load.waiting) / self.servers;
        // Who waits for the clock of work: a list that doubles.
        let places = (waiting.max(4.0) as u64).next_power_of_two() as f64;
        let paced = self.servers_that(ConductSetup::has_pace)
            * (places * EventServers::PACED_BYTES as f64 + ALLOCATION_BYTES);
        self.servers * (bytes + self.signals_bytes()) + tempers + paced
    }

    fn slots(&self) -> f64 {
        let slots = self.setup.groups.iter();
        slots.map(|group| f64::from(group.count) * f64::from(group.capacity)).sum::<f64>()
            * self.scale
    }

    fn load(&self) -> Load {
        let setup = &self.setup;
        let capacity = self.scenario.capacity_per_s() * self.scale;
        let rate = match self.scenario.workload.arrivals {
            Arrivals::Mmpp { rate_low, rate_high, .. } => rate_low.max(rate_high),
            Arrivals::Ramp { from, to, .. } => from.max(to),
            Arrivals::Burst { rate, peak, .. } => rate.max(peak),
            Arrivals::Diurnal { mean, amplitude, .. } => mean * (1.0 + amplitude),
            ref arrivals => arrivals.mean_rate(self.scenario.duration_ns),
        };
        // A trace that states no rate is taken to fill the fleet.
        let rate = if rate.is_nan() { capacity } else { rate * self.scale };
        let rate = rate + self.scenario.closed_loop_per_s().min(capacity);
        let capacity = capacity * self.speed_left();
        let rho = rate / capacity;
        let slots = self.slots();
        let room = setup.groups.iter().try_fold(0.0, |sum, group| {
            let room = (group.room != u32::MAX).then(|| f64::from(group.room - group.capacity))?;
            Some(sum + room * f64::from(group.count) * self.scale)
        });
        let duration_s = seconds(self.scenario.duration_ns);
        // While servers are out or slow, the others have their work.
        let rho_worst = rho / (1.0 - self.share_out()).max(1e-9);
        let expected = if rho_worst < 1.0 {
            self.queued(rho_worst)
        } else {
            // A fleet that is full; without bounds it goes on filling up.
            4.0 * slots + (rate - capacity).max(0.0) * duration_s
        };
        let waiting = expected.min(room.unwrap_or(f64::INFINITY));
        let busy = slots * rho.min(1.0);
        let mut in_flight = busy + waiting + rate * setup.round_trip_ns / 1e9;
        if let Some(timeout_ns) = setup.timeout_ns {
            let patient = rate * seconds(timeout_ns);
            // What nobody answers waits as long as its client does.
            let is_silent = |planned: &Planned<Change>| {
                matches!(planned.change, Change::Crash { silent: true })
            };
            let is_cut = !setup.plan.links.is_empty() || setup.plan.servers.iter().any(is_silent);
            in_flight = if is_cut { in_flight.max(patient) } else { in_flight.min(patient) };
        }
        Load { rate, busy, waiting, in_flight: in_flight.min(rate * duration_s) }
    }

    /// The share of the servers that faults take or slow, all counted as if at once.
    fn share_out(&self) -> f64 {
        let hurts = |planned: &&Planned<Change>| {
            !matches!(
                planned.change,
                Change::Recover
                    | Change::Heal
                    | Change::Sound
                    | Change::AllSlots
                    | Change::Join
                    | Change::Resume
            )
        };
        let hurt = self.setup.plan.servers.iter().filter(hurts);
        let servers: f64 = hurt.map(|planned| f64::from(planned.end - planned.first)).sum();
        (servers / f64::from(self.setup.servers)).min(1.0)
    }

    /// Requests that wait in the whole fleet at the load `rho`, if nobody looks where he sends them.
    /// Sakasegawa (1977): of a queue with c servers, rho^sqrt(2(c + 1)) / (1 - rho) x (1 + cv^2) / 2.
    fn queued(&self, rho: f64) -> f64 {
        let groups = self.setup.groups.iter().zip(self.scenario.all_groups());
        let queued = groups.map(|(group, config)| {
            let power = libm::sqrt(2.0 * (f64::from(group.capacity) + 1.0));
            let cv = config.service.cv();
            let each = libm::pow(rho, power) / (1.0 - rho) * f64::midpoint(1.0, cv * cv);
            f64::from(group.count) * each
        });
        queued.sum::<f64>() * self.scale
    }

    fn requests(&self, load: &Load) -> f64 {
        let setup = &self.setup;
        let dossier = if setup.keeps_dossiers() { InFlight::DOSSIER_BYTES } else { 0 };
        let key = if setup.has_keys { size_of::<u64>() } else { 0 };
        let timed = if setup.needs.timed_answers { size_of::<u64>() } else { 0 };
        let at_nodes = self.nodes
            * peak(load.in_flight / self.nodes)
            * (InFlight::REQUEST_BYTES + dossier + timed + key) as f64;
        // A ring doubles when it is full; once it has gone round, all of it has been touched.
        let queue = |total: f64, wait_ns: u64, bytes: usize| {
            let most = peak(total / self.nodes);
            let goes_round = wait_ns < self.scenario.duration_ns;
            let places = if goes_round { (most as u64).next_power_of_two() as f64 } else { most };
            self.nodes * places * bytes as f64
        };
        let within = |wait_ns: u64| load.rate * seconds(wait_ns.min(self.scenario.duration_ns));
        let deadlines = setup.timeout_ns.map_or(0.0, |timeout_ns| {
            queue(within(timeout_ns), timeout_ns, InFlight::DEADLINE_BYTES)
        });
        let queued = match setup.judgement.on_no_server {
            OnNoServer::Queue { limit, timeout_ns, .. } => {
                let total = (f64::from(limit) * self.nodes).min(within(timeout_ns));
                queue(total, timeout_ns, size_of::<Waiter>())
            }
            // Whom a policy holds back waits as well; how many is for the policy to say, and seldom many.
            OnNoServer::Reject | OnNoServer::LeastBad => 0.0,
        };
        let tick_ns = setup.ticks.tick_ns as f64;
        let there_ns = self.scenario.network.node_server.mean_ns();
        let back_ns = self.scenario.network.server_node.mean_ns();
        let within_ns = |ns: f64| load.rate * ns / 1e9;
        // To the servers: a wheel a node.
        let sent = self.nodes
            * Wheel::<Dispatch>::bytes(
                simulation::dispatch_horizon_ticks(setup, self.scenario),
                there_ns / tick_ns + 1.0,
                peak(within_ns(there_ns + tick_ns) / self.nodes),
            );
        // Back: the FIFO kernel answers at once, for all that it holds.
        let held = if self.is_event_kernel() { 0.0 } else { load.busy + load.waiting };
        let horizon = simulation::reply_horizon_ticks(setup, self.scenario);
        let answers = Wheel::<Response>::bytes(
            horizon,
            horizon as f64,
            peak(held + within_ns(back_ns + tick_ns)),
        );
        // What arrives in a tick is sorted.
        let sorters =
            peak(within_ns(tick_ns)) * (size_of::<Delivery>() + 2 * size_of::<Response>()) as f64;
        let at_servers = if self.is_event_kernel() {
            let jobs = (load.busy + load.waiting) * EventServers::JOB_BYTES as f64;
            // Finish times, and when those who wait have waited too long.
            let expires = |conduct: &ConductSetup| conduct.shed.queue_timeout_ns.is_some();
            let expiring = load.waiting * self.servers_that(expires) / self.servers;
            jobs + (load.busy + expiring) * EventServers::STEP_BYTES as f64
        } else {
            // Beyond what has its place beside the server.
            let spilled = (load.busy + load.waiting - 16.0 * self.servers).max(0.0);
            2.0 * spilled * FifoServers::SPILLED_BYTES as f64
        };
        let clients = self.clients(load) + self.notes(load);
        at_nodes + deadlines + queued + sent + answers + sorters + at_servers + clients
    }

    /// Share of the nodes that hear a heartbeat.
    pub(super) fn heard_by(&self) -> f64 {
        match self.setup.heartbeat.fanout {
            Fanout::All => 1.0,
            Fanout::Random(k) | Fanout::Home(k) => (f64::from(k) / self.nodes).min(1.0),
        }
    }

    /// How long a heartbeat waits at the node and on its way [ns].
    fn heartbeat_delay_ns(&self) -> f64 {
        self.scenario.network.server_node.mean_ns() + self.setup.ticks.quantum_ns as f64
    }

    /// Heartbeats of servers on their way at once, each counted once.
    pub(super) fn heartbeats_on_way(&self) -> f64 {
        let on_way = self.heartbeat_delay_ns() / self.setup.heartbeat.interval_ns as f64;
        self.servers * if self.at_once() >= 1.0 { on_way.max(1.0) } else { on_way }
    }

    fn messages(&self) -> f64 {
        let setup = &self.setup;
        let delay_ns = self.heartbeat_delay_ns();
        let reports = self.heartbeats_on_way();
        let quanta = delay_ns / setup.ticks.quantum_ns as f64 + 1.0;
        let mut bytes = if heartbeat::is_broadcast(setup) && setup.plan.reports.is_empty() {
            Wheel::<Report>::bytes(64, quanta, peak(reports))
        } else {
            let heard_by = self.heard_by();
            let sent_now = self.servers * self.at_once() * heard_by;
            let list = 2.0 * sent_now * size_of::<(u64, Report)>() as f64;
            self.nodes * (Wheel::<Report>::bytes(64, quanta, peak(reports * heard_by)) + list)
        };
        if let Some(gossip) = &setup.gossip {
            let delay_ns =
                self.scenario.network.node_node.mean_ns() + setup.ticks.quantum_ns as f64;
            // An exchange is up to three messages, one after the other.
            let a_node = f64::from(gossip.fanout) * 3.0 * delay_ns / gossip.interval_ns as f64;
            let under_way = peak(self.nodes * a_node);
            let payload = match gossip.payload {
                GossipPayload::Full => self.servers * size_of::<Report>() as f64 * 2.0,
                GossipPayload::Delta => {
                    f64::from(gossip.mtu_bytes).min(self.servers * size_of::<Report>() as f64) * 2.0
                }
            };
            bytes += under_way * (payload + 300.0);
        }
        bytes
    }

    fn membership(&self) -> f64 {
        let mut pair = 0.0;
        if self.setup.gossip.is_some() {
            pair += Sharing::PEER_BYTES as f64;
        }
        if self.setup.membership.is_some() {
            // When all start at once, whole lists are on their way to all.
            pair += (Membership::MEMBER_BYTES + size_of::<Claim>()) as f64;
        }
        self.nodes * self.nodes * pair
    }

    fn series(&self) -> f64 {
        let bins = self.scenario.duration_ns / self.scenario.engine.sample_interval_ns.max(1) + 1;
        // A list that doubles holds its old self for a moment.
        1.5 * bins as f64 * size_of::<Bin>() as f64
    }

    fn result(&self) -> f64 {
        self.servers * size_of::<ServerResult>() as f64
            + self.nodes * size_of::<NodeResult>() as f64
    }

    fn engine(&self) -> f64 {
        FIXED_BYTES + self.nodes * NODE_BYTES
    }
}
