//! The labels of the policies that the axis `policy` names, distinct within the sweep.

use std::collections::BTreeMap;

use sim_core::config::document::{Node, Value};

use super::file::Axis;
use super::grid::POLICY;

/// By value of the axis `policy`, the labels of its policies: their names, and from the second of a
/// name on `<name>-2`. `None` without such an axis. Names that are none are reported elsewhere.
pub fn labels(axes: &[Axis]) -> Option<Vec<Vec<String>>> {
    let mut keys = axes.iter().flat_map(|axis| &axis.keys);
    let values = &keys.find(|key| key.key == POLICY)?.values;
    let mut seen: BTreeMap<&str, u32> = BTreeMap::new();
    let mut label = |name| {
        let count = seen.entry(name).or_default();
        *count += 1;
        if *count == 1 { name.to_owned() } else { format!("{name}-{count}") }
    };
    Some(values.iter().map(|node| names(node).into_iter().map(&mut label).collect()).collect())
}

/// The names of the policies in one value, in file order.
fn names(node: &Node) -> Vec<&str> {
    match &node.value {
        Value::Text(name) => vec![name],
        Value::List(nodes) => nodes.iter().flat_map(names).collect(),
        Value::Table(entries) => entries.iter().map(|entry| entry.key.as_str()).collect(),
        _ => Vec::new(),
    }
}
