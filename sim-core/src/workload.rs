//! When requests arrive at each node.
//!
//! The fleet's arrival process is split evenly. A node produces its own part from its own stream
//! and never sees the others, so nodes can run on different threads. A random split of a Poisson
//! process gives independent Poisson processes (Kingman, "Poisson Processes", 1993, section 5.1),
//! also where the rate changes with time; so each node draws its own with `1 / nodes` of the rate.
//!
//! Times have a fraction inside (`Clock`) and are rounded **down** to whole ns only when they are
//! handed out: no rounding error accumulates, and a request arrives before an integer moment
//! exactly if its real time does.

use crate::config::Arrivals;
use crate::ids::NodeId;
use crate::rng::{Purpose, Rng, Stream, stream};
use crate::time::{Nanos, SECOND, rounded, seconds};
use crate::ziggurat::{Exponential, unit};

/// The arrivals of one node.
#[derive(Clone, Debug)]
pub struct ArrivalProcess(Process);

#[derive(Clone, Debug)]
enum Process {
    Poisson { mean_gap_ns: f64, exponential: Exponential, stream: Stream, clock: Clock },
    Constant { fleet_rate: f64, nodes: u64, next: u64 },
    Mmpp { modulation: Modulation, exponential: Exponential, stream: Stream, clock: Clock },
    Burst { burst: Burst, exponential: Exponential, stream: Stream, clock: Clock },
    Ramp { ramp: Ramp, exponential: Exponential, stream: Stream, clock: Clock },
    Diurnal { day: Day, exponential: Exponential, stream: Stream, clock: Clock },
    Never,
}

impl ArrivalProcess {
    /// The share of `node`, one of `nodes`, in the fleet's arrivals.
    pub fn new(arrivals: &Arrivals, nodes: u32, node: NodeId, seed: u64, replication: u32) -> Self {
        let stream = stream(seed, replication, Purpose::Arrivals, node.0);
        let exponential = Exponential::default();
        let clock = Clock::default();
        let per_ns = |rate: f64| rate / f64::from(nodes) / SECOND as f64;
        Self(match *arrivals {
            Arrivals::Poisson { rate } => {
                Process::Poisson { mean_gap_ns: 1.0 / per_ns(rate), exponential, stream, clock }
            }
            Arrivals::Constant { rate } => Process::Constant {
                fleet_rate: rate,
                nodes: u64::from(nodes),
                next: u64::from(node.0),
            },
            Arrivals::Mmpp { rate_low, rate_high, dwell_low_ns, dwell_high_ns } => {
                let low = Phase { rate: per_ns(rate_low), dwell_ns: dwell_low_ns as f64 };
                let high = Phase { rate: per_ns(rate_high), dwell_ns: dwell_high_ns as f64 };
                let modulation = Modulation::new([low, high], seed, replication);
                Process::Mmpp { modulation, exponential, stream, clock }
            }
            Arrivals::Burst { rate, peak, at_ns, for_ns } => {
                let end_ns = at_ns.saturating_add(for_ns);
                let burst = Burst { rate: per_ns(rate), peak: per_ns(peak), at_ns, end_ns };
                Process::Burst { burst, exponential, stream, clock }
            }
            Arrivals::Ramp { from, to, over_ns } => {
                let ramp = Ramp { from: per_ns(from), to: per_ns(to), over_ns };
                Process::Ramp { ramp, exponential, stream, clock }
            }
            Arrivals::Diurnal { mean, amplitude, period_ns } => {
                let day = Day { peak: per_ns(mean) * (1.0 + amplitude), amplitude, period_ns };
                Process::Diurnal { day, exponential, stream, clock }
            }
            Arrivals::Trace(_) | Arrivals::Nothing => Process::Never,
        })
    }

    /// When this node's next request arrives [ns since the start of the run]. Never decreases;
    /// [`Nanos::MAX`] once there are no more. Recorded arrivals come from a [`TraceSource`], so
    /// for them there is never one here.
    #[inline]
    pub fn next_ns(&mut self) -> Nanos {
        // The usual process comes first and inline; the others share one call.
        if let Process::Poisson { mean_gap_ns, exponential, stream, clock } = &mut self.0 {
            clock.advance(*mean_gap_ns * exponential.draw(stream));
            return clock.whole_ns();
        }
        self.next_other_ns()
    }

    /// Hands every arrival before `limit_ns` to `each`; `next_ns` is the first. Returns the first
    /// one that is left.
    ///
    /// The usual process works on copies of its state: they stay in registers.
    #[inline]
    pub fn take_before(
        &mut self,
        mut next_ns: Nanos,
        limit_ns: Nanos,
        mut each: impl FnMut(Nanos),
    ) -> Nanos {
        if let Process::Poisson { mean_gap_ns, exponential, stream, clock } = &mut self.0 {
            let (mut present, mut draws) = (*clock, stream.clone());
            while next_ns < limit_ns {
                each(next_ns);
                present.advance(*mean_gap_ns * exponential.draw(&mut draws));
                next_ns = present.whole_ns();
            }
            (*clock, *stream) = (present, draws);
        } else {
            while next_ns < limit_ns {
                each(next_ns);
                next_ns = self.next_other_ns();
            }
        }
        next_ns
    }

    fn next_other_ns(&mut self) -> Nanos {
        match &mut self.0 {
            Process::Poisson { .. } => unreachable!("drawn inline"),
            Process::Constant { fleet_rate, nodes, next } => {
                let at_ns = constant_arrival_ns(*fleet_rate, *next);
                *next += *nodes;
                at_ns
            }
            Process::Mmpp { modulation, exponential, stream, clock } => {
                modulation.spend(exponential.draw(stream), clock);
                clock.whole_ns()
            }
            Process::Burst { burst, exponential, stream, clock } => {
                burst.spend(exponential.draw(stream), clock);
                clock.whole_ns()
            }
            Process::Ramp { ramp, exponential, stream, clock } => {
                ramp.spend(exponential.draw(stream), clock);
                clock.whole_ns()
            }
            Process::Diurnal { day, exponential, stream, clock } => {
                // Thinning (Lewis and Shedler 1979): candidates at the peak rate, each kept with
                // probability rate / peak rate.
                loop {
                    clock.advance(exponential.draw(stream) / day.peak);
                    let height = unit(stream.next_u64());
                    if height < day.share_of_peak(*clock) || clock.whole_ns() == Nanos::MAX {
                        return clock.whole_ns();
                    }
                }
            }
            Process::Never => Nanos::MAX,
        }
    }
}

/// The moment of the fleet's arrival `j`, counted from 0: `(j + 1) / rate`, rounded to the nearest
/// ns (halves up). Computed from `j`, not by adding gaps, so errors do not add up either.
fn constant_arrival_ns(rate: f64, j: u64) -> Nanos {
    ((j + 1) as f64 * SECOND as f64 / rate).round() as Nanos
}

/// A moment in steps of 2^-16 ns, as a whole number.
///
/// As an `f64` it would lose its fraction within days, and each addition would wait for the
/// conversion of the one before (3 ns of 14 an arrival, measured). Gaps are rounded to the nearest
/// step, which biases the mean of an exponential gap `m` by `2^-32 ns^2 / 12 m`: nothing.
#[derive(Clone, Copy, Debug, Default)]
struct Clock(u128);

impl Clock {
    const FRACTION_BITS: u32 = 16;
    const STEPS: f64 = (1 << Self::FRACTION_BITS) as f64;

    const fn at(whole_ns: Nanos) -> Self {
        Self((whole_ns as u128) << Self::FRACTION_BITS)
    }

    /// Stops at [`Nanos::MAX`].
    #[inline]
    fn whole_ns(self) -> Nanos {
        let whole_ns = self.0 >> Self::FRACTION_BITS;
        if whole_ns >> Nanos::BITS == 0 { whole_ns as Nanos } else { Nanos::MAX }
    }

    #[inline]
    fn advance(&mut self, gap_ns: f64) {
        let steps = gap_ns * Self::STEPS;
        match rounded(steps) {
            Some(steps) => self.0 += u128::from(steps), // Cheaper; gaps below 19 hours.
            None => self.0 = self.0.saturating_add((steps + 0.5) as u128),
        }
    }

    /// Time until `moment`, which is not past [ns].
    fn until(self, moment: Nanos) -> f64 {
        Self(Self::at(moment).0 - self.0).after(0)
    }

    /// Time since `moment`, which is not to come [ns].
    fn after(self, moment: Nanos) -> f64 {
        let fraction = (self.0 % Self::at(1).0) as u32;
        (self.whole_ns() - moment) as f64 + f64::from(fraction) / Self::STEPS
    }
}

/// One state of a Markov-modulated Poisson process.
#[derive(Clone, Copy, Debug)]
struct Phase {
    /// Arrivals a ns.
    rate: f64,
    /// Mean length of a stay [ns].
    dwell_ns: f64,
}

/// The common state of bursty arrivals. Every node replays the same stream, and the states change
/// at whole ns, so that no node's rounding can move them.
#[derive(Clone, Debug)]
struct Modulation {
    phases: [Phase; 2],
    state: usize,
    /// When the present state ends, exactly and as handed out.
    end: Clock,
    exponential: Exponential,
    stream: Stream,
}

impl Modulation {
    /// The first state is drawn from the share of time each state has in the long run, so the
    /// process is stationary from time 0 on and its mean rate the same in every window.
    fn new(phases: [Phase; 2], seed: u64, replication: u32) -> Self {
        let mut stream = stream(seed, replication, Purpose::Modulation, 0);
        let exponential = Exponential::default();
        let low_share = phases[0].dwell_ns / (phases[0].dwell_ns + phases[1].dwell_ns);
        let state = usize::from(unit(stream.next_u64()) >= low_share);
        let mut end = Clock::default();
        end.advance(phases[state].dwell_ns * exponential.draw(&mut stream));
        Self { phases, state, end, exponential, stream }
    }

    fn change_state(&mut self) {
        self.state = 1 - self.state;
        self.end
            .advance(self.phases[self.state].dwell_ns * self.exponential.draw(&mut self.stream));
    }

    /// Moves `clock` on until the integral of the rate has grown by `expected`. With exponential
    /// `expected` that is the next arrival: a Poisson process is a unit one in stretched time.
    #[inline]
    fn spend(&mut self, mut expected: f64, clock: &mut Clock) {
        loop {
            let rate = self.phases[self.state].rate;
            let left = rate * clock.until(self.end.whole_ns());
            if expected < left {
                return clock.advance(expected / rate);
            }
            expected -= left;
            *clock = Clock::at(self.end.whole_ns());
            if clock.whole_ns() == Nanos::MAX {
                return;
            }
            self.change_state();
        }
    }
}

/// One rate, but for one burst. Rates in arrivals a ns.
#[derive(Clone, Debug)]
struct Burst {
    rate: f64,
    peak: f64,
    at_ns: Nanos,
    end_ns: Nanos,
}

impl Burst {
    /// As [`Modulation::spend`].
    fn spend(&self, mut expected: f64, clock: &mut Clock) {
        for (rate, until_ns) in [(self.rate, self.at_ns), (self.peak, self.end_ns)] {
            if clock.whole_ns() < until_ns {
                let left = rate * clock.until(until_ns);
                if expected < left {
                    return clock.advance(expected / rate);
                }
                expected -= left;
                *clock = Clock::at(until_ns);
            }
        }
        clock.advance(expected / self.rate);
    }
}

/// A rate that goes linearly from one value to another and stays there. Rates in arrivals a ns.
#[derive(Clone, Debug)]
struct Ramp {
    from: f64,
    to: f64,
    over_ns: Nanos,
}

impl Ramp {
    /// As [`Modulation::spend`]: the integrated rate is inverted, a quadratic while it climbs.
    #[inline]
    fn spend(&self, mut expected: f64, clock: &mut Clock) {
        if clock.whole_ns() < self.over_ns {
            let left_ns = clock.until(self.over_ns);
            let slope = (self.to - self.from) / self.over_ns as f64;
            let rate = self.to - slope * left_ns;
            let left = 0.5 * (rate + self.to) * left_ns;
            if expected < left {
                // Solves rate x + slope x^2 / 2 = expected in the form that does not cancel.
                let root = (rate * rate + 2.0 * slope * expected).max(0.0).sqrt();
                return clock.advance(2.0 * expected / (rate + root));
            }
            expected -= left;
            *clock = Clock::at(self.over_ns);
        }
        clock.advance(expected / self.to);
    }
}

/// A rate with the shape of a sine.
#[derive(Clone, Debug)]
struct Day {
    /// Highest rate [arrivals a ns].
    peak: f64,
    amplitude: f64,
    period_ns: Nanos,
}

impl Day {
    fn share_of_peak(&self, clock: Clock) -> f64 {
        let since_midnight_ns = clock.after(clock.whole_ns() / self.period_ns * self.period_ns);
        let angle = std::f64::consts::TAU * since_midnight_ns / self.period_ns as f64;
        (1.0 + self.amplitude * libm::sin(angle)) / (1.0 + self.amplitude)
    }
}

impl Arrivals {
    /// Expected arrivals a second in `[0, duration)`. For a trace the stated rate; NaN where none
    /// is stated, since only reading the file would tell. `duration` is above 0.
    pub fn mean_rate(&self, duration_ns: Nanos) -> f64 {
        let duration = duration_ns as f64;
        match *self {
            Self::Nothing => 0.0,
            Self::Poisson { rate } | Self::Constant { rate } => rate,
            Self::Mmpp { rate_low, rate_high, dwell_low_ns, dwell_high_ns } => {
                let (low, high) = (dwell_low_ns as f64, dwell_high_ns as f64);
                (rate_low * low + rate_high * high) / (low + high)
            }
            Self::Burst { rate, peak, at_ns, for_ns } => {
                let end_ns = at_ns.saturating_add(for_ns).min(duration_ns);
                let share = end_ns.saturating_sub(at_ns) as f64 / duration;
                rate + (peak - rate) * share
            }
            Self::Ramp { from, to, over_ns } => {
                let climb = duration_ns.min(over_ns) as f64;
                let reached = from + (to - from) * climb / over_ns.max(1) as f64;
                (0.5 * (from + reached) * climb + to * (duration - climb)) / duration
            }
            Self::Diurnal { mean, amplitude, period_ns } => {
                let angle = std::f64::consts::TAU * seconds(duration_ns) / seconds(period_ns);
                mean * (1.0 + amplitude * (1.0 - libm::cos(angle)) / angle)
            }
            Self::Trace(ref trace) => trace.stated_rate().unwrap_or(f64::NAN),
        }
    }
}

/// One recorded request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceRecord {
    /// When it arrives [ns since the start of the run].
    pub at_ns: Nanos,
    /// Its service time at speed 1 [ns]; `None`: drawn from the server's law.
    pub service_ns: Option<Nanos>,
    /// A hash of its key, for policies that route by key.
    pub key: Option<u64>,
}

/// Recorded requests, read while the run goes on: a trace may be larger than memory. The core
/// opens no file; whoever runs it brings the source.
pub trait TraceSource: Send + Sync {
    /// The next record, in order of time; `None` at the end.
    ///
    /// # Errors
    /// Returns a message for the user, with file and line, where the trace cannot be read on.
    fn next(&mut self) -> Result<Option<TraceRecord>, String>;
}

#[cfg(test)]
mod tests {
    use statrs::distribution::{ChiSquared, ContinuousCDF};

    use super::*;
    use crate::goodness::{Z, assert_moments, assert_uniform};

    const SEED: u64 = 41;
    const MINUTE: Nanos = 60 * SECOND;

    fn process(arrivals: &Arrivals, nodes: u32, node: u32) -> ArrivalProcess {
        ArrivalProcess::new(arrivals, nodes, NodeId(node), SEED, 0)
    }

    fn times(arrivals: &Arrivals, nodes: u32, node: u32, until_ns: Nanos) -> Vec<Nanos> {
        let mut process = process(arrivals, nodes, node);
        let times: Vec<_> =
            std::iter::from_fn(|| Some(process.next_ns()).filter(|&at| at < until_ns)).collect();
        assert!(times.is_sorted());
        times
    }

    fn merged(arrivals: &Arrivals, nodes: u32, until_ns: Nanos) -> Vec<Nanos> {
        let mut all: Vec<_> =
            (0..nodes).flat_map(|node| times(arrivals, nodes, node, until_ns)).collect();
        all.sort_unstable();
        all
    }

    /// Expected arrivals of the fleet in `[0, t)`.
    fn integrated(arrivals: &Arrivals, t: Nanos) -> f64 {
        if t == 0 { 0.0 } else { arrivals.mean_rate(t) * seconds(t) }
    }

    /// Goal: `times` are a Poisson process with the given integrated rate. Method: in time
    /// stretched by it the gaps are exponential with mean 1, and counts in windows have the
    /// dispersion of Poisson counts. All bounds near 1e-6.
    fn assert_poisson(times: &[Nanos], until_ns: Nanos, integrated: impl Fn(Nanos) -> f64) {
        let stretched: Vec<f64> =
            std::iter::once(0.0).chain(times.iter().map(|&at| integrated(at))).collect();
        let gaps: Vec<f64> = stretched.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert_moments(&gaps, 1.0, 1.0);
        assert_uniform(gaps.iter().map(|&gap| -libm::expm1(-gap)).collect());

        let windows = 100;
        let dispersion: f64 = (0..windows)
            .map(|w| {
                let (from, to) = (until_ns * w / windows, until_ns * (w + 1) / windows);
                let inside = times.iter().filter(|&&at| from <= at && at < to).count() as f64;
                let expected = integrated(to) - integrated(from);
                assert!((inside - expected).abs() < 5.8 * expected.sqrt(), "window {w}: {inside}");
                (inside - expected).powi(2) / expected
            })
            .sum();
        let theory = ChiSquared::new(windows as f64).unwrap();
        let tail = theory.cdf(dispersion);
        assert!((5e-7..1.0 - 5e-7).contains(&tail), "dispersion {dispersion}");
    }

    #[test]
    fn poisson_nodes_and_their_superposition_are_poisson() {
        let arrivals = Arrivals::Poisson { rate: 5_000.0 };
        let fleet = |t| integrated(&arrivals, t);
        assert_poisson(&merged(&arrivals, 5, MINUTE), MINUTE, fleet);
        assert_poisson(&times(&arrivals, 5, 3, MINUTE), MINUTE, |t| fleet(t) / 5.0);
    }

    /// A gap here is 2.5 ns: rounding each gap to whole ns would bias the rate by percents.
    #[test]
    fn rounding_to_ns_does_not_bias_a_high_rate() {
        let arrivals = Arrivals::Poisson { rate: 4e8 };
        let count = times(&arrivals, 1, 0, 5 * crate::time::MILLISECOND).len() as f64;
        assert!((count - 2e6).abs() < Z * 2e6_f64.sqrt(), "{count}");
    }

    #[test]
    fn burst_is_poisson_with_its_integrated_rate() {
        for (rate, peak) in [(1_000.0, 6_000.0), (6_000.0, 1_000.0)] {
            let (at_ns, for_ns) = (20 * SECOND + 1, 10 * SECOND);
            let arrivals = Arrivals::Burst { rate, peak, at_ns, for_ns };
            let fleet = |t| integrated(&arrivals, t);
            assert_poisson(&merged(&arrivals, 3, MINUTE), MINUTE, fleet);
            assert_poisson(&times(&arrivals, 3, 1, MINUTE), MINUTE, |t| fleet(t) / 3.0);
        }
    }

    #[test]
    fn ramp_is_poisson_with_its_integrated_rate() {
        for (from, to) in [(100.0, 6_000.0), (6_000.0, 100.0), (3_000.0, 3_000.0)] {
            let arrivals = Arrivals::Ramp { from, to, over_ns: 40 * SECOND };
            let fleet = |t| integrated(&arrivals, t);
            assert_poisson(&merged(&arrivals, 3, MINUTE), MINUTE, fleet);
            assert_poisson(&times(&arrivals, 3, 1, MINUTE), MINUTE, |t| fleet(t) / 3.0);
        }
    }

    #[test]
    fn diurnal_is_poisson_with_its_integrated_rate() {
        for amplitude in [0.0, 0.5, 1.0] {
            let arrivals = Arrivals::Diurnal { mean: 4_000.0, amplitude, period_ns: 7 * SECOND };
            let fleet = |t| integrated(&arrivals, t);
            assert_poisson(&merged(&arrivals, 3, MINUTE), MINUTE, fleet);
        }
    }

    fn bursts(rate_low: f64, rate_high: f64) -> Arrivals {
        Arrivals::Mmpp { rate_low, rate_high, dwell_low_ns: 2 * SECOND, dwell_high_ns: SECOND / 2 }
    }

    /// The states all nodes should see: state and end of each stay.
    fn stays(arrivals: &ArrivalProcess) -> impl Iterator<Item = (usize, Nanos)> + use<> {
        let Process::Mmpp { modulation, .. } = &arrivals.0 else { panic!("not modulated") };
        let mut modulation = modulation.clone();
        std::iter::from_fn(move || {
            let stay = (modulation.state, modulation.end.whole_ns());
            modulation.change_state();
            Some(stay)
        })
    }

    /// Goal: given the states, each node is Poisson with the rate of the state; the states come
    /// from node 0, the arrivals from each node.
    #[test]
    fn mmpp_nodes_follow_the_same_states() {
        let (low, high, nodes) = (2_000.0, 20_000.0, 4);
        let arrivals = bursts(low, high);
        let stays: Vec<_> = stays(&process(&arrivals, nodes, 0)).take(200).collect();
        assert!(stays.last().unwrap().1 > MINUTE);
        let fleet = |t: Nanos| {
            let mut from = 0;
            let mut sum = 0.0;
            for &(state, end) in &stays {
                sum += [low, high][state] * seconds(end.min(t).saturating_sub(from));
                from = end;
            }
            sum
        };
        for node in 0..nodes {
            let times = times(&arrivals, nodes, node, MINUTE);
            assert_poisson(&times, MINUTE, |t| fleet(t) / f64::from(nodes));
        }
        assert_poisson(&merged(&arrivals, nodes, MINUTE), MINUTE, fleet);
    }

    /// With equal rates the states make no difference, so nothing may be lost at their borders.
    #[test]
    fn mmpp_with_equal_rates_is_poisson() {
        let arrivals = bursts(3_000.0, 3_000.0);
        assert_poisson(&times(&arrivals, 1, 0, MINUTE), MINUTE, |t| integrated(&arrivals, t));
    }

    /// The states of 2000 runs at one early moment: a fifth of the time is burst, from the start.
    #[test]
    fn mmpp_is_stationary_from_time_0() {
        let runs = 2_000;
        for at in [0, SECOND / 4] {
            let bursting = (0..runs)
                .filter(|&run| {
                    let process = ArrivalProcess::new(&bursts(1.0, 2.0), 1, NodeId(0), SEED, run);
                    stays(&process).find(|&(_, end)| end > at).unwrap().0 == 1
                })
                .count() as f64;
            let spread = (0.2 * 0.8 * f64::from(runs)).sqrt();
            assert!((bursting - 0.2 * f64::from(runs)).abs() < Z * spread, "{bursting}");
        }
    }

    #[test]
    fn constant_arrivals_are_exact_and_nodes_take_turns() {
        for rate in [1u64, 3, 1_000, 7_777, 3_000_000] {
            let arrivals = Arrivals::Constant { rate: rate as f64 };
            let nodes = 7;
            let mut fleet: Vec<_> = (0..nodes).map(|n| process(&arrivals, nodes, n)).collect();
            for j in 0..1_000_000u32 {
                let at = fleet[(j % nodes) as usize].next_ns();
                let exact = (2 * (u64::from(j) + 1) * SECOND + rate) / (2 * rate);
                assert_eq!(at, exact, "rate {rate}, arrival {j}");
            }
        }
    }

    #[test]
    fn slow_processes_end_at_the_end_of_time() {
        let never = 1e-300;
        for arrivals in [
            Arrivals::Poisson { rate: never },
            Arrivals::Constant { rate: never },
            Arrivals::Ramp { from: never, to: never, over_ns: SECOND },
            Arrivals::Diurnal { mean: never, amplitude: 1.0, period_ns: SECOND },
            Arrivals::Mmpp {
                rate_low: never,
                rate_high: never,
                dwell_low_ns: 1 << 62,
                dwell_high_ns: 1 << 62,
            },
        ] {
            let mut process = process(&arrivals, 1, 0);
            assert_eq!([process.next_ns(), process.next_ns()], [Nanos::MAX; 2], "{arrivals:?}");
        }
    }

    #[test]
    fn a_node_draws_from_its_own_stream_only() {
        let arrivals = Arrivals::Poisson { rate: 1_000.0 };
        let half = Arrivals::Poisson { rate: 500.0 };
        // The same rate a node, another fleet: the same arrivals.
        assert_eq!(times(&arrivals, 4, 1, SECOND), times(&half, 2, 1, SECOND));
        assert_ne!(times(&arrivals, 4, 1, SECOND), times(&arrivals, 4, 2, SECOND));
    }
}
