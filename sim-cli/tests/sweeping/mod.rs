//! A sweep in a folder of its own, and the real binary to run it with.

#![allow(dead_code, reason = "not every test file uses all of it")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// A folder with a base scenario and sweep files, removed at the end.
pub struct Room {
    folder: tempfile::TempDir,
}

/// A small fleet that a run of takes a few milliseconds of.
const BASE: &str = r#"
name = "small"
duration = "300ms"
warmup = "50ms"
seed = 7
[nodes]
count = 2
[[servers]]
count = 8
capacity = 2
service.exponential = { mean = "5ms" }
[workload]
arrivals.poisson = { rate = "70%" }
[heartbeat]
interval = "20ms"
failure_timeout = "70ms"
"#;

/// 3 policies x 2 intervals x 3 replications, compared with `random`.
pub const SWEEP: &str = r#"
name = "small-sweep"
base = "base.toml"
replications = 3
baseline = { policy = "random" }
[axes]
policy = ["lowest_latency", "two_choices", "random"]
heartbeat.interval = ["10ms", "20ms"]
"#;

impl Room {
    /// With the base scenario and `sweep` in `sweep.toml`.
    pub fn new(sweep: &str) -> Self {
        let room = Self { folder: tempfile::tempdir().expect("a folder") };
        room.write("base.toml", BASE);
        room.write("sweep.toml", sweep);
        room
    }

    /// A path in the room.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).expect("written");
    }

    pub fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
    }

    /// The command, ready to be started in the room.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_lbsim"));
        command.current_dir(self.folder.path()).args(arguments).env("NO_COLOR", "1");
        for variable in [
            "SLURM_ARRAY_TASK_ID",
            "JOB_COMPLETION_INDEX",
            "AWS_BATCH_JOB_ARRAY_INDEX",
            "OMPI_COMM_WORLD_RANK",
        ] {
            command.env_remove(variable);
        }
        command
    }

    /// Runs it to its end: exit code, standard output, standard error.
    pub fn lbsim(&self, arguments: &[&str]) -> (Option<i32>, String, String) {
        let Output { status, stdout, stderr } = self.command(arguments).output().expect("started");
        let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
        (status.code(), text(stdout), text(stderr))
    }

    /// Runs the sweep into `out` and expects success.
    pub fn sweep(&self, out: &str, more: &[&str]) {
        let mut arguments = vec!["sweep", "sweep.toml", "--out", out, "--quiet"];
        arguments.extend(more);
        let (code, stdout, stderr) = self.lbsim(&arguments);
        assert_eq!((code, stdout.as_str(), stderr.as_str()), (Some(0), "", ""), "{more:?}");
    }

    /// Writes the plan of the sweep to `plan.json`, for so many parts.
    pub fn plan(&self, shards: u32) {
        let shards = shards.to_string();
        let arguments = ["sweep", "plan", "sweep.toml", "-o", "plan.json", "--shards", &shards];
        let (code, _, stderr) = self.lbsim(&arguments);
        assert_eq!((code, stderr.as_str()), (Some(0), ""));
    }

    /// Runs a part of the plan into `out` and expects success.
    pub fn part(&self, shard: &str, out: &str) {
        let arguments =
            ["sweep", "run", "--plan", "plan.json", "--shard", shard, "--out", out, "--quiet"];
        let (code, stdout, stderr) = self.lbsim(&arguments);
        assert_eq!((code, stdout.as_str(), stderr.as_str()), (Some(0), "", ""), "{shard}");
    }

    /// What of a finished sweep must never differ: tables and results, by path.
    pub fn results(&self, out: &str) -> BTreeMap<String, Vec<u8>> {
        let mut found = BTreeMap::new();
        for name in ["runs.csv", "points.csv", "paired.csv"] {
            if let Ok(bytes) = std::fs::read(self.path(out).join(name)) {
                found.insert(name.to_owned(), bytes);
            }
        }
        for path in files(&self.path(out).join("runs")) {
            found.insert(path.display().to_string(), std::fs::read(&path).expect("readable"));
        }
        let strip = format!("{}/", self.path(out).display());
        found.into_iter().map(|(k, v)| (k.replace(&strip, ""), v)).collect()
    }
}

/// The files in a folder, in order.
pub fn files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("readable").path()).collect();
    paths.sort();
    paths
}
