//! Every key a scenario may have: the one place that documents them.
//!
//! `lbsim list keys` prints the table, and a test compares it with what the parser accepts.

use std::sync::LazyLock;

use crate::policy::registry::KEYS as POLICY_KEYS;

/// One key of a scenario file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key {
    /// Dotted path; `N` stands for the number of a list's element.
    pub path: &'static str,
    /// Unit, empty for names, switches and pure numbers.
    pub unit: &'static str,
    /// What holds without it: a value, `required`, or `none`.
    pub default: &'static str,
    /// What may stand there.
    pub range: &'static str,
    /// What it means.
    pub meaning: &'static str,
    /// What raising, lowering or switching it does.
    pub effect: &'static str,
}

/// Every key, in the order of a scenario file.
pub static KEYS: LazyLock<Vec<Key>> =
    LazyLock::new(|| [BEFORE_POLICIES, &POLICY_KEYS.concat(), AFTER_POLICIES].concat());

/// The keys before those of the policies, which each policy documents itself.
#[rustfmt::skip] // One key a row, so that the table can be read as one.
const BEFORE_POLICIES: &[Key] = &[
    key("name", "", "required", "1 to 100 letters, digits, - _ .", "Name of the scenario, in file names and tables.", "No effect on results."),
    key("duration", "time", "required", "above 0", "Requests arrive from 0 to here.", "Longer: narrower confidence intervals, longer runs."),
    key("warmup", "time", "10 % of duration", "0 to below duration, or auto", "Requests that arrive before this are simulated, not measured; auto finds it with a pilot run of each policy (MSER-5).", "Too short: the empty start flatters the means. Too long: fewer samples."),
    key("drain", "time", "10s", "0 or more", "Longest wait for the last requests to end.", "Too short: slow requests end as in_flight."),
    key("seed", "", "1", "0 to 2^64 - 1", "All randomness derives from it.", "Another seed is another sample of the same scenario."),
    key("replications", "runs", "1, with a target 5", "1 to 1000000, with a target from 2", "Independent repetitions of each policy; with a target, the least.", "More: narrower confidence intervals; time grows in proportion."),
    key("replications_max", "runs", "50", "replications to 1000000", "With a target, the most repetitions.", "Higher: narrow targets are reached, in more time."),
    key("target.METRIC", "metric's unit or %", "none", "above 0", "Replicate until the 95 % interval of the metric's mean is no wider to either side, for every policy.", "Narrower: more replications, as the inverse square."),
    key("engine.tick", "time", "largest divisor of the quantum within the lookahead", "above 0, to the smallest delay and 2^30 ns", "Window in which servers and nodes run independently.", "Longer: faster. No effect on results."),
    key("engine.quantum", "time", "the tick", "a multiple of the tick, to 1h", "Heartbeats and faults happen on its multiples.", "Longer: coarser control plane, slightly faster."),
    key("engine.sample_interval", "time", "about duration / 100, no multiple of the heartbeat interval", "a multiple of the quantum", "Bin of the time series; views are sampled as often.", "Shorter: finer curves, larger files, slower."),
    key("network.node_server.constant.mean", "time", "constant 500us", "above 0", "The delay, node to server.", "Higher: longer ticks, and views are older."),
    key("network.node_server.uniform.min", "time", "required", "above 0", "Smallest delay, node to server.", "Higher: longer ticks, faster runs."),
    key("network.node_server.uniform.max", "time", "required", "at least min", "Largest delay, node to server.", "Higher: latency grows and views are older."),
    key("network.node_server.exponential.mean", "time", "required", "above min", "Mean of the whole delay, node to server.", "Higher: latency grows and views are older."),
    key("network.node_server.exponential.min", "time", "required", "above 0", "Smallest delay; the rest is exponential, node to server.", "Higher: longer ticks, faster runs."),
    key("network.node_server.lognormal.mean", "time", "required", "above min", "Mean of the whole delay, node to server.", "Higher: latency grows and views are older."),
    key("network.node_server.lognormal.cv", "", "required", "above 0, to 1000", "Coefficient of variation of the part above min, node to server.", "Higher: more reordering."),
    key("network.node_server.lognormal.min", "time", "required", "above 0", "Smallest delay; the rest is log-normal, node to server.", "Higher: longer ticks, faster runs."),
    key("network.server_node.constant.mean", "time", "as node_server", "above 0", "The delay, server to node.", "Higher: longer ticks, and views are older."),
    key("network.server_node.uniform.min", "time", "required", "above 0", "Smallest delay, server to node.", "Higher: longer ticks, faster runs."),
    key("network.server_node.uniform.max", "time", "required", "at least min", "Largest delay, server to node.", "Higher: latency grows and views are older."),
    key("network.server_node.exponential.mean", "time", "required", "above min", "Mean of the whole delay, server to node.", "Higher: latency grows and views are older."),
    key("network.server_node.exponential.min", "time", "required", "above 0", "Smallest delay; the rest is exponential, server to node.", "Higher: longer ticks, faster runs."),
    key("network.server_node.lognormal.mean", "time", "required", "above min", "Mean of the whole delay, server to node.", "Higher: latency grows and views are older."),
    key("network.server_node.lognormal.cv", "", "required", "above 0, to 1000", "Coefficient of variation of the part above min, server to node.", "Higher: more reordering."),
    key("network.server_node.lognormal.min", "time", "required", "above 0", "Smallest delay; the rest is log-normal, server to node.", "Higher: longer ticks, faster runs."),
    key("network.node_node.constant.mean", "time", "as node_server", "above 0", "The delay, node to node.", "Higher: gossip is older when it comes."),
    key("network.node_node.uniform.min", "time", "required", "above 0", "Smallest delay, node to node.", "Higher: longer ticks, faster runs."),
    key("network.node_node.uniform.max", "time", "required", "at least min", "Largest delay, node to node.", "Higher: gossip is older when it comes."),
    key("network.node_node.exponential.mean", "time", "required", "above min", "Mean of the whole delay, node to node.", "Higher: gossip is older when it comes."),
    key("network.node_node.exponential.min", "time", "required", "above 0", "Smallest delay; the rest is exponential, node to node.", "Higher: longer ticks, faster runs."),
    key("network.node_node.lognormal.mean", "time", "required", "above min", "Mean of the whole delay, node to node.", "Higher: gossip is older when it comes."),
    key("network.node_node.lognormal.cv", "", "required", "above 0, to 1000", "Coefficient of variation of the part above min, node to node.", "Higher: more reordering."),
    key("network.node_node.lognormal.min", "time", "required", "above 0", "Smallest delay; the rest is log-normal, node to node.", "Higher: longer ticks, faster runs."),
    key("nodes.count", "nodes", "1", "1 to 1000000", "LB nodes; the workload is split evenly among them.", "More: each sees less of the traffic, and herding grows."),
    key("servers.N.name", "", "none", "letters, digits, - _ ., a letter first", "What faults call the group.", "No effect on results."),
    key("nodes.failover_delay", "time", "1s", "0 or more", "After a node's crash its requests are lost for this long, then other nodes get them; after its return they go to the others for this long.", "Shorter: fewer lost requests."),
    key("servers.N.count", "servers", "1", "1 or more", "Servers that are alike; several groups make an uneven fleet.", "More: more capacity, and more to know."),
    key("servers.N.capacity", "requests", "required", "1 to 65535", "Requests in service at once, each at full speed.", "More: more capacity, less waiting."),
    key("servers.N.backlog", "requests", "16", "0 or more, or unbounded", "Requests waiting; the next one is refused.", "More: fewer refusals, longer tails."),
    key("servers.N.discipline", "", "fifo", "fifo, lifo, processor_sharing", "Who is served next: who waits longest, who came last, or all at once, sharing the slots.", "processor_sharing: short requests overtake long ones."),
    key("servers.N.shed.queue_timeout", "time", "none", "above 0", "Who has waited this long is turned away at that moment.", "Shorter: less work for clients that gave up, more refusals."),
    key("servers.N.shed.codel.target", "time", "5ms", "above 0", "Controlled delay: a wait that is fine for ever. While overloaded, who has waited twice as long is turned away instead of started.", "Lower: sheds sooner."),
    key("servers.N.shed.codel.interval", "time", "100ms", "above the target", "Overloaded is who let nobody start within the target in so long.", "Longer: bears longer bursts."),
    key("servers.N.shed.adaptive_lifo.above", "requests", "none", "0 or more", "Who came last is served first while more than this many wait.", "Lower: more requests overtake, and those behind wait for ever."),
    key("servers.N.shed.adaptive_lifo.after", "time", "none", "above 0", "Who came last is served first while the queue has not been empty for this long.", "Shorter: more requests overtake."),
    key("servers.N.antagonist.factor", "", "required", "1 to 1000000", "Others' work divides the speed by this at times; work in progress slows down too.", "Higher: slower while it lasts."),
    key("servers.N.antagonist.normal", "time", "required", "above 0", "Mean stay at full speed, exponential.", "Longer: slow less often."),
    key("servers.N.antagonist.slow", "time", "required", "above 0", "Mean stay at the slower speed, exponential.", "Longer: slow for longer."),
    key("servers.N.cold_start.factor", "", "required", "1 to 1000000", "Service that starts right after the server's start, its addition or its recovery takes so much longer.", "Higher: new servers hurt more."),
    key("servers.N.cold_start.decay", "time", "required", "above 0", "Time in which the excess falls to 37 %.", "Longer: cold for longer."),
    key("servers.N.pauses.rate", "1/time", "required", "above 0, to 1000000/s", "Pauses in a time of running; all work in progress stands still in one.", "Higher: more of the time is lost."),
    key("servers.N.pauses.length", "law", "required", "as servers.N.service", "How long a pause takes.", "Longer: longer tails."),
    key("servers.N.slowdown.knee", "requests", "required", "0 or more", "Requests in the server, waiting or in service, that cost no speed.", "Higher: bears more."),
    key("servers.N.slowdown.slope", "", "required", "above 0, to 1000000", "What each further request adds to the divisor of the speed.", "Higher: collapses sooner."),
    key("servers.N.speed", "", "1.0", "0.000001 to 1000000", "Work done in a second of service.", "Higher: shorter service times."),
    key("servers.N.priority", "", "0", "0 to 127", "The tier of these servers; a lower number is used first, and others when too few of it are healthy.", "Higher: used only when lower tiers are not well."),
    key("servers.N.weight", "", "1.0", "0.000001 to 1000000", "The server's weight, known to every node; only weighted policies look at it.", "Higher: more requests under a weighted policy."),
    key("servers.N.service.constant.mean", "time", "required", "above 0", "Mean service time at speed 1.", "Higher: less capacity, more latency."),
    key("servers.N.service.exponential.mean", "time", "required", "above 0", "Mean service time at speed 1.", "Higher: less capacity, more latency."),
    key("servers.N.service.uniform.min", "time", "required", "0 to max", "Shortest service time.", "Higher: less capacity."),
    key("servers.N.service.uniform.max", "time", "required", "above 0, at least min", "Longest service time.", "Higher: less capacity, more spread."),
    key("servers.N.service.erlang.mean", "time", "required", "above 0", "Mean service time at speed 1.", "Higher: less capacity, more latency."),
    key("servers.N.service.erlang.shape", "phases", "required", "1 to 1000", "Number of exponential phases.", "Higher: less spread; cv = 1 / sqrt(shape)."),
    key("servers.N.service.hyperexponential.mean", "time", "required", "above 0", "Mean service time at speed 1.", "Higher: less capacity, more latency."),
    key("servers.N.service.hyperexponential.cv", "", "required", "1 to 1000", "Coefficient of variation.", "Higher: longer tail."),
    key("servers.N.service.lognormal.mean", "time", "required", "above 0", "Mean service time at speed 1.", "Higher: less capacity, more latency."),
    key("servers.N.service.lognormal.cv", "", "required", "above 0, to 1000", "Coefficient of variation; with mean.", "Higher: longer tail."),
    key("servers.N.service.lognormal.median", "time", "none", "above 0", "Median, with sd: instead of mean and cv.", "Higher: less capacity."),
    key("servers.N.service.lognormal.sd", "time", "none", "above 0", "Standard deviation, with median.", "Higher: longer tail, higher mean."),
    key("servers.N.service.bounded_pareto.min", "time", "required", "above 0, to max", "Shortest service time.", "Higher: less capacity."),
    key("servers.N.service.bounded_pareto.max", "time", "required", "above min", "Longest service time.", "Higher: longer tail."),
    key("servers.N.service.bounded_pareto.alpha", "", "required", "above 0, to 100", "Tail exponent.", "Lower: heavier tail."),
    key("servers.N.service.empirical.file", "", "required", "a CSV file", "Columns probability (0 to 1) and value_ms (_ns, _us, _s): measured quantiles, piecewise linear.", "Its mean sets the capacity."),
    key("workload.arrivals.poisson.rate", "requests/time or %", "required", "above 0, to 1e9/s a node", "Mean arrivals, with exponential gaps.", "Higher: more load."),
    key("workload.arrivals.constant.rate", "requests/time or %", "required", "above 0, to 1e9/s a node", "Arrivals with equal gaps; nodes take turns.", "Higher: more load."),
    key("workload.arrivals.mmpp.low", "requests/time or %", "required", "above 0, to 1e9/s a node", "Rate in the quiet state.", "Higher: more load."),
    key("workload.arrivals.mmpp.high", "requests/time or %", "required", "above 0, to 1e9/s a node", "Rate in the burst state, at least low.", "Higher: worse bursts."),
    key("workload.arrivals.mmpp.dwell_low", "time", "required", "above 0", "Mean time in the quiet state.", "Longer: rarer bursts."),
    key("workload.arrivals.mmpp.dwell_high", "time", "required", "above 0", "Mean time in the burst state.", "Longer: bursts that fill every backlog."),
    key("workload.arrivals.burst.rate", "requests/time or %", "required", "above 0, to 1e9/s a node", "Mean arrivals outside the burst, with exponential gaps.", "Higher: more load."),
    key("workload.arrivals.burst.peak", "requests/time or %", "required", "above 0, to 1e9/s a node", "Mean arrivals inside it.", "Higher: a worse burst."),
    key("workload.arrivals.burst.at", "time", "required", "0 or more", "Its beginning.", ""),
    key("workload.arrivals.burst.for", "time", "required", "above 0", "Its length.", "Longer: a worse burst."),
    key("workload.arrivals.ramp.from", "requests/time or %", "required", "above 0, to 1e9/s a node", "Rate at time 0.", "Higher: more load."),
    key("workload.arrivals.ramp.to", "requests/time or %", "required", "above 0, to 1e9/s a node", "Rate at the end of the ramp and after.", "Higher: more load."),
    key("workload.arrivals.ramp.over", "time", "required", "above 0", "Length of the ramp.", "Longer: gentler."),
    key("workload.arrivals.diurnal.mean", "requests/time or %", "required", "above 0, to 1e9/s a node", "Mean rate over a period.", "Higher: more load."),
    key("workload.arrivals.diurnal.amplitude", "", "required", "0 to 1", "Swing of the rate, relative to its mean.", "Higher: higher peaks, deeper nights."),
    key("workload.arrivals.diurnal.period", "time", "required", "above 0", "Length of one day.", "Shorter: faster changes."),
    key("workload.arrivals.trace.file", "", "required", "a file, plain, .gz or .zst", "Recorded arrivals; nodes take turns.", ""),
    key("workload.arrivals.trace.format", "", "csv", "csv, azure_functions_2021, azure_llm, twitter_cache, alibaba_callgraph, wikimedia_2019, wikibench, access_log", "What its lines mean: a name, or format.NAME with parameters.", ""),
    key("workload.arrivals.trace.format.csv", "", "", "", "Columns are named beside `file`; rows are in order of time.", ""),
    key("workload.arrivals.trace.format.azure_functions_2021", "", "", "", "app,func,end_timestamp,duration [s]; sorted by arrival.", ""),
    key("workload.arrivals.trace.format.azure_llm.base", "time", "10ms", "any", "What any inference takes.", "Longer: more load."),
    key("workload.arrivals.trace.format.azure_llm.context_token", "time", "50us", "any", "What a token of the question takes.", "Longer: more load."),
    key("workload.arrivals.trace.format.azure_llm.generated_token", "time", "25ms", "any", "What a token of the answer takes.", "Longer: more load, heavier tail."),
    key("workload.arrivals.trace.format.twitter_cache.base", "time", "none", "any", "What any request takes; without base and byte the servers' laws decide.", "Longer: more load."),
    key("workload.arrivals.trace.format.twitter_cache.byte", "time", "none", "any", "What a byte of key and value takes.", "Longer: more load."),
    key("workload.arrivals.trace.format.alibaba_callgraph.dm", "", "all", "a microservice", "Only calls of this microservice.", ""),
    key("workload.arrivals.trace.format.wikimedia_2019", "", "", "", "Seconds are spread; service is the time to the first byte.", ""),
    key("workload.arrivals.trace.format.wikibench", "", "", "", "counter timestamp url flag; no service times.", ""),
    key("workload.arrivals.trace.format.access_log.stamp", "", "end", "end or start", "Whether lines carry the end (NGINX) or the start (Apache) of a request.", ""),
    key("workload.arrivals.trace.format.access_log.request_time", "", "s", "ns, us, ms, s, min, none", "Unit of the last field, the request's time; none: the servers' laws decide.", "Larger: longer service."),
    key("workload.arrivals.trace.format.access_log.key", "", "path", "path or client", "What is the request's key.", ""),
    key("workload.arrivals.trace.time", "", "t_us", "a column", "csv: column with the arrival time.", ""),
    key("workload.arrivals.trace.time_unit", "", "us", "ns, us, ms, s, min", "csv: unit of the arrival time.", "Larger: slower arrivals."),
    key("workload.arrivals.trace.service", "", "none", "a column", "csv: column with the service time; without it the servers' laws decide.", ""),
    key("workload.arrivals.trace.service_unit", "", "us", "ns, us, ms, s, min", "csv: unit of the service time.", "Larger: longer service."),
    key("workload.arrivals.trace.key", "", "none", "a column", "csv: column with the request's key.", ""),
    key("workload.arrivals.trace.origin", "", "zero", "zero or first", "csv: the run starts at time 0 of the file, or at its first arrival, as it does for all other formats.", ""),
    key("workload.arrivals.trace.window", "time", "all", "FROM..TO", "The part of the trace that is replayed; its start is the start of the run.", ""),
    key("workload.arrivals.trace.loop", "", "false", "true or false", "Start again at the end of the trace or window.", ""),
    key("workload.arrivals.trace.scale_rate", "", "1", "1e-9 to 1e9", "Arrivals come this many times as fast.", "Higher: more load."),
    key("workload.arrivals.trace.scale_service", "", "1", "1e-9 to 1e9", "Service takes this many times as long.", "Higher: more load."),
    key("workload.arrivals.trace.bad_lines_max", "", "0.01", "0 to 1", "Largest share of lines that may be bad; they are counted, named and left out.", "Higher: worse files are taken."),
    key("workload.arrivals.trace.rate", "requests/time", "none", "above 0", "Arrivals a second in the file, for `lbsim check`.", "No effect on results."),
    key("workload.arrivals.closed_loop.clients", "clients", "required", "1 to 100000000", "Clients that send, wait for the end, think, send again; beside another process or alone.", "More: more load, up to what the servers can do. Latencies flatter: who waits sends nothing (coordinated omission)."),
    key("workload.arrivals.closed_loop.think.constant.mean", "time", "required", "above 0", "Mean time a client thinks.", "Longer: less load."),
    key("workload.arrivals.closed_loop.think.exponential.mean", "time", "required", "above 0", "Mean time a client thinks.", "Longer: less load."),
    key("workload.arrivals.closed_loop.think.uniform.min", "time", "required", "0 to max", "Shortest thought.", "Longer: less load."),
    key("workload.arrivals.closed_loop.think.uniform.max", "time", "required", "above 0, at least min", "Longest thought.", "Longer: less load."),
    key("workload.arrivals.closed_loop.think.erlang.mean", "time", "required", "above 0", "Mean time a client thinks.", "Longer: less load."),
    key("workload.arrivals.closed_loop.think.erlang.shape", "phases", "required", "1 to 1000", "Number of exponential phases.", "Higher: less spread; cv = 1 / sqrt(shape)."),
    key("workload.arrivals.closed_loop.think.hyperexponential.mean", "time", "required", "above 0", "Mean time a client thinks.", "Longer: less load."),
    key("workload.arrivals.closed_loop.think.hyperexponential.cv", "", "required", "1 to 1000", "Coefficient of variation.", "Higher: longer tail."),
    key("workload.arrivals.closed_loop.think.lognormal.mean", "time", "required", "above 0", "Mean time a client thinks.", "Longer: less load."),
    key("workload.arrivals.closed_loop.think.lognormal.cv", "", "required", "above 0, to 1000", "Coefficient of variation; with mean.", "Higher: longer tail."),
    key("workload.arrivals.closed_loop.think.lognormal.median", "time", "none", "above 0", "Median, with sd: instead of mean and cv.", "Longer: less load."),
    key("workload.arrivals.closed_loop.think.lognormal.sd", "time", "none", "above 0", "Standard deviation, with median.", "Higher: longer tail, higher mean."),
    key("workload.arrivals.closed_loop.think.bounded_pareto.min", "time", "required", "above 0, to max", "Shortest thought.", "Longer: less load."),
    key("workload.arrivals.closed_loop.think.bounded_pareto.max", "time", "required", "above min", "Longest thought.", "Higher: longer tail."),
    key("workload.arrivals.closed_loop.think.bounded_pareto.alpha", "", "required", "above 0, to 100", "Tail exponent.", "Lower: heavier tail."),
    key("workload.arrivals.closed_loop.think.empirical.file", "", "required", "a CSV file", "Columns probability (0 to 1) and value_ms (_ns, _us, _s): measured quantiles, piecewise linear.", "Longer: less load."),
    key("workload.keys.zipf.count", "keys", "required", "1 to 2^53", "Different things that requests are about; key 0 is the most popular.", "More: load by key spreads better."),
    key("workload.keys.zipf.exponent", "", "required", "0 to 10", "Key k has a share in proportion to (k + 1)^-exponent.", "Higher: a few keys get most of the requests."),
    key("workload.keys.uniform.count", "keys", "required", "1 to 2^53", "Different things that requests are about, all alike.", "More: load by key spreads better."),
    key("workload.timeout", "time", "never", "above 0, or never", "The client gives up this long after arrival.", "Shorter: more timed_out, and served work that nobody waits for."),
    key("workload.cancel_on_timeout", "", "false", "true, false", "Servers are told of attempts that are given up, and drop them.", "true: less work that nobody waits for, more messages."),
    key("workload.retries.max", "retries", "0", "0 to 100", "Most retries of one request.", "More: fewer failures, more load when load hurts most."),
    key("workload.retries.budget", "", "0.2", "0 to 100", "Retries a node may spend, as a share of its requests; it starts with 10 and saves up to 100.", "Higher: retry storms become possible."),
    key("workload.retries.budget_min", "1/s", "0", "0 to 1000000000", "Retries a second that a node may spend besides; it saves up those of 10 s.", "Higher: nodes with little traffic can retry."),
    key("workload.retries.on", "", "refused, lost, failed; with attempt_timeout timed_out too", "a list of refused, lost, failed, timed_out", "Ends of an attempt after which the request is retried.", "Fewer: less load, more failures."),
    key("workload.retries.avoid", "", "last", "nobody, last, tried", "Servers a retry passes over: none, that of the last attempt, all of the request (if others are left).", "tried: a retry does not come back to a bad server."),
    key("workload.retries.attempt_timeout", "time", "never", "above 0", "An attempt is given up this long after it was sent.", "Shorter: slow servers are left sooner, and more work is wasted."),
    key("workload.retries.backoff.base", "time", "required", "above 0", "Retry k = 0, 1 ... waits base x 2^k, at most max, times u from (1 - jitter, 1].", "Longer: fewer retries while it hurts, longer tails."),
    key("workload.retries.backoff.max", "time", "10 x base", "at least base", "Longest wait of a retry before jitter.", "Longer: patient clients."),
    key("workload.retries.backoff.jitter", "", "1.0", "0 to 1", "How much of the wait is drawn: 1 is AWS's full jitter, 0 none.", "Higher: retries come spread out."),
    key("workload.retries.concurrency.share", "", "0.2", "0 to 100", "Most requests being retried at once, as a share of those under way at the node.", "Higher: retry storms become possible."),
    key("workload.retries.concurrency.min", "requests", "3", "0 or more", "That many may be in any case.", "Higher: nodes with little traffic can retry."),
    key("workload.hedge.after", "time or percentile", "required", "above 0, or p50, p99.9 ...", "A request under way is sent to a further server this long after its last attempt; a percentile is of the node's own latencies.", "Shorter: shorter tails, more load."),
    key("workload.hedge.refresh", "time", "3s", "above 0", "How often the percentile is worked out anew.", "Shorter: follows changes sooner, from fewer latencies."),
    key("workload.hedge.min", "time", "0ns", "0 or more", "Least delay by percentile.", "Longer: no hedges where all is fast."),
    key("workload.hedge.max", "hedges", "1", "1 to 10", "Most hedges of a request.", "More: shorter tails, more load."),
    key("workload.hedge.budget", "", "0.1", "0 to 100", "Hedges a node may spend, as a share of its requests; it starts with 10 and saves up to 100.", "Lower: overload is not made worse."),
    key("workload.hedge.budget_min", "1/s", "0", "0 to 1000000000", "Hedges a second that a node may spend besides; it saves up those of 10 s.", "Higher: nodes with little traffic can hedge."),
    key("workload.hedge.cancel", "", "true", "true, false", "Servers are told of attempts that lost, and drop them.", "false: all hedges are served to the end."),
    key("priorities.overprovisioning", "", "1.4", "1 to 100", "A tier takes its whole load while this many times its healthy servers are all of them (Envoy).", "Higher: load stays in the first tier for longer."),
    key("priorities.panic", "", "0.5", "0 to 1", "With a smaller share of healthy servers, and no other tier well enough, a tier uses all its servers.", "0: never. Higher: sooner."),
    key("subset.random.size", "servers", "required", "1 or more", "Each node knows this many servers, drawn anew whenever servers come or go.", "Fewer: fewer connections, less even; each node sees more of its servers."),
    key("subset.rendezvous.size", "servers", "required", "1 or more", "Each node knows the servers that suit it best by a hash (gRPC A68): changes move little.", "Fewer: fewer connections, less even."),
    key("subset.deterministic_aperture.aperture", "servers", "12", "1 or more", "Each node knows a slice of a circle of the servers with at least so many in it (Finagle): connections are even.", "Fewer: fewer connections."),
];

/// The keys after those of the policies.
#[rustfmt::skip] // As above.
const AFTER_POLICIES: &[Key] = &[
    key("policy.preset", "", "none", "names of presets, see `lbsim list presets`", "Policies with the exact defaults of a system, under its name; also [policy.NAME] with what is to differ.", "Each is one more policy to compare."),
    key("heartbeat.interval", "time", "100ms", "at least the quantum", "Mean time between two heartbeats of a server.", "Shorter: fresher views, more messages."),
    key("heartbeat.failure_timeout", "time", "3.5 intervals", "above interval x (1 + jitter)", "Silence after which a node takes a server for failed.", "Shorter: faster detection, more false alarms."),
    key("heartbeat.jitter", "", "0", "0 to below 1", "Each gap is interval x U(1 - jitter, 1 + jitter).", "Higher: heartbeats spread out."),
    key("heartbeat.synchronised", "", "false", "true, false", "All servers in step from time 0.", "true: an artefact worth seeing."),
    key("heartbeat.loss", "", "0", "0 to below 1", "Chance that one heartbeat to one node is lost.", "Higher: older views, false alarms."),
    key("heartbeat.fanout", "", "all", "all, or one of the following", "Which nodes hear a heartbeat.", "Fewer: fewer messages, older views."),
    key("heartbeat.fanout.random", "nodes", "none", "1 to nodes.count", "This many nodes, drawn anew for each heartbeat.", "More: fresher views, more messages."),
    key("heartbeat.fanout.home", "nodes", "none", "1 to nodes.count", "The same nodes every time; others never hear of the server.", "More: more nodes know the server."),
    key("heartbeat.latency_alpha", "", "0.1", "above 0, to 1", "Weight of a new completion in a server's mean latency.", "Higher: quicker and noisier."),
    key("heartbeat.latency_decay", "time", "10s", "above 0, or never", "How fast an idle server's reported latency falls, also in answers to probes.", "never: a server once slow is never tried again."),
    key("discovery.initial", "", "configured", "configured, empty", "Whom a node knows at the start; the others from their first report on.", "empty: nothing is served before the first heartbeats."),
    key("discovery.prior", "", "zero", "zero, mean, or the following", "Latency of a server that has completed nothing yet.", "zero: every node tries a new server at once. mean: as good as any."),
    key("discovery.prior.penalty", "time", "none", "0 or more", "This latency.", "Higher: a new server is tried when the others are as slow."),
    key("discovery.slow_start.window", "time", "10s", "above 0", "For so long after a node finds a server available, only some picks of it stand: max(floor, t / window) ^ (1 / aggression) of them.", "Longer: gentler on cold servers, slower to relieve the others."),
    key("discovery.slow_start.aggression", "", "1", "above 0, to 100", "Shape of the slow start; 1 is a straight line.", "Higher: quicker at first."),
    key("discovery.slow_start.floor", "", "0.1", "above 0, to 1", "Share of the window that counts as over from the start.", "Higher: more requests at first."),
    key("discovery.tombstone_ttl", "time", "60s", "above 0", "A server that left for good is forgotten after this time.", "Shorter than the oldest message on its way: a server that left comes back as a ghost."),
    key("detection", "", "timeout", "timeout, phi_accrual, or one of the following", "When silence means failure.", ""),
    key("detection.timeout", "", "{}", "{}", "After heartbeat.failure_timeout.", "Detects after k - 1/2 intervals on average; k losses in a row are a false alarm."),
    key("detection.phi_accrual.threshold", "", "8", "above 0, to 1000", "Suspect once elapsed / (mean gap x ln 10) is above it.", "Higher: later, fewer false alarms. 8 is 18.4 mean gaps."),
    key("detection.phi_accrual.window", "gaps", "1000", "1 or more", "Gaps that the mean looks back on; beyond, older ones fade.", "Shorter: adapts faster, noisier."),
    key("detection.phi_accrual.min_samples", "gaps", "10", "1 or more", "Before so many gaps, heartbeat.failure_timeout decides.", "Higher: the timeout decides longer after a server (re)appears."),
    key("health_checks.interval", "time", "2s", "at least the quantum", "Time between two checks of a server by a node; without [health_checks] there are none.", "Shorter: faster detection, more messages."),
    key("health_checks.timeout", "time", "half the interval", "at least a round trip, to the interval", "An answer later than this is none.", "Shorter: faster detection, more false alarms."),
    key("health_checks.fall", "checks", "3", "1 or more", "Failures in a row after which a server is out.", "More: slower, fewer false alarms."),
    key("health_checks.rise", "checks", "2", "1 or more", "Successes in a row after which it is back.", "More: slower to return, less flapping."),
    key("outlier_ejection.consecutive_failures", "answers", "5", "0 or more", "Errors, losses and timeouts in a row after which a node ejects a server; 0: never. Without [outlier_ejection] nobody is ejected.", "Fewer: faster, more ejections by chance."),
    key("outlier_ejection.success_rate", "", "on", "off, or the following", "Eject servers whose success rate is far below the others'.", ""),
    key("outlier_ejection.success_rate.factor", "", "1.9", "above 0, to 1000", "Far: below mean - factor x standard deviation.", "Higher: fewer ejections."),
    key("outlier_ejection.success_rate.min_hosts", "servers", "5", "2 or more", "Servers with enough answers needed for a comparison.", "More: no comparison in small fleets."),
    key("outlier_ejection.success_rate.min_requests", "answers", "100", "1 or more", "Answers of a server in an interval needed for a rate.", "More: no comparison at low traffic."),
    key("outlier_ejection.interval", "time", "10s", "at least the quantum", "Time between two looks at rates and at the ends of ejections.", "Shorter: faster, noisier rates."),
    key("outlier_ejection.base_time", "time", "30s", "above 0", "Length of a first ejection; the k-th takes k times as long.", "Longer: fewer retries of bad servers."),
    key("outlier_ejection.max_time", "time", "10 base times", "at least base_time", "Longest ejection.", ""),
    key("outlier_ejection.max_ejected", "", "0.1", "0 to 1", "Share of the known servers a node may eject at once; one it always may.", "Higher: more bad servers are out, and one bad node can empty itself."),
    key("panic_threshold", "", "0.5", "0 to 1", "When fewer servers than this share pass checks, are unsuspected and not ejected, a node ignores all three.", "0: never. Higher: panics earlier."),
    key("trust.factor", "", "4", "above 1, to 1000000", "A report is far off when its latency differs by more than this factor from the node's own measurement. Without [trust] every report is believed.", "Higher: only gross lies are noticed."),
    key("trust.min_answers", "answers", "10", "1 or more", "Answers a node must have seen before it compares.", "More: slower, fewer false accusations."),
    key("trust.strikes", "reports", "3", "1 to 255", "So many reports far off, less those that were not, and the server is quarantined.", "More: slower, fewer false accusations."),
    key("trust.alpha", "", "0.1", "above 0, to 1", "Weight of a new answer in the node's own measurement.", "Higher: quicker and noisier."),
    key("view.oracle", "", "false", "true, false", "Every node sees the truth on every quantum boundary: the control of all experiments.", "true: no view is ever older than a quantum."),
    key("on_no_server", "", "reject", "reject, least_bad, or the following", "What becomes of a request for which no server is eligible.", "least_bad: the least loaded of those that come closest gets it."),
    key("on_no_server.queue.limit", "requests", "100", "1 or more", "Most requests that wait at one node.", "More: fewer rejections, longer waits."),
    key("on_no_server.queue.paced", "", "true", "true, false", "Of the room that a report shows, a node gives to those who wait its share alone, one part in as many as there are nodes; each answer lets one more go.", "false: all nodes fill the first server that comes back, and it refuses most of them."),
    key("on_no_server.queue.timeout", "time", "1s", "above 0", "A request that has waited so long is rejected.", "Longer: fewer rejections, longer waits."),
    key("gossip.interval", "time", "200ms", "at least the quantum", "Mean time between two rounds of a node; without [gossip] nodes tell each other nothing.", "Shorter: fresher views, more messages."),
    key("gossip.jitter", "", "0", "0 to below 1", "Each gap is interval x U(1 - jitter, 1 + jitter).", "Higher: rounds spread out."),
    key("gossip.rounds", "", "spread", "spread, together, poisson", "How rounds of nodes lie to each other: each in a phase of its own, all at once, or at random with exponential gaps.", "together: messages come in bursts. poisson: some news waits long for its round."),
    key("gossip.fanout", "nodes", "1", "1 to nodes.count - 1", "Peers a node turns to in a round, drawn anew each time.", "More: news spreads in fewer rounds, more messages."),
    key("gossip.mode", "", "push_pull", "push, pull, push_pull", "Which way news goes: to the peers, from them, or both.", "push_pull: fewest rounds, more messages each."),
    key("gossip.payload", "", "delta", "delta, full", "What is sent: what the other side lacks, or all that is known.", "full: bytes grow with the servers instead of with the changes."),
    key("gossip.mtu_bytes", "bytes", "65507", "200 to 65507", "Largest message; a delta is cut there and goes on in the next exchange.", "Lower: smaller messages, news comes later when there is much."),
    key("gossip.loss", "", "0", "0 to below 1", "Chance that a packet is lost. A message of several packets needs all of them.", "Higher: news spreads more slowly."),
    key("membership.probe_interval", "time", "1s", "at least the quantum", "A node asks one member whether it lives in each of these; without [membership] every node knows all nodes for ever.", "Shorter: crashes are detected sooner, more messages."),
    key("membership.probe_timeout", "time", "half the probe interval", "above 0, below the probe interval", "Wait for the answer before others are asked to try.", "Shorter: more messages, fewer false suspicions."),
    key("membership.indirect", "nodes", "3", "0 to 1000", "How many others are asked.", "More: fewer false suspicions, more messages."),
    key("membership.probe_order", "", "ring", "ring, random", "Whom a node asks next: each member once a round, or a random one.", "random: some members wait long for their turn."),
    key("membership.suspicion_mult", "", "4", "1 to 1000", "Shortest suspicion, in probe intervals x max(1, log10 members).", "Higher: later detection, fewer false deaths."),
    key("membership.suspicion_max_mult", "", "6", "1 to 1000", "Longest suspicion, in shortest ones; members that confirm it shorten it.", "1: suspicions of a fixed length."),
    key("membership.retransmit_mult", "", "4", "1 to 1000", "A piece of news is sent this many times ceil(log10(members + 1)).", "Higher: news is more certain to reach all, more bytes."),
    key("membership.piggyback", "claims", "40", "1 to 10000", "Most pieces of news on one message.", "Lower: smaller messages, news spreads more slowly."),
    key("membership.gossip_interval", "time", "a fifth of the probe interval", "at least the quantum", "Time between two rounds of gossip about members.", "Shorter: news spreads faster, more messages."),
    key("membership.gossip_nodes", "nodes", "3", "0 to 1000", "Members told in a round.", "More: news spreads faster, more messages."),
    key("membership.gossip_to_dead", "time", "30 probe intervals", "0 or more", "The dead are told news for so long, so that they may object.", "Longer: partitions of this length heal without a reconnect."),
    key("membership.sync_interval", "time", "30 probe intervals", "at least the quantum", "Time between two exchanges of whole lists.", "Shorter: lost news is made up for sooner, more bytes."),
    key("membership.reconnect_interval", "time", "30 probe intervals", "at least the quantum", "Time between two attempts to reach a dead member or a missing seed.", "Shorter: a healed partition converges sooner."),
    key("membership.reap", "time", "24h", "above 0", "Members dead or gone are forgotten after this.", "Shorter: shorter lists, and a long partition becomes final."),
    key("membership.lifeguard", "", "true", "true, false", "A node that fails in its own probes slows them down.", "false: an overloaded node accuses healthy ones."),
    key("membership.loss", "", "0", "0 to below 1", "Chance that a packet about members is lost. A message of several packets needs all of them.", "Higher: false suspicions, and news spreads more slowly."),
    key("membership.seeds", "ids", "0..3", "ids of nodes, 0..3 (3 excluded) or 0", "The nodes asked by one that starts.", "Fewer: a cluster without them forms in pieces."),
    key("faults.N.at", "time", "required", "below duration", "When it breaks, on the next quantum.", ""),
    key("faults.N.for", "time", "to the end", "at least the quantum", "How long.", ""),
    key("faults.N.crash.servers", "servers", "required", "0..5 (5 excluded), 3, 10% or a group", "Whom it hits.", ""),
    key("faults.N.crash.silent", "", "false", "true, false", "Connections hang instead of being reset.", "true: only timeouts and missing heartbeats tell."),
    key("faults.N.slow.servers", "servers", "required", "0..5 (5 excluded), 3, 10% or a group", "Whom it hits.", ""),
    key("faults.N.slow.factor", "", "none", "above 0, to 1000000", "Service times are multiplied by this; or service.", "Higher: slower."),
    key("faults.N.slow.service", "time", "none", "above 0", "Every service takes exactly this long; or factor.", "Higher: slower."),
    key("faults.N.fail_fast.servers", "servers", "required", "0..5 (5 excluded), 3, 10% or a group", "Whom it hits.", ""),
    key("faults.N.fail_fast.share", "", "1", "above 0, to 1", "Chance that an attempt is answered with an error at once.", "Higher: a deeper sinkhole: the server looks idle and fast."),
    key("faults.N.flap.servers", "servers", "required", "0..5 (5 excluded), 3, 10% or a group", "Whom it hits.", ""),
    key("faults.N.flap.period", "time", "required", "up and down for a quantum at least", "From one crash to the next; the first comes at once.", "Shorter: more changes, and views lag them all."),
    key("faults.N.flap.up", "", "0.5", "above 0, to below 1", "Share of a period that the server is up.", "Higher: shorter crashes."),
    key("faults.N.flap.silent", "", "false", "true, false", "Connections hang instead of being reset.", "true: only timeouts and missing heartbeats tell."),
    key("faults.N.capacity.servers", "servers", "required", "0..5 (5 excluded), 3, 10% or a group", "Whom it hits.", ""),
    key("faults.N.capacity.slots", "requests", "required", "1 to 65535", "Service slots; what is in service goes on.", "Fewer: less capacity, until the fault ends."),
    key("faults.N.add.group", "", "none", "the name of a [[servers]] group", "The new servers are like those of this group; or all keys of a group.", ""),
    key("faults.N.add.name", "", "none", "letters, digits, - _ ., a letter first", "What faults call the new servers.", "No effect on results."),
    key("faults.N.add.count", "servers", "required with group, else 1", "1 or more", "New servers; their ids follow all others.", "More: more capacity once the nodes know of them."),
    key("faults.N.add.capacity", "requests", "required without group", "1 to 65535", "As servers.N.capacity.", "More: more capacity, less waiting."),
    key("faults.N.add.backlog", "requests", "16", "0 or more, or unbounded", "As servers.N.backlog.", "More: fewer refusals, longer tails."),
    key("faults.N.add.service", "law", "required without group", "as servers.N.service", "Service time at speed 1.", "Higher: less capacity, more latency."),
    key("faults.N.add.speed", "", "1.0", "0.000001 to 1000000", "As servers.N.speed.", "Higher: shorter service times."),
    key("faults.N.add.discipline", "", "fifo", "as servers.N.discipline", "Who is served next.", "As servers.N.discipline."),
    key("faults.N.add.shed", "", "none", "as servers.N.shed", "What is turned away though it was let in.", "As servers.N.shed."),
    key("faults.N.add.antagonist", "", "none", "as servers.N.antagonist", "Others' work on the same machine.", "As servers.N.antagonist."),
    key("faults.N.add.cold_start", "", "none", "as servers.N.cold_start", "Slow service right after the addition.", "As servers.N.cold_start."),
    key("faults.N.add.pauses", "", "none", "as servers.N.pauses", "Moments in which nothing goes on.", "As servers.N.pauses."),
    key("faults.N.add.slowdown", "", "none", "as servers.N.slowdown", "Slower the fuller.", "As servers.N.slowdown."),
    key("faults.N.add.priority", "", "0", "0 to 127", "As servers.N.priority.", ""),
    key("faults.N.add.weight", "", "1.0", "0.000001 to 1000000", "As servers.N.weight.", "Higher: more requests under a weighted policy."),
    key("faults.N.drain.servers", "servers", "required", "0..5 (5 excluded), 3, 10% or a group", "Whom it hits.", ""),
    key("faults.N.remove.servers", "servers", "required", "0..5 (5 excluded), 3, 10% or a group", "Whom it hits.", ""),
    key("faults.N.heartbeat_loss.servers", "servers", "required", "0..5 (5 excluded), 3, 10% or a group", "Whom it hits.", ""),
    key("faults.N.heartbeat_loss.share", "", "1", "above 0, to 1", "Chance that one heartbeat to one node is lost.", "Higher: older views, false alarms."),
    key("faults.N.heartbeat_delay.servers", "servers", "required", "0..5 (5 excluded), 3, 10% or a group", "Whom it hits.", ""),
    key("faults.N.heartbeat_delay.by", "time", "required", "above 0", "How much longer heartbeats take.", "Higher: older views; from the failure timeout on, false alarms."),
    key("faults.N.heartbeat_duplicate.servers", "servers", "required", "0..5 (5 excluded), 3, 10% or a group", "Whom it hits.", ""),
    key("faults.N.heartbeat_duplicate.share", "", "1", "above 0, to 1", "Chance that one heartbeat to one node arrives twice.", "Higher: more messages, the same views."),
    key("faults.N.heartbeat_reorder.servers", "servers", "required", "0..5 (5 excluded), 3, 10% or a group", "Whom it hits.", ""),
    key("faults.N.heartbeat_reorder.share", "", "0.5", "above 0, to 1", "Chance that one heartbeat to one node is held up.", "Higher: older views."),
    key("faults.N.heartbeat_reorder.by", "time", "required", "above 0", "Longest time it is held up; uniform.", "Higher: more heartbeats overtake it."),
    key("faults.N.lie.servers", "servers", "required", "0..5 (5 excluded), 3, 10% or a group", "Whom it hits.", ""),
    key("faults.N.lie.load", "", "1", "0 to 1000000", "Factor of the load reported.", "Lower: draws traffic in."),
    key("faults.N.lie.latency", "", "1", "0 to 1000000", "Factor of the mean latency reported.", "Lower: draws traffic in."),
    key("faults.N.lie.frozen", "", "false", "true, false", "Report what was true at first; instead of factors.", "true: an idle server draws traffic in for ever."),
    key("faults.N.inconsistent.servers", "servers", "required", "0..5 (5 excluded), 3, 10% or a group", "Whom it hits.", ""),
    key("faults.N.inconsistent.what", "", "required", "impossible, backwards, conflicting", "What is wrong: values, versions that fall, or one version with several payloads.", ""),
    key("faults.N.inconsistent.share", "", "1", "above 0, to 1", "Share of the heartbeats that are so.", "Higher: fewer reports that can be believed."),
    key("faults.N.clock_skew.servers", "servers", "required", "0..5 (5 excluded), 3, 10% or a group", "Whom it hits.", ""),
    key("faults.N.clock_skew.ahead", "time", "none", "at least the quantum", "How far the clock is ahead; or behind.", "Higher: a crash is found later."),
    key("faults.N.clock_skew.behind", "time", "none", "at least the quantum", "How far the clock is behind; or ahead.", "From the failure timeout on, the server looks failed."),
    key("faults.N.node_crash.nodes", "nodes", "required", "0..5 (5 excluded), 3 or 10%", "Whom it hits.", ""),
    key("faults.N.node_leave.nodes", "nodes", "required", "0..5 (5 excluded), 3 or 10%", "Whom it hits.", ""),
    key("faults.N.node_join.nodes", "nodes", "required", "0..5 (5 excluded), 3 or 10%", "Whom it hits.", ""),
    key("faults.N.partition.a.nodes", "nodes", "none", "0..5 (5 excluded), 3 or 10%", "LB nodes on one side.", ""),
    key("faults.N.partition.a.servers", "servers", "none", "0..5 (5 excluded), 3, 10% or a group", "Servers on one side.", ""),
    key("faults.N.partition.b.nodes", "nodes", "none", "0..5 (5 excluded), 3 or 10%", "LB nodes on the other side.", ""),
    key("faults.N.partition.b.servers", "servers", "none", "0..5 (5 excluded), 3, 10% or a group", "Servers on the other side.", ""),
    key("faults.N.partition.one_way", "", "false", "true, false", "Only what goes from a to b is cut.", "true: half of the conversation still works."),
    key("chaos.rate", "faults/time", "required", "above 0", "Mean faults a second of a random campaign (Poisson), each on one target.", "Higher: more breaks at once."),
    key("chaos.kinds", "", "required", "kinds of fault, without add, remove and node_join", "What breaks, each as likely as any other.", ""),
    key("chaos.for", "time", "1s", "at least the quantum", "Mean time a fault lasts; exponential.", "Longer: more breaks at once."),
    key("chaos.seed", "", "seed", "0 to 2^64 - 1", "Seed of the campaign.", "Another seed is another campaign on the same requests."),
    key("expect.METRIC", "", "none", "<, <=, > or >= and a number", "Bound on a metric, or on a policy's (policy.metric); `lbsim run` fails when it is missed.", "No effect on results."),
];

/// A row of the table.
pub const fn key(
    path: &'static str,
    unit: &'static str,
    default: &'static str,
    range: &'static str,
    meaning: &'static str,
    effect: &'static str,
) -> Key {
    Key { path, unit, default, range, meaning, effect }
}

/// The policies a scenario may name, in the order of their keys.
pub use crate::policy::registry::POLICIES;

/// The kinds of fault a scenario may schedule.
pub const FAULTS: &[&str] = &super::faults::KINDS;

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::config::scenario::read;
    use crate::config::tree::{Text, parse_file};
    use crate::config::walk::{Texts, Walk};

    /// Which keys the parser asks for when it reads `text`.
    fn asked(text: &str) -> BTreeSet<String> {
        let mut walk = Walk::new(&|_| Ok(String::new()), Texts { file: text, ..Texts::default() });
        let _ = read(&mut walk, &parse_file(text, Text::File).expect("TOML"), None);
        walk.asked
    }

    /// Goal: the table and the parser cannot drift apart. Method: read texts that open every
    /// table and choice, note what the parser asks for; the choices it offers count as asked for.
    #[test]
    fn table_and_parser_know_the_same_keys() {
        let mut asked_for = asked(
            "heartbeat.fanout.random = 1\n[workload]\nretries = { backoff = {}, concurrency = {} }\n\
             hedge = {}\n[membership]\n[chaos]\n[target]\n[expect]\n",
        );
        for (policy, _) in POLICIES {
            asked_for.extend(asked(&format!("[policy.{policy}]")));
        }
        for kind in FAULTS {
            let inner = if *kind == "partition" { "a = {}\nb = {}" } else { "" };
            asked_for.extend(asked(&format!("[[faults]]\n[faults.{kind}]\n{inner}")));
        }
        asked_for.extend(asked("[[faults]]\nadd = { group = \"web\" }"));
        asked_for.extend(asked(
            "on_no_server.queue = {}\n[discovery]\nslow_start = {}\nprior.penalty = \"1s\"\n\
             [detection]\nphi_accrual = {}\n[health_checks]\n[outlier_ejection]\n\
             success_rate = {}\n[trust]\n[view]\n",
        ));
        asked_for.extend(asked(
            "[[servers]]\nshed = { codel = {}, adaptive_lifo = {} }\nantagonist = {}\n\
             cold_start = {}\npauses = {}\nslowdown = {}\n",
        ));
        for law in ["constant", "uniform", "exponential", "lognormal"] {
            asked_for.extend(asked(&format!(
                "network.node_server.{law} = {{}}\nnetwork.server_node.{law} = {{}}\n\
                 network.node_node.{law} = {{}}"
            )));
        }
        let listed: BTreeSet<String> = KEYS.iter().map(|key| key.path.to_owned()).collect();
        assert_eq!(listed.len(), KEYS.len(), "a key is listed twice");
        for path in &listed {
            // Services and arrivals are opened by the table's own paths: `arrivals.poisson.rate`.
            if let Some((law, _)) = path.rsplit_once('.') {
                let law = law.replace("servers.N.", "");
                if law.starts_with("service.") {
                    asked_for.extend(asked(&format!("[[servers]]\n{law} = {{}}")));
                } else if law.starts_with("workload.arrivals.") {
                    asked_for.extend(asked(&format!("{law} = {{}}")));
                }
            }
        }
        for kind in ["random", "rendezvous", "deterministic_aperture"] {
            asked_for.extend(asked(&format!("subset.{kind} = {{}}")));
        }
        asked_for.extend(asked("workload.keys.zipf = {}"));
        asked_for.extend(asked("workload.keys.uniform = {}"));
        let leads_on = |path: &str| listed.iter().any(|key| key.starts_with(&format!("{path}.")));
        let undocumented: Vec<&String> =
            asked_for.iter().filter(|path| !listed.contains(*path) && !leads_on(path)).collect();
        let unread: Vec<&String> = listed.difference(&asked_for).collect();
        assert!(undocumented.is_empty(), "accepted, not in KEYS: {undocumented:?}");
        assert!(unread.is_empty(), "in KEYS, not accepted: {unread:?}");
    }
}
