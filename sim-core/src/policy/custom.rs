//! A policy of the caller's own: what a scenario in memory names instead of a policy from the registry.
//!
//! ```
//! use sim_core::config::{CustomPolicy, PolicyConfig};
//! use sim_core::ids::ServerId;
//! use sim_core::policy::Policy;
//! use sim_core::rng::Stream;
//! use sim_core::view::Candidates;
//!
//! /// Sends everything to the first server there is.
//! #[derive(Debug)]
//! struct First;
//!
//! impl Policy for First {
//!     fn choose(&mut self, candidates: &Candidates<'_>, _: &mut Stream) -> Option<ServerId> {
//!         candidates.servers().find(|&server| candidates.is_eligible(server, true)).map(ServerId)
//!     }
//! }
//!
//! let policy = CustomPolicy::new("first", |_setup, _node, _stream| Box::new(First));
//! let policies = vec![PolicyConfig::Custom(policy)]; // The `policies` of a `Scenario`.
//! # assert_eq!(policies[0].name(), "first");
//! ```

use std::fmt;
use std::sync::Arc;

use super::{Needs, Policy};
use crate::ids::NodeId;
use crate::rng::Stream;
use crate::setup::Setup;

/// Gives a node its policy, at the start of a run and whenever the node starts anew. It may draw from
/// the stream, which is the one the policy will draw from.
pub type Factory = dyn Fn(&Setup, NodeId, &mut Stream) -> Box<dyn Policy> + Send + Sync;

/// See the module documentation.
#[derive(Clone)]
pub struct CustomPolicy {
    pub(super) name: &'static str,
    pub(super) needs: Needs,
    pub(super) corrects_own_sends: bool,
    factory: Arc<Factory>,
}

impl CustomPolicy {
    /// A policy called `name` in results, made by `factory`.
    pub fn new(
        name: &'static str,
        factory: impl Fn(&Setup, NodeId, &mut Stream) -> Box<dyn Policy> + Send + Sync + 'static,
    ) -> Self {
        let factory = Arc::new(factory);
        Self { name, needs: Needs::default(), corrects_own_sends: true, factory }
    }

    /// The same, with what it needs beyond reports and the node's own counts.
    #[must_use]
    pub const fn needing(mut self, needs: Needs) -> Self {
        self.needs = needs;
        self
    }

    /// The same, seeing reported loads as they are, not corrected by the node's own sends since.
    #[must_use]
    pub const fn with_raw_loads(mut self) -> Self {
        self.corrects_own_sends = false;
        self
    }

    pub(super) fn build(
        &self,
        setup: &Setup,
        node: NodeId,
        stream: &mut Stream,
    ) -> Box<dyn Policy> {
        (self.factory)(setup, node, stream)
    }
}

impl fmt::Debug for CustomPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, needs, corrects_own_sends, factory: _ } = self;
        f.debug_struct("CustomPolicy")
            .field("name", name)
            .field("needs", needs)
            .field("corrects_own_sends", corrects_own_sends)
            .finish_non_exhaustive()
    }
}

/// The same name, needs and factory: what factories make cannot be compared.
impl PartialEq for CustomPolicy {
    fn eq(&self, other: &Self) -> bool {
        let alike = |policy: &Self| (policy.name, policy.needs, policy.corrects_own_sends);
        alike(self) == alike(other) && Arc::ptr_eq(&self.factory, &other.factory)
    }
}
