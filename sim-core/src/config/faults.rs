//! Reads `[[faults]]`.

use std::ops::Range;

use super::tree::Value;
use super::units::parse_ids;
use super::values::{duration, flag, number};
use super::walk::{Item, Section, Walk, list};
use super::{Fault, FaultKind, Slowdown};

/// Every kind of fault there is.
pub(super) const KINDS: [&str; 2] = ["crash", "slow"];

/// `[[faults]]` in file order.
pub(super) fn faults(walk: &mut Walk<'_>, top: &mut Section<'_>) -> Vec<Fault> {
    let items = top.read(walk, "faults", list).unwrap_or_default();
    items.iter().map(|item| fault(walk, item)).collect()
}

fn fault(walk: &mut Walk<'_>, item: &Item<'_>) -> Fault {
    let mut s = Section::open(walk, item);
    let at_ns = s.need(walk, "at", "\"8s\"", duration).unwrap_or(0);
    let for_ns = s.read(walk, "for", duration);
    let crash = s.get(walk, "crash");
    let slow = s.get(walk, "slow");
    s.close(walk);
    let kind = match (crash, slow) {
        (Some(crash), None) => self::crash(walk, &crash),
        (None, Some(slow)) => self::slow(walk, &slow),
        (crash, _) => {
            let problem = if crash.is_some() { "does two things" } else { "does nothing" };
            let fault = walk.refuse(item, problem);
            fault.found = None;
            fault.allowed = Some(format!("exactly one of {}", KINDS.join(", ")));
            fault.fix = Some(
                "add crash = { servers = \"0..5\" }, say; two things are two [[faults]]".into(),
            );
            FaultKind::Crash { servers: 0..1, silent: false }
        }
    };
    Fault { at_ns, for_ns, kind }
}

fn crash(walk: &mut Walk<'_>, item: &Item<'_>) -> FaultKind {
    let mut s = Section::open(walk, item);
    let servers = s.need(walk, "servers", "\"0..5\"", ids).unwrap_or(0..1);
    let silent = s.read(walk, "silent", flag).unwrap_or(false);
    s.close(walk);
    FaultKind::Crash { servers, silent }
}

fn slow(walk: &mut Walk<'_>, item: &Item<'_>) -> FaultKind {
    let mut s = Section::open(walk, item);
    let servers = s.need(walk, "servers", "\"0..5\"", ids).unwrap_or(0..1);
    let factor = s.get(walk, "factor");
    let service = s.get(walk, "service");
    s.close(walk);
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
    FaultKind::Slow { servers, slowdown: slowdown.unwrap_or(Slowdown::Factor(1.0)) }
}

/// Servers by id: `"0..5"` (5 excluded), `"3"` or `3`.
fn ids(walk: &mut Walk<'_>, item: &Item<'_>) -> Option<Range<u32>> {
    let ids = match &item.node.value {
        Value::Text(text) => parse_ids(text),
        Value::Whole(Some(whole)) => parse_ids(&whole.to_string()),
        _ => None,
    };
    if ids.is_none() {
        walk.refuse(item, "names no servers").allowed =
            Some("ids from the first to before the last, \"0..5\", or one id, \"3\"".into());
    }
    ids
}
