//! Metrics: what is looked at on quantum boundaries: who was picked most in a heartbeat interval,
//! and the samples of the time series.
//!
//! All sums are integers, so the order of owners changes nothing. Samples of views are bounded in
//! number: they cost the same whatever the size of the fleet.

mod agreement;
mod consistency;

use bevy_ecs::prelude::Resource;

use crate::clock::Clock;
use crate::cluster::Cluster;
use crate::ids::ServerId;
use crate::latency_table::LatencyTable;
use crate::meters::{Lanes, NodeMeters, RecentTable};
use crate::result::{Bin, Counts};
use crate::roster::Roster;
use crate::server::Servers;
use crate::setup::Setup;
use crate::time::Nanos;
use crate::view::barred::Reasons;
use crate::view::{Freshness, View};

use agreement::Agreement;
use consistency::Consistency;

/// (node, server) pairs looked at in one sample of the views, about.
const VIEW_SAMPLES: u32 = 4_096;
/// Servers looked at in one node's view, at least and at most.
const SERVERS_PER_NODE: std::ops::RangeInclusive<u32> = 16..=256;

/// What the boundaries have added up.
#[derive(Clone, Debug, Default, Resource)]
pub struct Observations {
    /// Finished intervals of the time series.
    pub series: Vec<Bin>,
    /// Totals at the end of the last finished interval.
    before: Totals,
    /// As in [`crate::result::RunResult`].
    pub view_age: LatencyTable,
    /// As in [`crate::result::RunResult`].
    pub view_error_sum: u64,
    /// As in [`crate::result::RunResult`].
    pub view_samples: u64,
    /// As in [`crate::result::RunResult`].
    pub herd_sum_ppm: u64,
    /// As in [`crate::result::RunResult`].
    pub herd_intervals: u64,
    /// How far views are apart.
    pub consistency: Consistency,
    /// Who knows who is there.
    pub agreement: Agreement,
    /// Largest share of one server in the picks of a heartbeat interval since the last sample
    /// [millionths].
    herd_max_ppm: u64,
}

#[derive(Clone, Copy, Debug, Default)]
struct Totals {
    counts: Counts,
    dispatched: u64,
    latency_sum_ns: u128,
    reports: u64,
    notes: u64,
    peer_messages: u64,
    peer_bytes: u64,
}

impl Observations {
    /// Notes the picks of a heartbeat interval: the most at one server, and all.
    pub fn note_picks(&mut self, setup: &Setup, at_ns: Nanos, most: u32, total: u64) {
        if total == 0 {
            return;
        }
        let share_ppm = u64::from(most) * 1_000_000 / total;
        self.herd_max_ppm = self.herd_max_ppm.max(share_ppm);
        if at_ns > setup.window_start_ns && at_ns <= setup.window_end_ns {
            self.herd_sum_ppm += share_ppm;
            self.herd_intervals += 1;
        }
    }

    /// Closes an interval of the time series with what was counted since the last one.
    pub fn close_bin<'a>(
        &mut self,
        mut sample: Bin,
        meters: impl Iterator<Item = &'a NodeMeters>,
        recent: &mut RecentTable,
    ) {
        let mut totals = Totals::default();
        for node in meters {
            node.counts.iter().for_each(|counts| totals.counts.add(counts));
            totals.dispatched += node.dispatched;
            totals.latency_sum_ns += node.latency_sum_ns.iter().sum::<u128>();
            totals.reports += node.reports;
            totals.notes += node.probes + node.notes;
            totals.peer_messages += node.peer_messages;
            totals.peer_bytes += node.peer_bytes;
        }
        sample.counts = totals.counts.since(&self.before.counts);
        sample.dispatched = totals.dispatched - self.before.dispatched;
        sample.latency_sum_ns = totals.latency_sum_ns - self.before.latency_sum_ns;
        sample.reports = totals.reports - self.before.reports;
        sample.notes = totals.notes - self.before.notes;
        sample.peer_messages = totals.peer_messages - self.before.peer_messages;
        sample.peer_bytes = totals.peer_bytes - self.before.peer_bytes;
        sample.latency_p99_ns = recent.take_quantile_ns(0.99);
        sample.herd_max_ppm = std::mem::take(&mut self.herd_max_ppm);
        self.before = totals;
        self.series.push(sample);
    }

    /// Looks who knows by now what nodes have come and gone; `takes(observer, node)` is whether one
    /// takes another for live.
    pub fn look_at_members(
        &mut self,
        setup: &Setup,
        quantum: u64,
        roster: &mut Roster,
        takes: impl Fn(u32, u32) -> bool,
    ) {
        let news = roster.take_news();
        if setup.membership.is_none() {
            return;
        }
        for news in news {
            self.agreement.expect(news);
        }
        if self.agreement.is_pending() {
            self.agreement.look(setup, quantum, roster, takes);
        }
    }

    /// Samples views against the truth: `loads[i]` is the load of server `offset + i * stride`.
    pub fn sample_views<'a>(
        &mut self,
        setup: &Setup,
        quantum: u64,
        views: impl Iterator<Item = &'a View> + Clone,
        plan: &SamplePlan,
        loads: &[u32],
        bin: &mut Bin,
    ) {
        let now_ns = quantum * setup.ticks.quantum_ns;
        let in_window = now_ns >= setup.window_start_ns && now_ns <= setup.window_end_ns;
        let oldest_live = Freshness::on_boundary(setup, quantum).oldest_live(now_ns);
        self.consistency.compare(views.clone(), plan, in_window, bin);
        for view in views.step_by(plan.node_stride as usize) {
            for (server, &load) in plan.servers().zip(loads) {
                let server = ServerId(server);
                if view.reasons(server).has(Reasons::UNKNOWN) {
                    continue;
                }
                let belief = &view.beliefs[server];
                // The stamp of a server whose clock is fast lies ahead of the present.
                let sent_ns = u64::from(view.stamp(server)).saturating_mul(setup.ticks.quantum_ns);
                let age_ns = now_ns.saturating_sub(sent_ns);
                let error = u64::from(view.load(belief).abs_diff(load));
                bin.view_age_sum_ns += u128::from(age_ns);
                bin.view_error_sum += error;
                bin.view_available += u64::from(belief.sent_quantum >= oldest_live);
                bin.view_samples += 1;
                if in_window {
                    self.view_age.record(age_ns);
                    self.view_error_sum += error;
                    self.view_samples += 1;
                }
            }
        }
    }
}

/// Which beliefs are looked at in one sample: every `stride`-th server from a start that moves on
/// from sample to sample, at every `node_stride`-th node.
#[derive(Clone, Copy, Debug)]
pub struct SamplePlan {
    first: u32,
    stride: u32,
    node_stride: u32,
    total: u32,
}

impl SamplePlan {
    /// The plan of the sample at the boundary `quantum`.
    pub fn new(setup: &Setup, quantum: u64) -> Self {
        let per_node =
            (VIEW_SAMPLES / setup.nodes).clamp(*SERVERS_PER_NODE.start(), *SERVERS_PER_NODE.end());
        let stride = setup.servers.div_ceil(per_node);
        let nodes = VIEW_SAMPLES / per_node;
        Self {
            first: ((quantum / setup.sample_quanta) % u64::from(stride)) as u32,
            stride,
            node_stride: setup.nodes.div_ceil(nodes),
            total: setup.servers,
        }
    }

    /// The servers looked at.
    pub fn servers(&self) -> impl Iterator<Item = u32> + use<> {
        (self.first..self.total).step_by(self.stride as usize)
    }
}

/// What is looked at: the shards, and the nodes in slices of equal length.
pub struct Scene<'a> {
    /// Who is there.
    pub roster: &'a mut Roster,
    /// The truth about servers.
    pub servers: &'a mut [Servers],
    /// Beliefs about servers.
    pub views: &'a [View],
    /// Beliefs about nodes.
    pub clusters: &'a [Cluster],
    /// Counts.
    pub meters: &'a [NodeMeters],
}

/// Looks at everything that is due, when the present tick starts on a boundary.
pub fn run(
    setup: &Setup,
    clock: &mut Clock,
    observations: &mut Observations,
    scene: Scene<'_>,
    lanes: &mut Lanes,
) {
    let Scene { roster, servers, views, clusters, meters } = scene;
    let Some(quantum) = clock.boundary else { return };
    let now_ns = clock.now_ns(setup);
    if now_ns == setup.window_start_ns || now_ns == setup.window_end_ns {
        servers.iter_mut().for_each(Servers::mark_window_edge);
    }
    if quantum == clock.next_herd {
        clock.next_herd += setup.herd_quanta;
        let picks = servers.iter_mut().map(Servers::take_picks);
        let (most, total) = picks.fold((0, 0), |(most, sum), (m, n)| (m.max(most), sum + n));
        observations.note_picks(setup, now_ns, most, total);
    }
    observations.look_at_members(setup, quantum, roster, |observer, node| {
        clusters[observer as usize].takes_for_live(node)
    });
    let held = |node: usize, server: u32| {
        views[node].held(ServerId(server)).filter(|_| roster.is_running(node as u32))
    };
    if observations.consistency.is_watching() {
        let newest = |server: u32| {
            let shard = &servers[servers.partition_point(|shard| shard.first <= server) - 1];
            shard.newest_version(server - shard.first)
        };
        observations.consistency.look(setup, quantum, newest, held);
    }
    if quantum == clock.next_sample {
        clock.next_sample += setup.sample_quanta;
        if now_ns <= setup.window_end_ns {
            let mut bin = Bin::default();
            sample_members(setup, roster, clusters.iter(), &mut bin);
            let beliefs = (&*roster, views);
            sample(setup, quantum, observations, servers, beliefs, &mut bin);
            if let Some((first, others)) = lanes.lanes.split_first_mut() {
                for lane in others {
                    first.recent.take(&mut lane.recent);
                }
                observations.close_bin(bin, meters.iter(), &mut first.recent);
            }
            if now_ns >= setup.window_start_ns {
                observations.consistency.watch(setup, quantum, held);
            }
        }
    }
}

/// Looks at who knows whom, at the end of an interval of the time series.
pub fn sample_members<'a>(
    setup: &Setup,
    roster: &Roster,
    clusters: impl Iterator<Item = &'a Cluster>,
    bin: &mut Bin,
) {
    let up = (0..).zip(clusters).filter(|&(node, _)| roster.is_up(node));
    let known = up.map(|(_, cluster)| {
        cluster.peers().map_or(u64::from(setup.nodes), |peers| peers.len() as u64 + 1)
    });
    let mut fewest = None;
    for known in known {
        bin.nodes_up += 1;
        bin.members_known += known;
        fewest = Some(fewest.map_or(known, |fewest: u64| fewest.min(known)));
    }
    bin.members_known_min = fewest.unwrap_or(0);
}

fn sample(
    setup: &Setup,
    quantum: u64,
    observations: &mut Observations,
    servers: &mut [Servers],
    (roster, views): (&Roster, &[View]),
    bin: &mut Bin,
) {
    let now_ns = quantum * setup.ticks.quantum_ns;
    let plan = SamplePlan::new(setup, quantum);
    let mut loads = Vec::new();
    let mut wanted = plan.servers().peekable();
    for shard in servers {
        for index in 0..shard.len {
            let (active, waiting) = shard.load(setup, index, now_ns);
            bin.active += u64::from(active);
            bin.waiting += u64::from(waiting);
            if wanted.next_if_eq(&(shard.first + index)).is_some() {
                loads.push(active + waiting);
            }
        }
    }
    let running = (0..).zip(views).filter(|&(node, _)| roster.is_running(node));
    let running = running.map(|(_, view)| view);
    observations.sample_views(setup, quantum, running, &plan, &loads, bin);
}
