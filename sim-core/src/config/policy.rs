//! Reads `[policy.<name>]`: one or more policies to compare.

use super::tree::{Node, Value};
use super::values::word;
use super::walk::{Item, Section, Walk, enter, join};
use super::{LowestLatencyConfig, ParameterList, PolicyConfig};
use crate::policy::registry::NAMES;

/// Reads the policies in file order; without any, the default one.
///
/// Besides tables, `policy = "random"` and `policy = ["random", "two_choices"]` are understood:
/// so an override or a sweep axis can name policies.
pub(super) fn policies(walk: &mut Walk<'_>, top: &mut Section<'_>) -> Vec<PolicyConfig> {
    top.read(walk, "policy", read)
        .unwrap_or_else(|| vec![PolicyConfig::LowestLatency(LowestLatencyConfig::default())])
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
    let words = NAMES.map(|name| (name, name));
    let name = word(walk, item, &words)?;
    policy(walk, name, None)
}

fn tables(walk: &mut Walk<'_>, item: &Item<'_>) -> Vec<PolicyConfig> {
    let mut section = Section::open(walk, item);
    for name in NAMES {
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
    let mut policy = PolicyConfig::named(name)?;
    let mut section = match item {
        Some(item) => Section::open(walk, item),
        None => Section::absent(&format!("policy.{name}")),
    };
    policy.list(&mut ParameterList::reading(walk, &mut section));
    section.close(walk);
    Some(policy)
}

impl PolicyConfig {
    /// The parameters with their values as a scenario file has them.
    pub(super) fn written(&self) -> Vec<(&'static str, String)> {
        let mut pairs = Vec::new();
        self.clone().list(&mut ParameterList::writing(&mut pairs));
        pairs
    }

    /// The parameters as `key=value` joined by `;`.
    pub fn params(&self) -> String {
        let pairs = self.written().into_iter();
        let pairs = pairs.map(|(key, value)| format!("{key}={}", value.replace('"', "")));
        pairs.collect::<Vec<_>>().join(";")
    }
}
