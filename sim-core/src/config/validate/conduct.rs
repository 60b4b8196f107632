//! How servers serve.

use super::Checker;
use crate::config::units::format_duration;
use crate::config::{
    AdaptiveLifo, Antagonist, CoDel, ColdStart, Conduct, ConfigFault, Crowding, Discipline, Pauses,
    Shedding,
};

/// Slowest that anything makes a server: what is slower is down.
const FACTOR_MAX: f64 = 1e6;
/// Most pauses a second: a pause is an event.
const PAUSES_MAX: f64 = 1e6;

impl Checker {
    pub(super) fn conduct(&mut self, key: &str, conduct: &Conduct) {
        let Conduct { discipline, shed, antagonist, cold_start, pauses, slowdown } = conduct;
        self.shedding(&format!("{key}.shed"), shed);
        self.unqueued(key, *discipline, shed);
        if let Some(Antagonist { factor, normal_ns, slow_ns }) = *antagonist {
            self.factor(&format!("{key}.antagonist.factor"), factor);
            self.positive_time(&format!("{key}.antagonist.normal"), normal_ns);
            self.positive_time(&format!("{key}.antagonist.slow"), slow_ns);
        }
        if let Some(ColdStart { factor, decay_ns }) = *cold_start {
            self.factor(&format!("{key}.cold_start.factor"), factor);
            self.positive_time(&format!("{key}.cold_start.decay"), decay_ns);
        }
        if let Some(Pauses { rate, length }) = pauses {
            let fine = *rate > 0.0 && *rate <= PAUSES_MAX;
            self.number(
                &format!("{key}.pauses.rate"),
                *rate,
                fine,
                "above 0, to 1000000 pauses a second",
            );
            self.service(&format!("{key}.pauses.length"), length);
        }
        if let Some(Crowding { knee: _, slope }) = *slowdown {
            let fine = slope > 0.0 && slope <= FACTOR_MAX;
            self.number(&format!("{key}.slowdown.slope"), slope, fine, "above 0, to 1000000");
        }
    }

    fn factor(&mut self, key: &str, factor: f64) {
        self.number(key, factor, (1.0..=FACTOR_MAX).contains(&factor), "1 to 1000000");
    }

    fn shedding(&mut self, key: &str, shed: &Shedding) {
        let Shedding { queue_timeout_ns, codel, adaptive_lifo } = *shed;
        if let Some(ns) = queue_timeout_ns {
            self.positive_time(&format!("{key}.queue_timeout"), ns);
        }
        if let Some(CoDel { target_ns, interval_ns }) = codel {
            let target = format!("{key}.codel.target");
            self.positive_time(&target, target_ns);
            let interval = format!("{key}.codel.interval");
            self.time(&interval, interval_ns);
            self.check(interval_ns > target_ns, &interval, &[&target], || {
                ConfigFault::new(
                    "",
                    "is no longer than the target: one long wait would shed the next",
                )
                .found(format_duration(interval_ns))
                .allowed(format!("above {}, the target", format_duration(target_ns)))
                .fix("twenty times the target is usual")
            });
        }
        if let Some(AdaptiveLifo::After(ns)) = adaptive_lifo {
            self.positive_time(&format!("{key}.adaptive_lifo.after"), ns);
        }
    }

    /// What needs a queue served in order of arrival.
    fn unqueued(&mut self, key: &str, discipline: Discipline, shed: &Shedding) {
        let rests_on = format!("{key}.discipline");
        let shares = discipline == Discipline::ProcessorSharing;
        let ways = [
            ("queue_timeout", shed.queue_timeout_ns.is_some(), shares),
            ("codel", shed.codel.is_some(), shares),
            ("adaptive_lifo", shed.adaptive_lifo.is_some(), discipline != Discipline::Fifo),
        ];
        for (way, is_asked_for, is_impossible) in ways {
            let wrong = is_asked_for && is_impossible;
            self.check(!wrong, &format!("{key}.shed.{way}"), &[&rests_on], || {
                if shares {
                    ConfigFault::new("", "needs a queue, and under processor_sharing nobody waits")
                        .fix("take it out, or discipline = \"fifo\"; a smaller backlog refuses sooner")
                } else {
                    ConfigFault::new("", "switches to what discipline = \"lifo\" does always")
                        .fix("take it out, or discipline = \"fifo\"")
                }
            });
        }
    }
}
