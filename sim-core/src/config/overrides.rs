//! What is laid over the tree of the file, before anything is checked: values of a sweep, and
//! overrides such as `servers.0.capacity=8`.

use super::fault::{ConfigFault, Origin};
use super::tree::{Entry, Node, Place, Text, Value, parse_override};
use super::walk::join;

/// Deepest key an override may name.
const SEGMENTS_MAX: usize = 12;

/// An override as the user wrote it; places in it count in this text.
pub(super) fn written(key: &str, value: &str) -> String {
    format!("{key}={value}")
}

/// Lays one override over the tree; later ones win.
pub(super) fn apply(
    root: &mut Node,
    number: usize,
    key: &str,
    value: &str,
) -> Result<(), Box<ConfigFault>> {
    let text = Text::Override(number);
    let key_place = Place { text, span: 0..key.len() };
    let node = parse_override(value, text, key.len() + 1);
    lay(root, key, &key_place, node).map_err(|mut fault| {
        fault.origin = Origin::Override(written(key, value));
        fault
    })
}

/// A value from a file that is laid over a scenario.
#[derive(Clone, Copy, Debug)]
pub struct Overlay<'a> {
    /// The dotted key of the scenario.
    pub key: &'a str,
    /// Where the key is written.
    pub key_place: &'a Place,
    /// The value.
    pub value: &'a Node,
}

/// Lays one value of another file over the tree; later ones win.
pub(super) fn apply_overlay(
    root: &mut Node,
    overlay: &Overlay<'_>,
) -> Result<(), Box<ConfigFault>> {
    lay(root, overlay.key, overlay.key_place, overlay.value.clone()).map_err(|mut fault| {
        fault.origin = Origin::Overlay;
        fault
    })
}

fn lay(root: &mut Node, key: &str, key_place: &Place, value: Node) -> Result<(), Box<ConfigFault>> {
    let at_key = |mut fault: ConfigFault| {
        fault.span = Some(key_place.span.clone());
        Box::new(fault)
    };
    let segments = segments(key).ok_or_else(|| {
        let fault = ConfigFault::new(key, "not a key");
        at_key(fault.allowed("names and numbers joined by dots: servers.0.capacity"))
    })?;
    set(root, &segments, value, key_place).map_err(|missing| {
        let Missing { list, element, count } = missing;
        let fault = ConfigFault::new(key, format!("`{list}` has no element `{element}`"));
        at_key(match count.checked_sub(1) {
            Some(last) => {
                let allowed = format!("the number of an element, 0 to {last}");
                fault.allowed(allowed).fix(format!("write {list}.0, say"))
            }
            None => fault,
        })
    })
}

/// An element of a list that is not there.
struct Missing {
    list: String,
    element: String,
    count: usize,
}

/// Splits a dotted key at dots outside of double quotes; `None` when a part is empty or there are
/// too many.
pub fn segments(key: &str) -> Option<Vec<String>> {
    let mut segments = vec![String::new()];
    let mut quoted = false;
    for c in key.trim().chars() {
        match c {
            '"' => quoted = !quoted,
            '.' if !quoted => segments.push(String::new()),
            c => segments.last_mut()?.push(c),
        }
    }
    let usable =
        !quoted && segments.len() <= SEGMENTS_MAX && segments.iter().all(|s| !s.is_empty());
    usable.then_some(segments)
}

/// Puts `value` at `segments`. Tables on the way are made; whatever else stands there gives way,
/// and the type check that follows names the override.
fn set(
    target: &mut Node,
    segments: &[String],
    value: Node,
    key_place: &Place,
) -> Result<(), Missing> {
    let Some((first, rest)) = segments.split_first() else {
        *target = value;
        return Ok(());
    };
    if let Value::List(items) = &mut target.value {
        let count = items.len();
        let item = first.parse().ok().and_then(|index: usize| items.get_mut(index));
        let missing = || Missing { list: String::new(), element: first.clone(), count };
        return set(item.ok_or_else(missing)?, rest, value, key_place);
    }
    if !matches!(target.value, Value::Table(_)) {
        *target = Node { place: key_place.clone(), value: Value::Table(Vec::new()) };
    }
    let Value::Table(entries) = &mut target.value else {
        return Ok(());
    };
    let index = entries.iter().position(|entry| entry.key == *first).unwrap_or_else(|| {
        let node = Node { place: key_place.clone(), value: Value::Table(Vec::new()) };
        entries.push(Entry { key: first.clone(), key_place: key_place.clone(), node });
        entries.len() - 1
    });
    set(&mut entries[index].node, rest, value, key_place).map_err(|missing| Missing {
        list: join(first, &missing.list).trim_end_matches('.').to_owned(),
        ..missing
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::tree::parse_file;

    fn overridden(text: &str, key: &str, value: &str) -> Result<String, Box<ConfigFault>> {
        let mut root = parse_file(text, Text::File).expect("valid");
        apply(&mut root, 0, key, value)?;
        Ok(show(&root))
    }

    fn show(node: &Node) -> String {
        match &node.value {
            Value::Text(text) => text.clone(),
            Value::Whole(Some(whole)) => whole.to_string(),
            Value::List(items) => {
                format!("[{}]", items.iter().map(show).collect::<Vec<_>>().join(" "))
            }
            Value::Table(entries) => {
                let show = |e: &Entry| format!("{}:{}", e.key, show(&e.node));
                format!("{{{}}}", entries.iter().map(show).collect::<Vec<_>>().join(" "))
            }
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn overrides_replace_add_and_index() {
        assert_eq!(overridden("a.b = 1", "a.b", "2").expect("ok"), "{a:{b:2}}");
        assert_eq!(overridden("", "a.b", "50ms").expect("ok"), "{a:{b:50ms}}");
        assert_eq!(overridden("[[s]]\n[[s]]", "s.1.c", "8").expect("ok"), "{s:[{} {c:8}]}");
        assert_eq!(overridden("[p.x]\nk = 1", "p", "two").expect("ok"), "{p:two}");
        assert_eq!(overridden("", "e.\"x.y\"", "3").expect("ok"), "{e:{x.y:3}}");
    }

    #[test]
    fn faults_name_the_override() {
        let fault = overridden("[[s]]", "s.1.c", "8").expect_err("no second element");
        assert_eq!(fault.origin, Origin::Override("s.1.c=8".into()));
        assert_eq!(fault.span, Some(0..5));
        for bad in ["", ".", "a..b", "a.\"b", "a.b.c.d.e.f.g.h.i.j.k.l.m"] {
            assert!(overridden("", bad, "1").is_err(), "{bad}");
        }
    }
}
