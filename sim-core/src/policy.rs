//! Policies: how a node chooses among the servers it believes in.
//!
//! A policy sees [`Candidates`], the node's beliefs at one moment, and never a server. The built-in
//! ones and your own keep the same contract, [`Policy`]; [`registry`] lists the built-in ones,
//! [`CustomPolicy`] takes in yours.
//!
//! **To add a policy**: a file with its parameters ([`Parameters`]) and its state ([`Policy`]), and a
//! line in [`registry`].

pub mod registry;
mod custom;
mod preset;
mod presets;
pub mod least_bad;

pub mod join_idle_queue;
pub mod prequal;
pub mod c3;
pub mod local_shortest_queue;
pub mod keyed;
pub mod lowest_latency;
pub mod maglev;
pub mod random;
pub mod rendezvous;
pub mod ring_hash;
pub mod round_robin;
pub mod two_choices;
pub mod tiered; // any of them, over servers in tiers

pub mod roll; // who is in a schedule
pub mod weights; // where weights come from
pub mod alias; // weighted draws
pub mod weighted_random;
pub mod edf; // earliest deadline first
pub mod edf_weighted_round_robin;
pub mod static_stride;
pub mod least_request;
pub mod heap_least_loaded;
pub mod haproxy_random;
pub mod peak_ewma;
pub mod nginx; // what NGINX's balancers share
pub mod smooth_weighted_round_robin;
pub mod nginx_least_connections;
pub mod nginx_random_two;
pub mod nginx_least_time;
pub mod load_interpretation;

pub use crate::notes::Notice;
pub use custom::{CustomPolicy, Factory};
pub use load_interpretation::LoadInterpretation;
pub use lowest_latency::{LowestLatency, tie_step};
pub use random::Random;
pub use registry::{Growth, Needs, Parameters};
pub use round_robin::RoundRobin;
pub use two_choices::TwoChoices;

use bevy_ecs::prelude::Component;

use crate::answer::Answer;
use crate::ids::ServerId;
use crate::notes::Note;
use crate::rng::Stream;
use crate::time::Nanos;
use crate::view::{Belief, Candidates, View};

/// The contract of a policy. One value a node; its state is the node's own.
///
/// What it is told comes in the order of the node's time; nothing else reaches it. A node that stops
/// loses its policy with all state, and gets a new one when it starts.
pub trait Policy: std::fmt::Debug + Send + Sync {
    /// Chooses a server that is eligible, or none. Draws from `stream` alone.
    ///
    /// A choice is no promise: a node may choose again at the same moment, and send nothing.
    fn choose(&mut self, candidates: &Candidates<'_>, stream: &mut Stream) -> Option<ServerId>;

    /// Asked when a choice has found nobody, of a policy that states [`Needs::holds_back`]: when another one may
    /// find somebody [ns], later than the choice; `Nanos::MAX` if no server is held back but there is none.
    ///
    /// A request held back waits at its node, whatever the scenario says of requests without a server. The first
    /// in line is tried again at that moment, on every boundary and with every answer.
    #[inline]
    fn held_until_ns(&self) -> Nanos {
        Nanos::MAX
    }

    /// Reads what the next `arrivals` choices will probably need, so that it is in the cache by
    /// then. Changes nothing: `stream` is where the choices will draw from.
    #[inline]
    fn touch_ahead(&self, _view: &View, _stream: &Stream, _arrivals: usize) {}

    /// Reads what hearing of `servers` will need. Changes nothing.
    #[inline]
    fn touch_servers(&self, _servers: impl Iterator<Item = u32>)
    where
        Self: Sized,
    {
    }

    /// A report about `server` was merged, or something else the node believes of it has changed.
    ///
    /// Reports of one moment come in no order, and one that came too late for its moment is not told:
    /// what is kept must follow from the newest belief alone.
    #[inline]
    fn on_report(&mut self, _server: ServerId, _belief: &Belief) {}

    /// An attempt leaves for `server` at `at_ns`; `belief.own` counts it already.
    #[inline]
    fn on_send(&mut self, _server: ServerId, _belief: &Belief, _at_ns: Nanos) {}

    /// An attempt at `server` ended, with whatever result; `belief.own` no longer counts it.
    #[inline]
    fn on_answer(&mut self, _server: ServerId, _belief: &Belief, _answer: &Answer) {}

    /// A server says how it is: of its own accord, with an answer, or because it was asked.
    #[inline]
    fn on_note(&mut self, _note: &Note, _at_ns: Nanos) {}

    /// A server asks for the number of idle servers the node knows of, itself not counted.
    #[inline]
    fn idle_known(&self, _question: &Note) -> u32 {
        0
    }

    /// Whom to ask how they are: called after the first attempt of each request has left, where the
    /// policy states the need. Whoever is put into `out` gets a probe, and answers with a note.
    #[inline]
    fn probes(&mut self, _: &Candidates<'_>, _: &mut Stream, _out: &mut Vec<ServerId>) {}

    /// Whether answers must say when their attempt left, if the run keeps it. Policies known at
    /// compile time never ask, so it costs them nothing.
    #[inline]
    fn times_answers(&self) -> bool
    where
        Self: Sized,
    {
        false
    }
}

/// One node's policy with its state: the selection index of the node.
#[derive(Component, Debug)]
pub enum SelectionIndex {
    /// The seed rule.
    LowestLatency(LowestLatency),
    /// A random eligible server.
    Random(Random),
    /// Eligible servers in turn.
    RoundRobin(RoundRobin),
    /// The least loaded of a few.
    TwoChoices(TwoChoices),
    /// Any other, the caller's own among them.
    Boxed(Box<dyn Policy>),
}

/// Runs `$body` with `$policy` bound to the policy inside: one branch, then static dispatch.
macro_rules! with_policy {
    ($index:expr, $policy:ident => $body:expr) => {
        match $index {
            $crate::policy::SelectionIndex::LowestLatency($policy) => $body,
            $crate::policy::SelectionIndex::Random($policy) => $body,
            $crate::policy::SelectionIndex::RoundRobin($policy) => $body,
            $crate::policy::SelectionIndex::TwoChoices($policy) => $body,
            $crate::policy::SelectionIndex::Boxed($policy) => $body,
        }
    };
}
pub(crate) use with_policy;

impl Policy for SelectionIndex {
    fn choose(&mut self, candidates: &Candidates<'_>, stream: &mut Stream) -> Option<ServerId> {
        with_policy!(self, policy => policy.choose(candidates, stream))
    }

    fn held_until_ns(&self) -> Nanos {
        with_policy!(self, policy => policy.held_until_ns())
    }

    fn on_report(&mut self, server: ServerId, belief: &Belief) {
        with_policy!(self, policy => policy.on_report(server, belief));
    }

    fn on_send(&mut self, server: ServerId, belief: &Belief, at_ns: Nanos) {
        with_policy!(self, policy => policy.on_send(server, belief, at_ns));
    }

    fn on_answer(&mut self, server: ServerId, belief: &Belief, answer: &Answer) {
        with_policy!(self, policy => policy.on_answer(server, belief, answer));
    }

    fn on_note(&mut self, note: &Note, at_ns: Nanos) {
        with_policy!(self, policy => policy.on_note(note, at_ns));
    }

    fn idle_known(&self, question: &Note) -> u32 {
        with_policy!(self, policy => policy.idle_known(question))
    }

    fn probes(
        &mut self,
        candidates: &Candidates<'_>,
        stream: &mut Stream,
        out: &mut Vec<ServerId>,
    ) {
        with_policy!(self, policy => policy.probes(candidates, stream, out));
    }
}

impl Policy for Box<dyn Policy> {
    fn choose(&mut self, candidates: &Candidates<'_>, stream: &mut Stream) -> Option<ServerId> {
        (**self).choose(candidates, stream)
    }

    fn touch_ahead(&self, view: &View, stream: &Stream, arrivals: usize) {
        (**self).touch_ahead(view, stream, arrivals);
    }

    fn held_until_ns(&self) -> Nanos {
        (**self).held_until_ns()
    }

    fn on_report(&mut self, server: ServerId, belief: &Belief) {
        (**self).on_report(server, belief);
    }

    fn on_send(&mut self, server: ServerId, belief: &Belief, at_ns: Nanos) {
        (**self).on_send(server, belief, at_ns);
    }

    fn on_answer(&mut self, server: ServerId, belief: &Belief, answer: &Answer) {
        (**self).on_answer(server, belief, answer);
    }

    fn on_note(&mut self, note: &Note, at_ns: Nanos) {
        (**self).on_note(note, at_ns);
    }

    fn idle_known(&self, question: &Note) -> u32 {
        (**self).idle_known(question)
    }

    fn probes(
        &mut self,
        candidates: &Candidates<'_>,
        stream: &mut Stream,
        out: &mut Vec<ServerId>,
    ) {
        (**self).probes(candidates, stream, out);
    }

    fn times_answers(&self) -> bool {
        true
    }
}
