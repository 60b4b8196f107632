//! Passive health checks: servers are ejected for what their answers say (Envoy's outlier detection).
//!
//! * `consecutive_failures` failures in a row eject at once. A failure is an error, a lost attempt
//!   or a client that gave up; a refusal is none: who is full is not sick.
//! * Every `interval`, among servers with at least `min_requests` answers in it (if these are at
//!   least `min_hosts`), those with a success rate below `mean - factor x standard deviation`.
//! * The k-th ejection of a server lasts `base_time x k`, at most `max_time`; it ends with the first
//!   look at or after that. A look that finds a server in use takes one off its k.
//! * No more than `max_ejected` of the known servers are out at once, but one always may be.

use std::collections::BTreeSet;

use crate::config::OutlierEjection;
use crate::ids::ServerId;
use crate::setup::Setup;
use crate::time::Nanos;

/// The ejections of one node.
#[derive(Clone, Debug)]
pub struct Ejections {
    config: OutlierEjection,
    servers: Vec<Record>,
    ejected: BTreeSet<u32>,
    /// When it looks next [ns].
    next_look_ns: Nanos,
}

#[derive(Clone, Copy, Debug, Default)]
struct Record {
    /// Failures in a row.
    in_a_row: u32,
    /// Answers since the last look.
    good: u32,
    bad: u32,
    /// Ejections that count.
    times: u32,
    until_ns: Nanos,
}

/// What a look has decided.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Decision {
    /// Who comes back.
    pub back: Vec<ServerId>,
    /// Who goes.
    pub out: Vec<ServerId>,
}

impl Ejections {
    /// Memory a server takes [bytes].
    pub(crate) const SERVER_BYTES: usize = size_of::<Record>();

    /// Nobody is ejected.
    pub fn new(setup: &Setup, config: &OutlierEjection) -> Self {
        Self {
            config: *config,
            servers: vec![Record::default(); setup.servers as usize],
            ejected: BTreeSet::new(),
            next_look_ns: config.interval_ns,
        }
    }

    /// Takes in how an attempt ended; true when its server must be ejected now. `known` servers are
    /// known to the node.
    pub fn answer(&mut self, server: ServerId, good: bool, at_ns: Nanos, known: u32) -> bool {
        let record = &mut self.servers[server.index()];
        if good {
            record.good += 1;
            record.in_a_row = 0;
            return false;
        }
        record.bad += 1;
        record.in_a_row += 1;
        let limit = self.config.consecutive_failures;
        limit > 0 && record.in_a_row >= limit && self.eject(server, at_ns, known)
    }

    /// Ejects a server, if it is in use and the cap allows it.
    fn eject(&mut self, server: ServerId, at_ns: Nanos, known: u32) -> bool {
        let out = self.ejected.len();
        let fits = (out + 1) as f64 <= self.config.max_ejected * f64::from(known);
        if self.ejected.contains(&server.0) || (out > 0 && !fits) {
            return false;
        }
        self.ejected.insert(server.0);
        let record = &mut self.servers[server.index()];
        record.times += 1;
        record.in_a_row = 0;
        let length_ns = self.config.base_time_ns.saturating_mul(record.times.into());
        record.until_ns = at_ns + length_ns.min(self.config.max_time_ns);
        true
    }

    /// The quantum in which it looks next.
    pub fn due(&self, setup: &Setup) -> u64 {
        setup.ticks.quantum_from(self.next_look_ns)
    }

    /// Looks at the rates and at the ends of ejections.
    pub fn look(&mut self, now_ns: Nanos, known: u32) -> Decision {
        while self.next_look_ns <= now_ns {
            self.next_look_ns += self.config.interval_ns;
        }
        let mut decision = Decision::default();
        for (server, record) in (0..).map(ServerId).zip(&mut self.servers) {
            if !self.ejected.contains(&server.0) {
                record.times = record.times.saturating_sub(1);
            } else if record.until_ns <= now_ns {
                self.ejected.remove(&server.0);
                decision.back.push(server);
            }
        }
        for server in self.outliers() {
            if self.eject(server, now_ns, known) {
                decision.out.push(server);
            }
        }
        for record in &mut self.servers {
            (record.good, record.bad) = (0, 0);
        }
        decision
    }

    /// Servers whose success rate is far below the others'.
    fn outliers(&self) -> Vec<ServerId> {
        let Some(rule) = self.config.success_rate else { return Vec::new() };
        let rates: Vec<(ServerId, f64)> = (0..)
            .map(ServerId)
            .zip(&self.servers)
            .filter(|(server, record)| {
                !self.ejected.contains(&server.0) && record.good + record.bad >= rule.min_requests
            })
            .map(|(server, r)| (server, f64::from(r.good) / f64::from(r.good + r.bad)))
            .collect();
        if rates.len() < rule.min_hosts as usize {
            return Vec::new();
        }
        let hosts = rates.len() as f64;
        let mean = rates.iter().map(|(_, rate)| rate).sum::<f64>() / hosts;
        let square = |rate: f64| (rate - mean) * (rate - mean);
        let variance = rates.iter().map(|&(_, rate)| square(rate)).sum::<f64>() / hosts;
        let floor = mean - rule.factor * libm::sqrt(variance);
        rates.into_iter().filter(|&(_, rate)| rate < floor).map(|(server, _)| server).collect()
    }

    /// Forgets everything but when to look next.
    pub fn reset(&mut self) {
        self.servers.fill(Record::default());
        self.ejected.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::SuccessRate;

    fn ejections(servers: usize, config: OutlierEjection) -> Ejections {
        Ejections {
            config,
            servers: vec![Record::default(); servers],
            ejected: BTreeSet::new(),
            next_look_ns: config.interval_ns,
        }
    }

    const CONFIG: OutlierEjection = OutlierEjection {
        consecutive_failures: 3,
        success_rate: Some(SuccessRate { factor: 1.9, min_hosts: 5, min_requests: 10 }),
        interval_ns: 100,
        base_time_ns: 150,
        max_time_ns: 400,
        max_ejected: 0.2,
    };

    #[test]
    fn a_success_breaks_the_row_and_the_cap_holds() {
        let mut ejections = ejections(10, CONFIG);
        let outcomes = [false, false, true, false, false, false];
        let ejected: Vec<bool> =
            outcomes.iter().map(|&good| ejections.answer(ServerId(0), good, 7, 10)).collect();
        assert_eq!(ejected, [false, false, false, false, false, true]);
        let mut fail = |server| (0..3).any(|_| ejections.answer(ServerId(server), false, 7, 10));
        assert!(fail(1), "two of ten are a fifth");
        assert!(!fail(2), "three are more");
        assert!(!fail(0), "out is out");
    }

    /// The k-th ejection takes k times as long, and looks that find the server in use forgive.
    #[test]
    fn ejections_get_longer_and_are_forgiven() {
        let mut ejections = ejections(10, CONFIG);
        let server = ServerId(4);
        let mut lengths = Vec::new();
        let mut now_ns = 0;
        for _ in 0..4 {
            assert!((0..3).any(|_| ejections.answer(server, false, now_ns, 10)));
            let start_ns = now_ns;
            loop {
                now_ns += 10;
                if ejections.look(now_ns, 10).back == [server] {
                    break;
                }
            }
            lengths.push(now_ns - start_ns);
        }
        assert_eq!(lengths, [150, 300, 400, 400], "base, twice, then the longest");
        for _ in 0..4 {
            ejections.look(now_ns, 10);
        }
        assert!((0..3).any(|_| ejections.answer(server, false, now_ns, 10)));
        assert_eq!(ejections.servers[4].until_ns - now_ns, 150, "four looks forgive four times");
    }

    /// Nine servers at 100 % and one at 50 %: mean 0.95, standard deviation 0.15, floor 0.665.
    #[test]
    fn the_odd_one_out_is_ejected_by_rate() {
        let mut ejections = ejections(10, OutlierEjection { consecutive_failures: 0, ..CONFIG });
        for server in (0..10).map(ServerId) {
            for attempt in 0..10 {
                ejections.answer(server, server.0 != 3 || attempt % 2 == 0, 1, 10);
            }
        }
        let decision = ejections.look(100, 10);
        assert_eq!(decision, Decision { back: Vec::new(), out: vec![ServerId(3)] });
        assert_eq!(ejections.look(200, 10), Decision::default(), "no answers, no rates");
    }
}
