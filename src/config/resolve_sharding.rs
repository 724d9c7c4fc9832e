//! The section `sharding`: which accounts and regions are this process's, and its share of what is for
//! all of them together.

use std::path::{Path, PathBuf};

use super::raw::Raw;
use super::resolve::Resolver;
use super::settings::{
    AccountSettings, KubernetesSettings, MemorySettings, ReconcileSettings, ShardingSettings,
    StoreConfig, TelemetrySettings,
};
use crate::model::ids::Scope;
use crate::model::shard::{Shard, apportion, assign};

/// Parses the section, and divides what it must. Several shards share out `accounts`, so there must be
/// enough in it for each to have one.
pub(super) fn resolve_sharding(
    r: &mut Resolver<'_>,
    raw: &Raw,
    accounts: &[AccountSettings],
) -> ShardingSettings {
    let total = r.needed("sharding.total_shards", raw.sharding.total_shards).max(1);
    let scopes: Vec<Scope> = accounts.iter().flat_map(AccountSettings::scopes).collect();
    if total > 1 && !r.may_be_spoiled("accounts") && scopes.len() < total as usize {
        let has = if accounts.is_empty() {
            "accounts, a list of at least two accounts and regions, which the shards share out \
             (instead of aws.account_id and aws.region)"
                .to_owned()
        } else {
            format!(
                "at most {}, the accounts and regions in accounts: a shard without one has nothing to do",
                scopes.len()
            )
        };
        r.problem("sharding.total_shards", total.to_string(), &has);
    }
    let own = match raw.sharding.shard {
        Some(index) => {
            let own = Shard::new(index, total);
            if own.is_none() {
                let allowed = format!(
                    "0 to {}, as sharding.total_shards is {total} and shards count from 0",
                    total - 1
                );
                r.problem("sharding.shard", index.to_string(), &allowed);
            }
            own
        }
        None => (total == 1).then_some(Shard::WHOLE),
    };
    ShardingSettings { own, total, assigned: assign(&scopes, total) }
}

/// The sections of which a shard has a part or one of its own.
pub(super) struct Divided<'a> {
    pub(super) kubernetes: &'a mut KubernetesSettings,
    pub(super) memory: &'a mut MemorySettings,
    pub(super) store: &'a mut StoreConfig,
    pub(super) reconcile: &'a mut ReconcileSettings,
    pub(super) telemetry: &'a mut TelemetrySettings,
}

impl Divided<'_> {
    /// Leaves this shard's part of each, if the number of the shard is known.
    pub(super) fn take_share(&mut self, sharding: &ShardingSettings) {
        let Some(own) = sharding.own.filter(|own| !own.is_whole()) else { return };
        for name in [&mut self.kubernetes.lease_name, &mut self.kubernetes.memory_configmap]
            .into_iter()
            .flatten()
        {
            *name = own.name(name);
        }
        for path in [&mut self.memory.file, &mut self.store.path].into_iter().flatten() {
            *path = named(own, path);
        }
        let sizes = sharding.sizes();
        let limit = self.reconcile.mass_change;
        let part = apportion(limit.min_variants, &sizes, own.index() as usize);
        self.reconcile.mass_change = limit.share(part);
        let all: usize = sizes.iter().sum();
        let own = sizes.get(own.index() as usize).copied().unwrap_or_default();
        self.telemetry.budget_dollars_per_month *= own as f64 / all.max(1) as f64;
    }
}

/// `memory.json` of shard 2 is `memory-shard-2.json`.
fn named(shard: Shard, path: &Path) -> PathBuf {
    let stem = path.file_stem().map(|stem| stem.to_string_lossy()).unwrap_or_default();
    let mut name = shard.name(&stem);
    if let Some(extension) = path.extension() {
        name.push('.');
        name.push_str(&extension.to_string_lossy());
    }
    path.with_file_name(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_keep_their_folder_and_their_extension() {
        let of = |index, path: &str| named(Shard::new(index, 4).unwrap(), Path::new(path));
        assert_eq!(of(2, "/data/memory.json"), Path::new("/data/memory-shard-2.json"));
        assert_eq!(of(1, "history"), Path::new("history-shard-1"));
        assert_eq!(of(0, "/data/memory.json"), Path::new("/data/memory.json"));
    }
}
