//! `lbsim sweep submit`: has a batch engine run the parts of a plan that are not done yet.

mod script; // what Slurm runs

use std::io::{self, Write as _};
use std::path::Path;
use std::process::{Command, ExitCode, Output};

use bench_harness::sweep::error::StoreError;
use bench_harness::sweep::join;
use bench_harness::sweep::plan::Plan;
use bench_harness::sweep::store::{self, Store};

use self::script::{Request, Script, for_shell};
use super::args::SubmitArgs;
use super::ranges::ranges;
use super::{fail, store_failed};
use crate::scenario_file::EXIT_BAD_INPUT;
use crate::signals::EXIT_TEMPORARY;
use crate::{number, output};

/// Where in the folder of results the batch script and what shards print is kept.
const FOLDER: &str = "slurm";
/// Name of the batch script.
const SCRIPT: &str = "sweep.sbatch";

/// The folder of the batch engine's files.
fn folder(out: &str) -> String {
    Path::new(out).join(FOLDER).display().to_string()
}

/// `lbsim sweep submit`.
pub fn submit(args: &SubmitArgs) -> ExitCode {
    let planned = Plan::open(&args.plan).and_then(|plan| {
        let missing = missing_parts(&plan, &args.out, args.dry_run)?;
        Ok((plan, missing))
    });
    let (plan, missing) = match planned {
        Ok(planned) => planned,
        Err(error) => return store_failed(&error),
    };
    if missing.is_empty() {
        return nothing_to_do(args, &plan);
    }
    let (lbsim, head) = (program(), &plan.head);
    // With a target, the most replications that it may come to.
    let times = f64::from(head.replications_max) / f64::from(head.replications.max(1));
    let script = Script {
        name: &head.name,
        lbsim: &lbsim,
        plan: &args.plan,
        out: &args.out,
        shards: &missing,
        max_running: args.max_running,
        request: Request::new(args.jobs, &head.estimate, times),
        partition: args.partition.as_deref(),
        account: args.account.as_deref(),
        extra: &args.extra,
    };
    let text = match script.text() {
        Ok(text) => text,
        Err(why) => return fail(EXIT_BAD_INPUT, &why),
    };
    if args.dry_run {
        eprintln!("not submitted; without --dry-run this goes to sbatch:");
        return output::print(&text);
    }
    let path = args.out.join(FOLDER).join(SCRIPT);
    let written = store::make(&args.out.join(FOLDER))
        .and_then(|()| store::write_whole(&path, |file| file.write_all(text.as_bytes())));
    if let Err(error) = written {
        return store_failed(&error);
    }
    match sbatch(&path) {
        Ok(job) => submitted(args, &script, head.shards, &job),
        Err(refusal) => fail(refusal.code(), &refusal),
    }
}

/// The parts with runs that are not done yet. Unless it is `dry`, the folder is made: what is wrong with it
/// is said here and now, and not by every part.
fn missing_parts(plan: &Plan, out: &Path, dry: bool) -> Result<Vec<u32>, StoreError> {
    let count = plan.head.shards;
    let store = match (dry, out.is_dir()) {
        (true, false) => return Ok((0..count).collect()),
        (true, true) => {
            store::has_plan(out, &plan.head)?;
            Store::existing(out, plan)
        }
        (false, _) => Store::open(out, plan)?,
    };
    Ok(join::take_stock(plan, &[store], count, false)?.missing_shards)
}

/// How the nodes call this program: as it is found here, which is the same on a shared file system.
fn program() -> String {
    let own = std::env::current_exe().and_then(|path| path.canonicalize());
    let Ok(own) = own else { return "lbsim".to_owned() };
    let folders = std::env::var_os("PATH").unwrap_or_default();
    let mut found = std::env::split_paths(&folders).map(|folder| folder.join("lbsim"));
    match found.find_map(|path| path.canonicalize().ok()) {
        Some(path) if path == own => "lbsim".to_owned(),
        _ => own.display().to_string(),
    }
}

/// Why nothing was submitted.
#[derive(Debug, thiserror::Error)]
enum Refusal {
    #[error(
        "sbatch is not there: submit where Slurm is installed (a login node of the cluster), or see with \
         --dry-run what would be submitted"
    )]
    Missing,
    #[error("sbatch did not start: {0}")]
    Broken(io::Error),
    #[error("sbatch refused: {said}{}", advice(said))]
    Refused { said: String },
    #[error(
        "sbatch answered {0:?}, which holds no number of a job: see with squeue whether it runs"
    )]
    Unclear(String),
}

impl Refusal {
    fn code(&self) -> u8 {
        match self {
            Self::Refused { said } if is_out_of_reach(said) => EXIT_TEMPORARY,
            _ => EXIT_BAD_INPUT,
        }
    }
}

/// Whether Slurm could not be asked at all.
fn is_out_of_reach(said: &str) -> bool {
    ["Unable to contact", "Socket timed out", "Zero Bytes", "Connection refused"]
        .iter()
        .any(|sign| said.contains(sign))
}

/// What to do about a refusal whose words do not say it.
fn advice(said: &str) -> &'static str {
    if is_out_of_reach(said) {
        "\nSlurm's controller does not answer: submit again later"
    } else if said.contains("array specification") {
        "\nthe site allows shorter arrays only: `scontrol show config` says MaxArraySize, and the number of \
         shards must be less; plan again with fewer --shards"
    } else if said.contains("configuration is not available") {
        "\nno node has as much memory or as many cores: fewer --jobs take less, and an option behind -- \
         overrides what is asked for, such as -- --mem=2G"
    } else {
        ""
    }
}

/// Submits a script; the number of the job.
fn sbatch(script: &Path) -> Result<String, Refusal> {
    let output = Command::new("sbatch").arg("--parsable").arg(script).output();
    let Output { status, stdout, stderr } = output.map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => Refusal::Missing,
        _ => Refusal::Broken(error),
    })?;
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    if !status.success() {
        let said = said(&stderr).replace("sbatch: error: ", "");
        return Err(Refusal::Refused {
            said: if said.is_empty() { status.to_string() } else { said },
        });
    }
    // With several clusters: `17;name`.
    let answer = said(&stdout);
    let job = answer.split(';').next().unwrap_or_default();
    if job.parse::<u64>().is_ok() { Ok(job.to_owned()) } else { Err(Refusal::Unclear(answer)) }
}

fn submitted(args: &SubmitArgs, script: &Script<'_>, count: u32, job: &str) -> ExitCode {
    let Request { jobs, mebibytes, minutes } = script.request;
    let parts = ranges(script.shards);
    if args.json {
        let object = serde_json::json!({
            "engine": "slurm", "job": job, "shards": count, "submitted": script.shards,
            "cores": jobs, "memory_mib": mebibytes, "time_min": minutes,
            "script": args.out.join(FOLDER).join(SCRIPT),
        });
        return output::print(&format!("{object}\n"));
    }
    let cores = number::counted(jobs.into(), "core");
    let more = match script.extra {
        [] => String::new(),
        extra => format!(", unless {} says otherwise", extra.join(" ")),
    };
    let (plan, out) = (word(&args.plan), word(&args.out));
    output::print(&format!(
        "job {job}: parts {parts} of {count}, each with {cores}, {mebibytes} MiB and {minutes} min{more}\n\
         follow it:\n  \
           squeue --array --job {job}\n  \
           lbsim sweep status {out} --plan {plan}\n\
         what parts print is in {out}/{FOLDER}; those that are missing in the end are submitted by the same \
         command\n\
         when all are done:\n  \
           lbsim sweep merge {out} --out {out}\n",
    ))
}

fn nothing_to_do(args: &SubmitArgs, plan: &Plan) -> ExitCode {
    if args.json {
        let object = serde_json::json!({ "engine": "slurm", "job": null, "submitted": [] });
        return output::print(&format!("{object}\n"));
    }
    let out = word(&args.out);
    output::print(&format!(
        "all runs of {} are done: nothing was submitted\n  lbsim sweep merge {out} --out {out}\n",
        plan.head.name
    ))
}

fn word(path: &Path) -> String {
    for_shell(&path.display().to_string())
}
