//! A CSV file that grows by a row at a time and survives an interruption: what was appended is on
//! disk, and a row that was cut off is dropped.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::process::Failure;

/// An open journal of rows of one type.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    /// The next row is the first and brings the header.
    fresh: bool,
}

impl Journal {
    /// Reads what the file holds; without a row it does not exist.
    ///
    /// # Errors
    /// When a row is not of this type, with its line; when the file cannot be read or mended.
    pub fn open<R: DeserializeOwned>(path: &Path) -> Result<(Self, Vec<R>), Failure> {
        let at = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => String::new(),
            Err(error) => return Err(at(&error).into()),
        };
        // A row ends with its line: what stands behind the last one was being written.
        let whole = text.rfind('\n').map_or(0, |end| end + 1);
        if whole < text.len() {
            eprintln!("{}: dropped a row that was cut off", path.display());
            let file = OpenOptions::new().write(true).open(path).map_err(|e| at(&e))?;
            file.set_len(whole as u64).map_err(|e| at(&e))?;
        }
        let mut reader = csv::Reader::from_reader(&text.as_bytes()[..whole]);
        let rows: Result<Vec<R>, csv::Error> = reader.deserialize().collect();
        let rows = rows.map_err(|e| at(&e))?;
        Ok((Self { path: path.to_owned(), fresh: whole == 0 }, rows))
    }

    /// Adds a row; it is on disk when this returns.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn append<R: Serialize>(&mut self, row: &R) -> Result<(), Failure> {
        let mut writer = csv::WriterBuilder::new().has_headers(self.fresh).from_writer(Vec::new());
        writer.serialize(row)?;
        let line = writer.into_inner()?;
        let file = OpenOptions::new().append(true).create(true).open(&self.path);
        let written = file.and_then(|mut file| {
            file.write_all(&line)?;
            file.sync_data()
        });
        self.fresh = false;
        written.map_err(|error| format!("{}: {error}", self.path.display()).into())
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    struct Row {
        name: String,
        count: u64,
        share: Option<f64>,
    }

    fn row(count: u64) -> Row {
        let share = count.is_multiple_of(2).then(|| count as f64 / 3.0);
        Row { name: format!("a \"quoted\", {count}"), count, share }
    }

    fn open(path: &Path) -> (Journal, Vec<Row>) {
        Journal::open(path).unwrap()
    }

    #[test]
    fn what_was_appended_is_read_back() {
        let room = tempfile::tempdir().unwrap();
        let path = room.path().join("rows.csv");
        for known in 0..4 {
            let (mut journal, rows) = open(&path);
            assert_eq!(rows, (0..known).map(row).collect::<Vec<_>>());
            journal.append(&row(known)).unwrap();
        }
        assert_eq!(fs::read_to_string(&path).unwrap().matches("name,count,share").count(), 1);
    }

    /// Goal: whatever the moment of an interruption, whole rows stay and the rest can be appended.
    /// Method: cut the file at every byte.
    #[test]
    fn a_file_cut_anywhere_loses_no_whole_row() {
        let room = tempfile::tempdir().unwrap();
        let path = room.path().join("rows.csv");
        let (mut journal, _) = open(&path);
        (0..3).for_each(|count| journal.append(&row(count)).unwrap());
        let whole = fs::read(&path).unwrap();
        for cut in 0..whole.len() {
            fs::write(&path, &whole[..cut]).unwrap();
            let lines = String::from_utf8_lossy(&whole[..cut]).matches('\n').count() as u64;
            let (mut journal, rows) = open(&path);
            assert_eq!(rows.len() as u64, lines.saturating_sub(1), "cut at {cut}");
            (rows.len() as u64..3).for_each(|count| journal.append(&row(count)).unwrap());
            assert_eq!(open(&path).1, (0..3).map(row).collect::<Vec<_>>(), "cut at {cut}");
        }
    }

    #[test]
    fn a_row_of_another_kind_is_an_error_with_its_place() {
        let room = tempfile::tempdir().unwrap();
        let path = room.path().join("rows.csv");
        fs::write(&path, "name,count,share\na,1,\nb,many,\n").unwrap();
        let error = Journal::open::<Row>(&path).unwrap_err().to_string();
        assert!(error.contains("rows.csv") && error.contains("line: 3"), "{error}");
    }
}
