//! The listings of one region, taken once for all of its variants.

use std::collections::{BTreeMap, BTreeSet};

use super::collected::sort_out;
use super::listings::Listed;
use super::rows::{Rows, RowsRead};
use crate::model::endpoint::EndpointSummary;
use crate::model::fact::{Fact, Why};
use crate::model::ids::{AccountId, EndpointName, ResourceId, Scope};
use crate::model::reads::Read;
use crate::model::scaling::{Alarm, ScalableTarget, ScalingPolicy, ScheduledAction};
use crate::model::shared::Shared;
use crate::model::time::Timestamp;
use crate::ports::{Aws, Clock};

/// What a listing that is whole says of a variant that is not in it, kept once for all of them.
#[derive(Debug, Clone)]
struct Absent {
    target: Shared<Fact<Option<ScalableTarget>>>,
    policies: Shared<Fact<Vec<ScalingPolicy>>>,
    scheduled_actions: Shared<Fact<Vec<ScheduledAction>>>,
    alarms: Shared<Fact<Vec<Alarm>>>,
}

impl Default for Absent {
    fn default() -> Self {
        Self {
            target: Fact::Known(None).into(),
            policies: Fact::Known(Vec::new()).into(),
            scheduled_actions: Fact::Known(Vec::new()).into(),
            alarms: Fact::Known(Vec::new()).into(),
        }
    }
}

/// What one sweep of a region saw.
#[derive(Debug, Clone)]
pub struct Sweep {
    pub at: Timestamp,
    pub caller: Fact<AccountId>,
    pub endpoints: Fact<BTreeMap<EndpointName, EndpointSummary>>,
    pub listed: Listed,
    /// What was read by name of variants of which the listings say less than is known.
    pub rows: BTreeMap<ResourceId, Shared<Rows>>,
    /// What is said of a variant that a listing does not have.
    absent: Absent,
    /// The endpoints whose rows make no sense: not known, and not absent either.
    pub(super) unreadable: BTreeMap<EndpointName, Why>,
    /// When the other two answered.
    pub reads: SweepReads,
}

#[derive(Debug, Clone, Copy)]
pub struct SweepReads {
    pub caller: Read,
    pub endpoints: Read,
}

/// What `ListEndpoints` says.
#[derive(Debug)]
pub struct ListedEndpoints {
    pub all: Fact<BTreeMap<EndpointName, EndpointSummary>>,
    unreadable: BTreeMap<EndpointName, Why>,
    read: Read,
}

impl ListedEndpoints {
    pub async fn read(aws: &Aws, clock: &dyn Clock) -> Self {
        let mut unreadable = BTreeMap::new();
        let (listing, read) = timed(clock, "ListEndpoints", aws.endpoints.list_endpoints()).await;
        let all = Fact::from(listing).map(|listing| {
            let (rows, others) = listing.into_parts();
            sort_out(others, read, &mut unreadable);
            rows.into_iter().map(|e| (e.name.clone(), e)).collect()
        });
        Self { all, unreadable, read }
    }
}

impl Sweep {
    /// Reads all of it, side by side; `endpoints` reads those, and may go on with what it lists. How long a pass waits
    /// for the `listings` they know themselves.
    pub async fn read(
        (aws, clock): (&Aws, &dyn Clock),
        at: Timestamp,
        listings: impl Future<Output = Listed>,
        endpoints: impl Future<Output = ListedEndpoints>,
    ) -> Self {
        let (caller, endpoints, listed) = tokio::join!(
            timed(clock, "GetCallerIdentity", aws.identity.caller_account()),
            endpoints,
            listings,
        );
        Self {
            at,
            caller: caller.0.into(),
            endpoints: endpoints.all,
            listed,
            rows: BTreeMap::new(),
            absent: Absent::default(),
            unreadable: endpoints.unreadable,
            reads: SweepReads { caller: caller.1, endpoints: endpoints.read },
        }
    }

    /// Lets every reason why something is not known begin with the account and region: it is shown
    /// beside others'.
    pub fn name_in_errors(&mut self, scope: &Scope) {
        let Self { caller, endpoints, listed, .. } = self;
        let Scope { account_id, region } = scope;
        let reasons = [caller.why_mut(), endpoints.why_mut()].into_iter().flatten();
        for why in reasons.chain(listed.whys_mut()) {
            why.message = format!("account {account_id} in {region}: {}", why.message);
        }
    }

    /// The variants that Application Auto Scaling knows.
    pub fn registered(&self) -> BTreeSet<ResourceId> {
        self.listed.registered()
    }

    /// The row of an endpoint in the listing.
    pub fn endpoint(&self, name: &EndpointName) -> Fact<Option<&EndpointSummary>> {
        unless(self.unreadable.get(name), || self.endpoints.as_ref().map(|all| all.get(name)))
    }

    pub fn target(&self, resource: &ResourceId) -> Shared<Fact<Option<ScalableTarget>>> {
        self.rows.get(resource).map_or_else(
            || self.listed.targets.of(resource, &self.absent.target),
            |rows| rows.target.clone(),
        )
    }

    pub fn policies(&self, resource: &ResourceId) -> Shared<Fact<Vec<ScalingPolicy>>> {
        self.rows.get(resource).map_or_else(
            || self.listed.policies.of(resource, &self.absent.policies),
            |rows| rows.policies.clone(),
        )
    }

    pub fn scheduled_actions(&self, resource: &ResourceId) -> Shared<Fact<Vec<ScheduledAction>>> {
        self.rows.get(resource).map_or_else(
            || self.listed.scheduled_actions.of(resource, &self.absent.scheduled_actions),
            |rows| rows.scheduled_actions.clone(),
        )
    }

    /// The alarms of a variant's policies.
    pub fn alarms(&self, resource: &ResourceId) -> Shared<Fact<Vec<Alarm>>> {
        self.rows.get(resource).map_or_else(
            || self.listed.alarms.of(resource, &self.absent.alarms),
            |rows| rows.alarms.clone(),
        )
    }

    /// When each of these answered for a variant.
    pub fn rows_read(&self, resource: &ResourceId) -> RowsRead {
        let Listed { targets, policies, scheduled_actions, alarms, .. } = &self.listed;
        let listed = || RowsRead {
            target: targets.read,
            policies: policies.read,
            scheduled_actions: scheduled_actions.read,
            alarms: alarms.read,
        };
        self.rows.get(resource).map_or_else(listed, |rows| rows.reads)
    }
}

fn unless<T>(why: Option<&Why>, fact: impl FnOnce() -> Fact<T>) -> Fact<T> {
    why.map_or_else(fact, |why| Fact::Unknown(why.clone()))
}

/// An answer, and when it came.
pub(super) async fn timed<T>(
    clock: &dyn Clock,
    operation: &'static str,
    answer: impl Future<Output = T>,
) -> (T, Read) {
    let answer = answer.await;
    (answer, Read::new(operation, clock.now()))
}
