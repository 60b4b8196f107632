//! Arrivals that a clock in nanoseconds can express, timeouts, retries.

use super::Checker;
use crate::config::{
    Arrivals, ConfigFault, CsvColumns, Retries, TraceConfig, TraceFormat, WorkloadConfig,
};
use crate::popularity::{EXPONENT_MAX, KEYS_MAX, Popularity};

/// Most arrivals a second at one node: the clock ticks in nanoseconds.
const NODE_RATE_MAX: f64 = 1e9;
/// Most retries of one request.
const RETRIES_MAX: u32 = 100;

impl Checker {
    pub(super) fn workload(&mut self, workload: &WorkloadConfig, nodes: u32) {
        let WorkloadConfig {
            arrivals,
            keys,
            timeout_ns,
            retries: Retries { max, budget_ppm },
            clients,
        } = workload;
        self.arrivals(arrivals, nodes);
        if let Some(keys) = keys {
            self.keys(keys, arrivals);
        }
        if let Some(timeout_ns) = *timeout_ns {
            self.positive_time("workload.timeout", timeout_ns);
        }
        self.within("workload.retries.max", (*max).into(), 0..=RETRIES_MAX.into());
        let budget = f64::from(*budget_ppm) / 1e6;
        self.number("workload.retries.budget", budget, budget <= 100.0, "0 to 100");
        self.clients(workload, clients);
    }

    fn keys(&mut self, keys: &Popularity, arrivals: &Arrivals) {
        let key = "workload.keys";
        let count = match *keys {
            Popularity::Zipf { count, exponent } => {
                let fine = (0.0..=EXPONENT_MAX).contains(&exponent);
                self.number(&format!("{key}.zipf.exponent"), exponent, fine, "0 to 10");
                ("zipf", count)
            }
            Popularity::Uniform { count } => ("uniform", count),
        };
        self.within(&format!("{key}.{}.count", count.0), count.1, 1..=KEYS_MAX);
        let twice = matches!(arrivals, Arrivals::Trace(trace) if trace.states_key());
        self.check(!twice, key, &["workload.arrivals"], || {
            ConfigFault::new("", "the trace brings its own keys")
                .fix("leave out workload.keys, or the trace's `key`")
        });
    }

    fn arrivals(&mut self, arrivals: &Arrivals, nodes: u32) {
        let key = "workload.arrivals";
        match arrivals {
            Arrivals::Nothing => {}
            Arrivals::Poisson { rate } => self.rate(&format!("{key}.poisson.rate"), *rate, nodes),
            Arrivals::Constant { rate } => self.rate(&format!("{key}.constant.rate"), *rate, nodes),
            Arrivals::Mmpp { rate_low, rate_high, dwell_low_ns, dwell_high_ns } => {
                let low_key = format!("{key}.mmpp.low");
                self.rate(&low_key, *rate_low, nodes);
                self.rate(&format!("{key}.mmpp.high"), *rate_high, nodes);
                let rests_on = [low_key.as_str(), "servers"];
                let fine = rate_low <= rate_high;
                self.check(fine, &format!("{key}.mmpp.high"), &rests_on, || {
                    ConfigFault::new("", "bursts must not be slower than quiet times")
                        .found(format!("{rate_high}/s"))
                        .allowed(format!("at least `low`, {rate_low}/s"))
                });
                self.positive_time(&format!("{key}.mmpp.dwell_low"), *dwell_low_ns);
                self.positive_time(&format!("{key}.mmpp.dwell_high"), *dwell_high_ns);
            }
            Arrivals::Burst { rate, peak, at_ns, for_ns } => {
                self.rate(&format!("{key}.burst.rate"), *rate, nodes);
                self.rate(&format!("{key}.burst.peak"), *peak, nodes);
                self.time(&format!("{key}.burst.at"), *at_ns);
                self.positive_time(&format!("{key}.burst.for"), *for_ns);
            }
            Arrivals::Ramp { from, to, over_ns } => {
                self.rate(&format!("{key}.ramp.from"), *from, nodes);
                self.rate(&format!("{key}.ramp.to"), *to, nodes);
                self.positive_time(&format!("{key}.ramp.over"), *over_ns);
            }
            Arrivals::Diurnal { mean, amplitude, period_ns } => {
                self.rate(&format!("{key}.diurnal.mean"), *mean, nodes);
                let fine = (0.0..=1.0).contains(amplitude);
                self.number(&format!("{key}.diurnal.amplitude"), *amplitude, fine, "0 to 1");
                self.positive_time(&format!("{key}.diurnal.period"), *period_ns);
            }
            Arrivals::Trace(trace) => self.trace(&format!("{key}.trace"), trace, nodes),
        }
    }

    fn rate(&mut self, key: &str, rate: f64, nodes: u32) {
        let max = NODE_RATE_MAX * f64::from(nodes);
        let fine = rate > 0.0 && rate <= max;
        self.check(fine, key, &["nodes.count", "servers"], || {
            ConfigFault::new("", "no node can receive that: its clock ticks in nanoseconds")
                .found(format!("{rate}/s"))
                .allowed("above 0, to 1000000000/s at each node")
        });
    }

    fn trace(&mut self, key: &str, trace: &TraceConfig, nodes: u32) {
        let TraceConfig {
            file,
            format,
            window_ns,
            repeat: _,
            scale_rate,
            scale_service,
            bad_lines_max,
            rate,
        } = trace;
        let mut names = vec![("file", file)];
        match format {
            TraceFormat::Csv(columns) => {
                let CsvColumns {
                    time, time_unit_ns, service, service_unit_ns, key: of_key, ..
                } = columns;
                names.push(("time", time));
                names.extend(service.as_ref().map(|name| ("service", name)));
                names.extend(of_key.as_ref().map(|name| ("key", name)));
                self.positive_time(&format!("{key}.time_unit"), *time_unit_ns);
                self.positive_time(&format!("{key}.service_unit"), *service_unit_ns);
            }
            TraceFormat::AlibabaCallgraph { dm: Some(dm) } => {
                names.push(("format.alibaba_callgraph.dm", dm));
            }
            _ => {}
        }
        for (field, name) in names {
            self.check(!name.is_empty(), &format!("{key}.{field}"), &[], || {
                ConfigFault::new("", "is empty").found("\"\"")
            });
        }
        if let Some((from_ns, to_ns)) = *window_ns {
            self.check(from_ns < to_ns, &format!("{key}.window"), &[], || {
                ConfigFault::new("", "is empty: its end is not after its start")
                    .allowed("two times such as \"10s..70s\", the first one earlier")
            });
        }
        for (field, scale) in [("scale_rate", scale_rate), ("scale_service", scale_service)] {
            let fine = (1e-9..=1e9).contains(scale);
            self.number(&format!("{key}.{field}"), *scale, fine, "1e-9 to 1e9");
        }
        let fine = (0.0..=1.0).contains(bad_lines_max);
        self.number(&format!("{key}.bad_lines_max"), *bad_lines_max, fine, "0 to 1");
        if let Some(rate) = rate {
            self.rate(&format!("{key}.rate"), *rate, nodes);
        }
    }
}
