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

#[cfg(test)]
mod tests {
    use sim_core::config::document::{Text, parse_file};

    use super::*;

    /// What values name, in the order of their policies; `preset` is a key and no name.
    #[test]
    fn presets_are_labelled_by_their_names() {
        let text = "a = [\"random\", \"envoy_maglev\"]\nb = \"yarp_p2c\"\n\
                    c = { preset = [\"yarp_p2c\", \"finagle_p2c\"], random = {} }\n\
                    d = { preset = \"haproxy_random\" }\n";
        let node = parse_file(text, Text::File).expect("TOML");
        let Value::Table(entries) = &node.value else { panic!("a table") };
        let found: Vec<Vec<&str>> = entries.iter().map(|entry| names(&entry.node)).collect();
        let expected: [&[&str]; 4] = [
            &["random", "envoy_maglev"],
            &["yarp_p2c"],
            &["yarp_p2c", "finagle_p2c", "random"],
            &["haproxy_random"],
        ];
        assert_eq!(found, expected);
    }
}
