//! Shows the faults of a scenario: the line, the offending text underlined, what to write instead.

use std::env;
use std::io::{IsTerminal, stderr};
use std::ops::Range;

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use sim_core::config::{ConfigFault, Origin};

/// Width of the output where there is no terminal to ask [characters].
const WIDTH: usize = 100;

/// How to render.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// Nothing but text.
    Plain,
    /// With ANSI colours.
    Colour,
}

impl Style {
    /// Colours on a terminal, unless the user does not want them (no-color.org).
    pub fn of_stderr() -> Self {
        let unwanted = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let dumb = env::var_os("TERM").is_some_and(|term| term == "dumb");
        if stderr().is_terminal() && !unwanted && !dumb { Self::Colour } else { Self::Plain }
    }
}

/// A file with faults.
#[derive(Clone, Copy, Debug)]
pub struct Source<'a> {
    /// Its path, as the user would write it.
    pub path: &'a str,
    /// Its content.
    pub text: &'a str,
}

/// Renders all faults of the scenario at `path` with content `text`, and a last line that counts.
pub fn render(path: &str, text: &str, faults: &[ConfigFault], style: Style) -> String {
    let file = Source { path, text };
    render_over(file, file, faults, style) + &count(path, faults.len())
}

/// Renders all faults of a `sweep` and of its `base`, and a last line that counts.
pub fn render_sweep(
    base: Source<'_>,
    sweep: Source<'_>,
    faults: &[ConfigFault],
    style: Style,
) -> String {
    render_over(base, sweep, faults, style) + &count(sweep.path, faults.len())
}

fn count(path: &str, faults: usize) -> String {
    format!("{path}: {faults} fault{}\n", if faults == 1 { "" } else { "s" })
}

fn render_over(
    file: Source<'_>,
    overlay: Source<'_>,
    faults: &[ConfigFault],
    style: Style,
) -> String {
    let renderer = match style {
        Style::Plain => Renderer::plain(),
        Style::Colour => Renderer::styled(),
    };
    let renderer = renderer.term_width(WIDTH);
    let mut out = String::new();
    for fault in faults {
        out.push_str(&renderer.render(&[group(file, overlay, fault)]));
        out.push_str("\n\n");
    }
    out
}

fn group<'a>(file: Source<'a>, overlay: Source<'a>, fault: &'a ConfigFault) -> Group<'a> {
    let ConfigFault { key, origin, span, found, problem, allowed, fix } = fault;
    let title = if key.is_empty() { problem.clone() } else { format!("{key}: {problem}") };
    let mut group = Group::with_title(Level::ERROR.primary_title(title));
    let (path, text) = match origin {
        Origin::File => (file.path, file.text),
        Origin::Overlay => (overlay.path, overlay.text),
        Origin::Override(written) => ("--set", written.as_str()),
    };
    if let Some(span) = span {
        let annotation = AnnotationKind::Primary.span(visible(text, span));
        group = group.element(Snippet::source(text).path(path).annotation(annotation));
    } else {
        group = group.element(annotate_snippets::Origin::path(path));
        if let Some(found) = found {
            group = group.element(Level::NOTE.message(format!("it is {found}")));
        }
    }
    if let Some(allowed) = allowed {
        group = group.element(Level::NOTE.message(format!("allowed: {allowed}")));
    }
    if let Some(fix) = fix {
        group = group.element(Level::HELP.message(fix.as_str()));
    }
    group
}

/// The span, or, if there is nothing in it, the character that follows: something to underline.
fn visible(text: &str, span: &Range<usize>) -> Range<usize> {
    let next = text.get(span.start..).and_then(|rest| rest.chars().next());
    span.start..span.end.max(span.start + next.map_or(0, char::len_utf8))
}

#[cfg(test)]
mod tests {
    use sim_core::config::Scenario;

    use super::*;

    /// Goal: whatever is wrong can be shown. Method: cut a file short at every character, which
    /// gives every kind of syntax error and missing key at the end of a text.
    #[test]
    fn every_beginning_of_a_file_can_be_rendered() {
        let text = include_str!("../tests/faulty.toml").replace("mean", "m\u{f6}an\u{1f980}");
        for (end, _) in text.char_indices() {
            let text = &text[..end];
            let faults = Scenario::parse(text, &[], &|_| Err("none".into())).expect_err("faulty");
            for style in [Style::Plain, Style::Colour] {
                assert!(render("x.toml", text, &faults, style).contains("x.toml"), "cut at {end}");
            }
        }
    }
}
