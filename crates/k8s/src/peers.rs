//! The Leases of the other shards, as the API server has them.

use std::collections::BTreeSet;
use std::time::Duration;

use k8s_openapi::api::coordination::v1::Lease;
use kube::Api;
use kube::api::ListParams;

use super::elector::SCOPES_ANNOTATION;
use super::fence::BootClock;
use super::lease::Timing;
use super::lease::rivals::{Rival, Rivals};
use setpoint_core::model::ids::Scope;
use setpoint_core::model::shard::Shard;

/// What separates accounts and regions in the annotation: no name has it.
const SEPARATOR: &str = ",";

/// The part that a process takes in an election.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// The name of the Lease without shards, from which those of the shards are made.
    pub base_name: String,
    pub lease_name: String,
    /// The accounts and regions that are its own; absent when there is one process for everything.
    pub scopes: Option<Vec<Scope>>,
}

impl Part {
    /// Everything, by the Lease of this name.
    pub fn whole(lease_name: &str) -> Self {
        let name = lease_name.to_owned();
        Self { base_name: name.clone(), lease_name: name, scopes: None }
    }
}

/// Looks at them.
pub(super) struct Peers {
    api: Api<Lease>,
    part: Part,
    scopes: Option<BTreeSet<String>>,
    timing: Timing,
    rivals: Rivals,
    /// The term in which nobody is in the way.
    clear: Option<u64>,
    /// Whether a shard has held the own Lease: others of its kind may still be there.
    after_shards: bool,
    /// What the log was last told to be in the way.
    said: Option<String>,
}

impl Peers {
    pub(super) fn new(api: Api<Lease>, part: Part, timing: Timing) -> Self {
        let names = |scopes: &Vec<Scope>| scopes.iter().map(Scope::to_string).collect();
        let scopes = part.scopes.as_ref().map(names);
        let rivals = Rivals::default();
        Self { api, part, scopes, timing, rivals, clear: None, after_shards: false, said: None }
    }

    /// What the own Lease says of the part of its holder.
    pub(super) fn claim(&self) -> Option<String> {
        let scopes: Vec<&str> = self.scopes.as_ref()?.iter().map(String::as_str).collect();
        Some(scopes.join(SEPARATOR))
    }

    /// Takes note of the own Lease, as read or written.
    pub(super) fn note(&mut self, own: Option<&Lease>) {
        self.after_shards |= own.is_some_and(|lease| claim_of(lease).is_some());
    }

    /// Whether nobody is in the way of this term.
    pub(super) fn are_clear(&self, term: u64) -> bool {
        self.clear == Some(term)
    }

    /// Looks whether somebody is in the way of this term.
    pub(super) async fn look(&mut self, term: u64, boot: BootClock) {
        let limit = self.timing.renew_deadline / 2;
        let list = ListParams::default();
        let found = tokio::time::timeout(limit, self.api.list(&list)).await;
        let now = boot.now();
        let in_the_way = match found {
            Ok(Ok(leases)) => {
                let found: Vec<Rival> =
                    leases.items.iter().filter_map(|lease| self.rival(lease)).collect();
                let patience = self.timing.lease_duration;
                let found = self.rivals.in_the_way(self.scopes.as_ref(), &found, patience, now);
                let say = |rival: &&Rival| {
                    let holder = rival.holder.as_deref().unwrap_or_default();
                    format!("{} (held by {holder})", rival.name)
                };
                found.iter().map(say).collect::<Vec<_>>().join(", ")
            }
            // There never were shards, and a Role of before them does not allow to list Leases. Any other
            // failure says nothing of who is there.
            Ok(Err(kube::Error::Api(status)))
                if status.code == 403 && self.scopes.is_none() && !self.after_shards =>
            {
                String::new()
            }
            Ok(Err(error)) => format!("the Leases cannot be listed: {error}"),
            Err(_) => format!("the Leases cannot be listed: no answer within {limit:?}"),
        };
        if in_the_way.is_empty() {
            self.clear = Some(term);
            self.said = None;
        } else if self.said.as_ref() != Some(&in_the_way) {
            tracing::warn!(
                lease = self.part.lease_name,
                in_the_way,
                "not leading yet: another process may still write to accounts and regions of this shard"
            );
            self.said = Some(in_the_way);
        }
    }

    /// What is to be known of a Lease, if it is another shard's.
    fn rival(&self, lease: &Lease) -> Option<Rival> {
        let name = lease.metadata.name.clone()?;
        if name == self.part.lease_name || !Shard::is_name_of(&self.part.base_name, &name) {
            return None;
        }
        let spec = lease.spec.clone().unwrap_or_default();
        let seconds = spec.lease_duration_seconds.and_then(|s| u64::try_from(s).ok());
        let scopes = claim_of(lease)
            .map(|claim| claim.split(SEPARATOR).map(str::to_owned).collect::<BTreeSet<String>>());
        Some(Rival {
            name,
            holder: spec.holder_identity.filter(|holder| !holder.is_empty()),
            lease_duration: Duration::from_secs(seconds.unwrap_or_default()),
            version: lease.metadata.resource_version.clone().unwrap_or_default(),
            scopes,
        })
    }
}

fn claim_of(lease: &Lease) -> Option<&String> {
    lease.metadata.annotations.as_ref()?.get(SCOPES_ANNOTATION)
}
