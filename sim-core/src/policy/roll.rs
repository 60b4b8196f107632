//! Who is in a schedule: the servers a node may choose among, by places of the schedule's own.
//!
//! Most nodes know the whole fleet, and a server's place is its id. One that knows a part has a
//! schedule of that part, made anew when the part changes, as real balancers do when hosts come and go.

use crate::view::Candidates;

/// See the module documentation. By default nobody.
#[derive(Clone, Debug, Default)]
pub struct Roll {
    /// Changes of the part seen; `None`: nobody has looked.
    changes: Option<u32>,
    /// By place; `None`: everybody, by id.
    members: Option<Vec<u32>>,
    len: u32,
}

impl Roll {
    /// Looks who is there; true if that has changed, and at first.
    #[inline]
    pub fn has_changed(&mut self, candidates: &Candidates<'_>) -> bool {
        let changes = candidates.pool_changes();
        if self.changes == Some(changes) {
            return false;
        }
        let is_part = candidates.choosable() < candidates.len();
        self.members = is_part.then(|| candidates.servers().collect());
        self.len = candidates.choosable();
        self.changes = Some(changes);
        true
    }

    /// Whose place it is.
    #[inline]
    pub fn server(&self, place: u32) -> u32 {
        self.members.as_ref().map_or(place, |members| members[place as usize])
    }

    /// All servers by place.
    pub fn servers(&self) -> impl Iterator<Item = u32> + '_ {
        (0..self.len).map(|place| self.server(place))
    }

    /// Number of places.
    pub const fn places(&self) -> u32 {
        self.len
    }
}
