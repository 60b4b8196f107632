//! Whole clusters of member lists on a network in memory.

use std::collections::BTreeMap;

use super::*;
use crate::config::{MembershipConfig, ProbeOrder};
use crate::rng::{Purpose, RngExt, stream};
use crate::ticks::Ticks;
use crate::time::MILLISECOND;

/// Quanta of 10 ms: a probe interval of one second is 100 of them.
fn rules(change: impl FnOnce(&mut MembershipConfig), nodes: u32) -> Rules {
    let mut config = MembershipConfig::lan(nodes);
    change(&mut config);
    Rules::new(&config, &Ticks::test_grid(10 * MILLISECOND, 10 * MILLISECOND))
}

type Delay = fn(&Cluster, u32, u32) -> Option<u64>;

struct Cluster {
    rules: Rules,
    nodes: Vec<Membership>,
    streams: Vec<Stream>,
    chance: Stream,
    post: BTreeMap<u64, Vec<(u32, u32, Message)>>,
    quantum: u64,
    delay: Delay,
    sent: u64,
    /// (quantum, who, what), in order.
    notices: Vec<(u64, u32, Notice)>,
    /// Looked at by `delay`.
    split: bool,
    slow: u64,
    /// Who has been pinged.
    pinged: Vec<u32>,
}

impl Cluster {
    /// A cluster in which all nodes know each other from the start.
    fn formed(nodes: u32, seed: u64, rules: Rules) -> Self {
        let mut cluster = Self::off(nodes, seed, rules);
        for me in 0..nodes {
            cluster.start(me, 0);
            let node = &mut cluster.nodes[me as usize];
            for other in (0..nodes).filter(|&other| other != me) {
                node.members[other as usize] =
                    Some(Member { state: State::Alive, incarnation: 0, since: 0 });
                node.others.push(other);
            }
            node.next_join = u64::MAX;
        }
        cluster
    }

    fn off(nodes: u32, seed: u64, rules: Rules) -> Self {
        Self {
            rules,
            nodes: (0..nodes).map(|me| Membership::new(me, nodes)).collect(),
            streams: (0..nodes).map(|me| stream(seed, 0, Purpose::Policy, me)).collect(),
            chance: stream(seed, 1, Purpose::Policy, 0),
            post: BTreeMap::new(),
            quantum: 0,
            delay: |_, _, _| Some(1),
            sent: 0,
            notices: Vec::new(),
            split: false,
            slow: 0,
            pinged: Vec::new(),
        }
    }

    fn call(&mut self, me: u32, act: impl FnOnce(&mut Membership, &mut Turn<'_>)) {
        let mut out = Output::default();
        let mut turn = Turn {
            rules: &self.rules,
            quantum: self.quantum,
            stream: &mut self.streams[me as usize],
            out: &mut out,
        };
        act(&mut self.nodes[me as usize], &mut turn);
        self.sent += out.messages.len() as u64;
        for (to, message) in out.messages {
            if matches!(message.kind, Kind::Ping { .. }) {
                self.pinged.push(to);
            }
            if let Some(delay) = (self.delay)(self, me, to) {
                let at = self.quantum + delay.max(1);
                self.post.entry(at).or_default().push((to, me, message));
            }
        }
        for notice in out.notices {
            self.notices.push((self.quantum, me, notice));
        }
    }

    fn start(&mut self, me: u32, generation: u32) {
        self.call(me, |node, turn| node.start(generation, turn));
    }

    /// Runs to `quantum`, which is not run itself.
    fn run_to(&mut self, quantum: u64) {
        while self.quantum < quantum {
            for (to, from, message) in self.post.remove(&self.quantum).unwrap_or_default() {
                self.call(to, |node, turn| node.handle(from, &message, turn));
            }
            for me in 0..self.nodes.len() as u32 {
                self.call(me, Membership::tick);
            }
            self.quantum += 1;
        }
    }

    /// Whether all running nodes hold exactly `live` for live.
    fn agree_on(&self, live: &[u32]) -> bool {
        self.nodes.iter().filter(|node| node.is_on()).all(|node| {
            (0..self.nodes.len() as u32).all(|n| node.takes_for_live(n) == live.contains(&n))
        })
    }

    /// The quantum at which they do, at the latest `limit`.
    fn run_until_agreed(&mut self, live: &[u32], limit: u64) -> u64 {
        while !self.agree_on(live) {
            assert!(self.quantum < limit, "no agreement on {live:?} by quantum {limit}");
            self.run_to(self.quantum + 1);
        }
        self.quantum
    }
}

/// Goal: the clusters find each other from one seed, however the starts are spread, and news costs
/// what it may. Method: start at random moments, count rounds.
#[test]
fn a_cluster_forms_from_one_seed() {
    for (nodes, seed) in [(2, 1), (5, 2), (20, 3), (60, 4)] {
        let mut cluster = Cluster::off(nodes, seed, rules(|c| c.seeds = 0..1, nodes));
        let mut starts: Vec<(u64, u32)> =
            (0..nodes).map(|me| (cluster.chance.random_range(0..100), me)).collect();
        starts.sort_unstable();
        for (at, me) in starts {
            cluster.run_to(at);
            cluster.start(me, 0);
        }
        let all: Vec<u32> = (0..nodes).collect();
        // A join that finds the seed not yet there is repeated after a second.
        let agreed = cluster.run_until_agreed(&all, 500);
        assert!(agreed > 1, "{nodes} nodes");
        cluster.run_to(3_000);
        assert!(cluster.agree_on(&all), "{nodes} nodes");
        let unfounded = cluster.notices.iter().any(|(.., n)| !matches!(n, Notice::Joined(_)));
        assert!(!unfounded, "{nodes} nodes: nobody failed, nobody may be suspected");
    }
}

/// Goal: first detection takes the time of the SWIM paper. Method: one node of N never answers;
/// periods until one of the others picks it as its random target, against the geometric law (of the
/// reference values `p17_swim_first_detection`: 1.514 960 for N = 8), whose rule R3 wants a half width (99 %) below 5 %. A node that is
/// found stays a suspect, so the next period is a fresh trial.
#[test]
fn first_detection_agrees_with_swim() {
    const TRIALS: usize = 1_600;
    for nodes in [2_u32, 8, 16, 32, 64] {
        // Of the others, each picks it with chance 1/(N - 1), and any of them will do.
        let others = f64::from(nodes - 1);
        let expected = 1.0 / (1.0 - libm::pow(1.0 - 1.0 / others, others));
        let rules = rules(
            |c| {
                c.probe_order = ProbeOrder::Random;
                c.probe_interval_ns = 40 * MILLISECOND;
                c.probe_timeout_ns = 20 * MILLISECOND;
                c.lifeguard = false;
                c.indirect = 0;
                c.suspicion_mult = 1_000_000;
                c.gossip_nodes = 0;
                c.piggyback = 0;
                c.sync_interval_ns = 1_000_000_000_000;
            },
            nodes,
        );
        let mut cluster = Cluster::formed(nodes, 7, rules);
        cluster.nodes[0].stop();
        let mut gaps = Vec::new();
        let mut gap = 0.0;
        let mut period = 0;
        while gaps.len() < TRIALS {
            period += 1;
            gap += 1.0;
            cluster.run_to(period * 4);
            if std::mem::take(&mut cluster.pinged).contains(&0) {
                gaps.push(gap);
                gap = 0.0;
            }
        }
        let n = gaps.len() as f64;
        let mean = gaps.iter().sum::<f64>() / n;
        let variance = gaps.iter().map(|g| (g - mean).powi(2)).sum::<f64>() / (n - 1.0);
        let half_width = 2.58 * (variance / n).sqrt();
        assert!(half_width <= 0.05 * mean, "{nodes} nodes: {half_width}");
        assert!((mean - expected).abs() <= half_width, "{nodes}: {mean} +- {half_width}");
    }
}

/// Goal: suspicions last as memberlist's do. Method: the table of its defaults, and the shape
/// between its ends.
#[test]
fn suspicions_last_as_long_as_those_of_memberlist() {
    for (members, min_s, max_s) in [(5, 4, 24), (10, 4, 24), (100, 8, 48), (1_000, 12, 72)] {
        let rules = rules(|_| {}, members);
        assert_eq!(rules.confirmations(members), 2);
        assert_eq!(rules.suspicion(members, 0), max_s * 100, "{members}, nobody agrees");
        assert_eq!(rules.suspicion(members, 2), min_s * 100, "{members}, two agree");
        assert_eq!(rules.suspicion(members, 5), min_s * 100, "{members}, more agree");
        // One of two confirmations: ln 2 / ln 3 of the way.
        let one = max_s as f64 - (max_s - min_s) as f64 * 0.630_929_753_571_457_4;
        assert_eq!(rules.suspicion(members, 1), (one * 100.0).ceil() as u64, "{members}, one");
    }
    // Nobody is there to confirm: no use in waiting.
    let rules = rules(|_| {}, 3);
    assert_eq!(rules.suspicion(3, 0), 400);
    assert_eq!((rules.retransmits(9), rules.retransmits(10), rules.retransmits(100)), (4, 8, 12));
    assert_eq!([32, 33, 64, 65].map(|n| rules.sync_scale(n)), [1, 2, 2, 3]);
}

/// Goal: a crash is known to all in the time the rules give, and never to nobody. Method: a node
/// stops; detection within one round of probes, the suspicion and the spread of the news.
#[test]
fn a_crash_is_detected_by_all_within_the_bound() {
    for seed in 0..20 {
        let nodes = 10;
        let mut cluster = Cluster::formed(nodes, seed, rules(|_| {}, nodes));
        cluster.run_to(1_000);
        cluster.nodes[3].stop();
        let live: Vec<u32> = (0..nodes).filter(|&n| n != 3).collect();
        let took = cluster.run_until_agreed(&live, 20_000) - 1_000;
        // First suspicion within two probe intervals, its shortest length 4, its longest 24; news
        // within a second.
        assert!((400..=2_800).contains(&took), "seed {seed}: {took} quanta");
        let deaths: Vec<u32> = cluster
            .notices
            .iter()
            .filter_map(|&(_, _, n)| if let Notice::Died(node) = n { Some(node) } else { None })
            .collect();
        assert_eq!(deaths, [3; 9], "seed {seed}");
    }
}

/// Goal: a node wrongly accused is never buried while it can speak. Method: an accusation is put
/// into one node's list; the accused hears of it and everybody takes it for alive again, at a
/// larger incarnation.
#[test]
fn the_accused_refutes() {
    for seed in 0..20 {
        let nodes = 12;
        let mut cluster = Cluster::formed(nodes, seed, rules(|_| {}, nodes));
        cluster.run_to(500);
        cluster.call(4, |node, turn| node.accuse(7, turn));
        assert_eq!(cluster.nodes[4].state_of(7), Some(State::Suspect));
        cluster.run_to(1_500);
        for node in &cluster.nodes {
            assert_eq!(node.state_of(7), Some(State::Alive), "seed {seed}");
            assert_eq!(node.members[7].unwrap().incarnation, 1, "seed {seed}: one refutation");
        }
        assert!(!cluster.notices.iter().any(|(.., n)| *n == Notice::Died(7)), "seed {seed}");
    }
}

/// Goal: a partition buries the other side, and healing digs it up again, though everybody has
/// stopped gossiping to the dead. Method: cut for two minutes, heal, wait two reconnect intervals.
#[test]
fn two_halves_converge_after_the_partition_heals() {
    for seed in 0..10 {
        let nodes = 10;
        let mut cluster = Cluster::formed(nodes, seed, rules(|_| {}, nodes));
        cluster.delay = |c, from, to| (!c.split || (from < 5) == (to < 5)).then_some(1);
        cluster.run_to(300);
        cluster.split = true;
        cluster.run_to(12_300);
        for me in 0..nodes {
            let half: Vec<u32> = if me < 5 { (1..5).collect() } else { (5..10).collect() };
            let live = (0..nodes).filter(|&n| cluster.nodes[me as usize].takes_for_live(n));
            let known: Vec<u32> = live.filter(|n| half.contains(n) || *n == 0).collect();
            assert!(known.len() >= half.len(), "seed {seed}: a side keeps together");
            let other = if me < 5 { 9 } else { 1 };
            assert!(!cluster.nodes[me as usize].takes_for_live(other), "seed {seed}");
        }
        cluster.split = false;
        let all: Vec<u32> = (0..nodes).collect();
        let healed = cluster.run_until_agreed(&all, 20_000) - 12_300;
        // The first knock comes within 30 s of healing, and then it is a matter of gossip.
        assert!(healed <= 3_000 + 200, "seed {seed}: {healed} quanta");
        // And it lasts: no list still holds a suspicion that nobody can refute.
        cluster.run_to(cluster.quantum + 6_000);
        assert!(cluster.agree_on(&all), "seed {seed}");
    }
}

/// Goal: a leave is no crash: everybody knows at once and nobody suspects. The way back is open.
#[test]
fn a_node_leaves_in_one_message_and_may_come_back() {
    let nodes = 10;
    let mut cluster = Cluster::formed(nodes, 1, rules(|_| {}, nodes));
    cluster.run_to(500);
    cluster.call(2, Membership::leave);
    let rest: Vec<u32> = (0..nodes).filter(|&n| n != 2).collect();
    assert_eq!(cluster.run_until_agreed(&rest, 503), 502);
    cluster.run_to(5_000);
    assert!(cluster.agree_on(&rest));
    let blamed = |n: &Notice| matches!(n, Notice::Suspected(_) | Notice::Died(_));
    assert!(!cluster.notices.iter().any(|(.., notice)| blamed(notice)));
    cluster.start(2, 1);
    let all: Vec<u32> = (0..nodes).collect();
    assert!(cluster.run_until_agreed(&all, 5_200) < 5_200);
}

/// Goal: a restart faster than its detection is not a death, and the only seed finds its cluster
/// again though it has nobody to ask.
#[test]
fn a_restarted_seed_is_found_by_the_others() {
    let nodes = 8;
    let mut cluster = Cluster::formed(nodes, 3, rules(|c| c.seeds = 0..1, nodes));
    cluster.run_to(500);
    cluster.nodes[0].stop();
    cluster.run_to(520);
    cluster.start(0, 1);
    let all: Vec<u32> = (0..nodes).collect();
    let agreed = cluster.run_until_agreed(&all, 2_000);
    assert!(agreed < 900, "{agreed}");
    cluster.run_to(6_000);
    assert!(cluster.agree_on(&all));
    assert!(!cluster.notices.iter().any(|(.., n)| *n == Notice::Died(0)));
}

/// Goal: the dead are forgotten, and only the dead.
#[test]
fn the_dead_are_reaped() {
    let nodes = 6;
    let mut cluster = Cluster::formed(nodes, 3, rules(|c| c.reap_ns = 60_000 * MILLISECOND, nodes));
    cluster.nodes[5].stop();
    cluster.run_to(5_000);
    assert_eq!(cluster.nodes[0].state_of(5), Some(State::Dead));
    cluster.run_to(10_000);
    for node in &cluster.nodes[..5] {
        assert_eq!(node.state_of(5), None);
        assert_eq!(node.others().len(), 4);
    }
}

/// Wrongly buried or suspected nodes of a cluster in which one node hears everything late.
fn blamed_by_a_slow_node(lifeguard: bool, seed: u64) -> usize {
    let nodes = 16;
    let mut cluster = Cluster::formed(nodes, seed, rules(|c| c.lifeguard = lifeguard, nodes));
    cluster.slow = 130;
    // What reaches the slow node waits in its queue for longer than a probe takes.
    cluster.delay = |c, _, to| Some(if to == 3 { c.slow } else { 1 });
    cluster.run_to(30_000);
    let blamed = cluster.notices.iter().filter(|(.., notice)| match notice {
        Notice::Suspected(node) | Notice::Died(node) => *node != 3,
        _ => false,
    });
    blamed.count()
}

/// Goal: Lifeguard makes a slow node accuse fewer healthy ones (its paper: by a factor of 50 and
/// more under load). Method: the same clusters with and without it.
#[test]
fn a_slow_node_accuses_fewer_with_lifeguard() {
    let blamed =
        |lifeguard| -> usize { (0..5).map(|seed| blamed_by_a_slow_node(lifeguard, seed)).sum() };
    let (without, with) = (blamed(false), blamed(true));
    assert!(without > 100, "the slow node accuses: {without}");
    assert!(with * 4 < without, "{with} with Lifeguard, {without} without");
}

/// Goal: a call too many changes nothing: engines may skip quanta in which nothing is due. Method:
/// one cluster ticked every quantum, one only when due.
#[test]
fn idle_quanta_may_be_skipped() {
    for seed in 0..10 {
        let nodes = 9;
        let script = |every: bool| {
            let mut cluster = Cluster::off(nodes, seed, rules(|c| c.seeds = 0..2, nodes));
            for me in 0..nodes {
                cluster.start(me, 0);
            }
            let mut log = Vec::new();
            for quantum in 0..8_000 {
                cluster.quantum = quantum;
                match quantum {
                    1_000 => cluster.nodes[4].stop(),
                    2_500 => cluster.call(5, Membership::leave),
                    5_000 => cluster.start(4, 1),
                    _ => {}
                }
                let mut busy = vec![every; nodes as usize];
                for (to, from, message) in cluster.post.remove(&quantum).unwrap_or_default() {
                    busy[to as usize] = true;
                    cluster.call(to, |node, turn| node.handle(from, &message, turn));
                    log.push((quantum, from, to, message));
                }
                for me in 0..nodes {
                    let due = cluster.nodes[me as usize].next_due(&cluster.rules);
                    if busy[me as usize] || due <= quantum {
                        cluster.call(me, Membership::tick);
                    }
                }
            }
            (log, cluster.notices)
        };
        let (every, due) = (script(true), script(false));
        assert!(every.0.len() > 1_000);
        assert!(every == due, "seed {seed}");
    }
}

/// Goal: merging is a maximum: order and repetition of claims about known nodes change nothing.
#[test]
fn claims_merge_in_any_order() {
    for seed in 0..200 {
        let mut chance = stream(seed, 0, Purpose::Policy, 0);
        let claims: Vec<Claim> = (0..12)
            .map(|_| Claim {
                node: chance.random_range(1..4),
                incarnation: chance.random_range(0..3),
                state: [State::Alive, State::Suspect, State::Dead, State::Left]
                    [chance.random_range(0..4)],
                by: chance.random_range(1..4),
            })
            .collect();
        let merged = |claims: &[Claim]| {
            let mut cluster = Cluster::formed(4, 0, rules(|_| {}, 4));
            for &claim in claims {
                cluster.call(0, |node, turn| node.learn(claim, turn));
            }
            let node = &cluster.nodes[0];
            (1..4).map(|n| node.members[n].unwrap().rank()).collect::<Vec<_>>()
        };
        let mut other = claims.clone();
        other.reverse();
        other.extend_from_slice(&claims);
        assert_eq!(merged(&claims), merged(&other), "seed {seed}");
        let newest = |n: u32| claims.iter().filter(|c| c.node == n).map(Claim::rank).max();
        for (n, rank) in (1..4).zip(merged(&claims)) {
            assert_eq!(rank, newest(n).unwrap_or((0, 0)).max((0, 0)), "seed {seed}");
        }
    }
}
