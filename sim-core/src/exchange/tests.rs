//! The algebra of the exchange: a few nodes, messages in any order, lost or repeated, and restarts.

use proptest::prelude::*;

use super::*;
use crate::columns::fixture;
use crate::rng::RngExt;
use crate::rng::{Stream, stream};

/// Nodes that talk over a network which the test is.
struct Lab {
    setup: Setup,
    config: GossipConfig,
    nodes: Vec<(View, Sharing)>,
    mail: Vec<(u32, u32, Message)>,
    newest: Vec<u32>,
}

impl Lab {
    fn new(nodes: u32, servers: u32, config: GossipConfig) -> Self {
        let mut scenario = fixture::scenario();
        scenario.servers.truncate(1);
        scenario.servers[0].count = servers;
        scenario.nodes.count = nodes;
        scenario.gossip = Some(config.clone());
        let setup = Setup::new(&scenario, 0, 0);
        let node = |id| (View::new(&setup, true), Sharing::new(&setup, NodeId(id)));
        let nodes = (0..nodes).map(node).collect();
        Self { nodes, config, mail: Vec::new(), newest: vec![0; servers as usize], setup }
    }

    /// A server sends a new report, which one node hears.
    fn report(&mut self, server: u32, node: usize) {
        let newest = &mut self.newest[server as usize];
        *newest += 1;
        let bits = crate::rng::mix(u64::from(server) << 32 | u64::from(*newest));
        let report = Report {
            server,
            version: *newest,
            sent_quantum: *newest + 1,
            load: bits as u16 % 50,
            capacity: 4,
            latency_ns: (bits >> 20) as f32,
            ..Report::default()
        };
        let (view, sharing) = &mut self.nodes[node];
        if view.merge(&report) {
            sharing.note(&report, None, &view.versions);
        }
    }

    fn open(&mut self, from: u32, to: u32) {
        let (view, sharing) = &mut self.nodes[from as usize];
        let message = sharing.open(&self.config, to, &view.versions);
        self.mail.push((from, to, message));
    }

    fn deliver(&mut self, from: u32, to: u32, message: &Message) {
        let (view, sharing) = &mut self.nodes[to as usize];
        if let Some(answer) = sharing.receive(&self.config, view, from, message, |_, _| {}) {
            self.mail.push((to, from, answer));
        }
    }

    /// A node loses everything.
    fn restart(&mut self, node: u32) {
        let (view, sharing) = &mut self.nodes[node as usize];
        *view = View::new(&self.setup, true);
        sharing.reset(&self.setup, sharing.incarnation + 1, 7);
    }

    /// Exchanges in order between all pairs, without loss, until nothing is news any more.
    fn settle(&mut self) {
        self.mail.clear();
        let nodes = self.nodes.len() as u32;
        for _ in 0..1_000 {
            let before: Vec<_> = self.nodes.iter().map(|(view, _)| view.versions.clone()).collect();
            for (from, to) in (0..nodes).flat_map(|from| (0..nodes).map(move |to| (from, to))) {
                if from != to {
                    self.open(from, to);
                    while let Some((from, to, message)) = self.mail.pop() {
                        self.deliver(from, to, &message);
                    }
                }
            }
            // A cut may show news of others first; with 2 entries a packet at least.
            let after = self.nodes.iter().map(|(view, _)| &view.versions);
            if after.eq(&before) && self.nodes.iter().all(|(view, _)| view.versions == before[0]) {
                return;
            }
        }
        panic!("views did not settle");
    }

    /// Invariant 1 of the module, and that views never hold what no server said.
    fn assert_sound(&self) {
        for (a, (view, sharing)) in (0u32..).zip(&self.nodes) {
            for (&peer, kept) in &sharing.peers {
                let (_, other) = &self.nodes[peer as usize];
                if kept.incarnation != other.incarnation {
                    continue;
                }
                let b = &self.nodes[peer as usize].0;
                let mut log = other.log.clone();
                log.look(0, &b.versions, |report, _| {
                    let has = view.versions[ServerId(report.server)] >= report.version;
                    let above = log_number(&other.log, report) > kept.seen;
                    assert!(has || above, "{a} lacks {report:?}, seen of {peer}: {}", kept.seen);
                    true
                });
            }
            for ((_, version), newest) in view.versions.iter().zip(&self.newest) {
                assert!(version <= newest);
            }
        }
    }
}

fn log_number(log: &ChangeLog, report: &Report) -> u64 {
    log.number_of(report).expect("a live entry")
}

fn config(rng: &mut Stream) -> GossipConfig {
    GossipConfig {
        mode: [GossipMode::Push, GossipMode::Pull, GossipMode::PushPull][rng.random_range(0..3)],
        payload: [GossipPayload::Delta, GossipPayload::Full][usize::from(rng.random_bool(0.2))],
        mtu_bytes: [200, 400, 65_507][rng.random_range(0..3)],
        ..GossipConfig::default()
    }
}

/// A random history: reports, exchanges, deliveries in any order, loss, repetition, restarts.
fn history(lab: &mut Lab, rng: &mut Stream, steps: u32) {
    let (nodes, servers) = (lab.nodes.len() as u32, lab.newest.len() as u32);
    for _ in 0..steps {
        match rng.random_range(0..20) {
            0..5 => lab.report(rng.random_range(0..servers), rng.random_range(0..nodes) as usize),
            5..8 => {
                let from = rng.random_range(0..nodes);
                let to = (from + rng.random_range(1..nodes)) % nodes;
                lab.open(from, to);
            }
            8 if rng.random_bool(0.3) => lab.restart(rng.random_range(0..nodes)),
            _ if !lab.mail.is_empty() => {
                let one = rng.random_range(0..lab.mail.len());
                let (from, to, message) = lab.mail[one].clone();
                if !rng.random_bool(0.2) {
                    lab.mail.swap_remove(one);
                }
                if !rng.random_bool(0.2) {
                    lab.deliver(from, to, &message);
                }
            }
            _ => {}
        }
        lab.assert_sound();
    }
}

proptest! {
    /// Goal: whatever has happened to messages and nodes before, the invariant holds at every
    /// step, and once exchanges get through every change that any node still holds is everywhere.
    #[test]
    fn every_history_is_sound_and_settles(
        seed: u64, nodes in 2_u32..6, servers in 1_u32..12, steps in 0_u32..300,
    ) {
        let mut rng = stream(seed, 0, crate::rng::Purpose::Policy, 0);
        let mut lab = Lab::new(nodes, servers, config(&mut rng));
        history(&mut lab, &mut rng, steps);
        let held: Vec<u32> = (0..servers)
            .map(ServerId)
            .map(|server| lab.nodes.iter().map(|(view, _)| view.versions[server]).max().unwrap())
            .collect();
        lab.settle();
        lab.assert_sound();
        for (view, _) in &lab.nodes {
            prop_assert!(view.versions.iter().map(|(_, version)| version).eq(&held));
        }
    }

    /// Goal: what is sent changes the cost and not the views. Method: the same reports, heard by
    /// the same nodes, settled with deltas and with everything.
    #[test]
    fn delta_and_full_lead_to_equal_views(seed: u64, nodes in 2_u32..6, servers in 1_u32..12) {
        let views = [GossipPayload::Delta, GossipPayload::Full].map(|payload| {
            let mut rng = stream(seed, 0, crate::rng::Purpose::Policy, 0);
            let config = GossipConfig { payload, ..config(&mut rng) };
            let mut lab = Lab::new(nodes, servers, config);
            for _ in 0..60 {
                lab.report(rng.random_range(0..servers), rng.random_range(0..nodes) as usize);
                if rng.random_bool(0.3) {
                    lab.settle();
                }
            }
            lab.settle();
            let nodes = lab.nodes.into_iter();
            nodes.map(|(view, _)| (view.beliefs, view.versions)).collect::<Vec<_>>()
        });
        prop_assert!(views[0] == views[1]);
        prop_assert!(views[0].iter().all(|view| view == &views[0][0]), "they agree");
    }
}

/// Goal: the cost of an exchange follows what has changed. Method: two nodes that know a fleet, ten
/// changes, one exchange; the number of log entries looked at, for fleets of very different size.
#[test]
fn cost_follows_changes_and_not_servers() {
    for mode in [GossipMode::Push, GossipMode::Pull, GossipMode::PushPull] {
        let costs = [100, 1_000, 10_000].map(|servers| {
            let config = GossipConfig { mode, ..GossipConfig::default() };
            let mut lab = Lab::new(2, servers, config);
            for server in 0..servers {
                lab.report(server, server as usize % 2);
            }
            lab.settle();
            let looked = |lab: &Lab| lab.nodes.iter().map(|(_, s)| s.looked_at()).sum::<u64>();
            let before = looked(&lab);
            for server in 0..10 {
                lab.report(server, server as usize % 2);
            }
            lab.open(0, 1);
            let mut bytes = 0;
            while let Some((from, to, message)) = lab.mail.pop() {
                bytes += message.bytes();
                lab.deliver(from, to, &message);
            }
            (looked(&lab) - before, bytes)
        });
        assert_eq!(costs[0], costs[1], "{mode:?}");
        assert_eq!(costs[0], costs[2], "{mode:?}");
        assert!(costs[0].0 >= 5 && costs[0].0 <= 40, "{mode:?}: {costs:?}");
    }
}

/// Goal: a node is not sent what it has. Method: both have heard the same ten reports of servers;
/// deltas are empty. Then one is told of five by the other: they do not come back.
#[test]
fn what_the_other_side_has_is_not_sent() {
    let mut lab = Lab::new(2, 20, GossipConfig::default());
    for server in 0..10 {
        lab.report(server, 0);
        lab.newest[server as usize] -= 1;
        lab.report(server, 1);
    }
    for server in 10..15 {
        lab.report(server, 0);
    }
    let mut sent = Vec::new();
    for _ in 0..2 {
        lab.open(1, 0);
        while let Some((from, to, message)) = lab.mail.pop() {
            sent.push((from, message.reports().len()));
            lab.deliver(from, to, &message);
        }
    }
    // Syn, Ack, Delta; twice.
    assert_eq!(sent, [(1, 0), (0, 5), (1, 0), (1, 0), (0, 0), (1, 0)]);
}

/// Goal: the log stays short. Method: many more changes than servers.
#[test]
fn dead_entries_do_not_pile_up() {
    let mut lab = Lab::new(2, 100, GossipConfig::default());
    for change in 0..100_000 {
        lab.report(change % 100, 0);
    }
    let length = lab.nodes[0].1.log.length();
    assert!((100..=200).contains(&length), "{length} entries for 100 servers");
}
