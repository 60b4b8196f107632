//! One random stream per entity and purpose, derived from the seed.
//!
//! Adding a server, a node or a policy leaves every other stream untouched, so two runs that
//! differ in one choice share all the randomness the choice does not concern (common random
//! numbers). Streams are 16 bytes of state: a million servers can have one each.

pub use rand::{Rng, RngExt, SeedableRng};

/// The generator of every stream: PCG XSL RR 128/64 (MCG), O'Neill 2014.
pub type Stream = rand_pcg::Pcg64Mcg;

/// What a stream is for. The number is part of the seed: never reorder, only append.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
pub enum Purpose {
    /// Interarrival times of one node's requests.
    Arrivals = 1,
    /// The 64 demand bits of one node's requests.
    Demand = 2,
    /// One node's policy: candidates, ties, offsets.
    Policy = 3,
    /// One node's delays to the servers.
    NetworkOut = 4,
    /// One server's delays to the nodes, for responses.
    NetworkBack = 5,
    /// One server's heartbeats: phase, jitter, fan-out, loss, delays.
    Heartbeat = 6,
    /// The rate state shared by all nodes (bursts): every node replays the same stream.
    Modulation = 7,
    /// One node's messages to other nodes: loss, delays.
    PeerNetwork = 8,
    /// One node's gossip: phase, jitter, choice of peers.
    Gossip = 9,
    /// One node's membership: phases, whom it asks and tells.
    Membership = 16,
    /// Which targets a fault given as a share hits; the entity is the fault's place.
    FaultTargets = 20,
    /// The random campaign of faults.
    Chaos = 21,
    /// One server's errors under a fault.
    ServerFault = 22,
    /// What happens to one server's heartbeats under a fault.
    ReportFault = 23,
    /// One node's health checks: phases, delays.
    HealthChecks = 40,
    /// Which picks of servers that are eased in stand, at one node.
    SlowStart = 41,
    /// Delays of one server's notes to nodes.
    NoteNetwork = 60,
    /// Whom one server sends notes of its own accord, and when.
    NoteChoice = 61,
    /// One server's antagonist: its state at the start, its stays.
    Antagonist = 90,
    /// One server's pauses: when, how long.
    Pauses = 91,
    /// The keys of one node's requests.
    Keys = 70,
    /// Where servers and keys stand in the tables of hash policies.
    Layout = 71,
    /// Which servers one node knows.
    Subset = 72,
    /// One node's seed for hashes of servers.
    SubsetSeed = 73,
    /// How long one node's retries wait.
    Backoff = 80,
    /// What one client in a closed loop thinks, and asks for.
    Client = 81,
}

/// The stream of `entity` for `purpose` in replication `replication` of the run seeded `seed`.
pub fn stream(seed: u64, replication: u32, purpose: Purpose, entity: u32) -> Stream {
    let id = (u64::from(replication) << 32) | u64::from(entity);
    let low = mix(mix(mix(seed) ^ id) ^ purpose as u64);
    let high = mix(low ^ 0x9E37_79B9_7F4A_7C15);
    Stream::new((u128::from(high) << 64) | u128::from(low))
}

/// A uniformly random number below `n`, from one draw.
///
/// Multiply and shift (Lemire 2019) without the rejection step: with 64 bits drawn, no number is
/// likelier than another by more than `n / 2^64`, which no simulation can see.
#[inline]
pub fn below(stream: &mut Stream, n: u32) -> u32 {
    ((u128::from(stream.next_u64()) * u128::from(n)) >> 64) as u32
}

/// A uniformly random ordered pair of distinct numbers below `n >= 2`, from one draw: what is left
/// of the product for the first number is a fraction as good as new for the second. No pair is
/// likelier than another by more than `n^2 / 2^64`.
#[inline]
pub fn distinct_pair(stream: &mut Stream, n: u32) -> (u32, u32) {
    let product = u128::from(stream.next_u64()) * u128::from(n);
    let first = (product >> 64) as u32;
    let second = ((u128::from(product as u64) * u128::from(n - 1)) >> 64) as u32;
    (first, second + u32::from(second >= first))
}

/// The finaliser of `SplitMix64` (Steele, Lea, Flood 2014): a bijection that spreads every bit.
pub const fn mix(value: u64) -> u64 {
    let value = value.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let value = (value ^ (value >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    value ^ (value >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Chi-square over all 30 ordered pairs of 6 at 30 000 draws: 29 degrees of freedom, the
    /// bound is the 1 - 1e-6 quantile.
    #[test]
    fn distinct_pairs_are_uniform() {
        let mut s = stream(1, 0, Purpose::Policy, 0);
        let mut counts = [[0_u32; 6]; 6];
        for _ in 0..30_000 {
            let (a, b) = distinct_pair(&mut s, 6);
            assert_ne!(a, b);
            counts[a as usize][b as usize] += 1;
        }
        let pairs = counts.iter().enumerate().flat_map(|(a, row)| {
            row.iter().enumerate().filter(move |&(b, _)| a != b).map(|(_, &count)| count)
        });
        let chi: f64 = pairs.map(|count| (f64::from(count) - 1_000.0).powi(2) / 1_000.0).sum();
        assert!(chi < 81.0, "chi-square {chi}");
    }

    #[test]
    fn streams_differ_in_every_part_of_their_name() {
        let first = |mut s: Stream| s.next_u64();
        let base = first(stream(1, 0, Purpose::Arrivals, 0));
        assert_eq!(base, first(stream(1, 0, Purpose::Arrivals, 0)));
        for other in [
            stream(2, 0, Purpose::Arrivals, 0),
            stream(1, 1, Purpose::Arrivals, 0),
            stream(1, 0, Purpose::Demand, 0),
            stream(1, 0, Purpose::Arrivals, 1),
        ] {
            assert_ne!(base, first(other));
        }
    }
}
