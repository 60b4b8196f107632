//! Running cases: a first look, the measurement, and a second one for what missed.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

use rayon::prelude::*;
use sim_core::rng::mix;
use sim_core::simulation::{Options, Simulation};

use super::experiment::Seen;
use super::record::Line;
use super::rule::{Judgement, REPLICATIONS, Verdict, judge};
use super::table::{Case, Target};
use crate::sweep::identity::digest;

/// The measured window is longer than the first look asks for, by this: a guess of a spread is rough.
const MARGIN: f64 = 2.0;
/// What missed is run again for so many times as long.
const AGAIN: f64 = 4.0;

/// How to run cases.
pub struct Effort<'a> {
    /// All seeds derive from this.
    pub seed: u64,
    /// Most events of a case in its first round, over all replications.
    pub events_max: f64,
    /// Whether what missed gets a second measurement.
    pub repeats: bool,
    /// Set from outside: what goes on is dropped.
    pub stop: &'a AtomicBool,
    /// What measures, for the record.
    pub build: &'a str,
    /// Replications finished, for progress.
    pub finished: &'a AtomicU64,
}

/// It was told to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("stopped")]
pub struct Stopped;

/// The values of one column over the replications.
type Values = Vec<Option<f64>>;

impl Effort<'_> {
    /// Runs a case to its verdicts, a line for each target.
    ///
    /// # Errors
    /// When it is told to stop.
    pub fn run(&self, case: &Case) -> Result<Vec<Line>, Stopped> {
        let targets = case.targets();
        let experiment = &case.experiment;
        let most = self.events_max / f64::from(REPLICATIONS) / experiment.events;
        let most = most.min(experiment.longest);
        let window = if experiment.is_scalable {
            let look = self.replicate(case, &targets, experiment.pilot.min(most), 0)?;
            let asked = targets.iter().zip(&look).map(|(target, values)| stretch(target, values));
            let asked = MARGIN * asked.fold(0.1, f64::max);
            (experiment.pilot * asked).min(most)
        } else {
            experiment.pilot
        };
        let first = self.replicate(case, &targets, window, 1)?;
        let mut lines: Vec<Line> = Vec::new();
        for (target, values) in targets.iter().zip(&first) {
            let judged = judge(target.rule, target.theory, target.se, values);
            lines.push(self.line(case, *target, judged, window, 1));
        }
        // How many times as long tells more. Where the limit cut it short by far, nothing it allows would.
        let times = |line: &Line| match line.verdict {
            Verdict::Pass => 0.0,
            Verdict::Miss | Verdict::NoValue => AGAIN,
            Verdict::TooWide => excess(line.half_width, line.widest),
        };
        let limit = (AGAIN * most / window).max(AGAIN);
        let may_help = |line: &Line| times(line) > 0.0 && times(line) <= limit;
        let asked = lines.iter().filter(|line| may_help(line)).map(times).fold(0.0, f64::max);
        // A spread is known roughly: half as much again.
        let stretched = window * (1.5 * asked).clamp(AGAIN, limit);
        // What has missed for the first time in the second round, being too wide in the first, gets another
        // look as everybody does.
        let mut window = window;
        for round in 2..=3 {
            let again = |line: &Line| match round {
                2 => may_help(line),
                _ => {
                    line.round == 2 && line.first != Verdict::Miss && line.verdict == Verdict::Miss
                }
            };
            if !self.repeats || !lines.iter().any(again) {
                continue;
            }
            // What cannot be longer is done again as it is.
            let longer = if round == 2 { stretched } else { window * AGAIN };
            let longer = longer.min(experiment.longest);
            window = if experiment.is_scalable { longer } else { window };
            let values = self.replicate(case, &targets, window, round)?;
            for ((target, values), line) in targets.iter().zip(&values).zip(&mut lines) {
                if again(line) {
                    let judged = judge(target.rule, target.theory, target.se, values);
                    // What could not be told at first counts as what it was told to be first.
                    let first = if round == 3 { line.verdict } else { line.first };
                    *line = Line { first, ..self.line(case, *target, judged, window, round) };
                }
            }
        }
        Ok(lines)
    }

    /// The seed of a case in a round: all differ, so that one unlucky draw is one miss.
    pub fn seed_of(&self, case: &Case, round: u64) -> u64 {
        let name = digest(case.name().as_bytes()).to_string();
        let name = u64::from_str_radix(&name[..16], 16).expect("hexadecimal digits");
        mix(mix(self.seed ^ name).wrapping_add(round)) >> 1
    }

    fn line(
        &self,
        case: &Case,
        target: Target<'_>,
        judged: Judgement,
        window: f64,
        round: u64,
    ) -> Line {
        Line {
            case: case.named(target.row.id()),
            table: case.table.name.to_owned(),
            metric: target.column.name.to_owned(),
            unit: target.column.unit.to_owned(),
            rule: target.rule.name().to_owned(),
            theory: target.theory,
            theory_se: target.se,
            simulated: judged.mean,
            half_width: judged.half_width,
            widest: target.rule.widest(target.theory),
            allowed: judged.allowed,
            replications: REPLICATIONS,
            window,
            seed: self.seed_of(case, round),
            round,
            first: judged.verdict,
            verdict: judged.verdict,
            build: self.build.to_owned(),
        }
    }

    /// The values of each target over the replications.
    fn replicate(
        &self,
        case: &Case,
        targets: &[Target<'_>],
        window: f64,
        round: u64,
    ) -> Result<Vec<Values>, Stopped> {
        let scenario = case.experiment.scenario(&case.name(), window, self.seed_of(case, round));
        let by_replication: Vec<Result<Values, Stopped>> = (0..REPLICATIONS)
            .into_par_iter()
            .map(|replication| {
                let options = Options::default();
                let mut simulation = Simulation::new(&scenario, 0, replication, options)
                    .expect("no experiment needs a trace");
                while simulation.advance().expect("no experiment needs a trace") {
                    if self.stop.load(Relaxed) {
                        return Err(Stopped);
                    }
                }
                let run = simulation.finish();
                let flaw = super::invariants::flaw(&scenario, &run);
                assert_eq!(flaw, None, "{} in replication {replication}", case.name());
                self.finished.fetch_add(1, Relaxed);
                let value = |target: &Target<'_>| {
                    let seen = Seen { row: target.row, scenario: &scenario, run: &run };
                    (target.column.measure)(&seen)
                };
                Ok(targets.iter().map(value).collect())
            })
            .collect();
        let by_replication =
            by_replication.into_iter().collect::<Result<Vec<Values>, Stopped>>()?;
        let of = |index: usize| by_replication.iter().map(|values| values[index]).collect();
        Ok((0..targets.len()).map(of).collect())
    }
}

/// How many times as long a run must be for this target to be known well enough.
fn stretch(target: &Target<'_>, values: &Values) -> f64 {
    let judged = judge(target.rule, target.theory, target.se, values);
    let widest = target.rule.widest(target.theory);
    match judged.verdict {
        // Never seen: too rare for the first look.
        Verdict::NoValue => f64::INFINITY,
        _ if judged.mean == 0.0 && target.theory.abs() > widest => f64::INFINITY,
        _ => excess(judged.half_width, widest),
    }
}

/// How many times as long a run makes an interval as narrow as it should be: it narrows with the square root.
fn excess(half_width: f64, widest: f64) -> f64 {
    (half_width / widest).powi(2)
}
