//! How servers of a group serve, beyond first in, first out at one speed.
//!
//! Everything in here is a server's own business: no message says so, and no policy knows.

use super::laws::service;
use super::units::{RATE_FORM, RawRate, parse_rate};
use super::values::{count, duration, number, word};
use super::walk::{Item, Section, Walk, choice};
use crate::config::tree::Value;
use crate::law::ServiceLaw;
use crate::time::{MILLISECOND, Nanos, SECOND};

/// See the module documentation. The default is a queue served in order at one speed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Conduct {
    /// Who is served next.
    pub discipline: Discipline,
    /// What is turned away though it was let in.
    pub shed: Shedding,
    /// Work of others that takes the server's speed now and then.
    pub antagonist: Option<Antagonist>,
    /// Slow service after a start.
    pub cold_start: Option<ColdStart>,
    /// Moments in which nothing goes on.
    pub pauses: Option<Pauses>,
    /// Slower the fuller.
    pub slowdown: Option<Crowding>,
}

impl Conduct {
    /// What antagonist and pauses leave of the speed in the long run.
    pub fn mean_speed(&self) -> f64 {
        let beside = self.antagonist.map_or(1.0, |Antagonist { factor, normal_ns, slow_ns }| {
            let share = slow_ns as f64 / (normal_ns as f64 + slow_ns as f64);
            1.0 - share * (1.0 - 1.0 / factor)
        });
        let running = self.pauses.as_ref().map_or(1.0, |Pauses { rate, length }| {
            1.0 / (1.0 + rate * length.mean_ns() / SECOND as f64)
        });
        beside * running
    }
}

/// Who is served next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Discipline {
    /// Who waits longest.
    #[default]
    Fifo,
    /// Who came last. Nobody is put out of a slot.
    Lifo,
    /// All at once: `n` requests share the slots evenly, so that each is served at `slots / n` of
    /// full speed, and at most at full speed. Up to `capacity + backlog` are let in, and none of
    /// them waits.
    ///
    /// What is counted keeps its meaning: in service are `min(n, slots)`, waiting are the others; a
    /// request's service is the slot-time it was given, and its wait the rest of its stay.
    ProcessorSharing,
}

/// What is turned away though it was let in. It is answered like a refusal at once.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Shedding {
    /// Longest wait [ns]: who has waited so long is shed at that moment, as Thrift's queue timeout
    /// and `timeout queue` of `HAProxy` do. Above 0.
    pub queue_timeout_ns: Option<Nanos>,
    /// By the time spent waiting.
    pub codel: Option<CoDel>,
    /// Who came last goes first while there is too much.
    pub adaptive_lifo: Option<AdaptiveLifo>,
}

/// Controlled delay, the variant for servers (Maurer, "Fail at Scale", 2015; `folly::Codel`): looks at
/// the wait of each request that is about to start. If the smallest wait of an interval was above the
/// target, the server is overloaded for the next, and sheds what has waited more than twice the
/// target. Nichols and Jacobson (2012) instead drop ever more often, which needs senders that slow
/// down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CoDel {
    /// Wait that is fine for ever [ns]. Above 0.
    pub target_ns: Nanos,
    /// How long it may be exceeded [ns]. Above `target_ns`.
    pub interval_ns: Nanos,
}

/// When who came last goes first. Below that, who waits longest does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AdaptiveLifo {
    /// While more than this many wait, as in HHVM's job queue.
    Above(u32),
    /// While somebody has been waiting for at least this long without a break [ns].
    After(Nanos),
}

/// Work of others on the same machine: the server goes back and forth between full speed and a
/// slower one, and stays in each for an exponential time. Work in progress slows down and speeds up
/// with it. Its state at time 0 is drawn from the share of time that each has in the long run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Antagonist {
    /// What it divides the speed by, in `1..=1_000_000`.
    pub factor: f64,
    /// Mean stay at full speed [ns]. Above 0.
    pub normal_ns: Nanos,
    /// Mean stay at the slower one [ns]. Above 0.
    pub slow_ns: Nanos,
}

/// Service that starts after the server has started, has been added, or has come back from a crash
/// takes longer: `1 + (factor - 1) * exp(-age / decay)` times as long, where `age` counts from there.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ColdStart {
    /// How much longer at first, in `1..=1_000_000`.
    pub factor: f64,
    /// Time in which the excess falls to 37 % [ns]. Above 0.
    pub decay_ns: Nanos,
}

/// Pauses, as for the collection of garbage: all work in progress stands still. Attempts are let in,
/// refused and cancelled as ever, and heartbeats go out: an agent beside the process sends them.
#[derive(Clone, Debug, PartialEq)]
pub struct Pauses {
    /// Pauses a second of running: the times between them are exponential. Above 0.
    pub rate: f64,
    /// How long one takes.
    pub length: ServiceLaw,
}

/// The more requests are in the server, waiting ones included, the slower it serves each: its speed
/// is divided by `1 + slope * max(0, n - knee)`, at most by a million. Work in progress slows down
/// and speeds up with it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Crowding {
    /// Requests that cost no speed.
    pub knee: u32,
    /// What each further one adds to the divisor. Above 0.
    pub slope: f64,
}

/// The keys of a group that are about its conduct.
pub(super) fn conduct_keys(walk: &mut Walk<'_>, s: &mut Section<'_>) -> Conduct {
    Conduct {
        discipline: s.read(walk, "discipline", discipline).unwrap_or_default(),
        shed: s.read(walk, "shed", |walk, item| Some(shed(walk, item))).unwrap_or_default(),
        antagonist: s.read(walk, "antagonist", |walk, item| Some(antagonist(walk, item))),
        cold_start: s.read(walk, "cold_start", |walk, item| Some(cold_start(walk, item))),
        pauses: s.read(walk, "pauses", |walk, item| Some(pauses(walk, item))),
        slowdown: s.read(walk, "slowdown", |walk, item| Some(slowdown(walk, item))),
    }
}

fn discipline(walk: &mut Walk<'_>, item: &Item<'_>) -> Option<Discipline> {
    let words = [
        ("fifo", Discipline::Fifo),
        ("lifo", Discipline::Lifo),
        ("processor_sharing", Discipline::ProcessorSharing),
    ];
    word(walk, item, &words)
}

fn shed(walk: &mut Walk<'_>, item: &Item<'_>) -> Shedding {
    let mut s = Section::open(walk, item);
    let shed = Shedding {
        queue_timeout_ns: s.read(walk, "queue_timeout", duration),
        codel: s.read(walk, "codel", |walk, item| Some(codel(walk, item))),
        adaptive_lifo: s.read(walk, "adaptive_lifo", adaptive_lifo),
    };
    s.close(walk);
    shed
}

/// The defaults are folly's.
fn codel(walk: &mut Walk<'_>, item: &Item<'_>) -> CoDel {
    let mut s = Section::open(walk, item);
    let codel = CoDel {
        target_ns: s.read(walk, "target", duration).unwrap_or(5 * MILLISECOND),
        interval_ns: s.read(walk, "interval", duration).unwrap_or(100 * MILLISECOND),
    };
    s.close(walk);
    codel
}

fn adaptive_lifo(walk: &mut Walk<'_>, item: &Item<'_>) -> Option<AdaptiveLifo> {
    let (variant, inner) = choice(walk, item, &["above", "after"], "above = 10")?;
    match variant {
        "above" => count(walk, &inner).map(AdaptiveLifo::Above),
        _ => duration(walk, &inner).map(AdaptiveLifo::After),
    }
}

fn antagonist(walk: &mut Walk<'_>, item: &Item<'_>) -> Antagonist {
    let mut s = Section::open(walk, item);
    let antagonist = Antagonist {
        factor: s.need(walk, "factor", "3.0", number).unwrap_or(1.0),
        normal_ns: s.need(walk, "normal", "\"2s\"", duration).unwrap_or(SECOND),
        slow_ns: s.need(walk, "slow", "\"500ms\"", duration).unwrap_or(SECOND),
    };
    s.close(walk);
    antagonist
}

fn cold_start(walk: &mut Walk<'_>, item: &Item<'_>) -> ColdStart {
    let mut s = Section::open(walk, item);
    let cold_start = ColdStart {
        factor: s.need(walk, "factor", "5.0", number).unwrap_or(1.0),
        decay_ns: s.need(walk, "decay", "\"10s\"", duration).unwrap_or(SECOND),
    };
    s.close(walk);
    cold_start
}

fn pauses(walk: &mut Walk<'_>, item: &Item<'_>) -> Pauses {
    let mut s = Section::open(walk, item);
    let stand_in = ServiceLaw::Constant { mean_ns: MILLISECOND as f64 };
    let pauses = Pauses {
        rate: s.need(walk, "rate", "\"0.2/s\"", rate).unwrap_or(1.0),
        length: s
            .need(walk, "length", "{ exponential = { mean = \"100ms\" } }", service)
            .unwrap_or(stand_in),
    };
    s.close(walk);
    pauses
}

fn rate(walk: &mut Walk<'_>, item: &Item<'_>) -> Option<f64> {
    if let Value::Text(text) = &item.node.value
        && let Ok(RawRate::PerSecond(rate)) = parse_rate(text)
    {
        return Some(rate);
    }
    walk.refuse(item, "is no rate of pauses").allowed =
        Some(RATE_FORM.split(" or ").next().unwrap_or(RATE_FORM).replace("requests", "pauses"));
    None
}

fn slowdown(walk: &mut Walk<'_>, item: &Item<'_>) -> Crowding {
    let mut s = Section::open(walk, item);
    let slowdown = Crowding {
        knee: s.need(walk, "knee", "8", count).unwrap_or(0),
        slope: s.need(walk, "slope", "0.1", number).unwrap_or(1.0),
    };
    s.close(walk);
    slowdown
}
