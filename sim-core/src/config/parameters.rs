//! The parameters of a policy, listed once: that list reads them, writes them and names them in tables.

use super::tree::Value;
use super::units::format_duration;
use super::validate::Checker;
use super::values::{self, Limit};
use super::walk::{Item, Section, Walk};
use super::{ConfigFault, Scenario};
use crate::time::Nanos;

/// Goes through the parameters of a policy, each under its key: reads them, or writes them down.
///
/// Every function takes the key and the parameter, which holds the default when it is read.
pub struct ParameterList<'a, 'w, 't> {
    mode: Mode<'a, 'w, 't>,
}

enum Mode<'a, 'w, 't> {
    Read(&'a mut Walk<'w>, &'a mut Section<'t>),
    Write(&'a mut Vec<(&'static str, String)>),
}

impl<'a, 'w, 't> ParameterList<'a, 'w, 't> {
    pub(super) const fn reading(walk: &'a mut Walk<'w>, section: &'a mut Section<'t>) -> Self {
        Self { mode: Mode::Read(walk, section) }
    }

    pub(super) const fn writing(pairs: &'a mut Vec<(&'static str, String)>) -> Self {
        Self { mode: Mode::Write(pairs) }
    }

    /// `true` or `false`.
    pub fn flag(&mut self, key: &'static str, flag: &mut bool) {
        self.value(key, flag, values::flag, ToString::to_string);
    }

    /// A whole number that fits into `u32`.
    pub fn count(&mut self, key: &'static str, count: &mut u32) {
        self.value(key, count, values::count, ToString::to_string);
    }

    /// A whole number that fits into `u32`, or `word` for none.
    pub fn count_or(&mut self, key: &'static str, word: &'static str, count: &mut Option<u32>) {
        let read = |walk: &mut Walk<'_>, item: &Item<'_>| {
            if matches!(item.node.value, Value::Text(_)) {
                return values::word(walk, item, &[(word, None)]);
            }
            values::count(walk, item).map(Some)
        };
        let write =
            |count: &Option<u32>| count.map_or_else(|| quoted(word), |count| count.to_string());
        self.value(key, count, read, write);
    }

    /// A finite number.
    pub fn number(&mut self, key: &'static str, number: &mut f64) {
        self.value(key, number, values::number, |number| format!("{number:?}"));
    }

    /// A duration [ns].
    pub fn time(&mut self, key: &'static str, ns: &mut Nanos) {
        self.value(key, ns, values::duration, |&ns| quoted(&format_duration(ns)));
    }

    /// A duration [ns], or `word` for none.
    pub fn time_or(&mut self, key: &'static str, word: &'static str, ns: &mut Option<Nanos>) {
        let read = |walk: &mut Walk<'_>, item: &Item<'_>| {
            values::duration_or(walk, item, word).map(Limit::get)
        };
        let write = |ns: &Option<Nanos>| quoted(&ns.map_or_else(|| word.into(), format_duration));
        self.value(key, ns, read, write);
    }

    /// One of a few words.
    pub fn word<T: Copy + PartialEq>(
        &mut self,
        key: &'static str,
        words: &[(&'static str, T)],
        chosen: &mut T,
    ) {
        let write = |chosen: &T| {
            let named = words.iter().find(|(_, value)| value == chosen);
            quoted(named.expect("every value has its word").0)
        };
        self.value(key, chosen, |walk, item| values::word(walk, item, words), write);
    }

    fn value<T>(
        &mut self,
        key: &'static str,
        value: &mut T,
        read: impl FnOnce(&mut Walk<'_>, &Item<'t>) -> Option<T>,
        write: impl FnOnce(&T) -> String,
    ) {
        match &mut self.mode {
            Mode::Read(walk, section) => {
                if let Some(read) = section.read(walk, key, read) {
                    *value = read;
                }
            }
            Mode::Write(pairs) => pairs.push((key, write(value))),
        }
    }
}

fn quoted(text: &str) -> String {
    format!("\"{text}\"")
}

/// Looks for parameters that a policy cannot work with. Keys are those of its own table.
pub struct ParameterCheck<'a> {
    pub(super) checker: &'a mut Checker,
    pub(super) name: &'static str,
    /// Configured servers.
    pub servers: u64,
    /// The scenario around the policy.
    pub scenario: &'a Scenario,
}

impl ParameterCheck<'_> {
    fn path(&self, key: &str) -> String {
        format!("policy.{}.{key}", self.name)
    }

    /// Notes a fault of `key` unless `holds`.
    pub fn check(&mut self, holds: bool, key: &str, fault: impl FnOnce() -> ConfigFault) {
        self.checker.check(holds, &self.path(key), &[], fault);
    }

    /// The same for what rests on the number of servers.
    pub fn check_counted(&mut self, holds: bool, key: &str, fault: impl FnOnce() -> ConfigFault) {
        self.checker.check_counted(holds, &self.path(key), fault);
    }

    /// A whole number out of a range.
    pub fn within(&mut self, key: &str, value: u64, range: std::ops::RangeInclusive<u64>) {
        self.checker.within(&self.path(key), value, range);
    }

    /// A number that is `fine`, or not `allowed`.
    pub fn number(&mut self, key: &str, value: f64, fine: bool, allowed: &str) {
        self.checker.number(&self.path(key), value, fine, allowed);
    }

    /// A duration above 0 [ns].
    pub fn positive_time(&mut self, key: &str, ns: Nanos) {
        self.checker.positive_time(&self.path(key), ns);
    }

    /// A duration [ns].
    pub fn time(&mut self, key: &str, ns: Nanos) {
        self.checker.time(&self.path(key), ns);
    }
}
