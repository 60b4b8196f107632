//! Reads what the fleet is made of: links, nodes, servers; and the engine's windows.

use super::conduct::conduct_keys;
use super::laws::{delay, service};
use super::tree::Value;
use super::values::{Limit, count, duration, number, text, word};
use super::walk::{Item, Section, Walk, list};
use super::{EngineConfig, NetworkConfig, NodesConfig, ServerGroup};
use crate::law::{DelayLaw, ServiceLaw};
use crate::time::{MICROSECOND, MILLISECOND, Nanos, SECOND};

/// Backlog of a server whose group names none [requests].
const BACKLOG: u32 = 16;
/// Longest tick the engine's 30-bit offsets can hold [ns].
pub(super) const TICK_NS_MAX: Nanos = 1 << 30;
/// Longest control quantum [ns]: nobody reports less often than hourly.
pub(super) const QUANTUM_NS_MAX: Nanos = 3_600 * SECOND;

/// `[network]`.
pub(super) fn network(walk: &mut Walk<'_>, top: &mut Section<'_>) -> NetworkConfig {
    let mut s = table(walk, top, "network");
    let node_server = s
        .read(walk, "node_server", delay)
        .unwrap_or(DelayLaw::Constant { mean_ns: 500 * MICROSECOND });
    let server_node = s.read(walk, "server_node", delay).unwrap_or_else(|| node_server.clone());
    let node_node = s.read(walk, "node_node", delay).unwrap_or_else(|| node_server.clone());
    s.close(walk);
    NetworkConfig { node_server, server_node, node_node }
}

/// `[nodes]`.
pub(super) fn nodes(walk: &mut Walk<'_>, top: &mut Section<'_>) -> NodesConfig {
    let mut s = table(walk, top, "nodes");
    let count = s.read(walk, "count", count).unwrap_or(1);
    let failover_delay_ns = s.read(walk, "failover_delay", duration).unwrap_or(SECOND);
    s.close(walk);
    NodesConfig { count, failover_delay_ns }
}

/// `[[servers]]`.
pub(super) fn servers(walk: &mut Walk<'_>, top: &mut Section<'_>) -> Vec<ServerGroup> {
    let groups = top.need(walk, "servers", "one [[servers]] group", list).unwrap_or_default();
    groups.iter().map(|item| group(walk, item)).collect()
}

fn group(walk: &mut Walk<'_>, item: &Item<'_>) -> ServerGroup {
    let mut s = Section::open(walk, item);
    let group = group_keys(walk, &mut s);
    s.close(walk);
    group
}

/// The keys of a group of servers.
pub(super) fn group_keys(walk: &mut Walk<'_>, s: &mut Section<'_>) -> ServerGroup {
    let stand_in = ServiceLaw::Constant { mean_ns: MILLISECOND as f64 };
    ServerGroup {
        name: s.read(walk, "name", text),
        count: s.read(walk, "count", count).unwrap_or(1),
        capacity: s.need(walk, "capacity", "4", count).unwrap_or(1),
        backlog: s.read(walk, "backlog", backlog).map_or(Some(BACKLOG), Limit::get),
        service: s
            .need(walk, "service", "{ exponential = { mean = \"10ms\" } }", service)
            .unwrap_or(stand_in),
        speed: s.read(walk, "speed", number).unwrap_or(1.0),
        weight: s.read(walk, "weight", number).unwrap_or(1.0),
        priority: s.read(walk, "priority", count).unwrap_or(0),
        conduct: conduct_keys(walk, s),
    }
}

/// A number of requests, or `"unbounded"`.
fn backlog(walk: &mut Walk<'_>, item: &Item<'_>) -> Option<Limit<u32>> {
    if let Value::Text(_) = item.node.value {
        let read = word(walk, item, &[("unbounded", Limit::Lifted)]);
        if let (None, Some(fault)) = (&read, walk.faults.last_mut()) {
            fault.allowed = Some("a whole number, or \"unbounded\"".into());
        }
        return read;
    }
    count(walk, item).map(Limit::At)
}

/// `[engine]`, with the defaults that follow from the network and the duration.
pub(super) fn engine(
    walk: &mut Walk<'_>,
    top: &mut Section<'_>,
    lookahead_ns: Nanos,
    duration_ns: Nanos,
    heartbeat_ns: Nanos,
) -> EngineConfig {
    let mut s = table(walk, top, "engine");
    let tick = s.read(walk, "tick", duration);
    let quantum = s.read(walk, "quantum", duration);
    // A lookahead of 0 is refused by the validation; until then it must not stop the arithmetic.
    let window = lookahead_ns.clamp(1, TICK_NS_MAX);
    let quantum_ns = quantum.or(tick).unwrap_or(window);
    let tick_ns = tick.unwrap_or_else(|| largest_divisor(quantum_ns, window));
    let sample_interval_ns = s.read(walk, "sample_interval", duration).unwrap_or_else(|| {
        let quantum_ns = quantum_ns.max(1);
        let most = (duration_ns / 100 / quantum_ns).max(1);
        sample_quanta(most, heartbeat_ns / quantum_ns) * quantum_ns
    });
    s.close(walk);
    EngineConfig { tick_ns, quantum_ns, sample_interval_ns }
}

/// The largest count of quanta up to `most` without a common factor with the heartbeat's: a sample
/// taken every so many whole heartbeats would always find each view at the same age.
fn sample_quanta(most: u64, heartbeat: u64) -> u64 {
    let gcd = |mut a: u64, mut b: u64| {
        while b > 0 {
            (a, b) = (b, a % b);
        }
        a
    };
    (1..=most).rev().find(|&count| gcd(count, heartbeat.max(1)) == 1).unwrap_or(1)
}

/// The largest divisor of `n` that is at most `at_most`, both above 0.
fn largest_divisor(n: Nanos, at_most: Nanos) -> Nanos {
    // The search takes sqrt(n) steps; what is longer is refused by the validation anyhow.
    if n <= at_most || n > QUANTUM_NS_MAX {
        return n.min(at_most).max(1);
    }
    (1..=n.isqrt())
        .filter(|d| n.is_multiple_of(*d))
        .flat_map(|d| [d, n / d])
        .filter(|d| *d <= at_most)
        .max()
        .unwrap_or(1)
}

/// The table under `key`, or an empty one: everything in it has defaults.
pub(super) fn table<'t>(
    walk: &mut Walk<'_>,
    top: &mut Section<'t>,
    key: &'static str,
) -> Section<'t> {
    top.read(walk, key, |walk, item| Some(Section::open(walk, item)))
        .unwrap_or_else(|| Section::absent(key))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn largest_divisor_equals_search() {
        for n in 1..200 {
            for at_most in 1..210 {
                let expected = (1..=at_most).filter(|d| n % d == 0).max().expect("1 divides");
                assert_eq!(largest_divisor(n, at_most), expected, "{n} {at_most}");
            }
        }
    }
}
