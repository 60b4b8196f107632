//! A folder that several processes write to, and what can happen to it: two parts doing the same run at
//! once, a writer killed in the middle, a full disk, a folder that cannot be written to, files of others.
//!
//! What needs a file system of its own gets one in a name space that ends with the test's shell. Where the
//! system does not let a test do so, it says that it is left out.

#![cfg(unix)]

mod sweeping;

use std::collections::BTreeMap;
use std::io::Write;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use bench_harness::sweep::identity::digest;
use sweeping::{Room, SWEEP, files};

const SIGKILL: i32 = 9;
const SIGXFSZ: i32 = 25;

/// Four runs of some 100 ms each.
const SLOW: &str = r#"
name = "slow"
base = "base.toml"
replications = 4
[set]
duration = "600s"
[axes]
policy = ["two_choices"]
"#;

fn status(room: &Room, folder: &str) -> (Option<i32>, serde_json::Value) {
    let (code, stdout, stderr) = room.lbsim(&["sweep", "status", folder, "--json"]);
    (code, serde_json::from_str(&stdout).unwrap_or_else(|_| panic!("{stderr}")))
}

fn merge(room: &Room, folder: &str) {
    let (code, stdout, stderr) =
        room.lbsim(&["sweep", "merge", folder, "--out", folder, "--quiet"]);
    assert_eq!((code, stdout.as_str(), stderr.as_str()), (Some(0), "", ""));
}

/// Unfinished files.
fn left_over(room: &Room, folder: &str) -> Vec<PathBuf> {
    let is_hidden =
        |path: &PathBuf| path.file_name().is_some_and(|n| n.to_string_lossy().starts_with('.'));
    files(&room.path(folder).join("runs")).into_iter().filter(is_hidden).collect()
}

/// Goal: a part that an engine starts twice does no harm. Method: four processes run the same part into
/// one folder. Each says that it found nothing there and made both runs, so all of them were at it at once
/// and wrote the same files.
#[test]
fn parts_that_do_the_same_runs_at_once_write_the_same_bytes() {
    let room = Room::new(SLOW);
    room.sweep("whole", &[]);
    room.plan(2);
    let part = ["sweep", "run", "--plan", "plan.json", "--shard", "0", "--out", "out", "--json"];
    let start = |_| {
        let mut command = room.command(&part);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("started")
    };
    let children: Vec<_> = (0..4).map(start).collect();
    for child in children {
        let output = child.wait_with_output().expect("ended");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!((output.status.code(), stderr.as_ref()), (Some(0), ""));
        let told: serde_json::Value = serde_json::from_slice(&output.stdout).expect("one object");
        assert_eq!((&told["runs"], &told["reused"]), (&2.into(), &0.into()), "{told}");
    }
    assert!(left_over(&room, "out").is_empty());
    room.part("1", "out");
    merge(&room, "out");
    assert!(room.results("out") == room.results("whole"));
}

/// A finished run is never half there, whenever its writer dies: what it was writing stays behind under
/// another name, is counted, is not used, and goes when parts are joined.
fn after_a_writer_died(room: &Room) {
    let left = left_over(room, "out");
    assert!(!left.is_empty(), "the writer left nothing behind");
    let (code, told) = status(room, "out");
    assert_eq!(code, Some(3), "{told}");
    let counts = (&told["left_over"], &told["damaged"], &told["foreign"]);
    assert_eq!(counts, (&left.len().into(), &0.into(), &0.into()), "{told}");
    assert!(told["missing"].as_u64() > Some(0), "{told}");
    // Another process goes on, and leaves alone what may be that of a third.
    room.part("0", "out");
    assert_eq!(left_over(room, "out"), left);
    room.part("1", "out");
    merge(room, "out");
    assert!(left_over(room, "out").is_empty());
    assert!(room.results("out") == room.results("whole"));
}

/// Method: the system kills the process inside of the call that writes the temporary file, for it goes
/// beyond the size that files may have.
#[test]
fn a_writer_killed_while_it_writes_loses_one_run() {
    let room = Room::new(SWEEP);
    room.sweep("whole", &[]);
    room.plan(2);
    let script = "ulimit -f 2; exec \"$0\" sweep run --plan plan.json --shard 0 --out out --quiet";
    let mut shell = Command::new("sh");
    shell.args(["-c", script, env!("CARGO_BIN_EXE_lbsim")]).current_dir(room.path("."));
    let output = shell.stderr(Stdio::null()).output().expect("a shell");
    assert_eq!(output.status.signal(), Some(SIGXFSZ), "{:?}", output.status);
    after_a_writer_died(&room);
}

/// Method: whoever sees the temporary file kills its writer at once, which waits for the disk then. It takes
/// a few tries to be fast enough, and each is a kill that must do no harm.
#[test]
fn a_writer_killed_before_it_renames_loses_one_run() {
    let room = Room::new(SWEEP);
    room.sweep("whole", &[]);
    room.plan(2);
    let runs = room.path("out/runs");
    for _ in 0..200 {
        let _ = std::fs::remove_dir_all(room.path("out"));
        let part =
            ["sweep", "run", "--plan", "plan.json", "--shard", "0", "--out", "out", "--quiet"];
        let mut child = room.command(&part).spawn().expect("started");
        let is_unfinished = |entry: std::io::Result<std::fs::DirEntry>| {
            entry.is_ok_and(|entry| entry.file_name().to_string_lossy().starts_with('.'))
        };
        // Until it has ended by itself: then it was too fast.
        while !std::fs::read_dir(&runs).is_ok_and(|mut all| all.any(is_unfinished))
            && child.try_wait().expect("a child").is_none()
        {}
        child.kill().expect("killed");
        let is_killed = child.wait().expect("ended").signal() == Some(SIGKILL);
        if is_killed && !left_over(&room, "out").is_empty() {
            return after_a_writer_died(&room);
        }
    }
    panic!("in 200 tries no writer was killed between its file and the name of it");
}

/// What a script in a name space of its own, where it may mount, has printed; `None` where the system
/// does not let it.
fn in_a_name_space(room: &Room, test: &str, script: &str) -> Option<String> {
    let unshare = |script: &str| {
        let mut command = Command::new("unshare");
        command.args(["--user", "--map-root-user", "--mount", "sh", "-c", script]);
        command.arg(env!("CARGO_BIN_EXE_lbsim")).current_dir(room.path(".")).output()
    };
    let probe = "mkdir -p probe && mount -t tmpfs none probe";
    if !unshare(probe).is_ok_and(|output| output.status.success()) {
        // Tests catch what is printed; this is to be seen.
        let _ = writeln!(std::io::stderr(), "skipped: {test}: this system lets no test mount");
        return None;
    }
    let output = unshare(script).expect("it has worked before");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");
    Some(String::from_utf8(output.stdout).expect("UTF-8") + &stderr)
}

/// Goal: a full disk loses nothing that was finished, and when there is room it goes on. Method: a file
/// system of 256 KiB that is full but for three files of runs.
#[test]
fn a_full_disk_is_told_and_gone_on_from() {
    let room = Room::new(SWEEP);
    room.sweep("whole", &[]);
    room.plan(1);
    let script = r#"
        mkdir disk && mount -t tmpfs -o size=256k none disk || exit 1
        run() { "$0" sweep run --plan plan.json --shard 0/1 --out disk/out --quiet; echo "code $?"; }
        mkdir disk/out && cp plan.json disk/out || exit 1
        mkdir disk/out/runs disk/out/hosts
        dd if=/dev/zero of=disk/ballast bs=4096 count=64 2>/dev/null
        truncate -s -24K disk/ballast
        run
        for file in disk/out/runs/*; do
            cmp "$file" "whole/runs/$(basename "$file")" || echo "half"
        done
        echo "finished $(ls disk/out/runs | wc -l), unfinished $(ls -A disk/out/runs | grep -c '^\.')"
        rm disk/ballast
        run
        cp -r disk/out out
    "#;
    let Some(told) = in_a_name_space(&room, "a full disk", script) else { return };
    let mut codes = told.lines().filter(|line| line.starts_with("code"));
    assert_eq!((codes.next(), codes.next()), (Some("code 75"), Some("code 0")), "{told}");
    assert!(told.contains("No space left on device"), "{told}");
    assert!(told.contains("the same command goes on"), "{told}");
    assert!(!told.contains("half") && told.contains("unfinished 0"), "{told}");
    assert!(room.results("out") == room.results("whole"));
}

/// A folder that cannot be written to is told before anything is simulated, can be looked at, and can
/// be joined into another one.
#[test]
fn a_read_only_folder_is_told_and_can_be_read() {
    let room = Room::new(SWEEP);
    room.sweep("whole", &[]);
    room.plan(2);
    room.part("0", "out");
    let script = r#"
        mount --bind out out && mount -o remount,ro,bind out || exit 1
        lbsim=$0
        run() { "$lbsim" sweep run --plan plan.json --quiet "$@"; echo "code $?"; }
        run --shard 1 --out out
        run --shard 1 --out out/new
        "$lbsim" sweep status out | grep done
        "$lbsim" sweep merge out --out out --quiet; echo "code $?"
        run --shard 1 --out rest
        "$lbsim" sweep merge out rest --out joined --quiet; echo "code $?"
        "$lbsim" sweep merge out rest --out out --quiet; echo "code $?"
    "#;
    let before = room.results("out");
    let Some(told) = in_a_name_space(&room, "a read-only folder", script) else { return };
    let codes: Vec<&str> = told.lines().filter(|line| line.starts_with("code")).collect();
    let expected = ["code 2", "code 2", "code 3", "code 0", "code 0", "code 2"];
    assert_eq!(codes, expected, "{told}");
    assert!(told.contains("cannot write `out/runs/"), "{told}");
    assert!(told.contains("cannot make `out/new/runs`"), "{told}");
    assert_eq!(told.matches("Read-only file system").count(), 3, "{told}");
    assert!(told.contains("done       9"), "{told}");
    assert!(room.results("out") == before);
    assert!(room.results("joined") == room.results("whole"));
}

/// Files of another plan and of another version are counted, not used, and not removed.
#[test]
fn files_of_others_are_counted_and_left_alone() {
    let room = Room::new(SWEEP);
    room.sweep("whole", &[]);
    room.plan(2);
    room.part("0", "out");
    room.write("other.toml", &SWEEP.replace("[axes]", "set.duration = \"200ms\"\n[axes]"));
    assert_eq!(room.lbsim(&["sweep", "other.toml", "--out", "other", "--quiet"]).0, Some(0));
    let mut others = BTreeMap::new();
    let name = |path: &PathBuf| path.file_name().unwrap().to_string_lossy().into_owned();
    let foreign = &files(&room.path("other/runs"))[0];
    others.insert(name(foreign), std::fs::read(foreign).expect("readable"));
    // As an older version called and wrote them.
    let old = format!("{}.json", digest(b"a run of an older version"));
    others.insert(old, b"{\"checksum\":\"0\",\"run\":{\"schema\":1}}\n".to_vec());
    for (name, bytes) in &others {
        std::fs::write(room.path("out/runs").join(name), bytes).expect("written");
    }
    let (code, told) = status(&room, "out");
    assert_eq!((code, &told["foreign"], &told["done"]), (Some(3), &2.into(), &9.into()), "{told}");
    room.part("1", "out");
    merge(&room, "out");
    let (code, told) = status(&room, "out");
    assert_eq!((code, &told["foreign"], &told["done"]), (Some(0), &2.into(), &18.into()), "{told}");
    let (mut found, whole) = (room.results("out"), room.results("whole"));
    for (name, bytes) in others {
        assert_eq!(found.remove(&format!("runs/{name}")), Some(bytes), "{name}");
    }
    assert!(found == whole);
}

/// Goal: a whole result of another version under the name of one of ours is not believed: nobody can tell
/// what it would be today. Method: a result with the number of another form and a right checksum.
#[test]
fn a_result_of_another_form_is_made_again() {
    let room = Room::new(SWEEP);
    room.sweep("out", &[]);
    let whole = room.results("out");
    let run = &files(&room.path("out/runs"))[0];
    let text = std::fs::read_to_string(run).expect("readable");
    let (_, inner) = text.split_once("\"run\":").expect("a run");
    let (form, rest) = inner.split_once(',').expect("more");
    assert!(form.starts_with("{\"schema\":"), "{form}");
    let inner = format!("{{\"schema\":1,{}", rest.strip_suffix("}\n").expect("its end"));
    let sum = digest(inner.as_bytes());
    std::fs::write(run, format!("{{\"checksum\":\"{sum}\",\"run\":{inner}}}\n")).expect("written");
    let (code, told) = status(&room, "out");
    assert_eq!((code, &told["damaged"]), (Some(3), &1.into()), "{told}");
    let (code, _, stderr) = room.lbsim(&["sweep", "sweep.toml", "--out", "out", "--quiet"]);
    assert_eq!((code, stderr.contains("damaged or cut short")), (Some(0), true), "{stderr}");
    assert!(room.results("out") == whole);
}

/// Goal: no plan is used that is not as it was written, or another build's, and none is half-written.
/// Method: change, cut and replace it; write one where that cannot be.
#[test]
fn a_plan_that_is_not_as_it_was_written_is_refused() {
    let room = Room::new(SWEEP);
    room.plan(2);
    let whole = room.read("plan.json");
    let refused = |text: &str, why: &str| {
        room.write("bad.json", text);
        let (code, stdout, stderr) =
            room.lbsim(&["sweep", "run", "--plan", "bad.json", "--out", "out", "--quiet"]);
        assert_eq!((code, stdout.as_str()), (Some(2), ""), "{stderr}");
        assert!(stderr.contains("`bad.json`") && stderr.contains(why), "{why}: {stderr}");
        let ran = files(&room.path("out/runs")).len();
        assert_eq!(ran, 0, "{why}");
    };
    let damaged = "damaged or was changed by hand";
    refused(&whole[..whole.len() - 1], damaged);
    refused(&format!("{whole}\n"), damaged);
    refused(&whole.replacen("\"shards\":2", "\"shards\":3", 1), damaged);
    refused(&whole[..100], damaged);
    for text in ["", "{}\n", "name = 1\n"] {
        refused(text, "is no plan");
    }
    let lines: Vec<&str> = whole.lines().collect();
    // A row changed by one digit, and two in each other's place.
    let row = lines[2].replacen("1,7,", "1,8,", 1);
    assert_ne!(row, lines[2]);
    refused(&whole.replacen(lines[2], &row, 1), "the row of subject 1 is not as it was written");
    let mut swapped = lines.clone();
    swapped.swap(7, 8);
    refused(&format!("{}\n", swapped.join("\n")), "the row of point 0");
    // Another build's, whole in itself.
    let inner =
        lines[0].split_once("\"plan\":").expect("a plan").1.strip_suffix('}').expect("its end");
    for (ours, theirs, why) in [
        ("\"schema\":2", "\"schema\":3", "form 3"),
        ("\"commit\":\"", "\"commit\":\"0", "another build"),
    ] {
        let inner = inner.replacen(ours, theirs, 1);
        let sum = digest(inner.as_bytes());
        let first = format!("{{\"checksum\":\"{sum}\",\"plan\":{inner}}}");
        refused(&whole.replacen(lines[0], &first, 1), why);
    }
    let (code, _, stderr) = room.lbsim(&["sweep", "plan", "sweep.toml", "-o", "none/plan.json"]);
    assert_eq!(
        (code, stderr.contains("cannot write `none/plan.json`")),
        (Some(2), true),
        "{stderr}"
    );
    let script = "trap '' XFSZ; ulimit -f 2; exec \"$0\" sweep plan sweep.toml -o half.json";
    let mut shell = Command::new("sh");
    shell.args(["-c", script, env!("CARGO_BIN_EXE_lbsim")]).current_dir(room.path("."));
    assert_eq!(shell.output().expect("a shell").status.code(), Some(75));
    assert!(!room.path("half.json").exists());
    let names = files(&room.path("."));
    assert!(names.iter().all(|path| !path.display().to_string().contains(".lbsim-")), "{names:?}");
    // A plan that is there is replaced whole.
    room.write("plan.json", "old");
    room.plan(2);
    assert!(room.read("plan.json") == whole);
}
