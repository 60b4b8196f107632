//! Indices of the simulated things. Newtypes, so that a server can never be taken for a node.

/// One backend server: its position among all servers of the scenario, groups in file order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServerId(pub u32);

impl ServerId {
    /// The id as an index into a column with one entry a server.
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// One LB node: its position among all nodes of the scenario.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(pub u32);

impl NodeId {
    /// The id as an index into a column with one entry a node.
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}
