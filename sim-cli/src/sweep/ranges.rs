//! Numbers of parts as batch systems take them: `3-9,12`.

/// Rising numbers, those in a row as a range: what `--array=` of Slurm takes.
pub fn ranges(numbers: &[u32]) -> String {
    let mut parts: Vec<String> = Vec::new();
    let mut rest = numbers;
    while let Some(first) = rest.first() {
        let in_a_row = rest.iter().zip(*first..).take_while(|(number, next)| **number == *next);
        let (run, others) = rest.split_at(in_a_row.count());
        // Two in a row are as short without a dash.
        match run {
            [one] => parts.push(one.to_string()),
            [one, two] => parts.extend([one.to_string(), two.to_string()]),
            _ => parts.push(format!("{first}-{}", run[run.len() - 1])),
        }
        rest = others;
    }
    parts.join(",")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The reading that the manual of sbatch gives: indexes, ranges with a step, joined by commas.
    fn read(text: &str) -> Option<Vec<u32>> {
        let mut numbers = Vec::new();
        for part in text.split(',') {
            let (range, step) = match part.split_once(':') {
                Some((range, step)) => (range, step.parse().ok().filter(|step| *step > 0)?),
                None => (part, 1),
            };
            match range.split_once('-') {
                Some((first, last)) => {
                    let (first, last): (u32, u32) = (first.parse().ok()?, last.parse().ok()?);
                    (first <= last).then_some(())?;
                    numbers.extend((first..=last).step_by(step));
                }
                None => numbers.push(range.parse().ok()?),
            }
        }
        Some(numbers)
    }

    #[test]
    fn numbers_in_a_row_are_a_range() {
        for (numbers, text) in [
            (vec![], ""),
            (vec![6, 7], "6,7"),
            (vec![0, 1, 2], "0-2"),
            (vec![3, 4, 5, 6, 7, 8, 9, 12], "3-9,12"),
            (vec![1, 3, 5, 6], "1,3,5,6"),
        ] {
            assert_eq!(ranges(&numbers), text);
        }
        assert_eq!(read("1-7:2,9"), Some(vec![1, 3, 5, 7, 9]));
    }

    proptest! {
        /// Goal: nothing is lost or added. Method: the grammar of the manual reads them back.
        #[test]
        fn what_is_written_reads_back(
            numbers in prop::collection::btree_set(0_u32..200, 1..100)
        ) {
            let numbers: Vec<u32> = numbers.into_iter().collect();
            prop_assert_eq!(read(&ranges(&numbers)), Some(numbers));
        }
    }
}
