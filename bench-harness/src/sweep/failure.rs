//! What goes wrong inside a run becomes a message, and the sweep goes on.

use std::cell::{Cell, RefCell};
use std::panic::{self, AssertUnwindSafe, PanicHookInfo};
use std::sync::Once;

thread_local! {
    /// Whether this thread is inside a run.
    static INSIDE: Cell<bool> = const { Cell::new(false) };
    /// What the last panic of this thread said.
    static SAID: RefCell<String> = const { RefCell::new(String::new()) };
}

/// From now on panics inside of runs are kept and not printed; all others are, as before.
pub fn keep_quiet() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if INSIDE.get() {
                SAID.with(|said| *said.borrow_mut() = describe(info));
            } else {
                before(info);
            }
        }));
    });
}

/// Runs `work`; a panic in it becomes an error.
///
/// # Errors
/// Those of `work`, and its panics.
pub fn caught<T>(work: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    INSIDE.set(true);
    // What `work` changes is dropped if it panics.
    let done = panic::catch_unwind(AssertUnwindSafe(work));
    INSIDE.set(false);
    done.unwrap_or_else(|_| Err(SAID.with(RefCell::take)))
}

fn describe(info: &PanicHookInfo<'_>) -> String {
    let payload = info.payload();
    let text = payload.downcast_ref::<&str>().copied().map(str::to_owned);
    let text = text.or_else(|| payload.downcast_ref::<String>().cloned()).unwrap_or_default();
    let place = info
        .location()
        .map_or_else(String::new, |at| format!(" (at {}:{})", within_crate(at.file()), at.line()));
    format!("lbsim made a mistake: {}{place}", text.replace('\n', " "))
}

/// The path from the crate on: where crates lie differs from machine to machine.
fn within_crate(path: &str) -> String {
    let parts: Vec<&str> = path.split(['/', '\\']).collect();
    let source = parts.iter().rposition(|part| *part == "src").unwrap_or(0);
    parts[source.saturating_sub(1)..].join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_a_message_without_paths_of_this_machine() {
        keep_quiet();
        let error = caught::<()>(|| panic!("lost {} requests", 3)).expect_err("it panics");
        assert!(error.starts_with("lbsim made a mistake: lost 3 requests (at "), "{error}");
        assert!(error.contains("bench-harness/src/sweep/failure.rs:"), "{error}");
        assert_eq!(caught(|| Ok(7)), Ok(7));
        assert_eq!(caught::<()>(|| Err("no".to_owned())), Err("no".to_owned()));
        assert_eq!(within_crate("/home/x/reg/rand-1.0/src/lib.rs"), "rand-1.0/src/lib.rs");
    }
}
