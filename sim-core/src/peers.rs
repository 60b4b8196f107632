//! Peers: nodes handle what other nodes have told them and say what they have to say.
//!
//! Changes the columns of one node at a time. What nodes send waits in their outboxes until all
//! are done, and is filed into the mailboxes then. It is handled on a later boundary, so the order
//! in which nodes are visited changes nothing.

use rayon::prelude::*;

use crate::clock::Clock;
use crate::cluster::{Cluster, Desk};
use crate::config::GossipConfig;
use crate::exchange::{Message, Sharing};
use crate::meters::NodeMeters;
use crate::peer_network::{self, PACKET_BYTES, Payload, PeerMail, PeerOut, Postage};
use crate::policy::{Policy, SelectionIndex};
use crate::roster::Roster;
use crate::setup::Setup;
use crate::view::View;

/// What changes when nodes talk: equal-length slices.
pub struct PeerColumns<'a> {
    /// Beliefs.
    pub views: &'a mut [View],
    /// Policies.
    pub indexes: &'a mut [SelectionIndex],
    /// Membership.
    pub clusters: &'a mut [Cluster],
    /// What each has to share.
    pub sharings: &'a mut [Sharing],
    /// Messages on their way to each.
    pub mails: &'a mut [PeerMail],
    /// What each has sent.
    pub outboxes: &'a mut [PeerOut],
    /// Counts.
    pub meters: &'a mut [NodeMeters],
}

/// One node of them.
struct PeerParts<'a> {
    view: &'a mut View,
    index: &'a mut SelectionIndex,
    cluster: &'a mut Cluster,
    sharing: &'a mut Sharing,
    mail: &'a mut PeerMail,
    outbox: &'a mut PeerOut,
    meters: &'a mut NodeMeters,
}

/// Lets every node take its turn, when the present tick starts on a boundary.
pub fn run(setup: &Setup, clock: &Clock, roster: &Roster, nodes: PeerColumns<'_>) {
    let Some(quantum) = clock.boundary else { return };
    if !setup.nodes_talk {
        return;
    }
    let PeerColumns { views, indexes, clusters, sharings, mails, outboxes, meters } = nodes;
    if clock.parallel {
        (&mut *views, indexes, clusters, sharings, &mut *mails, &mut *outboxes, meters)
            .into_par_iter()
            .enumerate()
            .for_each(|(node, (view, index, cluster, sharing, mail, outbox, meters))| {
                let parts = PeerParts { view, index, cluster, sharing, mail, outbox, meters };
                take_turn(setup, clock, quantum, roster, node as u32, parts);
            });
    } else {
        for node in clock.visit.order(views.len()) {
            let parts = PeerParts {
                view: &mut views[node],
                index: &mut indexes[node],
                cluster: &mut clusters[node],
                sharing: &mut sharings[node],
                mail: &mut mails[node],
                outbox: &mut outboxes[node],
                meters: &mut meters[node],
            };
            take_turn(setup, clock, quantum, roster, node as u32, parts);
        }
    }
    peer_network::deliver(outboxes, mails);
}

/// First all messages that have arrived, in their order; then what the node does of its own accord.
fn take_turn(
    setup: &Setup,
    clock: &Clock,
    quantum: u64,
    roster: &Roster,
    node: u32,
    parts: PeerParts<'_>,
) {
    let PeerParts { view, index, cluster, sharing, mail, outbox, meters } = parts;
    if !roster.is_up(node) {
        // What arrives finds nobody.
        while mail.take(quantum).is_some() {}
        if roster.is_running(node) {
            cluster.tick(&mut Desk { setup, roster, quantum, outbox, meters });
        }
        return;
    }
    while let Some(message) = mail.take(quantum) {
        let from = message.from;
        if clock.links.cut_between(from, node) {
            continue;
        }
        match (message.payload, &setup.gossip) {
            (Payload::Gossip(message), Some(config)) => {
                let answer = sharing.receive(config, view, from, &message, |server, belief| {
                    index.on_report(server, belief);
                });
                if let Some(answer) = answer {
                    let postage = postage(config, &answer);
                    outbox.send(setup, meters, quantum, from, Payload::Gossip(answer), postage);
                }
            }
            (Payload::Gossip(_), None) => {}
            (Payload::Membership(message), _) => {
                let mut desk = Desk { setup, roster, quantum, outbox, meters };
                cluster.handle(from, &message, &mut desk);
            }
        }
    }
    cluster.tick(&mut Desk { setup, roster, quantum, outbox, meters });
    if let (Some(host), Some(config)) = (cluster.take_host(), &setup.gossip) {
        let message = sharing.ask(config, host, &view.versions);
        let postage = postage(config, &message);
        outbox.send(setup, meters, quantum, host, Payload::Gossip(message), postage);
    }
    if let Some(config) = &setup.gossip
        && sharing.rounds.next_due() == Some(quantum)
    {
        for peer in peers(setup, config, node, cluster, sharing) {
            let message = sharing.open(config, peer, &view.versions);
            let postage = postage(config, &message);
            outbox.send(setup, meters, quantum, peer, Payload::Gossip(message), postage);
        }
        sharing.rounds.advance(setup, config, quantum);
    }
}

/// Whom a node turns to in a round: some of the nodes it takes for live, of all others without
/// membership.
pub fn peers(
    setup: &Setup,
    config: &GossipConfig,
    node: u32,
    cluster: &Cluster,
    sharing: &mut Sharing,
) -> Vec<u32> {
    if let Some(live) = cluster.peers() {
        let drawn = sharing.rounds.draw(live.len() as u32, config.fanout);
        return drawn.into_iter().map(|index| live[index as usize]).collect();
    }
    let mut drawn = sharing.rounds.draw(setup.nodes - 1, config.fanout);
    for peer in &mut drawn {
        *peer += u32::from(*peer >= node);
    }
    drawn
}

/// What a message costs and risks: it travels in packets of at most `mtu_bytes`, and is lost
/// with any of them.
pub fn postage(config: &GossipConfig, message: &Message) -> Postage {
    let bytes = message.bytes();
    let packets = bytes.div_ceil(u64::from(config.mtu_bytes));
    Postage { packets, bytes: bytes + packets * PACKET_BYTES, loss: config.loss }
}
