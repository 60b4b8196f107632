//! How much memory there is: the machine's, or what a control group leaves of it.
//!
//! Read from files that Linux keeps; elsewhere nothing is known, and nobody is refused anything.

use std::fs;
use std::path::{Path, PathBuf};

/// What there is for this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Memory {
    /// The machine's memory, or the limit of the process's control group where that is lower [bytes].
    pub total_bytes: u64,
    /// Of that, what is not in use [bytes].
    pub free_bytes: u64,
}

impl Memory {
    /// What there is now; `None` where the system does not tell.
    pub fn now() -> Option<Self> {
        Self::below(Path::new("/"))
    }

    /// How many runs of `run_bytes` each may go on at once beside `kept_bytes`; at least 1.
    pub const fn runs_at_once(&self, run_bytes: u64, kept_bytes: u64) -> usize {
        let runs = match self.free_bytes.saturating_sub(kept_bytes).checked_div(run_bytes) {
            Some(runs) => runs,
            None => u64::MAX,
        };
        if runs == 0 { 1 } else { runs as usize }
    }

    /// The same as [`Memory::now`], with `root` in place of `/`.
    fn below(root: &Path) -> Option<Self> {
        let text = fs::read_to_string(root.join("proc/meminfo")).ok()?;
        let mut memory = Self {
            total_bytes: line_bytes(&text, "MemTotal:")?,
            free_bytes: line_bytes(&text, "MemAvailable:").or(line_bytes(&text, "MemFree:"))?,
        };
        for group in groups(root) {
            let Some(limit) = number(&group.join("memory.max"))
                .or_else(|| number(&group.join("memory.limit_in_bytes")))
            else {
                continue;
            };
            let used = number(&group.join("memory.current"))
                .or_else(|| number(&group.join("memory.usage_in_bytes")))
                .unwrap_or(0);
            memory.total_bytes = memory.total_bytes.min(limit);
            memory.free_bytes = memory.free_bytes.min(limit.saturating_sub(used));
        }
        Some(memory)
    }
}

/// A number of KiB in a line of `/proc/meminfo` or `/proc/self/status`, in bytes.
fn line_bytes(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kib.checked_mul(1_024)
}

/// A file that holds one number; `max` is none.
fn number(file: &Path) -> Option<u64> {
    fs::read_to_string(file).ok()?.trim().parse().ok()
}

/// The control groups of this process, the root included: any of them may have a limit. Of both
/// versions of the file system. Inside a container the path may lead nowhere, and the root is the
/// container's.
fn groups(root: &Path) -> Vec<PathBuf> {
    let text = fs::read_to_string(root.join("proc/self/cgroup")).unwrap_or_default();
    let mut groups = Vec::new();
    for mount in ["sys/fs/cgroup", "sys/fs/cgroup/memory"] {
        groups.push(root.join(mount));
    }
    for line in text.lines() {
        let mut fields = line.splitn(3, ':');
        let (_, Some(kinds), Some(path)) = (fields.next(), fields.next(), fields.next()) else {
            continue;
        };
        let mount = match kinds {
            "" => root.join("sys/fs/cgroup"),
            kinds if kinds.split(',').any(|kind| kind == "memory") => {
                root.join("sys/fs/cgroup/memory")
            }
            _ => continue,
        };
        let mut group = mount;
        for part in Path::new(path).components().skip(1) {
            group.push(part);
            groups.push(group.clone());
        }
    }
    groups
}

/// The most memory this process has ever held [bytes]; `None` where the system does not tell.
pub fn peak_bytes() -> Option<u64> {
    line_bytes(&fs::read_to_string("/proc/self/status").ok()?, "VmHWM:")
}

#[cfg(test)]
mod tests {
    use super::*;

    const GIB: u64 = 1 << 30;

    fn machine(files: &[(&str, &str)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().expect("a folder");
        let meminfo = "MemTotal:  8388608 kB\nMemFree: 10 kB\nMemAvailable:  4194304 kB\n";
        for (name, text) in [("proc/meminfo", meminfo)].iter().chain(files) {
            let path = root.path().join(name);
            fs::create_dir_all(path.parent().expect("below the root")).expect("a folder");
            fs::write(path, text).expect("a file");
        }
        root
    }

    fn found(files: &[(&str, &str)]) -> (u64, u64) {
        let Memory { total_bytes, free_bytes } =
            Memory::below(machine(files).path()).expect("memory");
        (total_bytes, free_bytes)
    }

    #[test]
    fn without_a_limit_it_is_the_machines() {
        assert_eq!(found(&[]), (8 * GIB, 4 * GIB));
        let unlimited =
            [("proc/self/cgroup", "0::/user\n"), ("sys/fs/cgroup/user/memory.max", "max\n")];
        assert_eq!(found(&unlimited), (8 * GIB, 4 * GIB));
    }

    #[test]
    fn the_lowest_limit_on_the_way_counts() {
        let outer = [
            ("proc/self/cgroup", "0::/job/step\n"),
            ("sys/fs/cgroup/job/memory.max", "3221225472\n"),
            ("sys/fs/cgroup/job/memory.current", "1073741824\n"),
            ("sys/fs/cgroup/job/step/memory.max", "max\n"),
        ];
        assert_eq!(found(&outer), (3 * GIB, 2 * GIB));
    }

    #[test]
    fn the_first_version_of_control_groups_is_known_too() {
        let old = [
            ("proc/self/cgroup", "5:cpu:/a\n4:hugetlb,memory:/job\n"),
            ("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n"),
            ("sys/fs/cgroup/memory/job/memory.limit_in_bytes", "2147483648\n"),
            ("sys/fs/cgroup/memory/job/memory.usage_in_bytes", "1073741824\n"),
        ];
        assert_eq!(found(&old), (2 * GIB, GIB));
    }

    #[test]
    fn in_a_container_the_limit_is_that_of_the_root() {
        let container =
            [("proc/self/cgroup", "0::/not/here\n"), ("sys/fs/cgroup/memory.max", "1073741824\n")];
        assert_eq!(found(&container), (GIB, GIB));
    }

    #[test]
    fn where_nothing_is_known_nothing_is_said() {
        let root = tempfile::tempdir().expect("a folder");
        assert_eq!(Memory::below(root.path()), None);
    }

    #[test]
    fn one_run_goes_on_whatever_there_is() {
        let memory = Memory { total_bytes: 100, free_bytes: 70 };
        let at_once = |run, kept| memory.runs_at_once(run, kept);
        assert_eq!(
            [at_once(10, 0), at_once(10, 15), at_once(80, 0), at_once(10, 90)],
            [7, 5, 1, 1]
        );
    }
}
