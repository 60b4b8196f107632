//! Goal: a sweep that real batch engines run, on nodes of which one dies in the middle, ends with the
//! bytes of the same sweep on one machine.
//! Method: Slurm, and GNU parallel over ssh, are started on this machine as a site would have them (a
//! controller, two nodes), and given the sweep as a user gives it to them. What the engine then does is
//! its own: nothing here repeats a shard.
//!
//! Not among the tests that `cargo test` runs by itself, as it needs packages and minutes:
//! `cargo xtask test cluster`.

#![cfg(target_os = "linux")]

mod processes;
mod slurm;
#[path = "../sweeping/mod.rs"]
mod sweeping;

mod ssh;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use processes::{Owned, Process, signal, tied, wait_for};
use slurm::{Slurm, Task};
use ssh::{HOSTS, Ssh};
use sweeping::Room;

/// 64 runs of half a second in a debug build.
const SWEEP: &str = r#"
name = "spread-out"
base = "base.toml"
replications = 4
baseline = { policy = "random" }
[set]
duration = "300s"
[axes]
policy = ["lowest_latency", "two_choices", "random", "round_robin"]
heartbeat.interval = ["5ms", "10ms", "20ms", "30ms"]
"#;
const SHARDS: usize = 12;
const RUNS: usize = 64;

/// The folder of results; a blank in it shows what is not quoted.
const OUT: &str = "the results";
const PLAN: &str = "the plan.json";

/// Most time for all shards of the sweep. It takes a quarter of that on two busy cores.
const LONG: Duration = Duration::from_secs(150);

/// The sweep planned, and done on one machine in the folder `whole`.
fn room() -> Room {
    let room = Room::new(SWEEP);
    let shards = SHARDS.to_string();
    let (code, _, stderr) =
        room.lbsim(&["sweep", "plan", "sweep.toml", "-o", PLAN, "--shards", &shards]);
    assert_eq!(code, Some(0), "{stderr}");
    room.sweep("whole", &[]);
    room
}

/// Finished runs in the folder of results.
fn done(room: &Room) -> usize {
    let runs = sweeping::files(&room.path(OUT).join("runs"));
    runs.iter().filter(|path| path.extension().is_some_and(|end| end == "json")).count()
}

/// Joins what the shards left, and compares all tables and results with those of one machine.
fn merged_equals_whole(room: &Room) {
    let (code, status, stderr) = room.lbsim(&["sweep", "status", OUT, "--plan", PLAN]);
    assert_eq!(code, Some(0), "{status}{stderr}");
    let (code, _, stderr) = room.lbsim(&["sweep", "merge", OUT, "--out", "merged", "--quiet"]);
    assert_eq!(code, Some(0), "{stderr}");
    let results = |out| -> BTreeMap<String, Vec<u8>> { room.results(out) };
    let (whole, merged) = (results("whole"), results("merged"));
    let tables = ["runs.csv", "points.csv", "paired.csv"];
    assert!(tables.iter().all(|table| whole.contains_key(*table)), "{:?}", whole.keys());
    assert_eq!(whole.len(), tables.len() + RUNS);
    for (name, bytes) in &whole {
        assert!(merged.get(name) == Some(bytes), "{name} differs from that of one machine");
    }
    assert_eq!(merged.len(), whole.len());
    std::fs::remove_dir_all(room.path("merged")).expect("removed");
}

/// Submits what is missing; the number of the job, and the tasks.
fn submit(room: &Room, slurm: &Slurm) -> (String, Vec<u32>) {
    let arguments =
        ["sweep", "submit", "--engine", "slurm", "--plan", PLAN, "--out", OUT, "--json"];
    // What stands behind `--` reaches sbatch as it is.
    let mut command = room.command(&arguments);
    let output = slurm.with_settings(command.args(["--", "--comment=a \"b\" #c\\"])).output();
    let output = output.expect("started");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let said: serde_json::Value = serde_json::from_slice(&output.stdout).expect("an object");
    let tasks = said["submitted"].as_array().expect("a list").iter();
    let tasks = tasks.map(|task| task.as_u64().expect("a number") as u32).collect();
    (said["job"].as_str().unwrap_or_default().to_owned(), tasks)
}

/// Waits until no task of a job is left; what became of them.
fn finished(slurm: &Slurm, job: &str) -> Vec<Task> {
    wait_for("all tasks", LONG, || slurm.open_tasks(job).filter(|open| *open == 0));
    slurm.tasks(job)
}

#[test]
fn slurm_loses_a_node_and_no_byte() {
    let room = room();
    std::fs::create_dir(room.path("slurm")).expect("made");
    let slurm = Slurm::start(&room.path("slurm"));
    let (job, submitted) = submit(&room, &slurm);
    assert_eq!(submitted, (0..SHARDS as u32).collect::<Vec<_>>());
    let (_, comment) = slurm.ask("squeue", &["--noheader", "--job", &job, "--format=%k"]);
    assert!(comment.lines().all(|line| line == "a \"b\" #c\\"), "{comment}");

    // In the middle: some runs are finished, and both nodes are at work.
    let on_n1 = wait_for("work on both nodes", LONG, || {
        let (n0, n1) = (slurm.tasks_on("n0"), slurm.tasks_on("n1"));
        (done(&room) >= 6 && !n0.is_empty() && !n1.is_empty()).then_some(n1)
    });
    slurm.kill_node("n1");
    let kept = done(&room);
    assert!(kept < RUNS, "the sweep was over before the node died");
    // Meanwhile another task is told that its time is almost over, as Slurm tells it.
    let (told, script) = wait_for("work on the other node", LONG, || {
        let told = slurm.tasks_on("n0").pop_last()?;
        Some((told, slurm.script_of("n0", told)?))
    });
    signal("-USR1", &[script]);

    let tasks = finished(&slurm, &job);
    let all: Vec<u32> = tasks.iter().map(|task| task.number).collect();
    assert_eq!(all, submitted, "{tasks:?}");
    assert!(tasks.iter().all(|task| task.state == "COMPLETED"), "{tasks:?}");
    let again: BTreeSet<u32> = tasks.iter().filter(|t| t.restarts > 0).map(|t| t.number).collect();
    println!(
        "{kept} of {RUNS} runs were done when n1 died with tasks {on_n1:?}; queued again: {again:?}"
    );
    assert!(on_n1.is_subset(&again), "lost with the node: {on_n1:?}, queued again: {again:?}");
    assert!(again.contains(&told), "{told} had to stop, queued again: {again:?}");
    merged_equals_whole(&room);

    // Nothing is left to do. Then a few results are gone, and only their shards run again, each as the
    // part that it was.
    assert_eq!(submit(&room, &slurm), (String::new(), Vec::new()));
    for path in sweeping::files(&room.path(OUT).join("runs")).iter().step_by(RUNS / 3) {
        std::fs::remove_file(path).expect("removed");
    }
    let lost = RUNS - done(&room);
    let (job, submitted) = submit(&room, &slurm);
    assert!(submitted.len() <= lost && lost > 1, "{submitted:?} for {lost} results");
    let tasks = finished(&slurm, &job);
    assert!(tasks.iter().all(|task| task.state == "COMPLETED"), "{tasks:?}");
    assert_eq!(tasks.len(), submitted.len());
    merged_equals_whole(&room);
}

/// The shards that work at the moment.
fn workers(room: &Room) -> Vec<Process> {
    let plan = room.path(PLAN).display().to_string();
    let is_worker = |process: &Process| {
        let words = process.words();
        words.first() == Some(&env!("CARGO_BIN_EXE_lbsim").to_owned()) && words.contains(&plan)
    };
    Process::all().filter(is_worker).collect()
}

/// Variable of the environment by which the processes of an engine are found.
const MARK: &str = "LBSIM_TEST_ROOM";

/// Kills an engine, and what it has started on its hosts.
fn lose_everything(room: &Room) {
    let mark = Some(room.path("").display().to_string());
    wait_for("the end of all processes", LONG, || {
        let engine = Process::all().filter(|process| process.variable(MARK) == mark);
        let left: Vec<Process> = engine.chain(workers(room)).collect();
        signal("-KILL", &left);
        left.is_empty().then_some(())
    });
}

/// Nothing is left of an engine, however the test ends.
struct Cleared<'a>(&'a Room);

impl Drop for Cleared<'_> {
    fn drop(&mut self) {
        lose_everything(self.0);
    }
}

#[test]
fn parallel_loses_a_worker_and_no_byte() {
    let room = room();
    std::fs::create_dir(room.path("ssh")).expect("made");
    let ssh = Ssh::start(&room.path("ssh"));
    let _cleared = Cleared(&room);
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../cluster/parallel/sweep.sh");
    let start = || {
        let mut command = tied(&script);
        command.arg(room.path(PLAN)).arg(room.path(OUT)).args(["--jobs", "2", "--ssh"]);
        command.arg(ssh.command()).args(["--sshlogin", &HOSTS.join(",")]);
        command.env("LBSIM", env!("CARGO_BIN_EXE_lbsim")).stdin(Stdio::null());
        command.env(MARK, room.path("")).stdout(Stdio::null());
        Owned(command.spawn().expect("started"))
    };
    let mut engine = start();
    for least in [4, 12] {
        wait_for("some runs", LONG, || (done(&room) >= least).then_some(()));
        let worker = wait_for("a worker", LONG, || workers(&room).pop());
        signal("-KILL", &[worker]);
    }
    let kept = wait_for("more runs", LONG, || Some(done(&room)).filter(|done| *done >= 20));
    assert!(kept < RUNS, "the sweep was over before everything was lost");
    // The machine that parallel runs on is lost, and all workers with it.
    lose_everything(&room);
    drop(engine);
    engine = start();
    let status = wait_for("the end", LONG, || engine.0.try_wait().expect("a child"));
    assert!(status.success(), "{status}");
    let log = room.read(&format!("{OUT}.joblog"));
    println!(
        "two workers died, then everything after {kept} of {RUNS} runs; the engine's log:\n{log}"
    );
    merged_equals_whole(&room);
}
