//! Goal: the files in `cluster/` work as they stand, on what can be tried of them without a cluster.
//! Method: Slurm's script is compared with what `lbsim sweep submit` writes; the Kubernetes manifest is
//! read with the types of the Kubernetes API, and its command is run. `cluster/main.rs` has real engines
//! run sweeps.

mod sweeping;

use k8s_openapi::api::batch::v1::{Job, JobSpec};
use serde_json::Value;
use sweeping::{Room, SWEEP};

fn text(name: &str) -> String {
    let path = format!("{}/../{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Plans the room's sweep in `plan.json`.
fn plan(room: &Room, shards: &str) {
    let (code, _, stderr) =
        room.lbsim(&["sweep", "plan", "sweep.toml", "-o", "plan.json", "--shards", shards]);
    assert_eq!(code, Some(0), "{stderr}");
}

#[test]
fn the_batch_script_is_what_submit_writes() {
    let room = Room::new(&SWEEP.replace("small-sweep", "quickstart"));
    plan(&room, "12");
    // As somebody has it who installed lbsim.
    let folder = std::path::Path::new(env!("CARGO_BIN_EXE_lbsim")).parent().expect("a folder");
    let arguments = "sweep submit --engine slurm --plan plan.json --out out --dry-run";
    let mut command = room.command(&arguments.split(' ').collect::<Vec<_>>());
    let output = command.env("PATH", folder).output().expect("started");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let written = String::from_utf8(output.stdout).expect("UTF-8");
    assert!(!room.path("out").exists(), "a dry run leaves nothing");
    if std::env::var_os("LBSIM_UPDATE").is_some() {
        let path = format!("{}/../cluster/slurm/sweep.sbatch", env!("CARGO_MANIFEST_DIR"));
        std::fs::write(path, &written).expect("written");
    }
    let there = text("cluster/slurm/sweep.sbatch");
    assert!(there == written, "LBSIM_UPDATE=1 writes cluster/slurm/sweep.sbatch again:\n{written}");
}

/// What is wrong with a submission is said at once, with what to do.
#[cfg(unix)]
#[test]
fn a_submission_that_cannot_be_says_why() {
    use std::os::unix::fs::PermissionsExt;
    let room = Room::new(SWEEP);
    plan(&room, "3");
    std::fs::create_dir(room.path("bin")).expect("made");
    let submit = |out: &str, more: &[&str]| {
        let arguments =
            ["sweep", "submit", "--engine", "slurm", "--plan", "plan.json", "--out", out];
        let mut command = room.command(&arguments);
        let output = command.args(more).env("PATH", room.path("bin")).output().expect("started");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned(), said)
    };
    let (code, _, said) = submit("out", &[]);
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("sbatch is not there") && said.contains("--dry-run"), "{said}");
    // What stands in for sbatch says what the real one says.
    let sbatch = |text: &str| {
        let path = room.path("bin/sbatch");
        std::fs::write(&path, format!("#!/bin/sh\n{text}\n")).expect("written");
        std::fs::set_permissions(path, PermissionsExt::from_mode(0o755)).expect("executable");
    };
    for (says, code, advice) in [
        ("Batch job submission failed: Invalid job array specification", 2, "MaxArraySize"),
        ("Batch job submission failed: Requested node configuration is not available", 2, "--mem"),
        (
            "Batch job submission failed: Invalid account or account/partition combination specified",
            2,
            "",
        ),
        (
            "Batch job submission failed: Unable to contact slurm controller (connect failure)",
            75,
            "later",
        ),
    ] {
        sbatch(&format!("echo 'sbatch: error: {says}' >&2; exit 1"));
        let (found, stdout, said) = submit("out", &[]);
        assert_eq!((found, stdout.as_str()), (Some(code), ""), "{said}");
        assert!(said.contains(says) && said.contains(advice), "{said}");
    }
    sbatch("echo hello");
    let (code, _, said) = submit("out", &[]);
    assert!(code == Some(2) && said.contains("no number of a job"), "{said}");
    // It tells how to go on, in commands that can be copied.
    sbatch(r#"test "$1" = --parsable && test -f "$2" && echo "17;site""#);
    let (code, told, said) = submit("my out", &["--partition", "short", "--", "--qos=long"]);
    assert_eq!((code, said.as_str()), (Some(0), ""));
    for line in [
        "job 17: parts 0-2 of 3",
        "squeue --array --job 17",
        "lbsim sweep status 'my out' --plan plan.json",
        "lbsim sweep merge 'my out' --out 'my out'",
    ] {
        assert!(told.contains(line), "{line}: {told}");
    }
    // A folder that belongs to something else is not submitted to.
    let other = ["sweep", "plan", "sweep.toml", "-o", "plan.json", "--seed", "9"];
    assert_eq!(room.lbsim(&other).0, Some(0));
    let (code, told, said) = submit("my out", &[]);
    assert_eq!((code, told.as_str()), (Some(2), ""), "{said}");
    assert!(said.contains("holds another sweep"), "{said}");
    let script = room.read("my out/slurm/sweep.sbatch");
    assert!(script.contains("#SBATCH --partition=short\n#SBATCH --qos=long\n"), "{script}");
}

#[cfg(unix)]
#[test]
fn the_line_for_parallel_asks_for_what_it_needs() {
    let script = format!("{}/../cluster/parallel/sweep.sh", env!("CARGO_MANIFEST_DIR"));
    let room = Room::new(SWEEP);
    let run = |arguments: &[&str]| {
        let mut command = std::process::Command::new(&script);
        command.env("LBSIM", env!("CARGO_BIN_EXE_lbsim")).current_dir(room.path(""));
        let output = command.args(arguments).output().expect("started");
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (code, said) = run(&["plan.json"]);
    assert!(code == Some(2) && said.starts_with("usage:"), "{said}");
    // Without a plan nothing is started, and lbsim says why.
    let (code, said) = run(&["plan.json", "out"]);
    assert!(code != Some(0) && said.contains("plan.json"), "{said}");
    assert!(!room.path("out.joblog").exists());
}

#[test]
fn the_manifest_is_a_job_of_kubernetes() {
    let manifest = text("cluster/kubernetes/job.yaml");
    let job: Job = serde_saphyr::from_str(&manifest).expect("a job");
    // Reading passes over fields that the API does not know; what was read lacks them.
    let all: Value = serde_saphyr::from_str(&manifest).expect("YAML");
    assert_eq!(serde_json::to_value(&job).expect("a value"), all);

    // What the API asks for beyond its types.
    let JobSpec { completions, completion_mode, pod_failure_policy, template, .. } =
        job.spec.expect("a specification");
    assert_eq!(completion_mode.as_deref(), Some("Indexed"));
    let count = completions.expect("Indexed jobs need it");
    let pod = template.spec.expect("a pod");
    assert_eq!(pod.restart_policy.as_deref(), Some("Never"), "tries of an index need it");
    let container = &pod.containers[0];
    let codes = pod_failure_policy.expect("a policy").rules;
    let codes = codes.iter().find_map(|rule| rule.on_exit_codes.as_ref()).expect("exit codes");
    assert_eq!(codes.container_name.as_deref(), Some(container.name.as_str()));
    assert_eq!((codes.operator.as_str(), codes.values.as_slice()), ("In", [2].as_slice()));

    // Its command does what it should, where the volume is.
    let room = Room::new(SWEEP);
    plan(&room, &count.to_string());
    let volume = &container.volume_mounts.as_ref().expect("a volume")[0].mount_path;
    let folder = room.path("").display().to_string();
    let here = |word: &String| match word.strip_prefix(&format!("{volume}/")) {
        Some(rest) => format!("{folder}{rest}"),
        None => word.clone(),
    };
    let arguments: Vec<String> =
        container.args.as_ref().expect("arguments").iter().map(here).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    for (index, code) in [("3", 0), (&*count.to_string(), 2)] {
        let mut command = room.command(&arguments);
        let output = command.env("JOB_COMPLETION_INDEX", index).output().expect("started");
        assert_eq!(output.status.code(), Some(code), "{}", String::from_utf8_lossy(&output.stderr));
    }
    assert!(room.path("out/runs").exists());
}

#[test]
fn the_image_is_built_by_the_compiler_that_the_workspace_asks_for() {
    let workspace = text("Cargo.toml");
    let version = workspace.lines().find_map(|line| line.strip_prefix("rust-version = "));
    let version = version.expect("a version").trim_matches('"');
    let image = text("cluster/kubernetes/Dockerfile");
    assert!(image.contains(&format!("FROM rust:{version}-")), "{version}");
}
