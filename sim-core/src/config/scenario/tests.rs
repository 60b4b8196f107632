//! What the parser makes of whole files: defaults, faults, overrides, mutations.

use proptest::prelude::*;

use super::*;
use crate::config::{
    Arrivals, ChaosConfig, ChaosKind, Choices, CoDel, Fanout, FaultKind, LatencyTies, LoadSignal,
    LowestLatencyConfig, PolicyConfig, Slowdown, Targets, TwoChoicesConfig,
};
use crate::law::{DelayLaw, ServiceLaw};
use crate::stats::target::HalfWidth;
use crate::time::{MICROSECOND, MILLISECOND};

/// The least a scenario must say.
const LEAST: &str = r#"
name = "least"
duration = "10s"
[[servers]]
count = 10
capacity = 4
service.exponential = { mean = "10ms" }
[workload]
arrivals.poisson = { rate = "50%" }
"#;

/// A scenario that uses most of what there is.
const RICH: &str = r#"
name = "rich"
duration = "20s"
warmup = "2s"
drain = "5s"
seed = 7
replications = 3
[engine]
quantum = "1ms"
sample_interval = "100ms"
[network]
node_server.lognormal = { mean = "800us", cv = 0.5, min = "300us" }
server_node.uniform = { min = "400us", max = "600us" }
[nodes]
count = 4
[[servers]]
count = 6
capacity = 4
backlog = "unbounded"
discipline = "fifo"
service.lognormal = { median = "167ms", sd = "5ms" }
[[servers]]
count = 4
capacity = 8
service.empirical = { file = "q.csv" }
speed = 2
[workload]
arrivals.mmpp = { low = "20%", high = "90%", dwell_low = "1s", dwell_high = "100ms" }
timeout = "1s"
retries = { max = 1, budget = 0.1 }
[policy.two_choices]
choices = "all"
signal = "own"
[policy.lowest_latency]
ties = "id"
[heartbeat]
interval = "50ms"
jitter = 0.1
fanout = { home = 2 }
latency_decay = "never"
[[faults]]
at = "8s"
for = "3s"
crash = { servers = "0..5", silent = true }
[[faults]]
at = "12s"
slow = { servers = 3, service = "2s" }
[expect]
"success_rate" = ">= 0.99"
"two_choices.latency_ms_p99" = "< 5"
"#;

fn files(name: &str) -> Result<String, String> {
    match name {
        "q.csv" => Ok("probability,value_ms\n0,1\n0.5,2\n1,9\n".into()),
        "down.csv" => Ok("probability,value_ms\n0,1\n0.5,0.5\n1,9\n".into()),
        _ => Err(format!("cannot read {name}")),
    }
}

fn parse(text: &str) -> Result<Scenario, Vec<ConfigFault>> {
    Scenario::parse(text, &[], &files)
}

fn with(text: &str, overrides: &[(&str, &str)]) -> Result<Scenario, Vec<ConfigFault>> {
    let own = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
    let overrides: Vec<_> = overrides.iter().map(own).collect();
    Scenario::parse(text, &overrides, &files)
}

#[test]
fn defaults_are_filled_in() {
    let s = parse(LEAST).expect("valid");
    assert_eq!((s.warmup_ns, s.drain_ns), (SECOND, 10 * SECOND));
    assert_eq!((s.seed, s.replications, s.nodes.count), (1, 1, 1));
    assert_eq!(s.network.node_server, DelayLaw::Constant { mean_ns: 500 * MICROSECOND });
    assert_eq!(s.network.server_node, s.network.node_server);
    assert_eq!(s.engine.tick_ns, 500 * MICROSECOND);
    assert_eq!(s.engine.quantum_ns, 500 * MICROSECOND);
    assert_eq!(s.engine.sample_interval_ns, 199 * 500 * MICROSECOND);
    assert_eq!(s.servers[0].backlog, Some(16));
    assert_eq!(s.workload.arrivals, Arrivals::Poisson { rate: 2_000.0 });
    assert_eq!(s.heartbeat.failure_timeout_ns, 350 * MILLISECOND);
    assert_eq!(s.heartbeat.fanout, Fanout::All);
    let [
        PolicyConfig::LowestLatency(LowestLatencyConfig {
            own_sends: true,
            capacity_gate: true,
            ..
        }),
    ] = s.policies[..]
    else {
        panic!("{:?}", s.policies)
    };
}

#[test]
fn everything_written_is_read() {
    let s = parse(RICH).expect("valid");
    // The lookahead is 300 us; the largest divisor of 1 ms below it is 250 us.
    assert_eq!(s.engine.tick_ns, 250 * MICROSECOND);
    assert_eq!(s.servers[0].backlog, None);
    let ServiceLaw::Lognormal { mean_ns, .. } = s.servers[0].service else { panic!("law") };
    assert!((mean_ns / 167.075e6 - 1.0).abs() < 1e-4, "{mean_ns}");
    assert_eq!(s.workload.retries.budget_ppm, 100_000);
    assert_eq!(
        s.policies.iter().map(PolicyConfig::name).collect::<Vec<_>>(),
        ["two_choices", "lowest_latency"]
    );
    let PolicyConfig::TwoChoices(TwoChoicesConfig { choices, signal, .. }) = s.policies[0] else {
        panic!("order")
    };
    assert_eq!((choices, signal), (Choices::All, LoadSignal::Own));
    assert_eq!(s.heartbeat.fanout, Fanout::Home(2));
    assert_eq!(s.heartbeat.latency_decay_ns, None);
    assert_eq!(s.faults[0].kind, FaultKind::Crash { servers: Targets::Ids(0..5), silent: true });
    let slowdown = Slowdown::Fixed(2 * SECOND);
    assert_eq!(s.faults[1].kind, FaultKind::Slow { servers: Targets::Ids(3..4), slowdown });
    assert_eq!(s.expect[0].policy, None);
    assert_eq!(s.expect[1].policy.as_deref(), Some("two_choices"));
    assert_eq!(s.validate(), Ok(()));
}

#[test]
fn overrides_reach_every_kind_of_place() {
    let s = with(
        RICH,
        &[
            ("nodes.count", "16"),
            ("heartbeat.interval", "60ms"),
            ("servers.0.capacity", "9"),
            ("policy", "lowest_latency"),
            ("workload.arrivals", "{ constant = { rate = \"3/ms\" } }"),
        ],
    )
    .expect("valid");
    assert_eq!((s.nodes.count, s.servers[0].capacity), (16, 9));
    assert_eq!(s.heartbeat.interval_ns, 60 * MILLISECOND);
    assert_eq!(s.workload.arrivals, Arrivals::Constant { rate: 3_000.0 });
    // What the file expects of two_choices does not apply any more.
    assert_eq!(s.expect.len(), 1);
    let [PolicyConfig::LowestLatency(LowestLatencyConfig { ties: LatencyTies::Random, .. })] =
        s.policies[..]
    else {
        panic!("{:?}", s.policies)
    };
}

#[test]
fn a_fault_in_an_override_names_the_override() {
    for (key, value, problem) in [
        ("nodes.count", "many", "must be a whole number, not a text"),
        ("nodes.count", "0", "is out of range"),
        ("nodes.cuont", "3", "unknown key"),
        ("servers.7.capacity", "3", "`servers` has no element `7`"),
        ("policy", "three_choices", "unknown choice"),
    ] {
        let faults = with(LEAST, &[(key, value)]).expect_err(key);
        assert_eq!(faults.len(), 1, "{faults:?}");
        assert_eq!(faults[0].origin, Origin::Override(format!("{key}={value}")));
        assert_eq!(faults[0].problem, problem);
        assert!(faults[0].span.is_some());
    }
}

/// What is put over the rich scenario, which key is blamed, and a word of the problem.
#[rustfmt::skip] // One case a row.
const IMPOSSIBLE: &[(&str, &str, &str, &str)] = &[
    ("name", "a/b", "name", "file name"),
    ("duration", "0s", "duration", "above 0"),
    ("duration", "20", "duration", "unit"),
    ("duration", "10mz", "duration", "unknown unit `mz`"),
    ("warmup", "20s", "warmup", "below the duration"),
    ("warmup", "automatic", "warmup", "not a duration"),
    ("replications", "0", "replications", "range"),
    ("replications_max", "2", "replications_max", "range"),
    ("target", "5", "target", "a table"),
    ("target.latency_ms_p99", "0", "target.latency_ms_p99", "above 0"),
    ("target.latency_ms_p99", "5 percent", "target.latency_ms_p99", "no number or percentage"),
    ("target.latency_ms_p99", "true", "target.latency_ms_p99", "half-width"),
    ("seed", "-1", "seed", "range"),
    ("network.node_server.lognormal.min", "0s", "network.node_server.lognormal.min", "lookahead"),
    ("network.node_server.lognormal.mean", "300us", "network.node_server.lognormal.mean", "above `min`"),
    ("network.node_server.lognormal.cv", "0", "network.node_server.lognormal.cv", "range"),
    ("network.server_node.uniform.max", "1us", "network.server_node.uniform.max", "at least `min`"),
    ("engine.tick", "500us", "engine.tick", "smallest one-way delay"),
    ("engine.tick", "300us", "engine.tick", "divide"),
    ("engine.tick", "0s", "engine.tick", "above 0"),
    ("engine.quantum", "0s", "engine.quantum", "above 0"),
    ("engine.sample_interval", "1500us", "engine.sample_interval", "multiple"),
    ("duration", "1000000h", "engine.sample_interval", "bins"),
    ("nodes.count", "0", "nodes.count", "range"),
    ("servers.0.name", "5..7", "servers.0.name", "cannot name a group"),
    ("servers.0.count", "0", "servers.0.count", "range"),
    ("servers.0.capacity", "0", "servers.0.capacity", "range"),
    ("servers.0.capacity", "65536", "servers.0.capacity", "range"),
    ("servers.0.backlog", "-1", "servers.0.backlog", "range"),
    ("servers.0.backlog", "endless", "servers.0.backlog", "unknown choice"),
    ("servers.0.discipline", "random", "servers.0.discipline", "unknown choice"),
    ("servers.0.shed", "{ queue_timeout = \"0s\" }", "servers.0.shed.queue_timeout", "above 0"),
    ("servers.0.shed", "{ codel = { interval = \"5ms\" } }", "servers.0.shed.codel.interval", "no longer than the target"),
    ("servers.0.shed", "{ adaptive_lifo = {} }", "servers.0.shed.adaptive_lifo", "nothing is chosen"),
    ("servers.0.shed", "{ adaptive_lifo = { after = \"0s\" } }", "servers.0.shed.adaptive_lifo.after", "above 0"),
    ("servers.0.antagonist", "{ factor = 0.5, normal = \"1s\", slow = \"1s\" }", "servers.0.antagonist.factor", "range"),
    ("servers.0.antagonist", "{ factor = 2, slow = \"1s\" }", "servers.0.antagonist.normal", "missing"),
    ("servers.0.antagonist", "{ factor = 2, normal = \"1s\", slow = \"0s\" }", "servers.0.antagonist.slow", "above 0"),
    ("servers.0.cold_start", "{ factor = 1e7, decay = \"1s\" }", "servers.0.cold_start.factor", "range"),
    ("servers.0.cold_start", "{ factor = 2, decay = \"0s\" }", "servers.0.cold_start.decay", "above 0"),
    ("servers.0.pauses", "{ rate = \"5%\", length = { constant = { mean = \"1s\" } } }", "servers.0.pauses.rate", "no rate of pauses"),
    ("servers.0.pauses", "{ rate = \"1e9/s\", length = { constant = { mean = \"1s\" } } }", "servers.0.pauses.rate", "range"),
    ("servers.0.pauses", "{ rate = \"1/s\", length = { constant = { mean = \"0s\" } } }", "servers.0.pauses.length.constant.mean", "above 0"),
    ("servers.0.slowdown", "{ knee = 2, slope = 0 }", "servers.0.slowdown.slope", "range"),
    ("servers.0.speed", "0", "servers.0.speed", "range"),
    ("servers.0.speed", "nan", "servers.0.speed", "finite"),
    ("servers.0.service", "{}", "servers.0.service", "nothing is chosen"),
    ("servers.0.service.lognormal.mean", "1ms", "servers.0.service.lognormal.mean", "over-determines"),
    ("servers.0.service.lognormal.sd", "0s", "servers.0.service.lognormal.sd", "above 0"),
    ("servers.0.service.gamma.mean", "1ms", "servers.0.service.gamma", "unknown key"),
    ("servers.1.service.empirical.file", "gone.csv", "servers.1.service.empirical.file", "cannot read"),
    ("servers.1.service.empirical.file", "down.csv", "servers.1.service.empirical.file", "row 2"),
    ("workload.arrivals.mmpp.low", "95%", "workload.arrivals.mmpp.high", "slower"),
    ("workload.arrivals.mmpp.low", "0/s", "workload.arrivals.mmpp.low", "above 0"),
    ("workload.arrivals.mmpp.high", "5e9/s", "workload.arrivals.mmpp.high", "nanoseconds"),
    ("workload.arrivals.mmpp.high", "500", "workload.arrivals.mmpp.high", "unit"),
    ("workload.timeout", "0s", "workload.timeout", "above 0"),
    ("workload.retries.budget", "-0.1", "workload.retries.budget", "range"),
    ("policy.two_choices.choices", "0", "policy.two_choices.choices", "chosen"),
    ("policy.two_choices.choices", "11", "policy.two_choices.choices", "different servers"),
    ("policy.two_choices.signal", "ownn", "policy.two_choices.signal", "unknown choice"),
    ("policy.lowest_latency.own_sends", "1", "policy.lowest_latency.own_sends", "true or false"),
    ("heartbeat.interval", "500us", "heartbeat.interval", "quantum"),
    ("heartbeat.jitter", "1", "heartbeat.jitter", "range"),
    ("heartbeat.loss", "-0.5", "heartbeat.loss", "range"),
    ("heartbeat.failure_timeout", "55ms", "heartbeat.failure_timeout", "look failed"),
    ("heartbeat.fanout.home", "0", "heartbeat.fanout.home", "hears it"),
    ("heartbeat.fanout.home", "5", "heartbeat.fanout.home", "hears it"),
    ("heartbeat.fanout.random", "2", "heartbeat.fanout", "second choice"),
    ("heartbeat.latency_alpha", "0", "heartbeat.latency_alpha", "range"),
    ("heartbeat.latency_decay", "0s", "heartbeat.latency_decay", "above 0"),
    ("faults.0.at", "20s", "faults.0.at", "over by then"),
    ("faults.0.for", "0s", "faults.0.for", "too short"),
    ("faults.0.crash.servers", "5..5", "faults.0.crash.servers", "empty"),
    ("faults.0.crash.servers", "9..11", "faults.0.crash.servers", "no such servers"),
    ("faults.0.crash.servers", "all", "faults.0.crash.servers", "no group of this name"),
    ("faults.1.slow.factor", "2", "faults.1.slow", "not clear"),
    ("faults.1.slow.service", "0s", "faults.1.slow.service", "above 0"),
    ("faults.1.crash.servers", "1", "faults.1", "two things"),
    ("expect.random.ok", ">= 1", "expect.random.ok", "no policy `random`"),
    ("expect.success_rate", "0.5", "expect.success_rate", "text in quotes"),
    ("expect.success_rate", "= 0.5", "expect.success_rate", "no bound"),
    ("workload.arrivals", "{trace = {file = \"t\", rate = \"5%\"}}", "workload.arrivals.trace.rate", "share"),
    ("workload.arrivals", "{trace = {file = \"t\", window = \"5s\"}}", "workload.arrivals.trace.window", "no `..`"),
    ("workload.arrivals", "{trace = {file = \"t\", window = \"5s..5s\"}}", "workload.arrivals.trace.window", "empty"),
    ("workload.arrivals", "{trace = {file = \"t\", scale_rate = 0}}", "workload.arrivals.trace.scale_rate", "range"),
    ("workload.arrivals", "{trace = {file = \"t\", bad_lines_max = 2}}", "workload.arrivals.trace.bad_lines_max", "range"),
    ("workload.arrivals", "{trace = {file = \"t\", format = \"azure\"}}", "workload.arrivals.trace.format", "unknown choice"),
    ("workload.arrivals", "{trace = {file = \"t\", format = \"wikibench\", time = \"t\"}}", "workload.arrivals.trace.time", "knows its columns"),
    ("workload.arrivals", "{trace = {file = \"t\", format.azure_llm.base = 5}}", "workload.arrivals.trace.format.azure_llm.base", "needs a unit"),
    ("workload.arrivals", "{trace = {file = \"t\", format.alibaba_callgraph.dm = \"\"}}", "workload.arrivals.trace.format.alibaba_callgraph.dm", "empty"),
    ("policy", "[\"random\", \"random\"]", "policy.random", "twice"),
    ("servers", "[]", "servers", "none"),
    ("servers", "3", "servers", "a list of tables"),
];

#[test]
fn impossible_scenarios_are_refused_once_and_by_name() {
    for &(key, value, blamed, word) in IMPOSSIBLE {
        let Err(faults) = with(RICH, &[(key, value)]) else { panic!("{key}={value} was accepted") };
        let blamed_for = |fault: &ConfigFault| fault.key == blamed && fault.problem.contains(word);
        assert!(faults.iter().any(blamed_for), "{key}={value}: {faults:#?}");
        // Replacing the policies or the servers makes other parts of the file impossible as well.
        if !matches!(key, "policy" | "servers" | "duration") {
            assert_eq!(faults.len(), 1, "{key}={value}: {faults:#?}");
        }
    }
}

#[test]
fn replications_go_on_from_the_least_to_the_most_with_a_target() {
    let s = parse(LEAST).expect("valid");
    assert_eq!((s.replications, s.target), (1, Vec::new()));
    let text = format!("{LEAST}[target]\nlatency_ms_p99 = \"5%\"\nok = 0.5\nlost = 3\n");
    let s = parse(&text).expect("valid");
    assert_eq!((s.replications, s.replications_max), (5, 50));
    let read: Vec<_> = s.target.iter().map(|t| (t.metric.as_str(), t.half_width)).collect();
    let expected = [
        ("latency_ms_p99", HalfWidth::Percent(5.0)),
        ("ok", HalfWidth::Absolute(0.5)),
        ("lost", HalfWidth::Absolute(3.0)),
    ];
    assert_eq!(read, expected);
    assert_eq!(parse(&s.to_toml()), Ok(s));

    let s = with(&text, &[("replications", "200")]).expect("valid");
    assert_eq!((s.replications, s.replications_max), (200, 200));
    let faults = with(&text, &[("replications", "1")]).expect_err("no spread of one");
    assert_eq!(faults[0].key, "replications");
    let metrics = Some(&["ok", "lost", "latency_ms_p90"][..]);
    let source = Source { text: &text, overrides: &[], read: &files, metrics, check: None };
    let faults = source.parse().expect_err("no such metric");
    assert_eq!(faults.len(), 1, "{faults:?}");
    assert_eq!(faults[0].fix.as_deref(), Some("did you mean `latency_ms_p90`?"));
}

#[test]
fn a_warm_up_can_be_left_to_be_found() {
    let s = parse(RICH).expect("valid");
    assert!(!s.warmup_auto);
    let s = with(RICH, &[("warmup", "auto")]).expect("valid");
    assert!(s.warmup_auto && s.to_toml().contains("warmup = \"auto\""));
    let s = with(LEAST, &[("warmup", "auto")]).expect("valid");
    assert_eq!(parse(&s.to_toml()), Ok(s));
    let faults = with(RICH, &[("warmup", "3")]).expect_err("no unit");
    assert!(faults[0].allowed.as_ref().is_some_and(|allowed| allowed.contains("\"auto\"")));
}

#[test]
fn overlapping_crashes_of_one_server_are_refused() {
    let twice = |at: &str| {
        let second =
            format!("[[faults]]\nat = \"{at}\"\ncrash = {{ servers = \"4..6\" }}\n[expect]");
        parse(&RICH.replace("[expect]", &second))
    };
    assert!(twice("11s").is_ok(), "the first one ends at 11 s");
    let faults = twice("10s").expect_err("both at 10 s");
    assert_eq!((faults.len(), faults[0].key.as_str()), (1, "faults.2.crash.servers"));
}

/// The rich scenario with named groups and further text above its expectations.
fn rich_with(text: &str) -> Result<Scenario, Vec<ConfigFault>> {
    let named = RICH
        .replace("count = 6\n", "name = \"web\"\ncount = 6\n")
        .replace("count = 4\ncapacity = 8", "name = \"big\"\ncount = 4\ncapacity = 8");
    parse(&named.replace("[expect]", &format!("{text}\n[expect]")))
}

/// A possible fault of every kind.
#[rustfmt::skip] // One case a row.
const POSSIBLE_FAULTS: &[&str] = &[
    "at = \"1s\"\ncrash = { servers = \"web\" }\nfor = \"1s\"",
    "at = \"1s\"\nslow = { servers = \"20%\", factor = 3 }\nfor = \"1s\"",
    "at = \"1s\"\nfail_fast = { servers = 9, share = 0.5 }",
    "at = \"13s\"\nflap = { servers = \"0..2\", period = \"2s\", up = 0.9, silent = true }",
    "at = \"1s\"\ncapacity = { servers = \"big\", slots = 1 }\nfor = \"5s\"",
    "at = \"1s\"\nadd = { group = \"web\", count = 5, name = \"new\" }",
    "at = \"1s\"\nadd = { count = 5, capacity = 4, service.constant = { mean = \"1ms\" } }",
    "at = \"1s\"\ndrain = { servers = \"0..10\" }\nfor = \"1s\"",
    "at = \"19s\"\nremove = { servers = 5 }",
    "at = \"1s\"\nheartbeat_loss = { servers = \"web\" }",
    "at = \"1s\"\nheartbeat_delay = { servers = \"web\", by = \"1s\" }",
    "at = \"1s\"\nheartbeat_duplicate = { servers = \"web\", share = 1 }",
    "at = \"1s\"\nheartbeat_reorder = { servers = \"web\", by = \"1s\" }",
    "at = \"1s\"\nlie = { servers = \"web\", load = 0 }",
    "at = \"1s\"\nlie = { servers = \"web\", frozen = true }",
    "at = \"1s\"\ninconsistent = { servers = \"web\", what = \"conflicting\" }",
    "at = \"1s\"\nclock_skew = { servers = \"web\", behind = \"1s\" }",
];

#[test]
fn faults_of_every_kind_are_read() {
    for fault in POSSIBLE_FAULTS {
        let read = rich_with(&format!("[[faults]]\n{fault}"));
        let scenario = read.unwrap_or_else(|faults| panic!("{fault}: {faults:#?}"));
        assert!(fault.contains(scenario.faults[2].kind.name()), "{fault}");
    }
    let scenario = rich_with(&format!("[[faults]]\n{}", POSSIBLE_FAULTS[5])).expect("possible");
    assert_eq!((scenario.configured_count(), scenario.server_count()), (10, 15));
    let FaultKind::Add { group } = &scenario.faults[2].kind else { panic!("kind") };
    assert_eq!(group.service, scenario.servers[0].service);
    assert_eq!((group.count, group.backlog), (5, None));
    assert!((scenario.capacity_per_s() - parse(RICH).expect("rich").capacity_per_s()).abs() < 1e-9);
}

/// A fault, which key under it is blamed, and a word of the problem.
#[rustfmt::skip] // One case a row.
const IMPOSSIBLE_FAULTS: &[(&str, &str, &str)] = &[
    ("at = \"1s\"\ncrash = { servers = \"wep\" }", ".crash.servers", "no group of this name"),
    ("at = \"1s\"\ncrash = { servers = \"0%\" }", ".crash.servers", "range"),
    ("at = \"1s\"\ncrash = { servers = \"101%\" }", ".crash.servers", "range"),
    ("at = \"1s\"\ncrash = { servers = -1 }", ".crash.servers", "names no servers"),
    ("at = \"1s\"\nfail_fast = { servers = 0, share = 0 }", ".fail_fast.share", "range"),
    ("at = \"1s\"\nfail_fast = { servers = 0, share = 1.5 }", ".fail_fast.share", "range"),
    ("at = \"12s\"\nflap = { servers = 0, period = \"1ms\" }", ".flap.period", "too short"),
    ("at = \"12s\"\nflap = { servers = 0, period = \"1s\", up = 1 }", ".flap.up", "range"),
    ("at = \"9s\"\nflap = { servers = 0, period = \"1s\" }", ".flap.servers", "down already"),
    ("at = \"1s\"\ncapacity = { servers = 0, slots = 0 }", ".capacity.slots", "range"),
    ("at = \"1s\"\nadd = { group = \"wep\", count = 1 }", ".add.group", "no such group"),
    ("at = \"1s\"\nadd = { group = \"web\", count = 0 }", ".add.count", "range"),
    ("at = \"1s\"\nadd = { group = \"web\", count = 1, name = \"big\" }", ".add.name", "another group"),
    ("at = \"1s\"\nadd = { group = \"web\", count = 1, capacity = 3 }", ".add.capacity", "unknown key"),
    ("at = \"1s\"\nadd = { group = \"web\", count = 1 }\nfor = \"1s\"", ".for", "no end"),
    ("at = \"1s\"\nremove = { servers = 7 }\nfor = \"1s\"", ".for", "no end"),
    ("at = \"1s\"\nremove = { servers = 2 }\n[[faults]]\nat = \"2s\"\nlie = { servers = 2, load = 1 }", "lie", "removed by"),
    ("at = \"1s\"\ncrash = { servers = 11 }", ".crash.servers", "no such servers"),
    ("at = \"1s\"\ncrash = { servers = 11 }\n[[faults]]\nat = \"2s\"\nadd = { group = \"web\", count = 2 }", ".crash.servers", "come only with faults.3"),
    ("at = \"1s\"\nheartbeat_loss = { servers = 0, share = 2 }", ".heartbeat_loss.share", "range"),
    ("at = \"1s\"\nheartbeat_delay = { servers = 0, by = \"0s\" }", ".heartbeat_delay.by", "above 0"),
    ("at = \"1s\"\nheartbeat_reorder = { servers = 0 }", ".heartbeat_reorder.by", "missing"),
    ("at = \"1s\"\nlie = { servers = 0 }", ".lie", "not clear"),
    ("at = \"1s\"\nlie = { servers = 0, load = 2, frozen = true }", ".lie", "not clear"),
    ("at = \"1s\"\nlie = { servers = 0, load = -1 }", ".lie.load", "range"),
    ("at = \"1s\"\ninconsistent = { servers = 0, what = \"odd\" }", ".inconsistent.what", "unknown choice"),
    ("at = \"1s\"\nclock_skew = { servers = 0 }", ".clock_skew", "not clear"),
    ("at = \"1s\"\nclock_skew = { servers = 0, ahead = \"1us\" }", ".clock_skew.ahead", "too little"),
    ("at = \"1s\"\nnode_crash = { nodes = \"4\" }", ".node_crash", ""),
    ("at = \"1s\"\nnode_crash = { nodes = \"web\" }", ".node_crash.nodes", "names no nodes"),
    ("at = \"1s\"\npartition = { a = {}, b = { nodes = 1 } }", ".partition.a", "nobody"),
];

#[test]
fn impossible_faults_are_refused_by_name() {
    for &(fault, blamed, word) in IMPOSSIBLE_FAULTS {
        let Err(faults) = rich_with(&format!("[[faults]]\n{fault}")) else {
            panic!("{fault} was accepted")
        };
        let blamed_for =
            |fault: &ConfigFault| fault.key.contains(blamed) && fault.problem.contains(word);
        assert!(faults.iter().any(blamed_for), "{fault}: {faults:#?}");
        for fault in &faults {
            assert!(fault.found.is_some() || fault.fix.is_some(), "{fault:?}");
        }
    }
}

#[test]
fn a_campaign_is_read_and_checked() {
    let campaign = |keys: &str| rich_with(&format!("[chaos]\n{keys}"));
    let chaos =
        campaign("rate = \"2/s\"\nkinds = [\"crash\", \"lie\"]\nseed = 3").expect("possible").chaos;
    let expected = ChaosConfig {
        rate: 2.0,
        kinds: vec![ChaosKind::Crash, ChaosKind::Lie],
        for_ns: SECOND,
        seed: Some(3),
    };
    assert_eq!(chaos, Some(expected));
    for (keys, blamed) in [
        ("rate = \"70%\"\nkinds = [\"crash\"]", "chaos.rate"),
        ("rate = \"1000000/s\"\nkinds = [\"crash\"]", "chaos.rate"),
        ("rate = \"1/s\"\nkinds = []", "chaos.kinds"),
        ("rate = \"1/s\"\nkinds = [\"crush\"]", "chaos.kinds"),
        ("rate = \"1/s\"\nkinds = [\"add\"]", "chaos.kinds"),
        ("rate = \"1/s\"\nkinds = [\"crash\"]\nfor = \"0s\"", "chaos.for"),
        ("kinds = [\"crash\"]", "chaos.rate"),
    ] {
        let faults = campaign(keys).expect_err(keys);
        assert_eq!((faults.len(), faults[0].key.as_str()), (1, blamed), "{keys}: {faults:#?}");
    }
}

/// What is written reads back as the same, but for times of laws that are no whole nanoseconds.
#[test]
fn a_scenario_survives_being_written() {
    for fault in POSSIBLE_FAULTS {
        let mut scenario = rich_with(&format!("[[faults]]\n{fault}")).expect("possible");
        scenario.servers[0].service = ServiceLaw::Lognormal { mean_ns: 1e6, cv: 0.3 };
        scenario.servers[1].service = ServiceLaw::Erlang { mean_ns: 1e6, shape: 2 };
        if let FaultKind::Add { group } = &mut scenario.faults[2].kind {
            group.service = scenario.servers[1].service.clone();
        }
        assert_eq!(parse(&scenario.to_toml()), Ok(scenario.clone()), "{}", scenario.to_toml());
    }
}

#[test]
fn all_faults_of_a_file_come_at_once_and_in_order() {
    let text = RICH
        .replace("seed = 7", "sed = 7")
        .replace("count = 4\n[[", "count = \"four\"\n[[")
        .replace("backlog = \"unbounded\"", "backlog = 1.5")
        .replace("speed = 2", "speed = -2")
        .replace("interval = \"50ms\"", "interval = \"50mz\"")
        .replace("ties = \"id\"", "ties = \"ID\"");
    let faults = parse(&text).expect_err("six faults");
    let keys: Vec<&str> = faults.iter().map(|fault| fault.key.as_str()).collect();
    assert_eq!(
        keys,
        [
            "sed",
            "nodes.count",
            "servers.0.backlog",
            "servers.1.speed",
            "policy.lowest_latency.ties",
            "heartbeat.interval"
        ]
    );
    let quoted = |fault: &ConfigFault| text[fault.span.clone().expect("a place")].to_owned();
    assert_eq!(
        faults.iter().map(quoted).collect::<Vec<_>>(),
        ["sed", "\"four\"", "1.5", "-2", "\"ID\"", "\"50mz\""]
    );
    assert_eq!(faults[0].fix.as_deref(), Some("did you mean `seed`?"));
}

#[test]
fn metrics_are_looked_up_where_they_are_known() {
    let source =
        |metrics| Source { text: RICH, overrides: &[], read: &files, metrics, check: None };
    assert!(source(Some(&["success_rate", "latency_ms_p99"])).parse().is_ok());
    let faults =
        source(Some(&["success_rate", "latency_ms_p9999"])).parse().expect_err("no such metric");
    assert_eq!(faults[0].fix.as_deref(), Some("did you mean `latency_ms_p9999`?"));
    assert_eq!(&RICH[faults[0].span.clone().expect("a place")], "\"two_choices.latency_ms_p99\"");
}

#[test]
fn an_empty_file_lists_what_is_missing() {
    let faults = parse("").expect_err("nothing there");
    let keys: Vec<&str> = faults.iter().map(|fault| fault.key.as_str()).collect();
    assert_eq!(keys, ["name", "duration", "servers", "workload"]);
}

#[test]
fn deep_nesting_is_survived() {
    let deep = format!("x = {}{}", "[".repeat(10_000), "]".repeat(10_000));
    assert!(parse(&deep).is_err());
    let dotted = format!("{}x = 1", "x.".repeat(10_000));
    assert!(parse(&dotted).is_err());
    assert!(with(LEAST, &[("x", &"[".repeat(10_000))]).is_err());
    assert!(with(LEAST, &[(&"x.".repeat(10_000), "1")]).is_err());
}

/// One change to a text: put `insert` in place of `length` bytes at `at`.
fn mutate(text: &str, changes: &[(usize, usize, &str)]) -> String {
    let mut text = text.to_owned();
    for (at, length, insert) in changes {
        let floor = |mut index: usize| {
            while !text.is_char_boundary(index) {
                index -= 1;
            }
            index
        };
        let start = floor(at % (text.len() + 1));
        let end = floor((start + length).min(text.len()));
        text.replace_range(start..end.max(start), insert);
    }
    text
}

proptest! {
    /// Goal: no text makes the parser panic, and what it accepts passes the validation.
    #[test]
    fn mutated_scenarios_never_panic(
        changes in prop::collection::vec(
            (any::<usize>(), 0_usize..12, prop::sample::select(vec![
                "", "0", "9", "-", ".", "\"", "=", "[", "]", "{ }", "\n", "e9", "nan", "inf", "%",
                "/s", "us", "99999999999999999999", "18446744073709551615", "true", "ö", "null",
            ])),
            1..6,
        )
    ) {
        let text = mutate(RICH, &changes);
        match parse(&text) {
            Ok(scenario) => prop_assert_eq!(scenario.validate(), Ok(())),
            Err(faults) => {
                prop_assert!(!faults.is_empty());
                for fault in faults {
                    prop_assert!(fault.span.is_none_or(|span| text.get(span).is_some()));
                }
            }
        }
    }

    /// The same for values that are right in form: every number of the file is replaced.
    #[test]
    fn extreme_numbers_never_panic(
        line in 0_usize..60,
        number in prop::sample::select(vec![
            "0", "1", "2", "4294967295", "4294967296", "9223372036854775807", "0.5", "1e308", "-1",
        ]),
        unit in prop::sample::select(vec!["", "ns", "us", "s", "h", "days", "%", "/s", "/ms"]),
    ) {
        let lines = RICH.lines().enumerate().map(|(index, text)| match text.split_once(" = ") {
            Some((key, _)) if index == line && unit.is_empty() => format!("{key} = {number}"),
            Some((key, _)) if index == line => format!("{key} = \"{number}{unit}\""),
            _ => text.to_owned(),
        });
        let text = lines.collect::<Vec<_>>().join("\n");
        if let Ok(scenario) = parse(&text) {
            prop_assert_eq!(scenario.validate(), Ok(()));
            prop_assert!(scenario.capacity_per_s() > 0.0);
        }
    }

    /// The same for overrides; their faults point into the override.
    #[test]
    fn random_overrides_never_panic(
        overrides in prop::collection::vec(
            (
                prop::collection::vec(prop::sample::select(vec![
                    "servers", "0", "1", "9", "service", "lognormal", "median", "policy", "expect",
                    "two_choices", "heartbeat", "fanout", "home", "faults", "at", "x", "", "\"", "ö",
                ]), 1..5),
                prop::sample::select(vec![
                    "1", "-1", "nan", "\"x", "{}", "[]", "[[", "{ a = 1 }", "5ms", "", "all", "1979-05-27",
                    "two_choices", "70%", "0..3", "öö", "# no", "1 2",
                ]),
            ),
            1..4,
        )
    ) {
        let overrides: Vec<(String, String)> =
            overrides.into_iter().map(|(path, value)| (path.join("."), value.to_owned())).collect();
        if let Err(faults) = Scenario::parse(RICH, &overrides, &files) {
            for fault in faults {
                let text = match &fault.origin {
                    Origin::File => RICH,
                    Origin::Override(text) => text,
                    Origin::Overlay => panic!("nothing was laid over it: {fault:?}"),
                };
                prop_assert!(fault.span.is_none_or(|span| text.get(span).is_some()));
            }
        }
    }
}

#[test]
fn shedding_needs_a_queue_in_order_of_arrival() {
    for (discipline, shed, blamed) in [
        ("processor_sharing", "{ queue_timeout = \"1s\" }", "servers.0.shed.queue_timeout"),
        ("processor_sharing", "{ codel = {} }", "servers.0.shed.codel"),
        ("processor_sharing", "{ adaptive_lifo = { above = 2 } }", "servers.0.shed.adaptive_lifo"),
        ("lifo", "{ adaptive_lifo = { above = 2 } }", "servers.0.shed.adaptive_lifo"),
    ] {
        let set = [("servers.0.discipline", discipline), ("servers.0.shed", shed)];
        let faults = with(RICH, &set).expect_err(shed);
        let blame: Vec<&str> = faults.iter().map(|fault| fault.key.as_str()).collect();
        assert_eq!(blame, [blamed], "{discipline}, {shed}: {faults:#?}");
        assert!(faults[0].fix.is_some());
    }
    let set = [("servers.0.discipline", "lifo"), ("servers.0.shed.codel", "{}")];
    let shed = with(RICH, &set).expect("LIFO has a queue").servers[0].conduct.shed;
    let folly = CoDel { target_ns: 5 * MILLISECOND, interval_ns: 100 * MILLISECOND };
    assert_eq!(shed.codel, Some(folly));
}
