//! When a simulated value agrees with a known one.
//!
//! 20 independent replications give a mean and the half width `h` of its 99 % Student-t interval. A
//! target is met when `h` is small enough to tell and `|mean - theory| <= hypot(h, t se) + tolerance
//! |theory|`, where `se` is the standard error of the known value (0 for exact ones). Too wide an
//! interval is a failure, not a pass. The rules are those of `data/oracles/README.md`.

use serde::{Deserialize, Serialize};
use sim_core::stats::{mean_interval, student_t};

/// Replications of a case.
pub const REPLICATIONS: u32 = 20;
/// Confidence of the interval of one target.
pub const CONFIDENCE: f64 = 0.99;
/// The first round may have as many misses as honest targets have with this probability.
pub const FAMILY: f64 = 0.999;

/// Values in the tables are written to 12 digits, which shows where nothing is left to chance.
const DIGITS: f64 = 1e-11;

/// How well a target must be known, and what else is allowed for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// Means.
    R1,
    /// Waits, heavier tails.
    R2,
    /// Standard deviations.
    R3,
    /// Quantiles.
    Rq,
    /// The 99.9th percentile.
    Rq3,
    /// Probabilities and shares.
    Rp,
    /// Limits of large fleets.
    Rl,
    /// Limits with stale information.
    Rls,
    /// Values that were simulated themselves.
    Rm,
    /// Published ranges: half the range stands in place of a standard error.
    Rr,
    /// Identities: every replication by itself.
    Rx,
}

impl Rule {
    /// Its name in the tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::R1 => "R1",
            Self::R2 => "R2",
            Self::R3 => "R3",
            Self::Rq => "RQ",
            Self::Rq3 => "RQ3",
            Self::Rp => "RP",
            Self::Rl => "RL",
            Self::Rls => "RLS",
            Self::Rm => "RM",
            Self::Rr => "RR",
            Self::Rx => "RX",
        }
    }

    /// Widest half interval that can tell, for a known value.
    pub fn widest(self, theory: f64) -> f64 {
        let (share, least) = match self {
            Self::R1 | Self::Rl | Self::Rls => (0.01, 0.0),
            Self::R2 | Self::Rq | Self::Rm => (0.02, 0.0),
            Self::R3 | Self::Rq3 => (0.05, 0.0),
            Self::Rp => (0.02, 5e-4),
            Self::Rr => (5e-4, 0.0),
            Self::Rx => (1e-9, 1e-9),
        };
        f64::max(share * theory.abs(), least)
    }

    /// What is allowed for beyond chance, as a share of the known value: the buckets of a histogram, and
    /// that a limit is no finite fleet.
    pub const fn tolerance(self) -> f64 {
        match self {
            Self::R1 | Self::R2 | Self::R3 | Self::Rp | Self::Rm | Self::Rr => 0.0,
            Self::Rq | Self::Rq3 => 0.001,
            Self::Rl => 0.005,
            Self::Rls => 0.01,
            Self::Rx => 1e-9,
        }
    }
}

/// What came of a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It agrees.
    Pass,
    /// It does not.
    Miss,
    /// The interval is too wide to tell.
    TooWide,
    /// Some replication gave no value at all.
    NoValue,
}

impl Verdict {
    /// Its name in the tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Miss => "miss",
            Self::TooWide => "too wide",
            Self::NoValue => "no value",
        }
    }
}

/// The values of the replications beside the known one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Judgement {
    /// Their mean; NaN without values.
    pub mean: f64,
    /// Half the width of its interval.
    pub half_width: f64,
    /// How far the mean may be from the known value.
    pub allowed: f64,
    /// What follows.
    pub verdict: Verdict,
}

/// Compares the values of the replications with a known value and its standard error.
pub fn judge(rule: Rule, theory: f64, theory_se: f64, values: &[Option<f64>]) -> Judgement {
    let known: Vec<f64> = values.iter().copied().flatten().filter(|x| x.is_finite()).collect();
    let interval = mean_interval(&known, CONFIDENCE);
    let (mean, half_width) = interval
        .map_or((f64::NAN, f64::INFINITY), |i| (i.mean, i.half_width.unwrap_or(f64::INFINITY)));
    let t = student_t((values.len() as u32).max(2) - 1, CONFIDENCE);
    let slack = rule.tolerance() * f64::max(theory.abs(), if rule == Rule::Rx { 1.0 } else { 0.0 });
    let written = DIGITS * theory.abs();
    let allowed = match rule {
        Rule::Rx => slack,
        Rule::Rr => half_width + theory_se,
        _ => half_width.hypot(t * theory_se) + slack + written,
    };
    let verdict = if known.len() < values.len() || known.len() < 2 {
        Verdict::NoValue
    } else if rule == Rule::Rx {
        let exact = known.iter().all(|x| (x - theory).abs() <= slack);
        if exact { Verdict::Pass } else { Verdict::Miss }
    } else if half_width > rule.widest(theory) {
        Verdict::TooWide
    } else if (mean - theory).abs() > allowed {
        Verdict::Miss
    } else {
        Verdict::Pass
    };
    Judgement { mean, half_width, allowed, verdict }
}

/// How many of `targets` honest ones miss at most in a first round, with probability [`FAMILY`]: the
/// quantile of the binomial law. More misses than that fail the whole, whatever repeating them shows.
pub fn misses_allowed(targets: usize) -> usize {
    let (n, miss) = (targets as f64, 1.0 - CONFIDENCE);
    let mut chance = libm::pow(CONFIDENCE, n);
    let mut sum = chance;
    let mut allowed = 0;
    while sum < FAMILY && allowed < targets {
        allowed += 1;
        chance *= (n - allowed as f64 + 1.0) / allowed as f64 * miss / CONFIDENCE;
        sum += chance;
    }
    allowed
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spread(mean: f64, by: f64) -> Vec<Option<f64>> {
        (0..20).map(|i| Some(mean + if i % 2 == 0 { by } else { -by })).collect()
    }

    #[test]
    fn near_and_narrow_passes_and_nothing_else_does() {
        // 20 values 10 +- 0.1: h = 2.861 x 0.1026 / sqrt(20) = 0.0656.
        let judged = judge(Rule::R1, 10.0, 0.0, &spread(10.06, 0.1));
        assert!((judged.half_width - 0.0656).abs() < 1e-3, "{judged:?}");
        assert_eq!(judged.verdict, Verdict::Pass);
        assert_eq!(judge(Rule::R1, 10.0, 0.0, &spread(10.07, 0.1)).verdict, Verdict::Miss);
        assert_eq!(judge(Rule::R1, 10.0, 0.0, &spread(10.0, 0.2)).verdict, Verdict::TooWide);
        assert_eq!(judge(Rule::R2, 10.0, 0.0, &spread(10.0, 0.2)).verdict, Verdict::Pass);
        // Known to 0.01 only, and so 2.861 x 0.01 more is allowed, added as squares.
        assert_eq!(judge(Rule::R1, 10.0, 0.01, &spread(10.07, 0.1)).verdict, Verdict::Pass);
        let mut gap = spread(10.0, 0.1);
        gap[3] = None;
        assert_eq!(judge(Rule::R1, 10.0, 0.0, &gap).verdict, Verdict::NoValue);
    }

    #[test]
    fn an_identity_holds_in_every_replication() {
        let mut values = vec![Some(1.0); 20];
        assert_eq!(judge(Rule::Rx, 1.0, 0.0, &values).verdict, Verdict::Pass);
        values[7] = Some(1.0 - 1e-4);
        assert_eq!(judge(Rule::Rx, 1.0, 0.0, &values).verdict, Verdict::Miss);
    }

    /// Against the definition of the binomial quantile, summed from the other end.
    #[test]
    fn as_many_misses_are_allowed_as_chance_makes() {
        assert_eq!([misses_allowed(0), misses_allowed(1), misses_allowed(10)], [0, 1, 2]);
        for n in [50, 500, 2_000] {
            let allowed = misses_allowed(n);
            let (mean, sd) = (n as f64 * 0.01, (n as f64 * 0.01 * 0.99).sqrt());
            assert!(
                (allowed as f64 - mean) / sd > 2.9 && (allowed as f64 - mean) / sd < 5.0,
                "{n}"
            );
        }
    }
}
