//! Writes `[[faults]]` and `[chaos]`.

use super::{File, group_keys, inline, number, quote, rate, time};
use crate::config::faults::INCONSISTENCIES;
use crate::config::{ChaosConfig, ChaosKind, Fault, FaultKind, Lie, Side, Slowdown, Targets};

fn targets(targets: &Targets) -> String {
    match targets {
        Targets::Ids(ids) => quote(&format!("{}..{}", ids.start, ids.end)),
        Targets::Group(name) => quote(name),
        Targets::Percent(percent) => quote(&format!("{percent:?}%")),
    }
}

fn side(side: &Side) -> String {
    let Side { nodes, servers } = side;
    let nodes = nodes.as_ref().map(|nodes| ("nodes", targets(nodes)));
    let servers = servers.as_ref().map(|servers| ("servers", targets(servers)));
    inline(&nodes.into_iter().chain(servers).collect::<Vec<_>>())
}

/// The keys of a kind besides its servers or nodes.
fn keys(kind: &FaultKind) -> Vec<(&'static str, String)> {
    match kind {
        FaultKind::Crash { servers: _, silent } => vec![("silent", silent.to_string())],
        FaultKind::Slow { servers: _, slowdown } => vec![match slowdown {
            Slowdown::Factor(factor) => ("factor", number(*factor)),
            Slowdown::Fixed(ns) => ("service", time(*ns)),
        }],
        FaultKind::FailFast { servers: _, share }
        | FaultKind::HeartbeatLoss { servers: _, share }
        | FaultKind::HeartbeatDuplicate { servers: _, share } => vec![("share", number(*share))],
        FaultKind::Flap { servers: _, period_ns, up, silent } => {
            vec![("period", time(*period_ns)), ("up", number(*up)), ("silent", silent.to_string())]
        }
        FaultKind::Capacity { servers: _, slots } => vec![("slots", slots.to_string())],
        FaultKind::Add { group } => group_keys(group),
        FaultKind::HeartbeatDelay { servers: _, by_ns } => vec![("by", time(*by_ns))],
        FaultKind::HeartbeatReorder { servers: _, share, by_ns } => {
            vec![("share", number(*share)), ("by", time(*by_ns))]
        }
        FaultKind::Lie { servers: _, lie } => match lie {
            Lie::Frozen => vec![("frozen", "true".into())],
            Lie::Scaled { load, latency } => {
                vec![("load", number(*load)), ("latency", number(*latency))]
            }
        },
        FaultKind::Inconsistent { servers: _, what, share } => {
            let word = INCONSISTENCIES.iter().find(|(_, known)| known == what);
            let word = word.map_or("", |(word, _)| *word);
            vec![("what", quote(word)), ("share", number(*share))]
        }
        FaultKind::ClockSkew { servers: _, ahead_ns } => {
            let key = if *ahead_ns < 0 { "behind" } else { "ahead" };
            vec![(key, time(ahead_ns.unsigned_abs()))]
        }
        FaultKind::Drain { servers: _ }
        | FaultKind::Remove { servers: _ }
        | FaultKind::NodeCrash { nodes: _ }
        | FaultKind::NodeLeave { nodes: _ }
        | FaultKind::NodeJoin { nodes: _ } => Vec::new(),
        FaultKind::Partition { a, b, one_way } => {
            vec![("a", side(a)), ("b", side(b)), ("one_way", one_way.to_string())]
        }
    }
}

impl File {
    pub(super) fn fault(&mut self, fault: &Fault) {
        let Fault { at_ns, for_ns, kind } = fault;
        self.table("[[faults]]");
        self.key("at", time(*at_ns));
        if let Some(ns) = for_ns {
            self.key("for", time(*ns));
        }
        let servers = kind.servers().map(|servers| ("servers", targets(servers)));
        let nodes = kind.nodes().map(|nodes| ("nodes", targets(nodes)));
        let all = servers.into_iter().chain(nodes).chain(keys(kind));
        self.key(kind.name(), inline(&all.collect::<Vec<_>>()));
    }

    pub(super) fn chaos(&mut self, chaos: &ChaosConfig) {
        let ChaosConfig { rate: r, kinds, for_ns, seed } = chaos;
        self.table("[chaos]");
        self.key("rate", rate(*r));
        let kinds: Vec<String> = kinds.iter().map(|kind: &ChaosKind| quote(kind.name())).collect();
        self.key("kinds", format!("[{}]", kinds.join(", ")));
        self.key("for", time(*for_ns));
        if let Some(seed) = seed {
            self.key("seed", seed);
        }
    }
}
