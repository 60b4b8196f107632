//! The sweeps of `data/sweeps` and the results of theirs that notebooks read, in `data/samples`.

use std::fs;
use std::path::{Path, PathBuf};

use bench_harness::sweep::draft::Draft;
use bench_harness::sweep::inputs::Disk;
use bench_harness::sweep::plan::Plan;
use bench_harness::sweep::scribe;
use sim_core::columns::metric;
use sim_core::simulation::{Options, simulate};
use sim_core::stats::{CONFIDENCE, mean_interval};

fn data() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../data")
}

/// Every sweep, by the name of its file.
fn sweeps() -> Vec<(String, Draft)> {
    let folder = data().join("sweeps");
    let mut files: Vec<PathBuf> =
        fs::read_dir(&folder).expect("data/sweeps").map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let plan = |file: PathBuf| {
        let name = file.file_stem().unwrap().to_string_lossy().into_owned();
        let text = fs::read_to_string(&file).unwrap();
        let plan = Draft::new(&text, &[], &Disk { folder: folder.clone() });
        (name.clone(), plan.unwrap_or_else(|wrong| panic!("{name}: {:#?}", wrong.faults)))
    };
    files.into_iter().map(plan).collect()
}

fn table(sample: &str, file: &str) -> (Vec<String>, Vec<Vec<String>>) {
    let path = data().join("samples").join(sample).join(file);
    let mut reader = csv::Reader::from_path(&path).unwrap_or_else(|e| panic!("{sample}: {e}"));
    let cells = |record: &csv::StringRecord| record.iter().map(str::to_owned).collect::<Vec<_>>();
    let header = cells(reader.headers().unwrap());
    (header, reader.records().map(|record| cells(&record.unwrap())).collect())
}

/// Goal: no sweep of the project is broken, and no notebook reads the results of another sweep than
/// the one it names.
/// Method: plan every sweep, which checks every point; a sample's points are those of the plan, in
/// order, with its metrics, and no run of it failed.
#[test]
fn every_sweep_can_be_planned_and_its_sample_is_its_own() {
    let mut names = Vec::new();
    for (name, plan) in sweeps() {
        let (header, rows) = table(&name, "points.csv");
        assert_eq!(rows.len(), plan.points.len(), "{name}");
        let column = |wanted: &str| header.iter().position(|found| found == wanted);
        for metric in &plan.recipe.file.metrics {
            assert!(column(metric.name).is_some(), "{name} lacks {}", metric.name);
        }
        let policy = column("policy").expect("a policy");
        let replications = column("replications").expect("replications");
        let failed = column("replications_failed").expect("failed ones");
        for (point, row) in plan.points.iter().zip(&rows) {
            assert_eq!(row[policy], plan.label(point), "{name}: {row:?}");
            for (key, text) in
                plan.recipe.grid.keys().zip(plan.recipe.grid.texts(point.combination))
            {
                let own = key == "policy";
                assert!(own || row[column(key).expect(key)] == text, "{name}, {key}: {row:?}");
            }
            assert_eq!(row[replications], plan.replications.least.to_string(), "{name}");
            assert_eq!(row[failed], "0", "{name}");
        }
        names.push(name);
    }
    let expected = [
        "capacity-planning",
        "gossip-cost",
        "nodes",
        "quickstart",
        "scale",
        "staleness",
        "tournament",
    ];
    assert_eq!(names, expected);
}

/// Goal: the samples are what this engine gives, not what an older one gave.
/// Method: the first point of a sweep of small runs is simulated again; its means are those of the
/// sample, to the last digit.
#[test]
fn a_point_of_a_sample_comes_out_again() {
    let (_, plan) = sweeps().into_iter().find(|(name, _)| name == "nodes").expect("nodes.toml");
    let (header, rows) = table("nodes", "points.csv");
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("plan.json");
    scribe::write(&plan, &path, None, folder.path()).expect("written");
    let plan = Plan::open(&path).expect("a plan");
    let subject = plan.point(0).and_then(|point| plan.subject(point.subject)).expect("whole");
    let (scenario, _) = plan.scenario(&subject).expect("as planned");
    let results: Vec<_> = (0..plan.replications.least)
        .map(|replication| {
            simulate(&scenario, 0, replication, Options::default(), &|_| ()).unwrap()
        })
        .collect();
    for name in ["latency_ms_p99", "latency_ms_mean", "herd_index"] {
        let get = metric(name).expect(name).get;
        let values: Vec<f64> = results.iter().filter_map(|result| get(&scenario, result)).collect();
        let mean = mean_interval(&values, CONFIDENCE).expect("known").mean;
        let column = header.iter().position(|found| found == name).expect(name);
        assert_eq!(rows[0][column], mean.to_string(), "{name}: run the sweeps anew (data/samples)");
    }
}
