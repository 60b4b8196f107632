//! The scenario as a tree of values that all know their place, in file order.
//!
//! `toml` keeps places but sorts keys and borrows the text; overrides have texts of their own. One
//! owned tree holds both.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::fault::{ConfigFault, Origin};

/// Which text a place is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Text {
    /// The scenario file.
    File,
    /// The file whose values are laid over the scenario: a sweep.
    Overlay,
    /// The override with this number.
    Override(usize),
}

/// Some bytes of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Which text.
    pub text: Text,
    /// Which bytes of it.
    pub span: Range<usize>,
}

/// A value and its place.
#[derive(Clone, Debug)]
pub struct Node {
    /// Where it is written.
    pub place: Place,
    /// What is written.
    pub value: Value,
}

/// What is written.
#[derive(Clone, Debug)]
pub enum Value {
    /// A string.
    Text(String),
    /// A whole number; `None` if it does not even fit into 128 bits.
    Whole(Option<i128>),
    /// Another number.
    Float(f64),
    /// `true` or `false`.
    Flag(bool),
    /// A date, or something nested too deep: no key takes one.
    Other,
    /// `[..]` or `[[..]]`.
    List(Vec<Node>),
    /// `{..}` or `[..]`, in file order.
    Table(Vec<Entry>),
}

/// A key and its value.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The key.
    pub key: String,
    /// Where the key is written.
    pub key_place: Place,
    /// The value.
    pub node: Node,
}

/// Deepest nesting taken over. No key is deeper than 6; what lies below is reported as unknown.
const DEPTH_MAX: usize = 16;

/// Most syntax errors reported: later ones mostly follow from earlier ones.
const SYNTAX_FAULTS_MAX: usize = 20;

/// Parses a whole file, or returns its syntax errors; places in it are said to be in `which`.
///
/// # Errors
/// The syntax errors, at most 20.
pub fn parse_file(text: &str, which: Text) -> Result<Node, Vec<ConfigFault>> {
    let (table, errors) = DeTable::parse_recoverable(text);
    if !errors.is_empty() {
        return Err(errors
            .iter()
            .take(SYNTAX_FAULTS_MAX)
            .map(|error| syntax_fault(error, text, which))
            .collect());
    }
    let place = Place { text: which, span: 0..0 };
    Ok(Node { place, value: Value::Table(entries(table.get_ref(), which, 0, DEPTH_MAX)) })
}

/// Parses the value of an override; what is not TOML is a bare word.
pub fn parse_override(value: &str, text: Text, offset: usize) -> Node {
    if let Ok(parsed) = DeValue::parse(value) {
        return node(&parsed, text, offset, DEPTH_MAX);
    }
    let span = offset..offset + value.len();
    Node { place: Place { text, span }, value: Value::Text(value.to_owned()) }
}

fn syntax_fault(error: &toml::de::Error, text: &str, which: Text) -> ConfigFault {
    let span = error.span().map(|span| span.start.min(text.len())..span.end.min(text.len()));
    let origin = if which == Text::Overlay { Origin::Overlay } else { Origin::File };
    ConfigFault { origin, span, ..ConfigFault::new("", format!("not TOML: {}", error.message())) }
}

fn entries(table: &DeTable<'_>, text: Text, offset: usize, depth: usize) -> Vec<Entry> {
    let mut entries: Vec<Entry> = table
        .iter()
        .map(|(key, value)| Entry {
            key: key.get_ref().to_string(),
            key_place: place(key, text, offset),
            node: node(value, text, offset, depth),
        })
        .collect();
    entries.sort_by_key(|entry| entry.key_place.span.start);
    entries
}

fn node(value: &Spanned<DeValue<'_>>, text: Text, offset: usize, depth: usize) -> Node {
    let place = place(value, text, offset);
    let below = depth.saturating_sub(1);
    let value = match value.get_ref() {
        DeValue::String(string) => Value::Text(string.to_string()),
        DeValue::Integer(whole) => {
            Value::Whole(i128::from_str_radix(whole.as_str(), whole.radix()).ok())
        }
        DeValue::Float(float) => Value::Float(float.as_str().parse().unwrap_or(f64::NAN)),
        DeValue::Boolean(flag) => Value::Flag(*flag),
        DeValue::Datetime(_) => Value::Other,
        DeValue::Array(_) | DeValue::Table(_) if depth == 0 => Value::Other,
        DeValue::Array(list) => {
            Value::List(list.iter().map(|item| node(item, text, offset, below)).collect())
        }
        DeValue::Table(table) => Value::Table(entries(table, text, offset, below)),
    };
    Node { place, value }
}

fn place<T>(spanned: &Spanned<T>, text: Text, offset: usize) -> Place {
    let span = spanned.span();
    Place { text, span: span.start + offset..span.end + offset }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_keep_file_order_and_place() {
        let text = "zebra = 1\napple = \"x\"\n";
        let Value::Table(entries) = parse_file(text, Text::File).expect("valid").value else {
            panic!("table")
        };
        let keys: Vec<&str> = entries.iter().map(|entry| entry.key.as_str()).collect();
        assert_eq!(keys, ["zebra", "apple"]);
        assert_eq!(&text[entries[1].node.place.span.clone()], "\"x\"");
    }

    #[test]
    fn every_syntax_error_is_reported() {
        let faults = parse_file("a = \nb = 1\nc = = 2\n", Text::File).expect_err("two errors");
        assert!(faults.len() >= 2, "{faults:?}");
    }

    #[test]
    fn override_values_are_toml_or_bare_words() {
        let value = |text: &str| parse_override(text, Text::Override(0), 0).value;
        assert!(matches!(value("16"), Value::Whole(Some(16))));
        assert!(matches!(value("1_000"), Value::Whole(Some(1000))));
        assert!(matches!(value("0.5"), Value::Float(_)));
        assert!(matches!(value("true"), Value::Flag(true)));
        assert!(matches!(value("{ a = 1 }"), Value::Table(_)));
        for word in ["50ms", "1000/s", "70%", "0..5", "two_choices", "10 ms", "", "[1, ", ">= 3"] {
            assert!(matches!(value(word), Value::Text(text) if text == word), "{word}");
        }
    }
}
