//! Reads `[policy.<name>]`: one or more policies to compare.

use super::tree::{Node, Text, Value, parse_file};
use super::values::word;
use super::walk::{Item, Section, Texts, Walk, enter, join};
use super::{LowestLatencyConfig, PRESETS, ParameterList, PolicyConfig, Preset, Setting};
use crate::policy::registry::NAMES;

/// The key that names presets.
const PRESET: &str = "preset";

/// Reads the policies in file order; without any, the default one.
///
/// Besides tables, `policy = "random"` and `policy = ["random", "two_choices"]` are understood:
/// so an override or a sweep axis can name policies. A preset is named like a policy, or by
/// `preset = "envoy_least_request"` in the table.
pub(super) fn policies(walk: &mut Walk<'_>, top: &mut Section<'_>) -> Vec<PolicyConfig> {
    top.read(walk, "policy", read)
        .unwrap_or_else(|| vec![PolicyConfig::LowestLatency(LowestLatencyConfig::default())])
}

fn read(walk: &mut Walk<'_>, item: &Item<'_>) -> Option<Vec<PolicyConfig>> {
    match &item.node.value {
        Value::Text(_) => named(walk, item).map(|policy| vec![policy]),
        Value::List(nodes) => {
            let item = |node| Item { path: item.path.clone(), node };
            Some(nodes.iter().filter_map(|node: &Node| named(walk, &item(node))).collect())
        }
        _ => Some(tables(walk, item)),
    }
}

/// A policy by its name alone, with all defaults.
fn named(walk: &mut Walk<'_>, item: &Item<'_>) -> Option<PolicyConfig> {
    let words: Vec<_> = names().map(|name| (name, name)).collect();
    let name = word(walk, item, &words)?;
    policy(walk, name, None)
}

/// Every policy, then every preset that is not called like its policy.
fn names() -> impl Iterator<Item = &'static str> {
    let presets = PRESETS.iter().map(|preset| preset.name);
    NAMES.into_iter().chain(presets.filter(|name| !NAMES.contains(name)))
}

/// `preset = "..."` or `preset = ["...", "..."]`.
fn presets(walk: &mut Walk<'_>, item: &Item<'_>) -> Vec<PolicyConfig> {
    let words: Vec<_> = PRESETS.iter().map(|preset| (preset.name, preset)).collect();
    let mut preset = |node: &Node| {
        let item = Item { path: item.path.clone(), node };
        word(walk, &item, &words).map(Preset::config)
    };
    match &item.node.value {
        Value::List(nodes) => nodes.iter().filter_map(preset).collect(),
        _ => preset(item.node).into_iter().collect(),
    }
}

/// The policy called `name` with these parameters.
///
/// # Panics
/// If there is no such policy, or a setting cannot be read: presets are part of the program.
pub(crate) fn preset_defaults(name: &str, settings: &[Setting]) -> PolicyConfig {
    let line = |setting: &Setting| format!("{} = {}\n", setting.key, setting.value);
    let text: String = settings.iter().map(line).collect::<Vec<_>>().concat();
    let node = parse_file(&text, Text::File).expect("a preset is TOML");
    let read = |_: &str| Err("a preset names no file".to_owned());
    let mut walk = Walk::new(&read, Texts { file: &text, ..Texts::default() });
    let mut section = Section::root(&node);
    let mut policy = PolicyConfig::named(name).expect("a preset has a policy");
    policy.list(&mut ParameterList::reading(&mut walk, &mut section));
    section.close(&mut walk);
    assert!(walk.faults.is_empty(), "{name}: {:?}", walk.faults);
    policy
}

fn tables(walk: &mut Walk<'_>, item: &Item<'_>) -> Vec<PolicyConfig> {
    let mut section = Section::open(walk, item);
    for name in NAMES {
        section.get(walk, name);
    }
    section.get(walk, PRESET);
    section.allow(names());
    section.close(walk);
    let Value::Table(entries) = &item.node.value else {
        return Vec::new();
    };
    // File order, not the order above.
    entries
        .iter()
        .flat_map(|entry| {
            let inner = enter(walk, join(&item.path, &entry.key), entry);
            if entry.key == PRESET {
                return presets(walk, &inner);
            }
            policy(walk, &entry.key, Some(&inner)).into_iter().collect()
        })
        .collect()
}

/// The policy called `name`; without a table, its defaults.
fn policy(walk: &mut Walk<'_>, name: &str, item: Option<&Item<'_>>) -> Option<PolicyConfig> {
    let mut policy = PolicyConfig::called(name)?;
    let mut section = match item {
        Some(item) => Section::open(walk, item),
        None => Section::absent(&format!("policy.{name}")),
    };
    policy.list(&mut ParameterList::reading(walk, &mut section));
    section.close(walk);
    Some(policy)
}

impl PolicyConfig {
    /// The parameters with their values as a scenario file has them.
    pub(crate) fn written(&self) -> Vec<(&'static str, String)> {
        let mut pairs = Vec::new();
        self.clone().list(&mut ParameterList::writing(&mut pairs));
        pairs
    }

    /// The parameters as `key=value` joined by `;`.
    pub fn params(&self) -> String {
        let pairs = self.written().into_iter();
        let pairs = pairs.map(|(key, value)| format!("{key}={}", value.replace('"', "")));
        pairs.collect::<Vec<_>>().join(";")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Scenario;

    fn parse(policy: &str) -> Result<Scenario, Vec<String>> {
        let text = format!(
            "name = \"x\"\nduration = \"1s\"\n{policy}\n[[servers]]\ncount = 4\ncapacity = 1\n\
             backlog = 0\nservice.constant = {{ mean = \"1ms\" }}\n[workload]\n\
             arrivals.poisson = {{ rate = \"50%\" }}\nkeys.uniform = {{ count = 10 }}\n"
        );
        let told = |faults: Vec<crate::config::ConfigFault>| {
            faults.into_iter().map(|fault| format!("{}: {}", fault.key, fault.problem)).collect()
        };
        Scenario::parse(&text, &[], &|_| Err("no file".into())).map_err(told)
    }

    fn names_of(policy: &str) -> Vec<&'static str> {
        parse(policy).expect(policy).policies.iter().map(PolicyConfig::name).collect()
    }

    #[test]
    fn presets_stand_wherever_policies_do() {
        let one = ["envoy_least_request"];
        assert_eq!(names_of("policy = \"envoy_least_request\""), one);
        assert_eq!(names_of("[policy]\npreset = \"envoy_least_request\""), one);
        assert_eq!(names_of("[policy.envoy_least_request]"), one);
        let several = "[policy]\nrandom = {}\npreset = [\"finagle_p2c\", \"yarp_p2c\"]\n\
                       two_choices = {}\n[policy.finagle_heap]";
        let expected = ["random", "finagle_p2c", "yarp_p2c", "two_choices", "finagle_heap"];
        assert_eq!(names_of(several), expected);
        let changed = parse("[policy.envoy_least_request]\nchoices = 5").expect("possible");
        assert!(changed.policies[0].params().starts_with("choices=5;selection=n_choices;"));
        assert_eq!(changed.policies[0].name(), "envoy_least_request");
    }

    /// All presets in one scenario, read back as written.
    #[test]
    fn presets_survive_being_written() {
        let names: Vec<String> =
            PRESETS.iter().map(|preset| format!("\"{}\"", preset.name)).collect();
        let scenario = parse(&format!("[policy]\npreset = [{}]", names.join(", "))).expect("all");
        assert_eq!(scenario.policies.len(), PRESETS.len());
        let again = Scenario::parse(&scenario.to_toml(), &[], &|_| Err("no file".into()));
        assert_eq!(again, Ok(scenario));
    }

    #[test]
    fn what_is_wrong_with_presets_is_told_by_name() {
        for (policy, told) in [
            ("policy = \"envoy_least_reqest\"", "policy: unknown choice"),
            ("[policy]\npreset = \"random\"", "policy.preset: unknown choice"),
            ("[policy]\npreset = 3", "policy.preset: must be one of a few words"),
            ("[policy.envoy_least_request]\nchoices = 1", "policy.envoy_least_request.choices: "),
            (
                "[policy.envoy_least_request]\nchoice = 2",
                "policy.envoy_least_request.choice: unknown key",
            ),
            ("[policy]\npreset = [\"yarp_p2c\", \"yarp_p2c\"]", "policy.yarp_p2c: is there twice"),
        ] {
            let faults = parse(policy).expect_err(policy);
            assert!(faults.iter().any(|fault| fault.starts_with(told)), "{policy}: {faults:?}");
        }
    }
}
