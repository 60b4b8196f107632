//! Writes a scenario as a file that reads back as the same scenario: what a failing random case is
//! printed as.
//!
//! Every struct is taken apart field by field, so that a new field left out fails to compile. Two
//! things a file cannot say: an empirical law is written as the name of a file, with its rows in
//! comments, and times of laws are rounded to nanoseconds.

mod judgement; // what nodes make of servers
mod subset; // which servers a node knows
mod breaking; // what breaks
mod clients; // what clients do
mod trace; // recorded arrivals
mod conduct; // how servers serve

use std::fmt::Write;

use super::units::format_duration;
use super::{
    Arrivals, Comparison, EngineConfig, Expectation, Fanout, GossipConfig, GossipMode,
    GossipPayload, GossipRounds, HeartbeatConfig, MembershipConfig, NetworkConfig, NodesConfig,
    PolicyConfig, ProbeOrder, Scenario, ServerGroup, WorkloadConfig,
};
use crate::law::{DelayLaw, ServiceLaw};
use crate::popularity::Popularity;
use crate::stats::target::Target;
use crate::time::Nanos;

impl Scenario {
    /// The scenario as a file; see the module documentation.
    pub fn to_toml(&self) -> String {
        let Self {
            name,
            duration_ns,
            warmup_ns,
            warmup_auto,
            drain_ns,
            seed,
            replications,
            replications_max,
            target,
            engine,
            network,
            nodes,
            servers,
            workload,
            policies,
            heartbeat,
            gossip,
            subset,
            priorities,
            judgement,
            membership,
            faults,
            chaos,
            expect,
        } = self;
        let mut file = File::default();
        file.key("name", quote(name));
        file.key("duration", time(*duration_ns));
        file.key("warmup", if *warmup_auto { quote("auto") } else { time(*warmup_ns) });
        file.key("drain", time(*drain_ns));
        file.key("seed", seed);
        file.key("replications", replications);
        file.key("replications_max", replications_max);
        file.judgement_keys(judgement);
        file.engine(engine);
        file.network(network);
        file.nodes(nodes);
        for group in servers {
            file.table("[[servers]]");
            for (key, value) in group_keys(group) {
                file.key(key, value);
            }
            file.comment_quantiles(&group.service);
        }
        file.workload(workload);
        for policy in policies {
            file.policy(policy);
        }
        file.heartbeat(heartbeat);
        if let Some(gossip) = gossip {
            file.gossip(gossip);
        }
        if let Some(subset) = subset {
            file.subset(*subset);
        }
        file.priorities(*priorities);
        file.judgement_tables(judgement);
        if let Some(membership) = membership {
            file.membership(membership);
        }
        for fault in faults {
            file.fault(fault);
        }
        if let Some(chaos) = chaos {
            file.chaos(chaos);
        }
        file.targets(target);
        file.expectations(expect);
        file.text
    }
}

/// A file being written.
#[derive(Default)]
struct File {
    text: String,
}

/// A duration as a value.
fn time(ns: Nanos) -> String {
    format!("\"{}\"", format_duration(ns))
}

/// A duration, or the word for none.
fn time_or(ns: Option<Nanos>, none: &str) -> String {
    ns.map_or_else(|| format!("\"{none}\""), time)
}

/// A text as a value.
fn quote(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            c if c.is_control() => {
                // Writing to a string cannot fail.
                let _ = write!(quoted, "\\u{:04X}", u32::from(c));
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

/// A number with all its digits: `{:?}` of a float reads back as the same float.
fn number(value: f64) -> String {
    format!("{value:?}")
}

fn rate(per_second: f64) -> String {
    format!("\"{per_second:?}/s\"")
}

fn law_time(ns: f64) -> String {
    time(ns.round() as Nanos)
}

/// An inline table.
fn inline(keys: &[(&str, String)]) -> String {
    let keys: Vec<String> = keys.iter().map(|(key, value)| format!("{key} = {value}")).collect();
    if keys.is_empty() { "{}".into() } else { format!("{{ {} }}", keys.join(", ")) }
}

/// The keys of a group of servers.
fn group_keys(group: &ServerGroup) -> Vec<(&'static str, String)> {
    let ServerGroup { name, count, capacity, backlog, service, speed, weight, priority, conduct } =
        group;
    let mut keys = Vec::new();
    keys.extend(name.as_ref().map(|name| ("name", quote(name))));
    keys.extend([
        ("count", count.to_string()),
        ("capacity", capacity.to_string()),
        ("backlog", backlog.map_or_else(|| "\"unbounded\"".into(), |b| b.to_string())),
        ("service", service_law(service)),
        ("speed", number(*speed)),
        ("weight", number(*weight)),
        ("priority", priority.to_string()),
    ]);
    keys.extend(conduct::keys(conduct));
    keys
}

fn service_law(law: &ServiceLaw) -> String {
    let (name, keys) = match law {
        ServiceLaw::Constant { mean_ns } => ("constant", vec![("mean", law_time(*mean_ns))]),
        ServiceLaw::Exponential { mean_ns } => ("exponential", vec![("mean", law_time(*mean_ns))]),
        ServiceLaw::Uniform { low_ns, high_ns } => {
            ("uniform", vec![("min", law_time(*low_ns)), ("max", law_time(*high_ns))])
        }
        ServiceLaw::Erlang { mean_ns, shape } => {
            ("erlang", vec![("mean", law_time(*mean_ns)), ("shape", shape.to_string())])
        }
        ServiceLaw::Hyperexponential { mean_ns, cv } => {
            ("hyperexponential", vec![("mean", law_time(*mean_ns)), ("cv", number(*cv))])
        }
        ServiceLaw::Lognormal { mean_ns, cv } => {
            ("lognormal", vec![("mean", law_time(*mean_ns)), ("cv", number(*cv))])
        }
        ServiceLaw::BoundedPareto { low_ns, high_ns, alpha } => {
            let (low, high) = (law_time(*low_ns), law_time(*high_ns));
            ("bounded_pareto", vec![("min", low), ("max", high), ("alpha", number(*alpha))])
        }
        ServiceLaw::Empirical { .. } => ("empirical", vec![("file", quote("quantiles.csv"))]),
    };
    inline(&[(name, inline(&keys))])
}

fn delay_law(law: &DelayLaw) -> String {
    let (name, keys) = match *law {
        DelayLaw::Constant { mean_ns } => ("constant", vec![("mean", time(mean_ns))]),
        DelayLaw::Uniform { min_ns, max_ns } => {
            ("uniform", vec![("min", time(min_ns)), ("max", time(max_ns))])
        }
        DelayLaw::Exponential { mean_ns, min_ns } => {
            ("exponential", vec![("mean", time(mean_ns)), ("min", time(min_ns))])
        }
        DelayLaw::Lognormal { mean_ns, cv, min_ns } => {
            let keys = vec![("mean", time(mean_ns)), ("cv", number(cv)), ("min", time(min_ns))];
            ("lognormal", keys)
        }
    };
    inline(&[(name, inline(&keys))])
}

impl File {
    fn key(&mut self, key: &str, value: impl std::fmt::Display) {
        // Writing to a string cannot fail.
        let _ = writeln!(self.text, "{key} = {value}");
    }

    fn table(&mut self, header: &str) {
        let _ = writeln!(self.text, "\n{header}");
    }

    fn comment_quantiles(&mut self, law: &ServiceLaw) {
        if let ServiceLaw::Empirical { quantiles } = law {
            self.text.push_str("# quantiles.csv: probability,value_ns\n");
            for (probability, ns) in quantiles {
                let _ = writeln!(self.text, "# {probability:?},{ns:?}");
            }
        }
    }

    fn engine(&mut self, engine: &EngineConfig) {
        let EngineConfig { tick_ns, quantum_ns, sample_interval_ns } = *engine;
        self.table("[engine]");
        self.key("tick", time(tick_ns));
        self.key("quantum", time(quantum_ns));
        self.key("sample_interval", time(sample_interval_ns));
    }

    fn network(&mut self, network: &NetworkConfig) {
        let NetworkConfig { node_server, server_node, node_node } = network;
        self.table("[network]");
        self.key("node_server", delay_law(node_server));
        self.key("server_node", delay_law(server_node));
        self.key("node_node", delay_law(node_node));
    }

    fn nodes(&mut self, nodes: &NodesConfig) {
        let NodesConfig { count, failover_delay_ns } = *nodes;
        self.table("[nodes]");
        self.key("count", count);
        self.key("failover_delay", time(failover_delay_ns));
    }

    fn workload(&mut self, workload: &WorkloadConfig) {
        let WorkloadConfig { arrivals, keys: popularity, timeout_ns, retries, clients } = workload;
        self.table("[workload]");
        let (process, keys) = match arrivals {
            Arrivals::Nothing => ("", Vec::new()),
            Arrivals::Poisson { rate: r } => ("poisson", vec![("rate", rate(*r))]),
            Arrivals::Constant { rate: r } => ("constant", vec![("rate", rate(*r))]),
            Arrivals::Mmpp { rate_low, rate_high, dwell_low_ns, dwell_high_ns } => {
                let low = [("low", rate(*rate_low)), ("dwell_low", time(*dwell_low_ns))];
                let high = [("high", rate(*rate_high)), ("dwell_high", time(*dwell_high_ns))];
                ("mmpp", low.into_iter().chain(high).collect())
            }
            Arrivals::Burst { rate: r, peak, at_ns, for_ns } => (
                "burst",
                vec![
                    ("rate", rate(*r)),
                    ("peak", rate(*peak)),
                    ("at", time(*at_ns)),
                    ("for", time(*for_ns)),
                ],
            ),
            Arrivals::Ramp { from, to, over_ns } => {
                ("ramp", vec![("from", rate(*from)), ("to", rate(*to)), ("over", time(*over_ns))])
            }
            Arrivals::Diurnal { mean, amplitude, period_ns } => (
                "diurnal",
                vec![
                    ("mean", rate(*mean)),
                    ("amplitude", number(*amplitude)),
                    ("period", time(*period_ns)),
                ],
            ),
            Arrivals::Trace(trace) => ("trace", trace::keys(trace)),
        };
        if *arrivals != Arrivals::Nothing {
            self.key(&format!("arrivals.{process}"), inline(&keys));
        }
        if let Some(popularity) = popularity {
            let (law, keys) = match *popularity {
                Popularity::Zipf { count, exponent } => {
                    ("zipf", vec![("count", count.to_string()), ("exponent", number(exponent))])
                }
                Popularity::Uniform { count } => ("uniform", vec![("count", count.to_string())]),
            };
            self.key(&format!("keys.{law}"), inline(&keys));
        }
        self.key("timeout", time_or(*timeout_ns, "never"));
        self.clients(retries, clients);
    }

    fn policy(&mut self, policy: &PolicyConfig) {
        self.table(&format!("[policy.{}]", policy.name()));
        for (key, value) in policy.written() {
            self.key(key, value);
        }
    }

    fn heartbeat(&mut self, heartbeat: &HeartbeatConfig) {
        let HeartbeatConfig {
            interval_ns,
            jitter,
            synchronised,
            loss,
            fanout,
            failure_timeout_ns,
            latency_alpha,
            latency_decay_ns,
        } = *heartbeat;
        self.table("[heartbeat]");
        self.key("interval", time(interval_ns));
        self.key("jitter", number(jitter));
        self.key("synchronised", synchronised);
        self.key("loss", number(loss));
        let fanout = match fanout {
            Fanout::All => "\"all\"".into(),
            Fanout::Random(nodes) => inline(&[("random", nodes.to_string())]),
            Fanout::Home(nodes) => inline(&[("home", nodes.to_string())]),
        };
        self.key("fanout", fanout);
        self.key("failure_timeout", time(failure_timeout_ns));
        self.key("latency_alpha", number(latency_alpha));
        self.key("latency_decay", time_or(latency_decay_ns, "never"));
    }

    fn gossip(&mut self, gossip: &GossipConfig) {
        let GossipConfig { interval_ns, jitter, rounds, fanout, mode, payload, mtu_bytes, loss } =
            *gossip;
        self.table("[gossip]");
        self.key("interval", time(interval_ns));
        self.key("jitter", number(jitter));
        let rounds = match rounds {
            GossipRounds::Spread => "spread",
            GossipRounds::Together => "together",
            GossipRounds::Poisson => "poisson",
        };
        self.key("rounds", quote(rounds));
        self.key("fanout", fanout);
        let mode = match mode {
            GossipMode::Push => "push",
            GossipMode::Pull => "pull",
            GossipMode::PushPull => "push_pull",
        };
        self.key("mode", quote(mode));
        let payload = match payload {
            GossipPayload::Delta => "delta",
            GossipPayload::Full => "full",
        };
        self.key("payload", quote(payload));
        self.key("mtu_bytes", mtu_bytes);
        self.key("loss", number(loss));
    }

    fn membership(&mut self, membership: &MembershipConfig) {
        let MembershipConfig {
            probe_interval_ns,
            probe_timeout_ns,
            indirect,
            probe_order,
            suspicion_mult,
            suspicion_max_mult,
            retransmit_mult,
            piggyback,
            gossip_interval_ns,
            gossip_nodes,
            gossip_to_dead_ns,
            sync_interval_ns,
            reconnect_interval_ns,
            reap_ns,
            lifeguard,
            loss,
            seeds,
        } = membership;
        self.table("[membership]");
        self.key("probe_interval", time(*probe_interval_ns));
        self.key("probe_timeout", time(*probe_timeout_ns));
        self.key("indirect", indirect);
        let order = match probe_order {
            ProbeOrder::Ring => "ring",
            ProbeOrder::Random => "random",
        };
        self.key("probe_order", quote(order));
        self.key("suspicion_mult", suspicion_mult);
        self.key("suspicion_max_mult", suspicion_max_mult);
        self.key("retransmit_mult", retransmit_mult);
        self.key("piggyback", piggyback);
        self.key("gossip_interval", time(*gossip_interval_ns));
        self.key("gossip_nodes", gossip_nodes);
        self.key("gossip_to_dead", time(*gossip_to_dead_ns));
        self.key("sync_interval", time(*sync_interval_ns));
        self.key("reconnect_interval", time(*reconnect_interval_ns));
        self.key("reap", time(*reap_ns));
        self.key("lifeguard", lifeguard);
        self.key("loss", number(*loss));
        self.key("seeds", quote(&format!("{}..{}", seeds.start, seeds.end)));
    }

    fn targets(&mut self, targets: &[Target]) {
        if targets.is_empty() {
            return;
        }
        self.table("[target]");
        for Target { metric, half_width } in targets {
            self.key(&quote(metric), quote(&half_width.to_string()));
        }
    }

    fn expectations(&mut self, expect: &[Expectation]) {
        if expect.is_empty() {
            return;
        }
        self.table("[expect]");
        for Expectation { policy, metric, comparison, bound } in expect {
            let sign = match comparison {
                Comparison::Less => "<",
                Comparison::LessOrEqual => "<=",
                Comparison::Greater => ">",
                Comparison::GreaterOrEqual => ">=",
            };
            let policy = policy.as_ref().map_or_else(String::new, |policy| format!("{policy}."));
            self.key(&quote(&format!("{policy}{metric}")), format!("\"{sign} {bound:?}\""));
        }
    }
}
