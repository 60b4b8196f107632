//! Nodes and servers, and how long service takes.

use super::Checker;
use crate::config::units::DURATION_NS_MAX;
use crate::config::{ConfigFault, NodesConfig, ServerGroup};
use crate::law::ServiceLaw;

/// Most servers: ids are `u32`, and a million of them is what the engine is built for.
pub(super) const SERVERS_MAX: u64 = 100_000_000;
/// Most nodes.
const NODES_MAX: u32 = 1_000_000;
/// Most beliefs of all nodes about all servers: some 30 GB of views.
const BELIEFS_MAX: u64 = 1_000_000_000;
/// Largest coefficient of variation that can be sampled with any sense.
const CV_MAX: f64 = 1_000.0;

impl Checker {
    pub(super) fn fleet(&mut self, nodes: &NodesConfig, servers: &[ServerGroup], added: u64) {
        let NodesConfig { count: node_count, failover_delay_ns } = *nodes;
        self.time("nodes.failover_delay", failover_delay_ns);
        self.within("nodes.count", node_count.into(), 1..=NODES_MAX.into());
        self.check(!servers.is_empty(), "servers", &[], || {
            ConfigFault::new("", "there are none").fix("add a [[servers]] group")
        });
        for (index, group) in servers.iter().enumerate() {
            self.group(&format!("servers.{index}"), group);
            let twin =
                servers[..index].iter().position(|g| g.name.is_some() && g.name == group.name);
            self.check(twin.is_none(), &format!("servers.{index}.name"), &[], || {
                ConfigFault::new("", format!("is also the name of servers.{}", twin.unwrap_or(0)))
                    .found(format!("{:?}", group.name.as_deref().unwrap_or_default()))
                    .fix("a fault must know which group is meant: give each its own name")
            });
        }
        let configured: u64 = servers.iter().map(|group| u64::from(group.count)).sum();
        let server_count = configured + added;
        self.check(server_count <= SERVERS_MAX, "servers", &[], || {
            ConfigFault::new("", "are too many")
                .found(server_count)
                .allowed(format!("{SERVERS_MAX} in all groups and add faults together"))
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

    pub(super) fn group(&mut self, key: &str, group: &ServerGroup) {
        let ServerGroup {
            name,
            count,
            capacity,
            backlog: _,
            service,
            speed,
            weight,
            priority,
            conduct,
        } = group;
        if let Some(name) = name {
            let usable = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
            let fine = name.starts_with(|c: char| c.is_ascii_alphabetic())
                && name.len() <= 100
                && name.chars().all(usable);
            self.check(fine, &format!("{key}.name"), &[], || {
                ConfigFault::new("", "cannot name a group: faults would take it for ids or a share")
                    .found(format!("{name:?}"))
                    .allowed("1 to 100 letters, digits, `-`, `_` and `.`, a letter first")
            });
        }
        self.within(&format!("{key}.count"), (*count).into(), 1..=SERVERS_MAX);
        self.within(&format!("{key}.capacity"), (*capacity).into(), 1..=u16::MAX.into());
        self.service(&format!("{key}.service"), service);
        let fine = (1e-6..=1e6).contains(speed);
        self.number(&format!("{key}.speed"), *speed, fine, "0.000001 to 1000000");
        self.conduct(key, conduct);
        self.within(&format!("{key}.priority"), (*priority).into(), 0..=127);
        let fine = (1e-6..=1e6).contains(weight);
        self.number(&format!("{key}.weight"), *weight, fine, "0.000001 to 1000000");
    }

    pub(super) fn service(&mut self, key: &str, law: &ServiceLaw) {
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
                self.number(&format!("{key}.hyperexponential.cv"), *cv, fine, "1 to 1000");
            }
            ServiceLaw::Lognormal { mean_ns, cv } => {
                self.mean(&format!("{key}.lognormal.mean"), *mean_ns);
                let fine = *cv > 0.0 && *cv <= CV_MAX;
                self.number(&format!("{key}.lognormal.cv"), *cv, fine, "above 0, to 1000");
            }
            ServiceLaw::BoundedPareto { low_ns, high_ns, alpha } => {
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
        self.check(ends(quantiles.first(), 0.0) && ends(quantiles.last(), 1.0), &key, &[], || {
            ConfigFault::new("", "its probabilities must run from 0 to 1")
        });
        let rising = quantiles.windows(2).position(|q| !(q[0].0 < q[1].0 && q[0].1 <= q[1].1));
        self.check(rising.is_none(), &key, &[], || {
            let row = rising.unwrap_or(0) + 2;
            ConfigFault::new(
                "",
                format!("its probabilities and values must increase; row {row} does not"),
            )
        });
        let mean = law.mean_ns();
        let possible = |ns: f64| (0.0..=DURATION_NS_MAX as f64).contains(&ns);
        let fine = quantiles.iter().all(|q| possible(q.1)) && possible(mean) && mean > 0.0;
        self.check(fine, &key, &[], || {
            ConfigFault::new("", "its values must be service times: not negative, not all 0")
        });
    }
}
