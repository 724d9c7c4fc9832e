//! Shards: which process of several looks after which account and region, and its share of what they
//! have together.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use super::ids::Scope;
use super::stable_hash::fnv1a;

/// One shard of several.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Shard {
    /// Its number, from 0.
    shard: u32,
    /// How many there are.
    total_shards: u32,
}

impl Shard {
    /// The one shard of a process that looks after everything.
    pub const WHOLE: Self = Self { shard: 0, total_shards: 1 };

    /// Shard `index` of `total`; absent when there is no such shard.
    pub const fn new(index: u32, total: u32) -> Option<Self> {
        if index < total { Some(Self { shard: index, total_shards: total }) } else { None }
    }

    /// Its number, from 0.
    #[must_use]
    pub const fn index(self) -> u32 {
        self.shard
    }

    /// How many there are.
    #[must_use]
    pub const fn total(self) -> u32 {
        self.total_shards
    }

    /// Whether there is no other.
    #[must_use]
    pub const fn is_whole(self) -> bool {
        self.total_shards == 1
    }

    /// What this shard calls its own of what `base` names for all. Shard 0 keeps the name: it goes on where
    /// a process without shards ended, and the two exclude each other by one Lease.
    #[must_use]
    pub fn name(self, base: &str) -> String {
        if self.shard == 0 { base.to_owned() } else { format!("{base}{INFIX}{}", self.shard) }
    }

    /// Whether `name` is what some shard calls its own of `base`.
    pub fn is_name_of(base: &str, name: &str) -> bool {
        let Some(rest) = name.strip_prefix(base) else { return false };
        let number = rest.strip_prefix(INFIX);
        rest.is_empty() || number.is_some_and(|n| n.parse::<u32>().is_ok())
    }
}

/// Between a name and the number of a shard.
const INFIX: &str = "-shard-";

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "shard {} of {}", self.shard, self.total_shards)
    }
}

/// Which shard a process is, and its share of what is for all of them together.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ShardStatus {
    /// Which one.
    #[serde(flatten)]
    pub shard: Shard,
    /// The accounts and regions that are its own.
    pub scopes: Vec<Scope>,
    /// How many variants it may always change in one pass (rule 9).
    pub min_variants: usize,
    /// What it may spend on CloudWatch in a calendar month, in US dollars.
    pub budget_dollars_per_month: f64,
}

impl ShardStatus {
    pub fn whose(&self) -> String {
        let scopes: Vec<String> = self.scopes.iter().map(Scope::to_string).collect();
        format!("{} has {} and no other account and region", self.shard, scopes.join(", "))
    }
}

impl fmt::Display for ShardStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { min_variants, budget_dollars_per_month, .. } = self;
        write!(
            f,
            "{}; its share of the limits: {min_variants} \
             variants may always change in one pass, and {budget_dollars_per_month:.2} US dollars a month \
             for CloudWatch",
            self.whose()
        )
    }
}

/// The number in the name of a pod of a `StatefulSet`: `setpoint-2` is 2.
pub fn ordinal(pod_name: &str) -> Option<u32> {
    let (_, number) = pod_name.rsplit_once('-')?;
    number.parse().ok().filter(|_| number.bytes().all(|byte| byte.is_ascii_digit()))
}

/// The shard of each account and region: rendezvous hashing with bounded loads. Each goes to the
/// shard with the highest weight for it that still has room, so that the sizes differ by one at most, and
/// most stay where they are when a shard or an account comes or goes. Every process computes the same
/// from the same list, in whatever order it is written.
pub fn assign(scopes: &[Scope], total: u32) -> BTreeMap<Scope, u32> {
    let shards = total.max(1) as usize;
    let mut order: Vec<&Scope> = scopes.iter().collect();
    order.sort_by_cached_key(|scope| (mixed(&scope.to_string(), 0), (*scope).clone()));
    order.dedup();
    let (each, mut larger) = (order.len() / shards, order.len() % shards);
    let mut sizes = vec![0_usize; shards];
    let mut assigned = BTreeMap::new();
    for scope in order {
        let name = scope.to_string();
        let room = |size: usize| size < each || (size == each && larger > 0);
        let free = (0..total.max(1)).zip(&sizes).filter(|(_, size)| room(**size));
        // There is always room: the sizes add up to the number of scopes.
        let best = free.map(|(shard, _)| shard).max_by_key(|shard| mixed(&name, shard + 1));
        let best = best.unwrap_or_default();
        let size = &mut sizes[best as usize];
        larger -= usize::from(*size == each);
        *size += 1;
        assigned.insert(scope.clone(), best);
    }
    assigned
}

/// A hash of a name and a number of which every bit depends on every bit (the finalizer of `SplitMix64`):
/// FNV-1a of names that end alike orders them alike.
fn mixed(name: &str, number: u32) -> u64 {
    let mut z = fnv1a(name.bytes().chain(number.to_le_bytes()));
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// The part of `whole` that goes to the shard `index`, by their weights: first one for each that has a
/// weight, in their order, then the rest in proportion. The parts add up to the whole.
pub fn apportion(whole: usize, weights: &[usize], index: usize) -> usize {
    let some = weights.iter().filter(|weight| **weight > 0).count();
    let before = weights.iter().take(index).filter(|weight| **weight > 0).count();
    let own = weights.get(index).copied().unwrap_or_default();
    let all: usize = weights.iter().sum();
    if own == 0 || all == 0 {
        return 0;
    }
    let rest = whole.saturating_sub(some);
    let sum_before: usize = weights.iter().take(index).sum();
    let proportional = rest * (sum_before + own) / all - rest * sum_before / all;
    usize::from(before < whole) + proportional
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scope(n: u32) -> Scope {
        let regions = ["us-east-1", "eu-west-1", "ap-south-1"];
        Scope {
            account_id: format!("{:012}", 111_111_111_111_u64 + u64::from(n / 3)).parse().unwrap(),
            region: regions[(n % 3) as usize].parse().unwrap(),
        }
    }

    #[test]
    fn the_number_is_that_of_a_stateful_sets_pod() {
        assert_eq!(ordinal("setpoint-0"), Some(0));
        assert_eq!(ordinal("my-release-setpoint-12"), Some(12));
        for none in ["setpoint", "setpoint-", "setpoint-7d4b9-x2f", "setpoint-+1", "2"] {
            assert_eq!(ordinal(none), None, "{none}");
        }
    }

    #[test]
    fn names_are_distinguished_from_those_of_others() {
        let shard = |index| Shard::new(index, 3).unwrap();
        assert_eq!(shard(0).name("setpoint"), "setpoint");
        assert_eq!(shard(2).name("setpoint"), "setpoint-shard-2");
        assert_eq!(Shard::new(3, 3), None);
        for name in ["setpoint", "setpoint-shard-0", "setpoint-shard-12"] {
            assert!(Shard::is_name_of("setpoint", name), "{name}");
        }
        for name in ["setpoint-2", "setpoint-shard-", "setpoint-shard-x", "other", "set"] {
            assert!(!Shard::is_name_of("setpoint", name), "{name}");
        }
    }

    /// The assignment is part of what processes of several versions agree on.
    #[test]
    fn the_assignment_is_the_same_in_every_version() {
        let scopes: Vec<Scope> = (0..6).map(scope).collect();
        let shards: Vec<u32> = assign(&scopes, 3).into_values().collect();
        assert_eq!(shards, PINNED);
    }

    /// As computed by another program.
    const PINNED: [u32; 6] = [2, 0, 1, 1, 0, 2];

    #[test]
    fn most_stay_when_a_shard_comes() {
        let scopes: Vec<Scope> = (0..60).map(scope).collect();
        for total in 2..8 {
            let (before, after) = (assign(&scopes, total), assign(&scopes, total + 1));
            let moved = scopes.iter().filter(|scope| before[*scope] != after[*scope]).count();
            // The new shard must get 60 / (total + 1); a modulus would move most of all.
            let must = 60 / (total as usize + 1);
            assert!(2 * moved <= 5 * must, "{moved} at {total}, where {must} must");
        }
    }
}
