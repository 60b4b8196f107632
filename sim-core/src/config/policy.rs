//! Reads `[policy.<name>]`: one or more policies to compare.

use super::tree::{Node, Value};
use super::values::{count, flag, word};
use super::walk::{Item, Section, Walk, enter, join};
use super::{Choices, DrawTies, LatencyTies, LoadSignal, PolicyConfig};

/// Every policy there is.
pub(super) const POLICIES: [&str; 4] = ["lowest_latency", "random", "round_robin", "two_choices"];

/// Reads the policies in file order; without any, the default one.
///
/// Besides tables, `policy = "random"` and `policy = ["random", "two_choices"]` are understood:
/// so an override or a sweep axis can name policies.
pub(super) fn policies(walk: &mut Walk<'_>, top: &mut Section<'_>) -> Vec<PolicyConfig> {
    top.read(walk, "policy", read).unwrap_or_else(|| vec![lowest_latency(walk, None)])
}

fn read(walk: &mut Walk<'_>, item: &Item<'_>) -> Option<Vec<PolicyConfig>> {
    match &item.node.value {
        Value::Text(_) => named(walk, item).map(|policy| vec![policy]),
        Value::List(nodes) => {
            let item = |node| Item { path: item.path.clone(), node };
            Some(nodes.iter().filter_map(|node: &Node| named(walk, &item(node))).collect())
        }
        _ => Some(tables(walk, item)),
    }
}

/// A policy by its name alone, with all defaults.
fn named(walk: &mut Walk<'_>, item: &Item<'_>) -> Option<PolicyConfig> {
    let words = POLICIES.map(|name| (name, name));
    let name = word(walk, item, &words)?;
    policy(walk, name, None)
}

fn tables(walk: &mut Walk<'_>, item: &Item<'_>) -> Vec<PolicyConfig> {
    let mut section = Section::open(walk, item);
    for name in POLICIES {
        section.get(walk, name);
    }
    section.close(walk);
    let Value::Table(entries) = &item.node.value else {
        return Vec::new();
    };
    // File order, not the order above.
    entries
        .iter()
        .filter_map(|entry| {
            let inner = enter(walk, join(&item.path, &entry.key), entry);
            policy(walk, &entry.key, Some(&inner))
        })
        .collect()
}

/// The policy called `name`; without a table, its defaults.
fn policy(walk: &mut Walk<'_>, name: &str, item: Option<&Item<'_>>) -> Option<PolicyConfig> {
    Some(match name {
        "lowest_latency" => lowest_latency(walk, item),
        "random" => {
            let mut s = open(walk, item, "policy.random");
            let capacity_gate = gate(walk, &mut s, false);
            s.close(walk);
            PolicyConfig::Random { capacity_gate }
        }
        "round_robin" => {
            let mut s = open(walk, item, "policy.round_robin");
            let random_start = s.read(walk, "random_start", flag).unwrap_or(true);
            let capacity_gate = gate(walk, &mut s, false);
            s.close(walk);
            PolicyConfig::RoundRobin { random_start, capacity_gate }
        }
        "two_choices" => two_choices(walk, item),
        _ => return None,
    })
}

fn lowest_latency(walk: &mut Walk<'_>, item: Option<&Item<'_>>) -> PolicyConfig {
    let mut s = open(walk, item, "policy.lowest_latency");
    let ties = [("random", LatencyTies::Random), ("id", LatencyTies::Id)];
    let policy = PolicyConfig::LowestLatency {
        own_sends: s.read(walk, "own_sends", flag).unwrap_or(true),
        ties: s.read(walk, "ties", |w, i| word(w, i, &ties)).unwrap_or(LatencyTies::Random),
        capacity_gate: gate(walk, &mut s, true),
    };
    s.close(walk);
    policy
}

fn two_choices(walk: &mut Walk<'_>, item: Option<&Item<'_>>) -> PolicyConfig {
    let mut s = open(walk, item, "policy.two_choices");
    let signals = [
        ("combined", LoadSignal::Combined),
        ("own", LoadSignal::Own),
        ("reported", LoadSignal::Reported),
    ];
    let ties = [("random", DrawTies::Random), ("first", DrawTies::First)];
    let policy = PolicyConfig::TwoChoices {
        choices: s.read(walk, "choices", choices).unwrap_or(Choices::Count(2)),
        replacement: s.read(walk, "replacement", flag).unwrap_or(false),
        signal: s.read(walk, "signal", |w, i| word(w, i, &signals)).unwrap_or(LoadSignal::Combined),
        ties: s.read(walk, "ties", |w, i| word(w, i, &ties)).unwrap_or(DrawTies::Random),
        capacity_gate: gate(walk, &mut s, false),
    };
    s.close(walk);
    policy
}

/// A number of servers, or `"all"`.
fn choices(walk: &mut Walk<'_>, item: &Item<'_>) -> Option<Choices> {
    if matches!(item.node.value, Value::Text(_)) {
        return word(walk, item, &[("all", Choices::All)]);
    }
    count(walk, item).map(Choices::Count)
}

fn gate(walk: &mut Walk<'_>, s: &mut Section<'_>, default: bool) -> bool {
    s.read(walk, "capacity_gate", flag).unwrap_or(default)
}

fn open<'t>(walk: &mut Walk<'_>, item: Option<&Item<'t>>, path: &str) -> Section<'t> {
    match item {
        Some(item) => Section::open(walk, item),
        None => Section::absent(path),
    }
}
