//! A member, and what is claimed of it.
//!
//! Claims about one node are totally ordered by (incarnation, state); a member list holds the
//! largest claim it has seen of each node. Taking the maximum is commutative, associative and
//! idempotent, so all who have seen the same claims hold the same list. Only the node itself may
//! raise its incarnation.

/// What a node may be. The order decides between claims of the same incarnation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum State {
    /// It answers.
    #[default]
    Alive,
    /// It did not answer; it still counts as a member.
    Suspect,
    /// It did not answer for long, and nobody has heard it object.
    Dead,
    /// It has said that it leaves.
    Left,
}

impl State {
    /// Counts as a member.
    pub const fn is_live(self) -> bool {
        matches!(self, Self::Alive | Self::Suspect)
    }
}

/// What one node holds of another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Member {
    /// Its state.
    pub state: State,
    /// Its incarnation: set by itself, raised to refute.
    pub incarnation: u64,
    /// Quantum of the last change of either.
    pub since: u64,
}

impl Member {
    /// See the module documentation.
    pub const fn rank(&self) -> (u64, u8) {
        (self.incarnation, self.state as u8)
    }
}

/// A claim about a node, as it travels. See [`super::message::CLAIM_BYTES`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Claim {
    /// About whom.
    pub node: u32,
    /// Of which incarnation.
    pub incarnation: u64,
    /// What it is.
    pub state: State,
    /// Who says so: of a suspicion, the accuser.
    pub by: u32,
}

impl Claim {
    /// See the module documentation.
    pub const fn rank(&self) -> (u64, u8) {
        (self.incarnation, self.state as u8)
    }
}
