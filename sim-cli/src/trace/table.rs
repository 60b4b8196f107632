//! A CSV file with a header, of which a scenario names the columns.

use csv::ByteRecord;
use sim_core::config::CsvColumns;
use sim_core::time::Nanos;

use super::input::Input;
use super::row::{Line, Row, hash};
use super::times::parse_nanos;

/// Reads the columns that [`CsvColumns`] name; others are ignored.
pub struct Table {
    rows: csv::Reader<Input>,
    row: ByteRecord,
    width: usize,
    time: Column,
    service: Option<Column>,
    /// Index of the key's column.
    key: Option<usize>,
}

/// A column of times.
struct Column {
    index: usize,
    name: String,
    unit_ns: Nanos,
}

impl Table {
    /// Reads the header of `file`.
    ///
    /// # Errors
    /// Returns a message for the user if it cannot be read, or a column is missing in it.
    pub fn new(input: Input, file: &str, columns: &CsvColumns) -> Result<Self, String> {
        let CsvColumns { time, time_unit_ns, service, service_unit_ns, key, origin: _ } = columns;
        let mut rows = csv::ReaderBuilder::new()
            // Lines end in LF alone and trimming takes the CR: `csv` counts the lines of a CRLF file
            // one too low.
            .terminator(csv::Terminator::Any(b'\n'))
            .trim(csv::Trim::All)
            // A row of another length is a bad line, not the end of the file.
            .flexible(true)
            .from_reader(input);
        let header = rows.headers().map_err(|error| format!("{file}: {error}"))?.clone();
        let index_of = |name: &str| {
            header.iter().position(|column| column == name).ok_or_else(|| {
                let columns: Vec<_> = header.iter().map(|column| format!("`{column}`")).collect();
                format!("{file}:1: no column `{name}`; there are {}", columns.join(", "))
            })
        };
        let times = |name: &String, unit_ns: Nanos| {
            Ok::<_, String>(Column { index: index_of(name)?, name: name.clone(), unit_ns })
        };
        Ok(Self {
            time: times(time, *time_unit_ns)?,
            service: service.as_ref().map(|name| times(name, *service_unit_ns)).transpose()?,
            key: key.as_deref().map(index_of).transpose()?,
            width: header.len(),
            rows,
            row: ByteRecord::new(),
        })
    }

    /// Number of the line on which the row last read begins.
    pub fn number(&self) -> u64 {
        self.row.position().map_or(1, csv::Position::line)
    }

    /// Reads on; false at the end.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn advance(&mut self) -> Result<bool, csv::Error> {
        self.rows.read_byte_record(&mut self.row)
    }

    /// The row just read; an error is the reason why it is bad.
    pub fn parse(&self) -> Result<Line, String> {
        if self.row.len() != self.width {
            return Err(format!("has {} fields, and the header {}", self.row.len(), self.width));
        }
        let at_ns = i64::try_from(self.nanos(&self.time)?)
            .map_err(|_| format!("column `{}`: the time is too late", self.time.name))?;
        let service_ns = self.service.as_ref().map(|column| self.nanos(column)).transpose()?;
        if service_ns == Some(0) {
            let name = self.service.as_ref().map_or("", |column| &column.name);
            return Err(format!("column `{name}`: a service time is at least 1 ns"));
        }
        let key = self.key.map(|index| hash(&self.row[index]));
        Ok(Line::Request(Row { at_ns, floor_ns: at_ns, service_ns, key, identity: 0 }))
    }

    fn nanos(&self, column: &Column) -> Result<Nanos, String> {
        let text = &self.row[column.index];
        let parsed =
            std::str::from_utf8(text).ok().and_then(|text| parse_nanos(text, column.unit_ns));
        parsed.ok_or_else(|| {
            let text = String::from_utf8_lossy(text);
            format!("column `{}`: `{text}` is not a time from 0 on, as in 12.5", column.name)
        })
    }
}
