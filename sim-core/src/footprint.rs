//! How much memory a run needs, worked out before it starts.
//!
//! The sizes of the columns come from the types themselves; how many requests and messages wait in
//! them at once comes from the scenario's rates. The estimate errs upwards: a run that is let in fits.
//! `sim-cli/tests/memory.rs` holds it against what runs really take.
//!
//! Not foreseen: what piles up in an unbounded backlog while servers are broken, and the memory of the
//! process itself (code, threads; a few MiB).

mod clients;
mod notes;
mod model; // what takes how much

use crate::config::{ConfigFault, Scenario};

use model::Model;

/// What one run needs at most.
#[derive(Clone, Debug, PartialEq)]
pub struct Footprint {
    /// All together [bytes].
    pub bytes: u64,
    /// Of that, what stays after the run: its result [bytes].
    pub result_bytes: u64,
    /// What it goes into, largest first.
    pub parts: Vec<Part>,
}

impl Footprint {
    /// Memory for one run beside the results of all others of the scenario [bytes].
    fn with_results(&self, scenario: &Scenario) -> u64 {
        let runs = u64::from(scenario.replications) * scenario.policies.len() as u64;
        self.bytes.saturating_add(self.result_bytes.saturating_mul(runs - 1))
    }

    /// What the memory goes into, in words: all parts that matter.
    pub fn breakdown(&self) -> String {
        let matter = self.parts.iter().filter(|part| part.bytes >= self.bytes / 20);
        let parts = matter.map(|part| format!("{} {}", part.what.name(), show(part.bytes)));
        parts.collect::<Vec<_>>().join(", ")
    }
}

/// A part of a run's memory.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Part {
    /// What is kept.
    pub what: What,
    /// How much it takes [bytes].
    pub bytes: u64,
}

/// What memory goes into.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum What {
    /// What every node believes of every server.
    Views,
    /// The servers.
    Servers,
    /// Requests in flight.
    Requests,
    /// Heartbeats and messages between nodes that are on their way.
    Messages,
    /// What every node knows of every other.
    Membership,
    /// The time series.
    Series,
    /// What is left at the end.
    Result,
    /// What every node and every shard takes, however little it does.
    Engine,
}

impl What {
    /// In words.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Views => "views (nodes x servers)",
            Self::Servers => "servers",
            Self::Requests => "requests in flight",
            Self::Messages => "messages on their way",
            Self::Membership => "membership (nodes x nodes)",
            Self::Series => "time series",
            Self::Result => "result",
            Self::Engine => "engine",
        }
    }
}

/// What a run of `scenario` needs at most, whichever of its policies it is, on one thread.
///
/// Within about +50 % and -5 % of the truth where the load is what the scenario says; further above
/// it under `lowest_latency` where nodes hear more than they choose.
pub fn estimate(scenario: &Scenario) -> Footprint {
    let models = (0..scenario.policies.len()).map(|policy| Model::new(scenario, policy));
    let footprints = models.map(|model| model.footprint());
    footprints.max_by_key(|footprint| footprint.bytes).expect("a scenario has a policy")
}

/// What is wrong with a scenario whose runs do not fit into `memory_bytes`; `None`: they fit.
pub fn fault(scenario: &Scenario, memory_bytes: u64) -> Option<ConfigFault> {
    let footprint = estimate(scenario);
    if footprint.with_results(scenario) <= memory_bytes {
        return None;
    }
    if footprint.bytes <= memory_bytes {
        return Some(too_many(scenario, &footprint, memory_bytes));
    }
    let largest = footprint.parts[0].what;
    let servers = most(scenario, scenario.configured_count(), memory_bytes, |model, count| {
        model.scale_servers(f64::from(count));
    });
    let nodes = most(scenario, scenario.nodes.count, memory_bytes, |model, count| {
        model.nodes = f64::from(count);
    });
    let biggest_group = (0..).zip(&scenario.servers).max_by_key(|(_, group)| group.count);
    let servers_key =
        biggest_group.map_or_else(String::new, |(at, _)| format!("servers.{at}.count"));
    let by_nodes = matches!(largest, What::Views | What::Membership | What::Engine);
    let (key, found) = match largest {
        What::Series => (
            "engine.sample_interval".to_owned(),
            format!("{} ns", scenario.engine.sample_interval_ns),
        ),
        _ if by_nodes && nodes.is_some() => {
            ("nodes.count".to_owned(), scenario.nodes.count.to_string())
        }
        _ => (servers_key, format!("{} servers in all", scenario.configured_count())),
    };
    let problem = format!(
        "a run needs about {} of memory, and there are {}: {}",
        show(footprint.bytes),
        show(memory_bytes),
        footprint.breakdown()
    );
    let mut ways = Vec::new();
    if largest == What::Series {
        ways.push("a longer sample interval".to_owned());
    }
    if largest == What::Requests {
        ways.push("fewer requests a second, a shorter timeout, a bounded backlog".to_owned());
    }
    ways.extend(nodes.map(|count| format!("at most {count} nodes")));
    ways.extend(servers.map(|count| format!("at most {count} servers")));
    let fix = match &ways[..] {
        [] => "a smaller fleet or a larger machine".to_owned(),
        ways => ways.join(", or "),
    };
    let fault = ConfigFault::new(key, problem).found(found);
    Some(fault.allowed(format!("what needs at most {}", show(memory_bytes))).fix(fix))
}

/// What is wrong with a scenario whose results do not fit beside its last run.
fn too_many(scenario: &Scenario, footprint: &Footprint, memory_bytes: u64) -> ConfigFault {
    let Footprint { bytes, result_bytes, .. } = *footprint;
    let runs = (memory_bytes - bytes) / result_bytes.max(1) + 1;
    let problem = format!(
        "the results of all runs need {} each and there are {}",
        show(result_bytes),
        show(memory_bytes)
    );
    let most = (runs / scenario.policies.len() as u64).max(1);
    let fault = ConfigFault::new("replications", problem).found(scenario.replications);
    fault.allowed(format!("at most {runs} runs")).fix(format!("write at most {most}"))
}

/// The largest count below `count` with which all runs fit.
fn most(
    scenario: &Scenario,
    count: u32,
    memory_bytes: u64,
    set: impl Fn(&mut Model<'_>, u32),
) -> Option<u32> {
    let mut models: Vec<Model<'_>> =
        (0..scenario.policies.len()).map(|policy| Model::new(scenario, policy)).collect();
    let mut fits = |count| {
        models.iter_mut().all(|model| {
            set(model, count);
            model.footprint().with_results(scenario) <= memory_bytes
        })
    };
    // `low` fits or is 0, `high` does not.
    let (mut low, mut high) = (0, count);
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        if fits(middle) { low = middle } else { high = middle }
    }
    (low > 0).then_some(low)
}

/// Bytes as a person says them.
pub fn show(bytes: u64) -> String {
    let units = ["bytes", "KiB", "MiB", "GiB", "TiB"];
    let mut amount = bytes as f64;
    let mut unit = 0;
    while amount >= 1_024.0 && unit + 1 < units.len() {
        amount /= 1_024.0;
        unit += 1;
    }
    if unit == 0 || amount >= 100.0 {
        format!("{amount:.0} {}", units[unit])
    } else {
        format!("{amount:.1} {}", units[unit])
    }
}
