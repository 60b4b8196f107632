//! What a fleet can carry and what it is offered, in requests a second.

use super::{Arrivals, NetworkConfig, Scenario, ServerGroup};
use crate::time::{Nanos, seconds};

impl Scenario {
    /// Most requests a second the servers can complete: slots x speed / mean service time.
    pub fn capacity_per_s(&self) -> f64 {
        capacity_per_s(&self.servers)
    }

    /// Whether nodes send each other messages.
    pub const fn nodes_talk(&self) -> bool {
        self.gossip.is_some() || self.membership.is_some()
    }

    /// Most requests a second that clients in a closed loop can send: they think, and are answered
    /// without having to wait.
    pub fn closed_loop_per_s(&self) -> f64 {
        let Some(closed_loop) = &self.workload.clients.closed_loop else { return 0.0 };
        let delays = &self.network;
        let service_ns = self.slots() as f64 / self.capacity_per_s() * 1e9;
        let delays_ns = delays.node_server.mean_ns() + delays.server_node.mean_ns();
        let turn_ns = closed_loop.think.mean_ns() + delays_ns + service_ns;
        f64::from(closed_loop.clients) / turn_ns * 1e9
    }

    /// Expected arrivals a second over the run, those of clients in a closed loop at their most; NaN
    /// for a trace that states no rate.
    pub fn arrivals_per_s(&self) -> f64 {
        let closed = self.closed_loop_per_s().min(self.capacity_per_s());
        self.workload.arrivals.mean_rate(self.duration_ns) + closed
    }

    /// Mean arrivals a second over the run, those of clients in a closed loop at their most; `None`
    /// for a trace that states no rate.
    pub fn offered_per_s(&self) -> Option<f64> {
        let open = match &self.workload.arrivals {
            Arrivals::Nothing => 0.0,
            Arrivals::Poisson { rate } | Arrivals::Constant { rate } => *rate,
            Arrivals::Mmpp { rate_low, rate_high, dwell_low_ns, dwell_high_ns } => {
                let (low, high) = (seconds(*dwell_low_ns), seconds(*dwell_high_ns));
                (rate_low * low + rate_high * high) / (low + high)
            }
            Arrivals::Burst { .. } => self.workload.arrivals.mean_rate(self.duration_ns),
            Arrivals::Ramp { from, to, over_ns } => {
                // Linear for `over`, then flat: the mean of the part inside the run.
                let (over, run) = (seconds(*over_ns), seconds(self.duration_ns));
                if run <= over {
                    from + (to - from) * run / over / 2.0
                } else {
                    (f64::midpoint(*from, *to) * over + to * (run - over)) / run
                }
            }
            Arrivals::Diurnal { mean, .. } => *mean,
            Arrivals::Trace(trace) => return trace.stated_rate(),
        };
        Some(open + self.closed_loop_per_s())
    }
}

/// The smallest one-way delay of any link in use: how far owners can run ahead of each other [ns].
pub(super) fn lookahead_ns(network: &NetworkConfig, nodes_talk: bool) -> Nanos {
    let NetworkConfig { node_server, server_node, node_node } = network;
    let served = node_server.min_ns().min(server_node.min_ns());
    if nodes_talk { served.min(node_node.min_ns()) } else { served }
}

/// Requests a second that the groups can complete together.
pub(super) fn capacity_per_s(groups: &[ServerGroup]) -> f64 {
    groups
        .iter()
        .map(|group| {
            let slots = f64::from(group.count) * f64::from(group.capacity);
            slots * group.speed * 1e9 / group.service.mean_ns()
        })
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Conduct;
    use crate::law::ServiceLaw;

    /// Mean by the midpoint rule over the quantile function, the slow and obvious way.
    fn pareto_mean_by_quantiles(low: f64, high: f64, alpha: f64) -> f64 {
        const STEPS: u32 = 1_000_000;
        let tail = libm::pow(low / high, alpha);
        let total: f64 = (0..STEPS)
            .map(|i| {
                let p = (f64::from(i) + 0.5) / f64::from(STEPS);
                low * libm::pow(1.0 - p * (1.0 - tail), -1.0 / alpha)
            })
            .sum();
        total / f64::from(STEPS)
    }

    #[test]
    fn bounded_pareto_mean_equals_integral() {
        for alpha in [0.5, 0.999_999, 1.0, 1.000_001, 1.5, 3.0] {
            let law = ServiceLaw::BoundedPareto { low_ns: 1e6, high_ns: 1e9, alpha };
            let exact = law.mean_ns();
            let slow = pareto_mean_by_quantiles(1e6, 1e9, alpha);
            assert!((exact / slow - 1.0).abs() < 1e-3, "alpha {alpha}: {exact} {slow}");
        }
    }

    #[test]
    fn empirical_mean_is_the_area_under_the_quantiles() {
        let law = ServiceLaw::Empirical { quantiles: vec![(0.0, 0.0), (0.5, 2.0), (1.0, 6.0)] };
        assert!((law.mean_ns() - 2.5).abs() < 1e-12);
    }

    #[test]
    fn capacity_adds_groups_by_speed() {
        let group = |count, speed| ServerGroup {
            name: None,
            count,
            capacity: 4,
            backlog: None,
            service: ServiceLaw::Exponential { mean_ns: 10e6 },
            speed,
            conduct: Conduct::default(),
            weight: 1.0,
            priority: 0,
        };
        assert!((capacity_per_s(&[group(10, 1.0), group(5, 2.0)]) - 8_000.0).abs() < 1e-9);
    }
}
