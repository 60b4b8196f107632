//! Processes as `/proc` shows them: found by what they have to do with a folder, and killed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::Duration;

/// Time that is waited for anything, unless said otherwise: much longer than it takes.
pub const PATIENCE: Duration = Duration::from_mins(1);
/// Time between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Waits until `found` gives something.
pub fn wait_for<T>(what: &str, patience: Duration, mut found: impl FnMut() -> Option<T>) -> T {
    let mut left = patience.as_millis() / LOOK_EVERY.as_millis();
    loop {
        if let Some(value) = found() {
            return value;
        }
        assert!(left > 0, "waited {patience:?} for {what}");
        left -= 1;
        std::thread::sleep(LOOK_EVERY);
    }
}

/// A command that is ended if it takes more than a minute.
pub fn limited(program: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new("timeout");
    command.args(["--kill-after=5", "60"]).arg(program);
    command
}

/// A command that the kernel kills when the thread that started it is no more, so that nothing is left of a
/// test that was killed.
pub fn tied(program: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "--"]).arg(program);
    command
}

/// A program that may stand where only the administrator looks.
pub fn daemon(name: &str) -> PathBuf {
    let own = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&own).chain(["/usr/sbin", "/sbin"].map(PathBuf::from));
    let mut paths = folders.map(|folder| folder.join(name));
    paths.find(|path| path.is_file()).unwrap_or_else(|| panic!("{name} is missing"))
}

/// A process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Process(u32);

impl Process {
    /// All processes but this one.
    pub fn all() -> impl Iterator<Item = Self> {
        let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
        let numbers = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        numbers.filter(|number| *number != std::process::id()).map(Self)
    }

    fn path(self, name: &str) -> PathBuf {
        Path::new("/proc").join(self.0.to_string()).join(name)
    }

    /// A variable of its environment, as it was when it started.
    pub fn variable(self, name: &str) -> Option<String> {
        let all = fs::read(self.path("environ")).ok()?;
        let mut entries = all.split(|byte| *byte == 0).filter_map(|e| str::from_utf8(e).ok());
        entries.find_map(|entry| Some(entry.strip_prefix(name)?.strip_prefix('=')?.to_owned()))
    }

    /// Whether it has a file open whose path begins so.
    pub fn has_open(self, start: &Path) -> bool {
        let entries = fs::read_dir(self.path("fd")).into_iter().flatten().flatten();
        let mut targets = entries.filter_map(|entry| fs::read_link(entry.path()).ok());
        targets.any(|target| target.starts_with(start))
    }

    /// The words of its command.
    pub fn words(self) -> Vec<String> {
        let all = fs::read(self.path("cmdline")).unwrap_or_default();
        let words = all.split(|byte| *byte == 0).filter(|word| !word.is_empty());
        words.map(|word| String::from_utf8_lossy(word).into_owned()).collect()
    }
}

/// Kills without asking.
pub fn kill(processes: &[Process]) {
    signal("-KILL", processes);
}

/// Sends a signal.
pub fn signal(name: &str, processes: &[Process]) {
    if processes.is_empty() {
        return;
    }
    let numbers = processes.iter().map(|process| process.0.to_string());
    // One that has ended meanwhile is no error.
    let _ = Command::new("kill").arg(name).arg("--").args(numbers).output();
}

/// A process that is killed and waited for in the end.
pub struct Owned(pub Child);

impl Drop for Owned {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
