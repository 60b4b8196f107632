//! Membership of the nodes: how one node finds the others, and how it learns that they are gone.
//!
//! SWIM (Das, Gupta, Motivala 2002) as memberlist runs it, with Lifeguard (Dadgar, Phillips, Currey
//! 2017) as a switch. Pure: it knows no world, no network and no clock. Whoever owns it calls
//! [`Membership::handle`] with what has arrived and then [`Membership::tick`], with the present
//! quantum and a stream of random numbers; what is to be sent comes out. A call of `tick` before
//! [`Membership::next_due`] changes nothing.
//!
//! * **Join.** A node starts knowing itself and its seeds. It sends `Join` to every seed, and again
//!   each probe interval while it is alone. The answer is the whole member list; the seed spreads
//!   the news of the newcomer.
//! * **Probe.** Each probe interval the next member of a shuffled ring is pinged, so that every
//!   member is looked at once a round; without an `Ack` within the probe timeout, `indirect` others
//!   are asked to ping it; without any by the end of the interval it is *suspected*.
//! * **Suspicion.** See `suspicion`: it ends in death, sooner the more members confirm it, unless
//!   the accused refutes it by a larger incarnation.
//! * **Dissemination.** See `rumours`: news ride on every message, and on gossip of their own.
//! * **Merge.** Of two claims about a node the larger wins, by (incarnation, state): the maximum of
//!   a total order, so neither order nor repetition of messages matters (see [`member`]).
//! * **Leave.** A node that leaves says so to every member it knows, and is silent from then on.
//! * **Healing.** Both sides of a partition that lasts bury each other, and plain SWIM never speaks
//!   to the dead again. So (as Serf does) each node tries to `Join` one of its dead, or a seed it
//!   misses, every reconnect interval; the dead are gossiped to for a while; and whoever hears from
//!   a node it believes dead tells it so, upon which that node refutes. Once one message crosses,
//!   both sides learn of each other by ordinary dissemination.
//!
//! Every start of a node has a larger incarnation than everything said of its earlier lives
//! (`generation << 32`, as Cassandra's generation), so a restarted node needs no refutation.

pub mod member; // a member and what is claimed of it
pub mod message; // what nodes send each other
mod probe; // who is asked whether it lives
pub mod rules; // the scenario's numbers in quanta
mod rumours; // news on their way
mod suspicion; // accused, not yet dead
#[cfg(test)]
mod tests;

use crate::rng::{Stream, below};

use member::{Claim, Member, State};
use message::{Kind, Message};
use probe::Prober;
use rules::Rules;
use rumours::Rumours;
use suspicion::Suspicions;

/// Highest local health score: Lifeguard's timers stretch to 8 times their length.
const HEALTH_MAX: u32 = 7;

/// What a node's membership wants to happen.
#[derive(Clone, Debug, Default)]
pub struct Output {
    /// Messages to send, in order, with their receivers.
    pub messages: Vec<(u32, Message)>,
    /// What it has come to believe.
    pub notices: Vec<Notice>,
}

/// A change of belief.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notice {
    /// A node counts as a member from now on.
    Joined(u32),
    /// This node has itself come to suspect another.
    Suspected(u32),
    /// A node counts as dead from now on.
    Died(u32),
    /// A node has said that it leaves.
    Left(u32),
}

/// One call's surroundings.
pub struct Turn<'a> {
    /// The scenario's numbers.
    pub rules: &'a Rules,
    /// The present quantum.
    pub quantum: u64,
    /// The node's own stream for membership.
    pub stream: &'a mut Stream,
    /// Where results go.
    pub out: &'a mut Output,
}

/// Whether a node takes part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Off,
    On,
    Left,
}

/// One node's membership. See the module documentation.
#[derive(Clone, Debug)]
pub struct Membership {
    me: u32,
    stage: Stage,
    incarnation: u64,
    /// What is known of each node, this one included once it has started.
    members: Vec<Option<Member>>,
    /// Live members other than this node, by id.
    others: Vec<u32>,
    /// Members known to be dead or gone, by id.
    gone: Vec<u32>,
    rumours: Rumours,
    suspicions: Suspicions,
    prober: Prober,
    /// Lifeguard's local health score: 0 is well, [`HEALTH_MAX`] is poor.
    health: u32,
    next_gossip: u64,
    next_sync: u64,
    next_reconnect: u64,
    next_join: u64,
    scratch: Vec<u32>,
}

impl Membership {
    /// Memory a member takes [bytes]: what is known of it, the news of it, its places in the list of
    /// the live, in the ring and among those drawn.
    pub(crate) const MEMBER_BYTES: usize =
        size_of::<Option<Member>>() + Rumours::RUMOUR_BYTES + 3 * size_of::<u32>();

    /// The membership of node `me` of a run with at most `nodes` nodes; it has not started.
    pub fn new(me: u32, nodes: u32) -> Self {
        Self {
            me,
            stage: Stage::Off,
            incarnation: 0,
            members: vec![None; nodes as usize],
            others: Vec::new(),
            gone: Vec::new(),
            rumours: Rumours::default(),
            suspicions: Suspicions::default(),
            prober: Prober::default(),
            health: 0,
            next_gossip: u64::MAX,
            next_sync: u64::MAX,
            next_reconnect: u64::MAX,
            next_join: u64::MAX,
            scratch: Vec::new(),
        }
    }

    /// The node starts, for the `generation`-th time, with an empty list, and joins by its seeds.
    pub fn start(&mut self, generation: u32, turn: &mut Turn<'_>) {
        let Turn { rules, quantum, .. } = *turn;
        self.stop();
        self.stage = Stage::On;
        self.incarnation = u64::from(generation) << 32;
        let mine = Member { state: State::Alive, incarnation: self.incarnation, since: quantum };
        self.members[self.me as usize] = Some(mine);
        // Random phases, so that nodes started together do not work in step.
        let mut phase = |interval: u64| {
            quantum + u64::from(below(turn.stream, interval.min(u64::from(u32::MAX)) as u32))
        };
        self.prober.start(phase(rules.probe_interval));
        self.next_gossip = phase(rules.gossip_interval);
        self.next_sync = phase(rules.sync_interval);
        self.next_reconnect = phase(rules.reconnect_interval);
        self.next_join = quantum;
    }

    /// The node crashes: it takes part no longer, and forgets everything when it starts again.
    pub fn stop(&mut self) {
        let prober = self.prober.stopped();
        *self = Self { prober, ..Self::new(self.me, self.members.len() as u32) };
    }

    /// The node leaves: it tells every live member and is silent from then on.
    pub fn leave(&mut self, turn: &mut Turn<'_>) {
        if self.stage != Stage::On {
            return;
        }
        self.stage = Stage::Left;
        for index in 0..self.others.len() {
            let to = self.others[index];
            self.send(to, Kind::Gossip, turn);
        }
    }

    /// Takes in a message from node `from`. Messages of a boundary come in the order of their
    /// senders.
    pub fn handle(&mut self, from: u32, message: &Message, turn: &mut Turn<'_>) {
        if self.stage != Stage::On || from == self.me {
            return;
        }
        let alone = self.others.is_empty();
        let incarnation = self.incarnation;
        self.learn(message.sender_claim(from), turn);
        for claim in &message.claims {
            self.learn(message.reading_of(*claim, from), turn);
        }
        match message.kind {
            Kind::Ping { sequence } => self.send(from, Kind::Ack { sequence }, turn),
            Kind::PingFor { target, sequence } => self.relay(from, target, sequence, turn),
            Kind::Ack { sequence } => self.acknowledged(sequence, turn),
            Kind::Nack { sequence } => self.prober.nack(sequence),
            Kind::Join => self.send(from, Kind::State, turn),
            Kind::State | Kind::Gossip => {
                let believed = self.state_of(from);
                if self.incarnation > incarnation || believed == Some(State::Dead) {
                    // Either it was wrong about this node, or this node may be wrong about it.
                    self.send(from, Kind::Gossip, turn);
                }
            }
        }
        let whole = matches!(message.kind, Kind::Join | Kind::State);
        if alone && !self.others.is_empty() && !whole {
            // Found before it found anybody: a restarted seed, say.
            self.send(from, Kind::Join, turn);
        }
    }

    /// Does what is due at the present quantum.
    pub fn tick(&mut self, turn: &mut Turn<'_>) {
        if self.stage != Stage::On {
            return;
        }
        self.probe(turn);
        self.bury(turn);
        self.gossip(turn);
        self.reach_out(turn);
        self.reap(turn);
    }

    /// The next quantum, after one in which [`Membership::tick`] has been called, at which it has
    /// something to do.
    pub fn next_due(&self, rules: &Rules) -> u64 {
        if self.stage != Stage::On {
            return u64::MAX;
        }
        let gossip = if self.rumours.is_empty() { u64::MAX } else { self.next_gossip };
        let reconnect = if self.misses_nobody(rules) { u64::MAX } else { self.next_reconnect };
        // What comes round at a fixed interval may be passed over while it has nothing to do; the
        // intervals of probes and of whole lists follow what the node knows, so they may not.
        self.prober
            .next_due()
            .min(self.suspicions.next_due())
            .min(gossip)
            .min(self.next_sync)
            .min(reconnect)
            .min(self.next_join)
            .min(self.next_reap(rules))
    }

    /// Takes in a claim.
    fn learn(&mut self, claim: Claim, turn: &mut Turn<'_>) {
        if claim.node == self.me {
            self.defend(claim, turn);
            return;
        }
        let Some(known) = self.members[claim.node as usize] else {
            // Of a stranger only life is news: nobody needs to be told that it is dead.
            if claim.state == State::Alive {
                self.believe(claim, turn);
            }
            return;
        };
        if claim.rank() > known.rank() {
            self.believe(claim, turn);
        } else if claim.rank() == known.rank() && claim.state == State::Suspect {
            let confirmed = self.suspicions.confirm(claim.node, claim.by, turn.rules);
            if confirmed {
                self.rumours.spread(claim);
            }
        }
    }

    /// Takes a claim over and spreads it.
    fn believe(&mut self, claim: Claim, turn: &mut Turn<'_>) {
        let node = claim.node;
        let before = self.members[node as usize].map(|member| member.state);
        let member =
            Member { state: claim.state, incarnation: claim.incarnation, since: turn.quantum };
        self.members[node as usize] = Some(member);
        let was_live = before.is_some_and(State::is_live);
        let is_live = claim.state.is_live();
        if is_live != was_live {
            if is_live {
                insert(&mut self.others, node);
                remove(&mut self.gone, node);
                self.prober.admit(node, turn.stream);
                turn.out.notices.push(Notice::Joined(node));
            } else {
                remove(&mut self.others, node);
                insert(&mut self.gone, node);
                let left = claim.state == State::Left;
                turn.out.notices.push(if left { Notice::Left(node) } else { Notice::Died(node) });
            }
        }
        self.suspicions.drop(node);
        if claim.state == State::Suspect {
            let members = self.others.len() as u32 + 1;
            self.suspicions.open(node, claim.by, members, turn.quantum, turn.rules);
            if claim.by == self.me {
                turn.out.notices.push(Notice::Suspected(node));
            }
        }
        self.rumours.spread(claim);
    }

    /// Answers a claim about this node itself.
    fn defend(&mut self, claim: Claim, turn: &mut Turn<'_>) {
        let stale = claim.incarnation < self.incarnation;
        let fine = claim.state == State::Alive && claim.incarnation == self.incarnation;
        if stale || fine {
            return;
        }
        self.incarnation = claim.incarnation + 1;
        let mine =
            Member { state: State::Alive, incarnation: self.incarnation, since: turn.quantum };
        self.members[self.me as usize] = Some(mine);
        self.rumours.spread(self.my_claim());
        // Whoever is accused has probably been too slow to answer.
        self.worsen(1, turn.rules);
    }

    fn my_claim(&self) -> Claim {
        let state = if self.stage == Stage::Left { State::Left } else { State::Alive };
        Claim { node: self.me, incarnation: self.incarnation, state, by: self.me }
    }

    /// Accuses a member that did not answer.
    fn accuse(&mut self, node: u32, turn: &mut Turn<'_>) {
        if let Some(Member { incarnation, state: State::Alive | State::Suspect, .. }) =
            self.members[node as usize]
        {
            let claim = Claim { node, incarnation, state: State::Suspect, by: self.me };
            self.learn(claim, turn);
        }
    }

    /// Declares dead whoever has been suspected for too long.
    fn bury(&mut self, turn: &mut Turn<'_>) {
        while let Some(node) = self.suspicions.expired(turn.quantum) {
            if let Some(Member { incarnation, state: State::Suspect, .. }) =
                self.members[node as usize]
            {
                let claim = Claim { node, incarnation, state: State::Dead, by: self.me };
                self.believe(claim, turn);
            }
        }
    }

    /// Spreads news by messages of their own.
    fn gossip(&mut self, turn: &mut Turn<'_>) {
        let Turn { rules, quantum, .. } = *turn;
        let due = catch_up(&mut self.next_gossip, quantum, rules.gossip_interval);
        if !due || self.rumours.is_empty() {
            return;
        }
        let mut listeners = std::mem::take(&mut self.scratch);
        listeners.clear();
        listeners.extend_from_slice(&self.others);
        let fresh = |&&node: &&u32| {
            self.members[node as usize].is_some_and(|member| {
                member.state == State::Dead && member.since + rules.gossip_to_dead > quantum
            })
        };
        listeners.extend(self.gone.iter().filter(fresh));
        let chosen = draw(&mut listeners, rules.gossip_nodes as usize, turn.stream);
        for &listener in &listeners[..chosen] {
            if self.rumours.is_empty() {
                break;
            }
            self.send(listener, Kind::Gossip, turn);
        }
        self.scratch = listeners;
    }

    /// Joins, compares whole lists, and knocks at the doors of the dead.
    fn reach_out(&mut self, turn: &mut Turn<'_>) {
        let Turn { rules, quantum, .. } = *turn;
        if self.next_join <= quantum {
            let has_seeds = rules.seeds.clone().any(|seed| seed != self.me);
            let alone = self.others.is_empty() && has_seeds;
            self.next_join = if alone { quantum + rules.probe_interval } else { u64::MAX };
            for seed in rules.seeds.clone().filter(|_| alone) {
                if seed != self.me {
                    self.send(seed, Kind::Join, turn);
                }
            }
        }
        let interval = rules.sync_interval * rules.sync_scale(self.others.len() as u64 + 1);
        if catch_up(&mut self.next_sync, quantum, interval) && !self.others.is_empty() {
            let to = self.others[below(turn.stream, self.others.len() as u32) as usize];
            self.send(to, Kind::Join, turn);
        }
        if catch_up(&mut self.next_reconnect, quantum, rules.reconnect_interval)
            && !self.misses_nobody(rules)
        {
            let mut missed = std::mem::take(&mut self.scratch);
            missed.clear();
            missed.extend(self.missed(rules));
            if !missed.is_empty() {
                let to = missed[below(turn.stream, missed.len() as u32) as usize];
                self.send(to, Kind::Join, turn);
            }
            self.scratch = missed;
        }
    }

    /// Nodes this one should be in touch with and is not: its dead, and seeds it does not know.
    fn missed<'a>(&'a self, rules: &'a Rules) -> impl Iterator<Item = u32> + 'a {
        let dead = |&node: &u32| self.state_of(node) == Some(State::Dead);
        let stranger = |&seed: &u32| {
            seed != self.me && self.state_of(seed).is_none() && !self.others.is_empty()
        };
        self.gone.iter().copied().filter(dead).chain(rules.seeds.clone().filter(stranger))
    }

    fn misses_nobody(&self, rules: &Rules) -> bool {
        self.missed(rules).next().is_none()
    }

    /// Forgets those long gone.
    fn reap(&mut self, turn: &Turn<'_>) {
        if self.next_reap(turn.rules) <= turn.quantum {
            let members = &mut self.members;
            self.gone.retain(|&node| {
                let member = &mut members[node as usize];
                let keep = member.is_some_and(|m| m.since + turn.rules.reap > turn.quantum);
                if !keep {
                    *member = None;
                }
                keep
            });
        }
    }

    fn next_reap(&self, rules: &Rules) -> u64 {
        let since = |&node: &u32| self.members[node as usize].map(|member| member.since);
        self.gone
            .iter()
            .filter_map(since)
            .min()
            .map_or(u64::MAX, |at| at.saturating_add(rules.reap))
    }

    /// Sends a message, with as many news as it can carry; a `Join` or `State` carries everything.
    fn send(&mut self, to: u32, kind: Kind, turn: &mut Turn<'_>) {
        let mut claims = Vec::new();
        if matches!(kind, Kind::Join | Kind::State) {
            claims.extend(self.claims().filter(|claim| claim.node != self.me));
        } else {
            // Whoever is thought dead or dying hears it first: it may refute.
            if let Some(member) = self.members[to as usize]
                && matches!(member.state, State::Suspect | State::Dead)
            {
                let Member { state, incarnation, .. } = member;
                claims.push(Claim { node: to, incarnation, state, by: self.me });
            }
            let limit = turn.rules.retransmits(self.others.len() as u64 + 1);
            self.rumours.take(turn.rules.piggyback as usize, limit, &mut claims);
        }
        let leaving = self.stage == Stage::Left;
        let message = Message { kind, incarnation: self.incarnation, leaving, claims };
        turn.out.messages.push((to, message));
    }

    /// Lifeguard: the node itself has failed in something.
    fn worsen(&mut self, by: u32, rules: &Rules) {
        if rules.lifeguard {
            self.health = (self.health + by).min(HEALTH_MAX);
        }
    }
}

/// What others may ask.
impl Membership {
    /// The live members but this node, by id.
    pub fn others(&self) -> &[u32] {
        &self.others
    }

    /// Takes part: has started, and neither crashed nor left since.
    pub fn is_on(&self) -> bool {
        self.stage == Stage::On
    }

    /// Whether this node takes another (or itself) for a live member.
    pub fn takes_for_live(&self, node: u32) -> bool {
        self.state_of(node).is_some_and(State::is_live)
    }

    /// What this node believes of another; `None`: it has never heard of it, or forgotten it.
    pub fn state_of(&self, node: u32) -> Option<State> {
        self.members[node as usize].map(|member| member.state)
    }

    /// This node's present incarnation.
    pub const fn incarnation(&self) -> u64 {
        self.incarnation
    }

    /// Lifeguard's local health score.
    pub const fn health(&self) -> u32 {
        self.health
    }

    /// Everything this node believes, itself included.
    fn claims(&self) -> impl Iterator<Item = Claim> + '_ {
        (0..).zip(&self.members).filter_map(|(node, member)| {
            let Member { state, incarnation, .. } = (*member)?;
            Some(Claim { node, incarnation, state, by: self.me })
        })
    }
}

/// Moves a moment that comes round every `interval` to the first one after `quantum`; true when one
/// falls on `quantum`.
fn catch_up(next: &mut u64, quantum: u64, interval: u64) -> bool {
    if *next > quantum {
        return false;
    }
    let missed = (quantum - *next) / interval;
    let due = *next + missed * interval == quantum;
    *next += (missed + 1) * interval;
    due
}

/// Moves `count` distinct random entries to the front; returns how many there are.
fn draw(list: &mut [u32], count: usize, stream: &mut Stream) -> usize {
    let count = count.min(list.len());
    for index in 0..count {
        let other = index + below(stream, (list.len() - index) as u32) as usize;
        list.swap(index, other);
    }
    count
}

/// Inserts into a sorted list.
fn insert(list: &mut Vec<u32>, node: u32) {
    if let Err(place) = list.binary_search(&node) {
        list.insert(place, node);
    }
}

/// Removes from a sorted list.
fn remove(list: &mut Vec<u32>, node: u32) {
    if let Ok(place) = list.binary_search(&node) {
        list.remove(place);
    }
}
