//! Reads single values: texts, switches, numbers, durations, words.
//!
//! Each takes what the tree holds or notes why it cannot, and then returns `None`.

use super::suggest::nearest;
use super::tree::Value;
use super::units::{DURATION_FORM, parse_duration};
use super::walk::{Item, Walk};
use crate::time::Nanos;

/// A string.
pub fn text(walk: &mut Walk<'_>, item: &Item<'_>) -> Option<String> {
    if let Value::Text(text) = &item.node.value {
        return Some(text.clone());
    }
    walk.refuse_type(item, "a text in quotes");
    None
}

/// `true` or `false`.
pub fn flag(walk: &mut Walk<'_>, item: &Item<'_>) -> Option<bool> {
    if let Value::Flag(flag) = item.node.value {
        return Some(flag);
    }
    walk.refuse_type(item, "true or false");
    None
}

/// A whole number that fits into `u32`.
pub fn count(walk: &mut Walk<'_>, item: &Item<'_>) -> Option<u32> {
    whole(walk, item, u32::MAX.into()).and_then(|count| u32::try_from(count).ok())
}

/// A whole number that fits into `u64`.
pub fn big_count(walk: &mut Walk<'_>, item: &Item<'_>) -> Option<u64> {
    whole(walk, item, u64::MAX)
}

fn whole(walk: &mut Walk<'_>, item: &Item<'_>, max: u64) -> Option<u64> {
    let Value::Whole(written) = item.node.value else {
        walk.refuse_type(item, "a whole number");
        return None;
    };
    let fitting = written.and_then(|whole| u64::try_from(whole).ok()).filter(|whole| *whole <= max);
    if fitting.is_none() {
        walk.refuse(item, "is out of range").allowed = Some(format!("a whole number, 0 to {max}"));
    }
    fitting
}

/// A finite number, with or without a decimal point.
pub fn number(walk: &mut Walk<'_>, item: &Item<'_>) -> Option<f64> {
    let number = match item.node.value {
        Value::Float(float) => float,
        Value::Whole(Some(whole)) => whole as f64,
        _ => {
            walk.refuse_type(item, "a number");
            return None;
        }
    };
    if !number.is_finite() {
        walk.refuse(item, "must be a finite number");
        return None;
    }
    Some(number)
}

/// A duration such as `"500us"`.
pub fn duration(walk: &mut Walk<'_>, item: &Item<'_>) -> Option<Nanos> {
    let parsed = match &item.node.value {
        Value::Text(text) => parse_duration(text),
        Value::Whole(Some(whole)) => {
            let fault = walk.refuse(item, "a duration needs a unit");
            fault.allowed = Some(DURATION_FORM.into());
            fault.fix = Some(format!("write \"{whole}ms\" or \"{whole}s\", say"));
            return None;
        }
        _ => {
            walk.refuse_type(item, "a duration").allowed = Some(DURATION_FORM.into());
            return None;
        }
    };
    match parsed {
        Ok(ns) => Some(ns),
        Err(reason) => {
            walk.refuse(item, format!("not a duration: {reason}")).allowed =
                Some(DURATION_FORM.into());
            None
        }
    }
}

/// A limit that may be lifted by a word such as `"never"`.
#[derive(Clone, Copy, Debug)]
pub enum Limit<T> {
    /// The limit.
    At(T),
    /// The word.
    Lifted,
}

impl<T> Limit<T> {
    /// The limit, if there is one.
    pub fn get(self) -> Option<T> {
        match self {
            Self::At(limit) => Some(limit),
            Self::Lifted => None,
        }
    }
}

/// A duration, or `"never"`.
pub fn duration_or_never(walk: &mut Walk<'_>, item: &Item<'_>) -> Option<Limit<Nanos>> {
    duration_or(walk, item, "never")
}

/// A duration, or a word that stands for something else.
pub fn duration_or(walk: &mut Walk<'_>, item: &Item<'_>, word: &str) -> Option<Limit<Nanos>> {
    if matches!(&item.node.value, Value::Text(text) if text == word) {
        return Some(Limit::Lifted);
    }
    let before = walk.faults.len();
    let read = duration(walk, item).map(Limit::At);
    if let Some(fault) = walk.faults.get_mut(before) {
        fault.allowed = Some(format!("\"{word}\", or {DURATION_FORM}"));
    }
    read
}

/// One of a few words.
pub fn word<T: Copy>(
    walk: &mut Walk<'_>,
    item: &Item<'_>,
    words: &[(&'static str, T)],
) -> Option<T> {
    let names: Vec<&str> = words.iter().map(|(name, _)| *name).collect();
    let allowed = names.iter().map(|name| format!("\"{name}\"")).collect::<Vec<_>>().join(", ");
    let Value::Text(text) = &item.node.value else {
        walk.refuse_type(item, "one of a few words").allowed = Some(allowed);
        return None;
    };
    let found = words.iter().find(|(name, _)| name == text).map(|(_, value)| *value);
    if found.is_none() {
        let fault = walk.refuse(item, "unknown choice");
        fault.allowed = Some(allowed);
        fault.fix = nearest(text, &names).map(|name| format!("did you mean \"{name}\"?"));
    }
    found
}
