//! What goes on around a server, whether or not it works: others take its speed, pauses stop it.
//!
//! Nothing in here depends on what the server does, so it may be looked at as late as one likes.

use crate::ids::ServerId;
use crate::law::ServiceSampler;
use crate::rng::{Purpose, Rng, Stream};
use crate::server::overlap_ns;
use crate::setup::Setup;
use crate::setup::conduct::{ConductSetup, FULL_SPEED};
use crate::time::{Nanos, rounded};
use crate::ziggurat::unit;

/// The surroundings of one server, up to a moment.
#[derive(Clone, Debug)]
pub struct Surroundings {
    antagonist: Option<Stay>,
    pauses: Option<Stay>,
    /// Up to when time has been counted [ns].
    counted_to_ns: Nanos,
    /// Time in the window at the slower speed [ns].
    pub slowed_ns: Nanos,
    /// Time in the window in pauses [ns].
    pub paused_ns: Nanos,
}

/// Back and forth between two states.
#[derive(Clone, Debug)]
struct Stay {
    /// In the second state.
    is_on: bool,
    end_ns: Nanos,
    stream: Stream,
}

impl Stay {
    fn new(lengths: &[ServiceSampler; 2], share_on: f64, mut stream: Stream) -> Self {
        let is_on = unit(stream.next_u64()) < share_on;
        let mut stay = Self { is_on, end_ns: 0, stream };
        stay.extend(lengths);
        stay
    }

    /// Draws how long the present state lasts.
    fn extend(&mut self, lengths: &[ServiceSampler; 2]) {
        let length = lengths[usize::from(self.is_on)].sample_ns(self.stream.next_u64());
        let length_ns = rounded(length).unwrap_or(length as u64).max(1);
        self.end_ns = self.end_ns.saturating_add(length_ns);
    }

    fn change_at(&mut self, at_ns: Nanos, lengths: &[ServiceSampler; 2]) {
        if self.end_ns == at_ns {
            self.is_on = !self.is_on;
            self.extend(lengths);
        }
    }
}

impl Surroundings {
    /// At time 0.
    pub fn new(setup: &Setup, conduct: &ConductSetup, id: ServerId) -> Self {
        let stay = |lengths, share_on, purpose| {
            Stay::new(lengths, share_on, setup.server_stream(purpose, id))
        };
        let share = conduct.antagonist_share;
        Self {
            antagonist: conduct
                .antagonist
                .as_ref()
                .map(|(lengths, _)| stay(lengths, share, Purpose::Antagonist)),
            // It starts running.
            pauses: conduct.pauses.as_ref().map(|lengths| stay(lengths, 0.0, Purpose::Pauses)),
            counted_to_ns: 0,
            slowed_ns: 0,
            paused_ns: 0,
        }
    }

    /// What is left of the server's speed.
    pub fn speed(&self, conduct: &ConductSetup) -> u64 {
        let is_on = |stay: &Option<Stay>| stay.as_ref().is_some_and(|stay| stay.is_on);
        match &conduct.antagonist {
            _ if is_on(&self.pauses) => 0,
            Some((_, speed)) if is_on(&self.antagonist) => *speed,
            _ => FULL_SPEED,
        }
    }

    /// When it changes next [ns]; [`Nanos::MAX`]: never.
    pub fn next_ns(&self) -> Nanos {
        let end = |stay: &Option<Stay>| stay.as_ref().map_or(Nanos::MAX, |stay| stay.end_ns);
        end(&self.antagonist).min(end(&self.pauses))
    }

    /// Goes on to the next change, and past it.
    pub fn change(&mut self, setup: &Setup, conduct: &ConductSetup) {
        let at_ns = self.next_ns();
        self.count_to(setup, at_ns);
        if let (Some(stay), Some((lengths, _))) = (&mut self.antagonist, &conduct.antagonist) {
            stay.change_at(at_ns, lengths);
        }
        if let (Some(stay), Some(lengths)) = (&mut self.pauses, &conduct.pauses) {
            stay.change_at(at_ns, lengths);
        }
    }

    /// Counts the time up to `at_ns`, which is no later than the next change.
    pub fn count_to(&mut self, setup: &Setup, at_ns: Nanos) {
        let passed_ns = overlap_ns(setup, self.counted_to_ns, at_ns);
        self.counted_to_ns = at_ns;
        if self.antagonist.as_ref().is_some_and(|stay| stay.is_on) {
            self.slowed_ns += passed_ns;
        }
        if self.pauses.as_ref().is_some_and(|stay| stay.is_on) {
            self.paused_ns += passed_ns;
        }
    }
}
