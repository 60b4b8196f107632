//! Standings in words that help to decide.

use std::fmt::Write;

use sim_core::columns::Metric;
use sim_core::stats::contest::{Direction, Finding, Rival};

use super::standing::{Contestant, STEADY_METRICS, Standing};
use crate::number;

/// A difference in the share of answered requests that makes latencies hard to compare.
const SUCCESS_GAP: f64 = 0.001;

/// Everything about one metric, with a line feed at its end.
pub fn report(metric: &Metric, better: Direction, standings: &[Standing]) -> String {
    let mut text = format!("{} [{}], {} is better\n", metric.name, metric.unit, better.name());
    for standing in standings {
        let place = place(standing);
        if !place.is_empty() {
            let _ = writeln!(text, "\n{place}:");
        }
        text.push_str(&table(metric, standing));
        let _ = writeln!(text, "  => {}", conclusion(better, standing));
        if let Some(note) = note(metric, standing) {
            let _ = writeln!(text, "  note: {note}");
        }
    }
    if standings.len() > 1 {
        let _ = write!(text, "\n{}", tally(standings));
    }
    text
}

/// A sentence a setting, at most so many, and the tally; one sentence where all settings say the same.
pub fn digest(metric: &Metric, better: Direction, standings: &[Standing], most: usize) -> String {
    let mut text = format!("{}, {} is better:\n", metric.name, better.name());
    if let Some(same) = same_everywhere(metric, better, standings) {
        let _ = writeln!(text, "  in all {} settings: {same}", standings.len());
        return text;
    }
    for standing in standings.iter().take(most) {
        let place = place(standing);
        let place = if place.is_empty() { place } else { format!("{place}: ") };
        let _ = writeln!(text, "  {place}{}", conclusion(better, standing));
        if let Some(note) = note(metric, standing) {
            let _ = writeln!(text, "    note: {note}");
        }
    }
    if standings.len() > most {
        let _ = writeln!(text, "  ... {} more: see `lbsim compare`", standings.len() - most);
    }
    if standings.len() > 1 {
        text.push_str(&tally(standings));
    }
    text
}

/// What is concluded in each of several settings, if that is the same and nothing is to be added.
fn same_everywhere(metric: &Metric, better: Direction, standings: &[Standing]) -> Option<String> {
    let [first, others @ ..] = standings else { return None };
    let same = conclusion(better, first);
    let is_same = |other: &Standing| conclusion(better, other) == same;
    let noted = standings.iter().any(|standing| note(metric, standing).is_some());
    (!others.is_empty() && !noted && others.iter().all(is_same)).then_some(same)
}

/// Key and value of what is the same for all in a setting.
fn place(standing: &Standing) -> String {
    let keys = standing.setting.iter().map(|(key, value)| format!("{key} = {value}"));
    keys.collect::<Vec<_>>().join(", ")
}

/// What the figures rest on, once for all metrics.
pub const LEGEND: &str = "± and ranges are 95 % confidence intervals; differences are of paired runs (same requests),\n\
     and all statements of one table hold together with 95 % confidence (Bonferroni).\n";

/// A line an alternative: the best first, then the others by mean, then who is not ranked.
fn table(metric: &Metric, standing: &Standing) -> String {
    let Standing { contestants, contest, .. } = standing;
    let width = contestants.iter().map(|c| c.label.chars().count()).max().unwrap_or(0);
    let mut lines: Vec<(usize, String)> = Vec::new();
    if let Some(contest) = contest {
        let what = if contest.rivals.is_empty() { "the only one ranked" } else { "best" };
        lines.push((contest.best, what.to_owned()));
        let best = contestants[contest.best].estimate.map(|estimate| estimate.mean);
        let told = contest.rivals.iter().map(|rival| (rival.entrant, told(metric, rival, best)));
        lines.extend(told);
    }
    let ranked: Vec<usize> = lines.iter().map(|(entrant, _)| *entrant).collect();
    let others = (0..contestants.len()).filter(|entrant| !ranked.contains(entrant));
    lines.extend(others.map(|entrant| (entrant, why_not(&contestants[entrant]))));
    let cells: Vec<String> =
        lines.iter().map(|(entrant, _)| cell(metric, &contestants[*entrant])).collect();
    let cell_width = cells.iter().map(|cell| cell.chars().count()).max().unwrap_or(0);
    lines.iter().zip(cells).fold(String::new(), |mut text, ((entrant, told), cell)| {
        let Contestant { label, failed, .. } = &contestants[*entrant];
        let _ = write!(text, "  {label:width$}  {cell:>cell_width$}  {told}");
        if *failed > 0 {
            let _ = write!(text, " ({} failed)", number::counted(*failed as u64, "run"));
        }
        text.push('\n');
        text
    })
}

fn cell(metric: &Metric, contestant: &Contestant) -> String {
    let known = contestant.estimate.as_ref();
    known.map_or_else(|| "-".to_owned(), |known| number::estimate(known, metric.unit))
}

/// How a rival compares with the best.
fn told(metric: &Metric, rival: &Rival, best: Option<f64>) -> String {
    let Some(difference) = &rival.difference else {
        return "no replication in common with the best".to_owned();
    };
    let interval = difference.interval;
    if (interval.mean, interval.half_width) == (0.0, Some(0.0)) {
        return "no difference shown: the same in every replication".to_owned();
    }
    let by = by(metric, interval.mean, best);
    let range = interval.half_width.map(|half| {
        let [low, high] = [interval.mean - half, interval.mean + half];
        format!("{} to {}", signed(low, half), signed(high, half))
    });
    match (rival.finding, range) {
        (Finding::Worse, Some(range)) => format!("worse: {by}, {range}"),
        (Finding::NoDifference, Some(range)) => format!("no difference shown: {by}, {range}"),
        _ => format!("{by}; one replication tells nothing about chance"),
    }
}

/// A difference in the metric's unit and in percent of the best.
fn by(metric: &Metric, difference: f64, best: Option<f64>) -> String {
    let unit = if matches!(metric.unit, "share" | "ratio") { "" } else { metric.unit };
    let text = format!("{:+.prec$} {unit}", difference, prec = digits(difference));
    let text = text.trim_end().to_owned();
    match best.filter(|best| *best != 0.0) {
        Some(best) => format!("{text} ({:+.1} %)", 100.0 * difference / best.abs()),
        None => text,
    }
}

/// An end of an interval, with two digits of its half-width.
fn signed(value: f64, half_width: f64) -> String {
    let prec = if half_width == 0.0 { digits(value) } else { digits(half_width).saturating_sub(1) };
    format!("{value:+.prec$}")
}

/// Digits after the point that show three of a number.
fn digits(value: f64) -> usize {
    if value == 0.0 || value.fract() == 0.0 && value.abs() >= 100.0 {
        return 0;
    }
    (2 - value.abs().log10().floor() as i32).clamp(0, 9) as usize
}

fn why_not(contestant: &Contestant) -> String {
    let Contestant { replications, estimate, unsteady, .. } = contestant;
    match (replications, estimate, unsteady) {
        (0, ..) => "not ranked: no run was finished".to_owned(),
        (_, None, _) => "not ranked: nothing is known of it".to_owned(),
        (.., Some(verdict)) => format!("not ranked: {verdict}, there is no steady state"),
        _ => "not ranked".to_owned(),
    }
}

/// One sentence: who wins, or between whom no difference is shown.
pub fn conclusion(better: Direction, standing: &Standing) -> String {
    let Some(contest) = &standing.contest else {
        return "nobody can be ranked".to_owned();
    };
    let leaders = standing.leaders();
    let label = |entrant: usize| standing.contestants[entrant].label.as_str();
    let best = label(contest.best);
    if contest.rivals.is_empty() {
        return format!("{best} is the only one that can be ranked");
    }
    if contest.rivals.iter().any(|rival| rival.finding == Finding::TooFew) {
        return format!(
            "{best} has the best mean, but one replication tells nothing about chance: \
             use at least 5 replications"
        );
    }
    let worse: Vec<&Rival> =
        contest.rivals.iter().filter(|rival| rival.finding == Finding::Worse).collect();
    let mean = standing.contestants[contest.best].estimate.map(|estimate| estimate.mean);
    let how_much = |rival: &&Rival| {
        let percent = rival.difference.zip(mean).filter(|(_, mean)| *mean != 0.0);
        let percent = percent.map(|(difference, mean)| {
            let percent = (100.0 * difference.interval.mean / mean).abs();
            let sign = if better == Direction::Less { "more" } else { "less" };
            format!(" ({percent:.1} % {sign})")
        });
        format!("{}{}", label(rival.entrant), percent.unwrap_or_default())
    };
    let worse_list = worse.iter().map(how_much).collect::<Vec<_>>().join(", ");
    match (leaders.len(), worse.is_empty()) {
        (1, _) => format!("{best} is best; worse: {worse_list}"),
        (_, true) => format!("no difference shown between {}", leaders.join(", ")),
        (_, false) => {
            format!("no difference shown between {}; worse: {worse_list}", leaders.join(", "))
        }
    }
}

/// Where a leader in latency answers fewer requests than somebody else.
pub fn note(metric: &Metric, standing: &Standing) -> Option<String> {
    if !STEADY_METRICS.iter().any(|start| metric.name.starts_with(start)) {
        return None;
    }
    let known = |contestant: &Contestant| Some((contestant.label.clone(), contestant.success?));
    let shares: Vec<(String, f64)> = standing.contestants.iter().filter_map(known).collect();
    let most = shares.iter().map(|(_, share)| *share).fold(0.0, f64::max);
    let leaders = standing.leaders();
    let fewer: Vec<String> = shares
        .iter()
        .filter(|(label, share)| leaders.contains(&label.as_str()) && most - share > SUCCESS_GAP)
        .map(|(label, share)| format!("{label} answers only {} %", percent(*share)))
        .collect();
    (!fewer.is_empty()).then(|| {
        format!(
            "latencies are of answered requests, and {} (the best {} %)",
            fewer.join(", "),
            percent(most)
        )
    })
}

/// A share in percent, with as many digits as it takes to see what fails.
fn percent(share: f64) -> String {
    let text = format!("{:.4}", 100.0 * share);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// How often each alternative leads.
fn tally(standings: &[Standing]) -> String {
    let mut counts: Vec<(&str, u32, u32)> = Vec::new();
    for standing in standings {
        let leaders = standing.leaders();
        for leader in &leaders {
            let alone = u32::from(leaders.len() == 1);
            match counts.iter_mut().find(|(label, ..)| label == leader) {
                Some((_, wins, shared)) => (*wins, *shared) = (*wins + alone, *shared + 1 - alone),
                None => counts.push((leader, alone, 1 - alone)),
            }
        }
    }
    counts.sort_by_key(|(_, alone, shared)| std::cmp::Reverse((*alone, *shared)));
    let mut text = format!("in {} settings:\n", standings.len());
    for (label, alone, shared) in counts {
        let _ = writeln!(text, "  {label}: best in {alone}, level with the best in {shared} more");
    }
    text
}
