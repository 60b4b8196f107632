//! Feeds a recorded workload to the nodes, just ahead of the tick: nodes take turns.

use bevy_ecs::prelude::Resource;

use crate::config::Arrivals;
use crate::simulation::RunError;
use crate::time::Nanos;
use crate::traffic::Traffic;
use crate::workload::{TraceRecord, TraceSource};

/// See the module documentation.
#[derive(Default, Resource)]
pub struct TraceFeed {
    source: Option<Box<dyn TraceSource>>,
    next: Option<TraceRecord>,
    turn: usize,
    error: Option<RunError>,
}

impl TraceFeed {
    /// The feed of a run: `source` for a scenario that asks for a trace, nothing for others.
    ///
    /// # Errors
    /// When the trace is missing or its first record cannot be read.
    pub fn new(
        arrivals: &Arrivals,
        source: Option<Box<dyn TraceSource>>,
    ) -> Result<Self, RunError> {
        if !matches!(arrivals, Arrivals::Trace(_)) {
            return Ok(Self::default());
        }
        let mut feed = Self { source: Some(source.ok_or(RunError::NoTrace)?), ..Self::default() };
        feed.read();
        feed.take_error().map_or(Ok(feed), Err)
    }

    /// Hands out everything that arrives before `end_ns`.
    pub fn feed(&mut self, end_ns: Nanos, traffic: &mut [Traffic]) {
        while let Some(record) = self.next
            && record.at_ns < end_ns
        {
            let node = self.turn % traffic.len();
            traffic[node].feed(record);
            self.turn += 1;
            self.read();
        }
    }

    /// Arrival of the next record not handed out [ns].
    pub fn next_ns(&self) -> Option<Nanos> {
        self.next.map(|record| record.at_ns)
    }

    /// Why reading stopped, if it failed.
    pub fn take_error(&mut self) -> Option<RunError> {
        self.error.take()
    }

    fn read(&mut self) {
        let record = self.source.as_mut().map_or(Ok(None), |source| source.next());
        self.next = record.unwrap_or_else(|message| {
            self.error = Some(RunError::Trace(message));
            None
        });
    }
}
