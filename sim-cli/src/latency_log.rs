//! The latencies of one run as an `HdrHistogram` interval log (V2, deflated) [ns].
//!
//! One interval, the measurement window, counted from the start of the simulation. No clock is
//! asked, so equal runs write equal bytes.

use std::io::{self, Write};
use std::time::Duration;

use hdrhistogram::serialization::V2DeflateSerializer;
use hdrhistogram::serialization::interval_log::{
    IntervalLogWriterBuilder, IntervalLogWriterError, Tag,
};
use sim_core::config::Scenario;
use sim_core::result::RunResult;
use sim_core::time::MILLISECOND;

/// Writes the log of one run of the policy called `label`.
///
/// # Errors
/// If `writer` fails.
pub fn write(
    scenario: &Scenario,
    label: &str,
    run: &RunResult,
    writer: &mut impl Write,
) -> io::Result<()> {
    let mut serializer = V2DeflateSerializer::new();
    let mut log = IntervalLogWriterBuilder::new()
        .add_comment("[Histogram log format version 1.3]")
        // The two lines that readers take for the start of the clock, with simulated time.
        .add_comment("[StartTime: 0.000 (seconds since epoch), simulated time]")
        .add_comment("[Latency of measured ok requests in ns; the interval's maximum in ms]")
        .with_max_value_divisor(MILLISECOND as f64)
        .begin_log_with(writer, &mut serializer)?;
    let window_ns = scenario.duration_ns.saturating_sub(scenario.warmup_ns);
    log.write_histogram(
        &run.latency.to_histogram(),
        Duration::from_nanos(scenario.warmup_ns),
        Duration::from_nanos(window_ns),
        Tag::new(label),
    )
    .map_err(|error| match error {
        IntervalLogWriterError::IoError(error) => error,
        // Only a histogram too large for the format; ours have fixed bounds.
        IntervalLogWriterError::SerializeError(error) => io::Error::other(error),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture;
    use base64::Engine as _;
    use hdrhistogram::Histogram;
    use hdrhistogram::serialization::Deserializer;
    use hdrhistogram::serialization::interval_log::{IntervalLogIterator, LogEntry};

    #[test]
    fn what_is_written_reads_back_as_the_same_histogram() {
        let scenario = fixture::scenario();
        let run = &fixture::runs(&scenario)[0];
        let mut log = Vec::new();
        write(&scenario, "random", run, &mut log).expect("memory");

        let intervals: Vec<_> = IntervalLogIterator::new(&log)
            .filter_map(|entry| match entry.expect("a valid line") {
                LogEntry::Interval(interval) => Some(interval),
                _ => None,
            })
            .collect();
        let [interval] = &intervals[..] else { panic!("{} intervals", intervals.len()) };
        assert_eq!(interval.tag().map(|tag| tag.as_str()), Some("random"));
        assert_eq!(interval.start_timestamp(), Duration::from_secs(1));
        assert_eq!(interval.duration(), Duration::from_secs(9));
        let bytes = base64::engine::general_purpose::STANDARD
            .decode(interval.encoded_histogram())
            .expect("base64");
        let read: Histogram<u64> =
            Deserializer::new().deserialize(&mut &bytes[..]).expect("a histogram");
        assert_eq!(read, run.latency.to_histogram());
    }
}
