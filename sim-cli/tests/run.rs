//! Goal: `lbsim run` as a user meets it: what it prints, writes and answers with.
//! Method: the real binary on a small scenario, in a folder of its own.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use assert_cmd::Command;
use serde_json::Value;
use tempfile::TempDir;

const SCENARIO: &str = r#"
name = "small"
duration = "2s"
warmup = "200ms"
seed = 1
replications = 2

[network]
node_server.constant = { mean = "500us" }
server_node.constant = { mean = "500us" }

[nodes]
count = 2

[[servers]]
count = 10
capacity = 2
backlog = 8
service.exponential = { mean = "10ms" }

[workload]
arrivals.poisson = { rate = "60%" }

[policy.lowest_latency]
[policy.random]

[heartbeat]
interval = "100ms"
failure_timeout = "350ms"

[expect]
"success_rate" = ">= 0.5"
"#;

/// A folder with the scenario in it.
fn room() -> TempDir {
    let room = tempfile::tempdir().expect("a folder");
    fs::write(room.path().join("small.toml"), SCENARIO).expect("written");
    room
}

/// Runs `lbsim run small.toml` with more arguments; answers exit code, output and complaints.
fn lbsim(room: &TempDir, arguments: &[&str]) -> (i32, String, String) {
    let mut command = Command::cargo_bin("lbsim").expect("built");
    command.current_dir(room.path()).args(["run", "small.toml"]).args(arguments);
    let output = command.output().expect("started");
    let text = |bytes| String::from_utf8(bytes).expect("text");
    (output.status.code().expect("an exit code"), text(output.stdout), text(output.stderr))
}

/// Every file below a folder by its path.
fn contents(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut contents = BTreeMap::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            contents.extend(self::contents(&path));
        } else {
            contents.insert(path.display().to_string(), fs::read(&path).expect("readable"));
        }
    }
    contents
}

#[test]
fn a_run_is_summarised_and_says_how_to_get_files() {
    let room = room();
    let (code, stdout, stderr) = lbsim(&room, &[]);
    assert_eq!(code, 0, "{stderr}");
    for part in ["small: 10 servers, 2 nodes", "lowest_latency", "latency_ms_p99", "±", "--out"] {
        assert!(stdout.contains(part), "no `{part}` in {stdout}");
    }
    assert_eq!(stderr, "");
    assert_eq!(fs::read_dir(room.path()).expect("a folder").count(), 1);
}

#[test]
fn json_is_one_object_with_the_seed_and_replications_asked_for() {
    let room = room();
    let (code, stdout, stderr) = lbsim(&room, &["--json", "--seed", "9", "--replications", "3"]);
    assert_eq!((code, stderr.as_str()), (0, ""));
    let object: Value = serde_json::from_str(&stdout).expect("one JSON object");
    assert_eq!((&object["seed"], &object["replications"]), (&9.into(), &3.into()));
    assert_eq!(object["name"], "small");
    assert!(object["metrics"]["latency_ms_p99"]["ci_low"].is_f64());
    assert!(object["policies"]["random"]["verdict"].is_string());
    assert_eq!(object["expect"].as_array().map(Vec::len), Some(2));
}

#[test]
fn the_same_seed_gives_the_same_bytes_on_any_number_of_threads() {
    let room = room();
    let folders = ["1", "2"].map(|threads| {
        let arguments = ["--out", "out", "--quiet", "--threads", threads];
        assert_eq!(lbsim(&room, &arguments), (0, String::new(), String::new()));
        let mut contents = contents(&room.path().join("out"));
        contents.retain(|name, _| !name.ends_with("manifest.json"));
        contents
    });
    assert_eq!(folders[0].len(), 4 + 4);
    assert!(folders[0] == folders[1], "the files differ");
}

#[test]
fn the_manifest_says_what_the_command_line_changed() {
    let room = room();
    lbsim(&room, &["--out", "out", "--quiet", "--set", "nodes.count=3", "--seed", "5"]);
    let text = fs::read_to_string(room.path().join("out/manifest.json")).expect("a manifest");
    let manifest: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(manifest["scenario"], SCENARIO);
    assert_eq!(manifest["overrides"], serde_json::json!([["nodes.count", "3"], ["seed", "5"]]));
    assert_eq!(manifest["seed"], 5);
}

#[test]
fn an_expectation_that_is_not_met_is_exit_code_1() {
    let room = room();
    let scenario = SCENARIO.replace(">= 0.5", "< 0.5");
    fs::write(room.path().join("small.toml"), scenario).expect("written");
    let (code, stdout, _) = lbsim(&room, &["--quiet"]);
    assert_eq!(code, 1);
    assert!(stdout.starts_with("FAIL  lowest_latency: success_rate < 0.5"), "{stdout}");
}

#[test]
fn an_expectation_about_something_unheard_of_is_exit_code_2() {
    let room = room();
    let scenario = SCENARIO.replace("success_rate", "happiness");
    fs::write(room.path().join("small.toml"), scenario).expect("written");
    let (code, stdout, stderr) = lbsim(&room, &[]);
    assert_eq!((code, stdout.as_str()), (2, ""));
    assert!(stderr.contains("happiness"), "{stderr}");
}

#[test]
fn results_of_somebody_else_are_kept_and_it_is_exit_code_2() {
    let room = room();
    fs::create_dir(room.path().join("out")).expect("created");
    fs::write(room.path().join("out/thesis.txt"), "years of work").expect("written");
    let (code, _, stderr) = lbsim(&room, &["--out", "out"]);
    assert_eq!(code, 2);
    assert!(stderr.contains("not written by lbsim"), "{stderr}");
    assert_eq!(contents(&room.path().join("out")).len(), 1);
}

#[test]
fn a_folder_that_cannot_be_is_exit_code_2_before_anything_is_simulated() {
    let room = room();
    let (code, stdout, stderr) = lbsim(&room, &["--out", "small.toml/out"]);
    assert_eq!((code, stdout.as_str()), (2, ""));
    assert!(stderr.contains("small.toml/out"), "{stderr}");
}

#[test]
fn every_metric_is_listed() {
    let output = Command::cargo_bin("lbsim").expect("built").args(["list", "metrics"]).output();
    let output = output.expect("started");
    assert!(output.status.success());
    assert!(String::from_utf8_lossy(&output.stdout).contains("latency_ms_p9999"));
}
