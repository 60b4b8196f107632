//! Goal: `kill -9` at any moment loses nothing that was finished, and whoever goes on ends with the bytes
//! of a sweep that nobody disturbed.
//! Method: a real process is killed at 20 random moments, started again each time, and left alone in the
//! end. A moment is so many finished runs and so many milliseconds after the start, from a seed: a fast
//! machine is killed as often as a slow one, and the machine decides what that hits.

mod sweeping;

use std::collections::BTreeSet;
use std::process::Stdio;
use std::time::Duration;

use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;
use sweeping::{Room, files};

/// 40 runs of some 100 ms each in a debug build.
const LONG: &str = r#"
name = "long"
base = "base.toml"
replications = 5
baseline = { policy = "random" }
[set]
duration = "15s"
[axes]
policy = ["lowest_latency", "two_choices", "random", "round_robin"]
heartbeat.interval = ["10ms", "20ms"]
"#;

const KILLS: u32 = 20;

#[test]
fn a_sweep_killed_again_and_again_ends_with_the_same_bytes() {
    let room = Room::new(LONG);
    room.sweep("whole", &["--jobs", "2"]);
    let mut chance = Pcg64Mcg::seed_from_u64(20);
    let (mut killed, mut finished) = (0, 0);
    let whole = room.results("whole");
    let finished_runs = || -> BTreeSet<String> {
        let runs = room.results("out").into_iter();
        runs.filter(|(name, bytes)| whole.get(name) == Some(bytes)).map(|(name, _)| name).collect()
    };
    let mut kept = BTreeSet::new();
    for round in 0..KILLS {
        let mut child = room
            .command(&["sweep", "sweep.toml", "--out", "out", "--jobs", "2", "--quiet"])
            .stderr(Stdio::null())
            .spawn()
            .expect("started");
        let wanted = runs_of(&room) + chance.random_range(0..3);
        while runs_of(&room) < wanted && child.try_wait().expect("a child").is_none() {
            std::thread::sleep(Duration::from_millis(1));
        }
        std::thread::sleep(Duration::from_micros(chance.random_range(0..20_000)));
        // SIGKILL: no handler, no destructor.
        child.kill().expect("killed");
        let status = child.wait().expect("ended");
        if status.success() {
            finished += 1;
        } else {
            killed += 1;
        }
        // What was finished in an earlier round is still there, and as it has to be.
        let now = finished_runs();
        assert!(now.is_superset(&kept), "round {round}: a finished run is gone");
        kept = now;
        if round % 5 == 4 {
            // A disk that lost power may have lost a part of a file that was there.
            if let Some(name) = kept.pop_last() {
                let path = room.path("out").join(name);
                let bytes = std::fs::read(&path).expect("readable");
                std::fs::write(path, &bytes[..bytes.len() / 2]).expect("written");
            }
        }
    }
    assert!(killed >= KILLS / 2, "{finished} of {KILLS} rounds came to their end before the kill");
    let (code, stdout, stderr) = room.lbsim(&["sweep", "sweep.toml", "--out", "out", "--quiet"]);
    assert_eq!((code, stdout.as_str()), (Some(0), ""), "{stderr}");
    assert!(room.results("out") == whole, "after {killed} kills");
}

/// Files of runs, finished or not.
fn runs_of(room: &Room) -> usize {
    std::fs::read_dir(room.path("out/runs")).map_or(0, Iterator::count)
}

/// Ctrl-C keeps what is finished, says so, and ends with a code of its own.
#[cfg(unix)]
#[test]
fn an_interrupted_sweep_says_how_to_go_on() {
    let room = Room::new(&LONG.replace("\"15s\"", "\"30s\""));
    for (signal, code) in [("-INT", 130), ("-TERM", 75)] {
        let child = room
            .command(&["sweep", "sweep.toml", "--out", "out", "--jobs", "2"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("started");
        while !room.path("out/plan.json").exists() {
            std::thread::sleep(Duration::from_millis(5));
        }
        std::thread::sleep(Duration::from_millis(200));
        let kill =
            std::process::Command::new("kill").args([signal, &child.id().to_string()]).status();
        assert!(kill.expect("kill is there").success());
        let output = child.wait_with_output().expect("ended");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!((output.status.code(), output.stdout.len()), (Some(code), 0), "{stderr}");
        assert!(stderr.contains("the same command goes on"), "{stderr}");
    }
    let left = files(&room.path("out/runs"));
    assert!(
        left.iter().all(|path| path.extension().is_some()),
        "unfinished files are left: {left:?}"
    );
}
