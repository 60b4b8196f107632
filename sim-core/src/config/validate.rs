//! What a scenario may not be, though each of its values can be read.
//!
//! Every struct is taken apart field by field, so that a new field left unchecked fails to compile.
//! Each check names the keys it rests on: of a key that holds a stand-in, or that was found wrong
//! before, nothing further is said, so one mistake gives one fault.

use std::ops::Range;

use super::fault::ConfigFault;
use super::fleet::{QUANTUM_NS_MAX, TICK_NS_MAX};
use super::load::{lookahead_ns, mean_ns, min_ns};
use super::units::{DURATION_NS_MAX, format_duration};
use super::{
    Arrivals, Choices, EngineConfig, Expectation, Fanout, Fault, FaultKind, HeartbeatConfig,
    NetworkConfig, NodesConfig, PolicyConfig, Retries, Scenario, ServerGroup, Slowdown,
    TraceConfig, WorkloadConfig,
};
use crate::law::{DelayLaw, ServiceLaw};
use crate::time::Nanos;

/// Most servers: ids are `u32`, and a million of them is what the engine is built for.
const SERVERS_MAX: u64 = 100_000_000;
/// Most nodes.
const NODES_MAX: u32 = 1_000_000;
/// Most beliefs of all nodes about all servers: some 30 GB of views.
const BELIEFS_MAX: u64 = 1_000_000_000;
/// Most bins of the time series.
const BINS_MAX: u64 = 1_000_000;
/// Most arrivals a second at one node: the clock ticks in nanoseconds.
const NODE_RATE_MAX: f64 = 1e9;
/// Most control quanta in a run: they are counted in 32 bits.
const QUANTA_MAX: u64 = u32::MAX as u64;
/// Most retries of one request.
const RETRIES_MAX: u32 = 100;
/// Largest coefficient of variation that can be sampled with any sense.
const CV_MAX: f64 = 1_000.0;
/// Longest name: it becomes part of file names.
const NAME_CHARS_MAX: usize = 100;

/// Collects the faults of a scenario.
pub(super) struct Checker {
    faulted: Vec<String>,
    /// What the number of servers rests on: every group's count, and that groups could be read.
    counts: Vec<String>,
    faults: Vec<ConfigFault>,
}

impl Checker {
    /// A checker that says nothing about the keys in `faulted`.
    pub(super) fn new(faulted: Vec<String>) -> Self {
        Self {
            faulted,
            counts: Vec::new(),
            faults: Vec::new(),
        }
    }

    /// Every fault of the scenario.
    pub(super) fn scenario(mut self, scenario: &Scenario) -> Vec<ConfigFault> {
        let Scenario {
            name,
            duration_ns,
            warmup_ns,
            drain_ns,
            seed: _, // Every seed will do.
            replications,
            engine,
            network,
            nodes,
            servers,
            workload,
            policies,
            heartbeat,
            faults,
            expect,
        } = scenario;
        let counts = (0..servers.len()).map(|index| format!("servers.{index}.count"));
        self.counts = counts.chain(["servers.*".to_owned()]).collect();
        self.name(name);
        self.positive_time("duration", *duration_ns);
        self.time("drain", *drain_ns);
        self.check(*warmup_ns < *duration_ns, "warmup", &["duration"], || {
            ConfigFault::new(
                "",
                "nothing would be measured: it must be below the duration",
            )
            .found(format_duration(*warmup_ns))
            .allowed(format!("0s to below {}", format_duration(*duration_ns)))
        });
        self.within("replications", u64::from(*replications), 1..=1_000_000);
        self.network(network);
        self.engine(
            engine,
            network,
            duration_ns.saturating_add(*drain_ns),
            *duration_ns,
        );
        self.fleet(nodes, servers);
        self.workload(workload, nodes.count);
        let server_count: u64 = servers.iter().map(|group| u64::from(group.count)).sum();
        self.policies(policies, server_count);
        self.heartbeat(heartbeat, engine, nodes.count);
        self.scheduled(faults, scenario, server_count);
        self.expectations(expect, policies);
        self.faults
    }

    fn name(&mut self, name: &str) {
        let usable = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        let fine = !name.is_empty()
            && name.len() <= NAME_CHARS_MAX
            && !name.starts_with('.')
            && name.chars().all(usable);
        self.check(fine, "name", &[], || {
            ConfigFault::new("", "cannot be part of a file name")
                .found(format!("{name:?}"))
                .allowed("1 to 100 letters, digits, `-`, `_` and `.`, not starting with `.`")
        });
    }

    fn network(&mut self, network: &NetworkConfig) {
        let NetworkConfig {
            node_server,
            server_node,
        } = network;
        self.delay("network.node_server", node_server);
        // Where the way back is not given it is the same law: one complaint is enough.
        if server_node != node_server {
            self.delay("network.server_node", server_node);
        }
    }

    fn delay(&mut self, key: &str, law: &DelayLaw) {
        let (key, smallest) = match law {
            DelayLaw::Constant { .. } => (format!("{key}.constant"), "mean"),
            DelayLaw::Uniform { .. } => (format!("{key}.uniform"), "min"),
            DelayLaw::Exponential { .. } => (format!("{key}.exponential"), "min"),
            DelayLaw::Lognormal { .. } => (format!("{key}.lognormal"), "min"),
        };
        let smallest_key = format!("{key}.{smallest}");
        self.check(min_ns(law) > 0, &smallest_key, &[], || {
            ConfigFault::new(
                "",
                "the smallest delay must be above 0: it is the lookahead that lets servers and \
                 nodes run independently of each other",
            )
            .found("0ns")
            .allowed("1ns or more; the larger, the faster the run")
            .fix(format!("write {smallest} = \"10us\", say"))
        });
        match *law {
            DelayLaw::Constant { mean_ns } => self.time(&smallest_key, mean_ns),
            DelayLaw::Uniform { min_ns, max_ns } => {
                self.ordered(&key, ("min", min_ns), ("max", max_ns), true);
                self.time(&format!("{key}.max"), max_ns);
            }
            DelayLaw::Exponential { mean_ns, min_ns } => {
                self.ordered(&key, ("min", min_ns), ("mean", mean_ns), false);
                self.time(&format!("{key}.mean"), mean_ns);
            }
            DelayLaw::Lognormal {
                mean_ns,
                cv,
                min_ns,
            } => {
                self.ordered(&key, ("min", min_ns), ("mean", mean_ns), false);
                self.time(&format!("{key}.mean"), mean_ns);
                self.number(
                    &format!("{key}.cv"),
                    cv,
                    cv > 0.0 && cv <= CV_MAX,
                    "above 0, to 1000",
                );
            }
        }
    }

    /// `high` must be above `low`, or equal where `equal` permits it.
    fn ordered(&mut self, key: &str, low: (&str, Nanos), high: (&str, Nanos), equal: bool) {
        let fine = if equal {
            low.1 <= high.1
        } else {
            low.1 < high.1
        };
        let low_key = format!("{key}.{}", low.0);
        self.check(fine, &format!("{key}.{}", high.0), &[&low_key], || {
            let word = if equal { "at least" } else { "above" };
            ConfigFault::new("", format!("must be {word} `{}`", low.0))
                .found(format_duration(high.1))
                .allowed(format!("{word} {}", format_duration(low.1)))
        });
    }

    fn engine(
        &mut self,
        engine: &EngineConfig,
        network: &NetworkConfig,
        longest_ns: Nanos,
        duration_ns: Nanos,
    ) {
        let EngineConfig {
            tick_ns,
            quantum_ns,
            sample_interval_ns,
        } = *engine;
        let (tick, quantum, sample) = ("engine.tick", "engine.quantum", "engine.sample_interval");
        self.positive_time(tick, tick_ns);
        self.positive_time(quantum, quantum_ns);
        self.positive_time(sample, sample_interval_ns);
        let lookahead = lookahead_ns(network);
        self.check(tick_ns <= lookahead, tick, &["network"], || {
            ConfigFault::new(
                "",
                "is longer than the smallest one-way delay: what is sent in one tick would have \
                 to arrive in the same one",
            )
            .found(format_duration(tick_ns))
            .allowed(format!("at most {}", format_duration(lookahead)))
            .fix("leave it out, or raise the smallest delay of [network]")
        });
        self.check(tick_ns <= TICK_NS_MAX, tick, &[], || {
            ConfigFault::new("", "is longer than moments inside a tick can tell apart")
                .found(format_duration(tick_ns))
                .allowed("at most 1073741824ns (2^30)")
        });
        self.check(quantum_ns <= QUANTUM_NS_MAX, quantum, &[], || {
            ConfigFault::new("", "is too long")
                .found(format_duration(quantum_ns))
                .allowed("at most 1h")
        });
        self.check(is_multiple(quantum_ns, tick_ns), tick, &[quantum], || {
            ConfigFault::new("", "must divide the control quantum")
                .found(format_duration(tick_ns))
                .allowed(format!("a divisor of {}", format_duration(quantum_ns)))
                .fix("leave it out: the largest one is taken")
        });
        self.check(
            is_multiple(sample_interval_ns, quantum_ns),
            sample,
            &[quantum, tick],
            || {
                ConfigFault::new("", "must be a multiple of the control quantum")
                    .found(format_duration(sample_interval_ns))
                    .allowed(format!("a multiple of {}", format_duration(quantum_ns)))
            },
        );
        let bins = duration_ns / sample_interval_ns.max(1);
        self.check(
            bins <= BINS_MAX,
            sample,
            &[quantum, tick, "duration"],
            || {
                ConfigFault::new("", format!("makes {bins} bins of the time series"))
                    .found(format_duration(sample_interval_ns))
                    .allowed(format!("at most {BINS_MAX} bins"))
            },
        );
        let quanta = longest_ns / quantum_ns.max(1);
        let rests_on = [quantum, tick, "drain", "network"];
        self.check(quanta <= QUANTA_MAX, "duration", &rests_on, || {
            ConfigFault::new(
                "",
                format!("duration and drain hold {quanta} control quanta"),
            )
            .found(format_duration(duration_ns))
            .allowed(format!(
                "at most {QUANTA_MAX} quanta of {}",
                format_duration(quantum_ns)
            ))
            .fix("raise engine.quantum")
        });
    }

    fn fleet(&mut self, nodes: &NodesConfig, servers: &[ServerGroup]) {
        let NodesConfig { count: node_count } = *nodes;
        self.within("nodes.count", node_count.into(), 1..=NODES_MAX.into());
        self.check(!servers.is_empty(), "servers", &[], || {
            ConfigFault::new("", "there are none").fix("add a [[servers]] group")
        });
        for (index, group) in servers.iter().enumerate() {
            self.group(&format!("servers.{index}"), group);
        }
        let server_count: u64 = servers.iter().map(|group| u64::from(group.count)).sum();
        self.check(server_count <= SERVERS_MAX, "servers", &[], || {
            ConfigFault::new("", "are too many")
                .found(server_count)
                .allowed(format!("{SERVERS_MAX} in all groups together"))
        });
        let beliefs = server_count.saturating_mul(node_count.into());
        self.check_counted(beliefs <= BELIEFS_MAX, "nodes.count", || {
            ConfigFault::new(
                "",
                format!("every node has a view of every server: {beliefs} beliefs"),
            )
            .found(node_count)
            .allowed(format!("nodes x servers at most {BELIEFS_MAX}"))
        });
    }

    fn group(&mut self, key: &str, group: &ServerGroup) {
        let ServerGroup {
            count,
            capacity,
            backlog: _,
            service,
            speed,
        } = group;
        self.within(&format!("{key}.count"), (*count).into(), 1..=SERVERS_MAX);
        self.within(
            &format!("{key}.capacity"),
            (*capacity).into(),
            1..=u16::MAX.into(),
        );
        self.service(&format!("{key}.service"), service);
        let fine = (1e-6..=1e6).contains(speed);
        self.number(&format!("{key}.speed"), *speed, fine, "0.000001 to 1000000");
    }

    fn service(&mut self, key: &str, law: &ServiceLaw) {
        match law {
            ServiceLaw::Constant { mean_ns } => {
                self.mean(&format!("{key}.constant.mean"), *mean_ns);
            }
            ServiceLaw::Exponential { mean_ns } => {
                self.mean(&format!("{key}.exponential.mean"), *mean_ns);
            }
            ServiceLaw::Uniform { low_ns, high_ns } => {
                self.mean(&format!("{key}.uniform.max"), *high_ns);
                self.bounds(&format!("{key}.uniform"), *low_ns, *high_ns, *low_ns >= 0.0);
            }
            ServiceLaw::Erlang { mean_ns, shape } => {
                self.mean(&format!("{key}.erlang.mean"), *mean_ns);
                self.within(&format!("{key}.erlang.shape"), (*shape).into(), 1..=1_000);
            }
            ServiceLaw::Hyperexponential { mean_ns, cv } => {
                self.mean(&format!("{key}.hyperexponential.mean"), *mean_ns);
                let fine = (1.0..=CV_MAX).contains(cv);
                self.number(
                    &format!("{key}.hyperexponential.cv"),
                    *cv,
                    fine,
                    "1 to 1000",
                );
            }
            ServiceLaw::Lognormal { mean_ns, cv } => {
                self.mean(&format!("{key}.lognormal.mean"), *mean_ns);
                let fine = *cv > 0.0 && *cv <= CV_MAX;
                self.number(
                    &format!("{key}.lognormal.cv"),
                    *cv,
                    fine,
                    "above 0, to 1000",
                );
            }
            ServiceLaw::BoundedPareto {
                low_ns,
                high_ns,
                alpha,
            } => {
                self.mean(&format!("{key}.bounded_pareto.min"), *low_ns);
                let ordered = low_ns < high_ns;
                self.bounds(&format!("{key}.bounded_pareto"), *low_ns, *high_ns, ordered);
                let fine = *alpha > 0.0 && *alpha <= 100.0;
                self.number(
                    &format!("{key}.bounded_pareto.alpha"),
                    *alpha,
                    fine,
                    "above 0, to 100",
                );
            }
            ServiceLaw::Empirical { quantiles } => self.quantiles(key, law, quantiles),
        }
    }

    fn bounds(&mut self, key: &str, low_ns: f64, high_ns: f64, fine: bool) {
        let fine = fine && low_ns <= high_ns && high_ns <= DURATION_NS_MAX as f64;
        let low_key = format!("{key}.min");
        self.check(fine, &format!("{key}.max"), &[&low_key], || {
            ConfigFault::new("", "must be above `min`").found(format!("{high_ns}ns"))
        });
    }

    fn quantiles(&mut self, key: &str, law: &ServiceLaw, quantiles: &[(f64, f64)]) {
        let key = format!("{key}.empirical.file");
        let ends = |q: Option<&(f64, f64)>, p: f64| q.is_some_and(|q| (q.0 - p).abs() < 1e-12);
        self.check(
            ends(quantiles.first(), 0.0) && ends(quantiles.last(), 1.0),
            &key,
            &[],
            || ConfigFault::new("", "its probabilities must run from 0 to 1"),
        );
        let rising = quantiles
            .windows(2)
            .position(|q| !(q[0].0 < q[1].0 && q[0].1 <= q[1].1));
        self.check(rising.is_none(), &key, &[], || {
            let row = rising.unwrap_or(0) + 2;
            ConfigFault::new(
                "",
                format!("its probabilities and values must increase; row {row} does not"),
            )
        });
        let mean = mean_ns(law);
        let possible = |ns: f64| (0.0..=DURATION_NS_MAX as f64).contains(&ns);
        let fine = quantiles.iter().all(|q| possible(q.1)) && possible(mean) && mean > 0.0;
        self.check(fine, &key, &[], || {
            ConfigFault::new(
                "",
                "its values must be service times: not negative, not all 0",
            )
        });
    }

    fn workload(&mut self, workload: &WorkloadConfig, nodes: u32) {
        let WorkloadConfig {
            arrivals,
            timeout_ns,
            retries: Retries { max, budget_ppm },
        } = workload;
        self.arrivals(arrivals, nodes);
        if let Some(timeout_ns) = *timeout_ns {
            self.positive_time("workload.timeout", timeout_ns);
        }
        self.within(
            "workload.retries.max",
            (*max).into(),
            0..=RETRIES_MAX.into(),
        );
        let budget = f64::from(*budget_ppm) / 1e6;
        self.number(
            "workload.retries.budget",
            budget,
            budget <= 100.0,
            "0 to 100",
        );
    }

    fn arrivals(&mut self, arrivals: &Arrivals, nodes: u32) {
        let key = "workload.arrivals";
        match arrivals {
            Arrivals::Poisson { rate } => self.rate(&format!("{key}.poisson.rate"), *rate, nodes),
            Arrivals::Constant { rate } => self.rate(&format!("{key}.constant.rate"), *rate, nodes),
            Arrivals::Mmpp {
                rate_low,
                rate_high,
                dwell_low_ns,
                dwell_high_ns,
            } => {
                let low_key = format!("{key}.mmpp.low");
                self.rate(&low_key, *rate_low, nodes);
                self.rate(&format!("{key}.mmpp.high"), *rate_high, nodes);
                let rests_on = [low_key.as_str(), "servers"];
                let fine = rate_low <= rate_high;
                self.check(fine, &format!("{key}.mmpp.high"), &rests_on, || {
                    ConfigFault::new("", "bursts must not be slower than quiet times")
                        .found(format!("{rate_high}/s"))
                        .allowed(format!("at least `low`, {rate_low}/s"))
                });
                self.positive_time(&format!("{key}.mmpp.dwell_low"), *dwell_low_ns);
                self.positive_time(&format!("{key}.mmpp.dwell_high"), *dwell_high_ns);
            }
            Arrivals::Ramp { from, to, over_ns } => {
                self.rate(&format!("{key}.ramp.from"), *from, nodes);
                self.rate(&format!("{key}.ramp.to"), *to, nodes);
                self.positive_time(&format!("{key}.ramp.over"), *over_ns);
            }
            Arrivals::Diurnal {
                mean,
                amplitude,
                period_ns,
            } => {
                self.rate(&format!("{key}.diurnal.mean"), *mean, nodes);
                let fine = (0.0..=1.0).contains(amplitude);
                self.number(
                    &format!("{key}.diurnal.amplitude"),
                    *amplitude,
                    fine,
                    "0 to 1",
                );
                self.positive_time(&format!("{key}.diurnal.period"), *period_ns);
            }
            Arrivals::Trace(trace) => self.trace(&format!("{key}.trace"), trace, nodes),
        }
    }

    fn rate(&mut self, key: &str, rate: f64, nodes: u32) {
        let max = NODE_RATE_MAX * f64::from(nodes);
        let fine = rate > 0.0 && rate <= max;
        self.check(fine, key, &["nodes.count", "servers"], || {
            ConfigFault::new(
                "",
                "no node can receive that: its clock ticks in nanoseconds",
            )
            .found(format!("{rate}/s"))
            .allowed("above 0, to 1000000000/s at each node")
        });
    }

    fn trace(&mut self, key: &str, trace: &TraceConfig, nodes: u32) {
        let TraceConfig {
            file,
            time,
            time_unit_ns,
            service,
            service_unit_ns,
            key: of_key,
            rate,
        } = trace;
        let names = [
            ("file", Some(file)),
            ("time", Some(time)),
            ("service", service.as_ref()),
            ("key", of_key.as_ref()),
        ];
        for (field, name) in names {
            let fine = name.is_none_or(|name| !name.is_empty());
            self.check(fine, &format!("{key}.{field}"), &[], || {
                ConfigFault::new("", "is empty").found("\"\"")
            });
        }
        self.positive_time(&format!("{key}.time_unit"), *time_unit_ns);
        self.positive_time(&format!("{key}.service_unit"), *service_unit_ns);
        if let Some(rate) = rate {
            self.rate(&format!("{key}.rate"), *rate, nodes);
        }
    }

    fn policies(&mut self, policies: &[PolicyConfig], servers: u64) {
        self.check(!policies.is_empty(), "policy", &[], || {
            ConfigFault::new("", "there is none").fix("add [policy.lowest_latency]")
        });
        for (index, policy) in policies.iter().enumerate() {
            let name = policy.name();
            let twice = policies[..index]
                .iter()
                .any(|earlier| earlier.name() == name);
            self.check(!twice, &format!("policy.{name}"), &[], || {
                ConfigFault::new("", "is there twice: its results would share a name")
                    .fix("run the variants one by one, with --set")
            });
            self.policy(policy, servers);
        }
    }

    fn policy(&mut self, policy: &PolicyConfig, servers: u64) {
        match *policy {
            PolicyConfig::LowestLatency {
                own_sends: _,
                ties: _,
                capacity_gate: _,
            }
            | PolicyConfig::Random { capacity_gate: _ }
            | PolicyConfig::RoundRobin {
                random_start: _,
                capacity_gate: _,
            } => {}
            PolicyConfig::TwoChoices {
                choices,
                replacement,
                signal: _,
                ties: _,
                capacity_gate: _,
            } => {
                let Choices::Count(drawn) = choices else {
                    return;
                };
                let key = "policy.two_choices.choices";
                self.check(drawn >= 1, key, &[], || {
                    ConfigFault::new("", "somebody must be chosen")
                        .found(drawn)
                        .allowed("a whole number, at least 1, or \"all\"")
                });
                let fine = replacement || u64::from(drawn) <= servers;
                self.check_counted(fine, key, || {
                    ConfigFault::new("", "there are not that many different servers")
                        .found(drawn)
                        .allowed(format!("1 to {servers}, or \"all\""))
                        .fix("write choices = \"all\", or replacement = true")
                });
            }
        }
    }

    fn heartbeat(&mut self, heartbeat: &HeartbeatConfig, engine: &EngineConfig, nodes: u32) {
        let HeartbeatConfig {
            interval_ns,
            jitter,
            synchronised: _,
            loss,
            fanout,
            failure_timeout_ns,
            latency_alpha,
            latency_decay_ns,
        } = *heartbeat;
        let interval = "heartbeat.interval";
        self.positive_time(interval, interval_ns);
        self.check(
            interval_ns >= engine.quantum_ns,
            interval,
            &["engine", "network"],
            || {
                ConfigFault::new(
                    "",
                    "is shorter than the control quantum, on which heartbeats are sent",
                )
                .found(format_duration(interval_ns))
                .allowed(format!("at least {}", format_duration(engine.quantum_ns)))
                .fix("raise it, or write a shorter engine.quantum")
            },
        );
        let share = 0.0..1.0;
        self.number(
            "heartbeat.jitter",
            jitter,
            share.contains(&jitter),
            "0 to below 1",
        );
        self.number(
            "heartbeat.loss",
            loss,
            share.contains(&loss),
            "0 to below 1",
        );
        let longest_ns = interval_ns as f64 * (1.0 + jitter);
        let fine = failure_timeout_ns as f64 > longest_ns;
        let rests_on = [interval, "heartbeat.jitter"];
        self.check(fine, "heartbeat.failure_timeout", &rests_on, || {
            ConfigFault::new(
                "",
                "every server would look failed between two of its heartbeats",
            )
            .found(format_duration(failure_timeout_ns))
            .allowed(format!(
                "above interval x (1 + jitter), {}",
                format_duration(longest_ns as Nanos)
            ))
            .fix(format!(
                "write \"{}\" (3.5 intervals) or leave it out",
                format_duration(interval_ns.saturating_mul(7) / 2)
            ))
        });
        self.time("heartbeat.failure_timeout", failure_timeout_ns);
        let (kind, hearers) = match fanout {
            Fanout::All => ("", 1),
            Fanout::Random(hearers) => (".random", hearers),
            Fanout::Home(hearers) => (".home", hearers),
        };
        let fine = (1..=nodes.max(1)).contains(&hearers);
        self.check(
            fine,
            &format!("heartbeat.fanout{kind}"),
            &["nodes.count"],
            || {
                ConfigFault::new(
                    "",
                    "each heartbeat needs a node that hears it, and no node twice",
                )
                .found(hearers)
                .allowed(format!("1 to {nodes} (the nodes), or fanout = \"all\""))
            },
        );
        let fine = latency_alpha > 0.0 && latency_alpha <= 1.0;
        self.number(
            "heartbeat.latency_alpha",
            latency_alpha,
            fine,
            "above 0, to 1",
        );
        if let Some(decay_ns) = latency_decay_ns {
            self.positive_time("heartbeat.latency_decay", decay_ns);
        }
    }

    fn scheduled(&mut self, faults: &[Fault], scenario: &Scenario, servers: u64) {
        for (index, fault) in faults.iter().enumerate() {
            let key = format!("faults.{index}");
            let Fault {
                at_ns,
                for_ns,
                kind,
            } = fault;
            self.check(
                *at_ns < scenario.duration_ns,
                &format!("{key}.at"),
                &["duration"],
                || {
                    ConfigFault::new("", "the run's arrivals are over by then")
                        .found(format_duration(*at_ns))
                        .allowed(format!(
                            "below the duration, {}",
                            format_duration(scenario.duration_ns)
                        ))
                },
            );
            let quantum_ns = scenario.engine.quantum_ns;
            let fine = for_ns.is_none_or(|for_ns| for_ns >= quantum_ns && for_ns > 0);
            self.check(fine, &format!("{key}.for"), &["engine", "network"], || {
                ConfigFault::new("", "is too short: faults begin and end on control quanta")
                    .found(format_duration(for_ns.unwrap_or(0)))
                    .allowed(format!("at least {}", format_duration(quantum_ns)))
            });
            if let Some(for_ns) = *for_ns {
                self.time(&format!("{key}.for"), for_ns);
            }
            let name = kind_of(kind);
            self.hit(&format!("{key}.{name}.servers"), targets(kind), servers);
            if let FaultKind::Slow {
                servers: _,
                slowdown,
            } = kind
            {
                self.slowdown(&format!("{key}.slow"), *slowdown);
            }
            let earlier = faults[..index]
                .iter()
                .position(|earlier| collide(earlier, fault));
            let other = format!("faults.{}", earlier.unwrap_or(index));
            self.check(
                earlier.is_none(),
                &format!("{key}.{name}.servers"),
                &[&other],
                || {
                    let done = if name == "crash" { "down" } else { "slow" };
                    ConfigFault::new("", format!("some of these are {done} already, by {other}"))
                        .found(format!("{:?}", targets(kind)))
                        .fix("let the earlier fault end first, or name other servers")
                },
            );
        }
    }

    fn hit(&mut self, key: &str, hit: &Range<u32>, servers: u64) {
        self.check(hit.start < hit.end, key, &[], || {
            ConfigFault::new("", "the range is empty")
                .found(format!("{hit:?}"))
                .fix("the end is excluded: 3..4 is server 3")
        });
        self.check_counted(u64::from(hit.end) <= servers, key, || {
            ConfigFault::new("", "there are no such servers")
                .found(format!("{hit:?}"))
                .allowed(format!("ids within 0..{servers}"))
        });
    }

    fn slowdown(&mut self, key: &str, slowdown: Slowdown) {
        match slowdown {
            Slowdown::Factor(factor) => {
                let fine = factor > 0.0 && factor <= 1e6;
                self.number(
                    &format!("{key}.factor"),
                    factor,
                    fine,
                    "above 0, to 1000000",
                );
            }
            Slowdown::Fixed(ns) => self.positive_time(&format!("{key}.service"), ns),
        }
    }

    fn expectations(&mut self, expect: &[Expectation], policies: &[PolicyConfig]) {
        for Expectation {
            policy,
            metric,
            comparison: _,
            bound,
        } in expect
        {
            let key = match policy {
                Some(policy) => format!("expect.{policy}.{metric}"),
                None => format!("expect.{metric}"),
            };
            self.number(&key, *bound, bound.is_finite(), "a finite bound");
            let known = policy
                .as_ref()
                .is_none_or(|name| policies.iter().any(|p| p.name() == name));
            self.check(known, &key, &["policy"], || {
                ConfigFault::new("", "the scenario has no such policy")
            });
        }
    }

    /// [`Self::check`], resting on the number of servers.
    fn check_counted(&mut self, holds: bool, key: &str, fault: impl FnOnce() -> ConfigFault) {
        let counts = std::mem::take(&mut self.counts);
        let rests_on: Vec<&str> = counts.iter().map(String::as_str).collect();
        self.check(holds, key, &rests_on, fault);
        self.counts = counts;
    }

    /// Notes a fault of `key` unless the check holds, or rests on something already known as wrong.
    fn check(
        &mut self,
        holds: bool,
        key: &str,
        rests_on: &[&str],
        fault: impl FnOnce() -> ConfigFault,
    ) {
        let known = |key: &str| self.faulted.iter().any(|faulted| related(faulted, key));
        if holds || known(key) || rests_on.iter().any(|key| known(key)) {
            return;
        }
        self.faulted.push(key.to_owned());
        self.faults.push(ConfigFault {
            key: key.to_owned(),
            ..fault()
        });
    }

    fn time(&mut self, key: &str, ns: Nanos) {
        self.check(ns <= DURATION_NS_MAX, key, &[], || {
            ConfigFault::new("", "is longer than 146 years").found(format_duration(ns))
        });
    }

    fn positive_time(&mut self, key: &str, ns: Nanos) {
        self.check(ns > 0, key, &[], || {
            ConfigFault::new("", "must be above 0").found("0ns")
        });
        self.time(key, ns);
    }

    /// A service time: above 0 and no longer than any other time.
    fn mean(&mut self, key: &str, ns: f64) {
        self.check(ns > 0.0 && ns <= DURATION_NS_MAX as f64, key, &[], || {
            ConfigFault::new("", "must be above 0").found(format!("{ns}ns"))
        });
    }

    fn within(&mut self, key: &str, value: u64, range: std::ops::RangeInclusive<u64>) {
        self.check(range.contains(&value), key, &[], || {
            ConfigFault::new("", "is out of range")
                .found(value)
                .allowed(format!(
                    "a whole number, {} to {}",
                    range.start(),
                    range.end()
                ))
        });
    }

    fn number(&mut self, key: &str, value: f64, fine: bool, allowed: &str) {
        self.check(fine, key, &[], || {
            ConfigFault::new("", "is out of range")
                .found(value)
                .allowed(allowed)
        });
    }
}

/// Whether one of two dotted paths is the other or leads to it.
fn related(a: &str, b: &str) -> bool {
    let leads = |a: &str, b: &str| {
        b.strip_prefix(a)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    };
    leads(a, b) || leads(b, a)
}

fn is_multiple(value: Nanos, of: Nanos) -> bool {
    of > 0 && value.is_multiple_of(of)
}

fn kind_of(kind: &FaultKind) -> &'static str {
    match kind {
        FaultKind::Crash { .. } => "crash",
        FaultKind::Slow { .. } => "slow",
    }
}

fn targets(kind: &FaultKind) -> &Range<u32> {
    match kind {
        FaultKind::Crash { servers, silent: _ }
        | FaultKind::Slow {
            servers,
            slowdown: _,
        } => servers,
    }
}

/// Whether two faults of one kind hold a server at the same time; which of them ended first would
/// decide what becomes of it.
fn collide(a: &Fault, b: &Fault) -> bool {
    let end = |fault: &Fault| {
        fault
            .for_ns
            .map_or(u64::MAX, |ns| fault.at_ns.saturating_add(ns))
    };
    let (hit_a, hit_b) = (targets(&a.kind), targets(&b.kind));
    kind_of(&a.kind) == kind_of(&b.kind)
        && hit_a.start < hit_b.end
        && hit_b.start < hit_a.end
        && a.at_ns < end(b)
        && b.at_ns < end(a)
}
