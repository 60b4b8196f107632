//! `exponents.csv`: how fast costs grow along each curve.

use std::collections::BTreeMap;

use crate::process::name;
use crate::summary::median;

use super::columns::significant;
use super::fit::{Fit, log_log};
use super::grid::{Axis, Case, Point};
use super::results::Results;

/// A curve and the power law fitted to it.
#[derive(Clone, Debug)]
pub struct Curve {
    pub quantity: &'static str,
    pub axis: &'static str,
    /// What stays the same along the curve; 0 is what does not.
    pub fixed: Point,
    /// `all` points, or the upper `half` of the range.
    pub range: &'static str,
    pub fit: Fit,
}

type Value = fn(&Results, &Case) -> Option<f64>;

/// What is fitted along servers and along nodes, named as its column in `scale.csv`.
const QUANTITIES: [(&str, Value); 5] = [
    ("ns_per_request_median", |r, case| median(&r.ns_per_request(case))),
    ("ns_per_view_update_median", |r, case| median(&r.ns_per_view_update(case))),
    ("reference_ns_per_request_median", |r, case| {
        // The reference knows neither kernels nor threads: once is enough.
        median(&r.reference_ns_per_request(case)).filter(|_| case.reference)
    }),
    ("ratio_median", |r, case| median(&r.ratios(case))),
    ("instructions_per_request", |r, case| r.instructions.get(&case.point).copied()),
];

/// What is fitted along servers, nodes and their product: memory above that of the smallest fleet.
/// The first megabyte is noise of the process.
const MEMORY: &str = "peak_memory_added_mb";
const MEMORY_MIN_MB: f64 = 1.0;

/// All curves that have three points or more.
pub fn curves(results: &Results) -> Vec<Curve> {
    let base_mb = smallest_mb(results);
    let added_mb = |case: &Case| {
        let added = results.peak_bytes(case)? / 1e6 - base_mb[&whole(case)];
        Some(added).filter(|&mb| mb >= MEMORY_MIN_MB)
    };
    let cases = || results.planned.iter().map(|planned| &planned.case);
    let mut curves = Vec::new();
    for (axis, axis_name) in [(Axis::Servers, "servers"), (Axis::Nodes, "nodes")] {
        let points = |get: &dyn Fn(&Case) -> Option<f64>| {
            let mut points = Points::new();
            for case in cases() {
                let x = f64::from(axis.of(&case.point));
                let y = get(case);
                points.entry(axis.curve(&case.point)).or_default().extend(y.map(|y| (x, y)));
            }
            points
        };
        for (quantity, get) in QUANTITIES {
            add_fits(&mut curves, quantity, axis_name, points(&|case| get(results, case)));
        }
        add_fits(&mut curves, MEMORY, axis_name, points(&added_mb));
    }
    let mut points = Points::new();
    for case in cases() {
        let entries = case.point.entries() as f64;
        let mb = added_mb(case).map(|mb| (entries, mb));
        points.entry(whole(case)).or_default().extend(mb);
    }
    add_fits(&mut curves, MEMORY, "servers_x_nodes", points);
    curves
}

/// The points of each curve.
type Points = BTreeMap<Point, Vec<(f64, f64)>>;

/// All sizes of a policy, kernel and number of threads.
const fn whole(case: &Case) -> Point {
    Point { servers: 0, nodes: 0, ..case.point }
}

/// The least memory at any size [MB].
fn smallest_mb(results: &Results) -> BTreeMap<Point, f64> {
    let mut smallest = BTreeMap::new();
    for case in results.planned.iter().map(|planned| &planned.case) {
        if let Some(bytes) = results.peak_bytes(case) {
            let least = smallest.entry(whole(case)).or_insert(f64::MAX);
            *least = least.min(bytes / 1e6);
        }
    }
    smallest
}

fn add_fits(curves: &mut Vec<Curve>, quantity: &'static str, axis: &'static str, points: Points) {
    for (fixed, points) in points {
        let Some(all) = log_log(&points) else { continue };
        curves.push(Curve { quantity, axis, fixed, range: "all", fit: all });
        // Small fleets pay for their ticks and large ones for the cache: the upper half of the
        // range, by its geometric mean, says how costs grow from there on.
        let middle = (all.from * all.to).sqrt();
        let upper: Vec<_> = points.into_iter().filter(|point| point.0 >= middle).collect();
        let half = log_log(&upper).filter(|half| half.points < all.points);
        curves.extend(half.map(|fit| Curve { quantity, axis, fixed, range: "upper_half", fit }));
    }
}

/// A column of `exponents.csv`: name, meaning, text of a cell.
pub type Column = (&'static str, &'static str, fn(&Curve) -> String);

/// All columns, in order.
pub static COLUMNS: &[Column] = &[
    (
        "quantity",
        "What grows: a column of `scale.csv`; or `peak_memory_added_mb`, peak memory above that of \
         the smallest fleet of the policy, kernel and threads, from 1 MB on.",
        |c| c.quantity.to_owned(),
    ),
    ("axis", "What it grows with: `servers`, `nodes`, or `servers_x_nodes`, their product.", |c| {
        c.axis.to_owned()
    }),
    ("policy", "Policy of the curve.", |c| name(c.fixed.policy)),
    ("kernel", "Server kernel of the curve.", |c| name(c.fixed.kernel)),
    ("threads", "Threads of the curve.", |c| c.fixed.threads.to_string()),
    ("nodes", "Nodes of the curve; empty where they vary.", |c| unless_0(c.fixed.nodes)),
    ("servers", "Servers of the curve; empty where they vary.", |c| unless_0(c.fixed.servers)),
    (
        "range",
        "`all` points of the curve, or those in the `upper_half` of its range by logarithm: how it \
         goes on from there.",
        |c| c.range.to_owned(),
    ),
    ("points", "Points fitted.", |c| c.fit.points.to_string()),
    ("from", "Least value of the axis.", |c| significant(c.fit.from)),
    ("to", "Largest value of the axis.", |c| significant(c.fit.to)),
    (
        "exponent",
        "The `a` of quantity = coefficient x axis^a, by least squares on logarithms: 0 does not \
         grow, 1 grows in proportion.",
        |c| significant(c.fit.exponent),
    ),
    (
        "exponent_standard_error",
        "Standard error of the exponent, as if the logarithms scattered independently about a \
         line; a curve that bends is no line, so this says how well one exponent tells the story.",
        |c| significant(c.fit.standard_error),
    ),
    ("coefficient", "The quantity at axis = 1 on the fitted line, in its unit.", |c| {
        significant(c.fit.coefficient)
    }),
    ("r_squared", "Share of the variance of the logarithms that the line explains.", |c| {
        c.fit.r_squared.map(significant).unwrap_or_default()
    }),
];

fn unless_0(count: u32) -> String {
    if count == 0 { String::new() } else { count.to_string() }
}

#[cfg(test)]
mod tests {
    use super::super::results::tests::{planned, reading};
    use super::*;

    fn find<'a>(curves: &'a [Curve], quantity: &str, axis: &str, range: &str) -> &'a Curve {
        curves
            .iter()
            .find(|c| (c.quantity, c.axis, c.range) == (quantity, axis, range))
            .expect("a fit")
    }

    /// A fleet whose request costs 10 x servers^0.5 x nodes and whose memory is 4 MB and 100 bytes
    /// a belief: the fits find it.
    #[test]
    fn known_growth_is_found_on_every_axis() {
        let mut results = planned(&[100, 400, 1_600, 6_400], &[1, 10, 100], &[1]);
        for index in 0..results.planned.len() {
            let case = results.planned[index].case;
            let Point { servers, nodes, .. } = case.point;
            let ns = 10.0 * f64::from(servers).sqrt() * f64::from(nodes);
            let bytes = 4_096_000 + 128 * case.point.entries();
            let reading = reading((ns * 1_000.0) as u64, 0, bytes / 1_024);
            results.readings.insert((case.windowed(), 0), reading);
        }
        let curves = curves(&results);
        let close = |value: f64, truth: f64| (value - truth).abs() < 2e-2 * truth;
        let servers = find(&curves, "ns_per_request_median", "servers", "all");
        assert!(close(servers.fit.exponent, 0.5), "{servers:?}");
        assert_eq!((servers.fixed.nodes, servers.fixed.servers, servers.fit.points), (1, 0, 4));
        let nodes = find(&curves, "ns_per_request_median", "nodes", "all");
        assert!(close(nodes.fit.exponent, 1.0), "{nodes:?}");
        let memory = find(&curves, MEMORY, "servers_x_nodes", "all");
        // The memory of the smallest fleet, 10 kB of beliefs included, is taken off all points.
        assert!(close(memory.fit.exponent, 1.0), "{memory:?}");
        assert!((memory.fit.coefficient / 1.28e-4 - 1.0).abs() < 0.1, "{memory:?}");
        // Two points in the upper half are no curve.
        let upper = |c: &&Curve| c.range == "upper_half" && c.quantity != MEMORY;
        assert!(curves.iter().find(upper).is_none());
        assert!(curves.iter().all(|curve| curve.quantity != "instructions_per_request"));
    }

    /// A curve that bends: the upper half tells what the whole hides.
    #[test]
    fn the_upper_half_shows_a_bend() {
        let mut results = planned(&[10, 100, 1_000, 10_000, 100_000], &[8], &[1]);
        for index in 0..5 {
            let case = results.planned[index].case;
            let ns = 100.0 * (f64::from(case.point.servers) / 1_000.0).max(1.0);
            results.readings.insert((case.windowed(), 0), reading((ns * 1e3) as u64, 0, 0));
        }
        let curves = curves(&results);
        let all = find(&curves, "ns_per_request_median", "servers", "all");
        let half = find(&curves, "ns_per_request_median", "servers", "upper_half");
        assert!(all.fit.exponent < 0.7 && all.fit.standard_error > 0.05, "{all:?}");
        assert!((half.fit.exponent - 1.0).abs() < 1e-9 && half.fit.points == 3, "{half:?}");
        assert!((half.fit.from - 1_000.0).abs() < 1e-9);
    }
}
