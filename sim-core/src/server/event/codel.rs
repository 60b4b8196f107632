//! Controlled delay at a server: see [`crate::config::CoDel`].

use crate::config::CoDel;
use crate::time::Nanos;

/// What one server remembers of the waits it has seen.
#[derive(Clone, Copy, Debug, Default)]
pub struct Waits {
    /// The smallest wait of the present interval [ns]; `None`: it has yet to see one.
    least_ns: Option<Nanos>,
    /// The interval ends with the first request after this [ns].
    end_ns: Nanos,
    is_overloaded: bool,
}

impl Waits {
    /// Looks at the wait of a request that is about to start at `at_ns`: true if it is to be shed.
    ///
    /// The first of an interval never is: of one request nothing can be told.
    pub fn sheds(&mut self, codel: CoDel, at_ns: Nanos, wait_ns: Nanos) -> bool {
        if let Some(least_ns) = self.least_ns
            && at_ns > self.end_ns
        {
            self.end_ns = at_ns + codel.interval_ns;
            self.is_overloaded = least_ns > codel.target_ns;
            self.least_ns = None;
        }
        let is_first = self.least_ns.is_none();
        self.least_ns = Some(self.least_ns.map_or(wait_ns, |least_ns| least_ns.min(wait_ns)));
        !is_first && self.is_overloaded && wait_ns > 2 * codel.target_ns
    }
}
