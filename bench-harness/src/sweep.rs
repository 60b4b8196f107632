//! Sweeps: many scenarios from one base, run so that nothing that was finished is ever lost.
//!
//! A **point** is a combination of the axes and one policy. A **run** is a replication of a point: one
//! simulation, and the unit of commit. What a run is called depends on what it simulates and on nothing
//! else, so it does not matter who makes it, when, or how often.
//!
//! A sweep is worked out once ([`draft`]), written down ([`scribe`]), and from then on only read
//! ([`plan`]), by one process or by hundreds. READ FIRST: [`plan`], then [`execute`].

pub mod plan; // READ FIRST: every point and run, in a file that each part reads its own of
pub mod head; // its first line
pub mod rows; // its other lines
pub mod draft; // a sweep worked out
pub mod scribe; // ... and written down
pub mod recipe; // how a scenario is made
pub mod file; // what a sweep file says
pub mod keys; // every key of it
pub mod value; // its values as texts
pub mod grid; // combinations of the axes
mod rules; // which of them are points
mod policies; // what their policies are called
mod survey; // what is wrong with them
pub mod inputs; // the files a sweep is made from
pub mod identity; // what makes a run the same run
pub mod needs; // what a run takes

pub mod execute; // READ NEXT: threads that run the runs
pub mod agenda; // which run is next
pub mod shard; // which runs are whose
pub mod tally; // how far it is
mod failure; // what goes wrong inside a run
pub mod replicate; // how many replications there must be
pub mod pilot; // warm-ups to be found
pub mod record; // what is kept of a run
pub mod store; // where it is kept
pub mod error; // why it could not be

pub mod tables; // runs.csv, points.csv, paired.csv
pub mod join; // the end: what is missing, or the tables
