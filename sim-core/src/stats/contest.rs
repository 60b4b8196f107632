//! Which of several alternatives is best on a metric, and which cannot be told from it.
//!
//! The alternative with the best mean is held against each of the others in turn, on the
//! replications that both have, with the paired difference: replications of one number share their
//! random draws. All these statements together are to be right with 95 % confidence, so each of the
//! `k - 1` gets an interval of confidence `1 - 5 % / (k - 1)` (Bonferroni).
//!
//! What this guarantees, though the best was picked by looking: the alternative that is truly best is
//! either the one picked, or among those of which no difference is shown, with at least 95 %
//! confidence (Hsu 1984, multiple comparisons with the best; Nelson and Matejcik 1995, with common
//! random numbers). It says nothing of the order among the others.

use super::{CONFIDENCE, PairedDifference, paired_difference};

/// Which of two values is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// The smaller one.
    Less,
    /// The larger one.
    More,
}

impl Direction {
    /// As it is written in tables: `less`, `more`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Less => "less",
            Self::More => "more",
        }
    }
}

/// What takes part.
#[derive(Clone, Debug, PartialEq)]
pub struct Entrant {
    /// Replications in which the metric is known, with its value; numbers rise.
    pub values: Vec<(u32, f64)>,
    /// Whether it may be called best: its figures describe a steady state.
    pub is_ranked: bool,
}

/// How one of the others compares with the best.
#[derive(Clone, Debug, PartialEq)]
pub struct Rival {
    /// Number of the entrant.
    pub entrant: usize,
    /// Its value minus that of the best. `None` without a replication that both have.
    pub difference: Option<PairedDifference>,
    /// What that shows.
    pub finding: Finding,
}

/// What a difference shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finding {
    /// It is worse than the best: the whole interval lies on the worse side of 0.
    Worse,
    /// The interval holds 0: chance alone could have made the difference.
    NoDifference,
    /// Fewer than two pairs tell nothing about chance.
    TooFew,
}

/// How a contest came out.
#[derive(Clone, Debug, PartialEq)]
pub struct Contest {
    /// Number of the entrant with the best mean.
    pub best: usize,
    /// The other ranked ones, from the best mean to the worst.
    pub rivals: Vec<Rival>,
}

/// Holds a contest. `None` if nobody can be ranked. Of equal means the first is taken as best.
pub fn contest(better: Direction, entrants: &[Entrant]) -> Option<Contest> {
    let mut order: Vec<(usize, f64)> = entrants
        .iter()
        .enumerate()
        .filter(|(_, entrant)| entrant.is_ranked)
        .filter_map(|(i, entrant)| Some((i, mean(&entrant.values)? * sign(better))))
        .collect();
    order.sort_by(|(_, a), (_, b)| a.total_cmp(b));
    let (&(best, _), others) = order.split_first()?;
    let confidence = 1.0 - (1.0 - CONFIDENCE) / others.len().max(1) as f64;
    let rival = |&(entrant, _): &(usize, f64)| {
        let (values, baseline) = pairs(&entrants[entrant].values, &entrants[best].values);
        let difference = paired_difference(&values, &baseline, confidence);
        Rival { entrant, difference, finding: finding(better, difference.as_ref()) }
    };
    Some(Contest { best, rivals: others.iter().map(rival).collect() })
}

/// With this factor the smaller value is the better one.
const fn sign(better: Direction) -> f64 {
    match better {
        Direction::Less => 1.0,
        Direction::More => -1.0,
    }
}

fn mean(values: &[(u32, f64)]) -> Option<f64> {
    let sum: f64 = values.iter().map(|(_, value)| value).sum();
    (!values.is_empty()).then(|| sum / values.len() as f64)
}

/// The values of the replications that both have.
fn pairs(values: &[(u32, f64)], baseline: &[(u32, f64)]) -> (Vec<f64>, Vec<f64>) {
    let both = values.iter().filter_map(|(replication, value)| {
        let at = baseline.binary_search_by_key(replication, |(replication, _)| *replication);
        Some((*value, baseline[at.ok()?].1))
    });
    both.unzip()
}

fn finding(better: Direction, difference: Option<&PairedDifference>) -> Finding {
    let interval = difference.map(|difference| difference.interval);
    match interval.and_then(|interval| Some((interval.low()?, interval.high()?))) {
        None => Finding::TooFew,
        Some((low, high)) => {
            let is_worse = match better {
                Direction::Less => low > 0.0,
                Direction::More => high < 0.0,
            };
            if is_worse { Finding::Worse } else { Finding::NoDifference }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Purpose, stream};
    use crate::stats::student_t;
    use crate::ziggurat::Normal;

    fn entrant(values: &[f64]) -> Entrant {
        Entrant { values: (0..).zip(values.iter().copied()).collect(), is_ranked: true }
    }

    fn findings(contest: &Contest) -> Vec<(usize, Finding)> {
        contest.rivals.iter().map(|rival| (rival.entrant, rival.finding)).collect()
    }

    #[test]
    fn the_best_is_first_and_the_others_follow_by_mean() {
        let entrants = [
            entrant(&[30.0, 31.0, 30.5]),
            entrant(&[10.0, 11.0, 10.4]),
            entrant(&[9.9, 11.2, 10.3]),
        ];
        let less = contest(Direction::Less, &entrants).unwrap();
        assert_eq!((less.best, entrants.len()), (1, 3), "of equal means the first");
        assert_eq!(findings(&less), [(2, Finding::NoDifference), (0, Finding::Worse)]);
        let more = contest(Direction::More, &entrants).unwrap();
        assert_eq!(more.best, 0);
        assert!(more.rivals.iter().all(|rival| rival.finding == Finding::Worse));
    }

    /// Of two rivals each gets confidence 97.5 %: differences 0.9, 1.0, 1.1 have the half-width
    /// t * 0.1 / sqrt(3).
    #[test]
    fn rivals_share_the_risk() {
        let best = entrant(&[1.0, 2.0, 3.0]);
        let near = entrant(&[1.9, 3.0, 4.1]);
        let far = entrant(&[100.0, 101.0, 102.0]);
        let half_width = |entrants: &[Entrant]| {
            let contest = contest(Direction::Less, entrants).unwrap();
            contest.rivals[0].difference.unwrap().interval.half_width.unwrap()
        };
        for (entrants, confidence) in
            [(vec![best.clone(), near.clone()], 0.95), (vec![best, near, far], 0.975)]
        {
            let expected = student_t(2, confidence) * 0.1 / 3.0_f64.sqrt();
            assert!((half_width(&entrants) - expected).abs() < 1e-9);
        }
    }

    #[test]
    fn only_common_replications_are_paired() {
        let best = Entrant { values: vec![(0, 1.0), (2, 3.0), (3, 5.0)], is_ranked: true };
        let rival = Entrant { values: vec![(1, 90.0), (2, 13.0), (3, 15.0)], is_ranked: true };
        let result = contest(Direction::Less, &[best.clone(), rival]).unwrap();
        let difference = result.rivals[0].difference.unwrap().interval;
        assert_eq!((difference.mean, difference.half_width), (10.0, Some(0.0)));
        let stranger = Entrant { values: vec![(7, 90.0)], is_ranked: true };
        let result = contest(Direction::Less, &[best, stranger]).unwrap();
        assert_eq!(
            (result.rivals[0].finding, result.rivals[0].difference),
            (Finding::TooFew, None)
        );
    }

    #[test]
    fn who_has_no_steady_state_or_no_value_is_not_ranked() {
        let unsteady = Entrant { is_ranked: false, ..entrant(&[1.0, 1.0]) };
        let unknown = entrant(&[]);
        let result =
            contest(Direction::Less, &[unsteady.clone(), entrant(&[5.0, 5.0]), unknown.clone()]);
        assert_eq!(result, Some(Contest { best: 1, rivals: Vec::new() }));
        assert_eq!(contest(Direction::Less, &[unsteady, unknown]), None);
        assert_eq!(contest(Direction::Less, &[]), None);
    }

    #[test]
    fn one_replication_shows_nothing() {
        let result = contest(Direction::Less, &[entrant(&[1.0]), entrant(&[9.0])]).unwrap();
        assert_eq!(findings(&result), [(1, Finding::TooFew)]);
    }

    /// Goal: the truly best is called worse in at most 5 % of contests, however many take part.
    /// Method: 2 000 contests of 6 equals over 5 replications, of which number 0 counts as the best.
    /// Bonferroni is conservative, and only every sixth contest or so puts it at risk from each.
    #[test]
    fn the_best_is_seldom_taken_for_worse() {
        let normal = Normal::default();
        let contests = 2_000;
        let wrong = (0..contests)
            .filter(|&number| {
                let mut stream = stream(number, 3, Purpose::Demand, 0);
                let shared: [f64; 5] = std::array::from_fn(|_| 10.0 * normal.draw(&mut stream));
                let entrants: Vec<Entrant> = (0..6)
                    .map(|_| entrant(&shared.map(|luck| luck + normal.draw(&mut stream))))
                    .collect();
                let result = contest(Direction::Less, &entrants).unwrap();
                findings(&result).contains(&(0, Finding::Worse))
            })
            .count();
        // 100 are allowed on average; more than 140 would be four standard deviations too many.
        assert!((1..=140).contains(&wrong), "{wrong} of {contests}");
    }
}
