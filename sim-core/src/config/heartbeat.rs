//! Reads `[heartbeat]`.

use super::fleet::table;
use super::tree::Value;
use super::values::{Limit, count, duration, duration_or_never, flag, number, word};
use super::walk::{Item, Section, Walk, choice};
use super::{Fanout, HeartbeatConfig};
use crate::time::{MILLISECOND, SECOND};

/// `[heartbeat]`.
pub(super) fn heartbeat(walk: &mut Walk<'_>, top: &mut Section<'_>) -> HeartbeatConfig {
    let mut s = table(walk, top, "heartbeat");
    let interval_ns = s.read(walk, "interval", duration).unwrap_or(100 * MILLISECOND);
    let failure_timeout = s.read(walk, "failure_timeout", duration);
    let heartbeat = HeartbeatConfig {
        interval_ns,
        // Three heartbeats in a row may be lost before anybody is taken for dead.
        failure_timeout_ns: failure_timeout
            .unwrap_or_else(|| interval_ns.saturating_mul(3).saturating_add(interval_ns / 2)),
        jitter: s.read(walk, "jitter", number).unwrap_or(0.0),
        synchronised: s.read(walk, "synchronised", flag).unwrap_or(false),
        loss: s.read(walk, "loss", number).unwrap_or(0.0),
        fanout: s.read(walk, "fanout", fanout).unwrap_or(Fanout::All),
        latency_alpha: s.read(walk, "latency_alpha", number).unwrap_or(0.1),
        latency_decay_ns: s
            .read(walk, "latency_decay", duration_or_never)
            .map_or(Some(10 * SECOND), Limit::get),
    };
    s.close(walk);
    heartbeat
}

/// `"all"`, `{ random = 3 }` or `{ home = 3 }`.
fn fanout(walk: &mut Walk<'_>, item: &Item<'_>) -> Option<Fanout> {
    if matches!(item.node.value, Value::Text(_)) {
        let read = word(walk, item, &[("all", Fanout::All)]);
        if let (None, Some(fault)) = (&read, walk.faults.last_mut()) {
            fault.allowed = Some("\"all\", { random = 3 } or { home = 3 }".into());
        }
        return read;
    }
    let (variant, inner) = choice(walk, item, &["random", "home"], "random = 3")?;
    let nodes = count(walk, &inner)?;
    Some(if variant == "random" { Fanout::Random(nodes) } else { Fanout::Home(nodes) })
}
