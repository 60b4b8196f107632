//! Values of a sweep file as text: in CSV cells, in tables for people, and compared with each other.

use std::fmt::Write;

use sim_core::config::document::{Entry, Node, Value};

/// The text of a value: a string without quotes, a number in its shortest form, a list or table as
/// TOML on one line. Equal values have equal texts, however they are written.
pub fn text(node: &Node) -> String {
    if let Value::Text(text) = &node.value {
        return text.clone();
    }
    let mut out = String::new();
    write(&node.value, &mut out);
    out
}

fn write(value: &Value, out: &mut String) {
    // Writing to a string cannot fail.
    let _ = match value {
        Value::Text(text) => write!(out, "\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"")),
        Value::Whole(Some(whole)) => write!(out, "{whole}"),
        Value::Float(float) => write!(out, "{float}"),
        Value::Flag(flag) => write!(out, "{flag}"),
        Value::Whole(None) | Value::Other => write!(out, "?"),
        Value::List(items) => {
            out.push('[');
            for (i, item) in items.iter().enumerate() {
                out.push_str(if i == 0 { "" } else { ", " });
                write_node(item, out);
            }
            out.push(']');
            Ok(())
        }
        Value::Table(entries) => {
            out.push_str("{ ");
            for (i, Entry { key, node, .. }) in entries.iter().enumerate() {
                let _ = write!(out, "{}{key} = ", if i == 0 { "" } else { ", " });
                write_node(node, out);
            }
            out.push_str(" }");
            Ok(())
        }
    };
}

fn write_node(node: &Node, out: &mut String) {
    write(&node.value, out);
}

#[cfg(test)]
mod tests {
    use sim_core::config::document::{Text, parse_file};

    use super::*;

    #[test]
    fn values_read_as_people_write_them_and_equal_ones_are_equal() {
        for (written, expected) in [
            ("\"100ms\"", "100ms"),
            ("4", "4"),
            ("4.0", "4"),
            ("0x10", "16"),
            ("0.1", "0.1"),
            ("true", "true"),
            ("[\"a\", 1]", "[\"a\", 1]"),
            ("{two_choices={choices=3}}", "{ two_choices = { choices = 3 } }"),
            ("{ a = \"x\\\"y\" }", "{ a = \"x\\\"y\" }"),
        ] {
            let root = parse_file(&format!("k = {written}"), Text::Overlay).expect(written);
            let Value::Table(entries) = root.value else { panic!("a table") };
            assert_eq!(text(&entries[0].node), expected);
        }
    }
}
