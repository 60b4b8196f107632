//! The walk over the tree: takes values out of it, notes every fault, and goes on.
//!
//! A value that cannot be read is replaced by a stand-in, so that the rest of the file is still
//! looked at; [`Walk::faulted`] remembers which keys hold stand-ins, and no check speaks of them.

use std::collections::{BTreeMap, BTreeSet};

use super::fault::{ConfigFault, Origin};
use super::suggest::nearest;
use super::tree::{Entry, Node, Place, Text, Value};

/// Longest piece of the text quoted in a fault [characters].
const FOUND_CHARS_MAX: usize = 60;

/// What the walk has gathered so far.
pub struct Walk<'a> {
    /// Gives the text of a file that the scenario names.
    pub read: &'a dyn Fn(&str) -> Result<String, String>,
    /// Everything found wrong.
    pub faults: Vec<ConfigFault>,
    /// Keys whose value is a stand-in.
    pub faulted: Vec<String>,
    /// Every key asked for, elements of lists as `N`: the keys that exist.
    pub asked: BTreeSet<String>,
    /// Where each key and its value are written.
    places: BTreeMap<String, (Place, Place)>,
    texts: Texts<'a>,
}

/// The texts that places are in.
#[derive(Clone, Copy, Debug, Default)]
pub struct Texts<'a> {
    /// The scenario file.
    pub file: &'a str,
    /// The file laid over it.
    pub overlay: &'a str,
    /// The overrides, as `key=value`.
    pub overrides: &'a [String],
}

/// A value of the tree and its dotted path.
#[derive(Clone, Debug)]
pub struct Item<'t> {
    /// Dotted path.
    pub path: String,
    /// The value.
    pub node: &'t Node,
}

impl<'a> Walk<'a> {
    /// A walk over what these texts say.
    pub fn new(read: &'a dyn Fn(&str) -> Result<String, String>, texts: Texts<'a>) -> Self {
        Self {
            read,
            faults: Vec::new(),
            faulted: Vec::new(),
            asked: BTreeSet::new(),
            places: BTreeMap::new(),
            texts,
        }
    }

    /// Notes that the value of `item` is unusable.
    pub fn refuse(&mut self, item: &Item<'_>, problem: impl Into<String>) -> &mut ConfigFault {
        self.refuse_at(&item.path, Some(&item.node.place), problem)
    }

    /// Notes that the value of `key` is unusable, pointing at `place`.
    pub fn refuse_at(
        &mut self,
        key: &str,
        place: Option<&Place>,
        problem: impl Into<String>,
    ) -> &mut ConfigFault {
        let mut fault = ConfigFault::new(key, problem);
        if let Some(place) = place {
            self.put(&mut fault, place);
        }
        self.faulted.push(key.to_owned());
        self.faults.push(fault);
        self.faults.last_mut().expect("just pushed")
    }

    /// Notes a value of the wrong type; `expected` reads on from "must be".
    pub fn refuse_type(&mut self, item: &Item<'_>, expected: &str) -> &mut ConfigFault {
        let problem = format!("must be {expected}, not {}", kind(&item.node.value));
        self.refuse(item, problem)
    }

    /// Gives a fault of a checked scenario the place of its key, or else of the nearest table
    /// around it.
    pub fn locate(&self, mut fault: ConfigFault) -> ConfigFault {
        let mut path = fault.key.as_str();
        loop {
            if let Some((_, value)) = self.places.get(path) {
                let (value, exact) = (value.clone(), path == fault.key);
                let found = fault.found.take();
                self.put(&mut fault, &value);
                if !exact {
                    fault.found = found;
                }
                return fault;
            }
            match path.rsplit_once('.') {
                Some((parent, _)) => path = parent,
                None => return fault,
            }
        }
    }

    /// Whether the value of `key` comes from an override.
    pub fn is_overridden(&self, key: &str) -> bool {
        self.places.get(key).is_some_and(|(_, value)| value.text != Text::File)
    }

    /// Where `key` itself is written.
    pub fn key_place(&self, key: &str) -> Option<Place> {
        self.places.get(key).map(|(key, _)| key.clone())
    }

    /// Writes origin, span and the text there into a fault.
    fn put(&self, fault: &mut ConfigFault, place: &Place) {
        let text = match place.text {
            Text::File => self.texts.file,
            Text::Overlay => {
                fault.origin = Origin::Overlay;
                self.texts.overlay
            }
            Text::Override(number) => {
                let text = self.texts.overrides.get(number).map_or("", String::as_str);
                fault.origin = Origin::Override(text.to_owned());
                text
            }
        };
        fault.span = Some(place.span.clone());
        let found = text.get(place.span.clone()).unwrap_or_default();
        let line = found.lines().next().unwrap_or_default();
        let short: String = line.chars().take(FOUND_CHARS_MAX).collect();
        fault.found = Some(if short.len() < found.len() { format!("{short} ...") } else { short });
    }
}

/// A table being read: it knows which keys were asked for, so it can name the unknown ones.
pub struct Section<'t> {
    path: String,
    place: Option<Place>,
    entries: &'t [Entry],
    known: Vec<&'static str>,
}

impl<'t> Section<'t> {
    /// The table at the top of the file.
    pub fn root(node: &'t Node) -> Self {
        let entries = if let Value::Table(entries) = &node.value { &entries[..] } else { &[] };
        Self { path: String::new(), place: None, entries, known: Vec::new() }
    }

    /// A table that is not there: everything in it has its default.
    pub fn absent(path: &str) -> Self {
        Self { path: path.to_owned(), place: None, entries: &[], known: Vec::new() }
    }

    /// The table in `item`; anything else is a fault, and reads as an empty table.
    pub fn open(walk: &mut Walk<'_>, item: &Item<'t>) -> Self {
        let place = Some(item.node.place.clone());
        let entries = if let Value::Table(entries) = &item.node.value {
            &entries[..]
        } else {
            walk.refuse_type(item, "a table");
            &[]
        };
        Self { path: item.path.clone(), place, entries, known: Vec::new() }
    }

    /// The value of `key`, if there is one.
    pub fn get(&mut self, walk: &mut Walk<'_>, key: &'static str) -> Option<Item<'t>> {
        self.known.push(key);
        let path = join(&self.path, key);
        walk.asked.insert(pattern(&path));
        let entry = self.entries.iter().find(|entry| entry.key == key)?;
        Some(enter(walk, path, entry))
    }

    /// The value of `key` as `parse` reads it; `None` also when it is unreadable.
    pub fn read<T>(
        &mut self,
        walk: &mut Walk<'_>,
        key: &'static str,
        parse: impl FnOnce(&mut Walk<'_>, &Item<'t>) -> Option<T>,
    ) -> Option<T> {
        let item = self.get(walk, key)?;
        parse(walk, &item)
    }

    /// Like [`Self::read`], but a missing key is a fault; `example` is a value for it.
    pub fn need<T>(
        &mut self,
        walk: &mut Walk<'_>,
        key: &'static str,
        example: &str,
        parse: impl FnOnce(&mut Walk<'_>, &Item<'t>) -> Option<T>,
    ) -> Option<T> {
        if let Some(item) = self.get(walk, key) {
            return parse(walk, &item);
        }
        let path = join(&self.path, key);
        // One complaint about a table that is no table is enough.
        if !walk.faulted.contains(&self.path) {
            let fault = walk.refuse_at(&path, self.place.as_ref(), "is missing");
            fault.found = None;
            fault.fix = Some(format!("add {key} = {example}"));
        }
        walk.faulted.push(path);
        None
    }

    /// Takes these keys for known, though nothing asks for them here.
    pub fn allow(&mut self, keys: impl Iterator<Item = &'static str>) {
        self.known.extend(keys.filter(|key| !self.known.contains(key)).collect::<Vec<_>>());
    }

    /// Reports every key that nobody asked for.
    pub fn close(self, walk: &mut Walk<'_>) {
        for entry in self.entries {
            if !self.known.contains(&entry.key.as_str()) {
                unknown(walk, &self.path, entry, &self.known);
            }
        }
    }
}

/// Reports an unknown key; if it is a slip of the pen, the key that was meant is a stand-in.
fn unknown(walk: &mut Walk<'_>, parent: &str, entry: &Entry, known: &[&'static str]) {
    let meant = nearest(&entry.key, known);
    let path = join(parent, &entry.key);
    let fault = walk.refuse_at(&path, Some(&entry.key_place), "unknown key");
    fault.allowed = Some(known.join(", "));
    fault.fix = meant.map(|meant| format!("did you mean `{meant}`?"));
    if let Some(meant) = meant {
        walk.faulted.push(join(parent, meant));
    }
}

/// Remembers the place of an entry and hands out its value.
pub fn enter<'t>(walk: &mut Walk<'_>, path: String, entry: &'t Entry) -> Item<'t> {
    let places = (entry.key_place.clone(), entry.node.place.clone());
    walk.places.insert(path.clone(), places);
    Item { path, node: &entry.node }
}

/// An externally tagged choice: a table with exactly one key, out of `variants`.
pub fn choice<'t>(
    walk: &mut Walk<'_>,
    item: &Item<'t>,
    variants: &[&'static str],
    example: &str,
) -> Option<(&'static str, Item<'t>)> {
    for variant in variants {
        walk.asked.insert(pattern(&join(&item.path, variant)));
    }
    let leaf = item.path.rsplit('.').next().unwrap_or_default();
    let fix = format!("write {leaf}.{example}");
    let allowed = format!("exactly one of {}", variants.join(", "));
    let Value::Table(entries) = &item.node.value else {
        let fault = walk.refuse_type(item, "a table");
        (fault.allowed, fault.fix) = (Some(allowed), Some(fix));
        return None;
    };
    let mut chosen = None;
    for entry in entries {
        let Some(variant) = variants.iter().find(|variant| **variant == entry.key) else {
            unknown(walk, &item.path, entry, variants);
            walk.faulted.push(item.path.clone());
            continue;
        };
        let inner = enter(walk, join(&item.path, variant), entry);
        if chosen.is_some() {
            walk.refuse_at(&item.path, Some(&entry.key_place), "a second choice").allowed =
                Some(allowed.clone());
        } else {
            chosen = Some((*variant, inner));
        }
    }
    if entries.is_empty() {
        let fault = walk.refuse(item, "nothing is chosen");
        (fault.allowed, fault.fix) = (Some(allowed), Some(fix));
    }
    chosen
}

/// A list of tables.
pub fn list<'t>(walk: &mut Walk<'_>, item: &Item<'t>) -> Option<Vec<Item<'t>>> {
    let Value::List(nodes) = &item.node.value else {
        let fix = format!("write [[{}]] above each of them", item.path);
        walk.refuse_type(item, "a list of tables").fix = Some(fix);
        return None;
    };
    let items = nodes.iter().enumerate().map(|(index, node)| {
        let path = join(&item.path, &index.to_string());
        walk.places.insert(path.clone(), (node.place.clone(), node.place.clone()));
        Item { path, node }
    });
    Some(items.collect())
}

/// What a value is, for messages.
fn kind(value: &Value) -> &'static str {
    match value {
        Value::Text(_) => "a text",
        Value::Whole(_) => "a whole number",
        Value::Float(_) => "a number",
        Value::Flag(_) => "true or false",
        Value::Other => "a date",
        Value::List(_) => "a list",
        Value::Table(_) => "a table",
    }
}

/// Appends a key to a dotted path.
pub fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

/// The path with element numbers replaced by `N`.
fn pattern(path: &str) -> String {
    let parts = path.split('.').map(|part| {
        let number = !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        if number { "N" } else { part }
    });
    parts.collect::<Vec<_>>().join(".")
}
