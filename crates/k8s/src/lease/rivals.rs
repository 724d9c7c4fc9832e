//! Other shards' Leases: a shard leads only while no other one that may write says that an account and region
//! is its own too. A Lease keeps two processes of one shard apart; while the number of shards changes, two of
//! different numbers would both have what moves between them.
//!
//! Whoever comes writes into its own Lease what it has, then looks at the others: of two that come at once
//! at least one sees the other, and waits.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::super::fence::BootTime;

/// The Lease of another shard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rival {
    pub name: String,
    /// Who holds it; absent when it was released.
    pub holder: Option<String>,
    /// How long its holder asks others to respect it.
    pub lease_duration: Duration,
    /// Its version: any write is a sign of life.
    pub version: String,
    /// What its holder has; absent when that is everything.
    pub scopes: Option<BTreeSet<String>>,
}

/// What is known of the others.
#[derive(Debug, Clone, Default)]
pub struct Rivals {
    /// The version of each, and since when it is as it is.
    seen: BTreeMap<String, (String, BootTime)>,
}

impl Rivals {
    /// The Leases among `found`, as looked at at `now`, whose holders may write to something of
    /// `scopes` (everything, when absent). One that stands still for as long as its holder asks others to
    /// respect it, and no less than `patience`, no longer blocks anyone.
    pub fn in_the_way<'a>(
        &mut self,
        scopes: Option<&BTreeSet<String>>,
        found: &'a [Rival],
        patience: Duration,
        now: BootTime,
    ) -> Vec<&'a Rival> {
        self.seen.retain(|name, _| found.iter().any(|rival| rival.name == *name));
        let mut in_the_way = Vec::new();
        for rival in found {
            let seen = self.seen.entry(rival.name.clone()).or_default();
            if seen.0 != rival.version || seen.1 == BootTime::default() {
                *seen = (rival.version.clone(), now);
            }
            let alive = now < seen.1.after(rival.lease_duration.max(patience));
            let shared = match (scopes, &rival.scopes) {
                (Some(own), Some(others)) => !own.is_disjoint(others),
                _ => true,
            };
            if rival.holder.is_some() && alive && shared {
                in_the_way.push(rival);
            }
        }
        in_the_way
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LEASE: Duration = Duration::from_secs(15);

    fn at(seconds: u64) -> BootTime {
        BootTime(Duration::from_secs(seconds))
    }

    fn set(scopes: &[&str]) -> BTreeSet<String> {
        scopes.iter().map(|scope| (*scope).to_owned()).collect()
    }

    fn rival(version: &str, scopes: Option<&[&str]>) -> Rival {
        Rival {
            name: "setpoint".to_owned(),
            holder: Some("old".to_owned()),
            lease_duration: LEASE,
            version: version.to_owned(),
            scopes: scopes.map(set),
        }
    }

    #[test]
    fn only_who_may_write_to_the_same_is_in_the_way() {
        let own = set(&["a", "b"]);
        let look = |rival: Rival| {
            let found = [rival];
            !Rivals::default().in_the_way(Some(&own), &found, LEASE, at(1)).is_empty()
        };
        assert!(look(rival("1", Some(&["b", "c"]))));
        assert!(look(rival("1", None)), "one without shards has everything");
        assert!(!look(rival("1", Some(&["c"]))));
        assert!(!look(Rival { holder: None, ..rival("1", None) }), "it was released");
        let found = [rival("1", Some(&["c"]))];
        assert!(!Rivals::default().in_the_way(None, &found, LEASE, at(1)).is_empty());
    }

    #[test]
    fn one_that_no_longer_renews_is_waited_for_as_long_as_its_lease() {
        let mut rivals = Rivals::default();
        let mut look = |now, version| {
            let found = [rival(version, None)];
            !rivals.in_the_way(None, &found, LEASE, at(now)).is_empty()
        };
        assert!(look(100, "1"));
        assert!(look(110, "2"), "it has renewed");
        assert!(look(124, "2"));
        assert!(!look(125, "2"));
        assert!(look(126, "3"), "it lives after all");
    }

    proptest! {
        /// Two shards of different numbers that have something in common, in any order of their steps: write
        /// the own Lease, look, lead. Never do both lead.
        #[test]
        fn of_two_that_share_something_at_most_one_leads(
            steps in prop::collection::vec((0..2_usize, any::<bool>()), 1..40),
        ) {
            let scopes = [set(&["a", "b"]), set(&["b", "c"])];
            let mut held = [false, false];
            let mut leads = [false, false];
            let mut known = [Rivals::default(), Rivals::default()];
            for (now, (who, stops)) in steps.into_iter().enumerate() {
                let other = 1 - who;
                if stops {
                    (held[who], leads[who]) = (false, false);
                } else if !held[who] {
                    held[who] = true;
                } else if !leads[who] {
                    let found = [Rival {
                        name: other.to_string(),
                        holder: held[other].then(|| "holder".to_owned()),
                        // It renews all the time.
                        version: now.to_string(),
                        ..rival("", None)
                    }];
                    let found = found.map(|r| Rival { scopes: Some(scopes[other].clone()), ..r });
                    let now = at(now as u64 + 1);
                    leads[who] =
                        known[who].in_the_way(Some(&scopes[who]), &found, LEASE, now).is_empty();
                }
                prop_assert!(!(leads[0] && leads[1]), "both lead");
            }
        }
    }
}
