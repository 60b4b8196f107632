//! Tests of fit for the tests. Each bound is exceeded by a right sampler with a chance of about
//! 1e-6; since seeds are fixed, a test that passes once passes always.

/// Two-sided 1e-6 quantile of the normal law.
pub const Z: f64 = 4.892;

/// Asserts that `values` are independent uniform samples of `[0, 1]`: Kolmogorov-Smirnov, and the
/// share below several levels near both ends, where that test is blind.
pub fn assert_uniform(mut values: Vec<f64>) {
    values.sort_by(f64::total_cmp);
    let n = values.len() as f64;
    let distance = (0u32..)
        .zip(&values)
        .map(|(rank, &u)| (u - f64::from(rank) / n).max(f64::from(rank + 1) / n - u))
        .fold(0.0, f64::max);
    // P(D > d) <= 2 exp(-2 n d^2) for every n: Dvoretzky, Kiefer, Wolfowitz; constant by Massart
    // 1990. Solved for 1e-6.
    let bound = 2.694 / n.sqrt();
    assert!(distance < bound, "Kolmogorov-Smirnov distance {distance}, bound {bound}");

    for level in [1e-4, 1e-3, 0.01, 0.1, 0.5, 0.9, 0.99, 0.999, 0.9999] {
        let spread = (level * (1.0 - level) * n).sqrt();
        if spread < 5.0 {
            continue; // Too few samples that far out for the normal bound to hold.
        }
        let below = values.partition_point(|&u| u <= level) as f64;
        let z = (below - level * n) / spread;
        assert!(z.abs() < Z + 1.0 / spread, "share below {level}: {} ({z} sigma)", below / n);
    }
}

/// Asserts mean and variance; their standard errors come from the sample itself.
pub fn assert_moments(values: &[f64], mean: f64, variance: f64) {
    let n = values.len() as f64;
    let moment =
        |about: f64, power: i32| values.iter().map(|x| (x - about).powi(power)).sum::<f64>() / n;
    let sample_mean = moment(0.0, 1);
    let sample_variance = moment(mean, 2);
    let rounding = 1e-9 * mean.abs();
    let mean_error = (sample_variance / n).sqrt();
    assert!(
        (sample_mean - mean).abs() <= Z * mean_error + rounding,
        "mean {sample_mean}, expected {mean} +- {mean_error}"
    );
    let variance_error = ((moment(mean, 4) - sample_variance.powi(2)).max(0.0) / n).sqrt();
    assert!(
        (sample_variance - variance).abs() <= Z * variance_error + rounding,
        "variance {sample_variance}, expected {variance} +- {variance_error}"
    );
}
