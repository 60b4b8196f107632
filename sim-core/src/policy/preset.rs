//! Presets: the exact defaults of a system, under a name of its own.
//!
//! A preset is a policy with every parameter stated, each with where it is read. In a scenario it stands
//! wherever a policy may: `[policy] preset = "envoy_least_request"`, `policy = "envoy_least_request"`,
//! `[policy.envoy_least_request]` with what is to differ. Its name labels its results.

use std::fmt;

use super::presets::PRESETS;
use crate::config::PolicyConfig;
use crate::config::preset_defaults;

/// A system's way to choose.
#[derive(Clone, Copy, Debug)]
pub struct Preset {
    /// Its name in scenarios and results.
    pub name: &'static str,
    /// The system and what it calls it.
    pub system: &'static str,
    /// The policy that does it.
    pub policy: &'static str,
    /// Every parameter of the policy.
    pub settings: &'static [Setting],
    /// What the system has besides, that is no part of a policy: keys of a scenario to put beside it.
    pub beside: &'static str,
}

/// A parameter's value in a system.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// The parameter.
    pub key: &'static str,
    /// Its value, as a scenario has it.
    pub value: &'static str,
    /// Where it is read.
    pub source: &'static str,
}

/// A row of a preset's settings.
pub(super) const fn set(key: &'static str, value: &'static str, source: &'static str) -> Setting {
    Setting { key, value, source }
}

/// A policy with the parameters of a preset, which a scenario may have changed.
#[derive(Clone, PartialEq)]
pub struct PresetPolicy {
    /// The preset's name.
    pub name: &'static str,
    /// The policy.
    pub policy: Box<PolicyConfig>,
}

impl fmt::Debug for PresetPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} = {:?}", self.name, self.policy)
    }
}

impl Preset {
    /// The preset called `name`.
    pub fn named(name: &str) -> Option<&'static Self> {
        PRESETS.iter().find(|preset| preset.name == name)
    }

    /// Its policy. Where a preset has the name of its policy, it is that policy: the defaults are the
    /// system's.
    pub fn config(&self) -> PolicyConfig {
        let policy = preset_defaults(self.policy, self.settings);
        if self.name == self.policy {
            return policy;
        }
        PolicyConfig::Preset(PresetPolicy { name: self.name, policy: Box::new(policy) })
    }
}

impl PolicyConfig {
    /// The policy of this name, or the preset, with all defaults.
    pub fn called(name: &str) -> Option<Self> {
        Self::named(name).or_else(|| Preset::named(name).map(Preset::config))
    }

    /// The policy itself, without the name that a preset gave it.
    pub fn plain(&self) -> &Self {
        match self {
            Self::Preset(preset) => preset.policy.plain(),
            policy => policy,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::policy::registry::NAMES;

    /// Goal: a preset leaves nothing to a default that may change. Method: its settings are exactly the
    /// parameters of its policy, written as a scenario writes them, and each has a source.
    #[test]
    fn presets_state_every_parameter_and_its_source() {
        for preset in PRESETS {
            let Preset { name, system, policy, settings, .. } = preset;
            assert!(NAMES.contains(policy), "{name}: {policy}");
            let written = preset.config().plain().written();
            let stated: Vec<(&str, String)> =
                settings.iter().map(|setting| (setting.key, setting.value.to_owned())).collect();
            assert_eq!(stated, written, "{name}");
            assert!(settings.iter().all(|setting| setting.source.len() > 8), "{name}");
            assert!(!system.is_empty());
        }
    }

    #[test]
    fn names_are_distinct_and_a_policys_name_is_that_policy() {
        let names: BTreeSet<&str> = PRESETS.iter().map(|preset| preset.name).collect();
        assert_eq!(names.len(), PRESETS.len());
        for preset in PRESETS {
            let called = PolicyConfig::called(preset.name).expect("a preset");
            assert_eq!(called, preset.config(), "{}: not the policy's defaults", preset.name);
            assert_eq!(called.name(), preset.name);
        }
    }
}
