//! What goes to standard output.

use std::io::{self, Write};
use std::process::ExitCode;

/// Writes `text`. Whoever closes the pipe early has read enough: that is no error.
///
/// # Errors
/// If the text cannot be written for another reason.
pub fn write_all(stdout: &mut impl Write, text: &str) -> io::Result<()> {
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error),
        _ => Ok(()),
    }
}

/// Prints `text` as all a command has to say.
pub fn print(text: &str) -> ExitCode {
    match write_all(&mut io::stdout().lock(), text) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: cannot write to standard output: {error}");
            ExitCode::FAILURE
        }
    }
}
