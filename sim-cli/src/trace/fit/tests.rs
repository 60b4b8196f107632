//! Goal: laws are found again in samples of them, within the stated error, and what is none of them
//! is not taken for one. Method: samples from the simulator's own laws.

use sim_core::config::Arrivals as Process;
use sim_core::config::TraceFormat;
use sim_core::ids::NodeId;
use sim_core::law::ServiceLaw;
use sim_core::popularity::Popularity as Keys;
use sim_core::rng::{Purpose, Rng, stream};
use sim_core::time::{MILLISECOND, SECOND};
use sim_core::workload::ArrivalProcess;

use super::*;

fn arrivals(process: &Process, count: usize, seed: u64) -> Vec<Nanos> {
    let mut process = ArrivalProcess::new(process, 1, NodeId(0), seed, 0);
    (0..count).map(|_| process.next_ns()).collect()
}

fn services(law: &ServiceLaw, count: usize) -> Vec<Nanos> {
    let sampler = law.sampler();
    let mut bits = stream(3, 0, Purpose::Demand, 0);
    let mut sorted: Vec<Nanos> =
        (0..count).map(|_| (sampler.sample_ns(bits.next_u64()).round() as Nanos).max(1)).collect();
    sorted.sort_unstable();
    sorted
}

/// The closest law of a kind: its name, whether it fits, its numbers.
fn best(mut fits: Vec<Fit>) -> (String, bool, Vec<f64>) {
    fits.sort_by(|a, b| a.score.total_cmp(&b.score));
    let first = fits.first().expect("a law");
    let (name, rest) = first.toml.split_once(" = ").expect("a name");
    let unit = |text: &str| -> f64 {
        let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
        let factor = match text[end..].split(['"', ' ', ',']).next().unwrap_or_default() {
            "s" => 1e9,
            "ms" => 1e6,
            "us" => 1e3,
            _ => 1.0,
        };
        text[..end].parse::<f64>().expect("a number") * factor
    };
    let numbers = rest.split(" = ").skip(1).map(|text| unit(text.trim_start_matches('"')));
    (name.to_owned(), first.fits, numbers.collect())
}

fn assert_near(found: &[f64], law: &[f64], error: f64, what: &str) {
    assert_eq!(found.len(), law.len(), "{what}: {found:?}");
    for (found, law) in found.iter().zip(law) {
        assert!((found / law - 1.0).abs() <= error, "{what}: {found} instead of {law}");
    }
}

#[test]
fn poisson_arrivals_are_found_again() {
    for seed in 1..4 {
        let times = arrivals(&Process::Poisson { rate: 250.0 }, 50_000, seed);
        let (name, fits, numbers) = best(Arrivals::new(&times).fits());
        assert_eq!((name.as_str(), fits), ("poisson", true));
        assert_near(&numbers, &[250.0], 0.02, "poisson");
        assert_eq!(Arrivals::new(&times).drift(), None);
    }
    let times = arrivals(&Process::Constant { rate: 250.0 }, 1_000, 1);
    assert_eq!(best(Arrivals::new(&times).fits()).0, "constant");
}

/// The stays are what a sample tells least of: here there are about 800 of each. Rates within 15 %,
/// lengths of stays within 30 %.
#[test]
fn bursts_are_found_again() {
    for seed in 1..4 {
        let process = Process::Mmpp {
            rate_low: 100.0,
            rate_high: 1_000.0,
            dwell_low_ns: SECOND,
            dwell_high_ns: 250 * MILLISECOND,
        };
        let times = arrivals(&process, 300_000, seed);
        let (name, fits, numbers) = best(Arrivals::new(&times).fits());
        assert_eq!((name.as_str(), fits), ("mmpp", true), "{numbers:?}");
        assert_near(&numbers[..2], &[100.0, 1_000.0], 0.15, "rates");
        assert_near(&numbers[2..], &[1e9, 250e6], 0.3, "stays");
    }
}

/// A rate that rises is no burst; it is told, and nothing is said to fit.
#[test]
fn a_changing_rate_is_told() {
    let ramp = Process::Ramp { from: 100.0, to: 2_000.0, over_ns: 60 * SECOND };
    let times = arrivals(&ramp, 60_000, 1);
    let arrivals = Arrivals::new(&times);
    assert!(arrivals.drift().expect("it rises").contains("the rate changes"));
    assert!(arrivals.fits().iter().all(|fit| !fit.fits));
}

#[test]
fn service_laws_are_found_again() {
    let ms = 1e6;
    for (law, name, numbers, error) in [
        (ServiceLaw::Exponential { mean_ns: 10.0 * ms }, "exponential", vec![10.0 * ms], 0.02),
        (
            ServiceLaw::Lognormal { mean_ns: 10.0 * ms, cv: 2.0 },
            "lognormal",
            vec![10.0 * ms, 2.0],
            0.05,
        ),
        (
            ServiceLaw::Hyperexponential { mean_ns: 10.0 * ms, cv: 3.0 },
            "hyperexponential",
            vec![10.0 * ms, 3.0],
            0.05,
        ),
        (ServiceLaw::Erlang { mean_ns: 10.0 * ms, shape: 4 }, "erlang", vec![10.0 * ms, 4.0], 0.02),
        (
            ServiceLaw::BoundedPareto { low_ns: ms, high_ns: 1_000.0 * ms, alpha: 1.5 },
            "bounded_pareto",
            vec![ms, 1_000.0 * ms, 1.5],
            0.2,
        ),
        (
            ServiceLaw::Uniform { low_ns: 5.0 * ms, high_ns: 15.0 * ms },
            "uniform",
            vec![5.0 * ms, 15.0 * ms],
            0.01,
        ),
        (ServiceLaw::Constant { mean_ns: 10.0 * ms }, "constant", vec![10.0 * ms], 1e-9),
    ] {
        let sorted = services(&law, 100_000);
        let (found, fits, parameters) = best(Services::new(&sorted).expect("some").fits());
        assert_eq!((found.as_str(), fits), (name, true), "{law:?}");
        assert_near(&parameters, &numbers, error, name);
    }
}

/// Two far peaks are none of the laws: said so, and the measured quantiles are offered.
#[test]
fn where_nothing_fits_the_trace_itself_is_kept() {
    let process = Process::Constant { rate: 1_000.0 };
    let mut times = arrivals(&process, 4_000, 1);
    // Packets of ten at a time, evenly: no process here has that.
    for at in &mut times {
        *at = *at / (10 * MILLISECOND) * 10 * MILLISECOND;
    }
    let mut services: Vec<Nanos> =
        (0..4_000).map(|i| if i % 2 == 0 { MILLISECOND } else { SECOND }).collect();
    services.sort_unstable();
    let sample = Sample { arrivals: times, services, keys: Vec::new() };
    let config = TraceConfig::new("t.csv", TraceFormat::named("csv").expect("csv"));
    let report = sample.report(&config, &config.to_toml());
    assert!(report.contains("\narrivals.trace = { file = \"t.csv\""), "{report}");
    assert!(report.contains("\nservice.empirical = "), "{report}");
    assert!(report.contains("\n# arrivals.poisson = ") && report.contains("does not fit"));
}

#[test]
fn zipf_exponents_are_found_again() {
    for exponent in [0.0, 0.8, 1.0, 1.5] {
        let sampler = Keys::Zipf { count: 1_000, exponent }.sampler();
        let mut draws = stream(5, 0, Purpose::Policy, 0);
        let mut keys: Vec<u64> = (0..200_000).map(|_| sampler.draw(&mut draws)).collect();
        keys.sort_unstable();
        let popularity = Popularity::new(&keys).expect("many");
        let mut fits = popularity.fits();
        fits.sort_by(|a, b| a.score.total_cmp(&b.score));
        assert!(fits[0].fits, "{fits:?}");
        let zipf = fits.iter().find(|fit| fit.toml.starts_with("zipf")).expect("Zipf");
        let found: f64 =
            zipf.toml.rsplit(['=', '}']).nth(1).expect("last").trim().parse().expect("number");
        assert!((found - exponent).abs() < 0.08, "{found} instead of {exponent}");
    }
    assert!(Popularity::new(&[7; 100]).is_none() && Popularity::new(&[]).is_none());
}

/// Goal: what is printed can be pasted. Method: put it into a scenario and read that.
#[test]
fn the_report_is_part_of_a_scenario() {
    let process = Process::Poisson { rate: 100.0 };
    let sampler = Keys::Zipf { count: 50, exponent: 1.0 }.sampler();
    let mut draws = stream(5, 0, Purpose::Policy, 0);
    let mut keys: Vec<u64> = (0..20_000).map(|_| sampler.draw(&mut draws)).collect();
    keys.sort_unstable();
    let sample = Sample {
        arrivals: arrivals(&process, 20_000, 2),
        services: services(&ServiceLaw::Lognormal { mean_ns: 3e6, cv: 1.0 }, 20_000),
        keys,
    };
    let config = TraceConfig::new("t.csv", TraceFormat::named("csv").expect("csv"));
    let report = sample.report(&config, &config.to_toml());
    let text =
        format!("name = \"x\"\nduration = \"1s\"\n{report}count = 2\ncapacity = 1\nbacklog = 0\n");
    let read = sim_core::config::Scenario::parse(&text, &[], &|_| Err("no file".to_owned()));
    let scenario = read.unwrap_or_else(|faults| panic!("{report}\n{faults:#?}"));
    assert!(matches!(scenario.workload.arrivals, Process::Poisson { .. }), "{report}");
    assert!(matches!(scenario.servers[0].service, ServiceLaw::Lognormal { .. }), "{report}");
    assert!(scenario.workload.keys.is_some(), "{report}");
}

#[test]
fn quantiles_are_an_empirical_law() {
    let text = services::quantiles(&services(&ServiceLaw::Exponential { mean_ns: 1e6 }, 10_000));
    let text = text.expect("they differ");
    let rows: Vec<(f64, f64)> = (text.lines().skip(1))
        .map(|line| {
            let (share, value) = line.split_once(',').expect("two");
            (share.parse().expect("number"), value.parse().expect("number"))
        })
        .collect();
    assert!(rows.windows(2).all(|pair| pair[0].0 < pair[1].0 && pair[0].1 < pair[1].1));
    assert_eq!((rows[0].0, rows[rows.len() - 1].0), (0.0, 1.0));
    assert_eq!(services::quantiles(&[5; 10]), None);
    let steps = services::quantiles(&[1, 1, 1, 9, 9]).expect("two values");
    assert!(steps.ends_with("1,9\n") && steps.contains("\n0,1\n"), "{steps}");
}
