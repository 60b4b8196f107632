//! Sweeps on the real binary: the same bytes whoever runs them, in how many parts, and with what in
//! between.

mod sweeping;

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
    for count in 1..=7 {
        let folders: Vec<String> = (0..count).map(|i| format!("part-{i}-of-{count}")).collect();
        for (i, folder) in folders.iter().enumerate() {
            room.sweep(folder, &["--shard", &format!("{i}/{count}")]);
        }
        let merged = format!("merged-{count}");
        let mut arguments = vec!["sweep", "merge", "--quiet", "--out", &merged];
        arguments.extend(folders.iter().map(String::as_str));
        let (code, _, stderr) = room.lbsim(&arguments);
        assert_eq!((code, stderr.as_str()), (Some(0), ""), "{count} parts");
        assert!(room.results(&merged) == whole, "{count} parts");
    }
}

/// Parts may write into one folder; the last one to end makes the tables.
#[test]
fn parts_in_one_folder_join_themselves() {
    let room = Room::new(SWEEP);
    room.sweep("whole", &[]);
    for i in ["2/3", "0/3"] {
        room.sweep("parts", &["--shard", i]);
        assert!(!room.path("parts/runs.csv").exists());
    }
    let (code, stdout, stderr) = room.lbsim(&["sweep", "merge", "parts", "--out", "parts"]);
    assert_eq!((code, stdout.as_str()), (Some(3), "1\n"), "{stderr}");
    assert!(stderr.contains("6 of 18 runs are missing"), "{stderr}");
    let (code, stdout, _) = room.lbsim(&["sweep", "status", "parts", "--json", "--shards", "6"]);
    assert_eq!(code, Some(3));
    let status: serde_json::Value = serde_json::from_str(&stdout).expect("one object");
    assert_eq!(status["missing_shards"], serde_json::json!([1, 4]));
    assert_eq!((&status["done"], &status["missing"]), (&12.into(), &6.into()));
    let mut last =
        room.command(&["sweep", "sweep.toml", "--out", "parts", "--quiet", "--shard", "auto/3"]);
    assert!(last.env("SLURM_ARRAY_TASK_ID", "1").status().expect("started").success());
    assert!(room.results("parts") == room.results("whole"));
    assert_eq!(room.lbsim(&["sweep", "status", "parts"]).0, Some(0));
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
    for i in ["0/3", "1/3", "2/3"] {
        room.sweep("parts", &["--shard", i]);
    }
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
        let unique: std::collections::BTreeSet<&str> = header.iter().collect();
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
