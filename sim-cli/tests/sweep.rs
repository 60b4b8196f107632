//! Sweeps on the real binary: the same bytes whoever runs them, in how many parts, and with what in
//! between.

mod sweeping;

use std::collections::BTreeSet;

use sweeping::{Room, SWEEP, files};

/// Goal: neither threads nor parts change a byte. Method: one uninterrupted sweep against others.
#[test]
fn jobs_and_parts_change_nothing() {
    let room = Room::new(SWEEP);
    room.sweep("whole", &["--jobs", "1"]);
    let whole = room.results("whole");
    assert_eq!(whole.len(), 3 + 18);
    room.sweep("two", &["--jobs", "2"]);
    assert!(room.results("two") == whole, "--jobs 2");
    room.plan(7);
    let parts = |count: u32, own: bool| {
        let name = |i| if own { format!("part-{i}-of-{count}") } else { format!("of-{count}") };
        let folders: BTreeSet<String> = (0..count).map(name).collect();
        for i in 0..count {
            let shard = if count == 7 { i.to_string() } else { format!("{i}/{count}") };
            room.part(&shard, &name(i));
        }
        let merged = format!("merged-{count}-{own}");
        let mut arguments = vec!["sweep", "merge", "--quiet", "--out", &merged];
        arguments.extend(folders.iter().map(String::as_str));
        let (code, _, stderr) = room.lbsim(&arguments);
        assert_eq!((code, stderr.as_str()), (Some(0), ""), "{count} parts");
        assert!(room.results(&merged) == whole, "{count} parts");
    };
    for count in [1, 2, 7, 20] {
        parts(count, true);
        parts(count, false);
    }
}

/// Goal: a sweep that is run at once is the same as a plan and its parts, its plan included. Method: both,
/// byte for byte; and a plan that is run without naming a part.
#[test]
fn a_sweep_at_once_is_a_plan_and_its_parts() {
    let room = Room::new(SWEEP);
    room.sweep("whole", &[]);
    let (code, stdout, stderr) = room.lbsim(&["sweep", "plan", "sweep.toml", "-o", "plan.json"]);
    assert_eq!((code, stderr.as_str()), (Some(0), ""));
    for word in ["6 points, 18 runs", "1 part;", "run --plan plan.json --out DIR"] {
        assert!(stdout.contains(word), "{word}: {stdout}");
    }
    assert!(room.read("plan.json") == room.read("whole/plan.json"));
    let arguments = ["sweep", "run", "--plan", "plan.json", "--out", "run", "--quiet"];
    assert_eq!(room.lbsim(&arguments), (Some(0), String::new(), String::new()));
    assert!(room.results("run") == room.results("whole"));
    // The plan may lie where the results go.
    std::fs::create_dir(room.path("there")).expect("created");
    std::fs::copy(room.path("plan.json"), room.path("there/plan.json")).expect("copied");
    let arguments = ["sweep", "run", "--plan", "there/plan.json", "--out", "there", "--quiet"];
    assert_eq!(room.lbsim(&arguments), (Some(0), String::new(), String::new()));
    assert!(room.results("there") == room.results("whole"));
}

/// Goal: a plan can be read by others: every line is JSON, says each run by its id, and those who simulate
/// nothing know what it takes. Method: read one, and look for its runs among the results.
#[test]
fn a_plan_names_every_run() {
    let room = Room::new(SWEEP);
    room.plan(4);
    room.sweep("whole", &[]);
    let text = room.read("plan.json");
    let lines: Vec<serde_json::Value> =
        text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let head = &lines[0]["plan"];
    assert_eq!(lines.len(), 1 + 6 + 6);
    assert_eq!((&head["runs"], &head["shards"]), (&18.into(), &4.into()));
    assert_eq!(head["inputs"]["sweep"], SWEEP);
    assert!(head["estimate"]["shard_s"].as_f64() > Some(0.0));
    let column = |name: &str| {
        let names = head["subject_columns"].as_array().expect("names");
        names.iter().position(|found| found == name).expect(name)
    };
    let mut runs = BTreeSet::new();
    let mut costs = Vec::new();
    for line in &lines[1..7] {
        let id = line[column("id")].as_str().expect("an id");
        runs.extend((0..3).map(|replication| format!("{id}-{replication}.json")));
        costs.push(line[column("cost_ns")].as_u64().expect("a number"));
        assert!(line[column("memory_bytes")].as_u64() > Some(0));
    }
    let name = |path: &std::path::PathBuf| path.file_name().unwrap().to_string_lossy().into_owned();
    let found: BTreeSet<String> = files(&room.path("whole/runs")).iter().map(name).collect();
    assert_eq!(runs, found);
    assert!(costs.is_sorted_by(|a, b| a >= b), "{costs:?}");
}

/// The part comes from the batch system, how many there are from the plan.
#[test]
fn parts_in_one_folder() {
    let room = Room::new(SWEEP);
    room.sweep("whole", &[]);
    room.plan(3);
    for part in ["2", "0"] {
        room.part(part, "parts");
        assert!(!room.path("parts/runs.csv").exists());
    }
    let (code, stdout, stderr) = room.lbsim(&["sweep", "merge", "parts", "--out", "parts"]);
    assert_eq!((code, stdout.as_str()), (Some(3), "1\n"), "{stderr}");
    assert!(stderr.contains("6 of 18 runs are missing"), "{stderr}");
    let (code, stdout, _) = room.lbsim(&["sweep", "status", "parts", "--json", "--shards", "6"]);
    assert_eq!(code, Some(3));
    let status: serde_json::Value = serde_json::from_str(&stdout).expect("one object");
    assert_eq!(status["missing_shards"], serde_json::json!([1, 4]));
    assert_eq!((&status["array"], &status["shards"]), (&"1,4".into(), &6.into()));
    assert_eq!((&status["done"], &status["missing"]), (&12.into(), &6.into()));
    let auto = ["sweep", "run", "--plan", "plan.json", "--shard", "auto", "--out", "parts"];
    let (code, _, stderr) = room.lbsim(&auto);
    assert_eq!((code, stderr.contains("SLURM_ARRAY_TASK_ID")), (Some(2), true), "{stderr}");
    let task = |index: &str| {
        let mut last = room.command(&auto);
        // Slurm counts only the tasks of this submission: of the missing one it says 1.
        last.env("SLURM_ARRAY_TASK_ID", index).env("SLURM_ARRAY_TASK_COUNT", "1");
        let output = last.output().expect("started");
        (output.status.code(), String::from_utf8(output.stderr).expect("UTF-8"))
    };
    let (code, stderr) = task("3");
    assert_eq!((code, stderr.contains("the plan has 3")), (Some(2), true), "{stderr}");
    assert_eq!(task("1"), (Some(0), String::new()));
    assert_eq!(room.lbsim(&["sweep", "status", "parts"]).0, Some(0));
    let (code, ..) = room.lbsim(&["sweep", "merge", "parts", "--out", "parts", "--quiet"]);
    assert_eq!(code, Some(0));
    assert!(room.results("parts") == room.results("whole"));
}

/// Goal: how many replications a target takes depends on results alone, and so do warm-ups that are
/// found. Method: threads and parts, as above.
#[test]
fn targets_and_warm_ups_depend_on_results_alone() {
    let head = "replications = 3\nreplications_max = 20\ntarget = { latency_ms_mean = \"5%\" }\nset.warmup = \"auto\"\n";
    let room = Room::new(&SWEEP.replace("replications = 3\n", head));
    room.sweep("whole", &["--jobs", "1"]);
    let whole = room.results("whole");
    let counts: Vec<usize> = (0..6)
        .map(|point| {
            let start = format!("{point},");
            room.read("whole/runs.csv").lines().filter(|line| line.starts_with(&start)).count()
        })
        .collect();
    assert!(counts.iter().any(|count| *count > 3) && counts.iter().all(|count| *count <= 20));
    room.sweep("two", &["--jobs", "2"]);
    assert!(room.results("two") == whole, "--jobs 2");
    room.plan(3);
    for i in ["0", "1", "2"] {
        room.part(i, "parts");
    }
    assert_eq!(room.lbsim(&["sweep", "merge", "parts", "--out", "parts", "--quiet"]).0, Some(0));
    assert!(room.results("parts") == whole, "in parts");
    // A run that gets lost is made again, and no other.
    let lost = &files(&room.path("whole/runs"))[4];
    std::fs::remove_file(lost).expect("removed");
    room.sweep("whole", &[]);
    assert!(room.results("whole") == whole, "with a run lost");
}

#[test]
fn a_finished_sweep_is_not_run_again() {
    let room = Room::new(SWEEP);
    room.sweep("out", &[]);
    let times = || -> Vec<_> {
        let modified = |path: &std::path::PathBuf| path.metadata().unwrap().modified().unwrap();
        files(&room.path("out/runs")).iter().map(modified).collect()
    };
    let before = times();
    room.sweep("out", &[]);
    assert!(times() == before);
}

#[test]
fn what_is_the_same_in_all_settings_is_said_once() {
    let alike = r#"["two_choices", { two_choices = { choices = 3 } }]"#;
    let sweep = SWEEP.replace(r#"["lowest_latency", "two_choices", "random"]"#, alike);
    let room = Room::new(&sweep.replace("baseline = { policy = \"random\" }\n", ""));
    let (code, stdout, stderr) = room.lbsim(&["sweep", "sweep.toml", "--out", "out"]);
    assert_eq!((code, stderr.as_str()), (Some(0), ""));
    assert_eq!(stdout.matches("in all 2 settings: no difference shown").count(), 1, "{stdout}");
    assert!(!stdout.contains("level with the best"), "{stdout}");
}

#[test]
fn the_end_says_what_was_found_and_where_it_is() {
    let room = Room::new(SWEEP);
    let (code, stdout, stderr) = room.lbsim(&["sweep", "sweep.toml", "--out", "out"]);
    assert_eq!((code, stderr.as_str()), (Some(0), ""));
    for word in ["6 points, 18 runs", "two_choices", "heartbeat.interval", "files are in out"] {
        assert!(stdout.contains(word), "{word}: {stdout}");
    }
    let (code, stdout, _) = room.lbsim(&["sweep", "sweep.toml", "--out", "out", "--json"]);
    assert_eq!((code, stdout.matches('\n').count()), (Some(0), 1));
    let object: serde_json::Value = serde_json::from_str(&stdout).expect("one object");
    assert_eq!((&object["runs"], &object["failed"]), (&18.into(), &0.into()));
    let point = &object["points"][5];
    assert_eq!(point["axes"]["heartbeat.interval"], "20ms");
    assert!(point["metrics"]["latency_ms_p99"]["ci_low"].is_number(), "{point}");
}

/// Goal: the tables say what their columns promise. Method: read them back and work out a difference by
/// hand from `runs.csv`.
#[test]
fn tables_agree_with_each_other() {
    let room = Room::new(SWEEP);
    room.sweep("out", &[]);
    let table = |name: &str| -> Vec<std::collections::BTreeMap<String, String>> {
        let text = room.read(&format!("out/{name}"));
        let mut reader = csv::Reader::from_reader(text.as_bytes());
        let header = reader.headers().expect("a header").clone();
        let unique: BTreeSet<&str> = header.iter().collect();
        assert_eq!(unique.len(), header.len(), "{name} has a column twice");
        let row = |record: csv::StringRecord| {
            header.iter().zip(&record).map(|(k, v)| (k.to_owned(), v.to_owned())).collect()
        };
        reader.records().map(|record| row(record.expect("equal lengths"))).collect()
    };
    let (runs, points, paired) = (table("runs.csv"), table("points.csv"), table("paired.csv"));
    assert_eq!((runs.len(), points.len(), paired.len()), (18, 6, 4));
    let number = |text: &str| -> f64 { text.parse().unwrap_or_else(|_| panic!("`{text}`")) };
    let values = |point: &str| -> Vec<f64> {
        let of = runs.iter().filter(|run| run["point"] == point);
        of.map(|run| number(&run["latency_ms_mean"])).collect()
    };
    for row in &paired {
        assert_ne!(row["policy"], "random");
        let (ours, theirs) = (values(&row["point"]), values(&row["baseline_point"]));
        let mean = ours.iter().zip(&theirs).map(|(a, b)| a - b).sum::<f64>() / 3.0;
        assert!((mean - number(&row["latency_ms_mean_diff"])).abs() < 1e-9);
        let baseline: usize = row["baseline_point"].parse().expect("a number");
        let point: usize = row["point"].parse().expect("a number");
        assert_eq!(points[baseline]["policy"], "random");
        assert_eq!(points[baseline]["heartbeat.interval"], points[point]["heartbeat.interval"]);
    }
    for (number_of, row) in points.iter().enumerate() {
        let values = values(&number_of.to_string());
        let mean = values.iter().sum::<f64>() / 3.0;
        assert!((mean - number(&row["latency_ms_mean"])).abs() < 1e-9);
        assert_eq!((row["replications"].as_str(), row["replications_failed"].as_str()), ("3", "0"));
        let ends =
            ["latency_ms_mean_ci_low", "latency_ms_mean_ci_high"].map(|end| number(&row[end]));
        assert!(ends[0] < mean && mean < ends[1]);
    }
}

/// Goal: a policy does not change the requests of others. Method: `random` with and without company
/// gives the same results, and the same files.
#[test]
fn a_run_is_known_by_what_it_simulates() {
    let room = Room::new(SWEEP);
    room.write("other.toml", "name = \"other\"\nbase = \"base.toml\"\nreplications = 3\n[axes]\npolicy = [\"random\"]\nheartbeat.interval = [\"20ms\"]\n");
    room.sweep("out", &[]);
    let (code, ..) = room.lbsim(&["sweep", "other.toml", "--out", "other", "--quiet"]);
    assert_eq!(code, Some(0));
    let (all, some) = (room.results("out"), room.results("other"));
    let runs = some.iter().filter(|(name, _)| name.starts_with("runs/"));
    assert_eq!(runs.clone().count(), 3);
    for (name, bytes) in runs {
        assert!(all.get(name) == Some(bytes), "{name}");
    }
}
