//! What makes a run the same run: everything its result depends on, and nothing else.
//!
//! A run is known by a digest of its scenario, its replication, and the engine. So a result is found
//! again under any numbering of points, on any machine, and a changed scenario never finds the result of
//! the old one.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;
use std::sync::LazyLock;

use sha2::{Digest as _, Sha256};
use sim_core::columns::METRICS;
use sim_core::config::{Arrivals, PolicyConfig, RandomConfig, Scenario};

/// Raised when the files of runs hold something else than before.
pub const SCHEMA: u32 = 2;

/// The engine: results of another one are not mixed with these.
pub const ENGINE: &str = concat!("lbsim ", env!("CARGO_PKG_VERSION"));

/// The revision that was built, where the build says so.
pub const COMMIT: &str = match option_env!("LBSIM_COMMIT") {
    Some(commit) => commit,
    None => "unknown",
};

/// What a run measures: builds between two versions may differ in nothing else.
static MEASURED: LazyLock<Id> = LazyLock::new(|| {
    let mut digest = Digest::default();
    for metric in METRICS {
        digest.part(metric.name.as_bytes());
    }
    digest.finish()
});

/// The first 128 bits of a SHA-256 digest, as 32 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Id([u8; 16]);

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl FromStr for Id {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let is_digit = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c);
        if text.len() != 32 || !text.chars().all(is_digit) {
            return Err(());
        }
        let mut id = [0; 16];
        for (byte, start) in id.iter_mut().zip((0..32).step_by(2)) {
            *byte = u8::from_str_radix(&text[start..start + 2], 16).map_err(|_| ())?;
        }
        Ok(Self(id))
    }
}

impl Id {
    /// Its first byte: ids that are digests have each of them about equally often.
    pub const fn first_byte(self) -> u8 {
        self.0[0]
    }
}

/// One replication of a subject: its id, a dash, and the number of the replication.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RunId {
    /// Of which subject.
    pub subject: Id,
    /// Which replication.
    pub replication: u32,
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.subject, self.replication)
    }
}

/// Takes in parts; equal sequences of parts, and only these, give equal digests.
#[derive(Clone, Default)]
pub struct Digest(Sha256);

impl Digest {
    /// Takes in some bytes.
    pub fn add(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// Takes in a part that is known by its length.
    pub fn part(&mut self, bytes: &[u8]) -> &mut Self {
        self.0.update((bytes.len() as u64).to_le_bytes());
        self.0.update(bytes);
        self
    }

    /// The digest of everything taken in.
    pub fn finish(self) -> Id {
        let digest = self.0.finalize();
        let mut id = [0; 16];
        id.copy_from_slice(&digest[..16]);
        Id(id)
    }
}

/// The digest of some bytes.
pub fn digest(bytes: &[u8]) -> Id {
    let mut digest = Digest::default();
    digest.add(bytes);
    digest.finish()
}

/// What all replications of a point have in common. `scenario` has exactly the point's policy;
/// `trace` is the digest of its trace, if it has one.
pub fn subject(scenario: &Scenario, trace: Option<&str>) -> Id {
    let mut canonical = scenario.clone();
    // What names the scenario or says how often it is run and what it must show changes no run.
    "run".clone_into(&mut canonical.name);
    canonical.replications = 1;
    canonical.replications_max = 1;
    canonical.target.clear();
    canonical.expect.clear();
    if let Arrivals::Trace(trace) = &mut canonical.workload.arrivals {
        // The content counts, not where it is, nor what is said about it.
        "trace.csv".clone_into(&mut trace.file);
        trace.rate = None;
    }
    let mut digest = Digest::default();
    digest
        .part(&SCHEMA.to_le_bytes())
        .part(ENGINE.as_bytes())
        .part(COMMIT.as_bytes())
        .part(&MEASURED.0)
        .part(canonical.to_toml().as_bytes())
        // The file rounds the times of laws to nanoseconds; here they are exact.
        .part(format!("{canonical:?}").as_bytes())
        .part(trace.unwrap_or_default().as_bytes());
    digest.finish()
}

/// What subjects have in common that differ in the policy alone.
pub fn without_policy(scenario: &Scenario, trace: Option<&str>) -> Id {
    let mut canonical = scenario.clone();
    canonical.policies = vec![PolicyConfig::Random(RandomConfig::default())];
    subject(&canonical, trace)
}

/// A subject whose warm-up is found together with that of `others`, itself among them: its results
/// depend on who they are.
pub fn compared(subject: Id, others: &BTreeSet<Id>) -> Id {
    let mut digest = Digest::default();
    digest.part(&subject.0);
    for other in others {
        digest.part(&other.0);
    }
    digest.finish()
}

#[cfg(test)]
mod tests {
    use sim_core::law::ServiceLaw;

    use super::*;
    use crate::fleet;

    #[test]
    fn ids_are_known_digests() {
        // `printf abc | sha256sum`
        assert_eq!(digest(b"abc").to_string(), "ba7816bf8f01cfea414140de5dae2223");
    }

    #[test]
    fn only_32_small_digits_are_an_id() {
        for bad in ["", "ba7816bf8f01cfea414140de5dae222", "BA7816BF8F01CFEA414140DE5DAE2223", "é"]
        {
            assert_eq!(bad.parse::<Id>(), Err(()), "{bad}");
        }
    }

    #[test]
    fn parts_do_not_run_into_each_other() {
        let of = |parts: [&str; 2]| {
            let mut digest = Digest::default();
            digest.part(parts[0].as_bytes()).part(parts[1].as_bytes());
            digest.finish()
        };
        assert_ne!(of(["ab", "c"]), of(["a", "bc"]));
    }

    #[test]
    fn a_subject_is_what_changes_results_and_nothing_else() {
        let scenario = fleet::scenario(10, 2, fleet::TWO_CHOICES, 1_000);
        let id = subject(&scenario, None);
        let changed = |change: fn(&mut Scenario)| {
            let mut scenario = scenario.clone();
            change(&mut scenario);
            subject(&scenario, None)
        };
        assert_eq!(changed(|s| s.name = "other".to_owned()), id);
        assert_eq!(changed(|s| s.replications = 9), id);
        assert_ne!(changed(|s| s.seed = 2), id);
        assert_ne!(changed(|s| s.policies = vec![fleet::LOWEST_LATENCY]), id);
        // Less than a nanosecond: a file would not tell.
        let law = ServiceLaw::Exponential { mean_ns: 10e6 + 0.25 };
        let mut touched = scenario.clone();
        touched.servers[0].service = law;
        assert_ne!(subject(&touched, None), id);
        assert_ne!(subject(&scenario, Some("00")), id);
        assert_eq!(id.to_string().parse(), Ok(id));
        assert_eq!(RunId { subject: id, replication: 3 }.to_string(), format!("{id}-3"));
    }
}
