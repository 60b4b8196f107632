//! The systems of the schedule, and the burst that runs them all in one.
//!
//! Thin on purpose: a system's signature says what its phase reads and writes, and its body hands
//! the columns to the phase. Nothing is decided here.

use bevy_ecs::prelude::*;

use crate::clock::{Agenda, Clock};
use crate::completion::Arrivals;
use crate::exchange::Sharing;
use crate::faults::FaultCursor;
use crate::gossip::Mail;
use crate::heartbeat::Heartbeats;
use crate::judge::Judge;
use crate::meters::{Lanes, NodeMeters};
use crate::metrics::Observations;
use crate::network::{Dispatches, Reports, Responses};
use crate::oracle::Oracle;
use crate::owners::NodeColumns;
use crate::peer_network::{PeerMail, PeerOut};
use crate::peers::PeerColumns;
use crate::policy::SelectionIndex;
use crate::request::InFlight;
use crate::selection::{NodeStreams, Replies};
use crate::server::Servers;
use crate::setup::Setup;
use crate::trace_feed::TraceFeed;
use crate::traffic::Traffic;
use crate::truth::Truth;
use crate::view::View;

/// Binds the columns of a query as slices, in the order of its components. There is one archetype
/// a kind of owner, so there is exactly one chunk; nobody uses change detection.
macro_rules! columns {
    ($query:ident => $($column:ident),+) => {
        let Some(($(mut $column,)+)) =
            $query.contiguous_iter_mut().ok().and_then(|mut chunks| chunks.next())
        else {
            return;
        };
        $(let $column = $column.bypass_change_detection();)+
    };
}

/// Opens the tick: works out what is special about it, reads ahead in the trace.
pub fn open_tick(
    setup: Res<Setup>,
    mut clock: ResMut<Clock>,
    mut trace: ResMut<TraceFeed>,
    mut nodes: Query<(&mut Traffic,)>,
) {
    columns!(nodes => traffic);
    clock.open(&setup, traffic, &mut trace);
}

/// See [`crate::faults`].
pub fn faults(
    setup: Res<Setup>,
    clock: Res<Clock>,
    mut cursor: ResMut<FaultCursor>,
    mut shards: Query<(&mut Servers, &mut Responses)>,
) {
    columns!(shards => servers, responses);
    crate::faults::open_tick(&setup, clock.boundary, &mut cursor, servers, responses);
}

/// See [`crate::heartbeat`].
pub fn heartbeat(
    setup: Res<Setup>,
    clock: Res<Clock>,
    mut shards: Query<(&mut Servers, &mut Heartbeats, &mut Reports)>,
) {
    columns!(shards => servers, heartbeats, reports);
    crate::heartbeat::run(&setup, &clock, servers, heartbeats, reports);
}

/// See [`crate::gossip`].
pub fn gossip(
    setup: Res<Setup>,
    clock: Res<Clock>,
    mut nodes: Query<(&mut View, &mut SelectionIndex, &mut Mail, &mut Sharing, &mut NodeMeters)>,
    mut shards: Query<(&mut Reports,)>,
) {
    columns!(nodes => views, indexes, mails, sharings, meters);
    columns!(shards => reports);
    crate::gossip::run(&setup, &clock, views, indexes, mails, sharings, meters, reports);
}

/// The columns that change when nodes talk, as a query.
type Talking = (
    &'static mut View,
    &'static mut SelectionIndex,
    &'static mut Sharing,
    &'static mut PeerMail,
    &'static mut PeerOut,
    &'static mut NodeMeters,
);

/// See [`crate::peers`].
pub fn peers(setup: Res<Setup>, clock: Res<Clock>, mut nodes: Query<Talking>) {
    columns!(nodes => views, indexes, sharings, mails, outboxes, meters);
    let columns = PeerColumns { views, indexes, sharings, mails, outboxes, meters };
    crate::peers::run(&setup, &clock, columns);
}

/// See [`crate::oracle`].
pub fn oracle(
    setup: Res<Setup>,
    clock: Res<Clock>,
    mut oracle: ResMut<Oracle>,
    mut shards: Query<(&mut Servers,)>,
    mut nodes: Query<(&mut View, &mut SelectionIndex)>,
) {
    columns!(shards => servers);
    columns!(nodes => views, indexes);
    crate::oracle::run(&setup, &clock, &mut oracle, servers, views, indexes);
}

/// See [`crate::detection`].
pub fn detection(
    setup: Res<Setup>,
    clock: Res<Clock>,
    mut truth: ResMut<Truth>,
    mut nodes: Query<(&mut Judge, &mut View, &mut SelectionIndex, &mut Sharing)>,
) {
    columns!(nodes => judges, views, indexes, sharings);
    crate::detection::run(&setup, &clock, &mut truth, judges, views, indexes, sharings);
}

/// See [`crate::metrics`].
pub fn metrics(
    setup: Res<Setup>,
    mut clock: ResMut<Clock>,
    mut observations: ResMut<Observations>,
    mut lanes: ResMut<Lanes>,
    mut shards: Query<(&mut Servers,)>,
    mut nodes: Query<(&mut View, &mut NodeMeters)>,
) {
    columns!(shards => servers);
    columns!(nodes => views, meters);
    crate::metrics::run(&setup, &mut clock, &mut observations, servers, views, meters, &mut lanes);
}

/// See [`crate::completion`].
pub fn completion(
    setup: Res<Setup>,
    clock: Res<Clock>,
    mut shards: Query<(&mut Servers, &mut Arrivals, &mut Responses)>,
    mut nodes: Query<(&mut Dispatches,)>,
) {
    columns!(shards => servers, arrivals, responses);
    columns!(nodes => dispatches);
    crate::completion::run(&setup, &clock, servers, arrivals, responses, dispatches);
}

/// The columns that selection changes, as a query.
type Selecting = (
    &'static mut View,
    &'static mut SelectionIndex,
    &'static mut InFlight,
    &'static mut Traffic,
    &'static mut Replies,
    &'static mut Dispatches,
    &'static mut NodeStreams,
    &'static mut NodeMeters,
    &'static mut Judge,
);

/// See [`crate::selection`].
pub fn selection(
    setup: Res<Setup>,
    clock: Res<Clock>,
    mut lanes: ResMut<Lanes>,
    mut nodes: Query<Selecting>,
    mut shards: Query<(&mut Responses,)>,
) {
    columns!(nodes =>
        views, indexes, in_flight, traffic, replies, dispatches, streams, meters, judges);
    columns!(shards => responses);
    let columns = NodeColumns {
        views,
        indexes,
        in_flight,
        traffic,
        replies,
        dispatches,
        streams,
        meters,
        judges,
    };
    crate::selection::run(&setup, &clock, columns, &mut lanes.lanes, responses);
}

/// The columns of a node in which something may wait for its time, as a query.
type Waiting = (
    &'static mut InFlight,
    &'static mut Traffic,
    &'static mut Replies,
    &'static mut Mail,
    &'static mut PeerMail,
    &'static mut Sharing,
    &'static mut Judge,
    &'static mut Dispatches,
);

/// Closes the tick: goes on to the next busy one, or ends the run.
pub fn close_tick(
    setup: Res<Setup>,
    mut clock: ResMut<Clock>,
    mut lanes: ResMut<Lanes>,
    cursor: Res<FaultCursor>,
    trace: Res<TraceFeed>,
    mut shards: Query<(&mut Servers, &mut Heartbeats, &mut Reports)>,
    mut nodes: Query<Waiting>,
) {
    columns!(shards => servers, heartbeats, reports);
    columns!(nodes => in_flight, traffic, replies, mails, peer_mails, sharings, judges, dispatches);
    let mut agenda = Agenda {
        servers,
        heartbeats,
        reports,
        in_flight,
        traffic,
        replies,
        mails,
        peer_mails,
        sharings,
        judges,
        dispatches,
    };
    clock.close(&setup, &mut lanes.lanes, &cursor, &trace, &mut agenda);
}

/// Everything a tick works on, as slices.
pub struct Run<'a> {
    setup: &'a Setup,
    clock: &'a mut Clock,
    cursor: &'a mut FaultCursor,
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
    replies: &'a mut [Replies],
    dispatches: &'a mut [Dispatches],
    streams: &'a mut [NodeStreams],
    meters: &'a mut [NodeMeters],
    mails: &'a mut [Mail],
    peer_mails: &'a mut [PeerMail],
    peer_outs: &'a mut [PeerOut],
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
        let boundary = self.clock.boundary;
        let Self { setup, cursor, servers, responses, .. } = self;
        crate::faults::open_tick(setup, boundary, cursor, servers, responses);
    }

    /// As the system of this name.
    pub fn heartbeat(&mut self) {
        let Self { setup, clock, servers, heartbeats, reports, .. } = self;
        crate::heartbeat::run(setup, clock, servers, heartbeats, reports);
    }

    /// As the system of this name.
    pub fn gossip(&mut self) {
        let Self { setup, clock, views, indexes, mails, sharings, meters, reports, .. } = self;
        crate::gossip::run(setup, clock, views, indexes, mails, sharings, meters, reports);
    }

    /// As the system of this name.
    pub fn peers(&mut self) {
        let columns = PeerColumns {
            views: self.views,
            indexes: self.indexes,
            sharings: self.sharings,
            mails: self.peer_mails,
            outboxes: self.peer_outs,
            meters: self.meters,
        };
        crate::peers::run(self.setup, self.clock, columns);
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
        let Self { setup, clock, observations, servers, views, meters, lanes, .. } = self;
        crate::metrics::run(setup, clock, observations, servers, views, meters, lanes);
    }

    /// As the system of this name.
    pub fn completion(&mut self) {
        let Self { setup, clock, servers, arrivals, responses, dispatches, .. } = self;
        crate::completion::run(setup, clock, servers, arrivals, responses, dispatches);
    }

    /// As the system of this name.
    pub fn selection(&mut self) {
        let columns = NodeColumns {
            views: self.views,
            indexes: self.indexes,
            in_flight: self.in_flight,
            traffic: self.traffic,
            replies: self.replies,
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
            heartbeats: self.heartbeats,
            reports: self.reports,
            in_flight: self.in_flight,
            traffic: self.traffic,
            replies: self.replies,
            mails: self.mails,
            peer_mails: self.peer_mails,
            sharings: self.sharings,
            judges: self.judges,
            dispatches: self.dispatches,
        };
        self.clock.close(self.setup, &mut self.lanes.lanes, self.cursor, self.trace, &mut agenda);
    }
}

/// The resources of a run.
type Resources<'w> = (
    Res<'w, Setup>,
    ResMut<'w, Clock>,
    ResMut<'w, FaultCursor>,
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
    &'static mut Replies,
    &'static mut Dispatches,
    &'static mut NodeStreams,
    &'static mut NodeMeters,
    &'static mut Mail,
    &'static mut PeerMail,
    &'static mut PeerOut,
    &'static mut Sharing,
    &'static mut Judge,
);

/// Runs ticks until the burst is used up or the run is over.
pub fn burst(resources: Resources, mut shards: Query<Shards>, mut nodes: Query<Nodes>) {
    let (
        setup,
        mut clock,
        mut cursor,
        mut trace,
        mut lanes,
        mut observations,
        mut oracle,
        mut truth,
    ) = resources;
    columns!(shards => servers, arrivals, responses, heartbeats, reports);
    columns!(nodes =>
        views, indexes, in_flight, traffic, replies, dispatches, streams, meters, mails,
        peer_mails, peer_outs, sharings, judges);
    let mut run = Run {
        setup: &setup,
        clock: &mut clock,
        cursor: &mut cursor,
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
        replies,
        dispatches,
        streams,
        meters,
        mails,
        peer_mails,
        peer_outs,
        sharings,
        judges,
    };
    while run.clock.burst_left > 0 && !run.clock.finished {
        crate::simulation::tick(&mut run);
    }
}
