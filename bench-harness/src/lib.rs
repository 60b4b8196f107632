//! The reference engine and the measurements of lbsim.
//!
//! * [`reference`]: a plain global-heap event loop over the same model rules; the windowed engine
//!   must give the same bytes, and it is the control of every speed figure.
//! * [`fleet`]: the workload on which speed is measured.

pub mod fleet; // the workload of the speed figures
pub mod reference; // the plain event loop
