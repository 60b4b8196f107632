//! `lbsim validate` and the folder it leaves, as a user sees them.

use std::fs;
use std::process::{Command, Output};

fn validate(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lbsim"));
    command.arg("validate").args(["--quick", "--quiet"]).args(arguments);
    command.output().expect("lbsim starts")
}

/// Goal: `--no-run` writes what a folder holds and measures nothing. Method: a folder with one case of two that
/// are asked for: the files are those of the one, byte for byte, and no case is added.
#[test]
fn no_run_writes_what_is_there_and_measures_nothing() {
    let room = tempfile::tempdir().unwrap();
    let out = room.path().to_str().unwrap();
    let one = "split-sqrt-optimal-l0.5";
    assert!(validate(&["--only", one, "--out", out]).status.success());
    let file = room.path().join("validation.csv");
    let measured = fs::read(&file).unwrap();
    let cases = || fs::read_dir(room.path().join("cases")).unwrap().count();
    assert_eq!(cases(), 1);
    fs::remove_file(&file).unwrap();
    assert!(validate(&["--no-run", "--out", out]).status.success());
    assert_eq!((fs::read(&file).unwrap(), cases()), (measured, 1));
    // It is about a folder.
    assert_eq!(validate(&["--no-run"]).status.code(), Some(2));
}
