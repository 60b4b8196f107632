//! What clients do beyond waiting: backoff, hedges, closed loops.

use super::Checker;
use crate::config::{
    Arrivals, Backoff, ClientsConfig, ClosedLoop, ConfigFault, Hedge, HedgeAfter, RetryConcurrency,
    WorkloadConfig,
};

/// Most clients in a closed loop.
const CLIENTS_MAX: u32 = 100_000_000;
/// Most hedges of one request.
const HEDGES_MAX: u32 = 10;
/// Largest rate of a budget [attempts a second].
const BUDGET_RATE_MAX: f64 = 1e9;

impl Checker {
    pub(super) fn clients(&mut self, workload: &WorkloadConfig, clients: &ClientsConfig) {
        let ClientsConfig {
            retry_on,
            avoid: _,
            backoff,
            attempt_timeout_ns,
            budget_min_per_s,
            concurrency,
            hedge,
            cancel_on_timeout: _,
            closed_loop,
        } = clients;
        let key = "workload.retries";
        let timed = !retry_on.timed_out || attempt_timeout_ns.is_some();
        self.check(timed, &format!("{key}.on"), &["workload.retries.attempt_timeout"], || {
            ConfigFault::new("", "no attempt times out: `timeout` ends the whole request")
                .found("\"timed_out\"")
                .fix("add attempt_timeout to workload.retries, or leave \"timed_out\" out")
        });
        if let Some(ns) = *attempt_timeout_ns {
            self.positive_time(&format!("{key}.attempt_timeout"), ns);
        }
        self.budget_rate(&format!("{key}.budget_min"), *budget_min_per_s);
        if let Some(Backoff { base_ns, max_ns, jitter }) = *backoff {
            let base = format!("{key}.backoff.base");
            self.positive_time(&base, base_ns);
            self.positive_time(&format!("{key}.backoff.max"), max_ns);
            self.check(base_ns <= max_ns, &format!("{key}.backoff.max"), &[&base], || {
                ConfigFault::new("", "is shorter than the first wait, `base`")
                    .fix("raise max, or lower base")
            });
            let fine = (0.0..=1.0).contains(&jitter);
            self.number(&format!("{key}.backoff.jitter"), jitter, fine, "0 to 1");
        }
        if let Some(RetryConcurrency { share_ppm, min: _ }) = *concurrency {
            let share = f64::from(share_ppm) / 1e6;
            self.number(&format!("{key}.concurrency.share"), share, share <= 100.0, "0 to 100");
        }
        if let Some(hedge) = hedge {
            self.hedge(hedge);
        }
        if let Some(closed_loop) = closed_loop {
            self.closed_loop(workload, closed_loop);
        }
        let any = *workload != WorkloadConfig { arrivals: Arrivals::Nothing, ..workload.clone() };
        self.check(any || closed_loop.is_some(), "workload.arrivals", &[], || {
            ConfigFault::new("", "nothing arrives")
                .fix("write arrivals.poisson = { rate = \"70%\" }, or arrivals.closed_loop")
        });
    }

    fn hedge(&mut self, hedge: &Hedge) {
        let key = "workload.hedge";
        let Hedge { after, max, budget_ppm, budget_min_per_s, cancel: _ } = *hedge;
        match after {
            HedgeAfter::Delay(ns) => self.positive_time(&format!("{key}.after"), ns),
            HedgeAfter::Percentile { percent, refresh_ns, min_ns } => {
                let fine = percent > 0.0 && percent < 100.0;
                self.number(&format!("{key}.after"), percent, fine, "above p0, below p100");
                self.positive_time(&format!("{key}.refresh"), refresh_ns);
                self.time(&format!("{key}.min"), min_ns);
            }
        }
        self.within(&format!("{key}.max"), max.into(), 1..=HEDGES_MAX.into());
        let budget = f64::from(budget_ppm) / 1e6;
        self.number(&format!("{key}.budget"), budget, budget <= 100.0, "0 to 100");
        self.budget_rate(&format!("{key}.budget_min"), budget_min_per_s);
    }

    fn closed_loop(&mut self, workload: &WorkloadConfig, closed_loop: &ClosedLoop) {
        let key = "workload.arrivals.closed_loop";
        let ClosedLoop { clients, think } = closed_loop;
        self.within(&format!("{key}.clients"), (*clients).into(), 1..=CLIENTS_MAX.into());
        self.service(&format!("{key}.think"), think);
        let stated = matches!(&workload.arrivals, Arrivals::Trace(trace) if trace.states_service());
        self.check(!stated, key, &["workload.arrivals.trace.service"], || {
            ConfigFault::new("", "the trace states service times, and clients know none")
                .fix("leave `service` out of the trace: the servers' laws decide then")
        });
    }

    fn budget_rate(&mut self, key: &str, per_s: f64) {
        let fine = (0.0..=BUDGET_RATE_MAX).contains(&per_s);
        self.number(key, per_s, fine, "0 to 1000000000, a second");
    }
}
