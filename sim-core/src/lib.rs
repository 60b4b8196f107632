//! The lbsim model: load-balancer nodes that each decide from their own stale view of the servers.
//!
//! No file, no clock, no print: the same scenario and seed give the same result everywhere.
//! Start with [`simulation`]; the other modules in reading order:

pub mod simulation; // READ FIRST: a run, a tick, its phases in order
pub mod systems; // the phases as systems of the ECS
pub mod clock; // the present tick and the next

pub mod ids; // who
pub mod time; // when
pub mod ticks; // the grid of ticks and quanta
pub mod rng; // chance: one stream an entity and purpose
pub mod ziggurat; // exponential and normal draws
pub mod law; // laws of service times and delays
pub mod popularity; // what requests are about
pub mod config; // what is simulated
pub mod plan; // what breaks and heals, and when
pub mod setup; // the same, worked out for one run

pub mod faults; // phase 1: servers break and heal
pub mod node_faults; // phase 1b: nodes stop and start
pub mod notes; // what servers tell nodes besides
pub mod heartbeat; // phase 2: servers report
pub mod gossip; // phase 3: nodes merge reports
pub mod peers; // phase 4: nodes tell each other what they know
pub mod oracle; // phase 5: the control: nodes see the truth
pub mod detection; // phase 6: nodes judge the servers
pub mod metrics; // phase 7: boundaries are looked at
pub mod completion; // phase 8: servers serve
pub mod failover; // phase 9: requests of nodes that are out go elsewhere
pub mod selection; // phase 10: nodes choose and dispatch

pub mod roster; // which nodes are there
pub mod cluster; // a node's membership at work
pub mod membership; // which nodes a node knows
pub mod links; // which of them are cut
pub mod network; // messages and the outboxes they wait in
pub mod peer_network; // messages between nodes
pub mod exchange; // what nodes tell each other about servers
pub mod misreport; // heartbeats that are not what they should be
pub mod server; // servers and their two kernels
pub mod view; // what a node believes
pub mod judge; // what a node makes of the servers beyond that
pub mod subset; // which servers a node uses
pub mod truth; // which servers are really up
pub mod policy; // how a node chooses
pub mod answer; // what a policy hears of an attempt that has ended
pub mod request; // what a node has in flight
pub mod traffic; // what arrives at a node
pub mod clients; // who sends only when the last request has ended
pub mod workload; // arrival processes
pub mod trace_feed; // recorded arrivals
pub mod owners; // shards and nodes as slices

pub mod places; // where columns about servers keep their entries
pub mod hashing; // keys to servers: ring, Maglev's table
pub mod tiers; // shares of tiers of servers
pub mod tree; // 16-ary tree of least latencies
pub mod heap; // lazy min-heap of latencies
pub mod wheel; // timing wheel
pub mod order; // sorting the events of a tick
pub mod latency_table; // latencies, compactly

pub mod meters; // what is counted on the way
pub mod outcome; // what is added up at the end
pub mod result; // what a run leaves behind
pub mod warmup; // how much of the beginning to leave out
pub mod stats; // what several runs say together
pub mod columns; // what is reported of a run, and how each figure is called
pub mod footprint; // how much memory a run needs
pub mod verdict; // whether the figures describe a steady state

#[cfg(test)]
mod goodness; // tests of fit
