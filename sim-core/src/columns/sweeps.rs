//! The columns that only the tables of a sweep have.

use super::{Key, POLICY_KEY, RUN_KEYS, RUN_NOTES};

/// Columns of a sweep's `runs.csv` before those of a run's: then follows one column an axis, under its
/// dotted key, unless the key has a column anyway (`policy`, `seed`).
pub const SWEEP_KEYS: [Key; 1] = [POINT_KEY];

/// Columns of a sweep's `runs.csv` between `RUN_KEYS` and the metrics.
pub const RUN_EXTRAS: [Key; 5] = [
    Key { name: "status", meaning: "`ok`, or `failed`: then no metric is known." },
    Key { name: "error", meaning: "Why the run failed." },
    RUN_NOTES[0],
    RUN_NOTES[1],
    Key {
        name: "warmup_too_short",
        meaning: "`true` if `warmup = \"auto\"` found no steady state in the first half of the run.",
    },
];

/// Columns of `points.csv` behind `point` and the axes.
pub const POINT_KEYS: [Key; 7] = [
    RUN_KEYS[0],
    POLICY_KEY,
    RUN_KEYS[2],
    Key { name: "seed", meaning: "Seed of all randomness." },
    Key { name: "replications", meaning: "Replications of the point, failed ones included." },
    Key {
        name: "replications_failed",
        meaning: "Of those, failed; the figures are those of the others.",
    },
    Key {
        name: "verdict",
        meaning: "`stable`, `backlogged` (work piled up) or `overloaded`: whether the figures \
                  describe a steady state; empty if every replication failed.",
    },
];

/// What `points.csv` holds of each metric: the suffix of its name.
pub const POINT_PARTS: [Key; 3] = [
    Key { name: "", meaning: "Mean over the replications." },
    Key { name: "_ci_low", meaning: "Lower end of its 95 % confidence interval (Student's t)." },
    Key { name: "_ci_high", meaning: "Upper end of the same." },
];

/// Columns of `paired.csv` behind `point`, `baseline_point` and the axes.
pub const PAIRED_KEYS: [Key; 2] = [
    POLICY_KEY,
    Key { name: "replications", meaning: "Pairs: replications that both points finished." },
];

/// Column of `paired.csv` behind `point`.
pub const BASELINE_KEY: Key = Key {
    name: "baseline_point",
    meaning: "The point it is compared with: equal in all that `baseline` does not name.",
};

/// What `paired.csv` holds of each metric: the suffix of its name.
pub const PAIRED_PARTS: [Key; 4] = [
    Key { name: "_diff", meaning: "Mean difference to the baseline, replication by replication." },
    Key { name: "_diff_ci_low", meaning: "Lower end of its 95 % confidence interval." },
    Key { name: "_diff_ci_high", meaning: "Upper end of the same." },
    Key {
        name: "_variance_reduction",
        meaning: "Variance of the difference had the two sides been independent, over that of the \
                  paired difference: above 1 where common random numbers help.",
    },
];

/// Number of the point.
pub const POINT_KEY: Key = Key {
    name: "point",
    meaning: "Number of the point, from 0: a combination of the axes and one policy.",
};
