//! A small picture of latency distributions in block characters, one line each, over one axis.

use std::fmt::Write;

use hdrhistogram::Histogram;

use crate::number;

/// Width of the picture [characters].
const WIDTH: usize = 60;
/// Heights from the smallest share above 0 to the largest of the picture.
const BLOCKS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// Draws the distributions under each other, with a common logarithmic axis. Heights are
/// relative to each one's own peak: a law with a single value would flatten all others.
///
/// Empty when nothing was recorded at all.
pub fn latencies(distributions: &[(&str, Histogram<u64>)]) -> String {
    let Some(axis) = Axis::around(distributions) else {
        return String::new();
    };
    let rows: Vec<(&str, [f64; WIDTH])> =
        distributions.iter().map(|(label, histogram)| (*label, axis.shares(histogram))).collect();
    let label_width = rows.iter().map(|(label, _)| label.chars().count()).max().unwrap_or(0);

    let mut text =
        "latency of ok requests, logarithmic, each line scaled to its own peak\n".to_owned();
    for (label, shares) in rows {
        let highest = shares.iter().copied().fold(0.0, f64::max);
        let blocks: String = shares.iter().map(|share| block(share / highest)).collect();
        let _ = writeln!(text, "{label:label_width$}  {}", blocks.trim_end());
    }
    for line in axis.labels() {
        let _ = writeln!(text, "{:label_width$}  {}", "", line.trim_end());
    }
    text
}

/// The block for a height in `[0, 1]`; a blank for nothing only, so that rare values show.
fn block(height: f64) -> char {
    if height <= 0.0 {
        return ' ';
    }
    let level = (height * BLOCKS.len() as f64).ceil() as usize;
    BLOCKS[level.clamp(1, BLOCKS.len()) - 1]
}

/// A logarithmic axis [ns] from its first to its last character.
struct Axis {
    low: f64,
    high: f64,
}

impl Axis {
    /// The narrowest axis between values of the series 1, 2, 5, 10, ... that holds everything.
    fn around(distributions: &[(&str, Histogram<u64>)]) -> Option<Self> {
        let filled = || distributions.iter().map(|(_, h)| h).filter(|h| !h.is_empty());
        let smallest = filled().map(Histogram::min).min()?.max(1);
        let largest = filled().map(Histogram::max).max()?.max(2);
        let low = ticks().take_while(|tick| *tick <= smallest.min(u64::MAX - 1)).last()?;
        let high = ticks().find(|tick| *tick >= largest && *tick > low)?;
        Some(Self { low: low as f64, high: high as f64 })
    }

    /// Where a value lies; values beyond an end lie at that end.
    fn position(&self, ns: f64) -> usize {
        let share = (ns.max(1.0) / self.low).log10() / (self.high / self.low).log10();
        (share * WIDTH as f64).clamp(0.0, (WIDTH - 1) as f64) as usize
    }

    /// Share of the recorded values at each position.
    fn shares(&self, histogram: &Histogram<u64>) -> [f64; WIDTH] {
        let mut shares = [0.0; WIDTH];
        for step in histogram.iter_recorded() {
            let position = self.position(step.value_iterated_to() as f64);
            shares[position] += step.count_since_last_iteration() as f64 / histogram.len() as f64;
        }
        shares
    }

    /// A line of marks and a line of values under them: as many of the series as find room.
    fn labels(&self) -> [String; 2] {
        let (mut marks, mut values) = (String::new(), String::new());
        for tick in ticks().skip_while(|tick| (*tick as f64) < self.low) {
            if tick as f64 > self.high {
                break;
            }
            let position = self.position(tick as f64);
            // Two blanks between a value and the next; the first stands at 0.
            let used = values.chars().count();
            if used > 0 && position < used + 2 {
                continue;
            }
            marks.push_str(&" ".repeat(position - marks.chars().count()));
            values.push_str(&" ".repeat(position - used));
            marks.push('|');
            values.push_str(&number::duration(tick));
        }
        [marks, values]
    }
}

/// 1, 2, 5, 10, 20, ... up to 10^19 ns, which is 317 years, and last the largest number there is.
fn ticks() -> impl Iterator<Item = u64> {
    (0..=18)
        .flat_map(|power| [1, 2, 5].map(|digit| digit * 10_u64.pow(power)))
        .chain([10_u64.pow(19), u64::MAX])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn histogram(values: &[u64]) -> Histogram<u64> {
        let mut histogram = Histogram::new_with_bounds(1, u64::MAX, 3).expect("valid bounds");
        for &value in values {
            histogram.saturating_record(value);
        }
        histogram
    }

    #[test]
    fn the_axis_holds_all_distributions_and_is_labelled() {
        let ms = 1_000_000;
        let fast: Vec<u64> = (1..=100).map(|i| i * ms).collect();
        let picture = latencies(&[("fast", histogram(&fast)), ("slower", histogram(&[900 * ms]))]);
        insta::assert_snapshot!(picture, @r#"
latency of ok requests, logarithmic, each line scaled to its own peak
fast         ▁    ▁   ▁ ▁ ▁▁▁▁▁▁▁▂▂▂▂▃▃▃▃▄▄▄▆▆▆███
slower                                                             █
        |         |       |          |      |          |           |
        500 µs    2 ms    5 ms       20 ms  50 ms      200 ms      1 s
"#);
    }

    #[test]
    fn nothing_recorded_draws_nothing() {
        assert_eq!(latencies(&[]), "");
        assert_eq!(latencies(&[("none", histogram(&[]))]), "");
    }

    #[test]
    fn any_value_can_be_drawn() {
        for values in [&[0][..], &[1], &[u64::MAX], &[0, u64::MAX], &[5, 5, 5]] {
            assert!(latencies(&[("x", histogram(values))]).contains('█'), "{values:?}");
        }
    }
}
