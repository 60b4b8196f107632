//! From a row of a table to an ordinary scenario.

use std::fmt::Write as _;

use sim_core::config::Scenario;
use sim_core::law::DelayLaw;
use sim_core::result::{Bin, Outcome, RunResult};
use sim_core::time::Nanos;

use super::row::Row;

/// The unit of time of the tables, one mean service [ns].
pub const SERVICE_NS: Nanos = 10_000_000;
/// Samples of a run, about: of the requests in the system.
const SAMPLES: u64 = 20_000;
/// The same where what is sampled is rare: as many as a run can keep, about.
pub const MANY_SAMPLES: u64 = 900_000;

/// Samples of a whole run, at most: it may have a million.
const SAMPLES_MAX: u64 = 990_000;

/// The text of a scenario, without what depends on how long it runs.
#[derive(Clone, Debug, PartialEq)]
pub struct Experiment {
    /// The tables of the scenario file: network, servers, workload, policy ...
    pub body: String,
    /// The grid of the control plane [ns]: a multiple of the one-way delay or a divisor of it.
    pub quantum_ns: Nanos,
    /// Left out at the start [services].
    pub warmup: f64,
    /// Measured in a first look [services].
    pub pilot: f64,
    /// Whether a longer run says more; else only more replications would.
    pub is_scalable: bool,
    /// Time between two samples [services], where it must be exact.
    pub sample: Option<f64>,
    /// Samples in the measured window, at most, unless `sample` is given.
    pub samples: u64,
    /// Longest window that a run can have [services].
    pub longest: f64,
    /// Requests, or whatever is counted, in one service.
    pub events: f64,
}

impl Experiment {
    /// Servers behind nodes that are `hop_ns` away, as a scenario says it.
    pub fn new(hop_ns: Nanos, body: &str, warmup: f64, events: f64) -> Self {
        Self {
            body: format!("[network]\nnode_server.constant = {{ mean = \"{hop_ns}ns\" }}\n{body}"),
            quantum_ns: hop_ns,
            warmup,
            pilot: f64::max(warmup, 5_000.0 / events),
            is_scalable: true,
            sample: None,
            samples: SAMPLES,
            longest: f64::INFINITY,
            events,
        }
    }

    /// The scenario that measures over `window` services.
    ///
    /// # Panics
    /// When the text is no scenario: the fault is in the table's file.
    pub fn scenario(&self, name: &str, window: f64, seed: u64) -> Scenario {
        let text = self.text(name, window, seed);
        let nothing = |file: &str| Err(format!("no file `{file}` here"));
        Scenario::parse(&text, &[], &nothing).unwrap_or_else(|faults| {
            panic!("{name} is no scenario: {faults:#?}\n{text}");
        })
    }

    /// The file of that scenario.
    pub fn text(&self, name: &str, window: f64, seed: u64) -> String {
        let quanta = |services: f64| {
            ((services * SERVICE_NS as f64 / self.quantum_ns as f64).ceil() as u64).max(1)
        };
        let about = (quanta(window) / self.samples).max(quanta(0.5));
        // The warm-up is sampled as well, and a run keeps no more than a million.
        let about = about.max((quanta(self.warmup) + quanta(window)).div_ceil(SAMPLES_MAX));
        let sample = self.sample.map_or(about, quanta);
        // Whole samples, so that those of the warm-up can be left out.
        let warmup = quanta(self.warmup).next_multiple_of(sample);
        let duration = warmup + quanta(window).next_multiple_of(sample);
        let ns = |quanta: u64| quanta * self.quantum_ns;
        let mut text = format!("name = \"{}\"\n", name.replace(['=', ' ', ',', '@'], "-"));
        for (key, quanta) in [("duration", duration), ("warmup", warmup)] {
            let _ = writeln!(text, "{key} = \"{}ns\"", ns(quanta));
        }
        let _ = writeln!(text, "drain = \"1h\"\nseed = {seed}\n[engine]");
        let _ = writeln!(text, "quantum = \"{}ns\"", self.quantum_ns);
        let _ = writeln!(text, "sample_interval = \"{}ns\"", ns(sample));
        text + &self.body
    }
}

/// A run, looked at in the units of the tables.
#[derive(Clone, Copy)]
pub struct Seen<'a> {
    /// The row that it is about.
    pub row: &'a Row,
    /// What was run.
    pub scenario: &'a Scenario,
    /// What came of it.
    pub run: &'a RunResult,
}

impl Seen<'_> {
    /// The way there and back [services]; constant by design of all experiments.
    pub fn wire(&self) -> f64 {
        let one_way = |law: &DelayLaw| law.mean_ns() / SERVICE_NS as f64;
        one_way(&self.scenario.network.node_server) + one_way(&self.scenario.network.server_node)
    }

    /// The measured window [services].
    pub fn window(&self) -> f64 {
        (self.scenario.duration_ns - self.scenario.warmup_ns) as f64 / SERVICE_NS as f64
    }

    /// Number of servers.
    pub fn servers(&self) -> f64 {
        self.run.servers.len() as f64
    }

    /// Service slots of all servers.
    pub fn slots(&self) -> f64 {
        self.scenario.servers.iter().map(|g| f64::from(g.count) * f64::from(g.capacity)).sum()
    }

    /// Share of the measured requests that ended so.
    pub fn share(&self, outcome: Outcome) -> Option<f64> {
        let counts = &self.run.measured;
        (counts.arrived > 0).then(|| counts.of(outcome) as f64 / counts.arrived as f64)
    }

    /// The samples of the measured window.
    pub fn bins(&self) -> &[Bin] {
        let Scenario { warmup_ns, duration_ns, engine, .. } = self.scenario;
        let bin = |ns: Nanos| (ns / engine.sample_interval_ns) as usize;
        &self.run.series[bin(*warmup_ns)..bin(*duration_ns).min(self.run.series.len())]
    }

    /// The mean of a figure over those samples.
    pub fn sampled(&self, figure: impl Fn(&Bin) -> f64) -> Option<f64> {
        let bins = self.bins();
        (!bins.is_empty()).then(|| bins.iter().map(figure).sum::<f64>() / bins.len() as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_a_scenario_with_whole_samples() {
        let body = "[[servers]]\ncapacity = 1\nservice.exponential = { mean = \"10ms\" }\n\
                    [workload]\narrivals.poisson = { rate = \"50/s\" }\n[policy.random]\n";
        let experiment = Experiment::new(5_000_000, body, 40.3, 0.5);
        for window in [1.0, 333.3, 1e5] {
            let scenario = experiment.scenario("a b=1,x@y", window, 9);
            let sample = scenario.engine.sample_interval_ns;
            assert_eq!((scenario.warmup_ns % sample, scenario.duration_ns % sample), (0, 0));
            assert!(scenario.warmup_ns as f64 >= 40.3 * SERVICE_NS as f64);
            let measured = (scenario.duration_ns - scenario.warmup_ns) as f64 / SERVICE_NS as f64;
            assert!(measured >= window && measured <= window * 1.01 + 1.0, "{measured} {window}");
            assert_eq!((scenario.seed, scenario.engine.quantum_ns), (9, 5_000_000));
        }
    }

    /// Goal: a run that is sampled as often as may be fits, whatever its warm-up.
    #[test]
    fn a_long_warm_up_leaves_no_more_samples_than_a_run_may_have() {
        let body = "[[servers]]\ncapacity = 1\nservice.exponential = { mean = \"10ms\" }\n\
                    [workload]\narrivals.poisson = { rate = \"50/s\" }\n[policy.random]\n";
        let mut experiment = Experiment::new(5_000_000, body, 2e5, 0.5);
        experiment.samples = MANY_SAMPLES;
        let scenario = experiment.scenario("a", 9e5, 9);
        let samples = scenario.duration_ns / scenario.engine.sample_interval_ns;
        assert!((700_000..=1_000_000).contains(&samples), "{samples}");
    }
}
