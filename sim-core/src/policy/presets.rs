//! What real systems do by default.
//!
//! Sources: files of the systems' own repositories, proposals and papers, as named. What is ours and no
//! system's value says so: `capacity_gate` is about reports, which these systems do not have.

use super::preset::{Preset, Setting, set};

/// No system here knows a server's capacity from reports.
const NO_GATE: Setting = set("capacity_gate", "false", "ours: the system has no reports of load");

const NO_BLACKOUT: Setting =
    set("blackout_period", "\"10s\"", "ours: without effect on configured weights");
const NO_EXPIRATION: Setting =
    set("expiration_period", "\"180s\"", "ours: without effect on configured weights");
const NO_UPDATE: Setting =
    set("update_period", "\"1s\"", "ours: without effect on configured weights");

const NO_REPORTS: Setting =
    set("load_reports", "\"answers\"", "ours: without effect on configured weights");
const NO_PENALTY: Setting =
    set("error_utilization_penalty", "1.0", "ours: without effect on configured weights");

const ENVOY_EDF: &str = "envoy load_balancer_impl.cc: EDF schedule, random start over a cycle";

const NGINX_MAX_FAILS: Setting =
    set("max_fails", "1", "nginx ngx_http_upstream.c: max_fails, default 1");
const NGINX_FAIL_TIMEOUT: Setting =
    set("fail_timeout", "\"10s\"", "nginx ngx_http_upstream.c: fail_timeout, default 10 s");
const NGINX_MAX_CONNS: Setting =
    set("capacity_gate", "false", "nginx ngx_http_upstream.c: max_conns, default 0: no limit");

/// Every preset.
#[rustfmt::skip] // One setting a row.
pub const PRESETS: &[Preset] = &[
    Preset {
        name: "envoy_round_robin", system: "Envoy, lb_policy ROUND_ROBIN (its default)", policy: "edf_weighted_round_robin",
        settings: &[
            set("weights", "\"configured\"", "envoy load_balancer_impl.cc: weights of hosts as configured"),
            NO_REPORTS, NO_BLACKOUT, NO_EXPIRATION, NO_UPDATE, NO_PENALTY,
            set("random_start", "true", ENVOY_EDF),
            NO_GATE,
        ],
        beside: "servers.weight, if hosts have weights",
    },
    Preset {
        name: "envoy_client_side_wrr", system: "Envoy, client_side_weighted_round_robin", policy: "edf_weighted_round_robin",
        settings: &[
            set("weights", "\"reported\"", "envoy client_side_weighted_round_robin.proto: weights from load reports"),
            set("load_reports", "\"answers\"", "envoy client_side_weighted_round_robin.proto: enable_oob_load_report, default false"),
            set("blackout_period", "\"10s\"", "envoy client_side_weighted_round_robin.proto: blackout_period, default 10 s"),
            set("expiration_period", "\"180s\"", "envoy client_side_weighted_round_robin.proto: weight_expiration_period, default 180 s"),
            set("update_period", "\"1s\"", "envoy client_side_weighted_round_robin.proto: weight_update_period, default 1 s"),
            set("error_utilization_penalty", "1.0", "envoy client_side_weighted_round_robin.proto: error_utilization_penalty, default 1.0"),
            set("random_start", "true", ENVOY_EDF),
            NO_GATE,
        ],
        beside: "utilisation is the share of slots in use",
    },
    Preset {
        name: "envoy_least_request", system: "Envoy, lb_policy LEAST_REQUEST", policy: "least_request",
        settings: &[
            set("choices", "2", "envoy least_request.proto: choice_count, default 2, drawn with replacement"),
            set("selection", "\"n_choices\"", "envoy least_request.proto: selection_method, default N_CHOICES"),
            set("bias", "1.0", "envoy least_request.proto: active_request_bias, default 1.0 (unequal weights only)"),
            NO_GATE,
        ],
        beside: "",
    },
    Preset {
        name: "envoy_random", system: "Envoy, lb_policy RANDOM", policy: "random",
        settings: &[NO_GATE],
        beside: "",
    },
    Preset {
        name: "envoy_ring_hash", system: "Envoy, lb_policy RING_HASH", policy: "ring_hash",
        settings: &[
            set("minimum_ring_size", "1024", "envoy ring_hash.proto: minimum_ring_size, default 1024"),
            set("maximum_ring_size", "8388608", "envoy ring_hash.proto: maximum_ring_size, default 8M"),
            set("hash_balance_factor", "\"off\"", "envoy common.proto: hash_balance_factor, unset: no bound on load"),
            set("overflow", "\"jump\"", "envoy thread_aware_lb_impl.cc: an overloaded host is left for a random one, by the hash"),
            NO_GATE,
        ],
        beside: "workload.keys, or a trace's keys",
    },
    Preset {
        name: "envoy_maglev", system: "Envoy, lb_policy MAGLEV", policy: "maglev",
        settings: &[
            set("table_size", "65537", "envoy maglev.proto: table_size, default 65537"),
            set("hash_balance_factor", "\"off\"", "envoy common.proto: hash_balance_factor, unset: no bound on load"),
            set("overflow", "\"jump\"", "envoy thread_aware_lb_impl.cc: an overloaded host is left for a random one, by the hash"),
            NO_GATE,
        ],
        beside: "workload.keys, or a trace's keys",
    },
    Preset {
        name: "haproxy_random", system: "HAProxy, balance random (its default)", policy: "haproxy_random",
        settings: &[
            set("draws", "2", "haproxy configuration.txt: random(<draws>), default 2"),
            set("capacity_gate", "false", "haproxy configuration.txt: maxconn of a server, default 0: no limit"),
        ],
        beside: "",
    },
    Preset {
        name: "haproxy_roundrobin", system: "HAProxy, balance roundrobin", policy: "edf_weighted_round_robin",
        settings: &[
            set("weights", "\"configured\"", "haproxy configuration.txt: weight of a server, as configured"),
            NO_REPORTS, NO_BLACKOUT, NO_EXPIRATION, NO_UPDATE, NO_PENALTY,
            set("random_start", "false", "haproxy lb_fwrr.c: a tree by next turn; every process starts at its first server"),
            set("capacity_gate", "false", "haproxy configuration.txt: maxconn of a server, default 0: no limit"),
        ],
        beside: "servers.weight, if servers have weights",
    },
    Preset {
        name: "haproxy_leastconn", system: "HAProxy, balance leastconn, for equal weights", policy: "nginx_least_connections",
        settings: &[
            set("max_fails", "0", "haproxy lb_fwlc.c: failures do not change its order"),
            set("fail_timeout", "\"10s\"", "ours: without effect at max_fails = 0"),
            set("capacity_gate", "false", "haproxy configuration.txt: maxconn of a server, default 0: no limit"),
        ],
        beside: "HAProxy finds the server in a tree, O(log servers), where this looks at all: the results are the same but for which of equals is next; with unequal weights HAProxy counts the one to come",
    },
    Preset {
        name: "nginx_round_robin", system: "NGINX, no directive (its default)", policy: "smooth_weighted_round_robin",
        settings: &[NGINX_MAX_FAILS, NGINX_FAIL_TIMEOUT, NGINX_MAX_CONNS],
        beside: "",
    },
    Preset {
        name: "nginx_least_conn", system: "NGINX, least_conn", policy: "nginx_least_connections",
        settings: &[NGINX_MAX_FAILS, NGINX_FAIL_TIMEOUT, NGINX_MAX_CONNS],
        beside: "",
    },
    Preset {
        name: "nginx_random_two", system: "NGINX, random two least_conn", policy: "nginx_random_two",
        settings: &[NGINX_MAX_FAILS, NGINX_FAIL_TIMEOUT, NGINX_MAX_CONNS],
        beside: "",
    },
    Preset {
        name: "nginx_least_time", system: "NGINX, least_time", policy: "nginx_least_time",
        settings: &[
            set("inflight", "false", "nginx ngx_http_upstream_least_time_module.c: inflight, off unless written"),
            NGINX_MAX_FAILS, NGINX_FAIL_TIMEOUT, NGINX_MAX_CONNS,
        ],
        beside: "",
    },
    Preset {
        name: "linkerd_peak_ewma", system: "Linkerd 2, its only balancer", policy: "peak_ewma",
        settings: &[
            set("tau", "\"10s\"", "linkerd2-proxy app/outbound http/logical/profile.rs: decay 10 s"),
            set("default_rtt", "\"30ms\"", "linkerd2-proxy app/outbound http/logical/profile.rs: default_rtt 30 ms"),
            set("failure_penalty", "\"none\"", "linkerd2-proxy before 2026: failures count as long as they took"),
            NO_GATE,
        ],
        beside: "",
    },
    Preset {
        name: "linkerd_failure_aware", system: "Linkerd 2 of 2026, failures weighed", policy: "peak_ewma",
        settings: &[
            set("tau", "\"10s\"", "linkerd2-proxy app/outbound http/logical/profile.rs: decay 10 s"),
            set("default_rtt", "\"30ms\"", "linkerd2-proxy app/outbound http/logical/profile.rs: default_rtt 30 ms"),
            set("failure_penalty", "\"5s\"", "linkerd2-proxy linkerd/load-biaser: a failure counts as 5 s"),
            NO_GATE,
        ],
        beside: "",
    },
    Preset {
        name: "finagle_p2c", system: "Finagle, Balancers.p2c (its default)", policy: "two_choices",
        settings: &[
            set("choices", "2", "finagle p2c/P2CPick.scala: two distinct endpoints"),
            set("replacement", "false", "finagle p2c/P2CPick.scala: two distinct endpoints"),
            set("signal", "\"own\"", "finagle LeastLoaded.scala: requests of this client in flight"),
            set("ties", "\"first\"", "finagle p2c/P2CPick.scala: `<=` keeps the first"),
            NO_GATE,
        ],
        beside: "",
    },
    Preset {
        name: "finagle_peak_ewma", system: "Finagle, Balancers.p2cPeakEwma", policy: "peak_ewma",
        settings: &[
            set("tau", "\"10s\"", "finagle PeakEwma.scala, Balancers.scala: decayTime 10 s"),
            set("default_rtt", "\"none\"", "finagle PeakEwma.scala: unknown costs a penalty until the first answer"),
            set("failure_penalty", "\"none\"", "finagle PeakEwma.scala: failures count as long as they took"),
            NO_GATE,
        ],
        beside: "",
    },
    Preset {
        name: "finagle_aperture", system: "Finagle, deterministic aperture, peak EWMA", policy: "peak_ewma",
        settings: &[
            set("tau", "\"15s\"", "finagle Balancers.scala: 15 s under apertures"),
            set("default_rtt", "\"none\"", "finagle PeakEwma.scala: unknown costs a penalty until the first answer"),
            set("failure_penalty", "\"none\"", "finagle PeakEwma.scala: failures count as long as they took"),
            NO_GATE,
        ],
        beside: "subset.deterministic_aperture = { aperture = 12 } (finagle aperture/DeterministicAperture.scala)",
    },
    Preset {
        name: "finagle_heap", system: "Finagle, Balancers.heap", policy: "heap_least_loaded",
        settings: &[NO_GATE],
        beside: "",
    },
    Preset {
        name: "grpc_round_robin", system: "gRPC, round_robin", policy: "round_robin",
        settings: &[
            set("random_start", "true", "grpc-go balancer/roundrobin: starts at a random subchannel"),
            NO_GATE,
        ],
        beside: "",
    },
    Preset {
        name: "grpc_wrr", system: "gRPC, weighted_round_robin", policy: "static_stride",
        settings: &[
            set("weights", "\"reported\"", "gRFC A58: weights from load reports"),
            set("load_reports", "\"answers\"", "gRFC A58: enableOobLoadReport, default false"),
            set("blackout_period", "\"10s\"", "gRFC A58: blackoutPeriod, default 10 s"),
            set("expiration_period", "\"180s\"", "gRFC A58: weightExpirationPeriod, default 3 minutes"),
            set("update_period", "\"1s\"", "gRFC A58: weightUpdatePeriod, default 1 s"),
            set("error_utilization_penalty", "1.0", "gRFC A58: errorUtilizationPenalty, default 1.0"),
            set("random_start", "true", "grpc-go weightedroundrobin/scheduler.go: the sequence starts at random"),
            NO_GATE,
        ],
        beside: "utilisation is the share of slots in use",
    },
    Preset {
        name: "grpc_least_request", system: "gRPC, least_request_experimental", policy: "two_choices",
        settings: &[
            set("choices", "2", "gRFC A48: choiceCount, default 2, at most 10"),
            set("replacement", "true", "gRFC A48: drawn with replacement"),
            set("signal", "\"own\"", "gRFC A48: outstanding requests of this channel"),
            set("ties", "\"first\"", "grpc-go leastrequest: strictly fewer wins, so the first drawn keeps ties"),
            NO_GATE,
        ],
        beside: "",
    },
    Preset {
        name: "grpc_ring_hash", system: "gRPC, ring_hash_experimental", policy: "ring_hash",
        settings: &[
            set("minimum_ring_size", "1024", "gRFC A42: minRingSize, default 1024"),
            set("maximum_ring_size", "4096", "gRFC A42: maxRingSize, default 4096"),
            set("hash_balance_factor", "\"off\"", "gRFC A42: has no bound on load"),
            set("overflow", "\"next\"", "ours: without effect as there is no bound on load"),
            NO_GATE,
        ],
        beside: "workload.keys, or a trace's keys",
    },
    Preset {
        name: "yarp_p2c", system: "YARP, PowerOfTwoChoices (its default)", policy: "two_choices",
        settings: &[
            set("choices", "2", "reverse-proxy PowerOfTwoChoicesLoadBalancingPolicy.cs: two destinations"),
            set("replacement", "false", "reverse-proxy PowerOfTwoChoicesLoadBalancingPolicy.cs: the second is another one"),
            set("signal", "\"own\"", "reverse-proxy: ConcurrentRequestCount of this proxy"),
            set("ties", "\"first\"", "reverse-proxy PowerOfTwoChoicesLoadBalancingPolicy.cs: `<=` keeps the first"),
            NO_GATE,
        ],
        beside: "",
    },
    Preset {
        name: "prequal_paper", system: "Prequal (NSDI 2024), the test bed's settings", policy: "prequal",
        settings: &[
            set("pool", "16", "Prequal, from reports about the paper: a pool of at most 16 probes"),
            set("probes", "3.0", "Prequal, from reports about the paper: three probes a query in the test bed"),
            set("removals", "1.0", "Prequal, from reports about the paper: one removal a query"),
            set("max_age", "\"1s\"", "Prequal, from reports about the paper: probes age out after a second"),
            set("hot_quantile", "0.8408964152537146", "Prequal, from reports about the paper: hot beyond the quantile 2^-0.25 of requests in flight"),
            set("delta", "1.0", "Prequal, from reports about the paper: delta of the reuse budget"),
            NO_GATE,
        ],
        beside: "",
    },
    Preset {
        name: "prequal_youtube", system: "Prequal (NSDI 2024), as YouTube's Homepage runs it", policy: "prequal",
        settings: &[
            set("pool", "16", "Prequal, from reports about the paper: a pool of at most 16 probes"),
            set("probes", "5.0", "Prequal, from reports about the paper: five probes a query at YouTube"),
            set("removals", "1.0", "ours: as in the paper's test bed"),
            set("max_age", "\"1s\"", "Prequal, from reports about the paper: probes age out after a second"),
            set("hot_quantile", "0.8408964152537146", "ours: as in the paper's test bed"),
            set("delta", "1.0", "Prequal, from reports about the paper: delta of the reuse budget"),
            NO_GATE,
        ],
        beside: "",
    },
    Preset {
        name: "join_idle_queue", system: "Join-idle-queue, JIQ-Random (Lu et al. 2011)", policy: "join_idle_queue",
        settings: &[
            set("join", "\"random\"", "Join-Idle-Queue, Performance Evaluation 2011: JIQ-Random"),
            set("fallback", "\"random\"", "Join-Idle-Queue: with an empty queue a random server"),
            NO_GATE,
        ],
        beside: "",
    },
    Preset {
        name: "join_idle_queue_sq2", system: "Join-idle-queue, JIQ-SQ(2) (Lu et al. 2011)", policy: "join_idle_queue",
        settings: &[
            set("join", "\"shorter_of_two\"", "Join-Idle-Queue, Performance Evaluation 2011: JIQ-SQ(2)"),
            set("fallback", "\"random\"", "Join-Idle-Queue: with an empty queue a random server"),
            NO_GATE,
        ],
        beside: "",
    },
    Preset {
        name: "elasticsearch_c3", system: "Elasticsearch, adaptive replica selection", policy: "c3",
        settings: &[
            set("replicas", "3", "ours: copies of a shard, as in the evaluation of C3 (NSDI 2015)"),
            set("alpha", "0.9", "absim client.py: weight of a new sample 0.9"),
            NO_GATE,
            set("rate_control", "false", "Elasticsearch issue 24915: without rate control"),
            set("rate_interval", "\"20ms\"", "ours: not used without rate control"),
            set("rate_burst", "10.0", "ours: not used without rate control"),
            set("cubic_beta", "0.2", "ours: not used without rate control"),
            set("cubic_gamma", "4e-6", "ours: not used without rate control"),
            set("rate_step_max", "10.0", "ours: not used without rate control"),
            set("rate_hysteresis", "2.0", "ours: not used without rate control"),
        ],
        beside: "replicas are random for each request, not the copies of a shard",
    },
    Preset {
        name: "c3_paper", system: "C3 with rate control (Suresh et al., NSDI 2015)", policy: "c3",
        settings: &[
            set("replicas", "3", "C3, NSDI 2015: replication factor 3"),
            set("alpha", "0.9", "absim client.py: weight of a new sample 0.9"),
            NO_GATE,
            set("rate_control", "true", "C3, NSDI 2015, section 3.2"),
            set("rate_interval", "\"20ms\"", "C3, NSDI 2015: window of 20 ms"),
            set("rate_burst", "10.0", "absim client.py: ten tokens, and ten an interval at first"),
            set("cubic_beta", "0.2", "C3, NSDI 2015: beta 0.2"),
            set("cubic_gamma", "4e-6", "C3, NSDI 2015: gamma 4e-6"),
            set("rate_step_max", "10.0", "C3, NSDI 2015: s_max 10"),
            set("rate_hysteresis", "2.0", "C3, NSDI 2015: hysteresis of twice the window"),
        ],
        beside: "replicas are random for each request, and one line of requests waits at a node, not one a group of replicas; no reads that repair a store; for many nodes: from one node to one server it lets through about 35 requests a second",
    },
];
