//! What can hardly be meant of `sharding`, and which shard has what.

use super::super::Config;
use super::of_key;
use crate::model::ids::Scope;
use crate::model::shard::apportion;
use crate::model::warning::ConfigWarning;

/// A shard that may change nothing without a confirmation holds every repair.
pub(super) fn warnings(config: &Config) -> Option<ConfigWarning> {
    let sharding = &config.sharding;
    if sharding.total < 2 {
        return None;
    }
    // Of a shard, what the others may always change is in its limit too.
    let limit = config.reconcile.mass_change;
    let whole = limit.min_variants + limit.withheld;
    let sizes = sharding.sizes();
    let none = (0..sizes.len()).filter(|shard| apportion(whole, &sizes, *shard) == 0).count();
    (whole > 0 && none > 0).then(|| {
        of_key(
            config,
            "shards_without_share",
            "reconcile.mass_change.min_variants",
            format!(
                "{whole} variants that may always change in one pass are divided over {} shards, and \
                 {none} of them have no part: each change there waits for a confirmation until ratio \
                 allows it (at least {} gives each shard one)",
                sharding.total, sharding.total
            ),
        )
    })
}

/// Which accounts and regions each shard has.
pub(super) fn notes(config: &Config) -> Vec<String> {
    let sharding = &config.sharding;
    if sharding.total < 2 {
        return Vec::new();
    }
    let of = |shard: u32| {
        let own = sharding.assigned.iter().filter(|(_, its)| **its == shard);
        let own: Vec<String> = own.map(|(scope, _): (&Scope, _)| scope.to_string()).collect();
        format!("shard {shard} of {} has {}", sharding.total, own.join(", "))
    };
    (0..sharding.total).map(of).collect()
}
