//! Numbers and durations as people read them.

use sim_core::stats::Interval;
use sim_core::time::{MICROSECOND, MILLISECOND, Nanos, SECOND};

/// Most digits shown after the point.
const DECIMALS_MOST: i32 = 9;

/// A mean with as many digits as its precision deserves, and `±` its half-width where known.
pub fn estimate(interval: &Interval, unit: &str) -> String {
    let Interval { mean, half_width } = *interval;
    match half_width {
        // Two digits of the half-width; the mean goes exactly as far.
        Some(half_width) if !is_rounding(half_width, mean) => {
            let decimals = decimals(half_width, 2);
            format!("{mean:.decimals$} ± {half_width:.decimals$}")
        }
        Some(_) => format!("{} ± 0", plain(mean, unit)),
        None => plain(mean, unit),
    }
}

/// Whether a difference between numbers of the size of `value` is no more than rounding leaves.
pub fn is_rounding(difference: f64, value: f64) -> bool {
    difference.abs() <= 1e-12 * value.abs()
}

/// Four significant digits, but integers whole, and shares near 1 never rounded up to it.
pub fn plain(value: f64, unit: &str) -> String {
    let decimals = match unit {
        _ if value.fract() == 0.0 => 0,
        "share" => decimals(value, 4).min(4).max(decimals(1.0 - value, 2)),
        _ => decimals(value, 4),
    };
    format!("{value:.decimals$}")
}

/// Digits after the point that show `significant` digits of `value`.
fn decimals(value: f64, significant: i32) -> usize {
    if value == 0.0 || !value.is_finite() {
        return 0;
    }
    let magnitude = value.abs().log10().floor() as i32;
    (significant - 1 - magnitude).clamp(0, DECIMALS_MOST) as usize
}

/// A length of time in the largest unit below it: `100 ms`, `1.5 s`.
pub fn duration(ns: Nanos) -> String {
    let (unit_ns, unit) = [(SECOND, "s"), (MILLISECOND, "ms"), (MICROSECOND, "µs")]
        .into_iter()
        .find(|(unit_ns, _)| ns >= *unit_ns)
        .unwrap_or((1, "ns"));
    format!("{} {unit}", plain(ns as f64 / unit_ns as f64, ""))
}

/// A time of the real world, about: `3 min`; `?` for one that is not known.
pub fn span(seconds: f64) -> String {
    match seconds {
        s if s.is_nan() => "?".to_owned(),
        s if s < 1.0 => "1 s".to_owned(),
        s if s < 100.0 => format!("{s:.0} s"),
        s if s < 6_000.0 => format!("{:.0} min", s / 60.0),
        s if s < 360_000.0 => format!("{:.1} h", s / 3_600.0),
        s => format!("{:.0} days", s / 86_400.0),
    }
}

/// `1 server`, `2 servers`.
pub fn counted(count: u64, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_as_exact_as_they_are_known() {
        for (seconds, text) in [
            (f64::NAN, "?"),
            (0.2, "1 s"),
            (59.6, "60 s"),
            (600.0, "10 min"),
            (7_200.0, "2.0 h"),
            (864_000.0, "10 days"),
        ] {
            assert_eq!(span(seconds), text);
        }
    }

    #[test]
    fn plain_numbers_have_four_significant_digits() {
        for (value, text) in [
            (0.0, "0"),
            (12.0, "12"),
            (123_456.7, "123457"),
            (12.345_6, "12.35"),
            (0.001_234_56, "0.001235"),
            (-2.5, "-2.500"),
            (1e-300, "0.000000000"),
            (f64::INFINITY, "inf"),
            (f64::NAN, "NaN"),
        ] {
            assert_eq!(plain(value, "ms"), text);
        }
    }

    #[test]
    fn a_share_below_one_is_never_shown_as_one() {
        for (value, text) in
            [(1.0, "1"), (0.5, "0.5000"), (0.999_994, "0.9999940"), (0.000_012, "0.0000")]
        {
            assert_eq!(plain(value, "share"), text);
        }
    }

    #[test]
    fn an_interval_shows_two_digits_of_its_half_width() {
        let text = |mean, half_width| estimate(&Interval { mean, half_width }, "ms");
        assert_eq!(text(12.3456, Some(0.0234)), "12.346 ± 0.023");
        assert_eq!(text(1234.5, Some(120.0)), "1234 ± 120");
        assert_eq!(text(12.3456, Some(0.0)), "12.35 ± 0");
        assert_eq!(text(0.99, Some(1e-16)), "0.9900 ± 0");
        assert_eq!(text(12.3456, None), "12.35");
    }

    #[test]
    fn durations_take_the_largest_unit_below_them() {
        for (ns, text) in [
            (0, "0 ns"),
            (999, "999 ns"),
            (1_500, "1.500 µs"),
            (100_000_000, "100 ms"),
            (90_000_000_000, "90 s"),
        ] {
            assert_eq!(duration(ns), text);
        }
    }
}
