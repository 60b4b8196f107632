//! Fresh information through the ordinary path, for tables that ask for it.
//!
//! One node that counts its own requests in flight knows the true load of every server, but for what is
//! on the wire: it counts a request from the decision to the answer, so one way there and one way back
//! too long. No oracle is needed, and no grid of the control plane comes into it. With a delay of
//! 1/1000 of a service the decision misses a completion of the last 1/500 of a service. Measured at 20 to 40
//! times the delay (8 servers at load 0.9: +1.0 % of the mean sojourn time at 0.04 services; 1000 servers:
//! +1.0 %), and taking the effect to be proportional to the delay, it is below 0.03 %
//! at the delay used.

use super::experiment::{Experiment, SERVICE_NS};
use super::mmc::fleet;

/// One-way delay, as a share of a service.
pub const HOP: f64 = 1e-3;
/// The same [ns].
pub const HOP_NS: u64 = (SERVICE_NS as f64 * HOP) as u64;

/// What is left of the delay, for the tables.
pub const BIAS: &str = "One node counts its own requests, with a delay of 0.001 services each way: it misses the \
     completions of the last 0.002 services. Less than 0.03 % of the mean sojourn time (measured with 40 \
     times the delay, +1.0 %, and linear). The two delays are subtracted.";

/// `n` servers of one slot and exponential services at load `load`, and the least loaded of `choices`
/// drawn servers for each request.
pub fn choices(n: f64, load: f64, choices: &str, replacement: bool, warmup: f64) -> Experiment {
    let service = "exponential = { mean = \"10ms\" }";
    let body = fleet(n, 1.0, "unbounded", service, n * load)
        + &format!(
            "[policy.two_choices]\nchoices = {choices}\nreplacement = {replacement}\n\
             signal = \"own\"\nties = \"random\"\ncapacity_gate = false\n"
        );
    Experiment::new(HOP_NS, &body, warmup, n * load)
}
