//! What measured, and in which state it was.

use std::fs;
use std::hash::{DefaultHasher, Hasher};
use std::io;
use std::process::Command;

/// The compiler of this harness.
pub const RUSTC: &str = env!("LBSIM_RUSTC");
/// The target it was compiled for.
pub const TARGET: &str = env!("LBSIM_TARGET");

/// The commit of the tree, and whether it had been changed.
pub fn commit() -> String {
    match (git(&["rev-parse", "HEAD"]), git(&["status", "--porcelain", "--untracked-files=no"])) {
        (Some(commit), Some(changes)) if changes.is_empty() => commit,
        (Some(commit), _) => format!("{commit} with local changes"),
        (None, _) => "unknown".to_owned(),
    }
}

fn git(arguments: &[&str]) -> Option<String> {
    stdout(Command::new("git").args(arguments))
}

/// What a command that succeeds prints.
fn stdout(command: &mut Command) -> Option<String> {
    let output = command.output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Processor, cores, operating system.
pub fn machine() -> String {
    let cpu = fs::read_to_string("/proc/cpuinfo").ok().and_then(|text| {
        let line = text.lines().find(|line| line.starts_with("model name"))?;
        Some(line.split_once(':')?.1.trim().to_owned())
    });
    format!(
        "{}, {} cores, {} {}",
        cpu.unwrap_or_else(|| "unknown processor".to_owned()),
        cores(),
        std::env::consts::OS,
        std::env::consts::ARCH,
    )
}

/// Cores this process may use.
pub fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Mean number of processes that wanted to run within the last minute, where the system tells.
pub fn load_average() -> Option<f64> {
    fs::read_to_string("/proc/loadavg").ok()?.split_whitespace().next()?.parse().ok()
}

/// Date and time in UTC, as the system's `date` tells it; empty where there is none.
pub fn now() -> String {
    stdout(Command::new("date").args(["-u", "+%Y-%m-%d %H:%M UTC"])).unwrap_or_default()
}

/// A fingerprint of the running binary: measurements by another one are not comparable.
///
/// # Errors
/// When the binary cannot be read.
pub fn fingerprint() -> io::Result<String> {
    // The hasher may change with the standard library; but then so does the binary.
    let mut hasher = DefaultHasher::new();
    hasher.write(&fs::read(std::env::current_exe()?)?);
    Ok(format!("{:016x}", hasher.finish()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_system_tells_of_itself() {
        assert!(RUSTC.starts_with("rustc 1."), "{RUSTC}");
        assert!(TARGET.split('-').count() >= 3, "{TARGET}");
        assert!(cores() >= 1 && machine().contains("cores"));
        if cfg!(target_os = "linux") {
            assert!(load_average().unwrap() >= 0.0);
        }
    }

    #[test]
    fn a_binary_has_one_fingerprint() {
        let first = fingerprint().unwrap();
        assert_eq!(first.len(), 16);
        assert_eq!(first, fingerprint().unwrap());
    }
}
