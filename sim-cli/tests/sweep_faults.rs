//! Sweeps that go wrong: bad files, folders of somebody else, runs that fail, damaged results, a full
//! disk. Each is told clearly, and nothing that was finished is lost.

mod sweeping;

use sweeping::{Room, SWEEP, files};

fn refused(room: &Room, name: &str, text: &str) {
    room.write("sweep.toml", text);
    let (code, stdout, stderr) = room.lbsim(&["sweep", "sweep.toml", "--out", "out"]);
    assert_eq!((code, stdout.as_str()), (Some(2), ""), "{name}: {stderr}");
    assert!(!room.path("out").exists(), "{name} has left something behind");
    insta::assert_snapshot!(name, stderr);
}

#[test]
fn every_fault_of_a_sweep_file_is_shown_with_its_line() {
    let room = Room::new("");
    refused(
        &room,
        "everything",
        r#"name = "a/b"
base = "base.toml"
replicatoins = 3
metrics = ["latency_p99", "ok"]
baseline = { policy = "randm" }
[set]
"heartbeat.interval" = "5ms"
expect.ok = "> 3"
[axes]
policy = ["lowest_latency", "two_choces", "random"]
heartbeat.interval = ["20ms", "10mz", 5]
heartbeat.intervall = ["20ms"]
"nodes.count" = []
"gossip.fanout" = 3
"servers.count" = [1]
"servers.3.count" = [1]
"workload.timeout" = ["1s", "1s"]
seed = [1, 2]
[[zip]]
"servers.0.capacity" = [1, 2]
"servers.0.backlog" = [1]
[[zip]]
heartbeat.interval = ["1ms"]
[[include]]
"servers.0.capacity" = 3
[[exclude]]
"servers.0.capacty" = 1
"#,
    );
    refused(&room, "nothing", "");
    refused(&room, "no_toml", "name = \"x\"\n[axes\n");
    refused(&room, "no_base", "name = \"x\"\nbase = \"none.toml\"\n");
}

#[test]
fn faults_of_single_points_name_the_point() {
    let room = Room::new("");
    refused(
        &room,
        "single_points",
        "name = \"x\"\nbase = \"base.toml\"\n[axes]\nnodes.count = [1, 4]\n\
         heartbeat.fanout = [\"all\", { random = 3 }]\n",
    );
    refused(
        &room,
        "no_point_left",
        "name = \"x\"\nbase = \"base.toml\"\n[axes]\nnodes.count = [1, 4]\n\
         [[exclude]]\nnodes.count = [1, 4]\n",
    );
    refused(
        &room,
        "rule_that_matches_nothing",
        "name = \"x\"\nbase = \"base.toml\"\n[[zip]]\nnodes.count = [1, 4]\nservers.0.count = [2, 8]\n\
         [[exclude]]\nnodes.count = 1\nservers.0.count = 8\n",
    );
    room.write("base.toml", &room.read("base.toml").replace("\"5ms\"", "\"5mz\""));
    refused(
        &room,
        "base_with_faults",
        "name = \"x\"\nbase = \"base.toml\"\n[axes]\nnodes.count = [1, 4]\n",
    );
}

#[test]
fn an_override_cannot_undo_an_axis() {
    let room = Room::new(SWEEP);
    let (code, _, stderr) = room.lbsim(&[
        "sweep",
        "sweep.toml",
        "--out",
        "out",
        "--set",
        "heartbeat.interval=5ms",
        "--set",
        "duration=1x",
    ]);
    assert_eq!(code, Some(2));
    insta::assert_snapshot!("override_of_an_axis", stderr);
}

#[test]
fn a_folder_of_another_sweep_is_left_alone() {
    let room = Room::new(SWEEP);
    room.sweep("out", &[]);
    let before = room.results("out");
    let (code, _, stderr) =
        room.lbsim(&["sweep", "sweep.toml", "--out", "out", "--set", "duration=200ms"]);
    assert_eq!(code, Some(2));
    assert!(stderr.contains("`out` holds another sweep: what --set says differs"), "{stderr}");
    room.write("sweep.toml", &SWEEP.replace("\"10ms\"", "\"11ms\""));
    let (code, _, stderr) = room.lbsim(&["sweep", "sweep.toml", "--out", "out"]);
    assert_eq!(code, Some(2));
    assert!(stderr.contains("the sweep file differs"), "{stderr}");
    assert!(room.results("out") == before);

    std::fs::create_dir(room.path("mine")).expect("created");
    room.write("mine/notes.txt", "mine");
    let (code, _, stderr) = room.lbsim(&["sweep", "sweep.toml", "--out", "mine"]);
    assert_eq!((code, stderr.contains("holds no sweep")), (Some(2), true), "{stderr}");
    assert_eq!(files(&room.path("mine")).len(), 1);
    let (code, _, stderr) = room.lbsim(&["sweep", "status", "mine"]);
    assert_eq!((code, stderr.contains("there is no plan.json")), (Some(2), true), "{stderr}");
    // Other words, the same points: it is the same sweep.
    room.write("sweep.toml", &format!("# a remark\n{SWEEP}"));
    room.sweep("out", &[]);
}

#[test]
fn a_damaged_result_is_told_and_made_again() {
    let room = Room::new(SWEEP);
    room.sweep("out", &[]);
    let whole = room.results("out");
    let runs = files(&room.path("out/runs"));
    let bytes = std::fs::read(&runs[0]).expect("readable");
    std::fs::write(&runs[0], &bytes[..100]).expect("cut short");
    let swapped = String::from_utf8(bytes).expect("UTF-8").replace("\"ok\":", "\"ok\":1");
    std::fs::write(&runs[1], swapped).expect("changed");
    std::fs::write(&runs[2], "").expect("emptied");
    room.write("out/runs/.lbsim-left-over", "half");
    let (code, stdout, _) = room.lbsim(&["sweep", "status", "out", "--json"]);
    let status: serde_json::Value = serde_json::from_str(&stdout).expect("one object");
    assert_eq!(code, Some(3));
    assert_eq!((&status["damaged"], &status["left_over"]), (&3.into(), &1.into()), "{status}");
    let (code, _, stderr) = room.lbsim(&["sweep", "sweep.toml", "--out", "out", "--quiet"]);
    assert_eq!(
        (code, stderr.matches("was damaged or cut short").count()),
        (Some(0), 3),
        "{stderr}"
    );
    assert!(room.results("out") == whole);
}

#[test]
fn results_that_contradict_each_other_are_not_joined() {
    let room = Room::new(SWEEP);
    room.sweep("a", &[]);
    room.sweep("b", &[]);
    // The result of one run under the name of another is no whole result, but one with other figures is.
    let run = &files(&room.path("b/runs"))[0];
    let text = std::fs::read_to_string(run).expect("readable");
    let (start, rest) = text.split_once("\"latency_ms_mean\":").expect("the metric");
    let (value, end) = rest.split_once(',').expect("more");
    let body = format!("{start}\"latency_ms_mean\":1{value},{end}");
    let inner = body.split_once("\"run\":").expect("a run").1.strip_suffix("}\n").expect("its end");
    let sum = bench_harness::sweep::identity::digest(inner.as_bytes());
    std::fs::write(run, format!("{{\"checksum\":\"{sum}\",\"run\":{inner}}}\n")).expect("written");
    let (code, _, stderr) = room.lbsim(&["sweep", "merge", "a", "b", "--out", "c"]);
    assert_eq!(code, Some(2), "{stderr}");
    let name = run.file_name().expect("a name").to_string_lossy().into_owned();
    for folder in ["a", "b"] {
        assert!(stderr.contains(&format!("`{folder}/runs/{name}`")), "{stderr}");
    }
    assert!(!room.path("c").exists());
}

/// A trace with a bad line fails the runs that need it; the others go on, and the failed ones are rows.
#[test]
fn a_failed_run_is_a_row_with_its_error() {
    let room = Room::new(
        "name = \"x\"\nbase = \"base.toml\"\nreplications = 2\n[axes]\n\
         \"workload.arrivals\" = [{ poisson = { rate = \"50%\" } }, { trace = { file = \"t.csv\" } }]\n",
    );
    room.write("t.csv", "t_us\n10\n20\nx\n");
    let (code, stdout, stderr) = room.lbsim(&["sweep", "sweep.toml", "--out", "out"]);
    assert_eq!(code, Some(1), "{stderr}");
    assert!(stdout.contains("2 of 4 runs failed") && stdout.contains("2 failed"), "{stdout}");
    assert!(
        stderr.contains("failed: point 1 (policy = lowest_latency, workload.arrivals = { trace"),
        "{stderr}"
    );
    let table = room.read("out/runs.csv");
    let rows: Vec<&str> = table.lines().skip(1).collect();
    assert_eq!(rows.len(), 4);
    assert!(rows[..2].iter().all(|row| row.contains(",ok,,")), "{table}");
    assert!(
        rows[2..].iter().all(|row| row.contains(",failed,\"cannot read the trace: t.csv:4")),
        "{table}"
    );
    // Going on tries them again, and they fail in the same way.
    let before = room.results("out");
    assert_eq!(room.lbsim(&["sweep", "sweep.toml", "--out", "out", "--quiet"]).0, Some(1));
    assert!(room.results("out") == before);
}

#[test]
fn a_run_too_large_for_the_memory_is_refused_by_name() {
    let room = Room::new(SWEEP);
    let (code, _, stderr) =
        room.lbsim(&["sweep", "sweep.toml", "--out", "out", "--quiet", "--memory", "1KB"]);
    assert_eq!(code, Some(1), "{stderr}");
    assert!(stderr.contains("of memory") && stderr.contains("--memory"), "{stderr}");
    assert!(stderr.contains("failed: 13 more"), "{stderr}");
    // With enough of it the same folder is completed.
    room.sweep("out", &[]);
    room.sweep("other", &[]);
    assert!(room.results("out") == room.results("other"));
}

/// Goal: a disk that takes no more loses nothing that was finished. Method: the system refuses files
/// above 2 KiB, as it refuses any on a full disk; a result is larger. Later it takes them again.
#[cfg(unix)]
#[test]
fn a_disk_that_takes_no_more_is_told_and_nothing_is_lost() {
    let room = Room::new(SWEEP);
    room.sweep("whole", &[]);
    room.plan(3);
    room.part("0", "out");
    let before = room.results("out");
    // An ignored signal stays ignored in the program that is started: writing fails instead.
    let script = "trap '' XFSZ; ulimit -f 4; exec \"$0\" sweep sweep.toml --out out --quiet";
    let mut shell = std::process::Command::new("sh");
    shell.args(["-c", script, env!("CARGO_BIN_EXE_lbsim")]).current_dir(room.path("."));
    let output = shell.output().expect("a shell");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(75), "{stderr}");
    assert!(stderr.contains("cannot write `out/runs/"), "{stderr}");
    assert!(stderr.contains("every run that was finished is kept"), "{stderr}");
    assert!(room.results("out") == before, "what was finished is not as it was");
    room.sweep("out", &[]);
    assert!(room.results("out") == room.results("whole"));
}
