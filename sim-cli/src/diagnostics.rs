//! Shows the faults of a scenario: the line, the offending text underlined, what to write instead.

use std::env;
use std::io::{IsTerminal, stderr};

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
        if stderr().is_terminal() && !unwanted && !dumb {
            Self::Colour
        } else {
            Self::Plain
        }
    }
}

/// Renders all faults of the scenario at `path` with content `text`, and a last line that counts.
pub fn render(path: &str, text: &str, faults: &[ConfigFault], style: Style) -> String {
    let renderer = match style {
        Style::Plain => Renderer::plain(),
        Style::Colour => Renderer::styled(),
    };
    let renderer = renderer.term_width(WIDTH);
    let mut out = String::new();
    for fault in faults {
        out.push_str(&renderer.render(&[group(path, text, fault)]));
        out.push_str("\n\n");
    }
    let (count, s) = (faults.len(), if faults.len() == 1 { "" } else { "s" });
    out.push_str(&format!("{path}: {count} fault{s}\n"));
    out
}

fn group<'a>(path: &'a str, text: &'a str, fault: &'a ConfigFault) -> Group<'a> {
    let ConfigFault {
        key,
        origin,
        span,
        found,
        problem,
        allowed,
        fix,
    } = fault;
    let title = if key.is_empty() {
        problem.clone()
    } else {
        format!("{key}: {problem}")
    };
    let mut group = Group::with_title(Level::ERROR.primary_title(title));
    let (path, text) = match origin {
        Origin::File => (path, text),
        Origin::Override(written) => ("--set", written.as_str()),
    };
    match span {
        Some(span) => {
            // A span of nothing is not drawn; show at least one character.
            let end = if span.is_empty() {
                text.len().min(span.start + 1)
            } else {
                span.end
            };
            let annotation = AnnotationKind::Primary.span(span.start..end);
            group = group.element(Snippet::source(text).path(path).annotation(annotation));
        }
        None => {
            group = group.element(annotate_snippets::Origin::path(path));
            if let Some(found) = found {
                group = group.element(Level::NOTE.message(format!("it is {found}")));
            }
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
