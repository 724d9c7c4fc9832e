//! What holds for any list of accounts and any number of shards.

use proptest::prelude::*;
use setpoint::model::goal::MassChangeLimit;
use setpoint::model::ids::Scope;
use setpoint::model::shard::{apportion, assign};
use setpoint::model::stable_hash::fnv1a;

fn scope(n: u32) -> Scope {
    let regions = ["us-east-1", "eu-west-1", "ap-south-1"];
    Scope {
        account_id: format!("{:012}", 111_111_111_111_u64 + u64::from(n / 3)).parse().unwrap(),
        region: regions[(n % 3) as usize].parse().unwrap(),
    }
}

proptest! {
    /// No account and region is in no shard or in two, no shard is empty that need not be, and the
    /// order of the list does not matter.
    #[test]
    fn each_has_one_shard_and_the_sizes_differ_by_one(
        numbers in prop::collection::btree_set(0..200_u32, 0..60),
        total in 1..12_u32,
        seed in any::<u64>(),
    ) {
        let mut scopes: Vec<Scope> = numbers.into_iter().map(scope).collect();
        let assigned = assign(&scopes, total);
        prop_assert_eq!(assigned.len(), scopes.len());
        prop_assert!(assigned.values().all(|shard| *shard < total));
        let size = |shard| assigned.values().filter(|own| **own == shard).count();
        let sizes: Vec<usize> = (0..total).map(size).collect();
        let (least, most) = (sizes.iter().min().unwrap(), sizes.iter().max().unwrap());
        prop_assert!(most - least <= 1, "{sizes:?}");
        scopes.sort_by_key(|scope| fnv1a(format!("{seed}{scope}").into_bytes()));
        prop_assert_eq!(assign(&scopes, total), assigned);
    }

    /// Rule 9 over shards: what they may change together is never more than what one process may.
    #[test]
    fn the_shares_add_up_to_no_more_than_the_whole(
        min_variants in 0..20_usize,
        // Exact in binary, so that rounding has no part in it.
        ratio in (0..=64_u32).prop_map(|n| f64::from(n) / 64.0),
        shards in prop::collection::vec((1..5_usize, 0..300_usize), 1..8),
    ) {
        let weights: Vec<usize> = shards.iter().map(|(scopes, _)| *scopes).collect();
        let parts: Vec<usize> =
            (0..shards.len()).map(|index| apportion(min_variants, &weights, index)).collect();
        prop_assert_eq!(parts.iter().sum::<usize>(), min_variants);
        let most_shards = min_variants.min(shards.len());
        prop_assert!(parts.iter().filter(|part| **part > 0).count() >= most_shards);
        let whole = MassChangeLimit { min_variants, ratio, withheld: 0 };
        let variants = shards.iter().map(|(_, variants)| variants).sum();
        let limit = |((_, variants), part): (&(usize, usize), &usize)| {
            whole.share(*part).limit(*variants)
        };
        let together: usize = shards.iter().zip(&parts).map(limit).sum();
        prop_assert!(together <= whole.limit(variants), "{together} of {variants}");
    }
}
