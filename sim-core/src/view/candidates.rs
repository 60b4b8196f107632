//! What a policy may see at the moment of a decision, and how it draws among what it sees.
//!
//! A policy goes through servers by [`Candidates::servers`] and draws by the `draw_*` functions, never
//! by numbers of its own: so what a node may know of the fleet can be narrowed for all policies at
//! one place.

use super::barred::Reasons;
use super::{Belief, Freshness, View};
use crate::ids::ServerId;
use crate::rng::{RngExt, Stream, below, distinct_pair};
use crate::subset::Pool;
use crate::tiers::Scope;
use crate::time::Nanos;

/// Blind draws before a scan settles it. With half of the fleet eligible, one draw in 2^16 scans.
pub const BLIND_DRAWS: u32 = 16;

/// What a policy may see at the moment of a decision.
#[derive(Clone, Copy, Debug)]
pub struct Candidates<'a> {
    view: &'a View,
    oldest_live: u32,
    exclude: u32,
    at_ns: Nanos,
    key: u64,
    pool: Option<&'a Pool>,
    scope: Option<Scope<'a>>,
}

impl<'a> Candidates<'a> {
    /// The node's view at `at_ns`, without the server `exclude`.
    #[inline]
    pub fn new(
        view: &'a View,
        freshness: &Freshness,
        at_ns: Nanos,
        exclude: Option<ServerId>,
    ) -> Self {
        Self {
            view,
            oldest_live: freshness.oldest_live(at_ns),
            exclude: exclude.map_or(u32::MAX, |server| server.0),
            at_ns,
            key: 0,
            pool: None,
            scope: None,
        }
    }

    /// The same of the servers of the view's pool alone, where it has one: who draws, draws from there.
    /// All others are not eligible in any case.
    #[inline]
    #[must_use]
    pub const fn within_pool(self) -> Self {
        Self { pool: self.view.pool(), ..self }
    }

    /// The same for a request about `key`.
    #[inline]
    #[must_use]
    pub const fn with_key(self, key: u64) -> Self {
        Self { key, ..self }
    }

    /// The same of one tier alone, whose servers are in `pool`.
    #[must_use]
    pub const fn within_tier(self, scope: Scope<'a>, pool: &'a Pool) -> Self {
        Self { scope: Some(scope), pool: Some(pool), ..self }
    }

    /// What the request is about; 0 where requests have no keys. Requests about one thing have one
    /// key; a policy that spreads keys hashes them.
    #[inline]
    pub const fn key(&self) -> u64 {
        self.key
    }

    /// Number of servers, eligible or not.
    #[inline]
    pub const fn len(&self) -> u32 {
        self.view.beliefs.len() as u32
    }

    /// True in a fleet without servers.
    pub const fn is_empty(&self) -> bool {
        self.view.beliefs.is_empty()
    }

    /// The moment of the decision [ns].
    #[inline]
    pub const fn at_ns(&self) -> Nanos {
        self.at_ns
    }

    /// The belief about a server.
    #[inline]
    pub fn belief(&self, server: u32) -> &'a Belief {
        &self.view.beliefs[ServerId(server)]
    }

    /// Estimated load of a server.
    #[inline]
    pub fn load(&self, server: u32) -> u32 {
        self.load_by(self.belief(server))
    }

    /// The same, for a server whose belief is at hand.
    #[inline]
    pub fn load_by(&self, belief: &Belief) -> u32 {
        self.view.load(belief)
    }

    /// The server to be passed over, if any: a retry goes elsewhere.
    #[inline]
    pub fn excluded(&self) -> Option<u32> {
        Some(self.exclude).filter(|&server| server != u32::MAX)
    }

    /// Heard of within the failure timeout.
    #[inline]
    pub fn is_available(&self, server: u32) -> bool {
        let heard = self.belief(server).sent_quantum >= self.oldest_live;
        match &self.scope {
            None => heard,
            Some(scope) => self.is_in_scope(scope, server, heard),
        }
    }

    /// Whether a server may be used as one of a tier.
    fn is_in_scope(&self, scope: &Scope<'_>, server: u32, heard: bool) -> bool {
        scope.of[server as usize] == scope.tier
            && (heard || (scope.panics && self.is_there(server)))
    }

    /// Known, and not about to leave: what a panicking tier counts on.
    pub fn is_there(&self, server: u32) -> bool {
        !self.view.reasons(ServerId(server)).has(Reasons::UNUSABLE)
    }

    /// Below its capacity, as far as the node knows.
    #[inline]
    pub fn has_room(&self, server: u32) -> bool {
        self.belief(server).has_room(self.view.own_sends)
    }

    /// Available, not excluded and, with `gate`, below capacity.
    #[inline]
    pub fn is_eligible(&self, server: u32, gate: bool) -> bool {
        self.is_eligible_by(server, self.belief(server), gate)
    }

    /// The same, for a server whose belief is at hand.
    #[inline]
    pub fn is_eligible_by(&self, server: u32, belief: &Belief, gate: bool) -> bool {
        let heard = belief.sent_quantum >= self.oldest_live;
        let available = match &self.scope {
            None => heard,
            Some(scope) => self.is_in_scope(scope, server, heard),
        };
        available && server != self.exclude && (!gate || belief.has_room(self.view.own_sends))
    }

    /// All servers the node may choose among, by id, eligible or not.
    #[inline]
    pub fn servers(&self) -> impl DoubleEndedIterator<Item = u32> + Clone + use<'a> {
        let pool = self.pool;
        (0..self.choosable())
            .map(move |place| pool.map_or(place, |pool| pool.members[place as usize]))
    }

    /// Number of servers the node may choose among, eligible or not.
    #[inline]
    pub const fn choosable(&self) -> u32 {
        match self.pool {
            None => self.len(),
            Some(pool) => pool.members.len() as u32,
        }
    }

    /// How often the servers the node may choose among have changed: what is kept about all of them is
    /// good while this stays the same.
    #[inline]
    pub const fn pool_changes(&self) -> u32 {
        self.view.pool_changes()
    }

    /// The server at a place below [`Self::choosable`], in the order of [`Self::servers`].
    #[inline]
    pub fn server_at(&self, place: u32) -> u32 {
        self.pool.map_or(place, |pool| pool.members[place as usize])
    }

    /// A uniformly random server, eligible or not.
    #[inline]
    pub fn draw(&self, stream: &mut Stream) -> u32 {
        match self.pool {
            None => below(stream, self.len()),
            Some(pool) => pool.draw(stream),
        }
    }

    /// A uniformly random ordered pair of distinct servers, eligible or not; of less than two, none.
    #[inline]
    pub fn draw_pair(&self, stream: &mut Stream) -> Option<(u32, u32)> {
        match self.pool {
            None => (self.len() >= 2).then(|| distinct_pair(stream, self.len())),
            Some(pool) => pool.draw_pair(stream),
        }
    }

    /// A uniformly random eligible server: draws until one is eligible, and after a few misses picks
    /// among all that are. Both ways are uniform. O(1) expected while a fair share is eligible.
    #[inline]
    pub fn draw_eligible(&self, gate: bool, stream: &mut Stream) -> Option<u32> {
        self.draw_where(stream, |server| self.is_eligible(server, gate))
    }

    /// The same for the servers that pass `is_in`.
    #[inline]
    pub fn draw_where(&self, stream: &mut Stream, is_in: impl Fn(u32) -> bool) -> Option<u32> {
        for _ in 0..BLIND_DRAWS {
            let server = self.draw(stream);
            if is_in(server) {
                return Some(server);
            }
        }
        self.draw_by_scan(stream, is_in)
    }

    /// A random server in proportion to `weight`, with one draw; nobody of weight 0. O(servers).
    #[cold]
    pub fn draw_weighted_by_scan(
        &self,
        stream: &mut Stream,
        weight: impl Fn(u32) -> f64,
    ) -> Option<u32> {
        let weighted =
            || self.servers().map(|server| (server, weight(server))).filter(|&(_, w)| w > 0.0);
        let mut left = stream.random::<f64>() * weighted().map(|(_, weight)| weight).sum::<f64>();
        let mut last = None;
        for (server, weight) in weighted() {
            last = Some(server);
            left -= weight;
            if left < 0.0 {
                break;
            }
        }
        // Rounding may leave a trace of the whole: the last one's.
        last
    }

    /// A uniformly random server among those that pass `is_in`, with one draw. O(servers).
    #[cold]
    pub fn draw_by_scan(&self, stream: &mut Stream, is_in: impl Fn(u32) -> bool) -> Option<u32> {
        let passing = || self.servers().filter(|&server| is_in(server));
        let count = passing().count();
        (count > 0).then(|| passing().nth(below(stream, count as u32) as usize)).flatten()
    }
}

/// Views for tests of policies.
#[cfg(test)]
pub(crate) mod fixture {
    use super::*;
    use crate::places::{ByServer, Places};
    use crate::view::barred::{Barred, KNOWN_AT_START};
    use crate::view::news::News;

    /// Everybody known, idle, with this capacity.
    pub(crate) fn view(servers: u32, capacity: u16) -> View {
        let belief = Belief { sent_quantum: KNOWN_AT_START, capacity, ..Belief::default() };
        View {
            beliefs: ByServer::new(&Places::default(), servers, belief),
            versions: ByServer::new(&Places::default(), servers, 0),
            barred: Barred::default(),
            news: News::default(),
            own_sends: true,
            pool: None,
            pool_changes: 0,
            widened: false,
        }
    }

    /// All of them at time 0.
    pub(crate) fn candidates(view: &View) -> Candidates<'_> {
        candidates_at(view, 0)
    }

    /// All but one of them at time 0.
    pub(crate) fn candidates_without(view: &View, server: u32) -> Candidates<'_> {
        Candidates { exclude: server, ..candidates_at(view, 0) }
    }

    /// All of them at a moment.
    pub(crate) fn candidates_at(view: &View, at_ns: Nanos) -> Candidates<'_> {
        let exclude = u32::MAX;
        Candidates {
            view,
            oldest_live: KNOWN_AT_START,
            exclude,
            at_ns,
            key: 0,
            pool: None,
            scope: None,
        }
    }
}
