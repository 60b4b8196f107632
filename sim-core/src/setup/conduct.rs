//! How the servers of a group serve, ready for a run.

use crate::config::{
    Antagonist, ColdStart, Conduct, Crowding, Discipline, Pauses, ServerGroup, Shedding,
};
use crate::law::{ServiceLaw, ServiceSampler};
use crate::time::{Nanos, SECOND, rounded};

/// Full speed: work done in a nanosecond. Speeds, and work with them, are whole numbers, so that sums
/// are exact; 48 bits behind the point keep a speed to 4e-15.
pub const FULL_SPEED: u64 = 1 << 48;
/// Most that crowding divides a speed by.
const CROWDING_MAX: f64 = 1e6;

/// See the module documentation.
#[derive(Clone, Debug)]
pub struct ConductSetup {
    /// Who is served next.
    pub discipline: Discipline,
    /// What is turned away though it was let in.
    pub shed: Shedding,
    /// Lengths of stays [ns], at full speed and at the slower one, and that speed.
    pub antagonist: Option<([ServiceSampler; 2], u64)>,
    /// Share of the time that the antagonist takes in the long run.
    pub antagonist_share: f64,
    /// Lengths of stays [ns], running and pausing.
    pub pauses: Option<[ServiceSampler; 2]>,
    cold_start: Option<ColdStart>,
    slowdown: Option<Crowding>,
}

impl ConductSetup {
    /// What the group asks for; `None`: nothing but a queue at one speed.
    pub(super) fn new(group: &ServerGroup) -> Option<Box<Self>> {
        let Conduct { discipline, shed, antagonist, cold_start, pauses, slowdown } = &group.conduct;
        if group.conduct == Conduct::default() {
            return None;
        }
        let exponential = |mean_ns| ServiceLaw::Exponential { mean_ns }.sampler();
        let antagonist_share =
            antagonist.map_or(0.0, |Antagonist { normal_ns, slow_ns, .. }| {
                slow_ns as f64 / (normal_ns as f64 + slow_ns as f64)
            });
        let antagonist = antagonist.map(|Antagonist { factor, normal_ns, slow_ns }| {
            let lengths = [exponential(normal_ns as f64), exponential(slow_ns as f64)];
            (lengths, divided(factor))
        });
        let pauses = pauses
            .as_ref()
            .map(|Pauses { rate, length }| [exponential(SECOND as f64 / rate), length.sampler()]);
        Some(Box::new(Self {
            discipline: *discipline,
            shed: *shed,
            antagonist,
            antagonist_share,
            pauses,
            cold_start: *cold_start,
            slowdown: *slowdown,
        }))
    }

    /// Whether all in the server are served at once.
    pub fn shares(&self) -> bool {
        self.discipline == Discipline::ProcessorSharing
    }

    /// Whether the speed can change while something is in service, so that no finish time is known
    /// when it starts.
    pub fn has_pace(&self) -> bool {
        self.shares()
            || self.antagonist.is_some()
            || self.pauses.is_some()
            || self.slowdown.is_some()
    }

    /// Speed of each request in service, given what the surroundings leave of it, with `in_server`
    /// requests in the server and `active` of them in service on `slots` slots.
    pub fn speed(&self, left: u64, slots: u32, active: u32, in_server: u32) -> u64 {
        if left == 0 {
            return 0;
        }
        let speed = match self.slowdown {
            Some(Crowding { knee, slope }) if in_server > knee => {
                let divisor = 1.0 + slope * f64::from(in_server - knee);
                let part = divided(divisor.min(CROWDING_MAX));
                (u128::from(left) * u128::from(part) / u128::from(FULL_SPEED)) as u64
            }
            _ => left,
        };
        // However many share, each gets on.
        self.share(speed, slots, active).max(1)
    }

    /// The part of a slot that each request in service has: `whole`, or less where slots are shared.
    pub fn share(&self, whole: u64, slots: u32, active: u32) -> u64 {
        if self.shares() && active > slots {
            (u128::from(whole) * u128::from(slots) / u128::from(active)) as u64
        } else {
            whole
        }
    }

    /// Service time [ns] of what starts `age_ns` after the server did, if it takes `service_ns` on a
    /// warm one.
    pub fn cold_ns(&self, service_ns: Nanos, age_ns: Nanos) -> Nanos {
        match self.cold_start {
            None => service_ns,
            Some(ColdStart { factor, decay_ns }) => {
                let excess = (factor - 1.0) * libm::exp(-(age_ns as f64 / decay_ns as f64));
                let service = service_ns as f64 * (1.0 + excess);
                rounded(service).unwrap_or(service as u64).max(1)
            }
        }
    }
}

/// Full speed divided by `factor >= 1`.
fn divided(factor: f64) -> u64 {
    (FULL_SPEED as f64 / factor).round() as u64
}
