//! Many ticks in one system: the columns of all owners at once, and the phases as methods.

use bevy_ecs::prelude::*;

use crate::clock::{Agenda, Clock};
use crate::cluster::Cluster;
use crate::completion::Arrivals;
use crate::exchange::Sharing;
use crate::faults::FaultCursor;
use crate::gossip::Mail;
use crate::heartbeat::Heartbeats;
use crate::ids::NodeId;
use crate::judge::Judge;
use crate::meters::{Lanes, NodeMeters};
use crate::metrics::{Observations, Scene};
use crate::network::{Dispatches, Reports, Responses};
use crate::node_faults::FragileColumns;
use crate::oracle::Oracle;
use crate::owners::NodeColumns;
use crate::peer_network::{PeerMail, PeerOut};
use crate::peers::PeerColumns;
use crate::policy::SelectionIndex;
use crate::request::InFlight;
use crate::roster::Roster;
use crate::selection::NodeStreams;
use crate::server::Servers;
use crate::setup::Setup;
use crate::trace_feed::TraceFeed;
use crate::traffic::Traffic;
use crate::truth::Truth;
use crate::view::View;

/// Everything a tick works on, as slices.
pub struct Run<'a> {
    setup: &'a Setup,
    clock: &'a mut Clock,
    cursor: &'a mut FaultCursor,
    roster: &'a mut Roster,
    trace: &'a mut TraceFeed,
    lanes: &'a mut Lanes,
    observations: &'a mut Observations,
    oracle: &'a mut Oracle,
    truth: &'a mut Truth,
    servers: &'a mut [Servers],
    arrivals: &'a mut [Arrivals],
    responses: &'a mut [Responses],
    heartbeats: &'a mut [Heartbeats],
    reports: &'a mut [Reports],
    views: &'a mut [View],
    indexes: &'a mut [SelectionIndex],
    in_flight: &'a mut [InFlight],
    traffic: &'a mut [Traffic],
    dispatches: &'a mut [Dispatches],
    streams: &'a mut [NodeStreams],
    meters: &'a mut [NodeMeters],
    mails: &'a mut [Mail],
    peer_mails: &'a mut [PeerMail],
    peer_outs: &'a mut [PeerOut],
    clusters: &'a mut [Cluster],
    sharings: &'a mut [Sharing],
    judges: &'a mut [Judge],
}

impl Run<'_> {
    /// As the system of this name.
    pub fn open_tick(&mut self) {
        self.clock.open(self.setup, self.traffic, self.trace);
    }

    /// As the system of this name.
    pub fn faults(&mut self) {
        let Self { setup, clock, cursor, servers, responses, .. } = self;
        crate::faults::open_tick(setup, clock, cursor, servers, responses);
    }

    /// As the system of this name.
    pub fn node_faults(&mut self) {
        let columns = FragileColumns {
            views: self.views,
            indexes: self.indexes,
            in_flight: self.in_flight,
            traffic: self.traffic,
            clusters: self.clusters,
            sharings: self.sharings,
            meters: self.meters,
            judges: self.judges,
        };
        let Self { setup, clock, roster, streams, .. } = self;
        crate::node_faults::run(setup, clock, roster, columns, |node| {
            SelectionIndex::new(setup, NodeId(node as u32), &mut streams[node].policy)
        });
    }

    /// As the system of this name.
    pub fn heartbeat(&mut self) {
        let Self { setup, clock, servers, heartbeats, reports, responses, .. } = self;
        crate::heartbeat::run(setup, clock, servers, heartbeats, reports, responses);
    }

    /// As the system of this name.
    pub fn gossip(&mut self) {
        let Self { setup, clock, roster, views, indexes, mails, sharings, meters, reports, .. } =
            self;
        crate::gossip::run(setup, clock, roster, views, indexes, mails, sharings, meters, reports);
    }

    /// As the system of this name.
    pub fn peers(&mut self) {
        let columns = PeerColumns {
            views: self.views,
            indexes: self.indexes,
            clusters: self.clusters,
            sharings: self.sharings,
            mails: self.peer_mails,
            outboxes: self.peer_outs,
            meters: self.meters,
        };
        crate::peers::run(self.setup, self.clock, self.roster, columns);
    }

    /// As the system of this name.
    pub fn oracle(&mut self) {
        let Self { setup, clock, oracle, servers, views, indexes, .. } = self;
        crate::oracle::run(setup, clock, oracle, servers, views, indexes);
    }

    /// As the system of this name.
    pub fn detection(&mut self) {
        let Self { setup, clock, truth, judges, views, indexes, sharings, .. } = self;
        crate::detection::run(setup, clock, truth, judges, views, indexes, sharings);
    }

    /// As the system of this name.
    pub fn metrics(&mut self) {
        let scene = Scene {
            roster: self.roster,
            servers: self.servers,
            views: self.views,
            clusters: self.clusters,
            meters: self.meters,
        };
        crate::metrics::run(self.setup, self.clock, self.observations, scene, self.lanes);
    }

    /// As the system of this name.
    pub fn completion(&mut self) {
        let Self { setup, clock, servers, arrivals, responses, dispatches, .. } = self;
        crate::completion::run(setup, clock, servers, arrivals, responses, dispatches);
    }

    /// As the system of this name.
    pub fn failover(&mut self) {
        let Self { setup, clock, roster, traffic, meters, lanes, .. } = self;
        crate::failover::run(setup, clock, roster, traffic, meters, &mut lanes.lanes);
    }

    /// As the system of this name.
    pub fn selection(&mut self) {
        let columns = NodeColumns {
            views: self.views,
            indexes: self.indexes,
            in_flight: self.in_flight,
            traffic: self.traffic,
            dispatches: self.dispatches,
            streams: self.streams,
            meters: self.meters,
            judges: self.judges,
        };
        let Self { setup, clock, lanes, responses, .. } = self;
        crate::selection::run(setup, clock, columns, &mut lanes.lanes, responses);
    }

    /// As the system of this name.
    pub fn close_tick(&mut self) {
        let mut agenda = Agenda {
            servers: self.servers,
            responses: self.responses,
            heartbeats: self.heartbeats,
            reports: self.reports,
            in_flight: self.in_flight,
            traffic: self.traffic,
            mails: self.mails,
            peer_mails: self.peer_mails,
            clusters: self.clusters,
            sharings: self.sharings,
            judges: self.judges,
            dispatches: self.dispatches,
        };
        let Self { setup, clock, lanes, cursor, roster, trace, .. } = self;
        clock.close(setup, &mut lanes.lanes, cursor, roster, trace, &mut agenda);
    }
}

/// The resources of a run.
type Resources<'w> = (
    Res<'w, Setup>,
    ResMut<'w, Clock>,
    ResMut<'w, FaultCursor>,
    ResMut<'w, Roster>,
    ResMut<'w, TraceFeed>,
    ResMut<'w, Lanes>,
    ResMut<'w, Observations>,
    ResMut<'w, Oracle>,
    ResMut<'w, Truth>,
);

/// The columns of the shards.
type Shards = (
    &'static mut Servers,
    &'static mut Arrivals,
    &'static mut Responses,
    &'static mut Heartbeats,
    &'static mut Reports,
);

/// The columns of the nodes.
type Nodes = (
    &'static mut View,
    &'static mut SelectionIndex,
    &'static mut InFlight,
    &'static mut Traffic,
    &'static mut Dispatches,
    &'static mut NodeStreams,
    &'static mut NodeMeters,
    &'static mut Mail,
    &'static mut PeerMail,
    &'static mut PeerOut,
    &'static mut Sharing,
    &'static mut Cluster,
    &'static mut Judge,
);

/// Runs ticks until the burst is used up or the run is over.
pub fn burst(resources: Resources, mut shards: Query<Shards>, mut nodes: Query<Nodes>) {
    let (
        setup,
        mut clock,
        mut cursor,
        mut roster,
        mut trace,
        mut lanes,
        mut observations,
        mut oracle,
        mut truth,
    ) = resources;
    columns!(shards => servers, arrivals, responses, heartbeats, reports);
    columns!(nodes =>
        views, indexes, in_flight, traffic, dispatches, streams, meters, mails,
        peer_mails, peer_outs, sharings, clusters, judges);
    let mut run = Run {
        setup: &setup,
        clock: &mut clock,
        cursor: &mut cursor,
        roster: &mut roster,
        trace: &mut trace,
        lanes: &mut lanes,
        observations: &mut observations,
        oracle: &mut oracle,
        truth: &mut truth,
        servers,
        arrivals,
        responses,
        heartbeats,
        reports,
        views,
        indexes,
        in_flight,
        traffic,
        dispatches,
        streams,
        meters,
        mails,
        peer_mails,
        peer_outs,
        clusters,
        sharings,
        judges,
    };
    while run.clock.burst_left > 0 && !run.clock.finished {
        crate::simulation::tick(&mut run);
    }
}
