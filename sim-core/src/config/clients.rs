//! What clients do beyond waiting: `[workload.retries]` past number and budget, `[workload.hedge]`,
//! `workload.cancel_on_timeout`, `arrivals.closed_loop`.

use super::laws;
use super::tree::Value;
use super::units::{DURATION_FORM, parse_duration};
use super::values::{count, duration, flag, number, word};
use super::walk::{Item, Section, Walk, list};
use crate::law::ServiceLaw;
use crate::time::{MILLISECOND, Nanos, SECOND};

/// What clients do beyond waiting. By default: nothing, and retries are made at once.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ClientsConfig {
    /// What a request is retried for.
    pub retry_on: RetryOn,
    /// Which servers a retry passes over.
    pub avoid: Avoid,
    /// How long a retry waits; `None`: not at all.
    pub backoff: Option<Backoff>,
    /// An attempt is given up this long after it was sent [ns]; `None`: never.
    pub attempt_timeout_ns: Option<Nanos>,
    /// Retries a second that a node may always make, besides its share of requests. 0 or more.
    pub budget_min_per_s: f64,
    /// Most requests of a node that may be at a retry at once; `None`: any number.
    pub concurrency: Option<RetryConcurrency>,
    /// Second attempts before the first has ended; `None`: none.
    pub hedge: Option<Hedge>,
    /// A server is told when nobody waits any more for an attempt.
    pub cancel_on_timeout: bool,
    /// Clients that wait for their answers; `None`: none.
    pub closed_loop: Option<ClosedLoop>,
}

/// The ends of an attempt after which its request is retried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "a set of four")]
pub struct RetryOn {
    /// The server was full.
    pub refused: bool,
    /// The server crashed with it.
    pub lost: bool,
    /// The server answered with an error.
    pub failed: bool,
    /// Its own timeout ran out.
    pub timed_out: bool,
}

/// What the word for each of them is, in the order in which they are written.
pub const RETRY_CAUSES: [&str; 4] = ["refused", "lost", "failed", "timed_out"];

impl RetryOn {
    /// Whether each is in the set, in the order of [`RETRY_CAUSES`].
    pub const fn flags(self) -> [bool; 4] {
        [self.refused, self.lost, self.failed, self.timed_out]
    }

    const fn of([refused, lost, failed, timed_out]: [bool; 4]) -> Self {
        Self { refused, lost, failed, timed_out }
    }
}

impl Default for RetryOn {
    /// Whatever a server can do to an attempt.
    fn default() -> Self {
        Self { refused: true, lost: true, failed: true, timed_out: false }
    }
}

/// Which servers a retry passes over. Where no other is left, `Tried` is as `Last`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Avoid {
    /// None.
    Nobody,
    /// The one that the last attempt went to.
    #[default]
    Last,
    /// Every one that the request has been sent to.
    Tried,
}

/// Words for it.
pub(super) const AVOID: [(&str, Avoid); 3] =
    [("nobody", Avoid::Nobody), ("last", Avoid::Last), ("tried", Avoid::Tried)];

/// Retry `k` of a request, counted from 0, starts `min(base * 2^k, max) * u` after the end of the
/// attempt before it, `u` uniform in `(1 - jitter, 1]`.
///
/// With jitter 1 it is the "full jitter" of M. Brooker, "Exponential Backoff And Jitter" (AWS
/// Architecture Blog, 2015); with 0 there is none.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Backoff {
    /// Longest wait of the first retry [ns]. Above 0.
    pub base_ns: Nanos,
    /// Longest wait of any [ns]. At least `base_ns`.
    pub max_ns: Nanos,
    /// In `[0, 1]`.
    pub jitter: f64,
}

/// At a node of `n` requests under way, a further one may begin to be retried while fewer than
/// `max(min, share * n)` are: Envoy's retry budget (20 %, 3), written
/// `retries = { max = 1, budget = 100, concurrency = {} }`.
///
/// What differs: Envoy counts a retry until its attempt ends, and here a request counts from its first
/// retry to its own end; Envoy counts a cluster's requests in one proxy, and here it is those of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryConcurrency {
    /// Share of the requests under way [millionths].
    pub share_ppm: u32,
    /// That many in any case.
    pub min: u32,
}

/// Further attempts of a request while it has some on their way, each to a server that it has not
/// been sent to; the first good answer wins. (J. Dean, L. A. Barroso, "The Tail at Scale", 2013.)
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Hedge {
    /// When the next one is due, counted from the last attempt of the request.
    pub after: HedgeAfter,
    /// Most of them a request. At least 1.
    pub max: u32,
    /// Hedges a node may spend, as a share of the requests it receives, in millionths; it starts with
    /// 10 in hand and saves up to 100.
    pub budget_ppm: u32,
    /// Hedges a second that a node may always make. 0 or more.
    pub budget_min_per_s: f64,
    /// Servers of attempts that lost are told.
    pub cancel: bool,
}

/// When an attempt is hedged.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum HedgeAfter {
    /// After this long [ns]. Above 0.
    Delay(Nanos),
    /// After a percentile of the latencies that the node itself has measured of late.
    Percentile {
        /// Above 0 and below 100.
        percent: f64,
        /// How often it is worked out anew [ns]. Above 0.
        refresh_ns: Nanos,
        /// And not before this [ns].
        min_ns: Nanos,
    },
}

/// Clients that send a request, wait for its end, think, and send the next.
#[derive(Clone, Debug, PartialEq)]
pub struct ClosedLoop {
    /// How many in the whole fleet; node `i` of `n` starts with the clients `i`, `i + n` ...
    pub clients: u32,
    /// Time between the end of a request and the next one, and before the first.
    pub think: ServiceLaw,
}

/// Share of the requests that may be hedged, unless the scenario says otherwise.
const HEDGE_BUDGET: f64 = 0.1;
/// Largest share of requests that a budget may allow.
pub(super) const BUDGET_MAX: f64 = 100.0;

/// What `[workload.retries]` says beyond number and budget.
pub(super) fn retries(walk: &mut Walk<'_>, s: &mut Section<'_>, clients: &mut ClientsConfig) {
    clients.attempt_timeout_ns = s.read(walk, "attempt_timeout", duration);
    // Who states when an attempt is given up means to try again.
    let by_default =
        RetryOn { timed_out: clients.attempt_timeout_ns.is_some(), ..RetryOn::default() };
    clients.retry_on = s.read(walk, "on", causes).unwrap_or(by_default);
    clients.avoid =
        s.read(walk, "avoid", |walk, item| word(walk, item, &AVOID)).unwrap_or_default();
    clients.budget_min_per_s = s.read(walk, "budget_min", number).unwrap_or(0.0);
    clients.backoff = s.read(walk, "backoff", |walk, item| {
        let mut s = Section::open(walk, item);
        let base_ns = s.need(walk, "base", "\"10ms\"", duration).unwrap_or(MILLISECOND);
        let max_ns = s.read(walk, "max", duration).unwrap_or(base_ns.saturating_mul(10));
        let jitter = s.read(walk, "jitter", number).unwrap_or(1.0);
        s.close(walk);
        Some(Backoff { base_ns, max_ns, jitter })
    });
    clients.concurrency = s.read(walk, "concurrency", |walk, item| {
        let mut s = Section::open(walk, item);
        let share_ppm = s.read(walk, "share", share).unwrap_or(200_000);
        let min = s.read(walk, "min", count).unwrap_or(3);
        s.close(walk);
        Some(RetryConcurrency { share_ppm, min })
    });
}

/// `[workload.hedge]`.
pub(super) fn hedge(walk: &mut Walk<'_>, item: &Item<'_>) -> Hedge {
    let mut s = Section::open(walk, item);
    let refresh_ns = s.read(walk, "refresh", duration).unwrap_or(3 * SECOND);
    let min_ns = s.read(walk, "min", duration).unwrap_or(0);
    let after = s.need(walk, "after", "\"p95\"", |walk, item| {
        Some(match when(walk, item)? {
            When::Delay(ns) => HedgeAfter::Delay(ns),
            When::Percentile(percent) => HedgeAfter::Percentile { percent, refresh_ns, min_ns },
        })
    });
    let hedge = Hedge {
        after: after.unwrap_or(HedgeAfter::Delay(MILLISECOND)),
        max: s.read(walk, "max", count).unwrap_or(1),
        budget_ppm: s.read(walk, "budget", share).unwrap_or((HEDGE_BUDGET * 1e6) as u32),
        budget_min_per_s: s.read(walk, "budget_min", number).unwrap_or(0.0),
        cancel: s.read(walk, "cancel", flag).unwrap_or(true),
    };
    s.close(walk);
    hedge
}

/// `arrivals.closed_loop`.
pub(super) fn closed_loop(walk: &mut Walk<'_>, item: &Item<'_>) -> ClosedLoop {
    let mut s = Section::open(walk, item);
    let clients = s.need(walk, "clients", "100", count).unwrap_or(1);
    let example = "{ exponential = { mean = \"100ms\" } }";
    let think = s.need(walk, "think", example, laws::service);
    s.close(walk);
    let think = think.unwrap_or(ServiceLaw::Constant { mean_ns: 1e6 });
    ClosedLoop { clients, think }
}

/// A share of the requests, 0 to 100, in millionths.
pub(super) fn share(walk: &mut Walk<'_>, item: &Item<'_>) -> Option<u32> {
    let share = number(walk, item)?;
    if !(0.0..=BUDGET_MAX).contains(&share) {
        walk.refuse(item, "is out of range").allowed =
            Some("0 to 100: attempts a request, on average".into());
    }
    // At most 100 million: fits.
    Some((share.clamp(0.0, BUDGET_MAX) * 1e6).round() as u32)
}

fn causes(walk: &mut Walk<'_>, item: &Item<'_>) -> Option<RetryOn> {
    let words: [(&'static str, usize); 4] = std::array::from_fn(|i| (RETRY_CAUSES[i], i));
    if !matches!(item.node.value, Value::List(_)) {
        let fault = walk.refuse_type(item, "a list of words");
        fault.fix = Some("write [\"refused\", \"lost\"], say".into());
        return None;
    }
    let mut flags = [false; 4];
    for item in list(walk, item)? {
        flags[word(walk, &item, &words)?] = true;
    }
    Some(RetryOn::of(flags))
}

enum When {
    Delay(Nanos),
    Percentile(f64),
}

/// `"20ms"`, or `"p95"` and `"p99.9"`.
fn when(walk: &mut Walk<'_>, item: &Item<'_>) -> Option<When> {
    let Value::Text(text) = &item.node.value else {
        walk.refuse_type(item, "a duration or a percentile").allowed = Some(allowed());
        return None;
    };
    if let Some(percent) = text.strip_prefix('p').and_then(|percent| percent.parse::<f64>().ok()) {
        if percent > 0.0 && percent < 100.0 {
            return Some(When::Percentile(percent));
        }
        walk.refuse(item, "is out of range").allowed = Some("above \"p0\", below \"p100\"".into());
        return None;
    }
    match parse_duration(text) {
        Ok(ns) => Some(When::Delay(ns)),
        Err(reason) => {
            walk.refuse(item, format!("neither a duration nor a percentile: {reason}")).allowed =
                Some(allowed());
            None
        }
    }
}

fn allowed() -> String {
    format!("{DURATION_FORM}; or a percentile such as \"p95\"")
}
