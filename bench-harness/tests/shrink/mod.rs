//! Makes a failing case small: takes away what it fails without, as long as it fails.

use std::fmt::Write;

use sim_core::config::*;
use sim_core::workload::TraceRecord;

use super::Case;

/// Most candidates looked at: a run each.
const TRIES: u32 = 400;

/// The smallest case found on which `fails` holds, beginning with `case`, on which it does.
pub fn shrink(case: &Case, fails: &dyn Fn(&Case) -> bool) -> Case {
    let mut best = case.clone();
    let mut tries = 0;
    loop {
        let smaller = candidates(&best).into_iter().find(|candidate| {
            let possible = candidate.scenario.validate().is_ok();
            tries += u32::from(possible);
            possible && tries <= TRIES && fails(candidate)
        });
        match smaller {
            Some(smaller) => best = smaller,
            None => return best,
        }
    }
}

/// What a case could be reduced to in one step, the greatest steps first. Some are impossible.
fn candidates(case: &Case) -> Vec<Case> {
    let mut found: Vec<Case> = Vec::new();
    let mut with = |change: &dyn Fn(&mut Scenario, &mut Vec<TraceRecord>)| {
        let mut candidate = case.clone();
        change(&mut candidate.scenario, &mut candidate.trace);
        if candidate.scenario != case.scenario || candidate.trace.len() < case.trace.len() {
            found.push(candidate);
        }
    };
    with(&|s, _| s.faults.clear());
    with(&|s, _| s.chaos = None);
    with(&|s, _| s.gossip = None);
    with(&|s, _| s.membership = None);
    with(&|s, _| s.judgement = JudgementConfig::default());
    with(&|s, _| s.servers.truncate(1));
    with(&|s, trace| {
        // Below a few quanta, nothing much can happen.
        if s.duration_ns < 20 * s.engine.quantum_ns {
            return;
        }
        s.duration_ns /= 2;
        s.warmup_ns /= 2;
        let Scenario { duration_ns, .. } = *s;
        s.faults.retain(|fault| fault.at_ns < duration_ns);
        trace.retain(|record| record.at_ns < duration_ns);
    });
    with(&|_, trace| trace.truncate(trace.len() / 2));
    with(&|s, _| s.nodes.count = s.nodes.count.div_ceil(2));
    for index in 0..case.scenario.faults.len() {
        with(&|s, _| {
            s.faults.remove(index);
        });
    }
    for index in 0..case.scenario.servers.len() {
        with(&|s, _| s.servers[index].conduct = Conduct::default());
        with(&|s, _| s.servers[index].conduct.discipline = Discipline::Fifo);
        with(&|s, _| s.servers[index].conduct.shed = Shedding::default());
        with(&|s, _| s.servers[index].conduct.antagonist = None);
        with(&|s, _| s.servers[index].conduct.cold_start = None);
        with(&|s, _| s.servers[index].conduct.pauses = None);
        with(&|s, _| s.servers[index].conduct.slowdown = None);
        with(&|s, _| s.servers[index].count = s.servers[index].count.div_ceil(2));
    }
    with(&|s, _| s.workload.timeout_ns = None);
    with(&|s, _| s.workload.retries.max = 0);
    with(&|s, _| s.workload.clients = ClientsConfig::default());
    with(&|s, _| s.workload.clients.closed_loop = None);
    with(&|s, _| s.workload.clients.hedge = None);
    with(&|s, _| s.workload.clients.backoff = None);
    with(&|s, _| s.workload.clients.concurrency = None);
    with(&|s, _| s.workload.clients.cancel_on_timeout = false);
    with(&|s, _| {
        s.workload.clients.attempt_timeout_ns = None;
        s.workload.clients.retry_on = RetryOn::default();
    });
    with(&|s, _| match &mut s.workload.arrivals {
        Arrivals::Poisson { rate } | Arrivals::Constant { rate } => *rate = (*rate / 2.0).ceil(),
        Arrivals::Trace(_) | Arrivals::Nothing => {}
        other => *other = Arrivals::Poisson { rate: 1_000.0 },
    });
    with(&|s, _| s.policies = vec![PolicyConfig::Random(RandomConfig::default())]);
    with(&|s, _| {
        s.heartbeat.jitter = 0.0;
        s.heartbeat.loss = 0.0;
        s.heartbeat.fanout = Fanout::All;
        s.heartbeat.synchronised = false;
    });
    with(&|s, _| {
        let constant = |law: &sim_core::law::DelayLaw| sim_core::law::DelayLaw::Constant {
            mean_ns: law.min_ns(),
        };
        s.network.node_server = constant(&s.network.node_server);
        s.network.server_node = constant(&s.network.server_node);
        s.network.node_node = constant(&s.network.node_node);
    });
    found
}

/// A case as files that `lbsim run` takes: the scenario and, where it has one, its trace.
pub fn print(case: &Case) -> String {
    let mut text = case.scenario.to_toml();
    if let Arrivals::Trace(TraceConfig { file, format: TraceFormat::Csv(columns), .. }) =
        &case.scenario.workload.arrivals
    {
        let CsvColumns { time, service, .. } = columns;
        let header = service.as_ref().map_or_else(String::new, |service| format!(",{service}"));
        let _ = write!(text, "\n# the file {file:?}, without the signs:\n# {time}{header}\n");
        for TraceRecord { at_ns, service_ns, .. } in &case.trace {
            let service = service_ns.map_or_else(String::new, |ns| format!(",{ns}"));
            let _ = writeln!(text, "# {at_ns}{service}");
        }
    }
    text
}
