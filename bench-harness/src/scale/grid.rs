//! Which points are measured, and what at each.

use std::collections::BTreeSet;

use crate::one::{Engine, HEARTBEAT_MS, Kernel, OneArgs, Policy};

/// A point of the curves. Sorted as its rows are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Point {
    pub policy: Policy,
    pub kernel: Kernel,
    pub threads: u32,
    pub nodes: u32,
    pub servers: u32,
}

/// What a curve runs along.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Axis {
    Servers,
    Nodes,
}

impl Axis {
    /// Where a point lies on it.
    pub const fn of(self, point: &Point) -> u32 {
        match self {
            Self::Servers => point.servers,
            Self::Nodes => point.nodes,
        }
    }

    /// The curve a point lies on: all but the axis, which is 0.
    pub const fn curve(self, point: &Point) -> Point {
        match self {
            Self::Servers => Point { servers: 0, ..*point },
            Self::Nodes => Point { nodes: 0, ..*point },
        }
    }
}

/// What is measured at a point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Case {
    pub point: Point,
    /// About how many requests a run.
    pub requests: u64,
    /// How many times each measurement is made.
    pub repeats: u32,
    /// Also with heartbeats ten times as frequent: the difference is what view updates cost.
    pub dense: bool,
    /// Also by the reference engine.
    pub reference: bool,
    /// Also count instructions.
    pub instructions: bool,
}

/// How thorough a pass is.
#[derive(Clone, Copy, Debug)]
pub struct Pass {
    pub quick: bool,
    pub repeats: u32,
    pub requests: u64,
    pub instructions: bool,
    pub cores: u32,
}

/// Lists whose product is measured instead of the curves.
#[derive(Clone, Debug)]
pub struct Axes {
    pub servers: Vec<u32>,
    pub nodes: Vec<u32>,
    pub policies: Vec<Policy>,
    pub kernels: Vec<Kernel>,
    pub threads: Vec<u32>,
}

/// How much more frequent heartbeats are in the runs with many view updates.
const DENSER: u64 = 10;
/// Runs with many view updates are made if they are expected to take no longer [ns].
const DENSE_NS: f64 = 6e9;
/// Requests a server at least: 100 ms, a heartbeat of every server and ten service times. The run
/// goes on until its last request is answered, which takes as long again.
const PER_SERVER: u64 = 32;
/// A million servers get half as many, or they would take half of the pass.
const LARGE_REQUESTS: u64 = 16_000_000;
/// What long cases of few servers get.
const FEW_REQUESTS: u64 = 100_000;
/// Cases whose runs are expected to take longer together are repeated [`LONG_REPEATS`] times at
/// most, and get no more requests than they need to fill up [ns].
const LONG_NS: f64 = 3e9;
const LONG_REPEATS: u32 = 3;
/// The reference is affordable up to here: views of all nodes, and servers.
const REFERENCE_ENTRIES: u64 = 1_000_000;
const REFERENCE_SERVERS: u32 = 100_000;
/// Instructions are counted up to here: valgrind is fifty times slower.
const COUNTED_ENTRIES: u64 = 100_000;

const DECADES: [u32; 6] = [10, 100, 1_000, 10_000, 100_000, 1_000_000];
const HALF_DECADES: [u32; 11] =
    [10, 30, 100, 300, 1_000, 3_000, 10_000, 30_000, 100_000, 300_000, 1_000_000];
const NODES: [u32; 4] = [1, 8, 100, 1_000];
const MORE_NODES: [u32; 7] = [1, 3, 8, 30, 100, 300, 1_000];

/// The cases of a pass, in the order of their rows.
pub fn cases(pass: &Pass, axes: Option<&Axes>) -> Vec<Case> {
    let points = match axes {
        Some(axes) => product(axes),
        None if pass.quick => quick_curves(pass.cores),
        None => curves(pass.cores),
    };
    points.into_iter().map(|point| case(pass, point)).collect()
}

type Points = BTreeSet<Point>;

fn product(axes: &Axes) -> Points {
    let mut points = Points::new();
    for &policy in &axes.policies {
        for &kernel in &axes.kernels {
            for &threads in &axes.threads {
                add(&mut points, (policy, kernel, threads), &axes.servers, &axes.nodes);
            }
        }
    }
    points
}

fn add(
    points: &mut Points,
    (policy, kernel, threads): (Policy, Kernel, u32),
    servers: &[u32],
    nodes: &[u32],
) {
    for &servers in servers {
        points.extend(nodes.iter().map(|&nodes| Point { policy, kernel, threads, nodes, servers }));
    }
}

/// The curves of the design: every axis varied while the others stay.
fn curves(cores: u32) -> Points {
    use Kernel::{Event, Fifo};
    use Policy::{LowestLatency, Random, TwoChoices};
    let mut points = Points::new();
    add(&mut points, (TwoChoices, Fifo, 1), &DECADES, &NODES);
    add(&mut points, (TwoChoices, Fifo, 1), &HALF_DECADES, &[8]);
    add(&mut points, (TwoChoices, Fifo, 1), &[1_000, 10_000], &MORE_NODES);
    add(&mut points, (LowestLatency, Fifo, 1), &HALF_DECADES, &[8]);
    add(&mut points, (LowestLatency, Fifo, 1), &[1_000], &MORE_NODES);
    add(&mut points, (LowestLatency, Fifo, 1), &[10_000], &[1, 8, 30, 100, 300]);
    add(&mut points, (Random, Fifo, 1), &DECADES, &[8]);
    add(&mut points, (Random, Fifo, 1), &[10_000], &NODES);
    add(&mut points, (TwoChoices, Event, 1), &DECADES, &[8]);
    for threads in more_threads(cores) {
        add(&mut points, (TwoChoices, Fifo, threads), &DECADES, &[8]);
        add(&mut points, (TwoChoices, Fifo, threads), &[10_000, 100_000], &[100]);
        add(&mut points, (LowestLatency, Fifo, threads), &[10_000, 100_000], &[8]);
    }
    points
}

fn quick_curves(cores: u32) -> Points {
    use Kernel::{Event, Fifo};
    use Policy::{LowestLatency, Random, TwoChoices};
    let servers = &DECADES[..5];
    let mut points = Points::new();
    add(&mut points, (TwoChoices, Fifo, 1), servers, &[1, 8, 100]);
    add(&mut points, (LowestLatency, Fifo, 1), servers, &[8]);
    add(&mut points, (Random, Fifo, 1), servers, &[8]);
    add(&mut points, (TwoChoices, Event, 1), servers, &[8]);
    for threads in more_threads(cores) {
        add(&mut points, (TwoChoices, Fifo, threads), servers, &[8]);
    }
    points
}

/// 2, 4, 8 ... threads, up to one a core.
fn more_threads(cores: u32) -> impl Iterator<Item = u32> {
    (1..32).map(|power| 1 << power).take_while(move |&threads| threads <= cores)
}

fn case(pass: &Pass, point: Point) -> Case {
    let filled = (PER_SERVER * u64::from(point.servers)).min(LARGE_REQUESTS);
    let requests = pass.requests.max(filled);
    let usual = point.kernel == Kernel::Fifo && point.threads == 1;
    // The reference costs more than the engine: on the coarse grid it says all it has to say.
    let coarse = DECADES.contains(&point.servers) && NODES.contains(&point.nodes);
    let compared = usual && point.policy != Policy::Random && coarse;
    let affordable = point.entries() <= REFERENCE_ENTRIES && point.servers <= REFERENCE_SERVERS;
    let mut case = Case {
        point,
        requests,
        repeats: pass.repeats,
        dense: false,
        reference: compared && affordable,
        instructions: compared && pass.instructions && point.entries() <= COUNTED_ENTRIES,
    };
    case.dense = usual && crude_ns(&case.densely()) <= DENSE_NS;
    if case.runs(0).iter().map(crude_ns).sum::<f64>() > LONG_NS {
        case.repeats = pass.repeats.min(LONG_REPEATS);
        case.requests = requests.min(filled.max(FEW_REQUESTS));
    }
    case
}

impl Point {
    /// Beliefs of all nodes about all servers.
    pub fn entries(&self) -> u64 {
        u64::from(self.servers) * u64::from(self.nodes)
    }
}

/// Time a run takes, very roughly, before anything has been measured [ns].
pub fn crude_ns(one: &OneArgs) -> f64 {
    let (servers, nodes) = (f64::from(one.servers), f64::from(one.nodes));
    // Heartbeats to all nodes over 320 requests a second and server.
    let view_updates = nodes * 1_000.0 / one.heartbeat_ms as f64 / 320.0;
    // Far apart in memory, an access costs a cache miss.
    let miss = if servers * nodes > 1e5 { 4.0 } else { 1.0 };
    // A tick of 500 us visits every node, whether or not anything has arrived there.
    let idle = 35.0 * nodes / (0.16 * servers);
    let lowest = if one.policy == Policy::LowestLatency { 2.0 } else { 1.0 };
    let a_request = match one.engine {
        Engine::Windowed => {
            let event = if one.kernel == Some(Kernel::Event) { miss / 2.0 } else { 0.0 };
            lowest * (1.0 + event) * (60.0 + 35.0 * miss + 8.0 * miss * view_updates) + idle
        }
        Engine::Reference => lowest * (900.0 * miss - 500.0 + 80.0 * view_updates),
    };
    a_request * one.requests as f64
}

impl Case {
    /// The run of the engine.
    pub const fn windowed(&self) -> OneArgs {
        let Point { policy, kernel, threads, nodes, servers } = self.point;
        let kernel = Some(kernel);
        let one = OneArgs::new(Engine::Windowed, policy);
        OneArgs { servers, nodes, requests: self.requests, kernel, threads, ..one }
    }

    /// The same with frequent heartbeats.
    pub const fn densely(&self) -> OneArgs {
        OneArgs { heartbeat_ms: HEARTBEAT_MS / DENSER, ..self.windowed() }
    }

    /// The same by the reference engine.
    pub const fn by_reference(&self) -> OneArgs {
        OneArgs { engine: Engine::Reference, kernel: None, threads: 1, ..self.windowed() }
    }

    /// The runs of one repeat. Who goes first goes round, so that a machine that heats up favours
    /// nobody.
    pub fn runs(&self, repeat: u32) -> Vec<OneArgs> {
        let mut runs = vec![self.windowed()];
        runs.extend(self.dense.then(|| self.densely()));
        runs.extend(self.reference.then(|| self.by_reference()));
        let turn = repeat as usize % runs.len();
        runs.rotate_left(turn);
        runs
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASS: Pass =
        Pass { quick: false, repeats: 5, requests: 400_000, instructions: true, cores: 2 };

    #[test]
    fn the_curves_reach_from_end_to_end() {
        let cases = cases(&PASS, None);
        let points: Vec<Point> = cases.iter().map(|case| case.point).collect();
        assert!(points.is_sorted(), "rows come in order");
        for (get, ends) in [
            ((|p| p.servers) as fn(&Point) -> u32, (10, 1_000_000)),
            (|p| p.nodes, (1, 1_000)),
            (|p| p.threads, (1, 2)),
        ] {
            let values: BTreeSet<u32> = points.iter().map(get).collect();
            assert_eq!((values.first(), values.last()), (Some(&ends.0), Some(&ends.1)));
        }
        let kernels: BTreeSet<Kernel> = points.iter().map(|point| point.kernel).collect();
        let policies: BTreeSet<Policy> = points.iter().map(|point| point.policy).collect();
        assert_eq!((kernels.len(), policies.len()), (2, 3));
    }

    #[test]
    fn threads_double_up_to_the_cores() {
        let threads = |cores| more_threads(cores).collect::<Vec<_>>();
        assert_eq!((threads(1), threads(2)), (vec![], vec![2]));
        assert_eq!((threads(6), threads(8)), (vec![2, 4], vec![2, 4, 8]));
    }

    #[test]
    fn lists_are_multiplied() {
        let axes = Axes {
            servers: vec![100, 10, 10],
            nodes: vec![1, 2],
            policies: vec![Policy::TwoChoices],
            kernels: vec![Kernel::Fifo, Kernel::Event],
            threads: vec![1],
        };
        assert_eq!(cases(&PASS, Some(&axes)).len(), 2 * 2 * 2);
    }

    /// What is dear is measured where it can be afforded, and nowhere else.
    #[test]
    fn the_reference_and_valgrind_are_kept_from_large_fleets() {
        let extras = |servers, nodes, kernel, threads| {
            let policy = Policy::TwoChoices;
            let case = case(&PASS, Point { policy, kernel, threads, nodes, servers });
            (case.dense, case.reference, case.instructions)
        };
        assert_eq!(extras(1_000, 8, Kernel::Fifo, 1), (true, true, true));
        assert_eq!(extras(10_000, 100, Kernel::Fifo, 1), (true, true, false));
        assert_eq!(extras(100_000, 30, Kernel::Fifo, 1), (true, false, false));
        assert_eq!(extras(100_000, 1_000, Kernel::Fifo, 1), (false, false, false));
        assert_eq!(extras(1_000_000, 1, Kernel::Fifo, 1), (true, false, false));
        assert_eq!(extras(1_000, 8, Kernel::Event, 1), (false, false, false));
        assert_eq!(extras(1_000, 8, Kernel::Fifo, 2), (false, false, false));
        let million = Point { servers: 1_000_000, ..cases(&PASS, None)[0].point };
        let million = case(&PASS, million);
        assert_eq!((million.repeats, million.requests), (3, 16_000_000));
    }

    #[test]
    fn all_runs_of_a_case_take_turns() {
        let point = Point {
            policy: Policy::TwoChoices,
            kernel: Kernel::Fifo,
            threads: 1,
            nodes: 8,
            servers: 1_000,
        };
        let case = case(&PASS, point);
        let first: Vec<OneArgs> = (0..3).map(|repeat| case.runs(repeat)[0]).collect();
        assert_eq!(first, [case.windowed(), case.densely(), case.by_reference()]);
        assert!((0..3).all(|repeat| case.runs(repeat).len() == 3));
        assert_eq!(case.densely().heartbeat_ms, 10);
    }
}
