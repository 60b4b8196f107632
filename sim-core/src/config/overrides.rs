//! Overrides: `servers.0.capacity=8` laid over the tree of the file, before anything is checked.

use super::fault::{ConfigFault, Origin};
use super::tree::{Entry, Node, Place, Text, Value, parse_override};

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
    let fault = |problem: String| ConfigFault {
        origin: Origin::Override(written(key, value)),
        span: Some(0..key.len()),
        ..ConfigFault::new(key, problem)
    };
    let segments = split(key).ok_or_else(|| {
        Box::new(
            fault("not a key".into())
                .allowed("names and numbers joined by dots: servers.0.capacity"),
        )
    })?;
    let value = parse_override(value, text, key.len() + 1);
    set(root, &segments, value, &key_place).map_err(|problem| Box::new(fault(problem)))
}

/// Splits at dots outside of double quotes; `None` when a part is empty or there are too many.
fn split(key: &str) -> Option<Vec<String>> {
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
) -> Result<(), String> {
    let Some((first, rest)) = segments.split_first() else {
        *target = value;
        return Ok(());
    };
    if let Value::List(items) = &mut target.value {
        let count = items.len();
        let item = first.parse().ok().and_then(|index: usize| items.get_mut(index));
        let item = item.ok_or_else(|| format!("there is no element `{first}` among {count}"))?;
        return set(item, rest, value, key_place);
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
    set(&mut entries[index].node, rest, value, key_place)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::tree::parse_file;

    fn overridden(text: &str, key: &str, value: &str) -> Result<String, Box<ConfigFault>> {
        let mut root = parse_file(text).expect("valid");
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
