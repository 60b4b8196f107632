//! Prequal: random servers are asked after every request; a small pool of their answers serves the next.
//!
//! Source: Wydrowski, Kleinberg, Rumble, Archer, "Load is not what you should balance: Introducing
//! Prequal", NSDI 2024, asynchronous mode; the rounding of numbers and the words marked (ours) are not
//! in it. Signal: probes; a server answers with its requests in flight (RIF, in service and waiting) and
//! the latency it had at about that RIF lately, which fades while it is idle (`heartbeat.latency_decay`, ours:
//! else a server with a few slow answers would get no request ever again, and its latency stay as it was).
//!
//! * **Pool.** At most `pool` (16) answers, one a server: a newer answer replaces an older one (ours). Out
//!   goes an answer that is the oldest when the pool overflows, that is older than `max_age` (1 s),
//!   or that has been used `b` times, where `b` is rounded at random to a neighbouring whole number when
//!   the answer comes: `b = max(1, (1 + delta) / ((1 - pool / servers) probes - removals))`, without limit
//!   where that is not positive. After each request `removals` (1) answers go, in turn the oldest and the
//!   worst: the hot one with the most RIF, or the slowest if none is hot.
//! * **Choice.** Hot is an answer with more RIF than the `hot_quantile` (2^-0.25) of the last 128 answers
//!   say: the value of rank `floor(hot_quantile 128)`; with rank 0 everything is hot. Among eligible
//!   servers: the cold one with the lowest latency, else the hot one with the lowest RIF. Ties: the
//!   lower of the other number, then the older answer. With fewer than two answers of eligible servers: a
//!   random one.
//! * **Use.** Whatever is sent to a server of the pool adds 1 to the RIF of its answer, and is a use.
//! * **Probes.** `probes` (3) a request, to different random servers believed to be up; parts of a probe
//!   add up.
//!
//! Cost: O(pool) a decision, O(128) an answer. A node keeps nothing per server.
//!
//! **What to expect.** The rule goes by latency among all but the most loaded sixth, and latency tells more
//! the more requests share a server. At load 0.8 on servers that serve one at a time it makes 2.1 services of
//! 4.7 by chance, two choices 2.6 with heartbeats; with `hot_quantile` 0, by RIF alone, 1.7. Where many share a
//! server and the fleet could do more than it must, the published shape comes out (`sim-core/tests/prequal.rs`).
//! Close to what servers can do, some 60 % of their slots with some of them slowed, the latencies answered are of
//! lighter load than what is on its way, and the default is worse than two choices; lower quantiles last longer.
//!
//! Left out: the synchronous mode, in which a request waits for all but one of its `d` probes: a choice here
//! takes no time.

use std::collections::VecDeque;

use crate::config::keys::{Key, key};
use crate::config::{ParameterCheck, ParameterList};
use crate::ids::{NodeId, ServerId};
use crate::notes::{Note, NoteKind};
use crate::rng::{Rng, RngExt, Stream};
use crate::setup::Setup;
use crate::time::{Nanos, SECOND};
use crate::view::{Belief, Candidates};

use super::registry::capacity_gate_key;
use super::{Needs, Parameters, Policy, SelectionIndex};

/// Answers whose RIF says what is hot.
const RECENT: usize = 128;

/// Parameters of [`Prequal`].
#[derive(Clone, Debug, PartialEq)]
pub struct PrequalConfig {
    /// Most answers in the pool.
    pub pool: u32,
    /// Probes a request.
    pub probes: f64,
    /// Answers removed a request.
    pub removals: f64,
    /// Answers older than this are removed [ns].
    pub max_age_ns: Nanos,
    /// Share of recent answers that are cold.
    pub hot_quantile: f64,
    /// How much more than needed answers may be used.
    pub delta: f64,
    /// Skip servers whose estimated load has reached their capacity.
    pub capacity_gate: bool,
}

impl Default for PrequalConfig {
    fn default() -> Self {
        Self {
            pool: 16,
            probes: 3.0,
            removals: 1.0,
            max_age_ns: SECOND,
            hot_quantile: 0.840_896_415_253_714_6,
            delta: 1.0,
            capacity_gate: false,
        }
    }
}

impl PrequalConfig {
    /// How often an answer may be used, in a fleet of `servers`; infinite: as often as one likes.
    fn uses(&self, servers: u32) -> f64 {
        let stay = 1.0 - f64::from(self.pool) / f64::from(servers);
        let surplus = stay * self.probes - self.removals;
        if surplus > 0.0 { ((1.0 + self.delta) / surplus).max(1.0) } else { f64::INFINITY }
    }
}

impl Parameters for PrequalConfig {
    #[rustfmt::skip] // One key a row.
    const KEYS: &'static [Key] = &[
        key("policy.prequal.pool", "", "16", "2 to 1000", "Most answers to probes that a node keeps.", "More: older answers."),
        key("policy.prequal.probes", "", "3.0", "0 to 100", "Servers a node asks for each request; fractions add up.", "Fewer: fewer messages, and choices among fewer."),
        key("policy.prequal.removals", "", "1.0", "0 to 100", "Answers removed for each request, the oldest and the worst in turn; fractions add up.", "0: slow servers fill the pool."),
        key("policy.prequal.max_age", "time", "1s", "above 0", "Older answers are removed.", "Longer: staler answers where requests are rare."),
        key("policy.prequal.hot_quantile", "share", "0.8408964152537146", "0 to 1", "Share of recent answers, by requests in flight, that are not hot.", "0: requests in flight alone decide; 1: latency alone."),
        key("policy.prequal.delta", "", "1.0", "0 to 100", "How much more often than needed an answer may be used.", "More: rarely a random choice, and staler answers."),
        capacity_gate_key!("prequal", "false"),
    ];

    fn list(&mut self, list: &mut ParameterList<'_, '_, '_>) {
        let Self { pool, probes, removals, max_age_ns, hot_quantile, delta, capacity_gate } = self;
        list.count("pool", pool);
        list.number("probes", probes);
        list.number("removals", removals);
        list.time("max_age", max_age_ns);
        list.number("hot_quantile", hot_quantile);
        list.number("delta", delta);
        list.flag("capacity_gate", capacity_gate);
    }

    fn check(&self, check: &mut ParameterCheck<'_>) {
        check.within("pool", self.pool.into(), 2..=1_000);
        for (key, number) in
            [("probes", self.probes), ("removals", self.removals), ("delta", self.delta)]
        {
            check.number(key, number, (0.0..=100.0).contains(&number), "0 to 100");
        }
        let quantile = self.hot_quantile;
        check.number("hot_quantile", quantile, (0.0..=1.0).contains(&quantile), "0 to 1");
        check.positive_time("max_age", self.max_age_ns);
    }

    fn needs(&self) -> Needs {
        Needs { probes: true, ..Needs::default() }
    }

    fn probes_a_request(&self) -> f64 {
        self.probes
    }

    fn build(&self, setup: &Setup, _: NodeId, stream: &mut Stream) -> SelectionIndex {
        SelectionIndex::Boxed(Box::new(Prequal::new(self, setup.servers, stream)))
    }
}

/// See the module documentation.
#[derive(Debug)]
pub struct Prequal {
    parameters: PrequalConfig,
    /// How often an answer may be used, before rounding.
    uses: f64,
    /// Rounds it.
    rounding: Stream,
    /// Oldest first.
    pool: VecDeque<Reply>,
    recent: Recent,
    /// Parts of a probe and of a removal that are due.
    probes_due: f64,
    removals_due: f64,
    /// The next removal takes the worst.
    takes_worst: bool,
}

/// The answer to a probe.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Reply {
    server: u32,
    rif: u32,
    latency_ns: f32,
    came_ns: Nanos,
    /// How often it may yet be used.
    uses_left: u32,
}

/// Requests in flight of the last answers.
#[derive(Debug, Default)]
struct Recent {
    /// Oldest first.
    rifs: VecDeque<u32>,
    sorted: Vec<u32>,
}

impl Recent {
    fn add(&mut self, rif: u32) {
        if self.rifs.len() == RECENT
            && let Some(old) = self.rifs.pop_front()
        {
            self.sorted.remove(self.sorted.partition_point(|&rif| rif < old));
        }
        self.rifs.push_back(rif);
        self.sorted.insert(self.sorted.partition_point(|&other| other < rif), rif);
    }

    /// The largest RIF that is not hot, if any.
    fn most_cold(&self, quantile: f64) -> Option<u32> {
        let rank = (quantile * self.sorted.len() as f64) as usize;
        rank.checked_sub(1).map(|place| self.sorted[place])
    }
}

impl Prequal {
    fn new(parameters: &PrequalConfig, servers: u32, stream: &mut Stream) -> Self {
        let high = u128::from(stream.next_u64());
        let state = (high << 64) | u128::from(stream.next_u64());
        Self {
            uses: parameters.uses(servers),
            parameters: parameters.clone(),
            rounding: Stream::new(state),
            pool: VecDeque::new(),
            recent: Recent::default(),
            probes_due: 0.0,
            removals_due: 0.0,
            takes_worst: false,
        }
    }

    /// The place of the best, or with `worst` of the worst, among the answers that are `in_question`.
    fn extreme(&self, worst: bool, in_question: impl Fn(&Reply) -> bool) -> Option<usize> {
        let most_cold = self.recent.most_cold(self.parameters.hot_quantile);
        let is_hot = |reply: &Reply| most_cold.is_none_or(|most| reply.rif > most);
        // All cold ones before all hot ones.
        let rank = |&(place, reply): &(usize, &Reply)| {
            let latency = reply.latency_ns.to_bits(); // Orders numbers that are not negative.
            let hot = is_hot(reply);
            if hot { (hot, reply.rif, latency, place) } else { (hot, latency, reply.rif, place) }
        };
        let replies = self.pool.iter().enumerate().filter(|(_, reply)| in_question(reply));
        let found = if worst { replies.max_by_key(rank) } else { replies.min_by_key(rank) };
        found.map(|(place, _)| place)
    }

    fn remove_one(&mut self) {
        let place = if self.takes_worst { self.extreme(true, |_| true) } else { Some(0) };
        place.and_then(|place| self.pool.remove(place));
        self.takes_worst = !self.takes_worst;
    }

    fn forget_old(&mut self, at_ns: Nanos) {
        let max_age_ns = self.parameters.max_age_ns;
        while self.pool.front().is_some_and(|reply| at_ns - reply.came_ns > max_age_ns) {
            self.pool.pop_front();
        }
    }
}

impl Policy for Prequal {
    fn choose(&mut self, candidates: &Candidates<'_>, stream: &mut Stream) -> Option<ServerId> {
        self.forget_old(candidates.at_ns());
        let gate = self.parameters.capacity_gate;
        let is_eligible = |reply: &Reply| candidates.is_eligible(reply.server, gate);
        if self.pool.iter().filter(|&reply| is_eligible(reply)).count() < 2 {
            return candidates.draw_eligible(gate, stream).map(ServerId);
        }
        self.extreme(false, is_eligible).map(|place| ServerId(self.pool[place].server))
    }

    fn on_send(&mut self, server: ServerId, _: &Belief, _: Nanos) {
        let Some(place) = self.pool.iter().position(|reply| reply.server == server.0) else {
            return;
        };
        let reply = &mut self.pool[place];
        reply.rif += 1;
        reply.uses_left -= 1;
        if reply.uses_left == 0 {
            self.pool.remove(place);
        }
    }

    fn on_note(&mut self, note: &Note, at_ns: Nanos) {
        if note.kind != NoteKind::Probe {
            return;
        }
        self.forget_old(at_ns);
        self.recent.add(note.load);
        self.pool.retain(|reply| reply.server != note.server);
        if self.pool.len() == self.parameters.pool as usize {
            self.pool.pop_front();
        }
        let uses_left = if self.uses < f64::from(u32::MAX) {
            let more = self.rounding.random_bool(self.uses.fract());
            self.uses as u32 + u32::from(more)
        } else {
            u32::MAX
        };
        let Note { server, load: rif, latency_ns, .. } = *note;
        self.pool.push_back(Reply { server, rif, latency_ns, came_ns: at_ns, uses_left });
    }

    fn probes(
        &mut self,
        candidates: &Candidates<'_>,
        stream: &mut Stream,
        out: &mut Vec<ServerId>,
    ) {
        self.removals_due += self.parameters.removals;
        while self.removals_due >= 1.0 {
            self.removals_due -= 1.0;
            self.remove_one();
        }
        self.probes_due += self.parameters.probes;
        while self.probes_due >= 1.0 {
            self.probes_due -= 1.0;
            let is_new =
                |server| candidates.is_eligible(server, false) && !out.contains(&ServerId(server));
            // With all of them asked, nobody is left.
            let Some(server) = candidates.draw_where(stream, is_new) else { continue };
            out.push(ServerId(server));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Purpose, stream};
    use crate::view::fixture::{candidates_at, view};
    use proptest::prelude::*;

    fn policy(change: impl FnOnce(&mut PrequalConfig)) -> Prequal {
        let mut parameters = PrequalConfig::default();
        change(&mut parameters);
        Prequal::new(&parameters, 100, &mut stream(1, 0, Purpose::Policy, 0))
    }

    fn hear(policy: &mut Prequal, server: u32, rif: u32, latency_ns: f32, at_ns: Nanos) {
        policy.on_note(&Note { server, load: rif, latency_ns, ..Note::default() }, at_ns);
    }

    fn servers(policy: &Prequal) -> Vec<u32> {
        policy.pool.iter().map(|reply| reply.server).collect()
    }

    fn choose(policy: &mut Prequal, at_ns: Nanos) -> u32 {
        let mut s = stream(1, 0, Purpose::Policy, 1);
        policy.choose(&candidates_at(&view(100, 1), at_ns), &mut s).unwrap().0
    }

    fn after_request(policy: &mut Prequal) -> Vec<ServerId> {
        let mut out = Vec::new();
        let mut s = stream(1, 0, Purpose::Policy, 2);
        policy.probes(&candidates_at(&view(100, 1), 0), &mut s, &mut out);
        out
    }

    #[test]
    fn reuse_is_as_published() {
        let uses = |probes, removals, servers| {
            PrequalConfig { probes, removals, ..PrequalConfig::default() }.uses(servers)
        };
        // 2 / (0.84 * 3 - 1), 2 / (0.84 * 5 - 1) < 1, no surplus, a fleet smaller than the pool.
        assert!((uses(3.0, 1.0, 100) - 2.0 / 1.52).abs() < 1e-12);
        assert!((uses(5.0, 1.0, 100) - 1.0).abs() < 1e-12);
        assert!(uses(1.0, 1.0, 100).is_infinite());
        assert!(uses(3.0, 1.0, 10).is_infinite());
        // Rounded at random: the mean is kept.
        let mut policy = policy(|_| {});
        let total: u32 = (0..3_000)
            .map(|server| {
                hear(&mut policy, server, 1, 0.0, 0);
                policy.pool.back().unwrap().uses_left
            })
            .sum();
        assert!((f64::from(total) / 3_000.0 - 2.0 / 1.52).abs() < 0.05, "{total}");
    }

    #[test]
    fn the_oldest_goes_when_the_pool_is_full_and_a_newer_answer_replaces() {
        let mut policy = policy(|p| p.pool = 3);
        for server in 0..3 {
            hear(&mut policy, server, 1, 0.0, 0);
        }
        hear(&mut policy, 1, 5, 0.0, 0);
        assert_eq!(servers(&policy), [0, 2, 1]);
        hear(&mut policy, 7, 1, 0.0, 0);
        assert_eq!(servers(&policy), [2, 1, 7]);
    }

    #[test]
    fn old_answers_go() {
        let mut policy = policy(|p| p.max_age_ns = 10);
        hear(&mut policy, 0, 1, 0.0, 0);
        hear(&mut policy, 1, 1, 0.0, 5);
        hear(&mut policy, 2, 1, 0.0, 6);
        choose(&mut policy, 10);
        assert_eq!(servers(&policy), [0, 1, 2]);
        choose(&mut policy, 11);
        assert_eq!(servers(&policy), [1, 2]);
    }

    #[test]
    fn a_use_adds_to_what_is_in_flight_and_is_counted() {
        let mut policy = policy(|p| (p.probes, p.delta) = (3.0, 2.04)); // Exactly 2 uses.
        hear(&mut policy, 4, 7, 0.0, 0);
        let left = policy.pool[0].uses_left;
        assert_eq!(left, 2);
        policy.on_send(ServerId(4), &Belief::default(), 0);
        assert_eq!((policy.pool[0].rif, policy.pool[0].uses_left), (8, 1));
        policy.on_send(ServerId(5), &Belief::default(), 0);
        policy.on_send(ServerId(4), &Belief::default(), 0);
        assert!(policy.pool.is_empty());
    }

    #[test]
    fn removals_take_the_oldest_and_the_worst_in_turn() {
        let mut policy = policy(|p| p.hot_quantile = 0.5);
        for (server, rif, latency) in [(0, 1, 5.0), (1, 9, 1.0), (2, 1, 8.0), (3, 7, 9.0)] {
            hear(&mut policy, server, rif, latency, 0);
        }
        after_request(&mut policy); // The oldest.
        assert_eq!(servers(&policy), [1, 2, 3]);
        after_request(&mut policy); // The hot one with the most in flight.
        assert_eq!(servers(&policy), [2, 3]);
        after_request(&mut policy);
        assert_eq!(servers(&policy), [3]);
        // Nobody is hot: the slowest.
        let mut policy = self::policy(|p| p.hot_quantile = 1.0);
        for (server, latency) in [(0, 1.0), (1, 5.0), (2, 8.0), (3, 2.0)] {
            hear(&mut policy, server, 1, latency, 0);
        }
        after_request(&mut policy);
        after_request(&mut policy);
        assert_eq!(servers(&policy), [1, 3]);
    }

    #[test]
    fn the_fastest_cold_one_is_chosen_else_the_least_loaded_hot_one() {
        let pool = [(0, 1, 5.0), (1, 2, 3.0), (2, 8, 1.0), (3, 9, 2.0)];
        for (quantile, best) in [(0.0, 0), (0.25, 0), (0.5, 1), (0.75, 2), (1.0, 2)] {
            let mut policy = policy(|p| p.hot_quantile = quantile);
            for (server, rif, ns) in pool {
                hear(&mut policy, server, rif, ns, 0);
            }
            assert_eq!(choose(&mut policy, 0), best, "quantile {quantile}");
        }
        // One answer is not enough: anybody.
        let mut policy = policy(|_| {});
        hear(&mut policy, 3, 0, 0.0, 0);
        let mut s = stream(1, 0, Purpose::Policy, 1);
        let view = view(100, 1);
        let picks: std::collections::BTreeSet<_> =
            (0..50).map(|_| policy.choose(&candidates_at(&view, 0), &mut s)).collect();
        assert!(picks.len() > 20, "{picks:?}");
    }

    #[test]
    fn parts_of_probes_add_up_and_nobody_is_asked_twice() {
        let mut policy = policy(|p| p.probes = 2.5);
        let asked: Vec<usize> = (0..4).map(|_| after_request(&mut policy).len()).collect();
        assert_eq!(asked, [2, 3, 2, 3]);
        let mut policy = self::policy(|p| p.probes = 90.0);
        let mut asked = after_request(&mut policy);
        asked.sort_unstable();
        asked.dedup();
        assert_eq!(asked.len(), 90);
    }

    proptest! {
        /// Against the definition over all that was heard.
        #[test]
        fn what_is_hot_follows_from_the_last_answers(
            rifs in proptest::collection::vec(0_u32..30, 1..400),
            quantile in 0.0_f64..=1.0,
        ) {
            let mut recent = Recent::default();
            for &rif in &rifs {
                recent.add(rif);
            }
            let mut last: Vec<u32> = rifs.iter().rev().take(RECENT).copied().collect();
            last.sort_unstable();
            let rank = (quantile * last.len() as f64).floor() as usize;
            prop_assert_eq!(recent.most_cold(quantile), (rank > 0).then(|| last[rank - 1]));
        }
    }
}
