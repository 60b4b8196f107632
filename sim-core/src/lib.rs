//! The lbsim model: load-balancer nodes that each decide from their own stale view of the servers.
//!
//! No file, no clock, no print: the same scenario and seed give the same result everywhere.
//! Modules in reading order:

pub mod config; // what is simulated
pub mod ids; // who
pub mod latency_table; // latencies, compactly
pub mod law; // service times and delays
pub mod result; // what a run leaves behind
pub mod rng; // chance
pub mod stats;
pub mod time; // when
pub mod workload; // when requests arrive
pub mod ziggurat; // exponential and normal samples // what runs say together

#[cfg(test)]
mod goodness; // tests of fit
