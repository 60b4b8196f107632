//! How servers serve.

use super::{inline, number, quote, rate, service_law, time};
use crate::config::{
    AdaptiveLifo, Antagonist, CoDel, ColdStart, Conduct, Crowding, Discipline, Pauses, Shedding,
};

/// The keys of a group that say it, as few as will do.
pub(super) fn keys(conduct: &Conduct) -> Vec<(&'static str, String)> {
    let Conduct { discipline, shed, antagonist, cold_start, pauses, slowdown } = conduct;
    let mut keys = Vec::new();
    let mut add = |key, value: Option<String>| keys.extend(value.map(|value| (key, value)));
    let discipline = match discipline {
        Discipline::Fifo => None,
        Discipline::Lifo => Some("lifo"),
        Discipline::ProcessorSharing => Some("processor_sharing"),
    };
    add("discipline", discipline.map(quote));
    add("shed", (*shed != Shedding::default()).then(|| shedding(shed)));
    add(
        "antagonist",
        antagonist.map(|Antagonist { factor, normal_ns, slow_ns }| {
            let (normal, slow) = (time(normal_ns), time(slow_ns));
            inline(&[("factor", number(factor)), ("normal", normal), ("slow", slow)])
        }),
    );
    add(
        "cold_start",
        cold_start.map(|ColdStart { factor, decay_ns }| {
            inline(&[("factor", number(factor)), ("decay", time(decay_ns))])
        }),
    );
    let pauses = pauses.as_ref().map(|Pauses { rate: per_s, length }| {
        inline(&[("rate", rate(*per_s)), ("length", service_law(length))])
    });
    add("pauses", pauses);
    add(
        "slowdown",
        slowdown.map(|Crowding { knee, slope }| {
            inline(&[("knee", knee.to_string()), ("slope", number(slope))])
        }),
    );
    keys
}

fn shedding(shed: &Shedding) -> String {
    let Shedding { queue_timeout_ns, codel, adaptive_lifo } = *shed;
    let mut keys = Vec::new();
    keys.extend(queue_timeout_ns.map(|ns| ("queue_timeout", time(ns))));
    keys.extend(codel.map(|CoDel { target_ns, interval_ns }| {
        ("codel", inline(&[("target", time(target_ns)), ("interval", time(interval_ns))]))
    }));
    keys.extend(adaptive_lifo.map(|when| {
        let when = match when {
            AdaptiveLifo::Above(waiting) => ("above", waiting.to_string()),
            AdaptiveLifo::After(ns) => ("after", time(ns)),
        };
        ("adaptive_lifo", inline(&[when]))
    }));
    inline(&keys)
}
