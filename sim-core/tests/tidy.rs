//! The laws of the source tree, as data: what a file may hold and what a module may import.
//!
//! Method: read the sources as text. Inline tests (from `#[cfg(test)]` to the end of a file) and
//! `tests.rs` files may do what tests do; they keep the other laws.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Longest file, inline tests not counted [lines].
const LINES_MAX: usize = 500;

/// Crates of the workspace whose sources are read.
const CRATES: [&str; 3] = ["sim-core", "bench-harness", "sim-cli"];

/// What no source of the model may hold outside tests, and why.
const BANNED: [(&str, &str); 9] = [
    (".unwrap()", "say why it cannot fail: expect"),
    ("println!", "the model prints nothing"),
    ("dbg!", "the model prints nothing"),
    ("HashMap", "its order is random: a Vec by id, or BTreeMap"),
    ("HashSet", "its order is random: a Vec by id, or BTreeSet"),
    ("Instant", "no wall clock in the model"),
    ("SystemTime", "no wall clock in the model"),
    ("std::fs", "the model opens no file"),
    ("std::env", "the model is a function of scenario and seed"),
];

/// What no source of the workspace may hold, tests included. Spelt apart, so that this file keeps
/// its own law.
const UNFINISHED: [&str; 4] = [
    concat!("todo", "!("),
    concat!("unimple", "mented!("),
    concat!("FIX", "ME"),
    concat!("#[", "ignore"),
];

/// The modules of the model, row by row from the bottom. A module imports from its own row and from
/// lower ones.
const ROWS: [&[&str]; 8] = [
    &["ids", "time", "rng", "ziggurat", "stats"],
    &[
        "law",
        "popularity",
        "hashing",
        "tiers",
        "latency_table",
        "places",
        "heap",
        "tree",
        "wheel",
        "order",
    ],
    &["config", "ticks", "workload", "result", "plan", "setup", "subset", "membership"],
    &[
        "network",
        "notes",
        "misreport",
        "links",
        "peer_network",
        "exchange",
        "server",
        "view",
        "policy",
        "answer",
        "request",
        "clients",
        "traffic",
        "meters",
        "cluster",
        "roster",
        "judge",
        "truth",
    ],
    &["clock", "owners", "trace_feed"],
    &PHASES,
    &["outcome", "columns", "verdict"],
    &["systems", "simulation", "footprint", "lib"],
];

/// The phases of a tick: none imports another, and `simulation` alone knows their order.
const PHASES: [&str; 11] = [
    "faults",
    "node_faults",
    "heartbeat",
    "gossip",
    "peers",
    "oracle",
    "detection",
    "metrics",
    "completion",
    "failover",
    "selection",
];

/// Imports against the rows: who, whom, why. One that is no longer there must go from here.
const EXCEPTIONS: [(&str, &str, &str); 7] = [
    ("clock", "faults", "the next busy tick depends on what each phase has pending"),
    ("clock", "heartbeat", "as above"),
    ("clock", "gossip", "as above"),
    ("owners", "selection", "the columns of a node are those that selection changes"),
    ("trace_feed", "simulation", "the error type of a run"),
    ("config", "policy", "each policy keeps its parameters beside what they do"),
    ("setup", "policy", "what the policy of a run needs"),
];

/// Modules that must not see others at all, whatever their rows: policies and gossip know servers
/// from views alone, and servers know nothing of who chooses them.
const UNSEEN: [(&str, &[&str]); 11] = [
    ("policy", &["server", "network", "clock"]),
    ("view", &["server"]),
    ("judge", &["server", "policy"]),
    ("detection", &["server"]),
    ("gossip", &["server"]),
    ("peers", &["server"]),
    ("exchange", &["server", "policy"]),
    ("selection", &["server"]),
    ("heap", &["view", "policy"]),
    ("tree", &["view", "policy"]),
    ("server", &["view", "policy", "request", "traffic"]),
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("a crate of the workspace").to_owned()
}

/// All Rust files under a folder of the workspace, by path from its root.
fn sources(folder: &str) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = fs::read_dir(folder) else { continue };
        for path in entries.map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let name = path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned();
                found.insert(name, fs::read_to_string(&path).unwrap());
            }
        }
    }
    assert!(!found.is_empty() || folder.ends_with("benches") || folder.ends_with("tests"));
    found
}

/// A source without its inline tests; nothing for a file that is all tests.
fn product<'a>(path: &str, source: &'a str) -> &'a str {
    if path.ends_with("/tests.rs") || path == "sim-core/src/goodness.rs" {
        return "";
    }
    let tests = ["mod ", "pub(crate) mod "]
        .iter()
        .filter_map(|item| source.find(&format!("\n#[cfg(test)]\n{item}")))
        .min();
    tests.map_or(source, |tests| &source[..tests])
}

/// Lines of code and doc, with their numbers; comments may name what code must not do.
fn code(source: &str) -> impl Iterator<Item = (usize, &str)> {
    (1..).zip(source.lines()).filter(|(_, line)| !line.trim_start().starts_with("//"))
}

/// The module of a file of the model: the first part of its path.
fn module(path: &str) -> &str {
    let path = path.strip_prefix("sim-core/src/").expect("a file of the model");
    path.split(['/', '.']).next().expect("split gives at least one part")
}

/// The modules a source names by `crate::`.
fn imports(source: &str) -> BTreeSet<&str> {
    let mut found = BTreeSet::new();
    for (_, line) in code(source) {
        for rest in line.split("crate::").skip(1) {
            let end = rest.find(|c: char| !c.is_ascii_lowercase() && c != '_');
            let name = &rest[..end.unwrap_or(rest.len())];
            if ROWS.iter().any(|row| row.contains(&name)) {
                found.insert(name);
            }
        }
    }
    found
}

/// Every import between two modules of the model, with the file it stands in.
fn all_imports() -> Vec<(String, String, String)> {
    let mut all = Vec::new();
    for (path, source) in sources("sim-core/src") {
        let from = module(&path).to_owned();
        for to in imports(product(&path, &source)) {
            if to != from && from != "goodness" {
                all.push((from.clone(), to.to_owned(), path.clone()));
            }
        }
    }
    all
}

fn row(module: &str) -> usize {
    ROWS.iter()
        .position(|row| row.contains(&module))
        .unwrap_or_else(|| panic!("module {module} has no row: give it one in tidy.rs"))
}

fn assert_none(wrong: &[String], law: &str) {
    assert!(wrong.is_empty(), "{law}:\n  {}", wrong.join("\n  "));
}

#[test]
fn files_are_short_and_say_what_they_are() {
    let mut wrong = Vec::new();
    for (path, source) in CRATES.iter().flat_map(|name| sources(&format!("{name}/src"))) {
        let lines = product(&path, &source).lines().count();
        if lines > LINES_MAX {
            wrong.push(format!("{path} has {lines} lines, above {LINES_MAX}"));
        }
        if !source.starts_with("//! ") {
            wrong.push(format!("{path} does not begin with its documentation"));
        }
    }
    assert_none(&wrong, "a file has one subject and names it");
}

#[test]
fn the_model_holds_nothing_banned() {
    let mut wrong = Vec::new();
    for (path, source) in sources("sim-core/src") {
        for (number, line) in code(product(&path, &source)) {
            for (word, reason) in BANNED.iter().filter(|(word, _)| line.contains(word)) {
                wrong.push(format!("{path}:{number}: {word} ({reason})"));
            }
        }
    }
    assert_none(&wrong, "banned in the model");
}

#[test]
fn nothing_is_unfinished_and_every_test_runs() {
    let mut wrong = Vec::new();
    for folder in CRATES.iter().flat_map(|name| ["src", "tests", "benches"].map(|f| (name, f))) {
        for (path, source) in sources(&format!("{}/{}", folder.0, folder.1)) {
            for (number, line) in (1..).zip(source.lines()) {
                for word in UNFINISHED.iter().filter(|word| line.contains(**word)) {
                    wrong.push(format!("{path}:{number}: {word}"));
                }
            }
        }
    }
    assert_none(&wrong, "unfinished or switched off");
}

#[test]
fn upper_rows_import_lower_rows_only() {
    let mut wrong = Vec::new();
    let mut unused: BTreeSet<(&str, &str)> =
        EXCEPTIONS.iter().map(|&(from, to, _)| (from, to)).collect();
    let all = all_imports();
    for (from, to, path) in &all {
        let excepted = unused.remove(&(from.as_str(), to.as_str()))
            || EXCEPTIONS.iter().any(|(f, t, _)| f == from && t == to);
        if row(to) > row(from) && !excepted {
            wrong.push(format!("{path}: {from} imports {to}, from a row above its own"));
        }
    }
    wrong.extend(unused.iter().map(|(from, to)| format!("{from} no longer imports {to}")));
    assert_none(&wrong, "the rows of the model");
}

#[test]
fn phases_do_not_know_each_other_and_nobody_sees_what_is_hidden_from_him() {
    let mut wrong = Vec::new();
    for (from, to, path) in all_imports() {
        let both_phases = PHASES.contains(&from.as_str()) && PHASES.contains(&to.as_str());
        let hidden = UNSEEN.iter().any(|(who, whom)| *who == from && whom.contains(&to.as_str()));
        if both_phases || hidden {
            wrong.push(format!("{path}: {from} imports {to}"));
        }
    }
    assert_none(&wrong, "phases are apart, and policies see views and never servers");
}

/// Goal: a module that is never compiled cannot hide. Method: every file of the model but the root
/// is named by a `mod` line of its parent.
#[test]
fn every_file_is_part_of_the_crate() {
    let all = sources("sim-core/src");
    let mut wrong = Vec::new();
    for path in all.keys().filter(|path| !path.ends_with("/lib.rs")) {
        let (folder, file) = path.rsplit_once('/').expect("a file in a folder");
        let name = file.strip_suffix(".rs").expect("a Rust file");
        let parent = match folder {
            "sim-core/src" => "sim-core/src/lib.rs".to_owned(),
            inner => format!("{inner}.rs"),
        };
        let line = format!("mod {name};");
        if !all.get(&parent).is_some_and(|source| source.contains(&line)) {
            wrong.push(format!("{path} is not in {parent}"));
        }
    }
    assert_none(&wrong, "dead files");
}
