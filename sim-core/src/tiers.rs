//! Priorities: how the requests of a node are shared out among tiers of servers, by how many of each
//! are healthy. Tier 0 gets everything while enough of it is.
//!
//! Envoy's rule. The health of a tier is `min(1, overprovisioning * healthy / all)`. Tiers take up
//! the load in order, each as much as its health, as long as some is left; if the healths sum to less
//! than 1, all are scaled up to it. In that case, and in that case only, a tier with less than the
//! panic share healthy *panics*: its requests go to all its servers, healthy or not; and if all tiers
//! panic, the load is shared out by the number of servers.
//!
//! Envoy counts in whole per cent and gives what that leaves over to the first tier; we do not round,
//! so shares differ by up to one per cent a tier. Two rows of a table in its documentation (50 % and
//! 60 % healthy: 50 to 50; 25 % and 100 %: 25 to 75) leave out the overprovisioning of 1.4 that the
//! other rows, its other table (70 to 30 and 35 to 65) and its code have; we have it.

use std::sync::Arc;

/// The tiers of a run.
#[derive(Clone, Debug)]
pub struct Tiers {
    /// The tier of every server, by id.
    pub of: Arc<[u8]>,
    /// How much better than its health a tier does.
    pub overprovisioning: f64,
    /// Share of healthy servers below which a tier panics.
    pub panic: f64,
}

impl Tiers {
    /// Number of tiers, empty ones between others included.
    pub fn count(&self) -> usize {
        self.of.iter().max().map_or(0, |&last| usize::from(last) + 1)
    }
}

/// The tier within which a choice is to be made.
#[derive(Clone, Copy, Debug)]
pub struct Scope<'a> {
    /// The tier of every server.
    pub of: &'a [u8],
    /// Which one.
    pub tier: u8,
    /// All its servers may be used, healthy or not.
    pub panics: bool,
}

/// A tier of servers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tier {
    /// Servers that may be used.
    pub healthy: u32,
    /// All servers.
    pub all: u32,
}

/// What a tier gets.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Share {
    /// Of the requests.
    pub share: f64,
    /// To all of its servers.
    pub panics: bool,
}

/// Shares out the requests. The shares sum to 1, unless there are no servers. `panic` is a share of a
/// tier's servers, 0 for never.
pub fn share_out(tiers: &[Tier], overprovisioning: f64, panic: f64) -> Vec<Share> {
    let healthy = |tier: &Tier| {
        if tier.all == 0 { 0.0 } else { f64::from(tier.healthy) / f64::from(tier.all) }
    };
    let health = |tier: &Tier| (overprovisioning * healthy(tier)).min(1.0);
    let total = tiers.iter().map(health).sum::<f64>().min(1.0);
    let panics = |tier: &Tier| total < 1.0 && healthy(tier) < panic;
    if total == 0.0 || tiers.iter().all(panics) {
        let all: u32 = tiers.iter().map(|tier| tier.all).sum();
        let by_number = |tier: &Tier| Share {
            share: f64::from(tier.all) / f64::from(all.max(1)),
            panics: panics(tier),
        };
        return tiers.iter().map(by_number).collect();
    }
    let mut left = 1.0_f64;
    let mut take = |tier: &Tier| {
        let share = left.min(health(tier) / total);
        left -= share;
        Share { share, panics: panics(tier) }
    };
    tiers.iter().map(&mut take).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Per cent to each tier of a hundred servers with so many healthy, and whether it panics.
    fn shares(healthy: &[u32]) -> Vec<(i32, bool)> {
        let tiers: Vec<Tier> = healthy.iter().map(|&healthy| Tier { healthy, all: 100 }).collect();
        let shares = share_out(&tiers, 1.4, 0.5);
        let total: f64 = shares.iter().map(|share| share.share).sum();
        assert!((total - 1.0).abs() < 1e-12, "{healthy:?}: {total}");
        shares.iter().map(|share| ((share.share * 100.0).round() as i32, share.panics)).collect()
    }

    /// Published: Envoy's documentation of priorities and of the panic threshold; see the module
    /// documentation for the two rows that contradict the rest.
    #[test]
    fn shares_are_those_that_envoy_documents() {
        let calm = |percents: &[i32]| -> Vec<(i32, bool)> {
            percents.iter().map(|&percent| (percent, false)).collect()
        };
        for (healthy, expected) in [
            (&[100, 100][..], calm(&[100, 0])),
            (&[72, 72], calm(&[100, 0])),
            (&[71, 71], calm(&[99, 1])),
            (&[50, 50], calm(&[70, 30])),
            (&[50, 60], calm(&[70, 30])),
            (&[25, 100], calm(&[35, 65])),
            (&[0, 100], calm(&[0, 100])),
            (&[25, 25], vec![(50, true), (50, true)]),
            (&[5, 65], vec![(7, true), (93, false)]),
            (&[72, 72, 100], calm(&[100, 0, 0])),
            (&[71, 71, 100], calm(&[99, 1, 0])),
            (&[25, 25, 100], calm(&[35, 35, 30])),
        ] {
            assert_eq!(shares(healthy), expected, "{healthy:?}");
        }
    }

    #[test]
    fn a_fleet_in_panic_is_used_by_numbers_of_servers() {
        let tiers = [Tier { healthy: 0, all: 10 }, Tier { healthy: 1, all: 30 }];
        let share = |share| Share { share, panics: true };
        assert_eq!(share_out(&tiers, 1.4, 0.5), [share(0.25), share(0.75)]);
        // Nobody panics where panic is switched off.
        let none = [Tier { healthy: 0, all: 10 }, Tier { healthy: 0, all: 30 }];
        assert!(share_out(&none, 1.4, 0.0).iter().all(|share| !share.panics));
    }

    #[test]
    fn an_empty_tier_gets_nothing() {
        let tiers = [Tier { healthy: 0, all: 0 }, Tier { healthy: 9, all: 10 }];
        let shares = share_out(&tiers, 1.4, 0.5);
        assert_eq!(shares.iter().map(|share| share.share).collect::<Vec<_>>(), [0.0, 1.0]);
    }
}
