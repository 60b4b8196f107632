//! What a policy hears of an attempt that has ended.

pub use crate::network::Status;
use crate::time::Nanos;

/// An attempt has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    /// When the node heard of it [ns].
    pub at_ns: Nanos,
    /// When the attempt left the node [ns]; 0 unless the policy asked for it
    /// ([`crate::policy::Needs::timed_answers`]).
    pub sent_ns: Nanos,
    /// How it ended; `None`: nobody waits for it any more (its client has given up).
    pub status: Option<Status>,
}

impl Answer {
    /// From leaving to the end of the attempt [ns], with [`crate::policy::Needs::timed_answers`].
    pub const fn took_ns(&self) -> Nanos {
        self.at_ns - self.sent_ns
    }

    /// The attempt ended well.
    pub const fn is_ok(&self) -> bool {
        matches!(self.status, Some(Status::Ok))
    }
}
