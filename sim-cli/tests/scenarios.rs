//! Every scenario in `data/scenarios` shows what it says it shows.

use std::path::{Path, PathBuf};
use std::process::Command;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("a crate of the workspace").to_owned()
}

/// Goal: no scenario promises what does not happen. Method: run each that expects something, as a
/// person would; the exit code says whether all expectations held.
#[test]
fn every_expectation_of_every_scenario_holds() {
    let mut checked = 0;
    let mut broken = Vec::new();
    let mut files: Vec<PathBuf> = std::fs::read_dir(root().join("data/scenarios"))
        .expect("the folder of scenarios")
        .map(|entry| entry.expect("readable").path())
        .collect();
    files.sort();
    for file in files {
        let text = std::fs::read_to_string(&file).expect("a text");
        if !text.contains("\n[expect]") {
            continue;
        }
        checked += 1;
        let output = Command::new(env!("CARGO_BIN_EXE_lbsim"))
            .args(["run", "--quiet"])
            .arg(&file)
            .env("NO_COLOR", "1")
            .output()
            .expect("started");
        if !output.status.success() {
            let said = [output.stdout, output.stderr].concat();
            broken.push(format!("{}\n{}", file.display(), String::from_utf8_lossy(&said)));
        }
    }
    assert!(checked >= 15, "only {checked} scenarios expect anything");
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}
