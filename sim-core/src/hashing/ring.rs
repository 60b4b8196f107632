//! The ring: every server has points on a circle of hashes, in proportion to its weight; a key goes to
//! the server of the first point at or after its own hash.
//!
//! Karger and others 1997; laid out as Envoy's `ring_hash` does. Points are such that the lightest
//! server has a whole number of them and all together are at least `minimum`, unless that is more than
//! `maximum`: `scale = min(ceil(w_min * minimum) / w_min, maximum)` with weights that sum to 1, and
//! server after server gets points until `scale` times the weights so far is reached. O(log points) to
//! find a place. Of 12 bytes a point.

use super::{Hasher, Spread, Weights};

/// See the module documentation.
#[derive(Clone, Debug)]
pub struct Ring {
    /// Hashes, ascending.
    points: Vec<u64>,
    /// Whose point it is.
    servers: Vec<u32>,
    weights: Weights,
}

impl Ring {
    /// The ring of servers with these weights, all above 0.
    pub fn new(weights: &[f64], minimum: u32, maximum: u32, hasher: &Hasher) -> Self {
        let Weights { total, .. } = Weights::new(weights);
        let lightest = weights.iter().copied().fold(f64::INFINITY, f64::min) / total;
        let scale = ((lightest * f64::from(minimum)).ceil() / lightest).min(f64::from(maximum));
        let mut points: Vec<(u64, u32)> = Vec::with_capacity(scale as usize + 1);
        let mut reached = 0.0;
        for (server, weight) in (0..).zip(weights) {
            reached += scale * (weight / total);
            for number in 0.. {
                // Sums of shares that are whole on paper may be a rounding below.
                if points.len() as f64 >= reached - 1e-6 {
                    break;
                }
                points.push((hasher.server(server, number), server));
            }
        }
        points.sort_unstable();
        let (points, servers) = points.into_iter().unzip();
        Self { points, servers, weights: Weights::new(weights) }
    }

    /// Number of points.
    pub const fn len(&self) -> usize {
        self.points.len()
    }

    /// True without servers.
    pub const fn is_empty(&self) -> bool {
        self.points.is_empty()
    }
}

impl Spread for Ring {
    /// Once around; a server comes as often as it has points.
    #[inline]
    fn way(&self, hash: u64) -> impl Iterator<Item = u32> + '_ {
        let start = self.points.partition_point(|&point| point < hash);
        let (before, after) = self.servers.split_at(start);
        after.iter().chain(before).copied()
    }

    fn weights(&self) -> &Weights {
        &self.weights
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The ring without tricks: all points in a list, the nearest one at or after a hash by looking
    /// at all of them.
    fn by_scan(points: &[(u64, u32)], hash: u64, out: &[u32]) -> Option<u32> {
        let distance = |point: u64| point.wrapping_sub(hash);
        points
            .iter()
            .filter(|(_, server)| !out.contains(server))
            .min_by_key(|(point, server)| (distance(*point), *server))
            .map(|&(_, server)| server)
    }

    #[test]
    fn a_key_goes_to_the_next_point_of_a_server_that_is_there() {
        let hasher = Hasher::new(3);
        let ring = Ring::new(&[1.0, 2.0, 1.5, 0.5, 1.0], 64, 1_000, &hasher);
        let points: Vec<_> =
            ring.points.iter().copied().zip(ring.servers.iter().copied()).collect();
        assert!(ring.points.is_sorted());
        for key in 0..2_000 {
            let hash = hasher.key(key);
            for out in [&[][..], &[1], &[0, 2, 4]] {
                let chosen = ring.way(hash).find(|server| !out.contains(server));
                assert_eq!(chosen, by_scan(&points, hash, out), "key {key} without {out:?}");
            }
            assert_eq!(ring.way(hash).count(), ring.len());
        }
    }

    /// Envoy's sizes: the lightest server gets a whole number of points, at least `minimum` in all,
    /// at most `maximum`.
    #[test]
    fn points_follow_weights_and_bounds() {
        let hasher = Hasher::new(1);
        let points = |ring: &Ring, server| ring.servers.iter().filter(|s| **s == server).count();
        for (weights, minimum, maximum, expected) in [
            (&[1.0, 1.0][..], 1_024, 8_388_608, &[512, 512][..]),
            // ceil(1024 / 3) points each.
            (&[1.0, 1.0, 1.0], 1_024, 8_388_608, &[342, 342, 342]),
            (&[1.0, 3.0], 1_024, 8_388_608, &[256, 768]),
            (&[1.0, 1.0, 1.0], 1, 8_388_608, &[1, 1, 1]),
            (&[1.0, 1.0, 2.0], 1_024, 8, &[2, 2, 4]),
        ] {
            let ring = Ring::new(weights, minimum, maximum, &hasher);
            let counts: Vec<_> =
                (0..weights.len() as u32).map(|server| points(&ring, server)).collect();
            assert_eq!(counts, expected, "{weights:?} {minimum} {maximum}");
        }
        let many = Ring::new(&vec![1.0; 3_000], 1_024, 8_388_608, &hasher);
        assert_eq!(many.len(), 3_000, "one point each");
    }

    /// Goal: shares follow weights. Method: lengths of arcs over a hundred layouts; a share's spread
    /// is about share / sqrt(points), so the mean over layouts has a tenth of that.
    #[test]
    fn arcs_are_shares_on_average() {
        let (mut light, layouts) = (0.0, 100);
        for salt in 0..layouts {
            let ring = Ring::new(&[1.0, 3.0], 1_024, 8_388_608, &Hasher::new(salt));
            let mut last = *ring.points.last().unwrap();
            for (&point, &server) in ring.points.iter().zip(&ring.servers) {
                let arc = point.wrapping_sub(last) as f64 / 2.0_f64.powi(64);
                last = point;
                light += if server == 0 { arc } else { 0.0 };
            }
        }
        let share = light / layouts as f64;
        assert!((share - 0.25).abs() < 0.25 * 5.0 / (256.0 * layouts as f64).sqrt(), "{share}");
    }

    /// Goal: when a server goes, its keys move and no others; they move to all the others.
    #[test]
    fn only_the_keys_of_a_lost_server_move() {
        let hasher = Hasher::new(5);
        let ring = Ring::new(&[1.0; 20], 2_000, 8_388_608, &hasher);
        let mut heirs = [0_u32; 20];
        for key in 0..20_000 {
            let hash = hasher.key(key);
            let before = ring.way(hash).next().unwrap();
            let after = ring.way(hash).find(|&server| server != 7).unwrap();
            assert!(before == 7 || after == before, "key {key} moved from {before} to {after}");
            heirs[after as usize] += u32::from(before == 7);
        }
        assert_eq!(heirs[7], 0);
        assert!(heirs.iter().filter(|&&keys| keys > 0).count() == 19, "{heirs:?}");
    }
}
