//! Ctrl-C and SIGTERM as flags that workers look at.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};

/// The same command may succeed later.
pub const EXIT_TEMPORARY: u8 = 75;
/// Ended by Ctrl-C: 128 and the number of the signal.
const EXIT_INTERRUPTED: u8 = 130;

/// Signals that ask for an end.
pub struct Signals {
    /// Set by the first of them.
    pub stop: Arc<AtomicBool>,
    code: Arc<AtomicUsize>,
}

impl Signals {
    /// From now on the first Ctrl-C or SIGTERM asks for an end, and the second one forces it.
    ///
    /// # Errors
    /// When the system does not let it listen.
    pub fn catch() -> std::io::Result<Self> {
        use signal_hook::consts::{SIGINT, SIGTERM};
        use signal_hook::flag;
        let stop = Arc::new(AtomicBool::new(false));
        let code = Arc::new(AtomicUsize::new(EXIT_TEMPORARY.into()));
        for (signal, exit_code) in [(SIGINT, EXIT_INTERRUPTED), (SIGTERM, EXIT_TEMPORARY)] {
            flag::register_conditional_default(signal, Arc::clone(&stop))?;
            flag::register_usize(signal, Arc::clone(&code), exit_code.into())?;
            flag::register(signal, Arc::clone(&stop))?;
        }
        Ok(Self { stop, code })
    }

    /// The exit code of a command that one of them has ended.
    pub fn exit_code(&self) -> u8 {
        u8::try_from(self.code.load(Relaxed)).unwrap_or(EXIT_TEMPORARY)
    }
}
