//! How far the runs are, on standard error, if a person is looking and it takes a while.

#![expect(clippy::disallowed_types, reason = "progress is about real time, results are not")]

use std::cell::Cell;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use sim_core::time::{MILLISECOND, Nanos};

/// Runs shorter than this show nothing.
const SHOWN_AFTER: Duration = Duration::from_secs(1);

/// The progress of several runs at once, in milliseconds of simulated time.
#[derive(Debug)]
pub struct Progress {
    bar: ProgressBar,
    duration_ms: u64,
    started: Instant,
    quiet: bool,
    shown: AtomicBool,
}

impl Progress {
    /// Progress towards `runs` runs of `run_length` [ns] each; never shown when `quiet`.
    pub fn new(runs: usize, run_length: Nanos, quiet: bool) -> Self {
        let duration_ms = run_length / MILLISECOND;
        let length = duration_ms.saturating_mul(runs as u64);
        let bar = ProgressBar::with_draw_target(Some(length), ProgressDrawTarget::hidden());
        if let Ok(style) = ProgressStyle::with_template("{bar:40} {percent}% {eta} left") {
            bar.set_style(style);
        }
        Self { bar, duration_ms, started: Instant::now(), quiet, shown: AtomicBool::new(false) }
    }

    /// What one run calls with the simulated time it has reached.
    pub fn of_run(&self) -> impl Fn(Nanos) + '_ {
        let reached_ms = Cell::new(0);
        move |now_ns| {
            // A run goes on beyond its duration until every request has ended.
            let now_ms = (now_ns / MILLISECOND).clamp(reached_ms.get(), self.duration_ms);
            self.bar.inc(now_ms - reached_ms.replace(now_ms));
            self.show_when_due();
        }
    }

    fn show_when_due(&self) {
        let due = !self.quiet && SHOWN_AFTER <= self.started.elapsed();
        if due && !self.shown.swap(true, Ordering::Relaxed) {
            // This target draws nothing unless standard error is a terminal.
            self.bar.set_draw_target(ProgressDrawTarget::stderr());
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_add_up_and_never_go_back_or_beyond_their_end() {
        let progress = Progress::new(2, 10 * MILLISECOND, true);
        let (first, second) = (progress.of_run(), progress.of_run());
        first(4 * MILLISECOND);
        second(12 * MILLISECOND);
        first(2 * MILLISECOND);
        first(5 * MILLISECOND);
        assert_eq!(progress.bar.position(), 15);
    }
}
