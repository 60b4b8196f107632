//! Where a run is: the present tick, what is special about it, and when the run is over.

use bevy_ecs::prelude::Resource;

use crate::cluster::Cluster;
use crate::exchange::Sharing;
use crate::faults::FaultCursor;
use crate::gossip::Mail;
use crate::heartbeat::Heartbeats;
use crate::judge::Judge;
use crate::links::Links;
use crate::meters::Lane;
use crate::network::{Dispatches, Reports, Responses};
use crate::owners::Visit;
use crate::peer_network::PeerMail;
use crate::request::InFlight;
use crate::roster::Roster;
use crate::server::Servers;
use crate::setup::Setup;
use crate::time::Nanos;
use crate::trace_feed::TraceFeed;
use crate::traffic::Traffic;
use crate::view::Freshness;

/// See the module documentation.
#[derive(Clone, Debug, Resource)]
pub struct Clock {
    /// The present tick.
    pub tick: u64,
    /// The quantum, when this tick starts on its boundary.
    pub boundary: Option<u64>,
    /// The quantum of the next boundary, at or after the present tick, and its tick.
    next_boundary: (u64, u64),
    /// The next quantum in which a herd interval ends.
    pub next_herd: u64,
    /// The next quantum in which the time series is sampled.
    pub next_sample: u64,
    /// Which reports are too old in this tick.
    pub freshness: Freshness,
    /// Which links are cut in this tick.
    pub links: Links,
    /// Work through owners in this order.
    pub visit: Visit,
    /// Split phases over threads: there is enough work in a tick.
    pub parallel: bool,
    /// When phases may be split over threads.
    pub split: Split,
    /// Ticks the present burst may still run.
    pub burst_left: u32,
    /// The run is over; nothing may happen any more.
    pub finished: bool,
}

/// When phases are split over threads. It changes no result; tests prove it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Split {
    /// There is one thread: a phase never leaves it.
    Never,
    /// When a tick holds enough work.
    BusyTicks,
    /// However little work there is.
    Always,
}

/// Below this many events in a tick, splitting a phase costs more than it saves: a split costs
/// about 5 us, an event about 50 ns, and there are two phases.
const PARALLEL_EVENTS: u64 = 400;

/// What the clock looks at to find the next tick in which anything can happen.
pub struct Agenda<'a> {
    /// Servers with events of their own.
    pub servers: &'a [Servers],
    /// Answers on their way.
    pub responses: &'a [Responses],
    /// Heartbeats due.
    pub heartbeats: &'a [Heartbeats],
    /// Reports on their way to all nodes.
    pub reports: &'a [Reports],
    /// Requests and their deadlines.
    pub in_flight: &'a [InFlight],
    /// Arrivals.
    pub traffic: &'a [Traffic],
    /// Reports on their way to one node.
    pub mails: &'a [Mail],
    /// Messages on their way from other nodes.
    pub peer_mails: &'a [PeerMail],
    /// Membership.
    pub clusters: &'a [Cluster],
    /// Exchanges with other nodes.
    pub sharings: &'a [Sharing],
    /// What nodes have to judge.
    pub judges: &'a [Judge],
    /// Attempts on their way; moved on with the clock.
    pub dispatches: &'a mut [Dispatches],
}

impl Clock {
    /// At time 0.
    pub fn new(setup: &Setup, visit: Visit, split: Split) -> Self {
        Self {
            tick: 0,
            boundary: None,
            next_boundary: (0, 0),
            next_herd: setup.herd_quanta,
            next_sample: setup.sample_quanta,
            links: Links::default(),
            freshness: Freshness::new(&setup.ticks, 0, setup.silence_ns),
            visit,
            parallel: split == Split::Always,
            split,
            burst_left: 0,
            finished: false,
        }
    }

    /// Start of the present tick [ns].
    pub const fn now_ns(&self, setup: &Setup) -> Nanos {
        setup.ticks.start_ns(self.tick)
    }

    /// Opens the present tick. No division in here: it runs for every tick of the smallest fleet.
    pub fn open(&mut self, setup: &Setup, traffic: &mut [Traffic], trace: &mut TraceFeed) {
        let now_ns = self.now_ns(setup);
        let (quantum, tick) = self.next_boundary;
        self.boundary = (tick == self.tick).then_some(quantum);
        if tick == self.tick {
            self.freshness = Freshness::on_boundary(setup, quantum);
            self.next_boundary = (quantum + 1, tick + setup.ticks.per_quantum);
            self.links.advance(setup, quantum);
        }
        if trace.next_ns().is_some() {
            trace.feed(now_ns + setup.ticks.tick_ns, traffic);
        }
    }

    /// Closes the present tick: goes on to the next in which anything can happen, or ends the run.
    pub fn close(
        &mut self,
        setup: &Setup,
        lanes: &mut [Lane],
        cursor: &FaultCursor,
        roster: &Roster,
        trace: &TraceFeed,
        agenda: &mut Agenda<'_>,
    ) {
        let events: u64 = lanes.iter_mut().map(|lane| std::mem::take(&mut lane.events)).sum();
        self.parallel = match self.split {
            Split::Never => false,
            Split::BusyTicks => events > PARALLEL_EVENTS,
            Split::Always => true,
        };
        let mut next = self.tick + 1;
        if events == 0 {
            next = agenda.next_busy(setup, self, (*cursor, roster), trace).max(next);
            for outbox in agenda.dispatches.iter_mut() {
                outbox.by_shard.iter_mut().for_each(|wheel| wheel.advance(next));
            }
        }
        if next > self.next_boundary.1 {
            self.skip_to(setup, next);
        }
        self.tick = next;
        self.burst_left = self.burst_left.saturating_sub(1);
        let now_ns = self.now_ns(setup);
        if now_ns > setup.window_end_ns && next == self.next_boundary.1 {
            self.finished =
                now_ns >= setup.limit_ns || agenda.in_flight.iter().all(InFlight::is_empty);
        }
    }

    /// Skips the boundaries before `next`: nothing happens on them.
    fn skip_to(&mut self, setup: &Setup, next: u64) {
        let quantum = next.div_ceil(setup.ticks.per_quantum);
        self.next_boundary = (quantum, quantum * setup.ticks.per_quantum);
        self.freshness = Freshness::on_boundary(setup, quantum.saturating_sub(1));
    }
}

impl Agenda<'_> {
    /// The first tick after `tick` in which anything can happen.
    fn next_busy(
        &self,
        setup: &Setup,
        clock: &Clock,
        (cursor, roster): (FaultCursor, &Roster),
        trace: &TraceFeed,
    ) -> u64 {
        let per_quantum = setup.ticks.per_quantum;
        let quantum = clock.next_boundary.0 - 1;
        let window_end = setup.ticks.quantum_from(setup.window_end_ns);
        // From the end of the window on, every boundary may be the end of the run.
        let mut boundary =
            clock.next_herd.min(clock.next_sample).min((quantum + 1).max(window_end));
        let start = setup.ticks.quantum_from(setup.window_start_ns);
        let planned =
            (start > quantum).then_some(start).into_iter().chain(cursor.next_quantum(setup));
        let planned = planned.chain(clock.links.next_quantum(setup));
        let planned = planned.chain(roster.next_quantum(setup));
        let beats = self.heartbeats.iter().filter_map(Heartbeats::next_due);
        let reports = self.reports.iter().filter_map(|r| r.next_due(quantum));
        let mail = self.mails.iter().filter_map(Mail::next_due);
        let peer_mail = self.peer_mails.iter().filter_map(PeerMail::next_due);
        let rounds = self.sharings.iter().filter_map(|sharing| sharing.rounds.next_due());
        let judged = self.judges.iter().filter_map(|judge| judge.next_due(setup, quantum));
        // An oracle looks on every boundary, and so does who waits for a server.
        let waits = self.in_flight.iter().any(|requests| !requests.waiting.is_empty());
        let each = (waits || setup.judgement.oracle).then_some(quantum + 1);
        let due = planned
            .chain(judged)
            .chain(each)
            .chain(beats)
            .chain(reports)
            .chain(mail)
            .chain(peer_mail)
            .chain(rounds)
            .chain(self.clusters.iter().filter_map(Cluster::next_due));
        for due in due {
            boundary = boundary.min(due);
        }
        let mut next = boundary * per_quantum;
        let mut moment_ns = trace.next_ns().unwrap_or(Nanos::MAX);
        for (requests, traffic) in self.in_flight.iter().zip(self.traffic) {
            moment_ns = moment_ns.min(requests.next_deadline_ns()).min(traffic.next_ns());
            let waiting = &requests.waiting;
            moment_ns = moment_ns.min(waiting.next_end_ns()).min(waiting.opens_ns());
            moment_ns = moment_ns.min(requests.timers.next_ns()).min(traffic.next_client_ns());
        }
        if moment_ns < Nanos::MAX {
            next = next.min(setup.ticks.tick_of(moment_ns));
        }
        let served = self.servers.iter().filter_map(Servers::next_due);
        let replied = self.responses.iter().filter_map(Responses::next_due);
        let wheels = self.dispatches.iter().flat_map(|outbox| &outbox.by_shard);
        let sent = wheels.filter_map(crate::wheel::Wheel::next_due);
        served.chain(replied).chain(sent).fold(next, u64::min)
    }
}
