//! The labels of the policies that the axis `policy` names, distinct within the sweep.

use std::collections::BTreeMap;

use sim_core::config::document::{Entry, Node, Value};

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
fn names<'a>(node: &'a Node) -> Vec<&'a str> {
    match &node.value {
        Value::Text(name) => vec![name],
        Value::List(nodes) => nodes.iter().flat_map(names).collect(),
        // `preset = "..."` names policies, any other key is one.
        Value::Table(entries) => {
            let of = |entry: &'a Entry| match entry.key.as_str() {
                "preset" => names(&entry.node),
                name => vec![name],
            };
            entries.iter().flat_map(of).collect()
        }
        _ => Vec::new(),
    }
}
