//! `lbsim list`: what scenario and sweep files may contain, from the table that documents it.

use std::process::ExitCode;

use bench_harness::sweep::keys::KEYS as SWEEP_KEYS;
use comfy_table::{ContentArrangement, Table};
use sim_core::config::keys::{FAULTS, KEYS, Key, POLICIES};
use sim_core::config::{PRESETS, Preset, Setting};

use crate::args::Topic;
use crate::{metrics, output};

/// Prints the topic.
pub fn list(what: Topic) -> ExitCode {
    output::print(&match what {
        Topic::Keys => table(KEYS.iter(), "") + "\n",
        Topic::SweepKeys => table(SWEEP_KEYS.iter(), "") + "\n",
        Topic::Metrics => metrics::metrics(),
        Topic::Policies => policies(),
        Topic::Presets => presets(),
        Topic::Faults => {
            let common = table(KEYS.iter().filter(|key| is_common(key)), "faults.N.");
            format!("[[faults]]\n{common}\n\n{}", groups("faults.N.", FAULTS))
        }
    })
}

/// Every policy: its name, what it does, its parameters.
fn policies() -> String {
    let policy = |&(name, about): &(&str, &str)| {
        let prefix = format!("policy.{name}.");
        let keys = KEYS.iter().filter(|key| key.path.starts_with(&prefix));
        format!("{name}\n{about}\n{}\n", table(keys, &prefix))
    };
    POLICIES.iter().map(policy).collect::<Vec<_>>().join("\n")
}

/// A heading and the parameters of each name below `prefix`.
fn groups(prefix: &str, names: &[&str]) -> String {
    let group = |name: &&str| {
        let prefix = format!("{prefix}{name}.");
        let keys = KEYS.iter().filter(|key| key.path.starts_with(&prefix));
        format!("{name}\n{}\n", table(keys, &prefix))
    };
    names.iter().map(group).collect::<Vec<_>>().join("\n")
}

/// Every preset: the system, the policy behind it, each value and its source.
fn presets() -> String {
    let one = |preset: &Preset| {
        let Preset { name, system, policy, settings, beside } = *preset;
        let mut table = Table::new();
        table.load_style(comfy_table::presets::NOTHING);
        table.set_content_arrangement(ContentArrangement::Dynamic);
        table.set_header(["key", "value", "source"]);
        for Setting { key, value, source } in settings {
            table.add_row([key, value, source]);
        }
        let beside =
            if beside.is_empty() { String::new() } else { format!("beside it: {beside}\n") };
        format!("{name}: {system}\npolicy {policy}\n{beside}{}\n", table.trim_fmt())
    };
    let head = "[policy]\npreset = \"NAME\", or [\"NAME\", \"NAME\"]; [policy.NAME] holds what is to differ\n";
    let presets = PRESETS.iter().map(one).collect::<Vec<_>>();
    format!("{head}\n{}", presets.join("\n"))
}

/// When and how long: what all kinds of fault have.
fn is_common(key: &Key) -> bool {
    key.path.strip_prefix("faults.N.").is_some_and(|rest| !rest.contains('.'))
}

fn table<'k>(keys: impl Iterator<Item = &'k Key>, prefix: &str) -> String {
    let mut table = Table::new();
    table.load_style(comfy_table::presets::NOTHING);
    table.set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header(["key", "default", "allowed", "meaning"]);
    for Key { path, unit, default, range, meaning, effect } in keys {
        let allowed =
            if unit.is_empty() { (*range).to_owned() } else { format!("{range} [{unit}]") };
        let path = path.strip_prefix(prefix).unwrap_or(path);
        table.add_row([path, default, &allowed, &format!("{meaning} {effect}")]);
    }
    table.trim_fmt()
}
