//! Tells the harness what compiled it and for what: instruction counts hold for both only.

use std::env::var;
use std::process::Command;

fn main() {
    let compiler = var("RUSTC").expect("cargo names the compiler");
    let version = Command::new(compiler).arg("--version").output();
    let version = version.expect("the compiler that compiles this tells its version").stdout;
    println!("cargo::rustc-env=LBSIM_RUSTC={}", String::from_utf8_lossy(&version).trim());
    println!("cargo::rustc-env=LBSIM_TARGET={}", var("TARGET").expect("cargo names the target"));
    println!("cargo::rerun-if-changed=build.rs");
}
