//! Every key a sweep file may have: the one place that documents them.
//!
//! `lbsim list sweep-keys` prints the table, and a test compares it with what the parser accepts.

use sim_core::config::keys::Key;

/// Every key, in the order of a sweep file.
#[rustfmt::skip] // One key a row, so that the table can be read as one.
pub const KEYS: &[Key] = &[
    key("name", "required", "1 to 100 letters, digits, - _ .", "Name of the sweep.", "No effect on results."),
    key("base", "required", "a scenario file", "What every point is made from; the path is relative to the sweep file.", "Files it names are relative to it."),
    key("replications", "the base's", "1 to 1000000", "Replications of every point; with target the least.", "More: narrower intervals; time grows in proportion."),
    key("replications_max", "the base's", "at least replications", "With target: the most.", "Lower: points that are hard to know cost less, and stay less well known."),
    key("seed", "the base's", "0 to 2^64 - 1", "All randomness derives from it; all points share it, so that differences are paired.", "Another seed is another sample of the same sweep."),
    key("target", "the base's", "a table of metrics", "Replicate each point until the 95 % half-width of each metric named is as small: a share of the mean (\"5%\") or a number in the metric's unit.", "Smaller: more replications, with the square."),
    key("set", "none", "a table of keys of the scenario", "Laid over the base in every point.", "As the keys themselves: lbsim list keys."),
    key("axes", "none", "a table of keys of the scenario, a list of values each", "Every combination is a point; the first axis varies slowest.", "Each value multiplies the number of points."),
    key("zip", "none", "such tables: [[zip]]", "An axis of keys that move together; their lists are equally long. Comes after axes.", "Adds one axis, however many keys."),
    key("include", "none", "tables of axes and values: [[include]]", "If any: only points that match at least one of them in all its keys.", "Fewer points."),
    key("exclude", "none", "tables of axes and values: [[exclude]]", "Points that match one of them in all its keys are left out.", "Fewer points."),
    key("baseline", "none", "a table of axes and one value each", "Each point is compared, run by run, with the point that has these values and is equal in everything else: paired.csv.", "No effect on the points."),
    key("metrics", "all", "a list of names from lbsim list metrics", "Metrics in points.csv and paired.csv, and at the end on the terminal.", "runs.csv always has all."),
];

const fn key(
    path: &'static str,
    default: &'static str,
    range: &'static str,
    meaning: &'static str,
    effect: &'static str,
) -> Key {
    Key { path, unit: "", default, range, meaning, effect }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use sim_core::config::document::{Text, Texts, Walk, parse_file};

    use super::*;
    use crate::sweep::file::read;

    /// Goal: every key is documented, and no other. Method: the reader says what it asked for.
    #[test]
    fn every_key_is_documented() {
        let no_files = |_: &str| Err(String::new());
        let mut walk = Walk::new(&no_files, Texts::default());
        read(&mut walk, &parse_file("", Text::Overlay).expect("TOML"), "");
        let documented: BTreeSet<String> = KEYS.iter().map(|key| key.path.to_owned()).collect();
        assert_eq!(walk.asked, documented);
    }
}
