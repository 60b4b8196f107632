//! The systems of the schedule, and the burst that runs them all in one.
//!
//! Thin on purpose: a system's signature says what its phase reads and writes, and its body hands
//! the columns to the phase. Nothing is decided here.

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

mod burst;
pub use burst::{Run, burst};

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
    &'static mut Traffic,
    &'static mut NodeStreams,
    &'static mut Cluster,
    &'static mut Sharing,
    &'static mut NodeMeters,
    &'static mut Judge,
);

/// See [`crate::node_faults`].
pub fn node_faults(
    setup: Res<Setup>,
    clock: Res<Clock>,
    mut roster: ResMut<Roster>,
    mut nodes: Query<Fragile>,
) {
    columns!(nodes =>
        views, indexes, in_flight, traffic, streams, clusters, sharings, meters, judges);
    let columns =
        FragileColumns { views, indexes, in_flight, traffic, clusters, sharings, meters, judges };
    crate::node_faults::run(&setup, &clock, &mut roster, columns, |node| {
        SelectionIndex::new(&setup, NodeId(node as u32), &mut streams[node].policy)
    });
}

/// See [`crate::heartbeat`].
pub fn heartbeat(
    setup: Res<Setup>,
    clock: Res<Clock>,
    mut shards: Query<(&mut Servers, &mut Heartbeats, &mut Reports, &mut Responses)>,
) {
    columns!(shards => servers, heartbeats, reports, responses);
    crate::heartbeat::run(&setup, &clock, servers, heartbeats, reports, responses);
}

/// See [`crate::gossip`].
pub fn gossip(
    setup: Res<Setup>,
    clock: Res<Clock>,
    roster: Res<Roster>,
    mut nodes: Query<(&mut View, &mut SelectionIndex, &mut Mail, &mut Sharing, &mut NodeMeters)>,
    mut shards: Query<(&mut Reports,)>,
) {
    columns!(nodes => views, indexes, mails, sharings, meters);
    columns!(shards => reports);
    crate::gossip::run(&setup, &clock, &roster, views, indexes, mails, sharings, meters, reports);
}

/// The columns that change when nodes talk, as a query.
type Talking = (
    &'static mut View,
    &'static mut SelectionIndex,
    &'static mut Cluster,
    &'static mut Sharing,
    &'static mut PeerMail,
    &'static mut PeerOut,
    &'static mut NodeMeters,
);

/// See [`crate::peers`].
pub fn peers(setup: Res<Setup>, clock: Res<Clock>, roster: Res<Roster>, mut nodes: Query<Talking>) {
    columns!(nodes => views, indexes, clusters, sharings, mails, outboxes, meters);
    let columns = PeerColumns { views, indexes, clusters, sharings, mails, outboxes, meters };
    crate::peers::run(&setup, &clock, &roster, columns);
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
    mut roster: ResMut<Roster>,
    mut lanes: ResMut<Lanes>,
    mut shards: Query<(&mut Servers,)>,
    mut nodes: Query<(&mut View, &mut Cluster, &mut NodeMeters)>,
) {
    columns!(shards => servers);
    columns!(nodes => views, clusters, meters);
    let roster = &mut roster;
    let scene = Scene { roster, servers, views, clusters, meters };
    crate::metrics::run(&setup, &mut clock, &mut observations, scene, &mut lanes);
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
    columns!(nodes => views, indexes, in_flight, traffic, dispatches, streams, meters, judges);
    columns!(shards => responses);
    let columns =
        NodeColumns { views, indexes, in_flight, traffic, dispatches, streams, meters, judges };
    crate::selection::run(&setup, &clock, columns, &mut lanes.lanes, responses);
}

/// The columns of a node in which something may wait for its time, as a query.
type Waiting = (
    &'static mut InFlight,
    &'static mut Traffic,
    &'static mut Mail,
    &'static mut PeerMail,
    &'static mut Sharing,
    &'static mut Cluster,
    &'static mut Judge,
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
    columns!(nodes =>
        in_flight, traffic, mails, peer_mails, sharings, clusters, judges, dispatches);
    let mut agenda = Agenda {
        servers,
        responses,
        heartbeats,
        reports,
        in_flight,
        traffic,
        mails,
        peer_mails,
        clusters,
        sharings,
        judges,
        dispatches,
    };
    clock.close(&setup, &mut lanes.lanes, &cursor, &roster, &trace, &mut agenda);
}
