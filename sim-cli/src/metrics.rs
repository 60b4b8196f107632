//! `lbsim list metrics`: every figure of a run and what it says.

use std::fmt::Write;

use sim_core::columns::METRICS;
use sim_core::stats::contest::Direction;

/// One line a metric: name, unit, which of two values is better, and meaning, aligned.
pub fn metrics() -> String {
    let width = |text: fn(usize) -> usize| (0..METRICS.len()).map(text).max().unwrap_or(0);
    let names = width(|i| METRICS[i].name.len());
    let units = width(|i| METRICS[i].unit.len());
    METRICS.iter().fold(String::new(), |mut text, metric| {
        let better = metric.better.map_or("", Direction::name);
        let _ = writeln!(
            text,
            "{:names$}  {:units$}  {better:4}  {}",
            metric.name, metric.unit, metric.meaning
        );
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_metric_has_a_line() {
        let text = metrics();
        assert_eq!(text.lines().count(), METRICS.len());
        let line = text.lines().find(|line| line.starts_with("success_rate ")).expect("its line");
        let words: Vec<&str> = line.split_whitespace().collect();
        assert_eq!(words, ["success_rate", "share", "more", "`ok`", "over", "`arrived`."]);
    }
}
