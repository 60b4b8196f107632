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
use crate::meters::{Lanes, NodeMeters};
use crate::metrics::Observations;
use crate::network::{Dispatches, Reports, Responses};
use crate::node_faults::FragileColumns;
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
    crate::faults::open_tick(&setup, &clock, &mut cursor, servers, responses);
}

/// The columns that change when a node stops or starts, as a query.
type Fragile = (
    &'static mut View,
    &'static mut SelectionIndex,
    &'static mut InFlight,
    &'static mut NodeStreams,
    &'static mut Sharing,
    &'static mut NodeMeters,
);

/// See [`crate::node_faults`].
pub fn node_faults(
    setup: Res<Setup>,
    clock: Res<Clock>,
    mut roster: ResMut<Roster>,
    mut nodes: Query<Fragile>,
) {
    columns!(nodes => views, indexes, in_flight, streams, sharings, meters);
    let columns = FragileColumns { views, indexes, in_flight, sharings, meters };
    crate::node_faults::run(&setup, &clock, &mut roster, columns, |node| {
        SelectionIndex::new(&setup, &mut streams[node].policy)
    });
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
    clock: Res<Clock>,
    roster: Res<Roster>,
    mut nodes: Query<(&mut View, &mut SelectionIndex, &mut Mail, &mut Sharing, &mut NodeMeters)>,
    mut shards: Query<(&mut Reports,)>,
) {
    columns!(nodes => views, indexes, mails, sharings, meters);
    columns!(shards => reports);
    crate::gossip::run(&clock, &roster, views, indexes, mails, sharings, meters, reports);
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
pub fn peers(setup: Res<Setup>, clock: Res<Clock>, roster: Res<Roster>, mut nodes: Query<Talking>) {
    columns!(nodes => views, indexes, sharings, mails, outboxes, meters);
    let columns = PeerColumns { views, indexes, sharings, mails, outboxes, meters };
    crate::peers::run(&setup, &clock, &roster, columns);
}

/// See [`crate::metrics`].
pub fn metrics(
    setup: Res<Setup>,
    mut clock: ResMut<Clock>,
    mut observations: ResMut<Observations>,
    roster: Res<Roster>,
    mut lanes: ResMut<Lanes>,
    mut shards: Query<(&mut Servers,)>,
    mut nodes: Query<(&mut View, &mut NodeMeters)>,
) {
    columns!(shards => servers);
    columns!(nodes => views, meters);
    let lanes = &mut lanes;
    crate::metrics::run(
        &setup,
        &mut clock,
        &mut observations,
        &roster,
        servers,
        views,
        meters,
        lanes,
    );
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

/// See [`crate::failover`].
pub fn failover(
    setup: Res<Setup>,
    clock: Res<Clock>,
    mut roster: ResMut<Roster>,
    mut lanes: ResMut<Lanes>,
    mut nodes: Query<(&mut Traffic, &mut NodeMeters)>,
) {
    columns!(nodes => traffic, meters);
    crate::failover::run(&setup, &clock, &mut roster, traffic, meters, &mut lanes.lanes);
}

/// The columns that selection changes, as a query.
type Selecting = (
    &'static mut View,
    &'static mut SelectionIndex,
    &'static mut InFlight,
    &'static mut Traffic,
    &'static mut Dispatches,
    &'static mut NodeStreams,
    &'static mut NodeMeters,
);

/// See [`crate::selection`].
pub fn selection(
    setup: Res<Setup>,
    clock: Res<Clock>,
    mut lanes: ResMut<Lanes>,
    mut nodes: Query<Selecting>,
    mut shards: Query<(&mut Responses,)>,
) {
    columns!(nodes => views, indexes, in_flight, traffic, dispatches, streams, meters);
    columns!(shards => responses);
    let columns = NodeColumns { views, indexes, in_flight, traffic, dispatches, streams, meters };
    crate::selection::run(&setup, &clock, columns, &mut lanes.lanes, responses);
}

/// The columns of a node in which something may wait for its time, as a query.
type Waiting = (
    &'static mut InFlight,
    &'static mut Traffic,
    &'static mut Mail,
    &'static mut PeerMail,
    &'static mut Sharing,
    &'static mut Dispatches,
);

/// Closes the tick: goes on to the next busy one, or ends the run.
pub fn close_tick(
    setup: Res<Setup>,
    mut clock: ResMut<Clock>,
    mut lanes: ResMut<Lanes>,
    (cursor, roster): (Res<FaultCursor>, Res<Roster>),
    trace: Res<TraceFeed>,
    mut shards: Query<(&mut Servers, &mut Responses, &mut Heartbeats, &mut Reports)>,
    mut nodes: Query<Waiting>,
) {
    columns!(shards => servers, responses, heartbeats, reports);
    columns!(nodes => in_flight, traffic, mails, peer_mails, sharings, dispatches);
    let mut agenda = Agenda {
        servers,
        responses,
        heartbeats,
        reports,
        in_flight,
        traffic,
        mails,
        peer_mails,
        sharings,
        dispatches,
    };
    clock.close(&setup, &mut lanes.lanes, &cursor, &roster, &trace, &mut agenda);
}

/// Everything a tick works on, as slices.
pub struct Run<'a> {
    setup: &'a Setup,
    clock: &'a mut Clock,
    cursor: &'a mut FaultCursor,
    roster: &'a mut Roster,
    trace: &'a mut TraceFeed,
    lanes: &'a mut Lanes,
    observations: &'a mut Observations,
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
    sharings: &'a mut [Sharing],
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
            sharings: self.sharings,
            meters: self.meters,
        };
        let Self { setup, clock, roster, streams, .. } = self;
        crate::node_faults::run(setup, clock, roster, columns, |node| {
            SelectionIndex::new(setup, &mut streams[node].policy)
        });
    }

    /// As the system of this name.
    pub fn heartbeat(&mut self) {
        let Self { setup, clock, servers, heartbeats, reports, .. } = self;
        crate::heartbeat::run(setup, clock, servers, heartbeats, reports);
    }

    /// As the system of this name.
    pub fn gossip(&mut self) {
        let Self { clock, roster, views, indexes, mails, sharings, meters, reports, .. } = self;
        crate::gossip::run(clock, roster, views, indexes, mails, sharings, meters, reports);
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
        crate::peers::run(self.setup, self.clock, self.roster, columns);
    }

    /// As the system of this name.
    pub fn metrics(&mut self) {
        let Self { setup, clock, observations, roster, servers, views, meters, lanes, .. } = self;
        crate::metrics::run(setup, clock, observations, roster, servers, views, meters, lanes);
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
            sharings: self.sharings,
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
);

/// Runs ticks until the burst is used up or the run is over.
pub fn burst(resources: Resources, mut shards: Query<Shards>, mut nodes: Query<Nodes>) {
    let (setup, mut clock, mut cursor, mut roster, mut trace, mut lanes, mut observations) =
        resources;
    columns!(shards => servers, arrivals, responses, heartbeats, reports);
    columns!(nodes =>
        views, indexes, in_flight, traffic, dispatches, streams, meters, mails,
        peer_mails, peer_outs, sharings);
    let mut run = Run {
        setup: &setup,
        clock: &mut clock,
        cursor: &mut cursor,
        roster: &mut roster,
        trace: &mut trace,
        lanes: &mut lanes,
        observations: &mut observations,
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
        sharings,
    };
    while run.clock.burst_left > 0 && !run.clock.finished {
        crate::simulation::tick(&mut run);
    }
}
