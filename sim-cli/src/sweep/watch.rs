//! How far a sweep is, on standard error, if a person is looking and it takes a while.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;
use std::time::Duration;
#[expect(clippy::disallowed_types, reason = "progress is about real time, results are not")]
use std::time::Instant;

use bench_harness::sweep::tally::Tally;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::number;

/// Sweeps shorter than this show nothing.
const SHOWN_AFTER: Duration = Duration::from_millis(700);
/// Time between two looks at the counters.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// Steps of the bar.
const STEPS: u64 = 10_000;

/// Does `work` and shows how far it is meanwhile, unless `quiet`.
pub fn while_running<T>(tally: &Tally, quiet: bool, work: impl FnOnce() -> T) -> T {
    if quiet {
        return work();
    }
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let watcher = scope.spawn(|| watch(tally, &done));
        let result = work();
        done.store(true, Relaxed);
        watcher.thread().unpark();
        result
    })
}

#[expect(clippy::disallowed_types, reason = "progress is about real time, results are not")]
fn watch(tally: &Tally, done: &AtomicBool) {
    // This target draws nothing unless standard error is a terminal.
    let bar = ProgressBar::with_draw_target(Some(STEPS), ProgressDrawTarget::hidden());
    if let Ok(style) = ProgressStyle::with_template("{bar:30} {percent}%  {msg}") {
        bar.set_style(style);
    }
    let started = Instant::now();
    let mut shown = false;
    while !done.load(Relaxed) {
        thread::park_timeout(LOOK_EVERY);
        let elapsed = started.elapsed();
        if !shown && elapsed >= SHOWN_AFTER {
            bar.set_draw_target(ProgressDrawTarget::stderr());
            shown = true;
        }
        bar.set_position((tally.share() * STEPS as f64) as u64);
        bar.set_message(message(tally, elapsed));
    }
    bar.finish_and_clear();
}

fn message(tally: &Tally, elapsed: Duration) -> String {
    let get = |counter: &std::sync::atomic::AtomicU64| counter.load(Relaxed);
    let share = tally.share();
    let left = if share > 0.0 { elapsed.as_secs_f64() * (1.0 - share) / share } else { f64::NAN };
    format!(
        "runs {} of {}, {} running, {} failed; points {} of {}, {} failed; {} requests; {} left",
        get(&tally.finished),
        get(&tally.runs),
        get(&tally.running),
        get(&tally.failed),
        get(&tally.points_finished),
        get(&tally.points),
        get(&tally.points_failed),
        large(tally.requests_so_far()),
        number::span(left),
    )
}

/// `1.2M`.
fn large(count: u64) -> String {
    let value = count as f64;
    match count {
        0..10_000 => count.to_string(),
        10_000..1_000_000 => format!("{:.0}k", value / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1}M", value / 1e6),
        _ => format!("{:.2}G", value / 1e9),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_what_is_done_and_what_is_left() {
        let tally = Tally::new(1);
        for (counter, value) in [
            (&tally.runs, 40),
            (&tally.finished, 10),
            (&tally.running, 2),
            (&tally.points, 8),
            (&tally.points_finished, 2),
            (&tally.requests, 1_234_567),
            (&tally.cost, 100),
            (&tally.cost_done, 25),
        ] {
            counter.store(value, Relaxed);
        }
        assert_eq!(
            message(&tally, Duration::from_mins(1)),
            "runs 10 of 40, 2 running, 0 failed; points 2 of 8, 0 failed; 1.2M requests; 3 min left"
        );
        assert_eq!(large(12_345), "12k");
    }
}
