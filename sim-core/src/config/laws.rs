//! Reads laws: `service.exponential = { mean = "10ms" }`.

use super::values::{count, duration, number, text};
use super::walk::{Item, Section, Walk, choice};
use crate::law::{DelayLaw, ServiceLaw};
use crate::time::{MILLISECOND, Nanos};

const DELAYS: [&str; 4] = ["constant", "uniform", "exponential", "lognormal"];

const SERVICES: [&str; 8] = [
    "constant",
    "exponential",
    "uniform",
    "erlang",
    "hyperexponential",
    "lognormal",
    "bounded_pareto",
    "empirical",
];

/// Column suffixes of an empirical law's value and their lengths [ns].
const VALUE_UNITS: [(&str, f64); 4] = [("_ns", 1.0), ("_us", 1e3), ("_ms", 1e6), ("_s", 1e9)];

/// A one-way delay. What is missing or wrong is replaced by a stand-in.
pub(super) fn delay(walk: &mut Walk<'_>, item: &Item<'_>) -> Option<DelayLaw> {
    let (variant, inner) = choice(walk, item, &DELAYS, "constant = { mean = \"500us\" }")?;
    let mut s = Section::open(walk, &inner);
    let law = match variant {
        "constant" => DelayLaw::Constant { mean_ns: time(&mut s, walk, "mean", "\"500us\"") },
        "uniform" => DelayLaw::Uniform {
            min_ns: time(&mut s, walk, "min", "\"400us\""),
            max_ns: time(&mut s, walk, "max", "\"600us\""),
        },
        "exponential" => DelayLaw::Exponential {
            mean_ns: time(&mut s, walk, "mean", "\"500us\""),
            min_ns: time(&mut s, walk, "min", "\"100us\" (the smallest delay bounds the tick)"),
        },
        _ => DelayLaw::Lognormal {
            mean_ns: time(&mut s, walk, "mean", "\"500us\""),
            cv: s.need(walk, "cv", "0.5", number).unwrap_or(1.0),
            min_ns: time(&mut s, walk, "min", "\"100us\" (the smallest delay bounds the tick)"),
        },
    };
    s.close(walk);
    Some(law)
}

/// A service-time law. What is missing or wrong is replaced by a stand-in.
pub(super) fn service(walk: &mut Walk<'_>, item: &Item<'_>) -> Option<ServiceLaw> {
    let (variant, inner) = choice(walk, item, &SERVICES, "exponential = { mean = \"10ms\" }")?;
    let mut s = Section::open(walk, &inner);
    let law = match variant {
        "constant" => ServiceLaw::Constant { mean_ns: mean(&mut s, walk) },
        "exponential" => ServiceLaw::Exponential { mean_ns: mean(&mut s, walk) },
        "uniform" => ServiceLaw::Uniform {
            low_ns: time(&mut s, walk, "min", "\"5ms\"") as f64,
            high_ns: time(&mut s, walk, "max", "\"15ms\"") as f64,
        },
        "erlang" => ServiceLaw::Erlang {
            mean_ns: mean(&mut s, walk),
            shape: s.need(walk, "shape", "4", count).unwrap_or(1),
        },
        "hyperexponential" => ServiceLaw::Hyperexponential {
            mean_ns: mean(&mut s, walk),
            cv: s.need(walk, "cv", "2.0", number).unwrap_or(1.0),
        },
        "lognormal" => lognormal(&mut s, walk),
        "bounded_pareto" => ServiceLaw::BoundedPareto {
            low_ns: time(&mut s, walk, "min", "\"1ms\"") as f64,
            high_ns: time(&mut s, walk, "max", "\"1s\"") as f64,
            alpha: s.need(walk, "alpha", "1.5", number).unwrap_or(1.0),
        },
        _ => empirical(&mut s, walk),
    };
    s.close(walk);
    Some(law)
}

/// A required duration; the stand-in is 1 ms.
fn time(s: &mut Section<'_>, walk: &mut Walk<'_>, key: &'static str, example: &str) -> Nanos {
    s.need(walk, key, example, duration).unwrap_or(MILLISECOND)
}

fn mean(s: &mut Section<'_>, walk: &mut Walk<'_>) -> f64 {
    time(s, walk, "mean", "\"10ms\"") as f64
}

/// Log-normal by mean and cv, or by median and standard deviation.
fn lognormal(s: &mut Section<'_>, walk: &mut Walk<'_>) -> ServiceLaw {
    let (median, sd) = (s.get(walk, "median"), s.get(walk, "sd"));
    if median.is_none() && sd.is_none() {
        let mean_ns = mean(s, walk);
        return ServiceLaw::Lognormal {
            mean_ns,
            cv: s.need(walk, "cv", "1.0", number).unwrap_or(1.0),
        };
    }
    for extra in [s.get(walk, "mean"), s.get(walk, "cv")].into_iter().flatten() {
        walk.refuse(&extra, "over-determines the law").allowed =
            Some("mean and cv, or median and sd".into());
    }
    let median_ns = s.need(walk, "median", "\"167ms\"", positive).unwrap_or(MILLISECOND);
    let sd_ns = s.need(walk, "sd", "\"5ms\"", positive).unwrap_or(MILLISECOND);
    from_median(median_ns as f64, sd_ns as f64)
}

/// A duration above 0: the median is divided by, before the validation could look at it.
fn positive(walk: &mut Walk<'_>, item: &Item<'_>) -> Option<Nanos> {
    let ns = duration(walk, item)?;
    if ns == 0 {
        walk.refuse(item, "must be above 0");
    }
    (ns > 0).then_some(ns)
}

/// With `w = exp(sigma^2)`: mean = median sqrt(w) and sd^2 = median^2 w (w - 1), a quadratic in w.
fn from_median(median_ns: f64, sd_ns: f64) -> ServiceLaw {
    let r2 = (sd_ns / median_ns) * (sd_ns / median_ns);
    // w - 1 in a form that does not cancel for a small spread.
    let w_minus_1 = 2.0 * r2 / (1.0 + (1.0 + 4.0 * r2).sqrt());
    ServiceLaw::Lognormal { mean_ns: median_ns * (1.0 + w_minus_1).sqrt(), cv: w_minus_1.sqrt() }
}

/// Measured quantiles from a CSV file.
fn empirical(s: &mut Section<'_>, walk: &mut Walk<'_>) -> ServiceLaw {
    let stand_in = vec![(0.0, 1e6), (1.0, 1e6)];
    let quantiles = s.need(walk, "file", "\"quantiles.csv\"", |walk, item| {
        let file = text(walk, item)?;
        match (walk.read)(&file).and_then(|csv| parse_quantiles(&csv)) {
            Ok(quantiles) => Some(quantiles),
            Err(problem) => {
                walk.refuse(item, problem).allowed = Some(
                    "a CSV file with the columns `probability` (from 0 to 1) and `value_ms` (or \
                     _ns, _us, _s), both increasing"
                        .into(),
                );
                None
            }
        }
    });
    ServiceLaw::Empirical { quantiles: quantiles.unwrap_or(stand_in) }
}

/// Parses `probability,value_ms` lines. Whether they increase is the business of the validation.
fn parse_quantiles(csv: &str) -> Result<Vec<(f64, f64)>, String> {
    let mut lines = csv.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    let header = lines.next().map_or("", |(_, line)| line);
    let columns: Vec<&str> = header.split(',').map(str::trim).collect();
    let probability = columns.iter().position(|column| *column == "probability");
    let value = columns.iter().enumerate().find_map(|(index, column)| {
        let unit = VALUE_UNITS.iter().find(|(suffix, _)| column.ends_with(suffix))?;
        Some((index, unit.1))
    });
    let (Some(probability), Some((value, unit_ns))) = (probability, value) else {
        return Err("the file's header lacks a column".into());
    };
    lines
        .map(|(number, line)| {
            let cells: Vec<&str> = line.split(',').map(str::trim).collect();
            let cell = |index: usize| -> Option<f64> { cells.get(index)?.parse().ok() };
            match (cell(probability), cell(value)) {
                (Some(p), Some(v)) if p.is_finite() && v.is_finite() => Ok((p, v * unit_ns)),
                _ => Err(format!("line {} of the file is not two numbers", number + 1)),
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn median_and_sd_become_mean_and_cv() {
        let ServiceLaw::Lognormal { mean_ns, cv } = from_median(167e6, 5e6) else { panic!("law") };
        let w = 1.0 + cv * cv;
        assert!((mean_ns / w.sqrt() / 167e6 - 1.0).abs() < 1e-12, "median is kept");
        assert!((mean_ns * cv / 5e6 - 1.0).abs() < 1e-12, "sd is kept");
    }

    #[test]
    fn quantiles_in_any_unit_and_column_order() {
        let rows = vec![(0.0, 1e6), (1.0, 3e6)];
        assert_eq!(parse_quantiles("probability,value_ms\n0,1\n\n1,3\n"), Ok(rows.clone()));
        assert_eq!(parse_quantiles("latency_us,probability\n1000,0\n3000,1"), Ok(rows));
        assert!(parse_quantiles("").is_err());
        assert!(parse_quantiles("probability,value\n0,1").is_err());
        let fault = parse_quantiles("probability,value_ms\n0,1\n1,x").expect_err("not a number");
        assert_eq!(fault, "line 3 of the file is not two numbers");
    }
}
