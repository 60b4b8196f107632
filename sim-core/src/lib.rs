//! The lbsim model: load-balancer nodes that each decide from their own stale view of the servers.
//!
//! No file, no clock, no print: the same scenario and seed give the same result everywhere.
//! Modules in reading order:

pub mod config; // what is simulated
pub mod ids; // who
pub mod latency_table; // latencies, compactly
pub mod law; // service times and delays
pub mod result;
pub mod rng; // chance
pub mod time; // when // what a run leaves behind
