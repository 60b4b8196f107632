//! Policies that can choose among the servers there are.

use super::Checker;
use crate::config::{Choices, ConfigFault, PolicyConfig};

impl Checker {
    pub(super) fn policies(&mut self, policies: &[PolicyConfig], servers: u64) {
        self.check(!policies.is_empty(), "policy", &[], || {
            ConfigFault::new("", "there is none").fix("add [policy.lowest_latency]")
        });
        for (index, policy) in policies.iter().enumerate() {
            let name = policy.name();
            let twice = policies[..index].iter().any(|earlier| earlier.name() == name);
            self.check(!twice, &format!("policy.{name}"), &[], || {
                ConfigFault::new("", "is there twice: its results would share a name")
                    .fix("run the variants one by one, with --set")
            });
            self.policy(policy, servers);
        }
    }

    fn policy(&mut self, policy: &PolicyConfig, servers: u64) {
        match *policy {
            PolicyConfig::LowestLatency { own_sends: _, ties: _, capacity_gate: _ }
            | PolicyConfig::Random { capacity_gate: _ }
            | PolicyConfig::RoundRobin { random_start: _, capacity_gate: _ } => {}
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
}
