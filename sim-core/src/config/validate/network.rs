//! Links: delays above 0, ordered parameters.

use super::Checker;
use crate::config::units::format_duration;
use crate::config::{ConfigFault, NetworkConfig};
use crate::law::DelayLaw;
use crate::time::Nanos;

/// Largest coefficient of variation that can be sampled with any sense.
const CV_MAX: f64 = 1_000.0;

impl Checker {
    pub(super) fn network(&mut self, network: &NetworkConfig) {
        let NetworkConfig { node_server, server_node, node_node } = network;
        self.delay("network.node_server", node_server);
        // Where the way back is not given it is the same law: one complaint is enough.
        if server_node != node_server {
            self.delay("network.server_node", server_node);
        }
        if node_node != node_server {
            self.delay("network.node_node", node_node);
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
        self.check(law.min_ns() > 0, &smallest_key, &[], || {
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
            DelayLaw::Lognormal { mean_ns, cv, min_ns } => {
                self.ordered(&key, ("min", min_ns), ("mean", mean_ns), false);
                self.time(&format!("{key}.mean"), mean_ns);
                self.number(&format!("{key}.cv"), cv, cv > 0.0 && cv <= CV_MAX, "above 0, to 1000");
            }
        }
    }

    /// `high` must be above `low`, or equal where `equal` permits it.
    fn ordered(&mut self, key: &str, low: (&str, Nanos), high: (&str, Nanos), equal: bool) {
        let fine = if equal { low.1 <= high.1 } else { low.1 < high.1 };
        let low_key = format!("{key}.{}", low.0);
        self.check(fine, &format!("{key}.{}", high.0), &[&low_key], || {
            let word = if equal { "at least" } else { "above" };
            ConfigFault::new("", format!("must be {word} `{}`", low.0))
                .found(format_duration(high.1))
                .allowed(format!("{word} {}", format_duration(low.1)))
        });
    }
}
