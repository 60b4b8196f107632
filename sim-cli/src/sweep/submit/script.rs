//! The batch script of a sweep: what Slurm starts once for every shard.

use std::fmt::Write;
use std::path::Path;

use bench_harness::sweep::head::Estimate;

use crate::sweep::ranges::ranges;

/// Memory asked for beside that of the runs, for the program, the plan and the file system [bytes].
const PROGRAM_BYTES: u64 = 64 << 20;
/// What is asked for is a multiple of this [MiB].
const MEBIBYTES_STEP: u64 = 16;
/// Time that a shard is given at least [min]: a start on a busy node, and a file system that is slow.
const MINUTES_MIN: u64 = 10;
/// So many times the estimated time it is given.
const TIME_MARGIN: f64 = 4.0;
/// Before its time is over a shard is told so [s]. Slurm may do it up to a minute earlier.
const NOTICE_S: u64 = 60;
/// How often a shard that asks for it is started again.
const RESTARTS_MAX: u32 = 9;

/// What one shard asks of its node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request {
    /// Runs that go on at once, a core each.
    pub jobs: u32,
    /// Memory [MiB].
    pub mebibytes: u64,
    /// Time [min].
    pub minutes: u64,
}

impl Request {
    /// What the longest part of a plan asks for with `jobs` runs at once, if it takes `times` as long as
    /// estimated. The estimate of memory errs upwards already and gets a quarter more; that of time is
    /// rough and gets four times as much.
    pub fn new(jobs: u32, estimate: &Estimate, times: f64) -> Self {
        let runs = u64::from(jobs).saturating_mul(estimate.run_bytes);
        let bytes = (runs / 4).saturating_add(runs).saturating_add(PROGRAM_BYTES);
        let minutes = estimate.shard_s * times / f64::from(jobs) / 60.0 * TIME_MARGIN;
        Self {
            jobs,
            mebibytes: bytes.div_ceil(1 << 20).next_multiple_of(MEBIBYTES_STEP),
            minutes: (minutes as u64).saturating_add(MINUTES_MIN),
        }
    }
}

/// What a batch script says.
#[derive(Debug)]
pub struct Script<'a> {
    /// Name of the sweep.
    pub name: &'a str,
    /// The program.
    pub lbsim: &'a str,
    /// The plan's file.
    pub plan: &'a Path,
    /// The folder of results.
    pub out: &'a Path,
    /// The shards to run.
    pub shards: &'a [u32],
    /// How many of them may go on at once.
    pub max_running: Option<u32>,
    /// What each asks for.
    pub request: Request,
    /// Partition and account, where named.
    pub partition: Option<&'a str>,
    /// Whom it is charged to.
    pub account: Option<&'a str>,
    /// Further options of sbatch; they override the others.
    pub extra: &'a [String],
}

impl Script<'_> {
    /// The text of the script.
    ///
    /// # Errors
    /// If a name cannot be written into it.
    pub fn text(&self) -> Result<String, String> {
        let (plan, out) = (plain("--plan", self.plan)?, plain("--out", self.out)?);
        let Request { jobs, mebibytes, minutes } = self.request;
        let mut array = ranges(self.shards);
        if let Some(most) = self.max_running {
            let _ = write!(array, "%{most}");
        }
        let mut options = vec![
            format!("--job-name=lbsim-{}", self.name),
            format!("--array={array}"),
            format!("--cpus-per-task={jobs}"),
            format!("--mem={mebibytes}M"),
            format!("--time={minutes}"),
            format!("--signal=B:USR1@{NOTICE_S}"),
            "--requeue".to_owned(),
            "--open-mode=append".to_owned(),
            // Slurm replaces what follows a percent sign.
            format!("--output={}/%A_%a.log", super::folder(out).replace('%', "%%")),
        ];
        options.extend(self.partition.map(|name| format!("--partition={name}")));
        options.extend(self.account.map(|name| format!("--account={name}")));
        options.extend(self.extra.iter().cloned());
        let mut text = "#!/bin/sh\n".to_owned();
        for option in &options {
            if option.contains(|c: char| c.is_control()) {
                return Err(format!("a batch script cannot hold the option {option:?}"));
            }
            let _ = writeln!(text, "#SBATCH {}", for_slurm(option));
        }
        let command = format!(
            "{} sweep run --plan {} --shard auto --out {} --jobs {jobs}",
            for_shell(self.lbsim),
            for_shell(plan),
            for_shell(out),
        );
        text += &BODY.replace("COMMAND", &command).replace("RESTARTS", &RESTARTS_MAX.to_string());
        Ok(text)
    }
}

/// What the script does.
const BODY: &str = r#"
# Written by `lbsim sweep submit --engine slurm`. Each task of the array runs a shard of the plan: the
# number of the task says which, and the plan says of how many. A shard passes over what is done already,
# so that a node may die at any time: Slurm puts its tasks into the queue again (--requeue).

# The time is almost over. The worker ends with 75, and every run that is finished is kept.
trap 'kill -TERM "$worker"' USR1
# Somebody cancelled the job, or a more important one needs the node: Slurm says what comes next.
stopped=
trap 'stopped=1' TERM

COMMAND &
worker=$!
# A signal ends the wait, not the worker.
while wait "$worker"; code=$?; [ "$code" -gt 128 ] && kill -0 "$worker" 2>/dev/null; do :; done

# 75: the same command may succeed later, and goes on from what is finished.
if [ "$code" -eq 75 ] && [ -z "$stopped" ] && [ "${SLURM_RESTART_COUNT:-0}" -lt RESTARTS ]; then
    scontrol requeue "$SLURM_JOB_ID"
fi
exit "$code"
"#;

/// A path as text of one line.
fn plain<'p>(option: &str, path: &'p Path) -> Result<&'p str, String> {
    let text = path.to_str().filter(|text| !text.contains(|c: char| c.is_control()));
    text.ok_or_else(|| {
        format!("{option}: a batch script cannot hold the name {}: use another", path.display())
    })
}

/// Whether a character stands for itself everywhere.
fn is_plain(c: char) -> bool {
    c.is_alphanumeric() || "-_=+.,:;@%/[]{}^~".contains(c)
}

/// An option as a line of `#SBATCH` takes it: what might mean something stands in double quotes.
fn for_slurm(option: &str) -> String {
    if option.chars().all(|c| is_plain(c) && c != ';') {
        return option.to_owned();
    }
    format!("\"{}\"", option.replace('\\', r"\\").replace('"', "\\\""))
}

/// A word as the shell takes it.
pub fn for_shell(word: &str) -> String {
    if !word.is_empty() && word.chars().all(|c| is_plain(c) && !";[]{}~^".contains(c)) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn script<'a>(plan: &'a str, out: &'a str, extra: &'a [String]) -> Script<'a> {
        Script {
            name: "a-sweep",
            lbsim: "/opt/my tools/lbsim",
            plan: Path::new(plan),
            out: Path::new(out),
            shards: &[0, 1, 2, 5],
            max_running: Some(2),
            request: Request { jobs: 2, mebibytes: 80, minutes: 10 },
            partition: Some("short"),
            account: Some("me"),
            extra,
        }
    }

    #[test]
    fn a_request_has_its_margins() {
        for (jobs, shard_s, times, run_bytes, mebibytes, minutes) in [
            (1, 0.0, 1.0, 0, 64, 10),
            (1, 300.0, 1.0, 4 << 20, 80, 30),
            (2, 300.0, 1.0, 32 << 20, 144, 20),
            (1, 300.0, 2.0, 0, 64, 50),
            (1, f64::INFINITY, 1.0, u64::MAX, 1 << 44, u64::MAX),
        ] {
            let estimate = Estimate { shard_s, run_bytes, ..Estimate::default() };
            let request = Request::new(jobs, &estimate, times);
            assert_eq!(request, Request { jobs, mebibytes, minutes }, "{shard_s} s, {run_bytes} B");
        }
    }

    #[test]
    fn names_are_quoted_where_they_must_be() {
        let extra = [r#"--comment=it's "100%" #1; a\b"#.to_owned()];
        let text = script("the plan.json", "it's/50%", &extra).text().expect("a script");
        for line in [
            "#SBATCH --job-name=lbsim-a-sweep",
            "#SBATCH --array=0-2,5%2",
            "#SBATCH --partition=short",
            "#SBATCH --account=me",
            r#"#SBATCH "--output=it's/50%%/slurm/%A_%a.log""#,
            r#"#SBATCH "--comment=it's \"100%\" #1; a\\b""#,
            r"'/opt/my tools/lbsim' sweep run --plan 'the plan.json' --shard auto --out 'it'\''s/50%' --jobs 2 &",
        ] {
            assert!(text.lines().any(|there| there == line), "{line}\n{text}");
        }
        let two_lines = script("a\nb", "out", &[]).text();
        assert!(two_lines.is_err_and(|why| why.starts_with("--plan")));
        assert!(script("plan.json", "out", &["--comment=a\nb".to_owned()]).text().is_err());
    }
}
