//! Reads `[workload]`: arrivals, keys, timeout, retries.

use super::trace::trace;
use super::tree::{Node, Value};
use super::units::{RATE_FORM, RawRate, parse_rate};
use super::values::{Limit, big_count, count, duration, duration_or_never, flag, number};
use super::walk::{Item, Section, Walk, choice};
use super::{Arrivals, ClientsConfig, ClosedLoop, Retries, WorkloadConfig, clients};
use crate::popularity::Popularity;
use crate::time::SECOND;

const ARRIVALS: [&str; 7] = ["poisson", "constant", "mmpp", "ramp", "burst", "diurnal", "trace"];

/// Share of the requests that may be retried, unless the scenario says otherwise.
const RETRY_BUDGET: f64 = 0.2;
/// What stands beside an arrival process.
const CLOSED_LOOP: &str = "closed_loop";

/// `[workload]`. A percentage is a share of `capacity_per_s`.
pub(super) fn workload(
    walk: &mut Walk<'_>,
    top: &mut Section<'_>,
    capacity_per_s: f64,
) -> WorkloadConfig {
    let example = "{ arrivals.poisson = { rate = \"70%\" } }";
    let section = top.need(walk, "workload", example, |walk, item| Some(Section::open(walk, item)));
    let stand_in = Arrivals::Poisson { rate: 1.0 };
    let mut clients = ClientsConfig::default();
    let Some(mut s) = section else {
        let retries = Retries { max: 0, budget_ppm: 0 };
        let (keys, timeout_ns) = (None, None);
        return WorkloadConfig { arrivals: stand_in, keys, timeout_ns, retries, clients };
    };
    let arrivals = s.need(walk, "arrivals", "{ poisson = { rate = \"70%\" } }", |walk, item| {
        let (open_loop, closed_loop) = split(walk, item);
        clients.closed_loop = closed_loop;
        let Some(open_loop) = open_loop else { return Some(Arrivals::Nothing) };
        arrivals(walk, &Item { path: item.path.clone(), node: &open_loop }, capacity_per_s)
    });
    let keys = s.read(walk, "keys", keys);
    let timeout_ns = s.read(walk, "timeout", duration_or_never).and_then(Limit::get);
    clients.cancel_on_timeout = s.read(walk, "cancel_on_timeout", flag).unwrap_or(false);
    let retries = match s.get(walk, "retries") {
        Some(item) => retries(walk, &item, &mut clients),
        None => Retries { max: 0, budget_ppm: (RETRY_BUDGET * 1e6) as u32 },
    };
    clients.hedge = s.get(walk, "hedge").map(|item| clients::hedge(walk, &item));
    s.close(walk);
    let arrivals = arrivals.unwrap_or(stand_in);
    WorkloadConfig { arrivals, keys, timeout_ns, retries, clients }
}

fn retries(walk: &mut Walk<'_>, item: &Item<'_>, clients: &mut ClientsConfig) -> Retries {
    let mut s = Section::open(walk, item);
    let max = s.need(walk, "max", "1", count).unwrap_or(0);
    let budget_ppm = s.read(walk, "budget", clients::share);
    clients::retries(walk, &mut s, clients);
    s.close(walk);
    Retries { max, budget_ppm: budget_ppm.unwrap_or((RETRY_BUDGET * 1e6) as u32) }
}

/// Clients that wait for their answers stand beside an arrival process or alone: takes them out, and
/// leaves the process, if there is one.
fn split(walk: &mut Walk<'_>, item: &Item<'_>) -> (Option<Node>, Option<ClosedLoop>) {
    let (mut open_loop, mut closed_loop) = (item.node.clone(), None);
    if let (Value::Table(all), Value::Table(rest)) = (&item.node.value, &mut open_loop.value) {
        rest.retain(|entry| entry.key != CLOSED_LOOP);
        if rest.len() < all.len() {
            let mut s = Section::open(walk, item);
            let found = s.get(walk, CLOSED_LOOP);
            closed_loop = found.map(|item| clients::closed_loop(walk, &item));
            if rest.is_empty() {
                return (None, closed_loop);
            }
        }
    }
    (Some(open_loop), closed_loop)
}

fn arrivals(walk: &mut Walk<'_>, item: &Item<'_>, capacity_per_s: f64) -> Option<Arrivals> {
    let (variant, inner) = choice(walk, item, &ARRIVALS, "poisson = { rate = \"70%\" }")?;
    let mut s = Section::open(walk, &inner);
    let rate = |walk: &mut Walk<'_>, s: &mut Section<'_>, key: &'static str| {
        let read = |walk: &mut Walk<'_>, item: &Item<'_>| rate_of(walk, item, Some(capacity_per_s));
        s.need(walk, key, "\"70%\"", read).unwrap_or(1.0)
    };
    let arrivals = match variant {
        "poisson" => Arrivals::Poisson { rate: rate(walk, &mut s, "rate") },
        "constant" => Arrivals::Constant { rate: rate(walk, &mut s, "rate") },
        "mmpp" => Arrivals::Mmpp {
            rate_low: rate(walk, &mut s, "low"),
            rate_high: rate(walk, &mut s, "high"),
            dwell_low_ns: s.need(walk, "dwell_low", "\"1s\"", duration).unwrap_or(SECOND),
            dwell_high_ns: s.need(walk, "dwell_high", "\"100ms\"", duration).unwrap_or(SECOND),
        },
        "burst" => Arrivals::Burst {
            rate: rate(walk, &mut s, "rate"),
            peak: rate(walk, &mut s, "peak"),
            at_ns: s.need(walk, "at", "\"5s\"", duration).unwrap_or(SECOND),
            for_ns: s.need(walk, "for", "\"1s\"", duration).unwrap_or(SECOND),
        },
        "ramp" => Arrivals::Ramp {
            from: rate(walk, &mut s, "from"),
            to: rate(walk, &mut s, "to"),
            over_ns: s.need(walk, "over", "\"10s\"", duration).unwrap_or(SECOND),
        },
        "diurnal" => Arrivals::Diurnal {
            mean: rate(walk, &mut s, "mean"),
            amplitude: s.need(walk, "amplitude", "0.5", number).unwrap_or(0.0),
            period_ns: s.need(walk, "period", "\"10s\"", duration).unwrap_or(SECOND),
        },
        _ => Arrivals::Trace(trace(&mut s, walk, |walk, item| rate_of(walk, item, None))),
    };
    s.close(walk);
    Some(arrivals)
}

/// What requests are about.
fn keys(walk: &mut Walk<'_>, item: &Item<'_>) -> Option<Popularity> {
    let example = "zipf = { count = 10000, exponent = 1.0 }";
    let (variant, inner) = choice(walk, item, &["zipf", "uniform"], example)?;
    let mut s = Section::open(walk, &inner);
    let count = s.need(walk, "count", "10000", big_count).unwrap_or(1);
    let popularity = if variant == "zipf" {
        let exponent = s.need(walk, "exponent", "1.0", number).unwrap_or(1.0);
        Popularity::Zipf { count, exponent }
    } else {
        Popularity::Uniform { count }
    };
    s.close(walk);
    Some(popularity)
}

/// A rate; a percentage needs a capacity to be a share of.
fn rate_of(walk: &mut Walk<'_>, item: &Item<'_>, capacity_per_s: Option<f64>) -> Option<f64> {
    let written = match &item.node.value {
        Value::Text(written) => written,
        Value::Whole(Some(whole)) => {
            let fault = walk.refuse(item, "a rate needs a unit");
            fault.allowed = Some(RATE_FORM.into());
            fault.fix = Some(format!("write \"{whole}/s\""));
            return None;
        }
        _ => {
            walk.refuse(item, "must be a rate in quotes").allowed = Some(RATE_FORM.into());
            return None;
        }
    };
    match (parse_rate(written), capacity_per_s) {
        (Ok(RawRate::PerSecond(rate)), _) => Some(rate),
        (Ok(RawRate::Share(share)), Some(capacity)) => Some(share * capacity),
        (Ok(RawRate::Share(_)), None) => {
            let problem = "a trace brings its own arrivals: they are no share of the capacity";
            walk.refuse(item, problem).fix =
                Some("write the trace's arrivals a second, \"1000/s\" say, or leave it out".into());
            None
        }
        (Err(reason), _) => {
            walk.refuse(item, format!("not a rate: {reason}")).allowed = Some(RATE_FORM.into());
            None
        }
    }
}
