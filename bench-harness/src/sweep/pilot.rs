//! Warm-ups that have yet to be found: `warmup = "auto"` in a sweep.
//!
//! Subjects that differ in the policy alone are measured in the same window, so a run needs the pilots
//! of all of them. A pilot is kept beside the runs; one that is lost is made again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use serde::{Deserialize, Serialize};
use sim_core::config::{Arrivals, Scenario};
use sim_core::simulation::RunError;

use super::error::StoreError;
use super::execute::OpenTrace;
use super::identity::{self, Id};
use super::plan::{Plan, Subject};
use super::store::Store;
use crate::warmup::{self, WarmUp};

/// A pilot that is made once, whoever asks first, and the id that its subject has by itself.
type Pilot = Arc<OnceLock<Result<(WarmUp, Id), String>>>;

/// Pilots made and being made.
#[derive(Debug, Default)]
pub struct Pilots {
    by_subject: Mutex<BTreeMap<u32, Pilot>>,
}

/// The form in the file.
#[derive(Serialize, Deserialize)]
struct Form {
    subject: String,
    warmup_ns: u64,
    too_short: bool,
}

impl Pilots {
    /// The scenario of a subject, as [`Plan::scenario`] gives it, ready to be run, and whether its warm-up may be too short.
    ///
    /// # Errors
    /// If a pilot cannot be run.
    pub fn settle(
        &self,
        plan: &Plan,
        store: &Store,
        traces: &OpenTrace<'_>,
        subject: &Subject,
        (scenario, own): (Scenario, Id),
    ) -> Result<(Scenario, bool), String> {
        let mut found: Option<WarmUp> = None;
        let mut all = BTreeSet::new();
        for other in &subject.compared {
            let (pilot, id) = self.pilot(plan, store, traces, *other)?;
            all.insert(id);
            found = Some(found.map_or(pilot, |found| found.max(pilot)));
        }
        if found.is_some() && identity::compared(own, &all) != subject.id {
            return Err("this build makes another scenario of the plan than was planned".to_owned());
        }
        Ok(match found {
            Some(warmup) => (warmup.applied_to(&scenario), warmup.too_short),
            None => (scenario, false),
        })
    }

    fn pilot(
        &self,
        plan: &Plan,
        store: &Store,
        traces: &OpenTrace<'_>,
        subject: u32,
    ) -> Result<(WarmUp, Id), String> {
        let pilot = {
            let mut pilots = self.by_subject.lock().unwrap_or_else(PoisonError::into_inner);
            Pilot::clone(pilots.entry(subject).or_default())
        };
        // Whoever comes second waits for the first.
        pilot.get_or_init(|| fly(plan, store, traces, subject)).clone()
    }
}

fn fly(
    plan: &Plan,
    store: &Store,
    traces: &OpenTrace<'_>,
    subject: u32,
) -> Result<(WarmUp, Id), String> {
    let text = |error: StoreError| error.to_string();
    let subject = plan.subject(subject).map_err(text)?;
    let (scenario, own) = plan.scenario(&subject).map_err(text)?;
    let id = subject.id;
    if let Some(known) = store.pilot(id).and_then(|bytes| from_bytes(id, &bytes)) {
        return Ok((known, own));
    }
    let open = |scenario: &Scenario| match &scenario.workload.arrivals {
        Arrivals::Trace(config) => traces(config).map(Some).map_err(RunError::Trace),
        _ => Ok(None),
    };
    let found = warmup::settle(&scenario, &open);
    let found = found.map_err(|error| error.to_string())?;
    // If it cannot be kept, it will be made again; a full disk is told with the run's result.
    let _ = store.write_pilot(id, &to_bytes(id, found));
    Ok((found, own))
}

fn to_bytes(id: Id, found: WarmUp) -> Vec<u8> {
    let WarmUp { warmup_ns, too_short } = found;
    let form = Form { subject: id.to_string(), warmup_ns, too_short };
    let text = serde_json::to_string(&form).expect("numbers and texts");
    format!("{text}\n").into_bytes()
}

/// `None` for what is not whole: a text cut short anywhere is no JSON.
fn from_bytes(id: Id, bytes: &[u8]) -> Option<WarmUp> {
    let form: Form = serde_json::from_slice(bytes).ok()?;
    let Form { subject, warmup_ns, too_short } = form;
    (subject == id.to_string()).then_some(WarmUp { warmup_ns, too_short })
}
