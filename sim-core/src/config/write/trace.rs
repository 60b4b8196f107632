//! Writes recorded arrivals.

use super::{inline, number, quote, rate, time};
use crate::config::trace::{ByteLaw, LogKey, Stamp, TimeOrigin};
use crate::config::units::parse_unit;
use crate::config::{CsvColumns, TraceConfig, TraceFormat};
use crate::time::Nanos;

impl TraceConfig {
    /// The trace as a scenario writes it: an inline table.
    pub fn to_toml(&self) -> String {
        inline(&keys(self))
    }
}

/// The keys of a trace.
pub(super) fn keys(trace: &TraceConfig) -> Vec<(&'static str, String)> {
    let TraceConfig {
        file,
        format,
        window_ns,
        repeat,
        scale_rate,
        scale_service,
        bad_lines_max,
        rate: stated,
    } = trace;
    let mut keys = vec![("file", quote(file))];
    match parameters(format) {
        Parameters::Beside(columns) => keys.extend(columns),
        Parameters::None => keys.push(("format", quote(format.name()))),
        Parameters::Own(own) => keys.push(("format", inline(&[(format.name(), inline(&own))]))),
    }
    let window = |&(from, to): &(Nanos, Nanos)| {
        let (from, to) = (time(from), time(to));
        quote(&format!("{}..{}", from.trim_matches('"'), to.trim_matches('"')))
    };
    keys.extend(window_ns.as_ref().map(|ns| ("window", window(ns))));
    keys.extend([
        ("loop", repeat.to_string()),
        ("scale_rate", number(*scale_rate)),
        ("scale_service", number(*scale_service)),
        ("bad_lines_max", number(*bad_lines_max)),
    ]);
    keys.extend(stated.map(|stated| ("rate", rate(stated))));
    keys
}

/// Where the parameters of a format are written.
enum Parameters {
    /// Beside the file's name.
    Beside(Vec<(&'static str, String)>),
    /// In a table of the format.
    Own(Vec<(&'static str, String)>),
    /// There are none.
    None,
}

fn parameters(format: &TraceFormat) -> Parameters {
    match format {
        TraceFormat::Csv(columns) => Parameters::Beside(csv(columns)),
        TraceFormat::AzureLlm { base_ns, context_token_ns, generated_token_ns } => {
            Parameters::Own(vec![
                ("base", time(*base_ns)),
                ("context_token", time(*context_token_ns)),
                ("generated_token", time(*generated_token_ns)),
            ])
        }
        TraceFormat::TwitterCache { service: Some(ByteLaw { base_ns, byte_ns }) } => {
            Parameters::Own(vec![("base", time(*base_ns)), ("byte", time(*byte_ns))])
        }
        TraceFormat::AlibabaCallgraph { dm: Some(dm) } => Parameters::Own(vec![("dm", quote(dm))]),
        TraceFormat::AccessLog { stamp, request_time_unit_ns, key } => {
            let stamp = if *stamp == Stamp::End { "end" } else { "start" };
            let key = if *key == LogKey::Path { "path" } else { "client" };
            Parameters::Own(vec![
                ("stamp", quote(stamp)),
                ("request_time", request_time_unit_ns.map_or_else(|| quote("none"), unit)),
                ("key", quote(key)),
            ])
        }
        TraceFormat::AzureFunctions2021
        | TraceFormat::TwitterCache { service: None }
        | TraceFormat::AlibabaCallgraph { dm: None }
        | TraceFormat::Wikimedia2019
        | TraceFormat::Wikibench => Parameters::None,
    }
}

fn csv(columns: &CsvColumns) -> Vec<(&'static str, String)> {
    let CsvColumns { time, time_unit_ns, service, service_unit_ns, key, origin } = columns;
    let mut keys = vec![("time", quote(time)), ("time_unit", unit(*time_unit_ns))];
    keys.extend(service.as_ref().map(|service| ("service", quote(service))));
    keys.push(("service_unit", unit(*service_unit_ns)));
    keys.extend(key.as_ref().map(|key| ("key", quote(key))));
    let origin = if *origin == TimeOrigin::Zero { "zero" } else { "first" };
    keys.push(("origin", quote(origin)));
    keys
}

fn unit(ns: Nanos) -> String {
    let known = ["ns", "us", "ms", "s", "min"];
    quote(known.into_iter().find(|unit| parse_unit(unit) == Some(ns)).unwrap_or("ns"))
}
