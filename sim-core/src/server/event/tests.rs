//! The event kernel, driven by hand: what a node may send a server, message by message.

use crate::config::Scenario;
use crate::network::{CANCEL_SLOT, PROBE_SLOT, Responses, Status};
use crate::result::ServerResult;
use crate::rng::{Purpose, RngExt, stream};
use crate::server::{Delivery, KernelKind, Servers};
use crate::setup::Setup;
use crate::time::{MILLISECOND, Nanos};

/// Delay of answers, and length of a tick [ns].
const TICK_NS: Nanos = MILLISECOND;

/// One server, what is sent to it, and what it answers.
struct Bench {
    setup: Setup,
    servers: Servers,
    responses: Responses,
    tick: u64,
    answers: Vec<Answer>,
}

/// When a server was done with an attempt [ns], how, and which one it was.
type Answer = (Nanos, Status, u32);

impl Bench {
    /// A server of `capacity` slots and `group` as its further keys, before which demand bits are
    /// service times [ns].
    fn new(capacity: u32, group: &str) -> Self {
        let text = format!(
            "name = \"bench\"\nduration = \"1000s\"\nwarmup = \"0s\"\n\
             network.node_server.constant = {{ mean = \"1ms\" }}\n\
             engine.tick = \"1ms\"\n\
             [[servers]]\ncount = 1\ncapacity = {capacity}\n\
             service.constant = {{ mean = \"1ms\" }}\n{group}\n\
             [workload]\narrivals.constant = {{ rate = \"1/s\" }}\n"
        );
        let scenario = Scenario::parse(&text, &[], &|file| Err(format!("no file {file}")));
        let mut setup = Setup::new(&scenario.expect("a possible scenario"), 0, 0);
        setup.demand_is_service = true;
        Self {
            servers: Servers::new(&setup, 0, 1, KernelKind::Event),
            responses: Responses::new(1, 64),
            tick: 0,
            answers: Vec::new(),
            setup,
        }
    }

    /// Runs up to the tick of `until_ns`, with what is sent, in order of arrival: time, slot, attempt
    /// and service time.
    fn run(&mut self, sent: &[(Nanos, u32, u32, u64)], until_ns: Nanos) {
        let mut sent = sent.iter().peekable();
        while self.tick <= until_ns / TICK_NS {
            let start_ns = self.tick * TICK_NS;
            self.responses.open(self.tick);
            for response in self.responses.to_node(0) {
                let done_ns =
                    start_ns + Nanos::from(response.offset_ns(&self.setup.ticks)) - TICK_NS;
                self.answers.push((done_ns, response.status(), response.attempt));
            }
            let mut inbox = Vec::new();
            while let Some(&(at_ns, slot, attempt, demand)) =
                sent.next_if(|next| next.0 < start_ns + TICK_NS)
            {
                let offset_ns = (at_ns - start_ns) as u32;
                inbox.push(Delivery { offset_ns, slot, attempt, demand, ..Delivery::default() });
            }
            self.servers.serve(&self.setup, self.tick, &inbox, &mut self.responses);
            self.tick += 1;
        }
    }

    fn result(&mut self) -> ServerResult {
        let at_ns = self.tick * TICK_NS;
        self.servers.results(&self.setup, at_ns).next().expect("a server")
    }
}

/// Goal: a cancelled attempt leaves the queue, or its slot to the next at once, and is not answered;
/// a cancellation that finds nothing does nothing. Method: one slot, by hand.
#[test]
fn a_cancelled_attempt_leaves_its_slot_or_the_queue() {
    let ms = MILLISECOND;
    let mut bench = Bench::new(1, "backlog = 2");
    let sent = [
        // Not there yet: it does nothing to the attempt that comes later under this number.
        (0, CANCEL_SLOT, 0, 0),
        (0, 0, 0, 10 * ms),
        (ms, 1, 1, 10 * ms),
        (2 * ms, 2, 2, 10 * ms),
        // Full.
        (2 * ms, 3, 3, 10 * ms),
        // Out of the queue: its place is free again.
        (3 * ms, CANCEL_SLOT, 1, 0),
        (3 * ms, 4, 4, 10 * ms),
        // Out of the slot: attempt 2 starts at 4 ms.
        (4 * ms, CANCEL_SLOT, 0, 0),
        // Twice is once.
        (4 * ms, CANCEL_SLOT, 0, 0),
        // It is done at this moment, so it is answered: completions go before what arrives.
        (14 * ms, CANCEL_SLOT, 2, 0),
        (15 * ms, PROBE_SLOT, 4, 0),
    ];
    bench.run(&sent, 40 * ms);
    let expected =
        [(2 * ms, Status::Refused, 3), (14 * ms, Status::Ok, 2), (24 * ms, Status::Ok, 4)];
    assert_eq!(bench.answers, expected);
    let result = bench.result();
    let counts = [result.admitted, result.refused, result.completed, result.cancelled];
    assert_eq!(counts, [4, 1, 2, 2], "{result:?}");
    assert_eq!(result.busy_ns, u128::from(24 * ms));
    assert_eq!(result.cancelled_ns, 4 * ms);
    assert_eq!(bench.servers.take_picks(), (5, 5), "only attempts are picks");
}

/// An attempt in the plain model below.
#[derive(Clone, Copy)]
struct Plain {
    attempt: u32,
    service_ns: Nanos,
    finish_ns: Nanos,
}

/// Goal: any mix of attempts and cancellations, at coinciding times. Method: random messages on a grid
/// against a model that looks at every attempt at every moment.
#[test]
fn random_cancellations_equal_a_plain_model() {
    let mut total = 0;
    for seed in 0..60 {
        let mut rng = stream(seed, 0, Purpose::Policy, 0);
        let (slots, backlog) = (rng.random_range(1..4), rng.random_range(0..6));
        let grid_ns = [MILLISECOND / 4, 100_003][rng.random_range(0..2)];
        let mut sent = Vec::new();
        let (mut at_ns, mut attempt) = (0, 0);
        for _ in 0..400 {
            at_ns += grid_ns * rng.random_range(0..6);
            if attempt > 0 && rng.random_bool(0.4) {
                let back = rng.random_range(1..=attempt.min(8));
                sent.push((at_ns, CANCEL_SLOT, attempt - back, 0));
            } else {
                sent.push((at_ns, attempt, attempt, grid_ns * rng.random_range(1..12)));
                attempt += 1;
            }
        }
        sent.sort_by_key(|&(at_ns, slot, attempt, _)| (at_ns, attempt, slot));
        let mut bench = Bench::new(slots, &format!("backlog = {backlog}"));
        let end_ns = at_ns + 100 * MILLISECOND;
        bench.run(&sent, end_ns);

        let mut expected = Vec::new();
        let (mut active, mut waiting) = (Vec::<Plain>::new(), Vec::<Plain>::new());
        let (mut cancelled, mut sent) = (0, sent.iter().peekable());
        let mut now_ns = 0;
        loop {
            // Completions before what arrives; the order of those of one moment shows nowhere.
            if let Some(at) = active.iter().position(|job| job.finish_ns == now_ns) {
                expected.push((now_ns, Status::Ok, active.remove(at).attempt));
            } else if let Some(&(_, slot, attempt, service_ns)) = sent.next_if(|m| m.0 == now_ns) {
                let job = Plain { attempt, service_ns, finish_ns: 0 };
                if slot == CANCEL_SLOT {
                    let before = active.len() + waiting.len();
                    active.retain(|job| job.attempt != attempt);
                    waiting.retain(|job| job.attempt != attempt);
                    cancelled += (before - active.len() - waiting.len()) as u64;
                } else if active.len() + waiting.len() < (slots + backlog) as usize {
                    waiting.push(job);
                } else {
                    expected.push((now_ns, Status::Refused, attempt));
                }
            } else {
                let finish = active.iter().map(|job| job.finish_ns);
                let Some(next) = finish.chain(sent.peek().map(|m| m.0)).min() else { break };
                now_ns = next;
            }
            while active.len() < slots as usize && !waiting.is_empty() {
                let job = waiting.remove(0);
                active.push(Plain { finish_ns: now_ns + job.service_ns, ..job });
            }
        }
        expected.sort_unstable();
        assert_eq!(bench.answers, expected, "seed {seed}");
        let result = bench.result();
        assert!(result.is_conserved(), "seed {seed}: {result:?}");
        assert_eq!((result.cancelled, result.active + result.waiting), (cancelled, 0));
        total += cancelled;
    }
    assert!(total > 1_000, "{total} cancelled");
}

/// Goal: who is served next, when who waits is shed, and what a cold server costs. Method: by hand.
#[test]
fn order_of_service_and_shedding_by_hand() {
    let ms = MILLISECOND;
    let attempts: Vec<(Nanos, u32, u32, u64)> =
        (0..5).map(|i| (Nanos::from(i) * ms, i, i, 10 * ms)).collect();
    let ok = |at_ms: u64, attempt: u32| (at_ms * ms, Status::Ok, attempt);
    let shed = |at_ms: u64, attempt: u32| (at_ms * ms, Status::Refused, attempt);
    for (group, expected) in [
        ("", vec![ok(10, 0), ok(20, 1), ok(30, 2), ok(40, 3), ok(50, 4)]),
        ("discipline = \"lifo\"", vec![ok(10, 0), ok(20, 4), ok(30, 3), ok(40, 2), ok(50, 1)]),
        // Four wait at 10 ms, three at 20 ms, then two.
        (
            "shed.adaptive_lifo.above = 2",
            vec![ok(10, 0), ok(20, 4), ok(30, 3), ok(40, 1), ok(50, 2)],
        ),
        // The queue is empty from 0 to 1 ms, and not again before 40 ms.
        (
            "shed.adaptive_lifo.after = \"19ms\"",
            vec![ok(10, 0), ok(20, 1), ok(30, 4), ok(40, 3), ok(50, 2)],
        ),
        // Attempt 2 starts at the very moment at which it has waited too long; completions go first.
        (
            "shed.queue_timeout = \"18ms\"",
            vec![ok(10, 0), ok(20, 1), shed(21, 3), shed(22, 4), ok(30, 2)],
        ),
        // exp(-1) of the excess is left after 10 ms, so attempt 1 takes 13.679 ms.
        (
            "shed.queue_timeout = \"15ms\"\ncold_start = { factor = 2.0, decay = \"20ms\" }",
            vec![shed(16, 1), shed(17, 2), shed(18, 3), shed(19, 4), ok(20, 0)],
        ),
        // Each is served at half speed and less: all finish when 50 ms of work are done, or shortly
        // before, in the order of arrival. Thirds and fifths of the speed are rounded down.
        (
            "discipline = \"processor_sharing\"",
            vec![
                // 1 + 1/2 + 1/3 + 1/4 done of attempt 0 by 4 ms; a fifth a ms from then on.
                (43_583_334, Status::Ok, 0),
                (47_583_334, Status::Ok, 1),
                (49_083_334, Status::Ok, 2),
                (49_750_001, Status::Ok, 3),
                (50_000_001, Status::Ok, 4),
            ],
        ),
    ] {
        let mut bench = Bench::new(1, group);
        bench.run(&attempts, 60 * ms);
        assert_eq!(bench.answers, expected, "{group}");
        assert!(bench.result().is_conserved());
    }
}

/// Goal: shared slots against fluid. Method: random attempts and cancellations on a server that shares
/// its slots and slows down with what is in it, against a simulation that drains every request by
/// hand, in floating point. Times differ by rounding: whoever is done stays until the next whole
/// nanosecond, and so takes up to one from each of those who share with it.
#[test]
fn shared_slots_drain_like_fluid() {
    for seed in 0..40 {
        let mut rng = stream(seed, 0, Purpose::Policy, 0);
        let slots: u32 = rng.random_range(1..5);
        let crowded = rng.random_bool(0.5);
        let mut sent = Vec::new();
        let mut at_ns = 0;
        for attempt in 0..300 {
            at_ns += rng.random_range(1..2 * MILLISECOND);
            let service_ns = rng.random_range(1..Nanos::from(slots) * 3 * MILLISECOND / 2);
            sent.push((at_ns, attempt, attempt, service_ns));
            if attempt > 5 && rng.random_bool(0.1) {
                at_ns += 1;
                sent.push((at_ns, CANCEL_SLOT, attempt - rng.random_range(0..4), 0));
            }
        }
        let crowding = if crowded { "slowdown = { knee = 3, slope = 0.02 }" } else { "" };
        let group =
            format!("backlog = \"unbounded\"\ndiscipline = \"processor_sharing\"\n{crowding}");
        let mut bench = Bench::new(slots, &group);
        bench.run(&sent, at_ns + 20_000 * MILLISECOND);

        let mut expected = Vec::new();
        let mut left: Vec<(u32, f64)> = Vec::new();
        let (mut now, mut cancelled, mut busy) = (0.0, 0, 0.0);
        let mut messages = sent.iter().peekable();
        while messages.peek().is_some() || !left.is_empty() {
            let n = left.len() as f64;
            let divisor = if crowded { 1.0 + 0.02 * (n - 3.0).max(0.0) } else { 1.0 };
            let speed = (f64::from(slots) / n).min(1.0) / divisor;
            let first = left.iter().map(|&(_, left)| left / speed).fold(f64::INFINITY, f64::min);
            let arrival = messages.peek().map_or(f64::INFINITY, |m| m.0 as f64);
            let passed = first.min(arrival - now);
            now += passed;
            busy += passed * n.min(f64::from(slots));
            for (_, left) in &mut left {
                *left -= passed * speed;
            }
            // Of those that end within a nanosecond of each other, the order is not told here.
            left.retain(|&(attempt, left)| {
                if left < 1e-3 {
                    expected.push((attempt, now));
                }
                left >= 1e-3
            });
            if now >= arrival {
                let &(_, slot, attempt, service_ns) = messages.next().expect("it was peeked at");
                if slot == CANCEL_SLOT {
                    let before = left.len();
                    left.retain(|&(other, _)| other != attempt);
                    cancelled += (before - left.len()) as u64;
                } else {
                    left.push((attempt, service_ns as f64));
                }
            }
        }
        expected.sort_by_key(|&(attempt, _)| attempt);
        let mut answers = bench.answers.clone();
        answers.sort_by_key(|&(_, _, attempt)| attempt);
        assert_eq!(answers.len(), expected.len(), "seed {seed}");
        for ((at_ns, status, attempt), (other, at)) in answers.into_iter().zip(expected) {
            assert_eq!((status, attempt), (Status::Ok, other), "seed {seed}");
            assert!(
                (at_ns as f64 - at).abs() < 100.0,
                "seed {seed}: {attempt} at {at_ns}, not {at}"
            );
        }
        let result = bench.result();
        assert!(result.is_conserved() && result.cancelled == cancelled, "seed {seed}: {result:?}");
        assert!((result.busy_ns as f64 - busy).abs() < 2_000.0, "seed {seed}: {result:?}, {busy}");
    }
}
