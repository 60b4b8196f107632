//! Recorded arrivals from a CSV file, one row at a time: a trace may be larger than memory.

use std::fs::File;
use std::path::Path;

use csv::StringRecord;
use sim_core::config::TraceConfig;
use sim_core::rng;
use sim_core::time::Nanos;
use sim_core::workload::{TraceRecord, TraceSource};

/// Reads the columns a [`TraceConfig`] names; others are ignored. Rows must be in order of time.
/// After an error the trace is over.
#[derive(Debug)]
pub struct CsvTrace {
    /// As written in the scenario; begins every message.
    file: String,
    rows: csv::Reader<File>,
    row: StringRecord,
    time: Column,
    service: Option<Column>,
    /// Index of the key's column.
    key: Option<usize>,
    newest_ns: Nanos,
}

/// A column of times.
#[derive(Debug)]
struct Column {
    index: usize,
    name: String,
    unit_ns: Nanos,
}

impl CsvTrace {
    /// Opens `path`, which is `config.file` seen from the working directory.
    ///
    /// # Errors
    /// Returns a message for the user if there is no such file, or a column is missing in it.
    pub fn open(path: &Path, config: &TraceConfig) -> Result<Self, String> {
        let TraceConfig { file, time, time_unit_ns, service, service_unit_ns, key, rate: _ } =
            config;
        let mut rows = csv::ReaderBuilder::new()
            // Lines end in LF alone and trimming takes the CR: `csv` counts the lines of a CRLF file
            // one too low.
            .terminator(csv::Terminator::Any(b'\n'))
            .trim(csv::Trim::All)
            .from_path(path)
            .map_err(|error| format!("{file}: {error}"))?;
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
            file: file.clone(),
            rows,
            row: StringRecord::new(),
            newest_ns: 0,
        })
    }

    /// The row just read, as a record.
    fn record(&self) -> Result<TraceRecord, String> {
        let at_ns = self.nanos(&self.time)?;
        if at_ns < self.newest_ns {
            let (name, newest_ns) = (&self.time.name, self.newest_ns);
            return Err(format!(
                "column `{name}`: {at_ns} ns is before the row above ({newest_ns} ns); \
                 sort the rows by time"
            ));
        }
        let service_ns = self.service.as_ref().map(|column| self.nanos(column)).transpose()?;
        if service_ns == Some(0) {
            let name = self.service.as_ref().map_or("", |column| &column.name);
            return Err(format!("column `{name}`: a service time is at least 1 ns"));
        }
        let key = self.key.map(|index| hash(self.row[index].as_bytes()));
        Ok(TraceRecord { at_ns, service_ns, key })
    }

    fn nanos(&self, column: &Column) -> Result<Nanos, String> {
        let text = &self.row[column.index];
        parse_nanos(text, column.unit_ns).ok_or_else(|| {
            format!("column `{}`: `{text}` is not a time from 0 on, as in 12.5", column.name)
        })
    }
}

impl TraceSource for CsvTrace {
    fn next(&mut self) -> Result<Option<TraceRecord>, String> {
        // `csv` itself refuses rows that are longer or shorter than the header, and names the line.
        let read = self.rows.read_record(&mut self.row);
        if !read.map_err(|error| format!("{}: {error}", self.file))? {
            return Ok(None);
        }
        let record = self.record().map_err(|fault| {
            let line = self.row.position().map_or(0, csv::Position::line);
            format!("{}:{line}: {fault}", self.file)
        })?;
        self.newest_ns = record.at_ns;
        Ok(Some(record))
    }
}

/// A time of `unit_ns`, rounded to the nearest ns.
///
/// Plain decimals are converted exactly, without floating point: seconds since 1970 with nine
/// decimals have more digits than an `f64`. Numbers with an exponent, as other programs write very
/// small ones, do go through `f64`.
fn parse_nanos(text: &str, unit_ns: Nanos) -> Option<Nanos> {
    if text.contains(['e', 'E']) {
        let ns = text.parse::<f64>().ok()? * unit_ns as f64;
        return (0.0..u64::MAX as f64).contains(&ns).then(|| ns.round() as Nanos);
    }
    let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if whole.len() + decimals.len() == 0 || !digits(whole) || !digits(decimals) {
        return None;
    }
    let number = |part: &str| {
        if part.is_empty() { Some(0) } else { part.parse::<u128>().ok() }
    };
    // No unit is long enough for the 19th decimal to matter: what follows is cut off.
    let decimals = &decimals[..decimals.len().min(18)];
    let scale = 10_u128.pow(decimals.len() as u32);
    let fraction = (2 * number(decimals)? * u128::from(unit_ns) + scale) / (2 * scale);
    let ns = number(whole)?.checked_mul(u128::from(unit_ns))?.checked_add(fraction)?;
    Nanos::try_from(ns).ok()
}

/// FNV-1a (Fowler, Noll, Vo), then mixed because its high bits are weak for short keys. Our own,
/// since the standard library's hash may change with its version, and results with it.
fn hash(key: &[u8]) -> u64 {
    let fnv = key.iter().fold(0xCBF2_9CE4_8422_2325, |hash: u64, &byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3)
    });
    rng::mix(fnv)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use sim_core::time::{MICROSECOND, MILLISECOND, SECOND};

    use super::*;

    fn config() -> TraceConfig {
        TraceConfig {
            file: "shop.csv".into(),
            time: "at".into(),
            time_unit_ns: SECOND,
            service: Some("work".into()),
            service_unit_ns: MILLISECOND,
            key: Some("user".into()),
            rate: None,
        }
    }

    fn open(text: &str, config: &TraceConfig) -> Result<CsvTrace, String> {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        CsvTrace::open(file.path(), config)
    }

    /// Records up to the end or the first error.
    fn read(text: &str) -> (Vec<TraceRecord>, Option<String>) {
        let mut trace = open(text, &config()).unwrap();
        let mut records = Vec::new();
        loop {
            match trace.next() {
                Ok(Some(record)) => records.push(record),
                Ok(None) => return (records, None),
                Err(message) => return (records, Some(message)),
            }
        }
    }

    #[test]
    fn reads_the_named_columns_in_their_units() {
        let (records, fault) =
            read("user,ignored,work, at\nann,x,2.5,0\nbob,,1,0\nann,,0.001,1.25\n");
        assert_eq!(fault, None);
        let times: Vec<_> = records.iter().map(|r| (r.at_ns, r.service_ns)).collect();
        let expected = [(0, 2_500_000), (0, 1_000_000), (1_250_000_000, 1_000)];
        assert_eq!(times, expected.map(|(at, work)| (at, Some(work))));
        assert_eq!(records[0].key, records[2].key);
        assert_ne!(records[0].key, records[1].key);
    }

    #[test]
    fn columns_not_named_are_not_needed() {
        let config = TraceConfig { service: None, key: None, ..config() };
        let mut trace = open("at\n3\n", &config).unwrap();
        let only = TraceRecord { at_ns: 3 * SECOND, service_ns: None, key: None };
        assert_eq!((trace.next(), trace.next()), (Ok(Some(only)), Ok(None)));
    }

    #[test]
    fn faults_name_file_and_line() {
        for (rows, good, message) in [
            ("1,1,a\nsoon,1,a\n", 1, "shop.csv:3: column `at`: `soon` is not a time from 0 on"),
            ("-1,1,a\n", 0, "shop.csv:2: column `at`: `-1` is not"),
            ("NaN,1,a\n", 0, "shop.csv:2: column `at`: `NaN` is not"),
            (",1,a\n", 0, "shop.csv:2: column `at`: `` is not"),
            ("1,0,a\n", 0, "shop.csv:2: column `work`: a service time is at least 1 ns"),
            ("2,1,a\r\n1,1,a\r\n", 1, "shop.csv:3: column `at`: 1000000000 ns is before the row"),
            ("1,1\n", 0, "line: 2"),
        ] {
            let (records, fault) = read(&format!("at,work,user\n{rows}"));
            let fault = fault.unwrap();
            assert_eq!(records.len(), good, "{fault}");
            assert!(fault.starts_with("shop.csv:") && fault.contains(message), "{fault}");
        }
    }

    #[test]
    fn missing_files_and_columns_are_named() {
        let missing = CsvTrace::open(Path::new("no/such/file"), &config()).unwrap_err();
        assert!(missing.starts_with("shop.csv: "), "{missing}");
        let missing = open("when,work,user\n", &config()).unwrap_err();
        assert_eq!(missing, "shop.csv:1: no column `at`; there are `when`, `work`, `user`");
    }

    #[test]
    fn times_are_converted_exactly() {
        for (text, unit_ns, ns) in [
            ("0", SECOND, Some(0)),
            ("1700000000.123456789", SECOND, Some(1_700_000_000_123_456_789)),
            ("18446744073709551615", 1, Some(u64::MAX)),
            ("18446744073709551616", 1, None),
            ("0.0005", MICROSECOND, Some(1)),
            ("0.0004999999999999999999", MICROSECOND, Some(0)),
            (".5", MICROSECOND, Some(500)),
            ("5.", MICROSECOND, Some(5_000)),
            ("1e-05", SECOND, Some(10_000)),
            ("1E3", 1, Some(1_000)),
            ("-1e-5", SECOND, None),
            ("1e400", SECOND, None),
            ("inf", SECOND, None),
            (".", SECOND, None),
            ("", SECOND, None),
            ("1_000", SECOND, None),
            ("+1", SECOND, None),
            ("99999999999999999999999999999999999999999", SECOND, None),
        ] {
            assert_eq!(parse_nanos(text, unit_ns), ns, "{text} x {unit_ns} ns");
        }
    }

    /// Pins the hash: it may not change with a library or a platform.
    #[test]
    fn key_hash_is_fixed() {
        assert_eq!(hash(b"user-1"), 0xF16D_8D44_0FBB_25D5, "{:#x}", hash(b"user-1"));
        let hashes: std::collections::BTreeSet<_> =
            (0..100_000).map(|i: u32| hash(i.to_string().as_bytes())).collect();
        assert_eq!(hashes.len(), 100_000);
    }
}
