//! Whom a fault hits: ids, a group by name, or a share drawn from the seed.

use std::ops::Range;

use super::Scenario;
use super::tree::Value;
use super::units::parse_ids;
use super::walk::{Item, Walk};
use crate::rng::{Purpose, below, stream};

/// Whom a fault hits.
#[derive(Clone, Debug, PartialEq)]
pub enum Targets {
    /// The ids `start..end`.
    Ids(Range<u32>),
    /// The servers of the group of this name.
    Group(String),
    /// This percentage of all that are there from the start, in `(0, 100]`, at least one; drawn
    /// from the seed, the same ones in every replication.
    Percent(f64),
}

impl From<Range<u32>> for Targets {
    fn from(ids: Range<u32>) -> Self {
        Self::Ids(ids)
    }
}

impl Targets {
    /// The servers meant, as ascending ranges of ids that do not touch; `number` is the fault's
    /// place in the scenario. A group that is not there has none.
    pub fn servers(&self, scenario: &Scenario, number: usize) -> Vec<Range<u32>> {
        match self {
            Self::Ids(ids) => vec![ids.clone()],
            Self::Group(name) => group(scenario, name).into_iter().collect(),
            Self::Percent(percent) => {
                draw(scenario.seed, number, percent / 100.0, scenario.configured_count())
            }
        }
    }

    /// The nodes meant, as above.
    pub fn nodes(&self, scenario: &Scenario, number: usize) -> Vec<Range<u32>> {
        match self {
            Self::Ids(ids) => vec![ids.clone()],
            Self::Group(_) => Vec::new(),
            Self::Percent(percent) => {
                draw(scenario.seed, number, percent / 100.0, scenario.nodes.count)
            }
        }
    }
}

/// The ids of the group called `name`.
fn group(scenario: &Scenario, name: &str) -> Option<Range<u32>> {
    let mut first = 0;
    scenario.all_groups().find_map(|group| {
        let ids = first..first + group.count;
        first = ids.end;
        (group.name.as_deref() == Some(name)).then_some(ids)
    })
}

/// `share` of `0..total`, at least one, every choice equally likely.
fn draw(seed: u64, number: usize, share: f64, total: u32) -> Vec<Range<u32>> {
    if total == 0 {
        return Vec::new();
    }
    let count = ((f64::from(total) * share).round() as u32).clamp(1, total);
    if count == total {
        return vec![Range { start: 0, end: total }];
    }
    let mut stream = stream(seed, 0, Purpose::FaultTargets, number as u32);
    // Floyd's algorithm (Bentley and Floyd 1987): `count` distinct ids in as many draws.
    let mut drawn = std::collections::BTreeSet::new();
    for last in total - count..total {
        let id = below(&mut stream, last + 1);
        if !drawn.insert(id) {
            drawn.insert(last);
        }
    }
    let mut ranges: Vec<Range<u32>> = Vec::new();
    for id in drawn {
        match ranges.last_mut() {
            Some(range) if range.end == id => range.end = id + 1,
            _ => ranges.push(id..id + 1),
        }
    }
    ranges
}

/// Servers: `"0..5"` (5 excluded), `"3"`, `3`, `"10%"`, or the name of a group.
pub(super) fn servers(walk: &mut Walk<'_>, item: &Item<'_>) -> Option<Targets> {
    targets(walk, item, "names no servers", true)
}

/// Nodes: `"0..5"` (5 excluded), `"3"`, `3` or `"10%"`.
pub(super) fn nodes(walk: &mut Walk<'_>, item: &Item<'_>) -> Option<Targets> {
    targets(walk, item, "names no nodes", false)
}

fn targets(walk: &mut Walk<'_>, item: &Item<'_>, problem: &str, groups: bool) -> Option<Targets> {
    let targets = match &item.node.value {
        Value::Text(text) => parse(text.trim(), groups),
        Value::Whole(Some(whole)) => parse_ids(&whole.to_string()).map(Targets::Ids),
        _ => None,
    };
    if targets.is_none() {
        let group = if groups { ", or the name of a group" } else { "" };
        walk.refuse(item, problem).allowed = Some(format!(
            "ids from the first to before the last, \"0..5\", one id, \"3\", a share, \"10%\"{group}"
        ));
    }
    targets
}

fn parse(text: &str, groups: bool) -> Option<Targets> {
    if let Some(number) = text.strip_suffix('%') {
        let percent: f64 = number.trim().parse().ok()?;
        return percent.is_finite().then_some(Targets::Percent(percent));
    }
    let name = text.starts_with(|c: char| c.is_ascii_alphabetic()) && groups;
    if name { Some(Targets::Group(text.to_owned())) } else { parse_ids(text).map(Targets::Ids) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(ranges: &[Range<u32>]) -> u32 {
        ranges.iter().map(|range| range.end - range.start).sum()
    }

    #[test]
    fn a_share_is_rounded_distinct_and_of_the_seed() {
        for (share, total, expected) in
            [(0.1, 100, 10), (0.01, 50, 1), (0.001, 10, 1), (1.0, 7, 7), (0.5, 9, 5)]
        {
            let drawn = draw(1, 0, share, total);
            assert_eq!(count(&drawn), expected, "{share} of {total}");
            assert!(drawn.windows(2).all(|pair| pair[0].end < pair[1].start), "{drawn:?}");
            assert!(drawn.iter().all(|range| range.end <= total));
            assert_eq!(drawn, draw(1, 0, share, total));
        }
        assert_ne!(draw(1, 0, 0.1, 1_000), draw(2, 0, 0.1, 1_000), "another seed");
        assert_ne!(draw(1, 0, 0.1, 1_000), draw(1, 1, 0.1, 1_000), "another fault");
    }

    /// Every id is drawn as often as any other: chi-square over 20 ids at 4 000 draws of 5;
    /// the bound is the 1 - 1e-6 quantile at 19 degrees of freedom.
    #[test]
    fn a_share_favours_nobody() {
        let mut counts = [0_u32; 20];
        for seed in 0..4_000 {
            for id in draw(seed, 0, 0.25, 20).into_iter().flatten() {
                counts[id as usize] += 1;
            }
        }
        // Each is in a sample with chance 1/4, so the variance is 3/4 of the mean.
        let chi: f64 =
            counts.iter().map(|&n| (f64::from(n) - 1_000.0).powi(2) / (1_000.0 * 0.75)).sum();
        assert!(chi * 19.0 / 20.0 < 64.0, "chi-square {chi}: {counts:?}");
    }
}
