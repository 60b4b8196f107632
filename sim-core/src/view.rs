//! What one LB node believes about every server.
//!
//! Beliefs lag the truth: only a report changes them. A belief takes a quarter of a cache line, so
//! comparing two servers costs two lines whatever the fleet's size.
//!
//! Merge. Of two reports by one server the one with the larger version wins, and a sound server
//! never uses a version twice; so merging is the maximum of a total order: commutative,
//! associative, idempotent. Late and duplicated reports are no-ops.
//!
//! A server out of bounds for another reason than silence is barred: see [`barred`].

pub mod barred;
mod candidates;
pub mod inspector;
pub mod news;
mod pool;

#[cfg(test)]
pub(crate) use candidates::fixture;
pub use candidates::{BLIND_DRAWS, Candidates};

use bevy_ecs::prelude::Component;

use crate::ids::ServerId;
use crate::network::{Report, Stage};
use crate::places::ByServer;
use crate::setup::Setup;
use crate::subset::Pool;
use crate::ticks::Ticks;
use crate::time::Nanos;

use barred::{Barred, KNOWN_AT_START};
use news::News;

/// A belief about one server, from the newest report this node has merged, and what the node
/// itself has in flight there.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Belief {
    /// When that report was sent, in quanta, as the server claims; not when it arrived. [`BARRED`]
    /// while the server is out of bounds: [`View::stamp`] knows better then.
    pub sent_quantum: u32,
    /// Mean latency it stated [ns].
    pub latency_ns: f32,
    /// This node's own requests in flight to the server.
    pub own: u32,
    /// Load it stated; with own-send correction, less this node's own share of it.
    pub others: u16,
    /// Service slots it stated.
    pub capacity: u16,
}

impl Belief {
    /// Estimated load: what was reported, with `own_sends` corrected by this node's own requests.
    #[inline]
    pub const fn load(&self, own_sends: bool) -> u32 {
        self.others as u32 + if own_sends { self.own } else { 0 }
    }

    /// Below its capacity, as far as the node knows.
    #[inline]
    pub const fn has_room(&self, own_sends: bool) -> bool {
        self.load(own_sends) < self.capacity as u32
    }
}

/// One node's beliefs.
#[derive(Component, Clone, Debug)]
pub struct View {
    /// One a server.
    pub beliefs: ByServer<Belief>,
    /// The version of the report behind each belief; 0 before the first. Apart from the beliefs
    /// because a choice never looks at it.
    pub versions: ByServer<u32>,
    /// Who is out of bounds, and why.
    barred: Barred,
    /// What merges tell, and to whom nothing is new.
    news: News,
    /// The servers the node knows of; `None`: all.
    pool: Option<Pool>,
    /// How often the pool has changed.
    pool_changes: u32,
    /// Somebody has come into the pool.
    widened: bool,
    /// Correct the reported load by the change of the node's own in-flight requests since the
    /// report was merged.
    pub own_sends: bool,
}

/// Which reports are too old at a moment within one tick.
#[derive(Clone, Copy, Debug)]
pub struct Freshness {
    /// Above [`BARRED`], always.
    oldest_live: u32,
    /// After this moment [ns] reports of `oldest_live` are too old as well.
    until_ns: Nanos,
}

impl Freshness {
    /// For the tick that starts at `start_ns`.
    pub fn new(ticks: &Ticks, start_ns: Nanos, timeout_ns: Nanos) -> Self {
        let oldest_live = ticks.quantum_from(start_ns.saturating_sub(timeout_ns)).max(1);
        Self {
            oldest_live: oldest_live as u32,
            until_ns: oldest_live * ticks.quantum_ns + timeout_ns,
        }
    }

    /// For the quantum that starts on the boundary `quantum`: reports age past the timeout at most
    /// once in it.
    pub fn on_boundary(setup: &Setup, quantum: u64) -> Self {
        let oldest_live = quantum.saturating_sub(setup.timeout_quanta).max(1);
        let timeout_ns = setup.silence_ns;
        Self {
            oldest_live: oldest_live as u32,
            until_ns: oldest_live * setup.ticks.quantum_ns + timeout_ns,
        }
    }

    /// The oldest quantum whose reports still count at `at_ns`: a server heard exactly one timeout
    /// ago is available.
    #[inline]
    pub const fn oldest_live(&self, at_ns: Nanos) -> u32 {
        self.oldest_live + (at_ns > self.until_ns) as u32
    }
}

/// Views of more servers than this do not stay in the second-level cache.
pub const TOUCH_SERVERS: usize = 4_096;

impl View {
    /// Memory a server takes in a view [bytes].
    pub(crate) const SERVER_BYTES: usize = size_of::<Belief>() + size_of::<u32>();

    /// The view of a node that knows the configured fleet, all idle, as of time 0, and nothing of
    /// the servers that faults add.
    pub fn new(setup: &Setup, own_sends: bool) -> Self {
        let news = News::new(setup);
        let belief = Belief {
            sent_quantum: KNOWN_AT_START,
            latency_ns: news.prior_ns(),
            ..Belief::default()
        };
        let mut view = Self { news, ..Self::with(setup, own_sends, belief) };
        for group in &setup.groups {
            for server in (group.first..group.first + group.count).map(ServerId) {
                view.beliefs[server].capacity = group.capacity as u16;
            }
        }
        let known = if setup.judgement.discovery.configured { setup.configured } else { 0 };
        (known..setup.servers).for_each(|server| view.forget(ServerId(server)));
        view
    }

    /// The view of a node that knows nobody.
    pub fn empty(setup: &Setup, own_sends: bool) -> Self {
        let barred = Barred::all_unknown(setup.servers);
        Self { barred, ..Self::with(setup, own_sends, Belief::default()) }
    }

    /// The same belief about every server.
    fn with(setup: &Setup, own_sends: bool, belief: Belief) -> Self {
        Self {
            beliefs: ByServer::new(&setup.places, setup.servers, belief),
            versions: ByServer::new(&setup.places, setup.servers, 0),
            barred: Barred::default(),
            news: News::new(setup),
            pool: None,
            pool_changes: 0,
            widened: false,
            own_sends,
        }
    }

    /// Reads what the merge of `reports` will need, all at once: loads that do not depend on each
    /// other overlap. Only in views that are too large for the cache; says whether this one is.
    #[inline]
    pub fn touch_ahead(&self, reports: &[Report]) -> bool {
        let far_apart = self.beliefs.len() > TOUCH_SERVERS && !self.beliefs.is_by_phase();
        if far_apart {
            let touch = |sum, report: &Report| {
                let server = ServerId(report.server);
                sum ^ self.versions[server] ^ self.beliefs[server].sent_quantum
            };
            std::hint::black_box(reports.iter().fold(0, touch));
        }
        far_apart
    }

    /// Takes in reports up to the first that [`View::merge`] has to look at closely, and calls `each` for
    /// every server; returns their number.
    #[inline]
    pub fn merge_plain(
        &mut self,
        reports: &[Report],
        mut each: impl FnMut(ServerId, &Belief),
    ) -> usize {
        let floor = self.news.floor;
        let counted = if self.own_sends { u32::MAX } else { 0 };
        let versions = self.versions.parts().1;
        let (places, beliefs) = self.beliefs.parts();
        let mut is_odd = |report: &Report| {
            let place = places.of(report.server);
            let (version, belief) = (&mut versions[place], &mut beliefs[place]);
            if report.version <= *version
                || belief.sent_quantum < floor
                || report.stage != Stage::Serving
            {
                return true;
            }
            *version = report.version;
            belief.sent_quantum = report.sent_quantum;
            belief.latency_ns = report.latency_ns;
            belief.others = u32::from(report.load).saturating_sub(belief.own & counted) as u16;
            belief.capacity = report.capacity;
            each(ServerId(report.server), belief);
            false
        };
        reports.iter().position(&mut is_odd).unwrap_or(reports.len())
    }

    /// Takes in a report; false when it is not news.
    #[expect(clippy::inline_always, reason = "a call a report is felt, and there are many callers")]
    #[inline(always)]
    pub fn merge(&mut self, report: &Report) -> bool {
        let place = self.beliefs.place(ServerId(report.server));
        let version = self.versions.at(place);
        if report.version <= *version {
            return self.turn_away(report);
        }
        let version_before = std::mem::replace(version, report.version);
        let belief = self.beliefs.at(place);
        let before = *belief;
        let own = if self.own_sends { before.own } else { 0 };
        *belief = Belief {
            sent_quantum: report.sent_quantum,
            latency_ns: report.latency_ns,
            own: before.own,
            others: u32::from(report.load).saturating_sub(own) as u16,
            capacity: report.capacity,
        };
        // A stamp below the floor includes that of a barred server.
        if before.sent_quantum < self.news.floor || report.stage != Stage::Serving {
            return self.merge_closely(report, version_before, &before);
        }
        true
    }

    /// Estimated load of a server: what it reported, corrected if the view corrects.
    #[inline]
    pub fn load(&self, belief: &Belief) -> u32 {
        belief.load(self.own_sends)
    }

    /// Notes that a server turned an attempt away: it is full until it says otherwise.
    pub fn mark_full(&mut self, server: ServerId) {
        let load = self.load(&self.beliefs[server]);
        let belief = &mut self.beliefs[server];
        let missing = u32::from(belief.capacity).saturating_sub(load);
        belief.others = belief.others.saturating_add(missing as u16);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::places::Places;
    use proptest::prelude::*;

    fn view(own: u32, own_sends: bool) -> View {
        let belief = Belief { sent_quantum: KNOWN_AT_START, own, capacity: 4, ..Belief::default() };
        View {
            beliefs: ByServer::new(&Places::default(), 1, belief),
            versions: ByServer::new(&Places::default(), 1, 0),
            barred: Barred::default(),
            news: News::default(),
            pool: None,
            pool_changes: 0,
            widened: false,
            own_sends,
        }
    }

    fn report(version: u32) -> Report {
        // One server sends one report a quantum, so the version decides the payload. The stamp is
        // that of a clock that is wrong by a random amount: it must not decide which is newer.
        let bits = crate::rng::mix(u64::from(version));
        Report {
            server: 0,
            version,
            sent_quantum: 1 + (bits >> 40) as u32 % 30,
            load: (bits % 50) as u16,
            capacity: 1 + (bits >> 8) as u16 % 9,
            latency_ns: (bits >> 20) as f32,
            ..Report::default()
        }
    }

    fn merged(mut view: View, versions: &[u32]) -> (Belief, u32) {
        for &version in versions {
            view.merge(&report(version));
        }
        (view.beliefs[ServerId(0)], view.versions[ServerId(0)])
    }

    proptest! {
        /// Order, grouping and repetition of reports change nothing: merge is a semilattice.
        #[test]
        fn merge_is_commutative_associative_and_idempotent(
            versions in proptest::collection::vec(0_u32..20, 1..12),
            own in 0_u32..6,
            own_sends: bool,
            cut in 0_usize..12,
        ) {
            let forward = merged(view(own, own_sends), &versions);
            let mut backward = versions.clone();
            backward.reverse();
            prop_assert_eq!(forward, merged(view(own, own_sends), &backward));
            let mut twice = versions.clone();
            twice.extend(&versions);
            prop_assert_eq!(forward, merged(view(own, own_sends), &twice));
            let cut = cut.min(versions.len());
            let regrouped = [&versions[cut..], &versions[..cut]].concat();
            prop_assert_eq!(forward, merged(view(own, own_sends), &regrouped));
            // And it is the newest report that stays.
            let newest = *versions.iter().max().unwrap();
            let (belief, version) = forward;
            prop_assert_eq!(version, newest);
            if newest > 0 {
                prop_assert_eq!(belief.sent_quantum, report(newest).sent_quantum);
                prop_assert_eq!(belief.latency_ns.to_bits(), report(newest).latency_ns.to_bits());
            }
        }
    }

    #[test]
    fn server_heard_exactly_one_timeout_ago_is_available() {
        let ticks = Ticks::test_grid(1_000, 1_000);
        for timeout in [2_500, 3_000] {
            for start in [0, 1_000, 5_000, 6_000] {
                let freshness = Freshness::new(&ticks, start, timeout);
                for at in start..start + 1_000 {
                    let oldest = u64::from(freshness.oldest_live(at)) * 1_000;
                    assert!(oldest + timeout >= at, "timeout {timeout}, at {at}");
                    assert!(oldest == 1_000 || oldest - 1_000 + timeout < at, "at {at}");
                }
            }
        }
    }

    #[test]
    fn own_sends_are_part_of_the_estimate_until_answered() {
        let mut corrected = view(3, true);
        corrected.merge(&Report { load: 5, ..report(1) });
        assert_eq!(corrected.load(&corrected.beliefs[ServerId(0)]), 5);
        corrected.beliefs[ServerId(0)].own += 2;
        assert_eq!(corrected.load(&corrected.beliefs[ServerId(0)]), 7);
        corrected.beliefs[ServerId(0)].own = 0;
        assert_eq!(corrected.load(&corrected.beliefs[ServerId(0)]), 2);
        let mut raw = view(3, false);
        raw.merge(&Report { load: 5, ..report(1) });
        raw.beliefs[ServerId(0)].own += 2;
        assert_eq!(raw.load(&raw.beliefs[ServerId(0)]), 5);
    }

    #[test]
    fn a_server_that_refused_has_no_room_until_the_next_report() {
        for own_sends in [false, true] {
            let mut view = view(1, own_sends);
            view.mark_full(ServerId(0));
            let belief = view.beliefs[ServerId(0)];
            assert_eq!(view.load(&belief), 4);
        }
    }
}
