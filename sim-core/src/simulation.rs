//! **Read this first.** The whole simulation: how a run is set up, what happens in a tick and in
//! what order, and how it ends.
//!
//! Time goes in ticks no longer than the smallest one-way delay. Whatever is sent in one tick
//! arrives in a later one, so inside a tick every server and every node is on its own and needs no
//! global event queue; each works through its own events in exact time order.
//!
//! ```text
//!            on a quantum boundary                          in every tick
//!  ┌────────┐ ┌───────────┐ ┌────────┐ ┌───────┐ ┌───────────┐ ┌─────────┐   ┌────────────┐ ┌───────────┐
//!  │ faults │→│ heartbeat │→│ gossip │→│ peers │→│ detection │→│ metrics │ → │ completion │→│ selection │
//!  └────────┘ └───────────┘ └────────┘ └───────┘ └───────────┘ └─────────┘   └────────────┘ └───────────┘
//!   servers    servers →     reports →   nodes →   nodes judge   everything,   dispatches →   responses,
//!   change     reports       views       nodes     servers       read only     responses      arrivals →
//!                                                                                             dispatches
//! ```
//!
//! In control runs an `oracle` shows the views the truth before nodes judge.
//!
//! State lives in a bevy world: an entity is a *shard* (a range of servers) or a *node*, and its
//! components are columns. A large fleet on several threads runs a schedule of one system a phase,
//! parallel inside; a small one, or one on a single thread, runs many ticks in one system: calling
//! a system a phase would cost more than it gives.
//! Both call the same phases in the same order, and tests hold them to the same bytes.

use bevy_ecs::prelude::*;
use bevy_ecs::schedule::{LogLevel, ScheduleBuildSettings};

use crate::clients::Clients;
use crate::clock::{Clock, Split};
use crate::cluster::Cluster;
use crate::completion::Arrivals;
use crate::config::Scenario;
use crate::exchange::Sharing;
use crate::faults::FaultCursor;
use crate::gossip::Mail;
use crate::heartbeat::{self, Heartbeats};
use crate::ids::NodeId;
use crate::judge::Judge;
use crate::meters::{Lane, Lanes, NodeMeters};
use crate::metrics::Observations;
use crate::network::{Dispatches, Reports, Responses};
use crate::oracle::Oracle;
use crate::outcome;
use crate::owners::Visit;
use crate::peer_network::{PeerMail, PeerOut};
use crate::policy::SelectionIndex;
use crate::request::InFlight;
use crate::result::RunResult;
use crate::roster::Roster;
use crate::selection::NodeStreams;
use crate::server::{KernelKind, Servers};
use crate::setup::Setup;
use crate::systems;
use crate::time::Nanos;
use crate::trace_feed::TraceFeed;
use crate::traffic::Traffic;
use crate::truth::Truth;
use crate::view::View;
use crate::wheel::Wheel;
use crate::workload::TraceSource;

/// How to run: nothing in here changes a result.
#[derive(Default)]
pub struct Options {
    /// Tasks a phase may be split into; they run in the rayon pool this is called from. 0 is 1.
    pub threads: usize,
    /// Shards the servers are split into; default: one a thread.
    pub shards: Option<u32>,
    /// Server kernel; default: `Fifo` when the scenario permits it.
    pub kernel: Option<KernelKind>,
    /// Order in which owners are visited.
    pub visit: Visit,
    /// One system a phase, or many ticks in one system; default: by the size of a tick.
    pub dispatch: Option<PhaseDispatch>,
    /// Split phases over threads however little work they hold.
    pub always_parallel: bool,
    /// The recorded arrivals, for a scenario that asks for a trace.
    pub trace: Option<Box<dyn TraceSource>>,
}

/// How the phases of a tick are called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PhaseDispatch {
    /// A schedule with one system a phase, run once a tick.
    Schedule,
    /// One system that runs many ticks.
    Burst,
}

/// Why a run could not be finished.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RunError {
    /// The trace could not be read on.
    #[error("cannot read the trace: {0}")]
    Trace(String),
    /// The scenario asks for a trace and none was given.
    #[error("the scenario's arrivals are a trace, and no trace was given")]
    NoTrace,
}

/// One run of one policy.
pub struct Simulation {
    world: World,
    schedule: Schedule,
    burst: Schedule,
    dispatch: PhaseDispatch,
    policy: usize,
}

/// Ticks run in one call of the burst system.
const BURST_TICKS: u32 = 128;
/// With fewer expected arrivals a tick than this, calling a system a phase would be felt; on one
/// thread it buys nothing at any size.
const BURST_ARRIVALS: f64 = 64.0;

/// Runs `policy` of a checked scenario in `replication`; `progress` hears of the simulated time.
///
/// # Errors
/// When a trace cannot be read.
pub fn simulate(
    scenario: &Scenario,
    policy: usize,
    replication: u32,
    options: Options,
    progress: &dyn Fn(Nanos),
) -> Result<RunResult, RunError> {
    let mut simulation = Simulation::new(scenario, policy, replication, options)?;
    while simulation.advance()? {
        progress(simulation.now_ns());
    }
    Ok(simulation.finish())
}

impl Simulation {
    /// Sets up a run. The scenario has been checked.
    ///
    /// # Errors
    /// When the scenario needs a trace and `options` has none, or it cannot be read.
    pub fn new(
        scenario: &Scenario,
        policy: usize,
        replication: u32,
        options: Options,
    ) -> Result<Self, RunError> {
        assert!(!scenario.warmup_auto, "the warm-up is found before a scenario is run");
        let mut setup = Setup::new(scenario, policy, replication);
        setup.places = heartbeat::places(&setup);
        let threads = options.threads.max(1);
        let kernel = options.kernel.unwrap_or(if setup.needs_events() {
            KernelKind::Event
        } else {
            KernelKind::Fifo
        });
        let shards = options.shards.unwrap_or(threads as u32).clamp(1, setup.servers);
        let shard_size = setup.servers.div_ceil(shards);
        let arrivals_a_tick = scenario.arrivals_per_s() * crate::time::seconds(setup.ticks.tick_ns);
        let few = arrivals_a_tick < BURST_ARRIVALS;
        let dispatch = options.dispatch.unwrap_or(if few || threads == 1 {
            PhaseDispatch::Burst
        } else {
            PhaseDispatch::Schedule
        });

        let mut world = World::new();
        let horizon = reply_horizon_ticks(&setup, scenario);
        let dispatch_horizon = dispatch_horizon_ticks(&setup, scenario);
        let starts: Vec<u32> = (0..setup.servers).step_by(shard_size as usize).collect();
        for &first in &starts {
            let len = shard_size.min(setup.servers - first);
            let mut responses = Responses::new(setup.nodes, horizon);
            if setup.has_active_clients() {
                responses = responses.with_services(horizon);
            }
            if setup.needs.messages() {
                responses = responses.with_notes(horizon);
            }
            world.spawn((
                Servers::new(&setup, first, len, kernel),
                Arrivals::default(),
                responses,
                Heartbeats::new(&setup, first, len),
                Reports {
                    broadcast: Wheel::new(64),
                    read_quantum: 0,
                    by_node: vec![Vec::new(); setup.nodes as usize],
                },
            ));
        }
        let roster = Roster::new(&setup);
        for node in (0..setup.nodes).map(NodeId) {
            let mut streams = NodeStreams::new(&setup, node);
            let mut sharing = Sharing::new(&setup, node);
            if !roster.is_up(node.0) {
                sharing.pause();
            }
            let cluster = Cluster::new(&setup, node, &roster);
            let mut traffic = Traffic::new(&setup, &scenario.workload.arrivals, node);
            traffic.clients = Clients::new(&setup, node, roster.is_up(node.0)).map(Box::new);
            let mut judge = Judge::new(&setup, node);
            judge.rules.is_running = roster.is_running(node.0);
            let mut view = View::new(&setup, setup.policy.corrects_own_sends());
            judge.rules.narrow(&setup, 0, &mut view);
            world.spawn((
                view,
                SelectionIndex::new(&setup, node, &mut streams.policy),
                InFlight::new(&setup),
                traffic,
                Dispatches {
                    by_shard: vec![Wheel::new(dispatch_horizon); starts.len()],
                    shard_size,
                },
                streams,
                NodeMeters::default(),
                Mail::new(&setup),
                PeerMail::default(),
                PeerOut::new(&setup, node),
                sharing,
                cluster,
                judge,
            ));
        }
        let trace = TraceFeed::new(&scenario.workload.arrivals, options.trace)?;
        let split = match (options.always_parallel, threads) {
            (true, _) => Split::Always,
            (false, 1) => Split::Never,
            (false, _) => Split::BusyTicks,
        };
        world.insert_resource(Clock::new(&setup, options.visit, split));
        let lanes = threads.min(setup.nodes as usize);
        world.insert_resource(Lanes { lanes: (0..lanes).map(|_| Lane::default()).collect() });
        world.insert_resource(trace);
        world.insert_resource(FaultCursor::default());
        world.insert_resource(roster);
        world.insert_resource(Observations::default());
        world.insert_resource(Oracle::default());
        world.insert_resource(Truth::new(&setup));
        world.insert_resource(setup);
        Ok(Self { world, schedule: phases(), burst: burst(), dispatch, policy })
    }

    /// Runs on a little; false once the run is over.
    ///
    /// # Errors
    /// When a trace cannot be read on.
    pub fn advance(&mut self) -> Result<bool, RunError> {
        match self.dispatch {
            PhaseDispatch::Schedule => self.schedule.run(&mut self.world),
            PhaseDispatch::Burst => {
                self.world.resource_mut::<Clock>().burst_left = BURST_TICKS;
                self.burst.run(&mut self.world);
            }
        }
        if let Some(error) = self.world.resource_mut::<TraceFeed>().take_error() {
            return Err(error);
        }
        Ok(!self.world.resource::<Clock>().finished)
    }

    /// Simulated time [ns].
    pub fn now_ns(&self) -> Nanos {
        self.world.resource::<Clock>().now_ns(self.world.resource::<Setup>())
    }

    /// Bit `t` is set when worker thread `t` of the pool has done work.
    pub fn threads_seen(&self) -> u64 {
        self.world.resource::<Lanes>().lanes.iter().fold(0, |seen, lane| seen | lane.threads_seen)
    }

    /// Collects what the run leaves behind. Asserts conservation of requests and attempts.
    pub fn finish(mut self) -> RunResult {
        outcome::collect(&mut self.world, self.policy)
    }
}

/// Ticks within which nearly every attempt arrives.
pub(crate) fn dispatch_horizon_ticks(setup: &Setup, scenario: &Scenario) -> u64 {
    setup.ticks.tick_of(2 * scenario.network.node_server.mean_ns() as Nanos)
}

/// Ticks within which nearly every response comes back: several services and the way there.
pub(crate) fn reply_horizon_ticks(setup: &Setup, scenario: &Scenario) -> u64 {
    let slowest = scenario.servers.iter().map(|g| g.service.mean_ns() / g.speed);
    let service_ns = slowest.fold(0.0, f64::max) as u64;
    let network_ns = 2 * scenario.network.server_node.mean_ns() as Nanos;
    setup.ticks.tick_of(8 * service_ns + network_ns).min(4_096)
}

/// The phases of a tick, in order, one system each.
fn phases() -> Schedule {
    let mut schedule = Schedule::default();
    // Two systems that could conflict without an order between them are an error, not a race.
    schedule.set_build_settings(ScheduleBuildSettings {
        ambiguity_detection: LogLevel::Error,
        ..Default::default()
    });
    schedule.add_systems(
        (
            systems::open_tick,
            systems::faults,
            systems::node_faults,
            systems::heartbeat,
            systems::gossip,
            systems::peers,
            systems::oracle,
            systems::detection,
            systems::metrics,
            systems::completion,
            systems::failover,
            systems::selection,
            systems::close_tick,
        )
            .chain(),
    );
    schedule
}

/// The same phases in the same order, in one system that runs many ticks.
fn burst() -> Schedule {
    let mut schedule = Schedule::default();
    schedule.add_systems(systems::burst);
    schedule
}

/// One tick of a burst: the phases in order, as [`phases`] lists them.
pub(crate) fn tick(run: &mut systems::Run<'_>) {
    run.open_tick();
    run.faults();
    run.node_faults();
    run.heartbeat();
    run.gossip();
    run.peers();
    run.oracle();
    run.detection();
    run.metrics();
    run.completion();
    run.failover();
    run.selection();
    run.close_tick();
}
