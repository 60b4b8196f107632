//! Recorded arrivals: which file, in which format, and what is made of it.

use super::tree::Value;
use super::units::{parse_duration, parse_unit};
use super::values::{duration, flag, number, text, word};
use super::walk::{Item, Section, Walk, choice};
use crate::time::{MICROSECOND, MILLISECOND, Nanos, SECOND};

/// A recorded workload in a file, plain or compressed with gzip or zstd.
#[derive(Clone, Debug, PartialEq)]
pub struct TraceConfig {
    /// Path as written in the scenario, relative to the scenario file.
    pub file: String,
    /// What its lines mean.
    pub format: TraceFormat,
    /// The part of it that is replayed `[ns]`, from the origin of its times on: the start of the
    /// window is the start of the run. `None`: all of it.
    pub window_ns: Option<(Nanos, Nanos)>,
    /// Whether it starts again at its end. The key is `loop`.
    pub repeat: bool,
    /// Arrivals come this many times as fast. Above 0.
    pub scale_rate: f64,
    /// Service takes this many times as long. Above 0.
    pub scale_service: f64,
    /// Largest share of lines that may be bad, in `[0, 1]`: such lines are counted and left out.
    pub bad_lines_max: f64,
    /// Arrivals a second in the file, where the scenario states it; used for `lbsim check` only.
    pub rate: Option<f64>,
}

/// What the lines of a trace mean. Sources are listed in `data/traces/README.md`.
#[derive(Clone, Debug, PartialEq)]
pub enum TraceFormat {
    /// Named columns of a CSV file with a header.
    Csv(CsvColumns),
    /// `app,func,end_timestamp,duration` in seconds: one function call of Azure Functions a line,
    /// which arrived at `end_timestamp - duration`. The key is the function.
    AzureFunctions2021,
    /// `TIMESTAMP,ContextTokens,GeneratedTokens`: one inference of Azure's language models a line.
    /// It is served for `base + context_token * context + generated_token * generated`.
    AzureLlm {
        /// What any inference takes [ns].
        base_ns: Nanos,
        /// What a token of the question takes [ns].
        context_token_ns: Nanos,
        /// What a token of the answer takes [ns].
        generated_token_ns: Nanos,
    },
    /// `timestamp,key,key size,value size,client id,operation,TTL` without a header: one request to
    /// a cache of Twitter a line. Seconds are spread.
    TwitterCache {
        /// Service takes `base + byte * (key size + value size)`; `None`: the servers' law decides.
        service: Option<ByteLaw>,
    },
    /// Alibaba's `MSCallGraph`: one call between microservices a line, remote ones twice; times in
    /// milliseconds. The key is the called interface.
    AlibabaCallgraph {
        /// Only calls of this microservice (the column `dm`); `None`: all.
        dm: Option<String>,
    },
    /// `relative_unix`, hashed path, sizes and `time_firstbyte`, separated by tabs: one request to
    /// a cache of Wikimedia a line. Seconds are spread; service is the time to the first byte.
    Wikimedia2019,
    /// `counter timestamp url flag`: one request to Wikipedia a line, without service times.
    Wikibench,
    /// The combined log of a web server, with the request's time as the last field.
    AccessLog {
        /// What the line's time of day is: when the request had ended (NGINX) or had come (Apache).
        stamp: Stamp,
        /// Unit of the last field [ns]; `None`: there is none, and the servers' law decides.
        request_time_unit_ns: Option<Nanos>,
        /// What is taken for the request's key.
        key: LogKey,
    },
}

/// The columns of a [`TraceFormat::Csv`].
#[derive(Clone, Debug, PartialEq)]
pub struct CsvColumns {
    /// Column with the arrival time. Rows are in this order.
    pub time: String,
    /// Unit of `time` [ns].
    pub time_unit_ns: Nanos,
    /// Column with the service time; without it demands come from the servers' laws.
    pub service: Option<String>,
    /// Unit of `service` [ns].
    pub service_unit_ns: Nanos,
    /// Column with the request's key.
    pub key: Option<String>,
    /// Where times start.
    pub origin: TimeOrigin,
}

/// A service time by size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ByteLaw {
    /// What any request takes [ns].
    pub base_ns: Nanos,
    /// What a byte takes [ns].
    pub byte_ns: Nanos,
}

/// Which time of a file is 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeOrigin {
    /// The time 0 in the file.
    Zero,
    /// The first arrival in the file.
    First,
}

/// What the time in a line of a log is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stamp {
    /// When the request came.
    Start,
    /// When it had been answered.
    End,
}

/// What of a line of a log is the request's key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogKey {
    /// What is asked for.
    Path,
    /// Who asks.
    Client,
}

/// Names of the formats, as written.
pub const FORMATS: [&str; 8] = [
    "csv",
    "azure_functions_2021",
    "azure_llm",
    "twitter_cache",
    "alibaba_callgraph",
    "wikimedia_2019",
    "wikibench",
    "access_log",
];

/// Largest share of bad lines, unless the scenario says otherwise.
pub const BAD_LINES_MAX: f64 = 0.01;

const STAMPS: [(&str, Stamp); 2] = [("end", Stamp::End), ("start", Stamp::Start)];
const LOG_KEYS: [(&str, LogKey); 2] = [("path", LogKey::Path), ("client", LogKey::Client)];
const ORIGINS: [(&str, TimeOrigin); 2] = [("zero", TimeOrigin::Zero), ("first", TimeOrigin::First)];
const WINDOW_FORM: &str = "two times such as \"10s..70s\", the first one earlier";

impl TraceConfig {
    /// Whether lines state how long a request is served; else the servers' laws decide.
    pub const fn states_service(&self) -> bool {
        match &self.format {
            TraceFormat::Csv(columns) => columns.service.is_some(),
            TraceFormat::TwitterCache { service } => service.is_some(),
            TraceFormat::Wikibench => false,
            TraceFormat::AccessLog { request_time_unit_ns, .. } => request_time_unit_ns.is_some(),
            TraceFormat::AzureFunctions2021
            | TraceFormat::AzureLlm { .. }
            | TraceFormat::AlibabaCallgraph { .. }
            | TraceFormat::Wikimedia2019 => true,
        }
    }

    /// Whether lines state a key.
    pub const fn states_key(&self) -> bool {
        match &self.format {
            TraceFormat::Csv(columns) => columns.key.is_some(),
            TraceFormat::AzureLlm { .. } => false,
            _ => true,
        }
    }

    /// Which time of the file is 0.
    pub const fn origin(&self) -> TimeOrigin {
        match &self.format {
            TraceFormat::Csv(columns) => columns.origin,
            _ => TimeOrigin::First,
        }
    }

    /// Arrivals a second in the run, where the scenario states those of the file.
    pub fn stated_rate(&self) -> Option<f64> {
        self.rate.map(|rate| rate * self.scale_rate)
    }

    /// The trace in `file`, as it is.
    pub fn new(file: &str, format: TraceFormat) -> Self {
        Self {
            file: file.to_owned(),
            format,
            window_ns: None,
            repeat: false,
            scale_rate: 1.0,
            scale_service: 1.0,
            bad_lines_max: BAD_LINES_MAX,
            rate: None,
        }
    }
}

impl Default for CsvColumns {
    /// The normal form without its optional columns.
    fn default() -> Self {
        Self {
            time: "t_us".to_owned(),
            time_unit_ns: MICROSECOND,
            service: None,
            service_unit_ns: MICROSECOND,
            key: None,
            origin: TimeOrigin::Zero,
        }
    }
}

impl TraceFormat {
    /// The name, as written.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Csv(_) => "csv",
            Self::AzureFunctions2021 => "azure_functions_2021",
            Self::AzureLlm { .. } => "azure_llm",
            Self::TwitterCache { .. } => "twitter_cache",
            Self::AlibabaCallgraph { .. } => "alibaba_callgraph",
            Self::Wikimedia2019 => "wikimedia_2019",
            Self::Wikibench => "wikibench",
            Self::AccessLog { .. } => "access_log",
        }
    }

    /// The format called `name`, with its defaults.
    pub fn named(name: &str) -> Option<Self> {
        Some(match name {
            "csv" => Self::Csv(CsvColumns::default()),
            "azure_functions_2021" => Self::AzureFunctions2021,
            // Of a plausible size, not measured: whoever replays this states his own machine.
            "azure_llm" => Self::AzureLlm {
                base_ns: 10 * MILLISECOND,
                context_token_ns: 50 * MICROSECOND,
                generated_token_ns: 25 * MILLISECOND,
            },
            "twitter_cache" => Self::TwitterCache { service: None },
            "alibaba_callgraph" => Self::AlibabaCallgraph { dm: None },
            "wikimedia_2019" => Self::Wikimedia2019,
            "wikibench" => Self::Wikibench,
            "access_log" => Self::AccessLog {
                stamp: Stamp::End,
                request_time_unit_ns: Some(SECOND),
                key: LogKey::Path,
            },
            _ => return None,
        })
    }
}

/// Reads a recorded workload; the defaults of `csv` are the columns of the normal form.
pub(super) fn trace(
    s: &mut Section<'_>,
    walk: &mut Walk<'_>,
    rate: impl FnOnce(&mut Walk<'_>, &Item<'_>) -> Option<f64>,
) -> TraceConfig {
    let file = s.need(walk, "file", "\"requests.csv\"", text).unwrap_or_default();
    let mut format = s.read(walk, "format", format).unwrap_or(TraceFormat::Csv(<_>::default()));
    columns(s, walk, &mut format);
    TraceConfig {
        file,
        format,
        window_ns: s.read(walk, "window", window),
        repeat: s.read(walk, "loop", flag).unwrap_or(false),
        scale_rate: s.read(walk, "scale_rate", number).unwrap_or(1.0),
        scale_service: s.read(walk, "scale_service", number).unwrap_or(1.0),
        bad_lines_max: s.read(walk, "bad_lines_max", number).unwrap_or(BAD_LINES_MAX),
        rate: s.read(walk, "rate", rate),
    }
}

/// The columns of a CSV file stand beside its name; other formats know their own.
fn columns(s: &mut Section<'_>, walk: &mut Walk<'_>, format: &mut TraceFormat) {
    let name = format.name();
    let mut own = CsvColumns::default();
    let csv = if let TraceFormat::Csv(csv) = format { Some(csv) } else { None };
    let is_csv = csv.is_some();
    let columns = csv.unwrap_or(&mut own);
    for key in ["time", "time_unit", "service", "service_unit", "key", "origin"] {
        let Some(item) = s.get(walk, key) else { continue };
        if !is_csv {
            let fault = walk.refuse(&item, format!("`{name}` knows its columns"));
            fault.fix = Some("leave it out, or write format = \"csv\"".into());
            continue;
        }
        match key {
            "time" => columns.time = text(walk, &item).unwrap_or_default(),
            "time_unit" => columns.time_unit_ns = unit(walk, &item).unwrap_or(MICROSECOND),
            "service" => columns.service = text(walk, &item),
            "service_unit" => columns.service_unit_ns = unit(walk, &item).unwrap_or(MICROSECOND),
            "key" => columns.key = text(walk, &item),
            _ => columns.origin = word(walk, &item, &ORIGINS).unwrap_or(TimeOrigin::Zero),
        }
    }
}

/// A format by its name, or as a table with its parameters.
fn format(walk: &mut Walk<'_>, item: &Item<'_>) -> Option<TraceFormat> {
    if matches!(item.node.value, Value::Text(_)) {
        let name = word(walk, item, &FORMATS.map(|name| (name, name)))?;
        return TraceFormat::named(name);
    }
    let (name, inner) = choice(walk, item, &FORMATS, "azure_llm = { base = \"10ms\" }")?;
    let mut format = TraceFormat::named(name)?;
    let mut s = Section::open(walk, &inner);
    match &mut format {
        TraceFormat::AzureLlm { base_ns, context_token_ns, generated_token_ns } => {
            let parts = [
                ("base", base_ns),
                ("context_token", context_token_ns),
                ("generated_token", generated_token_ns),
            ];
            for (key, part) in parts {
                *part = s.read(walk, key, duration).unwrap_or(*part);
            }
        }
        TraceFormat::TwitterCache { service } => {
            let base_ns = s.read(walk, "base", duration);
            let byte_ns = s.read(walk, "byte", duration);
            *service = (base_ns.is_some() || byte_ns.is_some())
                .then(|| ByteLaw { base_ns: base_ns.unwrap_or(0), byte_ns: byte_ns.unwrap_or(0) });
        }
        TraceFormat::AlibabaCallgraph { dm } => *dm = s.read(walk, "dm", text),
        TraceFormat::AccessLog { stamp, request_time_unit_ns, key } => {
            *stamp = s.read(walk, "stamp", |w, i| word(w, i, &STAMPS)).unwrap_or(*stamp);
            *key = s.read(walk, "key", |w, i| word(w, i, &LOG_KEYS)).unwrap_or(*key);
            if let Some(item) = s.get(walk, "request_time") {
                let none = matches!(&item.node.value, Value::Text(text) if text == "none");
                *request_time_unit_ns = if none { None } else { unit(walk, &item) };
            }
        }
        _ => {}
    }
    s.close(walk);
    Some(format)
}

/// A unit of time such as `"us"`.
fn unit(walk: &mut Walk<'_>, item: &Item<'_>) -> Option<Nanos> {
    let written = text(walk, item)?;
    let parsed = parse_unit(&written);
    if parsed.is_none() {
        walk.refuse(item, "unknown unit of time").allowed = Some("ns, us, ms, s, min".into());
    }
    parsed
}

/// A part of a trace, as a scenario or the command line writes it: `10s..70s`.
///
/// # Errors
/// When it is not written like that; whether the first time is earlier is not looked at.
pub fn parse_window(written: &str) -> Result<(Nanos, Nanos), String> {
    let (from, to) = written.split_once("..").ok_or("there is no `..` in it")?;
    Ok((parse_duration(from.trim())?, parse_duration(to.trim())?))
}

fn window(walk: &mut Walk<'_>, item: &Item<'_>) -> Option<(Nanos, Nanos)> {
    match parse_window(&text(walk, item)?) {
        Ok(window) => Some(window),
        Err(reason) => {
            walk.refuse(item, format!("not a window: {reason}")).allowed = Some(WINDOW_FORM.into());
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Arrivals, Scenario};

    const AROUND: &str = "name = \"x\"\nduration = \"1s\"\n[[servers]]\ncount = 1\ncapacity = 1\n\
                          backlog = 0\nservice.constant = { mean = \"1ms\" }\n[workload]\n";

    fn read(trace: &str) -> TraceConfig {
        let text = format!("{AROUND}arrivals.trace = {trace}\n");
        let scenario = Scenario::parse(&text, &[], &|_| Err("no file".to_owned()));
        let scenario = scenario.unwrap_or_else(|faults| panic!("{trace}: {faults:#?}"));
        let written = Scenario::parse(&scenario.to_toml(), &[], &|_| Err("no file".to_owned()));
        assert_eq!(written.as_ref(), Ok(&scenario), "{trace} is read back as another");
        let Arrivals::Trace(trace) = scenario.workload.arrivals else { panic!("a trace") };
        trace
    }

    /// Every format by its name is the same as with an empty table, and is read back as written.
    #[test]
    fn formats_are_named_or_tables() {
        for name in FORMATS {
            let named = read(&format!("{{ file = \"t\", format = \"{name}\" }}"));
            assert_eq!(named, read(&format!("{{ file = \"t\", format.{name} = {{}} }}")));
            let format = TraceFormat::named(name).expect(name);
            assert_eq!((format.name(), &named), (name, &TraceConfig::new("t", format.clone())));
        }
        assert_eq!(TraceFormat::named("csv2"), None);
    }

    #[test]
    fn parameters_are_read_and_written() {
        let llm = "{ file = \"t\", format.azure_llm = { base = \"1ms\", generated_token = \"2ms\" }, \
                   window = \"1s..3.5s\", loop = true, scale_rate = 2, scale_service = 0.5, \
                   bad_lines_max = 0.1, rate = \"5/s\" }";
        let llm = read(llm);
        let format = TraceFormat::AzureLlm {
            base_ns: MILLISECOND,
            context_token_ns: 50 * MICROSECOND,
            generated_token_ns: 2 * MILLISECOND,
        };
        assert_eq!((&llm.format, llm.window_ns), (&format, Some((SECOND, 3_500 * MILLISECOND))));
        assert_eq!((llm.repeat, llm.stated_rate()), (true, Some(10.0)));
        assert!(llm.states_service() && !llm.states_key());
        let cache = read("{ file = \"t\", format.twitter_cache.byte = \"8ns\" }").format;
        let service = Some(ByteLaw { base_ns: 0, byte_ns: 8 });
        assert_eq!(cache, TraceFormat::TwitterCache { service });
        let log = "{ file = \"t\", format.access_log = { stamp = \"start\", \
                   request_time = \"none\", key = \"client\" } }";
        let (stamp, key) = (Stamp::Start, LogKey::Client);
        let expected = TraceFormat::AccessLog { stamp, request_time_unit_ns: None, key };
        assert_eq!(read(log).format, expected);
        let dm = Some("MS 1".to_owned());
        let calls = read("{ file = \"t\", format.alibaba_callgraph.dm = \"MS 1\" }").format;
        assert_eq!(calls, TraceFormat::AlibabaCallgraph { dm });
        let table = read("{ file = \"t\", time = \"at\", service = \"s\", origin = \"first\" }");
        assert_eq!((table.origin(), table.states_service()), (TimeOrigin::First, true));
    }
}
