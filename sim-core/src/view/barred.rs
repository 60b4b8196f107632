//! Servers that a node must not use, whatever the age of their reports.
//!
//! A choice compares one number of a belief with one of the moment: `sent_quantum >= oldest_live`.
//! A server that is out of bounds for another reason than silence is *barred*: its belief's stamp
//! is [`BARRED`], below every `oldest_live`, so a choice passes it over without knowing why. The
//! true stamp and the reasons wait in a table of the few servers concerned.
//!
//! Invariants
//! 1. A belief's stamp is `BARRED` exactly when a reason binds.
//! 2. A barred server without an entry is unknown and nothing else: a node that knows nobody holds
//!    an empty table.
//! 3. An entry of a server that may be used (its reasons do not bind at present) has an old stamp;
//!    the belief has the true one.
//!
//! Reasons say nothing about the order of reports: merging takes the newer one as ever, and only the
//! stage and the stamp it states end up here. So bars keep merging commutative, associative and
//! idempotent.

use std::collections::BTreeMap;

use super::View;
use crate::ids::ServerId;
use crate::network::{Report, Stage};

/// In a belief's stamp: a choice must pass over the server. No report has this stamp.
pub const BARRED: u32 = 0;
/// The stamp of a server known from the start and never heard of: as good as a report of time 0.
pub const KNOWN_AT_START: u32 = 1;

/// A set of reasons not to use a server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reasons(u8);

impl Reasons {
    /// None.
    pub const NONE: Self = Self(0);
    /// No report of it has come yet.
    pub const UNKNOWN: Self = Self(1);
    /// It says that it takes nothing new.
    pub const DRAINING: Self = Self(2);
    /// It said that it leaves for good.
    pub const GONE: Self = Self(4);
    /// It failed its health checks.
    pub const CHECKS_FAILED: Self = Self(8);
    /// Its answers were too bad.
    pub const EJECTED: Self = Self(16);
    /// Its silence is longer than its rhythm explains.
    pub const SUSPECTED: Self = Self(32);
    /// It is down: only an oracle knows.
    pub const DOWN: Self = Self(64);
    /// The request at hand has been sent to it: for as long as one choice takes.
    pub const TRIED: Self = Self(128);

    /// Nobody is sent where he is not wanted, or to a server that may not exist.
    pub const UNUSABLE: Self = Self(1 | 2 | 4);

    /// What the newest report alone decides.
    const BY_REPORT: Self = Self(1 | 2 | 4);
    /// What a report takes away.
    const ENDED_BY_REPORT: Self = Self(1 | 2 | 4 | 32);

    /// Both sets.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// This set less the other.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// True when the sets share a reason.
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// True when there is no reason.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Why a server at this stage must not be used.
    const fn at(stage: Stage) -> Self {
        match stage {
            Stage::Serving => Self::NONE,
            Stage::Draining => Self::DRAINING,
            Stage::Leaving => Self::GONE,
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct Bar {
    /// The stamp the belief had.
    stamp: u32,
    reasons: Reasons,
}

/// The table of a view; see the module documentation.
#[derive(Clone, Debug, Default)]
pub struct Barred {
    table: BTreeMap<u32, Bar>,
    /// Servers nothing is known of.
    unknown: u32,
    /// Reasons that do not bind at present.
    waived: Reasons,
}

impl Barred {
    /// The table of a view that knows none of `servers`.
    pub(super) fn all_unknown(servers: u32) -> Self {
        Self { unknown: servers, ..Self::default() }
    }

    const fn binds(&self, reasons: Reasons) -> bool {
        !reasons.without(self.waived).is_empty()
    }

    /// The reasons in the table.
    pub(super) fn reasons(&self, server: ServerId) -> Option<Reasons> {
        self.table.get(&server.0).map(|bar| bar.reasons)
    }

    /// Servers with one of these reasons, the unknown ones left out.
    pub fn count(&self, reasons: Reasons) -> u32 {
        self.table.values().filter(|bar| bar.reasons.has(reasons)).count() as u32
    }
}

impl View {
    /// Why a server must not be used. O(log barred) unless the server is in use.
    pub fn reasons(&self, server: ServerId) -> Reasons {
        self.reasons_at(server, self.beliefs[server].sent_quantum)
    }

    /// When the newest report of a server was sent, by its own clock [quanta]; 0 before the first.
    pub fn stamp(&self, server: ServerId) -> u32 {
        let stamp = self.kept_stamp(server, self.beliefs[server].sent_quantum);
        if self.versions[server] == 0 { 0 } else { stamp }
    }

    /// The stamp that a belief with `stamp` has or would have without the bar.
    pub(super) fn kept_stamp(&self, server: ServerId, stamp: u32) -> u32 {
        match stamp {
            BARRED => self.barred.table.get(&server.0).map_or(BARRED, |bar| bar.stamp),
            stamp => stamp,
        }
    }

    /// Servers something is known of.
    pub const fn known(&self) -> u32 {
        self.beliefs.len() as u32 - self.barred.unknown
    }

    /// The table of servers out of bounds.
    pub const fn barred(&self) -> &Barred {
        &self.barred
    }

    /// Adds reasons not to use a server. O(log barred).
    pub fn bar(&mut self, server: ServerId, reasons: Reasons) {
        let before = self.reasons(server);
        let stamp = self.kept_stamp(server, self.beliefs[server].sent_quantum);
        self.settle(server, stamp, before.with(reasons));
    }

    /// Takes reasons away; true when the server may be used from now on and could not before: its
    /// policy must hear of it. O(log barred).
    pub fn unbar(&mut self, server: ServerId, reasons: Reasons) -> bool {
        let Some(&bar) = self.barred.table.get(&server.0) else { return false };
        let belief = self.beliefs[server].sent_quantum;
        self.settle(server, self.kept_stamp(server, belief), bar.reasons.without(reasons));
        belief == BARRED && self.beliefs[server].sent_quantum != BARRED
    }

    /// Lets these reasons, and no others, stand without effect. Returns the servers that may be used
    /// from now on and could not before, in order. O(barred log barred) when something changes.
    pub fn waive(&mut self, reasons: Reasons) -> Vec<ServerId> {
        debug_assert!(
            !reasons.has(Reasons::BY_REPORT),
            "a report binds as long as it is the newest"
        );
        let mut freed = Vec::new();
        if self.barred.waived == reasons {
            return freed;
        }
        self.barred.waived = reasons;
        let servers: Vec<u32> = self.barred.table.keys().copied().collect();
        for server in servers.into_iter().map(ServerId) {
            if self.unbar(server, Reasons::NONE) {
                freed.push(server);
            }
        }
        freed
    }

    /// Forgets all that was reported of a server. What the node has in flight there stays counted.
    pub fn forget(&mut self, server: ServerId) {
        let before = self.reasons(server);
        self.barred.unknown += u32::from(!before.has(Reasons::UNKNOWN));
        let belief = &mut self.beliefs[server];
        *belief = super::Belief { own: belief.own, ..super::Belief::default() };
        self.versions[server] = 0;
        self.barred.table.remove(&server.0);
    }

    /// The part of a merge that concerns bars: the server was barred before, or its stage bars it
    /// now. The belief holds the report's stamp already.
    pub(super) fn merge_barred(&mut self, report: &Report, before: Reasons) {
        self.barred.unknown -= u32::from(before.has(Reasons::UNKNOWN));
        let reasons = before.without(Reasons::ENDED_BY_REPORT).with(Reasons::at(report.stage));
        self.settle(ServerId(report.server), report.sent_quantum, reasons);
    }

    /// Puts stamp and reasons where they belong. A server whose only reason is that nothing is known
    /// of it needs no entry.
    fn settle(&mut self, server: ServerId, stamp: u32, reasons: Reasons) {
        if reasons.is_empty() || reasons == Reasons::UNKNOWN {
            self.barred.table.remove(&server.0);
        } else {
            self.barred.table.insert(server.0, Bar { stamp, reasons });
        }
        let bound = self.barred.binds(reasons);
        self.beliefs[server].sent_quantum = if bound { BARRED } else { stamp };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::places::{ByServer, Places};
    use crate::view::Belief;
    use crate::view::news::News;
    use proptest::prelude::*;

    const SERVERS: usize = 4;

    /// The view without tricks: each server keeps its stamp and its reasons openly.
    #[derive(Clone, Debug)]
    struct Plain {
        servers: Vec<(u32, u32, Reasons)>,
        waived: Reasons,
    }

    impl Plain {
        fn usable(&self, server: usize) -> bool {
            self.servers[server].2.without(self.waived).is_empty()
        }

        fn act(&mut self, act: Act) {
            match act {
                Act::Merge(server, version, stage) => {
                    let (held, stamp, reasons) = &mut self.servers[server];
                    if version > *held {
                        (*held, *stamp) = (version, stamp_of(version));
                        *reasons = reasons.without(Reasons(7 | 32)).with(Reasons::at(stage));
                    }
                }
                Act::Bar(server, why) => {
                    self.servers[server].2 = self.servers[server].2.with(why);
                }
                Act::Unbar(server, why) => {
                    self.servers[server].2 = self.servers[server].2.without(why);
                }
                Act::Forget(server) => self.servers[server] = (0, 0, Reasons::UNKNOWN),
                Act::Waive(why) => self.waived = why,
            }
        }
    }

    #[derive(Clone, Copy, Debug)]
    enum Act {
        Merge(usize, u32, Stage),
        Bar(usize, Reasons),
        Unbar(usize, Reasons),
        Forget(usize),
        Waive(Reasons),
    }

    /// A clock that is wrong by a random amount: the stamp does not order reports.
    fn stamp_of(version: u32) -> u32 {
        1 + crate::rng::mix(version.into()) as u32 % 50
    }

    fn report(server: usize, version: u32, stage: Stage) -> Report {
        let sent_quantum = stamp_of(version);
        Report { server: server as u32, version, sent_quantum, stage, ..Report::default() }
    }

    fn any_act() -> impl Strategy<Value = Act> {
        let server = 0..SERVERS;
        let stage = prop_oneof![
            3 => Just(Stage::Serving),
            1 => Just(Stage::Draining),
            1 => Just(Stage::Leaving)
        ];
        // Reasons of the node's own judgement: what a report decides comes by reports.
        let why = (1_u8..8).prop_map(|bits| Reasons(bits << 3));
        let waived = (0_u8..8).prop_map(|bits| Reasons(bits << 3));
        prop_oneof![
            4 => (server.clone(), 1_u32..30, stage).prop_map(|(s, v, g)| Act::Merge(s, v, g)),
            3 => (server.clone(), why.clone()).prop_map(|(s, w)| Act::Bar(s, w)),
            3 => (server.clone(), why).prop_map(|(s, w)| Act::Unbar(s, w)),
            1 => server.prop_map(Act::Forget),
            1 => waived.prop_map(Act::Waive),
        ]
    }

    fn view(known: usize, close: bool) -> View {
        let places = Places::default();
        let belief = Belief { sent_quantum: KNOWN_AT_START, ..Belief::default() };
        let mut view = View {
            beliefs: ByServer::new(&places, SERVERS as u32, belief),
            versions: ByServer::new(&places, SERVERS as u32, 0),
            barred: Barred::default(),
            news: if close { News::of_all() } else { News::default() },
            pool: None,
            pool_changes: 0,
            widened: false,
            own_sends: true,
        };
        (known..SERVERS).for_each(|server| view.forget(ServerId(server as u32)));
        view
    }

    proptest! {
        /// Goal: hiding the stamp loses nothing. Method: random merges, bars, waivers; after each, a
        /// choice must see what a model sees that keeps stamp and reasons of every server openly,
        /// and whoever becomes usable is announced.
        #[test]
        fn a_barred_view_equals_the_plain_one(
            known in 0..=SERVERS,
            close: bool,
            acts in proptest::collection::vec(any_act(), 1..60),
        ) {
            let mut view = view(known, close);
            let start = |server| {
                let reasons = if server < known { Reasons::NONE } else { Reasons::UNKNOWN };
                (0, 0, reasons)
            };
            let mut plain =
                Plain { servers: (0..SERVERS).map(start).collect(), waived: Reasons::NONE };
            for act in acts {
                // Suspicion goes with every report in a node that hears them all.
                let own = |why: Reasons| if close { why } else { why.without(Reasons::SUSPECTED) };
                let act = match act {
                    Act::Bar(server, why) => Act::Bar(server, own(why)),
                    act => act,
                };
                let before: Vec<bool> = (0..SERVERS).map(|s| plain.usable(s)).collect();
                plain.act(act);
                let freed: Vec<u32> = match act {
                    Act::Merge(server, version, stage) => {
                        view.merge(&report(server, version, stage));
                        Vec::new()
                    }
                    Act::Bar(server, why) => {
                        view.bar(ServerId(server as u32), why);
                        Vec::new()
                    }
                    Act::Unbar(server, why) => {
                        let server = ServerId(server as u32);
                        if view.unbar(server, why) { vec![server.0] } else { Vec::new() }
                    }
                    Act::Forget(server) => {
                        view.forget(ServerId(server as u32));
                        Vec::new()
                    }
                    Act::Waive(why) => view.waive(why).iter().map(|server| server.0).collect(),
                };
                if matches!(act, Act::Unbar(..) | Act::Waive(_)) {
                    let expected = (0..SERVERS).filter(|&s| plain.usable(s) && !before[s]);
                    let expected: Vec<u32> = expected.map(|s| s as u32).collect();
                    prop_assert_eq!(freed, expected, "{:?}", act);
                }
                for (server, &(version, stamp, reasons)) in plain.servers.iter().enumerate() {
                    let id = ServerId(server as u32);
                    let hot = view.beliefs[id].sent_quantum;
                    prop_assert_eq!(hot != BARRED, plain.usable(server), "{:?} {}", act, server);
                    if hot != BARRED {
                        prop_assert_eq!(hot, stamp.max(KNOWN_AT_START));
                    }
                    prop_assert_eq!(view.stamp(id), stamp, "{:?} {}", act, server);
                    prop_assert_eq!(view.versions[id], version);
                    prop_assert_eq!(view.reasons(id), reasons, "{:?} {}", act, server);
                }
                let unknown = plain.servers.iter().filter(|s| s.2.has(Reasons::UNKNOWN)).count();
                prop_assert_eq!(view.known() as usize, SERVERS - unknown);
            }
        }
    }

    #[test]
    fn a_node_that_knows_nobody_holds_an_empty_table() {
        assert!(view(0, false).barred.table.is_empty());
        assert_eq!(view(0, false).known(), 0);
    }
}
