//! A line of a web server's log in the combined form, with the request's time as its last field:
//! `1.2.3.4 - ann [10/Oct/2000:13:55:36 -0700] "GET /a HTTP/1.1" 200 2326 "-" "agent" 0.123`.

use sim_core::config::trace::{LogKey, Stamp};
use sim_core::time::Nanos;

use super::row::{Line, Row, Spread, hash};
use super::times::{parse_log_time, parse_nanos};

/// What is to be read from a line.
#[derive(Debug)]
pub struct Log {
    /// Whether the stamp is a request's start or end.
    pub stamp: Stamp,
    /// Unit of the last field [ns]; `None`: there is none.
    pub unit_ns: Option<Nanos>,
    /// What the key is.
    pub key: LogKey,
}

impl Log {
    /// The request of a line; an error is the reason why there is none.
    pub fn parse(&self, line: &str, spread: &mut Spread) -> Result<Line, String> {
        let (client, rest) = line.split_once(' ').ok_or("there is one field only")?;
        let (_, rest) = rest.split_once('[').ok_or("there is no time in brackets")?;
        let (stamp, rest) = rest.split_once(']').ok_or("there is no time in brackets")?;
        let second = parse_log_time(stamp)
            .ok_or_else(|| format!("`{stamp}` is not a time as in 10/Oct/2000:13:55:36 -0700"))?;
        let request = rest.trim_start().strip_prefix('"').ok_or("there is no request in quotes")?;
        let request = &request[..closing_quote(request).ok_or("a quote is not closed")?];
        let path = request.split(' ').nth(1).unwrap_or(request);
        let key = match self.key {
            LogKey::Path => path,
            LogKey::Client => client,
        };
        let service_ns = self.unit_ns.map(|unit_ns| request_time(rest, unit_ns)).transpose()?;
        let stamped_ns = spread.place(second).ok_or("the time is out of range")?;
        let before_ns = match self.stamp {
            Stamp::Start => 0,
            Stamp::End => i64::try_from(service_ns.unwrap_or(0)).map_err(|_| "it took too long")?,
        };
        let at_ns = stamped_ns.checked_sub(before_ns).ok_or("the time is out of range")?;
        Ok(Line::Request(Row {
            at_ns,
            floor_ns: at_ns,
            service_ns: service_ns.map(|ns| ns.max(1)),
            key: Some(hash(key.as_bytes())),
            identity: 0,
        }))
    }
}

/// The last field of a line: `0.123`, `"0.123"` or `rt=0.123`.
fn request_time(line: &str, unit_ns: Nanos) -> Result<Nanos, String> {
    let field = line.rsplit(' ').next().unwrap_or_default();
    let value = field.rsplit('=').next().unwrap_or_default().trim_matches('"');
    parse_nanos(value, unit_ns)
        .ok_or_else(|| format!("the last field, `{field}`, is not the time of a request"))
}

/// Where the quote ends that the text starts within; quotes behind a backslash do not count.
fn closing_quote(text: &str) -> Option<usize> {
    let mut escaped = false;
    text.bytes().position(|byte| {
        let ends = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        ends
    })
}
