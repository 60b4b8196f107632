//! Times as text, converted exactly: no floating point where a text can be read without.

use sim_core::time::{Nanos, SECOND};

/// A time of `unit_ns`, rounded to the nearest ns.
///
/// Plain decimals are converted exactly: seconds since 1970 with nine decimals have more digits than
/// an `f64`. Numbers with an exponent, as other programs write very small ones, do go through `f64`.
pub fn parse_nanos(text: &str, unit_ns: Nanos) -> Option<Nanos> {
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

/// `2023-11-16 18:15:46.6805900`, with `T` for the space and a zone (`Z`, `+00:00`) if need be: ns
/// since 1970.
pub fn parse_date_time(text: &str) -> Option<i64> {
    let (date, rest) = text.split_at_checked(10)?;
    let [year, month, day] = split_exactly(date, '-')?;
    let rest = rest.strip_prefix([' ', 'T'])?;
    let zone_at = rest.find(['Z', '+', '-']).unwrap_or(rest.len());
    let (time, zone) = rest.split_at(zone_at);
    let offset_s = match zone {
        "" | "Z" => 0,
        _ => parse_zone(&zone.replace(':', ""))?,
    };
    let (clock, fraction) = time.split_once('.').unwrap_or((time, "0"));
    let fraction_ns = parse_nanos(&format!("0.{fraction}"), SECOND)?;
    let seconds = seconds_since_1970(
        fixed(year, 4)?.into(),
        fixed(month, 2)?,
        fixed(day, 2)?,
        parse_clock(clock)?,
    )?;
    (seconds - offset_s)
        .checked_mul(SECOND.cast_signed())?
        .checked_add(i64::try_from(fraction_ns).ok()?)
}

/// `10/Oct/2000:13:55:36 -0700`, as web servers write it: seconds since 1970.
pub fn parse_log_time(text: &str) -> Option<i64> {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let (stamp, zone) = text.split_once(' ')?;
    let (date, clock) = stamp.split_once(':')?;
    let [day, month, year] = split_exactly(date, '/')?;
    let month = MONTHS.iter().position(|name| *name == month)? as u32 + 1;
    let seconds =
        seconds_since_1970(fixed(year, 4)?.into(), month, fixed(day, 2)?, parse_clock(clock)?)?;
    Some(seconds - parse_zone(zone)?)
}

fn split_exactly<const N: usize>(text: &str, sign: char) -> Option<[&str; N]> {
    text.split(sign).collect::<Vec<_>>().try_into().ok()
}

/// A number of exactly this many digits.
fn fixed(text: &str, digits: usize) -> Option<u32> {
    let fine = text.len() == digits && text.bytes().all(|byte| byte.is_ascii_digit());
    if fine { text.parse().ok() } else { None }
}

/// `13:55:36`: seconds since midnight. A leap second counts as the first one of the next minute.
fn parse_clock(text: &str) -> Option<u32> {
    let [hour, minute, second] = split_exactly(text, ':')?;
    let (hour, minute, second) = (fixed(hour, 2)?, fixed(minute, 2)?, fixed(second, 2)?);
    (hour < 24 && minute < 60 && second <= 60).then_some(hour * 3600 + minute * 60 + second)
}

/// `-0700` or `-07`: seconds ahead of UTC.
fn parse_zone(text: &str) -> Option<i64> {
    let sign = match text.as_bytes().first()? {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let digits = text.get(1..)?;
    let (hours, minutes) = (digits.get(..2)?, digits.get(2..)?);
    let minutes = if minutes.is_empty() { 0 } else { fixed(minutes, 2)? };
    let (hours, minutes) = (fixed(hours, 2)?, minutes);
    (hours < 24 && minutes < 60).then(|| sign * i64::from(hours * 3600 + minutes * 60))
}

/// Days are counted from the 1st of March of year 0, so that the leap day is the last of its year
/// (Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", `days_from_civil`).
fn seconds_since_1970(year: i64, month: u32, day: u32, of_day: u32) -> Option<i64> {
    const DAYS_TO_1970: i64 = 719_468;
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let lengths = [31, 28 + u32::from(leap), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let length = *lengths.get(month.checked_sub(1)? as usize)?;
    if day == 0 || day > length {
        return None;
    }
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = i64::from((153 * ((month + 9) % 12) + 2) / 5 + day - 1);
    let days = era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - DAYS_TO_1970;
    Some(days * 86_400 + i64::from(of_day))
}

#[cfg(test)]
mod tests {
    use sim_core::time::MICROSECOND;

    use super::*;

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

    /// The seconds are those of `date -u -d TEXT +%s`.
    #[test]
    fn dates_are_seconds_since_1970() {
        const S: i64 = SECOND.cast_signed();
        for (text, ns) in [
            ("1970-01-01 00:00:00", Some(0)),
            ("1969-12-31 23:59:59", Some(-S)),
            ("2000-02-29T12:00:00Z", Some(951_825_600 * S)),
            ("2023-11-16 18:15:46.6805900", Some(1_700_158_546 * S + 680_590_000)),
            ("2024-05-10 00:00:00.009930+00:00", Some(1_715_299_200 * S + 9_930_000)),
            ("2024-05-10 02:00:00+02:00", Some(1_715_299_200 * S)),
            ("2010-05-27T09:31:55.63", Some(1_274_952_715 * S + 630_000_000)),
            ("2023-02-29 00:00:00", None),
            ("2023-13-01 00:00:00", None),
            ("2023-01-01 24:00:00", None),
            ("2023-01-01", None),
            ("23-01-01 00:00:00", None),
            ("9999-01-01 00:00:00", None),
            ("2023-01-01 00:00:00+1", None),
            ("2023-01-01\u{e9}00:00:00", None),
        ] {
            assert_eq!(parse_date_time(text), ns, "{text}");
        }
        for (text, seconds) in [
            ("10/Oct/2000:13:55:36 -0700", Some(971_211_336)),
            ("24/Nov/2026:00:00:00 +0000", Some(1_795_478_400)),
            ("24/nov/2026:00:00:00 +0000", None),
            ("24/Nov/2026:00:00:00", None),
            ("", None),
        ] {
            assert_eq!(parse_log_time(text), seconds, "{text}");
        }
    }
}
