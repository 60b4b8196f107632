//! What nodes of the reference engine tell each other: one event a message, one a round.

use sim_core::cluster::{Cluster, Desk};
use sim_core::exchange::{Message, Sharing};
use sim_core::ids::{NodeId, ServerId};
use sim_core::network::Report;
use sim_core::peer_network::{Letter, Payload, PeerMessage, PeerOut};
use sim_core::peers;
use sim_core::places::ByServer;
use sim_core::roster::{Roster, Standing};
use sim_core::setup::Setup;
use sim_core::time::Nanos;

use super::node::Node;
use super::{Event, Reference};

/// A node's side of the exchanges.
pub struct Talk {
    sharing: Sharing,
    pub cluster: Cluster,
    outbox: PeerOut,
    /// The quantum of the next `Members` event on the agenda, as far as this node knows.
    planned: Option<u64>,
}

impl Talk {
    pub fn new(setup: &Setup, id: NodeId, roster: &Roster) -> Self {
        Self {
            sharing: Sharing::new(setup, id),
            cluster: Cluster::new(setup, id, roster),
            outbox: PeerOut::new(setup, id),
            planned: None,
        }
    }

    /// The node has forgotten a server.
    pub fn forget(&mut self, server: ServerId) {
        self.sharing.forget(server);
    }

    /// The node has stopped.
    pub fn stop(&mut self) {
        self.sharing.pause();
        self.cluster.stop();
    }

    /// The node leaves.
    pub fn leave(&mut self) {
        self.sharing.pause();
        self.cluster.leave();
    }

    /// The node has started for the `starts`-th time after its first.
    pub fn start(&mut self, setup: &Setup, starts: u32, quantum: u64) {
        self.sharing.reset(setup, starts, quantum);
        self.cluster.start(setup, starts, quantum);
    }

    /// A server's report was news.
    pub fn note(&mut self, report: &Report, versions: &ByServer<u32>) {
        if self.sharing.is_on {
            self.sharing.note(report, None, versions);
        }
    }
}

impl Reference {
    /// Puts every node's first round on the agenda.
    pub(super) fn plan_rounds(&mut self) {
        for node in 0..self.setup.nodes {
            if self.roster.standing(node) == Standing::Up {
                self.plan_round(node);
                self.plan_members(node);
            } else {
                self.nodes[node as usize].talk.stop();
            }
        }
    }

    pub(super) fn plan_round(&mut self, node: u32) {
        let rounds = &self.nodes[node as usize].talk.sharing.rounds;
        if let Some(quantum) = rounds.next_due() {
            let at_ns = quantum * self.setup.ticks.quantum_ns;
            self.agenda.add(at_ns, Event::Round { node }, &self.jobs);
        }
    }

    /// Puts the next thing a node does as a member on the agenda, unless it is there.
    pub(super) fn plan_members(&mut self, node: u32) {
        let talk = &mut self.nodes[node as usize].talk;
        let Some(due) = talk.cluster.next_due() else { return };
        if talk.planned.is_none_or(|planned| due < planned) {
            talk.planned = Some(due);
            let at_ns = due * self.setup.ticks.quantum_ns;
            self.agenda.add(at_ns, Event::Members { node }, &self.jobs);
        }
    }

    /// A node does what is due of membership; an event too many does nothing.
    pub(super) fn members(&mut self, at_ns: Nanos, node: u32) {
        let quantum = at_ns / self.setup.ticks.quantum_ns;
        let planned = &mut self.nodes[node as usize].talk.planned;
        *planned = planned.filter(|&planned| planned > quantum);
        if self.roster.standing(node) == Standing::Down {
            return;
        }
        self.with_cluster(quantum, node, Cluster::tick);
        if let Some(config) = &self.setup.gossip {
            let Node { talk, view, .. } = &mut self.nodes[node as usize];
            if let Some(host) = talk.cluster.take_host() {
                let message = talk.sharing.ask(config, host, &view.versions);
                self.say(quantum, node, host, message);
            }
        }
        self.plan_members(node);
    }

    fn with_cluster(
        &mut self,
        quantum: u64,
        node: u32,
        act: impl FnOnce(&mut Cluster, &mut Desk<'_>),
    ) {
        let Self { setup, roster, nodes, .. } = self;
        let Node { talk: Talk { cluster, outbox, .. }, meters, .. } = &mut nodes[node as usize];
        act(cluster, &mut Desk { setup, roster, quantum, outbox, meters });
        self.post_letters(node);
    }

    pub(super) fn round(&mut self, at_ns: Nanos, node: u32) {
        let quantum = at_ns / self.setup.ticks.quantum_ns;
        // A node that has stopped since holds no round, nor one that has planned another.
        let due = self.nodes[node as usize].talk.sharing.rounds.next_due();
        let Some(config) = self.setup.gossip.as_ref().filter(|_| due == Some(quantum)) else {
            return;
        };
        let Node { talk, view, .. } = &mut self.nodes[node as usize];
        let opened: Vec<(u32, Message)> =
            peers::peers(&self.setup, config, node, &talk.cluster, &mut talk.sharing)
                .into_iter()
                .map(|peer| (peer, talk.sharing.open(config, peer, &view.versions)))
                .collect();
        talk.sharing.rounds.advance(&self.setup, config, quantum);
        for (peer, message) in opened {
            self.say(quantum, node, peer, message);
        }
        self.plan_round(node);
    }

    pub(super) fn message(&mut self, at_ns: Nanos, node: u32, message: PeerMessage) {
        let quantum = at_ns / self.setup.ticks.quantum_ns;
        let PeerMessage { from, payload, .. } = message;
        if self.roster.standing(node) != Standing::Up {
            return;
        }
        let message = match payload {
            Payload::Gossip(message) => message,
            Payload::Membership(message) => {
                self.with_cluster(quantum, node, |cluster, desk| {
                    cluster.handle(from, &message, desk);
                });
                // What the message has set off may be due at once.
                self.agenda.add(at_ns, Event::Members { node }, &self.jobs);
                return;
            }
        };
        let Some(config) = &self.setup.gossip else { return };
        self.nodes[node as usize].listen(&self.setup, at_ns);
        if let Some(answer) = self.nodes[node as usize].receive(config, from, &message) {
            self.say(quantum, node, from, answer);
        }
    }

    /// Sends a message.
    fn say(&mut self, quantum: u64, node: u32, to: u32, message: Message) {
        let Some(config) = &self.setup.gossip else { return };
        let Node { talk, meters, .. } = &mut self.nodes[node as usize];
        let postage = peers::postage(config, &message);
        talk.outbox.send(&self.setup, meters, quantum, to, Payload::Gossip(message), postage);
        self.post_letters(node);
    }

    /// Puts what a node has sent on the agenda.
    fn post_letters(&mut self, node: u32) {
        let talk = &mut self.nodes[node as usize].talk;
        for Letter { to, arrival, message } in talk.outbox.letters.drain(..) {
            let (from, sequence) = (message.from, message.sequence);
            let message = self.messages.add(message);
            let event = Event::Message { node: to, from, sequence, message };
            self.agenda.add(arrival * self.setup.ticks.quantum_ns, event, &self.jobs);
        }
    }
}

impl Node {
    fn receive(
        &mut self,
        config: &sim_core::config::GossipConfig,
        from: u32,
        message: &Message,
    ) -> Option<Message> {
        let Self { talk, view, chooser, .. } = self;
        talk.sharing.receive(config, view, from, message, |server, belief| {
            chooser.on_report(server, belief);
        })
    }
}
