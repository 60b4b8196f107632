//! Goal: `lbsim compare` as a user meets it: it says who wins where and how sure that is, and what
//! is wrong with what it was given. Method: the real binary on tables written by hand, whose
//! differences are plain, and on what the binary itself has written.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use assert_cmd::Command;
use serde_json::Value;
use tempfile::TempDir;

/// Five runs each: `fast` is 10 ms below `slow`, pair by pair, though both swing by far more than
/// that. `twin` differs from `fast` by chance. `drowned` is lower than all, but of the few.
const LATENCIES: [(&str, &str, [f64; 5]); 4] = [
    ("slow", "stable", [110.0, 210.5, 310.0, 409.5, 510.0]),
    ("fast", "stable", [100.0, 200.0, 300.0, 400.0, 500.0]),
    ("twin", "stable", [101.0, 199.5, 301.0, 399.0, 501.0]),
    ("drowned", "overloaded", [1.0, 1.0, 1.0, 1.0, 1.0]),
];

/// A table as a sweep writes it, with one axis.
fn table(settings: &[&str]) -> String {
    let mut text = "point,heartbeat.interval,name,policy,policy_params,seed,replication,status,\
                    error,warmup_s,verdict,success_rate,latency_ms_p99\n"
        .to_owned();
    for (s, setting) in settings.iter().enumerate() {
        for (p, (policy, verdict, latencies)) in LATENCIES.iter().enumerate() {
            for (replication, latency) in latencies.iter().enumerate() {
                let point = s * LATENCIES.len() + p;
                let share = if *policy == "fast" { 0.95 } else { 0.999 };
                let _ = writeln!(
                    text,
                    "{point},{setting},x,{policy},,1,{replication},ok,,1,{verdict},{share},{latency}"
                );
            }
        }
    }
    text
}

fn lbsim(folder: &Path, arguments: &[&str]) -> (i32, String, String) {
    let mut command = Command::cargo_bin("lbsim").expect("built");
    let output = command.current_dir(folder).args(arguments).output().expect("started");
    let text = |bytes| String::from_utf8(bytes).expect("text");
    (output.status.code().expect("an exit code"), text(output.stdout), text(output.stderr))
}

/// A folder with `runs.csv` in it.
fn room(table: &str) -> TempDir {
    let room = tempfile::tempdir().expect("a folder");
    fs::write(room.path().join("runs.csv"), table).expect("written");
    room
}

#[test]
fn a_comparison_reads_like_this() {
    let room = room(&table(&["20ms"]));
    let (code, text, errors) = lbsim(room.path(), &["compare", "."]);
    assert_eq!((code, errors.as_str()), (0, ""));
    insta::assert_snapshot!(text, @r"
latency_ms_p99 [ms], less is better
  fast     300 ± 196  best
  twin     300 ± 196  no difference shown: +0.300 ms (+0.1 %), -1.2 to +1.8
  slow     310 ± 196  worse: +10.0 ms (+3.3 %), +9.45 to +10.55
  drowned      1 ± 0  not ranked: overloaded, there is no steady state
  => no difference shown between fast, twin; worse: slow (3.3 % more)
  note: latencies are of answered requests, and fast answers only 95 % (the best 99.9 %)

± and ranges are 95 % confidence intervals; differences are of paired runs (same requests),
and all statements of one table hold together with 95 % confidence (Bonferroni).
");
}

#[test]
fn settings_are_compared_one_by_one_and_counted() {
    let mut text = table(&["20ms", "100ms"]);
    // In the second setting the twin is as slow as the slow one.
    text = text.replace("100ms,x,twin,,1,", "100ms,x,slow2,,1,");
    for (latency, slower) in [("101", "130"), ("199.5", "230"), ("301", "330"), ("399", "430")] {
        let from = format!("stable,0.999,{latency}\n");
        let at = text.rfind(&from).expect("the twin of the second setting");
        text.replace_range(at..at + from.len(), &format!("stable,0.999,{slower}\n"));
    }
    let room = room(&text);
    let (_, text, _) = lbsim(room.path(), &["compare", "runs.csv"]);
    for told in [
        "heartbeat.interval = 20ms:",
        "=> no difference shown between fast, twin; worse: slow (3.3 % more)",
        "heartbeat.interval = 100ms:",
        "=> fast is best; worse: ",
        "in 2 settings:\n  fast: best in 1, level with the best in 1 more\n",
    ] {
        assert!(text.contains(told), "{told}: {text}");
    }
    let (_, text, _) = lbsim(room.path(), &["compare", ".", "--by", "heartbeat.interval"]);
    assert!(text.contains("policy = fast:") && text.contains("20ms"), "{text}");
}

#[test]
fn json_holds_the_same() {
    let room = room(&table(&["20ms"]));
    let arguments =
        ["compare", ".", "--metric", "latency_ms_p99", "--metric", "success_rate", "--json"];
    let (code, text, _) = lbsim(room.path(), &arguments);
    assert_eq!((code, text.lines().count()), (0, 1));
    let object: Value = serde_json::from_str(&text).expect("one JSON object");
    let of = |metric: usize| &object["metrics"][metric]["settings"][0];
    assert_eq!(of(0)["leaders"], serde_json::json!(["fast", "twin"]));
    let slow = &of(0)["alternatives"][0];
    assert_eq!((&slow["name"], &slow["finding"]), (&"slow".into(), &"worse".into()));
    assert!(slow["variance_reduction"].as_f64().is_some_and(|reduction| reduction > 1e4));
    assert_eq!(of(0)["alternatives"][3]["finding"], "not_ranked");
    // A success rate means something without a steady state too.
    let leaders = of(1)["leaders"].as_array().expect("a list");
    assert_eq!(leaders.len(), 3, "{leaders:?}");
    assert_eq!(of(1)["alternatives"][1]["finding"], "worse");
}

/// What is compared, further arguments, and what must be told.
#[test]
fn what_cannot_be_compared_is_told_with_exit_code_2() {
    let whole = table(&["20ms"]);
    let single = whole.lines().take(6).collect::<Vec<_>>().join("\n");
    for (text, arguments, told) in [
        (whole.as_str(), &["--metric", "speed"][..], "there is no metric `speed`"),
        (&whole, &["--metric", "p99"], "do you mean latency_ms_p99"),
        (&whole, &["--metric", "utilisation"], "neither more nor less of it is better"),
        (&whole, &["--metric", "ok"], "no column `ok`"),
        (&whole, &["--by", "gossip.fanout"], "has no axis `gossip.fanout`"),
        (&single, &[], "nothing to compare"),
        ("time,price\n1,2\n", &[], "is no runs.csv of lbsim"),
        (&whole.replace("409.5", "4o9.5"), &[], "runs.csv:5: column `latency_ms_p99`: `4o9.5`"),
        (&whole[..whole.len() - 40], &[], "cannot read"),
        ("", &[], "is no runs.csv of lbsim"),
    ] {
        let room = room(text);
        let all: Vec<&str> = ["compare", "."].iter().chain(arguments).copied().collect();
        let (code, output, errors) = lbsim(room.path(), &all);
        assert_eq!((code, output.as_str()), (2, ""), "{told}: {errors}");
        assert!(errors.starts_with("error: ") && errors.contains(told), "{told}: {errors}");
    }
    let room = tempfile::tempdir().expect("a folder");
    let (code, _, errors) = lbsim(room.path(), &["compare", "none"]);
    assert!(code == 2 && errors.contains("cannot read none"), "{errors}");
    fs::write(room.path().join("plan.json"), "{}").expect("written");
    let (code, _, errors) = lbsim(room.path(), &["compare", "."]);
    assert!(code == 2 && errors.contains("has not ended"), "{errors}");
}

#[test]
fn failed_runs_are_counted_and_left_out() {
    let text = table(&["20ms"])
        .replace("slow,,1,1,ok,,1,stable,0.999,210.5", "slow,,1,1,failed,no trace,,,,")
        .replace("twin,,1,", "gone,,1,")
        .lines()
        .map(|line| {
            let gone = line.split_once(",ok,").filter(|_| line.contains(",gone,"));
            gone.map_or_else(|| line.to_owned(), |(start, _)| format!("{start},failed,bad,,,,"))
                + "\n"
        })
        .collect::<String>();
    let room = room(&text);
    let (code, text, _) = lbsim(room.path(), &["compare", "."]);
    assert_eq!(code, 0);
    let line = |name: &str| {
        let found = text.lines().find(|line| line.trim_start().starts_with(name));
        found.unwrap_or_default().to_owned()
    };
    assert!(line("slow").contains("worse: +9.88 ms") && line("slow").ends_with("(1 run failed)"));
    assert!(line("gone").contains("not ranked: no run was finished (5 runs failed)"), "{text}");
}

const SCENARIO: &str = r#"
name = "small"
duration = "3s"
warmup = "auto"
replications = 3
replications_max = 6
nodes.count = 2
[target]
latency_ms_mean = "0.001%"
[[servers]]
count = 10
capacity = 2
service.exponential = { mean = "10ms" }
[workload]
arrivals.poisson = { rate = "60%" }
[policy.lowest_latency]
[policy.random]
[policy.two_choices]
"#;

/// Goal: a scenario file is run and compared, and a folder of results answers the same. The target
/// is out of reach, so there are as many replications as may be, and that is told.
#[test]
fn a_scenario_file_and_its_folder_give_the_same_answer() {
    let room = tempfile::tempdir().expect("a folder");
    fs::write(room.path().join("small.toml"), SCENARIO).expect("written");
    let (code, text, errors) = lbsim(room.path(), &["run", "small.toml", "--out", "out"]);
    assert_eq!((code, errors.as_str()), (0, ""));
    assert!(text.contains("of warm-up (found by pilot runs)"), "{text}");
    assert!(text.contains("6 replications\n"), "{text}");
    assert!(
        text.contains("warning: 6 replications (`replications_max`) were not enough"),
        "{text}"
    );
    assert!(text.contains("latency_ms_p99: ") && text.contains("worse: random"), "{text}");
    let manifest = fs::read_to_string(room.path().join("out/manifest.json")).expect("a manifest");
    let manifest: Value = serde_json::from_str(&manifest).expect("JSON");
    assert_eq!((&manifest["replications"], &manifest["warmup_found"]), (&6.into(), &true.into()));
    let warmup_s = manifest["warmup_ns"].as_u64().expect("a time") as f64 / 1e9;
    let mut rows = csv::Reader::from_path(room.path().join("out/runs.csv")).expect("a table");
    let column = rows.headers().expect("a header").iter().position(|name| name == "warmup_s");
    let of_rows: Vec<f64> = rows
        .records()
        .map(|row| row.expect("a row")[column.expect("a column")].parse().expect("a number"))
        .collect();
    assert_eq!(of_rows, [warmup_s; 18]);
    assert!(warmup_s > 0.0 && warmup_s <= 1.5, "{warmup_s}");

    let (code, of_folder, _) = lbsim(room.path(), &["compare", "out"]);
    let (code_of_file, of_file, errors) =
        lbsim(room.path(), &["compare", "small.toml", "--threads", "1"]);
    assert_eq!((code, code_of_file, errors.as_str()), (0, 0, ""));
    assert_eq!(of_folder, of_file);
    let sentence = text.lines().find_map(|line| line.strip_prefix("latency_ms_p99: "));
    assert!(of_folder.contains(sentence.expect("a sentence")), "{of_folder}");
}

#[test]
fn a_run_too_short_to_settle_is_told() {
    let room = tempfile::tempdir().expect("a folder");
    let text = SCENARIO
        .replace("60%", "250%")
        .replace("[target]", "[expect]")
        .replace("latency_ms_mean = \"0.001%\"", "success_rate = \"> 0\"");
    let text = text.replace("capacity = 2", "capacity = 2\nbacklog = \"unbounded\"");
    fs::write(room.path().join("small.toml"), text).expect("written");
    let arguments = ["run", "small.toml", "--set", "policy=[\"random\",\"two_choices\"]"];
    let (code, text, _) = lbsim(room.path(), &arguments);
    assert_eq!(code, 0, "a warning, not a failure");
    assert!(text.contains("warning: the warm-up is half of the run, and random, two_choices had"));
    assert!(text.contains("grows") && text.contains("backlogged: work piles up"), "{text}");
    assert!(text.contains("latency_ms_p99: nobody can be ranked"), "{text}");
    let json: Vec<&str> = arguments.into_iter().chain(["--json"]).collect();
    let (_, text, _) = lbsim(room.path(), &json);
    let object: Value = serde_json::from_str(&text).expect("one JSON object");
    assert_eq!(object["warmup_too_short_for"], serde_json::json!(["random", "two_choices"]));
    assert_eq!(object["policies"]["random"]["verdict"], "backlogged");
}

/// Goal: a sweep file is run and compared, and its folder answers the same.
#[test]
fn a_sweep_file_and_its_folder_give_the_same_answer() {
    let room = tempfile::tempdir().expect("a folder");
    let base = SCENARIO.replace("[target]\nlatency_ms_mean = \"0.001%\"", "");
    fs::write(room.path().join("small.toml"), base.replace("\"auto\"", "\"200ms\""))
        .expect("written");
    let sweep = "name = \"swept\"\nbase = \"small.toml\"\nreplications = 3\n[axes]\n\
                 \"heartbeat.interval\" = [\"50ms\", \"200ms\"]\n\"policy\" = [\"random\", \"two_choices\"]\n";
    fs::write(room.path().join("sweep.toml"), sweep).expect("written");
    let (code, _, errors) = lbsim(room.path(), &["sweep", "sweep.toml", "--out", "out", "--quiet"]);
    assert_eq!((code, errors.as_str()), (0, ""));
    let (code, of_folder, _) = lbsim(room.path(), &["compare", "out"]);
    let (code_of_file, of_file, errors) = lbsim(room.path(), &["compare", "sweep.toml"]);
    assert_eq!((code, code_of_file, errors.as_str()), (0, 0, ""));
    assert_eq!(of_folder, of_file);
    for told in ["heartbeat.interval = 50ms:", "heartbeat.interval = 200ms:", "in 2 settings:"] {
        assert!(of_file.contains(told), "{told}: {of_file}");
    }
    fs::write(room.path().join("sweep.toml"), sweep.replace("axes", "axis")).expect("written");
    let (code, output, errors) = lbsim(room.path(), &["compare", "sweep.toml"]);
    assert_eq!((code, output.as_str()), (2, ""));
    assert!(errors.contains("axis"), "{errors}");
}
