//! What of a run stands beside a column of a table. All in services, the unit of the tables.

use sim_core::latency_table::{bucket_of, highest_of};
use sim_core::result::Outcome;

use super::experiment::{SERVICE_NS, Seen};

const UNIT: f64 = SERVICE_NS as f64;

/// Mean sojourn time at the servers of answered requests: latency less the way there and back.
pub fn mean_sojourn(seen: &Seen<'_>) -> Option<f64> {
    Some(mean_latency(seen)? - seen.wire())
}

/// Mean latency of answered requests.
pub fn mean_latency(seen: &Seen<'_>) -> Option<f64> {
    let answered = seen.run.measured.of(Outcome::Ok);
    (answered > 0).then(|| seen.run.latency_sum_ns as f64 / answered as f64 / UNIT)
}

/// Mean wait of those served, as the servers count it.
pub fn mean_wait(seen: &Seen<'_>) -> Option<f64> {
    (seen.run.served > 0).then(|| seen.run.wait_sum_ns as f64 / seen.run.served as f64 / UNIT)
}

/// Share of those served that waited at all, as the servers count it.
pub fn waited(seen: &Seen<'_>) -> Option<f64> {
    (seen.run.served > 0).then(|| seen.run.waited as f64 / seen.run.served as f64)
}

/// Standard deviation of the sojourn time: of the latency, for the way is constant.
pub fn sd_sojourn(seen: &Seen<'_>) -> Option<f64> {
    (!seen.run.latency.is_empty()).then(|| seen.run.latency.to_histogram().stdev() / UNIT)
}

/// A quantile of the sojourn time: the middle of the bucket it falls into.
fn quantile(seen: &Seen<'_>, q: f64) -> Option<f64> {
    let highest = seen.run.latency.quantile_ns(q)?;
    let bucket = bucket_of(highest);
    let below = bucket.checked_sub(1).map_or(0, highest_of);
    let middle = f64::midpoint(below as f64, highest_of(bucket) as f64);
    Some(middle / UNIT - seen.wire())
}

/// Median of the sojourn time.
pub fn sojourn_p50(seen: &Seen<'_>) -> Option<f64> {
    quantile(seen, 0.5)
}

/// 90th percentile of the sojourn time.
pub fn sojourn_p90(seen: &Seen<'_>) -> Option<f64> {
    quantile(seen, 0.9)
}

/// 99th percentile of the sojourn time.
pub fn sojourn_p99(seen: &Seen<'_>) -> Option<f64> {
    quantile(seen, 0.99)
}

/// 99.9th percentile of the sojourn time.
pub fn sojourn_p999(seen: &Seen<'_>) -> Option<f64> {
    quantile(seen, 0.999)
}

/// Requests at the servers, in service and waiting: mean of samples in time, so not the mean sojourn time
/// in other words (Little's law would make it so).
pub fn in_system(seen: &Seen<'_>) -> Option<f64> {
    seen.sampled(|bin| (bin.active + bin.waiting) as f64)
}

/// The same a server.
pub fn in_system_each(seen: &Seen<'_>) -> Option<f64> {
    Some(in_system(seen)? / seen.servers())
}

/// Requests waiting at the servers: mean of samples in time.
pub fn waiting(seen: &Seen<'_>) -> Option<f64> {
    seen.sampled(|bin| bin.waiting as f64)
}

/// Share of the samples in which every slot of the fleet is busy. Poisson arrivals see time averages, so
/// where a request waits only if all are busy, this is the share of requests that wait.
pub fn all_busy(seen: &Seen<'_>) -> Option<f64> {
    let slots = seen.slots() as u64;
    seen.sampled(|bin| f64::from(u8::from(bin.active >= slots)))
}

/// Busy slots, by the exact sum of service times inside the window.
pub fn busy(seen: &Seen<'_>) -> Option<f64> {
    let busy_ns: u128 = seen.run.servers.iter().map(|server| server.busy_ns).sum();
    Some(busy_ns as f64 / UNIT / seen.window())
}

/// The same as a share of the slots.
pub fn utilisation(seen: &Seen<'_>) -> Option<f64> {
    Some(busy(seen)? / seen.slots())
}

/// Share of requests turned away, by the servers or by the node that knows them to be full.
pub fn blocked(seen: &Seen<'_>) -> Option<f64> {
    Some(seen.share(Outcome::Refused)? + seen.share(Outcome::Rejected)?)
}

/// Answered requests in one service.
pub fn throughput(seen: &Seen<'_>) -> Option<f64> {
    Some(seen.run.measured.of(Outcome::Ok) as f64 / seen.window())
}

/// Share of requests that were answered: 1 where nothing refuses and nothing breaks.
pub fn answered(seen: &Seen<'_>) -> Option<f64> {
    seen.share(Outcome::Ok)
}

/// Share of requests that were answered or turned away: 1 where nothing breaks.
pub fn accounted(seen: &Seen<'_>) -> Option<f64> {
    Some(answered(seen)? + blocked(seen)?)
}
