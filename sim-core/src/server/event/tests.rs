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
            self.responses.open(&self.setup.ticks, self.tick);
            for response in self.responses.to_node(0) {
                let done_ns = start_ns + Nanos::from(response.offset_ns()) - TICK_NS;
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
        self.servers.results(&self.setup, at_ns).remove(0)
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
