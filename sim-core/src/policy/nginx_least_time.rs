//! Least time, as NGINX has it: response time times load, in coarse steps.
//!
//! Source: `ngx_http_upstream_least_time_module.c` (open source since 2026). Signal: the node's own
//! response times and requests in flight; weights are configured (`servers.weight`).
//!
//! * The mean response time of a server is `round(0.95 mean + 0.05 last)` in whole ms; of good answers
//!   only, so that failing fast does not pay. The first answer is the mean.
//! * It is halved for every `fail_timeout + 1 s` since the server was last checked, so that slow
//!   servers get a chance. With `inflight` it is at least the mean age of the requests in flight,
//!   averaged in the same way at each look.
//! * Above 5 s it is 5 s; else it is rounded up to the next 20 ms, so that servers about as fast share
//!   the work (a mean of 0 ms is 20 ms, one of 20 ms is 40 ms).
//! * The fit server with the least `time * (in flight + 1) / weight`; among equal ones smooth weighted
//!   round robin ([`super::nginx`]). O(servers) a decision.
//!
//! Parameters: `inflight` (false), `max_fails` (1), `fail_timeout` (10 s), `capacity_gate` (false;
//! NGINX's `max_conns`). Its modes `header` and `last_byte` are one here: an answer comes at once.

use crate::answer::Answer;
use crate::config::keys::{Key, key};
use crate::config::{ParameterCheck, ParameterList};
use crate::ids::{NodeId, ServerId};
use crate::rng::Stream;
use crate::setup::Setup;
use crate::time::{MILLISECOND, Nanos, SECOND};
use crate::view::{Belief, Candidates};

use super::nginx::{Failing, Peers, failing_keys};
use super::registry::{Growth, capacity_gate_key};
use super::{Needs, Parameters, Policy, SelectionIndex};

/// Slower than this is equally slow [ms].
const SLOWEST_MS: u64 = 5_000;
/// Times are rounded up to multiples of this [ms].
const STEP_MS: u64 = 20;

/// Parameters of [`NginxLeastTime`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NginxLeastTimeConfig {
    /// Requests still in flight count as well.
    pub inflight: bool,
    /// When a server counts as failed.
    pub failing: Failing,
    /// Skip servers whose estimated load has reached their capacity.
    pub capacity_gate: bool,
}

impl Parameters for NginxLeastTimeConfig {
    const KEYS: &'static [Key] = &{
        let [max_fails, fail_timeout] = failing_keys!("nginx_least_time");
        [
            key(
                "policy.nginx_least_time.inflight",
                "",
                "false",
                "true, false",
                "The age of requests in flight counts as response time.",
                "true: a server that stops answering is noticed sooner.",
            ),
            max_fails,
            fail_timeout,
            capacity_gate_key!("nginx_least_time", "false"),
        ]
    };

    fn list(&mut self, list: &mut ParameterList<'_, '_, '_>) {
        let Self { inflight, failing, capacity_gate } = self;
        list.flag("inflight", inflight);
        failing.list(list);
        list.flag("capacity_gate", capacity_gate);
    }

    fn check(&self, check: &mut ParameterCheck<'_>) {
        self.failing.check(check);
    }

    fn needs(&self) -> Needs {
        Needs { timed_answers: true, ..Needs::default() }
    }

    fn server_bytes(&self) -> usize {
        Peers::SERVER_BYTES + size_of::<Times>()
    }

    fn growth(&self) -> Growth {
        Growth::Linear
    }

    fn build(&self, setup: &Setup, _: NodeId, _: &mut Stream) -> SelectionIndex {
        SelectionIndex::Boxed(Box::new(NginxLeastTime {
            peers: Peers::new(setup, self.failing, self.capacity_gate),
            times: vec![Times::default(); setup.servers as usize],
            inflight: self.inflight,
            fail_timeout_ns: self.failing.timeout_ns,
        }))
    }
}

/// See the module documentation.
#[derive(Debug)]
pub struct NginxLeastTime {
    peers: Peers,
    times: Vec<Times>,
    inflight: bool,
    fail_timeout_ns: Nanos,
}

/// What is known of a server's response times, in ms as NGINX has them.
#[derive(Clone, Debug, Default)]
struct Times {
    response_ms: u64,
    /// Mean age of what is in flight, averaged over looks.
    inflight_ms: u64,
    /// Sum of the ages of what is in flight, as of `changed_ms`.
    age_sum_ms: u64,
    changed_ms: u64,
    count: u64,
}

/// The moving average of whole ms; 0 is none yet.
fn average(mean_ms: u64, last_ms: u64) -> u64 {
    if mean_ms == 0 {
        last_ms
    } else {
        (0.05 * last_ms as f64 + 0.95 * mean_ms as f64 + 0.5) as u64
    }
}

impl Times {
    /// Lets what is in flight grow older.
    fn grow_older(&mut self, at_ms: u64) {
        self.age_sum_ms += (at_ms - self.changed_ms) * self.count;
        self.changed_ms = at_ms;
    }

    /// The time it is judged by [ms].
    fn judged_ms(&self, halvings: u64) -> u64 {
        let halved = self.response_ms.checked_shr(halvings.min(64) as u32).unwrap_or(0);
        let time = if self.count > 0 { halved.max(self.inflight_ms) } else { halved };
        if time > SLOWEST_MS { SLOWEST_MS } else { time + STEP_MS - time % STEP_MS }
    }
}

impl NginxLeastTime {
    fn look(&mut self, candidates: &Candidates<'_>) {
        let at_ms = candidates.at_ns() / MILLISECOND;
        for server in candidates.servers() {
            let times = &mut self.times[server as usize];
            if times.count > 0 && self.peers.is_fit(candidates, server) {
                let age_ms = times.age_sum_ms / times.count + (at_ms - times.changed_ms);
                times.inflight_ms = average(times.inflight_ms, age_ms);
            }
        }
    }
}

impl Policy for NginxLeastTime {
    fn choose(&mut self, candidates: &Candidates<'_>, _: &mut Stream) -> Option<ServerId> {
        if self.inflight {
            self.look(candidates);
        }
        let Self { peers, times, fail_timeout_ns, .. } = self;
        let estimate = |peers: &Peers, server| {
            let unchecked_ns = peers.unchecked_ns(server, candidates.at_ns());
            let late = unchecked_ns > *fail_timeout_ns;
            let halvings = if late { unchecked_ns / (*fail_timeout_ns + SECOND) } else { 0 };
            let time_ms = times[server as usize].judged_ms(halvings);
            (time_ms * (1 + u64::from(candidates.belief(server).own))) as f64
        };
        peers.least(candidates, estimate).map(ServerId)
    }

    fn on_send(&mut self, server: ServerId, _: &Belief, at_ns: Nanos) {
        if self.inflight {
            let times = &mut self.times[server.index()];
            times.grow_older(at_ns / MILLISECOND);
            times.count += 1;
        }
    }

    fn on_answer(&mut self, server: ServerId, _: &Belief, answer: &Answer) {
        let took_ms = answer.took_ns() / MILLISECOND;
        let times = &mut self.times[server.index()];
        if self.inflight {
            times.grow_older(answer.at_ns / MILLISECOND);
            // Ages are cut to whole ms in other places than the sum: it must not fall below 0.
            times.age_sum_ms = times.age_sum_ms.saturating_sub(took_ms);
            times.count -= 1;
            if times.count == 0 {
                times.age_sum_ms = 0;
            }
        }
        if answer.is_ok() {
            times.response_ms = average(times.response_ms, took_ms);
        }
        self.peers.note_answer(server, answer);
    }
}
