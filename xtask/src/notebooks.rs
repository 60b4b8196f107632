//! The step that executes the notebooks, in a Python environment of its own under `target/`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{Outcome, root, run as run_command, works};

/// Executes every notebook; an assertion that fails in a cell fails the step.
pub fn run() -> Outcome {
    match environment() {
        Ok(python) => run_command(Command::new(python).arg("notebooks/execute.py")),
        Err(why) => Outcome::Skipped(why),
    }
}

/// Executes the notebook that reads results of one's own, of a sweep or of a run, and saves it beside
/// the folder they are in.
pub fn show(results: &Path) -> Outcome {
    let Ok(results) = results.canonicalize() else {
        return Outcome::Failed(format!("there is no folder {}", results.display()));
    };
    let (name, variable) = if results.join("points.csv").exists() {
        ("reading_a_sweep", "LBSIM_SWEEP")
    } else if results.join("timeseries.csv").exists() {
        ("reading_a_run", "LBSIM_RUN")
    } else {
        let why = "holds neither a finished sweep (points.csv) nor a run (timeseries.csv)";
        return Outcome::Failed(format!("{} {why}", results.display()));
    };
    let python = match environment() {
        Ok(python) => python,
        Err(why) => return Outcome::Skipped(why),
    };
    let mut folder = results.clone().into_os_string();
    folder.push("-notebook");
    let mut command = Command::new(python);
    command.args(["notebooks/execute.py", "--to"]).arg(&folder).arg(name);
    let outcome = run_command(command.env(variable, &results));
    if matches!(outcome, Outcome::Passed) {
        println!("the notebook and its figures are in {}", PathBuf::from(folder).display());
    }
    outcome
}

/// The interpreter of an environment that holds exactly what the lock names.
fn environment() -> Result<PathBuf, String> {
    let lock = fs::read(root().join("notebooks/requirements.lock")).map_err(|e| e.to_string())?;
    let folder = root().join("target/notebooks-venv");
    let python = folder.join(if cfg!(windows) { "Scripts/python.exe" } else { "bin/python" });
    // Written last: where it equals the lock, the environment is whole.
    let installed = folder.join("installed.lock");
    if fs::read(&installed).is_ok_and(|there| there == lock) {
        return Ok(python);
    }
    let recent = "import sys; sys.exit(sys.version_info < (3, 11))";
    let Some(system) =
        ["python3", "python"].into_iter().find(|p| works(Command::new(p).args(["-c", recent])))
    else {
        return Err("Python 3.11 or later is missing".to_owned());
    };
    let made = run_command(Command::new(system).args(["-m", "venv", "--clear"]).arg(&folder));
    if !matches!(made, Outcome::Passed) {
        return Err("Python has no venv module (on Debian: apt install python3-venv)".to_owned());
    }
    let filled = run_command(Command::new(&python).args([
        "-m",
        "pip",
        "install",
        "--quiet",
        "--require-hashes",
        "--requirement=notebooks/requirements.lock",
    ]));
    if !matches!(filled, Outcome::Passed) {
        return Err("the packages of notebooks/requirements.lock could not be installed".to_owned());
    }
    fs::write(&installed, lock).map_err(|e| e.to_string())?;
    Ok(python)
}
