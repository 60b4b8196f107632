//! Phi-accrual detection: silence is long when it is long against the gaps between earlier reports.
//!
//! In Cassandra's form gaps are taken for exponential: phi is `elapsed / (mean gap x ln 10)`, so a
//! threshold is a multiple of the mean gap and every server has a deadline of its own. The mean looks
//! back on `window` gaps: all weigh the same until there are so many, then older ones fade with
//! weight 1 - 1/window a gap. (Hayashibara et al. 2004 fit a normal law; Cassandra's exponential one
//! is what runs in practice.)
//!
//! Before `min_samples` gaps, and again after a server was suspected, the failure timeout decides:
//! a mean of two gaps is no mean, and the gap of an outage is no rhythm.

use crate::config::PhiAccrual;
use crate::ids::ServerId;
use crate::setup::Setup;

/// The rhythms of all servers, as one node hears them.
#[derive(Clone, Debug)]
pub struct Rhythms {
    /// Mean gaps of silence that are suspect.
    gaps: f64,
    window: u32,
    min_samples: u32,
    /// Whole quanta in the failure timeout.
    timeout_quanta: u64,
    servers: Vec<Rhythm>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Rhythm {
    /// When news of the server last came [quanta].
    last: u32,
    /// Mean gap [quanta].
    mean: f32,
    /// Gaps in it.
    samples: u32,
}

impl Rhythms {
    /// Memory a server takes [bytes].
    pub(crate) const SERVER_BYTES: usize = size_of::<Rhythm>();

    /// Nothing heard yet.
    pub fn new(setup: &Setup, config: &PhiAccrual) -> Self {
        Self {
            gaps: config.threshold * std::f64::consts::LN_10,
            window: config.window,
            min_samples: config.min_samples,
            timeout_quanta: setup.heartbeat.failure_timeout_ns / setup.ticks.quantum_ns,
            servers: vec![Rhythm::default(); setup.servers as usize],
        }
    }

    /// News of a server has come in the quantum `now`; `again`: after a silence that says nothing
    /// about its rhythm.
    pub fn hear(&mut self, server: ServerId, now: u64, again: bool) {
        let rhythm = &mut self.servers[server.index()];
        if again || rhythm.last == 0 {
            *rhythm = Rhythm { last: now as u32, ..Rhythm::default() };
            return;
        }
        let gap = (now - u64::from(rhythm.last)) as f32;
        rhythm.last = now as u32;
        rhythm.samples = rhythm.samples.saturating_add(1);
        rhythm.mean += (gap - rhythm.mean) / rhythm.samples.min(self.window) as f32;
    }

    /// The first quantum in which the server is suspect, if nothing is heard until then.
    pub fn deadline(&self, server: ServerId) -> u64 {
        let rhythm = &self.servers[server.index()];
        let patience = if rhythm.samples < self.min_samples {
            self.timeout_quanta
        } else {
            (f64::from(rhythm.mean) * self.gaps) as u64
        };
        u64::from(rhythm.last) + patience + 1
    }

    /// Forgets everybody.
    pub fn reset(&mut self) {
        self.servers.fill(Rhythm::default());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rhythms(threshold: f64, window: u32, min_samples: u32) -> Rhythms {
        Rhythms {
            gaps: threshold * std::f64::consts::LN_10,
            window,
            min_samples,
            timeout_quanta: 35,
            servers: vec![Rhythm::default(); 1],
        }
    }

    /// Eight times ln 10 is 18.42: the multiple of the mean gap that Cassandra's default stands for.
    #[test]
    fn threshold_8_is_18_mean_gaps() {
        let mut rhythms = rhythms(8.0, 1_000, 3);
        let server = ServerId(0);
        for beat in 1..=3 {
            rhythms.hear(server, beat * 10, false);
            // The timeout decides as long as there are fewer than three gaps.
            assert_eq!(rhythms.deadline(server), beat * 10 + 36);
        }
        rhythms.hear(server, 40, false);
        assert_eq!(rhythms.deadline(server), 40 + 184 + 1);
    }

    #[test]
    fn old_gaps_fade_and_an_outage_is_no_gap() {
        let mut rhythms = rhythms(1.0, 2, 1);
        let server = ServerId(0);
        for at in [10, 20, 30, 50] {
            rhythms.hear(server, at, false);
        }
        // Two gaps of 10 make a mean of 10; then one of 20 with weight 1/2.
        assert!((rhythms.servers[0].mean - 15.0).abs() < 1e-6);
        rhythms.hear(server, 900, true);
        assert_eq!(rhythms.deadline(server), 900 + 36, "after an outage the timeout decides");
    }
}
