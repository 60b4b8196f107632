//! The good lines of a file, one after the other. Bad ones are counted and named; a file with too
//! many of them is given up.

use std::path::Path;
use std::sync::Arc;

use sim_core::config::{TraceConfig, TraceFormat};

use super::input;
use super::ledger::{Ledger, Tally};
use super::lines::{Lines, Reader};
use super::row::{Line, Row};
use super::table::Table;

/// See the module documentation.
pub struct Rows {
    source: Source,
    bad_lines_max: f64,
    tally: Tally,
    ledger: Option<Arc<Ledger>>,
    /// Number of the line last read.
    number: u64,
}

enum Source {
    Table(Box<Table>),
    Lines(Lines, Reader),
}

impl Rows {
    /// Opens `path`, which is `config.file` seen from the working directory. What is left out goes
    /// to the ledger in the end, if there is one.
    ///
    /// # Errors
    /// Returns a message for the user if there is no such file, or it is not in the stated format.
    pub fn open(
        path: &Path,
        config: &TraceConfig,
        ledger: Option<&Arc<Ledger>>,
    ) -> Result<Self, String> {
        let file = &config.file;
        let input = input::open(path).map_err(|error| format!("{file}: {error}"))?;
        let source = if let TraceFormat::Csv(columns) = &config.format {
            Source::Table(Box::new(Table::new(input, file, columns)?))
        } else {
            let mut lines = Lines::new(input);
            let reader = Reader::new(&mut lines, config)?;
            Source::Lines(lines, reader)
        };
        Ok(Self {
            source,
            bad_lines_max: config.bad_lines_max,
            tally: Tally { file: file.clone(), ..Tally::default() },
            ledger: ledger.map(Arc::clone),
            number: 0,
        })
    }

    /// The next request; `None` at the end.
    ///
    /// # Errors
    /// Returns a message for the user where the file cannot be read on, or is too bad.
    pub fn next(&mut self) -> Result<Option<Row>, String> {
        loop {
            let broken = |error: &dyn std::fmt::Display| format!("{}: {error}", self.tally.file);
            let line = match &mut self.source {
                Source::Table(table) => {
                    if !table.advance().map_err(|error| broken(&error))? {
                        return self.end();
                    }
                    self.number = table.number();
                    table.parse()
                }
                Source::Lines(lines, reader) => {
                    let line = match lines.next().map_err(|error| broken(&error))? {
                        Some(line) => line.and_then(|line| reader.parse(line)),
                        None => return self.end(),
                    };
                    self.number = lines.number();
                    line
                }
            };
            self.tally.lines += 1;
            match line {
                Ok(Line::Request(row)) => return Ok(Some(row)),
                Ok(Line::Other) => self.tally.other_lines += 1,
                Err(reason) => self.reject(&reason)?,
            }
        }
    }

    /// Number of the line last read.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// Counts the line last read as bad.
    ///
    /// # Errors
    /// Returns a message for the user where the file is too bad.
    pub fn reject(&mut self, reason: &str) -> Result<(), String> {
        self.tally.bad(self.number, reason);
        self.judge(false)
    }

    /// Counts lines that tell of requests a second time.
    pub fn count_doubles(&mut self, count: u64) {
        self.tally.double_lines += count;
    }

    fn end(&self) -> Result<Option<Row>, String> {
        self.judge(true).map(|()| None)
    }

    fn judge(&self, at_end: bool) -> Result<(), String> {
        if self.tally.is_too_bad(self.bad_lines_max, at_end) {
            return Err(self.tally.complaint(self.bad_lines_max));
        }
        Ok(())
    }
}

impl Drop for Rows {
    fn drop(&mut self) {
        if let Some(ledger) = &self.ledger {
            ledger.enter(&self.tally);
        }
    }
}
