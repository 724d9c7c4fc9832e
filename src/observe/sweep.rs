//! The listings of one region, taken once for all of its variants.

use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;
use std::sync::Arc;

use crate::model::endpoint::EndpointSummary;
use crate::model::fact::{Fact, Why};
use crate::model::ids::{AccountId, EndpointName, ResourceId, Scope};
use crate::model::listing::Listing;
use crate::model::reads::Read;
use crate::model::scaling::{ALARM_PREFIX, Alarm, ScalableTarget, ScalingPolicy, ScheduledAction};
use crate::model::shared::Shared;
use crate::model::time::Timestamp;
use crate::ports::{Aws, Clock, PortResult};

/// What a listing says of each variant in it, ready to be handed out.
pub type Parts<T> = Shared<BTreeMap<ResourceId, Shared<Fact<T>>>>;

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

/// What an earlier sweep saw, of which most is what the next one sees.
#[derive(Debug, Clone, Default)]
pub struct Listed {
    targets: Parts<Option<ScalableTarget>>,
    policies: Parts<Vec<ScalingPolicy>>,
    scheduled_actions: Parts<Vec<ScheduledAction>>,
    alarms: Parts<Vec<Alarm>>,
}

/// What one sweep of a region saw.
#[derive(Debug, Clone)]
pub struct Sweep {
    pub at: Timestamp,
    pub caller: Fact<AccountId>,
    pub endpoints: Fact<BTreeMap<EndpointName, EndpointSummary>>,
    pub targets: Fact<Parts<Option<ScalableTarget>>>,
    pub policies: Fact<Parts<Vec<ScalingPolicy>>>,
    pub scheduled_actions: Fact<Parts<Vec<ScheduledAction>>>,
    /// All alarms of target-tracking policies.
    pub alarms: Fact<Parts<Vec<Alarm>>>,
    /// What is said of a variant that a listing does not have.
    absent: Absent,
    /// What the listings say of whom that makes no sense: not known, and not absent either.
    pub unreadable: UnreadableRows,
    /// When each of them answered.
    pub reads: SweepReads,
}

/// Why what a row of a listing is about is not known, by the row's name.
#[derive(Debug, Clone, Default)]
pub struct UnreadableRows {
    endpoints: BTreeMap<EndpointName, Why>,
    targets: BTreeMap<ResourceId, Why>,
    policies: BTreeMap<ResourceId, Why>,
    scheduled_actions: BTreeMap<ResourceId, Why>,
    alarms: BTreeMap<ResourceId, Why>,
}

#[derive(Debug, Clone, Copy)]
pub struct SweepReads {
    pub caller: Read,
    pub endpoints: Read,
    pub targets: Read,
    pub policies: Read,
    pub scheduled_actions: Read,
    pub alarms: Read,
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
        let all = sorted_out(listing, read, &mut unreadable);
        let all = all.map(|all| all.into_iter().map(|e| (e.name.clone(), e)).collect());
        Self { all, unreadable, read }
    }
}

impl Sweep {
    /// Reads the listings, side by side: each is a chain of pages of its own. `endpoints` reads that of the endpoints,
    /// and may go on with what it lists. What is the same as `before` is kept once, and as soon as a listing has come:
    /// all of them twice would be tens of MiB of a large fleet.
    pub async fn read(
        aws: &Aws,
        clock: &dyn Clock,
        at: Timestamp,
        before: Listed,
        endpoints: impl Future<Output = ListedEndpoints>,
    ) -> Self {
        let mut unreadable = UnreadableRows::default();
        let UnreadableRows { endpoints: _, targets, policies, scheduled_actions, alarms } =
            &mut unreadable;
        let registered = |t: ScalableTarget| (t.resource.clone(), Fact::Known(Some(t)).into());
        let (caller, endpoints, targets, mut policies, scheduled_actions, alarms) = tokio::join!(
            timed(clock, "GetCallerIdentity", aws.identity.caller_account()),
            endpoints,
            async {
                let (listing, read) =
                    timed(clock, "DescribeScalableTargets", aws.scaling.scalable_targets(None))
                        .await;
                let all = sorted_out(listing, read, targets);
                (all.map(|all| shared(all.into_iter().map(registered), before.targets)), read)
            },
            several(
                timed(clock, "DescribeScalingPolicies", aws.scaling.scaling_policies(None)),
                |policy: &ScalingPolicy| Some(policy.resource.clone()),
                policies,
                before.policies,
            ),
            several(
                timed(clock, "DescribeScheduledActions", aws.scaling.scheduled_actions(None)),
                |action: &ScheduledAction| Some(action.resource.clone()),
                scheduled_actions,
                before.scheduled_actions,
            ),
            several(
                timed(clock, "DescribeAlarms", aws.metrics.alarms(ALARM_PREFIX)),
                Alarm::resource,
                alarms,
                before.alarms,
            ),
        );
        share_names(&mut policies.0, &alarms.0);
        unreadable.endpoints = endpoints.unreadable;
        let reads = SweepReads {
            caller: caller.1,
            endpoints: endpoints.read,
            targets: targets.1,
            policies: policies.1,
            scheduled_actions: scheduled_actions.1,
            alarms: alarms.1,
        };
        Self {
            at,
            caller: caller.0.into(),
            endpoints: endpoints.all,
            targets: targets.0,
            policies: policies.0,
            scheduled_actions: scheduled_actions.0,
            alarms: alarms.0,
            absent: Absent::default(),
            unreadable,
            reads,
        }
    }

    /// What the next sweep may share.
    pub fn listed(&self) -> Listed {
        let Self { targets, policies, scheduled_actions, alarms, .. } = self;
        Listed {
            targets: targets.known().cloned().unwrap_or_default(),
            policies: policies.known().cloned().unwrap_or_default(),
            scheduled_actions: scheduled_actions.known().cloned().unwrap_or_default(),
            alarms: alarms.known().cloned().unwrap_or_default(),
        }
    }

    /// Lets every reason why something is not known begin with the account and region: it is shown
    /// beside others'.
    pub fn name_in_errors(&mut self, scope: &Scope) {
        let Self {
            at: _,
            reads: _,
            absent: _,
            unreadable: _,
            caller,
            endpoints,
            targets,
            policies,
            scheduled_actions,
            alarms,
        } = self;
        let reasons = [
            caller.why_mut(),
            endpoints.why_mut(),
            targets.why_mut(),
            policies.why_mut(),
            scheduled_actions.why_mut(),
            alarms.why_mut(),
        ];
        let Scope { account_id, region } = scope;
        for why in reasons.into_iter().flatten() {
            why.message = format!("account {account_id} in {region}: {}", why.message);
        }
    }

    /// The variants that Application Auto Scaling knows.
    pub fn registered(&self) -> BTreeSet<ResourceId> {
        let known = self.targets.known().map(|t| t.keys().cloned().collect());
        let mut all: BTreeSet<ResourceId> = known.unwrap_or_default();
        all.extend(self.unreadable.targets.keys().cloned());
        all
    }

    /// The row of an endpoint in the listing.
    pub fn endpoint(&self, name: &EndpointName) -> Fact<Option<&EndpointSummary>> {
        unless(self.unreadable.endpoints.get(name), || {
            self.endpoints.as_ref().map(|all| all.get(name))
        })
    }

    pub fn target(&self, resource: &ResourceId) -> Shared<Fact<Option<ScalableTarget>>> {
        let why = self.unreadable.targets.get(resource);
        part(why, &self.targets, resource, &self.absent.target)
    }

    pub fn policies(&self, resource: &ResourceId) -> Shared<Fact<Vec<ScalingPolicy>>> {
        let why = self.unreadable.policies.get(resource);
        part(why, &self.policies, resource, &self.absent.policies)
    }

    pub fn scheduled_actions(&self, resource: &ResourceId) -> Shared<Fact<Vec<ScheduledAction>>> {
        let why = self.unreadable.scheduled_actions.get(resource);
        part(why, &self.scheduled_actions, resource, &self.absent.scheduled_actions)
    }

    /// The alarms of a variant's policies.
    pub fn alarms(&self, resource: &ResourceId) -> Shared<Fact<Vec<Alarm>>> {
        let why = self.unreadable.alarms.get(resource);
        part(why, &self.alarms, resource, &self.absent.alarms)
    }
}

fn unless<T>(why: Option<&Why>, fact: impl FnOnce() -> Fact<T>) -> Fact<T> {
    why.map_or_else(fact, |why| Fact::Unknown(why.clone()))
}

/// A listing of which each variant may have several rows.
async fn several<T: PartialEq>(
    listing: impl Future<Output = (PortResult<Listing<T>>, Read)>,
    key: impl Fn(&T) -> Option<ResourceId>,
    unreadable: &mut BTreeMap<ResourceId, Why>,
    before: Parts<Vec<T>>,
) -> (Fact<Parts<Vec<T>>>, Read) {
    let (listing, read) = listing.await;
    let all = sorted_out(listing, read, unreadable);
    (all.map(|all| shared(group(all, key), before)), read)
}

/// What a listing says of each variant; what an earlier one says as well is kept once.
fn shared<T: PartialEq>(
    parts: impl Iterator<Item = (ResourceId, Shared<Fact<T>>)>,
    mut before: Parts<T>,
) -> Parts<T> {
    let share = |(resource, mut part): (ResourceId, Shared<Fact<T>>)| {
        match before.remove_entry(&resource) {
            Some((name, before)) => {
                part.share(&before);
                // The name, too: this listing has another copy of it.
                (name, part)
            }
            None => (resource, part),
        }
    };
    parts.map(share).collect()
}

/// What a policy calls its alarms is what they are called themselves, and each of thousands of variants has two: the
/// names are kept once. What an earlier listing said as well has been shared then.
fn share_names(policies: &mut Fact<Parts<Vec<ScalingPolicy>>>, alarms: &Fact<Parts<Vec<Alarm>>>) {
    let (Fact::Known(policies), Fact::Known(alarms)) = (policies, alarms) else { return };
    for (resource, part) in policies.iter_mut() {
        let (Some(Fact::Known(own)), Some(alarms)) = (part.own(), alarms.get(resource)) else {
            continue;
        };
        for name in own.iter_mut().filter_map(|policy| policy.alarm_names.as_mut()).flatten() {
            let mut alarms = alarms.known().into_iter().flatten();
            if let Some(alarm) = alarms.find(|alarm| alarm.name == *name) {
                Arc::clone_from(name, &alarm.name);
            }
        }
    }
}

/// One variant's part of a listing.
fn part<T>(
    why: Option<&Why>,
    listing: &Fact<Parts<T>>,
    resource: &ResourceId,
    absent: &Shared<Fact<T>>,
) -> Shared<Fact<T>> {
    match (why, listing) {
        (Some(why), _) | (None, Fact::Unknown(why)) => Fact::Unknown(why.clone()).into(),
        (None, Fact::Known(all)) => all.get(resource).unwrap_or(absent).clone(),
    }
}

/// The rows that can be read; the others go to `unreadable` by their names. One that is about
/// nobody is logged and left out.
fn sorted_out<T, K: FromStr + Ord>(
    listing: PortResult<Listing<T>>,
    read: Read,
    unreadable: &mut BTreeMap<K, Why>,
) -> Fact<Vec<T>> {
    Fact::from(listing).map(|listing| {
        let (rows, others) = listing.into_parts();
        let mut nobodys = Vec::new();
        for row in others {
            let about = row.about.as_ref().and_then(|about| about.parse().ok());
            match about {
                Some(about) => {
                    unreadable.insert(about, row.to_why(read.operation()));
                }
                None => nobodys.push(row.why),
            }
        }
        if let Some(first) = nobodys.first() {
            let operation = read.operation();
            let skipped = nobodys.len();
            tracing::warn!(operation, skipped, first, "rows of a listing make no sense");
        }
        rows
    })
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

/// The rows of each variant.
fn group<T>(
    all: Vec<T>,
    key: impl Fn(&T) -> Option<ResourceId>,
) -> impl Iterator<Item = (ResourceId, Shared<Fact<Vec<T>>>)> {
    let mut groups: BTreeMap<ResourceId, Vec<T>> = BTreeMap::new();
    for item in all {
        if let Some(resource) = key(&item) {
            groups.entry(resource).or_default().push(item);
        }
    }
    groups.into_iter().map(|(resource, mut group)| {
        group.shrink_to_fit();
        (resource, Fact::Known(group).into())
    })
}
