//! `lbsim sweep plan`, and the plan of a sweep that is run as a whole.

use std::path::Path;
use std::process::ExitCode;

use bench_harness::sweep::draft::Draft;
use bench_harness::sweep::head::Head;
use bench_harness::sweep::inputs::Disk;
use bench_harness::sweep::plan::Plan;
use bench_harness::sweep::scribe;
use bench_harness::sweep::store::{self, PLAN};

use super::args::PlanArgs;
use super::{fail, store_failed};
use crate::scenario_file::EXIT_BAD_INPUT;
use crate::{diagnostics, number, output};

/// The folder of a sweep file.
pub fn folder_of(file: &Path) -> &Path {
    match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// Works a sweep file out; what is wrong with it goes to stderr.
fn draft(file: &Path, overrides: &[(String, String)]) -> Result<Draft, ExitCode> {
    let text = std::fs::read_to_string(file).map_err(|error| {
        fail(EXIT_BAD_INPUT, &format!("cannot read {}: {error}", file.display()))
    })?;
    let disk = Disk { folder: file.parent().unwrap_or(Path::new("")).to_owned() };
    Draft::new(&text, overrides, &disk).map_err(|wrong| {
        let path = file.display().to_string();
        let base = wrong
            .base_name
            .as_ref()
            .map_or_else(String::new, |name| disk.folder.join(name).display().to_string());
        let sweep = diagnostics::Source { path: &path, text: &text };
        let base = diagnostics::Source { path: &base, text: &wrong.base };
        let style = diagnostics::Style::of_stderr();
        eprint!("{}", diagnostics::render_sweep(base, sweep, &wrong.faults, style));
        ExitCode::from(EXIT_BAD_INPUT)
    })
}

/// The plan of a sweep whose results go to `out`: made there, unless it is there already.
///
/// # Errors
/// The exit code.
pub fn plan_in(out: &Path, file: &Path, overrides: &[(String, String)]) -> Result<Plan, ExitCode> {
    let draft = draft(file, overrides)?;
    let path = out.join(PLAN);
    let planned = || {
        if !store::has_plan(out, &scribe::head(&draft, None, None))? {
            store::make(out)?;
            scribe::write(&draft, &path, None, folder_of(file))?;
        }
        Plan::open(&path)
    };
    planned().map_err(|error| store_failed(&error))
}

/// `lbsim sweep plan`.
pub fn plan(args: &PlanArgs) -> ExitCode {
    let draft = match draft(&args.file, &args.overrides()) {
        Ok(draft) => draft,
        Err(code) => return code,
    };
    let head = match scribe::write(&draft, &args.out, args.shards, folder_of(&args.file)) {
        Ok(head) => head,
        Err(error) => return store_failed(&error),
    };
    output::print(&if args.json { json(&head, &args.out) } else { words(&head, args) })
}

/// One JSON object on a line of its own.
fn json(head: &Head, path: &Path) -> String {
    let object = serde_json::json!({
        "plan": path.display().to_string(), "name": head.name, "plan_id": head.plan_id,
        "points": head.points, "runs": head.runs, "shards": head.shards,
        "estimate": head.estimate,
    });
    format!("{object}\n")
}

/// For people: what it is, what it takes, and how to go on.
fn words(head: &Head, args: &PlanArgs) -> String {
    let estimate = &head.estimate;
    let plan = args.out.display();
    let least = if head.replications < head.replications_max { " at least" } else { "" };
    let chosen = if args.shards.is_none() {
        format!("; so many that each takes some {}", number::span(scribe::SHARD_S))
    } else {
        String::new()
    };
    let how = match head.shards {
        1 => format!("{plan} is written; go on with\n  lbsim sweep run --plan {plan} --out DIR\n"),
        shards => format!(
            "{plan} is written; go on with the parts 0 to {last}, in any order, at once or again:\n  \
             lbsim sweep run --plan {plan} --shard 0 --out DIR\n\
             and when all are done:\n  lbsim sweep merge DIR --out DIR\n",
            last = shards - 1,
        ),
    };
    format!(
        "{name}: {points}, {runs}{least}, about {sweep} of one core\n\
         {shards}{chosen}\n\
         each: up to {each}, about {time} of one core, {memory} of memory a run\n\n{how}",
        name = head.name,
        points = number::counted(head.points, "point"),
        runs = number::counted(head.runs, "run"),
        sweep = number::span(estimate.sweep_s),
        shards = number::counted(head.shards.into(), "part"),
        each = number::counted(estimate.shard_runs, "run"),
        time = number::span(estimate.shard_s),
        memory = sim_core::footprint::show(estimate.run_bytes),
    )
}
