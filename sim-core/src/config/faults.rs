//! Reads `[[faults]]`.

use super::fleet::group_keys;
use super::suggest::nearest;
use super::targets::{nodes, servers};
use super::values::{count, duration, flag, number, text, word};
use super::walk::{Item, Section, Walk, list};
use super::{Conduct, Fault, FaultKind, Inconsistency, Lie, ServerGroup, Side, Slowdown, Targets};
use crate::time::{MILLISECOND, Nanos, SECOND};

/// Every kind of fault there is.
pub(super) const KINDS: [&str; 19] = [
    "crash",
    "slow",
    "fail_fast",
    "flap",
    "capacity",
    "add",
    "drain",
    "remove",
    "heartbeat_loss",
    "heartbeat_delay",
    "heartbeat_duplicate",
    "heartbeat_reorder",
    "lie",
    "inconsistent",
    "clock_skew",
    "node_crash",
    "node_leave",
    "node_join",
    "partition",
];

/// `[[faults]]` in file order; servers that are added may be like those of a group of `fleet`.
pub(super) fn faults(
    walk: &mut Walk<'_>,
    top: &mut Section<'_>,
    fleet: &[ServerGroup],
) -> Vec<Fault> {
    let items = top.read(walk, "faults", list).unwrap_or_default();
    items.iter().map(|item| fault(walk, item, fleet)).collect()
}

fn fault(walk: &mut Walk<'_>, item: &Item<'_>, fleet: &[ServerGroup]) -> Fault {
    let mut s = Section::open(walk, item);
    let at_ns = s.need(walk, "at", "\"8s\"", duration).unwrap_or(0);
    let for_ns = s.read(walk, "for", duration);
    let mut chosen = Vec::new();
    for kind in KINDS {
        chosen.extend(s.get(walk, kind).map(|inner| (kind, inner)));
    }
    s.close(walk);
    let kind = if let [(kind, inner)] = &chosen[..] {
        self::kind(walk, kind, inner, fleet)
    } else {
        let problem = if chosen.is_empty() { "does nothing" } else { "does two things" };
        let fault = walk.refuse(item, problem);
        fault.found = None;
        fault.allowed = Some(format!("exactly one of {}", KINDS.join(", ")));
        fault.fix =
            Some("add crash = { servers = \"0..5\" }, say; two things are two [[faults]]".into());
        FaultKind::Crash { servers: Targets::Ids(0..1), silent: false }
    };
    Fault { at_ns, for_ns, kind }
}

fn kind(walk: &mut Walk<'_>, kind: &str, item: &Item<'_>, fleet: &[ServerGroup]) -> FaultKind {
    let mut s = Section::open(walk, item);
    let read = match kind {
        "node_crash" => FaultKind::NodeCrash { nodes: whom(&mut s, walk) },
        "node_leave" => FaultKind::NodeLeave { nodes: whom(&mut s, walk) },
        "node_join" => FaultKind::NodeJoin { nodes: whom(&mut s, walk) },
        "partition" => FaultKind::Partition {
            a: s.need(walk, "a", "{ nodes = \"0..2\" }", side).unwrap_or_else(nobody),
            b: s.need(walk, "b", "{ nodes = \"2..4\" }", side).unwrap_or_else(nobody),
            one_way: s.read(walk, "one_way", flag).unwrap_or(false),
        },
        "add" => FaultKind::Add { group: added(walk, &mut s, fleet) },
        _ => {
            let servers = s.need(walk, "servers", "\"0..5\"", servers);
            of_servers(walk, kind, item, &mut s, servers.unwrap_or(Targets::Ids(0..1)))
        }
    };
    s.close(walk);
    read
}

/// A fault of `servers`.
fn of_servers(
    walk: &mut Walk<'_>,
    kind: &str,
    item: &Item<'_>,
    s: &mut Section<'_>,
    servers: Targets,
) -> FaultKind {
    match kind {
        "crash" => {
            FaultKind::Crash { servers, silent: s.read(walk, "silent", flag).unwrap_or(false) }
        }
        "slow" => FaultKind::Slow { servers, slowdown: slowdown(walk, item, s) },
        "fail_fast" => {
            FaultKind::FailFast { servers, share: s.read(walk, "share", number).unwrap_or(1.0) }
        }
        "flap" => FaultKind::Flap {
            servers,
            period_ns: s.need(walk, "period", "\"2s\"", duration).unwrap_or(SECOND),
            up: s.read(walk, "up", number).unwrap_or(0.5),
            silent: s.read(walk, "silent", flag).unwrap_or(false),
        },
        "capacity" => {
            FaultKind::Capacity { servers, slots: s.need(walk, "slots", "1", count).unwrap_or(1) }
        }
        "drain" => FaultKind::Drain { servers },
        "remove" => FaultKind::Remove { servers },
        "heartbeat_loss" => FaultKind::HeartbeatLoss {
            servers,
            share: s.read(walk, "share", number).unwrap_or(1.0),
        },
        "heartbeat_delay" => FaultKind::HeartbeatDelay { servers, by_ns: by(walk, s) },
        "heartbeat_duplicate" => FaultKind::HeartbeatDuplicate {
            servers,
            share: s.read(walk, "share", number).unwrap_or(1.0),
        },
        "heartbeat_reorder" => FaultKind::HeartbeatReorder {
            servers,
            share: s.read(walk, "share", number).unwrap_or(0.5),
            by_ns: by(walk, s),
        },
        "lie" => FaultKind::Lie { servers, lie: lie(walk, item, s) },
        "inconsistent" => FaultKind::Inconsistent {
            servers,
            what: s
                .need(walk, "what", "\"impossible\"", inconsistency)
                .unwrap_or(Inconsistency::Impossible),
            share: s.read(walk, "share", number).unwrap_or(1.0),
        },
        _ => FaultKind::ClockSkew { servers, ahead_ns: skew(walk, item, s) },
    }
}

fn whom(s: &mut Section<'_>, walk: &mut Walk<'_>) -> Targets {
    s.need(walk, "nodes", "\"0..2\"", nodes).unwrap_or(Targets::Ids(0..1))
}

fn by(walk: &mut Walk<'_>, s: &mut Section<'_>) -> Nanos {
    s.need(walk, "by", "\"300ms\"", duration).unwrap_or(MILLISECOND)
}

fn slowdown(walk: &mut Walk<'_>, item: &Item<'_>, s: &mut Section<'_>) -> Slowdown {
    let factor = s.get(walk, "factor");
    let service = s.get(walk, "service");
    let slowdown = match (factor, service) {
        (Some(factor), None) => number(walk, &factor).map(Slowdown::Factor),
        (None, Some(service)) => duration(walk, &service).map(Slowdown::Fixed),
        _ => {
            let fault = walk.refuse(item, "how slow is not clear");
            fault.allowed = Some("exactly one of factor, service".into());
            fault.fix = Some("write factor = 10, or service = \"2s\"".into());
            None
        }
    };
    slowdown.unwrap_or(Slowdown::Factor(1.0))
}

fn lie(walk: &mut Walk<'_>, item: &Item<'_>, s: &mut Section<'_>) -> Lie {
    let load = s.read(walk, "load", number);
    let latency = s.read(walk, "latency", number);
    let frozen = s.read(walk, "frozen", flag);
    match (load.is_some() || latency.is_some(), frozen) {
        (false, Some(true)) => Lie::Frozen,
        (true, None | Some(false)) => {
            Lie::Scaled { load: load.unwrap_or(1.0), latency: latency.unwrap_or(1.0) }
        }
        _ => {
            let fault = walk.refuse(item, "what the lie is is not clear");
            fault.allowed = Some("load and latency (factors of the truth), or frozen".into());
            fault.fix = Some("write load = 0.1, latency = 0.1, say, or frozen = true".into());
            Lie::Frozen
        }
    }
}

fn inconsistency(walk: &mut Walk<'_>, item: &Item<'_>) -> Option<Inconsistency> {
    word(walk, item, &INCONSISTENCIES)
}

/// The words of a scenario for what is wrong with a report.
pub(super) const INCONSISTENCIES: [(&str, Inconsistency); 3] = [
    ("impossible", Inconsistency::Impossible),
    ("backwards", Inconsistency::Backwards),
    ("conflicting", Inconsistency::Conflicting),
];

fn skew(walk: &mut Walk<'_>, item: &Item<'_>, s: &mut Section<'_>) -> i64 {
    let ahead = s.get(walk, "ahead");
    let behind = s.get(walk, "behind");
    // Durations are at most a quarter of what 64 bits hold.
    let skew = match (ahead, behind) {
        (Some(ahead), None) => duration(walk, &ahead).map(u64::cast_signed),
        (None, Some(behind)) => duration(walk, &behind).map(|ns| -ns.cast_signed()),
        _ => {
            let fault = walk.refuse(item, "how wrong the clock is is not clear");
            fault.allowed = Some("exactly one of ahead, behind".into());
            fault.fix = Some("write behind = \"1s\", say".into());
            None
        }
    };
    skew.unwrap_or(0)
}

/// New servers: like those of a group that is there, or with all keys of a group.
fn added(walk: &mut Walk<'_>, s: &mut Section<'_>, fleet: &[ServerGroup]) -> ServerGroup {
    let Some(like) = s.get(walk, "group") else { return group_keys(walk, s) };
    let own_name = s.read(walk, "name", text);
    let count = s.need(walk, "count", "5", count).unwrap_or(1);
    let known: Vec<&str> = fleet.iter().filter_map(|group| group.name.as_deref()).collect();
    let named = text(walk, &like).and_then(|name| {
        let found = fleet.iter().find(|group| group.name.as_ref() == Some(&name));
        if found.is_none() {
            let fault = walk.refuse(&like, "there is no such group");
            fault.allowed = Some(match &known[..] {
                [] => "the name of a [[servers]] group; none of them has one".into(),
                known => known.join(", "),
            });
            fault.fix = nearest(&name, &known)
                .map(|name| format!("did you mean \"{name}\"?"))
                .or_else(|| Some(format!("give a group name = \"{name}\"")));
        }
        found
    });
    let stand_in = || ServerGroup {
        name: None,
        count: 1,
        capacity: 1,
        backlog: None,
        service: crate::law::ServiceLaw::Constant { mean_ns: MILLISECOND as f64 },
        speed: 1.0,
        conduct: Conduct::default(),
        weight: 1.0,
        priority: 0,
    };
    ServerGroup { name: own_name, count, ..named.cloned().unwrap_or_else(stand_in) }
}

fn side(walk: &mut Walk<'_>, item: &Item<'_>) -> Option<Side> {
    let mut s = Section::open(walk, item);
    let side =
        Side { nodes: s.read(walk, "nodes", nodes), servers: s.read(walk, "servers", servers) };
    s.close(walk);
    if side == (Side { nodes: None, servers: None }) && !walk.faulted.contains(&item.path) {
        let fault = walk.refuse(item, "is nobody");
        fault.allowed = Some("nodes, servers, or both".into());
        fault.fix = Some("write { nodes = \"0..2\" }, say".into());
        return None;
    }
    Some(side)
}

const fn nobody() -> Side {
    Side { nodes: None, servers: None }
}
