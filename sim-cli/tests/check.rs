//! `lbsim check` and `lbsim list`, as a user meets them.

use assert_cmd::Command;

fn lbsim(arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = Command::cargo_bin("lbsim")
        .expect("built")
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
        .args(arguments)
        .env("NO_COLOR", "1")
        .env("COLUMNS", "100")
        .output()
        .expect("started");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[test]
fn every_fault_of_a_file_is_shown_with_its_line() {
    let (code, stdout, stderr) = lbsim(&["check", "sim-cli/tests/faulty.toml"]);
    assert_eq!((code, stdout.as_str()), (Some(2), ""));
    insta::assert_snapshot!("faulty", stderr);
}

#[test]
fn a_fault_in_an_override_shows_the_override() {
    let quickstart = "data/scenarios/quickstart.toml";
    let (code, _, stderr) = lbsim(&["check", quickstart, "--set", "heartbeat.interval=50mz"]);
    assert_eq!(code, Some(2));
    insta::assert_snapshot!("override", stderr);
}

#[test]
fn a_warm_up_to_be_found_and_targets_are_shown() {
    let quickstart = "data/scenarios/quickstart.toml";
    let over = ["warmup=auto", "target.latency_ms_p99=5%", "replications=3"];
    let over = over.iter().flat_map(|over| ["--set", over]);
    let (code, text, _) = lbsim(&["check", quickstart].into_iter().chain(over).collect::<Vec<_>>());
    assert_eq!(code, Some(0));
    assert!(text.contains("of which warm-up found by a pilot run"), "{text}");
    assert!(text.contains("3 to 50 replications, until latency_ms_p99 ± 5%"), "{text}");
}

#[test]
fn a_syntax_error_shows_its_line() {
    let broken = tempfile_with("name = \"x\"\nduration = = 3\n");
    let (code, _, stderr) = lbsim(&["check", &broken]);
    assert_eq!(code, Some(2));
    assert!(stderr.contains(":2:") && stderr.contains("not TOML"), "{stderr}");
    std::fs::remove_file(broken).expect("still there");
}

#[test]
fn a_missing_file_is_bad_input() {
    let (code, _, stderr) = lbsim(&["check", "no-such.toml"]);
    assert_eq!(code, Some(2));
    assert!(stderr.contains("cannot read no-such.toml"), "{stderr}");
}

#[test]
fn every_scenario_in_data_passes() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../data/scenarios");
    let mut seen = 0;
    for entry in std::fs::read_dir(folder).expect("data/scenarios") {
        let path = entry.expect("readable").path();
        if path.extension().is_some_and(|extension| extension == "toml") {
            let (code, _, stderr) = lbsim(&["check", path.to_str().expect("UTF-8")]);
            assert_eq!((code, stderr.as_str()), (Some(0), ""), "{}", path.display());
            seen += 1;
        }
    }
    assert!(seen >= 4, "only {seen} scenarios");
}

#[test]
fn the_summary_states_the_load() {
    let (code, stdout, _) =
        lbsim(&["check", "data/scenarios/quickstart.toml", "--set", "nodes.count=16"]);
    assert_eq!(code, Some(0));
    insta::assert_snapshot!("summary", stdout);
}

#[test]
fn lists_come_from_the_table_of_keys() {
    for (topic, word) in
        [("keys", "heartbeat.interval"), ("policies", "own_sends"), ("faults", "crash")]
    {
        let (code, stdout, _) = lbsim(&["list", topic]);
        assert_eq!(code, Some(0));
        assert!(stdout.contains(word), "{topic}: {stdout}");
    }
}

fn tempfile_with(text: &str) -> String {
    let path = std::env::temp_dir().join(format!("lbsim-check-{}.toml", std::process::id()));
    std::fs::write(&path, text).expect("writable");
    path.to_str().expect("UTF-8").to_owned()
}

/// `lbsim list keys | head -1` is a way to read, not a failure.
#[test]
fn a_reader_who_leaves_early_is_no_error() {
    for arguments in [["list", "keys"], ["list", "faults"], ["check", "data/scenarios/herd.toml"]] {
        let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_lbsim"))
            .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
            .args(arguments)
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped())
            .spawn()
            .expect("started");
        drop(child.stdout.take());
        let output = child.wait_with_output().expect("ended");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!((output.status.code(), stderr.as_ref()), (Some(0), ""), "{arguments:?}");
    }
}
