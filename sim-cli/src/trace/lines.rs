//! The named formats: one line a request, fields between separators that never stand inside them.

use std::io::{self, BufRead, Read};

use sim_core::config::trace::ByteLaw;
use sim_core::config::{TraceConfig, TraceFormat};
use sim_core::time::{MILLISECOND, Nanos, SECOND};

use super::input::Input;
use super::log::Log;
use super::row::{Line, Row, Spread, hash};
use super::times::{parse_date_time, parse_nanos};

/// A line longer than this is bad: a file that is none of lines must not fill the memory [bytes].
const LINE_BYTES_MAX: u64 = 1 << 20;

/// The lines of a file.
pub struct Lines {
    input: Input,
    line: Vec<u8>,
    number: u64,
}

impl Lines {
    /// The lines of `input`.
    pub fn new(input: Input) -> Self {
        Self { input, line: Vec::new(), number: 0 }
    }

    /// Number of the line last read, from 1 on.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// The next line that is not empty, without its end; `None` at the end of the file. The inner
    /// error says why the line is unreadable, the outer one why the file is.
    pub fn next(&mut self) -> io::Result<Option<Result<&str, String>>> {
        loop {
            self.line.clear();
            let mut limited = (&mut self.input).take(LINE_BYTES_MAX);
            if limited.read_until(b'\n', &mut self.line)? == 0 {
                return Ok(None);
            }
            self.number += 1;
            if self.line.len() as u64 == LINE_BYTES_MAX && !self.line.ends_with(b"\n") {
                self.input.skip_until(b'\n')?;
                return Ok(Some(Err(format!("is longer than {LINE_BYTES_MAX} bytes"))));
            }
            if !self.line.trim_ascii().is_empty() {
                break;
            }
        }
        let line = std::str::from_utf8(self.line.trim_ascii_end());
        // Some programs begin a file with the mark of UTF-8.
        let line = line.map(|line| line.trim_start_matches('\u{feff}'));
        Ok(Some(line.map_err(|_| "is not a text in UTF-8".to_owned())))
    }
}

/// Makes lines into requests.
pub struct Reader {
    format: Format,
    separator: char,
    /// Where the fields are that the format reads.
    columns: Vec<usize>,
    /// Fields in the header; 0 without one.
    width: usize,
    spread: Spread,
}

enum Format {
    AzureFunctions,
    AzureLlm { base_ns: Nanos, context_token_ns: Nanos, generated_token_ns: Nanos },
    Twitter(Option<ByteLaw>),
    Alibaba { dm: Option<String> },
    Wikimedia,
    Wikibench,
    Log(Log),
}

impl Reader {
    /// A reader of a named format that has read the header of its file.
    ///
    /// # Errors
    /// When the file cannot be read, or its header lacks a column.
    pub fn new(lines: &mut Lines, config: &TraceConfig) -> Result<Self, String> {
        let (format, separator, needed): (_, _, &[&[&str]]) = match &config.format {
            TraceFormat::AzureFunctions2021 => {
                (Format::AzureFunctions, ',', &[&["func"], &["end_timestamp"], &["duration"]])
            }
            &TraceFormat::AzureLlm { base_ns, context_token_ns, generated_token_ns } => (
                Format::AzureLlm { base_ns, context_token_ns, generated_token_ns },
                ',',
                &[&["TIMESTAMP"], &["ContextTokens"], &["GeneratedTokens"]],
            ),
            TraceFormat::TwitterCache { service } => (Format::Twitter(*service), ',', &[]),
            TraceFormat::AlibabaCallgraph { dm } => (
                Format::Alibaba { dm: dm.clone() },
                ',',
                &[
                    &["timestamp"],
                    &["traceid"],
                    &["rpc_id", "rpcid"],
                    &["interface"],
                    &["dm"],
                    &["rt"],
                ],
            ),
            TraceFormat::Wikimedia2019 => (
                Format::Wikimedia,
                '\t',
                &[
                    &["relative_unix"],
                    &["hashed_path_query", "hashed_host_path_query"],
                    &["time_firstbyte"],
                ],
            ),
            TraceFormat::Wikibench => (Format::Wikibench, ' ', &[]),
            &TraceFormat::AccessLog { stamp, request_time_unit_ns, key } => {
                (Format::Log(Log { stamp, unit_ns: request_time_unit_ns, key }), ' ', &[])
            }
            TraceFormat::Csv(_) => unreachable!("a table has quotes, and a reader of its own"),
        };
        let mut reader =
            Self { format, separator, columns: Vec::new(), width: 0, spread: Spread::default() };
        if !needed.is_empty() {
            reader.read_header(lines, &config.file, needed)?;
        }
        Ok(reader)
    }

    fn read_header(
        &mut self,
        lines: &mut Lines,
        file: &str,
        needed: &[&[&str]],
    ) -> Result<(), String> {
        let header = lines.next().map_err(|error| format!("{file}: {error}"))?;
        let header = header.ok_or_else(|| format!("{file}: is empty; it needs a header"))?;
        let header = header.map_err(|fault| format!("{file}:1: {fault}"))?;
        let header: Vec<&str> = header.split(self.separator).map(str::trim).collect();
        self.width = header.len();
        for names in needed {
            let index = header.iter().position(|found| names.contains(found)).ok_or_else(|| {
                let found: Vec<_> = header.iter().map(|column| format!("`{column}`")).collect();
                let wanted = names.join("` or `");
                format!("{file}:1: no column `{wanted}`; there are {}", found.join(", "))
            })?;
            self.columns.push(index);
        }
        Ok(())
    }

    /// What a line says; an error is the reason why it is bad.
    pub fn parse(&mut self, line: &str) -> Result<Line, String> {
        let Self { format, separator, columns, width, spread } = self;
        let fields: Vec<&str> = line.split(*separator).map(str::trim).collect();
        if *width > 0 && fields.len() != *width {
            return Err(format!("has {} fields, and the header {width}", fields.len()));
        }
        let column = |index: usize| fields[columns[index]];
        let row =
            |at_ns: i64| Row { at_ns, floor_ns: at_ns, service_ns: None, key: None, identity: 0 };
        let row = match format {
            Format::AzureFunctions => {
                let end_ns = time("end_timestamp", column(1), SECOND)?;
                let service_ns = span("duration", column(2), SECOND)?;
                let at_ns = end_ns.checked_sub_unsigned(service_ns).ok_or("lasts too long")?;
                let key = Some(hash(column(0).as_bytes()));
                // Calls shorter than the clock of the trace are recorded as 0.
                Row { service_ns: Some(service_ns.max(1)), key, ..row(at_ns) }
            }
            Format::AzureLlm { base_ns, context_token_ns, generated_token_ns } => {
                let at_ns = date_time("TIMESTAMP", column(0))?;
                let context = tokens("ContextTokens", column(1))?;
                let generated = tokens("GeneratedTokens", column(2))?;
                let question_ns = context.checked_mul(*context_token_ns);
                let answer_ns = generated.checked_mul(*generated_token_ns);
                let service_ns = question_ns
                    .zip(answer_ns)
                    .and_then(|(question, answer)| question.checked_add(answer))
                    .and_then(|tokens| tokens.checked_add(*base_ns))
                    .ok_or("takes too long")?;
                Row { service_ns: Some(service_ns.max(1)), ..row(at_ns) }
            }
            Format::Twitter(service) => {
                if fields.len() != 7 {
                    return Err(format!("has {} fields instead of 7", fields.len()));
                }
                let (at_ns, floor_ns) = spread_second(spread, "timestamp", fields[0])?;
                let bytes = count("key size", fields[2])?
                    .checked_add(count("value size", fields[3])?)
                    .ok_or("is too large")?;
                let law = |law: ByteLaw| {
                    let size_ns = bytes.checked_mul(law.byte_ns);
                    let ns = size_ns.and_then(|size_ns| size_ns.checked_add(law.base_ns));
                    ns.map(|ns| ns.max(1)).ok_or("takes too long")
                };
                let service_ns = service.map(law).transpose()?;
                let key = Some(hash(fields[1].as_bytes()));
                Row { floor_ns, service_ns, key, ..row(at_ns) }
            }
            Format::Alibaba { dm } => {
                if dm.as_deref().is_some_and(|dm| dm != column(4)) {
                    return Ok(Line::Other);
                }
                let at_ns = time("timestamp", column(0), MILLISECOND)?;
                let service_ns = span("rt", column(5), MILLISECOND)?;
                let key = Some(hash(column(3).as_bytes()));
                let identity = hash(format!("{} {}", column(1), column(2)).as_bytes());
                Row { service_ns: Some(service_ns.max(1)), key, identity, ..row(at_ns) }
            }
            Format::Wikimedia => {
                let (at_ns, floor_ns) = spread_second(spread, "relative_unix", column(0))?;
                let service_ns = span("time_firstbyte", column(2), SECOND)?;
                let key = Some(hash(column(1).as_bytes()));
                Row { floor_ns, service_ns: Some(service_ns.max(1)), key, ..row(at_ns) }
            }
            Format::Wikibench => {
                let [_, stamp, url, _] = fields[..] else {
                    return Err(format!("has {} fields instead of 4", fields.len()));
                };
                let date = stamp.contains('-');
                let at_ns = if date {
                    date_time("timestamp", stamp)
                } else {
                    time("timestamp", stamp, SECOND)
                };
                Row { key: Some(hash(url.as_bytes())), ..row(at_ns?) }
            }
            Format::Log(log) => return log.parse(line, spread),
        };
        Ok(Line::Request(row))
    }
}

fn span(name: &str, text: &str, unit_ns: Nanos) -> Result<Nanos, String> {
    parse_nanos(text, unit_ns)
        .ok_or_else(|| format!("{name}: `{text}` is not a time from 0 on, as in 12.5"))
}

fn time(name: &str, text: &str, unit_ns: Nanos) -> Result<i64, String> {
    i64::try_from(span(name, text, unit_ns)?).map_err(|_| format!("{name}: `{text}` is too late"))
}

fn date_time(name: &str, text: &str) -> Result<i64, String> {
    parse_date_time(text).ok_or_else(|| {
        format!("{name}: `{text}` is not a date and time as in 2023-11-16 18:15:46.68")
    })
}

fn count(name: &str, text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| format!("{name}: `{text}` is not a whole number from 0 on"))
}

/// A number of tokens: some files write them as `12.0`.
fn tokens(name: &str, text: &str) -> Result<u64, String> {
    count(name, text.strip_suffix(".0").unwrap_or(text))
}

/// A moment within a whole second, and the second's start.
fn spread_second(spread: &mut Spread, name: &str, text: &str) -> Result<(i64, i64), String> {
    let second = i64::try_from(count(name, text)?).unwrap_or(i64::MAX);
    let late = || format!("{name}: `{text}` is too late");
    let at_ns = spread.place(second).ok_or_else(late)?;
    Ok((at_ns, second * SECOND.cast_signed()))
}
