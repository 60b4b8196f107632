//! Large sweeps: a part of one starts at once and in little memory, whatever the size of the whole.

mod sweeping;

use std::time::Duration;
#[expect(clippy::disallowed_types, reason = "the time it takes to start is what is looked at")]
use std::time::Instant;

use sweeping::Room;

/// 500 points with 200 replications each: 100 000 runs.
fn large() -> String {
    let loads: Vec<String> = (0..500)
        .map(|i| format!("{{ poisson = {{ rate = \"{}%\" }} }}", 10.0 + f64::from(i) / 10.0))
        .collect();
    format!(
        "name = \"large\"\nbase = \"base.toml\"\nreplications = 200\nset.duration = \"60ms\"\n\
         [axes]\n\"workload.arrivals\" = [{}]\n",
        loads.join(", ")
    )
}

/// Goal: starting a part, reading its share of the plan, and passing over what is done takes less than
/// 50 ms and 20 MB. Method: a part of 100 runs out of 100 000, again and again when it is done; the machine
/// may be busy, so the fastest of 30 counts.
#[test]
#[expect(clippy::disallowed_types, reason = "as above")]
fn a_part_of_100_000_runs_starts_at_once() {
    let room = Room::new(&large());
    room.plan(1_000);
    let part = ["sweep", "run", "--plan", "plan.json", "--shard", "7", "--out", "out", "--json"];
    let (code, _, stderr) = room.lbsim(&part);
    assert_eq!((code, stderr.as_str()), (Some(0), ""));
    let mut fastest = Duration::MAX;
    for _ in 0..30 {
        let start = Instant::now();
        let (_, stdout, _) = room.lbsim(&part);
        fastest = fastest.min(start.elapsed());
        let told: serde_json::Value = serde_json::from_str(&stdout).expect("one object");
        assert_eq!((&told["runs"], &told["reused"]), (&100.into(), &100.into()), "{told}");
        let peak = told["peak_memory_bytes"].as_u64();
        assert!(peak.is_none_or(|bytes| bytes < 20_000_000), "{told}");
    }
    assert!(fastest < Duration::from_millis(50), "{fastest:?}");
    // So many files are spread over folders.
    let folders = sweeping::files(&room.path("out/runs"));
    assert!(folders.len() > 10 && folders.iter().all(|path| path.is_dir()), "{folders:?}");
    let (code, stdout, _) = room.lbsim(&["sweep", "status", "out"]);
    assert_eq!(code, Some(3));
    let missing = stdout.lines().last().expect("a line");
    assert_eq!(missing, "missing parts of 1000: 0-6,8-999", "{stdout}");
}

/// Goal: what lies in 256 folders is joined, found again and cleaned up as what lies in one. Method: 4 100 runs in parts, a leftover and a
/// foreign file among them, joined into a new folder and into one of theirs.
#[test]
fn a_sweep_in_many_folders_ends_as_one_in_one() {
    let sweep = "name = \"many\"\nbase = \"base.toml\"\nreplications = 2050\nset.duration = \"60ms\"\n\
                 [axes]\npolicy = [\"random\", \"two_choices\"]\n";
    let room = Room::new(sweep);
    room.plan(3);
    for part in ["0", "2", "1"] {
        room.part(part, if part == "1" { "b" } else { "a" });
    }
    let shelf = sweeping::files(&room.path("a/runs")).into_iter().next().expect("a folder");
    std::fs::write(shelf.join(".lbsim-left-over"), "half").expect("written");
    std::fs::write(shelf.join("foreign.json"), "{}").expect("written");
    let (code, stdout, _) = room.lbsim(&["sweep", "status", "a", "b", "--json"]);
    let status: serde_json::Value = serde_json::from_str(&stdout).expect("one object");
    assert_eq!(code, Some(0), "{status}");
    assert_eq!((&status["foreign"], &status["left_over"]), (&1.into(), &1.into()), "{status}");
    for out in ["joined", "a"] {
        let (code, stdout, stderr) =
            room.lbsim(&["sweep", "merge", "a", "b", "--out", out, "--quiet"]);
        assert_eq!((code, stdout.as_str(), stderr.as_str()), (Some(0), "", ""));
        assert_eq!(room.read(&format!("{out}/runs.csv")).lines().count(), 4_101);
    }
    for table in ["runs.csv", "points.csv"] {
        assert!(
            room.read(&format!("joined/{table}")) == room.read(&format!("a/{table}")),
            "{table}"
        );
    }
    assert!(!shelf.join(".lbsim-left-over").exists() && shelf.join("foreign.json").exists());
}
