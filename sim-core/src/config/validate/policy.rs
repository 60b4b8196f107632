//! Policies that can choose among the servers there are.

use super::Checker;
use crate::config::{ConfigFault, ParameterCheck, Scenario};

impl Checker {
    pub(super) fn policies(&mut self, scenario: &Scenario, servers: u64) {
        let policies = &scenario.policies;
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
            let keyed = !policy.needs().keys || scenario.workload.has_keys();
            self.check(keyed, &format!("policy.{name}"), &["workload"], || {
                ConfigFault::new("", "routes requests by their keys, and they have none").fix(
                    "add keys.zipf = { count = 10000, exponent = 1.0 } to [workload], or name a \
                     trace's `key` column",
                )
            });
            policy.check(&mut ParameterCheck { checker: self, name, servers, scenario });
        }
    }
}
