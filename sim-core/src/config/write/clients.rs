//! Writes what clients do beyond waiting.

use super::{File, inline, number, quote, service_law, time};
use crate::config::clients::AVOID;
use crate::config::{
    Backoff, ClientsConfig, ClosedLoop, Hedge, HedgeAfter, RETRY_CAUSES, Retries, RetryConcurrency,
};

impl File {
    /// Keys of `[workload]`, between the timeout and the end.
    pub(super) fn clients(&mut self, retries: &Retries, clients: &ClientsConfig) {
        let Retries { max, budget_ppm } = *retries;
        let ClientsConfig {
            retry_on,
            avoid,
            backoff,
            attempt_timeout_ns,
            budget_min_per_s,
            concurrency,
            hedge,
            cancel_on_timeout,
            closed_loop,
        } = clients;
        if let Some(ClosedLoop { clients, think }) = closed_loop {
            let keys = [("clients", clients.to_string()), ("think", service_law(think))];
            self.key("arrivals.closed_loop", inline(&keys));
        }
        self.key("cancel_on_timeout", cancel_on_timeout);
        let causes = RETRY_CAUSES.iter().zip(retry_on.flags());
        let causes: Vec<_> = causes.filter(|(_, on)| *on).map(|(word, _)| quote(word)).collect();
        let avoid = AVOID.iter().find(|(_, meant)| meant == avoid).map_or("last", |(word, _)| word);
        let mut keys = vec![
            ("max", max.to_string()),
            ("budget", share(budget_ppm)),
            ("budget_min", number(*budget_min_per_s)),
            ("on", format!("[{}]", causes.join(", "))),
            ("avoid", quote(avoid)),
        ];
        if let Some(Backoff { base_ns, max_ns, jitter }) = *backoff {
            let backoff =
                [("base", time(base_ns)), ("max", time(max_ns)), ("jitter", number(jitter))];
            keys.push(("backoff", inline(&backoff)));
        }
        keys.extend(attempt_timeout_ns.map(|ns| ("attempt_timeout", time(ns))));
        if let Some(RetryConcurrency { share_ppm, min }) = *concurrency {
            let concurrency = [("share", share(share_ppm)), ("min", min.to_string())];
            keys.push(("concurrency", inline(&concurrency)));
        }
        self.key("retries", inline(&keys));
        if let Some(hedge) = hedge {
            self.hedge(hedge);
        }
    }

    fn hedge(&mut self, hedge: &Hedge) {
        let Hedge { after, max, budget_ppm, budget_min_per_s, cancel } = *hedge;
        let mut keys = match after {
            HedgeAfter::Delay(ns) => vec![("after", time(ns))],
            HedgeAfter::Percentile { percent, refresh_ns, min_ns } => vec![
                ("after", quote(&format!("p{percent:?}"))),
                ("refresh", time(refresh_ns)),
                ("min", time(min_ns)),
            ],
        };
        keys.extend([
            ("max", max.to_string()),
            ("budget", share(budget_ppm)),
            ("budget_min", number(budget_min_per_s)),
            ("cancel", cancel.to_string()),
        ]);
        self.key("hedge", inline(&keys));
    }
}

fn share(ppm: u32) -> String {
    number(f64::from(ppm) / 1e6)
}
