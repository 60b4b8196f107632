//! Faults that hit what is there, one at a time.

use std::ops::Range;

use super::Checker;
use super::fleet::SERVERS_MAX;
use crate::config::units::format_duration;
use crate::config::{
    ChaosConfig, ChaosKind, ConfigFault, Fault, FaultKind, Lie, Scenario, ServerGroup, Side,
    Slowdown, Targets,
};
use crate::time::{Nanos, seconds};

/// Most crashes of one flapping fault, and most faults of a campaign.
const REPEATS_MAX: u64 = 100_000;
/// Largest factor of a slowdown or a lie.
const FACTOR_MAX: f64 = 1e6;

/// Where the servers of a fleet begin and end.
struct Fleet {
    /// Servers from the start.
    configured: u64,
    /// Servers ever.
    total: u64,
    /// Every count is fit to be added up.
    sound: bool,
}

impl Checker {
    pub(super) fn scheduled(&mut self, faults: &[Fault], scenario: &Scenario) {
        let sum = |groups: &mut dyn Iterator<Item = &ServerGroup>| {
            groups.map(|group| u64::from(group.count)).sum::<u64>()
        };
        let configured = sum(&mut scenario.servers.iter());
        let total = sum(&mut scenario.all_groups());
        let sound = total <= SERVERS_MAX && scenario.nodes.count > 0 && configured > 0;
        let fleet = Fleet { configured, total, sound };
        self.counts.extend((0..faults.len()).map(|index| format!("faults.{index}.add.count")));
        self.counts.extend((0..faults.len()).map(|index| format!("faults.{index}.add.group")));
        let mut names: Vec<String> =
            scenario.servers.iter().filter_map(|group| group.name.clone()).collect();
        let mut hits: Vec<Vec<Range<u32>>> = Vec::new();
        for (index, fault) in faults.iter().enumerate() {
            let key = format!("faults.{index}");
            let kind = format!("{key}.{}", fault.kind.name());
            self.when(&key, fault, scenario);
            self.kind(&key, &kind, &fault.kind, scenario, &fleet);
            if let FaultKind::Add { group } = &fault.kind
                && let Some(name) = &group.name
            {
                let fresh = !names.contains(name);
                self.check(fresh, &format!("{kind}.name"), &[], || {
                    ConfigFault::new("", "is the name of another group").found(format!("{name:?}"))
                });
                names.push(name.clone());
            }
            let hit = if fleet.sound { fault.hit(scenario, index) } else { Vec::new() };
            self.present(&kind, fault, &hit, faults, &hits, &fleet);
            let earlier = (faults[..index].iter().zip(&hits))
                .position(|(other, other_hit)| fault.collides(&hit, other, other_hit));
            self.collision(&kind, &fault.kind, earlier);
            hits.push(hit);
        }
        if let Some(chaos) = &scenario.chaos {
            self.chaos(chaos, scenario);
        }
    }

    /// When it starts and how long it lasts.
    fn when(&mut self, key: &str, fault: &Fault, scenario: &Scenario) {
        let Fault { at_ns, for_ns, kind } = fault;
        self.check(*at_ns < scenario.duration_ns, &format!("{key}.at"), &["duration"], || {
            ConfigFault::new("", "the run's arrivals are over by then")
                .found(format_duration(*at_ns))
                .allowed(format!("below the duration, {}", format_duration(scenario.duration_ns)))
        });
        let key = format!("{key}.for");
        let Some(for_ns) = *for_ns else { return };
        let quantum_ns = scenario.engine.quantum_ns;
        let fine = for_ns >= quantum_ns && for_ns > 0;
        self.check(fine, &key, &["engine", "network"], || {
            ConfigFault::new("", "is too short: faults begin and end on control quanta")
                .found(format_duration(for_ns))
                .allowed(format!("at least {}", format_duration(quantum_ns)))
        });
        self.time(&key, for_ns);
        let endless = match kind {
            FaultKind::Add { .. } => Some("take what was added away with a remove fault"),
            FaultKind::Remove { .. } => Some("for a while, use drain"),
            FaultKind::NodeJoin { .. } => Some("take the node away with a node_leave fault"),
            _ => None,
        };
        self.check(endless.is_none(), &key, &[], || {
            ConfigFault::new("", format!("{} has no end", kind.name()))
                .found(format_duration(for_ns))
                .fix(format!("leave it out; {}", endless.unwrap_or_default()))
        });
    }

    /// Whom it hits and what it does.
    fn kind(
        &mut self,
        key: &str,
        kind_key: &str,
        kind: &FaultKind,
        scenario: &Scenario,
        fleet: &Fleet,
    ) {
        if let Some(servers) = kind.servers() {
            self.servers(&format!("{kind_key}.servers"), servers, scenario, fleet);
        }
        if let Some(nodes) = kind.nodes() {
            self.nodes(&format!("{kind_key}.nodes"), nodes, scenario);
        }
        let at = |field: &str| format!("{kind_key}.{field}");
        match kind {
            FaultKind::Crash { .. }
            | FaultKind::Drain { .. }
            | FaultKind::Remove { .. }
            | FaultKind::NodeCrash { .. }
            | FaultKind::NodeLeave { .. }
            | FaultKind::NodeJoin { .. } => {}
            FaultKind::Slow { servers: _, slowdown } => match *slowdown {
                Slowdown::Factor(factor) => {
                    let fine = factor > 0.0 && factor <= FACTOR_MAX;
                    self.number(&at("factor"), factor, fine, "above 0, to 1000000");
                }
                Slowdown::Fixed(ns) => self.positive_time(&at("service"), ns),
            },
            FaultKind::FailFast { servers: _, share }
            | FaultKind::HeartbeatLoss { servers: _, share }
            | FaultKind::HeartbeatDuplicate { servers: _, share }
            | FaultKind::Inconsistent { servers: _, what: _, share } => {
                self.chance(&at("share"), *share);
            }
            FaultKind::Flap { servers: _, period_ns, up, silent: _ } => {
                self.flap(key, kind_key, *period_ns, *up, scenario);
            }
            FaultKind::Capacity { servers: _, slots } => {
                self.within(&at("slots"), (*slots).into(), 1..=u16::MAX.into());
            }
            FaultKind::Add { group } => self.group(kind_key, group),
            FaultKind::HeartbeatDelay { servers: _, by_ns } => {
                self.positive_time(&at("by"), *by_ns);
            }
            FaultKind::HeartbeatReorder { servers: _, share, by_ns } => {
                self.chance(&at("share"), *share);
                self.positive_time(&at("by"), *by_ns);
            }
            FaultKind::Lie { servers: _, lie } => {
                if let Lie::Scaled { load, latency } = *lie {
                    let fine = |factor: f64| (0.0..=FACTOR_MAX).contains(&factor);
                    self.number(&at("load"), load, fine(load), "0 to 1000000");
                    self.number(&at("latency"), latency, fine(latency), "0 to 1000000");
                }
            }
            FaultKind::ClockSkew { servers: _, ahead_ns } => {
                let field = if *ahead_ns < 0 { "behind" } else { "ahead" };
                let by_ns = ahead_ns.unsigned_abs();
                let quantum_ns = scenario.engine.quantum_ns;
                self.check(by_ns >= quantum_ns, &at(field), &["engine", "network"], || {
                    ConfigFault::new("", "is too little: reports are stamped in control quanta")
                        .found(format_duration(by_ns))
                        .allowed(format!("at least {}", format_duration(quantum_ns)))
                });
                self.time(&at(field), by_ns);
            }
            FaultKind::Partition { a, b, one_way: _ } => {
                for (field, Side { nodes, servers }) in [("a", a), ("b", b)] {
                    let side = at(field);
                    let somebody = nodes.is_some() || servers.is_some();
                    self.check(somebody, &side, &[], || {
                        ConfigFault::new("", "is nobody").allowed("nodes, servers, or both")
                    });
                    if let Some(nodes) = nodes {
                        self.nodes(&format!("{side}.nodes"), nodes, scenario);
                    }
                    if let Some(servers) = servers {
                        self.servers(&format!("{side}.servers"), servers, scenario, fleet);
                    }
                }
                let link = a.nodes.is_some() || b.nodes.is_some();
                self.check(link, kind_key, &[], || {
                    ConfigFault::new("", "cuts nothing: servers send nothing to servers")
                        .fix("name nodes on one side at least")
                });
                let splits = |from: &Side, to: &Side| from.nodes.is_some() && to.servers.is_some();
                if splits(a, b) || splits(b, a) {
                    self.patience(kind_key, scenario);
                }
            }
        }
    }

    /// Nobody is told of a partition: only a client's patience ends what is sent into one.
    fn patience(&mut self, key: &str, scenario: &Scenario) {
        let fine = scenario.workload.timeout_ns.is_some();
        self.check(fine, key, &["workload.timeout"], || {
            ConfigFault::new(
                "",
                "keeps nodes from servers, and a request sent across would wait for ever",
            )
            .fix("write workload.timeout = \"1s\", say")
        });
    }

    fn chance(&mut self, key: &str, share: f64) {
        self.number(key, share, share > 0.0 && share <= 1.0, "above 0, to 1");
    }

    fn flap(&mut self, key: &str, kind_key: &str, period_ns: Nanos, up: f64, scenario: &Scenario) {
        let (period, up_key) = (format!("{kind_key}.period"), format!("{kind_key}.up"));
        self.positive_time(&period, period_ns);
        self.number(&up_key, up, up > 0.0 && up < 1.0, "above 0, to below 1");
        let quantum_ns = scenario.engine.quantum_ns;
        let shorter_ns = period_ns as f64 * up.min(1.0 - up);
        let fine = shorter_ns >= quantum_ns as f64;
        self.check(fine, &period, &[&up_key, "engine", "network"], || {
            ConfigFault::new("", "is too short: servers crash and recover on control quanta")
                .found(format_duration(period_ns))
                .allowed(format!("up and down for at least {} each", format_duration(quantum_ns)))
        });
        let longest_ns = scenario.duration_ns.saturating_add(scenario.drain_ns);
        let repeats = longest_ns / period_ns.max(1);
        let rests_on = ["duration", "drain", &format!("{key}.for")];
        self.check(repeats <= REPEATS_MAX, &period, &rests_on, || {
            ConfigFault::new("", format!("makes {repeats} crashes in the run"))
                .found(format_duration(period_ns))
                .allowed(format!("at most {REPEATS_MAX}"))
        });
    }

    fn servers(&mut self, key: &str, servers: &Targets, scenario: &Scenario, fleet: &Fleet) {
        match servers {
            Targets::Ids(ids) => self.ids(key, ids, "server", fleet.total),
            Targets::Percent(percent) => self.percent(key, *percent),
            Targets::Group(name) => {
                let known: Vec<&str> =
                    scenario.all_groups().filter_map(|group| group.name.as_deref()).collect();
                let rests_on = ["servers"];
                self.check(known.contains(&name.as_str()), key, &rests_on, || {
                    let allowed = match &known[..] {
                        [] => "no [[servers]] group has a name".to_owned(),
                        known => known.join(", "),
                    };
                    let fix = crate::config::suggest::nearest(name, &known);
                    ConfigFault::new("", "there is no group of this name")
                        .found(format!("{name:?}"))
                        .allowed(allowed)
                        .fix(fix.map_or_else(
                            || format!("give a group name = \"{name}\", or write ids"),
                            |name| format!("did you mean \"{name}\"?"),
                        ))
                });
            }
        }
    }

    fn nodes(&mut self, key: &str, nodes: &Targets, scenario: &Scenario) {
        match nodes {
            Targets::Ids(ids) => self.ids(key, ids, "node", scenario.nodes.count.into()),
            Targets::Percent(percent) => self.percent(key, *percent),
            Targets::Group(name) => self.check(false, key, &[], || {
                ConfigFault::new("", "nodes have no groups")
                    .found(format!("{name:?}"))
                    .fix("write ids, \"0..2\", or a share, \"10%\"")
            }),
        }
    }

    fn percent(&mut self, key: &str, percent: f64) {
        let fine = percent > 0.0 && percent <= 100.0;
        self.number(key, percent, fine, "above 0 %, to 100 %");
    }

    fn ids(&mut self, key: &str, ids: &Range<u32>, what: &str, total: u64) {
        self.check(ids.start < ids.end, key, &[], || {
            ConfigFault::new("", "the range is empty")
                .found(format!("{ids:?}"))
                .fix(format!("the end is excluded: 3..4 is {what} 3"))
        });
        let fault = || {
            ConfigFault::new("", format!("there are no such {what}s"))
                .found(format!("{ids:?}"))
                .allowed(format!("ids within 0..{total}"))
        };
        if what == "server" {
            self.check_counted(u64::from(ids.end) <= total, key, fault);
        } else {
            self.check(u64::from(ids.end) <= total, key, &["nodes.count"], fault);
        }
    }

    /// Whether the servers hit have been added and not been removed by then.
    fn present(
        &mut self,
        kind_key: &str,
        fault: &Fault,
        hit: &[Range<u32>],
        faults: &[Fault],
        hits: &[Vec<Range<u32>>],
        fleet: &Fleet,
    ) {
        if fault.kind.servers().is_none() || !fleet.sound {
            return;
        }
        let key = format!("{kind_key}.servers");
        let meets = |a: &Range<u32>, b: &Range<u32>| a.start < b.end && b.start < a.end;
        let mut first = fleet.configured as u32;
        for (index, other) in faults.iter().enumerate() {
            let FaultKind::Add { group } = &other.kind else { continue };
            let added = first..first + group.count;
            first = added.end;
            let early = fault.at_ns < other.at_ns && hit.iter().any(|ids| meets(ids, &added));
            let rests_on = [format!("faults.{index}.at"), format!("{kind_key}.at")];
            let rests_on: Vec<&str> = rests_on.iter().map(String::as_str).collect();
            self.check(!early, &key, &rests_on, || {
                ConfigFault::new("", format!("some of these come only with faults.{index}"))
                    .found(format!("{hit:?} at {}", format_duration(fault.at_ns)))
                    .allowed(format!("{added:?} from {} on", format_duration(other.at_ns)))
            });
        }
        for (index, (other, other_hit)) in faults.iter().zip(hits).enumerate() {
            let late = matches!(other.kind, FaultKind::Remove { .. })
                && fault.at_ns >= other.at_ns
                && hit.iter().any(|ids| other_hit.iter().any(|gone| meets(ids, gone)));
            self.check(!late, &key, &[&format!("faults.{index}")], || {
                ConfigFault::new("", format!("some of these are removed by faults.{index}"))
                    .found(format!("{hit:?} at {}", format_duration(fault.at_ns)))
                    .allowed(format!("before {}", format_duration(other.at_ns)))
            });
        }
    }

    fn collision(&mut self, kind_key: &str, kind: &FaultKind, earlier: Option<usize>) {
        let targets = if kind.nodes().is_some() { "nodes" } else { "servers" };
        let other = format!("faults.{}", earlier.unwrap_or(0));
        self.check(earlier.is_none(), &format!("{kind_key}.{targets}"), &[&other], || {
            let done = match kind {
                FaultKind::Crash { .. } | FaultKind::Flap { .. } => "down",
                FaultKind::Slow { .. } => "slow",
                _ => "changed in the same way",
            };
            ConfigFault::new("", format!("some of these are {done} already, by {other}"))
                .fix("let the earlier fault end first, or name others")
        });
    }

    fn chaos(&mut self, chaos: &ChaosConfig, scenario: &Scenario) {
        let ChaosConfig { rate, kinds, for_ns, seed: _ } = chaos;
        let fine = *rate > 0.0 && rate.is_finite();
        self.number("chaos.rate", *rate, fine, "above 0");
        let faults = rate * seconds(scenario.duration_ns);
        self.check(faults <= REPEATS_MAX as f64, "chaos.rate", &["duration"], || {
            ConfigFault::new("", format!("makes {faults:.0} faults in the run"))
                .found(format!("{rate}/s"))
                .allowed(format!("at most {REPEATS_MAX}"))
        });
        self.check(!kinds.is_empty(), "chaos.kinds", &[], || {
            ConfigFault::new("", "a campaign needs a kind of fault")
                .found("[]")
                .fix("write kinds = [\"crash\"], say")
        });
        if kinds.contains(&ChaosKind::Partition) {
            self.patience("chaos.kinds", scenario);
        }
        let quantum_ns = scenario.engine.quantum_ns;
        let fine = *for_ns >= quantum_ns && *for_ns > 0;
        self.check(fine, "chaos.for", &["engine", "network"], || {
            ConfigFault::new("", "is too short: faults begin and end on control quanta")
                .found(format_duration(*for_ns))
                .allowed(format!("at least {}", format_duration(quantum_ns)))
        });
        self.time("chaos.for", *for_ns);
    }
}
