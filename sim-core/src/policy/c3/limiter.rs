//! How much C3 sends to each server: a token bucket a server whose rate grows by a cubic curve while answers
//! come faster than it, and falls by a factor while they come slower.
//!
//! Source: NSDI 2015, section 3.2, and `client.py` of absim. Rates are requests an interval. Beyond the
//! rate R0 at which it fell last, `t` after that: `R = gamma (t - cbrt(beta R0 / gamma))^3 + R0`, `gamma` for
//! times in milliseconds, and at most `step_max` more at once. After a growth it does not fall for `hysteresis`
//! intervals. What comes back is counted by the interval and averaged over about ten of them.

use crate::time::{MILLISECOND, Nanos};

/// Weight of the newest interval in the rate of answers: absim.
const ALPHA: f64 = 0.1;
/// A rate never falls lower [requests an interval]: absim.
const RATE_MIN: f64 = 0.01;
/// A token may lack so much: the moment of the next one is rounded to a nanosecond.
const ROUNDING: f64 = 1e-6;

/// Parameters of all limiters of a node.
#[derive(Clone, Debug, PartialEq)]
pub struct LimiterConfig {
    /// Rates are requests in this time [ns].
    pub interval_ns: Nanos,
    /// Most tokens, and the rate at first [requests an interval].
    pub burst: f64,
    /// The rate falls to this share of itself.
    pub beta: f64,
    /// How steep the curve is [requests an interval / ms^3].
    pub gamma: f64,
    /// Most by which a rate grows with one answer [requests an interval].
    pub step_max: f64,
    /// No fall for so long after a growth [intervals].
    pub hysteresis: f64,
}

impl Default for LimiterConfig {
    fn default() -> Self {
        Self {
            interval_ns: 20 * MILLISECOND,
            burst: 10.0,
            beta: 0.2,
            gamma: 4e-6,
            step_max: 10.0,
            hysteresis: 2.0,
        }
    }
}

/// What a node may send to one server.
#[derive(Clone, Copy, Debug)]
pub struct Limiter {
    /// Allowed [requests an interval].
    rate: f64,
    /// As of `sent_ns`.
    tokens: f64,
    sent_ns: Nanos,
    grown_ns: Nanos,
    fallen_ns: Nanos,
    /// The rate before it fell last.
    rate_at_fall: f64,
    /// Answers an interval, of the intervals before `interval`.
    received: f64,
    /// The interval of the newest answer, and answers in it so far.
    interval: Nanos,
    answers: u32,
}

impl Limiter {
    /// Full of tokens.
    pub const fn new(config: &LimiterConfig) -> Self {
        let burst = config.burst;
        Self {
            rate: burst,
            tokens: burst,
            sent_ns: 0,
            grown_ns: 0,
            fallen_ns: 0,
            rate_at_fall: burst,
            received: 0.0,
            interval: 0,
            answers: 0,
        }
    }

    fn tokens(&self, config: &LimiterConfig, at_ns: Nanos) -> f64 {
        let earned = self.rate * (at_ns - self.sent_ns) as f64 / config.interval_ns as f64;
        (self.tokens + earned).min(config.burst)
    }

    /// When there is a token: now, or the moment from which there is one [ns].
    pub fn opens_ns(&self, config: &LimiterConfig, at_ns: Nanos) -> Nanos {
        let missing = 1.0 - self.tokens(config, at_ns);
        if missing <= ROUNDING {
            return at_ns;
        }
        let wait_ns = missing * config.interval_ns as f64 / self.rate;
        at_ns.saturating_add(wait_ns.ceil() as Nanos).saturating_add(1)
    }

    /// A request is sent: it takes a token, if there is one.
    pub fn send(&mut self, config: &LimiterConfig, at_ns: Nanos) {
        self.tokens = (self.tokens(config, at_ns) - 1.0).max(0.0);
        self.sent_ns = at_ns;
    }

    /// A good answer comes: the rate follows.
    pub fn answer(&mut self, config: &LimiterConfig, at_ns: Nanos) {
        let received = self.receive(config, at_ns);
        let LimiterConfig { interval_ns, beta, gamma, step_max, hysteresis, .. } = *config;
        if self.rate < received {
            let since_ms = (at_ns - self.fallen_ns) as f64 / MILLISECOND as f64;
            let inflection_ms = libm::cbrt(self.rate_at_fall * beta / gamma);
            let past_ms = since_ms - inflection_ms;
            let curve = gamma * past_ms * past_ms * past_ms + self.rate_at_fall;
            self.rate = curve.min(self.rate + step_max).max(RATE_MIN);
            self.grown_ns = at_ns;
        } else if received > 0.0
            && self.rate > received
            && (at_ns - self.grown_ns) as f64 > hysteresis * interval_ns as f64
        {
            self.rate_at_fall = self.rate;
            self.rate = (self.rate * beta).max(RATE_MIN);
            self.fallen_ns = at_ns;
        }
    }

    /// Counts an answer; gives the rate of answers in the intervals that are over.
    fn receive(&mut self, config: &LimiterConfig, at_ns: Nanos) -> f64 {
        let interval = at_ns / config.interval_ns;
        let over = interval - self.interval;
        if over > 0 {
            self.received += ALPHA * (f64::from(self.answers) - self.received);
            // Intervals without an answer.
            self.received *= libm::pow(1.0 - ALPHA, (over - 1) as f64);
            (self.interval, self.answers) = (interval, 0);
        }
        self.answers += 1;
        self.received
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Nanos = MILLISECOND;

    /// Answers in step at so many an interval, from `from_ns` for so many intervals; the rate after them.
    fn answers(limiter: &mut Limiter, each: u64, from_ns: Nanos, intervals: u64) -> f64 {
        let config = LimiterConfig::default();
        for n in 0..each * intervals {
            limiter.answer(&config, from_ns + n * 20 * MS / each);
        }
        limiter.rate
    }

    #[test]
    fn a_bucket_empties_and_fills_at_its_rate() {
        let config = LimiterConfig::default();
        let mut limiter = Limiter::new(&config);
        for _ in 0..10 {
            assert_eq!(limiter.opens_ns(&config, 5 * MS), 5 * MS);
            limiter.send(&config, 5 * MS);
        }
        // 10 requests in 20 ms: the next token is 2 ms away, and that moment is no sooner.
        let opens_ns = limiter.opens_ns(&config, 5 * MS);
        assert!((7 * MS..=7 * MS + 2).contains(&opens_ns), "{opens_ns}");
        assert_eq!(limiter.opens_ns(&config, 6 * MS).max(opens_ns), opens_ns);
        assert_eq!(limiter.opens_ns(&config, opens_ns), opens_ns);
        // Who does not ask takes what is not there, and no debt.
        limiter.send(&config, 6 * MS);
        let opens_ns = limiter.opens_ns(&config, 6 * MS);
        assert!((8 * MS..=8 * MS + 2).contains(&opens_ns), "{opens_ns}");
        // However long it rests, it holds ten.
        let late_ns = 1_000 * MS;
        (0..10).for_each(|_| limiter.send(&config, late_ns));
        assert!(limiter.opens_ns(&config, late_ns) > late_ns);
    }

    /// Worked out by hand from the formula of the paper: five answers an interval, ten allowed.
    #[test]
    fn the_rate_falls_by_a_factor_and_grows_by_the_curve() {
        let config = LimiterConfig::default();
        let mut limiter = Limiter::new(&config);
        let mut after = |at_ms: Nanos| {
            limiter.answer(&config, at_ms * MS);
            (limiter.rate, limiter.received)
        };
        let near = |(rate, received): (f64, f64), (r, x): (f64, f64)| {
            assert!((rate - r).abs() < 1e-6 && (received - x).abs() < 1e-12, "{rate}, {received}");
        };
        (20..40).step_by(4).for_each(|at_ms| near(after(at_ms), (10.0, 0.0)));
        // One interval is over, the average at 0.1 x 5; two intervals since the start are not.
        near(after(40), (10.0, 0.5));
        near(after(44), (2.0, 0.5));
        near(after(48), (0.4, 0.5));
        // It fell 4 ms ago from 2: 4e-6 (4 - cbrt(2 x 0.2 / 4e-6))^3 + 2.
        near(after(52), (1.694_756_6, 0.5));
        // It has just grown: two intervals must pass. The average goes on: 0.5 x 0.9 + 0.1 x 5.
        near(after(56), (1.694_756_6, 0.5));
        (60..80).step_by(4).for_each(|at_ms| near(after(at_ms), (1.694_756_6, 0.95)));
        // 0.95 x 0.9 + 0.5 = 1.355 of one interval more; then longer than two ago, and it falls to a fifth.
        (80..96).step_by(4).for_each(|at_ms| near(after(at_ms), (1.694_756_6, 1.355)));
        near(after(96), (0.338_951_3, 1.355));
    }

    #[test]
    fn it_settles_around_what_comes_back() {
        for each in [1, 4, 20] {
            let mut limiter = Limiter::new(&LimiterConfig::default());
            answers(&mut limiter, each, 0, 100);
            let mut rates = Vec::new();
            for n in 0..400 {
                rates.push(answers(&mut limiter, each, (100 + n) * 20 * MS, 1));
            }
            let mean = rates.iter().sum::<f64>() / rates.len() as f64;
            assert!(mean > 0.6 * each as f64 && mean < 2.5 * each as f64, "{each}: {mean}");
        }
    }

    /// Goal: a growth is at most `step_max`, however long ago the fall.
    #[test]
    fn one_answer_grows_it_by_no_more_than_a_step() {
        let mut limiter = Limiter::new(&LimiterConfig::default());
        limiter.received = 1_000.0;
        limiter.interval = 500;
        limiter.answer(&LimiterConfig::default(), 10_000 * MS);
        assert!((limiter.rate - 20.0).abs() < 1e-12, "{limiter:?}");
    }

    #[test]
    fn silence_is_told_from_slowness() {
        let config = LimiterConfig::default();
        let mut limiter = Limiter::new(&config);
        // The first answers after a silence say nothing of a rate.
        limiter.answer(&config, 5_000 * MS);
        assert!((limiter.rate - 10.0).abs() < 1e-12);
    }
}
