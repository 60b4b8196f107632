//! How fast something grows: least squares on logarithms.

/// `y = coefficient * x^exponent`, fitted to points.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fit {
    /// Points that went in: those with both values above 0.
    pub points: usize,
    /// Least and largest `x`.
    pub from: f64,
    /// See above.
    pub to: f64,
    pub exponent: f64,
    /// Standard error of the exponent, as if the logarithms scattered independently about a line.
    pub standard_error: f64,
    /// `y` at `x = 1`.
    pub coefficient: f64,
    /// Share of the variance of the logarithms that the fit explains; `None` if there is none.
    pub r_squared: Option<f64>,
}

/// The fit through points with positive coordinates. `None` below three points, or when all have
/// the same `x`: then nothing is known of the error, or of the growth.
pub fn log_log(points: &[(f64, f64)]) -> Option<Fit> {
    let points: Vec<(f64, f64)> =
        points.iter().copied().filter(|&(x, y)| x > 0.0 && y > 0.0).collect();
    let logs: Vec<(f64, f64)> = points.iter().map(|(x, y)| (x.log10(), y.log10())).collect();
    let n = logs.len() as f64;
    let mean = |get: fn(&(f64, f64)) -> f64| logs.iter().map(get).sum::<f64>() / n;
    let (mean_x, mean_y) = (mean(|log| log.0), mean(|log| log.1));
    let [mut xx, mut xy, mut yy] = [0.0; 3];
    for (x, y) in logs.iter().map(|(x, y)| (x - mean_x, y - mean_y)) {
        xx += x * x;
        xy += x * y;
        yy += y * y;
    }
    if logs.len() < 3 || xx <= 0.0 {
        return None;
    }
    let exponent = xy / xx;
    // What the line leaves unexplained; rounding may push it below 0.
    let residual = (yy - exponent * xy).max(0.0);
    Some(Fit {
        points: logs.len(),
        from: points.iter().map(|point| point.0).fold(f64::MAX, f64::min),
        to: points.iter().map(|point| point.0).fold(0.0, f64::max),
        exponent,
        standard_error: (residual / (n - 2.0) / xx).sqrt(),
        coefficient: libm::pow(10.0, mean_y - exponent * mean_x),
        r_squared: (yy > 0.0).then(|| 1.0 - residual / yy),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(left: f64, right: f64) -> bool {
        (left - right).abs() <= 1e-12 * right.abs().max(1.0)
    }

    #[test]
    fn a_power_law_is_found_exactly() {
        for (exponent, coefficient) in [(0.0_f64, 7.0), (0.5, 3.0), (1.0, 1e-3), (-2.0, 1e6)] {
            let y = |x: f64| coefficient * libm::pow(x, exponent);
            let points = [10.0, 30.0, 1e3, 1e6].map(|x| (x, y(x)));
            let fit = log_log(&points).unwrap();
            assert!(close(fit.exponent, exponent), "{fit:?}");
            assert!(close(fit.coefficient, coefficient), "{fit:?}");
            assert!(fit.standard_error < 1e-7, "{fit:?}");
            assert_eq!((fit.points, fit.from, fit.to), (4, 10.0, 1e6));
        }
    }

    /// By hand: logarithms (0, 0), (1, 1), (2, 1), (3, 2) have the sums of squares 5, 3 and 2; so
    /// the slope is 3/5, what is left is 2 - 9/5 = 0.2, and the standard error sqrt(0.2/2/5).
    #[test]
    fn scatter_gives_the_textbook_error() {
        let fit = log_log(&[(1.0, 1.0), (10.0, 10.0), (100.0, 10.0), (1e3, 100.0)]).unwrap();
        assert!(close(fit.exponent, 0.6) && close(fit.standard_error, 0.02_f64.sqrt()), "{fit:?}");
        assert!(close(fit.r_squared.unwrap(), 0.9), "{fit:?}");
        // The line goes through the middle: 1.5 and 1.
        assert!(close(fit.coefficient, libm::pow(10.0, 1.0 - 0.6 * 1.5)), "{fit:?}");
    }

    #[test]
    fn too_little_is_no_curve() {
        assert_eq!(log_log(&[]), None);
        assert_eq!(log_log(&[(1.0, 1.0), (2.0, 2.0)]), None);
        assert_eq!(log_log(&[(5.0, 1.0), (5.0, 2.0), (5.0, 3.0)]), None, "one place");
        assert_eq!(log_log(&[(1.0, 0.0), (2.0, -2.0), (3.0, 3.0), (4.0, 4.0)]), None, "two left");
        let level = log_log(&[(1.0, 5.0), (2.0, 5.0), (4.0, 5.0)]).unwrap();
        assert_eq!((level.exponent, level.r_squared), (0.0, None));
    }
}
