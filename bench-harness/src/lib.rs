//! The reference engine and the measurements of lbsim.
//!
//! * [`reference`]: a plain global-heap event loop over the same model rules; the windowed engine
//!   must give the same bytes, and it is the control of every speed figure.
//! * [`sweep`]: many scenarios from one base, run so that nothing finished is lost.
//! * [`fleet`]: the workload on which speed is measured.
//! * [`operations`]: what a policy does, one operation at a time.
//! * [`memory`]: how much memory there is.
//! * [`warmup`]: how long the warm-up of a scenario has to be, found by running it.
//! * [`validate`]: known results against the simulator.

pub mod sweep; // many scenarios from one base
pub mod fleet; // the workload of the speed figures
pub mod operations; // what a policy does, one at a time
pub mod reference; // the plain event loop
pub mod memory; // how much there is
pub mod warmup; // how long the warm-up has to be
pub mod validate; // known results
