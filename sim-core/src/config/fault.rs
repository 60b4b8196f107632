//! A fault of a scenario: what is wrong, where, and what to write instead.

use std::fmt;
use std::ops::Range;

/// Where the text of a fault's place is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Origin {
    /// The scenario file. Scenarios built by hand have no text; their faults have no span either.
    #[default]
    File,
    /// The file laid over the scenario: a sweep.
    Overlay,
    /// An override, written `key=value`.
    Override(String),
}

/// One thing that is wrong with a scenario.
#[derive(Clone, Debug, Default, PartialEq, Eq, thiserror::Error)]
pub struct ConfigFault {
    /// Dotted path of the key, array elements by number: `servers.0.capacity`.
    pub key: String,
    /// Which text `span` counts in.
    pub origin: Origin,
    /// The offending bytes; `None` where nothing was written (a missing key at the top level).
    pub span: Option<Range<usize>>,
    /// What stands there.
    pub found: Option<String>,
    /// What is wrong with it.
    pub problem: String,
    /// What may stand there.
    pub allowed: Option<String>,
    /// What to write instead.
    pub fix: Option<String>,
}

impl ConfigFault {
    /// A fault of `key`, without a place.
    pub fn new(key: impl Into<String>, problem: impl Into<String>) -> Self {
        Self { key: key.into(), problem: problem.into(), ..Self::default() }
    }

    /// States what stands there.
    #[must_use]
    pub fn found(mut self, found: impl fmt::Display) -> Self {
        self.found = Some(found.to_string());
        self
    }

    /// States what may stand there.
    #[must_use]
    pub fn allowed(mut self, allowed: impl Into<String>) -> Self {
        self.allowed = Some(allowed.into());
        self
    }

    /// States what to write instead.
    #[must_use]
    pub fn fix(mut self, fix: impl Into<String>) -> Self {
        self.fix = Some(fix.into());
        self
    }
}

impl fmt::Display for ConfigFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        f.write_str(&self.problem)?;
        if let Some(found) = &self.found {
            write!(f, "; found {found}")?;
        }
        if let Some(allowed) = &self.allowed {
            write!(f, "; allowed: {allowed}")?;
        }
        if let Some(fix) = &self.fix {
            write!(f, "; {fix}")?;
        }
        if let Origin::Override(text) = &self.origin {
            write!(f, " (in --set {text})")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn display_names_key_problem_allowed_fix_and_override() {
        let mut fault = ConfigFault::new("nodes.count", "must be at least 1")
            .found(0)
            .allowed("1 to 1000000")
            .fix("write 4");
        fault.origin = Origin::Override("nodes.count=0".into());
        assert_eq!(
            fault.to_string(),
            "nodes.count: must be at least 1; found 0; allowed: 1 to 1000000; write 4 \
             (in --set nodes.count=0)"
        );
    }
}
