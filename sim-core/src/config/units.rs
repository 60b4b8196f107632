//! Texts with a unit: durations, rates, ranges of servers, comparisons.

use std::ops::Range;

use super::Comparison;
use crate::time::{MICROSECOND, MILLISECOND, Nanos, SECOND};

/// Longest duration a scenario may hold [ns]. Four of them still fit into `u64`.
pub(super) const DURATION_NS_MAX: Nanos = u64::MAX / 4;

/// What a duration looks like, for messages.
pub(super) const DURATION_FORM: &str =
    "a number with a unit in quotes: \"500us\", \"1.5ms\", \"20s\" (ns, us, ms, s, min, h)";

/// What a rate looks like, for messages.
pub(super) const RATE_FORM: &str = "requests in time (\"1000/s\", \"2.5/ms\", \"600/min\") or a share of the fleet's capacity (\"70%\")";

/// A rate as written.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum RawRate {
    /// Requests a second.
    PerSecond(f64),
    /// A share of the fleet's capacity; 1.0 is all of it.
    Share(f64),
}

/// Parses `"500us"`; an error is the reason.
pub(super) fn parse_duration(text: &str) -> Result<Nanos, String> {
    let text = text.trim();
    if text.starts_with('-') {
        return Err("a duration cannot be negative".into());
    }
    if !text.is_empty() && text.chars().all(|c| c.is_ascii_digit() || matches!(c, '.' | '_')) {
        return Err("the unit is missing".into());
    }
    let duration = humantime::parse_duration(text).map_err(|error| match error {
        humantime::DurationError::UnknownUnit { unit, .. } if unit.is_empty() => {
            "the unit is missing".into()
        }
        humantime::DurationError::UnknownUnit { unit, .. } => format!("unknown unit `{unit}`"),
        humantime::DurationError::NumberOverflow => {
            "too large, or finer than a nanosecond".to_owned()
        }
        _ => "not a duration".into(),
    })?;
    u64::try_from(duration.as_nanos())
        .ok()
        .filter(|ns| *ns <= DURATION_NS_MAX)
        .ok_or_else(|| "longer than 146 years".into())
}

/// Writes a duration in the largest unit that keeps it exact: `1500us`, `20s`.
pub(super) fn format_duration(ns: Nanos) -> String {
    [(SECOND, "s"), (MILLISECOND, "ms"), (MICROSECOND, "us")]
        .into_iter()
        .find(|(unit, _)| ns > 0 && ns.is_multiple_of(*unit))
        .map_or_else(|| format!("{ns}ns"), |(unit, name)| format!("{}{name}", ns / unit))
}

/// Parses `"1000/s"` or `"70%"`; an error is the reason. The number is finite and above 0.
pub(super) fn parse_rate(text: &str) -> Result<RawRate, String> {
    let text = text.trim();
    if let Some(number) = text.strip_suffix('%') {
        return Ok(RawRate::Share(parse_positive(number)? / 100.0));
    }
    let Some((number, unit)) = text.split_once('/') else {
        return Err("the unit is missing".into());
    };
    let per_second = match unit.trim() {
        "us" => 1e6,
        "ms" => 1e3,
        "s" | "sec" => 1.0,
        "min" | "m" => 1.0 / 60.0,
        "h" => 1.0 / 3600.0,
        unknown => return Err(format!("unknown unit `/{unknown}`")),
    };
    Ok(RawRate::PerSecond(parse_positive(number)? * per_second))
}

fn parse_positive(text: &str) -> Result<f64, String> {
    let text = text.trim().replace('_', "");
    let number: f64 = text.parse().map_err(|_| format!("`{text}` is not a number"))?;
    if number.is_finite() && number > 0.0 { Ok(number) } else { Err("must be above 0".into()) }
}

/// The length of a unit of time: `"us"`.
pub(super) fn parse_unit(text: &str) -> Option<Nanos> {
    Some(match text {
        "ns" => 1,
        "us" => MICROSECOND,
        "ms" => MILLISECOND,
        "s" => SECOND,
        "min" => 60 * SECOND,
        _ => return None,
    })
}

/// Parses `"0..5"` (5 excluded) or `"3"`.
pub(super) fn parse_ids(text: &str) -> Option<Range<u32>> {
    if let Some((start, end)) = text.split_once("..") {
        return Some(start.trim().parse().ok()?..end.trim().parse().ok()?);
    }
    let only: u32 = text.trim().parse().ok()?;
    Some(only..only.checked_add(1)?)
}

/// Parses `">= 0.99"`.
pub(super) fn parse_bound(text: &str) -> Option<(Comparison, f64)> {
    let text = text.trim();
    // The longer signs first: `<=` also starts with `<`.
    let (comparison, number) = [
        ("<=", Comparison::LessOrEqual),
        (">=", Comparison::GreaterOrEqual),
        ("<", Comparison::Less),
        (">", Comparison::Greater),
    ]
    .into_iter()
    .find_map(|(sign, comparison)| Some((comparison, text.strip_prefix(sign)?)))?;
    let bound: f64 = number.trim().parse().ok()?;
    bound.is_finite().then_some((comparison, bound))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_round_trip() {
        for (text, ns) in [
            ("500us", 500_000),
            ("1.5ms", 1_500_000),
            ("20s", 20 * SECOND),
            ("7ns", 7),
            ("2min", 120 * SECOND),
            ("10 ms", 10_000_000),
            ("0s", 0),
        ] {
            assert_eq!(parse_duration(text), Ok(ns), "{text}");
            assert_eq!(parse_duration(&format_duration(ns)), Ok(ns), "{text}");
        }
    }

    #[test]
    fn bad_durations_say_why() {
        for (text, reason) in [
            ("90", "the unit is missing"),
            ("10mz", "unknown unit `mz`"),
            ("-5ms", "a duration cannot be negative"),
            ("0.1ns", "too large, or finer than a nanosecond"),
            ("400000days", "longer than 146 years"),
            ("soon", "not a duration"),
            ("", "not a duration"),
        ] {
            assert_eq!(parse_duration(text), Err(reason.into()), "{text}");
        }
    }

    #[test]
    fn rates_in_every_unit() {
        assert_eq!(parse_rate("1000/s"), Ok(RawRate::PerSecond(1000.0)));
        assert_eq!(parse_rate("2.5/ms"), Ok(RawRate::PerSecond(2500.0)));
        assert_eq!(parse_rate("600/min"), Ok(RawRate::PerSecond(10.0)));
        assert_eq!(parse_rate("70%"), Ok(RawRate::Share(0.7)));
        for bad in
            ["1000", "x/s", "10/fortnight", "0/s", "-1/s", "nan/s", "inf/s", "NaN%", "%", "/"]
        {
            assert!(parse_rate(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn ids_and_bounds() {
        assert_eq!(parse_ids("0..5"), Some(0..5));
        assert_eq!(parse_ids("3"), Some(3..4));
        assert_eq!(parse_ids("5.."), None);
        assert_eq!(parse_ids("4294967295"), None);
        assert_eq!(parse_bound(">= 0.99"), Some((Comparison::GreaterOrEqual, 0.99)));
        assert_eq!(parse_bound("<5"), Some((Comparison::Less, 5.0)));
        assert_eq!(parse_bound("= 5"), None);
        assert_eq!(parse_bound("< nan"), None);
    }
}
