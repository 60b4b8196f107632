//! Work at a speed that changes, the plain way: every job in service has a remainder, and each is
//! looked at in every event of its server.

use sim_core::ids::ServerId;
use sim_core::law::ServiceSampler;
use sim_core::rng::{Purpose, Rng, Stream};
use sim_core::server::overlap_ns;
use sim_core::setup::Setup;
use sim_core::setup::conduct::{ConductSetup, FULL_SPEED};
use sim_core::time::Nanos;
use sim_core::ziggurat::unit;

use super::server::Jobs;

/// What is in a server.
#[derive(Clone, Copy)]
pub struct Load {
    pub slots: u32,
    pub active: u32,
    pub in_server: u32,
}

/// What goes on around a server: one of two things in turn.
struct Stay {
    is_on: bool,
    end_ns: Nanos,
    stream: Stream,
    lengths: [ServiceSampler; 2],
    /// Time in the window in which it was on [ns].
    on_ns: Nanos,
}

impl Stay {
    fn new(lengths: &[ServiceSampler; 2], share_on: f64, mut stream: Stream) -> Self {
        let is_on = unit(stream.next_u64()) < share_on;
        let mut stay = Self { is_on, end_ns: 0, stream, lengths: lengths.clone(), on_ns: 0 };
        stay.draw_end();
        stay
    }

    fn draw_end(&mut self) {
        let length = self.lengths[usize::from(self.is_on)].sample_ns(self.stream.next_u64());
        self.end_ns = self.end_ns.saturating_add((length.round_ties_even() as u64).max(1));
    }
}

pub struct Pace {
    /// Jobs in service and the work each has left; below 0 when it was done before the present whole
    /// nanosecond.
    left: Vec<(u32, i128)>,
    antagonist: Option<Stay>,
    pauses: Option<Stay>,
    at_ns: Nanos,
    /// Slot-time in the window that a job in service from the start would have been given.
    given: u128,
    pub busy_ns: u128,
    /// Looks filed so far: only the last one counts.
    pub generation: u32,
}

impl Pace {
    pub fn new(setup: &Setup, conduct: &ConductSetup, id: ServerId) -> Self {
        let antagonist = conduct.antagonist.as_ref().map(|(lengths, _)| {
            let stream = setup.server_stream(Purpose::Antagonist, id);
            Stay::new(lengths, conduct.antagonist_share, stream)
        });
        let pauses = conduct
            .pauses
            .as_ref()
            .map(|lengths| Stay::new(lengths, 0.0, setup.server_stream(Purpose::Pauses, id)));
        Self { left: Vec::new(), antagonist, pauses, at_ns: 0, given: 0, busy_ns: 0, generation: 0 }
    }

    fn stays(&self) -> impl Iterator<Item = &Stay> {
        self.antagonist.iter().chain(&self.pauses)
    }

    fn speed(&self, conduct: &ConductSetup, load: Load) -> u64 {
        let mut left = FULL_SPEED;
        if let (Some(Stay { is_on: true, .. }), Some((_, speed))) =
            (&self.antagonist, &conduct.antagonist)
        {
            left = *speed;
        }
        if let Some(Stay { is_on: true, .. }) = self.pauses {
            left = 0;
        }
        conduct.speed(left, load.slots, load.active, load.in_server)
    }

    /// Works on up to `at_ns`, with what has been in the server since the last call.
    pub fn advance(&mut self, setup: &Setup, conduct: &ConductSetup, load: Load, at_ns: Nanos) {
        loop {
            let change_ns = self.stays().map(|stay| stay.end_ns).min().unwrap_or(Nanos::MAX);
            let to_ns = change_ns.min(at_ns);
            let passed_ns = u128::from(to_ns - self.at_ns);
            let inside_ns = overlap_ns(setup, self.at_ns, to_ns);
            let done = u128::from(self.speed(conduct, load)) * passed_ns;
            for (_, left) in &mut self.left {
                *left -= done.cast_signed();
            }
            let share = conduct.share(FULL_SPEED, load.slots, load.active);
            self.given += u128::from(share) * u128::from(inside_ns);
            self.busy_ns += u128::from(load.active.min(load.slots)) * u128::from(inside_ns);
            self.at_ns = to_ns;
            for stay in self.antagonist.iter_mut().chain(&mut self.pauses) {
                stay.on_ns += if stay.is_on { inside_ns } else { 0 };
                if stay.end_ns == to_ns {
                    stay.is_on = !stay.is_on;
                    stay.draw_end();
                }
            }
            if change_ns > at_ns {
                return;
            }
        }
    }

    pub fn begin(&mut self, id: u32, service_ns: Nanos) {
        let work = u128::from(service_ns) * u128::from(FULL_SPEED);
        self.left.push((id, work.cast_signed()));
    }

    pub fn remove(&mut self, id: u32) {
        self.left.retain(|&(job, _)| job != id);
    }

    pub fn clear(&mut self) {
        self.left.clear();
    }

    pub fn given_ns(&self) -> Nanos {
        (self.given / u128::from(FULL_SPEED)) as Nanos
    }

    /// The job that is done by now, if there is one: the one done first, then the one let in first.
    pub fn finished(&self, jobs: &Jobs) -> Option<u32> {
        let done = self.left.iter().filter(|&&(_, left)| left <= 0);
        done.min_by_key(|&&(id, left)| (left, jobs[id].admission)).map(|&(id, _)| id)
    }

    /// When something changes next [ns].
    pub fn next_ns(&self, conduct: &ConductSetup, load: Load) -> Option<Nanos> {
        let speed = u128::from(self.speed(conduct, load));
        let least = self.left.iter().map(|&(_, left)| left.max(0).cast_unsigned()).min()?;
        let finish = (speed > 0)
            .then(|| u128::from(self.at_ns) + least.div_ceil(speed))
            .and_then(|at_ns| Nanos::try_from(at_ns).ok());
        self.stays().map(|stay| stay.end_ns).chain(finish).min()
    }

    /// Time in the window that the antagonist and pauses took [ns].
    pub fn taken_ns(&self) -> (Nanos, Nanos) {
        let on_ns = |stay: &Option<Stay>| stay.as_ref().map_or(0, |stay| stay.on_ns);
        (on_ns(&self.antagonist), on_ns(&self.pauses))
    }
}
