//! The sweep file: which base, which axes, which points, how often.
//!
//! It is read with the pieces that read a scenario, so its faults look the same. What a value must
//! be is not known here: it is laid over the base, and the scenario says what is wrong with it.

use sim_core::columns::{METRICS, Metric, metric};
use sim_core::config::document::{
    Entry, Item, Node, Place, Section, Text, Texts, Value, Walk, join, nearest, parse_file,
    segments, text,
};
use sim_core::config::{ConfigFault, Origin};

use super::value;

/// What a sweep file says.
#[derive(Clone, Debug)]
pub struct SweepFile {
    /// Short name of the sweep.
    pub name: String,
    /// Path of the base scenario as written, relative to the sweep file.
    pub base: Option<Written<String>>,
    /// Laid over the base in every point: the sweep's own keys (`seed`, `replications` ...), then
    /// those of `[set]`.
    pub settings: Vec<Setting>,
    /// The axes in order: those of `[axes]`, then a `[[zip]]` each. The first varies slowest.
    pub axes: Vec<Axis>,
    /// If any: only points that match at least one of them.
    pub include: Vec<Rule>,
    /// Points that match one of them are left out.
    pub exclude: Vec<Rule>,
    /// The point that others are compared with.
    pub baseline: Option<Rule>,
    /// Metrics of `points.csv` and `paired.csv`.
    pub metrics: Vec<&'static Metric>,
}

/// A value and its place.
#[derive(Clone, Debug)]
pub struct Written<T> {
    /// The value.
    pub value: T,
    /// Where it is written.
    pub place: Place,
}

/// A key of the scenario and a value for it.
#[derive(Clone, Debug)]
pub struct Setting {
    /// Dotted key.
    pub key: String,
    /// Where the key is written.
    pub key_place: Place,
    /// The value.
    pub value: Node,
}

/// Keys that move together; most axes have one.
#[derive(Clone, Debug)]
pub struct Axis {
    /// The keys with their values: equally many each, at least one.
    pub keys: Vec<AxisKey>,
}

/// One key of an axis.
#[derive(Clone, Debug)]
pub struct AxisKey {
    /// Dotted key.
    pub key: String,
    /// Where the key is written.
    pub key_place: Place,
    /// Its values.
    pub values: Vec<Node>,
}

/// Some points: those that satisfy every condition.
#[derive(Clone, Debug)]
pub struct Rule {
    /// Where it is written.
    pub place: Place,
    /// The conditions, one a key.
    pub conditions: Vec<Condition>,
}

/// A condition: a key of an axis has one of these values.
#[derive(Clone, Debug)]
pub struct Condition {
    /// Dotted key.
    pub key: String,
    /// Where the key is written.
    pub key_place: Place,
    /// The values, at least one.
    pub values: Vec<Node>,
}

impl Axis {
    /// How many values its keys have.
    pub fn len(&self) -> usize {
        self.keys.first().map_or(0, |key| key.values.len())
    }

    /// Never: an axis without values is a fault of the file.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Keys that hold for a sweep as a whole, and are written at its top. They are laid over the base.
const WHOLE: [&str; 4] = ["replications", "replications_max", "seed", "target"];

/// Keys of a scenario that a sweep cannot vary or set, and why.
const NO_AXES: [(&str, &str); 6] = [
    ("replications", "holds for the whole sweep: write it at the top of the file"),
    ("replications_max", "holds for the whole sweep: write it at the top of the file"),
    ("target", "holds for the whole sweep: write [target]"),
    ("name", "is the sweep's own: write it at the top of the file"),
    ("expect", "is not checked by a sweep"),
    ("engine.tick", "changes no result: leave it out"),
];

impl SweepFile {
    /// Reads a sweep file. What can be read is returned even if there are faults, so that the
    /// points can be looked at too and everything is told at once.
    ///
    /// # Errors
    /// The syntax errors of a text that is not TOML.
    pub fn parse(source: &str) -> Result<(Self, Vec<ConfigFault>), Vec<ConfigFault>> {
        let root = parse_file(source, Text::Overlay)?;
        let no_files = |_: &str| Err("a sweep file names no files but its base".to_owned());
        let mut walk = Walk::new(&no_files, Texts { overlay: source, ..Texts::default() });
        let file = read(&mut walk, &root, source);
        let mut faults = walk.faults;
        for fault in &mut faults {
            // What is missing has no place, but this is the file that lacks it.
            fault.origin = Origin::Overlay;
        }
        Ok((file, faults))
    }
}

/// Reads the tree; every key asked for is one that `lbsim list sweep-keys` documents.
pub(super) fn read(walk: &mut Walk<'_>, root: &Node, source: &str) -> SweepFile {
    let mut top = Section::root(root);
    let name = top.need(walk, "name", "\"my-sweep\"", name).unwrap_or_default();
    let base = top.need(walk, "base", "\"scenario.toml\"", |walk, item| {
        Some(Written { value: text(walk, item)?, place: item.node.place.clone() })
    });
    let mut settings = Vec::new();
    for key in WHOLE {
        let item = top.get(walk, key);
        if let (Some(item), Some(key_place)) = (item, walk.key_place(key)) {
            settings.push(Setting { key: key.to_owned(), key_place, value: item.node.clone() });
        }
    }
    let set = top.get(walk, "set");
    settings.extend(set.iter().flat_map(|item| set_table(walk, item, source)));
    let mut axes: Vec<Axis> = Vec::new();
    if let Some(item) = top.get(walk, "axes") {
        let keys = keyed_lists(walk, &item, source);
        axes.extend(keys.into_iter().map(|key| Axis { keys: vec![key] }));
    }
    for item in tables(walk, &mut top, "zip") {
        let keys = keyed_lists(walk, &item, source);
        equally_long(walk, &keys);
        // What there is of them is looked at too, so that all faults are told at once.
        let least = keys.iter().map(|key| key.values.len()).min().unwrap_or(0);
        let cut = |mut key: AxisKey| {
            key.values.truncate(least);
            key
        };
        if least > 0 {
            axes.push(Axis { keys: keys.into_iter().map(cut).collect() });
        }
    }
    let mut rules = |walk: &mut Walk<'_>, key| {
        let items = tables(walk, &mut top, key);
        items.iter().filter_map(|item| rule(walk, item, source)).collect()
    };
    let (include, exclude) = (rules(walk, "include"), rules(walk, "exclude"));
    let baseline = top.get(walk, "baseline").and_then(|item| rule(walk, &item, source));
    let metrics = top.read(walk, "metrics", metrics).unwrap_or_else(|| METRICS.iter().collect());
    top.close(walk);
    check_axes(walk, &axes, &settings);
    SweepFile { name, base, settings, axes, include, exclude, baseline, metrics }
}

fn name(walk: &mut Walk<'_>, item: &Item<'_>) -> Option<String> {
    let name = text(walk, item)?;
    let usable = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if name.is_empty() || name.len() > 100 || !name.chars().all(usable) {
        walk.refuse(item, "is no name").allowed =
            Some("1 to 100 letters, digits, - _ .".to_owned());
        return None;
    }
    Some(name)
}

/// The tables of `[[key]]`.
fn tables<'t>(walk: &mut Walk<'_>, top: &mut Section<'t>, key: &'static str) -> Vec<Item<'t>> {
    let list = |walk: &mut Walk<'_>, item: &Item<'t>| sim_core::config::document::list(walk, item);
    top.read(walk, key, list).unwrap_or_default()
}

/// The entries of a table whose keys are dotted keys of the scenario. A dotted key may be written
/// with or without quotes: without, it makes tables in tables, and these are taken apart again.
/// `None` if `item` is no table.
fn dotted<'t>(
    walk: &mut Walk<'_>,
    item: &Item<'t>,
    source: &str,
) -> Option<Vec<(String, &'t Entry)>> {
    let Value::Table(entries) = &item.node.value else {
        walk.refuse_type(item, "a table of keys of the scenario");
        return None;
    };
    let mut found = Vec::new();
    flatten("", entries, source, &mut found);
    found.retain(|(key, entry)| {
        let usable = segments(key).is_some();
        if !usable {
            walk.refuse_at(&join(&item.path, key), Some(&entry.key_place), "not a key").allowed =
                Some("names and numbers joined by dots: servers.0.capacity".to_owned());
        }
        usable
    });
    Some(found)
}

fn flatten<'t>(
    path: &str,
    entries: &'t [Entry],
    source: &str,
    found: &mut Vec<(String, &'t Entry)>,
) {
    for entry in entries {
        let key = join(path, &entry.key);
        match &entry.node.value {
            // A table in braces is a value; any other is a part of a key.
            Value::Table(below)
                if !source[entry.node.place.span.start.min(source.len())..].starts_with('{') =>
            {
                flatten(&key, below, source, found);
            }
            _ => found.push((key, entry)),
        }
    }
}

/// `[set]`.
fn set_table(walk: &mut Walk<'_>, item: &Item<'_>, source: &str) -> Vec<Setting> {
    let mut settings: Vec<Setting> = Vec::new();
    for (key, entry) in dotted(walk, item, source).unwrap_or_default() {
        if is_settable(walk, &key, entry) {
            let (key_place, value) = (entry.key_place.clone(), entry.node.clone());
            settings.push(Setting { key, key_place, value });
        }
    }
    settings
}

/// Whether a sweep may set or vary `key`; else says so.
fn is_settable(walk: &mut Walk<'_>, key: &str, entry: &Entry) -> bool {
    let barred = NO_AXES.iter().find(|(barred, _)| covers(barred, key));
    if let Some((_, why)) = barred {
        walk.refuse_at(key, Some(&entry.key_place), *why);
    }
    barred.is_none()
}

/// Keys with a list of values each.
fn keyed_lists(walk: &mut Walk<'_>, item: &Item<'_>, source: &str) -> Vec<AxisKey> {
    let mut keys = Vec::new();
    for (key, entry) in dotted(walk, item, source).unwrap_or_default() {
        let at = Item { path: key.clone(), node: &entry.node };
        if !is_settable(walk, &key, entry) {
            continue;
        }
        match &entry.node.value {
            Value::List(values) if values.is_empty() => {
                walk.refuse(&at, "an axis without values has no points").fix =
                    Some("write at least one value, or leave the axis out".to_owned());
            }
            Value::List(values) => keys.push(AxisKey {
                key,
                key_place: entry.key_place.clone(),
                values: values.clone(),
            }),
            _ => {
                let fix = format!("write [{}]", value::text(&entry.node));
                walk.refuse_type(&at, "a list of values").fix = Some(fix);
            }
        }
    }
    keys
}

/// Says which lists of a `[[zip]]` have not the length of the first.
fn equally_long(walk: &mut Walk<'_>, keys: &[AxisKey]) {
    let Some((first, rest)) = keys.split_first() else {
        return;
    };
    for key in rest.iter().filter(|key| key.values.len() != first.values.len()) {
        let (found, needed) = (key.values.len(), first.values.len());
        let s = if found == 1 { "" } else { "s" };
        let problem = format!("has {found} value{s}, and `{}` has {needed}", first.key);
        walk.refuse_at(&key.key, Some(&key.key_place), problem).allowed =
            Some("lists of equal length: their values belong together one by one".to_owned());
    }
}

fn rule(walk: &mut Walk<'_>, item: &Item<'_>, source: &str) -> Option<Rule> {
    let entries = dotted(walk, item, source)?;
    if entries.is_empty() {
        walk.refuse(item, "says nothing").fix =
            Some("name at least one axis and its value".to_owned());
        return None;
    }
    let conditions = entries.into_iter().map(|(key, entry)| Condition {
        key,
        key_place: entry.key_place.clone(),
        values: match &entry.node.value {
            Value::List(values) => values.clone(),
            _ => vec![entry.node.clone()],
        },
    });
    Some(Rule { place: item.node.place.clone(), conditions: conditions.collect() })
}

/// Names of metrics, in column order.
fn metrics(walk: &mut Walk<'_>, item: &Item<'_>) -> Option<Vec<&'static Metric>> {
    let Value::List(nodes) = &item.node.value else {
        walk.refuse_type(item, "a list of names of metrics");
        return None;
    };
    let mut found: Vec<&'static Metric> = Vec::new();
    for node in nodes {
        let item = Item { path: item.path.clone(), node };
        let Some(name) = text(walk, &item) else { continue };
        if let Some(metric) = metric(&name) {
            found.push(metric);
            continue;
        }
        let names: Vec<&str> = METRICS.iter().map(|metric| metric.name).collect();
        let fault = walk.refuse(&item, "there is no such metric");
        fault.allowed = Some("a metric of `lbsim list metrics`".to_owned());
        fault.fix = nearest(&name, &names).map(|meant| format!("did you mean \"{meant}\"?"));
    }
    let chosen = METRICS.iter().filter(|metric| found.iter().any(|f| f.name == metric.name));
    let chosen: Vec<_> = chosen.collect();
    if chosen.is_empty() && nodes.is_empty() {
        walk.refuse(item, "without metrics the tables are empty").fix =
            Some("name at least one, or leave `metrics` out for all".to_owned());
    }
    (!chosen.is_empty()).then_some(chosen)
}

/// What is wrong with axes beside each other, and with settings that axes replace.
fn check_axes(walk: &mut Walk<'_>, axes: &[Axis], settings: &[Setting]) {
    let keys: Vec<&AxisKey> = axes.iter().flat_map(|axis| &axis.keys).collect();
    for (i, key) in keys.iter().enumerate() {
        if let Some(other) = keys[..i].iter().find(|other| overlap(&other.key, &key.key)) {
            let problem = if other.key == key.key {
                "is an axis already".to_owned()
            } else {
                format!("overlaps the axis `{}`: one would undo the other", other.key)
            };
            walk.refuse_at(&key.key, Some(&key.key_place), problem).fix = Some(
                "an axis over whole tables says it all: \"policy\" = [\"random\", \
                 { two_choices = { choices = 3 } }]"
                    .to_owned(),
            );
        }
    }
    for setting in settings {
        if let Some(axis) = keys.iter().find(|axis| covers(&axis.key, &setting.key)) {
            let problem = format!("has no effect: the axis `{}` replaces it", axis.key);
            walk.refuse_at(&setting.key, Some(&setting.key_place), problem).fix =
                Some("leave it out, or write it into the values of the axis".to_owned());
        }
    }
    for axis in axes {
        let texts: Vec<Vec<String>> = (0..axis.len())
            .map(|i| axis.keys.iter().map(|key| value::text(&key.values[i])).collect())
            .collect();
        for i in 1..texts.len() {
            if texts[..i].contains(&texts[i]) {
                let key = &axis.keys[0];
                walk.refuse_at(&key.key, Some(&key.values[i].place), "is listed twice").fix =
                    Some("leave it out: it would give the same points again".to_owned());
            }
        }
    }
}

/// Whether setting `outer` replaces whatever `inner` says.
pub(super) fn covers(outer: &str, inner: &str) -> bool {
    inner.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

fn overlap(a: &str, b: &str) -> bool {
    covers(a, b) || covers(b, a)
}
