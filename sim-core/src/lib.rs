//! The lbsim model: load-balancer nodes that each decide from their own stale view of the servers.
//!
//! No file, no clock, no print: the same scenario and seed give the same result everywhere.
//! Modules in reading order:

pub mod ids; // who
pub mod time; // when
pub mod rng; // chance
pub mod law; // service times and delays
pub mod config; // what is simulated
pub mod latency_table; // latencies, compactly
pub mod result; // what a run leaves behind
