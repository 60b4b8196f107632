//! Windows: tick, control quantum, sample interval.

use super::Checker;
use crate::config::fleet::{QUANTUM_NS_MAX, TICK_NS_MAX};
use crate::config::units::format_duration;
use crate::config::{ConfigFault, EngineConfig};
use crate::time::Nanos;

/// Most bins of the time series.
const BINS_MAX: u64 = 1_000_000;
/// Most control quanta in a run: they are counted in 32 bits.
const QUANTA_MAX: u64 = u32::MAX as u64;

impl Checker {
    pub(super) fn engine(
        &mut self,
        engine: &EngineConfig,
        lookahead: Nanos,
        longest_ns: Nanos,
        duration_ns: Nanos,
    ) {
        let EngineConfig { tick_ns, quantum_ns, sample_interval_ns } = *engine;
        let (tick, quantum, sample) = ("engine.tick", "engine.quantum", "engine.sample_interval");
        self.positive_time(tick, tick_ns);
        self.positive_time(quantum, quantum_ns);
        self.positive_time(sample, sample_interval_ns);
        self.check(tick_ns <= lookahead, tick, &["network"], || {
            ConfigFault::new(
                "",
                "is longer than the smallest one-way delay: what is sent in one tick would have \
                 to arrive in the same one",
            )
            .found(format_duration(tick_ns))
            .allowed(format!("at most {}", format_duration(lookahead)))
            .fix("leave it out, or raise the smallest delay of [network]")
        });
        self.check(tick_ns <= TICK_NS_MAX, tick, &[], || {
            ConfigFault::new("", "is longer than moments inside a tick can tell apart")
                .found(format_duration(tick_ns))
                .allowed("at most 1073741824ns (2^30)")
        });
        self.check(quantum_ns <= QUANTUM_NS_MAX, quantum, &[], || {
            ConfigFault::new("", "is too long")
                .found(format_duration(quantum_ns))
                .allowed("at most 1h")
        });
        self.check(is_multiple(quantum_ns, tick_ns), tick, &[quantum], || {
            ConfigFault::new("", "must divide the control quantum")
                .found(format_duration(tick_ns))
                .allowed(format!("a divisor of {}", format_duration(quantum_ns)))
                .fix("leave it out: the largest one is taken")
        });
        self.check(is_multiple(sample_interval_ns, quantum_ns), sample, &[quantum, tick], || {
            ConfigFault::new("", "must be a multiple of the control quantum")
                .found(format_duration(sample_interval_ns))
                .allowed(format!("a multiple of {}", format_duration(quantum_ns)))
        });
        let bins = duration_ns / sample_interval_ns.max(1);
        self.check(bins <= BINS_MAX, sample, &[quantum, tick, "duration"], || {
            ConfigFault::new("", format!("makes {bins} bins of the time series"))
                .found(format_duration(sample_interval_ns))
                .allowed(format!("at most {BINS_MAX} bins"))
        });
        let quanta = longest_ns / quantum_ns.max(1);
        let rests_on = [quantum, tick, "drain", "network"];
        self.check(quanta <= QUANTA_MAX, "duration", &rests_on, || {
            ConfigFault::new("", format!("duration and drain hold {quanta} control quanta"))
                .found(format_duration(duration_ns))
                .allowed(format!("at most {QUANTA_MAX} quanta of {}", format_duration(quantum_ns)))
                .fix("raise engine.quantum")
        });
    }
}

fn is_multiple(value: Nanos, of: Nanos) -> bool {
    of > 0 && value.is_multiple_of(of)
}
