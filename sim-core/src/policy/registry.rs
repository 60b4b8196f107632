//! Every policy there is: a line each.
//!
//! The line gives the module, the type of the parameters, the name in files and one sentence. From it
//! follow [`PolicyConfig`], what a scenario file may say, what `lbsim list policies` prints, and how
//! a node gets its policy. All else stands in the policy's own file, as its [`Parameters`].

use std::fmt::Debug;

use super::SelectionIndex;
use super::tiered::Tiered;
use crate::config::keys::Key;
use crate::config::{ParameterCheck, ParameterList};
use crate::ids::NodeId;
use crate::notes::Notice;
use crate::rng::Stream;
use crate::setup::Setup;

pub use super::custom::CustomPolicy;
pub use super::join_idle_queue::{Fallback, Join};
pub use super::keyed::BoundConfig;
pub use super::least_request::LeastRequestSelection;
pub use super::load_interpretation::Interpretation;
pub use super::local_shortest_queue::Refresh;
pub use super::lowest_latency::LatencyTies;
pub use super::nginx::Failing;
pub use super::preset::{Preset, PresetPolicy, Setting};
pub use super::presets::PRESETS;
pub use super::two_choices::{Choices, DrawTies, LoadSignal};
pub use super::weights::{LoadReports, WeightSource, WeightsConfig};

/// What a policy needs beyond reports and the node's own counts. What is not asked for does not exist in
/// a run, and costs nothing.
#[expect(clippy::struct_excessive_bools, reason = "each is a separate wish")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    /// Notes that servers send of their own accord.
    pub notes: Option<Notice>,
    /// Notes that come with answers.
    pub feedback: bool,
    /// It asks servers after choices.
    pub probes: bool,
    /// Counters of servers, in notes that come with answers or heartbeats.
    pub counters: bool,
    /// Keys of requests.
    pub keys: bool,
    /// When the attempt left, in every answer.
    pub timed_answers: bool,
    /// It may hold back a request although servers are eligible: the request waits at its node.
    pub holds_back: bool,
}

impl Needs {
    /// Servers tell or are asked more than heartbeats say.
    pub const fn messages(self) -> bool {
        self.notes.is_some() || self.feedback || self.probes
    }
}

/// How the cost of an operation grows with the number of servers, as a policy states it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Growth {
    /// Not at all, or with a logarithm.
    Small,
    /// In proportion.
    Linear,
}

/// The parameters of a policy: what they are called, what they may be, what the policy needs, and how
/// it comes into being. The default is what a scenario gets that names no parameter.
pub trait Parameters: Clone + Debug + Default + PartialEq {
    /// What each key means.
    const KEYS: &'static [Key];

    /// Goes through all parameters, each once.
    fn list(&mut self, list: &mut ParameterList<'_, '_, '_>);

    /// Looks for what is impossible.
    fn check(&self, _check: &mut ParameterCheck<'_>) {}

    /// What the policy needs.
    fn needs(&self) -> Needs {
        Needs::default()
    }

    /// How the cost of a decision grows; that of hearing a note or an answer is always small. Held by
    /// `bench-harness decisions`.
    fn growth(&self) -> Growth {
        Growth::Small
    }

    /// Whether views correct reported loads for this policy.
    fn corrects_own_sends(&self) -> bool {
        true
    }

    /// Servers a node asks for each request, on the mean.
    fn probes_a_request(&self) -> f64 {
        0.0
    }

    /// Memory a node's policy keeps of each server [bytes].
    fn server_bytes(&self) -> usize {
        0
    }

    /// Memory of tables that all nodes share, with so many servers [bytes].
    fn shared_bytes(&self, _servers: f64) -> f64 {
        0.0
    }

    /// The policy of one node; first states are drawn from `stream`.
    fn build(&self, setup: &Setup, node: NodeId, stream: &mut Stream) -> SelectionIndex;
}

macro_rules! registry {
    ($($module:ident::$parameters:ident as $kind:ident = $name:literal: $about:literal;)*) => {
        $(pub use super::$module::$parameters;)*

        /// A policy and its parameters.
        #[derive(Clone, Debug, PartialEq)]
        pub enum PolicyConfig {
            $(#[doc = $about] $kind($parameters),)*
            /// One of those with the defaults of a system, under a name of its own.
            Preset(PresetPolicy),
            /// A policy that no file can name: the caller's own.
            Custom(CustomPolicy),
        }

        /// Names and descriptions of the policies a scenario may name, in the order of their keys.
        pub const POLICIES: &[(&str, &str)] = &[$(($name, $about)),*];

        /// Just the names.
        pub(crate) const NAMES: [&str; POLICIES.len()] = [$($name),*];

        /// The documentation of all parameters.
        pub(crate) const KEYS: [&[Key]; POLICIES.len()] = [$($parameters::KEYS),*];

        impl PolicyConfig {
            /// The policy called `name` with all defaults.
            pub fn named(name: &str) -> Option<Self> {
                match name {
                    $($name => Some(Self::$kind($parameters::default())),)*
                    _ => None,
                }
            }

            /// The name under which files and tables know the policy.
            pub const fn name(&self) -> &'static str {
                match self {
                    $(Self::$kind(_) => $name,)*
                    Self::Preset(preset) => preset.name,
                    Self::Custom(policy) => policy.name,
                }
            }

            /// Goes through the parameters: see [`Parameters::list`].
            pub fn list(&mut self, list: &mut ParameterList<'_, '_, '_>) {
                match self {
                    $(Self::$kind(parameters) => parameters.list(list),)*
                    Self::Preset(preset) => preset.policy.list(list),
                    Self::Custom(_) => {}
                }
            }

            /// Looks for what is impossible.
            pub fn check(&self, check: &mut ParameterCheck<'_>) {
                match self {
                    $(Self::$kind(parameters) => parameters.check(check),)*
                    Self::Preset(preset) => preset.policy.check(check),
                    Self::Custom(_) => {}
                }
            }

            /// What the policy needs.
            pub fn needs(&self) -> Needs {
                match self {
                    $(Self::$kind(parameters) => parameters.needs(),)*
                    Self::Preset(preset) => preset.policy.needs(),
                    Self::Custom(policy) => policy.needs,
                }
            }

            /// How the cost of a decision grows with the servers; of the caller's own nothing is known.
            pub fn growth(&self) -> Growth {
                match self {
                    $(Self::$kind(parameters) => parameters.growth(),)*
                    Self::Preset(preset) => preset.policy.growth(),
                    Self::Custom(_) => Growth::Linear,
                }
            }

            /// Whether views correct reported loads for this policy.
            pub fn corrects_own_sends(&self) -> bool {
                match self {
                    $(Self::$kind(parameters) => parameters.corrects_own_sends(),)*
                    Self::Preset(preset) => preset.policy.corrects_own_sends(),
                    Self::Custom(policy) => policy.corrects_own_sends,
                }
            }

            /// Servers a node asks for each request, on the mean; the caller's own policy may ask some.
            pub fn probes_a_request(&self) -> f64 {
                match self {
                    $(Self::$kind(parameters) => parameters.probes_a_request(),)*
                    Self::Preset(preset) => preset.policy.probes_a_request(),
                    Self::Custom(policy) => if policy.needs.probes { 4.0 } else { 0.0 },
                }
            }

            /// Memory of tables that all nodes share [bytes].
            pub fn shared_bytes(&self, servers: f64) -> f64 {
                match self {
                    $(Self::$kind(parameters) => parameters.shared_bytes(servers),)*
                    Self::Preset(preset) => preset.policy.shared_bytes(servers),
                    Self::Custom(_) => 0.0,
                }
            }

            /// Memory a node's policy keeps of each server [bytes]; of the caller's own nothing is known.
            pub fn server_bytes(&self) -> usize {
                match self {
                    $(Self::$kind(parameters) => parameters.server_bytes(),)*
                    Self::Preset(preset) => preset.policy.server_bytes(),
                    Self::Custom(_) => 0,
                }
            }
        }

        impl SelectionIndex {
            /// The policy of the run, for one node; first states are drawn from `stream`.
            pub fn new(setup: &Setup, node: NodeId, stream: &mut Stream) -> Self {
                match &setup.tiers {
                    None => Self::of_one_tier(setup, node, stream),
                    Some(tiers) => Self::Boxed(Box::new(Tiered::new(setup, tiers, node, stream))),
                }
            }

            /// The policy of the run without regard for tiers of servers.
            pub(super) fn of_one_tier(setup: &Setup, node: NodeId, stream: &mut Stream) -> Self {
                match setup.policy.plain() {
                    $(PolicyConfig::$kind(parameters) => parameters.build(setup, node, stream),)*
                    PolicyConfig::Preset(_) => unreachable!("a plain policy is no preset"),
                    PolicyConfig::Custom(policy) => Self::Boxed(policy.build(setup, node, stream)),
                }
            }
        }
    };
}

registry! {
    lowest_latency::LowestLatencyConfig as LowestLatency = "lowest_latency":
        "The seed rule: available, then below capacity, then lowest mean latency.";
    random::RandomConfig as Random = "random":
        "A uniformly random eligible server.";
    round_robin::RoundRobinConfig as RoundRobin = "round_robin":
        "Eligible servers in turn.";
    two_choices::TwoChoicesConfig as TwoChoices = "two_choices":
        "The least loaded of a few servers drawn at random.";
    weighted_random::WeightedRandomConfig as WeightedRandom = "weighted_random":
        "An eligible server drawn in proportion to its weight.";
    smooth_weighted_round_robin::SmoothWeightedRoundRobinConfig as SmoothWeightedRoundRobin =
        "smooth_weighted_round_robin":
        "NGINX's default: weighted turns, evenly spread; weights fall with failures.";
    edf_weighted_round_robin::EdfWeightedRoundRobinConfig as EdfWeightedRoundRobin =
        "edf_weighted_round_robin":
        "Envoy's round robin: weighted turns by earliest deadlines.";
    static_stride::StaticStrideConfig as StaticStride = "static_stride":
        "gRPC's weighted round robin: turns at fixed strides.";
    least_request::LeastRequestConfig as LeastRequest = "least_request":
        "Envoy's and gRPC's: fewest own requests of a few drawn, or by weight a request.";
    heap_least_loaded::HeapLeastLoadedConfig as HeapLeastLoaded = "heap_least_loaded":
        "Finagle's heap: the fewest own requests of all.";
    haproxy_random::HaproxyRandomConfig as HaproxyRandom = "haproxy_random":
        "HAProxy's default: the lighter of two drawn by weight, or nobody if it is full.";
    nginx_random_two::NginxRandomTwoConfig as NginxRandomTwo = "nginx_random_two":
        "NGINX's random two: the lighter of two different servers drawn by weight.";
    nginx_least_connections::NginxLeastConnectionsConfig as NginxLeastConnections =
        "nginx_least_connections":
        "NGINX's least connections: the fewest own requests by weight of all.";
    nginx_least_time::NginxLeastTimeConfig as NginxLeastTime = "nginx_least_time":
        "NGINX's least time: own response times by load, in coarse steps.";
    peak_ewma::PeakEwmaConfig as PeakEwma = "peak_ewma":
        "Finagle's and Linkerd's: the lower latency times load of two, quick to see peaks.";
    load_interpretation::LoadInterpretationConfig as LoadInterpretation = "load_interpretation":
        "Dahlin's: reported loads read with their age, so that all servers end up level.";
    prequal::PrequalConfig as Prequal = "prequal":
        "Prequal: answers to probes, the fastest of those not hot, else the least loaded.";
    c3::C3Config as C3 = "c3":
        "C3: of a few the lowest score of response time, service time and estimated queue.";
    local_shortest_queue::LocalShortestQueueConfig as LocalShortestQueue = "local_shortest_queue":
        "LSQ: the shortest queue as the node remembers it, refreshed by a few messages.";
    join_idle_queue::JoinIdleQueueConfig as JoinIdleQueue = "join_idle_queue":
        "Join-Idle-Queue: idle servers tell one node each, which sends them its next requests.";
    ring_hash::RingHashConfig as RingHash = "ring_hash":
        "By key: consistent hashing on a ring, with an optional bound on load (Envoy, HAProxy).";
    maglev::MaglevConfig as Maglev = "maglev":
        "By key: Maglev's table, with an optional bound on load (Envoy).";
    rendezvous::RendezvousConfig as Rendezvous = "rendezvous":
        "By key: the server with the highest random weight.";
}

/// The documentation of the switch most policies have.
macro_rules! capacity_gate_key {
    ($policy:literal, $default:literal) => {
        $crate::config::keys::key(
            concat!("policy.", $policy, ".capacity_gate"),
            "",
            $default,
            "true, false",
            "Skip servers whose estimated load has reached their capacity.",
            "true: fewer refusals, and rejects when all look full.",
        )
    };
}
pub(crate) use capacity_gate_key;
