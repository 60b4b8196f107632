//! Reads `[target]`: how well figures must be known before replications stop.

use super::suggest::nearest;
use super::tree::Value;
use super::walk::{Section, Walk, enter, join};
use crate::stats::target::{HalfWidth, Target};

/// Name of the section.
const TARGET: &str = "target";

/// `[target]` in file order. Metrics are looked up in `metrics`, if it is given.
pub(super) fn targets(
    walk: &mut Walk<'_>,
    top: &mut Section<'_>,
    metrics: Option<&[&str]>,
) -> Vec<Target> {
    let Some(item) = top.get(walk, TARGET) else {
        return Vec::new();
    };
    // The keys are data: metrics. One stands for all in the list of keys.
    walk.asked.insert(join(TARGET, "METRIC"));
    let Value::Table(entries) = &item.node.value else {
        Section::open(walk, &item);
        return Vec::new();
    };
    let mut targets = Vec::new();
    for entry in entries {
        let item = enter(walk, join(TARGET, &entry.key), entry);
        if let Some(metrics) = metrics.filter(|metrics| !metrics.contains(&entry.key.as_str())) {
            let place = walk.key_place(&item.path);
            let problem = format!("there is no metric `{}`", entry.key);
            let fault = walk.refuse_at(&item.path, place.as_ref(), problem);
            fault.allowed = Some("a metric of `lbsim list metrics`".into());
            fault.fix =
                nearest(&entry.key, metrics).map(|meant| format!("did you mean `{meant}`?"));
        }
        let read = match &item.node.value {
            Value::Text(text) => HalfWidth::parse(text),
            Value::Float(value) => HalfWidth::absolute(*value),
            Value::Whole(Some(value)) => HalfWidth::absolute(*value as f64),
            _ => {
                walk.refuse_type(&item, "a half-width").allowed = Some(HalfWidth::FORM.into());
                continue;
            }
        };
        match read {
            Ok(half_width) => targets.push(Target { metric: entry.key.clone(), half_width }),
            Err(reason) => {
                walk.refuse(&item, reason).allowed = Some(HalfWidth::FORM.into());
            }
        }
    }
    targets
}
