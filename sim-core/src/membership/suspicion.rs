//! Suspicions: who is accused, since when, and who agrees.
//!
//! A suspicion lasts long when nobody else confirms it, because then the accuser is probably at
//! fault; each member that accuses the same node independently shortens it (Lifeguard's dynamic
//! timeout, the rule of memberlist; see [`super::rules::Rules::suspicion`]). At its end the accused
//! is dead.

use super::rules::Rules;

/// The open suspicions of one node.
#[derive(Clone, Debug, Default)]
pub struct Suspicions {
    open: Vec<Suspicion>,
}

#[derive(Clone, Debug)]
struct Suspicion {
    node: u32,
    opened: u64,
    /// Members when it was opened: the timer does not follow the cluster's size.
    members: u32,
    /// The first accuser, then those who confirmed.
    accusers: Vec<u32>,
    ends: u64,
}

impl Suspicions {
    /// Opens a suspicion of `node`.
    pub fn open(&mut self, node: u32, by: u32, members: u32, quantum: u64, rules: &Rules) {
        let ends = quantum + rules.suspicion(members, 0);
        let accusers = vec![by];
        self.open.push(Suspicion { node, opened: quantum, members, accusers, ends });
    }

    /// Takes in another accusation; false when it changes nothing.
    pub fn confirm(&mut self, node: u32, by: u32, rules: &Rules) -> bool {
        let Some(suspicion) = self.open.iter_mut().find(|open| open.node == node) else {
            return false;
        };
        let confirmed = suspicion.accusers.len() as u32 - 1;
        if confirmed >= rules.confirmations(suspicion.members) || suspicion.accusers.contains(&by) {
            return false;
        }
        suspicion.accusers.push(by);
        suspicion.ends = suspicion.opened + rules.suspicion(suspicion.members, confirmed + 1);
        true
    }

    /// Ends a suspicion, whatever has become of it.
    pub fn drop(&mut self, node: u32) {
        self.open.retain(|open| open.node != node);
    }

    /// A node whose time is up, smallest id first; its suspicion is ended.
    pub fn expired(&mut self, quantum: u64) -> Option<u32> {
        let due = self.open.iter().filter(|open| open.ends <= quantum);
        let node = due.map(|open| open.node).min()?;
        self.drop(node);
        Some(node)
    }

    /// When the next one ends.
    pub fn next_due(&self) -> u64 {
        self.open.iter().map(|open| open.ends).min().unwrap_or(u64::MAX)
    }
}
