//! Faults that hit servers that exist, one at a time.

use std::ops::Range;

use super::Checker;
use crate::config::units::format_duration;
use crate::config::{ConfigFault, Fault, FaultKind, Scenario, Slowdown};

impl Checker {
    pub(super) fn scheduled(&mut self, faults: &[Fault], scenario: &Scenario, servers: u64) {
        for (index, fault) in faults.iter().enumerate() {
            let key = format!("faults.{index}");
            let Fault { at_ns, for_ns, kind } = fault;
            self.check(*at_ns < scenario.duration_ns, &format!("{key}.at"), &["duration"], || {
                ConfigFault::new("", "the run's arrivals are over by then")
                    .found(format_duration(*at_ns))
                    .allowed(format!(
                        "below the duration, {}",
                        format_duration(scenario.duration_ns)
                    ))
            });
            let quantum_ns = scenario.engine.quantum_ns;
            let fine = for_ns.is_none_or(|for_ns| for_ns >= quantum_ns && for_ns > 0);
            self.check(fine, &format!("{key}.for"), &["engine", "network"], || {
                ConfigFault::new("", "is too short: faults begin and end on control quanta")
                    .found(format_duration(for_ns.unwrap_or(0)))
                    .allowed(format!("at least {}", format_duration(quantum_ns)))
            });
            if let Some(for_ns) = *for_ns {
                self.time(&format!("{key}.for"), for_ns);
            }
            let name = kind_of(kind);
            self.hit(&format!("{key}.{name}.servers"), targets(kind), servers);
            if let FaultKind::Slow { servers: _, slowdown } = kind {
                self.slowdown(&format!("{key}.slow"), *slowdown);
            }
            let earlier = faults[..index].iter().position(|earlier| collide(earlier, fault));
            let other = format!("faults.{}", earlier.unwrap_or(index));
            self.check(earlier.is_none(), &format!("{key}.{name}.servers"), &[&other], || {
                let done = if name == "crash" { "down" } else { "slow" };
                ConfigFault::new("", format!("some of these are {done} already, by {other}"))
                    .found(format!("{:?}", targets(kind)))
                    .fix("let the earlier fault end first, or name other servers")
            });
        }
    }

    fn hit(&mut self, key: &str, hit: &Range<u32>, servers: u64) {
        self.check(hit.start < hit.end, key, &[], || {
            ConfigFault::new("", "the range is empty")
                .found(format!("{hit:?}"))
                .fix("the end is excluded: 3..4 is server 3")
        });
        self.check_counted(u64::from(hit.end) <= servers, key, || {
            ConfigFault::new("", "there are no such servers")
                .found(format!("{hit:?}"))
                .allowed(format!("ids within 0..{servers}"))
        });
    }

    fn slowdown(&mut self, key: &str, slowdown: Slowdown) {
        match slowdown {
            Slowdown::Factor(factor) => {
                let fine = factor > 0.0 && factor <= 1e6;
                self.number(&format!("{key}.factor"), factor, fine, "above 0, to 1000000");
            }
            Slowdown::Fixed(ns) => self.positive_time(&format!("{key}.service"), ns),
        }
    }
}

fn kind_of(kind: &FaultKind) -> &'static str {
    match kind {
        FaultKind::Crash { .. } => "crash",
        FaultKind::Slow { .. } => "slow",
    }
}

fn targets(kind: &FaultKind) -> &Range<u32> {
    match kind {
        FaultKind::Crash { servers, silent: _ } | FaultKind::Slow { servers, slowdown: _ } => {
            servers
        }
    }
}

/// Whether two faults of one kind hold a server at the same time; which of them ended first would
/// decide what becomes of it.
fn collide(a: &Fault, b: &Fault) -> bool {
    let end = |fault: &Fault| fault.for_ns.map_or(u64::MAX, |ns| fault.at_ns.saturating_add(ns));
    let (hit_a, hit_b) = (targets(&a.kind), targets(&b.kind));
    kind_of(&a.kind) == kind_of(&b.kind)
        && hit_a.start < hit_b.end
        && hit_b.start < hit_a.end
        && a.at_ns < end(b)
        && b.at_ns < end(a)
}
