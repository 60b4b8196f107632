//! The middle and the ends of a handful of repeats.

/// The median; of an even number, the mean of the two in the middle. `None` of none.
pub fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match sorted.as_slice() {
        [] => None,
        odd if odd.len() % 2 == 1 => Some(odd[middle]),
        even => Some(f64::midpoint(even[middle - 1], even[middle])),
    }
}

/// The least.
pub fn low(values: &[f64]) -> Option<f64> {
    values.iter().copied().min_by(f64::total_cmp)
}

/// The largest.
pub fn high(values: &[f64]) -> Option<f64> {
    values.iter().copied().max_by(f64::total_cmp)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn median_of_none_one_odd_and_even() {
        assert_eq!(median(&[]), None);
        assert_eq!(median(&[3.0]), Some(3.0));
        assert_eq!(median(&[9.0, 1.0, 3.0]), Some(3.0));
        assert_eq!(median(&[9.0, 1.0, 3.0, 4.0]), Some(3.5));
    }

    #[test]
    fn ends_of_none_and_some() {
        assert_eq!((low(&[]), high(&[])), (None, None));
        assert_eq!((low(&[9.0, 1.0, 3.0]), high(&[9.0, 1.0, 3.0])), (Some(1.0), Some(9.0)));
    }
}
