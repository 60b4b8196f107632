//! What a sweep file may not say about its points: rules that name nothing, or leave nothing.

use std::collections::BTreeSet;

use sim_core::config::document::{Place, nearest};
use sim_core::config::{ConfigFault, Origin};

use super::file::{Condition, SweepFile, covers};
use super::grid::{Grid, POLICY};
use super::plan::Point;
use super::value;

/// A fault at a place of the sweep file.
fn fault_at(key: &str, place: Option<&Place>, problem: impl Into<String>) -> ConfigFault {
    let mut fault = ConfigFault::new(key, problem);
    fault.origin = Origin::Overlay;
    fault.span = place.map(|place| place.span.clone());
    fault
}

/// Overrides of the command line that an axis would undo.
pub fn unsettable(file: &SweepFile, overrides: &[(String, String)]) -> Vec<ConfigFault> {
    let keys = file.axes.iter().flat_map(|axis| &axis.keys);
    let keys: Vec<&str> = keys.map(|key| key.key.as_str()).collect();
    let clash = |(key, value): &(String, String)| {
        let axis = keys.iter().find(|axis| covers(axis, key) || covers(key, axis))?;
        let problem = format!("the axis `{axis}` of the sweep varies it");
        let mut fault = ConfigFault::new(key, problem);
        fault.origin = Origin::Override(format!("{key}={value}"));
        fault.span = Some(0..key.len());
        fault.fix = Some("leave it out, or change the axis in the sweep file".to_owned());
        Some(fault)
    };
    overrides.iter().filter_map(clash).collect()
}

/// More combinations than anybody wants.
pub fn too_many(file: &SweepFile, most: u64) -> ConfigFault {
    let place = file.axes.first().map(|axis| &axis.keys[0].key_place);
    let lengths: Vec<String> = file.axes.iter().map(|axis| axis.len().to_string()).collect();
    fault_at("axes", place, format!("{} combinations are too many", lengths.join(" x ")))
        .allowed(format!("up to {most}"))
        .fix("let keys move together with [[zip]], or make several sweeps")
}

/// No point is left.
pub fn nothing_left(file: &SweepFile) -> ConfigFault {
    let rules = [("include", file.include.first()), ("exclude", file.exclude.first())];
    let (key, rule) = rules.into_iter().find(|(_, rule)| rule.is_some()).unwrap_or(("axes", None));
    fault_at(key, rule.map(|rule| &rule.place), "the rules leave no point")
        .fix("exclude less, or include more")
}

/// What is wrong with the conditions of rules. `policies` are the labels of all policies, `matched`
/// says of each `include`, then of each `exclude`, whether it has matched a point.
pub fn check(
    file: &SweepFile,
    grid: &Grid,
    policies: &BTreeSet<String>,
    matched: &[bool],
) -> Vec<ConfigFault> {
    let mut faults = Vec::new();
    let named = [("include", &file.include), ("exclude", &file.exclude)];
    let rules = named.into_iter().flat_map(|(name, rules)| {
        rules.iter().enumerate().map(move |(i, rule)| (format!("{name}.{i}"), rule))
    });
    for ((name, rule), matched) in rules.zip(matched) {
        let before = faults.len();
        faults
            .extend(rule.conditions.iter().flat_map(|c| check_condition(&name, c, grid, policies)));
        if faults.len() == before && !matched {
            faults.push(
                fault_at(&name, Some(&rule.place), "matches no point")
                    .fix("each value exists, but no point has all of them: leave the rule out"),
            );
        }
    }
    for condition in file.baseline.iter().flat_map(|rule| &rule.conditions) {
        faults.extend(check_condition("baseline", condition, grid, policies));
        if condition.values.len() > 1 {
            faults.push(
                fault_at("baseline", Some(&condition.key_place), "names several points")
                    .allowed("one value a key"),
            );
        }
    }
    faults
}

fn check_condition(
    rule: &str,
    condition: &Condition,
    grid: &Grid,
    policies: &BTreeSet<String>,
) -> Vec<ConfigFault> {
    let Condition { key, key_place, values } = condition;
    let path = format!("{rule}.{key}");
    let place = grid.find(key);
    if place.is_none() && key != POLICY {
        let mut keys: Vec<&str> = grid.keys().filter(|key| *key != POLICY).collect();
        keys.push(POLICY);
        let mut fault =
            fault_at(&path, Some(key_place), "no axis has this key").allowed(keys.join(", "));
        fault.fix = nearest(key, &keys).map(|meant| format!("did you mean \"{meant}\"?"));
        return vec![fault];
    }
    let mut known: Vec<&str> = place.map_or_else(Vec::new, |place| grid.texts_of(place).collect());
    if key == POLICY {
        known.extend(policies.iter().map(String::as_str));
    }
    let unknown = |node: &&sim_core::config::document::Node| {
        let text = value::text(node);
        // Nothing is known of the policies if no scenario could be made.
        !known.contains(&text.as_str()) && !known.is_empty()
    };
    let fault = |node: &sim_core::config::document::Node| {
        let text = value::text(node);
        let mut distinct: Vec<&str> = Vec::new();
        for text in &known {
            if !distinct.contains(text) {
                distinct.push(text);
            }
        }
        let mut fault = fault_at(&path, Some(&node.place), "no point has this value");
        fault.fix = nearest(&text, &distinct).map(|meant| format!("did you mean \"{meant}\"?"));
        fault
            .found(text)
            .allowed(format!("a value of the axis as written there: {}", distinct.join(", ")))
    };
    values.iter().filter(unknown).map(fault).collect()
}

/// Whether every rule names axes and values that exist, as far as the file tells.
pub fn are_sound(file: &SweepFile, grid: &Grid) -> bool {
    let conditions = file.include.iter().chain(&file.exclude).flat_map(|rule| &rule.conditions);
    let none = BTreeSet::new();
    // The labels of policies are not known yet.
    let mut told = conditions.filter(|condition| condition.key != POLICY);
    told.all(|condition| check_condition("", condition, grid, &none).is_empty())
}

/// For each point the one it is compared with: equal in everything that `baseline` does not name.
///
/// # Errors
/// If no point has such a counterpart, or it is not clear which one is meant.
pub fn baselines(
    file: &SweepFile,
    grid: &Grid,
    points: &[Point],
    label: &dyn Fn(&Point) -> String,
) -> Result<Vec<Option<u32>>, Box<ConfigFault>> {
    let Some(rule) = &file.baseline else {
        return Ok(vec![None; points.len()]);
    };
    let fault = |problem: &str| Box::new(fault_at("baseline", Some(&rule.place), problem));
    let mut fixed: Vec<Option<usize>> = Vec::new();
    for axis in 0..grid.axes() {
        let matching = grid.values_matching(rule, axis);
        let is_named =
            rule.conditions.iter().any(|c| grid.find(&c.key).is_some_and(|(a, _)| a == axis));
        fixed.push(match (is_named, matching.as_slice()) {
            (false, _) => None,
            (true, [value]) => Some(*value),
            // Unknown values are told by `check`.
            (true, []) => return Err(fault("matches no point")),
            (true, _) => {
                let fault = fault("several values of a [[zip]] fit");
                return Err(Box::new(fault.fix("name its other keys too")));
            }
        });
    }
    let policy = rule.conditions.iter().find(|c| c.key == POLICY);
    let wanted = policy.and_then(|c| c.values.first()).map(value::text);
    let is_label = points.iter().any(|point| wanted == Some(label(point)));
    let find = |point: &Point| {
        let mut values = grid.values(point.combination);
        for (value, fixed) in values.iter_mut().zip(&fixed) {
            *value = fixed.unwrap_or(*value);
        }
        let combination = grid.combination(&values);
        let start = points.partition_point(|p| p.combination < combination);
        let mut there =
            (start..).zip(&points[start..]).take_while(|(_, p)| p.combination == combination);
        let fits = |p: &Point| match &wanted {
            Some(wanted) if is_label => label(p) == *wanted,
            _ => p.policy == point.policy,
        };
        there.find(|(_, p)| fits(p)).map(|(i, _)| i as u32)
    };
    let found: Vec<Option<u32>> = points.iter().map(find).collect();
    if !points.is_empty() && found.iter().all(Option::is_none) {
        return Err(fault("matches no point"));
    }
    Ok(found)
}
