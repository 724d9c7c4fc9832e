//! The list `accounts`, and what must hold between its keys and those of `aws`.

use std::collections::BTreeMap;

use super::raw::{Raw, RawAccount};
use super::resolve::Resolver;
use super::settings::AccountSettings;
use crate::model::ids::{AccountId, Region, Scope};

/// Parses the list. The schema has checked the form of each value.
pub(super) fn resolve_accounts(r: &mut Resolver<'_>, raw: &Raw) -> Vec<AccountSettings> {
    if raw.accounts.is_empty() {
        return Vec::new();
    }
    for (key, set) in [
        ("aws.account_id", raw.aws.account_id.is_some()),
        ("aws.region", raw.aws.region.is_some()),
        ("aws.role_arn", raw.aws.role_arn.is_some()),
    ] {
        if set {
            let allowed = format!("only one of {key} and accounts (remove {key})");
            r.problem(key, "a value next to accounts", &allowed);
        }
    }
    let mut seen = BTreeMap::new();
    let accounts = raw.accounts.iter().enumerate();
    accounts.filter_map(|(at, own)| account(r, &mut seen, at, own)).collect()
}

fn account(
    r: &mut Resolver<'_>,
    seen: &mut BTreeMap<Scope, String>,
    at: usize,
    own: &RawAccount,
) -> Option<AccountSettings> {
    let account_id: AccountId = own.account_id.parse().ok()?;
    let regions: Vec<Region> = own.regions.iter().filter_map(|name| name.parse().ok()).collect();
    for (n, region) in regions.iter().enumerate() {
        let key = format!("accounts[{at}].regions[{n}]");
        let scope = Scope { account_id: account_id.clone(), region: region.clone() };
        if let Some(first) = seen.get(&scope) {
            let allowed = format!(
                "each account once with a region, or two would write; the first is {first}"
            );
            r.problem(&key, format!("{scope} a second time"), &allowed);
        } else {
            seen.insert(scope, key);
        }
    }
    if let Some(role_arn) = own.role_arn.as_ref().filter(|arn| account_of(arn) != own.account_id) {
        let allowed = format!("a role of account {account_id}, which accounts[{at}].account_id is");
        r.problem(&format!("accounts[{at}].role_arn"), role_arn.clone(), &allowed);
    }
    if own.external_id.is_some() && own.role_arn.is_none() {
        let allowed = format!("an external_id only together with accounts[{at}].role_arn");
        r.problem(&format!("accounts[{at}].external_id"), "a value without a role", &allowed);
    }
    Some(AccountSettings {
        account_id,
        regions,
        role_arn: own.role_arn.clone(),
        external_id: own.external_id.clone(),
        profile: own.profile.clone(),
        endpoint_url: own.endpoint_url.clone(),
    })
}

/// The account in the ARN of a role: `arn:aws:iam::123456789012:role/name`.
fn account_of(role_arn: &str) -> &str {
    role_arn.split(':').nth(4).unwrap_or_default()
}
