//! What runs need: the estimate against what the process really holds, and what is refused.

use std::path::Path;
use std::{fs, process};

use assert_cmd::Command;
use bench_harness::memory::Memory;
use sim_core::config::Scenario;
use sim_core::footprint::{self, Footprint};

/// A scenario with these lines in it.
fn scenario(nodes: u32, servers: u32, duration: &str, lines: &str) -> String {
    let policy = if lines.contains("[policy") { "" } else { "[policy.two_choices]" };
    format!(
        "name = \"memory\"\nduration = \"{duration}\"\nwarmup = \"0s\"\n\
         [nodes]\ncount = {nodes}\n\
         [[servers]]\ncount = {servers}\ncapacity = 4\nservice.exponential = {{ mean = \"10ms\" }}\n\
         {policy}\n{lines}\n"
    )
}

const CALM: &str = "[workload]\narrivals.poisson = { rate = \"70%\" }\n";

fn lbsim(arguments: &[&str]) -> process::Output {
    Command::cargo_bin("lbsim")
        .expect("built")
        .args(arguments)
        .env("NO_COLOR", "1")
        .output()
        .expect("started")
}

/// Peak memory of a process that runs the scenario [bytes].
fn peak_bytes(folder: &Path, text: &str) -> Option<f64> {
    let (file, out) = (folder.join("s.toml"), folder.join("out"));
    fs::write(&file, text).expect("a file");
    let [file, out_path] = [&file, &out].map(|path| path.to_str().expect("UTF-8"));
    let done = lbsim(&["run", file, "--threads", "1", "--quiet", "--out", out_path]);
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let manifest = fs::read_to_string(out.join("manifest.json")).expect("a manifest");
    let manifest: serde_json::Value = serde_json::from_str(&manifest).expect("JSON");
    manifest["peak_memory_bytes"].as_f64()
}

fn estimate(text: &str) -> Footprint {
    let scenario = Scenario::parse(text, &[], &|_| Err("no file".into())).expect("a scenario");
    footprint::estimate(&scenario)
}

/// Goal: the estimate is never much below the truth, and not far above it where the load is as the
/// scenario says. Method: one case for every part that can be the largest; peak memory of a process
/// less that of one that does next to nothing.
#[test]
fn runs_take_what_was_estimated() {
    let folder = tempfile::tempdir().expect("a folder");
    let small = scenario(1, 2, "100ms", CALM);
    let Some(idle) = peak_bytes(folder.path(), &small) else { return };
    let idle_estimate = estimate(&small).bytes as f64;
    let with = |lines: &str| format!("{CALM}{lines}");
    let cases = [
        ("servers", 1.3, scenario(1, 60_000, "100ms", CALM)),
        (
            "deadlines",
            1.3,
            scenario(1, 40_000, "200ms", &with("timeout = \"1s\"\nretries = { max = 1 }")),
        ),
        ("heap", 1.3, scenario(20, 10_000, "150ms", &with("[policy.lowest_latency]"))),
        ("views", 1.3, scenario(100, 10_000, "120ms", CALM)),
        (
            "overload",
            1.3,
            scenario(1, 30_000, "200ms", "[workload]\narrivals.poisson = { rate = \"140%\" }"),
        ),
        (
            "event kernel",
            1.75,
            scenario(
                4,
                20_000,
                "300ms",
                &with(
                    "[policy.random]\n[heartbeat]\ninterval = \"20ms\"\n\
                     failure_timeout = \"50ms\"\n[[faults]]\nat = \"50ms\"\nfor = \"250ms\"\ncrash = { servers = \"0..5000\" }",
                ),
            ),
        ),
        ("change log", 1.3, scenario(50, 2_000, "600ms", &with("[gossip]\ninterval = \"100ms\""))),
        ("membership", 1.5, scenario(700, 10, "200ms", &with("[membership]"))),
        (
            "judgement",
            1.4,
            scenario(
                50,
                3_000,
                "500ms",
                &with("[detection.phi_accrual]\n[health_checks]\n[outlier_ejection]\n[trust]"),
            ),
        ),
        (
            "synchronised reports",
            1.3,
            scenario(50, 4_000, "300ms", &with("[heartbeat]\nsynchronised = true\nloss = 0.01")),
        ),
        (
            "clients that retry and hedge",
            1.65,
            scenario(
                4,
                20_000,
                "200ms",
                &with(
                    "timeout = \"1s\"\n[workload.retries]\nmax = 2\nattempt_timeout = \"100ms\"\n\
                     backoff = { base = \"10ms\", max = \"100ms\" }\n[workload.hedge]\nafter = \"50ms\"",
                ),
            ),
        ),
        (
            "clients in a closed loop",
            1.5,
            scenario(
                4,
                1_000,
                "100ms",
                "[workload.arrivals.closed_loop]\nclients = 400000\n\
                 think.exponential.mean = \"1s\"",
            ),
        ),
    ];
    let mut wrong = Vec::new();
    for (name, most, text) in &cases {
        let truth = peak_bytes(folder.path(), text).expect("the system tells") - idle;
        let ratio = (estimate(text).bytes as f64 - idle_estimate) / truth;
        let mib = truth / f64::from(1 << 20);
        println!("{name}: {mib:.1} MiB, estimated {ratio:.2} times that");
        if !(0.95..*most).contains(&ratio) {
            wrong.push(format!("{name}: {ratio:.2} of {mib:.1} MiB"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn what_no_machine_holds_is_refused_and_leaves_nothing_behind() {
    if Memory::now().is_none() {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let (file, out) = (folder.path().join("s.toml"), folder.path().join("out"));
    fs::write(&file, scenario(1, 1_000_000, "1s", CALM)).expect("a file");
    let [file, out_path] = [&file, &out].map(|path| path.to_str().expect("UTF-8"));
    let many = "replications=1000000";
    for arguments in
        [vec!["check", file, "--set", many], vec!["run", file, "--set", many, "--out", out_path]]
    {
        let done = lbsim(&arguments);
        let stderr = String::from_utf8_lossy(&done.stderr);
        assert_eq!(done.status.code(), Some(2), "{stderr}");
        assert!(stderr.contains("replications: the results of all runs"), "{stderr}");
        assert!(stderr.contains("write at most"), "{stderr}");
        assert!(!out.exists());
    }
}
