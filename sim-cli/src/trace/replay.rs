//! A trace as the run sees it: the window moved to time 0, scaled, and repeated if it is a loop.

use sim_core::config::TraceConfig;
use sim_core::time::Nanos;
use sim_core::workload::{TraceRecord, TraceSource};

use super::order::Ordered;

/// See the module documentation.
pub struct Replay {
    ordered: Ordered,
    file: String,
    window_ns: Option<(Nanos, Nanos)>,
    repeat: bool,
    scale_rate: f64,
    scale_service: f64,
    /// The time in the file that counts as 0 [ns].
    origin_ns: Option<i64>,
    /// Start of this pass, before scaling [ns].
    base_ns: Nanos,
    pass: Pass,
}

/// What was seen of one pass through the window, in times from its start [ns].
#[derive(Clone, Copy, Debug, Default)]
struct Pass {
    requests: u64,
    first_ns: Nanos,
    last_ns: Nanos,
}

impl Replay {
    /// The requests of `ordered` as `config` wants them.
    pub fn new(ordered: Ordered, config: &TraceConfig) -> Self {
        Self {
            origin_ns: ordered.origin_ns(),
            ordered,
            file: config.file.clone(),
            window_ns: config.window_ns,
            repeat: config.repeat,
            scale_rate: config.scale_rate,
            scale_service: config.scale_service,
            base_ns: 0,
            pass: Pass::default(),
        }
    }

    /// The next request of this pass, its time counted from the start of the window.
    fn next_of_pass(&mut self) -> Result<Option<TraceRecord>, String> {
        while let Some(row) = self.ordered.next()? {
            let origin_ns = *self.origin_ns.get_or_insert(row.at_ns);
            // Nothing comes before the first arrival, and times from 0 on are not negative.
            let mut at_ns = row.at_ns.abs_diff(origin_ns);
            if let Some((from_ns, to_ns)) = self.window_ns {
                if at_ns >= to_ns {
                    return Ok(None);
                }
                let Some(inside_ns) = at_ns.checked_sub(from_ns) else { continue };
                at_ns = inside_ns;
            }
            if self.pass.requests == 0 {
                self.pass.first_ns = at_ns;
            }
            self.pass.last_ns = at_ns;
            self.pass.requests += 1;
            return Ok(Some(TraceRecord { at_ns, service_ns: row.service_ns, key: row.key }));
        }
        Ok(None)
    }

    /// Goes to the start of the next pass. Without a window the trace is followed by a mean gap.
    fn start_again(&mut self) -> Result<(), String> {
        let Pass { requests, first_ns, last_ns } = self.pass;
        let length_ns = match self.window_ns {
            Some((from_ns, to_ns)) => to_ns - from_ns,
            None if requests > 1 && last_ns > first_ns => {
                last_ns + ((last_ns - first_ns) / (requests - 1)).max(1)
            }
            None => {
                let file = &self.file;
                return Err(format!("{file}: too short for a loop; say how long it is: window"));
            }
        };
        self.base_ns = self.base_ns.saturating_add(length_ns);
        self.pass = Pass::default();
        self.ordered.rewind()
    }

    fn scaled(&self, record: TraceRecord) -> TraceRecord {
        let TraceRecord { at_ns, service_ns, key } = record;
        let at_ns = scale(self.base_ns.saturating_add(at_ns), 1.0 / self.scale_rate);
        let service_ns = service_ns.map(|ns| scale(ns, self.scale_service).max(1));
        TraceRecord { at_ns, service_ns, key }
    }
}

impl TraceSource for Replay {
    fn next(&mut self) -> Result<Option<TraceRecord>, String> {
        if let Some(record) = self.next_of_pass()? {
            return Ok(Some(self.scaled(record)));
        }
        if let Some((from_ns, to_ns)) = self.window_ns
            && self.pass.requests == 0
            && self.base_ns == 0
        {
            let (from, to) = (from_ns as f64 / 1e9, to_ns as f64 / 1e9);
            return Err(format!("{}: no request in the window from {from} s to {to} s", self.file));
        }
        if !self.repeat {
            return Ok(None);
        }
        self.start_again()?;
        Ok(self.next_of_pass()?.map(|record| self.scaled(record)))
    }
}

/// `ns` times `factor`, rounded; exact where the factor is 1.
fn scale(ns: Nanos, factor: f64) -> Nanos {
    if (factor - 1.0).abs() < f64::EPSILON { ns } else { (ns as f64 * factor).round() as Nanos }
}
