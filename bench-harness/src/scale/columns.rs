//! The columns of `scale.csv`: the one table of names, units, meanings and values.

use crate::process::name;
use crate::summary::{high, low, median};

use super::results::{Planned, Results};

/// A column.
pub struct Column {
    pub name: &'static str,
    pub unit: &'static str,
    pub meaning: &'static str,
    pub get: Get,
}

/// How a column gets its value.
pub enum Get {
    Text(fn(&Planned) -> String),
    /// `None`, not known, becomes an empty cell.
    Number(fn(&Results, &Planned) -> Option<f64>),
}

const fn text(name: &'static str, meaning: &'static str, get: fn(&Planned) -> String) -> Column {
    Column { name, unit: "", meaning, get: Get::Text(get) }
}

const fn number(
    name: &'static str,
    unit: &'static str,
    meaning: &'static str,
    get: fn(&Results, &Planned) -> Option<f64>,
) -> Column {
    Column { name, unit, meaning, get: Get::Number(get) }
}

/// All columns, in order.
pub static COLUMNS: &[Column] = &[
    text("policy", "Policy that chose.", |p| name(p.case.point.policy)),
    text(
        "kernel",
        "Server kernel: `fifo` knows at admission when an attempt will finish, `event` completes \
         attempts one by one.",
        |p| name(p.case.point.kernel),
    ),
    number("threads", "threads", "Threads the engine was given.", |_, p| {
        Some(p.case.point.threads.into())
    }),
    number("nodes", "nodes", "LB nodes.", |_, p| Some(p.case.point.nodes.into())),
    number("servers", "servers", "Servers.", |_, p| Some(p.case.point.servers.into())),
    number("requests", "requests", "Requests of a run.", |r, p| {
        r.windowed(&p.case).first().map(|reading| reading.requests as f64)
    }),
    number("repeats", "runs", "Runs behind the medians, each in a process of its own.", |r, p| {
        Some(r.windowed(&p.case).len() as f64)
    }),
    number(
        "threads_used",
        "threads",
        "Most threads that did work of a phase in any run; 1 where no tick held enough work to be \
         split.",
        |r, p| {
            let used = r.windowed(&p.case).into_iter().map(|reading| reading.threads_used).max();
            used.map(f64::from)
        },
    ),
    number(
        "ns_per_request_median",
        "ns",
        "Wall time a request from the first tick to the end of the run, everything included \
         (arrival, choice, service, answer, heartbeats, sampling); set-up is not. Median of the \
         repeats.",
        |r, p| median(&r.ns_per_request(&p.case)),
    ),
    number("ns_per_request_low", "ns", "The least of the same.", |r, p| {
        low(&r.ns_per_request(&p.case))
    }),
    number("ns_per_request_high", "ns", "The largest of the same.", |r, p| {
        high(&r.ns_per_request(&p.case))
    }),
    number("setup_ms_median", "ms", "Wall time of the set-up of a run. Median.", |r, p| {
        let setups = r.windowed(&p.case).into_iter().map(|reading| reading.setup_ns as f64 / 1e6);
        median(&setups.collect::<Vec<_>>())
    }),
    number("requests_per_s", "1/s", "Requests a second: 1e9 over their median time.", |r, p| {
        median(&r.ns_per_request(&p.case)).map(|ns| 1e9 / ns)
    }),
    number(
        "decisions_per_s",
        "1/s",
        "Attempts sent to servers, each a decision of the policy, a second of the same time. \
         Median.",
        |r, p| r.decisions_per_s(&p.case),
    ),
    number(
        "view_updates_per_request",
        "ratio",
        "Heartbeats that reached a node, over requests.",
        |r, p| r.view_updates_per_request(&p.case),
    ),
    number(
        "ns_per_view_update_median",
        "ns",
        "What the same run takes longer with heartbeats ten times as frequent, over the view \
         updates it has more. Both runs have the same requests, but the policy chooses otherwise \
         by newer reports, so what freshness does to the queues is part of the difference; \
         `random` looks at no load, so its figure is that of the update alone. Median of the \
         repeats; empty below 0.5 view updates more a request, where it would be noise, and where \
         it would take too long.",
        |r, p| median(&r.ns_per_view_update(&p.case)),
    ),
    number("ns_per_view_update_low", "ns", "The least of the same.", |r, p| {
        low(&r.ns_per_view_update(&p.case))
    }),
    number("ns_per_view_update_high", "ns", "The largest of the same.", |r, p| {
        high(&r.ns_per_view_update(&p.case))
    }),
    number(
        "peak_memory_mb",
        "MB",
        "Most memory a process ever held, in any repeat [1 MB = 10^6 bytes]; an empty process has \
         some 4 MB.",
        |r, p| r.peak_bytes(&p.case).map(|bytes| bytes / 1e6),
    ),
    number(
        "bytes_per_server",
        "bytes",
        "Rise of peak memory from the fewest servers measured at the same number of nodes, over \
         the servers more: the server, its requests in flight, and what every node believes of it. \
         Empty where the rise is below 1 MB.",
        |r, p| r.bytes_per_server(&p.case),
    ),
    number(
        "bytes_per_view_entry",
        "bytes",
        "Rise of peak memory from the fewest nodes measured at the same number of servers, over \
         the beliefs (nodes x servers) more: a belief, its place in the policy's index, and a \
         node's other state shared out among them. Empty where the rise is below 1 MB.",
        |r, p| r.bytes_per_view_entry(&p.case),
    ),
    number(
        "instructions_per_request",
        "instructions",
        "Instructions a request, counted by callgrind: the difference of two lengths of run over \
         that of their requests. Empty where nobody counted.",
        |r, p| r.instructions.get(&p.case.point).copied(),
    ),
    number(
        "reference_ns_per_request_median",
        "ns",
        "The same run by the reference engine (one global event heap), set-up included. Median; \
         empty where it would take minutes.",
        |r, p| median(&r.reference_ns_per_request(&p.case)),
    ),
    number(
        "ratio_median",
        "ratio",
        "Time of the reference over that of the engine within one repeat, set-up included on both \
         sides. Median.",
        |r, p| median(&r.ratios(&p.case)),
    ),
    number("ratio_low", "ratio", "The least of the same.", |r, p| low(&r.ratios(&p.case))),
    number("ratio_high", "ratio", "The largest of the same.", |r, p| high(&r.ratios(&p.case))),
    number(
        "speedup_median",
        "ratio",
        "Time on one thread over that on `threads` threads within one repeat. Median.",
        |r, p| median(&r.speedups(&p.case)).filter(|_| p.case.point.threads > 1),
    ),
    text("skipped", "Why the point was not measured; empty if it was.", |p| {
        p.skipped.clone().unwrap_or_default()
    }),
];

impl Column {
    /// The text of a cell.
    pub fn cell(&self, results: &Results, planned: &Planned) -> String {
        match self.get {
            Get::Text(get) => get(planned),
            Get::Number(get) => get(results, planned).map(significant).unwrap_or_default(),
        }
    }
}

/// A number to five significant digits, or to the last one before the point: none is known better.
pub fn significant(value: f64) -> String {
    let digits_before = if value == 0.0 { 1 } else { value.abs().log10().floor() as i32 + 1 };
    let digits = (5 - digits_before).max(0) as usize;
    let text = format!("{value:.digits$}");
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use super::super::results::tests::{planned, reading};
    use super::*;

    #[test]
    fn numbers_keep_five_digits_and_no_empty_ones() {
        for (value, text) in [
            (0.0, "0"),
            (4.0, "4"),
            (160.675_285, "160.68"),
            (0.001_234_567, "0.0012346"),
            (16_000_123.0, "16000123"),
            (1_234_567.8, "1234568"),
            (-12.5, "-12.5"),
            (99_999.7, "100000"),
        ] {
            assert_eq!(significant(value), text);
        }
    }

    #[test]
    fn what_is_not_known_is_empty_and_every_name_is_its_own() {
        let mut results = planned(&[1_000], &[8], &[1]);
        let point = results.planned[0].clone();
        let row = |results: &Results| {
            let cells = COLUMNS.iter().map(|column| (column.name, column.cell(results, &point)));
            cells.collect::<std::collections::BTreeMap<_, _>>()
        };
        let bare = row(&results);
        assert_eq!(bare.len(), COLUMNS.len());
        let filled: Vec<_> = bare.iter().filter(|(_, cell)| !cell.is_empty()).collect();
        assert_eq!(filled.len(), 6, "{filled:?}");
        results.readings.insert((point.case.windowed(), 0), reading(123_450, 500, 0));
        let row = row(&results);
        assert_eq!(row["ns_per_request_median"], "123.45");
        assert_eq!(row["view_updates_per_request"], "0.5");
        assert_eq!(row["requests_per_s"], "8100446");
        assert_eq!((row["speedup_median"].as_str(), row["ratio_low"].as_str()), ("", ""));
        assert_eq!((row["servers"].as_str(), row["policy"].as_str()), ("1000", "two_choices"));
    }
}
