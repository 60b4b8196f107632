//! Goal: the gate `bench-harness instructions` opens and closes when it should.
//! Method: the real binary with a `valgrind` of our own that counts exactly 500 instructions a
//! request; so the test takes no time and depends on no compiler.
#![cfg(unix)]

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

const VALGRIND: &str = r#"#!/bin/sh
[ "$1" = --version ] && exit 0
for argument in "$@"; do
    case $argument in --requests=*) requests=${argument#--requests=} ;; esac
done
echo "==1== Collected : $((123456 + 500 * requests))" >&2
echo "9 1 $requests $requests 0 1"
"#;

/// Exit code and output of the gate with only `path` to find programs in.
fn gate(path: &Path, record: &Path, more: &[&str]) -> (Option<i32>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bench-harness"));
    command.args(["instructions", "--any-build", "--against"]).arg(record).args(more);
    let output = command.env("PATH", path).output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(text).unwrap())
}

#[test]
fn the_gate_fails_on_a_rise_and_says_why() {
    let room = tempfile::tempdir().unwrap();
    let valgrind = room.path().join("valgrind");
    fs::write(&valgrind, VALGRIND).unwrap();
    fs::set_permissions(&valgrind, Permissions::from_mode(0o755)).unwrap();
    let record = room.path().join("record.csv");

    assert_eq!(gate(room.path(), &record, &["--record"]).0, Some(0));
    let (code, text) = gate(room.path(), &record, &[]);
    assert_eq!((code, text.matches("+0.00 %").count()), (Some(0), 4), "{text}");

    // A record 10 % lower: a request costs 11 % more than it did.
    let whole = fs::read_to_string(&record).unwrap();
    assert_eq!(whole.matches(",500.0,").count(), 4, "{whole}");
    fs::write(&record, whole.replacen(",500.0,", ",450.0,", 1)).unwrap();
    let (code, text) = gate(room.path(), &record, &[]);
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("+11.11 % on 450.0") && text.contains("--record"), "{text}");

    // A record 10 % higher is no fault, but to be renewed.
    fs::write(&record, whole.replace(",500.0,", ",555.0,")).unwrap();
    let (code, text) = gate(room.path(), &record, &[]);
    assert!(code == Some(0) && text.contains("renew the record"), "{text}");
}

#[test]
fn what_cannot_be_counted_is_skipped_and_a_broken_record_is_an_error() {
    let room = tempfile::tempdir().unwrap();
    let record = room.path().join("record.csv");
    let (code, text) = gate(room.path(), &record, &[]);
    assert!(code == Some(77) && text.contains("valgrind is missing"), "{text}");

    let valgrind = room.path().join("valgrind");
    fs::write(&valgrind, VALGRIND).unwrap();
    fs::set_permissions(&valgrind, Permissions::from_mode(0o755)).unwrap();
    let (code, text) = gate(room.path(), &record, &[]);
    assert!(code == Some(2) && text.contains("record.csv"), "{text}");
    gate(room.path(), &record, &["--record"]);
    let whole = fs::read_to_string(&record).unwrap();
    let target = whole.trim_end().rsplit(',').next().unwrap().to_owned();
    fs::write(&record, whole.replace(&target, "elsewhere")).unwrap();
    let (code, text) = gate(room.path(), &record, &[]);
    assert!(code == Some(77) && text.contains("no figure for"), "{text}");
}
