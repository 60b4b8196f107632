//! What a scenario may not be, though each of its values can be read.
//!
//! Every struct is taken apart field by field, so that a new field left unchecked fails to compile.
//! Each check names the keys it rests on: of a key that holds a stand-in, or that was found wrong
//! before, nothing further is said, so one mistake gives one fault.

mod network;
mod engine;
mod conduct;
mod fleet;
mod clients;
mod workload;
mod policy;
mod heartbeat;
mod gossip;
mod subset;
mod judgement;
mod membership;
mod faults;

use super::fault::ConfigFault;
use super::load::lookahead_ns;
use super::units::{DURATION_NS_MAX, format_duration};
use super::{Expectation, PolicyConfig, Scenario};
use crate::time::Nanos;

/// Longest name: it becomes part of file names.
const NAME_CHARS_MAX: usize = 100;
/// Most replications of a policy.
const REPLICATIONS_MAX: u32 = 1_000_000;

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
        Self { faulted, counts: Vec::new(), faults: Vec::new() }
    }

    /// Every fault of the scenario.
    pub(super) fn scenario(mut self, scenario: &Scenario) -> Vec<ConfigFault> {
        let Scenario {
            name,
            duration_ns,
            warmup_ns,
            warmup_auto: _, // Both will do.
            drain_ns,
            seed: _, // Every seed will do.
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
            chaos: _, // Checked with the faults.
            expect,
        } = scenario;
        let counts = (0..servers.len()).map(|index| format!("servers.{index}.count"));
        self.counts = counts.chain(["servers.*".to_owned()]).collect();
        self.name(name);
        self.positive_time("duration", *duration_ns);
        self.time("drain", *drain_ns);
        self.check(*warmup_ns < *duration_ns, "warmup", &["duration"], || {
            ConfigFault::new("", "nothing would be measured: it must be below the duration")
                .found(format_duration(*warmup_ns))
                .allowed(format!("0s to below {}", format_duration(*duration_ns)))
        });
        // Of a single one no spread is known, so no target could be met.
        let least = if target.is_empty() { 1 } else { 2 };
        self.within("replications", (*replications).into(), least..=REPLICATIONS_MAX.into());
        let range = *replications..=REPLICATIONS_MAX;
        self.check(range.contains(replications_max), "replications_max", &["replications"], || {
            ConfigFault::new("", "is out of range").found(replications_max).allowed(format!(
                "a whole number, {replications} (the replications) to {REPLICATIONS_MAX}"
            ))
        });
        self.network(network);
        let lookahead = lookahead_ns(network, scenario.nodes_talk());
        self.engine(engine, lookahead, duration_ns.saturating_add(*drain_ns), *duration_ns);
        let all_servers: u64 = scenario.all_groups().map(|group| u64::from(group.count)).sum();
        let server_count: u64 = servers.iter().map(|group| u64::from(group.count)).sum();
        self.fleet(nodes, servers, all_servers - server_count);
        self.workload(workload, nodes.count);
        self.policies(scenario, server_count);
        self.heartbeat(heartbeat, engine, nodes.count);
        self.subset(subset.as_ref());
        self.priorities(priorities);
        self.judgement(judgement, engine);
        if let Some(membership) = membership {
            self.membership(membership, engine, nodes.count);
        }
        if let Some(gossip) = gossip {
            self.gossip(gossip, engine, nodes.count);
        }
        self.scheduled(faults, scenario);
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

    fn expectations(&mut self, expect: &[Expectation], policies: &[PolicyConfig]) {
        for Expectation { policy, metric, comparison: _, bound } in expect {
            let key = match policy {
                Some(policy) => format!("expect.{policy}.{metric}"),
                None => format!("expect.{metric}"),
            };
            self.number(&key, *bound, bound.is_finite(), "a finite bound");
            let known =
                policy.as_ref().is_none_or(|name| policies.iter().any(|p| p.name() == name));
            self.check(known, &key, &["policy"], || {
                ConfigFault::new("", "the scenario has no such policy")
            });
        }
    }

    /// [`Self::check`], resting on the number of servers.
    pub(super) fn check_counted(
        &mut self,
        holds: bool,
        key: &str,
        fault: impl FnOnce() -> ConfigFault,
    ) {
        let counts = std::mem::take(&mut self.counts);
        let rests_on: Vec<&str> = counts.iter().map(String::as_str).collect();
        self.check(holds, key, &rests_on, fault);
        self.counts = counts;
    }

    /// Notes a fault of `key` unless the check holds, or rests on something already known as wrong.
    pub(super) fn check(
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
        self.faults.push(ConfigFault { key: key.to_owned(), ..fault() });
    }

    pub(super) fn time(&mut self, key: &str, ns: Nanos) {
        self.check(ns <= DURATION_NS_MAX, key, &[], || {
            ConfigFault::new("", "is longer than 146 years").found(format_duration(ns))
        });
    }

    pub(super) fn positive_time(&mut self, key: &str, ns: Nanos) {
        self.check(ns > 0, key, &[], || ConfigFault::new("", "must be above 0").found("0ns"));
        self.time(key, ns);
    }

    /// A service time: above 0 and no longer than any other time.
    fn mean(&mut self, key: &str, ns: f64) {
        self.check(ns > 0.0 && ns <= DURATION_NS_MAX as f64, key, &[], || {
            ConfigFault::new("", "must be above 0").found(format!("{ns}ns"))
        });
    }

    pub(super) fn within(&mut self, key: &str, value: u64, range: std::ops::RangeInclusive<u64>) {
        self.check(range.contains(&value), key, &[], || {
            ConfigFault::new("", "is out of range").found(value).allowed(format!(
                "a whole number, {} to {}",
                range.start(),
                range.end()
            ))
        });
    }

    pub(super) fn number(&mut self, key: &str, value: f64, fine: bool, allowed: &str) {
        self.check(fine, key, &[], || {
            ConfigFault::new("", "is out of range").found(value).allowed(allowed)
        });
    }
}

/// Whether one of two dotted paths is the other or leads to it.
fn related(a: &str, b: &str) -> bool {
    let leads = |a: &str, b: &str| {
        b.strip_prefix(a).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    };
    leads(a, b) || leads(b, a)
}
