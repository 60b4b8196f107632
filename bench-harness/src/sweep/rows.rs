//! The rows of a plan: lines of one width, so that a part of a sweep reads its own and no others.
//!
//! A row is an array of JSON, filled up with blanks, whose last item is a digest of the plan, the row's
//! place and its content. So a row that was changed, moved, or taken from another plan is not believed,
//! though nobody reads the whole file.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::sync::{Mutex, PoisonError};

use serde::de::DeserializeOwned;

use super::identity::Digest;

/// Digits of a row's digest.
const DIGITS: usize = 8;
/// What follows the content of a row: `,"01234567"]` and the end of the line.
const TAIL: usize = DIGITS + 5;
/// Rows read at once by whoever wants all of them.
const BLOCK: u64 = 512;

/// Where rows of one kind are.
#[derive(Clone, Debug)]
pub struct Layout {
    /// Name of the kind: rows of one are none of another.
    pub kind: &'static str,
    /// The plan that they belong to.
    pub plan: String,
    /// Where the first one begins [bytes].
    pub start: u64,
    /// Length of a line, its end included [bytes].
    pub width: u64,
    /// How many there are.
    pub count: u64,
}

impl Layout {
    /// Where the last row ends [bytes]; `None` if that is beyond what files can hold.
    pub fn end(&self) -> Option<u64> {
        self.width.checked_mul(self.count)?.checked_add(self.start)
    }

    fn digest(&self, row: u64, content: &[u8]) -> String {
        let mut digest = Digest::default();
        digest.part(self.plan.as_bytes()).part(self.kind.as_bytes());
        digest.part(&row.to_le_bytes()).part(content);
        let mut text = digest.finish().to_string();
        text.truncate(DIGITS);
        text
    }

    /// Writes the row number `row`; `content` is an array without its closing bracket, not longer than
    /// the lines are wide.
    ///
    /// # Errors
    /// If `writer` fails.
    pub fn write(&self, writer: &mut dyn Write, row: u64, content: &str) -> io::Result<()> {
        let mut filled = content.as_bytes().to_vec();
        filled.resize(self.width as usize - TAIL, b' ');
        let digest = self.digest(row, &filled);
        writer.write_all(&filled)?;
        writeln!(writer, ",\"{digest}\"]")
    }

    /// What a row says; `None` if it is not as it was written.
    fn read<T: DeserializeOwned>(&self, row: u64, line: &[u8]) -> Option<T> {
        let (content, tail) = line.split_at_checked(line.len().checked_sub(TAIL)?)?;
        let digest = self.digest(row, content);
        if tail != format!(",\"{digest}\"]\n").as_bytes() {
            return None;
        }
        let line = [content, b"]"].concat();
        serde_json::from_slice(&line).ok()
    }
}

/// Length of a line whose content is `content` bytes long.
pub const fn width(content: usize) -> u64 {
    (content + TAIL) as u64
}

/// Why a row cannot be had.
#[derive(Debug)]
pub enum RowError {
    /// The system said no.
    Io(io::Error),
    /// It is not as it was written.
    Damaged,
}

/// A file with rows, read by any number of threads.
#[derive(Debug)]
pub struct Rows {
    file: Mutex<File>,
}

impl Rows {
    /// The rows of an open file.
    pub const fn new(file: File) -> Self {
        Self { file: Mutex::new(file) }
    }

    fn bytes(&self, layout: &Layout, first: u64, count: u64) -> Result<Vec<u8>, RowError> {
        let mut bytes = vec![0; (count * layout.width) as usize];
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let read = file
            .seek(SeekFrom::Start(layout.start + first * layout.width))
            .and_then(|_| file.read_exact(&mut bytes));
        match read {
            Ok(()) => Ok(bytes),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Err(RowError::Damaged),
            Err(error) => Err(RowError::Io(error)),
        }
    }

    /// The row number `row`, which is below `count`.
    ///
    /// # Errors
    /// If it cannot be read, or is damaged.
    pub fn get<T: DeserializeOwned>(&self, layout: &Layout, row: u64) -> Result<T, RowError> {
        layout.read(row, &self.bytes(layout, row, 1)?).ok_or(RowError::Damaged)
    }

    /// The rows with these numbers, which rise. Those that lie close together are read at once.
    pub fn some<'a, T: DeserializeOwned>(
        &'a self,
        layout: &'a Layout,
        numbers: impl Iterator<Item = u64> + 'a,
    ) -> impl Iterator<Item = (u64, Result<T, RowError>)> + 'a {
        let (mut first, mut block, mut last) = (0_u64, Vec::new(), None);
        numbers.map(move |row| {
            let held = block.len() as u64 / layout.width;
            if row < first || row >= first + held {
                let is_close = last.is_none_or(|last| row - last < BLOCK / 16);
                let count = if is_close { BLOCK.min(layout.count - row) } else { 1 };
                match self.bytes(layout, row, count) {
                    Ok(bytes) => (first, block) = (row, bytes),
                    Err(error) => return (row, Err(error)),
                }
            }
            last = Some(row);
            let start = ((row - first) * layout.width) as usize;
            let line = &block[start..start + layout.width as usize];
            (row, layout.read(row, line).ok_or(RowError::Damaged))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(bytes: &[u8]) -> Rows {
        let mut file = tempfile::tempfile().expect("a file");
        file.write_all(bytes).expect("written");
        Rows::new(file)
    }

    fn layout() -> Layout {
        Layout { kind: "x", plan: "p".to_owned(), start: 3, width: width(12), count: 2_000 }
    }

    fn written(layout: &Layout) -> Vec<u8> {
        let mut bytes = b"ab\n".to_vec();
        for row in 0..layout.count {
            layout.write(&mut bytes, row, &format!("[{},\"é\"", row * 7)).expect("written");
        }
        bytes
    }

    #[test]
    fn rows_come_back_in_any_choice() {
        let layout = layout();
        let bytes = written(&layout);
        // `é` is two bytes, so that blanks are counted right.
        let rows = file(&bytes);
        assert_eq!(layout.end(), Some(bytes.len() as u64));
        for step in [1_usize, 3, 31, 32, 700] {
            let numbers = (1..layout.count).step_by(step);
            for (row, found) in rows.some::<(u64, String)>(&layout, numbers) {
                assert_eq!(found.expect("whole"), (row * 7, "é".to_owned()), "step {step}");
            }
        }
        assert_eq!(rows.get::<(u64, String)>(&layout, 9).expect("whole").0, 63);
    }

    /// Goal: nothing damaged is believed. Method: change every byte of a row, cut it short, move it, and
    /// read it as that of another plan or kind.
    #[test]
    fn any_damage_is_seen() {
        let layout = layout();
        let bytes = written(&layout);
        let get = |bytes: &[u8], layout: &Layout| file(bytes).get::<(u64, String)>(layout, 1);
        assert!(get(&bytes, &layout).is_ok());
        let (start, width) = (layout.start as usize, layout.width as usize);
        for at in start + width..start + 2 * width {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            assert!(matches!(get(&changed, &layout), Err(RowError::Damaged)), "byte {at}");
            assert!(matches!(get(&bytes[..at], &layout), Err(RowError::Damaged)), "cut at {at}");
        }
        let mut moved = bytes.clone();
        moved.copy_within(start + 2 * width..start + 3 * width, start + width);
        assert!(get(&moved, &layout).is_err());
        let mut other = layout.clone();
        "q".clone_into(&mut other.plan);
        assert!(get(&bytes, &other).is_err());
        assert!(get(&bytes, &Layout { kind: "y", ..layout }).is_err());
    }
}
