//! From text to a checked [`Scenario`]: syntax, overrides, reading, checks; all faults at once.

use super::chaos::chaos;
use super::expect::expectations;
use super::fault::ConfigFault;
use super::faults::faults;
use super::fleet::{engine, network, nodes, servers};
use super::gossip::gossip;
use super::heartbeat::heartbeat;
use super::judgement::judgement;
use super::load::{capacity_per_s, lookahead_ns};
use super::membership::membership;
use super::overrides::{Overlay, apply, apply_overlay, written};
use super::policy::policies;
use super::subset::{priorities, subset};
use super::target::targets;
use super::tree::{Node, Text, parse_file};
use super::validate::Checker;
use super::values::{Limit, big_count, count, duration, duration_or, text};
use super::walk::{Section, Texts, Walk};
use super::workload::workload;
use super::{Origin, Scenario};
use crate::time::SECOND;

/// How long requests may take to end after the last arrival, unless the scenario says otherwise.
const DRAIN_NS: u64 = 10 * SECOND;
/// With a target: replications to start with. Of fewer the spread is guessed, and a guess that
/// happens to be too small would end the search.
const REPLICATIONS_LEAST: u32 = 5;
/// With a target: where the search ends, unless the scenario says otherwise.
const REPLICATIONS_MOST: u32 = 50;

/// Gives the text of a file that the scenario names, or the reason why not.
pub type ReadFile<'a> = dyn Fn(&str) -> Result<String, String> + 'a;

/// What else a scenario must satisfy, besides being possible; asked of possible scenarios only.
pub type Check<'a> = dyn Fn(&Scenario) -> Option<ConfigFault> + 'a;

/// Everything a scenario is made from.
pub struct Source<'a> {
    /// The scenario file.
    pub text: &'a str,
    /// `(dotted key, value)` laid over the file, later ones over earlier ones.
    pub overrides: &'a [(String, String)],
    /// Gives the text of the small files that the scenario names. Paths are as written there.
    pub read: &'a ReadFile<'a>,
    /// Metrics an expectation may name; `None` leaves them unchecked.
    pub metrics: Option<&'a [&'a str]>,
    /// What else it must satisfy: memory for it, say.
    pub check: Option<&'a Check<'a>>,
}

impl Scenario {
    /// Reads a scenario file with overrides laid over it.
    ///
    /// Metric names in `[expect]` stay unchecked; [`Source::parse`] checks them too.
    ///
    /// # Errors
    /// All faults at once, in the order of the text; of a text that is not TOML, its syntax errors.
    pub fn parse(
        text: &str,
        overrides: &[(String, String)],
        read: &dyn Fn(&str) -> Result<String, String>,
    ) -> Result<Self, Vec<ConfigFault>> {
        Source { text, overrides, read, metrics: None, check: None }.parse()
    }

    /// Checks a scenario built by hand.
    ///
    /// # Errors
    /// All faults at once; they name keys as a file would have them, and have no place.
    pub fn validate(&self) -> Result<(), Vec<ConfigFault>> {
        let faults = Checker::new(Vec::new()).scenario(self);
        if faults.is_empty() { Ok(()) } else { Err(faults) }
    }
}

impl Source<'_> {
    /// Reads and checks the scenario.
    ///
    /// # Errors
    /// All faults at once, in the order of the text; of a text that is not TOML, its syntax errors.
    pub fn parse(&self) -> Result<Scenario, Vec<ConfigFault>> {
        self.parse_over(parse_file(self.text, Text::File)?, "", &[])
    }

    /// Reads and checks the scenario with values of another file, whose text is `overlay_text`,
    /// laid over it, below the overrides. `root` is `parse_file(self.text, Text::File)`: whoever
    /// reads one file many times parses it once.
    ///
    /// # Errors
    /// All faults at once, in the order of the texts.
    pub fn parse_over(
        &self,
        mut root: Node,
        overlay_text: &str,
        overlays: &[Overlay<'_>],
    ) -> Result<Scenario, Vec<ConfigFault>> {
        let mut faults = Vec::new();
        for overlay in overlays {
            faults.extend(apply_overlay(&mut root, overlay).err().map(|fault| *fault));
        }
        for (number, (key, value)) in self.overrides.iter().enumerate() {
            faults.extend(apply(&mut root, number, key, value).err().map(|fault| *fault));
        }
        let overrides: Vec<String> =
            self.overrides.iter().map(|(key, value)| written(key, value)).collect();
        let texts = Texts { file: self.text, overlay: overlay_text, overrides: &overrides };
        let mut walk = Walk::new(self.read, texts);

        let scenario = read(&mut walk, &root, self.metrics);
        let impossible = Checker::new(std::mem::take(&mut walk.faulted)).scenario(&scenario);

        faults.append(&mut walk.faults);
        faults.extend(impossible.into_iter().map(|fault| walk.locate(fault)));
        if faults.is_empty() {
            let fault = self.check.and_then(|check| check(&scenario));
            faults.extend(fault.map(|fault| walk.locate(fault)));
        }
        if faults.is_empty() {
            return Ok(scenario);
        }
        // The file's faults from top to bottom, then those of what is laid over it.
        faults.sort_by_key(|fault| {
            let layer = match fault.origin {
                Origin::File => 0,
                Origin::Overlay => 1,
                Origin::Override(_) => 2,
            };
            (layer, fault.span.as_ref().map_or(0, |span| span.start))
        });
        Err(faults)
    }
}

/// Reads the tree. Faults are noted in the walk; what is missing or wrong gets a stand-in.
pub(super) fn read(walk: &mut Walk<'_>, root: &Node, metrics: Option<&[&str]>) -> Scenario {
    let mut s = Section::root(root);
    let name = s.need(walk, "name", "\"my-scenario\"", text).unwrap_or_default();
    let duration_ns = s.need(walk, "duration", "\"20s\"", duration).unwrap_or(20 * SECOND);
    let warmup = s.read(walk, "warmup", |walk, item| duration_or(walk, item, "auto"));
    let warmup_auto = matches!(warmup, Some(Limit::Lifted));
    let warmup_ns = warmup.and_then(Limit::get).unwrap_or(duration_ns / 10);
    let drain_ns = s.read(walk, "drain", duration).unwrap_or(DRAIN_NS);
    let seed = s.read(walk, "seed", big_count).unwrap_or(1);
    let target = targets(walk, &mut s, metrics);
    let least = if target.is_empty() { 1 } else { REPLICATIONS_LEAST };
    let replications = s.read(walk, "replications", count).unwrap_or(least);
    let most = s.read(walk, "replications_max", count);
    let replications_max = most.unwrap_or(REPLICATIONS_MOST.max(replications));
    let network = network(walk, &mut s);
    let nodes = nodes(walk, &mut s);
    let servers = servers(walk, &mut s);
    let workload = workload(walk, &mut s, capacity_per_s(&servers));
    let policies = policies(walk, &mut s);
    let heartbeat = heartbeat(walk, &mut s);
    let gossip = gossip(walk, &mut s);
    let subset = subset(walk, &mut s);
    let priorities = priorities(walk, &mut s);
    let judgement = judgement(walk, &mut s);
    let membership = membership(walk, &mut s, nodes.count);
    let talk = gossip.is_some() || membership.is_some();
    let lookahead_ns = lookahead_ns(&network, talk);
    let engine = engine(walk, &mut s, lookahead_ns, duration_ns, heartbeat.interval_ns);
    let faults = faults(walk, &mut s, &servers);
    let chaos = chaos(walk, &mut s);
    let expect = expectations(walk, &mut s, &policies, metrics);
    s.close(walk);
    Scenario {
        name,
        duration_ns,
        warmup_ns,
        warmup_auto,
        drain_ns,
        seed,
        replications,
        replications_max,
        target,
        engine,
        network,
        nodes,
        servers,
        workload,
        policies,
        heartbeat,
        gossip,
        subset,
        priorities,
        judgement,
        membership,
        faults,
        chaos,
        expect,
    }
}

#[cfg(test)]
mod tests;
