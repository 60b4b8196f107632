//! Draws from a fixed discrete law in constant time: the alias method.
//!
//! Source: Walker 1977, built as by Vose 1991. Every column is as tall as the others and holds at most
//! two outcomes: its own up to a threshold, another above. O(n) to build, O(1) a draw.

use crate::rng::{Rng, Stream};

/// A law over `0..n`, in proportion to weights.
#[derive(Clone, Debug, Default)]
pub struct AliasTable {
    columns: Vec<Column>,
}

#[derive(Clone, Copy, Debug)]
struct Column {
    /// A draw whose fraction is below this is the column's own number.
    threshold: u32,
    /// Any other.
    alias: u32,
}

impl AliasTable {
    /// Memory an outcome takes [bytes].
    pub const OUTCOME_BYTES: usize = size_of::<Column>();

    /// The law that draws `i` with probability `weights[i] / sum`. Weights are above 0.
    pub fn new(weights: &[f64]) -> Self {
        let mean = weights.iter().sum::<f64>() / weights.len() as f64;
        let mut height: Vec<f64> = weights.iter().map(|weight| weight / mean).collect();
        let (mut low, mut high): (Vec<u32>, Vec<u32>) =
            (0..weights.len() as u32).partition(|&i| height[i as usize] < 1.0);
        let whole = Column { threshold: u32::MAX, alias: 0 };
        let mut columns = vec![whole; weights.len()];
        for (own, column) in (0..).zip(&mut columns) {
            column.alias = own;
        }
        while let (Some(&short), Some(&tall)) = (low.last(), high.last()) {
            low.pop();
            let threshold = (height[short as usize] * 2_f64.powi(32)) as u32;
            columns[short as usize] = Column { threshold, alias: tall };
            height[tall as usize] -= 1.0 - height[short as usize];
            if height[tall as usize] < 1.0 {
                high.pop();
                low.push(tall);
            }
        }
        // Whoever is left is as tall as a column, but for rounding.
        Self { columns }
    }

    /// An outcome, from one draw: its upper half chooses the column, its lower half what is in it.
    #[inline]
    pub fn draw(&self, stream: &mut Stream) -> u32 {
        let bits = stream.next_u64();
        let column = ((bits >> 32) * self.columns.len() as u64) >> 32;
        let Column { threshold, alias } = self.columns[column as usize];
        if (bits as u32) < threshold { column as u32 } else { alias }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Purpose, stream};
    use proptest::prelude::*;

    /// The law a table draws from, worked out from its columns.
    fn law(table: &AliasTable) -> Vec<f64> {
        let mut law = vec![0.0; table.columns.len()];
        for (own, column) in table.columns.iter().enumerate() {
            let share = f64::from(column.threshold) / 2_f64.powi(32);
            law[own] += share / table.columns.len() as f64;
            law[column.alias as usize] += (1.0 - share) / table.columns.len() as f64;
        }
        law
    }

    proptest! {
        /// The oracle is the definition: probabilities in proportion to weights.
        #[test]
        fn table_holds_the_law(weights in proptest::collection::vec(1e-3_f64..1e3, 1..60)) {
            let sum: f64 = weights.iter().sum();
            for (drawn, weight) in law(&AliasTable::new(&weights)).iter().zip(&weights) {
                prop_assert!((drawn - weight / sum).abs() < 1e-8, "{drawn}, {}", weight / sum);
            }
        }
    }

    #[test]
    fn draws_follow_the_table() {
        let table = AliasTable::new(&[1.0, 2.0, 5.0]);
        let mut stream = stream(1, 0, Purpose::Policy, 0);
        let mut counts = [0.0; 3];
        for _ in 0..80_000 {
            counts[table.draw(&mut stream) as usize] += 1.0;
        }
        let expected = [10_000.0, 20_000.0, 50_000.0];
        let chi: f64 = counts.iter().zip(expected).map(|(n, e)| (n - e) * (n - e) / e).sum();
        // The 1 - 1e-6 quantile at two degrees of freedom.
        assert!(chi < 27.6, "{counts:?}");
    }
}
