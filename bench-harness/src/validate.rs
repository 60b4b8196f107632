//! Known results against the simulator, over the ordinary path of a scenario.
//!
//! A case is a row of a table in `data/oracles`: it becomes the text of a scenario, that is parsed and run
//! like any other, in 20 replications, and what the runs show stands beside the known values of the row.
//! When it agrees is said in [`rule`].
//!
//! How long a case runs is found by a first look with seeds of its own: were it the measured runs
//! themselves that decide, they would stop where chance makes them look alike. What misses, or is
//! known too little after all, is run once more with fresh seeds and four times the length or more, and judged by
//! that alone. An honest target misses twice with probability 10^-4; besides, the first round may not
//! have more misses than [`rule::misses_allowed`].
//!
//! **To add a table**: a file beside `mmc.rs`, with a [`table::Table`], and a line in [`TABLES`].

#![expect(
    clippy::unnecessary_wraps,
    reason = "all tables are asked in one way, and some rows cannot be run"
)]

pub mod rule; // when a value agrees
pub mod row; // rows of tables
pub mod experiment; // from a row to a scenario, and a run in units of the tables
pub mod measure; // what stands beside a column
pub mod table; // a table, a case, its targets
pub mod execute; // running cases
pub mod record; // what came of them, and files
pub mod page; // for people

mod invariants; // what holds in every run
pub mod held; // and where it is held

mod mmc;
mod erlang_b;
mod mm1k;
mod mg1;
mod round_robin;
mod processor_sharing;
mod fresh; // fresh information
mod pool;
mod ordered_hunt;
mod supermarket;
mod small_fleets;
mod finite_fleets;
mod weighted_split;
mod idle_queue;
mod stale_board;
mod stale_curves;
mod detector;
mod gossip_rounds;
mod gossip_spread;
mod gossip_clocks;
mod first_suspicion;
mod availability;
mod published;

use table::{Case, Table};

/// Every table, in the order of the record.
pub static TABLES: &[Table] = &[
    mmc::TABLE,
    erlang_b::TABLE,
    pool::TABLE,
    ordered_hunt::TABLE,
    mm1k::TABLE,
    mg1::TABLE,
    processor_sharing::TABLE,
    supermarket::TABLE,
    small_fleets::TABLE,
    finite_fleets::TABLE,
    round_robin::TABLE,
    weighted_split::TABLE,
    idle_queue::TABLE,
    stale_board::TABLE,
    stale_curves::TABLE,
    detector::TABLE,
    gossip_rounds::TABLE,
    gossip_spread::TABLE,
    gossip_clocks::TABLE,
    first_suspicion::TABLE,
    availability::TABLE,
    published::TABLE,
];

/// Tables of `data/oracles` that no scenario is compared with, and why.
pub const NOT_COMPARED: &[(&str, &str)] = &[
    (
        "p18_ewma.csv",
        "the smoothed latency of a server is in its reports and in no result; sim-core/tests/smoothing.rs \
         compares all rows with the smoothing itself",
    ),
    (
        "p19_tick_bias_mm1.csv",
        "what a simulator on a grid of time gets wrong; lbsim has no such grid, which is what `mmc` shows",
    ),
];

/// Metrics that do not agree, by case, and the reason found. A tolerance is never loosened: whatever fails
/// is a defect to be mended, or stands here.
pub const REASONS: &[(&str, &str, &str)] = &[
    ("mg1-lognormal-cv=2-r0.5", "sd_sojourn", HEAVY),
    ("mg1-lognormal-cv=2-r0.8", "sd_sojourn", HEAVY),
    ("mg1-lognormal-cv=2-r0.9", "sd_sojourn", HEAVY),
];

/// Why a standard deviation is not known well enough.
const HEAVY: &str = "a limit of the experiment: how far a sample variance strays goes with the fourth moment of \
                     sojourn times, and so with the fifth of services, 10^7 times the fifth power of their mean";

/// What nobody has compared with anything, for the page.
pub const NOT_VALIDATED: &[&str] = &[
    "Time that a real proxy or server takes to decide, copy or encrypt: requests take their service time and \
     the delays of the network, nothing else.",
    "Real traffic, real fleets: known results are about models. `lbsim trace fit` says how well a law fits \
     a trace, and `lbsim run` replays it; whether the fleet behaves like its scenario only its own measurements tell.",
    "Policies beyond those named in the tables. They are held to the descriptions of their sources by unit tests, \
     to the contract of all policies, and to a second engine written apart, bit for bit.",
    "Prequal's published figures: they are those of a testbed whose antagonists are not described closely enough. \
     Which of its rules are better, and by about how much, comes out in sim-core/tests/prequal.rs.",
];

/// The cases of all tables whose table, row or variant contains `only`; of the quick form, if `quick`.
pub fn cases(quick: bool, only: Option<&str>) -> Vec<Case> {
    let wanted = |case: &Case| {
        let name = case.name();
        let is_named = only.is_none_or(|only| name.contains(only) || case.table.name == only);
        is_named && (!quick || case.table.quick.contains(&name.as_str()))
    };
    TABLES.iter().flat_map(Table::cases).filter(wanted).collect()
}

#[cfg(test)]
mod tests;
